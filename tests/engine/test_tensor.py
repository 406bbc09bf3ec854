"""A Tensor as a NumPy user meets it."""

import copy
import operator

import numpy as np
import pytest

import minigan as mg
from minigan.errors import DTypeError, GraphError, ShapeError

# -- making one ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1", "?"])
def test_arrays_keep_their_dtype(dtype):
    assert mg.tensor(np.zeros(2, dtype)).dtype == dtype
    assert mg.tensor(np.zeros(2, dtype)[0]).dtype == dtype
    assert mg.tensor(mg.tensor(np.zeros(2, dtype))).dtype == dtype


@pytest.mark.parametrize("x", [1, 1.0, [1, 2], [[1.0], [2.0]], (1, 2.5), [], [np.float64(1.0)]])
def test_lists_and_numbers_take_the_default_dtype(x):
    assert mg.tensor(x).dtype == "f4"
    with mg.default_dtype("float64"):
        assert mg.tensor(x).dtype == "f8"
    assert mg.tensor(x, dtype="i4").dtype == "i4"


@pytest.mark.parametrize("x", [True, [True, False]])
def test_booleans_stay_booleans(x):
    assert mg.tensor(x).dtype == "?"


def test_values_are_copied():
    x = np.zeros(3)
    t = mg.tensor(x)
    x[0] = 5.0
    assert t.numpy().tolist() == [0.0, 0.0, 0.0]
    again = mg.tensor(t)
    again.assign([1.0, 1.0, 1.0])
    assert t.numpy().tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("x", [None, "a", ["a", "b"], 1j, [1j], [1, None], np.array(["a"]), np.array([object()])])
def test_what_is_no_number_is_refused(x):
    with pytest.raises(DTypeError, match=r"tensor: got values of dtype .*, expected real numbers or booleans"):
        mg.tensor(x)


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ShapeError, match="rows of the list differ in length"):
        mg.tensor([[1.0], [1.0, 2.0]])


def test_only_floats_require_a_gradient():
    with pytest.raises(DTypeError, match=r"int64 cannot require a gradient; pass dtype='float32'"):
        mg.tensor(np.arange(3), requires_grad=True)
    assert mg.tensor([1, 2], requires_grad=True).requires_grad


@pytest.mark.parametrize("dtype", [None, "f8"])
def test_a_list_of_tensors_does_not_lose_their_gradients(dtype):
    x = mg.tensor(1.0, requires_grad=True)
    with pytest.raises(GraphError, match=r"join them with mg\.stack"):
        mg.tensor([x, 2.0], dtype=dtype)
    assert mg.tensor([mg.tensor(1.0), 2.0]).numpy().tolist() == [1.0, 2.0]


# -- looking at it ---------------------------------------------------------------------------------------------------


def test_shape_and_kin():
    t = mg.tensor(np.zeros((2, 3)))
    assert (t.shape, t.ndim, t.size, t.dtype, len(t), t.T.shape) == ((2, 3), 2, 6, np.float64, 2, (3, 2))
    assert t.is_leaf
    assert not t.requires_grad
    assert t.grad is None


def test_data_is_a_read_only_view():
    t = mg.tensor([1.0, 2.0])
    view = t.data
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5.0
    with pytest.raises(AttributeError):
        t.data = np.zeros(2)
    t.assign([3.0, 4.0])
    assert view.tolist() == [3.0, 4.0]


def test_asarray_is_a_read_only_view_without_a_copy():
    t = mg.tensor([1.0, 2.0])
    view = np.asarray(t)
    assert np.shares_memory(view, t.data)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5.0


def test_array_is_a_copy_of_ones_own():
    t = mg.tensor([1.0, 2.0])
    for mine in (np.array(t), t.numpy(), np.asarray(t, dtype="f8"), np.array(t, copy=True)):
        mine[0] = 5.0
    assert t.numpy().tolist() == [1.0, 2.0]


def test_asarray_without_a_copy_says_when_it_cannot():
    t = mg.tensor([1.0])
    assert np.shares_memory(np.asarray(t, copy=False), t.data)
    with pytest.raises(ValueError, match="float32 tensor cannot become float64 without a copy"):
        np.asarray(t, dtype="f8", copy=False)


