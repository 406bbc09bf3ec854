"""Spectral normalisation: sigma, its gradient, when u and v move, and PyTorch beside it."""

import copy

import numpy as np
import pytest

import minigan as mg
from minigan import nn, optim, penalties
from minigan.engine import recording
from minigan.errors import ConfigError

RNG = np.random.default_rng(0)
LAYERS = {
    "dense": lambda: nn.Dense(5, 4, rng=mg.random.default_rng(1)),
    "dense without bias": lambda: nn.Dense(3, 6, bias=False, rng=mg.random.default_rng(1)),
    "conv": lambda: nn.Conv2d(2, 3, 3, padding=1, rng=mg.random.default_rng(1)),
    "conv transposed": lambda: nn.ConvTranspose2d(3, 2, 4, stride=2, rng=mg.random.default_rng(1)),
}
every_layer = pytest.mark.parametrize("kind", LAYERS)


def build(kind, **options):
    """Return a normalised layer in float64, and an input for it."""
    with mg.default_dtype("float64"):
        layer = nn.spectral_norm(LAYERS[kind](), rng=mg.random.default_rng(2), **options)
    shape = {"dense": (7, 5), "dense without bias": (7, 3), "conv": (2, 2, 5, 5)}.get(kind, (2, 3, 4, 4))
    return layer, np.random.default_rng(3).standard_normal(shape)


def as_matrix(kind, weight):
    """Outputs by all the rest."""
    weight = np.swapaxes(weight, 0, 1) if kind == "conv transposed" else weight
    return weight.reshape(len(weight), -1)


def sigma(kind, layer):
    """The largest singular value of the weight that the layer uses, 1 when u and v are right."""
    return np.linalg.svd(as_matrix(kind, layer.weight.numpy()))[1][0]


# -- the value --------------------------------------------------------------------------------------------------------


@every_layer
def test_sigma_converges_to_the_largest_singular_value(kind):
    layer, x = build(kind)
    weight = RNG.standard_normal(layer.weight_orig.shape)
    layer.weight_orig.assign(weight)  # u and v are those of another matrix
    left, values, right = np.linalg.svd(as_matrix(kind, weight), full_matrices=False)
    assert abs(sigma(kind, layer) - 1) > 1e-3
    errors = []
    for _ in range(300):
        layer(x)
        errors.append(abs(sigma(kind, layer) - 1))
    assert errors[-1] < 1e-9
    assert errors[10] < errors[0]
    np.testing.assert_allclose(layer.weight.numpy(), weight / values[0], rtol=1e-8)
    np.testing.assert_allclose(abs(left[:, 0] @ layer.weight_u.numpy()), 1.0, rtol=1e-9)
    np.testing.assert_allclose(abs(right[0] @ layer.weight_v.numpy()), 1.0, rtol=1e-9)


@every_layer
def test_the_first_pass_starts_from_a_fair_estimate(kind):
    layer, _ = build(kind)
    assert sigma(kind, layer) == pytest.approx(1.0, abs=0.02)


@every_layer
def test_output_is_that_of_the_layer_with_the_divided_weight(kind):
    layer, x = build(kind)
    y = layer(x)
    plain = LAYERS[kind]()
    with mg.default_dtype("float64"):
        state = {name: value for name, value in layer.state_dict().items() if name == "bias"}
        plain.weight = nn.Parameter(layer.weight.numpy())
        plain.bias = nn.Parameter(state["bias"]) if state else None
    np.testing.assert_allclose(y.numpy(), plain(x).numpy(), rtol=1e-12, atol=1e-14)


def test_more_iterations_come_closer():
    layers = [build("dense", n_power_iterations=n)[0] for n in (1, 5)]
    weight, x = RNG.standard_normal((4, 5)), np.ones((2, 5))
    errors = []
    for layer in layers:
        layer.weight_orig.assign(weight)
        layer(x)
        errors.append(abs(sigma("dense", layer) - 1))
    assert errors[1] < errors[0]


