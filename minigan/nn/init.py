"""Initialisers, named as in PyTorch: each overwrites a parameter in place.

A dense weight is (O, I), a convolution's (O, I, kh, kw): fan_in is I times the kernel, fan_out O times the kernel.
`rng=None` takes the package's generator, which `mg.random.seed` seeds.
"""

import math

import numpy as np

from minigan import random
from minigan.errors import ConfigError, ShapeError

GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2.0)}


def gain(nonlinearity="linear", slope=0.2):
    """Return the factor that keeps the variance through a nonlinearity (He et al., 2015, eq. 15 for leaky_relu)."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + slope * slope))
    if nonlinearity not in GAINS:
        raise ConfigError(f"init: unknown nonlinearity {nonlinearity!r}; known are {', '.join([*GAINS, 'leaky_relu'])}")
    return GAINS[nonlinearity]


def fans(parameter):
    """Return (fan_in, fan_out)."""
    if parameter.ndim < 2:
        raise ShapeError(f"init: shape {parameter.shape} has no fan_in and fan_out; expected at least two axes")
    field = math.prod(parameter.shape[2:])
    return parameter.shape[1] * field, parameter.shape[0] * field


def uniform_(parameter, low=0.0, high=1.0, rng=None):
    """Fill with U(low, high)."""
    draws = random.default_rng_or_package(rng).uniform(parameter.shape, low, high, dtype=parameter.dtype)
    parameter.assign(draws)


def normal_(parameter, mean=0.0, std=1.0, rng=None):
    """Fill with N(mean, std^2)."""
    draws = random.default_rng_or_package(rng).normal(parameter.shape, dtype=parameter.dtype)
    parameter.assign(mean + std * draws)


def zeros_(parameter):
    """Fill with 0."""
    parameter.assign(np.zeros(parameter.shape, parameter.dtype))


def xavier_uniform_(parameter, gain=1.0, rng=None):
    """Fill with U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio, 2010, eq. 16)."""
    a = gain * math.sqrt(6.0 / sum(fans(parameter)))
    uniform_(parameter, -a, a, rng)


def xavier_normal_(parameter, gain=1.0, rng=None):
    """Fill with N(0, s^2), s = gain sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio, 2010)."""
    normal_(parameter, 0.0, gain * math.sqrt(2.0 / sum(fans(parameter))), rng)


def kaiming_uniform_(parameter, nonlinearity="leaky_relu", slope=0.2, rng=None):
    """Fill with U(-a, a), a = gain sqrt(3 / fan_in) (He et al., 2015)."""
    a = gain(nonlinearity, slope) * math.sqrt(3.0 / fans(parameter)[0])
    uniform_(parameter, -a, a, rng)


def kaiming_normal_(parameter, nonlinearity="leaky_relu", slope=0.2, rng=None):
    """Fill with N(0, s^2), s = gain / sqrt(fan_in) (He et al., 2015, eq. 10)."""
    normal_(parameter, 0.0, gain(nonlinearity, slope) / math.sqrt(fans(parameter)[0]), rng)


def orthogonal_(parameter, gain=1.0, rng=None):
    """Fill with gain times a random (semi-)orthogonal matrix (Saxe et al., 2014)."""
    rows, columns = parameter.shape[0], math.prod(parameter.shape[1:])
    a = random.default_rng_or_package(rng).normal((max(rows, columns), min(rows, columns)), dtype="float64").numpy()
    q, r = np.linalg.qr(a)
    q *= np.sign(np.diag(r))  # makes the distribution uniform over the orthogonal group
    q = q if rows >= columns else q.T
    parameter.assign((gain * q).reshape(parameter.shape).astype(parameter.dtype))
