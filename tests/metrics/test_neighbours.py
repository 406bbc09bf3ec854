"""Precision, recall, density, coverage, memorisation: brute force, expected values, and samples that fail in each."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from minigan.errors import ConfigError, DataError, ShapeError
from minigan.metrics import density_coverage, memorisation, precision_recall


def by_hand(fake, real, k):
    """Return precision, recall, density, coverage from whole tables of distances."""
    to_real, within_real, within_fake = cdist(fake, real), cdist(real, real), cdist(fake, fake)
    real_radii, fake_radii = np.sort(within_real)[:, k], np.sort(within_fake)[:, k]
    inside = to_real <= real_radii
    return (
        inside.any(axis=1).mean(),
        (fake_radii >= to_real.T).any(axis=1).mean(),
        inside.sum() / (k * len(fake)),
        inside.any(axis=0).mean(),
    )


def measured(fake, real, k):
    return (*precision_recall(fake, real, k=k), *density_coverage(fake, real, k=k))


@given(seed=st.integers(0, 10_000), n=st.integers(5, 30), m=st.integers(5, 30), k=st.integers(1, 4))
def test_all_four_are_those_of_the_papers(seed, n, m, k):
    rng = np.random.default_rng(seed)
    fake, real = rng.standard_normal((n, 2)) + 0.5, rng.standard_normal((m, 2))
    expected = by_hand(fake, real, k)
    assert measured(fake, real, k) == pytest.approx(expected, rel=1e-12)
    shuffled = rng.permutation(fake), rng.permutation(real)
    assert measured(*shuffled, k) == pytest.approx(expected, rel=1e-12)
    assert measured(2 * fake + 1000, 2 * real + 1000, k) == pytest.approx(expected, rel=1e-12)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    fake, real = rng.standard_normal((50, 3)), rng.standard_normal((40, 3))
    expected, copies = measured(fake, real, 3), memorisation(fake[:9], real, fake[9:])
    monkeypatch.setattr("minigan.metrics.rows.ENTRIES", 170)
    assert measured(fake, real, 3) == expected
    assert memorisation(fake[:9], real, fake[9:]) == pytest.approx(copies, rel=1e-6)


def test_defaults_are_those_of_the_papers():
    rng = np.random.default_rng(0)
    fake, real = rng.standard_normal((60, 2)), rng.standard_normal((60, 2))
    assert precision_recall(fake, real) == pytest.approx(by_hand(fake, real, 3)[:2])
    assert density_coverage(fake, real) == pytest.approx(by_hand(fake, real, 5)[2:])


def test_the_same_samples_and_samples_elsewhere():
    x = np.random.default_rng(0).standard_normal((200, 4))
    assert precision_recall(x, x) == (1.0, 1.0)
    assert density_coverage(x, x)[1] == 1.0
    assert precision_recall(x + 100, x) == (0.0, 0.0)
    assert density_coverage(x + 100, x) == (0.0, 0.0)


def test_collapse_costs_recall_and_blur_costs_precision():
    rng = np.random.default_rng(0)
    real = rng.standard_normal((1000, 2))
    collapsed, blurred = 0.02 * rng.standard_normal((1000, 2)), 5 * rng.standard_normal((1000, 2))
    assert precision_recall(collapsed, real).precision > 0.95
    assert precision_recall(collapsed, real).recall < 0.05
    assert density_coverage(collapsed, real).coverage < 0.05
    assert precision_recall(blurred, real).precision < 0.4
    assert precision_recall(blurred, real).recall > 0.9


def test_an_outlier_raises_precision_but_not_density():
    """The reason for density: one far real point has a ball that holds everything between."""
    rng = np.random.default_rng(0)
    real = np.concatenate([rng.standard_normal((500, 2)), [[60.0, 0.0]]])
    fake = rng.standard_normal((500, 2)) + [20.0, 0.0]
    assert precision_recall(fake, real).precision == 1.0
    assert density_coverage(fake, real).density == pytest.approx(1 / 5, abs=0.01)


def test_expected_density_and_coverage_of_perfect_samples():
    """1, and 1 - (N-1)...(N-k) / (2N-1)...(2N-k): lemma 2 of Naeem et al. (2020), whatever the distribution."""
    n, k, repeats = 40, 3, 400
    rng = np.random.default_rng(0)
    draws = np.array([density_coverage(*rng.exponential(size=(2, n, 2)), k=k) for _ in range(repeats)])
    expected = 1.0, 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    errors = draws.std(axis=0) / math.sqrt(repeats)
    assert (np.abs(draws.mean(axis=0) - expected) < 4 * errors).all()
    assert errors.max() < 0.02


@pytest.mark.parametrize("measure", [precision_recall, density_coverage])
def test_what_cannot_be_measured_is_refused(measure):
    x = np.random.default_rng(0).standard_normal((8, 2))
    with pytest.raises(ShapeError, match="expected the same"):
        measure(x, x[:, :1])
    with pytest.raises(ShapeError, match="N of 5 or more"):
        measure(x, x[:4], k=4)
    with pytest.raises(DataError, match="nan or inf"):
        measure(x * np.nan, x)
    with pytest.raises(ConfigError, match="k is 0"):
        measure(x, x, k=0)


# -- memorisation ------------------------------------------------------------------------------------------------------


def normals(seed, *sizes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((n, 3)) for n in sizes]


def test_it_is_the_mann_whitney_test_of_the_distances():
    fake, train, held_out = normals(0, 60, 200, 80)
    result = memorisation(fake, train, held_out)
    generated, new = cdist(fake, train).min(axis=1), cdist(held_out, train).min(axis=1)
    test = scipy.stats.mannwhitneyu(generated, new, alternative="less", method="asymptotic", use_continuity=False)
    assert result.p_value == pytest.approx(test.pvalue, rel=1e-9)
    assert result.z == pytest.approx(scipy.stats.norm.ppf(test.pvalue), rel=1e-9)
    assert result.closer == pytest.approx((generated[:, None] < new).mean(), rel=1e-12)
    assert result.median_ratio == pytest.approx(np.median(generated) / np.median(new), rel=1e-5)


def test_copies_are_found():
    train, held_out = normals(0, 500, 200)
    copies = memorisation(train[:200], train, held_out)
    assert copies.median_ratio == 0.0  # exactly, though float32 was rounded on the way
    assert copies.closer == 1.0
    assert copies.z < -10
    noisy = memorisation(train[:200] + 0.01, train, held_out)
    assert 0 < noisy.median_ratio < 0.1
    assert noisy.p_value < 1e-10
    partly = memorisation(np.concatenate([train[:50], normals(1, 150)[0]]), train, held_out)
    assert partly.z < -3


def test_samples_far_from_all_data_are_no_copies():
    fake, train, held_out = normals(0, 200, 500, 200)
    far = memorisation(fake + 10, train, held_out)
    assert far.closer == 0.0
    assert far.z > 10
    assert far.p_value > 0.999
    assert far.median_ratio > 10


def test_new_data_is_accused_as_often_as_the_p_value_says():
    p = np.array([memorisation(*normals(seed, 40, 60, 40)).p_value for seed in range(400)])
    for level in (0.05, 0.2, 0.5):
        assert abs((p < level).mean() - level) < 4 * math.sqrt(level * (1 - level) / len(p))


def test_training_set_that_holds_the_held_out_items():
    (train,) = normals(0, 100)
    result = memorisation(train[:20], train, train[20:40])
    assert math.isnan(result.median_ratio)  # 0 / 0
    assert result.closer == 0.5
    assert result.z == 0


def test_memorisation_refuses_what_it_cannot_measure():
    x = np.zeros((4, 2))
    with pytest.raises(ShapeError, match="expected the same"):
        memorisation(x, np.zeros((4, 3)), x)
    with pytest.raises(ShapeError, match="N of 1 or more"):
        memorisation(x, x, x[:0])
