"""A layer beside its counterpart in PyTorch: outputs, first and second derivatives, state files in both directions."""

import numpy as np

import minigan as mg

WHY = "torch is not installed: pip install torch"


def build(make, *args, **options):
    """Return a layer of ours in float64, with random values in every parameter and floating buffer."""
    with mg.default_dtype("float64"):
        layer = make(*args, **options)
    rng = np.random.default_rng(0)
    state = layer.state_dict()
    for name, value in state.items():
        if value.dtype.kind == "f":
            state[name] = rng.uniform(0.5, 1.5, value.shape) * rng.choice([-1.0, 1.0], value.shape)
            state[name] = np.abs(state[name]) if name.endswith("running_var") else state[name]
    layer.load_state_dict(state)
    return layer


def close(ours, theirs, tolerance=1e-10):
    """Relative to the largest element: sums are taken in another order."""
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * abs(theirs).max(initial=0.0))


def exchange(torch, ours, theirs, folder):
    """Load our state there from a file, and its own back here: names, shapes, dtypes and values survive."""
    from safetensors.numpy import load_file, save_file
    from safetensors.torch import load_file as load_torch_file
    from safetensors.torch import save_file as save_torch_file

    theirs.double()
    before = ours.state_dict()
    save_file(before, folder / "ours.safetensors")
    theirs.load_state_dict(load_torch_file(folder / "ours.safetensors"))
    save_torch_file({k: v.clone() + 1 for k, v in theirs.state_dict().items()}, folder / "theirs.safetensors")
    ours.load_state_dict(load_file(folder / "theirs.safetensors"))
    assert list(before) == list(theirs.state_dict())
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(value, before[name] + 1)
        assert value.dtype == before[name].dtype
    ours.load_state_dict(before)


def compare(torch, ours, theirs, x, seed=987654):
    """Output y, gradients of <y, g> and the gradients of the squared length of those, of input and all parameters.

    `seed` draws g, and is no seed that draws x: normalisation has no gradient along x itself.
    """
    theirs.double()
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    x_ours, x_theirs = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y_ours, y_theirs = ours(x_ours), theirs(x_theirs)
    close(y_ours.numpy(), y_theirs)
    g = np.random.default_rng(seed).standard_normal(y_ours.shape)

    leaves_ours, leaves_theirs = [x_ours, *ours.parameters()], [x_theirs, *theirs.parameters()]
    (y_ours * g).sum().backward(create_graph=True)
    first = torch.autograd.grad((y_theirs * torch.from_numpy(g)).sum(), leaves_theirs, create_graph=True)
    for leaf, grad in zip(leaves_ours, first, strict=True):
        close(leaf.grad.numpy(), grad)

    lengths_ours = sum((leaf.grad * leaf.grad).sum() for leaf in leaves_ours)
    for leaf in leaves_ours:
        leaf.grad = None
    lengths_ours.backward()
    lengths_theirs = sum((grad * grad).sum() for grad in first)
    second = torch.autograd.grad(lengths_theirs, leaves_theirs, allow_unused=True)
    for leaf, grad in zip(leaves_ours, second, strict=True):
        if grad is None:
            assert leaf.grad is None or not leaf.grad.numpy().any()
        else:
            close(np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy(), grad)
