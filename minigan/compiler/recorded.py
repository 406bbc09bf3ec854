"""Recorded: a step that was run once, without effects; and whether two recordings are the same."""

import inspect
import itertools
import numbers
import weakref

import numpy as np

from minigan.compiler.trace import memory_of, program_of, trace
from minigan.engine import Recording, Tensor
from minigan.engine.anomaly import user_line
from minigan.engine.recording import hollow
from minigan.errors import DTypeError, TraceError

DTYPES = {"f4", "f8", "b1", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8))}


class Recorded(Recording):
    """What is known of a step after it was run.

    Parameters
    ----------
    step : callable
    given : list
        Its arguments: Tensors, numbers, words.
    names : dict, optional
        By the id of an array, what the user calls it. Without it no program is made, and the arrays that the step
        computes are let go of as it goes on.

    Attributes
    ----------
    program : Program or None
    returned : nested tuples, lists and dicts of Tensors
    drawn : list of tuples of arrays
        The results of equations without arguments, in order: random draws, and what Python works out.
    living : list of (Tensor, its array, how often it is written to)
        Tensors from outside: their memory lives on from step to step.
    captured : list of (array from outside, the copy that was made of it)
    """

    def __init__(self, step, given, names=None):
        super().__init__(closed=True, code=getattr(inspect.unwrap(step), "__code__", None))
        arguments = [_copy(k, a) if isinstance(a, Tensor) else a for k, a in enumerate(given)]
        self.arguments = len(arguments)
        inputs = [a for a in arguments if isinstance(a, Tensor)]
        self.copies = {id(memory_of(t._data)) for t in inputs}
        self.known = weakref.WeakValueDictionary()  # by their id: arrays that are not from outside, while they live
        self.origins, self.places = {}, {}  # where each comes from; those from outside, numbered as they are met
        self._know(inputs, "argument")
        self.noted = 0  # so many of the constants are among them
        self.constant_lines = []  # where each was first used
        self.keep = names is not None
        self.equations, self.drawn, self.sources, self.outside, self.writes = [], [], [], {}, {}
        self.program = self.returned = None
        try:
            self.returned = trace(step, arguments, self)
            self._note_constants()
            self.result = self._told(self.returned)
            self.living = [(t, t._data, self.writes.get(id(t._version), 0)) for t in self.outside.values()]
            self.captured = [(x, t._data) for t, x in self.constants if isinstance(x, np.ndarray) and x is not t._data]
            self._look_at_gradients()
            self._look_at_arguments(given, names or {})
            if self.keep:
                parameters = list(inspect.signature(step).parameters) if self.code else []
                named = zip(parameters, arguments, strict=False)
                names |= {id(a._data): name for name, a in named if isinstance(a, Tensor)}
                self.program = program_of(self, inputs, self.returned, names)
                self._look_at_dtypes()
        except BaseException:
            self.abandon()
            raise
        finally:
            for t in self.outside.values():
                t.grad = None  # a compiled step leaves no gradients behind

    def append(self, equation):
        """Take note of an equation."""
        primitive, args, params, outs = equation
        if self.keep:
            list.append(self, equation)
        self.lines.append(user_line(self.code))
        self._note_constants()
        told = {name: _comparable(value) for name, value in params.items()}
        self.equations.append((primitive, [(t.shape, self._origin(t)) for t in args], told))
        if not args:
            self.drawn.append(tuple(t._data for t in outs))
            self.sources.append(params.get("source"))
        self.made += map(weakref.ref, outs)
        self.outside.update({id(t): t for t in args if id(t._data) not in self.known})
        if primitive.mutates:
            self._write([args[i] for i in primitive.mutates])
        else:
            self._know(outs, len(self.equations))

    def _know(self, tensors, origin):
        for k, t in enumerate(tensors):
            if id(t._data) not in self.known:
                self.known[id(t._data)] = t._data
                self.origins[id(t._data)] = origin, k

    def _note_constants(self):
        for k in range(self.noted, len(self.constants)):
            self._know([self.constants[k][0]], f"constant {k}")
            self.constant_lines.append(self.lines[-1] if self.lines else "the end")
        self.noted = len(self.constants)

    def _origin(self, t):
        """Return something that says where a tensor comes from: the arguments, a constant, an equation, outside."""
        if id(t._data) in self.known:
            return self.origins[id(t._data)]
        return "outside", self.places.setdefault(_place(t._data), len(self.places))

    def _told(self, tree):
        """Return what the step returned as something that can be compared."""
        if isinstance(tree, Tensor):
            return self._origin(tree)
        if isinstance(tree, dict):
            return dict, [(k, self._told(part)) for k, part in tree.items()]
        if isinstance(tree, list | tuple):
            return type(tree), [self._told(part) for part in tree]
        return _comparable(tree)

    def _write(self, targets):
        made_here = {id(memory_of(t._data)) for t, _ in self.constants}
        for t in targets:
            self.writes[id(t._version)] = self.writes.get(id(t._version), 0) + 1
            if id(memory_of(t._data)) in made_here:
                raise TraceError(
                    f"at {self.lines[-1]}: the step writes to a tensor that it has made of numbers or of an array. A "
                    "compiled step makes it only once: compute a new tensor, or make this one before the step"
                )
            if id(memory_of(t._data)) in self.copies:
                raise TraceError(
                    f"at {self.lines[-1]}: the step writes to its argument, and a compiled step has only a copy of it. "
                    "Return the new values, or write to a tensor that the step takes from outside"
                )

    def abandon(self):
        """Let go of everything, and count the steps of optimisers back: they were not done."""
        for source in reversed(self.sources):
            if hasattr(source, "undo"):
                source.undo()
        self.sources.clear()
        self.forget()

    def forget(self):
        """Let go of all that the step has made."""
        self.program = self.returned = None
        self.clear()
        self.empty()

    def _look_at_dtypes(self):
        for e in self.program.equations:
            for v in (*e.inputs, *e.outputs):
                if v.dtype.str[1:] not in DTYPES:
                    raise DTypeError(
                        f"at {e.line}: '{e.primitive.name}' has to do with {v.dtype}; a compiled step computes with "
                        "float32, float64, integers and booleans: convert what you pass with .astype"
                    )

    def _look_at_gradients(self):
        """Refuse gradients that an eager step would add up from call to call."""
        for t in self.outside.values():
            if t.grad is not None and id(t) not in self.cleared:
                raise TraceError(
                    f"the step adds to the gradient of a tensor of shape {t.shape} and does not clear it: eager steps "
                    "add up all of them, and a compiled one leaves none behind. Call zero_grad() in the step"
                )

    def _look_at_arguments(self, given, names):
        """Refuse an argument that is also taken from outside, where their gradient or a write would be of both."""
        outside = {id(memory_of(array)) for _, array, _ in self.living} | names.keys()
        written = {id(memory_of(array)) for _, array, writes in self.living if writes}
        for k, a in enumerate(given):
            if not isinstance(a, Tensor):
                continue
            if {id(memory_of(a._data)), id(a._data)} & (outside if a.requires_grad else written):
                raise TraceError(
                    f"argument {k} of the step is a tensor that the step also takes from outside, and wants its "
                    "gradient or writes to it: pass it, or take it from outside"
                )

    def difference(self, other):
        """Return in words what two recordings differ in, beside the values that flow through them; None if nothing."""
        lines = [*self.lines, *other.lines]
        pairs = itertools.zip_longest(self.equations, other.equations)
        for (mine, theirs), line in zip(pairs, lines, strict=False):
            if mine != theirs:
                return (
                    f"the step did other things at its second call than at its first, from {line} on; what it does "
                    "must not depend on values or on a count of its calls"
                )
        if self.result != other.result:
            return (
                "the step returned something else at its second call than at its first; what it returns must not "
                "depend on values or on a count of its calls, and numbers that change are returned as Tensors"
            )
        pairs = zip(self.constants, other.constants, other.constant_lines, strict=False)
        for (a, _), (b, original), line in pairs:
            if a._data.tobytes() != b._data.tobytes():
                what = (
                    f"the number {original}" if isinstance(original, numbers.Number) else f"an array of shape {b.shape}"
                )
                return (
                    f"at {line}: {what} was {a._data if a.size < 5 else 'another'} at the first call of the step: it "
                    "would be frozen. Pass what changes as an argument (a 0-d array for a number), and draw random "
                    "numbers from mg.random.default_rng"
                )
        if [_place(array) for _, array, _ in self.living] != [_place(array) for _, array, _ in other.living]:
            return (
                "the step used other tensors from outside at its second call than at its first: one was made anew in "
                "between, or is made at each call in a way that is not recorded. Make it once, before the step"
            )
        return None


def _copy(k, argument):
    """Return a copy of the k-th argument: what a recording must not take for anything that it is elsewhere, too."""
    if argument._node is not None:
        raise TraceError(
            f"argument {k} of the step was computed, and gradients would flow through it to what is outside. Pass its "
            ".detach(), or compute it inside the step"
        )
    copy = np.array(argument._data, order="C")
    if copy.dtype.kind == "f":  # others may be indices, which have to be valid
        copy = hollow(copy)
    return Tensor(copy, argument.requires_grad)


def _place(array):
    """Return where an array lies in memory, and how."""
    return array.ctypes.data, array.shape, array.strides, array.dtype


def _comparable(value):
    """Return a parameter of an equation as something that can be compared. Functions are not looked into."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, tuple | list):
        return [_comparable(part) for part in value]
    if callable(value):
        return type(value)
    return repr(value) if isinstance(value, numbers.Number | str | slice | type(None) | np.dtype) else id(value)
