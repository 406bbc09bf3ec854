"""compile: from a Python function that trains to one that has been traced, optimised and compiled."""

import contextlib
import functools
import inspect
import itertools
import numbers as number_types

import numpy as np

from minigan import engine
from minigan.compiler import cache
from minigan.compiler.passes import optimise
from minigan.compiler.places import Places
from minigan.compiler.source import Source
from minigan.compiler.trace import trace
from minigan.engine import Tensor, modes
from minigan.errors import TraceError
from minigan.kernels import products, threads
from minigan.lowerings import Fill


def compile(step):
    """Return a function with the same result and the same effects as `step`, compiled by Numba.

    The first call runs `step` as it is and records what happens: forward, backward, penalties, optimiser, averages and
    random draws. From then on the recorded program runs, as one compiled function, and `step` itself is not entered
    again until a shape, a dtype, a mode (``train()``, ``eval()``) or a number that it takes from outside changes.

    Parameters
    ----------
    step : callable
        Takes arrays or Tensors, and returns Tensors, nested in tuples, lists or dicts. Numbers that it takes from
        outside (by closure, as globals, as attributes) are constants, and compiled anew when they change; what is to
        vary cheaply is passed in as a 0-d array. Learning rates and other attributes of optimisers stay alive.

    Returns
    -------
    CompiledStep
        With ``.program``, the equations, and ``.source``, the Python that was generated.

    Raises
    ------
    TraceError
        At a call: if the step branches on a value, turns one into a Python number or a NumPy array, or uses an array
        from outside that changes from call to call.

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
        self.step = step
        self.surroundings = Surroundings(step)
        self.versions = {}  # what a recording depends on -> Version
        self.last = None
        functools.update_wrapper(self, step)

    def __call__(self, *arguments):
        given = [a if isinstance(a, Tensor) else engine.tensor(np.asarray(a)) for a in arguments]
        numbers, training = self.surroundings.state()
        key = (*[(a._data.shape, a._data.dtype) for a in given], modes.default_dtype, *numbers, *training)
        version = self.versions.get(key)
        if version is None or not version.is_current():
            version = self.versions[key] = Version(self.step, given, self.surroundings.names(given))
        elif not version.verified:
            version.verify(self.step, given)
        else:
            version.run_sources()
        self.last = version
        return version.run(given)

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


class Version:
    """A step compiled for certain shapes and surroundings.

    Recording runs the step eagerly, with all its effects. They are undone, and the compiled program takes the same step
    with the same random numbers: so every step's result comes from the same code, the first one's too.
    """

    def __init__(self, step, given, names):
        recorded, record, self.form = self._record(step, given, names)
        self.program = optimise(recorded)
        title = f"{getattr(step, '__qualname__', 'step')}, compiled by minigan: kernels first, the step at the end."
        self.source = Source(self.program, title)
        self.module = cache.load(self.source.text)
        threads.start()
        self.cell = self.source.layout.cell
        self.sources = [e for e in self.program.equations if not e.inputs]
        self.draws = [_draw(e, self.cell) for e in self.sources]
        on_host = [a for a in self.source.actions if not isinstance(a, tuple)]
        self.places = Places(self.program, self.source.layout, self.sources + on_host)
        self.actions = [
            _Part(getattr(self.module, a[0]), a[1], self.places) if isinstance(a, tuple) else _on_host(a, self.cell)
            for a in self.source.actions
        ]
        tensors = _living(record)
        self.living = [(t, array) for t, array, _ in tensors]
        self.written = [(t._version, n) for t, _, n in tensors if n]
        self.captured = [(x, t._data) for t, x in record.constants if isinstance(x, np.ndarray) and x is not t._data]
        self.outline = Outline(record)
        self.verified = False
        self.rebuilt = _rebuilder(self.form)
        self._replay(record)
        self.program.forget()

    @staticmethod
    def _record(step, given, names):
        """Run the step as it is, undo what it wrote, and return (program, recording, what it returned)."""
        program, record, returned = trace(step, given, names)
        record.undo()
        for _, args, _, _ in record:
            for t in args:
                t.grad = None  # a compiled step leaves no gradients behind
        return program, record, returned

    def verify(self, step, given):
        """Record the step once more: what was taken for constant must be the same, or it is no constant."""
        _, record, _ = self._record(step, given, {})
        self.outline.compare(Outline(record))
        self.verified = True
        self._replay(record)

    def _replay(self, record):
        """Take random draws and Python's numbers from a recording: they have been made, and must not be made again."""
        made = [outs for _, args, _, outs in record if not args]
        for equation, outs in zip(self.sources, made, strict=True):
            for v, t in zip(equation.outputs, outs, strict=True):
                np.copyto(self.cell(v), t._data)

    @functools.cached_property
    def products(self):
        """Triples (out, x, y) like those of the step's matrix products, filled with normal numbers.

        Repeated alone on the step's own memory, one product's result would be the next one's operand, and soon all
        numbers so small (denormal) that a processor needs many times as long for them.
        """
        rng = np.random.default_rng(0)
        triples = [tuple(map(np.empty_like, triple)) for triple in self.source.products]
        for array in itertools.chain(*triples):
            array[...] = rng.standard_normal(array.shape)
        return triples

    def is_current(self):
        """Return whether all memory that the program works on is where it was."""
        return all([t._data is array for t, array in self.living])

    def run_sources(self):
        """Make this step's random draws and Python's numbers."""
        for draw in self.draws:
            draw()

    def run(self, given):
        """Do one step, the draws being made."""
        for original, recorded in self.captured:
            if not np.array_equal(original, recorded):
                raise TraceError(
                    "an array that the compiled step takes from outside has changed since it was recorded; pass it as "
                    "an argument, or make it a tensor once and write to it with .assign"
                )
        memory = self.places.memory(given)
        for action in self.actions:
            action(memory)
        for version, writes in self.written:
            version[0] += writes
        return self.rebuilt([Tensor(array) for array in self.places.returned(memory)])


