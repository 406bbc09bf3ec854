"""Products by tiles, against NumPy in float64: sizes around the edges of tiles, strips and depths, in all orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.kernels import products, recurrent, threads, tiles
from minigan.kernels.jit import AVX512, njit
from minigan.kernels.products import FEWEST, matmul, multiply, prepared, product

needs_tiles = pytest.mark.skipif(not AVX512, reason="no AVX-512 here, or NUMBA_DISABLE_JIT is set")
SIZES = st.one_of(st.integers(1, 20), st.sampled_from([31, 32, 33, 48, 63, 64, 65, 127, 128, 129, 130, 200, 257]))


def _matrix(rng, shape, order):
    a = rng.standard_normal(shape[::-1] if order == "F" else shape, dtype=np.float32)
    return a.T if order == "F" else a


@njit(cache=False)
def _by_tiles(out, x, y):
    tiles.product((*x.shape, y.shape[1], *tiles.at(out)[:2], *tiles.at(x), *tiles.at(y)))


@needs_tiles
@given(SIZES, SIZES, SIZES, st.sampled_from(["CC", "CF", "FC", "FF"]), st.integers(0, 2**32 - 1))
def test_tiles_multiply_as_numpy_does(N, K, M, orders, seed):
    rng = np.random.default_rng(seed)
    x, y = _matrix(rng, (N, K), orders[0]), _matrix(rng, (K, M), orders[1])
    frame = np.full((N + 2, M), np.nan, np.float32)
    _by_tiles(frame[1:-1], x, y)
    assert np.isnan(frame[[0, -1]]).all()  # nothing is written beside the product
    exact, most = x.astype(np.float64) @ y, np.abs(x).astype(np.float64) @ np.abs(y)
    assert (np.abs(frame[1:-1] - exact) <= 2**-24 * (K + 2) * most).all()  # Higham, 2002, section 3.5


@njit(cache=False)
def _by_blas(out, x, y):
    products._of_blas((*x.shape, y.shape[1], *tiles.at(out)[:2], *tiles.at(x), *tiles.at(y)))


@njit(cache=False)
def _by_numba(out, x, y):
    np.dot(x, y, out)


@needs_tiles
@given(*[st.integers(0, 9)] * 3, st.sampled_from(["CC", "CF", "FC", "FF"]), st.integers(0, 2**32 - 1))
def test_blas_by_addresses_gives_the_bits_of_blas(N, K, M, orders, seed):
    """For vectors and matrices without elements, too; nothing is written beside the product."""
    rng = np.random.default_rng(seed)
    x, y = _matrix(rng, (N, K), orders[0]), _matrix(rng, (K, M), orders[1])
    frame, expected = np.full((N + 2, M), np.nan, np.float32), np.empty((N, M), np.float32)
    _by_blas(frame[1:-1], x, y)
    _by_numba(expected, x, y)
    assert np.isnan(frame[[0, -1]]).all()
    np.testing.assert_array_equal(frame[1:-1], expected)


@needs_tiles
def test_tiles_take_parts_of_matrices():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 150), dtype=np.float32), rng.standard_normal((150, 90), dtype=np.float32)
    out = np.zeros((40, 70), np.float32)
    _by_tiles(out[5:33, 3:63], x[5:33, 7:140], y[7:140, 20:80])
    np.testing.assert_allclose(out[5:33, 3:63], x[5:33, 7:140] @ y[7:140, 20:80], rtol=1e-4, atol=1e-4)
    out[5:33, 3:63] = 0
    assert not out.any()


@needs_tiles
def test_what_is_not_finite_stays_so():
    x, y = np.ones((12, 128), np.float32), np.ones((128, 64), np.float32)
    x[3, 5], y[100, 60] = np.nan, np.inf
    out = np.empty((12, 64), np.float32)
    _by_tiles(out, x, y)
    assert np.isnan(out[3]).all()
    assert np.isinf(out[[0, 11], 60]).all()
    assert (out[0, :60] == 128).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("sizes", [(3, 5, 2), (64, 1, 70), (90, 80, 70), (260, 300, 250)])
def test_matmul_is_a_product_whoever_computes_it(dtype, sizes):
    N, K, M = sizes
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((N, K)).astype(dtype), rng.standard_normal((K, M)).astype(dtype)
    out = np.empty((N, M), dtype)
    for a, b in ((x, y), (x, np.asfortranarray(y)), (np.asfortranarray(x), y)):
        matmul(out, a, b)
        np.testing.assert_allclose(out, x @ y, rtol=0, atol=100 * np.finfo(dtype).eps * np.sqrt(K))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("lead", [(3, 4), (2, 3, 4), (0, 4), (40, 30)])
@pytest.mark.parametrize("sizes", [(5, 6), (1, 4), (3, 0), (64, 64)])
def test_all_rows_of_an_array_meet_a_matrix(dtype, lead, sizes):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((*lead, sizes[0])).astype(dtype), rng.standard_normal(sizes).astype(dtype)
    for a, b in ((x, y), (x, np.asfortranarray(y)), (np.asfortranarray(x), y)):
        out = np.empty((*lead, sizes[1]), dtype)
        matmul(out, a, b)
        for got in (out, product(a, b)):
            np.testing.assert_allclose(got, x @ y, rtol=0, atol=100 * np.finfo(dtype).eps * np.sqrt(sizes[0]))


def test_the_sizes_above_reach_both_ways_of_computing():
    assert 64 * 1 * 70 < FEWEST <= 90 * 80 * 70


@njit(cache=False)
def _with_prepared(out, x, y):
    multiply(out, x, prepared(y))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@given(SIZES, SIZES, SIZES, st.sampled_from(["CC", "CF", "FC", "FF"]), st.integers(0, 2**32 - 1))
def test_prepared_factors_multiply_as_others_do(dtype, N, K, M, orders, seed):
    rng = np.random.default_rng(seed)
    x, y = _matrix(rng, (N, K), orders[0]).astype(dtype), _matrix(rng, (K, M), orders[1]).astype(dtype)
    frame = np.full((N + 2, M), np.nan, dtype)
    _with_prepared(frame[1:-1], x, y)
    assert np.isnan(frame[[0, -1]]).all()
    exact, most = x.astype(np.float64) @ y, np.abs(x).astype(np.float64) @ np.abs(y)
    assert (np.abs(frame[1:-1] - exact) <= np.finfo(dtype).eps * (K + 2) * most).all()


def test_what_is_prepared_of_a_transpose_is_a_copy():
    y = np.arange(12.0).reshape(3, 4)
    assert np.array_equal(prepared(y.T), y.T)
    assert not np.shares_memory(prepared(y), y)


@pytest.mark.parametrize("orders", ["CC", "CF", "FC", "FF"])
def test_an_eager_product_has_the_bits_of_a_compiled_one(orders):
    rng = np.random.default_rng(0)
    x, y = _matrix(rng, (70, 130), orders[0]), _matrix(rng, (130, 90), orders[1])
    out = np.empty((70, 90), np.float32)
    matmul(out, x, y)
    assert np.array_equal(product(x, y), out)
    np.testing.assert_allclose(out, x.astype(np.float64) @ y, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["strided", "read-only", "mixed dtypes", "a batch", "float64", "small"])
def test_an_eager_product_of_anything_else_is_numpys(kind):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 80, 160), dtype=np.float32), rng.standard_normal((80, 80), dtype=np.float32)
    y.flags.writeable = kind != "read-only"
    x = {"strided": x[0, :, ::2], "a batch": x[..., :80], "small": x[0, :3, :80]}.get(kind, x[0, :, :80].copy())
    y = y.astype(np.float64) if kind in ("mixed dtypes", "float64") else y
    x = x.astype(np.float64) if kind == "float64" else x
    made = product(x, y)
    assert made.dtype == np.result_type(x, y)
    assert np.array_equal(made, np.matmul(x, y))


# (T, N, C, H, G): halves of the batch that end within 128 rows, at their end, behind them; of unequal size, empty;
# strips that are not full
RECURRENT = [
    (24, 64, 64, 64, 256),
    (7, 51, 33, 40, 161),
    (2, 300, 70, 32, 96),
    (3, 256, 64, 48, 192),
    (5, 80, 8, 8, 30),
    (300, 1, 40, 33, 120),
]


@needs_tiles
@pytest.mark.parametrize("one", [True, False], ids=["one cotangent", "two"])
@pytest.mark.parametrize("sizes", RECURRENT)
def test_gradients_of_recurrent_weights_are_sums_over_all_steps_whatever_the_threads(sizes, one):
    T, N, C, H, G = sizes
    rng = np.random.default_rng(0)
    da, db, x, h, h0 = (
        rng.standard_normal(shape, dtype=np.float32) for shape in [(T, N, G), (T, N, G), (T, N, C), (T, N, H), (N, H)]
    )
    db = da if one else db
    before = np.concatenate([h0[None], h[:-1]])
    expected = [np.einsum("tng,tnc->gc", a, b, dtype=np.float64, optimize=True) for a, b in ((da, x), (db, before))]
    results = []
    for number in (1, 2):
        threads.limit(number)
        try:
            results.append([np.empty(s, np.float32) for s in [(G, C), (G, H), G, G]])
            recurrent.weight_gradients(*results[-1], da, db, x, h, h0)
        finally:
            threads.limit(None)
    for alone, helped in zip(*results, strict=True):
        np.testing.assert_array_equal(alone, helped)
    expected += [a.sum((0, 1), dtype=np.float64) for a in (da, db)]
    for got, exact in zip(results[0], expected, strict=True):
        np.testing.assert_allclose(got, exact, rtol=0, atol=3e-4)
