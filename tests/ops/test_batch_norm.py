"""Batch normalisation as one operation: values, accuracy, what it refuses. The registry tests its gradients."""

import numpy as np
import pytest

import minigan as mg
from minigan import ops
from minigan.errors import ShapeError
from minigan.kernels import normalisation as kernels

RNG = np.random.default_rng(0)


def by_numpy(x, w, b, eps):
    axes = (0, *range(2, x.ndim))
    column = (-1,) + (1,) * (x.ndim - 2)
    mean, var = x.mean(axis=axes), x.var(axis=axes)
    r = 1 / np.sqrt(var + eps)
    return (x - mean.reshape(column)) * (w * r).reshape(column) + b.reshape(column), mean, var


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 2), (1, 3, 7), (2, 3, 4, 5), (1, 3, 1, 1), (2, 3, 2, 2, 2)])
def test_values_and_statistics(shape):
    x, w, b = RNG.standard_normal(shape), *RNG.standard_normal((2, 3))
    for got, expected in zip(ops.batch_norm(x, w, b, eps=1e-3), by_numpy(x, w, b, 1e-3), strict=True):
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("dtype", "tolerance"), [("f4", 2e-3), ("f8", 1e-10)])
def test_a_mean_far_from_zero_does_not_cancel_the_variance(dtype, tolerance):
    """1000 standard deviations away, E x^2 - (E x)^2 would keep one digit in float32."""
    x = (1000.0 + RNG.standard_normal((8, 2, 50))).astype(dtype)
    _, mean, var = ops.batch_norm(x, np.ones(2, dtype), np.zeros(2, dtype))
    wide = x.astype("f8")
    np.testing.assert_allclose(mean.numpy(), wide.mean(axis=(0, 2)), rtol=1e-6)
    np.testing.assert_allclose(var.numpy(), wide.var(axis=(0, 2)), rtol=tolerance)


def test_constant_channel_is_the_bias():
    y, _, var = ops.batch_norm(np.full((3, 2, 4), 7.0), np.array([5.0, 5.0]), np.array([1.0, -1.0]))
    np.testing.assert_array_equal(y.numpy()[:, 0], 1.0)
    np.testing.assert_array_equal(y.numpy()[:, 1], -1.0)
    assert not var.numpy().any()


def test_precision_is_promoted_and_gradients_have_that_of_their_arrays():
    x = mg.tensor(RNG.standard_normal((4, 3)).astype("f4"), requires_grad=True)
    w, b = (mg.tensor(a, requires_grad=True) for a in RNG.standard_normal((2, 3)))
    y, _, _ = ops.batch_norm(x, w, b)
    assert y.dtype == np.float64
    (y * y).sum().backward()
    assert (x.grad.dtype, w.grad.dtype, b.grad.dtype) == (np.float32, np.float64, np.float64)


@pytest.mark.parametrize(
    "lay_out", [np.asfortranarray, lambda a: np.repeat(a, 2, axis=2)[:, :, ::2], lambda a: a[::-1]]
)
def test_any_layout(lay_out):
    x, w, b = RNG.standard_normal((4, 3, 5)), *RNG.standard_normal((2, 3))
    expected = by_numpy(np.array(lay_out(x)), w, b, 1e-5)[0]
    np.testing.assert_allclose(kernels.batch_norm(lay_out(x), w, b, 1e-5)[0], expected, rtol=1e-12)


SHAPES = [(2, 3, 5), (3, 70, 49), (4, 2100, 1), (2, 2, 1500)]  # one part, and several of whole channels


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_compiled_and_plain_python_agree(shape, dtype, monkeypatch):
    g, x = RNG.standard_normal((2, *shape)).astype(dtype)
    w, b, g_mean, g_var = RNG.standard_normal((4, shape[1])).astype(dtype)

    def everything():
        return *kernels.batch_norm(x, w, b, 1e-5), *kernels.batch_norm_backward(g, g_mean, g_var, x, w, 1e-5)

    compiled = everything()
    functions = {name: f for name, f in vars(kernels).items() if hasattr(f, "py_func") or hasattr(f, "body")}
    for name, function in functions.items():
        monkeypatch.setattr(kernels, name, plain(function))
    for a, c in zip(compiled, everything(), strict=True):
        assert a.dtype == c.dtype == dtype
        np.testing.assert_allclose(a, c, rtol=0, atol=32 * np.finfo(dtype).eps * abs(c).max())


def plain(function):
    """A compiled function as Python runs it; one whose parts are shared does them in a row."""
    if hasattr(function, "body"):
        body = plain(function.body)
        return lambda parts, *arguments: [body(part, *arguments) for part in range(parts)]
    return getattr(function, "py_func", function)  # under NUMBA_DISABLE_JIT it is plain already


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((4,), (4,), (4,)), r"x has shape \(4,\).*expected \(N, C, \.\.\.\)"),
        (((4, 3), (4,), (3,)), r"the weight \(4,\)"),
        (((4, 3), (3,), (1,)), r"the bias \(1,\)"),
        (((0, 3), (3,), (3,)), "one value or more"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(shapes, message):
    with pytest.raises(ShapeError, match=message):
        ops.batch_norm(*map(np.ones, shapes))
