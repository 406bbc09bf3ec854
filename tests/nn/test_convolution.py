"""Conv2d and ConvTranspose2d: sizes, first weights, errors; beside PyTorch's; small networks of them."""

import numpy as np
import pytest
from beside_torch import WHY, build, close, compare, exchange
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn, penalties
from minigan.errors import ConfigError, ShapeError

BOTH = pytest.mark.parametrize("name", ["Conv2d", "ConvTranspose2d"])
sides = st.tuples(st.integers(1, 5), st.integers(1, 5))


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason=WHY)


@st.composite
def options(draw, name):
    """Draw (x, positional arguments, keyword arguments) of a layer."""
    axes = []  # (side of x, kernel, stride, padding, output_padding), vertical and horizontal
    for _ in range(2):
        k, s, p = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(0, 2))
        extra = draw(st.integers(0, s - 1))
        least = max(1, k - 2 * p) if name == "Conv2d" else max(1, -((k + extra - 2 * p - 1 - s) // s))
        axes.append((draw(st.integers(least, least + 4)), k, s, p, extra))
    side, kernel, stride, padding, extra = zip(*axes, strict=True)
    channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    x = rng.standard_normal((draw(st.integers(1, 3)), channels[0], *side))
    keywords = {"stride": stride, "padding": padding, "bias": draw(st.booleans())}
    if name == "ConvTranspose2d":
        keywords["output_padding"] = extra
    return x, (*channels, kernel), keywords


# -- beside PyTorch ----------------------------------------------------------------------------------------------------


@BOTH
@given(data=st.data())
def test_outputs_and_derivatives_are_those_of_pytorch(torch, name, data):
    x, args, keywords = data.draw(options(name))
    compare(torch, build(getattr(nn, name), *args, **keywords), getattr(torch.nn, name)(*args, **keywords), x)


@BOTH
@pytest.mark.parametrize("bias", [True, False])
def test_state_files_load_there_and_here(torch, name, bias, tmp_path):
    ours = build(getattr(nn, name), 2, 3, (4, 3), bias=bias)
    exchange(torch, ours, getattr(torch.nn, name)(2, 3, (4, 3), bias=bias), tmp_path)


@BOTH
def test_first_weights_are_drawn_from_the_interval_of_pytorch(torch, name):
    """Uniform between the same ends: both largest values of 16 * 8 * 9 draws lie within 2 % of the end."""
    torch.manual_seed(0)
    ours = getattr(nn, name)(8, 16, 3, rng=mg.random.default_rng(0))
    theirs = getattr(torch.nn, name)(8, 16, 3)
    fan = (8 if name == "Conv2d" else 16) * 9
    for weight in (ours.weight.numpy(), theirs.weight.detach().numpy()):
        assert 0.98 / np.sqrt(fan) < abs(weight).max() <= 1 / np.sqrt(fan)
        assert weight.std() == pytest.approx(1 / np.sqrt(3 * fan), rel=0.05)
    for bias in (ours.bias.numpy(), theirs.bias.detach().numpy()):
        assert 0.6 / np.sqrt(fan) < abs(bias).max() <= 1 / np.sqrt(fan)


def discriminator(library):
    """In the DCGAN's way for (N, 1, 12, 12): convolution, convolution and batch norm, logit."""
    dense = library.Dense if library is nn else library.Linear
    return library.Sequential(
        library.Conv2d(1, 3, 4, 2, 1),
        library.LeakyReLU(0.2),
        library.Conv2d(3, 4, 4, 2, 1, bias=False),
        library.BatchNorm2d(4),
        library.LeakyReLU(0.2),
        library.Flatten(),
        dense(4 * 3 * 3, 1),
    )


@pytest.mark.parametrize("training", [True, False])
def test_r1_through_convolution_and_batch_norm(torch, training):
    """The penalty and its gradient with respect to all parameters."""
    ours, theirs = build(discriminator, nn).train(training), discriminator(torch.nn).double().train(training)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((5, 1, 12, 12))

    penalty = penalties.r1(ours, x)
    penalty.backward()
    x_theirs = torch.tensor(x, requires_grad=True)
    (slope,) = torch.autograd.grad(theirs(x_theirs).sum(), x_theirs, create_graph=True)
    expected = (slope**2).sum() / len(x)
    close(penalty.numpy(), expected)
    grads = torch.autograd.grad(expected, list(theirs.parameters()), allow_unused=True)
    scale = max(abs(g).max() for g in grads if g is not None)
    for (name, p), g in zip(ours.named_parameters(), grads, strict=True):
        got = np.zeros(p.shape) if p.grad is None else p.grad.numpy()
        np.testing.assert_allclose(got, 0.0 if g is None else g, rtol=1e-9, atol=1e-10 * scale, err_msg=name)


# -- on its own --------------------------------------------------------------------------------------------------------


def test_sizes_of_a_dcgan():
    x = np.zeros((2, 1, 28, 28), "f4")
    h = nn.Conv2d(1, 4, 4, 2, 1)(x)
    assert h.shape == (2, 4, 14, 14)
    h = nn.Conv2d(4, 3, 4, stride=2, padding=1)(h)
    assert h.shape == (2, 3, 7, 7)
    h = nn.ConvTranspose2d(3, 4, 4, 2, 1)(h)
    assert h.shape == (2, 4, 14, 14)
    assert nn.ConvTranspose2d(4, 1, 3, 2, 1, output_padding=1)(h).shape == (2, 1, 28, 28)
    assert nn.Conv2d(4, 1, (3, 5), (1, 2), (0, 3))(h).shape == (2, 1, 12, 8)


def test_gradients_of_a_generator_are_proved():
    """At first and second order; tanh has no kinks."""
    with mg.default_dtype("float64"):
        rng = mg.random.default_rng(1)
        g = nn.Sequential(
            nn.Reshape(2, 2, 2), nn.ConvTranspose2d(2, 3, 4, 2, 1, rng=rng), nn.BatchNorm2d(3), nn.Tanh(),
            nn.ConvTranspose2d(3, 1, 3, 2, 1, output_padding=1, rng=rng),
        )  # fmt: skip
    weights = np.random.default_rng(0).standard_normal((4, 1, 8, 8))
    with nn.frozen_statistics():
        for order in (1, 2):
            z = np.random.default_rng(order).standard_normal((4, 8))
            report = mg.check_gradients(lambda z: (g(z) * weights).sum(), z, order=order, seed=0)
            assert report.ok
            assert not report.vacuous


@BOTH
def test_float32_trains(name):
    """A step of gradient descent lowers a squared error."""
    layer = getattr(nn, name)(2, 3, 3, stride=2, padding=1, rng=mg.random.default_rng(0))
    x = np.random.default_rng(0).standard_normal((4, 2, 6, 6)).astype("f4")
    optimiser = mg.optim.SGD(layer.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        optimiser.zero_grad()
        loss = ((layer(x) - 1.0) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert loss.dtype == np.float32
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


def test_default_dtype_and_generator():
    with mg.default_dtype("float64"):
        a, b = (nn.Conv2d(2, 3, 3, rng=mg.random.default_rng(7)) for _ in range(2))
    assert a.weight.dtype == a.bias.dtype == np.float64
    np.testing.assert_array_equal(a.weight.numpy(), b.weight.numpy())
    np.testing.assert_array_equal(a.bias.numpy(), b.bias.numpy())
    assert nn.Conv2d(1, 1, 1).weight.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Conv2d(0, 1, 3), ConfigError, "Conv2d: got 0 in_channels, 1 out_channels; expected 1 or more"),
        (lambda: nn.ConvTranspose2d(1, 1, 0), ConfigError, "ConvTranspose2d: kernel_size is 0"),
        (lambda: nn.Conv2d(1, 1, 3, padding="same"), ConfigError, "Conv2d: padding is 'same'; expected a whole number"),
        (lambda: nn.Conv2d(1, 1, 3, stride=(2, 0)), ConfigError, r"Conv2d: stride is \(2, 0\)"),
        (lambda: nn.ConvTranspose2d(1, 1, 3, 2, 1, 2), ConfigError, "must be less than the stride"),
        (lambda: nn.Conv2d(3, 1, 3)(np.ones((2, 1, 8, 8))), ShapeError, r"x has shape \(2, 1, 8, 8\).* with C=3"),
        (
            lambda: nn.ConvTranspose2d(3, 1, 3)(np.ones((3, 8, 8))),
            ShapeError,
            r"ConvTranspose2d: x has shape \(3, 8, 8\)",
        ),
        (lambda: nn.Conv2d(1, 1, 5)(np.ones((1, 1, 4, 9))), ShapeError, "smaller than the kernel"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_repr():
    assert repr(nn.Conv2d(1, 8, 4, 2, 1)) == "Conv2d(1, 8, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1))"
    layer = nn.ConvTranspose2d(8, 1, 3, 2, output_padding=1, bias=False)
    assert repr(layer).endswith("kernel_size=(3, 3), stride=(2, 2), bias=False, output_padding=(1, 1))")
