"""Recurrent layers over a whole sequence: forward, and backward through time. Plain arrays; no autodiff here.

`minigan.ops.recurrent` holds the equations and the derivation. A kernel writes its outputs, its first arguments, into
memory that is there already. What is particular here is how they run fast:

- A block of sequences at a time goes through all time steps (`_rows_of_a_block`). Its share of one step's arrays stays
  in the fastest cache, and its matrix products are small enough for BLAS to take the operands as they lie in memory.
  Blocks know nothing of each other: threads share them.
  Weights are copied into the order that products want: they read them again and again.
- Where x_t and h_{t-1} enter as W_ih x_t + W_hh h_{t-1}, that is one product, of (x_t, h_{t-1}) and both weights.
- The rest of a step is a chain of short loops over contiguous elements, each with one result or two: such loops
  vectorise. One with many results does not, since none of them may lie where another operand does, and that is more
  than the compiler is willing to check. They are `wide`: with rows of 64 units, and a division for each gate, whole
  registers pay.
- All gradients of weights are one kernel, which brings da into the order of the tiles once for all of them.

Indices are t in time, n in the batch, k in a block of it, j in the hidden units; I, F, G, O (LSTM) and R, Z, N_, M
(GRU) pick a gate.
"""

import numpy as np

from minigan.kernels.elementwise import sigmoid64, tanh32, tanh64
from minigan.kernels.host import plain
from minigan.kernels.jit import by_precision, inner, njit, wide
from minigan.kernels.products import multiply, outer_sums, prepared
from minigan.kernels.threads import share

I, F, G, O = 0, 1, 2, 3  # noqa: E741 (the gates of an LSTM, in the order in which they are saved)
R, Z, N_, M = 0, 1, 2, 3  # those of a GRU; M is no gate: W_hn h_{t-1} + b_hn


@inner
def sigmoid32(x):
    """(1 + tanh(x/2)) / 2, the same as 1 / (1 + e^-x), to 3e-7: fewer operations than with an exponential."""
    half = np.float32(0.5)
    return half + half * tanh32(half * x)


tanh = by_precision(tanh32, tanh64)
sigmoid = by_precision(sigmoid32, sigmoid64)


def on_host(kernel, shapes, inputs, *numbers):
    """Return new arrays of these shapes, filled by a kernel; inputs may have any layout, dtypes are promoted."""
    inputs = plain(*inputs)
    outputs = tuple(np.empty(shape, inputs[0].dtype) for shape in shapes)
    kernel(*outputs, *inputs, *numbers)
    return outputs


def or_nothing(g):
    """Return the cotangent g, or an array without elements where g is one zero, repeated: then nothing is added."""
    zero = g.size == 0 or (not any(g.strides) and g[0, 0, 0] == 0)
    return np.empty((0, 0, 0), g.dtype) if zero else g


# -- what all kernels share -------------------------------------------------------------------------------------------


FEWEST_ROWS = 16  # of a block
MOST = 2**20  # multiplications of a product: about where BLAS begins to rearrange its operands first


