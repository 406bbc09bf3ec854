"""Surroundings: what a step refers to beside its arguments. A recording holds as long as these are what they were."""

import functools
import inspect
import numbers
import operator
import types

import numpy as np

from minigan.engine import Tensor
from minigan.engine.modes import changes

PLAIN = (numbers.Number, str, bytes, type(None), np.dtype)  # constants of a step: known by their value
DEEPEST, LONGEST = 4, 64  # how far the search goes: from an object to what it holds, and lists up to that length
LIBRARIES = {"minigan", "numpy", "numba", "scipy", "matplotlib", "builtins"}  # whose insides are not looked into


class Seen:
    """What all places held that a step looks at: closure, globals, the object it is a method of, and what these hold.

    Of what a place holds, numbers and words count by their value, everything else by its identity.
    """

    def __init__(self, step):
        search = _Search()
        search.enter(search.near, "", step, DEEPEST)
        search.add_rates()
        self.count = changes.count
        self.near = {name: (look, look()) for name, look in search.near.items()}
        self.far = {name: (look, look()) for name, look in search.far.items()}  # inside modules
        self.marks = {name: _mark(content) for name, (_, content) in (self.near | self.far).items()}

    def named(self):
        """Return (name, object) for what the step refers to, by the names that the user has for them."""
        return [
            (name.strip(".").replace(".", "_"), content)
            for name, (_, content) in self.near.items()
            if not isinstance(content, type)
        ]

    def rates(self):
        """Return {name: number} for the numbers of all optimisers that the step refers to."""
        return {
            f"{name}.{word}": value
            for name, thing in self.named()
            if hasattr(thing, "state_names")
            for word, value in vars(thing).items()
            if isinstance(value, numbers.Number | tuple)
        }

    def difference(self, other):
        """Return the names of the places that hold something else."""
        return {name for name, _ in self.marks.items() ^ other.marks.items()}


class Surroundings:
    """What the places held when a version of a step was right, and which of them do not matter to it."""

    def __init__(self, seen):
        self.ignored = set()
        self.renew(seen)

    def renew(self, seen):
        """Take what the places hold now for what they should."""
        self.seen, self.count = seen, seen.count
        near, far = (
            [pair for name, pair in places.items() if name not in self.ignored] for places in (seen.near, seen.far)
        )
        self.looks, self.contents = zip(*near, strict=True) if near else ((), ())
        self.far_looks, self.far_contents = zip(*far, strict=True) if far else ((), ())

    def hold(self):
        """Return whether all places that matter hold the very objects that they should.

        Modules are looked into only after an attribute of some module was set (`minigan.engine.modes.changes`).
        """
        if self.count != changes.count:
            if not _same(self.far_contents, self.far_looks):
                return False
            self.count = changes.count
        return _same(self.contents, self.looks)

    def equal(self, seen):
        """Return whether the places that matter hold what they should: numbers may be other objects of that value."""
        return self.seen.difference(seen) <= self.ignored

    def ignore(self, names):
        """Leave places out: the version is right whatever they hold.

        `training` stays: what makes no difference now may make one when a rate of dropout has changed, too.
        """
        self.ignored |= {name for name in names if not name.endswith(".training")}


def _same(contents, looks):
    return all(map(operator.is_, contents, [look() for look in looks]))


def _mark(content):
    """Return something hashable that is another one when a place holds something else."""
    if isinstance(content, PLAIN):
        return type(content), content if content == content else str(content)  # nan is not itself
    return id(content)


