"""Initialisers: moments with two-sided bounds, ranges, and what they refuse."""

import math

import numpy as np
import pytest
from scipy import stats

import minigan as mg
from minigan import nn
from minigan.errors import ConfigError, ShapeError
from minigan.nn import init

O, I = 200, 300  # noqa: E741


def filled(fill, *args, shape=(O, I), dtype="float64", **options):
    """Return a parameter's values after `fill`."""
    p = nn.Parameter(np.full(shape, 99.0, dtype))
    fill(p, *args, rng=mg.random.default_rng(0), **options)
    assert p.dtype == dtype
    return p.numpy().ravel()


# What is drawn, and the distribution that it should have.
CASES = {
    "uniform": (lambda: filled(init.uniform_, -0.5, 2.0), stats.uniform(-0.5, 2.5)),
    "normal": (lambda: filled(init.normal_, 1.0, 0.02), stats.norm(1.0, 0.02)),
    "xavier_uniform": (
        lambda: filled(init.xavier_uniform_, gain=2.0),
        stats.uniform(-2 * math.sqrt(6 / (O + I)), 4 * math.sqrt(6 / (O + I))),
    ),
    "xavier_normal": (lambda: filled(init.xavier_normal_), stats.norm(0, math.sqrt(2 / (O + I)))),
    "kaiming_uniform": (
        lambda: filled(init.kaiming_uniform_),
        stats.uniform(-math.sqrt(6 / 1.04 / I), 2 * math.sqrt(6 / 1.04 / I)),
    ),
    "kaiming_normal": (lambda: filled(init.kaiming_normal_, "relu"), stats.norm(0, math.sqrt(2 / I))),
    "kaiming_normal of slope 0.5": (lambda: filled(init.kaiming_normal_, slope=0.5), stats.norm(0, math.sqrt(1.6 / I))),
    "convolution": (
        lambda: filled(init.kaiming_normal_, "linear", shape=(100, 8, 5, 5)),
        stats.norm(0, 1 / math.sqrt(8 * 25)),
    ),
    "convolution by xavier": (
        lambda: filled(init.xavier_normal_, shape=(100, 8, 5, 5)),
        stats.norm(0, math.sqrt(2 / (108 * 25))),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_distribution(name):
    draw, expected = CASES[name]
    w = draw()
    error = expected.std() / math.sqrt(w.size)
    assert abs(w.mean() - expected.mean()) < 5 * error
    assert abs(w.std() / expected.std() - 1) < 5 / math.sqrt(2 * w.size)
    assert stats.kstest(w, expected.cdf).pvalue > 1e-4
    low, high = expected.support()
    assert low <= w.min()
    assert w.max() <= high


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3, 3)])
@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_orthogonal(shape, gain):
    w = filled(init.orthogonal_, gain, shape=shape).reshape(shape[0], -1)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, gain**2 * np.eye(len(gram)), atol=1e-13)


def test_orthogonal_is_uniform_over_the_group():
    """A plain QR prefers one sign: its first entry would always be negative."""
    rng = mg.random.default_rng(1)
    p = nn.Parameter(np.zeros((2, 2)))
    first = []
    for _ in range(400):
        init.orthogonal_(p, rng=rng)
        first.append(p.numpy()[0, 0])
    assert 150 < np.sum(np.array(first) > 0) < 250
    assert stats.kstest(np.arccos(first) / np.pi, "uniform").pvalue > 1e-4  # the angle


def test_zeros():
    p = nn.Parameter(np.ones((2, 3), "f4"))
    init.zeros_(p)
    assert not p.numpy().any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_that_of_the_parameter(dtype):
    for fill in (init.uniform_, init.normal_, init.xavier_uniform_, init.kaiming_normal_, init.orthogonal_):
        assert np.isfinite(filled(fill, shape=(4, 3), dtype=dtype)).all()


def test_parameter_stays_on_the_optimisers_buffer():
    layer = nn.Dense(3, 2)
    optimiser = mg.optim.SGD(layer.parameters(), lr=1.0)
    init.xavier_uniform_(layer.weight, rng=mg.random.default_rng(0))
    before = layer.weight.numpy()
    layer.weight.grad = mg.tensor(np.ones((2, 3), "f4"))
    optimiser.step()
    np.testing.assert_array_equal(layer.weight.numpy(), before - 1)


def test_gain():
    assert init.gain() == init.gain("sigmoid") == 1.0
    assert init.gain("tanh") == 5 / 3
    assert init.gain("relu") == init.gain("leaky_relu", 0.0) == math.sqrt(2)
    assert init.gain("leaky_relu") == pytest.approx(math.sqrt(2 / 1.04), rel=1e-15)
    with pytest.raises(ConfigError, match="unknown nonlinearity 'gelu'; known are linear, sigmoid"):
        init.gain("gelu")


@pytest.mark.parametrize(
    "fill", [init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_]
)
def test_a_bias_has_no_fans(fill):
    with pytest.raises(ShapeError, match=r"shape \(3,\) has no fan_in and fan_out"):
        fill(nn.Parameter(np.zeros(3)))
