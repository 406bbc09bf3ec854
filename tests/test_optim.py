"""Optimisers and limits: against the formulas and against PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parameters import SHAPES, STEPS, every_kind, give, make_gradients, make_parameters

import minigan as mg
from minigan import nn, optim
from minigan.errors import DTypeError, ShapeError

# -- the formulas, for one parameter at a time -------------------------------------------------------------------------


def sgd(lr=0.05, momentum=0.0):
    def start():
        velocity = 0.0

        def step(p, g, t):
            nonlocal velocity
            velocity = momentum * velocity + g
            return p - lr * velocity

        return step

    return start


def adam(lr=0.01, betas=(0.9, 0.999), eps=1e-8):
    def start():
        m = v = 0.0

        def step(p, g, t):
            nonlocal m, v
            m = betas[0] * m + (1 - betas[0]) * g
            v = betas[1] * v + (1 - betas[1]) * g**2
            return p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)

        return step

    return start


def rmsprop(lr=0.01, alpha=0.99, eps=1e-8):
    def start():
        v = 0.0

        def step(p, g, t):
            nonlocal v
            v = alpha * v + (1 - alpha) * g**2
            return p - lr * g / (np.sqrt(v) + eps)

        return step

    return start


# name: (optimiser, formula, PyTorch's)
CASES = {
    "SGD": (lambda ps: optim.SGD(ps, 0.05), sgd(), lambda t, ps: t.SGD(ps, 0.05)),
    "SGD with momentum": (
        lambda ps: optim.SGD(ps, 0.05, momentum=0.9),
        sgd(momentum=0.9),
        lambda t, ps: t.SGD(ps, 0.05, momentum=0.9),
    ),
    "Adam": (lambda ps: optim.Adam(ps, 0.01), adam(), lambda t, ps: t.Adam(ps, 0.01)),
    "Adam as for GANs": (
        lambda ps: optim.Adam(ps, 0.01, betas=(0.0, 0.9)),
        adam(betas=(0.0, 0.9)),
        lambda t, ps: t.Adam(ps, 0.01, betas=(0.0, 0.9)),
    ),
    "Adam with a large eps": (
        lambda ps: optim.Adam(ps, 0.01, betas=(0.5, 0.9), eps=0.1),
        adam(betas=(0.5, 0.9), eps=0.1),
        lambda t, ps: t.Adam(ps, 0.01, betas=(0.5, 0.9), eps=0.1),
    ),
    "RMSProp": (lambda ps: optim.RMSProp(ps, 0.01), rmsprop(), lambda t, ps: t.RMSprop(ps, 0.01)),
    "RMSProp with alpha and eps": (
        lambda ps: optim.RMSProp(ps, 0.01, alpha=0.8, eps=1e-3),
        rmsprop(alpha=0.8, eps=1e-3),
        lambda t, ps: t.RMSprop(ps, 0.01, alpha=0.8, eps=1e-3),
    ),
}
every_case = pytest.mark.parametrize("name", CASES)
every_missing = pytest.mark.parametrize("missing", [0.0, 0.4])


@every_case
@every_missing
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_twenty_steps_are_the_formula(name, missing, dtype):
    """Where a gradient is None, the parameter, its averages and its count of steps stay as they are."""
    make, formula, _ = CASES[name]
    parameters = make_parameters(dtype)
    optimiser = make(parameters)
    expected, steps, counts = (
        [p.numpy().astype("f8") for p in parameters],
        [formula() for _ in SHAPES],
        [0] * len(SHAPES),
    )
    for gradients in make_gradients(missing=missing):
        give(parameters, gradients)
        optimiser.step()
        for i, g in enumerate(gradients):
            if g is not None:
                counts[i] += 1
                expected[i] = steps[i](expected[i], g, counts[i])
    assert (min(counts) < STEPS) == (missing > 0)
    for p, e in zip(parameters, expected, strict=True):
        assert p.dtype == dtype
        np.testing.assert_allclose(
            p.numpy(), e, rtol=1e-12 if dtype == "float64" else 2e-5, atol=1e-14 if dtype == "float64" else 1e-5
        )


@every_case
@every_missing
def test_twenty_steps_are_those_of_pytorch(name, missing):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    make, _, make_theirs = CASES[name]
    ours = make_parameters()
    theirs = [torch.nn.Parameter(torch.tensor(p.numpy())) for p in ours]
    optimiser, reference = make(ours), make_theirs(torch.optim, theirs)
    for gradients in make_gradients(missing=missing):
        give(ours, gradients)
        for p, g in zip(theirs, gradients, strict=True):
            p.grad = None if g is None else torch.tensor(g)
        optimiser.step()
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_parameters_in_half_precision_are_refused():
    with pytest.raises(DTypeError, match="optimiser: parameters of dtype float16, expected float32 or float64"):
        optim.Adam([nn.Parameter(np.ones(3, "f2"))], lr=0.1)


def test_first_step_of_adam_is_lr_whatever_the_gradient():
    p = nn.Parameter(np.zeros(4))
    optimiser = optim.Adam([p], lr=0.1)
    p.grad = mg.tensor(np.array([1e-3, -1e3, 7.0, 0.0]))
    optimiser.step()
    np.testing.assert_allclose(p.numpy(), [-0.1, 0.1, -0.1, 0.0], rtol=2e-5)


def test_momentum_of_a_constant_gradient_is_a_geometric_series():
    p = nn.Parameter(np.zeros(1))
    optimiser = optim.SGD([p], lr=1.0, momentum=0.5)
    for expected in (-1.0, -2.5, -4.25):
        p.grad = mg.tensor(np.ones(1))
        optimiser.step()
        assert p.item() == expected


# -- using them --------------------------------------------------------------------------------------------------------


@every_kind
def test_lr_may_be_assigned(make):
    """Steps are proportional to it, and 0 stands still."""
    moves = []
    for lr in (0.1, 0.2, 0.0):
        parameters = make_parameters()
        before = [p.numpy() for p in parameters]
        optimiser = make(parameters)
        optimiser.lr = lr
        give(parameters, make_gradients(1)[0])
        optimiser.step()
        moves.append([p.numpy() - b for p, b in zip(parameters, before, strict=True)])
    for one, two, none in zip(*moves, strict=True):
        np.testing.assert_allclose(two, 2 * one, rtol=1e-9)
        assert not none.any()
        assert one.any()


@every_kind
def test_zero_grad_sets_none_and_a_step_without_gradients_does_nothing(make):
    parameters = make_parameters()
    before = [p.numpy() for p in parameters]
    optimiser = make(parameters)
    state = optimiser.state_dict()
    give(parameters, make_gradients(1)[0])
    optimiser.zero_grad()
    assert all(p.grad is None for p in parameters)
    optimiser.step()
    for p, b in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(p.numpy(), b)
    for key, value in optimiser.state_dict().items():
        np.testing.assert_array_equal(value, state[key])


@every_kind
@pytest.mark.parametrize("at", [0, 1, 7])
def test_state_goes_on_bitwise(make, at):
    gradients = make_gradients(12, missing=0.2)
    undisturbed = make_parameters()
    optimiser = make(undisturbed)
    for step, g in enumerate(gradients):
        if step == at:
            saved, weights = optimiser.state_dict(), [p.numpy() for p in undisturbed]
        give(undisturbed, g)
        optimiser.step()

    resumed = [nn.Parameter(w) for w in weights]
    optimiser = make(resumed)
    optimiser.load_state_dict({key: value.copy() for key, value in saved.items()})
    for g in gradients[at:]:
        give(resumed, g)
        optimiser.step()
    for a, b in zip(undisturbed, resumed, strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


@every_kind
def test_state_is_a_copy_of_arrays(make):
    parameters = make_parameters("float32")
    optimiser = make(parameters)
    give(parameters, make_gradients(1)[0])
    optimiser.step()
    state = optimiser.state_dict()
    assert all(type(value) is np.ndarray for value in state.values())
    for value in state.values():
        value[...] = 5
    assert not any((value == 5).all() for value in optimiser.state_dict().values())


def test_state_of_another_optimiser_changes_nothing():
    adam, small = optim.Adam(make_parameters(), 0.1), optim.Adam(make_parameters()[:2], 0.1)
    for state, error, message in [
        (
            optim.SGD(make_parameters(), 0.1).state_dict(),
            KeyError,
            r"got \['t', 'velocity'\], expected \['m', 't', 'v'\]",
        ),
        (small.state_dict(), ShapeError, r"t has shape \(2,\), expected \(5,\)"),
        ({**adam.state_dict(), "t": np.ones(5, int), "v": np.ones(3)}, ShapeError, r"v has shape \(3,\), expected"),
    ]:
        with pytest.raises(error, match=message):
            adam.load_state_dict(state)
    assert all(not value.any() for value in adam.state_dict().values())


# -- limits ------------------------------------------------------------------------------------------------------------


@given(max_norm=st.floats(1e-3, 1e3), seed=st.integers(0, 999), missing=st.sampled_from([0.0, 0.5]))
def test_clip_grad_norm(max_norm, seed, missing):
    parameters, gradients = make_parameters(), make_gradients(1, seed, missing)[0]
    give(parameters, gradients)
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients if g is not None))
    assert float(optim.clip_grad_norm(parameters, max_norm)) == pytest.approx(norm, rel=1e-13)
    scale = min(1.0, max_norm / norm) if norm else 1.0
    for p, g in zip(parameters, gradients, strict=True):
        if g is None:
            assert p.grad is None
        else:
            np.testing.assert_allclose(p.grad.numpy(), scale * g, rtol=1e-13)


def test_clip_grad_norm_leaves_small_gradients_and_dtypes():
    p = nn.Parameter(np.ones(2, "f4"))
    p.grad = mine = mg.tensor([0.3, 0.4])
    assert float(optim.clip_grad_norm([p], 1.0)) == pytest.approx(0.5, rel=1e-6)
    np.testing.assert_array_equal(p.grad.numpy(), mine.numpy())
    optim.clip_grad_norm([p], 0.1)
    assert p.grad.dtype == np.float32
    np.testing.assert_allclose(p.grad.numpy(), [0.06, 0.08], rtol=1e-6)
    assert mine.numpy().tolist() == mg.tensor([0.3, 0.4]).numpy().tolist()  # a new gradient, the old one is as it was


def test_clip_grad_norm_of_recorded_gradients():
    p = nn.Parameter(np.array([3.0, 4.0]))
    (p**3).sum().backward(create_graph=True)
    optim.clip_grad_norm([p], 1.0)
    assert not p.grad.requires_grad
    assert np.linalg.norm(p.grad.numpy()) == pytest.approx(1.0, rel=1e-14)


def test_clip_grad_norm_is_that_of_pytorch():
    """PyTorch adds 1e-6 to the norm before it divides."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    for max_norm in (0.1, 1e6):
        parameters, gradients = make_parameters(), make_gradients(1, missing=0.3)[0]
        give(parameters, gradients)
        theirs = [torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for shape in SHAPES]
        for p, g in zip(theirs, gradients, strict=True):
            p.grad = None if g is None else torch.tensor(g)
        norm = torch.nn.utils.clip_grad_norm_(theirs, max_norm).item()
        assert float(optim.clip_grad_norm(parameters, max_norm)) == pytest.approx(norm, rel=1e-13)
        for p, q in zip(parameters, theirs, strict=True):
            assert (p.grad is None) == (q.grad is None)
            if p.grad is not None:
                np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=2e-6 / norm + 1e-13)