def test_slope_of_a_discriminator_is_at_most_1():
    """Dense layers of norm 1 with leaky relus: |grad D| <= 1 everywhere, which plain layers exceed."""

    def discriminator(wrap):
        rng = mg.random.default_rng(0)
        with mg.default_dtype("float64"):
            layers = [nn.Dense(*size, rng=rng) for size in ((2, 32), (32, 32), (32, 1))]
            for layer in layers:
                layer.weight.assign(3.0 * layer.weight.detach())
            first, second, last = (wrap(layer) for layer in layers)
        return nn.Sequential(first, nn.LeakyReLU(), second, nn.LeakyReLU(), last)

    def steepest(d):
        x = mg.tensor(np.random.default_rng(1).standard_normal((500, 2)), requires_grad=True)
        return np.linalg.norm(penalties.input_gradient(d(x), x).numpy(), axis=1).max()

    normalised = discriminator(nn.spectral_norm)
    for _ in range(100):
        normalised(np.zeros((1, 2)))
    assert 0.1 < steepest(normalised) <= 1 + 1e-9
    assert steepest(discriminator(lambda layer: layer)) > 1.5


# -- the gradient -----------------------------------------------------------------------------------------------------


def as_function(layer, weights):
    """Return <layer(x), weights> as a function of (W, x), in evaluation: u and v are constants."""
    layer.eval()

    def f(weight, x):
        layer.weight_orig = weight
        return (layer(x) * weights).sum()

    return f


@every_layer
def test_gradient_with_u_and_v_as_constants(kind):
    layer, x = build(kind)
    weight, g = layer.weight_orig.numpy(), RNG.standard_normal(layer(x).shape)
    report = mg.check_gradients(as_function(layer, g), weight, x, order=2, directions=1, seed=0)
    assert not report.vacuous


@every_layer
def test_gradient_is_that_of_the_norm_itself_once_u_and_v_have_converged(kind):
    """sigma(W) by SVD, differentiated numerically: constants do, since sigma is stationary in u and v."""
    layer, x = build(kind, n_power_iterations=400)
    layer(x)
    g = RNG.standard_normal(layer.weight_orig.shape)

    def exact(weight):
        return np.sum(g * weight) / np.linalg.svd(as_matrix(kind, weight))[1][0]

    layer.eval()
    (layer.weight * g).sum().backward()
    gradient = layer.weight_orig.grad.numpy()
    weight = layer.weight_orig.numpy()
    assert mg.check_gradients(exact, weight, grad=lambda _: gradient, seed=0).ok

    u, v = layer.weight_u.numpy(), layer.weight_v.numpy()
    s = u @ as_matrix(kind, weight) @ v
    outer = np.outer(u, v).reshape(as_matrix(kind, weight).shape)
    closed = as_matrix(kind, g) / s - np.sum(g * weight) / s**2 * outer  # (G - <G, W/s> u v^T) / s
    np.testing.assert_allclose(as_matrix(kind, gradient), closed, rtol=1e-10, atol=1e-12)
    assert np.sum(gradient * weight) == pytest.approx(0.0, abs=1e-10)  # longer or shorter is all the same

    sigma_forgotten = g / s
    assert not mg.check_gradients(exact, weight, grad=lambda _: sigma_forgotten, seed=0, raise_on_failure=False).ok


def test_two_passes_and_one_backward():
    """D(real) and D(fake): the second pass moves u and v, the first one's gradient keeps its own."""
    layer, x = build("dense")
    layer.weight_orig.assign(RNG.standard_normal((4, 5)))
    before = layer.state_dict()
    separate = []
    for data in (x, 2 - x):
        layer.zero_grad()
        (layer(data) ** 2).sum().backward()
        separate.append(layer.weight_orig.grad.numpy())
    layer.load_state_dict(before)
    layer.zero_grad()
    penalty = penalties.r1(layer, x)  # looks at u and v as they are, before they move
    ((layer(x) ** 2).sum() + (layer(2 - x) ** 2).sum() + 0.0 * penalty).backward()
    np.testing.assert_allclose(layer.weight_orig.grad.numpy(), sum(separate), rtol=1e-12)


