"""NumPy's functions on Tensors: answered by minigan where it has the function, by NumPy on constants, else refused."""

import numpy as np
import pytest
import scipy.special

import minigan as mg
from minigan.errors import MissingRuleError

X = np.array([[1.0, 2.0], [3.0, 4.0]])


def parameter():
    return mg.tensor(X, requires_grad=True)


CALLS = {
    "np.exp": (np.exp, mg.exp),
    "np.negative": (np.negative, mg.negative),
    "np.abs": (np.abs, mg.abs),
    "np.absolute": (np.absolute, mg.abs),
    "np.add": (lambda t: np.add(t, 1.0), lambda t: t + 1.0),
    "np.true_divide": (lambda t: np.true_divide(1.0, t), lambda t: 1.0 / t),
    "np.matmul": (lambda t: np.matmul(X, t), lambda t: mg.matmul(X, t)),
    "array + t": (lambda t: X + t, lambda t: mg.add(X, t)),
    "array @ t": (lambda t: X @ t, lambda t: mg.matmul(X, t)),
    "array > t": (lambda t: t < X, lambda t: mg.ops.greater(X, t)),
    "np.float64 * t": (lambda t: np.float64(2.0) * t, lambda t: 2.0 * t),
    "np.sum": (np.sum, mg.sum),
    "np.sum axis": (lambda t: np.sum(t, axis=0, keepdims=True), lambda t: mg.sum(t, axis=0, keepdims=True)),
    "np.mean": (lambda t: np.mean(t, 1), lambda t: mg.mean(t, axis=1)),
    "np.var": (lambda t: np.var(t, ddof=1), lambda t: mg.var(t, ddof=1)),
    "np.max": (np.max, mg.max),
    "np.amin": (lambda t: np.amin(t, axis=0), lambda t: mg.min(t, axis=0)),
    "np.concatenate": (lambda t: np.concatenate([t, X]), lambda t: mg.concatenate([t, X])),
    "np.stack": (lambda t: np.stack([X, t], axis=1), lambda t: mg.stack([X, t], axis=1)),
    "np.split": (lambda t: np.split(t, 2)[0], lambda t: mg.split(t, 2)[0]),
    "np.reshape": (lambda t: np.reshape(t, (4,)), lambda t: mg.reshape(t, (4,))),
    "np.transpose": (np.transpose, mg.transpose),
    "np.where": (lambda t: np.where(t > 2, t, 0.0), lambda t: mg.where(t > 2, t, 0.0)),
    "np.clip": (lambda t: np.clip(t, 1.5, 2.5), lambda t: mg.clip(t, 1.5, 2.5)),
    "np.einsum": (lambda t: np.einsum("ij->j", t), lambda t: mg.einsum("ij->j", t)),
    "np.broadcast_to": (lambda t: np.broadcast_to(t, (3, 2, 2)), lambda t: mg.broadcast_to(t, (3, 2, 2))),
    "scipy.special.erf": (scipy.special.erf, mg.ops.erf),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_function_that_minigan_has(name):
    theirs, ours = CALLS[name]
    t = parameter()
    found, expected = theirs(t), ours(t)
    assert isinstance(found, mg.Tensor)
    assert found.requires_grad == expected.requires_grad
    assert found.dtype == expected.dtype
    assert found.numpy().tolist() == expected.numpy().tolist()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda t: np.floor(t), np.floor(X)),
        (lambda t: np.cumsum(t), np.cumsum(X)),
        (lambda t: np.sort(t, axis=0), X),
        (lambda t: np.add.reduce(t), X.sum(0)),
        (lambda t: np.linalg.norm(t, 1), 6.0),  # another norm than mg.norm along axis 1
        (lambda t: np.linalg.norm(t, axis=0), np.linalg.norm(X, axis=0)),
        (lambda t: np.sum(t, dtype="f4"), np.float32(10.0)),
        (lambda t: np.sum(t, axis=0, initial=1.0), [5.0, 7.0]),
        (lambda t: np.pad(t, 1, mode="edge"), np.pad(X, 1, mode="edge")),
        (lambda t: np.add(t, 1.0, out=np.zeros((2, 2))), X + 1.0),
        (lambda t: np.zeros_like(t), np.zeros((2, 2))),
        (lambda t: np.copy(t), X),
    ],
)
def test_numpy_computes_on_constants_and_refuses_to_lose_a_gradient(call, expected):
    found = call(mg.tensor(X))
    assert not isinstance(found, mg.Tensor)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(MissingRuleError, match=r"np\..*has no counterpart in minigan.*x\.detach\(\)"):
        call(parameter())
    np.testing.assert_array_equal(call(parameter().detach()), expected)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (np.shape, (2, 2)),
        (np.ndim, 2),
        (np.size, 4),
        (np.argmax, 3),
        (lambda t: np.where(t > 3)[0].tolist(), [1]),
        (lambda t: np.isfinite(t).all(), True),
        (lambda t: np.allclose(t, X), True),
        (lambda t: np.array_equal(t, X), True),
        (lambda t: np.array_str(t), str(X)),
    ],
)
def test_what_has_no_derivative_loses_none(call, expected):
    assert call(parameter()) == expected


def test_the_message_names_the_function():
    with pytest.raises(MissingRuleError, match=r"^np\.linalg\.norm has no counterpart"):
        np.linalg.norm(parameter())
    with pytest.raises(MissingRuleError, match=r"^np\.floor has no counterpart"):
        np.floor(parameter())
    with pytest.raises(MissingRuleError, match=r"^np\.add\.reduce has no counterpart"):
        np.add.reduce(parameter())
    with pytest.raises(MissingRuleError, match=r"^np\.sum with these arguments \(dtype\)"):
        np.sum(parameter(), dtype="f4")


@pytest.mark.parametrize("call", [lambda t: np.add(X, 1.0, out=t), lambda t: np.sum(X, axis=0, out=t)])
def test_a_tensor_is_no_output(call):
    with pytest.raises(MissingRuleError, match=r"a Tensor cannot be the output; use t\.assign"):
        call(mg.tensor(X))


def test_an_array_does_not_swallow_a_gradient_in_place():
    a = np.zeros((2, 2))
    with pytest.raises(MissingRuleError):
        a += parameter()
    assert not a.any()
    a += mg.tensor(X)
    assert a.tolist() == X.tolist()


def test_testing_helpers_take_tensors():
    np.testing.assert_allclose(mg.tensor(X), X)
    np.testing.assert_array_equal(mg.tensor(X), X)
