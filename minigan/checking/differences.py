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
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

# Positive halves of the 12 Chebyshev points and the centre: a polynomial of degree 7 keeps 5 degrees of freedom for
# the noise, and no point has so much leverage that the fit would swallow an error there.
_HALF = np.cos(np.pi * (2 * np.arange(1, 7) - 1) / 24)
NODES = np.concatenate([-_HALF, [0.0], _HALF[::-1]])
_CENTRE = len(_HALF)

START = 2.0**-4  # first window, relative to the scale of the inputs
RATIO = 16.0  # from window to window: the points of one reach down to .11 of it
SMALLEST = 2.0**-42
_LAST_RESORT = 2.0**-28  # where the walk goes on when it has met the same kink at three scales
ENOUGH = 1e-9  # relative error at which the walk stops: resolves gradients computed in float32 (6e-8)

_NOISE_FACTOR = 16.0  # Student's t with 5 degrees of freedom: one in 60,000 for Gaussian noise; rounding is bounded
_TRUNCATION_FACTOR = 3.0
_EXPLAINED = 1e-2  # a fit that leaves less than this of the variation has seen the function


Polynomial = tuple[np.ndarray, np.ndarray]  # Vandermonde matrix and its pseudo-inverse: coefficients = inverse @ values


def _polynomial(points: np.ndarray, degree: int) -> Polynomial:
    matrix = np.vander(points, degree + 1, increasing=True)
    return matrix, np.linalg.pinv(matrix)


_TWO_SIDED = _polynomial(NODES, 7), _polynomial(NODES, 5)
_ONE_SIDED = _polynomial(NODES[_CENTRE:], 4), _polynomial(NODES[_CENTRE:], 3)  # on the right; the left is its mirror


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
    """phi at the 13 points ``h * NODES``, all finite."""

    h: float
    values: np.ndarray
    rounding: float  # standard deviation of the rounding of the values
    fit: Fit

    @property
    def flat(self) -> bool:
        """phi takes so few values that it looks like a staircase: constant here, or the step is below its grid."""
        return len(np.unique(self.values)) <= 4


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


