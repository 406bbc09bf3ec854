"""Recurrent layers over a whole sequence: the plain RNN, the LSTM and the GRU, each forward and back through time.

Read the references first: `rnn_reference`, `lstm_reference` and `gru_reference` are the textbook's equations, one time
step after the other. The operations `rnn`, `lstm` and `gru` compute the same in one kernel, and keep the gates.

The derivatives are derived by hand in `minigan.ops.recurrent_backward`, as far as one time step goes: there da, the
cotangent of all pre-activations W_ih x_t + W_hh h_{t-1} + b, is computed. What is left is linear algebra over all time
steps at once, as in a dense layer with T N rows, and stands here, in the rules:

    dx_t = W_ih^T da_t        dW_ih = sum_t da_t x_t^T        dW_hh = sum_t da_t h_{t-1}^T        db = sum_t da_t
"""

import numpy as np

from minigan.domains import Domain
from minigan.engine import as_tensor, primitive
from minigan.errors import ConfigError, ShapeError
from minigan.kernels import recurrent as kernels
from minigan.kernels.recurrent import on_host
from minigan.lowerings import Kernel
from minigan.ops.activations import relu, sigmoid
from minigan.ops.linear import matmul
from minigan.ops.recurrent_backward import (
    NONLINEARITIES,
    draw,
    gru_backward,
    is_relu,
    lstm_backward,
    one_dtype,
    rnn_backward,
    sizes,
)
from minigan.ops.reductions import sum
from minigan.ops.shape import concatenate, reshape, split, stack, swapaxes
from minigan.ops.smooth import tanh

# -- what all three share ---------------------------------------------------------------------------------------------


def _through_weight(da, w):
    """Return W^T da_t for all t: (T, N, O), (O, C) -> (T, N, C)."""
    return reshape(matmul(reshape(da, (-1, da.shape[-1])), w), (*da.shape[:-1], w.shape[-1]))


def _outer_sum_domain(rng, side):
    T, N, C, H = sizes(rng, side)
    return draw(rng, (T, N, H), (T, N, C)), {}


@primitive(
    vjp=(
        lambda g, out, da, x: _through_weight(x, swapaxes(g, 0, 1)),
        lambda g, out, da, x: _through_weight(da, g),
    ),
    domain=Domain(_outer_sum_domain),
    lowering=Kernel(kernels.outer_sum, takes=one_dtype),
)
def outer_sum(da, x):
    """Return sum_t da_t x_t^T, the derivative of a weight that all time steps share: (T, N, O), (T, N, C) -> (O, C)."""
    (out,) = on_host(kernels.outer_sum, [(da.shape[2], x.shape[2])], [da, x])
    return out


def _for_bias(da):
    return sum(da, axis=(0, 1))


def _before(h, h0):
    """Return the states that each step starts from: h_0 ... h_{T-1}, given h_1 ... h_T."""
    return concatenate([reshape(h0, (1, *h0.shape)), h[:-1]])


# -- RNN --------------------------------------------------------------------------------------------------------------


def rnn_reference(x, h0, w_ih, w_hh, b, *, nonlinearity="tanh"):
    """Return h: what `rnn` computes, from small operations."""
    h, states = h0, []
    for t in range(len(x)):
        a = matmul(x[t], w_ih.T) + matmul(h, w_hh.T) + b
        h = tanh(a) if nonlinearity == "tanh" else relu(a)
        states.append(h)
    return stack(states)


def _rnn_domain(rng, side):
    T, N, C, H = sizes(rng, side)
    nonlinearity = NONLINEARITIES[rng.integers(2)]
    x, h0, w_ih, w_hh, b = draw(rng, (T, N, C), (N, H), (H, C), (H, H), (H,))
    if nonlinearity == "relu":  # |b| keeps all pre-activations away from the kink: |h| < 2.5, so |a - b| < 0.8
        w_ih, w_hh = w_ih * (0.1 / C), w_hh * (0.08 / H)
        b = np.where(b < 0, -1.0, 1.0) * (1 + np.abs(b) / 4)
    return (x, h0, w_ih, w_hh, b), {"nonlinearity": nonlinearity}


@primitive(
    shared=lambda g, h, x, h0, w_ih, w_hh, b, **params: rnn_backward(g, h, w_hh, **params),
    vjp=(
        lambda g, h, x, h0, w_ih, w_hh, b, **_: _through_weight(g[0], w_ih),
        lambda g, h, x, h0, w_ih, w_hh, b, **_: g[1],
        lambda g, h, x, h0, w_ih, w_hh, b, **_: outer_sum(g[0], x),
        lambda g, h, x, h0, w_ih, w_hh, b, **_: outer_sum(g[0], _before(h, h0)),
        lambda g, h, x, h0, w_ih, w_hh, b, **_: _for_bias(g[0]),
    ),
    reference=rnn_reference,
    domain=Domain(_rnn_domain),
    name="rnn",
    lowering=Kernel(kernels.rnn_forward, is_relu, one_dtype),
)
def _rnn(x, h0, w_ih, w_hh, b, *, nonlinearity):
    (h,) = on_host(kernels.rnn_forward, [(len(x), *h0.shape)], [x, h0, w_ih, w_hh, b], nonlinearity == "relu")
    return h


