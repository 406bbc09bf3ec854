"""Arrays, numbers and Tensors mix as NumPy 2 mixes arrays and numbers: every pair is compared with NumPy itself."""

import operator

import numpy as np
import pytest

import minigan as mg
from minigan.errors import ShapeError

ARRAYS = {
    **{dtype: np.ones((2,), dtype) for dtype in ("f4", "f8", "i8", "i4", "u1", "?")},
    **{f"0-d {dtype}": np.ones((), dtype) for dtype in ("f4", "f8", "i8")},
}
NUMBERS = {"1": 1, "1.5": 1.5, "True": True}
SCALARS = {f"np.{t.__name__}": t(1) for t in (np.float32, np.float64, np.int64, np.uint8, np.bool_)}
OPERATORS = {name: getattr(operator, name) for name in ("add", "mul", "truediv", "pow", "eq", "lt", "ge")}
FUNCTIONS = ("add", "multiply", "divide", "maximum", "minimum")


def agree(ours, theirs):
    assert isinstance(ours, mg.Tensor)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert ours.numpy().tolist() == theirs.tolist()


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("left", ARRAYS)
def test_operators(name, left):
    """Tensor with Tensor, array, NumPy scalar and number, on either side."""
    op, a = OPERATORS[name], ARRAYS[left]
    t = mg.tensor(a)
    for b in [*ARRAYS.values(), *SCALARS.values(), *NUMBERS.values()]:
        agree(op(t, b), np.asarray(op(a, b)))
        agree(op(b, t), np.asarray(op(b, a)))
    for b in ARRAYS.values():
        agree(op(t, mg.tensor(b)), np.asarray(op(a, b)))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("left", [*ARRAYS, *SCALARS])
def test_functions(name, left):
    a = {**ARRAYS, **SCALARS}[left]
    for b in [*ARRAYS.values(), *SCALARS.values(), *NUMBERS.values()]:
        agree(getattr(mg, name)(a, b), np.asarray(getattr(np, name)(a, b)))
        agree(getattr(mg, name)(b, a), np.asarray(getattr(np, name)(b, a)))


@pytest.mark.parametrize("a", ARRAYS)
def test_choosing(a):
    condition, a = np.array([True, False]), ARRAYS[a]
    for b in [*ARRAYS.values(), *SCALARS.values(), *NUMBERS.values()]:
        agree(mg.where(condition, mg.tensor(a), b), np.where(condition, a, b))
        agree(mg.where(condition, b, mg.tensor(a)), np.where(condition, b, a))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_numbers_do_not_widen(dtype):
    """A loss in float32 stays there whatever Python numbers and lists of them it meets."""
    t = mg.tensor(np.ones(2), dtype=dtype)
    for other in (2, 0.1, True, [0.1, 2], [1, 2], (0.1, 0.2), [True, False]):
        assert (t * other).dtype == dtype
        assert (other * t).dtype == dtype
        assert mg.maximum(t, other).dtype == dtype


def test_lists_keep_the_precision_of_their_company():
    t = mg.tensor(np.ones(2))
    assert (t * [0.1, 0.2]).numpy().tolist() == [0.1, 0.2]
    assert ([0.1, 0.2] * t).numpy().tolist() == [0.1, 0.2]


def test_a_number_keeps_the_precision_of_the_widest_company():
    assert mg.where(np.zeros(1, "f4"), np.zeros(1), 0.1).item() == 0.1


def test_integers_and_lists():
    t = mg.tensor(np.array([1, 2]))
    assert (t + [1, 2]).dtype == "i8"
    assert (t + [0.5, 2]).dtype == "f8"


def test_a_number_that_does_not_fit_is_an_error_as_in_numpy():
    with pytest.raises(OverflowError):
        np.ones(2, "u1") + 300
    with pytest.raises(OverflowError):
        mg.tensor(np.ones(2, "u1")) + 300


def test_without_company_numbers_take_the_default():
    assert mg.add(1, 2).dtype == "f4"
    assert mg.exp(1.0).dtype == "f4"
    with mg.default_dtype("float64"):
        assert mg.exp(1.0).dtype == "f8"


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ShapeError, match=r"add: shapes \(2,\) and \(3,\) do not broadcast"):
        mg.tensor([1.0, 2.0]) + mg.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize("array_first", [False, True])
def test_an_array_that_changes_later_does_not_change_the_gradient(array_first):
    x, factor = mg.tensor([1.0, 1.0], requires_grad=True), np.array([2.0, 3.0], "f4")
    y = factor * x if array_first else x * factor
    factor[:] = 100.0
    y.sum().backward()
    assert x.grad.numpy().tolist() == [2.0, 3.0]
