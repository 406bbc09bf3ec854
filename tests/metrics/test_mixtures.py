"""Mode coverage of mixtures in the plane: perfect, collapsed, blurred, missing samples."""

import math

import numpy as np
import pytest

from minigan import data
from minigan.errors import ConfigError, ShapeError
from minigan.metrics import MixtureQuality, mixture_quality

MIXTURES = pytest.mark.parametrize(("make", "modes"), [(data.ring, 8), (data.grid, 25)], ids=["ring", "grid"])
N = 2500


def measured(dataset, samples):
    return mixture_quality(samples, dataset.means, dataset.stds[0])


@MIXTURES
def test_perfect_samples(make, modes):
    """98.9 % of high quality, reverse KL (K-1)/2N, width 1: means over 40 draws, to about four standard errors."""
    dataset = make()
    draws = [measured(dataset, dataset.sample(N, seed)) for seed in range(40)]
    found, quality, reverse_kl, width = np.mean(draws, axis=0)
    assert found == modes
    assert abs(quality - (1 - math.exp(-4.5))) < 4 * math.sqrt(0.011 / N / 40)
    expected = {8: 0.0014, 25: 0.0048}[modes]
    assert 0.7 * expected < reverse_kl < 1.3 * expected
    assert 0.995 < width < 1.005
    assert all(0.98 < d.high_quality < 0.996 for d in draws)


@MIXTURES
@pytest.mark.parametrize("kept", [1, 3])
def test_collapsed_samples(make, modes, kept):
    dataset = make()
    rng = np.random.default_rng(0)
    samples = dataset.means[rng.integers(kept, size=N)] + dataset.stds[0] * rng.standard_normal((N, 2))
    result = measured(dataset, samples)
    assert result.modes == kept
    assert result.high_quality == pytest.approx(0.989, abs=0.01)
    assert result.reverse_kl == pytest.approx(math.log(modes / kept), abs=0.005)
    assert result.width == pytest.approx(1, abs=0.05)


def test_mode_is_counted_from_one_good_sample():
    ring = data.ring()
    samples = np.repeat(ring.means[:1], 99, axis=0)
    samples = np.concatenate([samples, ring.means[5:6]])
    result = measured(ring, samples)
    assert result.modes == 2
    assert result.high_quality == 1.0
    assert result.reverse_kl == pytest.approx(math.log(8) + 0.99 * math.log(0.99) + 0.01 * math.log(0.01), rel=1e-12)
    assert result.width == 0.0  # of the one mode that has two samples


@pytest.mark.parametrize("factor", [0.25, 0.5])
def test_modes_too_tight(factor):
    ring = data.ring()
    samples = data.ring(std=0.01 * factor).sample(N, 0)
    result = measured(ring, samples)
    assert result.high_quality == 1.0
    # Within 3 of the truth is within 6 or 12 of these: nothing is cut, so the width is over the truncated one.
    assert result.width == pytest.approx(factor / 0.974, rel=0.03)


def test_modes_too_wide():
    ring = data.ring()
    result = measured(ring, data.ring(std=0.03).sample(N, 0))
    assert result.high_quality == pytest.approx(1 - math.exp(-0.5), abs=0.03)  # within one standard deviation
    assert 1.4 < result.width < 1.6
    assert result.modes == 8


def test_circle_of_three_standard_deviations():
    inside, outside = (np.array([[3 * 0.1 * (1 + e), 0.0]]) for e in (-1e-9, 1e-9))
    assert mixture_quality(inside, [[0.0, 0.0]], 0.1).high_quality == 1
    assert mixture_quality(outside, [[0.0, 0.0]], 0.1).high_quality == 0


def test_width_is_about_the_modes_own_mean():
    """A mode that is off by one standard deviation is not wide."""
    ring = data.ring()
    samples = ring.means[np.arange(N) % 8] + 0.005 * np.random.default_rng(0).standard_normal((N, 2)) + [0.01, 0.0]
    assert measured(ring, samples).width == pytest.approx(0.5 / 0.974, rel=0.03)


@pytest.mark.parametrize("bad", [5.0, np.nan, np.inf])
def test_no_good_sample(bad):
    ring = data.ring()
    result = measured(ring, np.full((10, 2), bad))
    assert result[:2] == (0, 0.0)
    assert math.isnan(result.reverse_kl)
    assert math.isnan(result.width)


def test_samples_that_are_not_finite_count_as_bad():
    ring = data.ring()
    samples = ring.means.copy()
    samples[0] = np.nan
    result = measured(ring, samples)
    assert (result.modes, result.high_quality) == (7, 7 / 8)


def test_order_of_samples_and_modes_does_not_matter():
    grid, rng = data.grid(), np.random.default_rng(1)
    samples = grid.sample(500, 0)
    shuffled = mixture_quality(rng.permutation(samples), rng.permutation(grid.means), grid.stds[0])
    assert shuffled == pytest.approx(measured(grid, samples), rel=1e-9)


def test_float32_and_lists():
    result = mixture_quality([[0.0, 0.1], [1.0, 1.1]], [[0, 0], [1, 1]], 1)
    assert isinstance(result, MixtureQuality)
    assert result == mixture_quality(np.array([[0.0, 0.1], [1.0, 1.1]]), np.array([[0, 0], [1, 1]]), np.float32(1))


@pytest.mark.parametrize(
    ("samples", "means"),
    [
        (np.zeros((0, 2)), np.zeros((8, 2))),
        (np.zeros((5, 2)), np.zeros((0, 2))),
        (np.zeros((5, 1)), np.zeros((8, 1))),
        (np.zeros((5, 3)), np.zeros((8, 3))),
        (np.zeros(5), np.zeros((8, 2))),
        (np.zeros((5, 2)), np.zeros(2)),
    ],
)
def test_other_shapes_are_refused(samples, means):
    with pytest.raises(ShapeError, match=r"expected \(N, 2\), \(K, 2\)"):
        mixture_quality(samples, means, 0.1)


@pytest.mark.parametrize("std", [0.0, -1.0, np.nan, data.ring().stds])
def test_other_widths_are_refused(std):
    """One array with a width for each mode would be compared with the samples one by one."""
    with pytest.raises(ConfigError, match="expected one positive number"):
        mixture_quality(np.zeros((8, 2)), data.ring().means, std)
