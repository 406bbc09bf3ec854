"""Recurrent layers over a whole sequence: the plain RNN, the LSTM and the GRU, each forward and back through time.

Read the references first: `rnn_reference`, `lstm_reference` and `gru_reference` are the textbook's equations, one time
step after the other. The operations `rnn`, `lstm` and `gru` compute the same in one kernel, and keep the gates.

The derivatives are derived by hand in `minigan.ops.recurrent_backward`, as far as one time step goes: there da, the
cotangent of all pre-activations W_ih x_t + W_hh h_{t-1} + b, is computed. What is left is linear algebra over all time
steps at once, as in a dense layer with T N rows, and stands here, in the rules (half precision and integers are
promoted, to float32 at least):

    dx_t = W_ih^T da_t        dW_ih = sum_t da_t x_t^T        dW_hh = sum_t da_t h_{t-1}^T        db = sum_t da_t
"""

import numpy as np

from minigan.domains import Domain
from minigan.engine import Tensor, as_tensor, constant, primitive
from minigan.errors import ConfigError, ShapeError
from minigan.kernels import recurrent as kernels
from minigan.kernels.recurrent import on_host
from minigan.lowerings import Kernel
from minigan.ops.activations import relu, sigmoid
from minigan.ops.linear import matmul
from minigan.ops.recurrent_backward import (
    NONLINEARITIES,
    derivative_of,
    draw,
    gru_backward,
    is_relu,
    lstm_backward,
    one_dtype,
    one_of_each,
    rnn_backward,
    sizes,
)
from minigan.ops.reductions import sum
from minigan.ops.shape import concatenate, reshape, split, stack
from minigan.ops.smooth import tanh

# -- what all three share ---------------------------------------------------------------------------------------------


def weight_gradients_reference(da, db, x, h, h0):
    """Return what `weight_gradients` computes, from small operations."""
    before = concatenate([reshape(h0, (1, *h0.shape)), h[:-1]])
    return _outer_sum(da, x), _outer_sum(db, before), sum(da, axis=(0, 1)), sum(db, axis=(0, 1))


def _outer_sum(da, x):
    """Return sum_t da_t x_t^T: (T, N, G), (T, N, C) -> (G, C)."""
    return matmul(reshape(da, (-1, da.shape[-1])).T, reshape(x, (-1, x.shape[-1])))


def _weight_gradients_domain(rng, side):
    T, N, C, H = sizes(rng, side)
    return draw(rng, (T, N, 2 * H), (T, N, 2 * H), (T, N, C), (T, N, H), (N, H)), {}


@primitive(
    shared=derivative_of(weight_gradients_reference),
    vjp=one_of_each(5),
    reference=weight_gradients_reference,
    domain=Domain(_weight_gradients_domain),
    lowering=Kernel(kernels.weight_gradients, takes=one_dtype),
)
def weight_gradients(da, db, x, h, h0):
    """Return (dW_ih, dW_hh, db_ih, db_hh), sums over all time steps, since all share the weights.

    da and db are the cotangents of W_ih x_t + b_ih and of W_hh h_{t-1} + b_hh, (T, N, G) for G rows of weights; where
    both are the same, da is given twice. (T, N, C), (T, N, H), (N, H) -> (G, C), (G, H), (G,), (G,).
    """
    G, C, H = da.shape[2], x.shape[2], h.shape[2]
    return on_host(kernels.weight_gradients, [(G, C), (G, H), (G,), (G,)], [da, db, x, h, h0])


def _wanted(w_ih, x):
    """Return W_ih, without columns where nobody wants the gradient of x: then dx has none either."""
    return w_ih if x.requires_grad else constant(Tensor(np.empty((len(w_ih), 0), w_ih.dtype)), 0)


class _Cotangents:
    """What all rules of a layer begin with: the cotangents of x and of the initial states, and da and db."""

    def __init__(self, da, db, dx, states, x, h, h0):
        self.of_x, self.states = dx, states
        self._gradients, self._given = None, (da, db, x, h, h0)

    def of_weight(self, i):
        """Return one of dW_ih, dW_hh, db_ih, db_hh; they are computed when a rule asks for the first."""
        if self._gradients is None:
            self._gradients = weight_gradients(*self._given)
        return self._gradients[i]


# -- RNN --------------------------------------------------------------------------------------------------------------


def rnn_reference(x, h0, w_ih, w_hh, b_ih, b_hh, *, nonlinearity="tanh"):
    """Return h: what `rnn` computes, from small operations."""
    h, b, states = h0, b_ih + b_hh, []
    for t in range(len(x)):
        a = matmul(x[t], w_ih.T) + matmul(h, w_hh.T) + b
        h = tanh(a) if nonlinearity == "tanh" else relu(a)
        states.append(h)
    return stack(states)


def _rnn_domain(rng, side):
    T, N, C, H = sizes(rng, side)
    nonlinearity = NONLINEARITIES[rng.integers(2)]
    x, h0, w_ih, w_hh, b_ih, b_hh = draw(rng, (T, N, C), (N, H), (H, C), (H, H), (H,), (H,))
    if nonlinearity == "relu":  # |b| keeps all pre-activations away from the kink: |h| < 2.5, so |a - b| < 0.8
        w_ih, w_hh = w_ih * (0.1 / C), w_hh * (0.08 / H)
        b_hh = np.where(b_ih < 0, -1.0, 1.0) * (1 + np.abs(b_hh) / 4) - b_ih
    return (x, h0, w_ih, w_hh, b_ih, b_hh), {"nonlinearity": nonlinearity}


