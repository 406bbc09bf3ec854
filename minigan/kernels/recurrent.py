"""Recurrent layers over a whole sequence: forward, and backward through time. Plain arrays; no autodiff here.

`minigan.ops.recurrent` holds the equations and the derivation. What is particular here is how they run fast:

- What all time steps have in common is done for all of them at once, outside, as one matrix product. A loop over time
  keeps one product, h_{t-1} W_hh^T, and elementwise work on its (N, .) result.
- That work is a chain of short loops, each over contiguous elements with a single result: such loops vectorise, one
  long loop with many results does not.
- A float32 `tanh` is a rational function (`_tanh`); float64, which proofs are made in, takes the one of libm.

Each public function brings its arrays to one dtype and layout before it calls the compiled loop.
"""

import math

import numpy as np

from minigan.kernels.jit import njit


def _plain(*arrays):
    """Return the arrays in one dtype, C order and writable: Numba compiles anew for each other kind."""
    dtype = np.result_type(*arrays, np.float32)
    return [np.require(a, dtype, "CW") for a in arrays]


def _or_nothing(g):
    """Return the cotangent g, or an array without elements where g is one zero, repeated: then nothing is added."""
    zero = g.size == 0 or (not any(g.strides) and g[0, 0, 0] == 0)
    return np.empty((0, 0, 0), g.dtype) if zero else g


def _input_product(x, w):
    """Return x W^T for all time steps in one product: (T, N, I), (O, I) -> (T, N, O)."""
    return np.matmul(x.reshape(-1, x.shape[-1]), w.T).reshape(*x.shape[:-1], len(w))


# -- tanh and the logistic function, row by row -----------------------------------------------------------------------

# Beyond +-LARGE, tanh is 1 to float32's last digit. Inside, a quotient of two odd/even polynomials whose coefficients
# are those of the Eigen library's `ptanh`; the largest error is 2e-7.
LARGE = np.float32(7.90531110763549805)
P13, P11, P9 = np.float32(-2.76076847742355e-16), np.float32(2.00018790482477e-13), np.float32(-8.60467152213735e-11)
P7, P5, P3 = np.float32(5.12229709037114e-08), np.float32(1.48572235717979e-05), np.float32(6.37261928875436e-04)
P1 = np.float32(4.89352455891786e-03)
Q6, Q4 = np.float32(1.19825839466702e-06), np.float32(1.18534705686654e-04)
Q2, Q0 = np.float32(2.26843463243900e-03), np.float32(4.89352518554385e-03)


@njit
def _tanh(x):
    """x <- tanh x, of one row. One argument only: a loop from `x` to another array that may be `x` stays scalar."""
    if x.itemsize == 8:
        for i in range(x.size):
            x[i] = math.tanh(x[i])
    else:
        for i in range(x.size):
            y = x[i]  # compared so that nan stays nan
            y = LARGE if y > LARGE else y
            y = -LARGE if y < -LARGE else y
            s = y * y
            p = ((((((P13 * s + P11) * s + P9) * s + P7) * s + P5) * s + P3) * s + P1) * y
            x[i] = p / (((Q6 * s + Q4) * s + Q2) * s + Q0)


@njit
def _sigmoid(x):
    """x <- 1 / (1 + e^-x), of one row; in float32 as (1 + tanh(x/2)) / 2, which is the same."""
    one, half = x.dtype.type(1), x.dtype.type(0.5)
    if x.itemsize == 8:
        for i in range(x.size):
            e = math.exp(-abs(x[i]))  # never overflows
            x[i] = (one if x[i] >= 0 else e) / (one + e)
    else:
        for i in range(x.size):
            x[i] *= half
        _tanh(x)
        for i in range(x.size):
            x[i] = half + half * x[i]


# -- LSTM -------------------------------------------------------------------------------------------------------------


