"""The Fréchet distance: closed forms, SciPy's matrix root, samples, and what it refuses."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from minigan.errors import DataError, ShapeError
from minigan.metrics import frechet_distance, frechet_of_gaussians


def covariance(rng, k, rank=None):
    root = rng.standard_normal((k, rank or k))
    return root @ root.T


def test_on_the_line_it_is_the_squared_distance_of_mean_and_deviation():
    assert frechet_of_gaussians([4], [[0.25]], [1], [[4.0]]) == pytest.approx(3**2 + (0.5 - 2) ** 2, rel=1e-12)


def test_diagonal_covariances():
    a, b = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 1.0])
    expected = 0.5**2 + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    assert frechet_of_gaussians([0, 0, 0.5], np.diag(a), np.zeros(3), np.diag(b)) == pytest.approx(expected, rel=1e-12)


@given(seed=st.integers(0, 10_000), k=st.integers(1, 6))
def test_it_is_the_formula_with_scipys_matrix_root(seed, k):
    rng = np.random.default_rng(seed)
    s1, s2 = covariance(rng, k) + 0.1 * np.eye(k), covariance(rng, k) + 0.1 * np.eye(k)
    m1, m2 = rng.standard_normal((2, k))
    root = scipy.linalg.sqrtm(s1 @ s2).real
    expected = np.sum((m1 - m2) ** 2) + np.trace(s1 + s2 - 2 * root)
    assert frechet_of_gaussians(m1, s1, m2, s2) == pytest.approx(expected, rel=1e-8, abs=1e-8)
    assert frechet_of_gaussians(m2, s2, m1, s1) == pytest.approx(expected, rel=1e-8, abs=1e-8)
    rotation = np.linalg.qr(rng.standard_normal((k, k)))[0]
    turned = frechet_of_gaussians(rotation @ m1, rotation @ s1 @ rotation.T, rotation @ m2, rotation @ s2 @ rotation.T)
    assert turned == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_singular_covariances_of_collapsed_samples():
    """Rank 1 against rank 2: the trace of the root is known, since one covariance is the projection on a line."""
    line = np.diag([4.0, 0.0, 0.0])
    plane = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    expected = 4 + 4 - 2 * np.sqrt(4.0 * 2.0)
    assert frechet_of_gaussians(np.zeros(3), line, np.zeros(3), plane) == pytest.approx(expected, rel=1e-7)
    assert frechet_of_gaussians(np.zeros(3), 0 * line, np.ones(3), 0 * line) == pytest.approx(3, rel=1e-12)
    rng = np.random.default_rng(0)
    s = covariance(rng, 40, rank=3)
    assert frechet_of_gaussians(np.zeros(40), s, np.zeros(40), s) == pytest.approx(0, abs=1e-5)


def test_samples_of_two_gaussians():
    rng = np.random.default_rng(0)
    fake, real = rng.standard_normal((40_000, 3)) * [1, 2, 3] + 1, rng.standard_normal((30_000, 3))
    assert frechet_distance(fake, real) == pytest.approx(3 + 0 + 1 + 4, abs=0.15)


def test_samples_are_their_mean_and_unbiased_covariance():
    rng = np.random.default_rng(0)
    fake, real = rng.standard_normal((7, 3)), rng.standard_normal((9, 3)).astype("f4")
    moments = [part for x in (fake, real) for part in (x.mean(axis=0), np.cov(x.T))]
    assert frechet_distance(fake, real) == pytest.approx(frechet_of_gaussians(*moments), rel=1e-6)
    assert frechet_distance(rng.permutation(fake), real) == pytest.approx(frechet_distance(fake, real), rel=1e-9)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-12)
    assert frechet_distance([0.0, 2.0], [1.0, 5.0]) == pytest.approx(2**2 + (np.sqrt(2) - np.sqrt(8)) ** 2)


def test_few_samples_are_too_far_apart():
    """The bias that makes one sample size a rule: 2K/N from the means, K(K + 1)/2N from the covariances."""
    rng = np.random.default_rng(0)
    k, n = 8, 400
    found = np.mean([frechet_distance(*rng.standard_normal((2, n, k))) for _ in range(100)])
    assert found == pytest.approx(k * (k + 5) / (2 * n), rel=0.08)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ShapeError, match=r"expected \(K,\), \(K, K\)"):
        frechet_of_gaussians([0.0, 1.0], np.eye(3), [0.0, 1.0], np.eye(2))
    with pytest.raises(ShapeError, match="N of 2 or more"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(DataError, match="nan or inf"):
        frechet_distance(np.full((5, 3), np.nan), np.zeros((5, 3)))
