"""What is checked: a function and its claimed gradient, seen the same way whether built from Tensors or from NumPy.

A `Subject` has inputs (float64 arrays that are differentiated, and constants), values and gradients. Every call gets
copies of the inputs, which are compared afterwards: a function that writes into its arguments is found out, and does
not spoil the check.
"""

import inspect
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigan.checking.differences import Experience
from minigan.engine import Tensor, tensor
from minigan.errors import DTypeError, ShapeError
from minigan.transforms import jvp, vjp

Arrays = list[np.ndarray]
Function = Callable[..., Any]


class Subject:
    """Common ground of `TensorFunction` and `PlainFunction`.

    Attributes
    ----------
    inputs : list
        float64 arrays, and whatever is not differentiated (integers, booleans, None, strings, callables ...).
    argnums : list of int
        Positions of the differentiated inputs.
    mutated : int or None
        The first input that a call was seen to change.
    calls : int
        How often the function was evaluated.
    trusted : bool
        Calls are no longer looked after: none of the first ones changed its inputs.
    experience : Experience
        Which steps served so far.
    roundings : list of float
        Noise of each output that is known beforehand; of a gradient, what rounding f itself makes of it.
    """

    def __init__(self, f: Function, inputs: Sequence[Any]):
        self.f = f
        self.original = [_as_input(x, i) for i, x in enumerate(inputs)]
        if not any(is_float(x) for x in self.original):  # all integers: the caller means numbers, not indices
            self.original = [np.asarray(x, dtype=float) if _is_integer(x) else x for x in self.original]
        self.inputs = [x.astype(np.float64) if is_float(x) else x for x in self.original]
        self.scalars = {i for i, x in enumerate(inputs) if isinstance(x, int | float | np.generic)}
        self.argnums = [i for i, x in enumerate(self.inputs) if is_float(x)]
        if not self.argnums:
            kinds = ", ".join(type(x).__name__ for x in inputs) or "nothing"
            raise DTypeError(
                f"check_gradients: got {kinds}, expected at least one floating-point array to differentiate"
            )
        self.mutated: int | None = None
        self.calls = 0
        self.trusted = False
        self.experience = Experience()
        self.roundings: list[float] = []

    def values(self, inputs: Sequence[Any]) -> Arrays:
        """Return the outputs of f as a list of arrays."""
        raise NotImplementedError

    def gradients(self, inputs: Sequence[Any], cotangents: Arrays) -> list[Any]:
        """Return the claimed gradient of ``sum_k <cotangents[k], outputs[k]>`` for each of `argnums`, as claimed."""
        raise NotImplementedError

    def name(self, argument: int) -> str:
        """Return the name of a parameter of f, or its number."""
        try:
            parameters = list(inspect.signature(self.f).parameters.values())
        except (TypeError, ValueError):
            return f"number {argument}"
        if argument < len(parameters) and parameters[argument].kind not in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.KEYWORD_ONLY,
        ):
            return f"'{parameters[argument].name}'"
        return f"number {argument}"

    def _note_mutation(self, before: Sequence[Any], after: Sequence[Any]) -> None:
        if self.trusted:
            return
        for i, (a, b) in enumerate(zip(before, after, strict=True)):
            if isinstance(a, np.ndarray) and not _same(a, b) and self.mutated is None:
                self.mutated = i


class PlainFunction(Subject):
    """A function of NumPy arrays that returns one number, with a hand-derived gradient."""

    def __init__(self, f: Function, grad: Function, inputs: Sequence[Any]):
        super().__init__(f, inputs)
        self.grad = grad

    def values(self, inputs: Sequence[Any]) -> Arrays:
        self.calls += 1
        given = self._copies(inputs)
        result = self.f(*given)
        self._note_mutation(inputs, given)
        result = result.data if isinstance(result, Tensor) else result
        value = np.asarray(result)
        if value.shape != ():
            raise ShapeError(
                f"check_gradients: f returned an array of shape {value.shape}, expected one number, since `grad` was "
                "passed. Sum it with fixed weights, in f and in grad alike"
            )
        if value.dtype.kind not in "fiub":
            raise DTypeError(f"check_gradients: f returned {type(result).__name__}, expected one real number")
        return [value if value.dtype.kind == "f" else value.astype(float)]

    def gradients(self, inputs: Sequence[Any], cotangents: Arrays) -> list[Any]:
        claimed = self.raw_gradients(inputs)
        factor = float(cotangents[0])
        return claimed if factor == 1 else [None if g is None else factor * g for g in claimed]

    def raw_gradients(self, inputs: Sequence[Any]) -> list[Any]:
        """Return what `grad` returns, one entry for each of `argnums`, copied."""
        given = self._copies(inputs)
        result = self.grad(*given)
        self._note_mutation(inputs, given)
        parts = _one_per_input(result, len(inputs), self.argnums)
        return [None if parts[i] is None else _to_array(parts[i]) for i in self.argnums]

    def _copies(self, inputs: Sequence[Any]) -> list[Any]:
        """Copy the arrays; what was given as a number stays one (np.float64 is a float)."""
        copies = [x.copy(order="K") if isinstance(x, np.ndarray) else x for x in inputs]
        return [x[()] if i in self.scalars and isinstance(x, np.ndarray) else x for i, x in enumerate(copies)]


