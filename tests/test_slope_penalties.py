"""`wgan_gp` and `dragan`: slopes of 1, per sample, between or around samples; and mistakes that are not them."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn, penalties
from minigan.errors import GraphError, ShapeError
from minigan.ops import affine

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 3)) + 2.0
W = np.array([0.3, -2.0, 1.5])
LENGTH = np.linalg.norm(W)


def wgan_gp(discriminator, real=REAL, fake=FAKE, seed=0):
    return penalties.wgan_gp(discriminator, real, fake, mg.random.default_rng(seed))


def dragan(discriminator, real=REAL, seed=0):
    return penalties.dragan(discriminator, real, mg.random.default_rng(seed))


BOTH = pytest.mark.parametrize("penalty", [wgan_gp, dragan])


def points_of(penalty, *args, **kwargs):
    """Return the points at which a penalty looks at the discriminator."""
    seen = []

    def discriminator(x):
        seen.append(x.numpy())
        return x.sum(axis=tuple(range(1, x.ndim)))

    penalty(discriminator, *args, **kwargs)
    (points,) = seen
    return points


def network(activation, seed=0):
    rng = mg.random.default_rng(seed)
    with mg.default_dtype("float64"):
        return nn.Sequential(nn.Dense(3, 5, rng=rng), activation, nn.Dense(5, 1, rng=rng))


# -- closed forms, which wrong versions do not satisfy ----------------------------------------------------------------


def check_linear_critic(penalty):
    """D(x) = w.x + b has the slope |w| everywhere: (|w| - 1)^2, of which the gradient is 2 (|w| - 1) w/|w|."""
    w, b = (mg.tensor(a, requires_grad=True) for a in (W, np.array(0.7)))
    value = penalty(lambda x: x @ w + b)
    assert value.shape == ()
    assert value.item() == pytest.approx((LENGTH - 1) ** 2, rel=1e-14)
    assert value.requires_grad
    value.backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * (LENGTH - 1) * W / LENGTH, rtol=1e-13)
    assert b.grad is None


def check_images(penalty):
    """D(x) = sum c x over (C, H, W): one norm over all three axes of a sample."""
    c = np.random.default_rng(1).standard_normal((2, 3, 3))
    real, fake = np.zeros((5, 2, 3, 3)), np.ones((5, 2, 3, 3))
    value = penalty(lambda x: (c * x).sum(axis=(1, 2, 3)), real, fake)
    assert value.item() == pytest.approx((np.linalg.norm(c) - 1) ** 2, rel=1e-13)


def check_line(penalty):
    """Each point lies on the straight line of its two samples, at a place of its own, spread evenly from 0 to 1."""
    rng = np.random.default_rng(2)
    real, fake = rng.standard_normal((400, 3)), rng.standard_normal((400, 3)) + 5.0
    places = (points_of(penalty, real, fake) - fake) / (real - fake)
    assert np.ptp(places, axis=1).max() < 1e-9  # the same for all features of a sample
    place = np.sort(places[:, 0])
    assert np.abs(place - (np.arange(400) + 0.5) / 400).max() < 0.1  # Kolmogorov-Smirnov: .082 at 1 %
    assert -1e-9 < place[0] < place[-1] < 1 + 1e-9


CHECKS = {"linear critic": check_linear_critic, "images": check_images, "line": check_line}


def wrong(
    discriminator,
    real=REAL,
    fake=FAKE,
    seed=0,
    *,
    shape=lambda x: (len(x),) + (1,) * (x.ndim - 1),
    term=lambda g: ((mg.norm(g.reshape(len(g), -1), axis=1) - 1.0) ** 2).mean(),
):
    """The penalty once more, with one part exchanged: `shape` of epsilon, or the `term` of the gradient."""
    e = np.random.default_rng(seed).random(shape(real))
    x = mg.tensor(e * real + (1 - e) * fake, requires_grad=True)
    return term(penalties.input_gradient(discriminator(x), x))


# Each with the check that refutes it.
PLANTED = {
    "one epsilon for the batch": ("line", {"shape": lambda x: (1,) * x.ndim}),
    "one epsilon per element": ("line", {"shape": lambda x: x.shape}),
    "one epsilon per feature": ("line", {"shape": lambda x: (1, *x.shape[1:])}),
    "norm over the batch axis": ("linear critic", {"term": lambda g: ((mg.norm(g, axis=0) - 1.0) ** 2).mean()}),
    "norm over the whole batch": ("linear critic", {"term": lambda g: (mg.norm(g) - 1.0) ** 2}),
    "norm over the channels only": ("images", {"term": lambda g: ((mg.norm(g, axis=1) - 1.0) ** 2).mean()}),
    "norm over the last axis only": ("images", {"term": lambda g: ((mg.norm(g, axis=-1) - 1.0) ** 2).mean()}),
    "each element for itself": ("linear critic", {"term": lambda g: ((abs(g) - 1.0) ** 2).mean()}),
    "the squared norm": ("linear critic", {"term": lambda g: (((g * g).sum(axis=1) - 1.0) ** 2).mean()}),
    "square of the mean": (
        "line and slope",
        {"term": lambda g: (mg.norm(g.reshape(len(g), -1), axis=1).mean() - 1.0) ** 2},
    ),
    "never back-propagated": (
        "linear critic",
        {"term": lambda g: ((mg.norm(g.detach().reshape(len(g), -1), axis=1) - 1.0) ** 2).mean()},
    ),
    "a sum": ("linear critic", {"term": lambda g: ((mg.norm(g.reshape(len(g), -1), axis=1) - 1.0) ** 2).sum()}),
}


def check_slopes_of_their_own(penalty):
    """D(x) = |x|^2/2 has the slope |x|: from 0 to r e_1, |x| = e r is uniform, and E (e r - 1)^2 = r^2/3 - r + 1."""
    real, fake = np.zeros((4000, 2)), np.zeros((4000, 2))
    real[:, 0] = r = 3.0
    value = penalty(lambda x: 0.5 * (x * x).sum(axis=1), real, fake)
    assert value.item() == pytest.approx(r**2 / 3 - r + 1, abs=0.08)  # five standard errors; 0.25 is (E |x| - 1)^2


CHECKS["line and slope"] = check_slopes_of_their_own


@pytest.mark.parametrize("check", CHECKS)
def test_wgan_gp(check):
    CHECKS[check](wgan_gp)


@pytest.mark.parametrize("check", CHECKS)
def test_the_copy_that_mistakes_are_planted_in_is_right(check):
    CHECKS[check](wrong)


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_planted_mistake_is_refuted(mistake):
    check, part = PLANTED[mistake]
    with pytest.raises(AssertionError):
        CHECKS[check](functools.partial(wrong, **part))


def test_dragan():
    check_linear_critic(dragan)
    check_images(lambda discriminator, real, fake: dragan(discriminator, fake))


def test_noise_of_dragan():
    """Uniform between 0 and half the standard deviation of all elements, and independent from element to element."""
    real = np.random.default_rng(3).standard_normal((500, 4)) * [1.0, 1.0, 3.0, 10.0]
    u = (points_of(dragan, real) - real) / (0.5 * real.std())
    assert 0 <= u.min() < 0.01
    assert 0.99 < u.max() < 1
    assert u.mean() == pytest.approx(0.5, abs=0.04)
    assert u.var() == pytest.approx(1 / 12, abs=0.01)
    np.testing.assert_allclose(np.corrcoef(u.T), np.eye(4), atol=0.2)
    assert np.abs(np.corrcoef(u[:-1, 0], u[1:, 0])[0, 1]) < 0.2


def test_data_without_spread_has_no_noise():
    np.testing.assert_array_equal(points_of(dragan, np.full((4, 2), 3.0)), 3.0)


# -- flat critics -----------------------------------------------------------------------------------------------------


@BOTH
def test_a_flat_critic_pays_1_and_has_no_nan(penalty):
    """|g| has no derivative at 0: the subgradient 0 is chosen."""
    w = mg.tensor(np.zeros(3), requires_grad=True)
    value = penalty(lambda x: x @ w)
    assert value.item() == 1.0
    value.backward()
    np.testing.assert_array_equal(w.grad.numpy(), 0.0)


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_relu_critic_that_is_flat_at_some_samples(penalty, dtype):
    w = mg.tensor(np.array([2.0, 0.0, 0.0]), requires_grad=True, dtype=dtype)
    real = np.array([[-9.0, 0, 0], [-8.0, 0, 0], [8.0, 0, 0], [9.0, 0, 0]], dtype)
    value = penalty(lambda x: mg.relu(x @ w), real, *([real] if penalty is wgan_gp else []))
    value.backward()
    assert value.item() == pytest.approx(1.0)  # (0 - 1)^2 twice, (2 - 1)^2 twice
    np.testing.assert_allclose(w.grad.numpy(), [1.0, 0.0, 0.0], rtol=1e-6)  # 2 (2 - 1) for half of the samples


@BOTH
@pytest.mark.parametrize("tiny", [1e-8, 1e-18, 1e-30])
def test_a_critic_that_is_nearly_flat(penalty, tiny):
    w = mg.tensor(np.array([tiny, 0.0, 0.0], "f4"), requires_grad=True)
    value = penalty(lambda x: x @ w, REAL.astype("f4"), *([FAKE.astype("f4")] if penalty is wgan_gp else []))
    value.backward()
    assert value.item() == pytest.approx(1.0)
    assert np.isfinite(w.grad.numpy()).all()


# -- the gradient for the weights -------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("activation", ["tanh", "leaky_relu", "softplus"])
def test_gradient_for_the_weights(penalty, activation):
    rng = np.random.default_rng(2)
    weights = [rng.standard_normal(shape) for shape in ((4, 3), (4,), (1, 4), (1,))]

    def value(w1, b1, w2, b2):
        def discriminator(x):
            return affine(getattr(mg, activation)(affine(x, w1, b1)), w2, b2)

        return penalty(discriminator)

    order = 1 if activation == "leaky_relu" else 2
    assert not mg.check_gradients(value, *weights, order=order, directions=1, seed=0).vacuous


@BOTH
@pytest.mark.parametrize("activation", ["tanh", "leaky_relu"])
def test_double_backward_is_that_of_pytorch(penalty, activation):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    ours = network({"tanh": nn.Tanh(), "leaky_relu": nn.LeakyReLU()}[activation])
    middle = torch.nn.Tanh() if activation == "tanh" else torch.nn.LeakyReLU(0.2)
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 5), middle, torch.nn.Linear(5, 1)).double()
    theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})

    x = torch.tensor(points_of(penalty), requires_grad=True)
    (slope,) = torch.autograd.grad(theirs(x).sum(), x, create_graph=True)
    expected = ((slope.norm(2, dim=1) - 1) ** 2).mean()
    expected.backward()
    value = penalty(ours)
    value.backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-10)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        ours_grad, theirs_grad = (np.zeros(p.shape) if g is None else np.asarray(g) for g in (p.grad, q.grad))
        np.testing.assert_allclose(ours_grad, theirs_grad, rtol=1e-9, atol=1e-12)


# -- randomness, side effects, inputs ---------------------------------------------------------------------------------


@BOTH
def test_draws_come_from_the_generator(penalty):
    np.testing.assert_array_equal(points_of(penalty, seed=4), points_of(penalty, seed=4))
    assert (points_of(penalty, seed=4) != points_of(penalty, seed=5)).all()


@given(n=st.integers(1, 5), shape=st.lists(st.integers(1, 3), max_size=3), seed=st.integers(0, 99))
def test_samples_of_any_shape(n, shape, seed):
    real, fake = np.random.default_rng(seed).standard_normal((2, n, *shape))
    points = points_of(wgan_gp, real, fake)
    assert points.shape == points_of(dragan, real).shape == (n, *shape)
    place = (points - fake) / (real - fake)
    assert ((place > -1e-6) & (place < 1 + 1e-6)).all()
    expected = (np.sqrt(np.prod(shape)) - 1) ** 2  # of D = the sum of a sample
    for penalty in (lambda d: wgan_gp(d, real, fake), lambda d: dragan(d, real)):
        value = penalty(lambda x: x.reshape(n, -1).sum(axis=1))
        assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@BOTH
def test_running_statistics_stay(penalty):
    discriminator = nn.Sequential(nn.Dense(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Dense(4, 1))
    before = discriminator.state_dict()
    penalty(discriminator).backward()
    for name, value in discriminator.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_samples_are_constants():
    generator, discriminator = nn.Sequential(nn.Dense(2, 3)), network(nn.Tanh())
    real = mg.tensor(REAL, requires_grad=True)
    wgan_gp(discriminator, real, generator(RNG.standard_normal((6, 2)))).backward()
    dragan(discriminator, real).backward()
    assert real.grad is None
    assert all(p.grad is None for p in generator.parameters())
    assert discriminator.parameters()[0].grad is not None


@BOTH
def test_dtype_of_the_samples_is_kept(penalty):
    def discriminator(x):
        assert x.dtype == np.float32
        return x.sum(axis=1)

    assert penalty(discriminator, REAL.astype("f4"), *([FAKE.astype("f4")] if penalty is wgan_gp else [])).dtype == "f4"


def test_integers_are_numbers():
    whole = np.array([[0, 4], [8, 2]], "u1")
    assert (points_of(dragan, whole) >= whole).all()
    assert len(np.unique(points_of(wgan_gp, whole, whole[::-1]))) > 2


def test_shapes_that_are_refused():
    with pytest.raises(ShapeError, match=r"wgan_gp: real has shape \(6, 3\), fake \(5, 3\)"):
        wgan_gp(network(nn.Tanh()), REAL, FAKE[:5])
    for penalty in (wgan_gp, dragan, lambda d, x, *_: penalties.r1(d, x)):
        for nothing in (REAL[:0], np.float64(1.0)):
            with pytest.raises(ShapeError, match="at least one sample"):
                penalty(network(nn.Tanh()), nothing, *([nothing] if penalty is wgan_gp else []))


@BOTH
def test_logits_that_do_not_come_from_the_samples(penalty):
    discriminator = network(nn.Tanh())
    with pytest.raises(GraphError, match="not computed from x"):
        penalty(lambda x: discriminator(x.detach()))
