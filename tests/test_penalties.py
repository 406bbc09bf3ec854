"""Penalties on the discriminator's input gradient: closed forms, derivatives with respect to weights, side effects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn, penalties
from minigan.errors import GraphError
from minigan.losses import get as get_loss
from minigan.ops import affine

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 3))
BOTH = pytest.mark.parametrize("penalty", [penalties.r1, penalties.r2])


def network(activation, inputs=3, width=5, seed=0):
    """Return a discriminator (N, inputs) -> (N, 1) in float64."""
    rng = mg.random.default_rng(seed)
    with mg.default_dtype("float64"):
        return nn.Sequential(
            nn.Dense(inputs, width, rng=rng),
            activation,
            nn.Dense(width, width, rng=rng),
            activation,
            nn.Dense(width, 1, rng=rng),
        )


# -- closed forms ------------------------------------------------------------------------------------------------------


@BOTH
def test_linear_discriminator(penalty):
    """D(x) = w.x + b has the gradient w everywhere: the penalty is |w|^2, its gradient 2 w, and b does not matter."""
    w, b = (mg.tensor(a, requires_grad=True) for a in (np.array([0.3, -2.0, 1.5]), np.array(0.7)))
    value = penalty(lambda x: x @ w + b, X)
    assert value.shape == ()
    assert value.item() == pytest.approx(0.3**2 + 2**2 + 1.5**2, rel=1e-15)
    value.backward()
    np.testing.assert_allclose(w.grad.numpy(), [0.6, -4.0, 3.0], rtol=1e-15)
    assert b.grad is None


@BOTH
def test_quadratic_discriminator(penalty):
    """D(x) = x'Ax/2 has the gradient Sx with S the symmetric part of A."""
    a = RNG.standard_normal((3, 3))
    symmetric = (a + a.T) / 2
    value = penalty(lambda x: 0.5 * ((x @ a) * x).sum(axis=1), X)
    assert value.item() == pytest.approx(np.mean(np.sum((X @ symmetric) ** 2, axis=1)), rel=1e-14)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 2, 3), (4, 1, 5, 5)])
def test_any_shape_of_samples(shape):
    """D(x) = sum x^3 / 3 over a sample: |grad|^2 = sum x^4, summed over a sample, averaged over the batch."""
    x = np.random.default_rng(1).standard_normal(shape)
    value = penalties.r1(lambda x: (x**3).reshape(len(x), -1).sum(axis=1) / 3.0, x)
    assert value.item() == pytest.approx(np.sum(x**4) / 4, rel=1e-14)


def test_several_logits_of_a_sample_count_together():
    """(N, T) logits: the gradient of their sum."""
    w = RNG.standard_normal((3, 2))
    assert penalties.r1(lambda x: x @ w, X).item() == pytest.approx(np.sum(w.sum(axis=1) ** 2), rel=1e-14)


# -- derivatives with respect to the weights ---------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "leaky_relu", "relu", "softplus"])
def test_gradient_for_the_weights(activation):
    """The derivative of a derivative; smooth networks are checked to one order more."""
    rng = np.random.default_rng(2)
    weights = [rng.standard_normal(shape) for shape in ((4, 3), (4,), (1, 4), (1,))]

    def penalty(w1, b1, w2, b2):
        def discriminator(x):
            if activation == "softplus":
                return affine(mg.softplus(affine(x, w1, b1)), w2, b2)
            return affine(affine(x, w1, b1, activation=activation), w2, b2)

        return penalties.r1(discriminator, X)

    smooth = activation in ("tanh", "sigmoid", "softplus")
    report = mg.check_gradients(penalty, *weights, order=2 if smooth else 1, directions=1, seed=0)
    assert not report.vacuous


def test_backward_of_a_module_is_that_gradient():
    discriminator = network(nn.Tanh())
    names, parameters = zip(*discriminator.named_parameters(), strict=True)
    penalties.r1(discriminator, X).backward()

    def as_function(*values):
        discriminator.load_state_dict(dict(zip(names, values, strict=True)))
        return penalties.r1(discriminator, X).item()

    values = [p.numpy() for p in parameters]
    gradients = [np.zeros(p.shape) if p.grad is None else p.grad.numpy() for p in parameters]
    assert not gradients[-1].any()  # the last bias moves all logits alike
    rng = np.random.default_rng(3)
    direction = [rng.choice([-1.0, 1.0], v.shape) for v in values]
    slope, error = mg.directional_derivative(as_function, tuple(values), tuple(direction))
    claimed = sum(np.vdot(g, v) for g, v in zip(gradients, direction, strict=True))
    assert abs(claimed - slope) <= error < 1e-8 * abs(slope)


def test_loss_and_penalties_in_one_backward_add_up():
    """As the trainer does it: both on the same logits."""
    discriminator, loss = network(nn.LeakyReLU()), get_loss("non_saturating")
    fake = X + 1.0

    def gradients(value):
        discriminator.zero_grad()
        value.backward(inputs=discriminator.parameters())
        return [np.zeros(p.shape) if p.grad is None else p.grad.numpy() for p in discriminator.parameters()]

    of_loss = gradients(loss.discriminator(discriminator(X), discriminator(fake)))
    of_penalty = gradients(penalties.r1(discriminator, X))
    x = mg.tensor(X, requires_grad=True)
    logits = discriminator(x)
    together = gradients(loss.discriminator(logits, discriminator(fake)) + 0.3 * penalties.squared_gradient(logits, x))
    assert x.grad is None
    for a, b, c in zip(of_loss, of_penalty, together, strict=True):
        np.testing.assert_allclose(c, a + 0.3 * b, rtol=1e-12, atol=1e-15)


