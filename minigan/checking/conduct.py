"""How a function and its gradient behave, apart from the numbers: what must hold before numbers mean anything.

Each check returns a `Fault` or None. The order matters: a function that is not deterministic makes every later
comparison meaningless, and a gradient of the wrong shape cannot be compared at all.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigan.checking.compare import Comparer
from minigan.checking.directions import direction
from minigan.checking.subject import PlainFunction, Subject, TensorFunction
from minigan.errors import MissingRuleError

_SAME_VALUE = 1e3  # roundings by which two calls may differ: threads may add in another order
_SAME_GRADIENT = 1e-10  # the same for gradients, relative to the largest element


@dataclass(frozen=True)
class Fault:
    """A fault of conduct: the diagnosis, a sentence, and the input that it concerns."""

    diagnosis: str
    sentence: str
    argument: int | None = None


def same_value(subject: Subject, calls: int = 3) -> Fault | None:
    """Call f several times on the same inputs: the values must not change."""
    first = subject.values(subject.inputs)
    for _ in range(calls - 1):
        again = subject.values(subject.inputs)
        for a, b in zip(first, again, strict=True):
            epsilon = np.finfo(a.dtype).eps if a.dtype.kind == "f" else 0.0
            allowed = _SAME_VALUE * epsilon * float(np.max(np.abs(a), initial=0.0))
            if a.shape != b.shape or not _close(a, b, allowed):
                return Fault("not_deterministic", f"f returned {_brief(a)}, then {_brief(b)} for the same inputs")
    return None


def inputs_kept(subject: Subject) -> Fault | None:
    """Whether every call so far left its inputs alone."""
    i = subject.mutated
    if i is None:
        return None
    return Fault("mutated_input", f"the input {subject.name(i)} was changed in place by a call", i)


def shapes_and_dtypes(subject: Subject, gradients: list[Any]) -> Fault | None:
    """Whether each gradient has the shape of its input, and a floating dtype that can hold it."""
    for i, g in zip(subject.argnums, gradients, strict=True):
        x = subject.inputs[i]
        if g is None:  # says: f does not depend on this input; compared as zeros
            continue
        if g.shape != x.shape:
            return Fault("wrong_shape", f"the gradient of {subject.name(i)} has shape {g.shape}, expected {x.shape}", i)
        fault = _dtype_fault(subject, i, g.dtype, np.dtype(np.float64))
        if fault:
            return fault
    return None


def dtype_in_original_precision(subject: Subject) -> Fault | None:
    """Call `grad` once with the inputs as they were given: float32 inputs must not get float16 or integer gradients."""
    if not isinstance(subject, PlainFunction):
        return None
    changed = [i for i in subject.argnums if subject.original[i].dtype != subject.inputs[i].dtype]
    if not changed:
        return None
    gradients = dict(zip(subject.argnums, subject.raw_gradients(subject.original), strict=True))
    faults = (_dtype_fault(subject, i, gradients[i].dtype, subject.original[i].dtype) for i in changed)
    return next((fault for fault in faults if fault), None)


def _dtype_fault(subject: Subject, i: int, dtype: np.dtype, wanted: np.dtype) -> Fault | None:
    """A wider float is harmless (constants of float64 in a NumPy function); anything narrower loses digits."""
    if dtype.kind == "f" and dtype.itemsize >= wanted.itemsize:
        return None
    return Fault("wrong_dtype", f"the gradient of {subject.name(i)} has dtype {dtype}, expected {wanted}", i)


def gradient_repeats(
    subject: Subject, elsewhere: Sequence[Any], cotangents: list[Any], first: list[Any]
) -> Fault | None:
    """Ask for the gradient again, before and after calls at another point: it must not remember them.

    Parameters
    ----------
    elsewhere : sequence
        Inputs of another point.
    first : list
        The gradient at ``subject.inputs``, from the first call.
    """
    second = subject.gradients(subject.inputs, cotangents)
    changed = differs(first, second)
    if changed is not None:
        third = subject.gradients(subject.inputs, cotangents)
        argument = subject.argnums[changed]
        if _drifts(first[changed], second[changed], third[changed]):
            return Fault(
                "stale", "the gradient depends on earlier calls: asked again at once, it has changed", argument
            )
        return Fault("not_deterministic", "grad returned two different gradients for the same inputs", argument)
    with contextlib.suppress(ArithmeticError, ValueError):  # not defined there
        subject.values(elsewhere)
        subject.gradients(elsewhere, cotangents)
        subject.values(elsewhere)
    later = subject.gradients(subject.inputs, cotangents)
    changed = differs(first, later)
    if changed is None:
        return None
    return Fault(
        "stale",
        "the gradient depends on earlier calls: after f and grad were called with other inputs, it is another",
        subject.argnums[changed],
    )


def layout_ignored(subject: Subject, cotangents: list[Any], first: list[Any]) -> Fault | None:
    """Pass the same values in non-contiguous memory: neither value nor gradient may notice."""
    if not isinstance(subject, PlainFunction):
        return None  # Tensors are contiguous
    strided = [_strided(x) if i in subject.argnums else x for i, x in enumerate(subject.inputs)]
    if all(a is b for a, b in zip(strided, subject.inputs, strict=True)):
        return None
    try:
        gradients = subject.raw_gradients(strided)
    except (TypeError, ValueError):  # it refuses such arrays, which is no wrong result
        return None
    changed = differs(first, [g if g is None else float(cotangents[0]) * g for g in gradients])
    if changed is None:
        return None
    argument = subject.argnums[changed]
    return Fault("unknown", "the gradient is another when the same values lie in non-contiguous memory", argument)


def forward_agrees(comparer: Comparer, rng: np.random.Generator) -> Fault | None:
    """Compare forward with reverse mode by the adjoint identity <c, J v> = <J^T c, v>: free of differences.

    Where both are nothing but rounding, the numerical derivative has the last word.
    """
    subject = comparer.subject
    if not isinstance(subject, TensorFunction):
        return None
    for i, g in comparer.gradients.items():
        v = direction(rng, "even", subject.inputs[i], g)
        try:
            tangents = subject.push_forward(i, v)
        except MissingRuleError:
            return None
        terms = np.concatenate([np.ravel(c * t) for c, t in zip(comparer.cotangents, tangents, strict=True)])
        off = abs(float(np.sum(terms)) - float(np.sum(g * v)))
        if off <= _SAME_GRADIENT * float(np.sum(np.abs(terms)) + np.sum(np.abs(g * v))):
            continue
        numerical, margin = (c := comparer.along(i, v)).numerical.value, c.margin
        if off > comparer.rounding and abs(float(np.sum(terms)) - numerical) > margin:
            sentence = f"forward mode gives {np.sum(terms):.12g} along a direction, reverse mode {np.sum(g * v):.12g}"
            return Fault("unknown", sentence, i)
    return None


def differs(first: list[Any], second: list[Any]) -> int | None:
    """Return the number of the first gradient that differs by more than rounding, or None."""
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        if a is None or b is None:
            if a is not b:
                return i
            continue
        finite = np.abs(a[np.isfinite(a)])
        if a.shape != b.shape or not _close(a, b, _SAME_GRADIENT * float(np.max(finite, initial=0.0))):
            return i
    return None


def _drifts(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> bool:
    """Tell memory from chance: what remembers moves on in the same direction (a sum that grows), or moves only once."""
    if first.shape != second.shape or second.shape != third.shape:
        return True
    one, two = (np.ravel(second - first), np.ravel(third - second))
    lengths = float(np.linalg.norm(one) * np.linalg.norm(two))
    if np.linalg.norm(two) <= 1e-9 * np.linalg.norm(one):
        return True
    if one.size == 1:
        return bool(np.isclose(one[0], two[0], rtol=1e-6))
    return abs(float(one @ two)) > 0.999 * lengths


def _close(a: np.ndarray, b: np.ndarray, allowed: float) -> bool:
    return bool(np.all((np.abs(a - b) <= allowed) | (a == b) | (np.isnan(a) & np.isnan(b))))


def _strided(x: np.ndarray) -> np.ndarray:
    """Return the values of `x` in every second place of a larger array, the gaps filled with something else."""
    if x.ndim == 0 or x.size < 2:
        return x
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), 7.25)
    wide[..., ::2] = x
    return wide[..., ::2]


def _brief(a: np.ndarray) -> str:
    return f"{float(a):.12g}" if a.shape == () else f"an array with sum {float(np.sum(a)):.12g}"
