"""Labels as options of the losses: label smoothing, and the labels of least squares."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import losses
from minigan.engine import unfused
from minigan.errors import ConfigError

SMOOTHED = pytest.mark.parametrize("name", ["minimax", "non_saturating"])
RNG = np.random.default_rng(0)
REAL, FAKE = 2 * RNG.standard_normal((7, 1)), 2 * RNG.standard_normal((5, 1)) - 0.5


def softplus(a):
    return np.logaddexp(0, a)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def formula(s):
    """The definition: -s log p - (1 - s) log(1 - p) of real samples, -log(1 - p) of fake ones."""
    return lambda real, fake: np.mean(s * softplus(-real) + (1 - s) * softplus(real)) + np.mean(softplus(fake))


# -- one-sided label smoothing ----------------------------------------------------------------------------------------


@SMOOTHED
@pytest.mark.parametrize("s", [0.3, 0.9, 1.0])
def test_value_and_gradient_of_a_smoothed_label(name, s):
    loss = losses.get(name, real_label=s)
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(formula(s)(REAL, FAKE), rel=1e-14)
    g_real, g_fake = loss.discriminator_grad(REAL, FAKE)
    np.testing.assert_allclose(g_real, (sigmoid(REAL) - s) / 7, rtol=1e-12)
    np.testing.assert_allclose(g_fake, sigmoid(FAKE) / 5, rtol=1e-12)
    for f, grad in ((formula(s), loss.discriminator_grad), (loss.discriminator, None)):
        assert not mg.check_gradients(f, REAL, FAKE, grad=grad, order=2, directions=1, seed=0).vacuous


WRONG = {
    "label taken for its complement": lambda s: ((sigmoid(REAL) - (1 - s)) / 7, sigmoid(FAKE) / 5),
    "the gradient scaled by the label": lambda s: (s * (sigmoid(REAL) - 1) / 7, sigmoid(FAKE) / 5),
    "no smoothing": lambda s: ((sigmoid(REAL) - 1) / 7, sigmoid(FAKE) / 5),
    "both sides smoothed": lambda s: ((sigmoid(REAL) - s) / 7, (sigmoid(FAKE) - (1 - s)) / 5),
    "the fake side instead": lambda s: ((sigmoid(REAL) - 1) / 7, (sigmoid(FAKE) - (1 - s)) / 5),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_gradient_is_refuted(mistake):
    report = mg.check_gradients(
        formula(0.9), REAL, FAKE, grad=lambda real, fake: WRONG[mistake](0.9), seed=0, raise_on_failure=False
    )
    assert not report.ok


@SMOOTHED
def test_the_label_1_is_no_smoothing_to_the_last_bit(name):
    for scale in (1.0, 300.0):
        plain, smooth = losses.get(name), losses.get(name, real_label=1)
        assert smooth.name == plain.name == name
        assert smooth.equilibrium == plain.equilibrium
        of_plain, of_smooth = (
            [loss.discriminator(scale * REAL, FAKE).numpy(), *loss.discriminator_grad(scale * REAL, FAKE)]
            for loss in (plain, smooth)
        )
        for a, b in zip(of_plain, of_smooth, strict=True):
            np.testing.assert_array_equal(a, b)
        assert (np.abs(of_plain[1]) > 0).all() or scale > 1


@SMOOTHED
def test_a_smoothed_discriminator_is_pulled_back_where_it_is_too_sure(name):
    """Without smoothing every real logit is pushed up for ever; with it, up to log s/(1 - s) and no further."""
    limit = math.log(0.9 / 0.1)
    real = np.array([limit - 1, limit, limit + 1, 1000.0])
    gradient = losses.get(name, real_label=0.9).discriminator_grad(real, FAKE)[0]
    assert np.sign(np.round(gradient, 12)).tolist() == [-1, 0, 1, 1]
    assert (losses.get(name).discriminator_grad(real, FAKE)[0] <= 0).all()
    assert losses.get(name, real_label=0.9).discriminator(real[3:], [-1000.0]).item() == pytest.approx(100.0)


@SMOOTHED
@given(s=st.floats(0.01, 1.0))
def test_smoothed_equilibrium(name, s):
    """At p = q: D* = s/2, from the losses themselves."""
    loss, logit = losses.get(name, real_label=s), np.full(3, math.log(s / (2 - s)))
    assert loss.discriminator(logit, logit).item() == pytest.approx(loss.equilibrium[0], rel=1e-12)
    assert loss.generator(None, logit).item() == pytest.approx(loss.equilibrium[1], rel=1e-12)
    g_real, g_fake = loss.discriminator_grad(logit, logit)
    np.testing.assert_allclose(g_real, -g_fake, rtol=1e-9, atol=1e-15)


@SMOOTHED
def test_the_generator_is_not_smoothed(name):
    plain, smooth = losses.get(name), losses.get(name, real_label=0.7)
    np.testing.assert_array_equal(plain.generator_grad(None, FAKE)[1], smooth.generator_grad(None, FAKE)[1])
    assert plain.generator(None, FAKE).item() == smooth.generator(None, FAKE).item()


@SMOOTHED
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_smoothing_keeps_the_dtype(name, dtype):
    loss = losses.get(name, real_label=np.float64(0.9))
    real, fake = REAL.astype(dtype), FAKE.astype(dtype)
    with unfused():
        defined = loss.discriminator(real, fake)
    dtypes = {
        defined.dtype,
        loss.discriminator(real, fake).dtype,
        *(g.dtype for g in loss.discriminator_grad(real, fake)),
    }
    assert dtypes == {np.dtype(dtype)}
    assert defined.item() == pytest.approx(loss.discriminator(real, fake).item(), rel=1e-6)


@SMOOTHED
@pytest.mark.parametrize("label", [0, -0.1, 1.1, math.inf, math.nan, "0.9", None, [0.9]])
def test_labels_that_are_refused(name, label):
    with pytest.raises(ConfigError, match=r"real_label is .*; expected a number above 0 and at most 1"):
        losses.get(name, real_label=label)


@pytest.mark.parametrize("name", ["hinge", "wasserstein", "relativistic"])
def test_losses_without_labels(name):
    assert losses.options(name) == []
    with pytest.raises(ConfigError, match=f"loss '{name}' does not take the options real_label; it takes none"):
        losses.get(name, real_label=0.9)


def test_a_loss_with_options_has_another_name():
    """A run that is reloaded under the plain name would train another game."""
    assert losses.get("minimax", real_label=0.9).name == "minimax(real_label=0.9)"
    assert losses.get("least_squares", fake_label=-1, target=0).name == "least_squares(fake_label=-1.0, target=0.0)"
    assert losses.get("least_squares", fake_label=0, real_label=1.0, target=1).name == "least_squares"


# -- least squares ----------------------------------------------------------------------------------------------------

LABELS = {"fake_label": -1.0, "real_label": 1.0, "target": 0.0}  # those that lead to Pearson's chi^2


def test_labels_of_least_squares():
    loss = losses.get("least_squares", **LABELS)
    d = lambda real, fake: np.mean((real - 1) ** 2) / 2 + np.mean((fake + 1) ** 2) / 2  # noqa: E731
    g = lambda fake: np.mean(fake**2) / 2  # noqa: E731
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(d(REAL, FAKE), rel=1e-14)
    assert loss.generator(None, FAKE).item() == pytest.approx(g(FAKE), rel=1e-14)
    mg.check_gradients(d, REAL, FAKE, grad=loss.discriminator_grad, order=2, seed=0)
    mg.check_gradients(g, FAKE, grad=lambda fake: loss.generator_grad(None, fake)[1], order=2, seed=0)
    mg.check_gradients(loss.discriminator, REAL, FAKE, order=2, seed=0)


@given(labels=st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_equilibrium_of_least_squares(labels):
    a, b, c = labels
    if a == b:
        b = a + 1
    loss = losses.get("least_squares", fake_label=a, real_label=b, target=c)
    best = np.full(4, (a + b) / 2)
    found = loss.discriminator(best, best).item(), loss.generator(None, best).item()
    assert loss.equilibrium == pytest.approx(found, rel=1e-9, abs=1e-12)
    g_real, g_fake = loss.discriminator_grad(best, best)
    np.testing.assert_allclose(g_real, -g_fake, rtol=1e-9, atol=1e-12)


def test_pearson_chi_squared():
    """With b - c = 1, b - a = 2: E_p (D* - c)^2/2 + E_q (D* - c)^2/2 is half of chi^2(p + q, 2q)."""
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    a, b, _ = LABELS.values()
    best = (b * p + a * q) / (p + q)
    loss = losses.get("least_squares", **LABELS)
    of_each = np.array([loss.generator(None, [float(d)]).item() for d in best])
    chi_squared = np.sum((2 * q - (p + q)) ** 2 / (p + q))
    assert 2 * np.sum((p + q) * of_each) == pytest.approx(chi_squared, rel=1e-6)


def test_labels_of_least_squares_that_are_refused():
    with pytest.raises(ConfigError, match="fake_label and real_label are both 1; D needs something to tell apart"):
        losses.get("least_squares", fake_label=1)
    for value in (math.nan, -math.inf, "1"):
        with pytest.raises(ConfigError, match=r"target is .*; expected a finite number"):
            losses.get("least_squares", target=value)
