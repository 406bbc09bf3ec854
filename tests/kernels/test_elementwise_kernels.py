"""The elementwise kernels: accuracy, layouts, special values, and the compiled against the plain Python."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from minigan.kernels import elementwise
from minigan.kernels.jit import njit

DTYPES = ("f4", "f8")
LAYOUTS = {
    "C": lambda x: x,
    "F": np.asfortranarray,
    "transposed": lambda x: np.ascontiguousarray(x.T).T,
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: np.ascontiguousarray(x[..., ::-1])[..., ::-1],
    "repeated": lambda x: np.broadcast_to(x[:1], x.shape),
}


def sample(shape=(4, 5), dtype="f8", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype) * 3


def python_of(kernel):
    """The function before compilation (itself, where NUMBA_DISABLE_JIT is set)."""
    return getattr(kernel, "py_func", kernel)


# -- sigmoid ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "ulps"), [("f4", 4), ("f8", 4)])
def test_sigmoid_is_accurate_to_the_last_digits_at_both_ends(dtype, ulps):
    """Relative to the value itself, from 1e-38 to 1: the reference is computed in a wider format."""
    x = np.linspace(-80, 80, 20001).astype(dtype)
    exact = 1 / (1 + np.exp(-x.astype(np.longdouble)))
    error = np.abs(elementwise.sigmoid(x) / exact - 1)
    assert np.max(error) < ulps * np.finfo(dtype).eps


@given(x=st.floats(-700, 700))
def test_sigmoid_agrees_with_scipy(x):
    assert elementwise.sigmoid(np.array(x)) == pytest.approx(scipy.special.expit(x), rel=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_far_out(dtype):
    x = np.array([-np.inf, -1000.0, -0.0, 0.0, 1000.0, np.inf], dtype)
    assert elementwise.sigmoid(x).tolist() == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]
    with np.errstate(invalid="ignore"):  # plain Python warns when it casts nan to a whole number
        assert np.isnan(elementwise.sigmoid(np.array(np.nan, dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_of_tiny_and_of_denormal_numbers(dtype):
    tiny = np.array([np.finfo(dtype).tiny, -np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal], dtype)
    assert elementwise.sigmoid(tiny).tolist() == [0.5, 0.5, 0.5]


def test_sigmoid_is_symmetric_and_monotone():
    x = np.linspace(-30, 30, 1001)
    p = elementwise.sigmoid(x)
    assert np.all(np.diff(p) > 0)
    np.testing.assert_allclose(p + p[::-1], 1.0, rtol=1e-15)


def test_sigmoid_of_integers():
    np.testing.assert_allclose(elementwise.sigmoid(np.array([-5, 0, 5])), scipy.special.expit([-5.0, 0.0, 5.0]))


# -- leaky relu and its gate -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, -1.5])
def test_leaky_relu(dtype, slope):
    x = np.append(sample((99,), dtype), [0.0, np.inf]).astype(dtype)
    y = elementwise.leaky_relu(x, slope)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.where(x > 0, x, np.dtype(dtype).type(slope) * np.where(x > 0, 0, x)))


def test_leaky_relu_keeps_nan_and_infinity():
    y = elementwise.leaky_relu(np.array([np.nan, np.inf, -np.inf]), 0.2)
    assert np.isnan(y[0])
    assert y[1:].tolist() == [np.inf, -np.inf]


def test_leaky_relu_of_integers():
    assert elementwise.leaky_relu(np.array([-5, 0, 5]), 0.2).tolist() == [-1.0, 0.0, 5.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_gate(dtype):
    g, y = sample(dtype=dtype), sample(dtype=dtype, seed=1)
    y[0, :2] = 0.0, np.nan  # neither is above 0
    out = elementwise.gate(g, y, 0.2)
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, np.where(y > 0, g, np.dtype(dtype).type(0.2) * g))


# -- layouts ---------------------------------------------------------------------------------------------------------

FUNCTIONS = {
    "sigmoid": (elementwise.sigmoid, scipy.special.expit),
    "leaky_relu": (lambda x: elementwise.leaky_relu(x, 0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    "gate by itself": (lambda x: elementwise.gate(x, x, 0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    "gate by C order": (
        lambda x: elementwise.gate(x, np.array(x, order="C"), 0.2),
        lambda x: np.where(x > 0, x, 0.2 * x),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(name, layout):
    kernel, reference = FUNCTIONS[name]
    x = LAYOUTS[layout](sample())
    before = x.copy()
    y = kernel(x)
    np.testing.assert_allclose(y, reference(x), rtol=1e-14)
    assert y.flags.c_contiguous
    assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0), (2, 3, 4, 5)])
def test_shapes(name, shape):
    kernel, reference = FUNCTIONS[name]
    x = sample(shape)
    y = kernel(np.asarray(x))
    assert isinstance(y, np.ndarray)
    assert y.shape == shape
    np.testing.assert_allclose(y, reference(x), rtol=1e-14)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_read_only_arrays(name):
    x = sample()
    x.flags.writeable = False
    np.testing.assert_allclose(FUNCTIONS[name][0](x), FUNCTIONS[name][1](x), rtol=1e-14)


# -- bias and leaky relu in place ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_add_bias_leaky_relu(dtype, slope):
    y, b = sample((6, 4), dtype), sample((4,), dtype, seed=1)
    z = y + b
    out = elementwise.add_bias_leaky_relu(y, b, slope)
    assert out is y
    np.testing.assert_array_equal(y, np.where(z > 0, z, np.dtype(dtype).type(slope) * z))


def test_add_bias_leaky_relu_of_a_strided_bias_and_of_no_rows():
    b = sample((8,))[::2]
    y = np.ones((2, 4))
    elementwise.add_bias_leaky_relu(y, b, 0.2)
    np.testing.assert_array_equal(y, np.where(1 + b > 0, 1 + b, 0.2 * (1 + b)) * np.ones((2, 1)))
    assert elementwise.add_bias_leaky_relu(np.ones((0, 4)), b, 0.2).shape == (0, 4)


# -- compiled and plain ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_compiled_loops_do_what_their_python_says(dtype):
    x, g = sample((50,), dtype), sample((50,), dtype, seed=1)
    slope = np.dtype(dtype).type(0.2)
    rows, b = sample((10, 5), dtype), sample((5,), dtype, seed=2)
    calls = [
        (elementwise._sigmoid32 if x.itemsize == 4 else elementwise._sigmoid64, (x, np.empty_like(x)), 1),
        (elementwise._gate, (g, x, slope, np.empty_like(x)), 3),
        (elementwise._add_bias_leaky_relu, (rows, b, slope), 0),
    ]
    for kernel, arguments, written in calls:
        compiled, plain = ([np.array(a) if np.ndim(a) else a for a in arguments] for _ in range(2))
        kernel(*compiled)
        python_of(kernel)(*plain)
        np.testing.assert_allclose(compiled[written], plain[written], rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("function", "exact"), [(elementwise.sin32, np.sin), (elementwise.cos32, np.cos)])
def test_angles_in_float32_are_exact_up_to_a_thousand_million(function, exact):
    """Beyond, digits are lost: docs/compiler.md."""

    @njit(cache=False)
    def run(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    x = np.concatenate([[0.0], *(np.linspace(1, 10, 200) * 10.0**k for k in range(-3, 9))]).astype("f4")
    out = np.empty_like(x)
    run(x, out)
    np.testing.assert_allclose(out, exact(x.astype("f8")), atol=2e-7)
