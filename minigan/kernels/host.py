"""Arrays from anywhere, as kernels want them. Plain arrays; no autodiff here."""

import numpy as np

from minigan.kernels import threads

PRECISIONS = (np.dtype(np.float32), np.dtype(np.float64))


def plain(*arrays, at_least=np.bool_):
    """Return the arrays in their common dtype, C order and writable, for a kernel that threads help with.

    Numba compiles anew for each other kind. To ask first is faster than `np.require` is.
    """
    threads.start()
    dtype = arrays[0].dtype
    for a in arrays:
        if a.dtype != dtype or dtype not in PRECISIONS:
            dtype = np.result_type(*arrays, at_least)
            break
    return [a if a.dtype == dtype and a.flags.carray else np.require(a, dtype, "CAW") for a in arrays]