@inner
def _rows_of_a_block(N, K, L):
    """Return how many of N rows to take at once in products (rows, K) (K, L).

    Half of them, for two threads; and fewer, if that makes the products small.
    """
    half = rows = max((N + 1) // 2, min(N, FEWEST_ROWS))
    while rows >= FEWEST_ROWS and rows * K * L > MOST:
        rows = (rows + 1) // 2
    return max(rows if rows >= FEWEST_ROWS else half, 1)


@inner
def _joined(w_ih, w_hh):
    """Return W_ih^T above W_hh^T, (C + H, rows), prepared: what (x_t, h_{t-1}) is multiplied by."""
    C = w_ih.shape[1]
    w = np.empty((len(w_ih), C + w_hh.shape[1]), w_ih.dtype)
    _put(w, 0, w_ih, 0)
    _put(w, C, w_hh, 0)
    return prepared(w.T)


@inner
def _put(columns, first_column, x, first):
    """Copy rows of x, from the first one on, into some columns of a wider matrix."""
    for k in range(len(columns)):
        row, of = columns[k, first_column : first_column + x.shape[1]], x[first + k]
        for j in range(len(of)):
            row[j] = of[j]


@inner
def _through_weights(dx, dh, da, db, w_x, w_h):
    """dx_t = W_ih^T da_t, if wanted, and dh_{t-1} = W_hh^T db_t, for the rows of a block: da is still near."""
    if dx.size:
        multiply(dx, da, w_x)
    multiply(dh, db, w_h)


# -- LSTM -------------------------------------------------------------------------------------------------------------


@njit
def lstm_forward(h, c, gates, x, h0, c0, w_ih, w_hh, b_ih, b_hh):
    """Fill h, c: (T, N, H), gates: (T, N, 4H)."""
    w, b = _joined(w_ih, w_hh), b_ih + b_hh
    rows = _rows_of_a_block(len(h0), w_ih.shape[1] + w_hh.shape[1], len(w_ih))
    _lstm_forward(-(-len(h0) // rows), rows, h, c, gates, x, h0, c0, w, b)


@share
@inner
def _lstm_forward(block, rows, h, c, gates, x, h0, c0, w, b):
    wide()
    T, N, C = x.shape
    H = h0.shape[1]
    first, last = block * rows, min((block + 1) * rows, N)
    s, b = gates.reshape(T, N, 4, H), b.reshape(4, H)
    cell = c0[first:last].copy()
    xh = np.empty((last - first, C + H), h.dtype)
    product = np.empty((last - first, 4 * H), h.dtype)
    a = product.reshape(last - first, 4, H)
    _put(xh, C, h0, first)
    for t in range(T):
        _put(xh, 0, x[t], first)
        multiply(product, xh, w)
        for k in range(last - first):
            n = first + k
            for j in range(H):
                s[t, n, I, j] = sigmoid(a[k, I, j] + b[I, j])
            for j in range(H):
                s[t, n, F, j] = sigmoid(a[k, F, j] + b[F, j])
            for j in range(H):
                s[t, n, G, j] = tanh(a[k, G, j] + b[G, j])
            for j in range(H):
                s[t, n, O, j] = sigmoid(a[k, O, j] + b[O, j])
            for j in range(H):
                c_t = s[t, n, F, j] * cell[k, j] + s[t, n, I, j] * s[t, n, G, j]
                cell[k, j] = c_t
                c[t, n, j] = c_t
            for j in range(H):
                h[t, n, j] = s[t, n, O, j] * tanh(cell[k, j])
        _put(xh, C, h[t], first)


@njit
def lstm_backward(da, dx, dh, dc, gh, gc, gg, gates, c, c0, w_ih, w_hh):
    """Fill da: (T, N, 4H), all pre-activations' cotangents; dx: (T, N, C); dh, dc: (N, H), those of h0 and c0.

    gc or gg may have no elements: then nobody used the cell's or the gates' values. W_ih may have no columns: then
    nobody wants dx.
    """
    w_x, w_h, gates = prepared(w_ih), prepared(w_hh), np.ascontiguousarray(gates)
    c, c0 = np.ascontiguousarray(c), np.ascontiguousarray(c0)
    dh[:], dc[:] = 0, 0
    rows = _rows_of_a_block(len(c0), *w_hh.shape)
    _lstm_backward(-(-len(c0) // rows), rows, da, dx, dh, dc, gh, gc, gg, gates, c, c0, w_x, w_h)


@share
@inner
def _lstm_backward(block, rows, da, dx, dh, dc, gh, gc, gg, gates, c, c0, w_x, w_h):
    wide()
    T, N, H = c.shape
    first, last = block * rows, min((block + 1) * rows, N)
    one = c.dtype.type(1)
    s, d = gates.reshape(T, N, 4, H), da.reshape(T, N, 4, H)
    tanh_c = np.empty(H, c.dtype)
    for t in range(T - 1, -1, -1):
        before = c[t - 1] if t else c0
        for n in range(first, last):
            if gc.size:
                for j in range(H):
                    dc[n, j] += gc[t, n, j]
            for j in range(H):
                dh[n, j] += gh[t, n, j]
                tanh_c[j] = tanh(c[t, n, j])
            for j in range(H):
                o = s[t, n, O, j]
                dc[n, j] += dh[n, j] * o * (one - tanh_c[j] * tanh_c[j])
                d[t, n, O, j] = dh[n, j] * tanh_c[j] * o * (one - o)
            for j in range(H):
                i, g = s[t, n, I, j], s[t, n, G, j]
                d[t, n, I, j] = dc[n, j] * g * i * (one - i)
                d[t, n, G, j] = dc[n, j] * i * (one - g * g)
            for j in range(H):
                f = s[t, n, F, j]
                d[t, n, F, j] = dc[n, j] * before[n, j] * f * (one - f)
                dc[n, j] *= f
            if gg.size:  # the derivatives are linear: what comes from the gates themselves is added
                for k in range(4):
                    for j in range(H):
                        y = s[t, n, k, j]
                        d[t, n, k, j] += gg[t, n, k * H + j] * (one - y * y if k == G else y * (one - y))
        _through_weights(dx[t, first:last], dh[first:last], da[t, first:last], da[t, first:last], w_x, w_h)


# -- GRU --------------------------------------------------------------------------------------------------------------


@njit
def gru_forward(h, gates, x, h0, w_ih, w_hh, b_ih, b_hh):
    """Fill h: (T, N, H) and gates: (T, N, 4H), which holds r, z, n and m."""
    x, w_x, w_h = np.ascontiguousarray(x), prepared(w_ih.T), prepared(w_hh.T)
    N, H = h0.shape
    rows = _rows_of_a_block(N, max(x.shape[2], H), 3 * H)
    _gru_forward(-(-N // rows), rows, h, gates, x, h0, w_x, w_h, b_ih, b_hh)


@share
@inner
def _gru_forward(block, rows, h, gates, x, h0, w_x, w_h, b_ih, b_hh):
    T, N = x.shape[:2]
    H = h0.shape[1]
    first, last = block * rows, min((block + 1) * rows, N)
    b_x, b_h = b_ih.reshape(3, H), b_hh.reshape(3, H)
    s = gates.reshape(T, N, 4, H)
    products = np.empty((2, last - first, 3 * H), h.dtype)
    product_x, product_h = products[0], products[1]
    a_x, a_h = product_x.reshape(last - first, 3, H), product_h.reshape(last - first, 3, H)
    state = h0[first:last].copy()
    for t in range(T):
        multiply(product_x, x[t, first:last], w_x)
        multiply(product_h, state, w_h)
        for k in range(last - first):
            n = first + k
            for j in range(H):
                s[t, n, R, j] = sigmoid(a_x[k, R, j] + a_h[k, R, j] + b_x[R, j] + b_h[R, j])
            for j in range(H):
                s[t, n, Z, j] = sigmoid(a_x[k, Z, j] + a_h[k, Z, j] + b_x[Z, j] + b_h[Z, j])
            for j in range(H):
                s[t, n, M, j] = a_h[k, N_, j] + b_h[N_, j]
            for j in range(H):
                s[t, n, N_, j] = tanh(a_x[k, N_, j] + b_x[N_, j] + s[t, n, R, j] * s[t, n, M, j])
            for j in range(H):
                state[k, j] = s[t, n, N_, j] + s[t, n, Z, j] * (state[k, j] - s[t, n, N_, j])
                h[t, n, j] = state[k, j]


@njit
def gru_backward(da, db, dx, dh, gh, gg, gates, h, h0, w_ih, w_hh):
    """Fill da, db: (T, N, 3H), the cotangents of W_ih x_t + b_ih and W_hh h_{t-1} + b_hh; dx: (T, N, C); dh: (N, H).

    gg may have no elements: then nobody used the gates' values. So may dx, see `lstm_backward`.
    """
    w_x, w_h, gates = prepared(w_ih), prepared(w_hh), np.ascontiguousarray(gates)
    h, h0 = np.ascontiguousarray(h), np.ascontiguousarray(h0)
    dh[:] = 0
    rows = _rows_of_a_block(len(h0), *w_hh.shape)
    _gru_backward(-(-len(h0) // rows), rows, da, db, dx, dh, gh, gg, gates, h, h0, w_x, w_h)


@share
@inner
def _gru_backward(block, rows, da, db, dx, dh, gh, gg, gates, h, h0, w_x, w_h):
    T, N, H = h.shape
    first, last = block * rows, min((block + 1) * rows, N)
    one = h.dtype.type(1)
    s, d, e = gates.reshape(T, N, 4, H), da.reshape(T, N, 3, H), db.reshape(T, N, 3, H)
    direct = np.empty((last - first, H), h.dtype)  # what reaches h_{t-1} past the matrix product
    nothing = np.zeros(4 * H, h.dtype)
    for t in range(T - 1, -1, -1):
        before = h[t - 1] if t else h0
        for n in range(first, last):
            k = n - first
            g = gg[t, n] if gg.size else nothing
            for j in range(H):
                dh[n, j] += gh[t, n, j]
                direct[k, j] = dh[n, j] * s[t, n, Z, j]
            for j in range(H):
                z = s[t, n, Z, j]
                d[t, n, Z, j] = (g[Z * H + j] + dh[n, j] * (before[n, j] - s[t, n, N_, j])) * z * (one - z)
            for j in range(H):
                y = s[t, n, N_, j]
                d[t, n, N_, j] = (g[N_ * H + j] + dh[n, j] * (one - s[t, n, Z, j])) * (one - y * y)
            for j in range(H):
                e[t, n, N_, j] = g[M * H + j] + d[t, n, N_, j] * s[t, n, R, j]
            for j in range(H):
                r = s[t, n, R, j]
                d[t, n, R, j] = (g[R * H + j] + d[t, n, N_, j] * s[t, n, M, j]) * r * (one - r)
            for gate in range(N_):  # r and z
                for j in range(H):
                    e[t, n, gate, j] = d[t, n, gate, j]
        _through_weights(dx[t, first:last], dh[first:last], da[t, first:last], db[t, first:last], w_x, w_h)
        for n in range(first, last):
            for j in range(H):
                dh[n, j] += direct[n - first, j]


# -- RNN --------------------------------------------------------------------------------------------------------------


@njit
def rnn_forward(h, x, h0, w_ih, w_hh, b_ih, b_hh, relu):
    """Fill h: (T, N, H)."""
    w, b = _joined(w_ih, w_hh), b_ih + b_hh
    rows = _rows_of_a_block(len(h0), w_ih.shape[1] + w_hh.shape[1], len(w_ih))
    _rnn_forward(-(-len(h0) // rows), rows, h, x, h0, w, b, relu)


@share
@inner
def _rnn_forward(block, rows, h, x, h0, w, b, relu):
    T, N, C = x.shape
    H = h0.shape[1]
    first, last = block * rows, min((block + 1) * rows, N)
    zero = h.dtype.type(0)
    xh = np.empty((last - first, C + H), h.dtype)
    _put(xh, C, h0, first)
    for t in range(T):
        _put(xh, 0, x[t], first)
        multiply(h[t, first:last], xh, w)
        for n in range(first, last):
            if relu:
                for j in range(H):
                    a = h[t, n, j] + b[j]
                    h[t, n, j] = zero if a < zero else a
            else:
                for j in range(H):
                    h[t, n, j] = tanh(h[t, n, j] + b[j])
        _put(xh, C, h[t], first)


@njit
def rnn_backward(da, dx, dh, gh, h, w_ih, w_hh, relu):
    """Fill da: (T, N, H), all pre-activations' cotangents; dx: (T, N, C), see `lstm_backward`; dh: (N, H)."""
    w_x, w_h = prepared(w_ih), prepared(w_hh)
    dh[:] = 0
    rows = _rows_of_a_block(len(dh), *w_hh.shape)
    _rnn_backward(-(-len(dh) // rows), rows, da, dx, dh, gh, h, w_x, w_h, relu)


@share
@inner
def _rnn_backward(block, rows, da, dx, dh, gh, h, w_x, w_h, relu):
    T, N, H = h.shape
    first, last = block * rows, min((block + 1) * rows, N)
    zero, one = h.dtype.type(0), h.dtype.type(1)
    for t in range(T - 1, -1, -1):
        for n in range(first, last):
            if relu:
                for j in range(H):
                    da[t, n, j] = dh[n, j] + gh[t, n, j] if h[t, n, j] > zero else zero
            else:
                for j in range(H):
                    da[t, n, j] = (dh[n, j] + gh[t, n, j]) * (one - h[t, n, j] * h[t, n, j])
        _through_weights(dx[t, first:last], dh[first:last], da[t, first:last], da[t, first:last], w_x, w_h)


# -- weights ----------------------------------------------------------------------------------------------------------


@njit
def weight_gradients(dw_ih, dw_hh, db_ih, db_hh, da, db, x, h, h0):
    """Fill sum_t da_t x_t^T, (G, C), sum_t db_t h_{t-1}^T, (G, H), and sum_t of da_t and of db_t, maybe one array."""
    da, db = np.ascontiguousarray(da), np.ascontiguousarray(db)
    x, h, h0 = np.ascontiguousarray(x), np.ascontiguousarray(h), np.ascontiguousarray(h0)
    outer_sums(dw_ih, dw_hh, db_ih, db_hh, da, db, x, h, h0)