class _Search:
    """Collects places, as functions that return what is there now: near ones, and those inside modules."""

    def __init__(self):
        self.near, self.far = {}, {}
        self.entered = set()
        self.words = set()  # names in the user's own functions

    def enter(self, places, name, thing, depth):
        """Add the places that a thing holds to the near or the far ones."""
        if id(thing) in self.entered or depth == 0 or isinstance(thing, (*PLAIN, Tensor, np.ndarray, type)):
            return
        self.entered.add(id(thing))
        if isinstance(thing, functools.partial):
            for part in (thing.func, thing.args, thing.keywords):
                self.enter(places, name, part, depth)
        elif inspect.ismethod(thing):
            self._function(places, name, thing.__func__, depth, thing.__self__)
        elif inspect.isfunction(thing):
            self._function(places, name, thing, depth)
        elif isinstance(step := getattr(thing, "__wrapped__", None), types.FunctionType | types.MethodType):
            self.enter(places, name, step, depth)  # of a compiled step
        elif isinstance(thing, dict | list | tuple):
            self._container(places, name, thing, depth)
        elif hasattr(thing, "named_parameters"):
            self._module(name, thing, depth)
        elif _is_users(type(thing)) and len(getattr(thing, "__dict__", ())) in range(1, LONGEST):
            self._attributes(places, name, thing, vars(thing), depth)
        call = inspect.getattr_static(type(thing), "__call__", None)
        if depth == DEEPEST and inspect.isfunction(call):  # the step is an object that can be called
            self._function(places, name, call, depth, thing)

    def add_rates(self):
        """Add the numbers of optimisers that the user's functions read: a step of an optimiser reads them by itself."""
        for name, look in list(self.near.items()):
            if hasattr(optimiser := look(), "state_names") and not isinstance(optimiser, type):
                read = {
                    word for word in self.words & vars(optimiser).keys() if isinstance(vars(optimiser)[word], PLAIN)
                }
                self._attributes(self.near, name, optimiser, read, 1)

    def _add(self, places, name, look, depth):
        places[name] = look
        self.enter(places, name, look(), depth - 1)

    def _function(self, places, name, function, depth, owner=None):
        """Add what a function takes from outside, and what its names say that it reads of its owner."""
        in_python, users = inspect.isfunction(function), _is_users(function)
        used = _names_in(function.__code__) if in_python else set()
        if in_python and (users or owner is not None):
            for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
                if cell != types.CellType():  # that is bound
                    self._add(places, f"{name}.{variable}", functools.partial(getattr, cell, "cell_contents"), depth)
        if in_python and users:
            self.words |= used
            outside = function.__globals__
            for variable in sorted(used & outside.keys()):
                self._add(places, f"{name}.{variable}", functools.partial(outside.get, variable), depth)
            for part in (function.__defaults__, function.__kwdefaults__):
                self.enter(places, name, part, depth - 1)
        if owner is not None and hasattr(owner, "__dict__"):
            self._owner(places, name, owner, used, depth)

    def _owner(self, places, name, owner, used, depth):
        """Add the attributes that a method reads, by itself or through other methods."""
        self.entered.add(id(owner))
        methods = {n: m for n in dir(type(owner)) if (m := _function_of(inspect.getattr_static(type(owner), n)))}
        reached = set()
        while new := (used & methods.keys()) - reached:
            reached |= new
            used = used.union(*(_names_in(methods[n].__code__) for n in new))
            for n in sorted(new):
                self._function(places, f"{name}.{n}", methods[n], depth)
        read = used & vars(owner).keys()
        if hasattr(owner, "named_parameters"):
            read -= {"training"}  # is among what modules hold
            self._module(name, owner, depth)
        self._attributes(places, name, owner, read, depth)

    def _module(self, name, module, depth):
        """Add what a module and all modules inside hold; these are looked at when some module has changed."""
        modules = module.modules()
        self.entered |= set(map(id, modules))
        for k, inner in enumerate(modules):
            if _is_users(type(inner)):
                self._function(self.near, f"{name}.{k}.forward", type(inner).forward, depth)
                for attribute, value in vars(inner).items():
                    if isinstance(value, dict | list):  # may change without an attribute being set
                        self.enter(self.near, f"{name}.{k}.{attribute}", value, depth)
            self._attributes(self.far, f"{name}.{k}", inner, vars(inner).keys() - {"training"}, depth)
            self.far[f"{name}.{k}.training"] = functools.partial(getattr, inner, "training", None)

    def _attributes(self, places, name, thing, attributes, depth):
        for attribute in sorted(attributes):
            self._add(places, f"{name}.{attribute}", functools.partial(vars(thing).get, attribute), depth)

    def _container(self, places, name, container, depth):
        if len(container) <= LONGEST:
            for k in container if isinstance(container, dict) else range(len(container)):
                self._add(places, f"{name}.{k}", functools.partial(_item, container, k), depth)
            places[f"{name}.len"] = functools.partial(len, container)


def _item(container, k):
    """Return an item, or None where it is gone."""
    try:
        return container[k]
    except LookupError:
        return None


def _function_of(attribute):
    """Return the Python function behind an attribute of a class (a method, a property), or None."""
    for wrapped in ("fget", "func", "__func__"):
        attribute = getattr(attribute, wrapped, attribute)
    return attribute if inspect.isfunction(attribute) else None


def _names_in(code):
    """Return the names of globals and attributes in a function's code and in the functions inside it."""
    inner = [_names_in(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*inner)


def _is_users(thing):
    """Return whether a function or a class is no library's."""
    return (getattr(thing, "__module__", None) or "").split(".")[0] not in LIBRARIES
