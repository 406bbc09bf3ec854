"""What comes out: samples and scores, in the data's own units, repeatable."""

import numpy as np
import pytest

import minigan as mg
from minigan import random
from minigan.errors import ConfigError, DataError
from minigan.training import GAN

# -- units -----------------------------------------------------------------------------------------------------------


def test_samples_come_in_the_data_s_own_units(small, points):
    gan = small(standardise=True).fit(1000 + 50 * points, steps=1, progress=False)
    assert gan.centre == pytest.approx(1000 + 50 * points.mean(), rel=1e-6)
    assert gan.scale == pytest.approx(50 * points.std(), rel=1e-4)
    z = gan.latent.draw(random.default_rng([3, 2]), 500)
    with mg.no_grad():
        inside = gan.generator(z).numpy()
    x = gan.sample(500, seed=3)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, inside * gan.scale + gan.centre, rtol=1e-6)
    with mg.no_grad():
        logits = gan.discriminator(mg.tensor((x - np.float32(gan.centre)) / np.float32(gan.scale))).numpy()[:, 0]
    np.testing.assert_allclose(gan.score(x), logits, atol=1e-4)


def test_the_networks_see_standardised_data(small, monkeypatch, points):
    seen = []
    step = GAN.train_step
    monkeypatch.setattr(GAN, "train_step", lambda self, real: seen.append(real.numpy()) or step(self, real))
    small(standardise=True, batch_size=500).fit(1000 + 50 * points, steps=3, progress=False)
    assert np.concatenate(seen).mean() == pytest.approx(0.0, abs=0.1)
    assert np.concatenate(seen).std() == pytest.approx(1.0, abs=0.1)


def test_constant_data_cannot_be_standardised(small):
    with pytest.raises(DataError, match=r"standard deviation 0\.0; leave it out"):
        small(standardise=True).fit(np.full((10, 1), 3.0))
    assert small().fit(np.full((10, 1), 3.0), progress=False).step == 12


# -- sampling --------------------------------------------------------------------------------------------------------


def test_samples_depend_on_the_seed_only(small, fit):
    gan = fit(small())
    first = gan.sample(100, seed=1)
    assert first.shape == (100, 1)
    assert np.array_equal(gan.sample(100, seed=1), first)
    assert not np.array_equal(gan.sample(100, seed=2), first)
    before = gan.state()[1]["rng"]
    gan.sample(10)
    assert gan.state()[1]["rng"] == before  # sampling does not disturb training


def test_parts_do_not_show(small, fit):
    """2,500 samples are made in three parts; each must be what the generator makes of its own row of noise."""
    gan = fit(small())
    z = gan.latent.draw(random.default_rng([0, 2]), 2500)
    with mg.no_grad():
        whole = gan.generator(z).numpy()
    np.testing.assert_allclose(gan.sample(2500, seed=0), whole, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(gan.decode(z.numpy()[2400:]), whole[2400:], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n", [0, -1])
def test_at_least_one_sample(small, n):
    with pytest.raises(ConfigError, match=f"n is {n}; it must be at least 1"):
        small().sample(n)


def test_samples_come_from_the_average_where_there_is_one(small, fit):
    plain, averaged = fit(small()), fit(small(ema=0.9))
    with mg.no_grad():
        z = averaged.latent.draw(random.default_rng([1, 2]), 50)
        now, mean = averaged.generator(z).numpy(), averaged.average.module(z).numpy()
    assert plain.average is None
    assert np.array_equal(averaged.sample(50, seed=1), mean)
    assert np.array_equal(plain.sample(50, seed=1), now)  # an average changes nothing in training
    assert not np.array_equal(now, mean)


def test_the_average_is_the_average(small, fit, monkeypatch):
    gan = small(ema=0.75, steps=4)
    seen = [gan.state()[0]["generator.0.weight"].astype(float)]
    step = GAN.train_step

    def watched(self, real):
        result = step(self, real)
        seen.append(self.state()[0]["generator.0.weight"].astype(float))
        return result

    monkeypatch.setattr(GAN, "train_step", watched)
    fit(gan)
    expected = seen[0]
    for value in seen[1:]:
        expected = 0.75 * expected + 0.25 * value
    np.testing.assert_allclose(gan.state()[0]["average.0.weight"], expected, rtol=1e-5)
