"""The dense layer, activations as layers, and what changes shapes."""

import math

import numpy as np

from minigan import ops, random
from minigan.engine import as_tensor, modes
from minigan.errors import ConfigError, ShapeError
from minigan.nn import init
from minigan.nn.module import Buffer, Module, Parameter


class Dense(Module):
    """Affine map of the last axis: y = x W^T + b.

    Parameters
    ----------
    in_features, out_features : int
        I and O.
    bias : bool
        Whether there is a b.
    rng : mg.random.Generator, optional
        Where the first weights come from; the package's generator by default.

    Attributes
    ----------
    weight : (O, I) Parameter
    bias : (O,) Parameter or None
        Both start from U(-1/sqrt(I), 1/sqrt(I)), as PyTorch's Linear; `mg.nn.init` has others.

    Examples
    --------
    >>> import numpy as np
    >>> import minigan as mg
    >>> layer = mg.nn.Dense(3, 2, rng=mg.random.default_rng(0))
    >>> layer(np.ones((8, 3))).shape
    (8, 2)
    """

    def __init__(self, in_features, out_features, bias=True, rng=None):
        if min(in_features, out_features) < 1:
            raise ConfigError(f"Dense: got {in_features} in_features, {out_features} out_features; expected 1 or more")
        bound = 1.0 / math.sqrt(in_features)
        rng = random.default_rng_or_package(rng)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(np.empty((out_features, in_features), modes.default_dtype))
        init.uniform_(self.weight, -bound, bound, rng)
        self.bias = None
        if bias:
            self.bias = Parameter(np.empty(out_features, modes.default_dtype))
            init.uniform_(self.bias, -bound, bound, rng)

    def forward(self, x, activation="identity", slope=0.2):
        """Map x (..., I) to activation(x W^T + b) (..., O); `activation` as in `mg.ops.affine`."""
        x = as_tensor(x)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ShapeError(f"Dense: x has shape {x.shape}, the weight expects I={self.in_features} on the last axis")
        bias = np.zeros(self.out_features, self.weight.dtype) if self.bias is None else self.bias
        return ops.affine(x, self.weight, bias, activation=activation, slope=slope)

    def extra_repr(self):
        return f"{self.in_features}, {self.out_features}" + ("" if self.bias is not None else ", bias=False")


class _Activation(Module):
    """A function of one number as a layer: the one that `mg.ops` has under `name`."""

    name: str | None = None

    def forward(self, x):
        return getattr(ops, self.name)(x)


class Sigmoid(_Activation):
    """p = 1 / (1 + e^-x): `mg.sigmoid` as a layer."""

    name = "sigmoid"


class Tanh(_Activation):
    """`mg.tanh` as a layer."""

    name = "tanh"


class ReLU(_Activation):
    """max(x, 0): `mg.relu` as a layer."""

    name = "relu"


class SiLU(_Activation):
    """x sigmoid(x): `mg.silu` as a layer."""

    name = "silu"


class Softplus(_Activation):
    """log(1 + e^x): `mg.softplus` as a layer."""

    name = "softplus"


class LeakyReLU(_Activation):
    """x for x > 0, else slope x: `mg.leaky_relu` as a layer. `slope` 0.2 is the GAN literature's, PyTorch's is 0.01."""

    name = "leaky_relu"

    def __init__(self, slope=0.2):
        self.slope = slope

    def forward(self, x):
        return ops.leaky_relu(x, self.slope)

    def extra_repr(self):
        return f"slope={self.slope}"


def _batch(x, name):
    """Return x as a Tensor, if it has a first axis."""
    x = as_tensor(x)
    if x.ndim == 0:
        raise ShapeError(f"{name}: x is a single number, of shape (); expected (N, ...): put it into a batch, [x]")
    return x


class Flatten(Module):
    """``(N, ...) -> (N, K)``, K the product of the rest."""

    def forward(self, x):
        x = _batch(x, "Flatten")
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Reshape(Module):
    """``(N, ...) -> (N, *shape)``."""

    def __init__(self, *shape):
        self.shape = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape

    def forward(self, x):
        x = _batch(x, "Reshape")
        return x.reshape(x.shape[0], *self.shape)

    def extra_repr(self):
        return ", ".join(map(str, self.shape))


class FourierFeatures(Module):
    """[x, sin Fx, cos Fx] with fixed random F: lets a small network see fine detail (Tancik et al., 2020).

    Parameters
    ----------
    in_features : int
        I.
    frequencies : int
        K, the rows of F; the output has I + 2K features.
    scale : float
        Standard deviation of F's entries, in radians per unit of x.
    """

    def __init__(self, in_features, frequencies, scale, rng=None):
        draws = random.default_rng_or_package(rng).normal((frequencies, in_features)).numpy()
        self.frequencies = Buffer(np.asarray(draws * scale, dtype=draws.dtype))
        self.out_features = in_features + 2 * frequencies

    def forward(self, x):
        """Map (..., I) to (..., I + 2K)."""
        x = as_tensor(x)
        in_features = self.frequencies.shape[1]
        if x.ndim == 0 or x.shape[-1] != in_features:
            raise ShapeError(
                f"FourierFeatures: x has shape {x.shape}, expected (..., {in_features}): in_features={in_features} on "
                "the last axis"
            )
        phase = x @ self.frequencies.T
        return ops.concatenate([x, ops.sin(phase), ops.cos(phase)], axis=-1)


class Sequential(Module):
    """One module after the other. A Dense layer takes the activation behind it into its own pass over memory.

    Examples
    --------
    >>> import minigan as mg
    >>> G = mg.nn.Sequential(mg.nn.Dense(4, 16), mg.nn.ReLU(), mg.nn.Dense(16, 2))
    >>> G(mg.random.default_rng(0).normal((5, 4))).shape
    (5, 2)
    >>> sum(p.size for p in G.parameters())
    114
    """

    def __init__(self, *layers):
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layer {i} is {layer!r}, expected a Module")
        self.layers = list(layers)

    def children(self):
        return [(str(i), layer) for i, layer in enumerate(self.layers)] + super().children()

    def forward(self, x):
        layers = self.layers
        i = 0
        while i < len(layers):
            after = layers[i + 1] if i + 1 < len(layers) else None
            if _fuses(layers[i], after):
                x = layers[i].forward(x, after.name, getattr(after, "slope", 0.2))
                i += 2
            else:
                x = layers[i](x)
                i += 1
        return x

    def __len__(self):
        return len(self.layers)

    def __getitem__(self, index):
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]


def _fuses(layer, after):
    """Whether Dense computes `after` in its own pass. Only these very classes: a subclass may compute something else.

    A negative slope is left out: the fused derivative reads the sign of the input off the output.
    """
    fusible = type(layer) is Dense and type(after) in (Sigmoid, Tanh, ReLU, LeakyReLU)
    return fusible and getattr(after, "slope", 0.0) >= 0.0