def _rnn_cotangents(g, h, x, h0, w_ih, w_hh, b_ih, b_hh, **params):
    da, dx, *states = rnn_backward(g, h, _wanted(w_ih, x), w_hh, **params)
    return _Cotangents(da, da, dx, states, x, h, h0)


@primitive(
    shared=_rnn_cotangents,
    vjp=(
        lambda g, *_, **__: g.of_x,
        lambda g, *_, **__: g.states[0],
        lambda g, *_, **__: g.of_weight(0),
        lambda g, *_, **__: g.of_weight(1),
        lambda g, *_, **__: g.of_weight(2),
        lambda g, *_, **__: g.of_weight(3),
    ),
    reference=rnn_reference,
    domain=Domain(_rnn_domain),
    name="rnn",
    lowering=Kernel(kernels.rnn_forward, is_relu, one_dtype),
)
def _rnn(x, h0, *weights, nonlinearity):
    (h,) = on_host(kernels.rnn_forward, [(len(x), *h0.shape)], [x, h0, *weights], nonlinearity == "relu")
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
    tensors = _checked("rnn", 1, x, (h0,), weight_ih, weight_hh, bias_ih, bias_hh)
    if nonlinearity not in NONLINEARITIES:
        raise ConfigError(f"rnn: unknown nonlinearity {nonlinearity!r}; known are {' and '.join(NONLINEARITIES)}")
    return _rnn(*tensors, nonlinearity=nonlinearity)


# -- LSTM -------------------------------------------------------------------------------------------------------------


def lstm_reference(x, h0, c0, w_ih, w_hh, b_ih, b_hh):
    """Return (h, c, gates): what `lstm` computes, from small operations."""
    h, c, b, steps = h0, c0, b_ih + b_hh, []
    for t in range(len(x)):
        a_i, a_f, a_g, a_o = split(matmul(x[t], w_ih.T) + matmul(h, w_hh.T) + b, 4, axis=-1)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
        c = f * c + i * g
        h = o * tanh(c)
        steps.append((h, c, concatenate([i, f, g, o], axis=-1)))
    return tuple(stack(one) for one in zip(*steps, strict=True))


def _lstm_domain(rng, side):
    T, N, C, H = sizes(rng, side)
    return draw(rng, (T, N, C), (N, H), (N, H), (4 * H, C), (4 * H, H), (4 * H,), (4 * H,)), {}


def _lstm_cotangents(g, out, x, h0, c0, w_ih, w_hh, *_):
    h, c, gates = out
    da, dx, *states = lstm_backward(*g, gates, c, c0, _wanted(w_ih, x), w_hh)
    return _Cotangents(da, da, dx, states, x, h, h0)


@primitive(
    shared=_lstm_cotangents,
    vjp=(
        lambda g, *_: g.of_x,
        lambda g, *_: g.states[0],
        lambda g, *_: g.states[1],
        lambda g, *_: g.of_weight(0),
        lambda g, *_: g.of_weight(1),
        lambda g, *_: g.of_weight(2),
        lambda g, *_: g.of_weight(3),
    ),
    reference=lstm_reference,
    domain=Domain(_lstm_domain),
    name="lstm",
    lowering=Kernel(kernels.lstm_forward, takes=one_dtype),
)
def _lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh):
    sequence, gates = (len(x), *h0.shape), (*x.shape[:2], len(w_ih))
    return on_host(kernels.lstm_forward, [sequence, sequence, gates], [x, h0, c0, w_ih, w_hh, b_ih, b_hh])


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
    return _lstm(*_checked("lstm", 4, x, (h0, c0), weight_ih, weight_hh, bias_ih, bias_hh))


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


def _gru_cotangents(g, out, x, h0, w_ih, w_hh, b_ih, b_hh):
    h, gates = out
    da, db, dx, *states = gru_backward(*g, gates, h, h0, _wanted(w_ih, x), w_hh)
    return _Cotangents(da, db, dx, states, x, h, h0)


@primitive(
    shared=_gru_cotangents,
    vjp=(
        lambda g, *_: g.of_x,
        lambda g, *_: g.states[0],
        lambda g, *_: g.of_weight(0),
        lambda g, *_: g.of_weight(1),
        lambda g, *_: g.of_weight(2),
        lambda g, *_: g.of_weight(3),
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
    shapes = [tensor.shape for tensor in tensors]
    if shapes != expected:
        words = ["x", *("h0", "c0")[: len(states)], "weight_ih", "weight_hh", *("bias_ih", "bias_hh")[: len(biases)]]
        word, wrong, right = next(t for t in zip(words, shapes, expected, strict=True) if t[1] != t[2])
        raise ShapeError(f"{name}: {word} has shape {wrong}, expected {right}: x has N={N} and C={C}, weight_hh H={H}")
    return tensors
