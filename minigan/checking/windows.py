"""One window [-h, h] on a function of one variable: what a polynomial through 13 points says about its slope at 0.

The linear coefficient is the derivative. What the fit leaves over is the noise of the function, measured, not assumed:
J. J. More and S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011), pursue the same idea.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

# Positive halves of the 12 Chebyshev points and the centre: a polynomial of degree 7 keeps 5 degrees of freedom for
# the noise, and no point has so much leverage that the fit would swallow an error there.
_HALF = np.cos(np.pi * (2 * np.arange(1, 7) - 1) / 24)
NODES = np.concatenate([-_HALF, [0.0], _HALF[::-1]])
CENTRE = len(_HALF)

_NOISE_FACTOR = 16.0  # Student's t with 5 degrees of freedom: one in 60,000 for Gaussian noise; rounding is bounded
_TRUNCATION_FACTOR = 3.0
_UNDERFLOW = 2.0**10 * float(np.finfo(float).smallest_subnormal)  # there, floats have no relative precision
_ROUNDING_ONLY = 100.0  # so many times the rounding of the values may be left over where nothing else is to be seen
_EXPLAINED = 1e-2  # a fit that leaves less than this of the variation has seen the function

Polynomial = tuple[np.ndarray, np.ndarray]  # Vandermonde matrix and its pseudo-inverse: coefficients = inverse @ values


def _polynomial(points: np.ndarray, degree: int) -> Polynomial:
    matrix = np.vander(points, degree + 1, increasing=True)
    return matrix, np.linalg.pinv(matrix)


_TWO_SIDED = _polynomial(NODES, 7), _polynomial(NODES, 5)
_ONE_SIDED = _polynomial(NODES[CENTRE:], 4), _polynomial(NODES[CENTRE:], 3)  # on the right; the left is its mirror


@dataclass(frozen=True)
class Fit:
    """A derivative at 0 measured on one window."""

    value: float
    truncation: float  # distance to the fit of lower degree
    noise: float  # standard deviation of phi's values about the fit, never below their rounding
    rounding: float  # what that noise makes of the derivative
    secant: float  # steepest mean slope of phi seen on the window
    explained: bool  # the polynomial accounts for the variation of phi
    resolved: bool  # or else nothing is left over but the rounding of phi's values

    @property
    def error(self) -> float:
        """Bound on the error of `value`."""
        return _TRUNCATION_FACTOR * self.truncation + self.rounding


@dataclass(frozen=True)
class Window:
    """phi at the 13 points ``h * NODES``, all finite."""

    h: float
    values: np.ndarray
    rounding: float  # standard deviation of the rounding of the values
    fit: Fit

    @property
    def flat(self) -> bool:
        """phi takes so few values that it looks like a staircase: constant here, or the step is below its grid."""
        return len(np.unique(self.values)) <= 4

    @property
    def spike(self) -> bool:
        """phi(0) lies apart from all the other points: what phi does there is too narrow for this window."""
        others = np.delete(self.values, CENTRE)
        return bool(np.min(np.abs(others - self.values[CENTRE])) > np.ptp(others))

    @property
    def rounding_dominates(self) -> bool:
        """A larger step would be better."""
        return self.flat or self.fit.rounding > self.fit.truncation

    def one_sided(self, side: int) -> Fit:
        """Return the derivative from the points on one side only (`side` +1 right, -1 left)."""
        values = self.values[CENTRE:] if side > 0 else self.values[CENTRE::-1]
        fit = _least_squares(self.h, values, self.rounding, _ONE_SIDED)
        return replace(fit, value=side * fit.value)


def measure(
    phi: Callable[[float], float], at_zero: float, h: float, epsilon: float, floor: float = 0.0, grain: float = 0.0
) -> Window | None:
    """Evaluate phi on a window; None if it, or its change, is not finite somewhere (the far points come first).

    Parameters
    ----------
    phi : callable
    at_zero : float
        phi(0).
    h : float
        Half the width of the window.
    epsilon : float
        Relative spacing of the floats that phi returns.
    floor, grain : float
        Least standard deviation of the noise; the same where phi looks flat.
    """
    values = np.full(len(NODES), at_zero)
    for i in np.argsort(-np.abs(NODES))[:-1]:
        values[i] = phi(h * NODES[i])
        if not math.isfinite(values[i] - at_zero):
            return None
    rounding = max(floor, _UNDERFLOW, _spacing(values, epsilon) * float(np.max(np.abs(values))) / math.sqrt(12))
    window = Window(h, values, rounding, _least_squares(h, values, rounding, _TWO_SIDED))
    if grain > rounding and window.flat:
        return replace(window, rounding=grain, fit=_least_squares(h, values, grain, _TWO_SIDED))
    return window


def _spacing(values: np.ndarray, epsilon: float) -> float:
    """Return the relative spacing of the floats: values that all fit into float32 have been rounded to it."""
    with np.errstate(over="ignore", under="ignore"):
        single = np.array_equal(values, values.astype(np.float32))
    return max(epsilon, float(np.finfo(np.float32).eps)) if single else epsilon


def _least_squares(h: float, values: np.ndarray, rounding: float, polynomials: tuple[Polynomial, Polynomial]) -> Fit:
    """Fit polynomials of two degrees; their distance is the truncation, the residual of the higher one the noise."""
    (matrix, inverse), (_, lower) = polynomials
    changes = values - values[CENTRE if len(values) == len(NODES) else 0]
    spread = float(np.max(np.abs(changes)))
    unit = spread if 0 < spread < math.inf else 1.0  # so that squares neither overflow nor underflow
    changes = changes / unit
    coefficients = inverse @ changes
    left_over = changes - matrix @ coefficients
    measured = math.sqrt(left_over @ left_over / (matrix.shape[0] - matrix.shape[1]))
    noise = max(measured, rounding / unit)
    leverage = np.sum(matrix * inverse.T, axis=1)  # up to .98 at the ends: the fit goes through any value there
    from_the_others = float(np.max(np.abs(left_over) / (1 - leverage)))  # distance of a point to the fit without it
    explained = measured < _EXPLAINED and from_the_others < 10 * _EXPLAINED and spread > 0
    slope = float(coefficients[1])
    return Fit(
        value=slope * unit / h,
        truncation=abs(slope - float(lower[1] @ changes)) * unit / h,
        noise=noise * unit,
        rounding=_NOISE_FACTOR * noise * float(np.linalg.norm(inverse[1])) * unit / h,
        secant=spread / h,
        explained=explained,
        resolved=explained or measured <= _ROUNDING_ONLY * rounding / unit,
    )
