"""The buffer in which an optimiser keeps its parameters side by side, and who notices a step there."""

import numpy as np
import pytest
from parameters import SHAPES, every_kind, give, make_parameters

import minigan as mg
from minigan import nn, optim
from minigan.errors import ConfigError, DTypeError, GraphError


def test_parameters_lie_side_by_side_and_keep_their_values():
    parameters = make_parameters()
    before = [p.numpy() for p in parameters]
    optim.Adam(parameters, 0.1)
    addresses = [p.data.ctypes.data for p in parameters]
    assert addresses == [addresses[0] + 8 * n for n in np.cumsum([0, *(p.size for p in parameters[:-1])])]
    for p, b in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(p.numpy(), b)
        assert p.shape == b.shape


def test_parameters_stay_there():
    """Through steps, loading, limits and averages: an optimiser that lost them would move a copy."""
    network = nn.Sequential(nn.Dense(2, 3), nn.Tanh(), nn.Dense(3, 1))
    average = optim.EMA(network, 0.9)
    optimiser = optim.Adam(network.parameters(), 0.1)
    where = [p.data.ctypes.data for p in network.parameters()]
    for _ in range(2):
        network(np.ones((4, 2), "f4")).sum().backward()
        optim.clip_grad_norm(network.parameters(), 0.1)
        optimiser.step()
        optimiser.zero_grad()
        average.update()
        optim.clip_weights(network.parameters(), 0.05)
        network.load_state_dict(network.state_dict())
    assert [p.data.ctypes.data for p in network.parameters()] == where
    assert all(abs(p.numpy()).max() <= np.float32(0.05) for p in network.parameters())


@pytest.mark.parametrize("layout", ["transposed", "strided", "reversed", "broadcast"])
def test_gradients_in_any_layout(layout):
    values = np.arange(12.0).reshape(4, 3)
    view = {
        "transposed": np.asfortranarray(values),
        "strided": np.repeat(values, 2, axis=1)[:, ::2],
        "reversed": values[::-1, ::-1],
        "broadcast": np.broadcast_to(values[0], (4, 3)),
    }[layout]
    p = nn.Parameter(np.zeros((4, 3)))
    optimiser = optim.SGD([p], lr=1.0)
    p.grad = mg.tensor(np.zeros((4, 3)))
    p.grad._data = view  # as a rule may leave it
    optimiser.step()
    np.testing.assert_array_equal(p.numpy(), -view)


def test_gradient_by_backward_of_a_transposed_view():
    p = nn.Parameter(np.arange(6.0).reshape(2, 3))
    weights = np.random.default_rng(0).standard_normal((3, 2))
    optimiser = optim.SGD([p], lr=1.0)
    (p.T * weights).sum().backward()
    optimiser.step()
    np.testing.assert_array_equal(p.numpy(), np.arange(6.0).reshape(2, 3) - weights.T)


@every_kind
def test_step_is_noticed_by_an_old_graph(make):
    network = nn.Sequential(nn.Dense(2, 3), nn.Tanh(), nn.Dense(3, 1))
    optimiser = make(network.parameters())
    loss = network(np.ones((4, 2), "f4")).sum()
    loss.backward(retain_graph=True)
    optimiser.step()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_step_on_part_of_the_parameters_is_noticed_too():
    """Parameters of one buffer have one version: a graph through any of them is old after a step."""
    a, b = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    optimiser = optim.SGD([a, b], 0.1)
    loss = (b * b).sum()
    b.grad = mg.tensor(np.ones(2))
    optimiser.step()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_second_optimiser_takes_over():
    parameters = make_parameters()
    first = optim.SGD(parameters, 1.0)
    before = [p.numpy() for p in parameters]
    second = optim.SGD(parameters[:2], 1.0)
    give(parameters, [np.ones(shape) for shape in SHAPES])
    with pytest.raises(GraphError, match="another optimiser has taken these parameters over"):
        first.step()
    for p, b in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(p.numpy(), b)
    second.step()
    np.testing.assert_array_equal(parameters[0].numpy(), before[0] - 1)
    np.testing.assert_array_equal(parameters[2].numpy(), before[2])


def test_two_optimisers_of_the_same_parameters_share_the_buffer():
    parameters = make_parameters()
    first, second = optim.SGD(parameters, 1.0), optim.SGD(parameters, 10.0)
    before = parameters[0].numpy()
    give(parameters, [np.ones(shape) for shape in SHAPES])
    first.step()
    loss = (parameters[0] ** 2).sum()
    second.step()
    np.testing.assert_array_equal(parameters[0].numpy(), before - 1 - 10)
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ([], ConfigError, "got no parameters; pass module.parameters"),
        (nn.Parameter(np.ones((2, 2))), ConfigError, "pass a list of Parameters"),
        ([np.ones(3)], ConfigError, "pass a list of Parameters"),
        ([nn.Parameter(np.ones(2)) * 2.0], ConfigError, "something that was computed"),
        ([nn.Parameter(np.ones(2, "f4")), nn.Parameter(np.ones(2))], DTypeError, "dtypes float32, float64"),
        ([nn.Parameter(np.ones(2))] * 2, ConfigError, "in the list twice"),
    ],
)
def test_parameters_that_cannot_be_optimised(params, error, message):
    with pytest.raises(error, match=message):
        optim.Adam(params, 0.1)


def test_parameters_may_come_from_a_generator():
    network = nn.Dense(2, 1)
    optimiser = optim.SGD((p for p in network.parameters()), 0.1)
    assert [id(p) for p in optimiser.params] == [id(p) for p in network.parameters()]


def test_an_optimiser_built_after_the_recording_does_not_hide_its_writes():
    w = mg.nn.Parameter(np.ones(3))
    loss = (w * w).sum()
    optimiser = mg.optim.SGD([w], lr=0.1)
    loss.backward(retain_graph=True)  # the move into the flat buffer changed no value
    optimiser.step()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()
