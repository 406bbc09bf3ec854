"""`Tensor.backward`: what it accumulates, where, and what it refuses."""

import numpy as np
import pytest

import minigan as mg
from minigan.errors import GraphError, ShapeError


def leaf(x, dtype="f8"):
    return mg.tensor(x, requires_grad=True, dtype=dtype)


# -- values ----------------------------------------------------------------------------------------------------------


def test_a_value_used_twice_hears_from_both_users():
    x = leaf(3.0)
    y = x * x
    (y * y + y).backward()  # x^4 + x^2
    assert x.grad.item() == 4 * 27 + 6


def test_diamonds_are_walked_once_for_each_node():
    """y <- y + y, 200 times: 2^200 paths."""
    x = leaf(1.0)
    y = x
    for _ in range(200):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**200


def test_gradients_accumulate():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    first = x.grad
    (x * 3.0).sum().backward()
    assert x.grad.numpy().tolist() == [5.0, 7.0]
    assert first.numpy().tolist() == [2.0, 4.0]  # who kept the old one keeps it
    x.grad = None
    (x * 3.0).sum().backward()
    assert x.grad.numpy().tolist() == [3.0, 3.0]


def test_the_cotangent_to_start_from():
    x = leaf([1.0, 2.0])
    (x * x).backward(gradient=np.array([1.0, 10.0]))
    assert x.grad.numpy().tolist() == [2.0, 40.0]
    x.grad = None
    (x * 1.0).backward(gradient=[0.1, 0.2])  # a list has the precision of the tensor
    assert x.grad.numpy().tolist() == [0.1, 0.2]


def test_one_element_of_any_shape_needs_no_cotangent():
    x = leaf([[2.0]])
    (x * x).backward()
    assert x.grad.numpy().tolist() == [[4.0]]


def test_a_leaf_is_its_own_root():
    x = leaf(2.0)
    x.backward()
    assert x.grad.item() == 1.0


def test_broadcasting_is_undone():
    row, column, one = leaf([1.0, 2.0, 3.0]), leaf([[1.0], [2.0]]), leaf(2.0)
    (row * column * one).sum().backward()
    assert row.grad.numpy().tolist() == [6.0, 6.0, 6.0]
    assert column.grad.numpy().tolist() == [[12.0], [12.0]]
    assert one.grad.item() == 18.0


@pytest.mark.parametrize(("a", "b"), [("f4", "f8"), ("f8", "f4")])
def test_a_gradient_has_its_primals_dtype(a, b):
    x, y = leaf([1.0, 2.0], a), leaf([3.0, 4.0], b)
    z = x * y
    assert z.dtype == "f8"
    (z * np.float64(2.0)).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (a, b)
    assert x.grad.numpy().tolist() == [6.0, 8.0]


def test_the_cotangent_takes_the_dtype_of_the_result():
    x = leaf([1.0], "f4")
    (x * 2.0).backward(gradient=np.ones(1))
    assert x.grad.dtype == "f4"
    y = leaf([1.0], "f4")
    y.backward(gradient=np.ones(1))
    assert y.grad.dtype == "f4"


def test_what_was_not_reached_has_no_gradient():
    x, y = leaf(1.0), leaf(1.0)
    (x * y.detach()).backward()
    assert y.grad is None
    z = leaf([1.0, 2.0])
    (x * (z > 1.5)).sum().backward()
    assert z.grad is None


def test_integers_and_conditions_pass_no_gradient():
    x = leaf([1.0, -1.0])
    count = (x > 0).sum()
    assert not count.requires_grad
    assert not (x == x).requires_grad
    assert not x.astype(int).requires_grad
    (x * (x > 0)).sum().backward()
    assert x.grad.numpy().tolist() == [1.0, 0.0]


# -- inputs= ---------------------------------------------------------------------------------------------------------


def test_inputs_are_the_only_ones_touched():
    x, y = leaf(2.0), leaf(3.0)
    y.grad = kept = mg.tensor(7.0)
    (x * y).backward(inputs=[x])
    assert x.grad.item() == 3.0
    assert y.grad is kept


def test_one_input_may_lie_behind_another():
    x = leaf(2.0)
    middle = x * x
    (middle * middle).backward(inputs=[middle, x])
    assert middle.grad.item() == 8.0
    assert x.grad.item() == 32.0
    assert middle.requires_grad
    assert not middle.is_leaf


def test_behind_the_inputs_nothing_is_computed():
    x = leaf(2.0)
    middle = x * x
    y = middle * 3.0
    y.backward(inputs=[middle])
    assert x.grad is None
    middle.backward()  # so its graph was not freed either
    assert x.grad.item() == 4.0


def test_inputs_may_be_one_tensor():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward(inputs=x)
    assert x.grad.numpy().tolist() == [2.0, 4.0]


def test_inputs_may_be_any_iterable():
    x, y = leaf(2.0), leaf(3.0)
    (x * y).backward(inputs=(t for t in [x, y]))
    assert (x.grad.item(), y.grad.item()) == (3.0, 2.0)


def test_an_input_that_was_not_reached_stays_as_it_is():
    x, y = leaf(2.0), leaf(3.0)
    (x * x).backward(inputs=[y])
    assert x.grad is None
    assert y.grad is None