def differentiate(
    phi: Callable[[float], float],
    *,
    epsilon: float = float(np.finfo(float).eps),
    floor: float = 0.0,
    grain: float = 0.0,
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
    floor : float
        Noise of phi (a standard deviation) that is assumed in any case.
    grain : float
        Noise of phi that is known from elsewhere: assumed where phi looks constant and shows none.
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
    ``error = 3 |c_1 - c_1 of the fit of degree 5| + 16 s g/h``, where s is the standard deviation of the residual (at
    least the rounding of phi's values) and g = 3.74 the norm of the row of the pseudo-inverse that gives c_1.
    """
    at_zero = phi(0.0)
    windows: list[Window] = []
    for h in _steps(start, 1 / RATIO):
        if h > _LAST_RESORT and _same_kink(windows[-3:]):
            continue
        window = _measure(phi, at_zero, h, epsilon, floor, grain)
        if window is None:
            continue
        windows.append(window)
        if _good(window, scale, enough) or _hopeless(windows, scale):
            break
    if _should_rise(windows, start) and not _good(windows[-1], scale, enough):
        for h in _steps(start * RATIO, RATIO, largest):
            window = _measure(phi, at_zero, h, epsilon, floor, grain)
            if window is None:
                break
            worse = not window.flat and window.fit.error > min(w.fit.error for w in windows)
            windows.append(window)
            if _good(window, scale, enough) or worse or not _rounding_dominates(window):
                break
    return _conclude(phi, at_zero, tuple(windows), scale)


def _steps(first: float, ratio: float, largest: float = 2.0**64) -> Iterator[float]:
    h = first
    while SMALLEST <= h <= largest:
        yield h
        h *= ratio


def _measure(
    phi: Callable[[float], float], at_zero: float, h: float, epsilon: float, floor: float = 0.0, grain: float = 0.0
) -> Window | None:
    """Evaluate phi on the window; None if it is not finite somewhere (the far points are tried first)."""
    values = np.full(len(NODES), at_zero)
    for i in np.argsort(-np.abs(NODES))[:-1]:
        values[i] = phi(h * NODES[i])
        if not math.isfinite(values[i]):
            return None
    rounding = max(floor, _spacing(values, epsilon) * float(np.max(np.abs(values))) / math.sqrt(12))
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
    changes = values - values[_CENTRE if len(values) == len(NODES) else 0]
    spread = float(np.max(np.abs(changes)))
    unit = spread if 0 < spread < math.inf else 1.0  # so that squares neither overflow nor underflow
    changes = changes / unit
    coefficients = inverse @ changes
    left_over = changes - matrix @ coefficients
    measured = math.sqrt(left_over @ left_over / (matrix.shape[0] - matrix.shape[1]))
    noise = max(measured, rounding / unit)
    slope = float(coefficients[1])
    return Fit(
        value=slope * unit / h,
        truncation=abs(slope - float(lower[1] @ changes)) * unit / h,
        noise=noise * unit,
        rounding=_NOISE_FACTOR * noise * float(np.linalg.norm(inverse[1])) * unit / h,
        secant=spread / h,
        explained=measured < _EXPLAINED and spread > 0,
    )


@dataclass
class Experience:
    """Where earlier directions of the same function found their step: the next one begins there."""

    steps: dict[Any, float] = field(default_factory=dict)
    errors: dict[Any, float] = field(default_factory=dict)

    def expect(self, argument: int, kind: str) -> tuple[float, float]:
        """Return the first window to try and the relative error to be content with."""
        key = (argument, kind == "coordinate")
        start = self.steps.get(key, self.steps.get("any", START))
        return start, min(max(ENOUGH, 2 * self.errors.get(key, 0.0)), 1e3 * ENOUGH)

    def learn(self, argument: int, kind: str, found: Derivative, scale: float) -> None:
        """Remember the step; and, of directions, what could be reached (single elements differ too much)."""
        key = (argument, kind == "coordinate")
        self.steps[key] = self.steps["any"] = found.step
        if kind != "coordinate":
            self.errors[key] = found.error / max(abs(found.value), scale, 1e-300)


# -- the walk over the windows --------------------------------------------------------------------------------------
def _good(window: Window, scale: float, enough: float) -> bool:
    fit = window.fit
    return not window.flat and fit.error <= enough * max(abs(fit.value), scale, 0.01 * fit.secant)


def _rounding_dominates(window: Window) -> bool:
    return window.flat or window.fit.rounding > window.fit.truncation


def _should_rise(windows: list[Window], start: float) -> bool:
    """Whether larger steps than the first may be better: rounding dominates there, and no smaller one was better."""
    if not windows or windows[0].h != start or not _rounding_dominates(windows[0]):
        return False
    return windows[0].flat or windows[0] is min(windows, key=lambda w: w.fit.error)


def _hopeless(windows: list[Window], scale: float) -> bool:
    """Whether smaller steps cannot help: phi is flat, or drowns in noise that is known by now."""
    last = windows[-1].fit
    if windows[-1].flat:
        return True
    before = windows[-2].fit if len(windows) > 1 else last
    if before is last or not before.explained:
        return False
    if not last.explained and last.noise > 0.25 * before.noise:
        return True  # the signal was there, now it drowns
    same_noise = 0.25 * before.noise < last.noise < 4 * before.noise
    return same_noise and before.error <= 1e-4 * max(abs(before.value), scale)


def _same_kink(windows: list[Window]) -> bool:
    """The same two one-sided derivatives at three scales: only the smallest steps may show anything else."""
    if len(windows) < 3 or windows[-1].fit.explained:
        return False
    sides = [(_one_sided(w, -1).value, _one_sided(w, 1).value) for w in windows]
    gap = abs(sides[-1][1] - sides[-1][0])
    return bool(np.all(np.ptp(sides, axis=0) <= 1e-4 * gap))


# -- the result -----------------------------------------------------------------------------------------------------
def _conclude(phi: Callable[[float], float], at_zero: float, windows: tuple[Window, ...], scale: float) -> Derivative:
    if not windows:
        return _from_one_side(phi, at_zero)
    best = min(windows, key=lambda w: w.fit.error)
    if best.flat and best.h < 2.0**-16:  # below the grid of float32: flat proves little
        seen = [w for w in windows if w.fit.explained and not w.flat]
        best = min(seen, key=lambda w: w.fit.error, default=best)
    fit = best.fit
    if fit.error > 1e-3 * max(abs(fit.value), scale):
        kink = _kink(windows)
        if kink is not None:
            return kink
    return Derivative(fit.value, fit.error, best.h, False, fit.value, fit.value, fit.noise, windows)


def _one_sided(window: Window, side: int) -> Fit:
    """Derivative from the points on one side only (`side` +1 right, -1 left)."""
    values = window.values[_CENTRE:] if side > 0 else window.values[_CENTRE::-1]
    fit = _least_squares(window.h, values, window.rounding, _ONE_SIDED)
    return replace(fit, value=side * fit.value)


def _kink(windows: tuple[Window, ...]) -> Derivative | None:
    """Look for two one-sided derivatives that differ by more than their errors."""
    left, right = (min((_one_sided(w, side) for w in windows), key=lambda fit: fit.error) for side in (-1, 1))
    gap, errors = abs(right.value - left.value), left.error + right.error
    if gap <= 4 * errors:
        return None
    middle, step = (left.value + right.value) / 2, windows[0].h
    return Derivative(middle, gap / 2 + errors, step, True, left.value, right.value, left.noise, windows)


def _from_one_side(phi: Callable[[float], float], at_zero: float) -> Derivative:
    """At the edge of the domain phi is finite on one side only; its mirror image there gives a derivative."""
    for side in (1, -1):

        def mirrored(t: float, side: int = side) -> float:
            return phi(side * abs(t))

        tried = (_measure(mirrored, at_zero, h, float(np.finfo(float).eps)) for h in _steps(START, 1 / RATIO))
        windows = [w for w in tried if w]
        if windows:
            best = min((_one_sided(w, 1) for w in windows), key=lambda fit: fit.error)
            value = side * best.value
            return Derivative(value, best.error, START, False, value, value, best.noise, tuple(windows))
    return Derivative(math.nan, math.inf, math.nan, False, math.nan, math.nan, math.nan, ())
