"""Activations: the nonlinear functions between layers."""

import numpy as np

from minigan.domains import REAL, Domain, Interval, elementwise, random_shape
from minigan.engine import primitive
from minigan.kernels import elementwise as kernels
from minigan.kernels import softmax as along
from minigan.lowerings import Elementwise, Kernel
from minigan.ops.arithmetic import where
from minigan.ops.reductions import sum
from minigan.ops.smooth import erf, exp

KINK_AT_0 = Interval(kinks=(0.0,))


@primitive(vjp=(lambda g, p, x: g * (p * (1.0 - p)),), domain=elementwise(REAL), lowering=Elementwise("sigmoid(x)"))
def sigmoid(x):
    """Return the logistic function p = 1 / (1 + e^-x), elementwise.

    Derivative: dp/dx = p (1 - p), at most 1/4: what is called vanishing, when many are multiplied.

    Parameters
    ----------
    x : array of any shape
        Logits; the whole real line is its domain.

    Returns
    -------
    Tensor of the same shape, in [0, 1].
        In float32 or float64: of half precision and integers, float32 at least.

    Notes
    -----
    Numerics: computed from ``exp(-|x|)``, which never overflows (`minigan.kernels.elementwise.sigmoid`).

    Examples
    --------
    >>> import minigan as mg
    >>> mg.sigmoid([-1000.0, 0.0, 1000.0])
    tensor([0. , 0.5, 1. ])
    """
    return kernels.sigmoid(x)


@primitive(vjp=(lambda g, y, x: g * sigmoid(x),), domain=elementwise(REAL), lowering=Elementwise("softplus(x)"))
def softplus(x):
    """Return log(1 + e^x), computed as ``max(x, 0) + log1p(e^-|x|)``.  d/dx = sigmoid(x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@primitive(
    vjp=(lambda g, y, x: gate(g, y, slope=0.0),),
    domain=elementwise(KINK_AT_0),
    lowering=Elementwise("x if x > 0 or x != x else 0"),
)
def relu(x):
    """Return max(x, 0).  d/dx = 1 for x > 0, else 0 (0 is the subgradient chosen at the kink)."""
    return np.maximum(x, 0)


@primitive(
    vjp=(lambda g, y, x, slope: gate(g, x, slope=slope),),
    domain=Domain(lambda rng, side: (elementwise(KINK_AT_0).sample(rng, side)[0], {"slope": 0.2})),
    lowering=Elementwise("x if x > 0 else slope * x"),
    name="leaky_relu",
)
def _leaky_relu(x, *, slope):
    return kernels.leaky_relu(x, slope)


def leaky_relu(x, slope=0.2):
    """Return x for x > 0, else slope x (Maas et al., 2013).  d/dx = 1 or slope; slope at the kink.

    `slope` is 0.2 in the GAN literature (Radford et al., 2016); PyTorch's default is 0.01.
    Half precision and integers come back as float32 at least, as from all operations that have a kernel.
    """
    return _leaky_relu(x, slope=float(slope))


def _gate_domain(rng, side):
    shape = random_shape(rng, side)
    return (REAL.draw(rng, shape), KINK_AT_0.draw(rng, shape)), {"slope": 0.2}


@primitive(
    vjp=(lambda h, out, g, y, slope: gate(h, y, slope=slope), None),
    domain=Domain(_gate_domain),
    lowering=Elementwise("g if y > 0 else slope * g"),
)
def gate(g, y, *, slope):
    """Return g where y > 0, slope g elsewhere: the backward pass of (leaky) relu. Linear in g, constant in y."""
    return kernels.gate(g, y, slope)


@primitive(
    vjp=(lambda g, y, x, alpha: g * where(y > 0, 1.0, y + alpha).astype(g.dtype),),
    domain=Domain(lambda rng, side: (elementwise(KINK_AT_0).sample(rng, side)[0], {"alpha": 1.0})),
    lowering=Elementwise("x if x > 0 else alpha * expm1(x)"),
    name="elu",
)
def _elu(x, *, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def elu(x, alpha=1.0):
    """Return x for x > 0, else alpha (e^x - 1) (Clevert et al., 2016).  d/dx = 1, or elu(x) + alpha below 0."""
    return _elu(x, alpha=float(alpha))


def _silu_rule(g, y, x):
    p = sigmoid(x)
    return g * (p + y * (1.0 - p))


@primitive(vjp=(_silu_rule,), domain=elementwise(REAL), lowering=Elementwise("x * sigmoid(x)"))
def silu(x):
    """Return x sigmoid(x) (Elfwing et al., 2018).  d/dx = p + silu(x) (1 - p) with p = sigmoid(x)."""
    return x * kernels.sigmoid(x)


def gelu(x):
    """Return x Phi(x), Phi the standard normal distribution function (Hendrycks & Gimpel, 2016)."""
    return x * (0.5 * (1.0 + erf(x * 0.5**0.5)))


# -- along one axis ---------------------------------------------------------------------------------------------


def _along_axis(rng, side):
    shape = random_shape(rng, side, dims=int(rng.integers(1, 4)), least=1)
    return (REAL.draw(rng, shape),), {"axis": int(rng.integers(-len(shape), len(shape)))}


def _written_by(kernel):
    return Kernel(kernel, lambda axis: (axis,))


def _shifted(x, axis):
    return x - np.max(x, axis=axis, keepdims=True)


@primitive(
    vjp=(lambda g, y, x, axis: y * (g - sum(g * y, axis=axis, keepdims=True)),),
    domain=Domain(_along_axis),
    lowering=_written_by(along.softmax_into),
    name="softmax",
)
def _softmax(x, *, axis):
    e = np.exp(_shifted(x, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


def softmax(x, axis=-1):
    """Return e^x / sum e^x along `axis`.  The pullback is y (g - sum(g y)).

    Numerics: the largest element is subtracted first, which changes nothing but the overflow.
    """
    return _softmax(x, axis=axis)


@primitive(
    vjp=(lambda g, y, x, axis: g - exp(y) * sum(g, axis=axis, keepdims=True),),
    domain=Domain(_along_axis),
    lowering=_written_by(along.log_softmax_into),
    name="log_softmax",
)
def _log_softmax(x, *, axis):
    x = _shifted(x, axis)
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


def log_softmax(x, axis=-1):
    """Return x - log sum e^x along `axis`.  The pullback is g - softmax(x) sum(g)."""
    return _log_softmax(x, axis=axis)


@primitive(
    vjp=(lambda g, y, x, axis: exp(x - y) * g,),
    domain=Domain(_along_axis),
    lowering=_written_by(along.logsumexp_into),
    name="logsumexp",
)
def _logsumexp_keeping_axis(x, *, axis):
    largest = np.max(x, axis=axis, keepdims=True)
    return largest + np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True))


def logsumexp(x, axis=-1, keepdims=False):
    """Return log sum e^x along `axis`, an int.  d/dx = softmax(x)."""
    y = _logsumexp_keeping_axis(x, axis=axis)
    return y if keepdims else sum(y, axis=axis)
