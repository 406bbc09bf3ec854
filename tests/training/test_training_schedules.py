"""Schedules are pure functions of the step with values that can be computed by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.training.schedules import geometric, linear, movers, warmup_cosine


@pytest.mark.parametrize(
    ("step", "steps", "warmup", "cosine_from", "factor"),
    [
        (0, 100, 0, 1.0, 1.0),
        (99, 100, 0, 1.0, 1.0),
        (0, 100, 10, 1.0, 0.1),
        (4, 100, 10, 1.0, 0.5),
        (9, 100, 10, 1.0, 1.0),
        (10, 100, 10, 1.0, 1.0),
        (49, 100, 10, 0.5, 1.0),
        (50, 100, 10, 0.5, 1.0),
        (75, 100, 0, 0.5, 0.5),
        (99, 100, 0, 0.5, 0.5 * (1 - math.cos(math.pi / 50))),
        (25, 100, 0, 0.0, 0.5 * (1 + math.sqrt(0.5))),
        (50, 100, 100, 0.0, 0.51 * 0.5),  # both at once
        (100, 100, 0, 0.5, 0.0),
    ],
)
def test_warmup_cosine(step, steps, warmup, cosine_from, factor):
    assert warmup_cosine(step, steps, warmup=warmup, cosine_from=cosine_from) == pytest.approx(factor, abs=1e-15)


@pytest.mark.parametrize(
    ("step", "end", "until", "factor"),
    [
        (0, 0.01, 0.5, 1.0),
        (25, 0.01, 0.5, 0.1),
        (50, 0.01, 0.5, 0.01),
        (99, 0.01, 0.5, 0.01),
        (50, 0.01, 1.0, 0.1),
        (70, 1.0, 0.5, 1.0),
    ],
)
def test_geometric(step, end, until, factor):
    assert geometric(step, 100, end=end, until=until) == pytest.approx(factor, rel=1e-14)


@pytest.mark.parametrize(
    ("step", "end", "until", "factor"),
    [
        (0, 0.0, 0.5, 1.0),
        (25, 0.0, 0.5, 0.5),
        (50, 0.0, 0.5, 0.0),
        (99, 0.0, 0.5, 0.0),
        (25, 0.2, 0.5, 0.6),
        (50, 0.0, 1.0, 0.5),
    ],
)
def test_linear(step, end, until, factor):
    assert linear(step, 100, end=end, until=until) == pytest.approx(factor, abs=1e-15)


def test_movers():
    assert [movers(i) for i in (0, 10**9)] == [(True, True)] * 2
    stages = [movers(i, freeze_g_until=2, freeze_d_from=4) for i in range(6)]
    assert stages == [(True, False)] * 2 + [(True, True)] * 2 + [(False, True)] * 2


@given(st.integers(1, 500), st.integers(0, 600), st.floats(0, 1), st.floats(1e-12, 1))
def test_they_stay_in_range_and_fall_only(steps, warmup, cosine_from, end):
    rates = [warmup_cosine(i, steps, warmup=warmup, cosine_from=cosine_from) for i in range(steps)]
    assert all(0 < r <= 1 for r in rates)
    after = rates[min(warmup, steps) :]
    assert after == sorted(after, reverse=True)
    weights = [geometric(i, steps, end=end) for i in range(steps)]
    assert weights == sorted(weights, reverse=True)
    assert all(end * (1 - 1e-12) <= w <= 1 for w in weights)
