r"""Backward through time: the derivatives of the plain RNN, the LSTM and the GRU, by hand.

Unrolled over T steps, a recurrent layer is a deep network whose layers share one set of weights (Werbos, 1990). So the
chain rule runs from the last step to the first, and carries along dh_t, the derivative of the final scalar with respect
to h_t. It has two parts: what comes from outside, the cotangent gh_t of the layer's output at t, and what comes from
step t+1, where h_t was used. Each step turns dh_t into da_t, the derivative with respect to the *pre-activations*
a_t = W_ih x_t + W_hh h_{t-1} + b, with b = b_ih + b_hh. Once all da_t are known, the rest is linear algebra over all
time steps at once, as in a dense layer with T N rows:

    dx_t = W_ih^T da_t        dW_ih = sum_t da_t x_t^T        dW_hh = sum_t da_t h_{t-1}^T        db = sum_t da_t

So the backward kernels return da and, while it is near, dx, but no gradient of a weight. Here is how, for one step; all
products are elementwise, and sigma' = s (1 - s) and tanh' = 1 - s^2 are read off the saved results s.

*RNN*, h_t = tanh(a_t), with dh for gh_t plus what comes from step t+1:

    da_t = dh (1 - h_t^2)                                dh_{t-1} = W_hh^T da_t

*LSTM*, (i, f, o) = sigma(a_i, a_f, a_o), g = tanh(a_g), c_t = f c_{t-1} + i g, h_t = o tanh(c_t). With dc for
the cell's cotangent plus what comes from step t+1:

    dc += dh o (1 - tanh(c_t)^2)                         since c_t acts through h_t as well
    da_i = dc g i (1 - i)                                da_f = dc c_{t-1} f (1 - f)
    da_g = dc i (1 - g^2)                                da_o = dh tanh(c_t) o (1 - o)
    dc_{t-1} = dc f                                      dh_{t-1} = W_hh^T da_t

The line dc_{t-1} = dc f is the point of the LSTM: along the cell, the derivative is multiplied by f, which can stay
near 1, and by no weight matrix. *GRU*, r = sigma(a_r), z = sigma(a_z), m = W_hn h_{t-1} + b_hn,
n = tanh(W_in x_t + b_in + r m), h_t = (1 - z) n + z h_{t-1}:

    da_z = dh (h_{t-1} - n) z (1 - z)                    da_n = dh (1 - z) (1 - n^2)
    dm = da_n r                                          da_r = da_n m r (1 - r)
    dh_{t-1} = dh z + W_hh^T (da_r, da_z, dm)            dx_t = W_ih^T (da_r, da_z, da_n)

The saved gates are results of these operations like h: their cotangents (zero, unless somebody uses the gates) add to
those above, before the factors sigma' and tanh'. So a backward kernel is an honest function of all that it is given,
and a second derivative goes the usual way: through the backward pass, then through the gates to the layer's inputs.
(`docs/decisions/0009-derivatives-of-recurrent-layers.md` says why.)
"""

import functools

from minigan.domains import Domain, Interval
from minigan.engine import primitive
from minigan.kernels import recurrent as kernels
from minigan.kernels.recurrent import on_host, or_nothing
from minigan.lowerings import Kernel
from minigan.ops.activations import gate
from minigan.ops.linear import matmul
from minigan.ops.shape import concatenate, split, stack
from minigan.ops.smooth import tanh
from minigan.transforms import vjp

NONLINEARITIES = ("tanh", "relu")
SMALL, GATE = Interval(-2, 2), Interval(0, 1)


def derivative_of(reference):
    """Return what all rules of a backward pass begin with: the cotangents of all its arguments.

    They come from its reference, which is built from small operations, and differentiable to any order.
    """

    def shared(g, out, *inputs, **params):
        return vjp(functools.partial(reference, **params), *inputs)[1](g)

    return shared


