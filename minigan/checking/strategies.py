"""Hypothesis strategies for functions of arrays: shapes, groups that broadcast, memory layouts, values in a domain.

The values drawn are round numbers of a few digits, so that a failing example shrinks to one that a person can follow.
Needs the package ``hypothesis``, which the rest of minigan does not.

Examples
--------
>>> from hypothesis import given
>>> from minigan.checking import check_gradients, strategies
>>> @given(x=strategies.arrays(interval=strategies.POSITIVE))
... def test_log(x):
...     check_gradients(lambda x: np.sum(np.log(x)), x, grad=lambda x: 1 / x)
"""

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from minigan.domains import POSITIVE, REAL, UNIT, Domain, Interval

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ImportError as error:
    raise ImportError("minigan.checking.strategies needs hypothesis: pip install hypothesis") from error

__all__ = ["LAYOUTS", "POSITIVE", "REAL", "UNIT", "Domain", "Interval", "arguments", "arrays", "broadcastable"]
__all__ += ["groups", "lay_out", "layouts", "shapes"]

LAYOUTS = ("C", "F", "strided", "reversed", "read-only")
SCALES = (1.0, 1.0, 1.0, 1e-3, 1e3)  # of the values of one array


def __getattr__(name: str) -> Any:
    if name in ("layers", "as_function"):  # in a module of their own: nothing else of the checker knows `minigan.nn`
        return getattr(import_module("minigan.checking.layer_strategies"), name)
    raise AttributeError(f"module 'minigan.checking.strategies' has no attribute {name!r}")


def shapes(*, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> st.SearchStrategy:
    """Draw a shape; ``min_side=0`` includes arrays without elements."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable(n: int, *, max_dims: int = 3, max_side: int = 4) -> st.SearchStrategy:
    """Draw a tuple of `n` shapes that broadcast together: axes of length 1, missing leading axes."""
    groups = hnp.mutually_broadcastable_shapes(num_shapes=n, max_dims=max_dims, min_side=1, max_side=max_side)
    return groups.map(lambda drawn: drawn.input_shapes)


def layouts() -> st.SearchStrategy:
    """Draw the name of a memory layout, for `lay_out`."""
    return st.sampled_from(LAYOUTS)


def lay_out(x: np.ndarray, layout: str) -> np.ndarray:
    """Return the values of `x` in memory of the given layout.

    Parameters
    ----------
    x : array
    layout : {"C", "F", "strided", "reversed", "read-only"}
        Row-major; column-major; every second place of a larger array; all strides negative; not writable.
    """
    if layout == "C":
        return np.array(x, order="C")
    if layout == "F":
        return np.array(x, order="F")
    if layout == "strided":
        wide = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
        places = (slice(None, None, 2),) * x.ndim
        wide[places] = x
        return wide[places]
    if layout == "reversed":
        backwards = (slice(None, None, -1),) * x.ndim
        return np.array(x[backwards], order="C")[backwards]
    if layout == "read-only":
        frozen = np.array(x, order="C")
        frozen.flags.writeable = False
        return frozen
    raise ValueError(f"lay_out: got layout={layout!r}, expected one of {', '.join(LAYOUTS)}")


@st.composite
def arrays(
    draw: Callable[[Any], Any],
    shape: Any = None,
    *,
    interval: Interval = REAL,
    dtype: Any = np.float64,
    layout: Any = None,
) -> np.ndarray:
    """Draw an array with values in an interval, away from its kinks.

    Parameters
    ----------
    shape : tuple of int or strategy, optional
        Default: `shapes()`.
    interval : Interval
        Where the values lie; ``Interval(kinks=(0.0,))`` for functions such as relu.
    dtype : floating dtype
    layout : str or strategy, optional
        One of `LAYOUTS`; drawn by default.
    """
    shape = _drawn(draw, shapes() if shape is None else shape)
    scale = draw(st.sampled_from(SCALES))
    thousandths = draw(hnp.arrays(np.int64, shape, elements=st.integers(-3000, 3000)))
    values = _avoid_kinks(_into(interval, thousandths / 1000.0, scale), interval, scale)
    return lay_out(values.astype(dtype), _drawn(draw, layouts() if layout is None else layout))


@st.composite
def groups(draw: Callable[[Any], Any], *intervals: Interval, max_dims: int = 3, max_side: int = 4) -> tuple[Any, ...]:
    """Draw arrays that broadcast together, one in each interval: the arguments of an element-wise function."""
    drawn = draw(broadcastable(len(intervals), max_dims=max_dims, max_side=max_side))
    return tuple(draw(arrays(shape, interval=interval)) for shape, interval in zip(drawn, intervals, strict=True))


@st.composite
def arguments(
    draw: Callable[[Any], Any], domain: Domain, *, max_side: int = 4
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Draw ``(args, params)`` of a call from the domain of a primitive, each array in a layout of its own."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    args, params = domain.sample(rng, draw(st.integers(1, max_side)))
    return tuple(lay_out(np.asarray(x), draw(layouts())) for x in args), params


def _drawn(draw: Callable[[Any], Any], value: Any) -> Any:
    return draw(value) if isinstance(value, st.SearchStrategy) else value


def _into(interval: Interval, x: np.ndarray, scale: float) -> np.ndarray:
    """Map numbers between -3 and 3 into the interval."""
    low, high = interval.low, interval.high
    if math.isfinite(low) and math.isfinite(high):
        return (low + high) / 2 + (high - low) * x / 6.1
    if math.isfinite(low):
        return low + scale * (np.abs(x) + 0.01)
    if math.isfinite(high):
        return high - scale * (np.abs(x) + 0.01)
    return scale * x


def _avoid_kinks(x: np.ndarray, interval: Interval, scale: float) -> np.ndarray:
    for kink in interval.kinks:
        room = 0.05 * min(scale, kink - interval.low, interval.high - kink)
        near = np.abs(x - kink) < room
        x = np.where(near, kink + np.where(x < kink, -room, room), x)
    return np.asarray(x)
