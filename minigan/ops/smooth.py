"""Smooth functions of one number, elementwise."""

import numpy as np
import scipy.special

from minigan.domains import POSITIVE, REAL, Interval, elementwise
from minigan.engine import primitive
from minigan.lowerings import Elementwise

MODERATE = Interval(-20, 20)  # where exp and its kin neither overflow nor lose the difference to 1


@primitive(vjp=(lambda g, y, x: g * y,), domain=elementwise(MODERATE), lowering=Elementwise("exp(x)"))
def exp(x):
    """Return e^x.  d/dx = e^x."""
    return np.exp(x)


@primitive(vjp=(lambda g, y, x: g * (y + 1.0),), domain=elementwise(MODERATE), lowering=Elementwise("expm1(x)"))
def expm1(x):
    """Return e^x - 1, accurate near 0.  d/dx = e^x."""
    return np.expm1(x)


@primitive(vjp=(lambda g, y, x: g / x,), domain=elementwise(POSITIVE), lowering=Elementwise("log(x)"))
def log(x):
    """Return the natural logarithm of x > 0.  d/dx = 1/x."""
    return np.log(x)


@primitive(
    vjp=(lambda g, y, x: g / (x + 1.0),), domain=elementwise(Interval(low=-1.0)), lowering=Elementwise("log1p(x)")
)
def log1p(x):
    """Return log(1 + x) for x > -1, accurate near 0.  d/dx = 1/(1 + x)."""
    return np.log1p(x)


@primitive(vjp=(lambda g, y, x: g * 0.5 / y,), domain=elementwise(POSITIVE), lowering=Elementwise("sqrt(x)"))
def sqrt(x):
    """Return the square root of x >= 0.  d/dx = 1/(2 sqrt x), infinite at 0."""
    return np.sqrt(x)


@primitive(vjp=(lambda g, y, x: g * cos(x),), domain=elementwise(REAL), lowering=Elementwise("sin(x)"))
def sin(x):
    """Return sin x, x in radians.  d/dx = cos x."""
    return np.sin(x)


@primitive(vjp=(lambda g, y, x: -(g * sin(x)),), domain=elementwise(REAL), lowering=Elementwise("cos(x)"))
def cos(x):
    """Return cos x, x in radians.  d/dx = -sin x."""
    return np.cos(x)


@primitive(vjp=(lambda g, y, x: g * (1.0 - y * y),), domain=elementwise(REAL), lowering=Elementwise("tanh(x)"))
def tanh(x):
    """Return tanh x.  d/dx = 1 - tanh^2 x."""
    return np.tanh(x)


@primitive(
    vjp=(lambda g, y, x: g * exp(-(x * x)) * (2.0 / np.pi**0.5),),
    domain=elementwise(REAL),
    lowering=Elementwise("erf(x)"),
)
def erf(x):
    """Return the error function 2/sqrt(pi) int_0^x exp(-t^2) dt.  d/dx = 2/sqrt(pi) exp(-x^2)."""
    return scipy.special.erf(x)