def test_clip_weights():
    parameters = make_parameters()
    before = [p.numpy() for p in parameters]
    optim.clip_weights(parameters, 0.3)
    for p, b in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(p.numpy(), np.clip(b, -0.3, 0.3))
        assert p.is_leaf
    assert any((b > 0.3).any() for b in before)
    assert any((b < -0.3).any() for b in before)


def test_limits_take_a_single_parameter():
    p = nn.Parameter(np.array([[3.0], [4.0]]))
    p.grad = mg.tensor(np.array([[3.0], [4.0]]))
    assert optim.clip_grad_norm(p, 1.0) == 5.0
    np.testing.assert_allclose(p.grad.numpy(), [[0.6], [0.8]], rtol=1e-15)
    optim.clip_weights(p, 3.5)
    assert p.numpy().tolist() == [[3.0], [3.5]]


# -- facts of the theory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alternating", "growth"), [(False, np.sqrt(1 + 0.1**2)), (True, None)])
def test_bilinear_game(alternating, growth):
    """min_x max_y xy, step e: simultaneous descent grows the radius by sqrt(1 + e^2), alternating keeps a quadratic."""
    e = 0.1
    x, y = nn.Parameter(np.array(1.0)), nn.Parameter(np.array(0.5))
    players = [optim.SGD([x], e), optim.SGD([y], e)]
    radius = np.hypot(x.item(), y.item())
    for _ in range(50):
        if alternating:  # the minimiser first: x^2 + y^2 - e x y is kept
            kept = x.item() ** 2 + y.item() ** 2 - e * x.item() * y.item()
            x.grad = mg.tensor(y.numpy())
            players[0].step()
            y.grad = mg.tensor(-x.numpy())
            players[1].step()
            assert x.item() ** 2 + y.item() ** 2 - e * x.item() * y.item() == pytest.approx(kept, rel=1e-13)
        else:
            x.grad, y.grad = mg.tensor(y.numpy()), mg.tensor(-x.numpy())
            for player in players:
                player.step()
            radius *= growth
            assert np.hypot(x.item(), y.item()) == pytest.approx(radius, rel=1e-12)
