"""Normal numbers: NumPy's, bit by bit, with its state, whoever draws; where there is no such thing, NumPy draws."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.kernels import normals

needs_ours = pytest.mark.skipif(not normals.is_numpys(), reason="numbers are NumPy's here")
DRAWS = st.lists(
    st.one_of(
        st.tuples(st.just("ours"), st.integers(normals.FEWEST, 3000)),
        st.tuples(st.just("normals"), st.integers(0, 40)),
        st.tuples(st.just("integers"), st.integers(1, 3)),
        st.tuples(st.just("doubles"), st.integers(1, 3)),
    ),
    max_size=12,
)


@pytest.fixture(autouse=True)
def _from_the_first_number_on(monkeypatch):
    monkeypatch.setattr(normals, "MANY", 0)


def _twins(seed):
    return np.random.default_rng(seed), np.random.default_rng(seed)


def test_on_linux_it_is_numpys():
    """So that the tests below are not left out where they matter."""
    import numba

    if sys.platform == "linux" and sys.byteorder == "little" and not numba.config.DISABLE_JIT:
        assert normals.is_numpys()


@needs_ours
def test_a_million_numbers_are_numpys():
    """Some ten thousand of them beside their layer, some hundreds in the tail."""
    ours, numpys = _twins(12)
    made = normals.standard_normal(ours, (1000, 1001))
    assert np.array_equal(made, numpys.standard_normal((1000, 1001), dtype=np.float32))
    assert ours.bit_generator.state == numpys.bit_generator.state
    assert np.sum(np.abs(made) > normals.R) > 100


@needs_ours
@given(st.integers(0, 2**32), DRAWS)
def test_one_stream_whoever_draws(seed, draws):
    ours, numpys = _twins(seed)
    for kind, n in draws:
        if kind == "ours":
            a, b = normals.standard_normal(ours, n), numpys.standard_normal(n, dtype=np.float32)
        else:
            draw = {
                "normals": lambda rng, n=n: rng.standard_normal(n, dtype=np.float32),
                "integers": lambda rng, n=n: rng.integers(0, 1000, n, dtype=np.uint32),  # takes 32 bits at a time
                "doubles": lambda rng, n=n: rng.random(n),
            }[kind]
            a, b = draw(ours), draw(numpys)
        assert np.array_equal(a, b)
        assert ours.bit_generator.state == numpys.bit_generator.state


@needs_ours
def test_a_state_that_is_assigned_is_gone_on_from():
    ours, numpys = _twins(3)
    state = ours.bit_generator.state
    first = normals.standard_normal(ours, 777)
    ours.bit_generator.state = state
    assert np.array_equal(normals.standard_normal(ours, 777), first)
    assert np.array_equal(numpys.standard_normal(777, dtype=np.float32), first)


def test_the_layers_have_equal_areas():
    """Of rectangles between neighbouring heights, and of the lowest one with its tail."""
    width, height = normals.WIDTH.astype(np.float64) * 2**23, normals.HEIGHT.astype(np.float64)
    tail = math.sqrt(math.pi / 2) * math.erfc(normals.R / math.sqrt(2))
    areas = width[1:] * (height[:-1] - height[1:])
    np.testing.assert_allclose(areas, normals.R * height[255] + tail, rtol=1e-4)
    np.testing.assert_allclose(width[0] * height[255], normals.R * height[255] + tail, rtol=1e-6)
    np.testing.assert_allclose(normals.INSIDE[2:] / 2**23, width[1:-1] / width[2:], atol=1e-6)


@pytest.mark.parametrize("source", [np.random.PCG64DXSM, np.random.Philox, np.random.MT19937])
def test_other_generators_draw_themselves(source):
    ours, numpys = (np.random.Generator(source(5)) for _ in range(2))
    assert np.array_equal(normals.standard_normal(ours, 1000), numpys.standard_normal(1000, dtype=np.float32))


def test_where_it_differs_from_numpy_it_is_not_used(monkeypatch):
    normals.is_numpys.cache_clear()
    monkeypatch.setattr(normals, "_draw", lambda source, out, *addresses: out.fill(0))
    try:
        assert not normals.is_numpys()
        assert np.std(normals.standard_normal(np.random.default_rng(0), 1000)) > 0.9
    finally:
        normals.is_numpys.cache_clear()


@needs_ours
def test_numpy_draws_the_first_numbers_of_a_process(monkeypatch):
    """The two go on in one stream, and nothing is compiled for a few numbers."""
    assert normals.is_numpys()  # tried now, so that it is not counted below
    used = []
    draw = normals._draw
    monkeypatch.setattr(normals, "_draw", lambda *arguments: (used.append(len(arguments[1])), draw(*arguments)))
    monkeypatch.setattr(normals, "MANY", 1000)
    monkeypatch.setattr(normals, "_drawn", 0)
    ours, numpys = _twins(8)
    for _ in range(5):
        assert np.array_equal(normals.standard_normal(ours, 400), numpys.standard_normal(400, dtype=np.float32))
    assert used == [400] * 3


@pytest.mark.parametrize("shape", [(), (300,), (20, 30), (0, 5)])
def test_the_packages_generator_draws_them(shape):
    rng, numpys = mg.random.default_rng(9), np.random.default_rng(9)
    assert np.array_equal(rng.normal(shape).numpy(), numpys.standard_normal(shape, dtype=np.float32))
