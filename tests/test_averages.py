"""EMA: the average of a module's parameters, however they lie and whoever keeps them."""

import copy

import numpy as np
import pytest
from parameters import give

import minigan as mg
from minigan import nn, optim


class WithBuffer(nn.Module):
    def __init__(self):
        with mg.default_dtype("float64"):
            self.dense = nn.Dense(2, 3)
        self.seen = nn.Buffer(np.array(0))

    def forward(self, x):
        return self.dense(x)


def move(parameters, seed):
    rng = np.random.default_rng(seed)
    for p in parameters:
        p.assign(rng.standard_normal(p.shape))


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("optimised", ["all", "none", "in reverse", "with others", "the last ones"])
def test_average_is_the_formula(decay, optimised):
    """However the parameters lie, and whoever keeps them."""
    module, other = WithBuffer(), nn.Parameter(np.ones(2))
    groups = {
        "all": [module.parameters()],
        "none": [],
        "in reverse": [module.parameters()[::-1]],
        "with others": [[*module.parameters(), other]],
        "the last ones": [module.parameters()[1:]],
    }[optimised]
    average = optim.EMA(module, decay)
    expected = [p.numpy() for p in module.parameters()]
    optimisers = [optim.SGD(group, 0.1) for group in groups]  # after the average: they take the parameters over
    for seed in range(5):
        move(module.parameters(), seed)
        for optimiser in optimisers:
            give(optimiser.params, [np.ones(p.shape) for p in optimiser.params])
            optimiser.step()
        average.update()
        expected = [decay * e + (1 - decay) * p.numpy() for e, p in zip(expected, module.parameters(), strict=True)]
    for p, e in zip(average.module.parameters(), expected, strict=True):
        np.testing.assert_allclose(p.numpy(), e, rtol=1e-13, atol=1e-15)


def test_average_follows_parameters_to_another_optimiser():
    module = WithBuffer()
    first, average = optim.SGD(module.parameters(), 0.1), optim.EMA(module, 0.0)
    average.update()
    second = optim.SGD(module.parameters()[1:], 0.1)  # fine tuning: the first parameter stays where it was
    give(second.params, [np.ones(p.shape) for p in second.params])
    second.step()
    average.update()
    for p, e in zip(average.module.parameters(), module.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), e.numpy())
    assert first.params[1] is second.params[0]


def test_average_does_not_take_parameters_from_their_optimiser():
    module, other = WithBuffer(), nn.Parameter(np.ones(2))
    optimiser = optim.SGD([other, *module.parameters()], 0.1)
    average = optim.EMA(module, 0.5)
    average.update()
    give(optimiser.params, [np.ones(p.shape) for p in optimiser.params])
    optimiser.step()
    assert other.numpy().tolist() == [0.9, 0.9]


def test_average_starts_at_the_parameters_and_moves_by_update_only():
    module = WithBuffer()
    average = optim.EMA(module, 0.5)
    start = module.state_dict()
    move(module.parameters(), 0)
    for name, value in average.module.state_dict().items():
        np.testing.assert_array_equal(value, start[name])


def test_average_copies_buffers():
    module = WithBuffer()
    average = optim.EMA(module, 0.9)
    module.seen.assign(np.array(7))
    assert average.module.seen.item() == 0
    average.update()
    assert average.module.seen.item() == 7
    assert average.module.seen.dtype == module.seen.dtype


def test_average_is_a_module_of_its_own():
    module = WithBuffer()
    average = optim.EMA(module, 0.9)
    before = module.state_dict()
    move(average.module.parameters(), 3)
    average.module.eval()
    for name, value in module.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert module.training
    average.update()
    again = copy.deepcopy(average.module)
    assert again.state_dict().keys() == before.keys()


def test_average_records_nothing():
    module = WithBuffer()
    average = optim.EMA(module, 0.9)
    average.update()
    assert all(p.is_leaf and p.grad is None for p in (*module.parameters(), *average.module.parameters()))


def test_average_of_shared_parameters():
    layer = nn.Dense(2, 2)
    module = nn.Sequential(layer, nn.Tanh(), layer)
    average = optim.EMA(module, 0.5)
    before = layer.weight.numpy()
    layer.weight.assign(before + 1)
    average.update()
    np.testing.assert_allclose(average.module[0].weight.numpy(), before + 0.5, rtol=1e-6)
    assert average.module[2].weight is average.module[0].weight