# -- samples do not mix ------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 6), seed=st.integers(0, 999))
def test_mean_of_the_samples_own_penalties(n, seed):
    """Neither the size of the batch nor its order matters."""
    rng = np.random.default_rng(seed)
    discriminator, x = network(nn.Tanh(), seed=seed), rng.standard_normal((n, 3))
    whole = penalties.r1(discriminator, x).item()
    assert whole == pytest.approx(np.mean([penalties.r1(discriminator, x[i : i + 1]).item() for i in range(n)]))
    assert whole == pytest.approx(penalties.r1(discriminator, rng.permutation(x)).item(), rel=1e-13)
    assert whole == pytest.approx(penalties.r1(discriminator, np.concatenate([x, x])).item(), rel=1e-13)


# -- what they leave behind --------------------------------------------------------------------------------------------


@BOTH
def test_nothing_is_left_behind(penalty):
    discriminator = network(nn.Tanh())
    parameters = discriminator.parameters()
    parameters[0].grad = mine = mg.tensor(np.ones(parameters[0].shape))
    x = mg.tensor(X, requires_grad=True)
    x.grad = of_x = mg.tensor(np.ones(X.shape))
    before = discriminator.state_dict()
    value = penalty(discriminator, x)
    assert parameters[0].grad is mine
    assert all(p.grad is None for p in parameters[1:])
    assert x.grad is of_x
    value.backward()
    assert x.grad is of_x  # the sample is a constant of the penalty
    np.testing.assert_array_equal(x.numpy(), X)
    for name, array in discriminator.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_constants_stay_constants():
    x = mg.tensor(X)
    penalties.r1(network(nn.Tanh()), x)
    assert not x.requires_grad
    assert x.grad is None


def test_gradient_of_samples_is_put_back_on_shared_logits():
    x = mg.tensor(X, requires_grad=True)
    x.grad = mine = mg.tensor(np.ones(X.shape))
    penalties.squared_gradient(network(nn.Tanh())(x), x)
    assert x.grad is mine


def test_r2_does_not_reach_the_generator():
    generator, discriminator = network(nn.Tanh(), inputs=2, seed=1), network(nn.Tanh(), inputs=1)
    penalties.r2(discriminator, generator(RNG.standard_normal((5, 2)))).backward()
    assert all(p.grad is None for p in generator.parameters())
    assert discriminator.parameters()[0].grad is not None


# -- inputs ------------------------------------------------------------------------------------------------------------


def test_dtype_of_the_samples_is_kept():
    with mg.default_dtype("float32"):
        discriminator = nn.Sequential(nn.Dense(3, 4), nn.Tanh(), nn.Dense(4, 1))
    assert penalties.r1(discriminator, X.astype("f4")).dtype == np.float32
    assert penalties.r1(network(nn.Tanh()), X).dtype == np.float64


@pytest.mark.parametrize("real", [[[1], [3]], np.array([[1], [3]]), np.array([[1], [3]], "u1")])
def test_integers_are_numbers(real):
    """An integer gradient would be cut to 0."""
    assert penalties.r1(lambda x: 0.25 * x * x, real).item() == pytest.approx((0.5**2 + 1.5**2) / 2, rel=1e-6)


def test_logits_that_do_not_come_from_the_samples():
    discriminator = network(nn.Tanh())
    for careless in (lambda x: discriminator(x.detach()), lambda x: discriminator(x.numpy())):
        with pytest.raises(GraphError, match="not computed from x"):
            penalties.r1(careless, X)
    with mg.no_grad(), pytest.raises(GraphError, match=r"computed under mg\.no_grad"):
        penalties.r1(discriminator, X)


# -- outside truth -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "leaky_relu"])
@pytest.mark.parametrize("n", [1, 7])
def test_double_backward_is_that_of_pytorch(activation, n):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    ours = network({"tanh": nn.Tanh(), "leaky_relu": nn.LeakyReLU()}[activation], width=16)
    middle = torch.nn.Tanh() if activation == "tanh" else torch.nn.LeakyReLU(0.2)
    theirs = torch.nn.Sequential(
        torch.nn.Linear(3, 16), middle, torch.nn.Linear(16, 16), middle, torch.nn.Linear(16, 1)
    ).double()
    theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
    data = np.random.default_rng(n).standard_normal((n, 3))

    x = torch.tensor(data, requires_grad=True)
    (slope,) = torch.autograd.grad(theirs(x).sum(), x, create_graph=True)
    expected = (slope**2).sum(dim=1).mean()
    expected.backward()
    value = penalties.r1(ours, data)
    value.backward()

    assert value.item() == pytest.approx(expected.item(), rel=1e-10)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        grad = np.zeros(p.shape) if p.grad is None else p.grad.numpy()
        wanted = np.zeros(p.shape) if q.grad is None else q.grad.numpy()
        np.testing.assert_allclose(grad, wanted, rtol=1e-10, atol=1e-12 * abs(wanted).max(), err_msg=name)
