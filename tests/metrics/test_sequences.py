"""Autocorrelation: closed forms, brute force, and what it refuses."""

import numpy as np
import pytest

from minigan import data
from minigan.errors import ConfigError, DataError, ShapeError
from minigan.metrics import autocorrelation, autocorrelation_difference


def autoregressive(factors, n=20_000, steps=6, seed=0):
    """x_t = a x_{t-1} + sqrt(1 - a^2) e_t, from its stationary distribution: the autocorrelation is a^lag."""
    rng = np.random.default_rng(seed)
    a = np.array(factors)
    x = [rng.standard_normal((n, len(a)))]
    for _ in range(steps - 1):
        x.append(a * x[-1] + np.sqrt(1 - a**2) * rng.standard_normal((n, len(a))))
    return 5 + 3 * np.stack(x, axis=1)


def test_autoregressive_process():
    expected = np.power.outer(np.array([0.9, -0.5]), np.arange(1, 6)).T
    np.testing.assert_allclose(autocorrelation(autoregressive([0.9, -0.5])), expected, atol=0.02)
    assert autocorrelation(autoregressive([0.9, -0.5]), lags=2).shape == (2, 2)


def test_sines_of_any_phase_and_one_frequency():
    waves = data.Sines("waves", np.arange(12), 1, amplitude=(1, 1), frequency=(0.7, 0.7), phase=(-np.pi, np.pi))
    found = autocorrelation(waves.sample(20_000, seed=0))[:, 0]
    np.testing.assert_allclose(found, np.cos(0.7 * np.arange(1, 12)), atol=0.03)


def test_it_is_the_mean_over_pairs_of_steps():
    x = np.random.default_rng(0).standard_normal((4, 5, 2)).cumsum(axis=1)
    centred = x - x.mean(axis=(0, 1))
    for lag in range(1, 5):
        pairs = [centred[n, t] * centred[n, t + lag] for n in range(4) for t in range(5 - lag)]
        np.testing.assert_allclose(
            autocorrelation(x)[lag - 1], np.mean(pairs, axis=0) / np.mean(centred**2, axis=(0, 1)), rtol=1e-12
        )


def test_units_do_not_matter():
    x = np.random.default_rng(0).standard_normal((9, 5, 2))
    np.testing.assert_allclose(autocorrelation(1e3 * x - 7), autocorrelation(x), rtol=1e-9)


def test_difference():
    slow, fast = autoregressive([0.9]), autoregressive([0.1], seed=1)
    lags = np.arange(1, 6)
    assert autocorrelation_difference(slow, fast) == pytest.approx(np.mean(0.9**lags - 0.1**lags), abs=0.02)
    assert autocorrelation_difference(slow, autoregressive([0.9], seed=2)) < 0.02
    assert autocorrelation_difference(slow, slow) == 0
    assert autocorrelation_difference(slow, fast, lags=1) == pytest.approx(0.8, abs=0.02)


def test_constant_channel_has_none():
    x = np.random.default_rng(0).standard_normal((9, 5, 2))
    x[..., 1] = 0.1
    np.testing.assert_array_equal(np.isnan(autocorrelation(x)), [[False, True]] * 4)
    assert np.isnan(autocorrelation_difference(x, x))


def test_what_cannot_be_measured_is_refused():
    x = np.random.default_rng(0).standard_normal((9, 5, 2))
    for wrong in (x[0], x[:, :1], x[:0]):
        with pytest.raises(ShapeError, match=r"expected \(N, T, C\)"):
            autocorrelation(wrong)
    with pytest.raises(DataError, match="nan or inf"):
        autocorrelation(x * np.inf)
    for lags in (0, 5):
        with pytest.raises(ConfigError, match="expected 1 to 4"):
            autocorrelation(x, lags=lags)
    with pytest.raises(ShapeError, match=r"got shapes \(9, 5, 2\) and \(9, 4, 2\)"):
        autocorrelation_difference(x, x[:, :4])
