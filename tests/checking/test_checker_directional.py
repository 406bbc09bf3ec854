"""Directional derivatives: three methods, one number."""

import numpy as np
import pytest

import minigan as mg
from minigan.errors import ShapeError


def test_three_methods_agree_and_the_error_holds():
    rng = np.random.default_rng(0)
    x, v = rng.standard_normal((2, 3, 4))

    def f(x):
        return (mg.tanh(x) * mg.exp(x)).sum()

    exact = float(np.sum(np.exp(x) * (1 - np.tanh(x) ** 2 + np.tanh(x)) * v))
    value, error = mg.directional_derivative(f, x, v)
    assert abs(value - exact) <= error < 1e-8
    for method in ("forward", "reverse"):
        result = mg.directional_derivative(f, x, v, method=method)
        assert isinstance(result, float)
        assert result == pytest.approx(exact, rel=1e-13)


def test_several_arguments_and_array_values():
    rng = np.random.default_rng(1)
    x, w, dx, dw = (rng.standard_normal(s) for s in [(5, 3), (3, 2), (5, 3), (3, 2)])
    right = dx @ w + x @ dw
    value, error = mg.directional_derivative(lambda x, w: x @ w, (x, w), (dx, dw))
    assert value.shape == error.shape == (5, 2)
    assert np.all(np.abs(value - right) <= error)
    assert error.max() < 1e-10
    np.testing.assert_allclose(
        mg.directional_derivative(lambda x, w: x @ w, (x, w), (dx, dw), method="forward"), right, rtol=1e-12
    )


def test_numpy_functions_numbers_and_tensors():
    assert mg.directional_derivative(np.sin, 0.0, 1.0).value == pytest.approx(1)
    assert mg.directional_derivative(lambda x: x[0] * x[1], [2.0, 3.0], [1.0, 0.0]).value == pytest.approx(3)
    x = mg.tensor([1.0, 2.0])
    assert mg.directional_derivative(lambda x: mg.log(x).sum(), x, x).value == pytest.approx(2)
    assert mg.directional_derivative(lambda x: x.sum().item() if x is None else mg.sigmoid(x), 0.0, 2.0).value == (
        pytest.approx(0.5)
    )


def test_the_derivative_is_linear_in_the_direction():
    f, x = np.tanh, 0.3
    one, many = mg.directional_derivative(f, x, 1e-5), mg.directional_derivative(f, x, -1e5)
    assert many.value == pytest.approx(-1e10 * one.value, rel=1e-9)
    assert mg.directional_derivative(f, x, 0.0) == (0, 0)


def test_a_kink_gives_the_interval():
    value, error = mg.directional_derivative(abs, 0.0, 1.0)
    assert (value, error) == (pytest.approx(0, abs=1e-9), pytest.approx(1))


def test_wrong_use():
    with pytest.raises(ShapeError, match="the direction needs the shape"):
        mg.directional_derivative(np.sum, np.ones(3), np.ones(4))
    with pytest.raises(ShapeError, match="forward"):
        mg.directional_derivative(mg.tanh, np.ones(3), np.ones(3), method="reverse")
    with pytest.raises(ValueError, match="expected 'numerical', 'forward' or 'reverse'"):
        mg.directional_derivative(np.sum, np.ones(3), np.ones(3), method="sideways")
