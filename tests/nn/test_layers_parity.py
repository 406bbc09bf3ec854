"""Networks beside PyTorch's, in float64: state files in both directions, outputs, first and second derivatives."""

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

ACTIVATIONS = {
    "none": (None, None),
    "sigmoid": (nn.Sigmoid, torch.nn.Sigmoid),
    "tanh": (nn.Tanh, torch.nn.Tanh),
    "relu": (nn.ReLU, torch.nn.ReLU),
    "silu": (nn.SiLU, torch.nn.SiLU),
    "softplus": (nn.Softplus, torch.nn.Softplus),
    "leaky": (nn.LeakyReLU, lambda: torch.nn.LeakyReLU(0.2)),
    "leaky .01": (lambda: nn.LeakyReLU(0.01), torch.nn.LeakyReLU),
}

layers = st.lists(
    st.tuples(st.integers(1, 6), st.booleans(), st.sampled_from(sorted(ACTIVATIONS))), min_size=1, max_size=4
)


def pair(inputs, layers, seed=0):
    """Build the same architecture twice, with different weights."""
    rng, ours, theirs = mg.random.default_rng(seed), [], []
    torch.manual_seed(seed)
    for outputs, bias, name in layers:
        with mg.default_dtype("float64"):
            ours.append(nn.Dense(inputs, outputs, bias=bias, rng=rng))
        theirs.append(torch.nn.Linear(inputs, outputs, bias=bias, dtype=torch.float64))
        if name != "none":
            for network, make in zip((ours, theirs), ACTIVATIONS[name], strict=True):
                network.append(make())
        inputs = outputs
    return nn.Sequential(*ours), torch.nn.Sequential(*theirs)


def close(ours, theirs):
    """To 1e-10 of the largest element: sums are taken in another order."""
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-10, atol=1e-10 * abs(theirs).max(initial=0.0))


def or_zeros(grads, like):
    return [torch.zeros_like(p) if g is None else g for g, p in zip(grads, like, strict=True)]


@given(inputs=st.integers(1, 4), layers=layers, n=st.integers(1, 5), seed=st.integers(0, 999))
def test_outputs_and_derivatives(inputs, layers, n, seed):
    ours, theirs = pair(inputs, layers, seed)
    ours.load_state_dict({name: p.detach() for name, p in theirs.state_dict().items()})
    rng = np.random.default_rng(seed)
    x, weights = rng.standard_normal((n, inputs)), rng.standard_normal((n, layers[-1][0]))
    parameters = list(theirs.parameters())

    x_ours, x_theirs = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y_ours, y_theirs = ours(x_ours), theirs(x_theirs)
    close(y_ours, y_theirs)

    (y_ours * weights).sum().backward(create_graph=True)
    first = torch.autograd.grad((y_theirs * torch.tensor(weights)).sum(), [x_theirs, *parameters], create_graph=True)
    slope = x_ours.grad
    for p, g in zip([x_ours, *ours.parameters()], first, strict=True):
        close(p.grad, g)

    ours.zero_grad()
    x_ours.grad = None
    (slope * slope).sum().backward(inputs=[x_ours, *ours.parameters()])
    leaves = [x_theirs, *parameters]
    second = or_zeros(torch.autograd.grad((first[0] ** 2).sum(), leaves, allow_unused=True), leaves)
    for p, g in zip([x_ours, *ours.parameters()], second, strict=True):
        if p.grad is None:
            assert not g.any()
        else:
            close(p.grad, g)


@given(inputs=st.integers(1, 4), layers=layers, seed=st.integers(0, 999))
def test_state_files_load_there_and_here(inputs, layers, seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    ours, theirs = pair(inputs, layers, seed)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }
    x = np.random.default_rng(seed).standard_normal((3, inputs))

    save_file(ours.state_dict(), folder / "ours.safetensors")
    theirs.load_state_dict(load_torch_file(folder / "ours.safetensors"))
    close(ours(x), theirs(torch.tensor(x)))

    _, others = pair(inputs, layers, seed + 1)
    save_torch_file(others.state_dict(), folder / "theirs.safetensors")
    ours.load_state_dict(load_file(folder / "theirs.safetensors"))
    close(ours(x), others(torch.tensor(x)))


def test_nested_and_shared_modules_have_the_names_of_pytorch():
    def build(library, linear):
        layer = linear(2, 2)
        return library.Sequential(layer, library.Sequential(library.Tanh(), linear(2, 2)), layer)

    ours, theirs = build(nn, nn.Dense), build(torch.nn, torch.nn.Linear)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
