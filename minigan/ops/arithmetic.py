"""Arithmetic, comparison and selection, elementwise with NumPy's broadcasting.

A rule speaks of one element: the engine sums a cotangent over the axes along which its argument was broadcast.
"""

import numpy as np

from minigan.domains import REAL, Domain, Interval, broadcastable_shapes, elementwise
from minigan.engine import Tensor, primitive
from minigan.lowerings import Elementwise
from minigan.ops.smooth import log

NONZERO = Interval(low=0.2)


def _comparison(ufunc, sign):
    """Comparisons return booleans; no gradient flows through them."""

    @primitive(
        name=ufunc.__name__,
        vjp=(None, None),
        domain=elementwise(REAL, REAL, order=0),
        lowering=Elementwise(f"x {sign} y"),
    )
    def compare(x, y):
        return ufunc(x, y)

    compare.__name__ = compare.__qualname__ = ufunc.__name__
    compare.__doc__ = f"Return np.{ufunc.__name__}(x, y), a boolean Tensor."
    return compare


equal, not_equal = _comparison(np.equal, "=="), _comparison(np.not_equal, "!=")
less, less_equal = _comparison(np.less, "<"), _comparison(np.less_equal, "<=")
greater, greater_equal = _comparison(np.greater, ">"), _comparison(np.greater_equal, ">=")


@primitive(
    vjp=(lambda g, out, x, y: g, lambda g, out, x, y: g), domain=elementwise(REAL, REAL), lowering=Elementwise("x + y")
)
def add(x, y):
    """Return x + y.  d/dx = d/dy = 1."""
    return np.add(x, y)


@primitive(
    vjp=(lambda g, out, x, y: g, lambda g, out, x, y: -g), domain=elementwise(REAL, REAL), lowering=Elementwise("x - y")
)
def subtract(x, y):
    """Return x - y.  d/dx = 1, d/dy = -1."""
    return np.subtract(x, y)


@primitive(
    vjp=(lambda g, out, x, y: g * y, lambda g, out, x, y: g * x),
    domain=elementwise(REAL, REAL),
    lowering=Elementwise("x * y"),
)
def multiply(x, y):
    """Return x y.  d/dx = y, d/dy = x."""
    return np.multiply(x, y)


@primitive(
    vjp=(lambda g, out, x, y: g / y, lambda g, out, x, y: -(g * out / y)),
    domain=elementwise(REAL, NONZERO),
    lowering=Elementwise("x / y"),
)
def divide(x, y):
    """Return x / y.  d/dx = 1/y, d/dy = -x/y^2."""
    return np.divide(x, y)


@primitive(vjp=(lambda g, out, x: -g,), domain=elementwise(REAL), lowering=Elementwise("-x"))
def negative(x):
    """Return -x."""
    return np.negative(x)


def _power_by_base(g, out, x, y):
    # y x^(y-1), and 0 rather than 0 * 0^-1 = nan where the exponent is 0
    constant = equal(y, 0.0)
    return g * y * power(x, where(constant, 1.0, y - 1.0))


def _power_by_exponent(g, out, x, y):
    positive = greater(x, 0.0)
    return where(positive, g * out * log(where(positive, x, 1.0)), 0.0)


@primitive(
    vjp=(_power_by_base, _power_by_exponent), domain=elementwise(NONZERO, Interval(-3, 3)), lowering=Elementwise("x**y")
)
def power(x, y):
    """Return x^y.  d/dx = y x^(y-1), d/dy = x^y log x.

    Where x <= 0 the derivative with respect to y is taken as 0: there x^y is not a smooth function of y.
    """
    return np.power(x, y)


@primitive(
    vjp=(lambda g, out, x: g * sign(x),), domain=elementwise(Interval(kinks=(0.0,))), lowering=Elementwise("abs(x)")
)
def abs(x):
    """Return ``|x|``.  d/dx = sign x; at 0 the subgradient 0."""
    return np.abs(x)


@primitive(
    vjp=(None,),
    domain=elementwise(REAL, order=0),
    lowering=Elementwise("x if x != x else 1 if x > 0 else -1 if x < 0 else 0"),
)
def sign(x):
    """Return -1, 0 or 1. Constant almost everywhere: no gradient flows."""
    return np.sign(x)


def _share_of(wins, ties):
    """1 where an argument decides the result, 1/2 where both do, 0 elsewhere."""
    return where(wins, 1.0, where(ties, 0.5, 0.0))


@primitive(
    vjp=(
        lambda g, out, x, y: g * _share_of(greater(x, y), equal(x, y)).astype(g.dtype),
        lambda g, out, x, y: g * _share_of(less(x, y), equal(x, y)).astype(g.dtype),
    ),
    domain=elementwise(REAL, REAL, apart=True),
    lowering=Elementwise("x if x >= y or x != x else y"),
)
def maximum(x, y):
    """Return the larger of x and y.  The gradient goes to the larger one; halves where they are equal."""
    return np.maximum(x, y)


@primitive(
    vjp=(
        lambda g, out, x, y: g * _share_of(less(x, y), equal(x, y)).astype(g.dtype),
        lambda g, out, x, y: g * _share_of(greater(x, y), equal(x, y)).astype(g.dtype),
    ),
    domain=elementwise(REAL, REAL, apart=True),
    lowering=Elementwise("x if x <= y or x != x else y"),
)
def minimum(x, y):
    """Return the smaller of x and y.  The gradient goes to the smaller one; halves where they are equal."""
    return np.minimum(x, y)


def _where_domain(rng, side):
    condition, x, y = broadcastable_shapes(rng, 3, side)
    return (rng.random(condition) < 0.5, REAL.draw(rng, x), REAL.draw(rng, y)), {}


@primitive(
    vjp=(None, lambda g, out, c, x, y: where(c, g, 0.0), lambda g, out, c, x, y: where(c, 0.0, g)),
    domain=Domain(_where_domain),
    lowering=Elementwise("x if condition else y"),
)
def where(condition, x, y):
    """Return x where `condition` holds, else y. The gradient goes where the value came from."""
    return np.where(condition, x, y)


def _clip_domain(rng, side):
    (x,), _ = elementwise(Interval(kinks=(-1.0, 2.0))).sample(rng, side)
    return (x,), {"low": -1.0, "high": 2.0}


@primitive(vjp=(lambda g, out, x, low, high: where(equal(out, x), g, 0.0),), domain=Domain(_clip_domain), name="clip")
def _clip(x, *, low, high):
    return np.clip(x, low, high)


def clip(x, low=None, high=None):
    """Return x limited to [low, high]; None leaves a side open.  d/dx = 1 inside and on the bounds, 0 outside.

    Bounds that are Tensors receive gradients as `maximum` and `minimum` have them.
    """
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        x = x if low is None else maximum(x, low)
        return x if high is None else minimum(x, high)
    return _clip(x, low=low, high=high)
