"""One comparison: the claimed gradient against the numerical derivative in one direction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigan.checking.differences import START, Derivative, differentiate
from minigan.checking.directions import direction, norm, sizes_of, within_range
from minigan.checking.subject import Arrays, Subject

_CLAIM_FACTOR = 16.0  # the claimed <g, v> may be off by so many roundings of the sum of |g_i v_i|
_DIGITS = 2e-9  # nor are more digits of it read: solvers and tables give f, and so its derivative, to no more
_WEAK = 0.1  # a comparison proves something if its error is below this part of the derivative


@dataclass(frozen=True)
class Comparison:
    """<claimed gradient, v> beside the numerical derivative along v.

    Attributes
    ----------
    argument : int
        Position of the input that moves.
    index : tuple of int or None
        The coordinate, where v moves one element only.
    claimed : float
        <g, v>.
    numerical : Derivative
    tolerance : float
        Rounding of `claimed`, and what lies beyond its ninth digit.
    scale : float
        Euclidean norm of the terms g_i v_i: the typical size of <g, v> over random signs.
    """

    argument: int
    index: tuple[int, ...] | None
    claimed: float
    numerical: Derivative
    tolerance: float
    scale: float

    @property
    def margin(self) -> float:
        """How far claimed and numerical may be apart: error of the one plus rounding of the other."""
        return self.numerical.error + self.tolerance

    @property
    def agrees(self) -> bool:
        """Whether the claim lies within the margin; a margin that is infinite refutes nothing."""
        if not np.isfinite(self.claimed):
            return False
        return bool(self.margin == np.inf or abs(self.claimed - self.numerical.value) <= self.margin)

    @property
    def weak(self) -> bool:
        """Whether agreement proves nothing: the derivative is zero, or hidden below noise or behind a kink."""
        return bool(not self.margin < _WEAK * max(self.scale, abs(self.numerical.value)))


class Comparer:
    """Compares at one point, with one cotangent.

    Parameters
    ----------
    subject : Subject
    inputs : sequence
        The point.
    cotangents : list of arrays
        Weights that make one number of the outputs.
    gradients : list of arrays or None
        The claimed gradients, one for each of ``subject.argnums``; None says zero.

    Attributes
    ----------
    at_zero, size : float
        The projected value at the point, and the same sum of absolute terms.
    """

    def __init__(self, subject: Subject, inputs: Sequence[Any], cotangents: Arrays, gradients: list[Any]):
        self.subject = subject
        self.inputs = list(inputs)
        self.cotangents = cotangents
        zeros = (np.zeros(inputs[i].shape) for i in subject.argnums)
        pairs = zip(subject.argnums, gradients, zeros, strict=True)
        self.gradients = {i: z if g is None else np.asarray(g, dtype=float) for i, g, z in pairs}
        outputs = subject.values(self.inputs)
        self.size = float(sum(np.sum(np.abs(c * y)) for c, y in zip(cotangents, outputs, strict=True)))
        self.at_zero = project(outputs, cotangents)
        self._floor = sum(norm(c) * r for c, r in zip(cotangents, subject.roundings, strict=False))
        self._epsilon = max(float(np.finfo(y.dtype).eps) for y in outputs)
        self._reach = 0.0  # largest |phi| met so far
        self._grain = 0.0  # noise of f seen along directions that move everything

    def along(self, argument: int, v: np.ndarray, kind: str = "even", *, careful: bool = False) -> Comparison:
        """Compare along `v`, an array of the shape of the input `argument`.

        `careful` measures anew on other points and at every scale: a second, independent opinion.
        """
        return self._compare(argument, None, within_range(self.gradients[argument], v), kind, careful)

    def coordinate(self, argument: int, index: tuple[int, ...], *, careful: bool = False) -> Comparison:
        """Compare one element of the gradient; `claimed` and `numerical` are in units of the gradient itself."""
        x = self.inputs[argument]
        v = np.zeros(x.shape)
        v[index] = sizes_of(x)[index] if np.isfinite(x[index]) else 0.0
        v = within_range(self.gradients[argument], v)
        scaled = self._compare(argument, index, v, "coordinate", careful)
        return _in_units_of(scaled, float(v[index]) or 1.0)

    def hidden(self, comparison: Comparison) -> bool:
        """Whether phi is constant where it was measured, and the claim less than what rounding it inside f would hide.

        The loss of a saturated classifier is 0, exactly, for its rounding is that of the logits it was computed from.
        """
        step = comparison.numerical.step
        used = [w for w in comparison.numerical.windows if w.h == step]
        length = 1.0
        if comparison.index is not None:
            length = float(sizes_of(self.inputs[comparison.argument])[comparison.index])
        size = abs(comparison.claimed) * length * step
        return any(np.ptp(w.values) == 0 for w in used) and size <= self.rounding

    @property
    def rounding(self) -> float:
        """A change of phi that its own rounding could hide."""
        return _CLAIM_FACTOR * self._epsilon * self._reach

    def agrees_along_two(self, argument: int, rng: np.random.Generator) -> bool:
        """Whether two fresh directions agree, and say anything."""
        x, g = self.inputs[argument], self.gradients[argument]
        both = [self.along(argument, direction(rng, "even", x, g)) for _ in range(2)]
        return all(c.agrees and c.margin < np.inf for c in both)

    def moved(self, argument: int, x: np.ndarray) -> "Comparer | None":
        """Return a comparer at the point where one input is `x`; None where f or its gradient is not finite there."""
        inputs = [x if i == argument else other for i, other in enumerate(self.inputs)]
        try:
            moved = Comparer(self.subject, inputs, self.cotangents, self.subject.gradients(inputs, self.cotangents))
        except (ArithmeticError, ValueError):
            return None
        finite = np.isfinite(moved.at_zero) and np.all(np.isfinite(moved.gradients[argument]))
        return moved if finite else None

    def _compare(self, argument: int, index: Any, v: np.ndarray, kind: str, careful: bool) -> Comparison:
        terms = self.gradients[argument] * v
        scale = norm(terms)
        numerical = self._differentiate(argument, v, kind, scale, careful)
        claimed = float(np.sum(terms))
        tolerance = _CLAIM_FACTOR * float(np.finfo(float).eps) * float(np.sum(np.abs(terms))) + _DIGITS * abs(claimed)
        return Comparison(argument, index, claimed, numerical, tolerance, scale)

    def _differentiate(self, argument: int, v: np.ndarray, kind: str, scale: float, careful: bool) -> Derivative:
        x, moved = self.inputs[argument], list(self.inputs)

        def phi(t: float) -> float:
            if t == 0:
                return self.at_zero
            moved[argument] = x + t * v
            return self._project_or_nan(moved)

        start, enough = (0.7 * START, 0.0) if careful else self.subject.experience.expect(argument, kind)
        result = differentiate(
            phi,
            epsilon=self._epsilon,
            floor=self._floor,
            grain=self._grain,
            scale=scale,
            start=start,
            largest=max(1.0, 1 / (float(np.max(np.abs(v), initial=0.0)) or 1.0)),
            enough=enough,
        )
        if not careful and np.isfinite(result.step):
            self.subject.experience.learn(argument, kind, result, scale)
        self._reach = max(self._reach, *(float(np.max(np.abs(w.values))) for w in result.windows), 0.0)
        if kind == "even" and not result.kink and np.isfinite(result.noise):
            self._grain = max(self._grain, result.noise)
        return result

    def _project_or_nan(self, inputs: list[Any]) -> float:
        """Return sum_k <cotangents[k], outputs[k]>; NaN where f is not defined, also if an exception says so."""
        try:
            return project(self.subject.values(inputs), self.cotangents)
        except (ArithmeticError, ValueError):
            return float("nan")


def project(outputs: Arrays, cotangents: Arrays) -> float:
    """Return ``sum_k <cotangents[k], outputs[k]>`` in float64."""
    pairs = zip(cotangents, outputs, strict=True)
    return float(sum(np.vdot(c, y.astype(np.float64)) for c, y in pairs))


def _in_units_of(comparison: Comparison, length: float) -> Comparison:
    """Divide everything by the length of the step along a coordinate."""
    d = comparison.numerical
    numerical = Derivative(
        d.value / length, d.error / length, d.step, d.kink, d.left / length, d.right / length, d.noise, d.windows
    )
    return Comparison(
        comparison.argument,
        comparison.index,
        comparison.claimed / length,
        numerical,
        comparison.tolerance / length,
        comparison.scale / length,
    )
