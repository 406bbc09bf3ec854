"""What `backward` needs was freed, overwritten, or never declared: each raises at once and says what to do instead."""

import numpy as np
import pytest

import minigan as mg
from minigan.engine import REGISTRY, primitive
from minigan.errors import GraphError, MissingRuleError


def leaf(x, dtype="f8"):
    return mg.tensor(x, requires_grad=True, dtype=dtype)


# -- a second time ---------------------------------------------------------------------------------------------------


def test_a_second_backward_says_what_to_do():
    x = leaf(2.0)
    y = x * x
    y.backward()
    with pytest.raises(GraphError, match=r"'multiply' a second time.*retain_graph=True"):
        y.backward()
    assert x.grad.item() == 4.0


def test_a_second_backward_through_a_shared_part():
    x = leaf(2.0)
    shared = x * x
    a, b = shared * 2.0, shared + 1.0
    a.backward()
    with pytest.raises(GraphError, match="'multiply' a second time"):
        b.backward()


def test_retain_graph():
    x = leaf(2.0)
    y = x * x
    for _ in range(3):
        y.backward(retain_graph=True)
    assert x.grad.item() == 12.0
    y.backward()
    with pytest.raises(GraphError):
        y.backward()


def test_values_are_freed():
    x = leaf(2.0)
    y = mg.exp(x)
    y.backward()
    assert y._node.values is None
    assert y._node.inputs == ()
    assert y.item() == pytest.approx(np.exp(2.0))  # the result itself stays


# -- values that changed ---------------------------------------------------------------------------------------------

CHANGED = r"a value it recorded was changed in place since.*Call backward\(\) before the change"


def test_a_saved_input_that_changed():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    x.assign([5.0, 5.0])
    with pytest.raises(GraphError, match=f"'multiply': {CHANGED}"):
        y.backward()
    assert x.grad is None
    (x * x).sum().backward()
    assert x.grad.numpy().tolist() == [10.0, 10.0]


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.reshape(4),
        lambda x: x.T,
        lambda x: x[1:],
        lambda x: x[:, 0],
        lambda x: mg.split(x, 2)[0],
        lambda x: mg.broadcast_to(x, (3, 2, 2)),
        lambda x: +x,
        lambda x: mg.einsum("ij->ji", x),
        lambda x: x.swapaxes(0, 1)[0],
    ],
)
def test_a_view_of_what_changed(view):
    """What was computed from a view of some memory has seen values that are no more: a parameter's, or data's."""
    w, x, data = leaf(2.0), leaf([[1.0, 2.0], [3.0, 4.0]]), mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    for t in (x, data):
        v = view(t)
        assert np.shares_memory(v.data, t.data)
        y = (w * v).sum()
        t.assign(np.zeros((2, 2)))
        with pytest.raises(GraphError, match=CHANGED):
            y.backward(inputs=[w])


def test_a_change_through_a_detached_tensor():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    x.detach().assign([5.0, 5.0])
    with pytest.raises(GraphError, match=CHANGED):
        y.backward()


def test_a_result_changed_through_a_detached_tensor():
    """exp's rule uses its output."""
    x = leaf([1.0, 2.0])
    y = mg.exp(x)
    z = y.sum()
    y.detach().assign([0.0, 0.0])
    with pytest.raises(GraphError, match=f"'(exp|sum)': {CHANGED}"):
        z.backward()


def test_a_constant_that_changed():
    """Data is recorded like a parameter: an optimiser, or a batch reused as a buffer, may overwrite it."""
    x, data = leaf([1.0, 2.0]), mg.tensor([3.0, 4.0])
    y = (x * data).sum()
    data.assign([0.0, 0.0])
    with pytest.raises(GraphError, match=CHANGED):
        y.backward()


def test_a_change_of_a_copy_is_harmless():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    x.numpy()[:] = 5.0
    mg.tensor(x).assign([5.0, 5.0])
    x.astype("f8").detach().assign([5.0, 5.0])
    y.backward()
    assert x.grad.numpy().tolist() == [2.0, 4.0]


def test_a_change_before_the_forward_pass_is_harmless():
    x = leaf([1.0, 2.0])
    x.assign([3.0, 4.0])
    (x * x).sum().backward()
    assert x.grad.numpy().tolist() == [6.0, 8.0]


@pytest.mark.parametrize("transform", ["vjp", "grad of grad"])
def test_a_change_between_the_passes_of_a_transform(transform):
    x = mg.tensor([1.0, 2.0])
    if transform == "vjp":
        _, pullback = mg.vjp(lambda x: x * x, x)
        x.assign([5.0, 5.0])
        with pytest.raises(GraphError, match=CHANGED):
            pullback([1.0, 1.0])
    else:
        w = leaf([1.0, 2.0])
        g = mg.grad(lambda x: (w * x * x).sum())(x)
        w.assign([5.0, 5.0])
        with pytest.raises(GraphError, match=CHANGED):
            (g * g).sum().backward()


# -- no rule ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def without_rule():
    """An operation whose derivative nobody declared, for this test only."""

    @primitive(vjp=None, domain=REGISTRY["tanh"].domain, name="without_rule")
    def operation(x):
        return x + 1.0

    yield operation
    del REGISTRY["without_rule"]


def test_an_operation_without_a_rule_raises_at_once(without_rule):
    x = leaf(1.0)
    with pytest.raises(
        MissingRuleError, match=r"'without_rule' has no derivative rule.*x\.detach\(\).*mg\.no_grad\(\)"
    ):
        without_rule(x)
    assert without_rule(x.detach()).item() == 2.0
    with mg.no_grad():
        assert without_rule(x).item() == 2.0
