"""W1 on the line: closed forms, its own floor, what it refuses; and its mean over the shadows of more dimensions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, wasserstein_distance

from minigan import data
from minigan.errors import ConfigError, DataError, ShapeError
from minigan.metrics import sliced_wasserstein, wasserstein1, wasserstein1_over_floor

MIDPOINTS = (np.arange(20_000) + 0.5) / 20_000


def between_gaussians(m1, s1, m2, s2):
    """W1 of N(m1, s1^2) and N(m2, s2^2): the mean of |d + s Z|."""
    d, s = abs(m1 - m2), abs(s1 - s2)
    if s == 0:
        return d
    return s * math.sqrt(2 / math.pi) * math.exp(-(d**2) / (2 * s**2)) + d * math.erf(d / (s * math.sqrt(2)))


@pytest.mark.parametrize(
    "gaussians", [(0, 1, 0, 1), (0, 1, 3, 1), (4, 0.5, 4, 1.25), (4, 0.5, 3, 1.25), (0, 2, 0.3, 0.1)], ids=str
)
def test_closed_form_of_two_gaussians(gaussians):
    m1, s1, m2, s2 = gaussians
    a, b = norm.ppf(MIDPOINTS, m1, s1), norm.ppf(MIDPOINTS, m2, s2)
    assert wasserstein1(a, b) == pytest.approx(between_gaussians(*gaussians), rel=1e-3, abs=1e-12)


def test_samples_of_two_gaussians():
    rng = np.random.default_rng(0)
    a, b = rng.normal(4, 0.5, 10_000), rng.normal(3, 1.25, 10_000)
    assert wasserstein1(a, b) == pytest.approx(between_gaussians(4, 0.5, 3, 1.25), abs=0.05)


@given(
    a=st.lists(st.floats(-100, 100), min_size=1, max_size=8),
    b=st.lists(st.floats(-100, 100), min_size=1, max_size=8),
    shift=st.floats(-10, 10),
)
def test_it_is_a_distance(a, b, shift):
    w = wasserstein1(a, b)
    assert w == pytest.approx(wasserstein_distance(a, b), rel=1e-12)
    assert w == pytest.approx(wasserstein1(b, a), rel=1e-12, abs=1e-12)
    assert wasserstein1(a, a) == 0
    assert wasserstein1(a, np.array(a) + shift) == pytest.approx(abs(shift), abs=1e-10)
    assert wasserstein1(3 * np.array(a), 3 * np.array(b)) == pytest.approx(3 * w, rel=1e-9, abs=1e-9)
    if len(a) == len(b):
        assert w == pytest.approx(np.mean(np.abs(np.sort(a) - np.sort(b))), rel=1e-9, abs=1e-9)


def test_points_on_parallel_lines():
    assert wasserstein1([0.0], [2.5]) == 2.5
    assert wasserstein1([0.0, 1.0], [0.0, 1.0, 0.0, 1.0]) == 0


def test_columns_and_float32():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(50), rng.standard_normal(70) + 1
    expected = wasserstein1(a, b)
    assert wasserstein1(a[:, np.newaxis], b) == expected
    assert wasserstein1(a.astype("f4"), b.astype("f4")[:, np.newaxis]) == pytest.approx(expected, rel=1e-6)
    assert type(wasserstein1(a.astype("f4"), b)) is float


@pytest.mark.parametrize("shape", [(0,), (0, 1), (5, 2), (1, 5), (), (5, 1, 1)])
def test_other_shapes_are_refused(shape):
    for pair in ((np.zeros(shape), np.zeros(3)), (np.zeros(3), np.zeros(shape))):
        with pytest.raises(ShapeError, match=r"expected \(N,\) or \(N, 1\) with N > 0"):
            wasserstein1(*pair)


# -- over the floor ----------------------------------------------------------------------------------------------------


def test_perfect_generator_is_at_the_floor():
    real = data.gaussian()
    w1, floor = wasserstein1_over_floor(real.sample, real.sample, n=4000)
    # Mean |F_n - F_m| between two samples: E|B| sqrt(2/n), integrated; for a Gaussian of sd .5 about .0102.
    bridge = np.sqrt(2 / np.pi) * np.sqrt(2 / 4000)
    x = np.linspace(-8, 8, 4001)
    expected = 0.5 * bridge * np.trapezoid(np.sqrt(norm.cdf(x) * norm.sf(x)), x)
    assert 0.75 * expected < floor < 1.3 * expected
    assert 0.7 < w1 / floor < 1.4


def test_wrong_generator_is_far_above_it():
    real = data.gaussian()
    w1, floor = wasserstein1_over_floor(lambda n, seed: real.sample(n, seed) + 1, real.sample, n=2000, pairs=4)
    assert 0.97 < w1 < 1.03
    assert floor < 0.05


def test_no_seed_serves_noise_and_data():
    """A generator that turns its noise into the data's own numbers would come out better than perfect."""
    seeds = {"real": [], "fake": []}

    def draw(kind):
        def sample(n, seed):
            seeds[kind].append(seed)
            return np.random.default_rng(seed).standard_normal((n, 1))

        return sample

    w1, floor = wasserstein1_over_floor(draw("fake"), draw("real"), n=500, pairs=3)
    assert len(seeds["fake"]) == 3
    assert len(set(seeds["fake"] + seeds["real"])) == 9
    assert 0.2 < w1 / floor < 5