class _Part:
    """A compiled function with the table of addresses that it is called with."""

    def __init__(self, function, arrays, places):
        self.function, self.arrays = function, arrays  # which have to live as long as their addresses are known
        self.table = np.array([array.ctypes.data for array in arrays])
        self.moved = [(i, *where) for i, array in enumerate(arrays) if (where := places.where(array))]

    def __call__(self, memory):
        for i, k, offset in self.moved:
            self.table[i] = memory[k].ctypes.data + offset
        self.function(self.table)


def _draw(equation, cell):
    """Return a function that makes this step's random draw, or Python's numbers."""
    if isinstance(equation.primitive.lowering, Fill):
        return equation.primitive.lowering.prepare(cell(equation.outputs[0]), **equation.params)
    return functools.partial(_on_host(equation, cell), None)


def _on_host(equation, cell):
    """Return a function that runs an equation as its eager implementation, on the program's memory."""
    inputs, outputs = [cell(v) for v in equation.inputs], [cell(v) for v in equation.outputs]
    implementation = functools.partial(equation.primitive.impl, *inputs, **equation.params)

    @np.errstate(all="ignore")
    def run(_):
        made = implementation()
        for out, array in zip(outputs, made if isinstance(made, tuple) else (made,), strict=True):
            np.copyto(out, array)

    return run


def _rebuilder(form):
    """Return a function that nests a list of Tensors as those in `form` are."""
    if type(form) is tuple and all(isinstance(part, Tensor) for part in form):
        return tuple  # as most steps return them
    return lambda tensors: _rebuilt(form, iter(tensors))


def _rebuilt(tree, tensors):
    """Return `tree` with its Tensors replaced, in order, by those that the iterator `tensors` yields."""
    if isinstance(tree, Tensor):
        return next(tensors)
    if isinstance(tree, dict):
        return {k: _rebuilt(v, tensors) for k, v in tree.items()}
    return type(tree)([_rebuilt(v, tensors) for v in tree]) if isinstance(tree, (list, tuple)) else tree


def _living(record):
    """Return (tensor, its array, how often it is written to) for the tensors from outside."""
    made = {id(t._data) for _, _, _, outs in record for t in outs}
    writes, tensors = {}, {}
    for primitive, args, _, _ in record:
        for i, t in enumerate(args):
            if t._node is None and id(t._data) not in made:
                tensors[id(t)] = t
            if i in primitive.mutates:
                writes[id(t._version)] = writes.get(id(t._version), 0) + 1
    return [(t, t._data, writes.get(id(t._version), 0)) for t in tensors.values()]


