"""The noise: its parts, its size, and how the trainer finds it out."""

from dataclasses import replace

import numpy as np
import pytest

from minigan import nn, random
from minigan.checking import check_gradients
from minigan.errors import ConfigError
from minigan.training import Latent, presets
from minigan.training.config import Config
from minigan.training.latent import latent_for
from minigan.training.networks import Gates


@pytest.mark.parametrize(("normals", "signs"), [(3, 0), (0, 4), (2, 5)])
def test_it_holds_normals_first_then_signs(normals, signs):
    latent = Latent(normals, signs)
    z = latent.draw(random.default_rng(0), 4000).numpy()
    assert z.shape == (4000, normals + signs) == (4000, latent.size)
    assert z.dtype == np.float32
    bound = 5 / np.sqrt(4000)
    assert np.all(np.abs(z.mean(axis=0)) < bound)
    assert np.all(np.abs(z[:, :normals].std(axis=0) - 1) < bound)
    assert np.all(np.abs(z[:, normals:]) == 1)
    assert len(np.unique(z[:, :normals])) >= 3900 * normals  # no draw is handed out twice


def test_the_first_dense_layer_tells_its_size():
    class Inside(nn.Module):
        def __init__(self):
            self.body = nn.Sequential(nn.Tanh(), nn.Dense(7, 3), nn.Dense(3, 1))

    assert latent_for(Inside(), Config()) == Latent(7)
    assert latent_for(Inside(), Config(latent_normals=1, latent_signs=2)) == Latent(1, 2)
    assert latent_for(Inside(), Config(latent_normals=1, latent_signs=2, latent="gaussian")) == Latent(3)


def test_a_generator_without_a_dense_layer_needs_an_option():
    with pytest.raises(ConfigError, match="pass latent_normals="):
        latent_for(nn.Sequential(nn.Tanh()), Config())
    with pytest.raises(ConfigError, match="pass latent_normals="):
        latent_for(lambda z: z, Config())
    assert latent_for(lambda z: z, Config(latent_normals=2)) == Latent(2)


@pytest.mark.parametrize("preset", ["mixture1d", "ring", "grid"])
def test_a_gaussian_latent_has_no_signs_and_the_generator_makes_them(preset):
    options = replace(presets.config(preset), latent="gaussian", seed=3)
    gan = presets.build(options)
    z = gan.latent.draw(random.default_rng(0), 4000)
    assert gan.latent == Latent(options.latent_normals + options.latent_signs)
    assert len(np.unique(z.numpy())) > 0.99 * z.size
    gates, rest = gan.generator
    opened = gates(z).numpy()
    normals, signs = opened[:, : options.latent_normals], opened[:, options.latent_normals :]
    assert np.array_equal(normals, z.numpy()[:, : options.latent_normals])
    assert np.mean(np.abs(signs) < 0.99) < 0.004  # P(|z| < 0.00265) = 0.0021
    assert np.array_equal(np.sign(signs), np.sign(z.numpy()[:, options.latent_normals :]))
    usual = presets.build(replace(options, latent="mixed"))
    assert all(np.array_equal(a, b) for a, b in zip(rest.parameters(), usual.generator.parameters(), strict=True))


def test_the_gates_are_differentiated_like_all_layers():
    gates = Gates(2)
    gates.steepness = 3.0  # so that numbers are not all saturated
    check_gradients(lambda z: gates(z), [np.random.default_rng(0).standard_normal((5, 4))], order=2)


def test_gates_change_nothing_where_there_are_no_signs():
    options = replace(presets.config("gaussian"), latent="gaussian")
    assert not any(isinstance(m, Gates) for m in presets.networks(options)[0].modules())


def test_an_unknown_latent_is_named():
    with pytest.raises(ConfigError, match="unknown latent 'uniform'; known are mixed, gaussian"):
        Config(latent="uniform")