def one_of_each(n):
    """Return rules that pick from what `shared` computed for all arguments."""
    return tuple(lambda g, *_, i=i, **__: g[i] for i in range(n))


def is_relu(*, nonlinearity):
    """Return what the compiled kernels are told of the parameters of `rnn`."""
    return (nonlinearity == "relu",)


def one_dtype(*inputs):
    """Return whether a kernel can take these as they are: only the eager implementation promotes."""
    return len({a.dtype for a in inputs}) == 1


def sizes(rng, side, least=1):
    """Draw (T, N, C, H): short sequences, sometimes an empty batch; `least` features."""
    T, N, H = (int(n) for n in rng.integers(1, min(side, 3) + 1, 3))
    return T, (0 if rng.random() < 0.05 else N), int(rng.integers(least, min(side, 3) + 1)), H


def draw(rng, *shapes, interval=SMALL):
    """Draw one array for each shape."""
    return tuple(interval.draw(rng, shape) for shape in shapes)


# -- RNN --------------------------------------------------------------------------------------------------------------


def rnn_backward_reference(gh, h, w_ih, w_hh, *, nonlinearity="tanh"):
    """Return (da, dx, dh0): backward through time, from small operations."""
    dh, da = h[0] * 0.0, []
    for t in reversed(range(len(h))):
        dh = gh[t] + dh
        da_t = dh * (1.0 - h[t] * h[t]) if nonlinearity == "tanh" else gate(dh, h[t], slope=0.0)
        dh = matmul(da_t, w_hh)
        da.append(da_t)
    da = stack(da[::-1])
    return da, matmul(da, w_ih), dh


def _rnn_backward_domain(rng, side):
    T, N, C, H = sizes(rng, side, least=0)
    nonlinearity = NONLINEARITIES[rng.integers(2)]
    (h,) = draw(rng, (T, N, H), interval=Interval(-1, 1, kinks=(0.0,) if nonlinearity == "relu" else ()))
    gh, w_ih, w_hh = draw(rng, (T, N, H), (H, C), (H, H))
    return (gh, h, w_ih, w_hh), {"nonlinearity": nonlinearity}


@primitive(
    shared=derivative_of(rnn_backward_reference),
    vjp=one_of_each(4),
    reference=rnn_backward_reference,
    domain=Domain(_rnn_backward_domain),
    lowering=Kernel(kernels.rnn_backward, is_relu, one_dtype),
)
def rnn_backward(gh, h, w_ih, w_hh, *, nonlinearity="tanh"):
    """Return (da, dx, dh0), given the cotangent gh of all states h: the backward pass of `rnn` up to its weights."""
    shapes = [h.shape, (*h.shape[:2], w_ih.shape[1]), h.shape[1:]]
    return on_host(kernels.rnn_backward, shapes, [gh, h, w_ih, w_hh], nonlinearity == "relu")


# -- LSTM -------------------------------------------------------------------------------------------------------------


def lstm_backward_reference(gh, gc, gg, gates, c, c0, w_ih, w_hh):
    """Return (da, dx, dh0, dc0): backward through time, from small operations."""
    dh, dc, da = c0 * 0.0, c0 * 0.0, []
    for t in reversed(range(len(c))):
        i, f, g, o = split(gates[t], 4, axis=-1)
        g_i, g_f, g_g, g_o = split(gg[t], 4, axis=-1)
        tanh_c, before = tanh(c[t]), c[t - 1] if t else c0
        dh = gh[t] + dh
        dc = gc[t] + dc + dh * o * (1.0 - tanh_c * tanh_c)
        da_i = (g_i + dc * g) * i * (1.0 - i)
        da_f = (g_f + dc * before) * f * (1.0 - f)
        da_g = (g_g + dc * i) * (1.0 - g * g)
        da_o = (g_o + dh * tanh_c) * o * (1.0 - o)
        da_t = concatenate([da_i, da_f, da_g, da_o], axis=-1)
        dh, dc = matmul(da_t, w_hh), dc * f
        da.append(da_t)
    da = stack(da[::-1])
    return da, matmul(da, w_ih), dh, dc


