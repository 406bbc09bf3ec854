"""How simultaneous and alternating steps move two small games, where theory knows every number.

The games are played with the package's own losses, penalties and optimiser, so what is tested is signs and factors of
all of them together. Mescheder et al. (2018), "Which training methods for GANs do actually converge?".
"""

import numpy as np
import pytest

import minigan as mg
from minigan import losses, nn, optim, penalties

STEP = 0.2
DATA = np.zeros(1)  # a point mass at 0


class DiracGAN:
    """Data at 0, the generator's one sample at theta, and the discriminator D(x) = psi x.

    Parameters
    ----------
    point : (theta, psi)
    noise : float
        Standard deviation of instance noise. It is drawn as -noise and +noise in equal parts: what is linear about
        (0, 0) knows of a distribution's second moment only.
    """

    def __init__(self, point, loss="minimax", r1=0.0, r2=0.0, noise=0.0):
        self.theta, self.psi = (nn.Parameter(np.array([float(value)])) for value in point)
        self.loss, self.r1, self.r2 = losses.get(loss), r1, r2
        self.noise = np.array([-noise, noise])
        self.optimisers = [optim.SGD([p], STEP) for p in (self.theta, self.psi)]

    @property
    def point(self):
        return np.concatenate([self.theta.numpy(), self.psi.numpy()])

    def discriminator(self, x):
        return self.psi * x

    def logits(self, x):
        return self.discriminator(x + self.noise)

    def g_loss(self):
        real = self.logits(DATA) if self.loss.real_in_generator else None
        return self.loss.generator(real, self.logits(self.theta))

    def d_loss(self):
        fake = self.theta.detach()
        value = self.loss.discriminator(self.logits(DATA), self.logits(fake))
        if self.r1:
            value = value + 0.5 * self.r1 * penalties.r1(self.discriminator, DATA)
        if self.r2:
            value = value + 0.5 * self.r2 * penalties.r2(self.discriminator, fake)
        return value

    def backward(self):
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        g_loss, d_loss = self.g_loss(), self.d_loss()
        g_loss.backward(inputs=[self.theta])
        d_loss.backward(inputs=[self.psi])

    def simultaneous(self):
        self.backward()
        for optimiser in self.optimisers:
            optimiser.step()

    def alternating(self, first):
        """One step of each: player `first` (0: generator, 1: discriminator) moves before the other looks."""
        for player in (first, 1 - first):
            self.backward()
            self.optimisers[player].step()

    def extragradient(self):
        """Step with the gradients found one step ahead (Korpelevich, 1976)."""
        here = [p.numpy() for p in (self.theta, self.psi)]
        self.simultaneous()
        self.backward()
        for p, value in zip((self.theta, self.psi), here, strict=True):
            p.assign(value)
        for optimiser in self.optimisers:
            optimiser.step()


def step_matrix(**game):
    """Return the Jacobian of one simultaneous step at (0, 0), by central differences."""
    h, columns = 1e-4, []
    for direction in np.eye(2):
        ends = []
        for sign in (1, -1):
            gan = DiracGAN(sign * h * direction, **game)
            gan.simultaneous()
            ends.append(gan.point)
        columns.append((ends[0] - ends[1]) / (2 * h))
    return np.column_stack(columns)


def eigenvalues(**game):
    """Return those of the gradient field -(dL_G/dtheta, dL_D/dpsi) at (0, 0), sorted."""
    return np.sort_complex((np.linalg.eigvals(step_matrix(**game)) - 1) / STEP)


def plus_minus(middle, square):
    """Return middle -+ sqrt(square), for a square of either sign."""
    root = np.emath.sqrt(square)
    return np.sort_complex(np.array([middle - root, middle + root], dtype=complex))


# -- Dirac-GAN --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "slope"),
    [("minimax", 0.5), ("non_saturating", 0.5), ("relativistic", 0.5), ("hinge", 1.0), ("wasserstein", 1.0)],
)
def test_without_a_penalty_no_loss_converges(loss, slope):
    """Eigenvalues +-i f'(0): circles, and spirals outwards with steps of any size."""
    found = eigenvalues(loss=loss)
    np.testing.assert_allclose(found, plus_minus(0.0, -(slope**2)), atol=1e-6)
    assert np.abs(1 + STEP * found).min() == pytest.approx(np.sqrt(1 + (STEP * slope) ** 2), abs=1e-7)


def test_modulus_without_a_penalty():
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(step_matrix())), 1.00499, atol=5e-6)


@pytest.mark.parametrize("loss", ["minimax", "non_saturating", "relativistic"])
@pytest.mark.parametrize("g", [0.3, 0.9, 1.2, 3.0])
def test_r1(loss, g):
    np.testing.assert_allclose(eigenvalues(loss=loss, r1=g), plus_minus(-g / 2, g**2 / 4 - 0.25), atol=1e-6)


def test_r1_modulus():
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(step_matrix(r1=0.3))), 0.97468, atol=5e-6)


def test_r1_is_critical_at_1():
    """Both eigenvalues are -1/2: where oscillation ends. Below they are complex, above real and one is slower."""
    np.testing.assert_allclose(eigenvalues(r1=1.0), -0.5, atol=1e-3)  # a double one amplifies rounding: its square root
    assert np.abs(eigenvalues(r1=0.99).imag).min() > 0.05
    assert np.abs(eigenvalues(r1=1.01).imag).max() == 0.0
    slowest = [eigenvalues(r1=g).real.max() for g in (0.5, 1.0, 2.0)]
    assert np.argmin(slowest) == 1


