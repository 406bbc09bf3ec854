"""Matrix products into memory that is there already, for compiled steps. Plain arrays; no autodiff here."""

import numpy as np

from minigan.kernels.jit import njit


@njit
def matmul(out, x, y):
    """out = x y, of two matrices, (N, K) and (K, M), or of B pairs of them, (B, N, K) and (B, K, M)."""
    if x.ndim == 3:
        for b in range(len(x)):
            np.dot(np.ascontiguousarray(x[b]), np.ascontiguousarray(y[b]), out[b])
    elif x.shape[1] == 1:
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] = x[i, 0] * y[0, j]
    else:
        np.dot(x, y, out)
