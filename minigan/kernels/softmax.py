"""Softmax, its logarithm and log-sum-exp along one axis, into memory that is there already. No autodiff here.

The largest element is subtracted first, which changes nothing but the overflow.
"""

import numpy as np

from minigan.kernels.jit import inner, njit


@njit
def softmax_into(y, x, axis):
    """y = e^x / sum e^x along the axis."""
    out, x = _three_axes(y, axis), _three_axes(x, axis)
    for i in range(x.shape[0]):
        for k in range(x.shape[2]):
            largest, total = _largest_and_sum(x[i, :, k])
            for j in range(x.shape[1]):
                out[i, j, k] = np.exp(x[i, j, k] - largest) / total


@njit
def log_softmax_into(y, x, axis):
    """y = x - log sum e^x along the axis."""
    out, x = _three_axes(y, axis), _three_axes(x, axis)
    for i in range(x.shape[0]):
        for k in range(x.shape[2]):
            largest, total = _largest_and_sum(x[i, :, k])
            for j in range(x.shape[1]):
                out[i, j, k] = x[i, j, k] - largest - np.log(total)


@njit
def logsumexp_into(y, x, axis):
    """y = log sum e^x along the axis, which stays with length 1."""
    out, x = _three_axes(y, axis), _three_axes(x, axis)
    for i in range(x.shape[0]):
        for k in range(x.shape[2]):
            largest, total = _largest_and_sum(x[i, :, k])
            out[i, 0, k] = largest + np.log(total)


@inner
def _three_axes(x, axis):
    """Return x as (what comes before the axis, the axis, what comes after it)."""
    axis %= x.ndim
    before = 1
    for k in range(axis):
        before *= x.shape[k]
    return np.ascontiguousarray(x).reshape(before, x.shape[axis], -1)


@inner
def _largest_and_sum(row):
    """Return max x and sum e^(x - max x)."""
    largest, total = row.max(), row.dtype.type(0)
    for j in range(row.size):
        total += np.exp(row[j] - largest)
    return largest, total
