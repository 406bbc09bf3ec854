"""The recurrent operations: kernels compiled and not, against their references; float32; what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import ops
from minigan.engine import REGISTRY, Tensor
from minigan.engine.modes import unfused
from minigan.errors import ConfigError, ShapeError
from minigan.kernels import recurrent as kernels
from minigan.kernels.jit import njit

NAMES = ("rnn", "lstm", "gru", "rnn_backward", "lstm_backward", "gru_backward")
KERNELS = [n for n in dir(kernels) if hasattr(getattr(kernels, n), "py_func") and n not in ("tanh32", "sigmoid32")]
SHARED = [name for name in dir(kernels) if hasattr(getattr(kernels, name), "body")]
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
STATES = {"rnn": 1, "lstm": 2, "gru": 1}


def arguments(name, T=5, N=3, C=2, H=4, seed=0, dtype="f8"):
    """Return the arguments of the public operation."""
    rng, rows = np.random.default_rng(seed), GATES[name] * H
    shapes = [(T, N, C), *[(N, H)] * STATES[name], (rows, C), (rows, H), (rows,), (rows,)]
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def run(name, *args, **params):
    """Return the results of an operation, always as a tuple."""
    out = getattr(ops, name)(*args, **params)
    return out if isinstance(out, tuple) else (out,)


def plain_parts(shared):
    """Return what a function made by `share` does, as plain Python."""
    body = shared.body.py_func
    return lambda parts, *arguments: [body(part, *arguments) for part in range(parts)]


def as_tuple(values):
    return values if isinstance(values, tuple) else (values,)


# -- compiled, not compiled, reference --------------------------------------------------------------------------------


@pytest.mark.skipif(not KERNELS, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", NAMES)
def test_kernel_compiled_and_plain_and_reference_agree(name, dtype, monkeypatch):
    record = REGISTRY[name]
    for seed in range(6):
        args, params = record.domain.sample(np.random.default_rng(seed))
        args = [a.astype(dtype) for a in args]
        compiled = as_tuple(record.impl(*args, **params))
        with monkeypatch.context() as patch:
            for kernel in KERNELS:
                patch.setattr(kernels, kernel, getattr(kernels, kernel).py_func)
            for kernel in SHARED:
                patch.setattr(kernels, kernel, plain_parts(getattr(kernels, kernel)))
            plain = as_tuple(record.impl(*args, **params))
        small = as_tuple(record.reference(*map(Tensor, args), **params))
        for a, b, c in zip(compiled, plain, small, strict=True):
            assert a.dtype == b.dtype == c.dtype == dtype
            scale = max(1.0, np.max(np.abs(a), initial=0.0))
            np.testing.assert_allclose(a, b, rtol=0, atol=scale * (2e-6 if dtype == "f4" else 1e-14))
            np.testing.assert_allclose(a, c.numpy(), rtol=0, atol=scale * (5e-6 if dtype == "f4" else 1e-13))


@njit(cache=False)
def tanh(x, y):
    for i in range(x.size):
        y[i] = kernels.tanh(x[i])


@njit(cache=False)
def sigmoid(x, y):
    for i in range(x.size):
        y[i] = kernels.sigmoid(x[i])


@pytest.mark.parametrize(("dtype", "error"), [("f4", 4e-7), ("f8", 3e-16)])
def test_tanh_and_sigmoid_are_accurate_and_bounded(dtype, error):
    x = np.linspace(-20, 20, 200_001).astype(dtype)
    wide = x.astype(np.float64)
    for function, exact in ((tanh, np.tanh(wide)), (sigmoid, 1 / (1 + np.exp(-wide)))):
        y = np.empty_like(x)
        function(x, y)
        assert np.max(np.abs(y - exact)) < error
        assert np.max(np.abs(y)) <= 1.0


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("function", [tanh, sigmoid])
def test_special_values(function, dtype):
    x = np.array([-np.inf, -1e30, 0.0, 1e30, np.inf, np.nan], dtype)
    y = np.empty_like(x)
    function(x, y)
    low, middle = (-1.0, 0.0) if function is tanh else (0.0, 0.5)
    np.testing.assert_allclose(y[:5], [low, low, middle, 1.0, 1.0], atol=4e-7)
    assert np.isnan(y[5])


@pytest.mark.skipif(not KERNELS, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")
def test_the_precision_that_plain_python_picks_is_the_compiled_one():
    for dtype in ("f4", "f8"):
        x = np.random.default_rng(0).standard_normal(20).astype(dtype)
        for function in (tanh, sigmoid):
            compiled, plain = np.empty_like(x), np.empty_like(x)
            function(x, compiled)
            function.py_func(x, plain)
            np.testing.assert_allclose(compiled, plain, rtol=1e-6 if dtype == "f4" else 1e-15)


@pytest.mark.parametrize("name", GATES)
def test_a_batch_in_several_blocks(name):
    """Small examples are one block; here the last one is shorter than the others, forward and backward."""
    shape = {"T": 2, "N": 161, "C": 50, "H": 60}
    K = 60 if name == "gru" else 50 + 60
    assert kernels._rows_of_a_block(161, K, GATES[name] * 60) < 161
    args, others = ([mg.tensor(a, requires_grad=True) for a in arguments(name, **shape)] for _ in range(2))
    run(name, *args)[0].sum().backward()
    with unfused():
        run(name, *others)[0].sum().backward()
    for a, b in zip(args, others, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", GATES)
def test_nan_in_one_sequence_stays_there_and_is_not_hidden(name):
    args = arguments(name, dtype="f4")
    args[0][1, 2] = np.nan  # time step 1 of sequence 2
    for params in ({"nonlinearity": "tanh"}, {"nonlinearity": "relu"}) if name == "rnn" else ({},):
        h = run(name, *args, **params)[0].numpy()
        assert np.isnan(h[1:, 2]).all()
        assert np.isfinite(np.delete(h, 2, axis=1)).all()
        assert np.isfinite(h[0]).all()


@given(seed=st.integers(0, 999), name=st.sampled_from(sorted(GATES)))
def test_unfused_is_the_same_function(seed, name):
    args = [mg.tensor(a, requires_grad=True) for a in arguments(name, seed=seed)]
    others = [mg.tensor(a, requires_grad=True) for a in arguments(name, seed=seed)]
    rng = np.random.default_rng(seed)
    fused = run(name, *args)
    with unfused():
        small = run(name, *others)
    for a, b in zip(fused, small, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-13)
        g = rng.standard_normal(a.shape)
        a.backward(gradient=g, retain_graph=True)
        b.backward(gradient=g, retain_graph=True)
    for a, b in zip(args, others, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-10, atol=1e-11)


# -- which outputs are used -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lstm", "gru"])
@pytest.mark.parametrize("used", [0, 1, -1])
def test_a_loss_of_one_result_alone(name, used):
    """The cotangents of the others are zero, and kernels that leave them out must give the same."""
    args = [mg.tensor(a, requires_grad=True) for a in arguments(name)]
    others = [mg.tensor(a, requires_grad=True) for a in arguments(name)]
    g = np.random.default_rng(1).standard_normal(run(name, *args)[used].shape)
    run(name, *args)[used].backward(gradient=g)
    with unfused():
        run(name, *others)[used].backward(gradient=g)
    for a, b in zip(args, others, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", GATES)
def test_gradients_by_the_checker_at_order_two(name):
    args = arguments(name, T=3, N=2, C=2, H=2)
    weights = np.random.default_rng(2).standard_normal((3, 2, 2))
    mg.check_gradients(lambda *a: (run(name, *a)[0] * weights).sum(), *args, order=2, seed=0)


# -- layouts, dtypes, empty batches -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GATES)
def test_layouts_change_nothing(name):
    args = arguments(name)
    expected = run(name, *args)
    wide = [np.repeat(a, 2, axis=-1)[..., ::2] for a in args]
    back = [np.ascontiguousarray(a[..., ::-1])[..., ::-1] for a in args]
    for other in ([np.asfortranarray(a) for a in args], wide, back):
        for a, b in zip(run(name, *map(Tensor, other)), expected, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", GATES)
def test_mixed_precision_is_promoted_and_gradients_have_their_primals_dtype(name):
    args = [mg.tensor(a, requires_grad=True) for a in arguments(name, dtype="f4")]
    args[0] = mg.tensor(arguments(name)[0], requires_grad=True)
    h = run(name, *args)[0]
    assert h.dtype == "f8"
    h.sum().backward()
    assert [a.grad.dtype for a in args] == [a.dtype for a in args]


@pytest.mark.parametrize("name", GATES)
def test_empty_batch(name):
    args = [mg.tensor(a, requires_grad=True) for a in arguments(name, N=0)]
    h = run(name, *args)[0]
    assert h.shape == (5, 0, 4)
    h.sum().backward()
    assert all(a.grad.shape == a.shape and not a.grad.numpy().any() for a in args)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GATES)
def test_a_sequence_without_time_steps_is_refused(name):
    with pytest.raises(ShapeError, match=rf"{name}: x has shape \(0, 3, 2\): no time step"):
        run(name, *arguments(name, T=0))


@pytest.mark.parametrize("name", GATES)
def test_each_shape_that_does_not_fit_is_named(name):
    words = ["h0", "c0"][: STATES[name]] + ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    for i, word in enumerate(words, start=1):
        args = arguments(name)
        args[i] = np.concatenate([args[i], args[i]])
        with pytest.raises(ShapeError, match=rf"{name}: {word} has shape .*, expected .*: x has N=3 and C=2"):
            run(name, *args)


def test_two_axes_are_refused():
    args = arguments("lstm")
    args[0] = args[0][0]
    with pytest.raises(ShapeError, match=r"expected \(T, N, C\) and \(4H, H\)"):
        ops.lstm(*args)


def test_an_unknown_nonlinearity_is_refused():
    with pytest.raises(ConfigError, match="unknown nonlinearity 'sigmoid'; known are tanh and relu"):
        ops.rnn(*arguments("rnn"), nonlinearity="sigmoid")


# -- what the equations say -------------------------------------------------------------------------------------------


def test_an_open_forget_gate_and_a_closed_input_gate_keep_the_cell():
    """The LSTM's reason to be: c does not change, and its derivative does not vanish over 200 steps."""
    x, h0, c0, w_ih, w_hh, b_ih, b_hh = (a * 0.0 for a in arguments("lstm", T=200))
    c0 = mg.tensor(arguments("lstm")[2], requires_grad=True)
    b_ih[:4], b_ih[4:8] = -1000.0, 1000.0  # i = 0, f = 1
    _, c, gates = ops.lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh)
    np.testing.assert_array_equal(c[-1].numpy(), c0.numpy())
    np.testing.assert_array_equal(gates.numpy()[0, 0], [0.0] * 4 + [1.0] * 4 + [0.0] * 4 + [0.5] * 4)
    c[-1].sum().backward()
    np.testing.assert_array_equal(c0.grad.numpy(), np.ones((3, 4)))


def test_a_gru_with_z_one_keeps_its_state():
    x, h0, w_ih, w_hh, b_ih, b_hh = arguments("gru")
    b_hh[4:8] = 1000.0
    h, gates = ops.gru(x, h0, w_ih, w_hh, b_ih, b_hh)
    np.testing.assert_array_equal(gates.numpy()[..., 4:8], 1.0)
    np.testing.assert_allclose(h.numpy(), np.broadcast_to(h0, h.shape), rtol=1e-14)