def rnn(x, h0, weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity="tanh"):
    """Return the states of a plain recurrent layer at all time steps.

    Parameters
    ----------
    x : (T, N, C) array
    h0 : (N, H) array
        Initial state.
    weight_ih : (H, C) array
    weight_hh : (H, H) array
    bias_ih, bias_hh : (H,) array
    nonlinearity : {"tanh", "relu"}

    Returns
    -------
    h : (T, N, H) Tensor

    Notes
    -----
    h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) (Elman, 1990). The derivative stands at the top of
    `minigan.ops.recurrent_backward`. Numerics: in float32, tanh is a rational function, to 3e-7.

    Raises
    ------
    ShapeError
        If a shape does not fit the others, or T is 0.
    ConfigError
        If `nonlinearity` is unknown.
    """
    x, h0, w_ih, w_hh, b_ih, b_hh = _checked("rnn", 1, x, (h0,), weight_ih, weight_hh, bias_ih, bias_hh)
    if nonlinearity not in NONLINEARITIES:
        raise ConfigError(f"rnn: unknown nonlinearity {nonlinearity!r}; known are {' and '.join(NONLINEARITIES)}")
    return _rnn(x, h0, w_ih, w_hh, b_ih + b_hh, nonlinearity=nonlinearity)


# -- LSTM -------------------------------------------------------------------------------------------------------------


def lstm_reference(x, h0, c0, w_ih, w_hh, b):
    """Return (h, c, gates): what `lstm` computes, from small operations."""
    h, c, steps = h0, c0, []
    for t in range(len(x)):
        a_i, a_f, a_g, a_o = split(matmul(x[t], w_ih.T) + matmul(h, w_hh.T) + b, 4, axis=-1)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
        c = f * c + i * g
        h = o * tanh(c)
        steps.append((h, c, concatenate([i, f, g, o], axis=-1)))
    return tuple(stack(one) for one in zip(*steps, strict=True))


def _lstm_domain(rng, side):
    T, N, C, H = sizes(rng, side)
    return draw(rng, (T, N, C), (N, H), (N, H), (4 * H, C), (4 * H, H), (4 * H,)), {}


@primitive(
    shared=lambda g, out, x, h0, c0, w_ih, w_hh, b: lstm_backward(*g, out[2], out[1], c0, w_hh),
    vjp=(
        lambda g, out, x, h0, c0, w_ih, w_hh, b: _through_weight(g[0], w_ih),
        lambda g, out, x, h0, c0, w_ih, w_hh, b: g[1],
        lambda g, out, x, h0, c0, w_ih, w_hh, b: g[2],
        lambda g, out, x, h0, c0, w_ih, w_hh, b: outer_sum(g[0], x),
        lambda g, out, x, h0, c0, w_ih, w_hh, b: outer_sum(g[0], _before(out[0], h0)),
        lambda g, out, x, h0, c0, w_ih, w_hh, b: _for_bias(g[0]),
    ),
    reference=lstm_reference,
    domain=Domain(_lstm_domain),
    name="lstm",
    lowering=Kernel(kernels.lstm_forward, takes=one_dtype),
)
def _lstm(x, h0, c0, w_ih, w_hh, b):
    sequence = (len(x), *h0.shape)
    return on_host(kernels.lstm_forward, [sequence, sequence, (*x.shape[:2], len(b))], [x, h0, c0, w_ih, w_hh, b])


def lstm(x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh):
    """Return the hidden states, cell states and gates of an LSTM layer at all time steps.

    Parameters
    ----------
    x : (T, N, C) array
    h0, c0 : (N, H) array
        Initial hidden and cell state.
    weight_ih : (4H, C) array
        The rows of the gates i, f, g, o, one after the other; so in all of the following.
    weight_hh : (4H, H) array
    bias_ih, bias_hh : (4H,) array

    Returns
    -------
    h, c : (T, N, H) Tensor
    gates : (T, N, 4H) Tensor
        i, f and o in (0, 1), g in (-1, 1).

    Notes
    -----
    (i, f, o) = sigma(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), g = tanh of its own rows of the same,
    c_t = f c_{t-1} + i g, h_t = o tanh(c_t) (Hochreiter & Schmidhuber, 1997; the forget gate f: Gers et al., 2000).
    The derivative stands in `minigan.ops.recurrent_backward`. Numerics: in float32, tanh and sigma are rational
    functions, to 3e-7.

    Raises
    ------
    ShapeError
        If a shape does not fit the others, or T is 0.
    """
    x, h0, c0, w_ih, w_hh, b_ih, b_hh = _checked("lstm", 4, x, (h0, c0), weight_ih, weight_hh, bias_ih, bias_hh)
    return _lstm(x, h0, c0, w_ih, w_hh, b_ih + b_hh)