@pytest.mark.parametrize("g", [0.3, 0.7])
def test_r1_and_r2(g):
    np.testing.assert_allclose(eigenvalues(r1=g, r2=g), plus_minus(-g, g**2 - 0.25), atol=1e-6)
    np.testing.assert_allclose(eigenvalues(r2=g), eigenvalues(r1=g), atol=1e-6)


@pytest.mark.parametrize("s", [0.5, 1.0, 2.0])
def test_instance_noise(s):
    np.testing.assert_allclose(eigenvalues(noise=s), plus_minus(-(s**2) / 4, s**4 / 16 - 0.25), atol=1e-6)


@pytest.mark.parametrize(("s", "loss"), [(0.5, "wasserstein"), (2.0, "wasserstein"), (0.5, "hinge")])
def test_instance_noise_does_not_help_where_the_loss_is_not_curved(s, loss):
    """Its pull comes from f''(0): of the sigmoid's curvature, which a linear critic's loss has not."""
    np.testing.assert_allclose(eigenvalues(loss=loss, noise=s), plus_minus(0.0, -1.0), atol=1e-6)


@pytest.mark.parametrize(
    ("game", "radius"),
    [({}, (2.5, 3.7)), ({"loss": "wasserstein"}, (1e3, 1e4)), ({"r1": 0.3}, (0, 1e-3)), ({"noise": 1.0}, (0, 1e-2))],
    ids=["unregularised", "wasserstein", "r1", "noise"],
)
def test_where_four_hundred_steps_lead(game, radius):
    gan = DiracGAN((1.0, 0.0), **game)
    for _ in range(400):
        gan.simultaneous()
    assert radius[0] <= np.hypot(*gan.point) <= radius[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"r1": 0.6},  # gamma instead of gamma/2
        {"r1": 0.3, "r2": 0.3},
        {"r1": -0.3},
        {"loss": "wasserstein", "r1": 0.3},
    ],
)
def test_the_modulus_would_notice(wrong):
    assert np.abs(np.abs(np.linalg.eigvals(step_matrix(**wrong))) - 0.97468).min() > 1e-2


# -- the bilinear game x y --------------------------------------------------------------------------------------------
# The Dirac-GAN of the Wasserstein loss: D minimises psi theta, G maximises it. x = psi is the minimiser.


def bilinear(x=0.8, y=-0.6):
    return DiracGAN((y, x), loss="wasserstein")


def xy(gan):
    y, x = gan.point
    return x, y


def test_the_two_play_for_the_product():
    gan = bilinear()
    assert gan.d_loss().item() == -gan.g_loss().item() == pytest.approx(0.8 * -0.6)


def test_simultaneous_steps_spiral_outwards():
    gan, e = bilinear(), STEP
    for _ in range(20):
        before = np.hypot(*xy(gan))
        gan.simultaneous()
        assert np.hypot(*xy(gan)) == pytest.approx(before * np.sqrt(1 + e**2), rel=1e-12)


@pytest.mark.parametrize(("first", "sign"), [("minimiser", -1), ("maximiser", 1)])
def test_alternating_steps_go_round_an_ellipse(first, sign):
    """x^2 + y^2 - e x y is conserved if the minimiser moves first, + e x y if the maximiser does; the other is not."""

    def energy(gan, sign):
        x, y = xy(gan)
        return x**2 + y**2 + sign * STEP * x * y

    gan, other = bilinear(), []
    start = energy(gan, sign)
    for _ in range(100):
        gan.alternating(first=1 if first == "minimiser" else 0)
        assert energy(gan, sign) == pytest.approx(start, rel=1e-12)
        other.append(energy(gan, -sign))
    assert np.ptp(other) > 0.1


def test_extragradient_spirals_inwards():
    gan, e = bilinear(), STEP
    for _ in range(20):
        before = np.hypot(*xy(gan))
        gan.extragradient()
        assert np.hypot(*xy(gan)) == pytest.approx(before * np.sqrt(1 - e**2 + e**4), rel=1e-12)


# -- a linear critic with a gradient penalty --------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("penalty", ["wgan_gp", "dragan"])
def test_linear_critic(weight, penalty):
    """D(x) = w.x: -w.dm + lambda (|w| - 1)^2 is least at |w| = 1 + |dm| / (2 lambda), along dm."""
    rng = np.random.default_rng(0)
    real, fake = rng.standard_normal((8, 3)) + [1.0, 2.0, 0.0], rng.standard_normal((8, 3))
    dm = real.mean(axis=0) - fake.mean(axis=0)
    length = np.linalg.norm(dm)
    best = (1 + length / (2 * weight)) * dm / length
    loss = losses.get("wasserstein")

    def objective(w):
        def critic(x):
            return x @ w

        draws = mg.random.default_rng(1)
        if penalty == "wgan_gp":
            term = penalties.wgan_gp(critic, real, fake, draws)
        else:
            term = penalties.dragan(critic, real, draws)
        return loss.discriminator(critic(real), critic(fake)) + weight * term

    w = mg.tensor(best, requires_grad=True)
    value = objective(w)
    value.backward()
    np.testing.assert_allclose(w.grad.numpy(), 0.0, atol=1e-12 * (1 + weight))
    for direction in np.eye(3):
        for sign in (-0.1, 0.1):
            assert objective(mg.tensor(best + sign * direction)).item() > value.item()
    start = nn.Parameter(np.array([0.1, -0.2, 0.3]))
    optimiser = optim.SGD([start], 0.2 / (1 + weight))
    for _ in range(600):
        optimiser.zero_grad()
        objective(start).backward()
        optimiser.step()
    np.testing.assert_allclose(start.numpy(), best, rtol=1e-6, atol=1e-6)
