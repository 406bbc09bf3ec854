"""Arrays of dtypes that no kernel is compiled for: promoted, or refused in words of our own."""

import numpy as np
import pytest

import minigan as mg
import minigan.losses
import minigan.random
from minigan import nn
from minigan.engine import REGISTRY, Tensor, bind
from minigan.errors import DTypeError, MiniganError

PRIMITIVES = list(REGISTRY.values())
KINDS = ["f2", "f2 beside f4", "i4", "u1", "bool", "longdouble"]
BY_KERNEL = [
    *("sigmoid", "leaky_relu", "gate", "silu", "affine", "sum_of_channels", "batch_norm", "batch_norm_backward"),
    *("conv2d", "conv_transpose2d", "conv2d_weight", "conv2d_with_bias", "conv_transpose2d_with_bias"),
    *("rnn", "lstm", "gru", "rnn_backward", "lstm_backward", "gru_backward", "weight_gradients"),
]


def arguments(record, kind):
    """Return arrays from the domain in the dtype, and the parameters; "f2 beside f4": the first in half precision."""
    arrays, params = record.domain.sample(np.random.default_rng(1), 3)
    dtypes = ["f2", *["f4"] * len(arrays)] if kind == "f2 beside f4" else [kind] * len(arrays)
    arrays = [np.asarray(a) for a in arrays]
    return [a.astype(d) if a.dtype.kind == "f" else a for a, d in zip(arrays, dtypes, strict=False)], params


def run(record, arrays, params):
    with np.errstate(all="ignore"):
        out = bind(record, *(Tensor(a.copy()) for a in arrays), **params)
    return out if isinstance(out, tuple) else (out,)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("record", PRIMITIVES, ids=lambda p: p.name)
def test_a_result_or_an_error_of_our_own(record, kind):
    arrays, params = arguments(record, kind)
    refused = ""
    try:
        run(record, arrays, params)
    except DTypeError as error:
        refused = str(error)
    assert refused == "" or refused.startswith(f"{record.name}: ")


@pytest.mark.parametrize("name", BY_KERNEL)
def test_half_precision_is_computed_as_float32_is(name):
    record = REGISTRY[name]
    arrays, params = arguments(record, "f2")
    wide = [a.astype("f4") if a.dtype == "f2" else a for a in arrays]
    for half, single in zip(run(record, arrays, params), run(record, wide, params), strict=True):
        assert half.dtype == single.dtype == np.float32
        np.testing.assert_allclose(half.numpy(), single.numpy(), rtol=2e-3, atol=1e-3)  # silu multiplies by a half


@pytest.mark.parametrize("name", BY_KERNEL)
def test_long_double_is_refused(name):
    arrays, params = arguments(REGISTRY[name], "longdouble")
    with pytest.raises(DTypeError, match=rf"{name}: .*longdouble|{name}: .*float128.*Convert with x\.astype"):
        run(REGISTRY[name], arrays, params)


def test_gradients_come_back_in_half_precision():
    layer = nn.Sequential(nn.Conv2d(1, 2, 3), nn.LeakyReLU(), nn.Flatten(), nn.Dense(8, 1), nn.Sigmoid())
    x = mg.tensor(np.ones((2, 1, 4, 4), "f2"), requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert y.dtype == np.float32
    assert x.grad.dtype == np.float16
    assert np.all(np.isfinite(x.grad.numpy()))


def test_the_slope_of_an_integer_cotangent_is_no_integer():
    gate = REGISTRY["gate"].impl
    assert gate(np.array([10, 10]), np.array([-1, 1]), slope=0.2).tolist() == [2.0, 10.0]


@pytest.mark.parametrize("function", [mg.softplus, mg.softmax, mg.log_softmax, mg.logsumexp])
def test_what_numpy_does_not_subtract_is_refused_in_our_words(function):
    message = r"not defined for dtype bool, expected real numbers; convert with x\.astype"
    with pytest.raises(DTypeError, match=message):
        function(np.array([True, False]))


@pytest.mark.parametrize("layer", [nn.Sigmoid, nn.Tanh, nn.ReLU, nn.SiLU, nn.LeakyReLU])
def test_booleans_are_0_and_1_to_the_other_activations(layer):
    given = np.array([True, False])
    np.testing.assert_allclose(layer()(given).numpy(), layer()(given.astype("f8")).numpy(), rtol=1e-3)


def test_errors_of_a_body_about_something_else_are_left_alone():
    broken = REGISTRY["tanh"].__class__("broken", lambda x: x + None, None, REGISTRY["tanh"].domain)
    with pytest.raises(TypeError) as caught:
        bind(broken, mg.tensor([1.0]))
    assert not isinstance(caught.value, MiniganError)
