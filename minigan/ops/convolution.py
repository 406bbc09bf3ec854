"""Two-dimensional convolution, its transpose, and the gradient of its weight.

They are the three derivatives of one trilinear form (sums over n, o, c, the places i, j and the kernel's a, b)::

    T(x, w, y) = sum  y[n, o, i, j]  w[o, c, a, b]  x[n, c, s i + a - p, s j + b - p]

`conv2d` is dT/dy, a bilinear function of x and w; the transposed convolution is dT/dx, of y and w; the gradient of the
weight is dT/dw, of x and y. So each one's derivatives are the other two, and derivatives of any order stay among them.
"""

import numpy as np

from minigan.domains import REAL, Domain
from minigan.engine import as_tensor, primitive
from minigan.errors import ConfigError, ShapeError
from minigan.kernels import convolution as kernels
from minigan.lowerings import Kernel
from minigan.ops.linear import einsum
from minigan.ops.reductions import sum
from minigan.ops.shape import broadcast_to, getitem, pad, reshape, scatter_add, stack

# -- the references: one small product for every entry of the kernel --------------------------------------------------


def _taps(kernel, stride, size):
    """Yield (a, b, index): which pixels of the padded image meet entry (a, b) of the kernel; `size` is (H', W')."""
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            rows, columns = (slice(k, k + (n - 1) * s + 1, s) for k, n, s in zip((a, b), size, stride, strict=True))
            yield a, b, (slice(None), slice(None), rows, columns)


def _frame(padding):
    return [(0, 0), (0, 0), *((p, p) for p in padding)]


def conv2d_reference(x, w, *, stride, padding):
    """Return conv2d(x, w) as a sum over the kernel's entries of channel mixtures of a shifted image."""
    kernel = w.shape[2:]
    size = kernels.output_size(x.shape[2:], kernel, stride, padding)
    x, y = pad(x, _frame(padding)), 0.0
    for a, b, index in _taps(kernel, stride, size):
        y = y + einsum("ncij,oc->noij", x[index], w[:, :, a, b])
    return y


def conv_transpose2d_reference(y, w, *, size, stride, padding):
    """Return conv_transpose2d(y, w): for every entry of the kernel, a channel mixture of y is added to its pixels."""
    padded = (len(y), w.shape[1], *(n + 2 * p for n, p in zip(size, padding, strict=True)))
    x = 0.0
    for a, b, index in _taps(w.shape[2:], stride, y.shape[2:]):
        x = x + scatter_add(einsum("noij,oc->ncij", y, w[:, :, a, b]), index=index, shape=padded)
    rows, columns = (slice(p, p + n) for n, p in zip(size, padding, strict=True))
    return getitem(x, (slice(None), slice(None), rows, columns))


def conv2d_weight_reference(x, y, *, kernel, stride, padding):
    """Return the weight's gradient: for every entry of the kernel, the products of y with the pixels that met it."""
    x = pad(x, _frame(padding))
    entries = [einsum("ncij,noij->oc", x[index], y) for _, _, index in _taps(kernel, stride, y.shape[2:])]
    return reshape(stack(entries, axis=-1), (y.shape[1], x.shape[1], *kernel))


# -- where they are defined -------------------------------------------------------------------------------------------


