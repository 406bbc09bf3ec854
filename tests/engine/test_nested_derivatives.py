"""Derivatives of derivatives: orders, modes in modes, whose variable is whose, and what leads outside."""

import math

import numpy as np
import pytest
from derivatives import gradient, slope

import minigan as mg


@pytest.fixture(autouse=True)
def float64():
    with mg.default_dtype("float64"):
        yield


def leaf(x):
    return mg.tensor(x, requires_grad=True)


# -- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("derivative", [gradient, slope])
def test_derivatives_of_high_order(order, derivative):
    x = 0.7
    t = math.tanh(x)
    powers = {1: 5 * x**4, 2: 20 * x**3, 3: 60 * x**2, 4: 120 * x}
    tanh = {
        1: 1 - t**2,
        2: -2 * t * (1 - t**2),
        3: (1 - t**2) * (6 * t**2 - 2),
        4: (1 - t**2) * (16 * t - 24 * t**3),
    }
    sine = {1: math.cos(x), 2: -math.sin(x), 3: -math.cos(x), 4: math.sin(x)}
    logarithm = {1: 1 / x, 2: -1 / x**2, 3: 2 / x**3, 4: -6 / x**4}
    cases = [(lambda x: x**5, powers), (mg.tanh, tanh), (mg.sin, sine), (mg.log, logarithm)]
    for f, expected in cases:
        assert derivative(f, order)(x).item() == pytest.approx(expected[order], rel=1e-12)


def test_orders_through_create_graph():
    x = leaf(0.7)
    y = mg.sin(x)
    found = []
    for _ in range(4):
        y.backward(create_graph=True)
        y, x.grad = x.grad, None
        found.append(y.item())
    np.testing.assert_allclose(found, [math.cos(0.7), -math.sin(0.7), -math.cos(0.7), math.sin(0.7)], rtol=1e-14)


@pytest.mark.parametrize("outer", [gradient, slope])
@pytest.mark.parametrize("inner", [gradient, slope])
def test_each_mode_in_each(outer, inner):
    assert outer(inner(mg.sigmoid))(0.3).item() == pytest.approx(_sigmoid_second(0.3), rel=1e-13)


def _sigmoid_second(x):
    p = 1 / (1 + math.exp(-x))
    return p * (1 - p) * (1 - 2 * p)


def test_hessian_row_by_row_is_symmetric():
    x = np.array([0.3, -0.4, 0.5])
    f = lambda x: mg.exp(x[0] * x[1]) * mg.sin(x[2])  # noqa: E731
    rows = np.array([mg.hvp(f, x, e).numpy() for e in np.eye(3)])
    np.testing.assert_allclose(rows, rows.T, rtol=1e-14)
    e = math.exp(x[0] * x[1])
    assert rows[0, 1] == pytest.approx(e * (1 + x[0] * x[1]) * math.sin(x[2]))
    assert rows[0, 2] == pytest.approx(x[1] * e * math.cos(x[2]))


# -- who depends on whom: an inner derivative must not see the outer one's variable ----------------------------------


@pytest.mark.parametrize("outer", [gradient, slope])
@pytest.mark.parametrize("inner", [gradient, slope])
class TestPerturbationConfusion:
    def test_sum(self, outer, inner):
        """d/dx x (d/dy (x + y)) = 1 (Siskind & Pearlmutter, 2008)."""
        assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0).item() == 1.0

    def test_product(self, outer, inner):
        """d/dx x (d/dy x y) = d/dx x^2 = 2 x."""
        assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0).item() == 6.0

    def test_the_inner_point_is_the_outer_variable(self, outer, inner):
        """At y = x: d/dx [d/dy x y^2]_{y=x} = d/dx 2 x^2 = 4 x."""
        assert outer(lambda x: inner(lambda y: x * y * y)(x))(3.0).item() == 12.0

    def test_the_inner_point_is_computed_from_the_outer_variable(self, outer, inner):
        """d/dx [d/dy y^3]_{y=x^2} = d/dx 3 x^4 = 12 x^3."""
        assert outer(lambda x: inner(lambda y: y**3)(x * x))(2.0).item() == 96.0

    def test_the_inner_function_ignores_its_argument(self, outer, inner):
        assert outer(lambda x: x * x + inner(lambda y: x * x)(x))(3.0).item() == 6.0


