"""grad, value_and_grad, vjp, jvp, hvp: alone, in each other, and around captured tensors."""

import numpy as np
import pytest
from derivatives import slope

import minigan as mg
from minigan.engine import graph, primitive
from minigan.errors import DTypeError, GraphError, ShapeError


@pytest.fixture(autouse=True)
def float64():
    with mg.default_dtype("float64"):
        yield


def leaf(x):
    return mg.tensor(x, requires_grad=True)


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

    for module in ("engine.forward", "engine.reverse", "transforms"):
        monkeypatch.setattr(f"minigan.{module}.topological_order", counted)

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
