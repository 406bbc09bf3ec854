"""The noise: its parts, its size, and how the trainer finds it out."""

import numpy as np
import pytest

from minigan import nn, random
from minigan.errors import ConfigError
from minigan.training import Latent
from minigan.training.latent import latent_for


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

    assert latent_for(Inside(), 0, 0) == Latent(7)
    assert latent_for(Inside(), 1, 2) == Latent(1, 2)


def test_a_generator_without_a_dense_layer_needs_an_option():
    with pytest.raises(ConfigError, match="pass latent_normals="):
        latent_for(nn.Sequential(nn.Tanh()), 0, 0)
    with pytest.raises(ConfigError, match="pass latent_normals="):
        latent_for(lambda z: z, 0, 0)
    assert latent_for(lambda z: z, 2, 0) == Latent(2)
