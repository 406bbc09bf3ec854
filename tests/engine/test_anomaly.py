"""`detect_anomaly` names the operation and the user's line: the one that computed, not the one that called backward."""

import sys

import numpy as np
import pytest

import minigan as mg
from minigan.errors import AnomalyError
from minigan.ops import affine


@pytest.fixture(autouse=True)
def quiet():
    """NumPy would warn at the same place; here only our own error counts."""
    with np.errstate(all="ignore"):
        yield


def here():
    """Return `file:line` of the line that calls."""
    frame = sys._getframe(1)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def message_of(function, *args):
    with mg.detect_anomaly(), pytest.raises(AnomalyError) as caught:
        function(*args)
    return str(caught.value)


def test_forward():
    where = []

    def run():
        x = mg.tensor([1.0, -1.0])
        where.append(here()), mg.log(x)  # one line

    assert message_of(run) == f"'log' returned nan (shape (2,)), called at {where[0]}"


def test_forward_inf_through_an_operator():
    where = []

    def run():
        x = mg.tensor(0.0)
        where.append(here()), 1.0 / x

    assert message_of(run) == f"'divide' returned inf (shape ()), called at {where[0]}"


def test_forward_inside_a_composed_function():
    """mg.var is several operations; the line is still the user's."""
    where = []

    def run():
        x = mg.tensor([1e30, 2.0])
        where.append(here()), mg.var(x)

    message = message_of(run)
    assert message.endswith(f"called at {where[0]}")
    assert "returned inf" in message


def test_forward_inside_a_transform():
    where = []

    def f(x):
        where.append(here()), mg.log(x - 5.0)
        return x

    assert message_of(lambda: mg.grad(f)(2.0)).endswith(f"called at {where[0]}")


def test_backward_names_the_line_of_the_forward_pass():
    where = []

    def run():
        x = mg.tensor([4.0, 0.0], requires_grad=True)
        (y,) = where.append(here()) or (mg.sqrt(x),)
        y.sum().backward()

    message = message_of(run)
    assert message.startswith("the gradient of 'sqrt' with respect to argument 0 is not finite")
    assert message.endswith(f"; the operation ran at {where[0]}")


def test_backward_says_which_argument():
    def run():
        x, y = mg.tensor(0.0, requires_grad=True), mg.tensor(0.5, requires_grad=True)
        (x**y).backward()

    assert "the gradient of 'power' with respect to argument 0" in message_of(run)


def test_backward_with_a_cotangent_that_is_not_finite():
    """Also where the rule hands it on without computing anything."""
    for name, f in (("negative", lambda x: -x), ("add", lambda x: x + 1.0)):
        x = mg.tensor([1.0], requires_grad=True)
        message = message_of(lambda f=f, x=x: f(x).backward(gradient=[np.nan]))
        assert f"the gradient of '{name}' with respect to argument 0" in message


def test_backward_through_the_shared_part_of_a_fused_operation():
    def run():
        x, w, b = (mg.tensor(np.full(s, 1e20, "f4"), requires_grad=True) for s in ((1, 1), (1, 1), (1,)))
        affine(x * 1e-20, w, b, activation="tanh").backward(gradient=[[np.inf]])

    assert "the gradient of 'affine' with respect to its output" in message_of(run)


def test_the_backward_pass_of_a_backward_pass():
    """d/dx x^1.5 is 0 at 0 and its derivative infinite: found in what the first backward pass recorded."""
    where = []

    def run():
        x = mg.tensor(0.0, requires_grad=True)
        y = x**1.5
        where.append(here()), y.backward(create_graph=True)
        x.grad.backward()

    message = message_of(run)
    assert "the gradient of 'power' with respect to argument 0" in message
    assert message.endswith(f"; the operation ran at {where[0]}")


def test_a_forward_pass_outside_leaves_no_line():
    x = mg.tensor(0.0, requires_grad=True)
    y = mg.sqrt(x)
    message = message_of(y.backward)
    assert "'sqrt'" in message
    assert "run the forward pass under detect_anomaly too" in message


def test_without_anomalies_nothing_changes():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with mg.detect_anomaly():
        (mg.sqrt(x) + mg.where(x > 1.0, x, 0.0)).sum().backward()
    expected = 0.5 / np.sqrt([1.0, 2.0]) + [0.0, 1.0]
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-6)


def test_integers_and_booleans_are_not_looked_at():
    with mg.detect_anomaly():
        assert (mg.tensor([1.0, 2.0]) > 1.0).numpy().tolist() == [False, True]
        assert mg.tensor(np.arange(3)).sum().item() == 3


def test_outside_the_block_nothing_is_looked_at():
    with mg.detect_anomaly():
        pass
    assert np.isnan(mg.log(mg.tensor(-1.0)).item())
