"""Sums of outer products over all steps of a sequence: the gradients of recurrent weights. Plain arrays; float32.

All steps share the weights W_ih and W_hh, so dW_ih = sum a_tn x_tn^T and dW_hh = sum a_tn h_{t-1,n}^T over time steps
t and sequences n: two products of T N rows, by the tiles of `minigan.kernels.tiles`, into whose order `a` is brought
once.
"""

import numpy as np

from minigan.kernels.jit import inner
from minigan.kernels.threads import share
from minigan.kernels.tiles import BYTES, COLUMNS, DEPTH, at, bring, room, tiles


@inner
def outer_sums(out_x, out_h, sums, a, x, h, h0):
    """Fill sum a_tn x_tn^T, sum a_tn s_tn^T and sum a_tn over all t and n; s_t is h_{t-1}, the first one h0.

    (G, C), (G, H) and (G,) from (T, N, G), (T, N, C), (T, N, H) and (N, H), all in C order. Each half of the batch has
    sums of its own, added at the end: so a thread reads what it has computed itself, for what another one has written
    is far away.
    """
    (_, N, G), C, H = a.shape, x.shape[2], h.shape[2]
    of_x, of_h, of_1 = np.empty((2, G, C), np.float32), np.empty((2, G, H), np.float32), np.empty((2, G), np.float32)
    _share_outer(2, (N + 1) // 2, of_x, of_h, of_1, a, x, h, h0)
    for i in range(G):
        for j in range(C):
            out_x[i, j] = of_x[0, i, j] + of_x[1, i, j]
        for j in range(H):
            out_h[i, j] = of_h[0, i, j] + of_h[1, i, j]
        sums[i] = of_1[0, i] + of_1[1, i]


@inner
def _outer(half, rows, of_x, of_h, of_1, a, x, h, h0):
    """Fill one half of the sums, 128 rows at a time: some time steps of the sequences in this half of the batch."""
    T, N, G = a.shape
    first, rows = half * rows, min(rows, N - half * rows)
    out_x, out_h, sums = of_x[half], of_h[half], of_1[half]
    ordered, turned = room(G)
    sums[:] = 0
    if rows == 0:
        out_x[:], out_h[:] = 0, 0
    for begin in range(0, T * rows, DEPTH):
        depth, k = min(DEPTH, T * rows - begin), 0
        while k < depth:
            t, n, count = _neighbours(begin + k, rows, depth - k)
            step, to = a[t, first + n : first + n + count], turned.ctypes.data + k * BYTES
            bring((to, turned.strides[0], step.ctypes.data, BYTES, step.strides[0], G, count))
            for i in range(count):
                row = step[i]
                for j in range(G):
                    sums[j] += row[j]
            k += count
        where = begin, depth, rows, first
        _add_outer(out_x, at(turned), where, x[0], x[1:], ordered)
        _add_outer(out_h, at(turned), where, h0, h, ordered)


@inner
def _neighbours(row, rows, most):
    """Return (t, n, count): the step and the sequence of a half's row, and how many from there on lie in a row."""
    t, n = row // rows, row % rows
    return t, n, min(rows - n, most)


@inner
def _add_outer(out, a, where, head, tail, ordered):
    """out = A^T S for the first 128 rows of a half, out += A^T S for all others; S is the step `head`, then `tail`."""
    begin, depth, rows, first = where
    G, M = out.shape
    for left in range(0, M, COLUMNS):
        width, k = min(COLUMNS, M - left), 0
        while k < depth:
            t, n, count = _neighbours(begin + k, rows, depth - k)
            step = head if t == 0 else tail[t - 1]
            to = ordered.ctypes.data + k * BYTES * COLUMNS
            s = step.ctypes.data + (first + n) * step.strides[0] + left * BYTES
            bring((to, BYTES * COLUMNS, s, step.strides[0], BYTES, count, width))
            k += count
        c = out.ctypes.data + left * BYTES
        tiles((G, c, out.strides[0], *a, ordered.ctypes.data, BYTES * COLUMNS, depth, width, begin > 0))


_share_outer = share(_outer)
