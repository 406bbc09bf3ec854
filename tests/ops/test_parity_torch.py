"""The outside truth: values, first and second derivatives of the public functions against PyTorch, in float64."""

import numpy as np
import pytest
from functions import CALLS, CONDITION, INDEX

torch = pytest.importorskip("torch", reason="torch is not installed: pip install minigan[parity]")

import minigan as mg  # noqa: E402

F = torch.nn.functional
RTOL = 1e-12


def _affine(activation):
    after = {"identity": lambda z: z, "leaky_relu": lambda z: F.leaky_relu(z, 0.2)}.get(activation)
    return lambda x, w, b: (after or getattr(torch, activation))(F.linear(x, w, b))


THEIRS = {
    "add": torch.add,
    "subtract": torch.subtract,
    "multiply": torch.multiply,
    "divide": torch.divide,
    "divide by negative": torch.divide,
    "negative": torch.negative,
    "power": torch.pow,
    "power of negative": lambda x: x**3,
    "matmul": torch.matmul,
    "matmul of rows": torch.matmul,
    "matmul row by matrix": torch.matmul,
    "matmul matrix by column": torch.matmul,
    "matmul batch by column": torch.matmul,
    "matmul row by batch": torch.matmul,
    "matmul of batches": torch.matmul,
    "exp": torch.exp,
    "log": torch.log,
    "log1p": torch.log1p,
    "expm1": torch.expm1,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "relu": torch.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "leaky_relu slope": F.leaky_relu,
    "elu": F.elu,
    "elu alpha": lambda x: F.elu(x, 0.3),
    "silu": F.silu,
    "gelu": F.gelu,
    "softmax": lambda x: torch.softmax(x, -1),
    "softmax axis": lambda x: torch.softmax(x, 0),
    "log_softmax": lambda x: torch.log_softmax(x, -1),
    "log_softmax axis": lambda x: torch.log_softmax(x, -2),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "logsumexp axis": lambda x: torch.logsumexp(x, 0, keepdim=True),
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "where": lambda x, y: torch.where(torch.tensor(CONDITION), x, y),
    "clip": lambda x: torch.clip(x, -0.5, 0.5),
    "clip below": lambda x: torch.clip(x, 0.1),
    "clip by tensors": lambda x, low, high: torch.minimum(torch.maximum(x, low), high),
    "clip above by a tensor": torch.minimum,
    "clip between a number and a tensor": lambda x, high: torch.minimum(torch.clamp(x, -0.2), high),
    "sum": torch.sum,
    "sum axis": lambda x: torch.sum(x, (0, -1), keepdim=True),
    "mean": torch.mean,
    "mean axis": lambda x: torch.mean(x, -2),
    "var": lambda x: torch.var(x, correction=0),
    "var axis": lambda x: torch.var(x, (0, 2), correction=1),
    "max": torch.amax,
    "max axis": lambda x: torch.amax(x, 1, keepdim=True),
    "min": torch.amin,
    "min axis": lambda x: torch.amin(x, (0, 2)),
    "reshape": lambda x: torch.reshape(x, (3, -1)),
    "transpose": lambda x: torch.permute(x, (2, 1, 0)),
    "transpose axes": lambda x: torch.permute(x, (2, 0, 1)),
    "swapaxes": lambda x: torch.swapaxes(x, 0, -1),
    "broadcast_to": lambda x: torch.broadcast_to(x, (4, 2, 3)),
    "concatenate": lambda x, y: torch.concatenate([x, y], -1),
    "stack": lambda x, y: torch.stack([x, y], -1),
    "split": lambda x: torch.tensor_split(x, 2, 2),
    "split at": lambda x: torch.tensor_split(x, (1, 3), -1),
    "pad": lambda x: F.pad(x, (2, 1, 1, 0), value=3.0),
    "take": lambda x: torch.index_select(x, -1, torch.tensor(INDEX)),
    "take of all": lambda x: torch.take(x, torch.tensor([[0, 5], [5, 5]])),
    "einsum": lambda x, y: torch.einsum("ij,kj->ik", x, y),
    "einsum of three": lambda x, y, z: torch.einsum("bij,j,k->bk", x, y, z),
    "einsum without arrow": lambda x, y: torch.einsum("ij,jk", x, y),
    "norm": torch.linalg.vector_norm,
    "norm axis": lambda x: torch.linalg.vector_norm(x, dim=(0, 1), keepdim=True),
    "index": lambda x: x[1].flip(-1),
    "index with repeats": lambda x: x[:, torch.tensor(INDEX)],
    "index with a mask": lambda x: x[torch.tensor(CONDITION)],
    "index with two arrays": lambda x: x[torch.tensor([0, 1, 1]), torch.tensor(INDEX)],
    "index with a new axis": lambda x: x[None, :, 0],
    **{f"affine {a}": _affine(a) for a in ("identity", "relu", "leaky_relu", "tanh", "sigmoid")},
}


