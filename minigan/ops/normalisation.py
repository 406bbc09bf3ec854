"""Batch normalisation in one operation: a layer of its size is all passes over memory, and small ones take many."""

import functools

from minigan.domains import REAL, Domain, Interval
from minigan.engine import as_tensor, primitive
from minigan.errors import ShapeError
from minigan.kernels import normalisation as kernels
from minigan.lowerings import Kernel
from minigan.ops.reductions import mean, sum
from minigan.ops.shape import reshape
from minigan.ops.smooth import sqrt
from minigan.transforms import vjp

_PLACES = (0, 2)  # of (N, C, L), what is averaged over


def _column(a):
    return reshape(a, (-1, 1))


def batch_norm_reference(x, w, b, *, eps):
    """Return (y, mean, var) from small operations: what `batch_norm` computes in one go."""
    centre = mean(x, axis=_PLACES)
    deviation = x - _column(centre)
    var = mean(deviation * deviation, axis=_PLACES)
    return deviation * _column(w / sqrt(var + eps)) + _column(b), centre, var


def batch_norm_backward_reference(g, g_mean, g_var, x, w, *, eps):
    """Return (dx, dw, db) from small operations, as `kernels.normalisation.batch_norm_backward` has them."""
    m = x.shape[0] * x.shape[2]
    deviation = x - mean(x, axis=_PLACES, keepdims=True)
    r = 1.0 / sqrt(mean(deviation * deviation, axis=_PLACES) + eps)
    n = deviation * _column(r)
    dw, db = sum(g * n, axis=_PLACES), sum(g, axis=_PLACES)
    dx = _column(w * r) * (g - _column(db / m) - n * _column(dw / m))
    return dx + _column(g_mean / m) + deviation * _column(2.0 * g_var / m), dw, db


def _draw(rng, side):
    """Draw x (N, C, L), w, b with three places or more: of two, normalised to -1 and 1, no gradient is left."""
    n, c, length = (int(k) for k in rng.integers(1, side + 1, 3))
    length = length if n * length > 2 else 3
    return REAL.draw(rng, (n, c, length)), *(Interval(-2, 2).draw(rng, (c,)) for _ in range(2))


def _backward_draw(rng, side):
    x, w, _ = _draw(rng, side)
    cotangents = (Interval(-2, 2).draw(rng, shape) for shape in (x.shape, w.shape, w.shape))
    return (*cotangents, x, w), {"eps": 0.1}


def _written_by(kernel):
    """Return the lowering: the function that fills given memory, for arrays of one dtype."""
    return Kernel(kernel, lambda eps: (eps,), takes=lambda *inputs: len({a.dtype for a in inputs}) == 1)


def _through_reference(h, out, *inputs, **params):
    return vjp(functools.partial(batch_norm_backward_reference, **params), *inputs)[1](h)


@primitive(
    shared=_through_reference,
    vjp=tuple((lambda h, out, *inputs, i=i, **params: h[i]) for i in range(5)),
    reference=batch_norm_backward_reference,
    domain=Domain(_backward_draw),
    lowering=_written_by(kernels.batch_norm_backward_into),
    name="batch_norm_backward",
)
def _batch_norm_backward(g, g_mean, g_var, x, w, *, eps):
    return kernels.batch_norm_backward(g, g_mean, g_var, x, w, eps)


@primitive(
    shared=lambda g, out, x, w, b, eps: _batch_norm_backward(*g, x, w, eps=eps),
    vjp=tuple((lambda h, out, *inputs, i=i, **params: h[i]) for i in range(3)),
    reference=batch_norm_reference,
    domain=Domain(lambda rng, side: (_draw(rng, side), {"eps": 0.1})),
    lowering=_written_by(kernels.batch_norm_into),
    name="batch_norm",
)
def _batch_norm(x, w, b, *, eps):
    return kernels.batch_norm(x, w, b, eps)


def batch_norm(x, weight, bias, eps=1e-5):
    """Return x normalised per channel over the batch, and the statistics it was normalised with.

    Parameters
    ----------
    x : (N, C, ...) array
        At least one value per channel.
    weight, bias : (C,) arrays
        gamma and beta.
    eps : float
        Added to the variance.

    Returns
    -------
    y : Tensor of x's shape
        gamma (x - mean) / sqrt(var + eps) + beta (Ioffe & Szegedy, 2015, algorithm 1).
        In float32 or float64: of half precision and integers, float32 at least.
    mean, var : (C,) Tensors
        Over all axes but C; the variance has 1/m, m the number of values of a channel.

    Notes
    -----
    With n = (x - mean) r and r = 1 / sqrt(var + eps), the pullback of g is: to beta, db = sum g; to gamma,
    dw = sum g n; to x, gamma r (g - db / m - n dw / m). The last two terms are there because mean and variance depend
    on x too. The pullback is an operation of its own; its derivatives are those of its reference.

    Raises
    ------
    ShapeError
        If `weight` or `bias` is not (C,), or a channel has no value.
    """
    x, weight, bias = as_tensor(x), as_tensor(weight), as_tensor(bias)
    if x.ndim < 2 or x.size == 0 or weight.shape != x.shape[1:2] or bias.shape != x.shape[1:2]:
        raise ShapeError(
            f"batch_norm: x has shape {x.shape}, the weight {weight.shape}, the bias {bias.shape}; expected "
            "(N, C, ...) with one value or more for a channel, (C,) and (C,)"
        )
    places = x.size // (x.shape[0] * x.shape[1])
    y, centre, var = _batch_norm(reshape(x, (*x.shape[:2], places)), weight, bias, eps=float(eps))
    return reshape(y, x.shape), centre, var
