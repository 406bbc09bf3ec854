"""NumPy's names mean what they mean in NumPy: values, shapes and dtypes of every function with a counterpart there."""

import numpy as np
import pytest
import scipy.special

import minigan as mg

DTYPES = ("f4", "f8", "i8", "u1", "?")
SHAPES = ((), (1,), (3,), (0,), (2, 3), (2, 0, 3), (2, 3, 4))


def sample(shape, dtype="f8", low=-3, seed=0):
    rng = np.random.default_rng(seed)
    if dtype == "?":
        return np.asarray(rng.random(shape) < 0.5)
    kind = np.dtype(dtype).kind
    if kind in "iu":
        return np.asarray(rng.integers(max(low, 0) if kind == "u" else low, 4, shape, dtype=dtype))
    return np.asarray(rng.standard_normal(shape) if low < 0 else low + 0.1 + rng.random(shape)).astype(dtype)


def same(ours, theirs, rtol=None):
    """Assert that a Tensor, or a tuple of them, is what NumPy returned."""
    if isinstance(theirs, list | tuple):
        assert isinstance(ours, tuple)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b, rtol)
        return
    assert isinstance(ours, mg.Tensor)
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    rtol = rtol or {"f4": 1e-5, "f8": 1e-13}.get(theirs.dtype.str[1:], 0)
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=rtol, atol=rtol)


UNARY = ["negative", "exp", "expm1", "sin", "cos", "tanh", "abs"]
UNARY_POSITIVE = ["log", "log1p", "sqrt"]


@pytest.mark.parametrize("name", UNARY + UNARY_POSITIVE)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_functions_of_one_array(name, shape, dtype):
    x = sample(shape, dtype, low=1 if name in UNARY_POSITIVE else -3)
    same(getattr(mg, name)(x), getattr(np, name)(x))


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"])
@pytest.mark.parametrize(
    "shapes",
    [((), ()), ((2, 3), ()), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0,), (1,)), ((2, 0), (2, 1)), ((4, 1, 2), (3, 1))],
)
def test_functions_of_two_arrays_broadcast(name, shapes):
    x, y = sample(shapes[0], low=0), sample(shapes[1], low=0, seed=1)
    same(getattr(mg, name)(x, y), getattr(np, name)(x, y))


COMPARISONS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name):
    x, y = np.array([1.0, 2.0, np.nan]), np.array([[1.0], [3.0]])
    same(getattr(mg.ops, name)(x, y), getattr(np, name)(x, y))


AXES = {
    0: [None],
    1: [None, 0, -1, (0,), ()],
    2: [None, 0, 1, -1, -2, (0, 1), (-1, 0), (1,)],
    3: [None, 1, -3, (0, 2), (-1, 0), (2, 0, 1), ()],
}


