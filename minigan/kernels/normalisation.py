"""Batch normalisation, forward and backward, in as few passes over memory as there are dependencies. No autodiff here.

Arrays are (N, C, L): all places of an image in one axis. Sums over them may be reordered, which is what lets them
vectorise; the statistics themselves are added up in float64.

Each direction is one compiled function that writes into given memory (``..._into``): compiled steps call it as it is,
and the functions at the top take memory for it.
"""

import numpy as np

from minigan.kernels.jit import njit

_sums = njit(fastmath=("nsz", "arcp", "contract", "afn", "reassoc"))


def batch_norm(x, w, b, eps):
    """Return y = w (x - mean) / sqrt(var + eps) + b (N, C, L), and mean and var (C,) over N and L."""
    x, w, b = _plain(x, w, b)
    y, mean, var = np.empty_like(x), np.empty_like(w), np.empty_like(w)
    batch_norm_into(y, mean, var, x, w, b, eps)
    return y, mean, var


def batch_norm_backward(g, g_mean, g_var, x, w, eps):
    """Return dx (N, C, L), dw and db (C,) for cotangents g of y, g_mean and g_var of mean and var.

    With n = (x - mean) r, r = 1 / sqrt(var + eps), m = N L: db = sum g, dw = sum g n, and
    dx = w r (g - db / m - n dw / m) + g_mean / m + 2 g_var (x - mean) / m.
    """
    g, g_mean, g_var, x, w = _plain(g, g_mean, g_var, x, w)
    dx, dw, db = np.empty_like(x), np.empty_like(w), np.empty_like(w)
    batch_norm_backward_into(dx, dw, db, g, g_mean, g_var, x, w, eps)
    return dx, dw, db


def _plain(*arrays):
    """Return the arrays in one dtype, C order and writable: Numba compiles anew for each other kind."""
    dtype = np.result_type(*arrays)
    return [np.require(a, dtype, "CW") for a in arrays]


# -- the two, compiled ------------------------------------------------------------------------------------------------


@njit
def batch_norm_into(y, mean, var, x, w, b, eps):
    """Fill y, mean and var."""
    statistics = np.zeros((2, len(w)))
    _moments(x, statistics[0], statistics[1])
    scale = np.empty_like(w)
    for c in range(len(w)):
        mean[c], var[c] = statistics[0, c], statistics[1, c]
        scale[c] = w[c] / np.sqrt(statistics[1, c] + eps)
    _scale_and_shift(x, mean, scale, b, y)


@njit
def batch_norm_backward_into(dx, dw, db, g, g_mean, g_var, x, w, eps):
    """Fill dx, dw and db. As a function of g and x, dx = of_g g + of_deviation (x - mean) + constant per channel."""
    statistics, sums = np.zeros((2, len(w))), np.zeros((2, len(w)))
    _moments(x, statistics[0], statistics[1])
    mean = statistics[0].astype(x.dtype)
    of_g, of_deviation, constant = np.empty((3, len(w)), x.dtype)
    _products(g, x, mean, sums[0], sums[1])
    m = x.shape[0] * x.shape[2]
    for c in range(len(w)):
        r = 1.0 / np.sqrt(statistics[1, c] + eps)
        total, dot = sums[0, c], sums[1, c] * r
        db[c], dw[c] = total, dot
        of_g[c] = w[c] * r
        of_deviation[c] = (2.0 * g_var[c] - w[c] * r * r * dot) / m
        constant[c] = (g_mean[c] - w[c] * r * total) / m
    _combine(g, x, mean, of_g, of_deviation, constant, dx)


# -- their passes over memory -----------------------------------------------------------------------------------------


@_sums
def _moments(x, mean, var):
    """Add to mean and var (C,), zeros of float64, in two passes: deviations from the mean do not cancel."""
    images, channels, length = x.shape
    zero = x.dtype.type(0)
    for n in range(images):
        for c in range(channels):
            row, part = x[n, c], zero
            for k in range(length):
                part += row[k]
            mean[c] += part
    mean /= images * length
    centres = mean.astype(x.dtype)
    for n in range(images):
        for c in range(channels):
            row, part, centre = x[n, c], zero, centres[c]
            for k in range(length):
                part += (row[k] - centre) * (row[k] - centre)
            var[c] += part
    var /= images * length


@_sums
def _products(g, x, mean, total, dot):
    """Add sum g to total and sum g (x - mean) to dot, both (C,), zeros of float64."""
    images, channels, length = x.shape
    zero = x.dtype.type(0)
    for n in range(images):
        for c in range(channels):
            g_row, x_row, centre = g[n, c], x[n, c], mean[c]
            part, product = zero, zero
            for k in range(length):
                part += g_row[k]
                product += g_row[k] * (x_row[k] - centre)
            total[c] += part
            dot[c] += product


@njit
def _scale_and_shift(x, mean, scale, shift, y):
    """y = scale (x - mean) + shift, per channel."""
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            source, target = x[n, c], y[n, c]
            for k in range(source.size):
                target[k] = scale[c] * (source[k] - mean[c]) + shift[c]


@njit
def _combine(g, x, mean, of_g, of_deviation, constant, dx):
    """dx = of_g g + of_deviation (x - mean) + constant, per channel."""
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            g_row, x_row, target = g[n, c], x[n, c], dx[n, c]
            for k in range(target.size):
                target[k] = of_g[c] * g_row[k] + of_deviation[c] * (x_row[k] - mean[c]) + constant[c]
