"""The best discriminator of every loss, found numerically with its own gradient, beside the closed form of theory."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import linprog, minimize
from scipy.stats import norm, wasserstein_distance

from minigan import losses

LOG2 = math.log(2.0)

# Two distributions on six points, by how many of twelve samples lie on each; both are positive everywhere.
POINTS = np.arange(6)
P_COUNTS, Q_COUNTS = np.array([4, 3, 2, 1, 1, 1]), np.array([1, 1, 1, 2, 3, 4])
P, Q = P_COUNTS / 12, Q_COUNTS / 12
REAL, FAKE = np.repeat(POINTS, P_COUNTS), np.repeat(POINTS, Q_COUNTS)  # the point that each sample lies on
PAIRS = np.repeat(REAL, 12), np.tile(FAKE, 12)  # every real sample beside every fake one

JSD = (np.sum(P * np.log(2 * P / (P + Q))) + np.sum(Q * np.log(2 * Q / (P + Q)))) / 2
TV = np.sum(np.abs(P - Q)) / 2


def d_loss(loss, logits):
    """Return D's expected loss, given its logit at each of the six points, and the gradient."""
    real, fake = PAIRS if loss.paired else (REAL, FAKE)
    g_real, g_fake = loss.discriminator_grad(logits[real], logits[fake])
    gradient = np.bincount(real, g_real, minlength=6) + np.bincount(fake, g_fake, minlength=6)
    return loss.discriminator(logits[real], logits[fake]).item(), gradient


def best_logits(loss):
    """Minimise over the six logits."""
    found = minimize(lambda a: d_loss(loss, a), np.zeros(6), jac=True, method="BFGS", options={"gtol": 1e-10})
    return found.x, found.fun


# -- smooth losses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_optimum_of_the_cross_entropy(name):
    """D* = p / (p + q), where the loss is 2 log 2 - 2 JSD: V(D*) = -log 4 + 2 JSD."""
    logits, value = best_logits(losses.get(name))
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), P / (P + Q), atol=1e-7)
    assert value == pytest.approx(2 * LOG2 - 2 * JSD, rel=1e-12)


@pytest.mark.parametrize("s", [0.5, 0.9])
def test_optimum_with_a_smoothed_label(s):
    """D* = s p / (p + q)."""
    logits, value = best_logits(losses.get("minimax", real_label=s))
    best = s * P / (P + Q)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), best, atol=1e-7)
    expected = -np.sum(P * (s * np.log(best) + (1 - s) * np.log(1 - best)) + Q * np.log(1 - best))
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (-1.0, 1.0), (0.2, 0.9)])
def test_optimum_of_least_squares(a, b):
    """D* = (b p + a q) / (p + q), the loss (b - a)^2/2 times the sum of p q / (p + q)."""
    logits, value = best_logits(losses.get("least_squares", fake_label=a, real_label=b))
    np.testing.assert_allclose(logits, (b * P + a * Q) / (P + Q), atol=1e-7)
    assert value == pytest.approx((b - a) ** 2 / 2 * np.sum(P * Q / (P + Q)), rel=1e-12)


def test_optimum_of_pairs():
    """D* = log p/q up to a constant."""
    logits, value = best_logits(losses.get("relativistic"))
    expected = np.log(P / Q)
    np.testing.assert_allclose(logits - logits.mean(), expected - expected.mean(), atol=1e-6)
    assert value < LOG2


# -- hinge: not smooth, and decided point by point --------------------------------------------------------------------


def test_optimum_of_hinge():
    """D* = sign(p - q), the loss 2 - 2 TV."""
    loss, grid = losses.get("hinge"), np.linspace(-3, 3, 601)
    for point in POINTS:
        trials = np.zeros((len(grid), 6))
        trials[:, point] = grid
        values = [d_loss(loss, logits)[0] for logits in trials]
        assert grid[np.argmin(values)] == pytest.approx(np.sign(P[point] - Q[point]), abs=1e-9)
    assert d_loss(loss, np.sign(P - Q))[0] == pytest.approx(2 - 2 * TV, rel=1e-14)


def test_at_equal_distributions_the_optimum_of_hinge_is_not_unique():
    """The loss is 2 wherever D stays in [-1, 1], and larger outside: the generator's may be anything in between."""
    loss, rng = losses.get("hinge"), np.random.default_rng(0)
    for _ in range(5):
        inside = rng.uniform(-1, 1, (12, 1))
        assert loss.discriminator(inside, inside).item() == pytest.approx(loss.equilibrium[0], rel=1e-14)
    outside = inside.copy()
    outside[0] = 1.5
    assert loss.discriminator(outside, outside).item() > 2.04
    assert loss.generator(None, np.ones(3)).item() == -loss.generator(None, -np.ones(3)).item() == -1.0


