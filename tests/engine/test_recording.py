"""`recording` holds a whole training step: what it lists can be run again on other data, with the right result."""

import numpy as np
import pytest

import minigan as mg
from minigan.engine import REGISTRY, Tensor, recording
from minigan.ops import affine, writes


def parameter(rng, *shape):
    return mg.tensor(rng.standard_normal(shape), requires_grad=True)


def replay(equations, given):
    """Run the equations again, with other arrays for the Tensors in `given`; return the arrays by Tensor.

    A Tensor is known by the array that it holds: detached and fresh Tensors of the same array are the same value.
    """
    arrays = {id(t._data): np.array(a) for t, a in given.items()}
    for primitive, inputs, params, outputs in equations:
        values = primitive.impl(*(arrays.get(id(t._data), t._data) for t in inputs), **params)
        for out, value in zip(outputs, values if isinstance(values, tuple) else (values,), strict=True):
            arrays[id(out._data)] = np.asarray(value)
    return lambda t: arrays[id(t._data)]


def test_an_equation():
    with recording() as equations:
        x = mg.tensor([1.0, 2.0])
        y = mg.sum(x, axis=0)
    ((primitive, inputs, params, outputs),) = equations
    assert primitive is REGISTRY["sum"]
    assert inputs == (x,)
    assert params == {"axis": 0, "keepdims": False}
    assert outputs[0] is y


def test_numbers_and_arrays_become_tensors():
    with recording() as equations:
        mg.tensor(1.0) + 2.0
        mg.tensor(1.0) + np.ones(3)
    assert all(isinstance(t, Tensor) for _, inputs, _, _ in equations for t in inputs)


def test_outside_nothing_is_recorded():
    with recording() as equations:
        pass
    mg.exp(1.0)
    assert equations == []


def test_the_inner_recording_has_its_equations_to_itself():
    with recording() as outer:
        mg.exp(1.0)
        with recording() as inner:
            mg.sin(1.0)
        mg.cos(1.0)
    assert [e[0].name for e in outer] == ["exp", "cos"]
    assert [e[0].name for e in inner] == ["sin"]


def _arguments(seed):
    """Weights (2, 3), bias (2,), the two moments of each, and a batch (5, 3)."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(s) for s in ((2, 3), (2,), (6,), (2,), (6,), (2,), (5, 3))]
    return rng, [*arrays[:4], *map(np.abs, arrays[4:6]), arrays[6]]


def _tensors(arrays):
    return [mg.tensor(a, requires_grad=i < 2) for i, a in enumerate(arrays)]


def _training_step(rng, w, b, m_w, m_b, v_w, v_b, x):
    """Forward, a gradient penalty, backward, Adam: the shape of a discriminator's step."""
    noise = mg.random.Generator(rng).normal(x.shape, dtype="f8")

    def critic(x):
        return affine(x, w, b, activation="leaky_relu").mean()

    slope = mg.grad(critic)(x + noise)
    loss = critic(x) + 0.5 * (slope * slope).sum()
    loss.backward()
    for p, m, v in ((w, m_w, v_w), (b, m_b, v_b)):
        writes.adam_update(p.reshape(-1).detach(), p.grad.reshape(-1), m, v, [0.1, 0.9, 0.999, 1e-8, 0.1, 0.001])
    return loss


def test_a_training_step_lists_all_that_it_does():
    rng, arrays = _arguments(0)
    with recording() as equations:
        _training_step(rng, *_tensors(arrays))
    names = [e[0].name for e in equations]
    assert names.count("random_normal") == 1
    assert names.count("adam_update") == 2
    assert names.index("random_normal") < names.index("affine") < names.index("gate") < names.index("adam_update")
    assert all(REGISTRY[e[0].name] is e[0] for e in equations)


def test_a_training_step_runs_again_on_other_data():
    """Replay with another batch, other weights and another draw: the same as the step itself on those."""
    rng, arrays = _arguments(0)
    tensors = _tensors(arrays)
    with recording() as equations:
        loss = _training_step(rng, *tensors)

    other_rng, other = _arguments(1)
    state = other_rng.bit_generator.state
    expected = _tensors(other)
    expected_loss = _training_step(other_rng, *expected)

    rng.bit_generator.state = state  # the equation holds the generator itself
    values = replay(equations, dict(zip(tensors, other, strict=True)))
    np.testing.assert_allclose(values(loss), expected_loss.numpy(), rtol=1e-13)
    for t, e in zip(tensors[:2], expected[:2], strict=True):
        np.testing.assert_allclose(values(t.grad), e.grad.numpy(), rtol=1e-12)
    for t, e in zip(tensors[:6], expected[:6], strict=True):
        np.testing.assert_allclose(values(t), e.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: (x + y).sum(),
        lambda x, y: (x.reshape(4).reshape(2, 2) + y.T).sum(),
        lambda x, y: mg.concatenate([x, y * x]).sum() + x.sum(),
        lambda x, y: (mg.maximum(x, y) * mg.softmax(x @ y)).mean(),
    ],
)
def test_gradients_are_among_what_is_recorded(f):
    """Also where a cotangent is handed on as it is, or copied because two leaves would share it."""
    rng = np.random.default_rng(0)
    x, y = parameter(rng, 2, 2), parameter(rng, 2, 2)
    with recording() as equations:
        f(x, y).backward()
    other = [parameter(rng, 2, 2), parameter(rng, 2, 2)]
    f(*other).backward()
    values = replay(equations, dict(zip((x, y), (t.numpy() for t in other), strict=True)))
    for t, e in zip((x, y), other, strict=True):
        np.testing.assert_allclose(np.broadcast_to(values(t.grad), (2, 2)), e.grad.numpy(), rtol=1e-13)
