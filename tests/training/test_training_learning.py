"""It learns: facts about the samples, with bounds on both sides, for one seed."""

import dataclasses

import pytest

from minigan.training import presets
from minigan.training.evaluation import evaluate


def test_a_gaussian_is_found_in_300_steps():
    """N(4, 0.5): further off than the bounds before, inside after. (Four other seeds came within half of them.)"""
    config = dataclasses.replace(presets.config("gaussian"), steps=300, seed=3)
    gan, source = presets.build(config), presets.dataset(config)
    assert gan.sample(20_000).std() > 0.8
    x = gan.fit(source, progress=False).sample(20_000)
    assert x.mean() == pytest.approx(4.0, abs=0.15)
    assert x.std() == pytest.approx(0.5, abs=0.1)
    last = gan.history[-1]
    assert last["d_loss"] == pytest.approx(gan.loss.equilibrium[0], abs=0.05)
    assert last["d_real"] == pytest.approx(last["d_fake"], abs=0.05)


@pytest.mark.slow
def test_the_mixture_comes_close_to_the_sampling_floor():
    config = presets.config("mixture1d")
    gan = presets.build(config).fit(presets.dataset(config), progress=False)
    ratio = evaluate(gan, presets.dataset(config))["W1 / floor (1 is perfect)"]
    assert 0.5 < ratio <= 3
