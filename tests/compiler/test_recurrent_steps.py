"""Compiled steps with recurrent layers equal eager ones, and run their kernels inside."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn

RECURRENT = {f"{name}{way}" for name in ("rnn", "lstm", "gru") for way in ("", "_backward")}
LAYERS = {
    "LSTM": lambda **options: nn.LSTM(3, 5, 2, **options),
    "LSTM batch_first": lambda **options: nn.LSTM(3, 5, 2, batch_first=True, **options),
    "LSTM without bias": lambda **options: nn.LSTM(3, 5, bias=False, **options),
    "GRU": lambda **options: nn.GRU(3, 5, 2, **options),
    "GRU batch_first": lambda **options: nn.GRU(3, 5, batch_first=True, **options),
    "RNN": lambda **options: nn.RNN(3, 5, 3, **options),
    "RNN relu": lambda **options: nn.RNN(3, 5, 2, batch_first=True, nonlinearity="relu", **options),
}


class AllThree(nn.Module):
    """One after the other, so that one compilation tries them all."""

    def __init__(self, rng):
        self.lstm, self.gru = nn.LSTM(3, 4, 2, rng=rng), nn.GRU(4, 2, batch_first=True, rng=rng)
        self.rnn = nn.RNN(2, 5, nonlinearity="relu", rng=rng)

    def forward(self, x):
        output, (h, c) = self.lstm(x)
        output, _ = self.gru(output)
        return self.rnn(output)[0], (h, c)


class Forecast:
    """A recurrent layer and a dense one that learn to repeat their input, with the step as a user writes it."""

    def __init__(self, layer, use):
        rng = mg.random.default_rng(0)
        self.layer, self.dense, self.use = layer(rng=rng), nn.Dense(5, 3, rng=rng), use
        self.optimiser = mg.optim.Adam([*self.layer.parameters(), *self.dense.parameters()], 1e-2)

    def step(self, x):
        output, state = self.layer(x)
        final = state if isinstance(state, tuple) else (state,)
        loss = {
            "output": lambda: ((self.dense(output.reshape(-1, 5)) - x.reshape(-1, 3)) ** 2).mean(),
            "last cell": lambda: (final[-1] ** 2).mean(),
            "both": lambda: (self.dense(output[-1]) ** 2).mean() + (final[-1] * final[0]).sum(),
        }[self.use]()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return (loss, *final)

    def state(self):
        return {name: p.numpy() for name, p in [*self.layer.named_parameters(), *self.dense.named_parameters()]}


def on_host(step):
    """Return the names of the operations that a compiled step leaves to the eager implementations."""
    return {action.primitive.name for action in step.last.source.actions if not isinstance(action, tuple)}


def agree(a, b, tolerance):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_compiled_steps_equal_eager_steps():
    compare(AllThree, "output")


@pytest.mark.parametrize("use", ["output", "last cell", "both"])
@pytest.mark.parametrize("layer", LAYERS)
def test_steps_as_generated_python_equal_eager_steps(layer, use, as_python):
    compare(LAYERS[layer], use)


def compare(layer, use):
    """Take four steps compiled and eagerly, and hold results and parameters against each other."""
    with mg.default_dtype("float64"):
        eager, ours = Forecast(layer, use), Forecast(layer, use)
        fast = mg.compile(ours.step)
        start = {name: a.copy() for name, a in ours.state().items()}
        for k in range(4):
            x = mg.tensor(np.random.default_rng(k).standard_normal((4, 6, 3)))
            for a, b in zip(fast(x), eager.step(x), strict=True):
                agree(a.numpy(), b.numpy(), 1e-12)
    got = ours.state()
    for name, values in eager.state().items():
        agree(got[name], values, 1e-12)
    assert all((got[name] != start[name]).any() for name in start if "weight_hh" in name)
    assert not on_host(fast) & RECURRENT


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_a_loss_of_all_results_and_other_layouts(name, dtype, as_python):
    """The gates' cotangents too; one weight in Fortran order, x with its axes exchanged."""
    rng = np.random.default_rng(0)
    gates, states = {"rnn": (1, 1), "lstm": (4, 2), "gru": (3, 1)}[name]
    shapes = [(5, 4, 3), *[(5, 2)] * states, (3, 2 * gates), (2 * gates, 2), (2 * gates,), (2 * gates,)]
    args = [mg.tensor(rng.standard_normal(shape).astype(dtype)) for shape in shapes]

    def loss(x, *rest):
        *h, w_ih, w_hh, b_ih, b_hh = rest
        out = getattr(mg.ops, name)(x.swapaxes(0, 1), *h, w_ih.T, w_hh, b_ih, b_hh)
        out = out if isinstance(out, tuple) else (out,)
        return sum((k * one * one).sum() for k, one in enumerate(out, 1))

    step = mg.grad(loss, range(len(args)))
    fast = mg.compile(step)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    for _ in range(3):
        for a, b in zip(fast(*args), step(*args), strict=True):
            assert a.dtype == dtype
            agree(a.numpy(), b.numpy(), tolerance)
    assert not on_host(fast) & RECURRENT


def test_a_second_derivative(as_python):
    """The derivative of the backward pass comes from small operations, that of the gates from the kernels again."""
    with mg.default_dtype("float64"):
        layer = nn.LSTM(2, 3, rng=mg.random.default_rng(0))

        def step(x):
            return mg.grad(lambda x: (mg.grad(lambda x: layer(x)[0].sum())(x) ** 2).sum())(x)

        fast = mg.compile(step)
        for k in range(3):
            x = mg.tensor(np.random.default_rng(k).standard_normal((3, 4, 2)))
            agree(fast(x).numpy(), step(x).numpy(), 1e-12)
    assert not on_host(fast) & RECURRENT


def test_mixed_precision_runs_on_the_host(as_python):
    layer = nn.GRU(2, 3, rng=mg.random.default_rng(0))
    fast = mg.compile(lambda x: layer(x)[0])
    x = mg.tensor(np.random.default_rng(0).standard_normal((3, 4, 2)))
    for _ in range(2):
        agree(fast(x).numpy(), layer(x)[0].numpy(), 1e-12)
    assert fast(x).dtype == "f8"
    assert "gru" in on_host(fast)
