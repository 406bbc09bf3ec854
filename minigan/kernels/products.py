"""Matrix products into memory that is there already, for kernels and compiled steps. Plain arrays; no autodiff here."""

import numpy as np
from numba import types
from numba.extending import overload

from minigan.kernels.jit import AVX512, njit
from minigan.kernels.tiles import COLUMNS, product

SMALL = 10**6  # multiplications: up to here, OpenBLAS, for AVX-512, multiplies without rearranging its operands first
FEWEST = 2**18  # multiplications from which on the tiles are ahead: below, a call costs more than it brings


def multiply(out, x, y):
    """out = x y, (N, M) from (N, K) and (K, M), `out` in C order: by our own tiles where they are faster."""
    np.dot(x, y, out)


@overload(multiply, jit_options={"error_model": "numpy"})
def _(out, x, y):
    def by_tiles(out, x, y):
        if x.size * y.shape[1] >= FEWEST and 2 * y.shape[1] >= COLUMNS:
            product(out, x, y)
        else:
            np.dot(x, y, out)

    def by_blas(out, x, y):
        np.dot(x, y, out)

    in_order = out.layout == "C" and x.layout in "CF" and y.layout in "CF"
    return by_tiles if AVX512 and in_order and out.dtype == types.float32 else by_blas


@njit
def matmul(out, x, y):
    """out = x y, of two matrices, (N, K) and (K, M), or of B pairs of them, (B, N, K) and (B, K, M)."""
    if x.ndim == 3:
        for b in range(len(x)):
            multiply(out[b], np.ascontiguousarray(x[b]), np.ascontiguousarray(y[b]))
    elif x.shape[1] == 1:
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] = x[i, 0] * y[0, j]
    else:
        multiply(out, x, y)
