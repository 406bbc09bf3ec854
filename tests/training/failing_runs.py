"""Runs that are built to fail in one way each, and sound ones: small networks, a second or two."""

from itertools import pairwise

import numpy as np

from minigan import data, nn, random
from minigan.training import GAN

RECIPE = {  # that of the presets for points, with fewer steps
    "loss": "relativistic",
    "batch_size": 128,
    "lr_g": 2e-3,
    "lr_d": 4e-3,
    "beta1": 0.0,
    "beta2": 0.9,
    "warmup": 20,
    "cosine_from": 0.5,
    "r1": 0.3,
    "r2": 0.3,
    "penalty_end": 0.03,
    "ema": 0.98,
}
PLAIN = {"loss": "non_saturating", "batch_size": 64}
CALM = {"lr_g": 2e-3, "lr_d": 2e-3, "r1": 0.5, "standardise": True, "steps": 480, "ema": 0.95}


def build(kind, seed):
    """Return (gan, data) of a kind of run in `RUNS`."""
    make_data, features, width, options, output = RUNS[kind]
    options = {"steps": 400, "seed": seed, "log_every": 5, "snapshots": 40, "latent_normals": 2, **options}
    noise = options["latent_normals"] + options.get("latent_signs", 0)
    rng = random.default_rng([seed, 0])
    generator = nn.Sequential(*_mlp([noise, width, width, features], nn.ReLU, rng), *[layer() for layer in output])
    lift = [nn.FourierFeatures(features, 16, 2.0, rng)] if options.get("latent_signs", 1) > 1 else []
    inputs = features + 32 * len(lift)
    discriminator = nn.Sequential(nn.Flatten(), *lift, *_mlp([inputs, width, width, 1], nn.LeakyReLU, rng))
    return GAN(generator, discriminator, **options), make_data(seed)


def _mlp(sizes, activation, rng):
    layers = [nn.Dense(a, b, rng=rng) for a, b in pairwise(sizes)]
    return [part for layer in layers for part in (layer, activation())][:-1]


def _of(dataset):
    return lambda seed: dataset


def _points(n, spread):
    """Return a function from a seed to n points of the plane."""
    return lambda seed: data.from_array(np.random.default_rng(seed + 50).normal(0, spread, (n, 2)).clip(-1, 1))


def _few_points(seed):
    return data.from_array(np.random.default_rng(seed + 50).normal(size=(30, 2)))


def _pictures(seed):
    """Ten kinds of pictures (1, 4, 4), 200 of each."""
    rng = np.random.default_rng(5)
    kinds = rng.uniform(0.1, 0.9, (10, 1, 1, 4, 4))
    noise = rng.normal(0, 0.03, (10, 200, 1, 4, 4))
    return data.from_array((kinds + noise).clip(0, 1).reshape(-1, 1, 4, 4))


def _square():
    return nn.Reshape(1, 4, 4)


RUNS = {  # data, features, width, options, last layers of the generator
    "recipe": (_of(data.gaussian()), 1, 16, RECIPE | {"standardise": True, "latent_normals": 1, "batch_size": 64}, []),
    "recipe on a ring": (
        *(_of(data.ring(4, std=0.1)), 2, 32),
        *(RECIPE | {"standardise": True, "latent_signs": 4, "steps": 480, "batch_size": 64}, []),
    ),
    "plain with R1": (_of(data.gaussian()), 1, 16, PLAIN | CALM, []),
    "hinge with R1": (_of(data.gaussian()), 1, 16, PLAIN | CALM | {"loss": "hinge", "lr_d": 4e-3, "r2": 0.5}, []),
    "huge rates": (_of(data.gaussian()), 1, 16, {"loss": "wasserstein", "lr_g": 1.0, "lr_d": 1.0}, []),
    "rates beyond numbers": (_of(data.gaussian()), 1, 16, {"loss": "wasserstein", "lr_g": 1e12, "lr_d": 1e12}, []),
    "stuck tanh": (_points(2000, 0.3), 2, 16, PLAIN | {"lr_g": 0.3, "lr_d": 1e-3}, [nn.Tanh]),
    "stuck sigmoid": (
        *(_pictures, 16, 16),
        *({"loss": "minimax", "batch_size": 64, "lr_g": 0.3, "lr_d": 1e-3}, [nn.Sigmoid, _square]),
    ),
    "fast discriminator": (_of(data.gaussian()), 1, 16, {"loss": "minimax", "lr_g": 1e-4, "lr_d": 1e-2}, []),
    "resting generator": (_of(data.mixture1d()), 1, 16, {"loss": "least_squares", "lr_g": 1e-5, "lr_d": 1e-2}, []),
    "two bits of noise for eight modes": (
        *(_of(data.ring(8, std=0.05)), 2, 32),
        *(RECIPE | {"r1": 0.03, "r2": 0.03, "latent_normals": 0, "latent_signs": 2, "steps": 300}, []),
    ),
    "two pictures of ten": (
        *(_pictures, 16, 32),
        *(RECIPE | {"lr_d": 1e-3, "r1": 1.0, "latent_normals": 0, "latent_signs": 1}, [nn.Sigmoid, _square]),
    ),
    "plain on a ring": (_of(data.ring(8, std=0.05)), 2, 32, PLAIN | {"lr_g": 1e-3, "lr_d": 1e-3, "steps": 480}, []),
    "critic with momentum": (
        *(_of(data.gaussian()), 1, 16),
        *({"loss": "wasserstein", "lr_g": 5e-3, "lr_d": 5e-3, "r1": 0.1, "batch_size": 64, "standardise": True}, []),
    ),
    "critic without penalty": (_of(data.gaussian()), 1, 16, {"loss": "wasserstein", "lr_g": 1e-2, "lr_d": 1e-2}, []),
    "thirty points": (
        *(_few_points, 2, 32),
        RECIPE
        | {"latent_normals": 0, "latent_signs": 6, "steps": 700, "compile": False, "batch_size": 64}
        | {"standardise": True, "lr_g": 4e-3, "lr_d": 6e-3, "r1": 0.1, "r2": 0.0, "penalty_end": 0.1},
        [],
    ),
}