def test_asarray_of_a_tensor_that_requires_a_gradient():
    assert np.asarray(mg.tensor(2.0, requires_grad=True) * 3.0) == 6.0


def test_item_and_conversions():
    t = mg.tensor([[2.5]])
    assert (t.item(), float(t), int(t), bool(t)) == (2.5, 2.5, 2, True)
    assert isinstance(t.item(), float)
    assert isinstance(mg.tensor(3, dtype=int).item(), int)
    assert not mg.tensor(0.0)
    for convert in (mg.Tensor.item, float, int):
        with pytest.raises(ValueError, match="size"):
            convert(mg.tensor([1.0, 2.0]))


@pytest.mark.parametrize("x", [[1.0, 2.0], []])
def test_the_truth_of_several_elements_is_ambiguous(x):
    with pytest.raises(ValueError, match=r"shape .* is ambiguous: use \.numpy\(\)\.any\(\)"):
        bool(mg.tensor(x))


def test_integers_serve_as_indices_and_floats_do_not():
    three = mg.tensor(3, dtype=int)
    assert operator.index(three) == 3
    assert "abcd"[three] == "d"
    assert list(range(three)) == [0, 1, 2]
    with pytest.raises(TypeError):
        operator.index(mg.tensor(3.0))


def test_len_and_iteration():
    t = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert [row.numpy().tolist() for row in t] == [[1.0, 2.0], [3.0, 4.0]]
    assert isinstance(next(iter(t)), mg.Tensor)
    assert 3.0 in t[1]
    assert 5.0 not in t[1]
    with pytest.raises(TypeError):
        len(mg.tensor(1.0))
    with pytest.raises(TypeError, match=r"0-d tensor.*\.item\(\)"):
        iter(mg.tensor(1.0))


def test_iteration_is_differentiable():
    x = mg.tensor([2.0, 3.0], requires_grad=True)
    a, b = x
    (a * b).backward()
    assert x.grad.numpy().tolist() == [3.0, 2.0]


