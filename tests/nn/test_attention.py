"""Self-attention: the gate, what it must commute with, its gradients, and the same formula in PyTorch."""

import numpy as np
import pytest
from beside_torch import WHY, build, compare

import minigan as mg
from minigan import nn
from minigan.errors import ConfigError, ShapeError

X = np.random.default_rng(0).standard_normal((2, 5, 4))


def test_it_starts_as_the_identity_and_learns_its_gate():
    layer = nn.SelfAttention(4, rng=mg.random.default_rng(0))
    x = X.astype("f4")
    np.testing.assert_array_equal(layer(x).numpy(), x)
    (layer(x) ** 2).sum().backward()
    assert layer.gamma.grad.item() != 0
    assert not layer.query.weight.grad.numpy().any()


def test_rows_of_attention_are_weights():
    layer = build(nn.SelfAttention, 4, hidden=3)
    a = layer.attention(X).numpy()
    assert a.shape == (2, 5, 5)
    assert (a > 0).all()
    np.testing.assert_allclose(a.sum(axis=-1), 1.0, rtol=1e-14)


def test_places_are_a_set_and_samples_are_apart():
    """Permuting the places permutes the output; a sample does not depend on its batch."""
    layer, order = build(nn.SelfAttention, 4, hidden=2), [3, 0, 4, 1, 2]
    y = layer(X).numpy()
    np.testing.assert_allclose(layer(X[:, order]).numpy(), y[:, order], rtol=1e-12)
    np.testing.assert_allclose(layer(X[1:]).numpy(), y[1:], rtol=1e-12)
    assert abs(y - X).max() > 0.1


def test_one_place_attends_to_itself():
    layer = build(nn.SelfAttention, 4, hidden=2)
    x = X[:, :1]
    value_out = x @ layer.value.weight.numpy().T @ layer.out.weight.numpy().T
    np.testing.assert_allclose(layer(x).numpy(), x + layer.gamma.item() * value_out, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_are_proved(order):
    layer = build(nn.SelfAttention, 4, hidden=2)
    report = mg.check_gradients(lambda x: (layer(x) * X[::-1]).sum(), 0.5 * X, order=order, seed=0)
    assert report.ok
    assert not report.vacuous


def test_the_same_formula_in_pytorch():
    torch = pytest.importorskip("torch", reason=WHY)

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.value = (torch.nn.Linear(4, 3, bias=False) for _ in range(3))
            self.out = torch.nn.Linear(3, 4, bias=False)
            self.gamma = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x):
            attention = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2), dim=-1)
            return x + self.gamma * self.out(attention @ self.value(x))

    theirs, ours = Theirs(), build(nn.SelfAttention, 4, hidden=3)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    order = [name for name, _ in theirs.named_parameters()]  # PyTorch lists a module's own parameters first
    ours.named_parameters = lambda: [(name, dict(nn.SelfAttention.named_parameters(ours))[name]) for name in order]
    compare(torch, ours, theirs, X)


def test_width_by_default_is_an_eighth():
    assert nn.SelfAttention(64).query.weight.shape == (8, 64)
    assert nn.SelfAttention(4).out.weight.shape == (4, 1)
    assert repr(nn.SelfAttention(16)).startswith("SelfAttention(16, hidden=2")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.SelfAttention(0), ConfigError, "got 0 channels, 1 hidden"),
        (lambda: nn.SelfAttention(4, hidden=0), ConfigError, "got 4 channels, 0 hidden"),
        (lambda: nn.SelfAttention(4)(X[0]), ShapeError, r"x has shape \(5, 4\), expected \(N, T, C\) with C=4"),
        (lambda: nn.SelfAttention(3)(X), ShapeError, "with C=3"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()
