"""The numerical derivative of a function of one variable at 0, with an error estimate that can be trusted.

phi is measured on *windows* ``[-h, h]``: 13 Chebyshev points, through which a polynomial is fitted by least squares.
Its linear coefficient is the derivative; what the fit leaves over is the noise. The window walks over the scales
``h`` until truncation and rounding are both small, and the window with the smallest error wins.

Source: J. J. More and S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011), for the idea that
rounding must be measured, not assumed; C. J. F. Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Advances in
Engineering Software 4 (1982), for the sweep over steps that chooses for itself.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

# Positive halves of the 12 Chebyshev points and the centre: a polynomial of degree 7 keeps 5 degrees of freedom for
# the noise, and no point has so much leverage that the fit would swallow an error there.
_HALF = np.cos(np.pi * (2 * np.arange(1, 7) - 1) / 24)
NODES = np.concatenate([-_HALF, [0.0], _HALF[::-1]])
_CENTRE = len(_HALF)

START = 2.0**-4  # first window, relative to the scale of the inputs
RATIO = 16.0  # from window to window: the points of one reach down to .11 of it
SMALLEST = 2.0**-42
ENOUGH = 1e-9  # relative error at which the walk stops: resolves gradients computed in float32 (6e-8)

_NOISE_FACTOR = 16.0  # Student's t with 5 degrees of freedom: one in 60,000 for Gaussian noise; rounding is bounded
_TRUNCATION_FACTOR = 3.0
_EXPLAINED = 1e-2  # a fit that leaves less than this of the variation has seen the function


def _fit(points: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Vandermonde matrix and its pseudo-inverse: coefficients = inverse @ values."""
    matrix = np.vander(points, degree + 1, increasing=True)
    return matrix, np.linalg.pinv(matrix)


_TWO_SIDED = [_fit(NODES, 7), _fit(NODES, 5)]
_ONE_SIDED = [_fit(NODES[_CENTRE:], 4), _fit(NODES[_CENTRE:], 3)]  # points on the right; the left is its mirror


@dataclass(frozen=True)
class Fit:
    """A derivative at 0 measured on one window."""

    value: float
    truncation: float  # distance to the fit of lower degree
    noise: float  # standard deviation of phi's values about the fit, never below their rounding
    rounding: float  # what that noise makes of the derivative
    secant: float  # steepest mean slope of phi seen on the window
    explained: bool  # the polynomial accounts for the variation of phi

    @property
    def error(self) -> float:
        """Bound on the error of `value`."""
        return _TRUNCATION_FACTOR * self.truncation + self.rounding


@dataclass(frozen=True)
class Window:
    """phi at the 13 points ``h * NODES``; `fit` is None where phi is not finite."""

    h: float
    values: np.ndarray
    epsilon: float
    fit: Fit | None

    @property
    def flat(self) -> bool:
        """phi takes so few values that it looks like a staircase: constant here, or the step is below its grid."""
        return len(np.unique(self.values)) <= 4

    def one_sided(self, side: int) -> Fit | None:
        """Derivative from the points on one side only (`side` +1 right, -1 left)."""
        values = self.values[_CENTRE:] if side > 0 else self.values[_CENTRE::-1]
        fit = _least_squares(self.h, values, self.epsilon, _ONE_SIDED)
        return fit and replace(fit, value=side * fit.value)


@dataclass(frozen=True)
class Derivative:
    """Numerical derivative of phi at 0.

    Attributes
    ----------
    value, error : float
        The derivative lies in ``value +- error``. At a kink: the middle and half the width of the interval between
        the derivatives from the left and from the right. ``error`` is inf where phi is finite on no window.
    step : float
        The window that was chosen; a good first window for the next direction.
    kink : bool
        The derivatives from the left and from the right differ, at every step that the noise allows.
    left, right : float
        The one-sided derivatives; both equal to `value` where there is no kink.
    noise : float
        Standard deviation of phi's values about a smooth curve.
    windows : tuple of Window
        Everything that was measured.
    """

    value: float
    error: float
    step: float
    kink: bool
    left: float
    right: float
    noise: float
    windows: tuple[Window, ...]


def _least_squares(h: float, values: np.ndarray, epsilon: float, fits: list) -> Fit | None:
    """Fit polynomials of two degrees; their distance is the truncation, the residual of the higher one the noise."""
    if not np.all(np.isfinite(values)):
        return None
    centre = values[_CENTRE] if len(values) == len(NODES) else values[0]
    changes = values - centre
    spread = float(np.max(np.abs(changes)))
    if not math.isfinite(spread):
        return None
    unit = spread or 1.0  # so that squares neither overflow nor underflow
    changes = changes / unit
    (matrix, inverse), (_, lower) = fits
    coefficients = inverse @ changes
    left_over = changes - matrix @ coefficients
    measured = math.sqrt(left_over @ left_over / (matrix.shape[0] - matrix.shape[1]))
    written = epsilon * float(np.max(np.abs(values))) / unit / math.sqrt(12)  # rounding of the result itself
    noise = max(measured, written)
    slope = float(coefficients[1])
    return Fit(
        value=slope * unit / h,
        truncation=abs(slope - float(lower[1] @ changes)) * unit / h,
        noise=noise * unit,
        rounding=_NOISE_FACTOR * noise * float(np.linalg.norm(inverse[1])) * unit / h,
        secant=spread / h,
        explained=measured < _EXPLAINED and spread > 0,
    )


