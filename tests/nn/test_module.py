"""Module: what it is made of, its state, and what stays as it was when something goes wrong."""

import copy

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import minigan as mg
from minigan import nn
from minigan.errors import DTypeError, GraphError, ShapeError


class Block(nn.Module):
    """A parameter, a buffer, a plain attribute and two modules."""

    def __init__(self, seed=0):
        rng = mg.random.default_rng(seed)
        self.scale = nn.Parameter([1.0, 2.0])
        self.inner = nn.Sequential(nn.Dense(2, 3, rng=rng), nn.Tanh(), nn.Dense(3, 2, rng=rng))
        self.offset = nn.Buffer([0.5, -0.5])
        self.width = 3
        self.last = nn.Dense(2, 1, bias=False, rng=rng)

    def forward(self, x):
        return self.last(self.inner(x) * self.scale + self.offset)


NAMES = ["scale", "inner.0.weight", "inner.0.bias", "inner.2.weight", "inner.2.bias", "last.weight"]
X = np.random.default_rng(0).standard_normal((4, 2)).astype("f4")


def same(a, b):
    """Whether two state dicts hold the same bytes."""
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


# -- Parameter and Buffer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[1.0, 2.0], np.array([1.0, 2.0]), mg.tensor([1.0, 2.0])])
def test_parameter_is_a_trainable_copy(values):
    p = nn.Parameter(values)
    assert p.requires_grad
    assert p.is_leaf
    assert p.dtype == (values.dtype if hasattr(values, "dtype") else np.float32)
    p.assign([5.0, 6.0])
    assert np.asarray(values).tolist() == [1.0, 2.0]


def test_parameter_of_something_computed_is_a_leaf():
    t = mg.tensor([1.0], requires_grad=True)
    assert nn.Parameter(2 * t).is_leaf


def test_parameter_may_be_frozen():
    assert not nn.Parameter([1.0], requires_grad=False).requires_grad


def test_integers_are_no_parameter_but_may_be_a_buffer():
    with pytest.raises(DTypeError, match="int64 cannot require a gradient"):
        nn.Parameter(np.arange(3))
    count = nn.Buffer(np.array(0))
    assert count.dtype == np.int64
    assert not count.requires_grad


# -- names -------------------------------------------------------------------------------------------------------------


def test_names_are_those_of_the_attributes_in_order():
    block = Block()
    assert [name for name, _ in block.named_parameters()] == NAMES
    assert [name for name, _ in block.named_buffers()] == ["offset"]
    assert [id(p) for p in block.parameters()] == [id(p) for _, p in block.named_parameters()]
    assert sorted(block.state_dict()) == sorted([*NAMES, "offset"])
    assert [name for name, _ in block.children()] == ["inner", "last"]
    assert [type(m).__name__ for m in block.modules()] == ["Block", "Sequential", "Dense", "Tanh", "Dense", "Dense"]


def test_sequential_with_modules_beside_its_layers():
    class Headed(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Dense(2, 2))
            self.head = nn.Dense(2, 1)

    assert [name for name, _ in Headed().named_parameters()] == ["0.weight", "0.bias", "head.weight", "head.bias"]


def test_module_used_twice_has_its_parameters_once():
    """Under its first name; the state has both, as in PyTorch."""
    layer = nn.Dense(2, 2)
    network = nn.Sequential(layer, nn.Tanh(), layer)
    assert [name for name, _ in network.named_parameters()] == ["0.weight", "0.bias"]
    assert sorted(network.state_dict()) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    assert network.modules() == [network, layer, network[1]]


def test_module_used_twice_learns_from_both_places():
    with mg.default_dtype("float64"):
        layer = nn.Dense(2, 2)
    network = nn.Sequential(layer, nn.Tanh(), layer)
    w, b = layer.weight.numpy(), layer.bias.numpy()
    expected = mg.grad(lambda w: (mg.tanh(X @ w.T + b) @ w.T + b).sum())(w).numpy()
    optimiser = mg.optim.SGD(network.parameters(), lr=0.1)
    network(X).sum().backward()
    optimiser.step()
    np.testing.assert_allclose(layer.weight.numpy(), w - 0.1 * expected, rtol=1e-12)


