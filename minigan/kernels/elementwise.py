"""Elementwise kernels that beat a chain of NumPy calls. Plain arrays in, plain arrays out; no autodiff here.

Each public function brings its array to one layout (flat and contiguous) before it calls the compiled loop: Numba
compiles anew for every dtype, rank and layout it meets.
"""

import numpy as np

from minigan.kernels.jit import njit


def _floating(x):
    """Return integers as float64, as NumPy's own functions take them."""
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _flat(x):
    return np.ascontiguousarray(x).reshape(-1)


def sigmoid(x):
    """Logistic function 1 / (1 + exp(-x)) of an array.

    Numerics: with e = exp(-|x|), which never overflows, it is 1/(1+e) for x >= 0 and e/(1+e) below: full relative
    accuracy at both ends. NumPy's exp is vectorised, the libm call that Numba would make is not.
    """
    flat = _flat(_floating(x))
    e = np.abs(flat)
    np.exp(np.negative(e, out=e), out=e)
    out = np.empty(np.shape(x), flat.dtype)
    _sigmoid(flat, e, out.reshape(-1))
    return out


@njit
def _sigmoid(x, e, out):
    one = out.dtype.type(1)
    for i in range(x.size):
        out[i] = (one if x[i] >= 0 else e[i]) / (one + e[i])


def leaky_relu(x, slope):
    """x where x > 0, slope x elsewhere, of an array."""
    x = _floating(x)
    out = np.empty(x.shape, x.dtype)
    _leaky_relu(_flat(x), x.dtype.type(slope), out.reshape(-1))
    return out


@njit
def _leaky_relu(x, slope, out):
    for i in range(x.size):
        out[i] = x[i] if x[i] > 0 else slope * x[i]


def gate(g, y, slope):
    """g where y > 0, slope g elsewhere: what leaky relu lets through back. Equal shapes."""
    out = np.empty(g.shape, g.dtype)
    _gate(_flat(g), _flat(y), g.dtype.type(slope), out.reshape(-1))
    return out


@njit
def _gate(g, y, slope, out):
    for i in range(g.size):
        out[i] = g[i] if y[i] > 0 else slope * g[i]


def add_bias_leaky_relu(y, b, slope):
    """Overwrite the rows of `y` (N, O) with leaky_relu(y + b): one pass over a matrix product's result."""
    _add_bias_leaky_relu(y, np.ascontiguousarray(b), y.dtype.type(slope))
    return y


@njit
def _add_bias_leaky_relu(y, b, slope):
    for n in range(y.shape[0]):
        row = y[n]
        for o in range(row.size):
            z = row[o] + b[o]
            row[o] = z if z > 0 else slope * z
