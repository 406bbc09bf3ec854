"""Switches: they nest, end with their block, also after an error, and belong to one thread."""

import threading

import numpy as np
import pytest

import minigan as mg
from minigan.engine import enable_grad, modes, recording, unfused
from minigan.errors import DTypeError
from minigan.ops import affine

SWITCHES = {
    "no_grad": (mg.no_grad, "grad_enabled", True, False),
    "detect_anomaly": (mg.detect_anomaly, "anomaly", False, True),
    "default_dtype": (lambda: mg.default_dtype("float64"), "default_dtype", np.float32, np.float64),
    "unfused": (unfused, "unfused", False, True),
    "recording": (recording, "equations", None, []),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_lasts_as_long_as_its_block(name):
    switch, attribute, outside, inside = SWITCHES[name]
    assert getattr(modes, attribute) == outside
    with switch():
        assert getattr(modes, attribute) == inside
        with switch():
            assert getattr(modes, attribute) == inside
        assert getattr(modes, attribute) == inside
    assert getattr(modes, attribute) == outside


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_ends_with_an_error(name):
    switch, attribute, outside, _ = SWITCHES[name]
    with pytest.raises(KeyError), switch():
        raise KeyError
    assert getattr(modes, attribute) == outside


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_belongs_to_its_thread(name):
    switch, attribute, outside, inside = SWITCHES[name]
    entered, seen, left = threading.Event(), [], threading.Event()

    def other():
        seen.append(getattr(modes, attribute))
        with switch():
            entered.set()
            left.wait(10)
            seen.append(getattr(modes, attribute))

    with switch():
        thread = threading.Thread(target=other)
        thread.start()
        assert entered.wait(10)
    assert getattr(modes, attribute) == outside  # though it is still on in the other thread
    left.set()
    thread.join(10)
    assert seen == [outside, inside]


def test_switches_decorate_functions():
    x = mg.tensor(2.0, requires_grad=True)

    @mg.no_grad()
    def evaluate():
        return x * x

    for _ in range(2):
        assert not evaluate().requires_grad
    assert (x * x).requires_grad


def test_enable_grad_inside_no_grad():
    x = mg.tensor(2.0, requires_grad=True)
    with mg.no_grad():
        with enable_grad():
            y = x * x
        assert not (x * x).requires_grad
    y.backward()
    assert x.grad.item() == 4.0


@pytest.mark.parametrize("dtype", ["float64", np.float64, np.dtype("f8"), float])
def test_default_dtype(dtype):
    with mg.default_dtype(dtype) as chosen:
        assert chosen == np.float64
        assert mg.tensor(1.0).dtype == np.float64
        assert mg.random.default_rng(0).normal(2).dtype == np.float64
    assert mg.tensor(1.0).dtype == np.float32


@pytest.mark.parametrize("dtype", ["int32", "bool", "complex64", "float16", "no such thing"])
def test_a_default_dtype_that_is_none(dtype):
    with pytest.raises(DTypeError, match=r"default_dtype: got .*, expected 'float32' or 'float64'"):
        mg.default_dtype(dtype)


def test_unfused_runs_the_reference():
    """`affine` becomes a matrix product, a sum and an activation, with the same values and gradients."""
    rng = np.random.default_rng(0)
    x, w, b = (mg.tensor(rng.standard_normal(s), requires_grad=True) for s in ((4, 3), (2, 3), (2,)))

    def run():
        with recording() as equations:
            affine(x, w, b, activation="tanh").sum().backward()
        grads = [t.grad.numpy() for t in (x, w, b)]
        for t in (x, w, b):
            t.grad = None
        return [e[0].name for e in equations], grads

    fused_names, fused = run()
    with unfused():
        small_names, small = run()
    assert "affine" in fused_names
    assert "affine" not in small_names
    assert {"matmul", "add", "tanh"} <= set(small_names)
    for a, b in zip(fused, small, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)
