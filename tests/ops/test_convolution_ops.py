"""Convolution, its transpose and the weight's gradient: against their definitions, and what the registry cannot see."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import ops
from minigan.engine import REGISTRY, recording, unfused
from minigan.errors import ConfigError, ShapeError
from minigan.kernels import convolution as kernels

RNG = np.random.default_rng(0)


@st.composite
def configurations(draw):
    """Draw arrays x (N, C, H, W), w (O, C, kh, kw), y (N, O, H', W') that fit, and stride and padding."""
    n, c, o = draw(st.integers(0, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size, kernel, stride, padding = [], [], [], []
    for _ in range(2):
        k, s, p = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(0, 3))
        kernel.append(k)
        stride.append(s)
        padding.append(p)
        size.append(draw(st.integers(max(1, k - 2 * p), max(1, k - 2 * p) + 6)))
    out = kernels.output_size(size, kernel, stride, padding)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    x, w, y = (rng.standard_normal(shape) for shape in ((n, c, *size), (o, c, *kernel), (n, o, *out)))
    return x, w, y, tuple(stride), tuple(padding)


def by_definition(x, w, stride, padding):
    """The sum of the docstring, place by place."""
    (sh, sw), (ph, pw), (kh, kw) = stride, padding, w.shape[2:]
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    out = kernels.output_size(x.shape[2:], (kh, kw), stride, (0, 0))
    y = np.zeros((len(x), len(w), *out))
    for i, j in itertools.product(*map(range, out)):
        patch = x[:, :, sh * i : sh * i + kh, sw * j : sw * j + kw]
        y[:, :, i, j] = np.sum(patch[:, None] * w, axis=(2, 3, 4))
    return y


# -- values ------------------------------------------------------------------------------------------------------------


def test_an_example_by_hand():
    """Dumoulin & Visin (2016), figure 1.1."""
    x = np.array([[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]], float)
    w = np.array([[0, 1, 2], [2, 2, 0], [0, 1, 2]], float)
    y = ops.conv2d(x[None, None], w[None, None])
    assert y.numpy()[0, 0].tolist() == [[12, 12, 17], [10, 17, 19], [9, 6, 14]]


def test_a_transposed_example_by_hand():
    """Every pixel lays the kernel, times its value; where two meet they add."""
    y = ops.conv_transpose2d([[[[1.0, 10.0]]]], [[[[1.0, 2.0, 3.0]]]], stride=(1, 2))
    assert y.numpy()[0, 0].tolist() == [[1, 2, 3 + 10, 20, 30]]
    y = ops.conv_transpose2d(
        [[[[1.0, 10.0]]]], [[[[1.0, 2.0, 3.0]]]], stride=(1, 2), padding=(0, 1), output_padding=(0, 1)
    )
    assert y.numpy()[0, 0].tolist() == [[2, 13, 20, 30]]


@given(configurations())
def test_convolution_is_its_definition(drawn):
    x, w, _, stride, padding = drawn
    expected = by_definition(x, w, stride, padding)
    np.testing.assert_allclose(kernels.conv2d(x, w, stride, padding), expected, rtol=1e-12, atol=1e-12)


@given(configurations())
def test_the_three_are_derivatives_of_one_form(drawn):
    """<y, conv(x, w)> = <conv_transpose(y, w), x> = <conv_weight(x, y), w>."""
    x, w, y, *at = drawn
    forms = [
        np.vdot(y, kernels.conv2d(x, w, *at)),
        np.vdot(kernels.conv_transpose2d(y, w, x.shape[2:], *at), x),
        np.vdot(kernels.conv2d_weight(x, y, w.shape[2:], *at), w),
    ]
    np.testing.assert_allclose(forms, forms[0], rtol=1e-11, atol=1e-11)


@given(configurations(), st.booleans())
def test_fused_and_reference_agree_with_first_and_second_derivatives(drawn, transposed):
    x, w, y, (sh, sw), padding = drawn

    def f(a, w):
        if not transposed:
            return ops.conv2d(a, w, stride=(sh, sw), padding=padding)
        extra = [(n + 2 * p - k) % s for n, p, k, s in zip(x.shape[2:], padding, w.shape[2:], (sh, sw), strict=True)]
        return ops.conv_transpose2d(a, w, stride=(sh, sw), padding=padding, output_padding=extra)

    def everything():
        a_, w_ = (mg.tensor(t, requires_grad=True) for t in ((y if transposed else x), w))
        out = f(a_, w_)
        (out * out).sum().backward(create_graph=True)
        first = a_.grad, w_.grad
        a_.grad = w_.grad = None
        sum((t * t).sum() for t in first).backward()
        return [t.numpy() for t in (out, *first, a_.grad, w_.grad)]

    fused = everything()
    with unfused():
        small = everything()
    for a, b in zip(fused, small, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10 * np.max(np.abs(b), initial=0.0))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_any_order_stay_among_the_three(order):
    """No step of a derivative falls back to the references."""

    def f(x):
        return (ops.conv2d(x, w, stride=2, padding=1) ** 3).sum()

    w = mg.tensor(RNG.standard_normal((2, 1, 3, 3)))
    derivative = f
    for _ in range(order):
        derivative = (lambda inner: mg.grad(lambda x: (inner(x) * direction).sum()))(derivative)
    direction = RNG.standard_normal((1, 1, 5, 5))
    with recording() as equations:
        derivative(RNG.standard_normal((1, 1, 5, 5)))
    names = {e[0].name for e in equations}
    assert {"conv2d", "conv_transpose2d"} <= names
    assert not names & {"einsum", "pad", "scatter_add"}


# -- the kernels -------------------------------------------------------------------------------------------------------


@given(configurations())
def test_a_few_images_at_a_time_or_all_at_once(drawn):
    x, w, y, *at = drawn

    def everything():
        return (
            kernels.conv2d(x, w, *at),
            kernels.conv_transpose2d(y, w, x.shape[2:], *at),
            kernels.conv2d_weight(x, y, w.shape[2:], *at),
        )

    at_once = everything()
    with pytest.MonkeyPatch.context() as patch:
        for size in (1, 2 * w[0].nbytes * max(1, y[0, 0].size if len(y) else 1)):
            patch.setattr(kernels, "PATCH_BYTES", size)
            for a, b in zip(everything(), at_once, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_compiled_and_plain_python_do_the_same(dtype):
    """The very same sums in the same order: not a bit differs."""
    frame = RNG.standard_normal((6, 7, 3)).astype(dtype)
    gathered = [np.zeros((2, 3, 3, 2 * 3), dtype) for _ in range(2)]
    scattered = [np.zeros_like(frame) for _ in range(2)]
    for i, plain in enumerate((False, True)):
        gather, scatter = (getattr(k, "py_func", k) if plain else k for k in (kernels._gather, kernels._scatter_add))
        gather(frame, gathered[i], 2, 2)
        scatter(gathered[i], scattered[i], 2, 2)
    assert gathered[0].any()
    np.testing.assert_array_equal(*gathered)
    np.testing.assert_array_equal(*scattered)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_precision_is_kept_and_promoted(dtype):
    x, w = RNG.standard_normal((2, 1, 4, 4)).astype(dtype), RNG.standard_normal((1, 1, 3, 3))
    assert ops.conv2d(x, w.astype(dtype)).dtype == dtype
    assert ops.conv_transpose2d(x, w.astype(dtype)).dtype == dtype
    assert ops.conv2d(x, w).dtype == np.float64
    x_, w_ = mg.tensor(x, requires_grad=True), mg.tensor(w, requires_grad=True)
    ops.conv2d(x_, w_).sum().backward()
    assert (x_.grad.dtype, w_.grad.dtype) == (np.dtype(dtype), np.float64)


@pytest.mark.parametrize(
    "lay_out",
    [
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=3)[..., ::2],
        lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
        lambda a: np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        lambda a: np.broadcast_to(a[:1], a.shape),
    ],
    ids=["F", "every second", "reversed", "channels last", "repeated"],
)
def test_any_layout(lay_out):
    x, w, y = (RNG.standard_normal(shape) for shape in ((3, 2, 5, 6), (4, 2, 3, 2), (3, 4, 3, 4)))
    at = (2, 2), (1, 1)
    for kernel, arrays, extra in (
        (kernels.conv2d, (x, w), ()),
        (kernels.conv_transpose2d, (y, w), ((5, 6),)),
        (kernels.conv2d_weight, (x, y), ((3, 2),)),
    ):
        laid = [lay_out(a) for a in arrays]
        expected = kernel(*(np.array(a, order="C") for a in laid), *extra, *at)
        got = kernel(*laid, *extra, *at)
        np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-13)
        assert got.flags.c_contiguous


def test_empty_batch_has_gradients_of_zero():
    x, w, b = (mg.tensor(np.ones(s), requires_grad=True) for s in ((0, 2, 5, 5), (3, 2, 3, 3), (3,)))
    y = ops.conv2d(x, w, b, stride=2)
    assert y.shape == (0, 3, 2, 2)
    y.sum().backward()
    assert x.grad.shape == (0, 2, 5, 5)
    assert not w.grad.numpy().any()
    assert not b.grad.numpy().any()
    assert ops.conv_transpose2d(np.ones((0, 3, 2, 2)), w.numpy(), stride=2, output_padding=1).shape == (0, 2, 6, 6)


# -- what is refused ---------------------------------------------------------------------------------------------------

X, W = np.ones((2, 3, 5, 5)), np.ones((4, 3, 3, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.conv2d(X[0], W), ShapeError, r"x has shape \(3, 5, 5\).*expected \(N, C, H, W\)"),
        (lambda: ops.conv2d(X, W[:, :2]), ShapeError, r"the weight \(4, 2, 3, 3\).*with the same C"),
        (lambda: ops.conv2d(X, W[0]), ShapeError, r"the weight \(3, 3, 3\)"),
        (lambda: ops.conv2d(X[..., :2], W), ShapeError, r"\(5, 2\) pixels.*smaller than the kernel \(3, 3\)"),
        (lambda: ops.conv2d(X, W, np.ones(3)), ShapeError, r"the bias has shape \(3,\), expected \(4,\)"),
        (lambda: ops.conv2d(X, W, stride=0), ConfigError, "conv2d: stride is 0; expected a whole number from 1 on"),
        (lambda: ops.conv2d(X, W, padding=(1, -1)), ConfigError, r"padding is \(1, -1\); .* from 0 on"),
        (lambda: ops.conv2d(X, W, stride=1.5), ConfigError, "stride is 1.5"),
        (lambda: ops.conv2d(X, W, stride=(1, 1, 1)), ConfigError, "or two"),
        (lambda: ops.conv_transpose2d(X, W), ShapeError, r"expected \(N, I, H, W\) and \(I, O, kh, kw\)"),
        (lambda: ops.conv_transpose2d(X, W[:3], np.ones(4)), ShapeError, r"the bias has shape \(4,\), expected \(3,\)"),
        (lambda: ops.conv_transpose2d(X, W[:3], output_padding=1), ConfigError, "it must be less than the stride"),
        (lambda: ops.conv_transpose2d(X, W[:3], padding=4), ShapeError, r"make an image of \(-1, -1\); take less"),
        (lambda: ops.conv_transpose2d(X[..., :0], W[:3]), ShapeError, r"\(5, 0\) pixels"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_declared_with_references():
    assert all(REGISTRY[name].reference for name in ("conv2d", "conv_transpose2d", "conv2d_weight"))


@pytest.mark.parametrize("function", [ops.conv2d, ops.conv_transpose2d])
@pytest.mark.parametrize("dtypes", [("f4", "f4"), ("f8", "f8"), ("f4", "f8"), ("f8", "f4")])
def test_a_bias_is_added_to_each_channel_in_the_common_precision(function, dtypes):
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(dtypes[0]) for shape in ((3, 2, 6, 5), (2, 2, 3, 3)))
    b = rng.standard_normal(2).astype(dtypes[1])
    without = function(x, w).numpy()
    y = function(x, w, b)
    assert y.dtype == np.result_type(*dtypes)
    np.testing.assert_array_equal(y.numpy(), without + b.reshape(-1, 1, 1))


@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (0, 2, 4, 5), (2, 1, 1, 1)])
def test_sums_of_channels(shape):
    y = np.random.default_rng(0).standard_normal(shape)
    for each in (y, np.asfortranarray(y), y.astype("f4")):
        np.testing.assert_allclose(ops.convolution.sum_of_channels(each).numpy(), y.sum((0, 2, 3)), atol=1e-5)


def test_a_compiled_step_takes_the_bias_apart_and_fuses_it():
    import minigan as mg

    layer = mg.nn.Conv2d(2, 3, 3, rng=mg.random.default_rng(0))
    step = mg.compile(lambda x: mg.leaky_relu(layer(x), 0.2))
    x = np.random.default_rng(0).standard_normal((2, 2, 5, 5), dtype=np.float32)
    np.testing.assert_allclose(step(x).numpy(), mg.leaky_relu(layer(x), 0.2).numpy(), rtol=1e-5, atol=1e-6)
    assert [e.primitive.name for e in step.program.equations if e.primitive.name.startswith("conv")] == ["conv2d"]
