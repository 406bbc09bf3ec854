"""Layers: their formulas, shapes, fusing, dtypes, randomness and messages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

import minigan as mg
from minigan import nn
from minigan.engine import modes, recording, unfused
from minigan.errors import ConfigError, DTypeError, ShapeError

ACTIVATIONS = {
    "Sigmoid": (nn.Sigmoid, expit),
    "Tanh": (nn.Tanh, np.tanh),
    "ReLU": (nn.ReLU, lambda x: np.maximum(x, 0)),
    "SiLU": (nn.SiLU, lambda x: x * expit(x)),
    "Softplus": (nn.Softplus, lambda x: np.logaddexp(0, x)),
    "LeakyReLU": (nn.LeakyReLU, lambda x: np.where(x > 0, x, 0.2 * x)),
    "LeakyReLU of slope 0.01": (lambda: nn.LeakyReLU(0.01), lambda x: np.where(x > 0, x, 0.01 * x)),
    "LeakyReLU of slope 0": (lambda: nn.LeakyReLU(0.0), lambda x: np.maximum(x, 0)),
    "LeakyReLU of slope -1": (lambda: nn.LeakyReLU(-1.0), np.abs),
}
FUSED = ["Sigmoid", "Tanh", "ReLU", "LeakyReLU", "LeakyReLU of slope 0.01", "LeakyReLU of slope 0"]


def dense(*args, dtype="float64", seed=0, **options):
    with mg.default_dtype(dtype):
        return nn.Dense(*args, rng=mg.random.default_rng(seed), **options)


def operations(f, *args):
    """Return the names of the primitives that run."""
    with recording() as equations:
        f(*args)
    return [primitive.name for primitive, *_ in equations]


# -- Dense -------------------------------------------------------------------------------------------------------------


@given(
    lead=st.lists(st.integers(0, 3), max_size=3),
    i=st.integers(1, 4),
    o=st.integers(1, 4),
    bias=st.booleans(),
    seed=st.integers(0, 999),
)
def test_dense_is_the_affine_map(lead, i, o, bias, seed):
    layer = dense(i, o, bias=bias, seed=seed)
    x = np.random.default_rng(seed).standard_normal((*lead, i))
    y = layer(x)
    assert y.shape == (*lead, o)
    w, b = layer.weight.numpy(), layer.bias.numpy() if bias else 0.0
    assert w.shape == (o, i)
    np.testing.assert_allclose(y.numpy(), np.einsum("...i,oi->...o", x, w) + b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", ["identity", "tanh", "sigmoid", "leaky_relu"])
def test_dense_with_activation_differentiates_twice(name, bias):
    layer = dense(3, 2, bias=bias)
    x = np.random.default_rng(1).standard_normal((4, 3))

    def f(x, w, b):
        layer.weight, layer.bias = w, b if bias else None
        return layer(x, activation=name, slope=0.1)

    inputs = [x, layer.weight.numpy(), np.array([0.3, -0.4])]
    assert not mg.check_gradients(f, *inputs, order=2, directions=1, seed=0).vacuous


@pytest.mark.parametrize("bias", [True, False])
def test_dense_runs_the_activation_that_it_is_told(bias):
    layer, x = dense(3, 2, bias=bias), np.random.default_rng(1).standard_normal((4, 3))
    np.testing.assert_array_equal(layer(x, activation="relu").numpy(), np.maximum(layer(x).numpy(), 0))
    with pytest.raises(ConfigError, match="unknown activation 'swish'; known are identity, relu"):
        layer(x, activation="swish")


def test_dense_without_bias_has_one_parameter():
    assert [name for name, _ in dense(3, 2, bias=False).named_parameters()] == ["weight"]
    assert dense(3, 2, bias=False).bias is None


@pytest.mark.parametrize("shape", [(), (3,), (8, 3), (4, 1), (2, 3, 5)])
def test_dense_says_what_it_expects(shape):
    with pytest.raises(ShapeError) as error:
        nn.Dense(4, 2)(np.zeros(shape))
    assert str(error.value) == f"Dense: x has shape {shape}, the weight expects I=4 on the last axis"


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 2)])
def test_dense_needs_features(sizes):
    with pytest.raises(ConfigError, match=f"got {sizes[0]} in_features, {sizes[1]} out_features; expected 1 or more"):
        nn.Dense(*sizes)


@pytest.mark.parametrize("x", [[[1, 2, 3]], [[1.0, 2.0, 3.0]], np.array([[1, 2, 3]]), np.array([[1, 2, 3]], "u1")])
def test_dense_takes_lists_and_integers(x):
    layer = dense(3, 2, dtype="float32")
    np.testing.assert_allclose(layer(x).numpy(), layer(np.array([[1, 2, 3]], "f4")).numpy(), rtol=1e-6)


# -- activations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activation_is_its_formula(name, dtype):
    make, formula = ACTIVATIONS[name]
    x = np.concatenate([np.linspace(-30, 30, 241), [-1000.0, 1000.0]]).astype(dtype)
    y = make()(x)
    assert y.dtype == dtype
    with np.errstate(over="ignore", under="ignore"):
        expected = formula(x.astype("f8"))
    np.testing.assert_allclose(y.numpy(), expected, rtol=3e-6 if dtype == "float32" else 1e-14, atol=1e-37)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_differentiates(name):
    make, _ = ACTIVATIONS[name]
    x = np.array([[-2.0, -0.3, 0.4], [1.7, -5.0, 20.0]])
    assert not mg.check_gradients(make(), x, order=2, directions=1, seed=0).vacuous


def test_repr_of_activations():
    assert repr(nn.ReLU()) == "ReLU()"
    assert repr(nn.LeakyReLU()) == "LeakyReLU(slope=0.2)"


# -- Sequential --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_fused_and_one_after_the_other_agree(name, bias):
    """Value, first and second derivatives."""
    layer, (make, _) = dense(3, 4, bias=bias), ACTIVATIONS[name]
    activation, last = make(), dense(4, 1, seed=1)
    network = nn.Sequential(layer, activation, last)
    x = np.random.default_rng(2).standard_normal((5, 3))

    def one_by_one(x):
        return last(activation(layer(x)))

    def derivatives(f):
        value, gradient = mg.value_and_grad(lambda x: (f(x) ** 2).sum())(x)
        second = mg.hvp(lambda x: (f(x) ** 2).sum(), x, np.cos(x))
        return [a.numpy() for a in (value, gradient, second)]

    with unfused():
        defined = derivatives(network)
    for a, b, c in zip(derivatives(network), derivatives(one_by_one), defined, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
        np.testing.assert_allclose(a, c, rtol=1e-12)
    fused = name in FUSED
    assert operations(network, x).count("affine") == 2
    assert (len(operations(network, x)) == 2) == fused


def test_subclass_of_dense_keeps_its_own_forward():
    class Doubled(nn.Dense):
        def forward(self, x):
            return 2.0 * super().forward(x)

    layer, x = Doubled(3, 2), np.ones((1, 3), "f4")
    np.testing.assert_array_equal(nn.Sequential(layer, nn.Tanh())(x).numpy(), mg.tanh(layer(x)).numpy())


def test_subclass_of_an_activation_keeps_its_own_forward():
    class Shifted(nn.ReLU):
        def forward(self, x):
            return super().forward(x) + 1.0

    layer, x = nn.Dense(3, 2), np.ones((1, 3), "f4")
    np.testing.assert_array_equal(nn.Sequential(layer, Shifted())(x).numpy(), (mg.relu(layer(x)) + 1.0).numpy())


def test_module_that_happens_to_be_called_tanh_is_not_taken_for_one():
    class Named(nn.Module):
        name = "tanh"

        def forward(self, x):
            return x * 0.0

    assert not nn.Sequential(nn.Dense(3, 2), Named())(np.ones((1, 3), "f4")).numpy().any()


def test_activation_is_read_when_it_runs():
    leaky, x = nn.LeakyReLU(), np.ones((1, 3), "f4")
    network = nn.Sequential(dense(3, 8, dtype="float32"), leaky)
    leaky.slope = 0.5
    expected = network[0](x).numpy()
    np.testing.assert_allclose(network(x).numpy(), np.where(expected > 0, expected, 0.5 * expected), rtol=1e-6)
    assert (expected < 0).any()


def test_sequential_is_a_list_of_layers():
    layers = [nn.Dense(2, 3), nn.Tanh(), nn.Dense(3, 1)]
    network = nn.Sequential(*layers)
    assert len(network) == 3
    assert network[0] is layers[0]
    assert network[-1] is layers[2]
    assert list(network) == layers
    assert isinstance(network[:2], nn.Sequential)
    assert network[:2][1] is layers[1]
    x = np.ones((4, 2), "f4")
    np.testing.assert_array_equal(network[2:](network[:2](x)).numpy(), network(x).numpy())
    assert nn.Sequential()(x) is x


def test_sequential_takes_modules_only():
    with pytest.raises(TypeError, match=r"Sequential: layer 1 is .*tanh.*, expected a Module"):
        nn.Sequential(nn.Dense(1, 1), mg.tanh)


# -- shapes ------------------------------------------------------------------------------------------------------------


def test_flatten_and_reshape():
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(nn.Flatten()(x).numpy(), x.reshape(2, 12))
    assert nn.Flatten()(np.zeros((0, 3, 4))).shape == (0, 12)
    assert nn.Flatten()(np.zeros(5)).shape == (5, 1)
    for layer in (nn.Reshape(4, 3), nn.Reshape((4, 3)), nn.Reshape([4, 3]), nn.Reshape(4, -1)):
        np.testing.assert_array_equal(layer(x).numpy(), x.reshape(2, 4, 3))
    assert nn.Reshape(1, 28, 28)(np.zeros((0, 784))).shape == (0, 1, 28, 28)
    assert repr(nn.Reshape(1, 28, 28)) == "Reshape(1, 28, 28)"
    with pytest.raises(ShapeError, match="do not fit"):
        nn.Reshape(5, 5)(x)


def test_fourier_features():
    layer = nn.FourierFeatures(2, 200, scale=3.0, rng=mg.random.default_rng(0))
    f, x = layer.frequencies.numpy(), np.random.default_rng(1).standard_normal((5, 2)).astype("f4")
    assert f.shape == (200, 2)
    assert 2.7 < f.std() < 3.3
    y = layer(x)
    assert y.shape == (5, layer.out_features) == (5, 402)
    expected = np.concatenate([x, np.sin(x @ f.T), np.cos(x @ f.T)], axis=1)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=2e-6)
    assert layer.parameters() == []
    assert list(layer.state_dict()) == ["frequencies"]
    mg.check_gradients(layer, x.astype("f8"), directions=1, seed=0)


# -- dtypes and randomness ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_default_dtype_is_that_of_parameters_results_and_gradients(dtype):
    with mg.default_dtype(dtype):
        network = nn.Sequential(nn.Dense(3, 4), nn.LeakyReLU(), nn.Dense(4, 1, bias=False), nn.Tanh())
        features = nn.FourierFeatures(3, 2, 1.0)
    assert modes.default_dtype == np.float32
    y = network(np.ones((2, 3), dtype))
    y.sum().backward()
    assert {y.dtype, *(t.dtype for p in network.parameters() for t in (p, p.grad))} == {np.dtype(dtype)}
    assert features.frequencies.dtype == dtype
    assert features(np.ones((2, 3), dtype)).dtype == dtype


def test_other_default_dtypes_are_refused():
    with pytest.raises(DTypeError, match="expected 'float32' or 'float64'"), mg.default_dtype("float16"):
        nn.Dense(1, 1)


def test_generator_decides_the_weights():
    def weights(rng):
        return nn.Dense(3, 2, rng=rng).state_dict()["weight"].tolist()

    assert weights(mg.random.default_rng(5)) == weights(mg.random.default_rng(5)) == weights(5)
    assert weights(mg.random.default_rng(5)) != weights(mg.random.default_rng(6))
    rng = mg.random.default_rng(5)
    assert weights(rng) != weights(rng)


def test_package_generator_is_seedable():
    def weights():
        return nn.Sequential(nn.Dense(3, 2), nn.Dense(2, 1)).state_dict()["1.weight"].tolist()

    state = mg.random._package
    try:
        mg.random.seed(1)
        first = weights(), weights()
        mg.random.seed(1)
        assert (weights(), weights()) == first
        mg.random.seed(2)
        assert weights() != first[0]
        assert first[0] != first[1]
    finally:
        mg.random._package = state


def test_dense_starts_as_that_of_pytorch():
    """Weights and bias from U(-1/sqrt(I), 1/sqrt(I)): the moments, to five standard errors, and the ends."""
    layer, bound = dense(64, 500), 1 / 8
    for p in layer.parameters():
        w = p.numpy().ravel()
        assert abs(w.mean()) < 5 * bound / np.sqrt(3 * w.size)
        assert abs(np.mean(w**2) / (bound**2 / 3) - 1) < 5 * np.sqrt(0.8 / w.size)
        assert bound * (1 - 10 / w.size) < abs(w).max() <= bound


# -- what a layer cannot take -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [nn.Flatten(), nn.Reshape(2, 3)])
def test_a_single_number_is_no_batch(layer):
    with pytest.raises(ShapeError, match=rf"{type(layer).__name__}: x is a single number.*expected \(N, \.\.\.\)"):
        layer(1.0)


@pytest.mark.parametrize("x", [np.ones((4, 2)), np.ones(())])
def test_fourier_features_of_another_width(x):
    with pytest.raises(ShapeError, match=r"FourierFeatures: x has shape .*in_features=3 on the last axis"):
        nn.FourierFeatures(3, 5, 1.0, rng=mg.random.default_rng(0))(x)
