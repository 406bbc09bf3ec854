"""Convolution and transposed convolution as layers."""

import math

import numpy as np

from minigan import ops, random
from minigan.engine import as_tensor, modes
from minigan.errors import ConfigError, ShapeError
from minigan.nn import init
from minigan.nn.module import Module, Parameter
from minigan.ops.convolution import pair


class _Convolution(Module):
    """What both have: a weight whose first two axes a subclass names, a bias, and PyTorch's first values for them."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, bias, rng):
        name = type(self).__name__
        if min(in_channels, out_channels) < 1:
            raise ConfigError(f"{name}: got {in_channels} in_channels, {out_channels} out_channels; expected 1 or more")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = pair(kernel_size, f"{name}: kernel_size", 1)
        self.stride = pair(stride, f"{name}: stride", 1)
        self.padding = pair(padding, f"{name}: padding")
        rng = random.default_rng_or_package(rng)
        shape = (*self._channels_of_weight(), *self.kernel_size)
        self.weight = Parameter(np.empty(shape, modes.default_dtype))
        bound = 1.0 / math.sqrt(init.fans(self.weight)[0])
        init.uniform_(self.weight, -bound, bound, rng)
        self.bias = None
        if bias:
            self.bias = Parameter(np.empty(out_channels, modes.default_dtype))
            init.uniform_(self.bias, -bound, bound, rng)

    def _images(self, x):
        """Return x as a Tensor, if it has the channels this layer was made for."""
        x = as_tensor(x)
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ShapeError(
                f"{type(self).__name__}: x has shape {x.shape}, expected (N, C, H, W) with C={self.in_channels}"
            )
        return x

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if any(self.padding) else ""
        return text + ("" if self.bias is not None else ", bias=False")


class Conv2d(_Convolution):
    """Convolution of images, the layer of discriminators: with stride 2 each halves height and width.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size, stride, padding : int or pair of int
        In pixels, vertical and horizontal.
    bias : bool
        Whether there is a b.
    rng : mg.random.Generator, optional
        Where the first weights come from; the package's generator by default.

    Attributes
    ----------
    weight : (O, C, kh, kw) Parameter
    bias : (O,) Parameter or None
        Both start from U(-1/sqrt(F), 1/sqrt(F)), F = C kh kw, as PyTorch's; DCGAN takes N(0, 0.02^2) (`init.normal_`).

    Notes
    -----
    Output size, and W' alike: H' = floor((H + 2 padding - kernel_size) / stride) + 1 (Dumoulin & Visin, 2016). With
    kernel 4, stride 2 and padding 1, H' = H / 2. The equation stands at `mg.ops.conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import minigan as mg
    >>> x = np.zeros((8, 1, 28, 28), np.float32)
    >>> mg.nn.Conv2d(1, 16, kernel_size=4, stride=2, padding=1)(x).shape
    (8, 16, 14, 14)
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True, rng=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias, rng)

    def _channels_of_weight(self):
        return self.out_channels, self.in_channels

    def forward(self, x):
        """Map x (N, C, H, W) to (N, O, H', W')."""
        return ops.conv2d(self._images(x), self.weight, self.bias, self.stride, self.padding)


class ConvTranspose2d(_Convolution):
    """Transposed convolution, the layer of generators: with stride 2 each doubles height and width.

    Parameters
    ----------
    in_channels, out_channels : int
        I and O.
    kernel_size, stride, padding : int or pair of int
        Those of the convolution that leads back, in pixels. A kernel that the stride divides (4 and 2) lays the same
        number of values on every pixel; others show as a checkerboard (Odena et al., 2016).
    output_padding : int or pair of int
        Rows and columns added below and on the right; less than `stride`.
    bias : bool
        Whether there is a b.
    rng : mg.random.Generator, optional
        Where the first weights come from; the package's generator by default.

    Attributes
    ----------
    weight : (I, O, kh, kw) Parameter
    bias : (O,) Parameter or None
        Both start from U(-1/sqrt(F), 1/sqrt(F)), F = O kh kw, as PyTorch's.

    Notes
    -----
    Output size, and W' alike: H' = stride (H - 1) + kernel_size - 2 padding + output_padding (Dumoulin & Visin, 2016).
    With kernel 4, stride 2 and padding 1, H' = 2 H. The equation stands at `mg.ops.conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import minigan as mg
    >>> x = np.zeros((8, 16, 7, 7), np.float32)
    >>> mg.nn.ConvTranspose2d(16, 1, kernel_size=4, stride=2, padding=1)(x).shape
    (8, 1, 14, 14)
    """

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, bias=True, rng=None
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias, rng)
        self.output_padding = pair(output_padding, "ConvTranspose2d: output_padding")
        if any(e >= s for e, s in zip(self.output_padding, self.stride, strict=True)):
            raise ConfigError(
                f"ConvTranspose2d: output_padding is {self.output_padding}, the stride {self.stride}; "
                "it must be less than the stride"
            )

    def _channels_of_weight(self):
        return self.in_channels, self.out_channels

    def forward(self, x):
        """Map x (N, I, H, W) to (N, O, H', W')."""
        x = self._images(x)
        return ops.conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding, self.output_padding)

    def extra_repr(self):
        return super().extra_repr() + (f", output_padding={self.output_padding}" if any(self.output_padding) else "")
