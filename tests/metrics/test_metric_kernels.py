"""MMD and KID: brute force, closed forms of Gaussians, no bias, and what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from minigan.errors import ConfigError, DataError, ShapeError
from minigan.metrics import kid, median_bandwidth, mmd2


def by_hand(x, y, kernel):
    """Equation 3 of Gretton et al. (2012), pair by pair."""
    n, m = len(x), len(y)
    xx = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


def gaussian_kernel(sigma):
    return lambda a, b: math.exp(-np.sum((a - b) ** 2) / (2 * sigma**2))


def cubic_kernel(a, b):
    return (a @ b / len(a) + 1) ** 3


@pytest.fixture(params=[2**22, 1, 20], ids=["one block", "row by row", "blocks"])
def block(request, monkeypatch):
    monkeypatch.setattr("minigan.metrics.rows.ENTRIES", request.param)


@pytest.mark.usefixtures("block")
def test_both_are_the_sums_of_the_paper():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((9, 3)), rng.standard_normal((6, 3)) + 1
    assert mmd2(x, y, bandwidths=0.7) == pytest.approx(by_hand(x, y, gaussian_kernel(0.7)), rel=1e-10)
    assert kid(x, y) == pytest.approx(by_hand(x, y, cubic_kernel), rel=1e-10)


def test_a_mixture_is_the_mean_of_its_kernels():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((9, 2, 3)), rng.standard_normal((6, 2, 3)) + 1
    parts = [mmd2(x, y, bandwidths=[s]) for s in (0.5, 1.0, 4.0)]
    assert mmd2(x, y, bandwidths=[0.5, 1.0, 4.0]) == pytest.approx(np.mean(parts), rel=1e-12)
    median = np.median(pdist(y.reshape(6, 6)))
    assert median_bandwidth(y) == pytest.approx(median, rel=1e-12)
    assert mmd2(x, y) == pytest.approx(mmd2(x, y, bandwidths=median * np.array([0.5, 1, 2])), rel=1e-12)
    assert median_bandwidth(y, rows=4) == pytest.approx(np.median(pdist(y[:4].reshape(4, 6))), rel=1e-12)


def mean_and_error(measure, draw, repeats=400):
    values = [measure(*draw(np.random.default_rng(i))) for i in range(repeats)]
    return np.mean(values), np.std(values) / math.sqrt(repeats), values


def test_mmd_of_gaussians_has_its_closed_form_without_bias():
    """E k of N(m1, v1 I) and N(m2, v2 I) is (s^2 / w)^(D/2) exp(-|m1 - m2|^2 / 2w) with w = s^2 + v1 + v2."""
    sigma, dimension, shift = 1.5, 2, 1.2

    def mean_kernel(v1, v2, squared):
        w = sigma**2 + v1 + v2
        return (sigma**2 / w) ** (dimension / 2) * math.exp(-squared / (2 * w))

    expected = mean_kernel(1, 1, 0) + mean_kernel(0.25, 0.25, 0) - 2 * mean_kernel(1, 0.25, 2 * shift**2)
    mean, error, _ = mean_and_error(
        lambda x, y: mmd2(x, y, bandwidths=sigma),
        lambda rng: (rng.standard_normal((8, 2)) + shift, 0.5 * rng.standard_normal((5, 2))),
    )
    assert abs(mean - expected) < 4 * error
    assert error < 0.1 * expected  # else the line above says little


def test_kid_of_gaussians_has_its_closed_form_without_bias():
    """On the line (xy + 1)^3 compares moments: 3 (dE x)^2 + 3 (dE x^2)^2 + (dE x^3)^2."""
    m, s = 0.5, 1.3
    expected = 3 * m**2 + 3 * (m**2 + s**2 - 1) ** 2 + (m**3 + 3 * m * s**2) ** 2
    mean, error, _ = mean_and_error(
        kid, lambda rng: (m + s * rng.standard_normal((30, 1)), rng.standard_normal((20, 1))), repeats=2000
    )
    assert abs(mean - expected) < 4 * error
    assert error < 0.1 * expected


@pytest.mark.parametrize("measure", [lambda x, y: mmd2(x, y, bandwidths=1), kid], ids=["mmd2", "kid"])
def test_same_distribution_gives_zero_on_average(measure):
    mean, error, values = mean_and_error(
        measure, lambda rng: (rng.standard_normal((6, 2)), rng.standard_normal((9, 2)))
    )
    assert abs(mean) < 4 * error
    assert min(values) < 0 < max(values)


@given(seed=st.integers(0, 10_000), n=st.integers(2, 12), m=st.integers(2, 12))
def test_order_and_place_do_not_matter(seed, n, m):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, 3)), rng.standard_normal((m, 3))
    expected = mmd2(x, y, bandwidths=1)
    assert mmd2(rng.permutation(x), rng.permutation(y), bandwidths=1) == pytest.approx(expected, abs=1e-12)
    assert mmd2(y, x, bandwidths=1) == pytest.approx(expected, abs=1e-12)
    assert mmd2(x + 100, y + 100, bandwidths=1) == pytest.approx(expected, abs=1e-10)
    assert mmd2(3 * x, 3 * y, bandwidths=3) == pytest.approx(expected, abs=1e-12)
    assert kid(rng.permutation(x), rng.permutation(y)) == pytest.approx(kid(x, y), rel=1e-9, abs=1e-12)


def test_float32_far_from_the_origin_is_measured_as_well_as_near_it():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 8, (200, 2)).astype("f4"), rng.integers(0, 9, (150, 2)).astype("f4")
    far = np.float32(1e5)
    assert mmd2(x + far, y + far, bandwidths=2) == pytest.approx(mmd2(x, y, bandwidths=2), rel=1e-6)


@pytest.mark.parametrize("measure", [mmd2, kid])
def test_what_cannot_be_measured_is_refused(measure):
    x = np.random.default_rng(0).standard_normal((4, 2))
    with pytest.raises(ShapeError, match="expected the same"):
        measure(x, x[:, :1])
    with pytest.raises(ShapeError, match="N of 2 or more"):
        measure(x[:1], x)
    with pytest.raises(DataError, match="nan or inf"):
        measure(x, x * np.inf)


@pytest.mark.parametrize("bandwidths", [0, -1.0, [], [1, np.inf], np.nan])
def test_bandwidths_are_positive(bandwidths):
    with pytest.raises(ConfigError, match="expected positive numbers"):
        mmd2(np.eye(3), np.eye(3), bandwidths=bandwidths)


def test_equal_items_have_no_median_distance():
    with pytest.raises(ConfigError, match="most items are equal"):
        mmd2(np.eye(3), np.ones((5, 3)))
