"""Ready-made runs."""

import dataclasses

import numpy as np
import pytest

import minigan as mg
from minigan.errors import ConfigError, DataError
from minigan.training import Config, presets


@pytest.mark.parametrize("name", presets.PRESETS)
def test_networks_fit_each_other_and_the_data(name):
    config = presets.config(name)
    gan = presets.build(config)
    shape = (1, 28, 28) if name.startswith(("glyphs", "mnist")) else presets.dataset(config).shape
    assert config.preset == name
    x = gan.sample(3)
    assert x.shape == (3, *shape)
    assert gan.score(x).shape == (3,)
    assert gan.latent.size == config.latent_normals + config.latent_signs


@pytest.mark.parametrize("name", ["gaussian", "mnist"])
def test_first_weights_depend_on_the_seed_only(name):
    config = presets.config(name)
    mg.random.seed(1)
    first = presets.build(config).state()[0]
    mg.random.seed(2)  # the package's own generator plays no part
    again = presets.build(config).state()[0]
    other = presets.build(dataclasses.replace(config, seed=1)).state()[0]
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["generator.0.weight"], other["generator.0.weight"])


def test_the_dense_image_networks_are_those_of_the_literature():
    """z 100 - 128 - 128 - 784, LeakyReLU, sigmoid, and 784 - 128 - 128 - 1 on logits, Adam 2e-4, batch 128."""
    config = presets.config("mnist")
    shapes = {name: a.shape for name, a in presets.build(config).state()[0].items() if name.endswith("weight")}
    assert [shapes[f"generator.{i}.weight"] for i in (0, 2, 4)] == [(128, 100), (128, 128), (784, 128)]
    assert [shapes[f"discriminator.{i}.weight"] for i in (1, 3, 5)] == [(128, 784), (128, 128), (1, 128)]
    assert (config.lr_g, config.lr_d, config.batch_size, config.loss) == (2e-4, 2e-4, 128, "non_saturating")
    assert config.steps == 10 * -(-60_000 // 128)  # ten epochs
    x = presets.build(config).sample(20)
    assert np.all((x > 0) & (x < 1))


def test_an_unknown_preset_is_told_with_the_known_ones():
    with pytest.raises(ConfigError, match="unknown preset 'rings'; known are gaussian, mixture1d, ring"):
        presets.config("rings")
    for use in (presets.networks, presets.build, presets.dataset):
        with pytest.raises(ConfigError, match="unknown preset 'rings'"):
            use(Config(preset="rings"))


def test_own_networks_have_no_preset():
    with pytest.raises(ConfigError, match="networks of your own"):
        presets.networks(Config())


def test_noise_of_no_size_is_refused():
    with pytest.raises(ConfigError, match="a generator needs noise"):
        presets.build(dataclasses.replace(presets.config("gaussian"), latent_normals=0))


def test_a_folder_of_files_is_for_mnist_only(tmp_path):
    with pytest.raises(ConfigError, match="gaussian is drawn and reads no files"):
        presets.dataset(dataclasses.replace(presets.config("gaussian"), data="/data"))
    with pytest.raises(DataError, match="none"):
        presets.dataset(dataclasses.replace(presets.config("mnist"), data=str(tmp_path / "none")))
