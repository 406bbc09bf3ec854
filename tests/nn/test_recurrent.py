"""RNN, LSTM and GRU as layers: names, shapes, states, options, errors."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.errors import ConfigError, ShapeError

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
kinds = pytest.mark.parametrize("kind", GATES)


def make(kind, *sizes, **options):
    return getattr(nn, kind)(*sizes, rng=mg.random.default_rng(0), **options)


def states_of(result):
    """Return (h,) or (h, c)."""
    return result if isinstance(result, tuple) else (result,)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


@kinds
def test_parameters_have_pytorchs_names_order_and_shapes(kind):
    rows = GATES[kind] * 5
    assert {name: value.shape for name, value in make(kind, 3, 5, num_layers=2).state_dict().items()} == {
        "weight_ih_l0": (rows, 3),
        "weight_hh_l0": (rows, 5),
        "bias_ih_l0": (rows,),
        "bias_hh_l0": (rows,),
        "weight_ih_l1": (rows, 5),
        "weight_hh_l1": (rows, 5),
        "bias_ih_l1": (rows,),
        "bias_hh_l1": (rows,),
    }
    assert [name for name, _ in make(kind, 3, 5, bias=False).named_parameters()] == ["weight_ih_l0", "weight_hh_l0"]


@kinds
def test_weights_start_uniform_within_one_over_root_h(kind):
    for p in make(kind, 40, 100, num_layers=2).parameters():
        values = p.numpy()
        assert 0.095 < np.max(np.abs(values)) <= 0.1
        assert abs(values.mean()) < 0.02
        assert values.std() == pytest.approx(0.1 / 3**0.5, rel=0.15)


@kinds
def test_same_generator_same_weights(kind):
    first, second = make(kind, 3, 4).state_dict(), make(kind, 3, 4).state_dict()
    other = getattr(nn, kind)(3, 4, rng=mg.random.default_rng(1)).state_dict()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])
        assert (value != other[name]).all()


@kinds
@pytest.mark.parametrize("layers", [1, 3])
def test_shapes_and_the_last_output_is_the_last_layers_state(kind, layers):
    output, states = make(kind, 2, 5, num_layers=layers)(normal(7, 4, 2))
    assert output.shape == (7, 4, 5)
    assert [s.shape for s in states_of(states)] == [(layers, 4, 5)] * (2 if kind == "LSTM" else 1)
    np.testing.assert_array_equal(output[-1].numpy(), states_of(states)[0][-1].numpy())
    assert output.dtype == np.float32


@kinds
def test_a_sequence_in_two_halves_is_the_sequence(kind):
    layer, x = make(kind, 2, 5, num_layers=2), normal(8, 3, 2)
    whole, end = layer(x)
    first, between = layer(x[:3])
    second, end_of_second = layer(x[3:], between)
    np.testing.assert_allclose(mg.concatenate([first, second]).numpy(), whole.numpy(), atol=1e-6)
    for a, b in zip(states_of(end), states_of(end_of_second), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)


@kinds
def test_batch_first_exchanges_the_first_two_axes_of_input_and_output_only(kind):
    layer, swapped = make(kind, 2, 5), make(kind, 2, 5, batch_first=True)
    x = normal(7, 4, 2)
    output, states = layer(x)
    for transposed in (x.swapaxes(0, 1), np.ascontiguousarray(x.swapaxes(0, 1))):
        other, other_states = swapped(transposed)
        np.testing.assert_array_equal(other.numpy(), output.numpy().swapaxes(0, 1))
        for a, b in zip(states_of(other_states), states_of(states), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


@kinds
def test_sequences_of_a_batch_do_not_mix(kind):
    layer, x = make(kind, 2, 5), normal(6, 4, 2)
    together = layer(x)[0].numpy()
    for n in range(4):
        np.testing.assert_allclose(layer(x[:, n : n + 1])[0].numpy()[:, 0], together[:, n], atol=1e-6)


@kinds
def test_no_bias_is_bias_zero(kind):
    without, with_zeros = make(kind, 2, 5, bias=False), make(kind, 2, 5)
    state = {name: np.zeros_like(value) for name, value in with_zeros.state_dict().items()}
    with_zeros.load_state_dict({**state, **without.state_dict()})
    x = normal(6, 4, 2)
    np.testing.assert_array_equal(without(x)[0].numpy(), with_zeros(x)[0].numpy())
    without(x)[0].sum().backward()
    assert all(p.grad is not None for p in without.parameters())


def test_relu_is_an_option_of_rnn():
    layer = nn.RNN(2, 5, nonlinearity="relu", rng=mg.random.default_rng(0))
    output = layer(normal(6, 4, 2) * 10)[0].numpy()
    assert output.min() == 0.0
    assert output.max() > 1.0


@kinds
def test_empty_batch(kind):
    output, states = make(kind, 2, 5, num_layers=2)(normal(6, 0, 2))
    assert output.shape == (6, 0, 5)
    assert [s.shape for s in states_of(states)] == [(2, 0, 5)] * len(states_of(states))


@kinds
def test_one_layer_learns_to_remember_the_first_element(kind):
    """The sign of x_0 after 6 steps of noise: only possible if gradients flow through time."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 64, 1)).astype("f4")
    target = np.sign(x[0])
    layer, head = make(kind, 1, 8), nn.Dense(8, 1, rng=mg.random.default_rng(1))
    optimiser = mg.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    losses = []
    for _ in range(150):
        error = head(layer(x)[0][-1]) - target
        loss = (error * error).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert 0.7 < losses[0] < 2.0
    assert losses[-1] < 0.15


