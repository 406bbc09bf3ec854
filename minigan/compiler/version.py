"""Version: a step compiled for certain shapes and surroundings."""

import copy
import functools
import itertools

import numpy as np

from minigan.compiler import cache
from minigan.compiler.passes import optimise
from minigan.compiler.places import Places
from minigan.compiler.source import Source
from minigan.compiler.surroundings import Surroundings
from minigan.engine import Tensor
from minigan.errors import TraceError
from minigan.kernels import threads as helpers
from minigan.lowerings import Fill


class Version:
    """A step compiled for certain shapes and surroundings.

    Recording runs the step eagerly, save for what it writes. The compiled program then takes the same step, with the
    same random numbers: so every step's result comes from the same code, the first one's too.
    """

    def __init__(self, step, kinds, seen, recorded):
        self.kinds, self.recorded, self.verified = kinds, recorded, False
        self.surroundings = Surroundings(seen)
        self.program = optimise(recorded.program)
        title = f"{getattr(step, '__qualname__', 'step')}, compiled by minigan: kernels first, the step at the end."
        self.source = Source(self.program, title)
        self.module = cache.load(self.source.text)
        helpers.start()
        self.cell = self.source.layout.cell
        self.sources = [e for e in self.program.equations if not e.inputs]
        self.draws = [_draw(e, self.cell) for e in self.sources]
        self.advances = [e.params["source"] for e in self.sources if hasattr(e.params.get("source"), "together")]
        on_host = [a for a in self.source.actions if not isinstance(a, tuple)]
        self.places = Places(self.program, self.source.layout, self.sources + on_host)
        self.actions = [
            _Part(getattr(self.module, a[0]), a[1], self.places) if isinstance(a, tuple) else _on_host(a, self.cell)
            for a in self.source.actions
        ]
        self.living = [(t, array, t.requires_grad) for t, array, _ in recorded.living]
        self.written = _written(recorded.living)
        self.all_tensors = len(self.program.inputs) == recorded.arguments
        self.with_gradient = [t for t, _, wanted in self.living if wanted]
        self.rebuilt = _rebuilder(recorded.returned)
        self.program.forget()

    def fits(self):
        """Return whether nothing has changed that this version depends on."""
        return self.surroundings.hold() and self.is_current()

    def is_current(self, counts=False):
        """Return whether all memory that the program works on is where it was, and its gradients are wanted as then.

        With `counts`, also whether parameters that it moves together have been moved equally often.
        """
        same = all([t._data is array and t.requires_grad is wanted for t, array, wanted in self.living])
        return same and (not counts or all(advance.together() for advance in self.advances))

    def replay(self, recorded):
        """Take random draws and Python's numbers from a recording: they have been made, and must not be made again."""
        for equation, arrays in zip(self.sources, recorded.drawn, strict=True):
            for v, array in zip(equation.outputs, arrays, strict=True):
                np.copyto(self.cell(v), array)
        recorded.drawn = None

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

    def draw(self):
        """Make this step's random draws and Python's numbers."""
        self._look_at_arrays()
        for draw in self.draws:
            draw()

    def _look_at_arrays(self):
        for original, array in self.recorded.captured:
            if not np.array_equal(original, array, equal_nan=array.dtype.kind == "f"):
                raise TraceError(
                    "an array that the compiled step takes from outside has changed since it was recorded; pass it as "
                    "an argument, or make it a tensor once and write to it with .assign"
                )

    def run(self, given):
        """Do one step, the draws being made."""
        taken = self.places.memory(given if self.all_tensors else [a for a in given if isinstance(a, Tensor)])
        try:
            for action in self.actions:
                action(taken)
        finally:  # an index may have been out of range, halfway
            for version, by in self.written:
                version[0] += by
        for t in self.with_gradient:
            t.grad = None
        return self.rebuilt(map(Tensor, self.places.returned(taken)))


def _written(living):
    """Return pairs (version, by how much a step raises it): of what it writes to, and of what looks at that memory."""
    targets = [(array, n) for _, array, n in living if n]
    raised = [
        (t._version, n or sum(k for target, k in targets if np.may_share_memory(array, target)))
        for t, array, n in living
    ]
    return [(version, by) for version, by in raised if by]


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
        if not outputs:  # a write
            return
        for out, array in zip(outputs, made if isinstance(made, tuple) else (made,), strict=True):
            np.copyto(out, array)

    return run


def _rebuilder(tree):
    """Return a function that nests Tensors, as an iterator yields them, as those in `tree` are nested.

    Numbers and words among them stay what they were when the step was recorded.
    """
    if isinstance(tree, Tensor):
        return next
    if type(tree) is tuple and all(isinstance(part, Tensor) for part in tree):
        return tuple  # as most steps return them
    if isinstance(tree, dict):
        parts, empty = {k: _rebuilder(part) for k, part in tree.items()}, copy.copy(tree)
        empty.clear()
        return lambda tensors: _filled(copy.copy(empty), {k: part(tensors) for k, part in parts.items()})
    if isinstance(tree, list | tuple):
        parts, make = [_rebuilder(part) for part in tree], getattr(type(tree), "_make", type(tree))  # a namedtuple's
        return lambda tensors: make([part(tensors) for part in parts])
    return lambda tensors: tree


def _filled(mapping, items):
    mapping.update(items)
    return mapping
