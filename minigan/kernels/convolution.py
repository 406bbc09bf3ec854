"""Convolution as matrix products over patches. Plain arrays in, plain arrays out; no autodiff here.

An image (N, C, H, W) is first copied with its channels last and zeros around it. There, a row of a kh x kw patch is one
run of kw C neighbouring numbers, so that gathering the patches (im2col) and adding them back (col2im) move whole runs.
The rows of the patch matrix are the places (n, i, j) of the output, its columns the entries (a, b, c) of the kernel.

It is worked on a few images at a time, so that the patches, which hold every pixel up to kh kw times, stay in the
processor's cache and take no memory to speak of.
"""

import numpy as np

from minigan.kernels.jit import njit

PATCH_BYTES = 2**20  # of patches at a time: half of a usual second-level cache


def conv2d(x, w, stride, padding):
    """Return y (N, O, H', W') of x (N, C, H, W) and w (O, C, kh, kw); `stride` and `padding` are pairs."""
    x, w = _same_dtype(x, w)
    o, _, *kernel = w.shape
    matrix = w.transpose(2, 3, 1, 0).reshape(-1, o)
    size = output_size(x.shape[2:], kernel, stride, padding)
    y = np.empty((len(x), o, *size), x.dtype)
    for images, patches in _patches(x, kernel, stride, padding):
        y[images] = (patches @ matrix).reshape(-1, *size, o).transpose(0, 3, 1, 2)
    return y


def conv_transpose2d(y, w, size, stride, padding):
    """Return x (N, C, *size), the transpose of `conv2d` in x: y (N, O, H', W') is laid out through w (O, C, kh, kw)."""
    y, w = _same_dtype(y, w)
    o, c, kh, kw = w.shape
    matrix = w.transpose(0, 2, 3, 1).reshape(o, -1)
    x = np.empty((len(y), c, *size), y.dtype)
    for images in _blocks(len(y), y.shape[2:], kh * kw * c, y.dtype):
        framed, inside = _framed(images.stop - images.start, c, size, padding, y.dtype)
        patches = _columns(y[images]).T @ matrix
        _scatter_add(patches.reshape(-1, *y.shape[2:], kh, kw * c), _runs(framed), stride[0], stride[1] * c)
        x[images] = inside.transpose(0, 3, 1, 2)
    return x


def conv2d_weight(x, y, kernel, stride, padding):
    """Return w (O, C, *kernel), the transpose of `conv2d` in w: w[o, c] correlates y[:, o] with the shifted x[:, c]."""
    x, y = _same_dtype(x, y)
    o, c = y.shape[1], x.shape[1]
    w = np.zeros((o, kernel[0] * kernel[1] * c), x.dtype)
    for images, patches in _patches(x, kernel, stride, padding):
        w += _columns(y[images]) @ patches
    return np.ascontiguousarray(w.reshape(o, *kernel, c).transpose(0, 3, 1, 2))


def output_size(size, kernel, stride, padding):
    """Return (H', W') with H' = floor((H + 2 p - k) / s) + 1."""
    return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding, strict=True))


def _same_dtype(a, b):
    dtype = np.result_type(a, b)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)


def _columns(y):
    """(N, O, H, W) -> (O, N H W): a column for each place."""
    return y.swapaxes(0, 1).reshape(y.shape[1], -1)


def _runs(x):
    """(N, H, W, C) -> (N, H, W C): a patch's row is one run of it."""
    n, h, w, c = x.shape
    return x.reshape(n, h, w * c)


def _blocks(n, places, entries, dtype):
    """Cut n images into slices whose patches, of `entries` numbers for each of `places` (H', W'), fill the cache."""
    step = max(1, PATCH_BYTES // (places[0] * places[1] * entries * dtype.itemsize))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def _framed(n, c, size, padding, dtype):
    """Return zeros (n, H + 2 ph, W + 2 pw, c), and of it the part without the frame, (n, H, W, c)."""
    (h, w), (ph, pw) = size, padding
    framed = np.zeros((n, h + 2 * ph, w + 2 * pw, c), dtype)
    return framed, framed[:, ph : ph + h, pw : pw + w]


def _patches(x, kernel, stride, padding):
    """Yield (images, patches): a slice of the batch and its patches (n H' W', kh kw C), overwritten by the next."""
    (_, c, *size), (kh, kw) = x.shape, kernel
    places = output_size(size, kernel, stride, padding)
    for images in _blocks(len(x), places, kh * kw * c, x.dtype):
        n = images.stop - images.start
        if images.start == 0:
            framed, inside = _framed(n, c, size, padding, x.dtype)
            buffer = np.empty((n, *places, kh, kw * c), x.dtype)
        inside[:n] = x[images].transpose(0, 2, 3, 1)
        _gather(_runs(framed[:n]), buffer[:n], stride[0], stride[1] * c)
        yield images, buffer[:n].reshape(-1, kh * kw * c)


@njit
def _gather(x, patches, down, right):
    """Copy runs of x (N, H, W C) into patches (N, H', W', kh, kw C): row i down + a from j right to [n, i, j, a]."""
    images, height, width, kh, run = patches.shape
    for n in range(images):
        for i in range(height):
            for j in range(width):
                for a in range(kh):
                    source = x[n, i * down + a, j * right : j * right + run]
                    target = patches[n, i, j, a]
                    for k in range(run):
                        target[k] = source[k]


@njit
def _scatter_add(patches, x, down, right):
    """The transpose of `_gather`: every run is added where it would have been taken from."""
    images, height, width, kh, run = patches.shape
    for n in range(images):
        for i in range(height):
            for j in range(width):
                for a in range(kh):
                    source = patches[n, i, j, a]
                    target = x[n, i * down + a, j * right : j * right + run]
                    for k in range(run):
                        target[k] += source[k]