def lstm_forward(x, h0, c0, w_ih, w_hh, b):
    """Return (h, c, gates), each for all time steps: (T, N, H), (T, N, H), (T, N, 4H)."""
    x, h0, c0, w_ih, w_hh, b = _plain(x, h0, c0, w_ih, w_hh, b)
    gates = _input_product(x, w_ih)
    h = np.empty((*x.shape[:2], len(w_hh) // 4), x.dtype)
    c = np.empty_like(h)
    _lstm_forward(gates, h0, c0, np.ascontiguousarray(w_hh.T), b, h, c)
    return h, c, gates


@njit
def _lstm_forward(gates, h0, c0, w, b, h, c):
    """Overwrite `gates`, which hold x W_ih^T, with the gates; fill h and c. w is W_hh^T: (H, 4H)."""
    H = h.shape[2]
    a = np.empty_like(gates[0])
    for t in range(len(h)):
        np.dot(h[t - 1] if t else h0, w, a)
        for n in range(h.shape[1]):
            row, a_n = gates[t, n], a[n]
            for j in range(4 * H):
                row[j] += a_n[j] + b[j]
            _sigmoid(row[: 2 * H])
            _tanh(row[2 * H : 3 * H])
            _sigmoid(row[3 * H :])
            i, f, g, o = row[:H], row[H : 2 * H], row[2 * H : 3 * H], row[3 * H :]
            before, c_n, h_n = c[t - 1, n] if t else c0[n], c[t, n], h[t, n]
            for j in range(H):
                c_n[j] = f[j] * before[j] + i[j] * g[j]
            h_n[:] = c_n
            _tanh(h_n)
            for j in range(H):
                h_n[j] *= o[j]


def lstm_backward(gh, gc, gg, gates, c, c0, w_hh):
    """Return (da, dh0, dc0): the cotangents of all pre-activations (T, N, 4H) and of the initial states (N, H)."""
    gh, gc, gg, gates, c, c0, w_hh = _plain(gh, _or_nothing(gc), _or_nothing(gg), gates, c, c0, w_hh)
    da, dh, dc = np.empty_like(gates), np.zeros_like(c0), np.zeros_like(c0)
    _lstm_backward(gh, gc, gg, gates, c, c0, w_hh, da, dh, dc)
    return da, dh, dc


@njit
def _lstm_backward(gh, gc, gg, gates, c, c0, w, da, dh, dc):
    """Fill da; dh and dc, zero at first, end as the cotangents of h0 and c0."""
    T, N, H = c.shape
    one = c.dtype.type(1)
    tanh_c, slope = np.empty(H, c.dtype), np.empty(4 * H, c.dtype)
    for t in range(T - 1, -1, -1):
        for n in range(N):
            row, da_n = gates[t, n], da[t, n]
            i, f, g, o = row[:H], row[H : 2 * H], row[2 * H : 3 * H], row[3 * H :]
            di, df, dg, do = da_n[:H], da_n[H : 2 * H], da_n[2 * H : 3 * H], da_n[3 * H :]
            before, dc_n, dh_n, gh_n = c[t - 1, n] if t else c0[n], dc[n], dh[n], gh[t, n]
            tanh_c[:] = c[t, n]
            _tanh(tanh_c)
            for j in range(H):
                dh_n[j] += gh_n[j]
            for j in range(H):
                dc_n[j] += dh_n[j] * o[j] * (one - tanh_c[j] * tanh_c[j])
            if gc.size:
                gc_n = gc[t, n]
                for j in range(H):
                    dc_n[j] += gc_n[j]
            for j in range(4 * H):
                slope[j] = row[j] * (one - row[j])
            for j in range(2 * H, 3 * H):
                slope[j] = one - row[j] * row[j]
            for j in range(H):
                di[j] = dc_n[j] * g[j]
            for j in range(H):
                df[j] = dc_n[j] * before[j]
            for j in range(H):
                dg[j] = dc_n[j] * i[j]
            for j in range(H):
                do[j] = dh_n[j] * tanh_c[j]
            if gg.size:
                gg_n = gg[t, n]
                for j in range(4 * H):
                    da_n[j] += gg_n[j]
            for j in range(4 * H):
                da_n[j] *= slope[j]
            for j in range(H):
                dc_n[j] *= f[j]
        np.dot(da[t], w, dh)


# -- GRU --------------------------------------------------------------------------------------------------------------


def gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh):
    """Return (h, gates) for all time steps: (T, N, H) and (T, N, 4H), which holds r, z, n and m."""
    x, h0, w_ih, w_hh, b_ih, b_hh = _plain(x, h0, w_ih, w_hh, b_ih, b_hh)
    H = len(w_hh) // 3
    gates, h = (np.empty((*x.shape[:2], n), x.dtype) for n in (4 * H, H))
    np.matmul(x.reshape(-1, x.shape[-1]), w_ih.T, out=gates.reshape(-1, 4 * H)[:, : 3 * H])
    _gru_forward(gates, h0, np.ascontiguousarray(w_hh.T), b_ih, b_hh, h)
    return h, gates


@njit
def _gru_forward(gates, h0, w, b_ih, b_hh, h):
    """Overwrite `gates`, which begin with x W_ih^T, with r, z, n, m; fill h. w is W_hh^T: (H, 3H)."""
    T, N, H = h.shape
    a = np.empty((N, 3 * H), h.dtype)
    for t in range(T):
        np.dot(h[t - 1] if t else h0, w, a)
        for k in range(N):
            row, a_k, h_k, before = gates[t, k], a[k], h[t, k], h[t - 1, k] if t else h0[k]
            r, z, n, m = row[:H], row[H : 2 * H], row[2 * H : 3 * H], row[3 * H :]
            for j in range(2 * H):
                row[j] += a_k[j] + b_ih[j] + b_hh[j]
            for j in range(H):
                m[j] = a_k[2 * H + j] + b_hh[2 * H + j]
            _sigmoid(row[: 2 * H])
            for j in range(H):
                n[j] += b_ih[2 * H + j] + r[j] * m[j]
            _tanh(n)
            for j in range(H):
                h_k[j] = n[j] + z[j] * (before[j] - n[j])


def gru_backward(gh, gg, gates, h, h0, w_hh):
    """Return (da, db, dh0): the cotangents of x W_ih^T + b_ih and of h W_hh^T + b_hh, (T, N, 3H) each, and of h0."""
    gh, gg, gates, h, h0, w_hh = _plain(gh, _or_nothing(gg), gates, h, h0, w_hh)
    da = np.empty((*h.shape[:2], len(w_hh)), h.dtype)
    db, dh = np.empty_like(da), np.zeros_like(h0)
    _gru_backward(gh, gg, gates, h, h0, w_hh, da, db, dh)
    return da, db, dh


@njit
def _gru_backward(gh, gg, gates, h, h0, w, da, db, dh):
    """Fill da and db; dh, zero at first, ends as the cotangent of h0."""
    T, N, H = h.shape
    one = h.dtype.type(1)
    direct = np.empty_like(h0)  # what reaches h_{t-1} past the matrix product
    nothing = np.zeros(4 * H, h.dtype)
    for t in range(T - 1, -1, -1):
        for k in range(N):
            row, da_k, db_k, gg_k = gates[t, k], da[t, k], db[t, k], gg[t, k] if gg.size else nothing
            r, z, n, m = row[:H], row[H : 2 * H], row[2 * H : 3 * H], row[3 * H :]
            dr, dz, dn, dm = da_k[:H], da_k[H : 2 * H], da_k[2 * H :], db_k[2 * H :]
            gr, gz, gn, gm = gg_k[:H], gg_k[H : 2 * H], gg_k[2 * H : 3 * H], gg_k[3 * H :]
            before, dh_k, gh_k, direct_k = h[t - 1, k] if t else h0[k], dh[k], gh[t, k], direct[k]
            for j in range(H):
                dh_k[j] += gh_k[j]
            for j in range(H):
                direct_k[j] = dh_k[j] * z[j]
            for j in range(H):
                dz[j] = (gz[j] + dh_k[j] * (before[j] - n[j])) * z[j] * (one - z[j])
            for j in range(H):
                dn[j] = (gn[j] + dh_k[j] * (one - z[j])) * (one - n[j] * n[j])
            for j in range(H):
                dm[j] = gm[j] + dn[j] * r[j]
            for j in range(H):
                dr[j] = (gr[j] + dn[j] * m[j]) * r[j] * (one - r[j])
            db_k[: 2 * H] = da_k[: 2 * H]
        np.dot(db[t], w, dh)
        dh += direct


# -- RNN --------------------------------------------------------------------------------------------------------------


def rnn_forward(x, h0, w_ih, w_hh, b, relu):
    """Return h for all time steps: (T, N, H)."""
    x, h0, w_ih, w_hh, b = _plain(x, h0, w_ih, w_hh, b)
    h = _input_product(x, w_ih)
    _rnn_forward(h, h0, np.ascontiguousarray(w_hh.T), b, relu)
    return h


@njit
def _rnn_forward(h, h0, w, b, relu):
    """Overwrite `h`, which holds x W_ih^T, with the states. w is W_hh^T: (H, H)."""
    T, N, H = h.shape
    zero = h.dtype.type(0)
    a = np.empty_like(h0)
    for t in range(T):
        np.dot(h[t - 1] if t else h0, w, a)
        for n in range(N):
            h_n, a_n = h[t, n], a[n]
            for j in range(H):
                h_n[j] += a_n[j] + b[j]
            if relu:
                for j in range(H):
                    h_n[j] = zero if h_n[j] < zero else h_n[j]
            else:
                _tanh(h_n)


def rnn_backward(gh, h, w_hh, relu):
    """Return (da, dh0): the cotangents of all pre-activations (T, N, H) and of the initial state (N, H)."""
    gh, h, w_hh = _plain(gh, h, w_hh)
    da, dh = np.empty_like(h), np.zeros(h.shape[1:], h.dtype)
    _rnn_backward(gh, h, w_hh, relu, da, dh)
    return da, dh


@njit
def _rnn_backward(gh, h, w, relu, da, dh):
    """Fill da; dh, zero at first, ends as the cotangent of h0."""
    T, N, H = h.shape
    zero, one = h.dtype.type(0), h.dtype.type(1)
    for t in range(T - 1, -1, -1):
        for n in range(N):
            h_n, da_n, dh_n, gh_n = h[t, n], da[t, n], dh[n], gh[t, n]
            if relu:
                for j in range(H):
                    da_n[j] = dh_n[j] + gh_n[j] if h_n[j] > zero else zero
            else:
                for j in range(H):
                    da_n[j] = (dh_n[j] + gh_n[j]) * (one - h_n[j] * h_n[j])
        np.dot(da[t], w, dh)
