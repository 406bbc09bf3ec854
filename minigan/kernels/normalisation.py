"""Batch normalisation, forward and backward, in as few passes over memory as there are dependencies. No autodiff here.

Arrays are (N, C, L): all places of an image in one axis. Sums over them may be reordered, which is what lets them
vectorise; the statistics themselves are added up in float64.
"""

import numpy as np

from minigan.kernels.jit import njit

_sums = njit(fastmath=("nsz", "arcp", "contract", "afn", "reassoc"))


def batch_norm(x, w, b, eps):
    """Return y = w (x - mean) / sqrt(var + eps) + b (N, C, L), and mean and var (C,) over N and L."""
    x = np.ascontiguousarray(x, np.result_type(x, w, b))
    mean, var = np.zeros((2, x.shape[1]))
    _moments(x, mean, var)
    scale = w / np.sqrt(var + eps)
    y = np.empty_like(x)
    _scale_and_shift(x, _like(mean, x), _like(scale, x), _like(b, x), y)
    return y, _like(mean, x), _like(var, x)


def batch_norm_backward(g, g_mean, g_var, x, w, eps):
    """Return dx (N, C, L), dw and db (C,) for cotangents g of y, g_mean and g_var of mean and var.

    With n = (x - mean) r, r = 1 / sqrt(var + eps), m = N L: db = sum g, dw = sum g n, and
    dx = w r (g - db / m - n dw / m) + g_mean / m + 2 g_var (x - mean) / m.
    """
    dtype = np.result_type(g, x, w)
    g, x = np.ascontiguousarray(g, dtype), np.ascontiguousarray(x, dtype)
    mean, var, db, dot = np.zeros((4, x.shape[1]))
    _moments(x, mean, var)
    _products(g, x, _like(mean, x), db, dot)
    m, r = x.shape[0] * x.shape[2], 1.0 / np.sqrt(var + eps)
    dw = dot * r
    of_g = w * r
    of_deviation = (2.0 * g_var - of_g * r * dw) / m
    constant = (g_mean - of_g * db) / m
    dx = np.empty_like(x)
    _combine(g, x, _like(mean, x), _like(of_g, x), _like(of_deviation, x), _like(constant, x), dx)
    return dx, _like(dw, x), _like(db, x)


def _like(a, x):
    return a.astype(x.dtype)


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
