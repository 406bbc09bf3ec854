"""Matrix products into memory that is there already, for kernels and compiled steps. Plain arrays; no autodiff here."""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import overload

from minigan.kernels import outer, threads, tiles
from minigan.kernels.arrays import array
from minigan.kernels.jit import AVX512, FLAGS, called_by_name, compiled_apart, inner, njit

SMALL = 10**6  # multiplications: up to here, OpenBLAS, for AVX-512, multiplies without rearranging its operands first
FEWEST = 2**18  # multiplications from which on the tiles are ahead: below, a call costs more than it brings
FEWEST_TURNED = 2**13  # the same of x W', as dense layers have it: BLAS takes half as long again for it


def multiply(out, x, y):
    """out = x y, (N, M) from (N, K) and (K, M), `out` in C order: by our own tiles where they are faster.

    y may be what `prepared` made of it.
    """
    np.dot(x, y, out)


@overload(multiply, jit_options=FLAGS)
def _(out, x, y):
    def by_tiles(out, x, y):
        told = (*x.shape, y.shape[1], *tiles.at(out)[:2], *tiles.at(x), *tiles.at(y))
        if x.size * y.shape[1] >= fewest and y.shape[1] >= narrowest:
            tiles.product(told)
        else:
            _of_blas(told)

    def by_blas(out, x, y):
        np.dot(x, y, out)

    if y.ndim == 3:
        return lambda out, x, y: tiles.by_strips(out, x, y)
    turned = x.layout == "C" and y.layout == "F"
    fewest, narrowest = (FEWEST_TURNED, tiles.LANES) if turned else (FEWEST, tiles.COLUMNS // 2)
    in_order = out.layout == "C" and x.layout in "CF" and y.layout in "CF"
    return by_tiles if AVX512 and in_order and out.dtype == types.float32 else by_blas


def prepared(y):
    """Return a copy of y, (K, M), in an order in which `multiply` takes it faster: it pays for many small products."""
    return np.array(y, order="C")


@overload(prepared, jit_options=FLAGS)
def _(y):
    def for_tiles(y):
        return tiles.in_strips(y)

    def for_blas(y):
        out = tiles.aligned(y.size, y.dtype).reshape(y.shape)
        for left in range(0, y.shape[1], 16):  # of a transpose, one cache line of `out` after the other is filled
            for k in range(y.shape[0]):
                for j in range(left, min(left + 16, y.shape[1])):
                    out[k, j] = y[k, j]
        return out

    return for_tiles if AVX512 and y.dtype == types.float32 else for_blas


@inner
def _large(size, columns):
    """Return whether the tiles multiply x, of this size, by y, in C order and of so many columns, faster than BLAS."""
    return size * columns >= FEWEST and 2 * columns >= tiles.COLUMNS


def outer_sums(out_x, out_h, sum_a, sum_b, a, b, x, h, h0):
    """Fill sum a_tn x_tn^T, sum b_tn s_tn^T, sum a_tn and sum b_tn over all t and n; s_t is h_{t-1}, the first one h0.

    (G, C), (G, H), (G,), (G,) from twice (T, N, G), (T, N, C), (T, N, H) and (N, H), all in C order; a and b may be
    one array.
    """
    (T, N, G), C, H = a.shape, x.shape[2], h.shape[2]
    a, b, x = a.reshape(T * N, G), b.reshape(T * N, G), x.reshape(T * N, C)
    before = np.empty((T * N, H), h.dtype)
    for k in range(T * N):
        t, n = k // N, k % N
        for j in range(H):
            before[k, j] = h[t - 1, n, j] if t else h0[n, j]
    multiply(out_x, a.T, x)
    multiply(out_h, b.T, before)
    sum_a[:] = 0
    for k in range(len(a)):
        for j in range(len(sum_a)):
            sum_a[j] += a[k, j]
    sum_b[:] = 0
    if a.ctypes.data == b.ctypes.data:
        sum_b += sum_a
    else:
        for k in range(len(b)):
            for j in range(len(sum_b)):
                sum_b[j] += b[k, j]


_by_products = inner(outer_sums)


@overload(outer_sums, jit_options=FLAGS)
def _(out_x, out_h, sum_a, sum_b, a, b, x, h, h0):
    def by_tiles(out_x, out_h, sum_a, sum_b, a, b, x, h, h0):
        if a.ctypes.data == b.ctypes.data and _large(a.size, x.shape[2]) and _large(a.size, h.shape[2]):
            outer.outer_sums(out_x, out_h, sum_a, a, x, h, h0)
            sum_b[:] = 0
            sum_b += sum_a
        else:
            _by_products(out_x, out_h, sum_a, sum_b, a, b, x, h, h0)

    return by_tiles if AVX512 and a.dtype == types.float32 else outer_sums


# -- BLAS by addresses ------------------------------------------------------------------------------------------------


_STATUS, _LETTER, _NUMBER = ir.IntType(32), types.int8, types.intp  # BLAS as Numba makes it known to compiled code
_gemm = called_by_name("numba_xxgemm", _STATUS, *[_LETTER] * 3, *[_NUMBER] * 11)
_gemv = called_by_name("numba_xxgemv", _STATUS, *[_LETTER] * 2, *[_NUMBER] * 8)
_dot = called_by_name("numba_xxdot", _STATUS, *[_LETTER] * 2, *[_NUMBER] * 4)
_SINGLE, _AS_IT_IS, _TURNED = map(ord, "snt")
_FACTORS = np.array([1, 0], np.float32)  # of the product, and of what there is already


@compiled_apart(11)
def _of_blas(N, K, M, c, c_row, a, a_row, a_column, b, b_row, b_column):
    """C = A B, told as to `tiles.product`, of matrices without gaps: compiled once, where ``np.dot`` is for each order.

    BLAS counts columns first, so it is told C' = B' A'. Vectors have functions of their own, which are faster.
    """
    a_in_rows, b_in_rows = a_column == tiles.BYTES or K == 1, b_column == tiles.BYTES or M == 1
    a_step, b_step = K if a_in_rows else N, M if b_in_rows else K
    one = np.intp(_FACTORS.ctypes.data)
    none = one + tiles.BYTES
    if N * K * M == 0:
        array(c, types.float32, (N * M,), "C")[:] = 0
    elif N == 1 and M == 1:
        _dot((_SINGLE, 0, K, a, b, c))
    elif M == 1:
        _gemv((_SINGLE, _TURNED if a_in_rows else _AS_IT_IS, a_step, N * K // a_step, one, a, a_step, b, none, c))
    elif N == 1:
        _gemv((_SINGLE, _AS_IT_IS if b_in_rows else _TURNED, b_step, K * M // b_step, one, b, b_step, a, none, c))
    else:
        turned = (_AS_IT_IS if b_in_rows else _TURNED), (_AS_IT_IS if a_in_rows else _TURNED)
        _gemm((_SINGLE, *turned, M, N, K, one, b, b_step, a, a_step, none, c, M))


# -- for steps, and for eager products ---------------------------------------------------------------------------------


@inner(inline="always")
def _two_matrices(out, x, y):
    if x.shape[1] == 1:
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] = x[i, 0] * y[0, j]
    else:
        multiply(out, x, y)


@njit
def matmul(out, x, y):
    """out = x y, of all rows of x, (..., K), and (K, M), or of B pairs of matrices, (B, N, K) and (B, K, M)."""
    if y.ndim == 3:
        for b in range(len(x)):
            multiply(out[b], np.ascontiguousarray(x[b]), np.ascontiguousarray(y[b]))
    elif x.ndim == 2:
        _two_matrices(out, x, y)
    else:
        rows = 1
        for n in x.shape[:-1]:
            rows *= n
        _two_matrices(out.reshape(rows, y.shape[1]), np.ascontiguousarray(x).reshape(rows, len(y)), y)


def product(x, y):
    """Return x y as NumPy does; all rows of x in one product, and large float32 ones by our tiles and all threads."""
    if x.ndim < 2 or y.ndim != 2:
        return np.matmul(x, y)
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    out = np.empty((*x.shape[:-1], y.shape[1]), np.result_type(x, y))
    if AVX512 and x.size * y.shape[1] >= FEWEST and _plain(rows) and _plain(y):
        threads.start()
        matmul(out.reshape(len(rows), -1), rows, y)
    else:
        np.matmul(rows, y, out=out.reshape(len(rows), y.shape[1]))
    return out


def _plain(a):
    """Return whether Numba compiles for this matrix what it compiles for others."""
    return a.dtype == np.float32 and a.flags.writeable and a.flags.forc