# -- sliced ------------------------------------------------------------------------------------------------------------


def test_sliced_distance_of_a_shift_is_its_length_over_the_root_of_the_dimension():
    x = np.random.default_rng(0).standard_normal((50, 3))
    shift = np.array([1.0, -2.0, 2.0])
    # (theta . v)^2 has the mean |v|^2 / D and the variance 2 (D - 1) / (D + 2) of its square.
    relative = math.sqrt(2 * 2 / 5 / 10_000)
    squared = sliced_wasserstein(x + shift, x, projections=10_000) ** 2
    assert abs(squared / (9 / 3) - 1) < 4 * relative
    assert abs(squared / (9 / 3) - 1) > 1e-9  # it is an estimate


def test_sliced_distance_of_gaussians_of_two_widths():
    """Every shadow of N(0, s^2 I) is N(0, s^2), so the distance is |s1 - s2|."""
    rng = np.random.default_rng(0)
    a, b = 3.0 * rng.standard_normal((20_000, 4)), 1.0 * rng.standard_normal((15_000, 4))
    assert sliced_wasserstein(a, b, projections=64) == pytest.approx(2.0, abs=0.03)


@given(
    a=st.lists(st.floats(-100, 100), min_size=1, max_size=8),
    b=st.lists(st.floats(-100, 100), min_size=1, max_size=8),
    order=st.sampled_from([1, 1.5, 2, 3]),
    seed=st.integers(0, 99),
)
def test_sliced_distance_on_the_line_is_the_distance(a, b, order, seed):
    a, b = np.array(a)[:, np.newaxis], np.array(b)[:, np.newaxis]
    found = sliced_wasserstein(a, b, order=order, projections=3, seed=seed)
    every = math.lcm(len(a), len(b))  # as many copies of each as make both samples equally large
    pairs = [np.repeat(np.sort(x[:, 0]), every // len(x)) for x in (a, b)]
    assert found == pytest.approx(np.mean(np.abs(pairs[0] - pairs[1]) ** order) ** (1 / order), rel=1e-9, abs=1e-9)
    if order == 1:
        assert found == pytest.approx(wasserstein1(a, b), rel=1e-9, abs=1e-9)


def test_sliced_distance_takes_sets_for_sets_and_items_of_any_shape(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((40, 3, 2)), rng.standard_normal((30, 3, 2))
    expected = sliced_wasserstein(a, b)
    assert sliced_wasserstein(b, a) == pytest.approx(expected, rel=1e-12)
    assert sliced_wasserstein(rng.permutation(a), rng.permutation(b)) == pytest.approx(expected, rel=1e-12)
    assert sliced_wasserstein(a, a) == 0
    assert sliced_wasserstein(a, b, seed=1) != expected
    monkeypatch.setattr("minigan.metrics.rows.ENTRIES", 200)
    assert sliced_wasserstein(a.reshape(40, 6), b.reshape(30, 6)) == pytest.approx(expected, rel=1e-12)


def test_sliced_distance_refuses_what_it_cannot_measure():
    with pytest.raises(ShapeError, match=r"items of shapes \(2,\) and \(3,\)"):
        sliced_wasserstein(np.zeros((4, 2)), np.zeros((4, 3)))
    with pytest.raises(DataError, match="nan or inf"):
        sliced_wasserstein(np.full((4, 2), np.nan), np.zeros((4, 2)))
    for options in ({"order": 0.5}, {"projections": 0}):
        with pytest.raises(ConfigError, match="both must be 1 or more"):
            sliced_wasserstein(np.zeros((4, 2)), np.zeros((4, 2)), **options)