# -- Wasserstein: needs a limit on the slope --------------------------------------------------------------------------


def test_optimum_of_wasserstein_among_lipschitz_critics():
    """Minus the W1 distance (a linear programme, since the loss is linear in the scores)."""
    loss = losses.get("wasserstein")
    value, gradient = d_loss(loss, np.zeros(6))
    assert value == 0.0
    steps = np.diff(np.eye(6), axis=0)  # |D(x + 1) - D(x)| <= 1
    found = linprog(
        gradient, A_ub=np.concatenate([steps, -steps]), b_ub=np.ones(10), bounds=[(0, 0)] + [(None, None)] * 5
    )
    assert found.fun == pytest.approx(-wasserstein_distance(POINTS, POINTS, P, Q), rel=1e-12)
    assert d_loss(loss, found.x)[0] == pytest.approx(found.fun, rel=1e-12)
    np.testing.assert_allclose(np.abs(steps @ found.x), 1.0, atol=1e-9)  # slope 1 wherever mass has to move


def test_optimum_of_wasserstein_without_a_limit_does_not_exist():
    loss = losses.get("wasserstein")
    assert d_loss(loss, 1000 * np.sign(P - Q))[0] == pytest.approx(-1000 * 2 * TV, rel=1e-12)


@pytest.mark.parametrize("constant", [-3.0, 0.0, 5.0])
def test_at_equal_distributions_every_critic_is_optimal(constant):
    loss, scores = losses.get("wasserstein"), np.random.default_rng(0).standard_normal((9, 1)) + constant
    assert loss.discriminator(scores, scores).item() == loss.equilibrium[0] == 0.0
    assert loss.generator(None, scores - scores.mean()).item() == pytest.approx(loss.equilibrium[1], abs=1e-15)
    assert loss.generator(None, scores).item() == pytest.approx(-scores.mean())  # G's is whatever the constant is


# -- distributions on the line ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [-2.0, 0.01, 1.0, 30.0])
def test_disjoint_parallel_lines(t):
    """Data at x = 0, samples at x = t (Arjovsky et al., 2017, example 1): JSD = log 2 however near, W1 = |t|."""
    real, fake = np.zeros((5, 1)), np.full((5, 1), t)

    def separate(x):
        return 500 / abs(t) * np.sign(t) * (t / 2 - x)  # a logit that tells them apart for sure

    minimax = losses.get("minimax")
    divergence = LOG2 - minimax.discriminator(separate(real), separate(fake)).item() / 2
    assert divergence == pytest.approx(LOG2, abs=1e-12)
    assert minimax.generator_grad(None, separate(fake))[1] == pytest.approx(0.0, abs=1e-12)  # G learns nothing

    def potential(x):
        return -np.sign(t) * x

    wasserstein = losses.get("wasserstein")
    assert -wasserstein.discriminator(potential(real), potential(fake)).item() == pytest.approx(abs(t), rel=1e-14)
    slope = np.sum(wasserstein.generator_grad(None, potential(fake))[1] * -np.sign(t))  # dL_G/dt
    assert slope == pytest.approx(np.sign(t), rel=1e-14)


def test_optimal_discriminator_of_two_gaussians():
    """V(D*) = -log 4 + 2 JSD with D* = p/(p+q), and D* is the minimum of the discriminator's loss."""
    (m_p, m_q, s) = (1.0, -0.5, 0.8)
    u = (np.arange(20_000) + 0.5) / 20_000  # midpoints of equal probability: an integral over each density
    x_p, x_q = norm.ppf(u, m_p, s), norm.ppf(u, m_q, s)

    def optimal(x):
        return (m_p - m_q) * (x - (m_p + m_q) / 2) / s**2  # the logit of p/(p+q)

    def divergence(x):
        p, q = norm.pdf(x, m_p, s), norm.pdf(x, m_q, s)
        return (p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))) / 2

    jsd = quad(divergence, -6, 6)[0]
    loss = losses.get("minimax")
    at_optimum = loss.discriminator(optimal(x_p), optimal(x_q)).item()
    assert at_optimum == pytest.approx(2 * LOG2 - 2 * jsd, abs=1e-4)
    for change in (lambda x: 0.1 * np.ones_like(x), lambda x: 0.1 * x, lambda x: 0.1 * np.sin(3 * x)):
        for sign in (-1, 1):
            moved = loss.discriminator(optimal(x_p) + sign * change(x_p), optimal(x_q) + sign * change(x_q))
            assert at_optimum < moved.item() < at_optimum + 0.01
