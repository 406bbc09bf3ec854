"""compile: from a Python function that trains to one that has been traced, optimised and compiled."""

import copy
import functools
import inspect
import threading
import weakref

import numpy as np

from minigan import engine, memory
from minigan.compiler.recorded import Recorded
from minigan.compiler.surroundings import PLAIN, Seen
from minigan.compiler.version import Version
from minigan.engine import Tensor, modes
from minigan.errors import TraceError
from minigan.kernels import products

MOST_VERSIONS = 16  # of a step, for other shapes and surroundings: each has memory of its own


def compile(step):
    """Return a function with the same result and the same effects as `step`, compiled by Numba.

    The first call runs `step` once, writing to no tensor, and records what happens: forward, backward, penalties,
    optimiser, averages and random draws. Then, and from then on, the recorded program runs, as one compiled function,
    and `step` itself is not entered again until a shape, a dtype, a mode (``train()``, ``eval()``) or something that it
    takes from outside changes. Under `detect_anomaly` it always runs eagerly.

    Parameters
    ----------
    step : callable
        Takes arrays, Tensors, numbers and words, and returns Tensors, nested in tuples, lists or dicts. Numbers among
        the arguments, and what it takes from outside (by closure, as globals, as attributes; numbers, networks,
        optimisers, arrays), are constants, and compiled anew when they change. What is to vary cheaply is passed in as
        a 0-d array. Learning rates and other attributes of optimisers stay alive.

    Returns
    -------
    CompiledStep
        With ``.program``, the equations, and ``.source``, the Python that was generated.

    Raises
    ------
    TraceError
        At a call: if the step branches on a value, turns one into a Python number or a NumPy array, uses an array from
        outside that changes from call to call, writes to an argument or to a tensor that it makes of numbers, or
        changes a learning rate.
    DTypeError
        At a call: if a dtype is none of float32, float64, integers and booleans.
    TypeError
        If `step` is not callable.

    Examples
    --------
    >>> import minigan as mg
    >>> w = mg.tensor([3.0], requires_grad=True)
    >>> descend = mg.optim.SGD([w], lr=0.25)
    >>> @mg.compile
    ... def step(x):
    ...     loss = (w * x * (w * x)).sum()
    ...     descend.zero_grad()
    ...     loss.backward()
    ...     descend.step()
    ...     return loss
    >>> [step(mg.tensor([1.0])).item() for _ in range(3)]
    [9.0, 2.25, 0.5625]
    """
    return CompiledStep(step)


