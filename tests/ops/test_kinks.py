"""The values chosen where a derivative does not exist: random tests stay away from these points, so they stand here."""

import numpy as np
import pytest

import minigan as mg


def slope(f, x):
    return mg.grad(f)(mg.tensor(x, dtype="f8")).item()


def gradient(f, *xs):
    _, pullback = mg.vjp(lambda *a: f(*a).sum(), *(np.array(x, dtype="f8") for x in xs))
    return [g.numpy().tolist() for g in pullback(1.0)]


@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (mg.relu, 0.0, 0.0),
        (mg.leaky_relu, 0.0, 0.2),
        (mg.elu, 0.0, 1.0),
        (mg.abs, 0.0, 0.0),
        (mg.norm, 0.0, 0.0),
        (lambda x: mg.clip(x, -1.0, 2.0), -1.0, 1.0),
        (lambda x: mg.clip(x, -1.0, 2.0), 2.0, 1.0),
        (lambda x: mg.clip(x, -1.0, 2.0), 2.1, 0.0),
        (lambda x: mg.maximum(x, 0.0), 0.0, 0.5),
        (lambda x: mg.minimum(x, 0.0), 0.0, 0.5),
        (lambda x: mg.where(x > 0, x, 3.0 * x), 0.0, 3.0),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**1, 0.0, 1.0),
        (lambda x: x**2, 0.0, 0.0),
        (lambda x: x**2, -3.0, -6.0),
        (lambda x: x**-1, -2.0, -0.25),
    ],
)
def test_subgradient(f, at, expected):
    assert slope(f, at) == expected


def test_the_derivative_of_a_square_root_at_0_is_infinite():
    with np.errstate(divide="ignore"):
        assert slope(mg.sqrt, 0.0) == np.inf


def test_powers_of_0_have_all_their_derivatives():
    f = lambda x: x**2  # noqa: E731
    assert slope(mg.grad(f), 0.0) == 2.0
    assert slope(mg.grad(mg.grad(f)), 0.0) == 0.0
    cube = mg.grad(mg.grad(mg.grad(lambda x: x**3)))
    assert cube(mg.tensor(0.0)).item() == 6.0


def test_the_exponent_of_a_base_that_is_not_positive_gets_no_gradient():
    assert gradient(mg.power, [-2.0, 0.0, 2.0], [2.0, 2.0, 2.0])[1] == [0.0, 0.0, 4 * np.log(2.0)]


def test_norm_at_0_is_flat_at_second_order_too():
    x = mg.tensor(np.zeros(3))
    assert mg.hvp(mg.norm, x, np.ones(3)).numpy().tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("f", "sign"), [(mg.max, 1.0), (mg.min, -1.0)])
def test_extremes_share_the_gradient_among_equals(f, sign):
    x = sign * np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    assert gradient(f, x) == [[[0, 0.5, 0.5], [0, 0, 0]]]
    np.testing.assert_allclose(gradient(lambda a: f(a, axis=1), x), [[[0, 0.5, 0.5], [1 / 3] * 3]])


@pytest.mark.parametrize("f", [mg.maximum, mg.minimum])
def test_equal_arguments_share_the_gradient(f):
    assert gradient(f, [1.0, 2.0], [1.0, 2.0]) == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("f", "low", "high"),
    [
        (mg.sigmoid, 0.0, 1.0),
        (mg.tanh, -1.0, 1.0),
        (mg.softplus, 0.0, 1000.0),
        (mg.silu, 0.0, 1000.0),
        (mg.gelu, 0.0, 1000.0),
        (mg.elu, -1.0, 1000.0),
        (mg.relu, 0.0, 1000.0),
    ],
)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_far_out_is_inside_the_domain(f, low, high, dtype):
    """+-1000 belongs to the domain of all of these: values and two derivatives are finite, and no warning is given."""
    for x, expected in ((-1000.0, low), (1000.0, high)):
        x = mg.tensor(x, dtype=dtype)
        assert f(x).item() == expected
        assert np.isfinite(mg.grad(f)(x).item())
        assert mg.grad(mg.grad(f))(x).item() == 0.0


def test_softmax_and_its_kin_bear_large_logits():
    x = np.array([1000.0, 0.0, -1000.0])
    assert mg.softmax(x).numpy().tolist() == [1.0, 0.0, 0.0]
    assert mg.log_softmax(x).numpy().tolist() == [0.0, -1000.0, -2000.0]
    assert mg.logsumexp(x).item() == 1000.0
    assert mg.logsumexp(-x - 1000.0).item() == 0.0