def _draw(rng, side):
    """Draw shapes of (x, w, y) that fit, and the parameters; one batch in twenty is empty."""
    n, c, o = (int(k) for k in rng.integers(1, 3, 3))
    n = 0 if rng.random() < 0.05 else n
    kernel, out = (tuple(int(k) for k in rng.integers(1, min(side, 3) + 1, 2)) for _ in range(2))
    stride = tuple(int(s) for s in rng.integers(1, 4, 2))
    spans = [(m - 1) * s + k for m, s, k in zip(out, stride, kernel, strict=True)]
    padding = tuple(int(rng.integers(0, min(2, (span - 1) // 2) + 1)) for span in spans)
    # pixels that the last step of the kernel does not reach: what output_padding is for
    left_over = [int(rng.integers(0, s)) for s in stride]
    size = tuple(m + r - 2 * p for m, r, p in zip(spans, left_over, padding, strict=True))
    shapes = (n, c, *size), (o, c, *kernel), (n, o, *out)
    return shapes, {"stride": stride, "padding": padding}


def _bilinear(first, second, extra=None):
    """Return the domain of the function of two of (x, w, y); `extra` names what else it has to be told of the third."""

    def arguments(rng, side):
        shapes, params = _draw(rng, side)
        if extra is not None:
            name, of = extra
            params[name] = shapes[of][2:]
        return (REAL.draw(rng, shapes[first]), REAL.draw(rng, shapes[second])), params

    return Domain(arguments)


# -- the three primitives ---------------------------------------------------------------------------------------------


def _written_by(kernel):
    """Return the lowering: the function that fills given memory, for two arrays of one dtype."""
    return Kernel(kernel, kernels.numbers, takes=lambda a, b: a.dtype == b.dtype)


@primitive(
    vjp=(
        lambda g, y, x, w, **at: _conv_transpose2d(g, w, size=x.shape[2:], **at),
        lambda g, y, x, w, **at: _conv2d_weight(x, g, kernel=w.shape[2:], **at),
    ),
    reference=conv2d_reference,
    domain=_bilinear(0, 1),
    lowering=_written_by(kernels.conv2d_into),
    name="conv2d",
)
def _conv2d(x, w, *, stride, padding):
    return kernels.conv2d(x, w, stride, padding)


@primitive(
    vjp=(
        lambda g, x, y, w, size, **at: _conv2d(g, w, **at),
        lambda g, x, y, w, size, **at: _conv2d_weight(g, y, kernel=w.shape[2:], **at),
    ),
    reference=conv_transpose2d_reference,
    domain=_bilinear(2, 1, extra=("size", 0)),
    lowering=_written_by(kernels.conv_transpose2d_into),
    name="conv_transpose2d",
)
def _conv_transpose2d(y, w, *, size, stride, padding):
    return kernels.conv_transpose2d(y, w, size, stride, padding)


@primitive(
    vjp=(
        lambda g, w, x, y, kernel, **at: _conv_transpose2d(y, g, size=x.shape[2:], **at),
        lambda g, w, x, y, kernel, **at: _conv2d(x, g, **at),
    ),
    reference=conv2d_weight_reference,
    domain=_bilinear(0, 2, extra=("kernel", 1)),
    lowering=_written_by(kernels.conv2d_weight_into),
    name="conv2d_weight",
)
def _conv2d_weight(x, y, *, kernel, stride, padding):
    return kernels.conv2d_weight(x, y, kernel, stride, padding)


# -- with a bias: faster where they run one by one; compiled steps take the references -------------------------------


@primitive(
    vjp=(lambda g, out, y: broadcast_to(reshape(g, (-1, 1, 1)), y.shape),),
    reference=lambda y: sum(y, axis=(0, 2, 3)),
    domain=Domain(lambda rng, side: ((REAL.draw(rng, _draw(rng, side)[0][2]),), {})),
)
def sum_of_channels(y):
    """Return the sum over all images and places: (N, O, H, W) -> (O,)."""
    return kernels.sum_of_channels(y)


def _with_bias(convolution):
    """Return the convolution (x, w, b), whose bias is added where the result lies."""
    plain = convolution.primitive

    def domain(rng, side):
        args, params = plain.domain.sample(rng, side)
        channels = plain.impl(*args, **params).shape[1]
        return (*args, REAL.draw(rng, (channels,))), params

    @primitive(
        vjp=(
            *(lambda g, y, x, w, b, rule=rule, **at: rule(g, y, x, w, **at) for rule in plain.vjp),
            lambda g, *_, **__: sum_of_channels(g),
        ),
        reference=lambda x, w, b, **at: convolution(x, w, **at) + reshape(b, (-1, 1, 1)),
        domain=Domain(domain),
        name=f"{plain.name}_with_bias",
    )
    def biased(x, w, b, **at):
        return kernels.add_bias(plain.impl(x, w, **at), b)

    return biased


_conv2d_with_bias, _conv_transpose2d_with_bias = map(_with_bias, (_conv2d, _conv_transpose2d))


# -- the public functions ---------------------------------------------------------------------------------------------


def pair(value, name, least=0):
    """Return an int, or two of them, as a pair (vertical, horizontal).

    Raises
    ------
    ConfigError
        If it is neither, or a number is below `least`.
    """
    both = tuple(value) if isinstance(value, tuple | list) else (value, value)
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in both)
    if len(both) != 2 or not whole or min(both) < least:
        raise ConfigError(
            f"{name} is {value!r}; expected a whole number from {least} on, or two (vertical, horizontal)"
        )
    return int(both[0]), int(both[1])


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """Return the convolution (a cross-correlation: the kernel is not flipped) of images with a kernel.

    Parameters
    ----------
    x : (N, C, H, W) array
        Images; N may be 0.
    weight : (O, C, kh, kw) array
    bias : (O,) array, optional
    stride, padding : int or pair of int
        Pixels from one output to the next, and zeros put around the image: vertical, horizontal.

    Returns
    -------
    y : (N, O, H', W') Tensor
        H' = floor((H + 2 p - kh) / s) + 1, and W' alike (Dumoulin & Visin, 2016, relationship 6).
        In float32 or float64: of half precision and integers, float32 at least.

    Notes
    -----
    y[n, o, i, j] = b[o] + sum_{c, a, b} w[o, c, a, b] x[n, c, s i + a - p, s j + b - p].

    The pullback to x is the transposed convolution of g with the same weight; the pullback to the weight correlates g
    with x; to the bias, g is summed over n, i, j.

    Raises
    ------
    ShapeError
        If the shapes do not go together, or the kernel is larger than the padded image.
    ConfigError
        If `stride` is below 1 or `padding` below 0.
    """
    x, weight = as_tensor(x), as_tensor(weight)
    stride, padding = pair(stride, "conv2d: stride", 1), pair(padding, "conv2d: padding")
    if x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[1]:
        raise ShapeError(
            f"conv2d: x has shape {x.shape}, the weight {weight.shape}; expected (N, C, H, W) and (O, C, kh, kw) "
            "with the same C"
        )
    if min(kernels.output_size(x.shape[2:], weight.shape[2:], stride, padding)) < 1:
        raise ShapeError(
            f"conv2d: an image of {x.shape[2:]} pixels with padding {padding} is smaller than the kernel "
            f"{weight.shape[2:]}; pad more, or take a smaller kernel"
        )
    if bias is None:
        return _conv2d(x, weight, stride=stride, padding=padding)
    return _conv2d_with_bias(x, weight, _checked(bias, len(weight), "conv2d"), stride=stride, padding=padding)


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0):
    """Return the transposed convolution: every pixel of x lays the kernel, times its value, into a larger image.

    Parameters
    ----------
    x : (N, I, H, W) array
        N may be 0.
    weight : (I, O, kh, kw) array
        The other way round than in `conv2d`, as in PyTorch: the weight of the convolution whose transpose this is.
    bias : (O,) array, optional
    stride, padding : int or pair of int
        Of that convolution: `padding` pixels are cut off all round, for `stride` > 1 the image grows.
    output_padding : int or pair of int
        Rows and columns added below and on the right, less than `stride`: a convolution with a stride maps several
        sizes to one, and this says which is meant.

    Returns
    -------
    y : (N, O, H', W') Tensor
        H' = s (H - 1) + kh - 2 p + output_padding, and W' alike (Dumoulin & Visin, 2016, relationship 14).
        In float32 or float64: of half precision and integers, float32 at least.

    Notes
    -----
    y[n, o, u, v] = b[o] + sum w[c, o, a, b] x[n, c, i, j] over all c, a, b, i, j with s i + a - p = u, s j + b - p = v.

    The pullback to x is the convolution of g with the same weight.

    Raises
    ------
    ShapeError
        If the shapes do not go together, or padding cuts everything off.
    ConfigError
        If `stride` is below 1, another number below 0, or `output_padding` not below `stride`.
    """
    x, weight = as_tensor(x), as_tensor(weight)
    name = "conv_transpose2d"
    stride, padding = pair(stride, f"{name}: stride", 1), pair(padding, f"{name}: padding")
    extra = pair(output_padding, f"{name}: output_padding")
    if any(e >= s for e, s in zip(extra, stride, strict=True)):
        raise ConfigError(f"{name}: output_padding is {extra}, the stride {stride}; it must be less than the stride")
    if x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[0]:
        raise ShapeError(
            f"{name}: x has shape {x.shape}, the weight {weight.shape}; expected (N, I, H, W) and (I, O, kh, kw) "
            "with the same I"
        )
    size = tuple(
        s * (n - 1) + k - 2 * p + e
        for n, k, s, p, e in zip(x.shape[2:], weight.shape[2:], stride, padding, extra, strict=True)
    )
    if min(size) < 1 or min(x.shape[2:]) < 1:
        raise ShapeError(
            f"{name}: {x.shape[2:]} pixels with kernel {weight.shape[2:]}, stride {stride} and padding {padding} make "
            f"an image of {size}; take less padding"
        )
    if bias is None:
        return _conv_transpose2d(x, weight, size=size, stride=stride, padding=padding)
    bias = _checked(bias, weight.shape[1], name)
    return _conv_transpose2d_with_bias(x, weight, bias, size=size, stride=stride, padding=padding)


def _checked(bias, channels, name):
    bias = as_tensor(bias)
    if bias.shape != (channels,):
        raise ShapeError(f"{name}: the bias has shape {bias.shape}, expected ({channels},), one for each channel")
    return bias