def _lstm_backward_domain(rng, side):
    T, N, C, H = sizes(rng, side, least=0)
    (gates,) = draw(rng, (T, N, 4 * H), interval=GATE)
    gh, gc, gg, c, c0 = draw(rng, (T, N, H), (T, N, H), (T, N, 4 * H), (T, N, H), (N, H))
    return (gh, gc, gg, gates, c, c0, *draw(rng, (4 * H, C), (4 * H, H))), {}


@primitive(
    shared=derivative_of(lstm_backward_reference),
    vjp=one_of_each(8),
    reference=lstm_backward_reference,
    domain=Domain(_lstm_backward_domain),
    lowering=Kernel(kernels.lstm_backward, takes=one_dtype, optional=(1, 2)),
)
def lstm_backward(gh, gc, gg, gates, c, c0, w_ih, w_hh):
    """Return (da, dx, dh0, dc0), given cotangents of h, c and the gates: the backward pass of `lstm`, save its weights.

    W_ih may have no columns, and then dx has none: so a layer whose input wants no gradient saves the work.
    """
    shapes = [gates.shape, (*gates.shape[:2], w_ih.shape[1]), c0.shape, c0.shape]
    inputs = [gh, or_nothing(gc), or_nothing(gg), gates, c, c0, w_ih, w_hh]
    return on_host(kernels.lstm_backward, shapes, inputs)


# -- GRU --------------------------------------------------------------------------------------------------------------


def gru_backward_reference(gh, gg, gates, h, h0, w_ih, w_hh):
    """Return (da, db, dx, dh0): backward through time, from small operations."""
    dh, da, db = h0 * 0.0, [], []
    for t in reversed(range(len(h))):
        r, z, n, m = split(gates[t], 4, axis=-1)
        g_r, g_z, g_n, g_m = split(gg[t], 4, axis=-1)
        dh = gh[t] + dh
        da_z = (g_z + dh * ((h[t - 1] if t else h0) - n)) * z * (1.0 - z)
        da_n = (g_n + dh * (1.0 - z)) * (1.0 - n * n)
        dm = g_m + da_n * r
        da_r = (g_r + da_n * m) * r * (1.0 - r)
        da.append(concatenate([da_r, da_z, da_n], axis=-1))
        db.append(concatenate([da_r, da_z, dm], axis=-1))
        dh = dh * z + matmul(db[-1], w_hh)
    da, db = stack(da[::-1]), stack(db[::-1])
    return da, db, matmul(da, w_ih), dh


def _gru_backward_domain(rng, side):
    T, N, C, H = sizes(rng, side, least=0)
    (gates,) = draw(rng, (T, N, 4 * H), interval=GATE)
    gh, gg, h, h0 = draw(rng, (T, N, H), (T, N, 4 * H), (T, N, H), (N, H))
    return (gh, gg, gates, h, h0, *draw(rng, (3 * H, C), (3 * H, H))), {}


@primitive(
    shared=derivative_of(gru_backward_reference),
    vjp=one_of_each(7),
    reference=gru_backward_reference,
    domain=Domain(_gru_backward_domain),
    lowering=Kernel(kernels.gru_backward, takes=one_dtype, optional=(1,)),
)
def gru_backward(gh, gg, gates, h, h0, w_ih, w_hh):
    """Return (da, db, dx, dh0), given cotangents of h and the gates: the backward pass of `gru`, save its weights.

    da and db are the cotangents of W_ih x_t + b_ih and of W_hh h_{t-1} + b_hh: they differ in their last third, since
    r stands between m and n.
    """
    da, dx = (*h.shape[:2], len(w_hh)), (*h.shape[:2], w_ih.shape[1])
    return on_host(kernels.gru_backward, [da, da, dx, h0.shape], [gh, or_nothing(gg), gates, h, h0, w_ih, w_hh])
