"""The toy distributions: exact moments, weights, places of the modes, densities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from minigan import data
from minigan.errors import ConfigError

ALL = [data.gaussian, data.mixture1d, data.ring, data.grid, data.moons]
MIXTURES = ALL[:4]
N = 100_000


def nearest(dataset, x):
    """Return for each point the index of its nearest mean and the distance in standard deviations."""
    distance = np.linalg.norm(x[:, np.newaxis] - dataset.means, axis=-1) / dataset.stds
    return distance.argmin(axis=1), distance.min(axis=1)


@pytest.mark.parametrize("make", ALL)
class TestEveryDataset:
    def test_has_what_a_trainer_asks_of_data(self, make):
        assert isinstance(make(), data.Dataset)
        assert make().name == make.__name__
        assert make.__name__ in repr(make())

    @pytest.mark.parametrize("n", [0, 1, 7])
    def test_sample_has_shape_and_dtype(self, make, n):
        x = make().sample(n, seed=0)
        assert x.shape == (n, *make().shape)
        assert x.dtype == np.float32

    def test_mean_and_std_are_those_of_the_samples(self, make):
        x = make().sample(N, seed=1).astype(float)
        # The means of N points scatter by std/sqrt(N); the standard deviations by less.
        assert abs(x.mean() - make().mean) < 4 * make().std / np.sqrt(N)
        assert abs(x.std() / make().std - 1) < 4 / np.sqrt(N)

    def test_seed_decides(self, make):
        dataset = make()
        np.testing.assert_array_equal(dataset.sample(50, seed=3), make().sample(50, seed=3))
        assert (dataset.sample(50, seed=3) != dataset.sample(50, seed=4)).all(axis=-1).any()

    def test_generator_is_advanced(self, make):
        rng = np.random.default_rng(3)
        first, second = make().sample(50, rng), make().sample(50, rng)
        np.testing.assert_array_equal(first, make().sample(50, seed=3))
        assert not np.array_equal(first, second)


@pytest.mark.parametrize("make", MIXTURES)
class TestEveryMixture:
    def test_components_have_their_weights_and_widths(self, make):
        dataset = make()
        # Normalised residuals about the nearest mean; where components overlap (mixture1d), a few are misjudged.
        k, _ = nearest(dataset, dataset.sample(N, seed=5))
        share = np.bincount(k, minlength=len(dataset.weights)) / N
        np.testing.assert_allclose(share, dataset.weights, atol=0.006)

    def test_high_quality_share_is_the_gaussian_one(self, make):
        dataset = make()
        _, distance = nearest(dataset, dataset.sample(N, seed=6))
        expected = {1: 0.9973, 2: 1 - np.exp(-4.5)}[dataset.shape[0]]  # within 3 standard deviations
        assert abs((distance < 3).mean() - expected) < 0.0015

    def test_arrays_are_read_only(self, make):
        for array in (make().means, make().stds, make().weights):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1.0


def test_gaussian_is_the_normal_distribution():
    x = np.linspace(1, 7, 61)
    np.testing.assert_allclose(data.gaussian().density(x[:, np.newaxis]), norm.pdf(x, 4, 0.5), rtol=1e-12)
    np.testing.assert_allclose(data.gaussian(-2, 3).density(x[:, np.newaxis]), norm.pdf(x, -2, 3), rtol=1e-12)


def test_mixture1d_density_is_the_sum_of_four():
    x = np.linspace(-7, 8, 151)
    parts = [w * norm.pdf(x, m, s) for w, m, s in [(0.2, -4, 0.3), (0.35, -1, 0.5), (0.3, 2, 0.3), (0.15, 5, 0.4)]]
    np.testing.assert_allclose(data.mixture1d().density(x[:, np.newaxis]), sum(parts), rtol=1e-12)


def test_mixture1d_density_fits_the_samples():
    edges = np.linspace(-6, 7, 40)
    counted = np.histogram(data.mixture1d().sample(N, seed=7), edges)[0] / N
    fine = np.linspace(-6, 7, 39 * 50 + 1)
    p = data.mixture1d().density(fine[:, np.newaxis])
    mass = np.add.reduceat((p[1:] + p[:-1]) / 2 * np.diff(fine), np.arange(0, 39 * 50, 50))
    np.testing.assert_allclose(counted, mass, atol=5 * np.sqrt(0.15 / N))


@pytest.mark.parametrize("dataset", [data.ring(radius=2, std=0.3), data.grid(std=0.4)])
def test_density_in_the_plane_integrates_to_one(dataset):
    ticks = np.linspace(-7, 7, 281)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1)
    density = dataset.density(points)
    assert density.shape == (281, 281)
    assert abs(density.sum() * (ticks[1] - ticks[0]) ** 2 - 1) < 1e-6


def test_ring_has_eight_different_modes_at_multiples_of_45_degrees():
    ring = data.ring()
    x = ring.sample(8000, seed=8)
    angle = np.degrees(np.arctan2(x[:, 1], x[:, 0])) % 360
    slot, count = np.unique(np.round(angle / 45).astype(int) % 8, return_counts=True)
    np.testing.assert_array_equal(slot, np.arange(8))
    np.testing.assert_allclose(count, 1000, atol=150)
    np.testing.assert_allclose(np.linalg.norm(ring.means, axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(x.reshape(-1, 2).std() ** 2, 0.5 + 0.01**2, rtol=0.02)


@pytest.mark.parametrize("modes", [1, 2, 5, 12])
def test_ring_of_other_sizes_has_no_mode_twice(modes):
    means = data.ring(modes, radius=3).means
    assert len(np.unique(means.round(9), axis=0)) == modes


def test_grid_is_five_by_five():
    grid = data.grid()
    assert {tuple(m) for m in grid.means} == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert np.unique(grid.stds) == 0.05


def test_moons_are_two_half_circles():
    x = data.moons(noise=0).sample(20_000, seed=9).astype(float)
    on_upper = (abs(np.linalg.norm(x, axis=1) - 1) < 1e-5) & (x[:, 1] > -1e-5)
    on_lower = (abs(np.linalg.norm(x - [1, 0.5], axis=1) - 1) < 1e-5) & (x[:, 1] < 0.5 + 1e-5)
    assert (on_upper | on_lower).all()
    assert abs(on_upper.mean() - 0.5) < 0.015
    angle = np.arctan2(x[on_upper, 1], x[on_upper, 0])
    assert abs(angle.mean() - np.pi / 2) < 0.04
    assert abs(angle.std() - np.pi / np.sqrt(12)) < 0.03  # uniform over the half circle


def test_moons_noise_has_its_width():
    residual = data.moons(noise=0.2).sample(N, seed=10).astype(float) - data.moons(noise=0).sample(N, seed=10)
    assert abs(residual.std() - 0.2) < 0.002


@given(weights=st.lists(st.floats(0, 10), min_size=3, max_size=3).filter(lambda w: sum(w) > 1e-3))
def test_components_without_weight_are_never_drawn(weights):
    mixture = data.Mixture("test", [[0], [100], [200]], stds=1, weights=weights)
    drawn = np.unique(nearest(mixture, mixture.sample(300, seed=0))[0])
    assert all(weights[k] > 0 for k in drawn)
    assert mixture.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: data.gaussian(std=0), "stds must be finite and greater than 0"),
        (lambda: data.gaussian(std=float("nan")), "stds must be finite"),
        (lambda: data.gaussian(mean=float("inf")), "means must be finite"),
        (lambda: data.ring(modes=0), "not empty"),
        (lambda: data.Mixture("m", [0, 1], stds=1), r"shape \(K, D\)"),
        (
            lambda: data.Mixture("m", [[0], [1]], stds=[1, 2, 3]),
            r"stds has shape \(3,\), expected one number or \(2,\)",
        ),
        (lambda: data.Mixture("m", [[0], [1]], stds=1, weights=[1, -1]), "weights must not be negative"),
        (lambda: data.Mixture("m", [[0], [1]], stds=1, weights=[0, 0]), "positive sum"),
        (lambda: data.moons(noise=-1), "noise must be a finite number"),
        (lambda: data.moons(noise=float("nan")), "noise must be a finite number"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
