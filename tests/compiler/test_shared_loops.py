"""Loops over many elements, which threads share, do what the eager operations do, with the same bits for any number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigan as mg
from minigan.kernels import threads
from minigan.kernels.jit import AVX512


@pytest.fixture(autouse=True)
def _as_many_threads_as_there_are():
    yield
    threads.limit(None)
    threads.stop()


def chain(x, b, y):
    """A loop over rows with a broadcast operand, one over a transpose, and two sums, which are not shared."""
    z = mg.tanh(x * 1.5 + b) * y
    return z, mg.exp(z.T * 0.1), z.sum(axis=0), (z * z).sum()


@given(
    shape=st.sampled_from(
        [(2, 9000), (9000, 2), (129, 130), (1, 20_000), (20_000, 1), (257, 64), (16_384, 1), (3, 5461)]
    ),
    broadcast=st.sampled_from([(True, False), (False, True), (True, True), (False, False)]),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=12)
def test_shared_loops_equal_eager_operations(shape, broadcast, seed):
    rng = np.random.default_rng(seed)
    b_shape = [1 if one else n for one, n in zip(broadcast, shape, strict=True)]
    x, b, y = (mg.tensor(rng.standard_normal(s)) for s in (shape, b_shape, shape))
    compiled = mg.compile(lambda x, b, y: chain(x, b, y))
    results = {}
    for number in (1, 2, 3):
        threads.limit(number)
        assert len(threads._helpers) == (number - 1 if AVX512 else 0)
        results[number] = [t.numpy() for t in compiled(x, b, y)]
    for eager, one, two, three in zip(chain(x, b, y), *results.values(), strict=True):
        np.testing.assert_allclose(one, eager.numpy(), rtol=1e-12, atol=1e-12 * np.abs(eager.numpy()).max())
        assert one.tobytes() == two.tobytes() == three.tobytes()


def test_large_loops_are_shared_and_small_ones_are_not():
    compiled = mg.compile(lambda x: mg.tanh(x) * 2.0)
    compiled(np.ones((100, 100), "f4"))
    assert "@share" not in compiled.source
    compiled(np.ones((200, 200), "f4"))
    assert "@share" in compiled.source


@pytest.mark.skipif(not AVX512, reason="one thread only, here")
def test_a_compiled_step_calls_the_helpers():
    threads.limit(2)
    threads.stop()
    mg.compile(lambda x: mg.tanh(x) * 2.0)(np.ones((200, 200), "f4"))
    assert len(threads._helpers) == 1
