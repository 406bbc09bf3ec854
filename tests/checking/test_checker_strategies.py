"""The hypothesis strategies draw what they promise; the domains of the primitives as well."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.checking import check_gradients, strategies
from minigan.domains import (
    POSITIVE,
    REAL,
    UNIT,
    Domain,
    Interval,
    broadcastable_shapes,
    elementwise,
    random_axis,
    random_shape,
    reduction,
)

INTERVALS = [
    REAL,
    POSITIVE,
    UNIT,
    Interval(high=2.0),
    Interval(-1.0, 1.0, kinks=(0.0,)),
    Interval(kinks=(-1.0, 2.0)),
    Interval(high=1.0, kinks=(0.0,)),
]
seeds = st.integers(0, 2**32 - 1)


def inside(x, interval):
    ends = np.all((x > interval.low) & (x < interval.high))
    return ends and all(np.all(np.abs(x - kink) > 1e-6) for kink in interval.kinks)


# -- strategies -----------------------------------------------------------------------------------------------------
@given(data=st.data(), interval=st.sampled_from(INTERVALS), dtype=st.sampled_from(["f4", "f8"]))
def test_arrays_lie_in_their_interval(data, interval, dtype):
    x = data.draw(strategies.arrays(interval=interval, dtype=dtype))
    assert x.dtype == dtype
    assert inside(x, interval)


@given(x=strategies.arrays((2, 3)), layout=strategies.layouts())
def test_layouts_keep_the_values(x, layout):
    y = strategies.lay_out(x, layout)
    np.testing.assert_array_equal(x, y)
    assert y.flags.writeable == (layout != "read-only")
    assert y.flags.c_contiguous == (layout in ("C", "read-only"))
    assert all(s < 0 for s in y.strides) == (layout == "reversed")


def test_an_unknown_layout():
    with pytest.raises(ValueError, match="expected one of C, F, strided, reversed, read-only"):
        strategies.lay_out(np.ones(3), "diagonal")


@given(args=strategies.groups(REAL, POSITIVE, UNIT))
def test_groups_broadcast(args):
    np.broadcast_shapes(*[a.shape for a in args])
    assert all(inside(a, i) for a, i in zip(args, (REAL, POSITIVE, UNIT), strict=True))


def test_empty_arrays_and_every_layout_occur():
    seen = set()

    @settings(max_examples=300, derandomize=True, database=None)
    @given(x=strategies.arrays(layout="F"), layout=strategies.layouts(), shape=strategies.shapes())
    def look(x, layout, shape):
        seen.update({layout, f"{len(shape)} axes", "empty" if x.size == 0 else "full"})

    look()
    assert seen == {*strategies.LAYOUTS, "0 axes", "1 axes", "2 axes", "3 axes", "empty", "full"}


@given(example=strategies.arguments(elementwise(POSITIVE, REAL)))
def test_arguments_of_a_domain(example):
    (a, b), params = example
    assert params == {}
    report = check_gradients(lambda a, b: np.sum(np.log(a) * b), a, b, grad=log_times_grad)
    assert report.ok


def log_times_grad(a, b):
    by_a, by_b = np.broadcast_arrays(b / a, np.log(a) + 0 * b)
    return [unbroadcast(g, x.shape) for g, x in ((by_a, a), (by_b, b))]


def unbroadcast(g, shape):
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return np.asarray(g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1), keepdims=True))


def test_without_hypothesis_the_rest_works_and_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import minigan.checking as checking\n"
        "try:\n    checking.strategies\n"
        "except ImportError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "minigan.checking.strategies needs hypothesis: pip install hypothesis"


# -- domains --------------------------------------------------------------------------------------------------------
@given(seed=seeds, side=st.integers(1, 5), interval=st.sampled_from(INTERVALS))
def test_domains_draw_from_their_intervals(seed, side, interval):
    for domain in (elementwise(interval), elementwise(interval, REAL), reduction(interval)):
        args, _ = domain.sample(np.random.default_rng(seed), side)
        assert all(type(a) is np.ndarray and a.dtype == np.float64 for a in args)
        assert all(max(a.shape, default=0) <= side for a in args)
        assert inside(args[0], interval)
        again, _ = domain.sample(np.random.default_rng(seed), side)
        assert all(np.array_equal(a, b) for a, b in zip(args, again, strict=True))


@given(seed=seeds)
def test_arguments_that_are_kept_apart_never_meet(seed):
    (a, b), _ = elementwise(REAL, REAL, apart=True).sample(np.random.default_rng(seed))
    gap = np.abs(a - b)
    assert gap.size == 0 or gap.min() > 1e-2 * max(np.abs(a).max(), np.abs(b).max())
    (x,), _ = reduction(distinct=True, least=1).sample(np.random.default_rng(seed))
    assert np.min(np.diff(np.sort(x, axis=None)), initial=1.0) > 0.5


@given(seed=seeds, least=st.integers(0, 2))
def test_axes_and_shapes_are_valid(seed, least):
    rng = np.random.default_rng(seed)
    shape = random_shape(rng, 4, least=least)
    assert all(least <= n <= 4 for n in shape)
    np.sum(np.zeros(shape), axis=random_axis(rng, len(shape)))
    np.broadcast_shapes(*broadcastable_shapes(rng, 3))


def test_every_scale_and_every_end_is_drawn():
    rng = np.random.default_rng(0)
    sizes = [np.abs(REAL.draw(rng, (5,))).max() for _ in range(500)]
    assert min(sizes) < 1e-2
    assert max(sizes) == 1000
    assert Domain(lambda rng, side: ((), {"axis": side})).sample(rng, 7) == ((), {"axis": 7})
    with pytest.raises(ValueError, match="is not below"):
        Interval(1.0, 1.0)
