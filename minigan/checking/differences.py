"""The numerical derivative of a function of one variable at 0, with an error estimate that can be trusted.

A sweep over windows of shrinking width, each measured by `windows.measure`, until truncation and rounding are both
small; the window with the smallest error wins. C. J. F. Ridders, "Accurate computation of F'(x) and F'(x)F''(x)",
Advances in Engineering Software 4 (1982), is the classic sweep that chooses its step for itself.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigan.checking.windows import Window, measure

START = 2.0**-4  # first window, relative to the scale of the inputs
RATIO = 16.0  # from window to window: the points of one reach down to .11 of it
SMALLEST = 2.0**-42
ENOUGH = 1e-9  # relative error at which the sweep stops: resolves gradients computed in float32 (6e-8)

_LAST_RESORT = 2.0**-28  # where the sweep goes on when it has met the same kink at three scales
_COARSE_GRID = 2.0**-10  # steps so small that a function computed in float32, or float16, may look constant


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
    windows: tuple[Window, ...] = field(repr=False)


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
        First and largest window; the sweep goes down from `start`, and up where rounding dominates there.
    enough : float
        Relative error at which the sweep stops; 0 measures at every scale.

    Returns
    -------
    Derivative

    Notes
    -----
    On the window [-h, h], with phi = sum_k c_k t^k + noise and the fit of degree 7: value = c_1,
    ``error = 3 |c_1 - c_1 of the fit of degree 5| + 16 s g/h``, where s is the standard deviation of the residual (at
    least the rounding of phi's values) and g = 3.74 the norm of the row of the pseudo-inverse that gives c_1.
    """
    sweep = _Sweep(phi, epsilon, floor, grain, scale, enough)
    sweep.descend(start)
    sweep.rise(start, largest)
    sweep.refine()
    return _conclude(sweep)


class _Sweep:
    """The windows measured so far, and which to measure next."""

    def __init__(
        self, phi: Callable[[float], float], epsilon: float, floor: float, grain: float, scale: float, enough: float
    ):
        self.phi, self.scale, self.enough = phi, scale, enough
        self.noise = epsilon, floor, grain
        self.at_zero = phi(0.0)
        self.windows: list[Window] = []

    @property
    def best(self) -> Window:
        """The window of smallest error; one that is too wide to see what phi does counts only if there is no other."""
        resolved = [w for w in self.windows if w.fit.resolved]
        standing = [w for w in resolved if not any(_contradicts(s, w) for s in resolved)]
        return min(standing or resolved or self.windows, key=lambda w: w.fit.error)

    @property
    def done(self) -> bool:
        return any(self._good(w) for w in self.windows)

    def look(self, h: float) -> Window | None:
        """Measure one window; None if phi is not finite on it."""
        window = measure(self.phi, self.at_zero, h, *self.noise)
        self.windows += [window] if window else []
        return window

    def descend(self, start: float) -> None:
        """Shrink the window until its error is small enough, or nothing better can follow."""
        for h in _steps(start, 1 / RATIO):
            if h > _LAST_RESORT and _same_kink(self.windows[-3:]):
                continue
            if self.look(h) and self.enough > 0 and (self.done or self._hopeless()):
                break

    def rise(self, start: float, largest: float) -> None:
        """Widen the first window, if rounding dominates there and no smaller one was better.

        A flat one is not better: it may be a step of a staircase.
        """
        if self.done or not self.windows or self.windows[0].h != start:
            return
        first = self.windows[0]
        if not first.flat and not (first.rounding_dominates and first is self.best):
            return
        for h in _steps(start * RATIO, RATIO, largest):
            smallest_error = self.best.fit.error
            window = self.look(h)
            if window is None or self.done or not window.rounding_dominates:
                break
            if not window.flat and window.fit.error > smallest_error and not self.best.flat:
                break

    def refine(self) -> None:
        """Look between the best window and the next larger one, where rounding and truncation may balance."""
        if self.windows and not self.done and self.best.rounding_dominates and not self.best.flat:
            self.look(self.best.h * math.sqrt(RATIO))

    def _good(self, window: Window) -> bool:
        """Small beside the derivative; or, where that is zero, beside the slopes that phi has within its own scale."""
        fit = window.fit
        slopes = 0.01 * fit.secant if window.h <= START else 0.0
        small = fit.error <= self.enough * max(abs(fit.value), self.scale, slopes)
        return small and fit.resolved and not window.flat

    def _hopeless(self) -> bool:
        """Whether smaller steps cannot help: phi is flat, or drowns in noise that is known by now."""
        last = self.windows[-1].fit
        if self.windows[-1].flat and last.resolved:
            return True
        before = self.windows[-2].fit if len(self.windows) > 1 else last
        if before is last or not before.explained:
            return False
        if not last.explained and last.noise > 0.25 * before.noise:
            return True  # the signal was there, now it drowns
        same_noise = 0.25 * before.noise < last.noise < 4 * before.noise
        return same_noise and before.error <= 1e-4 * max(abs(before.value), self.scale)


