"""Spectral normalisation: a layer whose weight is divided by its largest singular value."""

import functools

from minigan import ops, random
from minigan.engine import modes, no_grad
from minigan.errors import ConfigError
from minigan.nn.convolution import ConvTranspose2d
from minigan.nn.module import Buffer, Module, Parameter

_FIRST_ITERATIONS = 15  # before the first use, so that it starts from a fair estimate


def spectral_norm(module, n_power_iterations=1, eps=1e-12, rng=None):
    """Make a layer use W / sigma(W) for its weight W, in place: as a map of vectors it stretches none by more than 1.

    A discriminator of such layers, with activations of slope at most 1, has a slope of at most 1 itself (for
    convolutions sigma is that of the kernel as a matrix, which bounds the slope only up to a factor).

    Parameters
    ----------
    module : Module
        A layer with a Parameter ``weight`` of two or more axes: Dense, Conv2d, ConvTranspose2d.
    n_power_iterations : int
        How often u and v are improved in a forward pass.
    eps : float
        The smallest length that u and v are divided by.
    rng : mg.random.Generator, optional
        Where u and v start; the package's generator by default.

    Returns
    -------
    Module
        `module` itself, now with

        - ``weight_orig``, Parameter: W, the same tensor as before, which an optimiser may hold already;
        - ``weight_u`` (O,), ``weight_v`` (K,), Buffers: estimates of the first left and right singular vector of W as
          a matrix (O, K), outputs by all the rest.

        These are the names of PyTorch's ``torch.nn.utils.spectral_norm``, so state files go both ways.

    Raises
    ------
    ConfigError
        If the module has no such weight, is normalised already, its weight is all zero, or an option is out of range.

    Notes
    -----
    Power iteration (Miyato et al., 2018, algorithm 1), once a forward pass in training, since W changes little
    between two of them: v <- W^T u and u <- W v, each divided by its length. Then sigma = u^T W v, with u and v as
    constants, which is exact at the singular vectors: they are where u^T W v is stationary. So, for a cotangent G of
    W / sigma,

    dL/dW = (G - <G, W / sigma> u v^T) / sigma,

    without the part of G that would only make W longer. In evaluation, and inside `mg.nn.frozen_statistics()`, u and v
    stay as they are.

    Examples
    --------
    >>> import minigan as mg
    >>> layer = mg.nn.spectral_norm(mg.nn.Dense(3, 2))
    >>> [name for name, _ in layer.named_parameters()], [name for name, _ in layer.named_buffers()]
    (['bias', 'weight_orig'], ['weight_u', 'weight_v'])
    """
    if n_power_iterations < 1:
        raise ConfigError(f"spectral_norm: n_power_iterations is {n_power_iterations}; expected 1 or more")
    weight = _weight_of(module)
    rng = random.default_rng_or_package(rng)
    del module.weight
    module.weight_orig = weight
    module.n_power_iterations, module.norm_eps = n_power_iterations, eps
    module.__class__ = _normalised(type(module))
    matrix = module._matrix(weight.detach())
    module.weight_u = Buffer(_unit(rng.normal(matrix.shape[:1], dtype=weight.dtype), eps))
    module.weight_v = Buffer(_unit(rng.normal(matrix.shape[1:], dtype=weight.dtype), eps))
    module._improve(matrix, _FIRST_ITERATIONS)
    return module


def _weight_of(module):
    if isinstance(module, SpectrallyNormalised):
        raise ConfigError(f"spectral_norm: this {type(module).__name__} is normalised already")
    weight = vars(module).get("weight") if isinstance(module, Module) else None
    if not isinstance(weight, Parameter) or weight.ndim < 2:
        raise ConfigError(
            f"spectral_norm: {type(module).__name__} has no weight of two or more axes; pass the layers inside one by "
            "one: Dense, Conv2d, ConvTranspose2d"
        )
    if not weight.data.any():
        raise ConfigError("spectral_norm: the weight is all zero, and 0/0 is no weight; initialise it first")
    return weight


class SpectrallyNormalised:
    """What `spectral_norm` adds to a layer, in front of the layer's own class."""

    @property
    def weight(self):
        """W / sigma, a Tensor in the graph of W; u and v as they are."""
        # Copies: a later forward pass overwrites the buffers, while the backward pass of this one needs their values.
        u, v = self.weight_u * 1.0, self.weight_v * 1.0
        return self.weight_orig / (u @ (self._matrix(self.weight_orig) @ v))

    def forward(self, *args, **options):
        """Improve u and v, then run the layer with W / sigma for its weight."""
        if self.training and not modes.frozen_statistics:
            self._improve(self._matrix(self.weight_orig.detach()), self.n_power_iterations)
        return super().forward(*args, **options)

    def extra_repr(self):
        return super().extra_repr() + ", spectral_norm"

    def _improve(self, matrix, iterations):
        with no_grad():
            u, v = self.weight_u, self.weight_v
            for _ in range(iterations):
                v = _unit(matrix.T @ u, self.norm_eps)
                u = _unit(matrix @ v, self.norm_eps)
            self.weight_u.assign(u)
            self.weight_v.assign(v)

    def _matrix(self, weight):
        """Return the weight as (O, K), outputs first."""
        if isinstance(self, ConvTranspose2d):
            weight = ops.swapaxes(weight, 0, 1)
        return weight.reshape(len(weight), -1)


@functools.cache
def _normalised(kind):
    """Return the class of a normalised layer of this kind; the same one each time, and under the same name."""
    return type(kind.__name__, (SpectrallyNormalised, kind), {"__doc__": kind.__doc__})


def _unit(x, eps):
    return x / ops.maximum(ops.norm(x), eps)
