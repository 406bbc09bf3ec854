"""Layers that keep activations in range (batch and layer normalisation), and dropout."""

import numpy as np

from minigan import ops, random
from minigan.engine import as_tensor, modes, no_grad
from minigan.engine.modes import switched
from minigan.errors import ConfigError, DTypeError, ShapeError
from minigan.kernels.host import PRECISIONS
from minigan.nn.module import Buffer, Module, Parameter


def frozen_statistics():
    """Inside, batch normalisation leaves its running statistics as they are; what it returns is the same. So does
    `spectral_norm` with its singular vectors.

    For passes that are no training step of their own: a gradient penalty runs the discriminator once more on data that
    it has counted already. It holds for every module that runs inside, in this thread, however it is called.

    Examples
    --------
    >>> import minigan as mg
    >>> norm = mg.nn.BatchNorm1d(2)
    >>> with mg.nn.frozen_statistics():
    ...     y = norm([[1.0, 2.0], [3.0, 5.0]])
    >>> norm.num_batches_tracked.item()
    0
    """
    return switched("frozen_statistics", True)


class _BatchNorm(Module):
    """What both have: `BatchNorm1d` says it; a subclass names the shapes it takes."""

    dims: tuple[int, ...] = ()
    shapes = ""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        name = type(self).__name__
        if num_features < 1:
            raise ConfigError(f"{name}: got {num_features} num_features; expected 1 or more")
        if not 0 <= momentum <= 1:
            raise ConfigError(f"{name}: momentum is {momentum}; expected 0 to 1, the weight of a new batch")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(np.ones(num_features, modes.default_dtype))
        self.bias = Parameter(np.zeros(num_features, modes.default_dtype))
        self.running_mean = Buffer(np.zeros(num_features, modes.default_dtype))
        self.running_var = Buffer(np.ones(num_features, modes.default_dtype))
        self.num_batches_tracked = Buffer(np.array(0, dtype=np.int64))

    def forward(self, x):
        """Normalise x, of channels C on axis 1."""
        x = as_tensor(x)
        if x.ndim not in self.dims or x.shape[1] != self.num_features:
            raise ShapeError(
                f"{type(self).__name__}: x has shape {x.shape}, expected {self.shapes} with C={self.num_features}"
            )
        if not self.training:
            per_channel = (-1,) + (1,) * (x.ndim - 2)
            scale = self.weight / ops.sqrt(self.running_var + self.eps)
            shift = self.bias - scale * self.running_mean
            return x * scale.reshape(per_channel) + shift.reshape(per_channel)
        m = x.size // self.num_features
        if m < 2:
            raise ShapeError(
                f"{type(self).__name__}: x has shape {x.shape}, one value or none for a channel; training needs two "
                "or more to have a variance. Take a larger batch, or call .eval()"
            )
        y, mean, var = ops.batch_norm(x, self.weight, self.bias, self.eps)
        if not modes.frozen_statistics:
            self._record(mean, var, m)
        return y

    def _record(self, mean, var, m):
        """running <- (1 - momentum) running + momentum batch, the variance made unbiased."""
        with no_grad():
            for running, new in ((self.running_mean, mean), (self.running_var, var * (m / (m - 1)))):
                running.assign((1 - self.momentum) * running + self.momentum * new.astype(running.dtype))
            self.num_batches_tracked.assign(self.num_batches_tracked + 1)

    def extra_repr(self):
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    r"""Batch normalisation of features (N, C), or of sequences (N, C, L) with channels before places.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float in [0, 1]
        Weight of a new batch in the running statistics (PyTorch's meaning of the word).

    Attributes
    ----------
    weight, bias : (C,) Parameters
        gamma and beta; start at 1 and 0.
    running_mean, running_var : (C,) Buffers
        Exponential averages of mean and unbiased variance over the batches seen in training; start at 0 and 1.
    num_batches_tracked : 0-d Buffer of int64

    Notes
    -----
    .. math:: y = \gamma \, \frac{x - \mathrm{mean}}{\sqrt{\mathrm{var} + \epsilon}} + \beta

    (Ioffe & Szegedy, 2015, algorithm 1).

    In training, mean and var are those of the batch, per channel, over the m values of all other axes; the variance in
    the denominator is sum (x - mean)^2 / m, the one in the running statistics has m - 1. Gradients flow through both.
    In evaluation they are the running ones, constants. Inside `mg.nn.frozen_statistics()` nothing is recorded.

    A sample's output then depends on its batch: the gradient that `mg.penalties.r1` takes is no longer each sample's
    own, which is why gradient penalties prefer layer normalisation (Gulrajani et al., 2017, section 4).

    Examples
    --------
    >>> import numpy as np
    >>> import minigan as mg
    >>> norm = mg.nn.BatchNorm1d(1)
    >>> norm(np.array([[1.0], [3.0]], np.float32)).data.round(3)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> norm.running_mean.data.round(3)  # a tenth of the way from 0 to 2
    array([0.2], dtype=float32)
    """

    dims, shapes = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images (N, C, H, W): `BatchNorm1d` per channel, over all samples and pixels."""

    dims, shapes = (4,), "(N, C, H, W)"


class LayerNorm(Module):
    r"""Normalisation of each sample over its own features.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The last axes of x, over which mean and variance are taken.
    eps : float
        Added to the variance.

    Attributes
    ----------
    weight, bias : Parameters of shape `normalized_shape`
        gain and bias; start at 1 and 0.

    Notes
    -----
    .. math::

        y = \mathrm{gain} \, \frac{x - \mathrm{mean}}{\sqrt{\mathrm{var} + \epsilon}} + \mathrm{bias}, \qquad
        \mathrm{var} = \mathrm{mean} \, (x - \mathrm{mean})^2

    (Ba et al., 2016, eq. 4). Samples do not mix, and training and evaluation are the same.

    Examples
    --------
    >>> import numpy as np
    >>> import minigan as mg
    >>> mg.nn.LayerNorm(2)(np.array([[1.0, 3.0], [-5.0, 5.0]], np.float32)).data.round(3)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    def __init__(self, normalized_shape, eps=1e-5):
        whole = isinstance(normalized_shape, int | np.integer)
        self.normalized_shape = (int(normalized_shape),) if whole else tuple(normalized_shape)
        if not self.normalized_shape or min(self.normalized_shape) < 1:
            raise ConfigError(f"LayerNorm: normalized_shape is {normalized_shape}; expected lengths of 1 or more")
        self.eps = eps
        self.weight = Parameter(np.ones(self.normalized_shape, modes.default_dtype))
        self.bias = Parameter(np.zeros(self.normalized_shape, modes.default_dtype))

    def forward(self, x):
        """Map x ``(..., *normalized_shape)`` to the same shape."""
        x = as_tensor(x)
        k = len(self.normalized_shape)
        if x.shape[-k:] != self.normalized_shape:
            raise ShapeError(f"LayerNorm: x has shape {x.shape}, its last axes must be {self.normalized_shape}")
        axes = tuple(range(-k, 0))
        deviation = x - ops.mean(x, axis=axes, keepdims=True)
        var = ops.mean(deviation * deviation, axis=axes, keepdims=True)
        return deviation / ops.sqrt(var + self.eps) * self.weight + self.bias

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}"


