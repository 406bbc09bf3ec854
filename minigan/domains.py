"""Where an operation is defined, where it has kinks, and how to draw arguments for it.

Every primitive carries a `Domain`; the tests over the registry draw shapes and values from it, so that a new operation
is tested without anyone writing a test. *Domain* means where the function is defined, not where one implementation
survives: -1000 and +1000 belong to the domain of a sigmoid, and are drawn.

Most operations need one line::

    domain=elementwise(REAL)                               # tanh
    domain=elementwise(POSITIVE)                           # log
    domain=elementwise(REAL, REAL)                         # add: two arguments that broadcast
    domain=elementwise(Interval(kinks=(0.0,)))             # relu
    domain=elementwise(REAL, REAL, apart=True)             # maximum: a kink where the arguments meet
    domain=reduction(REAL)                                 # sum: draws axis and keepdims as well
    domain=Domain(lambda rng, side: ((a, b), {"axis": 0}))  # anything else: draw the arguments yourself
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Arguments = tuple[tuple[np.ndarray, ...], dict[str, Any]]

_FAR = 1000.0  # how far out an infinite interval is drawn
_KINK_MARGIN = 0.05  # distance kept from a kink, relative to the scale of the values drawn


@dataclass(frozen=True)
class Interval:
    """The open interval (low, high) that one argument lives in, without a neighbourhood of each kink.

    Parameters
    ----------
    low, high : float
        The ends; never drawn themselves. An infinite end is drawn up to +-1000.
    kinks : tuple of float
        Points where the function is continuous but not differentiable (0 for relu), or jumps (the integers for
        floor). Tests of the derivative stay away from them; a test pins the subgradient there on its own.
    """

    low: float = -math.inf
    high: float = math.inf
    kinks: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"Interval: low={self.low} is not below high={self.high}")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Draw a float64 array of `shape`: one scale per array, mostly about 1, sometimes from 1e-3 to 1e3."""
        scale = 1.0 if rng.random() < 0.6 else 10.0 ** rng.uniform(-3, 3)
        x = self._within(rng, np.asarray(rng.standard_normal(shape)), scale)
        for kink in self.kinks:
            room = _KINK_MARGIN * min(scale, kink - self.low, self.high - kink)
            near = np.abs(x - kink) < room
            side = np.where(x < kink, -1.0, 1.0)
            x = np.where(near, kink + side * room * (1 + rng.random(shape)), x)
        return np.asarray(x)

    def _within(self, rng: np.random.Generator, normal: np.ndarray, scale: float) -> np.ndarray:
        """Map standard normal numbers into the interval."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            inside = 0.5 * (1 + np.tanh(normal))
            return self.low + (self.high - self.low) * np.clip(inside, 1e-3, 1 - 1e-3)
        far = np.clip(scale * np.abs(normal), 1e-3 * scale, _FAR)
        if math.isfinite(self.low):
            return self.low + far
        if math.isfinite(self.high):
            return self.high - far
        return np.asarray(np.clip(scale * normal, -_FAR, _FAR))


@dataclass(frozen=True)
class Domain:
    """How to draw arguments for an operation, and how often it may be differentiated there.

    Parameters
    ----------
    arguments : callable ``(rng, side) -> (args, params)``
        Draws an example from a `numpy.random.Generator`: the positional array arguments and the keyword parameters.
        No axis is longer than `side`. Arrays of float64 are differentiable; arrays of integers or booleans (indices,
        conditions) are not.
    order : float
        How many derivatives exist away from the kinks: inf for a smooth function, 0 where there is none to test
        (comparison, sign). A test of the gradient needs 1, of the gradient of the gradient 2.
    intervals : tuple of Interval
        Where each argument lives, when that can be said argument by argument; for documentation and pictures.
    """

    arguments: Callable[[np.random.Generator, int], Arguments]
    order: float = math.inf
    intervals: tuple[Interval, ...] = ()

    def sample(self, rng: np.random.Generator, side: int = 4) -> Arguments:
        """Draw ``(args, params)``: shapes, values and parameters of one call, reproducible from `rng`."""
        return self.arguments(rng, side)


REAL = Interval()
POSITIVE = Interval(low=0.0)
UNIT = Interval(low=0.0, high=1.0)


def elementwise(*intervals: Interval, order: float = math.inf, apart: bool = False) -> Domain:
    """Domain of an element-wise operation: one interval per argument, shapes that broadcast together.

    Parameters
    ----------
    *intervals : Interval
        One per argument; `REAL`, `POSITIVE` and `UNIT` are ready made.
    order : float
        How many derivatives exist.
    apart : bool
        Keep the first two arguments apart after broadcasting, for functions with a kink where they meet (maximum).
    """
    intervals = intervals or (REAL,)

    def arguments(rng: np.random.Generator, side: int) -> Arguments:
        shapes = broadcastable_shapes(rng, len(intervals), side)
        args = [interval.draw(rng, shape) for interval, shape in zip(intervals, shapes, strict=True)]
        if apart:
            args[0], args[1] = _separate(args[0], args[1])
        return tuple(args), {}

    return Domain(arguments, order, intervals)


def reduction(interval: Interval = REAL, *, order: float = math.inf, least: int = 0, distinct: bool = False) -> Domain:
    """Domain of a reduction: one array, ``axis`` (None, an integer or a tuple) and ``keepdims``.

    Parameters
    ----------
    interval : Interval
        Where the elements live.
    order : float
        How many derivatives exist.
    least : int
        The shortest axis drawn: 0 for a sum, 1 for a maximum, 2 for a variance with ``ddof=1``.
    distinct : bool
        Draw elements that are far from equal, for functions with a kink where two elements meet (max).
    """

    def arguments(rng: np.random.Generator, side: int) -> Arguments:
        shape = random_shape(rng, side, least=least)
        x = interval.draw(rng, shape)
        if distinct:
            x = np.asarray(rng.permutation(x.size).reshape(shape) - x.size / 2 + rng.uniform(-0.2, 0.2, shape))
        return (x,), {"axis": random_axis(rng, len(shape)), "keepdims": bool(rng.integers(2))}

    return Domain(arguments, order, (interval,))


def random_shape(
    rng: np.random.Generator, side: int = 4, *, dims: int | None = None, least: int = 0
) -> tuple[int, ...]:
    """Draw a shape of `dims` (default: 0 to 3) axes; an axis of length 0 in about one shape of twenty."""
    dims = int(rng.integers(0, 4)) if dims is None else dims
    shape = [int(rng.integers(max(1, least), max(1, least, side) + 1)) for _ in range(dims)]
    if least == 0 and dims and rng.random() < 0.05:
        shape[int(rng.integers(dims))] = 0
    return tuple(shape)


def broadcastable_shapes(rng: np.random.Generator, n: int, side: int = 4) -> list[tuple[int, ...]]:
    """Draw `n` shapes that broadcast together: axes of length 1, missing leading axes."""
    full = random_shape(rng, side)
    shapes = [full]
    for _ in range(n - 1):
        shape = [1 if rng.random() < 0.25 else length for length in full]
        shapes.append(tuple(shape[int(rng.integers(len(full) + 1)) :] if rng.random() < 0.4 else shape))
    return [shapes[i] for i in rng.permutation(n)]


def random_axis(rng: np.random.Generator, dims: int) -> int | tuple[int, ...] | None:
    """Draw an ``axis`` for a reduction over an array of `dims` axes: None, an integer (also negative) or a tuple."""
    kind = rng.integers(3) if dims else 0
    if kind == 0:
        return None
    if kind == 1:
        return int(rng.integers(-dims, dims))
    return tuple(int(a) for a in rng.permutation(dims)[: int(rng.integers(1, dims + 1))])


def _separate(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round `a` to even and `b` to odd multiples of one unit, plus a little, so that no element of a meets one of b."""
    largest = max([1e-3, *(float(np.max(np.abs(x), initial=0.0)) for x in (a, b))])
    unit = largest / 8
    even, odd = 2 * np.round(a / (2 * unit)), 2 * np.round((b / unit - 1) / 2) + 1
    return np.asarray((even + 0.3) * unit), np.asarray((odd + 0.1) * unit)