def test_second_derivatives_for_a_gradient_penalty():
    layer, x = build("dense")
    layer.eval()

    def penalty(weight, bias):
        layer.weight_orig, layer.bias = weight, bias
        return penalties.wgan_gp(lambda x: mg.tanh(layer(x)), x, x + 1.0, mg.random.default_rng(0))

    weight, bias = layer.weight_orig.numpy(), layer.bias.numpy()
    assert not mg.check_gradients(penalty, weight, bias, directions=1, seed=0).vacuous


# -- when u and v move ------------------------------------------------------------------------------------------------


def moves(layer, act):
    """Return whether u and v are others after `act`."""
    layer.weight_orig.assign(RNG.standard_normal(layer.weight_orig.shape))
    before = layer.state_dict()
    act(layer)
    after = layer.state_dict()
    changed = {name for name in after if not np.array_equal(after[name], before[name])}
    assert changed <= {"weight_u", "weight_v"}
    return changed == {"weight_u", "weight_v"}


@every_layer
def test_u_and_v_move_once_a_pass_in_training_only(kind):
    layer, x = build(kind)
    assert moves(layer, lambda layer: layer(x))
    assert not moves(layer, lambda layer: layer.weight)

    def frozen(layer):
        with nn.frozen_statistics():
            layer(x)

    assert not moves(layer, frozen)
    assert not moves(layer, lambda layer: layer.eval()(x))
    layer.train()
    assert moves(layer, lambda layer: layer(x))
    matrix = as_matrix(kind, layer.weight_orig.numpy())
    u = layer.weight_u.numpy()
    layer(x)
    v = matrix.T @ u / np.linalg.norm(matrix.T @ u)
    np.testing.assert_allclose(layer.weight_v.numpy(), v, rtol=1e-12)
    np.testing.assert_allclose(layer.weight_u.numpy(), matrix @ v / np.linalg.norm(matrix @ v), rtol=1e-12)


def test_penalties_leave_them():
    layer, x = build("dense")
    rng = mg.random.default_rng(0)
    assert not moves(layer, lambda layer: penalties.r1(layer, x))
    assert not moves(layer, lambda layer: penalties.wgan_gp(layer, x, x + 1, rng))
    assert not moves(layer, lambda layer: penalties.dragan(layer, x, rng))


def test_a_recording_sees_the_writes():
    layer, x = build("dense")
    with recording() as equations:
        layer(x)
    assert sum(primitive.name == "assign" for primitive, *_ in equations) == 2
    with nn.frozen_statistics(), recording() as equations:
        layer(x)
    assert "assign" not in {primitive.name for primitive, *_ in equations}


# -- as a module ------------------------------------------------------------------------------------------------------


@every_layer
def test_names(kind):
    layer, _ = build(kind)
    bias = [] if layer.bias is None else ["bias"]
    assert [name for name, _ in layer.named_parameters()] == [*bias, "weight_orig"]
    assert list(layer.state_dict()) == [*bias, "weight_orig", "weight_u", "weight_v"]
    assert "spectral_norm" in repr(layer)
    assert not any(t.requires_grad for _, t in layer.named_buffers())


def test_it_is_the_same_module_with_the_same_parameter():
    layer = nn.Dense(3, 2)
    weight = layer.weight
    optimiser = optim.SGD(layer.parameters(), 0.1)
    assert nn.spectral_norm(layer) is layer
    assert isinstance(layer, nn.Dense)
    assert layer.weight_orig is weight
    before = weight.numpy()
    (layer(np.ones((4, 3), "f4")) ** 2).sum().backward()
    optimiser.step()
    assert (weight.numpy() != before).any()


