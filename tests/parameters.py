"""Parameters, gradients and optimisers that several test modules share."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn, optim

SHAPES = [(4, 3), (4,), (), (2, 4), (1,)]
STEPS = 20

every_kind = pytest.mark.parametrize(
    "make",
    [lambda ps: optim.SGD(ps, 0.1, 0.9), lambda ps: optim.Adam(ps, 0.1), lambda ps: optim.RMSProp(ps, 0.1)],
    ids=["SGD", "Adam", "RMSProp"],
)


def make_parameters(dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    return [nn.Parameter(rng.standard_normal(shape).astype(dtype)) for shape in SHAPES]


def make_gradients(steps=STEPS, seed=1, missing=0.0):
    """Return one list of gradients for each step, of very different sizes; some are None."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-4, 2, len(SHAPES))
    return [
        [
            None if rng.random() < missing else s * rng.standard_normal(shape)
            for s, shape in zip(scale, SHAPES, strict=True)
        ]
        for _ in range(steps)
    ]


def give(parameters, gradients):
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = None if g is None else mg.tensor(g, dtype=p.dtype)
