"""Finite data sets: the user's own arrays, and images held as bytes."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from minigan import data
from minigan.errors import DataError


def pictures(n=50):
    return np.random.default_rng(0).integers(0, 256, (n, 28, 28), dtype=np.uint8)


def test_import_is_light():
    code = "import sys, minigan.data; print(*{'matplotlib', 'pooch', 'requests', 'numba', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


class TestFromArray:
    @given(
        npst.arrays(
            st.sampled_from([np.float16, np.float32, np.float64, np.int16, np.uint8, bool]),
            npst.array_shapes(min_dims=2, max_dims=4, max_side=5),
        ).filter(lambda x: np.isfinite(x).all() and (np.abs(x.astype(float)) < 1e38).all())
    )
    def test_items_come_back_as_float32(self, x):
        dataset = data.from_array(x)
        assert isinstance(dataset, data.Dataset)
        assert len(dataset) == len(x)
        assert dataset.shape == x.shape[1:]
        assert dataset[:].dtype == np.float32
        np.testing.assert_array_equal(dataset[:], x.astype(np.float32))
        drawn = dataset.sample(9, seed=1)
        assert drawn.shape == (9, *dataset.shape)
        assert drawn.dtype == np.float32
        assert all((dataset[:] == row).all(axis=tuple(range(1, x.ndim))).any() for row in drawn)

    def test_one_axis_becomes_a_column(self):
        dataset = data.from_array([1, 2, 3])
        assert dataset.shape == (1,)
        np.testing.assert_array_equal(dataset[:], [[1], [2], [3]])

    def test_later_changes_of_the_array_do_not_reach_it(self):
        x = np.ones((4, 2), dtype=np.float32)
        dataset = data.from_array(x)
        x[:] = np.nan
        assert (dataset[:] == 1).all()
        dataset[0][:] = 7  # what is indexed is the caller's own
        assert (dataset.sample(8, seed=0) == 1).all()

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
    def test_first_bad_value_is_named(self, bad):
        x = np.zeros((5, 3))
        x[2, 1] = x[4, 0] = bad
        with pytest.raises(DataError, match=r"x\[2, 1\] is .* must be finite .*2 of 15"):
            data.from_array(x)

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            (3.0, r"shape \(\)"),
            ([], r"shape \(0,\)"),
            (np.zeros((0, 2)), r"shape \(0, 2\)"),
            (np.zeros((3, 0)), r"shape \(3, 0\)"),
            (np.array([None, 1]), "dtype object"),
            (np.zeros((2, 2), complex), "dtype complex128"),
            ("points.npy", "allow_pickle=False"),
            ([[1, 2], [3]], "same shape"),
        ],
    )
    def test_other_things_are_refused(self, x, message):
        with pytest.raises(DataError, match=message):
            data.from_array(x)

    def test_std_of_large_values_does_not_overflow(self):
        assert data.from_array(np.float32([0, 2e30])).std == pytest.approx(1e30)

    def test_mean_and_std_survive_a_large_offset(self):
        x = 1e6 + np.random.default_rng(2).normal(size=(3000, 4))
        dataset = data.from_array(x.astype(np.float32))
        assert dataset.mean == pytest.approx(1e6, abs=0.1)
        assert dataset.std == pytest.approx(x.astype(np.float32).std(dtype=float), rel=1e-9)


class TestImageDataset:
    def test_images_are_floats_from_0_to_1_with_a_channel(self):
        pixels = pictures()
        pixels[0, 0, :2] = 0, 255
        dataset = data.ImageDataset(pixels, "test")
        assert dataset.shape == (1, 28, 28)
        assert dataset[0].dtype == np.float32
        assert dataset[0][0, 0, 0] == 0.0
        assert dataset[0][0, 0, 1] == 1.0
        np.testing.assert_array_equal(dataset[:][:, 0], (pixels / 255).astype(np.float32))

    def test_indexing_is_numpys(self):
        dataset = data.ImageDataset(pictures(), "test")
        assert len(dataset) == 50
        assert dataset[-1].shape == (1, 28, 28)
        assert dataset[3:5].shape == (2, 1, 28, 28)
        assert dataset[[7, 1, 7]].shape == (3, 1, 28, 28)
        assert dataset[np.arange(50) % 2 == 0].shape == (25, 1, 28, 28)
        assert len(list(dataset)) == 50
        with pytest.raises(IndexError):
            dataset[50]

    def test_sample_draws_rows_with_replacement(self):
        dataset = data.ImageDataset(pictures(), "test")
        x = dataset.sample(1000, seed=4)
        assert x.shape == (1000, 1, 28, 28)
        match = (x[:, np.newaxis, 0, :3, :3] == dataset[:][np.newaxis, :, 0, :3, :3]).all(axis=(2, 3))
        assert (match.sum(axis=1) == 1).all()  # each is one of the 50
        assert match.any(axis=0).all()  # and each of the 50 is drawn
        np.testing.assert_array_equal(x[:9], data.ImageDataset(pictures(), "test").sample(1000, seed=4)[:9])
        assert not np.array_equal(x, dataset.sample(1000, seed=5))

    def test_mean_and_std_are_over_all_pixels(self):
        pixels = pictures(2500)  # more than one block
        dataset = data.ImageDataset(pixels, "test")
        assert dataset.mean == pytest.approx((pixels / 255).mean(), rel=1e-6)
        assert dataset.std == pytest.approx((pixels / 255).std(), rel=1e-6)

    def test_images_stay_bytes_in_memory(self):
        pixels = pictures(10_000)
        tracemalloc.start()
        try:
            dataset = data.ImageDataset(pixels, "test")
            dataset.sample(128, seed=0)
            dataset.std  # noqa: B018
            assert tracemalloc.get_traced_memory()[1] < pixels.nbytes * 2  # as float32: 4 times
        finally:
            tracemalloc.stop()
        assert np.shares_memory(dataset.array, pixels)

    @pytest.mark.parametrize("pixels", [np.zeros((3, 28, 28)), np.zeros((3, 784), np.uint8)])
    def test_other_arrays_are_refused(self, pixels):
        with pytest.raises(DataError, match=r"uint8 of shape \(N, H, W\), got .*from_array"):
            data.ImageDataset(pixels, "test")