class Outline:
    """What must be the same when a step is recorded again: which operations on which shapes, and all constants."""

    def __init__(self, record):
        self.equations = [(primitive, [t.shape for t in args]) for primitive, args, _, _ in record]
        self.lines, self.constants = record.lines, record.constants

    def compare(self, other):
        """Raise TraceError if two recordings of a step differ in more than the values that flow through it."""
        lines = [*self.lines, *other.lines]
        pairs = itertools.zip_longest(self.equations, other.equations)
        for (mine, theirs), line in zip(pairs, lines, strict=False):
            if mine != theirs:
                raise TraceError(
                    f"the step did other things at its second call than at its first, from {line} on; what it does "
                    "must not depend on values or on a count of its calls"
                )
        for (a, _), (b, original) in zip(self.constants, other.constants, strict=False):
            if a._data.tobytes() != b._data.tobytes():
                what = f"the number {original}" if isinstance(original, number_types.Number) else "an array"
                raise TraceError(
                    f"{what} was {a._data if a.size < 5 else 'another'} at the first call of the step: it would be "
                    "frozen. Pass what changes as an argument (a 0-d array for a number), and draw random numbers from "
                    "mg.random.default_rng"
                )


# -- what a step takes from outside ------------------------------------------------------------------------------------

_PLAIN = (number_types.Number, str, bytes, type(None), np.dtype)


class Surroundings:
    """What a step refers to: closure, globals, the object it is a method of.

    Numbers and words among it, and whether networks are training, decide which version of a program is the right one.
    """

    def __init__(self, step):
        while isinstance(step, functools.partial):
            step = step.func
        self.owner = step.__self__ if inspect.ismethod(step) else None
        function = inspect.unwrap(step.__func__ if inspect.ismethod(step) else step)
        code = getattr(function, "__code__", None)
        self.parameters = list(inspect.signature(step).parameters) if code else []
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True)) if code else {}
        self.cells = list(cells.items())
        self.globals = function.__globals__ if code else {}
        self.global_names = [name for name in code.co_names if name in self.globals] if code else []
        self.watched = None

    def things(self):
        """Yield (name, object) for all that the step refers to."""
        for name, cell in self.cells:
            with contextlib.suppress(ValueError):  # not bound yet
                yield name, cell.cell_contents
        for name in self.global_names:
            yield name, self.globals.get(name)
        if self.owner is not None:
            yield from vars(self.owner).items()

    def state(self):
        """Return what a recording depends on beside the arguments.

        Numbers among an object's own attributes are not looked at: they may count its steps.
        """
        if self.watched is None:
            self._watch()
        numbers, modules = self.watched
        return [number() for number in numbers], [m.training for m in modules]

    def _watch(self):
        """Find, once, the numbers and words to look at from now on, and all parts of all networks."""
        numbers = [functools.partial(getattr, cell, "cell_contents", None) for _, cell in self.cells]
        numbers = [look for look in numbers if isinstance(look(), _PLAIN)]
        numbers += [
            functools.partial(self.globals.get, name)
            for name in self.global_names
            if isinstance(self.globals[name], _PLAIN)
        ]
        networks = [thing for _, thing in self.things() if hasattr(thing, "named_parameters")]
        self.watched = numbers, [m for network in networks for m in network.modules()]

    def names(self, given):
        """Return {id of an array: what the user calls it}; `given` are the step's arguments."""
        names = {id(t._data): name for name, t in zip(self.parameters, given, strict=False)}
        for name, thing in self.things():
            if isinstance(thing, Tensor):
                names[id(thing._data)] = name
            elif hasattr(thing, "named_parameters"):
                for inner, p in [*thing.named_parameters(), *thing.named_buffers()]:
                    names[id(p._data)] = f"{name}_{inner}"
            elif hasattr(thing, "state_names"):  # an optimiser
                names[id(thing._flat._data)] = f"{name}_parameters"
                names[id(thing._grad._data)] = f"{name}_gradient"
                for inner in thing.state_names:
                    names[id(getattr(thing, inner)._data)] = f"{name}_{inner}"
        return names
