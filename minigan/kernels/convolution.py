"""Convolution as matrix products over patches. Plain arrays in, plain arrays out; no autodiff here.

An image (C, H, W) is first copied into a frame: channels last, zeros around it. There, a row of a kh x kw patch is one
run of kw C neighbouring numbers, so that gathering the patches (im2col) and adding them back (col2im) move whole runs.
The rows of the patch matrix are the places (n, i, j) of the output, its columns the entries (a, b, c) of the kernel::

    convolution             y  =  patches(x) W^T
    transposed convolution  x  =  the sum of the patches  y W,  each added where `patches` takes it from
    gradient of the weight  W  =  y^T patches(x)

It is worked on a few images at a time, so that the patches, which hold every pixel up to kh kw times, stay in the
processor's cache and take no memory to speak of. Threads share the images.

Each of the three is one compiled function that writes into given memory (``..._into``): compiled steps call it as it
is, and the functions at the top of the file take memory for it.
"""

import numpy as np

from minigan.kernels.host import plain
from minigan.kernels.jit import inner, njit
from minigan.kernels.products import SMALL, multiply, prepared
from minigan.kernels.threads import share

PATCH_BYTES = 2**19  # of patches at a time: a quarter of a usual second-level cache
PARTS = 4  # into which images are divided


def conv2d(x, w, stride, padding):
    """Return y (N, O, H', W') of x (N, C, H, W) and w (O, C, kh, kw); `stride` and `padding` are pairs."""
    x, w = plain(x, w)
    y = np.empty((len(x), len(w), *output_size(x.shape[2:], w.shape[2:], stride, padding)), x.dtype)
    conv2d_into(y, x, w, *numbers(stride, padding))
    return y


def conv_transpose2d(y, w, size, stride, padding):
    """Return x (N, C, *size), the transpose of `conv2d` in x: y (N, O, H', W') is laid out through w (O, C, kh, kw)."""
    y, w = plain(y, w)
    x = np.empty((len(y), w.shape[1], *size), y.dtype)
    conv_transpose2d_into(x, y, w, *numbers(stride, padding))
    return x


def conv2d_weight(x, y, kernel, stride, padding):
    """Return w (O, C, *kernel), the transpose of `conv2d` in w: w[o, c] correlates y[:, o] with the shifted x[:, c]."""
    x, y = plain(x, y)
    w = np.empty((y.shape[1], x.shape[1], *kernel), x.dtype)
    conv2d_weight_into(w, x, y, *numbers(stride, padding))
    return w


def add_bias(y, b):
    """Return y (N, O, H, W) with b (O,) added to its channels, in its own memory if that can hold the sum."""
    if b.dtype != y.dtype:
        return y + b.reshape(-1, 1, 1)
    _add_bias(_in_rows(y), *plain(b))
    return y


def sum_of_channels(y):
    """Return the sums (O,) over the images and places of y (N, O, H, W)."""
    (y,) = plain(y)
    sums = np.zeros(y.shape[1], y.dtype)
    _sum_of_channels(sums, _in_rows(y))
    return sums


def _in_rows(y):
    """Return y (N, O, H, W) as (N, O, H W)."""
    return y.reshape(*y.shape[:2], y.shape[2] * y.shape[3])


def output_size(size, kernel, stride, padding):
    """Return (H', W') with H' = floor((H + 2 p - k) / s) + 1."""
    return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding, strict=True))


def numbers(stride, padding, **_):
    """Return what the compiled functions are told beside arrays: (down, right, top, left, patch_bytes)."""
    return *stride, *padding, PATCH_BYTES


# -- the three, compiled ----------------------------------------------------------------------------------------------


