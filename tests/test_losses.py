"""GAN losses: their formulas, their hand-derived gradients and their values at the optimum."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import losses
from minigan.engine import recording, unfused

LOG2 = np.log(2.0)
SHAPES = [(), (5,), (5, 1), (3, 4), (2, 3, 1)]
PAIRED = ["relativistic"]
CLASSIFIERS = ["minimax", "non_saturating", "relativistic"]  # their losses are cross-entropies


def softplus(a):
    return np.logaddexp(0, a)


# Written from the papers, apart from the package: name -> (discriminator's loss, generator's loss).
FORMULAS = {
    "minimax": (
        lambda real, fake: np.mean(softplus(-real)) + np.mean(softplus(fake)),
        lambda real, fake: -np.mean(softplus(fake)),
    ),
    "non_saturating": (
        lambda real, fake: np.mean(softplus(-real)) + np.mean(softplus(fake)),
        lambda real, fake: np.mean(softplus(-fake)),
    ),
    "least_squares": (
        lambda real, fake: 0.5 * np.mean((real - 1) ** 2) + 0.5 * np.mean(fake**2),
        lambda real, fake: 0.5 * np.mean((fake - 1) ** 2),
    ),
    "hinge": (
        lambda real, fake: -np.mean(np.minimum(0, -1 + real)) - np.mean(np.minimum(0, -1 - fake)),
        lambda real, fake: -np.mean(fake),
    ),
    "wasserstein": (lambda real, fake: np.mean(fake) - np.mean(real), lambda real, fake: -np.mean(fake)),
    "relativistic": (
        lambda real, fake: np.mean(softplus(-(real - fake))),
        lambda real, fake: np.mean(softplus(-(fake - real))),
    ),
}

every_loss = pytest.mark.parametrize("name", losses.names())
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def logits(shape, seed=0, scale=2.0):
    """Draw two arrays of logits."""
    rng = np.random.default_rng(seed)
    return scale * rng.standard_normal(shape), scale * rng.standard_normal(shape) - 0.5


class Player(NamedTuple):
    """One player of a loss; its functions take the logits that it looks at, `grad` returns a tuple."""

    both: bool
    loss: Callable
    grad: Callable
    formula: Callable

    def sees(self, real, fake):
        return (real, fake) if self.both else (fake,)


def players(name):
    """Return the discriminator and the generator of a loss."""
    loss, (d, g) = losses.get(name), FORMULAS[name]
    discriminator = Player(True, loss.discriminator, loss.discriminator_grad, d)
    if loss.real_in_generator:
        return discriminator, Player(True, loss.generator, loss.generator_grad, g)
    return discriminator, Player(
        False,
        lambda fake: loss.generator(None, fake),
        lambda fake: loss.generator_grad(None, fake)[1:],
        lambda fake: g(None, fake),
    )


def test_every_loss_has_a_formula_here():
    assert losses.names() == list(FORMULAS)
    assert losses.names() == ["minimax", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic"]


# -- values and gradients ----------------------------------------------------------------------------------------------


@every_loss
@every_shape
def test_value_is_the_formula(name, shape):
    real, fake = logits(shape)
    for player in players(name):
        seen = player.sees(real, fake)
        value = player.loss(*seen)
        assert value.shape == ()
        assert value.item() == pytest.approx(player.formula(*seen), rel=1e-14)


@every_loss
@every_shape
@pytest.mark.parametrize("scale", [0.1, 3.0, 50.0])
def test_hand_derived_gradient_is_that_of_the_formula(name, shape, scale):
    real, fake = logits(shape, scale=scale)
    for player in players(name):
        seen = player.sees(real, fake)
        report = mg.check_gradients(player.formula, *seen, grad=player.grad, order=2, directions=1, seed=0)
        assert report.vacuous == (not any(np.any(g) for g in player.grad(*seen)))  # a lone logit beyond hinge's margin


@every_loss
@every_shape
def test_loss_of_tensors_differentiates_twice(name, shape):
    real, fake = logits(shape)
    for player in players(name):
        report = mg.check_gradients(player.loss, *player.sees(real, fake), order=2, directions=1, seed=0)
        assert not report.vacuous


@pytest.mark.parametrize("name", [name for name in losses.names() if name not in PAIRED])
def test_sides_of_different_length_are_means_of_their_own(name):
    (real, _), (_, fake) = logits((7, 1), 1), logits((3, 1), 2)
    discriminator, _ = players(name)
    assert discriminator.loss(real, fake).item() == pytest.approx(discriminator.formula(real, fake), rel=1e-14)
    mg.check_gradients(discriminator.formula, real, fake, grad=discriminator.grad, seed=0)


@every_loss
@given(
    n=st.integers(1, 6),
    columns=st.integers(1, 3),
    scale=st.sampled_from([1e-3, 1.0, 30.0, 700.0]),
    seed=st.integers(0, 999),
)
def test_fused_and_autodiff_of_the_definition_agree(name, n, columns, scale, seed):
    """Value, gradient and Hessian-vector product, to rounding."""
    real, fake = logits((n, columns), seed, scale)
    direction = np.random.default_rng(seed).choice([-1.0, 1.0], (n, columns))
    for player in players(name):
        seen = player.sees(real, fake)
        fused = derivatives(player.loss, seen, direction)
        with unfused():
            defined = derivatives(player.loss, seen, direction)
        for a, b in zip(fused, defined, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-300)


def derivatives(loss, seen, direction):
    """Return value, gradients and the second derivatives in one direction."""
    numbers = tuple(range(len(seen)))
    value, gradients = mg.value_and_grad(loss, numbers)(*seen)
    second = mg.jvp(mg.grad(loss, numbers), seen, tuple(direction for _ in seen))[1]
    return [np.asarray(part) for part in (value, *gradients, *second)]


@every_loss
def test_training_runs_the_hand_derived_rule(name):
    """`backward` gives the very numbers of the closed form, through one fused operation."""
    real, fake = logits((6, 1))
    for player in players(name):
        leaves = [mg.tensor(a, requires_grad=True) for a in player.sees(real, fake)]
        with recording() as fused:
            value = player.loss(*leaves)
        with unfused(), recording() as defined:
            player.loss(*leaves)
        assert len(fused) == 1
        assert not {primitive.name for primitive, *_ in defined} & {primitive.name for primitive, *_ in fused}
        assert len(defined) > 1
        value.backward()
        for leaf, g in zip(leaves, player.grad(*player.sees(real, fake)), strict=True):
            np.testing.assert_array_equal(leaf.grad.numpy(), g)


# -- facts of the theory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "optimal", "d_value", "g_value", "pull"),
    [
        ("minimax", 0.0, 2 * LOG2, -LOG2, 0.5),
        ("non_saturating", 0.0, 2 * LOG2, LOG2, 0.5),
        ("least_squares", 0.5, 0.25, 0.125, 0.5),
        ("hinge", 0.0, 2.0, 0.0, 1.0),
        ("wasserstein", 0.0, 0.0, 0.0, 1.0),
        ("relativistic", 0.0, LOG2, LOG2, 0.5),
    ],
)
def test_equilibrium(name, optimal, d_value, g_value, pull):
    """Where p = q, the best discriminator cannot tell: all its outputs are `optimal`."""
    loss = losses.get(name)
    assert loss.equilibrium == pytest.approx((d_value, g_value), rel=1e-15)
    real = fake = np.full((9, 1), optimal)
    assert loss.discriminator(real, fake).item() == pytest.approx(d_value, rel=1e-15)
    assert loss.generator(real if loss.real_in_generator else None, fake).item() == pytest.approx(g_value, rel=1e-15)
    g_real, g_fake = loss.discriminator_grad(real, fake)
    np.testing.assert_allclose(g_real, -pull / 9, rtol=1e-15)
    np.testing.assert_allclose(g_fake, pull / 9, rtol=1e-15)  # alike samples: the two cancel, nothing moves D


def test_non_saturating_gradient_is_strong_where_the_saturating_one_vanishes():
    sure, lost = np.full((4, 1), -20.0), np.full((4, 1), 20.0)  # D is sure that these are fakes; that they are real
    minimax, heuristic = losses.get("minimax"), losses.get("non_saturating")
    np.testing.assert_allclose(minimax.generator_grad(None, sure)[1], -np.exp(-20.0) / 4, rtol=1e-8)
    np.testing.assert_allclose(heuristic.generator_grad(None, sure)[1], -1 / 4, rtol=1e-8)
    np.testing.assert_allclose(minimax.generator_grad(None, lost)[1], -1 / 4, rtol=1e-8)
    np.testing.assert_allclose(heuristic.generator_grad(None, lost)[1], -np.exp(-20.0) / 4, rtol=1e-8)


def test_minimax_is_a_zero_sum_game():
    real, fake = logits((6, 1))
    loss = losses.get("minimax")
    np.testing.assert_array_equal(loss.generator_grad(None, fake)[1], -loss.discriminator_grad(real, fake)[1])


def test_relativistic_sees_differences_only_and_its_players_change_places():
    real, fake = logits((6, 1))
    loss = losses.get("relativistic")
    assert loss.generator(real, fake).item() == loss.discriminator(fake, real).item()
    assert loss.discriminator(real + 8, fake + 8).item() == pytest.approx(loss.discriminator(real, fake).item())
    for g_real, g_fake in (loss.discriminator_grad(real, fake), loss.generator_grad(real, fake)):
        np.testing.assert_array_equal(g_real, -g_fake)
    assert (loss.discriminator_grad(real, fake)[0] < 0).all()
    assert (loss.generator_grad(real, fake)[0] > 0).all()


def test_least_squares_pulls_harder_the_further_away_where_classifiers_saturate():
    fakes = np.array([2.0, 4.0, 8.0])  # on the real side, far beyond its label
    assert losses.get("least_squares").generator_grad(None, fakes)[1] == pytest.approx(np.array([1, 3, 7]) / 3)
    assert (np.diff(np.abs(losses.get("non_saturating").generator_grad(None, fakes)[1])) < 0).all()


def test_hinge_is_flat_beyond_its_margin_and_at_its_corners():
    """At a kink the subgradient 0 is chosen; random tests stay away from there."""
    real, fake = np.array([0.5, 1.0, 1.5, -7.0]), np.array([-0.5, -1.0, -1.5, 7.0])
    g_real, g_fake = losses.get("hinge").discriminator_grad(real, fake)
    np.testing.assert_array_equal(g_real, [-0.25, 0, 0, -0.25])
    np.testing.assert_array_equal(g_fake, [0.25, 0, 0, 0.25])
    leaves = [mg.tensor(a, requires_grad=True) for a in (real, fake)]
    with unfused():
        losses.get("hinge").discriminator(*leaves).backward()
    np.testing.assert_array_equal([t.grad.numpy() for t in leaves], [g_real, g_fake])


def test_wasserstein_loss_sees_differences_only():
    real, fake = logits((6, 1))
    loss = losses.get("wasserstein")
    assert loss.discriminator(real + 8, fake + 8).item() == pytest.approx(loss.discriminator(real, fake).item())
    assert loss.discriminator(3 * real, 3 * fake).item() == pytest.approx(3 * loss.discriminator(real, fake).item())


# -- far out, and other dtypes -----------------------------------------------------------------------------------------

# name: at real = +1000, fake = -1000 (D is right) and the other way round (D is wrong):
# D's loss, its gradients times n, G's loss, its gradient at fake times n.
FAR = {
    "minimax": ((0, 0, 0, 0, 0), (2000, -1, 1, -1000, -1)),
    "non_saturating": ((0, 0, 0, 1000, -1), (2000, -1, 1, 0, 0)),
    "least_squares": (
        (999**2 / 2 + 500_000, 999, -1000, 1001**2 / 2, -1001),
        (1001**2 / 2 + 5e5, -1001, 1e3, 999**2 / 2, 999),
    ),
    "hinge": ((0, 0, 0, 1000, -1), (2002, -1, 1, -1000, -1)),
    "wasserstein": ((-2000, -1, 1, 1000, -1), (2000, -1, 1, -1000, -1)),
    "relativistic": ((0, 0, 0, 2000, -1), (2000, -1, 1, 0, 0)),
}


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 3])
def test_logits_of_a_thousand(name, dtype, n):
    loss = losses.get(name)
    for sign, expected in zip((1, -1), FAR[name], strict=True):
        real, fake = (np.full((n, 1), value, dtype) for value in (1000 * sign, -1000 * sign))
        seen = real if loss.real_in_generator else None
        found = (
            loss.discriminator(real, fake).item(),
            *(n * g.mean() for g in loss.discriminator_grad(real, fake)),
            loss.generator(seen, fake).item(),
            n * loss.generator_grad(seen, fake)[1].mean(),
        )
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-30)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_small_losses_keep_their_digits_in_float32(name):
    """Through softplus. log(sigmoid(20) + 1e-8) would return 0, or 1e-8, for 2.06e-9."""
    loss = losses.get(name)
    right = (np.full(4, 20, "f4"), np.full(4, 0 if name in PAIRED else -20, "f4"))
    expected = softplus(-20.0) * (1 if name in PAIRED else 2)
    assert loss.discriminator(*right).item() == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(loss.discriminator_grad(*right)[0], -np.exp(-20.0) / 4, rtol=1e-6)


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(name, dtype):
    real, fake = (a.astype(dtype) for a in logits((5, 1)))
    for player in players(name):
        seen = player.sees(real, fake)
        assert {player.loss(*seen).dtype, *(g.dtype for g in player.grad(*seen))} == {np.dtype(dtype)}


@every_loss
def test_lists_numbers_and_integers_are_logits(name):
    loss, (formula, _) = losses.get(name), FORMULAS[name]
    expected = formula(np.array([1.0, 2.0]), np.array([0.0, -3.0]))
    for real, fake in (([1, 2], [0, -3]), ([1.0, 2.0], np.array([0.0, -3.0])), (np.array([1, 2]), np.array([0, -3]))):
        assert loss.discriminator(real, fake).item() == pytest.approx(expected, rel=1e-6)
    assert loss.discriminator([1, 2], [0, -3]).dtype == np.float32  # lists take the default dtype
    assert loss.discriminator(np.array([1, 2]), np.array([0, -3])).dtype == np.float64
    assert loss.discriminator(0.25, 0.0).item() == pytest.approx(formula(0.25, 0.0), rel=1e-6)


@every_loss
def test_gradients_are_plain_arrays_of_the_callers_own(name):
    real, fake = logits((4, 1))
    tensors = [mg.tensor(a, requires_grad=True) for a in (real, fake)]
    g_real, g_fake = losses.get(name).discriminator_grad(*tensors)
    for g, t in ((g_real, tensors[0]), (g_fake, tensors[1])):
        assert type(g) is np.ndarray
        assert g.shape == (4, 1)
        assert t.grad is None
        g[...] = 7.0  # writable
    np.testing.assert_array_equal(tensors[0].numpy(), real)
    np.testing.assert_array_equal(tensors[1].numpy(), fake)
    assert not np.shares_memory(g_real, g_fake)


# -- outside truth -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
@every_loss
def test_values_and_gradients_are_those_of_pytorch(name, scale):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    bce, mse = torch.nn.functional.binary_cross_entropy_with_logits, torch.nn.functional.mse_loss
    relu = torch.nn.functional.relu
    ones, zeros = torch.ones(6, 2, dtype=torch.float64), torch.zeros(6, 2, dtype=torch.float64)
    theirs = {
        "minimax": (lambda r, f: bce(r, ones) + bce(f, zeros), lambda f: -bce(f, zeros)),
        "non_saturating": (lambda r, f: bce(r, ones) + bce(f, zeros), lambda f: bce(f, ones)),
        "least_squares": (lambda r, f: (mse(r, ones) + mse(f, zeros)) / 2, lambda f: mse(f, ones) / 2),
        "hinge": (lambda r, f: relu(1 - r).mean() + relu(1 + f).mean(), lambda f: -f.mean()),
        "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
        "relativistic": (lambda r, f: bce(r - f, ones), lambda r, f: bce(f - r, ones)),
    }
    real, fake = logits((6, 2), seed=4, scale=scale)
    for player, reference in zip(players(name), theirs[name], strict=True):
        seen = player.sees(real, fake)
        leaves = [torch.tensor(a, requires_grad=True) for a in seen]
        value = reference(*leaves)
        assert player.loss(*seen).item() == pytest.approx(value.item(), rel=1e-12)
        for g, t in zip(player.grad(*seen), torch.autograd.grad(value, leaves), strict=True):
            # PyTorch's own gradient is p - 1, which loses the digits of a small one.
            np.testing.assert_allclose(g, t.numpy(), rtol=1e-12, atol=1e-16)