def test_weight_tied_by_assignment():
    a, b = nn.Dense(2, 2), nn.Dense(2, 2)
    b.weight = a.weight
    network = nn.Sequential(a, b)
    assert [name for name, _ in network.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    twin = copy.deepcopy(network)
    assert twin[0].weight is twin[1].weight
    assert twin[0].weight is not a.weight
    twin.load_state_dict(network.state_dict())
    assert same(twin.state_dict(), network.state_dict())


def test_zero_grad():
    block = Block()
    block(X).sum().backward()
    assert all(p.grad is not None for p in block.parameters())
    block.zero_grad()
    assert all(p.grad is None for p in block.parameters())


# -- state -------------------------------------------------------------------------------------------------------------


def test_state_is_a_copy():
    block = Block()
    state = block.state_dict()
    state["scale"][:] = 9.0
    assert block.scale.numpy().tolist() == [1.0, 2.0]
    for name, array in block.state_dict(copy=False).items():
        assert np.array_equal(array, block.state_dict()[name])
        with pytest.raises(ValueError, match="read-only"):
            array += 1
    view = block.state_dict(copy=False)["scale"]
    block.scale.assign([5.0, 6.0])
    assert view.tolist() == [5.0, 6.0]


@pytest.mark.parametrize(
    "wrap", [np.asarray, mg.tensor, lambda a: a.astype("f8"), lambda a: a.tolist(), np.asfortranarray]
)
def test_load_takes_arrays_and_tensors(wrap):
    target, source = Block(0), Block(1)
    assert not same(target.state_dict(), source.state_dict())
    target.load_state_dict({name: wrap(value) for name, value in source.state_dict().items()})
    assert same(target.state_dict(), source.state_dict())
    np.testing.assert_array_equal(target(X).numpy(), source(X).numpy())


def test_load_keeps_float64_digits_of_a_list():
    with mg.default_dtype("float64"):
        layer = nn.Dense(1, 1)
    layer.load_state_dict({"weight": [[0.1]], "bias": [1 / 3]})
    assert (layer.weight.item(), layer.bias.item()) == (0.1, 1 / 3)


def test_load_stays_on_the_optimisers_buffer():
    block, source = Block(0), Block(1)
    optimiser = mg.optim.SGD(block.parameters(), lr=0.5)
    block.load_state_dict(source.state_dict())
    block.scale.grad = mg.tensor(np.ones(2, "f4"))
    optimiser.step()
    np.testing.assert_array_equal(block.scale.numpy(), source.scale.numpy() - 0.5)
    np.testing.assert_array_equal(block.last.weight.numpy(), source.last.weight.numpy())


def test_load_is_noticed_by_an_old_graph():
    block = Block()
    y = block(X).sum()
    block.load_state_dict(Block(1).state_dict())
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()


def test_safetensors_keep_the_state(tmp_path):
    block = Block(3)
    save_file(block.state_dict(), tmp_path / "block.safetensors")
    other = Block(4)
    other.load_state_dict(load_file(tmp_path / "block.safetensors"))
    assert same(other.state_dict(), block.state_dict())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"scale": None}, KeyError, r"missing \['scale'\], unknown \[\]; is it of another network\?"),
        ({"scales": np.ones(2)}, KeyError, r"missing \[\], unknown \['scales'\]"),
        ({"offset": None, "x": np.ones(1)}, KeyError, r"missing \['offset'\], unknown \['x'\]"),
        ({"last.weight": np.ones((2, 1))}, ShapeError, r"last.weight has shape \(2, 1\), expected \(1, 2\)"),
        ({"last.weight": np.ones(2)}, ShapeError, r"shape \(2,\), expected \(1, 2\)"),
        ({"offset": np.ones(())}, ShapeError, r"offset has shape \(\), expected \(2,\)"),
        ({"offset": np.array(["a", "b"])}, DTypeError, "expected real numbers"),
        ({"last.weight": np.ones((1, 2), complex)}, DTypeError, "expected real numbers"),
    ],
)
def test_state_that_does_not_fit_changes_nothing(change, error, message):
    block, state = Block(0), {**Block(1).state_dict(), **change}
    before = block.state_dict()
    with pytest.raises(error, match=message):
        block.load_state_dict({name: value for name, value in state.items() if value is not None})
    assert same(block.state_dict(), before)


# -- copies and modes --------------------------------------------------------------------------------------------------


def test_deepcopy_has_its_own_memory():
    block = Block()
    optimiser = mg.optim.SGD(block.parameters(), lr=1.0)
    block(X).sum().backward()
    twin = copy.deepcopy(block)
    before = twin.state_dict()
    assert same(before, block.state_dict())
    assert all(type(p) is nn.Parameter and p.requires_grad and p.grad is None for p in twin.parameters())
    assert type(twin.offset) is nn.Buffer
    optimiser.step()
    assert same(twin.state_dict(), before)
    assert not same(block.state_dict(), before)


def test_deepcopy_keeps_what_is_frozen():
    block = Block()
    block.scale.requires_grad = False
    assert not copy.deepcopy(block).scale.requires_grad


def test_train_and_eval_reach_every_module():
    block = Block()
    assert all(module.training for module in block.modules())
    assert block.eval() is block
    assert not any(module.training for module in block.modules())
    assert block.train() is block
    assert all(module.training for module in block.modules())
    assert Block().training  # another instance is not touched


def test_repr_shows_the_tree():
    assert repr(Block()) == (
        "Block(\n"
        "  (inner): Sequential(\n"
        "    (0): Dense(2, 3)\n"
        "    (1): Tanh()\n"
        "    (2): Dense(3, 2)\n"
        "  )\n"
        "  (last): Dense(2, 1, bias=False)\n"
        ")"
    )


def test_module_without_forward():
    with pytest.raises(TypeError, match=r"Module has no forward\(self, x\)"):
        nn.Module()(X)
