"""Classifier score and class histogram: extremes, closed forms, and what they refuse."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from minigan.errors import DataError, ShapeError
from minigan.metrics import class_histogram_kl, classifier_score


def test_extremes_of_the_score():
    sure, unsure = np.eye(10)[np.arange(200) % 10], np.full((200, 10), 0.1)
    assert classifier_score(sure) == pytest.approx(10)
    assert classifier_score(sure[:200:10]) == pytest.approx(1)  # one class only
    assert classifier_score(unsure) == pytest.approx(1)
    assert classifier_score(np.eye(10)[np.arange(200) % 4]) == pytest.approx(4)


def test_score_of_a_classifier_that_is_right_with_one_probability():
    """p(y|x) is q for one class, r for each of the others, p(y) uniform: log K - H(p(y|x))."""
    q, r = 0.7, 0.1
    rows = np.full((4, 4), r) + np.eye(4) * (q - r)
    assert classifier_score(rows) == pytest.approx(4 * math.exp(q * math.log(q) + 3 * r * math.log(r)))


@given(seed=st.integers(0, 10_000), n=st.integers(1, 20), k=st.integers(1, 6))
def test_score_is_the_mean_divergence(seed, n, k):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), size=n)
    divergences = [scipy.stats.entropy(row, p.mean(axis=0)) for row in p]
    assert classifier_score(p) == pytest.approx(math.exp(np.mean(divergences)), rel=1e-9)
    assert classifier_score(rng.permutation(p)) == pytest.approx(classifier_score(p), rel=1e-9)
    assert 1 - 1e-9 <= classifier_score(p) <= k + 1e-9


def test_histogram():
    assert class_histogram_kl(np.arange(10), 10) == pytest.approx(0, abs=1e-12)
    assert class_histogram_kl([3] * 5, 10) == pytest.approx(math.log(10))
    assert class_histogram_kl([0, 0, 0, 1], 2) == pytest.approx(scipy.stats.entropy([0.75, 0.25], [0.5, 0.5]))


def test_histogram_of_even_draws_has_the_expected_divergence():
    rng = np.random.default_rng(0)
    values = [class_histogram_kl(rng.integers(10, size=1000), 10) for _ in range(400)]
    assert abs(np.mean(values) - 9 / 2000) < 4 * np.std(values) / 20


@pytest.mark.parametrize("p", [np.zeros((0, 3)), np.ones(3) / 3, np.zeros((3, 0))])
def test_score_refuses_other_shapes(p):
    with pytest.raises(ShapeError, match=r"expected \(N, K\)"):
        classifier_score(p)


@pytest.mark.parametrize("p", [np.ones((2, 3)), np.array([[1.5, -0.5]]), np.full((2, 2), np.nan)])
def test_score_refuses_what_is_no_distribution(p):
    with pytest.raises(DataError, match="no distribution"):
        classifier_score(p)


def test_histogram_refuses_what_are_no_labels():
    for labels in ([], [[1, 2]]):
        with pytest.raises(ShapeError, match=r"expected \(N,\)"):
            class_histogram_kl(labels, 3)
    for labels in ([0, 3], [-1, 0], [0.5, 1.0]):
        with pytest.raises(DataError, match="integers from 0 to 2"):
            class_histogram_kl(labels, 3)
