"""Batch normalisation, forward and backward, in as few passes over memory as there are dependencies. No autodiff here.

Arrays are (N, C, L): all places of an image in one axis. They are added up image by image, place by place, which takes
many places at once; then the places of a channel, in float64. So the order is written down: where the compiler may
choose it, the last bits of a kernel compiled just now are not those of the same kernel read from disk. Threads share
the channels.

Each direction is one compiled function that writes into given memory (``..._into``): compiled steps call it as it is,
and the functions at the top take memory for it.
"""

import numpy as np

from minigan.kernels.host import plain
from minigan.kernels.jit import inner, njit
from minigan.kernels.threads import share


def batch_norm(x, w, b, eps):
    """Return y = w (x - mean) / sqrt(var + eps) + b (N, C, L), and mean and var (C,) over N and L."""
    x, w, b = plain(x, w, b)
    y, mean, var = np.empty_like(x), np.empty_like(w), np.empty_like(w)
    batch_norm_into(y, mean, var, x, w, b, eps)
    return y, mean, var


def batch_norm_backward(g, g_mean, g_var, x, w, eps):
    """Return dx (N, C, L), dw and db (C,) for cotangents g of y, g_mean and g_var of mean and var.

    With n = (x - mean) r, r = 1 / sqrt(var + eps), m = N L: db = sum g, dw = sum g n, and
    dx = w r (g - db / m - n dw / m) + g_mean / m + 2 g_var (x - mean) / m.
    """
    g, g_mean, g_var, x, w = plain(g, g_mean, g_var, x, w)
    dx, dw, db = np.empty_like(x), np.empty_like(w), np.empty_like(w)
    batch_norm_backward_into(dx, dw, db, g, g_mean, g_var, x, w, eps)
    return dx, dw, db


# -- the two, compiled ------------------------------------------------------------------------------------------------

PLACES = 1024  # of the channels that one thread takes at a time: few enough for the fastest cache


@njit
def batch_norm_into(y, mean, var, x, w, b, eps):
    """Fill y, mean and var."""
    x, channels = np.ascontiguousarray(x), _of_a_part(x)
    _forward(-(-len(w) // channels), channels, y, mean, var, x, w, b, eps)


@share
@inner
def _forward(part, channels, y, mean, var, x, w, b, eps):
    c, places = _channels_and_places(part, channels, x)
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    mean, var, w, b = mean[c], var[c], w[c], b[c]
    exact_mean, exact_var = _moments(x, places, len(w))
    scale = np.empty_like(w)
    for i in range(len(w)):
        mean[i], var[i] = exact_mean[i], exact_var[i]
        scale[i] = w[i] / np.sqrt(exact_var[i] + eps)
    centre, scale, shift = _at_places(mean, places), _at_places(scale, places), _at_places(b, places)
    for n in range(len(x)):
        source, target = x[n, places], y[n, places]
        for k in range(centre.size):
            target[k] = scale[k] * (source[k] - centre[k]) + shift[k]


@njit
def batch_norm_backward_into(dx, dw, db, g, g_mean, g_var, x, w, eps):
    """Fill dx, dw and db."""
    g, x, channels = np.ascontiguousarray(g), np.ascontiguousarray(x), _of_a_part(x)
    _backward(-(-len(w) // channels), channels, dx, dw, db, g, g_mean, g_var, x, w, eps)


@share
@inner
def _backward(part, channels, dx, dw, db, g, g_mean, g_var, x, w, eps):
    """As a function of g and x, dx = of_g g + of_deviation (x - mean) + constant per channel."""
    m = x.shape[0] * x.shape[2]
    c, places = _channels_and_places(part, channels, x)
    dx, g, x = dx.reshape(len(x), -1), g.reshape(len(x), -1), x.reshape(len(x), -1)
    dw, db, g_mean, g_var, w = dw[c], db[c], g_mean[c], g_var[c], w[c]
    mean, var = _moments(x, places, len(w))
    centre = _at_places(mean.astype(x.dtype), places)
    total, dot = _products(g, x, centre, places, len(w))
    of_g, of_deviation, constant = np.empty_like(w), np.empty_like(w), np.empty_like(w)
    for i in range(len(w)):
        r = 1.0 / np.sqrt(var[i] + eps)
        db[i], dw[i] = total[i], dot[i] * r
        of_g[i] = w[i] * r
        of_deviation[i] = (2.0 * g_var[i] - w[i] * r * r * dot[i] * r) / m
        constant[i] = (g_mean[i] - w[i] * r * total[i]) / m
    of_g, of_deviation = _at_places(of_g, places), _at_places(of_deviation, places)
    constant = _at_places(constant, places)
    for n in range(len(x)):
        g_row, x_row, target = g[n, places], x[n, places], dx[n, places]
        for k in range(centre.size):
            target[k] = of_g[k] * g_row[k] + of_deviation[k] * (x_row[k] - centre[k]) + constant[k]


# -- their passes over memory -----------------------------------------------------------------------------------------


@inner
def _of_a_part(x):
    """Return how many channels a thread takes at a time."""
    return max(1, PLACES // max(1, x.shape[2]))


@inner
def _channels_and_places(part, channels, x):
    """Return which channels are a part's, and where their places are in a row of all places of an image."""
    first, last = part * channels, min((part + 1) * channels, x.shape[1])
    return slice(first, last), slice(first * x.shape[2], last * x.shape[2])


@inner
def _at_places(of_channel, places):
    """Return what is given for each channel at each of its places."""
    at = np.empty((len(of_channel), (places.stop - places.start) // len(of_channel)), of_channel.dtype)
    for c in range(at.shape[0]):
        for k in range(at.shape[1]):
            at[c, k] = of_channel[c]
    return at.reshape(-1)


@inner
def _of_channels(places, channels):
    """Return the sum over the places of each channel, in float64: one half is added to the other until one is left."""
    sums = places.reshape(channels, -1).astype(np.float64)
    n = sums.shape[1]
    if n == 0:
        return np.zeros(channels)
    while n > 1:
        half = (n + 1) // 2
        for c in range(channels):
            for k in range(n - half):
                sums[c, k] += sums[c, half + k]
        n = half
    return sums[:, 0].copy()


@inner
def _moments(x, places, channels):
    """Return mean and variance of each channel, in two passes: deviations from the mean do not cancel."""
    sums = np.zeros(places.stop - places.start, x.dtype)
    m = len(x) * sums.size // channels
    for n in range(len(x)):
        row = x[n, places]
        for k in range(sums.size):
            sums[k] += row[k]
    mean = _of_channels(sums, channels) / m
    centre = _at_places(mean.astype(x.dtype), places)
    sums[:] = 0
    for n in range(len(x)):
        row = x[n, places]
        for k in range(sums.size):
            sums[k] += (row[k] - centre[k]) * (row[k] - centre[k])
    return mean, _of_channels(sums, channels) / m


@inner
def _products(g, x, centre, places, channels):
    """Return the sums of g and of g (x - mean) of each channel."""
    total, dot = np.zeros_like(centre), np.zeros_like(centre)
    for n in range(len(x)):
        g_row, x_row = g[n, places], x[n, places]
        for k in range(centre.size):
            total[k] += g_row[k]
        for k in range(centre.size):
            dot[k] += g_row[k] * (x_row[k] - centre[k])
    return _of_channels(total, channels), _of_channels(dot, channels)