@njit
def conv2d_into(y, x, w, down, right, top, left, patch_bytes):
    """Fill y; `down` and `right` are the stride, `top` and `left` the padding."""
    matrix = prepared(_matrix(w).T)
    images = _images_of_a_part(y, w)
    _conv2d(-(-len(y) // images), images, y, x, w, matrix, down, right, top, left, patch_bytes)


@share
@inner
def _conv2d(part, images, y, x, w, matrix, down, right, top, left, patch_bytes):
    x, y = x[part * images : (part + 1) * images], y[part * images : (part + 1) * images]
    entries = w.size // len(w)
    height, width, step = _places(y, w.size, entries, patch_bytes)
    places = height * width
    frame = _frame(x, top, left)
    patches = np.empty((step * places, entries), x.dtype)
    product = np.empty((step * places, len(w)), x.dtype)
    y, by_image = y.reshape(len(y), len(w), 1, places), product.reshape(step, 1, places, len(w))
    for start in range(0, len(x), step):
        n = min(step, len(x) - start)
        rows = patches[: n * places]
        _gather_patches(rows, x[start : start + n], frame, w.shape[2], height, width, down, right, top, left)
        multiply(product[: n * places], rows, matrix)
        for k in range(n):
            _from_frame(y[start + k], by_image[k], 0, 0)


@njit
def conv_transpose2d_into(x, y, w, down, right, top, left, patch_bytes):
    """Fill x, of the size it has."""
    images = _images_of_a_part(y, w)
    matrix = prepared(_matrix(w))
    _conv_transpose2d(-(-len(y) // images), images, x, y, w, matrix, down, right, top, left, patch_bytes)


@share
@inner
def _conv_transpose2d(part, images, x, y, w, matrix, down, right, top, left, patch_bytes):
    x, y = x[part * images : (part + 1) * images], y[part * images : (part + 1) * images]
    entries = w.size // len(w)
    height, width, step = _places(y, w.size, entries, patch_bytes)
    frame = _frame(x, top, left)
    patches = np.empty((step * height * width, entries), x.dtype)
    memory = np.empty(step * height * width * len(w), y.dtype)
    for start in range(0, len(y), step):
        n = min(step, len(y) - start)
        rows = patches[: n * height * width]
        multiply(rows, _columns(memory, y[start : start + n]).T, matrix)
        by_image = rows.reshape(n, height, width, w.shape[2], -1)
        for k in range(n):
            frame[...] = 0
            _scatter_add(by_image[k], frame, down, right)
            _from_frame(x[start + k], frame, top, left)


@njit
def conv2d_weight_into(w, x, y, down, right, top, left, patch_bytes):
    """Fill w, of the size it has."""
    o, c, kh, kw = w.shape
    images = _images_of_a_part(y, w)
    parts = -(-len(y) // images)
    sums = np.zeros((max(parts, 1), o, kh * kw * c), w.dtype)
    _conv2d_weight(parts, images, sums, x, y, kh, down, right, top, left, patch_bytes)
    for part in range(1, parts):
        _add(sums[0], sums[part])
    entries = sums[0].reshape(o, kh, kw, c)
    for k in range(o):
        _from_frame(w[k], entries[k], 0, 0)


@share
@inner
def _conv2d_weight(part, images, sums, x, y, kh, down, right, top, left, patch_bytes):
    x, y = x[part * images : (part + 1) * images], y[part * images : (part + 1) * images]
    o, entries = sums[part].shape
    height, width, step = _places(y, o * entries, entries, patch_bytes)
    frame = _frame(x, top, left)
    patches = np.empty((step * height * width, entries), x.dtype)
    memory = np.empty(step * height * width * o, y.dtype)
    product = np.empty((o, entries), x.dtype)
    for start in range(0, len(x), step):
        n = min(step, len(x) - start)
        rows = patches[: n * height * width]
        _gather_patches(rows, x[start : start + n], frame, kh, height, width, down, right, top, left)
        multiply(product, _columns(memory, y[start : start + n]), rows)
        _add(sums[part], product)


# -- a bias ------------------------------------------------------------------------------------------------------------


@njit
def _add_bias(y, b):
    for n in range(y.shape[0]):
        for c in range(y.shape[1]):
            for p in range(y.shape[2]):
                y[n, c, p] += b[c]


@njit
def _sum_of_channels(sums, y):
    of_images = np.zeros(y.shape[1:], y.dtype)  # first, for each place: many sums side by side
    for n in range(y.shape[0]):
        for c in range(y.shape[1]):
            for p in range(y.shape[2]):
                of_images[c, p] += y[n, c, p]
    for c in range(y.shape[1]):
        for p in range(y.shape[2]):
            sums[c] += of_images[c, p]


# -- their parts ------------------------------------------------------------------------------------------------------


@inner
def _images_of_a_part(y, w):
    """Return how many images a thread takes at a time: all, where that is little work."""
    multiplications = y.size * (w.size // len(w))
    return max(1, len(y) if multiplications < PARTS * SMALL else -(-len(y) // PARTS))


@inner
def _places(y, weights, entries, patch_bytes):
    """Return H', W', and how many images to take at a time.

    Their patches, `entries` numbers for each place, fit into `patch_bytes`; and where a product for one image has fewer
    multiplications than `SMALL`, so has the product for all of them.
    """
    height, width = y.shape[2], y.shape[3]
    step = patch_bytes // (height * width * entries * y.itemsize)
    small = SMALL // (height * width * weights)
    return height, width, max(1, min(step, small or step, len(y)))


@inner
def _matrix(w):
    """Return w (O, C, kh, kw) as a matrix (O, kh kw C)."""
    o, c, kh, kw = w.shape
    entries = np.empty((o, kh, kw, c), w.dtype)
    for k in range(o):
        _into_frame(w[k], entries[k], 0, 0)
    return entries.reshape(o, kh * kw * c)


@inner
def _add(total, x):
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += x[i, j]


@inner
def _columns(memory, y):
    """Return y (N, O, H', W') as a matrix (O, N H' W') in `memory`: a column for each place."""
    o, places = y.shape[1], y.shape[2] * y.shape[3]
    y = np.ascontiguousarray(y).reshape(len(y), o, places)
    columns = memory[: y.size].reshape(o, -1)
    for n in range(len(y)):
        for k in range(o):
            for p in range(places):
                columns[k, n * places + p] = y[n, k, p]
    return columns


@inner
def _frame(x, top, left):
    """Return zeros (H + 2 top, W + 2 left, C) for an image of x (N, C, H, W)."""
    return np.zeros((x.shape[2] + 2 * top, x.shape[3] + 2 * left, x.shape[1]), x.dtype)


@inner
def _into_frame(image, frame, top, left):
    """Copy an image (C, H, W) into the middle of a frame; the longer of the axes that change places is innermost."""
    channels, height, width = image.shape
    for i in range(height):
        if channels > width:
            for j in range(width):
                for c in range(channels):
                    frame[top + i, left + j, c] = image[c, i, j]
        else:
            for c in range(channels):
                for j in range(width):
                    frame[top + i, left + j, c] = image[c, i, j]


@inner
def _from_frame(image, frame, top, left):
    """Copy the middle of a frame into an image (C, H, W)."""
    channels, height, width = image.shape
    for i in range(height):
        for c in range(channels):
            for j in range(width):
                image[c, i, j] = frame[top + i, left + j, c]


@inner
def _gather_patches(rows, x, frame, kh, height, width, down, right, top, left):
    """Fill rows (N H' W', kh kw C) with the patches of x (N, C, H, W), one image after the other in the frame."""
    by_image = rows.reshape(len(x), height, width, kh, -1)
    for n in range(len(x)):
        _into_frame(x[n], frame, top, left)
        _gather(frame, by_image[n], down, right)


@inner
def _gather(frame, patches, down, right):
    """Copy runs of a frame into patches (H', W', kh, kw C): row i down + a from j right on to [i, j, a]."""
    height, width, kh, run = patches.shape
    channels = frame.shape[2]
    rows = frame.reshape(len(frame), -1)
    for i in range(height):
        for j in range(width):
            first = j * right * channels
            for a in range(kh):
                source = rows[i * down + a, first : first + run]
                target = patches[i, j, a]
                for k in range(run):
                    target[k] = source[k]


@inner
def _scatter_add(patches, frame, down, right):
    """The transpose of `_gather`: every run is added where it would have been taken from."""
    height, width, kh, run = patches.shape
    channels = frame.shape[2]
    rows = frame.reshape(len(frame), -1)
    for i in range(height):
        for j in range(width):
            first = j * right * channels
            for a in range(kh):
                source = patches[i, j, a]
                target = rows[i * down + a, first : first + run]
                for k in range(run):
                    target[k] += source[k]