def _contradicts(small: Window, large: Window) -> bool:
    """Whether phi has another slope close by than `large` says, whose points are too far apart to show it."""
    gap = abs(small.fit.value - large.fit.value)
    return small.h < large.h and not small.flat and gap > small.fit.error + large.fit.error


def _steps(first: float, ratio: float, largest: float = 2.0**64) -> Iterator[float]:
    h = first
    while SMALLEST <= h <= largest:
        yield h
        h *= ratio


def _same_kink(windows: list[Window]) -> bool:
    """The same two one-sided derivatives at three scales: only the smallest steps may show anything else."""
    if len(windows) < 3 or windows[-1].fit.explained:
        return False
    sides = [(w.one_sided(-1).value, w.one_sided(1).value) for w in windows]
    gap = abs(sides[-1][1] - sides[-1][0])
    return bool(np.all(np.ptp(sides, axis=0) <= 1e-4 * gap))


# -- the result -----------------------------------------------------------------------------------------------------
def _conclude(sweep: _Sweep) -> Derivative:
    if not sweep.windows:
        return _from_one_side(sweep.phi, sweep.at_zero)
    windows, best = tuple(sweep.windows), sweep.best
    if best.flat and best.h < _COARSE_GRID:  # proves little, where a larger step saw a slope
        seen = [w for w in windows if w.fit.explained and not w.flat and w.fit.error < abs(w.fit.value)]
        best = min(seen, key=lambda w: w.fit.error, default=best)
    fit = best.fit
    if fit.error > 1e-3 * max(abs(fit.value), sweep.scale):
        kink = _kink(windows)
        if kink is not None:
            return kink
    error = math.inf if best.spike and not fit.resolved else fit.error
    return Derivative(fit.value, error, best.h, False, fit.value, fit.value, fit.noise, windows)


def _kink(windows: tuple[Window, ...]) -> Derivative | None:
    """Look for two one-sided derivatives that differ by more than their errors."""
    sides = [[w.one_sided(side) for w in windows] for side in (-1, 1)]
    if not all(any(fit.resolved for fit in side) for side in sides):
        return None
    left, right = (min((fit for fit in side if fit.resolved), key=lambda fit: fit.error) for side in sides)
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

        tried = (measure(mirrored, at_zero, h, float(np.finfo(float).eps)) for h in _steps(START, 1 / RATIO))
        windows = tuple(w for w in tried if w)
        resolved = [fit for fit in (w.one_sided(1) for w in windows) if fit.resolved]
        if len(resolved) > 1:  # a single one may fit by accident
            best = min(resolved, key=lambda fit: fit.error)
            value = side * best.value
            return Derivative(value, best.error, START, False, value, value, best.noise, windows)
    return Derivative(math.nan, math.inf, math.nan, False, math.nan, math.nan, math.nan, ())


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
