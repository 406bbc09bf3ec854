"""Large arguments are read where they are, large results are the caller's own: as if everything were copied."""

import weakref

import numpy as np
import pytest

import minigan as mg
from minigan.compiler.layout import LINE, empty, is_whole
from minigan.compiler.places import LARGE

ROWS = LARGE // 4 // 64  # of 64 numbers: large enough to stay where it is
PLAIN = np.random.default_rng(0).standard_normal((2 * ROWS, 64), dtype=np.float32)


def frozen(a):
    a = a.copy()
    a.flags.writeable = False
    return a


ARGUMENTS = {
    "a new array": lambda: PLAIN + 1,
    "in Fortran's order": lambda: np.asfortranarray(PLAIN),
    "every other row of a larger one": lambda: np.repeat(PLAIN, 2, axis=0)[::2],
    "one that must not be written to": lambda: frozen(PLAIN),
    "one number, repeated": lambda: np.broadcast_to(np.float32(3), PLAIN.shape),
}


def tensor_of(array):
    """A tensor that holds this very array, in its order."""
    t = mg.tensor(np.zeros(array.shape, array.dtype))
    t._data = array
    return t


@pytest.mark.parametrize("name", ARGUMENTS)
def test_any_argument_gives_what_the_eager_step_gives(name):
    def step(x):
        return x[1:] * 2.0 + x[:-1], x.T.sum(axis=0), x.reshape(-1, 32)

    compiled = mg.compile(step)
    compiled(mg.tensor(PLAIN))
    for _ in range(2):
        x = tensor_of(ARGUMENTS[name]())
        before = x.numpy().copy()
        for got, expected in zip(compiled(x), step(x), strict=True):
            np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(x.numpy(), before)


def test_large_arguments_and_results_are_not_copied():
    compiled = mg.compile(lambda x: x * 2.0)
    x = mg.tensor(PLAIN)
    compiled(x)
    places = compiled.last.places
    memory = places.memory([x])
    assert memory[0] is x._data
    assert next(places.returned(memory)) is memory[1]


def test_nothing_of_the_callers_is_kept():
    compiled = mg.compile(lambda x: x[1:] * 2.0)
    for _ in range(2):
        compiled(mg.tensor(PLAIN))
    x = mg.tensor(PLAIN)
    y = compiled(x)
    given, made = weakref.ref(x._data), weakref.ref(y._data)
    del x, y
    assert given() is None
    assert made() is None


def test_results_of_two_calls_share_no_memory():
    compiled = mg.compile(lambda x: (x * 2.0, x + 1.0))
    first = compiled(mg.tensor(PLAIN))
    kept = [t.numpy().copy() for t in first]
    second = compiled(mg.tensor(PLAIN + 1))
    for t, before, new in zip(first, kept, second, strict=True):
        np.testing.assert_array_equal(t.numpy(), before)
        assert not np.shares_memory(t.numpy(), new.numpy())


def test_what_is_returned_twice_or_was_an_argument_is_the_callers_alone():
    def step(x):
        y = x * 2.0
        return y, y, y.reshape(-1, 32), x, x[1:]

    compiled = mg.compile(step)
    x = mg.tensor(PLAIN)
    for _ in range(3):
        results = [t.numpy() for t in compiled(x)]
        for got, expected in zip(results, step(x), strict=True):
            np.testing.assert_array_equal(got, expected.numpy())
        for i, a in enumerate([*results, x.numpy()]):
            assert not any(np.shares_memory(a, b) for b in results[:i])


def test_what_runs_on_the_host_sees_the_arguments_of_this_call():
    """A maximum has no kernel: it runs on the program's own memory, and on views that begin anywhere in it."""

    def step(x):
        return x[3:].max(axis=0), x * 2.0

    compiled = mg.compile(step)
    for k in range(3):
        x = mg.tensor(PLAIN + 10.0 * k)
        for got, expected in zip(compiled(x), step(x), strict=True):
            np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-6)


def test_large_draws_that_are_returned_are_new_at_each_call():
    rng = mg.random.default_rng(5)
    compiled = mg.compile(lambda: rng.normal((2 * ROWS, 64)))
    drawn = [compiled().numpy() for _ in range(3)]
    again = mg.random.default_rng(5)
    for z in drawn:
        np.testing.assert_array_equal(z, again.normal((2 * ROWS, 64)).numpy())


def test_parameters_that_are_returned_stay_the_networks_own():
    w = mg.tensor(PLAIN, requires_grad=True)
    descend = mg.optim.SGD([w], lr=0.1)

    @mg.compile
    def step(x):
        descend.zero_grad()
        (w * x).sum().backward()
        descend.step()
        return w, w.grad

    for k in range(1, 4):
        copy, gradient = step(mg.tensor(np.ones_like(PLAIN)))
        np.testing.assert_allclose(copy.numpy(), PLAIN - 0.1 * k, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(gradient.numpy(), 1)
        assert not np.shares_memory(copy.numpy(), w.numpy())


def test_memory_of_a_step_begins_on_cache_lines():
    compiled = mg.compile(lambda x: mg.tanh(x @ x.T) + mg.tanh(x).sum())
    compiled(mg.tensor(PLAIN[:30]))
    cells = [c for v, c in compiled.last.source.layout.cells.items() if v.kind in ("input", "result")]
    assert len(cells) > 3
    assert not any(c.ctypes.data % LINE for c in cells if c.base is not None and is_whole(c))
    assert sum(map(is_whole, cells)) > 2


@pytest.mark.parametrize("shape", [(), (3,), (4, 16), (0, 5)])
def test_a_part_is_not_the_whole(shape):
    whole = empty(shape, np.dtype(np.float32))
    assert whole.shape == shape
    assert not whole.ctypes.data % LINE
    assert is_whole(whole)
    assert is_whole(whole.reshape(-1))
    if whole.size:
        assert not is_whole(whole.reshape(-1)[1:])
        assert not is_whole(whole.reshape(-1)[:-1])
