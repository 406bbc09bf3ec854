"""Walks through the noise, and what the discriminator looks at."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn, random
from minigan.errors import ConfigError
from minigan.training import GAN
from minigan.training.interpret import interpolation, score_gradient, traversal


def identity(normals, signs=0):
    """Return a GAN whose samples are its noise."""
    size = normals + signs
    generator = nn.Dense(size, size, bias=False)
    generator.weight.assign(np.eye(size, dtype=np.float32))
    return GAN(generator, nn.Dense(size, 1), latent_normals=normals, latent_signs=signs)


def test_interpolation_goes_along_the_arc():
    walks = interpolation(identity(50), walks=3, steps=7, seed=2)
    assert walks.shape == (3, 7, 50)
    a, b = (random.default_rng([2, 4, end]).normal((3, 50)).numpy() for end in (0, 1))
    np.testing.assert_allclose(walks[:, 0], a, atol=1e-5)
    np.testing.assert_allclose(walks[:, -1], b, atol=1e-5)
    lengths = np.linalg.norm(walks, axis=-1)
    assert (lengths > 0.9 * np.minimum(lengths[:, :1], lengths[:, -1:])).all()  # a chord would dip to 0.7
    turns = np.arccos(np.sum(walks[:, 1:] * walks[:, :-1], axis=-1) / (lengths[:, 1:] * lengths[:, :-1]))
    assert np.ptp(turns, axis=1).max() < 0.5 * turns.mean()  # about evenly


def test_signs_change_one_after_the_other():
    walks = interpolation(identity(1, 6), walks=4, steps=30)[:, :, 1:]
    assert set(np.unique(walks)) == {-1.0, 1.0}
    assert (np.abs(np.diff(walks, axis=1)).sum(axis=-1) <= 2).all()
    assert (walks[:, 0] != walks[:, -1]).any()
    with pytest.raises(ConfigError, match="0 walks of 1 steps"):
        interpolation(identity(2), walks=0, steps=1)


def test_traversal_shows_the_entries_that_count():
    gan = identity(3, 1)
    gan.generator.weight.assign(np.diag([0.1, 5.0, 1.0, 2.0]).astype(np.float32))
    entries, walks = traversal(gan, coordinates=3, steps=5, reach=2.0)
    assert entries.tolist() == [1, 2, 3]  # by the change from end to end: 20, 4 and, of the sign, 4
    assert walks.shape == (3, 5, 4)
    np.testing.assert_allclose(walks[0, :, 1], 5 * np.linspace(-2, 2, 5), atol=1e-5)
    assert walks[2, :, 3].tolist() == [-2, -2, 2, 2, 2]
    assert np.ptp(walks[0][:, [0, 2, 3]], axis=0).max() == 0
    gan.latent = type("PerStep", (), {"signs": 0, "draw": lambda self, rng, n: rng.normal((n, 3, 2))})()
    with pytest.raises(ConfigError, match=r"expected \(N, Z\)"):
        traversal(gan)


@pytest.mark.parametrize("pack", [1, 2])
def test_the_gradient_of_the_score_is_its_directional_derivative(pack):
    rng = random.default_rng(0)
    judge = nn.Sequential(nn.Flatten(), nn.Dense(4 * pack, 8, rng=rng), nn.Tanh(), nn.Dense(8, 1, rng=rng))
    gan = GAN(nn.Sequential(nn.Dense(2, 4, rng=rng), nn.Reshape(1, 2, 2)), judge, pack=pack, batch_size=4)
    gan.centre, gan.scale = 0.3, 2.0
    if pack > 1:
        gan.discriminator = nn.Sequential(nn.Flatten(), *judge.layers[1:])
    x = np.random.default_rng(1).normal(size=(3, 1, 2, 2)).astype(np.float32)
    before = [p.grad for p in gan.discriminator.parameters()]
    gradient = score_gradient(gan, x)
    assert gradient.shape == x.shape
    assert [p.grad for p in gan.discriminator.parameters()] == before
    for pixel in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[pixel] = 1e-2
        slope = (gan.score(x + step) - gan.score(x - step)) / 2e-2
        assert gradient[pixel] == pytest.approx(slope[pixel[0]], rel=0.02, abs=1e-3)
    assert isinstance(gradient, np.ndarray)
    assert mg.tensor(gradient).dtype == np.float32