def test_copies_and_averages_are_independent():
    layer, x = build("dense")
    twin, average = copy.deepcopy(layer), optim.EMA(layer, 0.9)
    before = twin.state_dict()
    layer.weight_orig.assign(RNG.standard_normal((4, 5)))
    layer(x)
    average.update()
    assert all(np.array_equal(twin.state_dict()[name], before[name]) for name in before)
    np.testing.assert_array_equal(average.module.weight_u.numpy(), layer.weight_u.numpy())
    assert type(twin) is type(layer)
    assert average.module(x).shape == (7, 4)


def test_inside_a_network():
    """A Dense layer in a Sequential takes its activation into its own pass; a normalised one must not be skipped."""
    layer, x = build("dense")
    expected = mg.tanh(layer(x)).numpy()
    network = nn.Sequential(layer, nn.Tanh()).eval()
    np.testing.assert_array_equal(network(x).numpy(), expected)
    assert network.train()(x).dtype == np.float64


def test_float32_stays():
    layer = nn.spectral_norm(nn.Dense(3, 2))
    y = layer(np.ones((4, 3), "f4"))
    assert {y.dtype, layer.weight_u.dtype, layer.weight_v.dtype, layer.weight.dtype} == {np.dtype("f4")}


def test_the_start_comes_from_the_generator():
    first, again, other = (nn.spectral_norm(LAYERS["conv"](), rng=mg.random.default_rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.weight_u.numpy(), again.weight_u.numpy())
    assert (first.weight_u.numpy() != other.weight_u.numpy()).any()


def test_what_is_refused():
    for module in (nn.Tanh(), nn.BatchNorm1d(3), nn.Sequential(nn.Dense(3, 2)), nn.LSTM(2, 3), lambda x: x):
        with pytest.raises(ConfigError, match="has no weight of two or more axes; pass the layers inside"):
            nn.spectral_norm(module)
    with pytest.raises(ConfigError, match="this Dense is normalised already"):
        nn.spectral_norm(nn.spectral_norm(nn.Dense(3, 2)))
    zero = nn.Dense(3, 2)
    zero.weight.assign(np.zeros((2, 3)))
    with pytest.raises(ConfigError, match="the weight is all zero"):
        nn.spectral_norm(zero)
    assert isinstance(zero.weight, nn.Parameter)  # nothing was changed
    with pytest.raises(ConfigError, match="n_power_iterations is 0; expected 1 or more"):
        nn.spectral_norm(nn.Dense(3, 2), n_power_iterations=0)


# -- outside truth ----------------------------------------------------------------------------------------------------


@every_layer
def test_beside_pytorch(kind, tmp_path):
    """State files both ways, then three passes: outputs, gradients and singular vectors."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    from beside_torch import close, exchange

    theirs = {
        "dense": lambda: torch.nn.Linear(5, 4),
        "dense without bias": lambda: torch.nn.Linear(3, 6, bias=False),
        "conv": lambda: torch.nn.Conv2d(2, 3, 3, padding=1),
        "conv transposed": lambda: torch.nn.ConvTranspose2d(3, 2, 4, stride=2),
    }[kind]()
    ours, x = build(kind)
    theirs = torch.nn.utils.spectral_norm(theirs)
    exchange(torch, ours, theirs, tmp_path)
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    for scale in (1.0, -2.0, 0.5):
        y_ours, y_theirs = ours(scale * x), theirs(torch.from_numpy(scale * x))
        close(y_ours.numpy(), y_theirs)
        ours.zero_grad()
        theirs.zero_grad()
        (y_ours**3).sum().backward()
        (y_theirs**3).sum().backward()
        for name, p in ours.named_parameters():
            close(p.grad.numpy(), theirs.get_parameter(name).grad)
        for name, buffer in ours.named_buffers():
            close(buffer.numpy(), theirs.get_buffer(name))
