"""The update kernels against the formulas of the papers, in NumPy and float64."""

import numpy as np
import pytest

import minigan as mg
from minigan.errors import GraphError
from minigan.kernels import updates
from minigan.ops import writes

N = 37


def draw(seed=0, dtype="f8", positive=False):
    x = np.random.default_rng(seed).standard_normal(N).astype(dtype)
    return np.abs(x) if positive else x


def sgd(p, g, velocity, lr, momentum):
    velocity = momentum * velocity + g
    return p - lr * velocity, velocity


def adam(p, g, m, v, lr, beta1, beta2, eps, correction1, correction2):
    """Algorithm 1 of Kingma & Ba (2015)."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / correction1, v / correction2
    return p - lr * m_hat / (np.sqrt(v_hat) + eps), m, v


def rmsprop(p, g, v, lr, alpha, eps):
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * g / (np.sqrt(v) + eps), v


def ema(average, p, decay):
    return (decay * average + (1 - decay) * p,)


# kernel, textbook, which arguments it overwrites, the arguments
def cases(dtype="f8"):
    p, g, m, v = draw(0, dtype), draw(1, dtype), draw(2, dtype), draw(3, dtype, positive=True)
    numbers = {
        "sgd": (0.1, 0.9),
        "adam": (0.01, 0.9, 0.999, 1e-8, 1 - 0.9**3, 1 - 0.999**3),
        "rmsprop": (0.01, 0.99, 1e-8),
        "ema": (0.99,),
    }
    numbers = {name: np.array(values, dtype) for name, values in numbers.items()}
    return {
        "sgd": (updates.sgd, sgd, (0, 2), (p, g, m, numbers["sgd"])),
        "adam": (updates.adam, adam, (0, 2, 3), (p, g, m, v, numbers["adam"])),
        "rmsprop": (updates.rmsprop, rmsprop, (0, 2), (p, g, v, numbers["rmsprop"])),
        "ema": (updates.ema, ema, (0,), (p, g, numbers["ema"])),
    }


def copied(arguments):
    return [a.copy() for a in arguments]


@pytest.mark.parametrize("name", cases())
@pytest.mark.parametrize(("dtype", "rtol"), [("f8", 1e-14), ("f4", 2e-5)])
def test_the_textbook(name, dtype, rtol):
    kernel, textbook, written, arguments = cases(dtype)[name]
    *arrays, numbers = (np.asarray(a, "f8") for a in arguments)
    expected = textbook(*arrays, *numbers)
    ours = copied(arguments)
    kernel(*ours)
    for position, value in zip(written, expected, strict=True):
        np.testing.assert_allclose(ours[position], value, rtol=rtol, atol=rtol)
        assert ours[position].dtype == dtype
    for position, (now, before) in enumerate(zip(ours, arguments, strict=True)):
        assert position in written or np.array_equal(now, before)


@pytest.mark.parametrize("name", cases())
def test_the_compiled_loop_does_what_its_python_says(name):
    kernel, _, written, arguments = cases()[name]
    compiled, plain = copied(arguments), copied(arguments)
    kernel(*compiled)
    getattr(kernel, "py_func", kernel)(*plain)
    for position in written:
        np.testing.assert_allclose(compiled[position], plain[position], rtol=1e-15)


def test_ten_steps_of_adam():
    """Moments and corrections from step to step, from zero."""
    p = expected = draw(0)
    ours = [p.copy(), None, np.zeros(N), np.zeros(N)]
    m = v = np.zeros(N)
    for t in range(1, 11):
        g = draw(t)
        numbers = (0.01, 0.9, 0.999, 1e-8, 1 - 0.9**t, 1 - 0.999**t)
        ours[1] = g
        updates.adam(*ours, np.array(numbers))
        expected, m, v = adam(expected, g, m, v, *numbers)
    np.testing.assert_allclose(ours[0], expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_first_step_of_adam_has_the_length_of_the_learning_rate(dtype):
    """m' / sqrt(v') = g / |g|, whatever the size of the gradient."""
    g = np.array([1e-3, -5.0, 1e4], dtype)
    p, m, v = np.zeros(3, dtype), np.zeros(3, dtype), np.zeros(3, dtype)
    updates.adam(p, g, m, v, np.array((0.1, 0.9, 0.999, 1e-12, 0.1, 0.001), dtype))
    np.testing.assert_allclose(p, -0.1 * np.sign(g), rtol=1e-4 if dtype == "f4" else 1e-8)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_a_parameter_without_slope_stays_where_it_is(name, dtype):
    """g = v = 0: sqrt(0) is 0 with these compiler flags too."""
    p, zero = np.ones(N, dtype), np.zeros(N, dtype)
    if name == "adam":
        updates.adam(p, zero, zero.copy(), zero.copy(), np.array((0.1, 0.9, 0.999, 1e-8, 0.1, 0.001), dtype))
    else:
        updates.rmsprop(p, zero, zero.copy(), np.array((0.1, 0.99, 1e-8), dtype))
    assert p.tolist() == [1.0] * N


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop"])
def test_a_gradient_that_is_not_finite_shows_in_its_parameter_and_nowhere_else(name, bad):
    """The compiler flags do not hide it: training must be able to see that it diverged."""
    kernel, _, _, arguments = cases()[name]
    ours = copied(arguments)
    ours[1][3] = bad
    with np.errstate(invalid="ignore"):  # without the compiler, NumPy would warn
        kernel(*ours)
    finite = np.isfinite(ours[0])
    assert np.flatnonzero(~finite).tolist() == [3]


def test_momentum_0_is_plain_descent():
    p, g = draw(0), draw(1)
    ours = p.copy()
    updates.sgd(ours, g, np.zeros(N), np.array([0.1, 0.0]))
    np.testing.assert_allclose(ours, p - 0.1 * g, rtol=1e-15)


# -- as operations on Tensors ----------------------------------------------------------------------------------------

OPERATIONS = {
    "sgd": writes.sgd_update,
    "adam": writes.adam_update,
    "rmsprop": writes.rmsprop_update,
    "ema": writes.ema_update,
}


@pytest.mark.parametrize("name", cases())
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_operation_writes_into_its_tensors_and_counts_it(name, dtype):
    kernel, _, written, arguments = cases(dtype)[name]
    tensors = [mg.tensor(a) for a in arguments]
    OPERATIONS[name](*tensors)
    expected = copied(arguments)
    kernel(*expected)
    for i, t in enumerate(tensors):
        np.testing.assert_array_equal(t.numpy(), expected[i])
        assert t.dtype == dtype
        assert t._version[0] == (i in written)


def test_an_update_is_noticed_by_what_was_recorded():
    p = mg.tensor(np.ones(3), requires_grad=True)
    loss = (p * p).sum()
    writes.sgd_update(p, mg.tensor(np.ones(3)), mg.tensor(np.zeros(3)), [0.1, 0.0])
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_an_update_of_a_part_is_noticed_by_the_whole():
    p = mg.tensor(np.ones(6), requires_grad=True)
    loss = (p * p).sum()
    part = p.detach()[2:4].detach()
    writes.ema_update(part, mg.tensor(np.zeros(2)), [0.5])
    assert p.numpy().tolist() == [1.0, 1.0, 0.5, 0.5, 1.0, 1.0]
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()