@kinds
def test_repr_says_what_differs_from_the_default(kind):
    assert repr(make(kind, 2, 5)) == f"{kind}(2, 5)"
    assert repr(make(kind, 2, 5, 2, True, bias=False)) == f"{kind}(2, 5, num_layers=2, batch_first=True, bias=False)"
    if kind == "RNN":
        assert repr(nn.RNN(2, 5, nonlinearity="relu")) == "RNN(2, 5, nonlinearity='relu')"


# -- errors -----------------------------------------------------------------------------------------------------------


@kinds
def test_inputs_that_do_not_fit_are_refused(kind):
    layer = make(kind, 2, 5)
    with pytest.raises(ShapeError, match=r"has shape \(7, 2\), expected \(T, N, C\); give a single sequence a batch"):
        layer(normal(7, 2))
    with pytest.raises(ShapeError, match=r"has shape \(2,\), expected \(T, N, C\)$"):
        layer(normal(2))
    with pytest.raises(ShapeError, match=r"has shape \(7, 4, 3\), the weights expect C=2"):
        layer(normal(7, 4, 3))
    with pytest.raises(ShapeError, match=r"has shape \(0, 4, 2\) \(T, N, C\): a sequence needs at least one"):
        layer(normal(0, 4, 2))
    with pytest.raises(ShapeError, match=r"has shape \(4, 0, 2\) \(N, T, C\): a sequence needs at least one"):
        make(kind, 2, 5, batch_first=True)(normal(4, 0, 2))


@kinds
def test_states_that_do_not_fit_are_refused(kind):
    x, wrong = normal(7, 4, 2), normal(4, 1, 5)
    right = normal(1, 4, 5)
    with pytest.raises(ShapeError, match=r"h0 has shape \(4, 1, 5\), expected \(1, 4, 5\)"):
        make(kind, 2, 5)(x, (wrong, right) if kind == "LSTM" else wrong)


def test_states_of_an_lstm_are_a_pair():
    with pytest.raises(ShapeError, match=r"c0 has shape \(4, 1, 5\)"):
        make("LSTM", 2, 5)(normal(7, 4, 2), (normal(1, 4, 5), normal(4, 1, 5)))
    with pytest.raises(TypeError, match=r"a pair \(h0, c0\)"):
        make("LSTM", 2, 5)(normal(7, 4, 2), normal(1, 4, 5))


@kinds
@pytest.mark.parametrize("sizes", [(0, 5), (2, 0), (2, 5, 0)])
def test_sizes_below_one_are_refused(kind, sizes):
    with pytest.raises(ConfigError, match=f"{kind}: got input_size="):
        make(kind, *sizes)


def test_unknown_nonlinearity_is_refused():
    with pytest.raises(ConfigError, match="unknown nonlinearity 'sigmoid'; known are tanh and relu"):
        nn.RNN(2, 5, nonlinearity="sigmoid")