@pytest.mark.parametrize("name", ["sum", "mean", "var", "max", "min"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(name, keepdims):
    for shape in SHAPES:
        for axis in AXES[len(shape)]:
            x = sample(shape)
            if x.size == 0 and name != "sum":
                continue
            expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
            same(getattr(mg, name)(x, axis=axis, keepdims=keepdims), expected)
            same(getattr(mg.tensor(x), name)(axis=axis, keepdims=keepdims), expected)
            if name != "var":
                same(getattr(mg, name)(x, axis), getattr(np, name)(x, axis))


@pytest.mark.parametrize("name", ["sum", "mean", "var", "max", "min"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_of_reductions(name, dtype):
    x = sample((3, 4), dtype)
    if name == "var" and dtype in ("i8", "u1", "?"):
        x = x.astype("f8")
    same(getattr(mg, name)(x, axis=0), getattr(np, name)(x, axis=0))


@pytest.mark.parametrize("name", ["sum", "mean", "max"])
def test_an_axis_that_is_not_there(name):
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        getattr(mg, name)(np.ones((2, 3)), axis=2)


def test_variance_with_a_correction():
    x = sample((4, 3))
    for ddof in (0, 1, 2):
        same(mg.var(x, axis=0, ddof=ddof), np.var(x, axis=0, ddof=ddof))


def test_sum_of_nothing_is_0():
    same(mg.sum(np.ones((0, 3)), axis=0), np.zeros(3))
    same(mg.sum(np.ones((0, 3))), 0.0)


@pytest.mark.parametrize("x", [(3,), (2, 3), (4, 2, 3)])
@pytest.mark.parametrize("y", [(3,), (3, 2), (4, 3, 2), (1, 3, 5)])
def test_matmul(x, y):
    x, y = sample(x), sample(y)
    same(mg.matmul(x, y), np.matmul(x, y), rtol=1e-12)
    same(mg.tensor(x) @ y, x @ y, rtol=1e-12)
    same(x @ mg.tensor(y), x @ y, rtol=1e-12)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_matmul_without_elements(shape):
    x, y = np.ones(shape), np.ones((shape[1], 4))
    same(mg.matmul(x, y), x @ y)


MATRIX = sample((2, 3))
CUBE = sample((2, 3, 4))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: x.reshape(6), lambda x: x.reshape(6)),
        (lambda x: x.reshape(3, -1), lambda x: x.reshape(3, -1)),
        (lambda x: x.reshape((3, 2)), lambda x: x.reshape((3, 2))),
        (lambda x: x.reshape([1, 6]), lambda x: x.reshape([1, 6])),
        (lambda x: mg.reshape(x, (6,)), lambda x: np.reshape(x, (6,))),
        (lambda x: mg.reshape(x, -1), lambda x: np.reshape(x, -1)),
        (lambda x: x.T, lambda x: x.T),
        (lambda x: x.transpose(), lambda x: x.transpose()),
        (lambda x: x.transpose(1, 0), lambda x: x.transpose(1, 0)),
        (lambda x: x.transpose((-1, 0)), lambda x: x.transpose((-1, 0))),
        (lambda x: x.transpose(None), lambda x: x.transpose(None)),
        (lambda x: x.swapaxes(0, -1), lambda x: x.swapaxes(0, -1)),
        (lambda x: mg.broadcast_to(x, (4, 2, 3)), lambda x: np.broadcast_to(x, (4, 2, 3))),
        (lambda x: mg.broadcast_to(x[0, 0], 3), lambda x: np.broadcast_to(x[0, 0], 3)),
        (lambda x: mg.concatenate([x, x[:1]]), lambda x: np.concatenate([x, x[:1]])),
        (lambda x: mg.concatenate([x, x], axis=-1), lambda x: np.concatenate([x, x], axis=-1)),
        (lambda x: mg.concatenate((x, x), axis=None), lambda x: np.concatenate((x, x), axis=None)),
        (lambda x: mg.concatenate(x), lambda x: np.concatenate(x)),
        (lambda x: mg.stack([x, x]), lambda x: np.stack([x, x])),
        (lambda x: mg.stack([x, x], axis=1), lambda x: np.stack([x, x], axis=1)),
        (lambda x: mg.stack([x, x], axis=-1), lambda x: np.stack([x, x], axis=-1)),
        (lambda x: mg.stack([x, x], axis=-3), lambda x: np.stack([x, x], axis=-3)),
        (lambda x: mg.split(x, 3, axis=1), lambda x: np.split(x, 3, axis=1)),
        (lambda x: mg.split(x, np.int64(2)), lambda x: np.split(x, 2)),
        (lambda x: mg.split(x, [1, 5], axis=-1), lambda x: np.split(x, [1, 5], axis=-1)),
        (lambda x: mg.split(x, np.array([1]), axis=1), lambda x: np.split(x, [1], axis=1)),
        (lambda x: mg.pad(x, 1), lambda x: np.pad(x, 1)),
        (lambda x: mg.pad(x, (1, 2), 5.0), lambda x: np.pad(x, (1, 2), constant_values=5.0)),
        (lambda x: mg.pad(x, ((0, 1), (2, 0))), lambda x: np.pad(x, ((0, 1), (2, 0)))),
        (lambda x: mg.take(x, [1, -1, 1], axis=1), lambda x: np.take(x, [1, -1, 1], axis=1)),
        (lambda x: mg.take(x, 4), lambda x: np.take(x, 4)),
        (lambda x: mg.take(x, np.array([[0, 1]]), axis=-2), lambda x: np.take(x, np.array([[0, 1]]), axis=-2)),
        (lambda x: x.clip(-0.5, 0.5), lambda x: x.clip(-0.5, 0.5)),
        (lambda x: mg.clip(x, None, 0.5), lambda x: np.clip(x, None, 0.5)),
        (lambda x: mg.clip(x, np.array([-0.1, 0.0, 0.1]), 0.5), lambda x: np.clip(x, np.array([-0.1, 0.0, 0.1]), 0.5)),
        (lambda x: x.astype("f4"), lambda x: x.astype("f4")),
        (lambda x: abs(-x), lambda x: abs(-x)),
        (lambda x: +x, lambda x: +x),
        (lambda x: mg.norm(x), lambda x: np.linalg.norm(x)),
        (lambda x: mg.norm(x, axis=-1, keepdims=True), lambda x: np.linalg.norm(x, axis=-1, keepdims=True)),
        (lambda x: mg.where(x > 0, x, 0.0), lambda x: np.where(x > 0, x, 0.0)),
        (lambda x: mg.einsum("ij -> ji", x), lambda x: np.einsum("ij -> ji", x)),
        (lambda x: mg.einsum("ij,ij", x, x), lambda x: np.einsum("ij,ij", x, x)),
        (lambda x: mg.einsum("zi,zj", x, x), lambda x: np.einsum("zi,zj", x, x)),
    ],
)
def test_shapes_and_selection(ours, theirs):
    same(ours(mg.tensor(MATRIX)), theirs(MATRIX))


INDICES = [
    0,
    -1,
    np.int64(1),
    slice(None),
    slice(None, None, -1),
    slice(5, 2),
    ...,
    None,
    (0, 1),
    (0, 1, 2),
    (slice(None), 1),
    (..., 0),
    (..., None),
    (None, 0, None),
    [1, 0, 1],
    ([0, 1], [2, 0]),
    (slice(None), [2, 0]),
    ((1, 0), slice(None)),
    (range(2),),
    ((0, 0),),
    (slice(None), (1, 1, 2)),
    ([0, 1], slice(None), [3, 3]),
    np.array([[0, 1], [1, 1]]),
    np.array(1),
    np.array([], dtype=int),
    np.array([True, False]),
    CUBE > 0,
    (slice(None), np.array([True, False, True]), 1),
    True,
    False,
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indexing(index):
    """All of NumPy's indexing, and the gradient counts how often each element was taken."""
    x = mg.tensor(CUBE, requires_grad=True)
    y = x[index]
    same(y, CUBE[index])
    y.sum().backward()
    taken = np.zeros(CUBE.shape)
    np.add.at(taken, np.unravel_index(np.arange(CUBE.size).reshape(CUBE.shape)[index], CUBE.shape), 1.0)
    assert x.grad.numpy().tolist() == taken.tolist()


def test_indexing_by_tensors():
    x = mg.tensor(MATRIX)
    same(x[x > 0], MATRIX[MATRIX > 0])
    same(x[:, mg.tensor([2, 0], dtype=int)], MATRIX[:, [2, 0]])
    assert MATRIX[mg.tensor(1, dtype=int)].tolist() == MATRIX[1].tolist()


@pytest.mark.parametrize("index", [2, (0, 3), [0, 2], (0, 0, 0)])
def test_an_index_that_is_not_there(index):
    with pytest.raises(IndexError):
        mg.tensor(MATRIX)[index]


SCIPY = {
    "sigmoid": scipy.special.expit,
    "softmax": lambda x: scipy.special.softmax(x, axis=-1),
    "log_softmax": lambda x: scipy.special.log_softmax(x, axis=-1),
    "logsumexp": lambda x: scipy.special.logsumexp(x, axis=-1),
    "softplus": lambda x: np.logaddexp(x, 0),
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x).astype(x.dtype),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "silu": lambda x: x * scipy.special.expit(x),
    "gelu": lambda x: x * scipy.special.ndtr(x),
}


@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_activations(name, shape, dtype):
    x = sample(shape, dtype) * 3
    same(getattr(mg, name)(x), SCIPY[name](x), rtol=1e-5 if dtype == "f4" else 1e-12)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "relu", "leaky_relu", "elu", "silu", "gelu"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_activations_of_one_element_or_none(name, shape):
    x = sample(shape)
    same(getattr(mg, name)(x), SCIPY[name](x))


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "leaky_relu", "elu", "silu", "gelu"])
def test_activations_of_integers_are_float64(name):
    x = np.array([-5, 0, 3])
    same(getattr(mg, name)(x), SCIPY[name](x.astype("f8")), rtol=1e-12)