def differentiate(
    phi: Callable[[float], float],
    *,
    epsilon: float = np.finfo(float).eps,
    scale: float = 0.0,
    start: float = START,
    largest: float = 1.0,
    enough: float = ENOUGH,
) -> Derivative:
    """Differentiate phi at 0 numerically.

    Parameters
    ----------
    phi : callable
        ``phi(t) -> float``. Non-finite values exclude the window that they lie in. t = 1 should be a change of the
        size of the inputs themselves.
    epsilon : float
        Relative spacing of the floats that phi returns; noise beyond it is measured.
    scale : float
        Errors are compared with ``max(|value|, scale)``: size of the derivative along a typical direction.
    start, largest : float
        First and largest window; the walk goes down from `start`, and up where rounding dominates there.
    enough : float
        Relative error at which the walk stops.

    Returns
    -------
    Derivative

    Notes
    -----
    On the window [-h, h], with phi = sum_k c_k t^k + noise and the fit of degree 7: value = c_1,
    error = 3 |c_1 - c_1 of the fit of degree 5| + 16 s g/h, where s is the standard deviation of the residual (at
    least the rounding of phi's values) and g = 3.74 the norm of the row of the pseudo-inverse that gives c_1.
    """
    at_zero = phi(0.0)

    def measure(h: float) -> Window:
        values = np.full(len(NODES), np.nan)
        values[_CENTRE] = at_zero
        for i in sorted(range(len(NODES)), key=lambda i: -abs(NODES[i])):  # the far points leave the domain first
            if i != _CENTRE:
                values[i] = phi(h * NODES[i])
        return Window(h, values, epsilon, _least_squares(h, values, epsilon, _TWO_SIDED))

    windows: list[Window] = []
    for h in _downwards(start):
        windows.append(measure(h))
        if _good(windows[-1], scale, enough) or _hopeless(windows, scale):
            break
    if _rounding_dominates(windows[0]) and not _good(windows[-1], scale, enough):
        for h in _upwards(start, largest):
            windows.append(measure(h))
            if _good(windows[-1], scale, enough) or not _rounding_dominates(windows[-1]):
                break
    return _conclude(windows, scale)


def _downwards(start: float) -> Iterator[float]:
    h = start
    while h >= SMALLEST:
        yield h
        h /= RATIO


def _upwards(start: float, largest: float) -> Iterator[float]:
    h = start * RATIO
    while h <= largest:
        yield h
        h *= RATIO


def _good(window: Window, scale: float, enough: float) -> bool:
    fit = window.fit
    return fit is not None and not window.flat and fit.error <= enough * max(abs(fit.value), scale, 0.01 * fit.secant)


def _rounding_dominates(window: Window) -> bool:
    fit = window.fit
    return fit is not None and (window.flat or fit.rounding > fit.truncation)


def _hopeless(windows: list[Window], scale: float) -> bool:
    """Whether smaller steps cannot help: phi is flat, or the noise is known and a smaller step only amplifies it."""
    last = windows[-1]
    if last.fit is None or last.flat:
        return last.fit is not None
    before = windows[-2].fit if len(windows) > 1 else None
    if before is None or not before.explained:
        return False
    if not last.fit.explained and last.fit.noise > 0.25 * before.noise:
        return True  # the signal was there, now it drowns
    same_noise = 0.25 * before.noise < last.fit.noise < 4 * before.noise
    return same_noise and before.error <= 1e-4 * max(abs(before.value), scale)


def _conclude(windows: list[Window], scale: float) -> Derivative:
    everything = tuple(windows)
    measured = [w for w in windows if w.fit is not None]
    best = min(measured, key=lambda w: w.fit.error, default=None)
    if best is not None and best.flat and best.h < 2.0**-16:  # below the grid of float32: flat proves little
        seen = [w for w in measured if w.fit.explained and not w.flat]
        best = min(seen, key=lambda w: w.fit.error, default=best)
    if best is None or best.fit.error > 1e-3 * max(abs(best.fit.value), scale):
        kink = _kink(windows, best)
        if kink is not None:
            return kink
    if best is None:
        return Derivative(math.nan, math.inf, math.nan, False, math.nan, math.nan, math.nan, everything)
    fit = best.fit
    return Derivative(fit.value, fit.error, best.h, False, fit.value, fit.value, fit.noise, everything)


def _kink(windows: list[Window], best: Window | None) -> Derivative | None:
    """Look for two one-sided derivatives that differ; also serves at the edge of the domain, where one is missing."""
    sides = []
    for side in (-1, 1):
        fits = [(fit.error, w.h, fit) for w in windows if (fit := w.one_sided(side)) is not None]
        sides.append(min(fits, key=lambda entry: entry[0], default=None))
    left, right = sides
    everything = tuple(windows)
    if left and right:
        (e_left, h, f_left), (e_right, _, f_right) = left, right
        gap = abs(f_right.value - f_left.value)
        if gap <= 4 * (e_left + e_right):
            return None
        middle = (f_left.value + f_right.value) / 2
        error = gap / 2 + e_left + e_right
        return Derivative(middle, error, h, True, f_left.value, f_right.value, f_left.noise, everything)
    if best is None and (left or right):
        error, h, fit = left or right
        return Derivative(fit.value, error, h, False, fit.value, fit.value, fit.noise, everything)
    return None