@pytest.mark.parametrize(
    ("t", "text"),
    [
        (lambda: mg.tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (lambda: mg.tensor(1.5), "tensor(1.5)"),
        (lambda: mg.tensor([]), "tensor([])"),
        (lambda: mg.tensor([True]), "tensor([ True], dtype=bool)"),
        (lambda: mg.tensor(np.array([1.0])), "tensor([1.], dtype=float64)"),
        (lambda: mg.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: mg.tensor([1.0], requires_grad=True) * 2.0, "tensor([2.], requires_grad=True)"),
        (lambda: mg.tensor([[1.0, 2.0], [3.0, 4.0]]), "tensor([[1., 2.],\n        [3., 4.]])"),
    ],
)
def test_repr(t, text):
    assert repr(t()) == text
    assert str(t()) == text


def test_repr_of_a_large_tensor_is_short():
    assert len(repr(mg.tensor(np.zeros((1000, 1000))))) < 500


def test_format():
    loss = mg.tensor(0.123456)
    assert f"{loss:.3f}" == "0.123"
    assert f"{loss}" == repr(loss)
    assert f"{mg.tensor(3, dtype=int):d}" == "3"


def test_as_a_key_a_tensor_is_itself():
    a, b = mg.tensor([1.0]), mg.tensor([1.0])
    names = {a: "a", b: "b"}
    assert names[a] == "a"
    assert names[b] == "b"
    assert len({a, b, a}) == 2


def test_comparison_is_elementwise_also_with_lists():
    t = mg.tensor([1.0, 2.0])
    for other in ([1.0, 3.0], (1.0, 3.0), np.array([1.0, 3.0]), mg.tensor([1.0, 3.0])):
        assert (t == other).numpy().tolist() == [True, False]
        assert (t != other).numpy().tolist() == [False, True]
    assert (t == None) is False  # noqa: E711
    assert (t == "a") is False


def test_an_operator_refuses_what_is_no_array():
    with pytest.raises(TypeError, match="unsupported operand"):
        mg.tensor(1.0) + "a"
    with pytest.raises(TypeError, match="unsupported operand"):
        None * mg.tensor(1.0)


# -- what is not done to it ------------------------------------------------------------------------------------------


def test_assignment_to_elements_says_what_to_do_instead():
    t = mg.tensor([1.0, 2.0])
    with pytest.raises(GraphError, match=r"mg\.where.*t\.assign\(new_values\)"):
        t[0] = 5.0
    with pytest.raises(GraphError, match="not assigned into"):
        t[0] += 5.0
    assert t.numpy().tolist() == [1.0, 2.0]


def test_augmented_operators_make_a_new_tensor():
    t = old = mg.tensor([1.0])
    t += 1.0
    t *= 3.0
    assert t.item() == 6.0
    assert old.item() == 1.0


def test_an_attribute_that_does_not_exist_is_no_silent_success():
    with pytest.raises(AttributeError):
        mg.tensor(1.0).gradient = None


# -- copies ----------------------------------------------------------------------------------------------------------


def test_deepcopy_of_a_leaf():
    t = mg.tensor([1.0], requires_grad=True)
    pair = copy.deepcopy({"a": t, "b": t})
    assert pair["a"] is pair["b"]
    assert pair["a"].requires_grad
    assert pair["a"].grad is None
    pair["a"].assign([5.0])
    assert t.item() == 1.0


def test_deepcopy_of_a_result_says_what_to_do():
    with pytest.raises(GraphError, match=r"only leaves can be copied: call \.detach\(\) first"):
        copy.deepcopy(mg.tensor([1.0], requires_grad=True) * 2.0)


def test_deepcopy_leaves_the_gradient_behind():
    t = mg.tensor(1.0, requires_grad=True)
    (t * t).backward()
    assert copy.deepcopy(t).grad is None


# -- writing to it ---------------------------------------------------------------------------------------------------


def test_assign_overwrites_in_place():
    t = mg.tensor(np.zeros((2, 2)))
    view = t.data
    t.assign(np.arange(4.0).reshape(2, 2).T)
    assert view.tolist() == [[0.0, 2.0], [1.0, 3.0]]


def test_assign_keeps_the_precision_of_a_list():
    t = mg.tensor(np.zeros(1))
    t.assign([0.1])
    assert t.item() == 0.1


@pytest.mark.parametrize("values", [1.0, [1.0], [[1.0, 2.0]], np.zeros((3, 2))])
def test_assign_wants_the_same_shape(values):
    t = mg.tensor(np.zeros((2, 3)))
    with pytest.raises(ShapeError, match=r"assign: got values of shape .* for a tensor of shape \(2, 3\)"):
        t.assign(values)


def test_assign_from_itself_reversed():
    t = mg.tensor([1.0, 2.0, 3.0])
    t.assign(t[::-1])
    assert t.numpy().tolist() == [3.0, 2.0, 1.0]


def test_a_result_is_not_assigned_to():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    for result in (x * 2.0, x[:1], x.reshape(2, 1), x.T):
        with pytest.raises(GraphError, match=r"assign: only leaves are written to.*\.detach\(\)"):
            result.assign(np.zeros(result.shape))


def test_read_only_memory_is_not_assigned_to():
    t = mg.broadcast_to(mg.tensor(1.0), (3,))
    with pytest.raises(GraphError, match=r"memory is read-only; make one with mg\.tensor"):
        t.assign([1.0, 2.0, 3.0])


def test_assign_is_seen_through_views_and_detached_tensors():
    t = mg.tensor([1.0, 2.0])
    same = t.detach()
    row = t.reshape(1, 2)
    t.assign([3.0, 4.0])
    assert same.numpy().tolist() == [3.0, 4.0]
    assert row.numpy().tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize(("dtype", "values"), [("i8", 0.5), ("i8", np.float32(1)), ("?", 1)])
def test_assign_wants_the_same_kind_of_numbers(dtype, values):
    t = mg.tensor(np.ones((), dtype))
    with pytest.raises(DTypeError, match=r"assign: got .* for a tensor of (int64|bool); convert with .astype"):
        t.assign(values)
    assert t.item() == 1
