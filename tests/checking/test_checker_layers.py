"""Whole layers: every kind of `mg.nn` in random configurations, at order 1 and 2, by its inputs and its parameters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigan as mg
from minigan import nn
from minigan.checking.layer_strategies import LAYERS
from minigan.checking.strategies import as_function, layers


@pytest.mark.parametrize("examples", [3, pytest.param(300, marks=pytest.mark.deep)])
@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_of_every_layer(kind, examples):
    @settings(max_examples=examples)
    @given(drawn=layers(kind), order=st.integers(1, 2), seed=st.integers(0, 2**32 - 1))
    def right(drawn, order, seed):
        module, inputs = drawn
        f, arguments = as_function(module, *inputs)
        mg.check_gradients(f, *arguments, order=order, directions=1, seed=seed)

    right()


def test_every_layer_with_a_derivative_is_drawn():
    seen = set()
    for kind in LAYERS:

        @settings(max_examples=40, derandomize=True, database=None)
        @given(drawn=layers(kind))
        def look(drawn):
            module, inputs = drawn
            seen.update(type(inner).__name__ for inner in module.modules())
            assert all(x.dtype == np.float64 for x in [*inputs, *module.parameters()])

        look()
    public = {name: getattr(nn, name) for name in nn.__all__}
    kinds = {name for name, kind in public.items() if isinstance(kind, type) and issubclass(kind, nn.Module)}
    assert kinds - seen == {"Dropout", "Module"}


class Wrong(nn.Module):
    """A layer that forgets the gradient of its gain."""

    def __init__(self):
        self.inner = nn.Dense(3, 2, rng=0)
        self.gain = nn.Parameter(np.ones(2))

    def forward(self, x):
        return self.inner(x) * self.gain.detach()


def test_a_wrong_layer_is_found_and_its_parameter_named():
    module = Wrong()
    before = module.parameters()
    f, arguments = as_function(module, np.ones((4, 3)))
    report = mg.check_gradients(f, *arguments, seed=0, raise_on_failure=False)
    assert (report.diagnosis, report.name) == ("zero", "'gain'")
    assert "'inner_weight'" not in str(report)
    assert [p is q for p, q in zip(module.parameters(), before, strict=True)] == [True, True, True]


def test_a_shared_parameter_is_one_argument():
    layer = nn.Dense(2, 2, rng=0)
    f, arguments = as_function(nn.Sequential(layer, nn.Tanh(), layer), np.ones((3, 2)))
    assert len(arguments) == 3
    assert mg.check_gradients(f, *arguments, seed=0).ok


def test_running_statistics_stay():
    norm = nn.BatchNorm1d(2)
    f, arguments = as_function(norm, np.random.default_rng(0).standard_normal((5, 2)))
    mg.check_gradients(f, *arguments, seed=0)
    assert norm.num_batches_tracked.item() == 0
