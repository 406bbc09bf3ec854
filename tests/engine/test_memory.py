"""Long chains and what is left of them: no recursion, no cycles, no leak. The garbage collector is off throughout."""

import gc
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

import minigan as mg
from minigan.ops import writes

DEEP = 100_000


@pytest.fixture(autouse=True)
def no_collector():
    """Whatever goes, goes because nothing refers to it any more."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def chain(x, length):
    y = x
    for _ in range(length):
        y = y + x
    return y


def test_a_deep_chain_forward_and_backward():
    x = mg.tensor(1.0, requires_grad=True, dtype="f8")
    y = chain(x, DEEP)
    assert y.item() == DEEP + 1
    y.backward()
    assert x.grad.item() == DEEP + 1


def test_a_deep_chain_that_is_never_walked():
    """Dropping the last tensor drops 100,000 nodes, one inside the other."""
    x = mg.tensor(1.0, requires_grad=True)
    chain(x, DEEP)  # fills Python's own lists of free tuples
    before = sys.getallocatedblocks()
    y = chain(x, DEEP)
    held = sys.getallocatedblocks() - before
    last = weakref.ref(y)
    del y
    assert last() is None
    assert held > 5 * DEEP
    assert sys.getallocatedblocks() - before < 100


@pytest.mark.parametrize("walk", ["backward", "retained", "create_graph"])
def test_memory_returns_to_its_level(walk):
    x = mg.tensor(1.0, requires_grad=True, dtype="f8")

    def run():
        y = chain(x, 3000) * 1.0
        y.backward(retain_graph=walk == "retained", create_graph=walk == "create_graph")
        x.grad = None

    tracemalloc.start()
    try:
        run()
        before, _ = tracemalloc.get_traced_memory()
        run()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before > 1_000_000
    assert after - before < 5_000


def test_backward_frees_the_values_while_the_loss_is_still_held():
    x = mg.tensor(np.ones(1000), requires_grad=True)
    hidden = mg.exp(x)
    values = weakref.ref(hidden._data)
    loss = (hidden * hidden).sum()
    del hidden
    assert values() is not None
    loss.backward()
    assert values() is None
    assert loss.item() > 0


def test_what_is_not_recorded_is_not_kept():
    x = mg.tensor(np.ones(1000), requires_grad=True)
    with mg.no_grad():
        hidden = mg.exp(x)
        values = weakref.ref(hidden._data)
        total = hidden.sum()
    del hidden
    assert values() is None
    assert not total.requires_grad


def _step(x, w):
    loss = mg.softplus(mg.tanh(x @ w)).mean()
    loss.backward()
    with mg.no_grad():
        w.assign(w - 0.1 * w.grad)
    w.grad = None


def _penalty(x, w):
    g = mg.grad(lambda x: mg.tanh(x @ w).sum())(x)
    (g * g).sum().backward(inputs=[w])
    w.grad = None


def _second(x, w):
    loss = mg.tanh(x @ w).sum()
    loss.backward(inputs=[w], create_graph=True)
    g, w.grad = w.grad, None
    (g * g).sum().backward()
    w.grad = None


def _forward(x, w):
    mg.jvp(lambda x: mg.tanh(x @ w), x, x)
    mg.hvp(lambda x: mg.tanh(x @ w).sum(), x, x)


def _several(x, w):
    a, b = mg.split(x @ w, 2)
    mg.concatenate([a, b * b]).sum().backward()
    w.grad = None


def _update(x, w):
    mg.tanh(x @ w).sum().backward()
    writes.sgd_update(w.reshape(-1).detach(), w.grad.reshape(-1), mg.tensor(np.zeros(w.size)), [0.1, 0.9])
    w.grad = None


@pytest.mark.parametrize("step", [_step, _penalty, _second, _forward, _several, _update], ids=lambda f: f.__name__[1:])
def test_no_cycles(step):
    """The collector finds nothing to collect after any kind of step."""
    x, w = mg.tensor(np.ones((4, 3))), mg.tensor(np.ones((3, 2)), requires_grad=True)
    step(x, w)
    gc.collect()
    for _ in range(3):
        step(x, w)
    assert gc.collect() == 0


def test_the_graph_of_a_create_graph_step_goes_with_its_gradient():
    """As in PyTorch: w -> w.grad -> graph -> w is a cycle until .grad is reset; then everything goes at once."""
    w = mg.tensor(np.ones(3), requires_grad=True)
    (w * w * w).sum().backward(create_graph=True)
    node = weakref.ref(w.grad)
    w.grad = None
    assert node() is None
    assert gc.collect() == 0
