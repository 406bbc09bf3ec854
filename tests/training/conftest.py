"""A GAN so small that its steps take a millisecond, and what a run leaves on disk."""

import numpy as np
import pytest

from minigan import data, nn, random
from minigan.training import GAN

# Few steps with everything in them: several lines of metrics, snapshots and checkpoints that do not coincide.
SHORT = {"steps": 12, "log_every": 2, "checkpoints": 4, "snapshots": 3, "batch_size": 8, "lr_g": 1e-2, "lr_d": 1e-2}


@pytest.fixture
def networks():
    """Return a function that makes (generator, discriminator): (N, Z) -> (N, D) and (N, D) -> (N, 1)."""

    def make(features=1, latent=1, width=8, seed=0):
        rng = random.default_rng(seed)
        generator = nn.Sequential(nn.Dense(latent, width, rng=rng), nn.Tanh(), nn.Dense(width, features, rng=rng))
        discriminator = nn.Sequential(nn.Dense(features, width, rng=rng), nn.LeakyReLU(), nn.Dense(width, 1, rng=rng))
        return generator, discriminator

    return make


@pytest.fixture
def small(networks):
    """Return a function from options to a small GAN for points on the line, always with the same first weights."""

    def make(*args, **options):
        return GAN(*networks(), *args, **{**SHORT, **options})

    return make


@pytest.fixture
def fit():
    """Return a function that fits a GAN to `mg.data.gaussian()` without a progress bar."""
    return lambda gan, **options: gan.fit(data.gaussian(), **{"progress": False, **options})


@pytest.fixture
def weights():
    """Return a function from a GAN to all its arrays, as one dict."""
    return lambda gan: gan.state()[0]


@pytest.fixture
def same():
    """Return a function that tells whether two dicts of arrays are equal to the byte."""

    def compare(a, b):
        return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and a[k].tobytes() == b[k].tobytes() for k in a)

    return compare


@pytest.fixture
def contents():
    """Return a function from a run folder to the bytes of all its files, temporary ones included."""

    def read(folder):
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != ".lock"
        }

    return read


@pytest.fixture
def points():
    """Points (200, 1) on the line, N(4, 0.5)."""
    return np.random.default_rng(0).normal(4.0, 0.5, (200, 1)).astype(np.float32)