def test_the_captured_tensor_is_the_argument_itself():
    """d/dy x y at y = x is x: the x in the closure is another variable, though it is the same object."""
    for x in (mg.tensor(3.0), leaf(3.0)):
        assert mg.grad(lambda y, x=x: x * y)(x).item() == 3.0
        assert mg.jvp(lambda y, x=x: x * y, x, 1.0)[1].item() == 3.0


def test_an_argument_given_twice():
    x = leaf(3.0)
    gx, gy = mg.grad(lambda a, b: a * a * b, argnums=(0, 1))(x, x)
    assert (gx.item(), gy.item()) == (18.0, 9.0)


# -- what leads outside ----------------------------------------------------------------------------------------------


def test_a_gradient_leads_back_to_its_argument():
    x = leaf(2.0)
    g = mg.grad(lambda x: x**3)(x)
    assert g.requires_grad
    g.backward()
    assert x.grad.item() == 12.0


def test_a_gradient_leads_to_captured_parameters():
    """The form of every gradient penalty: the norm of d/dx D(x), differentiated by the weights of D."""
    w, v = leaf([[1.0, 2.0]]), leaf([3.0])
    x = np.array([[0.5], [0.25]])
    (g,) = (mg.grad(lambda x: (mg.tanh(x @ w) @ mg.stack([v[0], v[0]])).sum())(x),)
    (g * g).sum().backward()
    eps = 1e-6
    for p in (w, v):
        expected = np.zeros(p.shape)
        for i in np.ndindex(p.shape):
            ends = []
            for sign in (1, -1):
                a, b = w.numpy(), v.numpy()
                (a if p is w else b)[i] += sign * eps
                grads = ((1 - np.tanh(x @ a) ** 2) * b[0]) @ a.T
                ends.append(np.sum(grads**2))
            expected[i] = (ends[0] - ends[1]) / (2 * eps)
        np.testing.assert_allclose(p.grad.numpy(), expected, rtol=1e-7)


def test_a_value_leads_to_captured_parameters_too():
    w = leaf(3.0)
    value, g = mg.value_and_grad(lambda x: w * x * x)(2.0)
    (value + g).backward()  # w x^2 + 2 w x
    assert w.grad.item() == 8.0


def test_tangents_lead_to_captured_parameters_and_directions():
    w, v = leaf(3.0), leaf(5.0)
    _, t = mg.jvp(lambda x: w * x * x, (2.0,), (v,))
    t.backward()  # 2 w x v
    assert (w.grad.item(), v.grad.item()) == (20.0, 12.0)


def test_cotangents_may_require_a_gradient():
    g = leaf(5.0)
    _, pullback = mg.vjp(lambda x: x * x, 3.0)
    (h,) = pullback(g)
    h.backward()
    assert g.grad.item() == 6.0


def test_under_no_grad_derivatives_exist_and_lead_nowhere():
    x, w = leaf(2.0), leaf(3.0)
    with mg.no_grad():
        assert mg.grad(lambda x: x**3)(x).item() == 12.0
        assert gradient(lambda x: x**3, 2)(x).item() == 12.0
        assert mg.hvp(lambda x: x**3, x, 1.0).item() == 12.0
        results = [mg.grad(lambda x: w * x)(x), *mg.jvp(lambda x: w * x, x, 1.0), mg.vjp(lambda x: w * x, x)[0]]
    assert not any(r.requires_grad for r in results)


def test_a_transform_touches_no_grad():
    x, w = leaf(2.0), leaf(3.0)
    mg.grad(lambda x: w * x)(x)
    mg.jvp(lambda x: w * x, x, 1.0)
    assert x.grad is None
    assert w.grad is None


def test_no_grad_inside_the_function_makes_a_constant():
    def f(x):
        with mg.no_grad():
            c = x * x
        return c * x

    assert mg.grad(f)(2.0).item() == 4.0
    assert mg.grad(lambda x: x.detach() * x)(2.0).item() == 2.0


def test_backward_inside_the_function():
    """A function may use `backward` on tensors of its own."""

    def f(x):
        w = leaf(2.0)
        (w * w * w).backward()
        return x * w.grad

    assert mg.grad(f)(1.0).item() == 12.0