def test_every_call_has_its_counterpart():
    assert set(THEIRS) == set(CALLS)


def as_list(x):
    return list(x) if isinstance(x, tuple | list) else [x]


@pytest.mark.parametrize("name", CALLS)
def test_values_and_two_derivatives(name):
    ours, args = CALLS[name]
    rng = np.random.default_rng(1)

    def weights(shapes):
        return [rng.standard_normal(shape) for shape in shapes]

    x = [mg.tensor(a, requires_grad=True) for a in args]
    y = as_list(ours(*x))
    t = [torch.tensor(np.array(a), requires_grad=True) for a in args]
    u = as_list(THEIRS[name](*t))
    compare("values", y, u)

    w = weights([a.shape for a in y])
    total = sum((a * b).sum() for a, b in zip(y, w, strict=True))
    total.backward(create_graph=True)
    first = [a.grad for a in x]
    theirs = torch.autograd.grad(u, t, [torch.tensor(b) for b in w], create_graph=True)
    compare("first derivatives", first, theirs)

    v = weights([a.shape for a in args])
    for a in x:
        a.grad = None
    # the squares of the gradients: where a gradient is constant, its square still is, and both sides agree on 0
    total = sum((g * g * b).sum() for g, b in zip(first, v, strict=True))
    second = [mg.tensor(np.zeros(a.shape)) for a in args]
    if total.requires_grad:
        total.backward()
        second = [s if a.grad is None else a.grad for a, s in zip(x, second, strict=True)]
    total = sum((g * g * torch.tensor(b)).sum() for g, b in zip(theirs, v, strict=True))
    if total.requires_grad:
        found = torch.autograd.grad(total, t, allow_unused=True)
        found = [torch.zeros(a.shape) if g is None else g for a, g in zip(t, found, strict=True)]
        compare("second derivatives", second, found)
    else:
        assert not any(s.numpy().any() for s in second)


def compare(what, ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a, b = np.asarray(a.data), b.numpy(force=True)
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=RTOL, atol=RTOL * max(1e-3, np.max(np.abs(b), initial=0.0)), err_msg=what)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 0.5, -1.0])
def test_powers_at_and_below_0_have_pytorchs_derivatives(exponent):
    points = [-2.0, 0.0, 2.0] if exponent in (0.0, 1.0, 2.0) else [2.0]
    x, t = (
        mg.tensor(np.array(points), requires_grad=True),
        torch.tensor(points, dtype=torch.float64, requires_grad=True),
    )
    (x**exponent).sum().backward()
    (t**exponent).sum().backward()
    compare("power", [x.grad], [t.grad])


@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 3), (3,)])
def test_a_network_and_its_gradient_penalty(shape):
    """Two layers, a squared input gradient, and its gradient with respect to the weights."""
    rng = np.random.default_rng(0)
    w1, b1, w2, b2 = (rng.standard_normal(s) for s in ((6, 3), (6,), (1, 6), (1,)))
    x = rng.standard_normal(shape)

    p = [mg.tensor(a, requires_grad=True) for a in (w1, b1, w2, b2)]
    g = mg.grad(lambda x: mg.ops.affine(mg.ops.affine(x, p[0], p[1], activation="tanh"), p[2], p[3]).sum())(x)
    (g * g).sum().backward(inputs=p)

    q = [torch.tensor(a, requires_grad=True) for a in (w1, b1, w2, b2)]
    t = torch.tensor(x, requires_grad=True)
    out = F.linear(torch.tanh(F.linear(t, q[0], q[1])), q[2], q[3]).sum()
    (g,) = torch.autograd.grad(out, t, create_graph=True)
    (g * g).sum().backward()
    compare("penalty", [a.grad for a in p[:3]], [a.grad for a in q[:3]])
    assert p[3].grad is None
    assert q[3].grad is None or not q[3].grad.any()
