"""Arrays from anywhere, as kernels want them. Plain arrays; no autodiff here."""

import numpy as np

from minigan.errors import DTypeError
from minigan.kernels import threads

PRECISIONS = (np.dtype(np.float32), np.dtype(np.float64))


def precision(*arrays):
    """Return the dtype in which a kernel computes with these: the common one, as NumPy promotes, at least float32.

    Raises
    ------
    DTypeError
        If that is more than float64.
    """
    dtype = arrays[0].dtype
    for a in arrays:
        if a.dtype != dtype or dtype not in PRECISIONS:
            dtype = np.result_type(*arrays, np.float32)
            break
    if dtype not in PRECISIONS:
        raise DTypeError(
            f"got arrays of dtype {', '.join(sorted({str(a.dtype) for a in arrays}))}; kernels compute in float32 or "
            "float64. Convert with x.astype('float64')"
        )
    return dtype


def plain(*arrays):
    """Return the arrays in the kernel's dtype, C order and writable, for a kernel that threads help with.

    Numba compiles anew for each other kind. To ask first is faster than `np.require` is.
    """
    threads.start()
    dtype = precision(*arrays)
    return [a if a.dtype == dtype and a.flags.carray else np.require(a, dtype, "CAW") for a in arrays]


def promoted(*arrays):
    """Return the arrays in the kernel's dtype; their layout stays."""
    dtype = precision(*arrays)
    return [a if a.dtype == dtype else a.astype(dtype) for a in arrays]
