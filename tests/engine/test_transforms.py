"""grad, value_and_grad, vjp, jvp, hvp: alone, in each other, and around captured tensors."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan.engine import graph, primitive
from minigan.errors import DTypeError, GraphError, ShapeError


@pytest.fixture(autouse=True)
def float64():
    with mg.default_dtype("float64"):
        yield


def leaf(x):
    return mg.tensor(x, requires_grad=True)


def slope(f, order=1):
    """The derivative of a function of one number by forward mode, nested `order` times."""
    for _ in range(order):
        f = (lambda inner: lambda x: mg.jvp(inner, (x,), (1.0,))[1])(f)
    return f


def gradient(f, order=1):
    for _ in range(order):
        f = mg.grad(f)
    return f


# -- one of them -----------------------------------------------------------------------------------------------------


def test_grad():
    g = mg.grad(lambda x: (x * x).sum())([1.0, 2.0])
    assert g.numpy().tolist() == [2.0, 4.0]
    assert not g.requires_grad
    assert g.is_leaf


def test_grad_keeps_dtype_and_shape():
    x = np.ones((2, 3), "f4")
    g = mg.grad(lambda x: (x * np.ones(3)).sum())(x)
    assert (g.dtype, g.shape) == (np.float32, (2, 3))


def test_argnums():
    f = lambda x, y, z: x * y * z  # noqa: E731
    assert mg.grad(f, argnums=1)(2.0, 3.0, 5.0).item() == 10.0
    gz, gx = mg.grad(f, argnums=(2, 0))(2.0, 3.0, 5.0)
    assert (gz.item(), gx.item()) == (6.0, 15.0)
    (gx,) = mg.grad(f, argnums=(0,))(2.0, 3.0, 5.0)
    assert gx.item() == 15.0
    assert mg.grad(f, argnums=-1)(2.0, 3.0, 5.0).item() == 6.0


def test_other_arguments_pass_through_as_they_are():
    f = lambda x, names, n: x * len(names) * n  # noqa: E731
    assert mg.grad(f)(2.0, ["a", "b"], 3).item() == 6.0


def test_value_and_grad():
    value, (gx, gy) = mg.value_and_grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 3.0)
    assert (value.item(), gx.item(), gy.item()) == (6.0, 3.0, 2.0)
    assert not value.requires_grad


def test_the_function_that_does_not_depend_on_its_argument():
    assert mg.grad(lambda x: mg.tensor(3.0))([1.0, 2.0]).numpy().tolist() == [0.0, 0.0]
    y, t = mg.jvp(lambda x: mg.tensor([3.0, 4.0]), 1.0, 1.0)
    assert (y.numpy().tolist(), t.numpy().tolist()) == ([3.0, 4.0], [0.0, 0.0])


def test_the_identity():
    assert mg.grad(lambda x: x)(5.0).item() == 1.0
    y, t = mg.jvp(lambda x: x, 5.0, 3.0)
    assert (y.item(), t.item()) == (5.0, 3.0)


def test_vjp():
    y, pullback = mg.vjp(lambda x, w: w @ x, [1.0, 2.0], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert y.numpy().tolist() == [5.0, 11.0, 17.0]
    for _ in range(2):  # as often as one likes
        gx, gw = pullback([1.0, 0.0, 1.0])
        assert gx.numpy().tolist() == [6.0, 8.0]
        assert gw.numpy().tolist() == [[1.0, 2.0], [0.0, 0.0], [1.0, 2.0]]


def test_vjp_of_several_results():
    (a, b), pullback = mg.vjp(lambda x: (x * x, 3.0 * x), [1.0, 2.0])
    assert (a.numpy().tolist(), b.numpy().tolist()) == ([1.0, 4.0], [3.0, 6.0])
    (g,) = pullback(([1.0, 1.0], [10.0, 0.0]))
    assert g.numpy().tolist() == [32.0, 4.0]


def test_jvp():
    y, t = mg.jvp(lambda x, w: w * x, ([1.0, 2.0], [3.0, 4.0]), ([0.1, 0.2], [1.0, 0.0]))
    assert y.numpy().tolist() == [3.0, 8.0]
    np.testing.assert_allclose(t.numpy(), [1.3, 0.8], rtol=1e-15)


def test_directions_and_cotangents_keep_the_precision_of_the_point():
    with mg.default_dtype("float32"):
        x = mg.tensor(np.array([1.0]))
        _, t = mg.jvp(lambda x: x, (x,), ([0.1],))
        _, pullback = mg.vjp(lambda x: x, x)
        assert t.item() == pullback([0.1])[0].item() == 0.1


def test_jvp_through_an_operation_with_several_outputs():
    def f(x):
        a, _, b = mg.split(x, [1, 3])
        return a * b, b

    (_, _), (t, s) = mg.jvp(f, (np.array([2.0, 3.0, 4.0, 5.0]),), (np.array([1.0, 10.0, 100.0, 1000.0]),))
    assert t.item() == 1.0 * 5.0 + 2.0 * 1000.0
    assert s.item() == 1000.0


def test_jvp_is_the_transpose_of_vjp():
    rng = np.random.default_rng(0)
    w, x, v, g = (
        rng.standard_normal((5, 3)),
        rng.standard_normal((4, 3)),
        rng.standard_normal((4, 3)),
        rng.random((4, 5)),
    )
    f = lambda x: mg.softmax(mg.tanh(x @ w.T)) * mg.max(x, axis=1, keepdims=True)  # noqa: E731
    _, t = mg.jvp(f, x, v)
    _, pullback = mg.vjp(f, x)
    assert np.vdot(g, t.numpy()) == pytest.approx(np.vdot(pullback(g)[0].numpy(), v), rel=1e-13)


def test_hvp():
    a = np.array([[2.0, 1.0], [1.0, 5.0]])
    f = lambda x: 0.5 * (x * (a @ x)).sum() + (x**3).sum()  # noqa: E731
    x, v = np.array([1.0, 2.0]), np.array([1.0, -1.0])
    np.testing.assert_allclose(mg.hvp(f, x, v).numpy(), a @ v + 6 * x * v)


def test_hvp_of_a_constant_and_of_a_linear_function():
    assert mg.hvp(lambda x: x.sum(), [1.0, 2.0], [1.0, 1.0]).numpy().tolist() == [0.0, 0.0]


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


# -- the cost of forward mode ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
def test_forward_mode_walks_a_chain_once(order, monkeypatch):
    """Each node's tangent asks for the node alone, not for all that lies behind it."""
    listed = []
    original = graph.topological_order

    def counted(*args, **kwargs):
        nodes, leaves = original(*args, **kwargs)
        listed.append(len(nodes))
        return nodes, leaves

    for module in ("forward", "reverse", "transforms"):
        monkeypatch.setattr(f"minigan.engine.{module}.topological_order", counted)

    def chain(n):
        listed.clear()

        def f(x):
            for _ in range(n):
                x = mg.sin(x) * x
            return x

        slope(f, order)(0.5)
        return sum(listed)

    assert chain(80) < 2.5 * chain(40)