class Dropout(Module):
    """In training, set each element to 0 with probability p and multiply the others by 1 / (1 - p).

    Parameters
    ----------
    p : float in [0, 1]
        Probability of 0.
    rng : mg.random.Generator or int, optional
        Where the choice comes from; by default the package's generator, which `mg.random.seed` seeds.

    Notes
    -----
    y = x m / (1 - p), m ~ Bernoulli(1 - p) per element: E y = x, so that evaluation is the identity (Srivastava et
    al., 2014; this scaling is what section 10 there calls for, known as inverted dropout).

    Examples
    --------
    >>> import numpy as np
    >>> import minigan as mg
    >>> layer = mg.nn.Dropout(0.5, rng=0)
    >>> sorted(set(layer(np.ones(100)).data.tolist()))
    [0.0, 2.0]
    >>> layer.eval()(np.ones(2)).data
    array([1., 1.])
    """

    def __init__(self, p=0.5, rng=None):
        if not 0 <= p <= 1:
            raise ConfigError(f"Dropout: p is {p}; expected a probability, 0 to 1")
        self.p = p
        self.rng = None if rng is None else random.default_rng(rng)

    def forward(self, x):
        """Map x of any shape to the same shape."""
        x = as_tensor(x)
        if not self.training or self.p == 0:
            return x
        if x.dtype.kind != "f":
            raise DTypeError(
                f"Dropout: x has dtype {x.dtype}; expected floating-point numbers, since they are scaled. Convert with "
                "x.astype('float32')"
            )
        drawn = x.dtype if x.dtype in PRECISIONS else np.float32
        u = random.default_rng_or_package(self.rng).uniform(x.shape, dtype=drawn)
        scale = 0.0 if self.p == 1 else 1.0 / (1.0 - self.p)  # u < 1: with p = 1 nothing is kept
        return x * ops.where(u < self.p, 0.0, scale).astype(x.dtype)

    def extra_repr(self):
        return f"p={self.p}"