class CompiledStep:
    """What `compile` returns. Call it like the step that it was made of."""

    def __init__(self, step):
        if not callable(step):
            raise TypeError(f"compile: got {type(step).__name__}, expected a function")
        functools.update_wrapper(self, step, updated=())
        self.step = step
        self.versions, self.last = [], None
        self.lock = threading.RLock()  # a version's memory serves one call at a time

    def __call__(self, *arguments, **named):
        if named:
            arguments = self._in_order(arguments, named)
        given = [a if isinstance(a, Tensor) else _taken(k, a) for k, a in enumerate(arguments)]
        if modes.equations is not None or modes.anomaly:  # within another step that is recorded, or to be looked into
            return self.step(*given)
        kinds = [
            (a._data.shape, a._data.dtype, a.requires_grad, a._node is None) if isinstance(a, Tensor) else (type(a), a)
            for a in given
        ]
        kinds += modes.default_dtype, modes.grad_enabled, modes.frozen_statistics
        with self.lock:
            version, recorded = self.last, None
            if version is None or version.kinds != kinds or not version.fits():
                version, recorded = self._find(kinds, given)
            elif not version.verified:
                version, recorded = self._verified(version, given)
            if recorded is None:
                version.draw()
            else:
                version.replay(recorded)
            self.last = version
            results = version.run(given)
        if recorded is not None:  # what recording and compiling needed will not be needed again
            memory.give_back()
        return results

    def _find(self, kinds, given):
        """Return (version, recording): a version that is known, or a new one for other arguments or surroundings.

        The recording is None where none was made.
        """
        before = Seen(self.step)
        for version in self.versions:
            if version.kinds == kinds and version.is_current(counts=True) and version.surroundings.equal(before):
                version.surroundings.renew(before)
                return (version, None) if version.verified else self._verified(version, given)
        rates = before.rates()
        recorded = Recorded(self.step, given, self._names(before))
        after = Seen(self.step)
        now = after.rates()
        try:
            if changed := [name for name, rate in rates.items() if now.get(name, rate) != rate]:
                raise TraceError(
                    f"the step changes {changed[0].strip('.')}: a compiled step does not run Python's part of it. "
                    "Change a rate between the calls"
                )
            version = self._same(kinds, after, recorded) or self._new(kinds, after, recorded)
        except BaseException:
            recorded.abandon()
            raise
        recorded.forget()
        version.surroundings.ignore(before.difference(after))  # what the step changes: counters, what it remembers
        version.surroundings.renew(after)
        return version, recorded

    def _new(self, kinds, seen, recorded):
        version = Version(self.step, kinds, seen, recorded)
        self.versions = [*self.versions[1 - MOST_VERSIONS :], version]
        return version

    def _same(self, kinds, seen, recorded):
        """Return a version that was recorded in other surroundings and does the same, or None."""
        for version in self.versions:
            if version.kinds == kinds and version.is_current() and not version.recorded.difference(recorded):
                version.surroundings.ignore(version.surroundings.seen.difference(seen))  # which has no influence
                version.verified = True
                return version
        return None

    def _verified(self, version, given):
        """Record the step once more: what was taken for constant must be the same, or it is no constant."""
        self.versions, self.last = [other for other in self.versions if other is not version], None
        recorded = Recorded(self.step, given)  # if it fails, the next call begins anew
        if difference := version.recorded.difference(recorded):
            recorded.abandon()
            raise TraceError(difference)
        recorded.forget()
        self.versions.append(version)
        version.verified = True
        return version, recorded

    def _names(self, seen):
        """Return {id of an array: what the user calls it}."""
        names = {}
        for name, thing in seen.named():
            if isinstance(thing, Tensor):
                parts = [("", thing)]
            elif hasattr(thing, "named_parameters"):
                parts = [*thing.named_parameters(), *thing.named_buffers()]
            elif hasattr(thing, "state_names"):  # an optimiser
                states = [(word, getattr(thing, word)) for word in thing.state_names]
                parts = [("parameters", thing._flat), ("gradient", thing._grad), *states]
            else:
                continue
            for word, tensor in parts:
                names.setdefault(id(tensor._data), f"{name}_{word}".rstrip("_"))
        return names

    def _in_order(self, arguments, named):
        """Return all arguments by their places, defaults included."""
        bound = inspect.signature(self.step).bind(*arguments, **named)
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(f"a compiled step takes no keyword-only arguments: {', '.join(bound.kwargs)}")
        return bound.args

    # -- as a function is: a method, copied with what it belongs to ------------------------------------------------
    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        if not hasattr(instance, "__dict__"):
            raise TypeError(f"a compiled method needs an object with a __dict__; {owner.__name__} has __slots__")
        steps = vars(instance).get("_compiled_steps")
        if steps is None or steps.owner() is not instance:  # but another object, of which this is a shallow copy
            steps = vars(instance)["_compiled_steps"] = _Methods(instance)
        if self.step not in steps:
            steps[self.step] = CompiledStep(self.step.__get__(instance))
        return steps[self.step]

    def __deepcopy__(self, memo):
        return CompiledStep(copy.deepcopy(self.step, memo))

    def __reduce__(self):
        return CompiledStep, (self.step,)

    # -- to look at ------------------------------------------------------------------------------------------------
    @property
    def program(self):
        """The equations of the version that ran last; None before the first call."""
        return None if self.last is None else self.last.program

    @property
    def source(self):
        """The Python that was generated for the version that ran last; None before the first call."""
        return None if self.last is None else self.last.source.text

    def products(self):
        """Do the matrix products of the version that ran last, and nothing else: what no compiler can save."""
        for out, x, y in self.last.products:
            products.matmul(out, x, y)


class _Methods(dict):
    """The compiled methods of one object, by their functions. A copy of the object begins with none."""

    def __init__(self, owner=None):
        self.owner = (lambda: None) if owner is None else weakref.ref(owner)

    def __reduce__(self):
        return _Methods, ()


def _taken(k, argument):
    """Return an argument that is no Tensor as a Tensor, or as it is: numbers and words are constants."""
    if isinstance(argument, np.ndarray | np.generic):
        return engine.tensor(argument)
    if isinstance(argument, list | tuple) and not _holds_arrays(argument):
        return engine.tensor(argument)
    if isinstance(argument, PLAIN):
        return argument
    raise TraceError(
        f"argument {k} of the step is a {type(argument).__name__}: a compiled step takes arrays, Tensors, numbers and "
        "words, each by itself. What it needs beside these, it takes from outside (closure, globals, its object)"
    )


def _holds_arrays(items):
    return any(
        isinstance(item, Tensor | np.ndarray) or (isinstance(item, list | tuple) and _holds_arrays(item))
        for item in items
    )
