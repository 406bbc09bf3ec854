"""Explicit randomness: a generator whose draws are recorded like any other operation."""

import functools

import numpy as np

from minigan.domains import Domain
from minigan.engine import modes, primitive
from minigan.errors import DTypeError
from minigan.kernels import normals
from minigan.kernels.host import PRECISIONS
from minigan.lowerings import Fill


def _draws(**more):
    """Return the domain of draws: nothing to differentiate."""
    return Domain(
        lambda rng, side: ((), {"generator": rng, "shape": (side,), "dtype": np.dtype("f8"), **more}), order=0
    )


def _fill_normal(out, *, generator, shape, dtype):
    if dtype == np.float32:
        return normals.filler(generator, out)
    return functools.partial(generator.standard_normal, dtype=dtype, out=out)


def _fill_uniform(out, *, generator, shape, dtype, low, high):
    draw = functools.partial(generator.random, dtype=dtype, out=out)
    return lambda: _stretch(draw(), low, high)


def _stretch(u, low, high):
    """Move numbers from [0, 1) to [low, high), in place."""
    if (low, high) != (0, 1):
        u *= high - low
        u += low
    return u


@primitive(vjp=(), domain=_draws(), name="random_normal", lowering=Fill(_fill_normal))
def _normal(*, generator, shape, dtype):
    if dtype == np.float32:
        return normals.standard_normal(generator, shape)
    return generator.standard_normal(shape, dtype=dtype)


@primitive(vjp=(), domain=_draws(low=-1.0, high=2.0), name="random_uniform", lowering=Fill(_fill_uniform))
def _uniform(*, generator, shape, dtype, low, high):
    return _stretch(np.asarray(generator.random(shape, dtype=dtype)), low, high)


@primitive(vjp=(), domain=_draws(), name="random_signs")
def _signs(*, generator, shape, dtype):
    return (1 - 2 * generator.integers(0, 2, size=shape, dtype=np.int8)).astype(dtype)


class Generator:
    """A source of random Tensors. Make one with `default_rng`.

    Attributes
    ----------
    numpy : numpy.random.Generator
        The generator behind it, for everything outside the graph; drawing from it advances this one.
    """

    def __init__(self, generator):
        self.numpy = generator

    def normal(self, shape=(), dtype=None):
        """Draw from the standard normal distribution N(0, 1): a constant Tensor of `shape`."""
        return _normal(generator=self.numpy, shape=shape, dtype=self._real(dtype))

    def uniform(self, shape=(), low=0.0, high=1.0, dtype=None):
        """Draw uniformly from [low, high): a constant Tensor of `shape`."""
        return _uniform(generator=self.numpy, shape=shape, dtype=self._real(dtype), low=low, high=high)

    def signs(self, shape=(), dtype=None):
        """Draw -1 and 1 with equal probability: a constant Tensor of `shape`."""
        return _signs(generator=self.numpy, shape=shape, dtype=self._dtype(dtype))

    @property
    def state(self):
        """The state as a dict of plain numbers and strings; assign it to go on from there."""
        return self.numpy.bit_generator.state

    @state.setter
    def state(self, state):
        self.numpy.bit_generator.state = state

    @staticmethod
    def _dtype(dtype):
        return np.dtype(modes.default_dtype if dtype is None else dtype)

    def _real(self, dtype):
        dtype = self._dtype(dtype)
        if dtype not in PRECISIONS:
            raise DTypeError(
                f"random: got dtype {dtype}, expected float32 or float64; convert what was drawn with .astype"
            )
        return dtype


def default_rng(seed=None):
    """Return a `Generator`; the same `seed` (int, or sequence of ints) gives the same numbers for ever.

    `seed` may also be a `numpy.random.Generator`, which is then shared, or a `Generator`, which is returned.
    """
    return seed if isinstance(seed, Generator) else Generator(np.random.default_rng(seed))


_package = default_rng(0)


def seed(seed):
    """Seed the package's own generator, from which layers draw their first weights unless they are given an `rng`."""
    _package.state = default_rng(seed).state


def default_rng_or_package(rng):
    """Return the generator given, or the package's own for None."""
    return _package if rng is None else default_rng(rng)