class TensorFunction(Subject):
    """A function built from Tensors; its gradient is what the engine's reverse mode makes of it.

    The outputs may have any shape, and there may be several (a tuple).
    """

    def values(self, inputs: Sequence[Any]) -> Arrays:
        self.calls += 1
        given = [tensor(x) if isinstance(x, np.ndarray) else x for x in inputs]
        outputs = self.outputs_of(self.f(*given))
        self._note_mutation(inputs, [x.data if isinstance(x, Tensor) else x for x in given])
        return [y.numpy() for y in outputs]

    def gradients(self, inputs: Sequence[Any], cotangents: Arrays) -> list[Any]:
        given = [tensor(x) if isinstance(x, np.ndarray) else x for x in inputs]
        pulled = pull_back(self.f, given, self.argnums, cotangents)
        self._note_mutation(inputs, [x.data if isinstance(x, Tensor) else x for x in given])
        return [g.numpy() for g in pulled]

    def push_forward(self, argument: int, v: np.ndarray) -> Arrays:
        """Return the derivative of the outputs along `v`, by forward mode."""

        def of_one(x: Tensor) -> tuple[Tensor, ...]:
            given = [tensor(a) if isinstance(a, np.ndarray) else a for a in self.inputs]
            given[argument] = x
            return tuple(self.outputs_of(self.f(*given)))

        _, tangents = jvp(of_one, (tensor(self.inputs[argument]),), (tensor(v),))
        return [t.numpy() for t in tangents]

    @staticmethod
    def outputs_of(result: Any) -> list[Tensor]:
        outputs = list(result) if isinstance(result, tuple | list) else [result]
        for y in outputs:
            if not isinstance(y, Tensor):
                raise DTypeError(
                    f"check_gradients: f returned {type(y).__name__}, expected a Tensor. A function of NumPy arrays "
                    "needs its hand-derived gradient: check_gradients(f, *inputs, grad=...)"
                )
        return outputs


def pull_back(f: Function, inputs: Sequence[Any], argnums: Sequence[int], cotangents: Arrays) -> tuple[Tensor, ...]:
    """Return the vector-Jacobian product of `f` with respect to the inputs numbered `argnums`."""

    def of_floats(*floats: Tensor) -> tuple[Tensor, ...]:
        everything = list(inputs)
        for i, x in zip(argnums, floats, strict=True):
            everything[i] = x
        return tuple(TensorFunction.outputs_of(f(*everything)))

    outputs, pullback = vjp(of_floats, *[inputs[i] for i in argnums])
    gradients: tuple[Tensor, ...] = pullback(
        tuple(tensor(np.asarray(c, dtype=y.dtype)) for c, y in zip(cotangents, outputs, strict=True))
    )
    return gradients


def counts_of(subject: Subject) -> set[int]:
    """Return the numbers of elements that a mean in f may run over: products of axes of the inputs and of its data."""
    arrays = [x for x in subject.inputs if isinstance(x, np.ndarray)]
    for f in (subject.f, getattr(subject, "grad", None)):
        arrays += arrays_used_by(f)
    counts = set()
    for x in arrays:
        for k in range(1, x.ndim + 1):
            counts |= {math.prod(lengths) for lengths in itertools.combinations(x.shape, k)}
    return counts


def arrays_used_by(f: Any, depth: int = 2) -> list[Any]:
    """Return the arrays that a function takes from outside: attributes, closure, defaults, globals, helpers."""
    holder = f if inspect.isfunction(f) else getattr(f, "__self__", f)  # a method, or an object that can be called
    outside = [*getattr(holder, "__dict__", {}).values(), *(getattr(f, "__defaults__", None) or ())]
    try:
        variables = inspect.getclosurevars(f)
        outside += [*variables.nonlocals.values(), *variables.globals.values()]
    except (TypeError, ValueError):  # not written in Python, or a variable not assigned yet
        pass
    arrays = [x for x in outside if isinstance(x, np.ndarray | Tensor)]
    helpers = [x for x in outside if inspect.isfunction(x)] if depth else []
    return arrays + [x for helper in helpers for x in arrays_used_by(helper, depth - 1)]


def is_float(x: Any) -> bool:
    """Say whether an input is differentiated: an array of floats."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def _is_integer(x: Any) -> bool:
    return type(x) is int or (isinstance(x, np.ndarray) and x.dtype.kind in "iu")


def _as_input(x: Any, position: int) -> Any:
    """Make arrays of Tensors, floats and lists; leave anything else alone."""
    if isinstance(x, Tensor):
        x = x.numpy()
    elif isinstance(x, float | list | tuple | np.generic):
        x = np.asarray(x)
    if isinstance(x, np.ndarray) and x.dtype.kind == "c":
        raise DTypeError(f"check_gradients: argument {position} is complex; pass its real and imaginary parts as two")
    return x


def _same(a: np.ndarray, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _one_per_input(result: Any, n_inputs: int, argnums: Sequence[int]) -> dict[int, Any]:
    """Sort what `grad` returned by input. It may leave out the inputs that have no gradient."""
    if n_inputs == 1:
        return {0: result[0] if isinstance(result, tuple) and len(result) == 1 else result}
    bare = len(argnums) == 1 and not isinstance(result, tuple | list)
    parts = [result] if bare else list(result) if isinstance(result, tuple | list | np.ndarray) else [result]
    if len(parts) == n_inputs and not bare:
        return dict(enumerate(parts))
    if len(parts) == len(argnums):
        return dict(zip(argnums, parts, strict=True))
    raise ShapeError(
        f"check_gradients: grad returned {len(parts)} gradient{'s' * (len(parts) != 1)} for {n_inputs} inputs; "
        "expected a tuple with one array for each input"
    )


def _to_array(g: Any) -> np.ndarray:
    return g.numpy() if isinstance(g, Tensor) else np.array(g)