def test_an_input_that_requires_no_gradient_is_an_error():
    x = leaf(2.0)
    with pytest.raises(GraphError, match=r"inputs holds a tensor of shape \(3,\) that does not require a gradient"):
        (x * x).backward(inputs=[x, mg.tensor([1.0, 2.0, 3.0])])


# -- several outputs -------------------------------------------------------------------------------------------------


def test_an_operation_with_several_outputs():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    a, _unused, b = mg.split(x, [1, 3])
    (a * 2.0 + b * b).backward()
    assert x.grad.numpy().tolist() == [2.0, 0.0, 0.0, 8.0]


def test_one_output_as_input():
    x = leaf([1.0, 2.0])
    a, b = mg.split(x, 2)
    (a * b).backward(inputs=[b, x])
    assert b.grad.numpy().tolist() == [1.0]
    assert x.grad.numpy().tolist() == [2.0, 1.0]


# -- nothing recorded ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["constant", "no_grad", "detached", "integers"])
def test_backward_without_a_graph(name):
    x = leaf([1.0, 2.0])
    with mg.no_grad():
        unrecorded = (x * x).sum()
    roots = {
        "constant": mg.tensor(1.0) * 2.0,
        "no_grad": unrecorded,
        "detached": x.detach().sum(),
        "integers": (x > 0).sum(),
    }
    with pytest.raises(GraphError, match=r"nothing was recorded.*no_grad.*detached.*requires_grad=True"):
        roots[name].backward()


def test_no_grad():
    x = leaf(2.0)
    with mg.no_grad():
        y = x * x
        assert not y.requires_grad
        assert y.is_leaf
        assert leaf(1.0).requires_grad  # what is made there may still be a parameter
    assert (x * x).requires_grad


def test_several_elements_need_a_cotangent():
    x = leaf([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"shape \(2,\).*\.sum\(\).*gradient="):
        (x * x).backward()
    with pytest.raises(ShapeError, match=r"gradient has shape \(3,\), the tensor \(2,\)"):
        (x * x).backward(gradient=np.ones(3))


# -- memory of the gradients -----------------------------------------------------------------------------------------


def grads_of(*tensors):
    return [t.grad.data for t in tensors]


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: x + y,
        lambda x, y: (x + y) * 2.0,
        lambda x, y: x.reshape(2, 2).T + y.T.reshape(2, 2),
        lambda x, y: mg.concatenate([x, y]),
        lambda x, y: mg.stack([x, y]),
        lambda x, y: (+x) + (+y),
    ],
)
def test_gradients_of_two_leaves_share_no_memory(f):
    x, y = leaf(np.ones((2, 2))), leaf(np.ones((2, 2)))
    out = f(x, y)
    seed = mg.tensor(np.ones(out.shape))
    out.backward(gradient=seed)
    gx, gy = grads_of(x, y)
    assert not np.shares_memory(gx, gy)
    assert not np.shares_memory(gx, seed.data)
    assert not np.shares_memory(gy, seed.data)
    before = y.grad.numpy()
    x.grad.assign(np.zeros((2, 2)))
    assert y.grad.numpy().tolist() == before.tolist()


def test_the_gradient_of_a_sum_can_be_written_to():
    x = leaf([1.0, 2.0, 3.0])
    x.sum().backward()
    x.grad.assign([0.0, 1.0, 2.0])
    assert x.grad.numpy().tolist() == [0.0, 1.0, 2.0]


def test_a_gradient_shares_no_memory_with_a_recorded_value():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x * y).sum().backward()
    for g in grads_of(x, y):
        assert not np.shares_memory(g, x.data)
        assert not np.shares_memory(g, y.data)


def test_a_gradient_is_no_part_of_a_graph_unless_asked_for():
    x = leaf([1.0, 2.0])
    seed = leaf([1.0, 1.0])
    (x + 0.0).backward(gradient=seed)
    assert not x.grad.requires_grad
    assert x.grad is not seed
    assert seed.grad is None


# -- create_graph ----------------------------------------------------------------------------------------------------


def test_create_graph():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    first = x.grad
    assert first.requires_grad
    assert first.item() == 12.0
    x.grad = None
    first.backward()
    assert x.grad.item() == 12.0  # 6 x


def test_create_graph_accumulates():
    """.grad = 3 x^2 from before, + 6 x from its own backward pass."""
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    x.grad.backward()
    assert x.grad.item() == 24.0


def test_create_graph_with_respect_to_the_cotangent():
    x, seed = leaf([1.0, 2.0]), leaf([1.0, 1.0])
    (x * x).backward(gradient=seed, inputs=[x], create_graph=True)
    (x.grad * x.grad).sum().backward(inputs=[seed])  # sum (2 x s)^2
    assert seed.grad.numpy().tolist() == [8.0, 32.0]


def test_a_gradient_penalty():
    """d/dw of |d/dx (w . x)|^2 = 2 w."""
    w, x = leaf([1.0, 2.0, 3.0]), leaf([4.0, 5.0, 6.0])
    (w * x).sum().backward(inputs=[x], create_graph=True)
    (x.grad * x.grad).sum().backward(inputs=[w])
    assert w.grad.numpy().tolist() == [2.0, 4.0, 6.0]
