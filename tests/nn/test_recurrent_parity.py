"""RNN, LSTM and GRU beside PyTorch's, in float64: state files both ways, outputs, two orders of derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from safetensors.numpy import load_file, save_file  # noqa: E402
from safetensors.torch import load_file as load_torch_file  # noqa: E402
from safetensors.torch import save_file as save_torch_file  # noqa: E402


@st.composite
def layers(draw):
    """Draw a kind of layer, its sizes and its options."""
    kind = draw(st.sampled_from(["RNN", "LSTM", "GRU"]))
    sizes = [draw(st.integers(1, 4)) for _ in range(3)]  # input_size, hidden_size, num_layers
    options = {"bias": draw(st.booleans()), "batch_first": draw(st.booleans())}
    if kind == "RNN":
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    return kind, sizes, options


def pair(layer, seed):
    """Build a layer twice, with different weights."""
    kind, sizes, options = layer
    torch.manual_seed(seed)
    with mg.default_dtype("float64"):
        ours = getattr(nn, kind)(*sizes, rng=mg.random.default_rng(seed), **options)
    return ours, getattr(torch.nn, kind)(*sizes, dtype=torch.float64, **options)


def inputs(layer, T, N, seed):
    """Return x, and initial states h0 or (h0, c0)."""
    kind, (features, hidden, count), options = layer
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, T, features) if options["batch_first"] else (T, N, features))
    return x, [rng.standard_normal((count, N, hidden)) for _ in range(2 if kind == "LSTM" else 1)]


def call(module, x, states):
    """Return [output, h] or [output, h, c]."""
    output, end = module(x, tuple(states) if len(states) == 2 else states[0])
    return [output, *(end if isinstance(end, tuple) else (end,))]


def close(ours, theirs):
    """To 1e-10 of the largest element: sums are taken in another order."""
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-10, atol=1e-10 * abs(theirs).max(initial=0.0))


def inner(ys, weights):
    total = 0.0
    for y, w in zip(ys, weights, strict=True):
        total = total + (y * w).sum()
    return total


@given(layer=layers(), T=st.integers(1, 5), N=st.integers(1, 4), seed=st.integers(0, 999))
def test_outputs_and_derivatives(layer, T, N, seed):
    ours, theirs = pair(layer, seed)
    ours.load_state_dict({name: p.detach() for name, p in theirs.state_dict().items()})
    x, states = inputs(layer, T, N, seed)
    leaves = [mg.tensor(a, requires_grad=True) for a in (x, *states)]
    others = [torch.tensor(a, requires_grad=True) for a in (x, *states)]
    ys, their_ys = call(ours, leaves[0], leaves[1:]), call(theirs, others[0], others[1:])
    for a, b in zip(ys, their_ys, strict=True):
        close(a, b)

    weights = [np.random.default_rng(seed + i).standard_normal(y.shape) for i, y in enumerate(ys)]
    leaves, others = [*leaves, *ours.parameters()], [*others, *theirs.parameters()]
    inner(ys, weights).backward(create_graph=True)
    their_loss = inner(their_ys, map(torch.tensor, weights))
    first = torch.autograd.grad(their_loss, others, create_graph=True)
    slopes = [leaf.grad for leaf in leaves]
    for a, b in zip(slopes, first, strict=True):
        close(a, b)

    for leaf in leaves:
        leaf.grad = None
    inner(slopes, slopes).backward(inputs=leaves)
    second = torch.autograd.grad(inner(first, first), others, allow_unused=True, materialize_grads=True)
    for a, b in zip(leaves, second, strict=True):
        if a.grad is None:
            assert not b.any()
        else:
            close(a.grad, b)


@given(layer=layers(), seed=st.integers(0, 999))
def test_initial_states_are_zero_by_default(layer, seed):
    ours, theirs = pair(layer, seed)
    ours.load_state_dict({name: p.detach() for name, p in theirs.state_dict().items()})
    x, _ = inputs(layer, 3, 2, seed)
    close(ours(x)[0], theirs(torch.tensor(x))[0])


@given(layer=layers(), seed=st.integers(0, 999))
def test_state_files_load_there_and_here(layer, seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    ours, theirs = pair(layer, seed)
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [
        (k, tuple(v.shape)) for k, v in theirs.state_dict().items()
    ]
    x, states = inputs(layer, 3, 2, seed)

    def agree(module):
        for a, b in zip(
            call(ours, x, states), call(module, torch.tensor(x), list(map(torch.tensor, states))), strict=True
        ):
            close(a, b)

    save_file(ours.state_dict(), folder / "ours.safetensors")
    theirs.load_state_dict(load_torch_file(folder / "ours.safetensors"))
    agree(theirs)

    _, others = pair(layer, seed + 1)
    save_torch_file(others.state_dict(), folder / "theirs.safetensors")
    ours.load_state_dict(load_file(folder / "theirs.safetensors"))
    agree(others)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_r1_through_a_recurrent_discriminator(kind):
    """gamma/2 |dD/dx|^2 and its gradient with respect to all weights: a second derivative through time."""
    layer = kind, [3, 6, 2], {"batch_first": True, "bias": True}
    ours, theirs = pair(layer, 0)
    with mg.default_dtype("float64"):
        head = nn.Dense(6, 1, rng=mg.random.default_rng(1))
    their_head = torch.nn.Linear(6, 1, dtype=torch.float64)
    for a, b in ((ours, theirs), (head, their_head)):
        a.load_state_dict({name: p.detach() for name, p in b.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((4, 7, 3))

    penalty = mg.penalties.r1(lambda x: head(ours(x)[0][:, -1]), x)
    penalty.backward()
    real = torch.tensor(x, requires_grad=True)
    (slope,) = torch.autograd.grad(their_head(theirs(real)[0][:, -1]).sum(), real, create_graph=True)
    their_penalty = slope.square().sum() / len(x)
    their_penalty.backward()
    close(penalty, their_penalty)
    assert penalty.item() > 1e-5
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(a.grad, b.grad)
    close(head.weight.grad, their_head.weight.grad)


def test_float32_agrees_to_its_precision():
    ours = nn.LSTM(8, 16, num_layers=2, rng=mg.random.default_rng(0))
    theirs = torch.nn.LSTM(8, 16, num_layers=2)
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((24, 8, 8), dtype=np.float32)
    y, their_y = ours(x)[0], theirs(torch.from_numpy(x))[0]
    np.testing.assert_allclose(y.numpy(), their_y.detach().numpy(), atol=2e-6)
    y.sum().backward()
    their_y.sum().backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        b = b.grad.numpy()
        np.testing.assert_allclose(a.grad.numpy(), b, atol=1e-5 * abs(b).max())
