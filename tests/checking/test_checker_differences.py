"""The numerical derivative: its error estimate holds, and is small where it can be."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from minigan.checking import differentiate


def along(f, x, scale=None):
    """Return phi(t) = f(x + t s) with s the size of x, and s."""
    s = scale or abs(x) or 1.0

    def phi(t):
        with np.errstate(all="ignore"):
            return float(f(np.float64(x) + s * t))

    return phi, s


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


SMOOTH = {  # name: function, derivative, where, relative error that must be reached
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, 0.7, 1e-9),
    "1e8 tanh": (lambda x: 1e8 * np.tanh(x), lambda x: 1e8 * (1 - np.tanh(x) ** 2), 0.7, 1e-9),
    "exp(20 x)": (lambda x: np.exp(20 * x), lambda x: 20 * np.exp(20 * x), 1.3, 1e-9),
    "sin(50 x)": (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x), 1.3, 1e-9),
    "sqrt at 1e-6": (np.sqrt, lambda x: 0.5 / np.sqrt(x), 1e-6, 1e-9),
    "log at 1e-6": (np.log, lambda x: 1 / x, 1e-6, 1e-9),
    "sin at 1e6": (np.sin, np.cos, 1e6, 1e-6),
    "1 + sin at 1e-6": (lambda x: 1 + np.sin(x), np.cos, 1e-6, 1e-9),
    "1 + sin at 1e-12": (lambda x: 1 + np.sin(x), np.cos, 1e-12, 1e-9),
    "1e6 + sin": (lambda x: 1e6 + np.sin(x), np.cos, 1.0, 1e-6),
    "(1e6 + sin) - 1e6": (lambda x: (1e6 + np.sin(x)) - 1e6, np.cos, 1.0, 1e-6),
    "linear": (lambda x: 3 * x + 1, lambda x: 3.0, 1.0, 1e-12),
    "linear, small slope": (lambda x: 1e-6 * x + 1, lambda x: 1e-6, 1.0, 1e-7),
    "sigmoid at -30": (sigmoid, lambda x: sigmoid(x) * sigmoid(-x), -30.0, 1e-9),
    "1e-300 sin": (lambda x: 1e-300 * np.sin(x), lambda x: 1e-300 * np.cos(x), 1.0, 1e-9),
    "1e300 sin": (lambda x: 1e300 * np.sin(x), lambda x: 1e300 * np.cos(x), 1.0, 1e-9),
    "narrow peak": (lambda x: 1 / (1 + 1e4 * (x - 1) ** 2), lambda x: -0.2 / 1.01**2 * 100, 1.001, 1e-8),
    "float32 tanh": (lambda x: np.tanh(np.float32(x)), lambda x: 1 - np.tanh(x) ** 2, 0.7, 1e-3),
    "float32 exp(20 x)": (lambda x: np.exp(20 * np.float32(x)), lambda x: 20 * np.exp(20 * x), 1.3, 1e-2),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_the_error_estimate_holds_and_is_small(name):
    f, derivative, x, wanted = SMOOTH[name]
    phi, s = along(f, x)
    result = differentiate(phi, largest=max(1.0, 1 / s))
    right = derivative(x) * s
    assert abs(result.value - right) <= result.error
    assert result.error <= wanted * abs(right)
    assert not result.kink


@given(
    size=st.floats(-4, 4).map(lambda e: 10.0**e),
    steep=st.floats(-2, 2).map(lambda e: 10.0**e),
    offset=st.sampled_from([0.0, 1.0, 1e6]),
    n=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_error_estimate_holds_for_random_functions(size, steep, offset, n, seed):
    rng = np.random.default_rng(seed)
    x, a = size * rng.standard_normal(n), steep * rng.standard_normal(n)
    v = rng.choice([-1.0, 1.0], n) * rng.uniform(0.5, 1.5, n) * np.sqrt(np.mean(x * x))
    functions = [
        (lambda x: np.sum(a * np.tanh(x)), lambda x: 4 * a * expit(2 * x) * expit(-2 * x)),
        (lambda x: np.sum(np.sin(a * x)), lambda x: a * np.cos(a * x)),
        (lambda x: np.sqrt(np.sum(x * x)), lambda x: x / np.sqrt(np.sum(x * x))),
        (lambda x: np.sum(np.logaddexp(0, a * x)), lambda x: a * expit(a * x)),
        (lambda x: np.sum(a * np.maximum(x, 0)), lambda x: a * (x > 0)),
    ]
    for f, gradient in functions:
        result = differentiate(lambda t, f=f: float(f(x + t * v) + offset))
        terms = gradient(x) * v
        assert abs(result.value - terms.sum()) <= result.error + 1e-14 * np.abs(terms).sum()


def test_zero_derivatives_are_zero_within_an_error_that_says_how_well():
    constant = differentiate(lambda t: 3.0)
    assert constant.value == 0
    assert 0 < constant.error < 1e-4
    dead = differentiate(along(lambda x: max(x, 0.0), -1e-3, scale=1.0)[0])
    assert dead.value == 0
    assert dead.error < 1e-300
    minimum = differentiate(lambda t: t * t)
    assert abs(minimum.value) <= minimum.error < 1e-13


def test_values_rounded_to_float32_are_known_to_be():
    """A change below the grid of float32 must not look like a derivative of exactly zero."""
    phi, _ = along(lambda x: float(np.float32(1e8 + x)), 0.5)
    result = differentiate(phi)
    assert abs(result.value - 0.5) <= result.error


def test_a_kink_at_the_point_gives_the_interval_of_one_sided_derivatives():
    relu = differentiate(lambda t: max(t, 0.0))
    assert relu.kink
    assert relu.left == pytest.approx(0, abs=1e-12)
    assert relu.right == pytest.approx(1)
    assert relu.value == pytest.approx(0.5)
    assert relu.error == pytest.approx(0.5, rel=1e-6)
    tilted = differentiate(lambda t: abs(t) + math.tanh(3 * t))
    assert (tilted.left, tilted.right) == (pytest.approx(2), pytest.approx(4))


@pytest.mark.parametrize("distance", [1e-2, -1e-3, 1e-6, -1e-8, 1e-10])
def test_a_kink_beside_the_point_does_not_matter(distance):
    result = differentiate(along(lambda x: max(x, 0.0), distance, scale=1.0)[0])
    assert not result.kink
    assert abs(result.value - (distance > 0)) <= result.error < 1e-9


def test_steps_that_leave_the_domain_are_excluded():
    def phi(t):
        if 1 + 1e6 * t < 0:
            raise AssertionError("not evaluated inside a window that has already left the domain")
        return math.sqrt(1 + 1e6 * t)

    visited = []

    def guarded(t):
        visited.append(t)
        return phi(t) if 1 + 1e6 * t >= 0 else math.nan

    result = differentiate(guarded)
    assert abs(result.value - 5e5) <= result.error < 1e-2
    assert sum(1 + 1e6 * t < 0 for t in visited) <= 5  # one look at each window that is too wide


def test_at_the_edge_of_the_domain_one_side_is_enough():
    result = differentiate(lambda t: math.exp(t) if t >= 0 else math.nan)
    assert abs(result.value - 1) <= result.error < 1e-6
    other = differentiate(lambda t: math.exp(t) if t <= 0 else math.nan)
    assert abs(other.value - 1) <= other.error < 1e-6


@pytest.mark.parametrize("narrow", [1e-3, 1e-8, 1e-12, 1e-16])
def test_what_is_too_narrow_to_be_seen_has_no_small_error(narrow):
    """phi(0) is apart from all the other points: they alone would say that the slope is nearly zero."""
    edge = differentiate(lambda t: math.log(narrow + t) if narrow + t > 0 else math.nan)
    assert edge.error == math.inf or abs(edge.value - 1 / narrow) <= edge.error
    pole = differentiate(lambda t: 1 / (narrow + t) if narrow + t else math.nan, enough=0.0)
    assert pole.error == math.inf or abs(pole.value + narrow**-2) <= pole.error


def test_measuring_at_every_scale_finds_the_slope_inside_that_a_wide_window_does_not_show():
    def phi(t):
        return t + 1e-5 * math.tanh(1e9 * t)

    result = differentiate(phi, enough=0.0)
    assert abs(result.value - 10001) <= result.error < 1.0


def test_a_function_that_is_defined_nowhere_else_has_no_derivative():
    result = differentiate(lambda t: 0.0 if t == 0 else math.nan)
    assert math.isnan(result.value)
    assert result.error == math.inf


def test_a_smooth_function_costs_thirteen_evaluations():
    calls = []
    differentiate(lambda t: calls.append(t) or math.sin(1 + t))
    assert len(calls) == 13


@pytest.mark.parametrize("start", [4096.0, 16.0, 2.0**-4, 2.0**-20])
def test_a_first_step_that_is_far_off_does_no_harm(start):
    """A window much wider than what happens inside sees a constant, and its quotient by h a tiny error."""
    for f, slope in [
        (lambda t: math.tanh(1 + t) ** 2, 2 * math.tanh(1) / math.cosh(1) ** 2),
        (lambda t: (1 + t) ** 4, 4.0),
        (lambda t: max(0.5 + t, 0.0), 1.0),
    ]:
        result = differentiate(f, start=start, largest=1e6)
        assert abs(result.value - slope) <= result.error < 1e-8
