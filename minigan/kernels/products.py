"""Matrix products into memory that is there already, for compiled steps. Plain arrays; no autodiff here."""

import numpy as np

from minigan.kernels.jit import njit


@njit
def matmul(out, x, y):
    """out = x y, of matrices: (N, M) = (N, K) (K, M)."""
    if x.shape[1] == 1:
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] = x[i, 0] * y[0, j]
    else:
        np.dot(x, y, out)
