"""Reductions: sums, means, extremes and norms over axes."""

import numpy as np

from minigan.domains import REAL, reduction
from minigan.engine import as_tensor, primitive
from minigan.lowerings import Sum
from minigan.ops.arithmetic import divide, equal, where
from minigan.ops.shape import broadcast_to, reshape
from minigan.ops.smooth import sqrt


def axes_of(axis, ndim):
    """Return `axis` (None, int or tuple, negative allowed) as a sorted tuple of axes."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(axes, ndim)))


def _spread(g, x, axis):
    """Bring a reduced array back to x's shape: the reduced axes return with length 1, then repeat."""
    kept = tuple(1 if i in axes_of(axis, x.ndim) else n for i, n in enumerate(x.shape))
    return broadcast_to(reshape(g, kept), x.shape)


def _count(x, axis):
    return int(np.prod([x.shape[a] for a in axes_of(axis, x.ndim)]))


def _axis(axis):
    return tuple(axis) if isinstance(axis, list) else axis


@primitive(
    vjp=(lambda g, out, x, axis, keepdims: _spread(g, x, axis),), domain=reduction(REAL), lowering=Sum(), name="sum"
)
def _sum(x, *, axis, keepdims):
    return np.sum(x, axis=axis, keepdims=keepdims)


def sum(x, axis=None, keepdims=False):
    """Return the sum over `axis` (None: all; an int or a tuple).  The pullback repeats the cotangent."""
    return _sum(x, axis=_axis(axis), keepdims=keepdims)


@primitive(
    vjp=(lambda g, out, x, axis, keepdims: _spread(g * (1.0 / _count(x, axis)), x, axis),),
    domain=reduction(REAL, least=1),
    reference=lambda x, axis, keepdims: sum(x, axis=axis, keepdims=keepdims) * (1.0 / _count(x, axis)),
    name="mean",
)
def _mean(x, *, axis, keepdims):
    return np.mean(x, axis=axis, keepdims=keepdims)


def mean(x, axis=None, keepdims=False):
    """Return the mean over `axis` (None: all; an int or a tuple).  d/dx_i = 1/n."""
    return _mean(x, axis=_axis(axis), keepdims=keepdims)


def var(x, axis=None, keepdims=False, ddof=0):
    """Return the variance over `axis`: sum (x - mean)^2 / (n - ddof)."""
    x = as_tensor(x)
    deviation = x - mean(x, axis=axis, keepdims=True)
    return sum(deviation * deviation, axis=axis, keepdims=keepdims) / float(_count(x, axis) - ddof)


def _to_extremes(g, out, x, axis, keepdims):
    attained = equal(x, _spread(out, x, axis)).astype(x.dtype)
    return _spread(g, x, axis) * divide(attained, _spread(sum(attained, axis=axis), x, axis))


@primitive(vjp=(_to_extremes,), domain=reduction(REAL, least=1, distinct=True), name="max")
def _max(x, *, axis, keepdims):
    return np.max(x, axis=axis, keepdims=keepdims)


def max(x, axis=None, keepdims=False):
    """Return the largest element over `axis`. The gradient goes to it, in equal shares where several are largest."""
    return _max(x, axis=_axis(axis), keepdims=keepdims)


@primitive(vjp=(_to_extremes,), domain=reduction(REAL, least=1, distinct=True), name="min")
def _min(x, *, axis, keepdims):
    return np.min(x, axis=axis, keepdims=keepdims)


def min(x, axis=None, keepdims=False):
    """Return the smallest element over `axis`. The gradient goes to it, in equal shares where several are smallest."""
    return _min(x, axis=_axis(axis), keepdims=keepdims)


def norm(x, axis=None, keepdims=False):
    """Return the Euclidean norm sqrt(sum x^2) over `axis`.  d/dx = x / norm; at 0 the subgradient 0."""
    squares = sum(x * x, axis=axis, keepdims=keepdims)
    zero = equal(squares, 0.0)
    return where(zero, 0.0, sqrt(where(zero, 1.0, squares)))