# -- GRU --------------------------------------------------------------------------------------------------------------


def gru_reference(x, h0, w_ih, w_hh, b_ih, b_hh):
    """Return (h, gates): what `gru` computes, from small operations."""
    h, steps = h0, []
    for t in range(len(x)):
        x_r, x_z, x_n = split(matmul(x[t], w_ih.T) + b_ih, 3, axis=-1)
        h_r, h_z, m = split(matmul(h, w_hh.T) + b_hh, 3, axis=-1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = tanh(x_n + r * m)
        h = (1.0 - z) * n + z * h
        steps.append((h, concatenate([r, z, n, m], axis=-1)))
    return tuple(stack(one) for one in zip(*steps, strict=True))


def _gru_domain(rng, side):
    T, N, C, H = sizes(rng, side)
    return draw(rng, (T, N, C), (N, H), (3 * H, C), (3 * H, H), (3 * H,), (3 * H,)), {}


@primitive(
    shared=lambda g, out, x, h0, w_ih, w_hh, b_ih, b_hh: gru_backward(*g, out[1], out[0], h0, w_hh),
    vjp=(
        lambda g, out, x, h0, w_ih, w_hh, b_ih, b_hh: _through_weight(g[0], w_ih),
        lambda g, out, x, h0, w_ih, w_hh, b_ih, b_hh: g[2],
        lambda g, out, x, h0, w_ih, w_hh, b_ih, b_hh: outer_sum(g[0], x),
        lambda g, out, x, h0, w_ih, w_hh, b_ih, b_hh: outer_sum(g[1], _before(out[0], h0)),
        lambda g, out, x, h0, w_ih, w_hh, b_ih, b_hh: _for_bias(g[0]),
        lambda g, out, x, h0, w_ih, w_hh, b_ih, b_hh: _for_bias(g[1]),
    ),
    reference=gru_reference,
    domain=Domain(_gru_domain),
    name="gru",
    lowering=Kernel(kernels.gru_forward, takes=one_dtype),
)
def _gru(x, h0, w_ih, w_hh, b_ih, b_hh):
    (T, N, _), H = x.shape, h0.shape[1]
    return on_host(kernels.gru_forward, [(T, N, H), (T, N, 4 * H)], [x, h0, w_ih, w_hh, b_ih, b_hh])


def gru(x, h0, weight_ih, weight_hh, bias_ih, bias_hh):
    """Return the states and gates of a GRU layer at all time steps.

    Parameters
    ----------
    x : (T, N, C) array
    h0 : (N, H) array
        Initial state.
    weight_ih : (3H, C) array
        The rows of r, z, n, one after the other; so in all of the following.
    weight_hh : (3H, H) array
    bias_ih, bias_hh : (3H,) array

    Returns
    -------
    h : (T, N, H) Tensor
    gates : (T, N, 4H) Tensor
        r and z in (0, 1), the candidate n in (-1, 1), and m = W_hn h_{t-1} + b_hn.

    Notes
    -----
    r = sigma(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr), z likewise, n = tanh(W_in x_t + b_in + r m),
    h_t = (1 - z) n + z h_{t-1} (Cho et al., 2014; there r acts on h_{t-1} before the product, here behind it, and z
    has the opposite sense, as in PyTorch). The derivative stands in `minigan.ops.recurrent_backward`. Numerics: in
    float32, tanh and sigma are rational functions, to 3e-7.

    Raises
    ------
    ShapeError
        If a shape does not fit the others, or T is 0.
    """
    return _gru(*_checked("gru", 3, x, (h0,), weight_ih, weight_hh, bias_ih, bias_hh))


def _checked(name, gates, x, states, w_ih, w_hh, *biases):
    """Return all arguments as Tensors, in a row, if their shapes fit together."""
    tensors = [as_tensor(a) for a in (x, *states, w_ih, w_hh, *biases)]
    x, w_hh = tensors[0], tensors[2 + len(states)]
    if x.ndim != 3 or w_hh.ndim != 2:
        form = f"({gates}H, H)" if gates > 1 else "(H, H)"
        raise ShapeError(f"{name}: x has shape {x.shape}, weight_hh {w_hh.shape}; expected (T, N, C) and {form}")
    if len(x) == 0:
        raise ShapeError(f"{name}: x has shape {x.shape}: no time step. A sequence has at least one; its axis is first")
    (_, N, C), H = x.shape, w_hh.shape[1]
    rows = gates * H
    expected = [x.shape, *[(N, H)] * len(states), (rows, C), (rows, H), *[(rows,)] * len(biases)]
    words = ["x", *("h0", "c0")[: len(states)], "weight_ih", "weight_hh", *("bias_ih", "bias_hh")[: len(biases)]]
    for word, tensor, shape in zip(words, tensors, expected, strict=True):
        if tensor.shape != shape:
            raise ShapeError(
                f"{name}: {word} has shape {tensor.shape}, expected {shape}: x has N={N} and C={C}, weight_hh H={H}"
            )
    return tensors