# -- a rule for forward mode -----------------------------------------------------------------------------------------


@pytest.fixture
def scaled():
    """z = x y with a `jvp` of its own, which counts its calls."""
    from minigan.engine import REGISTRY

    calls = []

    def jvp(tangents, out, x, y, *, factor):
        calls.append(len(tangents))
        return factor * (tangents[0] * y + x * tangents[1])

    @primitive(
        vjp=(lambda g, z, x, y, factor: factor * g * y, lambda g, z, x, y, factor: factor * g * x),
        jvp=jvp,
        domain=REGISTRY["add"].domain,
        name="scaled",
    )
    def operation(x, y, *, factor):
        return factor * x * y

    operation.calls = calls
    yield operation
    del REGISTRY["scaled"]


def test_a_declared_forward_rule_is_used(scaled):
    _, t = mg.jvp(lambda x, y: scaled(x, y, factor=2.0), (3.0, 5.0), (1.0, 10.0))
    assert t.item() == 2.0 * (5.0 + 30.0)
    _, t = mg.jvp(lambda x: scaled(x, 5.0, factor=2.0), 3.0, 1.0)  # a missing tangent arrives as zeros
    assert t.item() == 10.0
    assert scaled.calls == [2, 2]
    assert slope(lambda x: scaled(x, x, factor=1.0), 2)(3.0).item() == 2.0


# -- what is refused -------------------------------------------------------------------------------------------------


def test_a_gradient_is_of_one_number():
    with pytest.raises(
        ShapeError, match=r"grad: the function returned shape \(2,\); a gradient needs a single element"
    ):
        mg.grad(lambda x: x * x)([1.0, 2.0])
    with pytest.raises(ShapeError, match="grad: the function returned 2 values"):
        mg.grad(lambda x: (x, x))(1.0)


@pytest.mark.parametrize("result", [1.0, None, np.ones(2), [mg.tensor(1.0)]])
def test_what_is_no_tensor_has_no_derivative(result):
    with pytest.raises(TypeError, match="expected a Tensor or a tuple of them"):
        mg.grad(lambda x: result)(1.0)


def test_integers_have_no_derivative():
    with pytest.raises(DTypeError, match="argument 0 has dtype int64; only floating arrays have derivatives"):
        mg.grad(lambda x: x.sum())(np.arange(3))
    with pytest.raises(DTypeError, match="argument 1 has dtype bool"):
        mg.vjp(lambda x, c: mg.where(c, x, 0.0), 1.0, True)


def test_directions_and_cotangents_that_do_not_match():
    with pytest.raises(ShapeError, match=r"jvp: directions: number 0 has shape \(3,\), expected \(2,\)"):
        mg.jvp(lambda x: x, (np.ones(2),), (np.ones(3),))
    with pytest.raises(ShapeError, match="jvp: directions: got 2, expected 1"):
        mg.jvp(lambda x: x, (np.ones(2),), (np.ones(2), np.ones(2)))
    _, pullback = mg.vjp(lambda x: (x, x), np.ones(2))
    with pytest.raises(ShapeError, match=r"pullback: cotangents: number 1 has shape \(3,\)"):
        pullback((np.ones(2), np.ones(3)))
    with pytest.raises(ShapeError, match="pullback: cotangents: got 1, expected 2"):
        pullback((np.ones(2),))


def _with_backward(x):
    y = x * x
    y.backward()
    return y


def _with_assignment(x):
    c = mg.tensor(3.0)
    y = x * c
    c.assign(5.0)
    return y


@pytest.mark.parametrize(
    ("f", "message"), [(_with_backward, "a second time"), (_with_assignment, "changed in place since")]
)
def test_values_that_are_gone_give_no_derivative(f, message):
    """The function itself freed or overwrote what its derivative needs: neither mode returns 0 or nonsense."""
    for derivative in (lambda f: mg.grad(f)(2.0), lambda f: mg.jvp(f, 2.0, 1.0)):
        with pytest.raises(GraphError, match=message):
            derivative(f)


def test_a_freed_graph_is_not_differentiated_without_a_word():
    w = leaf(2.0)
    y = w * w
    y.backward()
    with pytest.raises(GraphError, match="a second time"):
        mg.grad(lambda x: x * y)(1.0).backward()
