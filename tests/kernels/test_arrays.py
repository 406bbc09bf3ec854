"""Arrays by address: in compiled code and in Python, the same elements in the same places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import boolean, float32, float64, int64

from minigan.kernels.arrays import array, array_of, in_python
from minigan.kernels.jit import njit

TYPES = {
    np.dtype(np.float32): float32,
    np.dtype(np.float64): float64,
    np.dtype(np.int64): int64,
    np.dtype(bool): boolean,
}


@njit(cache=False)
def _filled_in_rows(address, shape):
    array(address, float32, shape, "C")[:, 1:] = 7


@njit(cache=False)
def _filled_in_columns(address, shape):
    array(address, float32, shape, "F")[:, 1:] = 7


@njit(cache=False)
def _filled_in_steps(address, shape, steps):
    array(address, float32, shape, steps)[:, 1:] = 7


@given(st.integers(0, 5), st.integers(0, 5))
def test_compiled_code_writes_where_numpy_does(rows, columns):
    for order in "CF":
        x = np.zeros((rows, columns), np.float32, order)
        fill = _filled_in_rows if order == "C" else _filled_in_columns
        fill(x.ctypes.data, x.shape)
        assert np.array_equal(x, _expected(x.shape))


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 2, -1, -3]), st.sampled_from([1, 3, -2]))
def test_steps_lead_anywhere_backwards_too(rows, columns, down, across):
    whole = np.zeros((3 * rows, 3 * columns), np.float32)
    x = whole[::down, ::across][:rows, :columns]
    _filled_in_steps(x.ctypes.data, x.shape, x.strides)
    assert np.array_equal(x, _expected(x.shape))
    assert np.count_nonzero(whole) == x[:, 1:].size


@njit(cache=False)
def _turned(memory):
    x, y = array_of(memory, 0, float32, (2, 3), "C"), array_of(memory, 1, float64, (3, 2), "F")
    backwards = array_of(memory, 2, int64, (3,), (-8,))
    for i in range(2):
        for j in range(3):
            y[j, i] = x[i, j] + backwards[j]


def test_arrays_are_found_in_a_table_of_addresses():
    x, y, z = np.ones((2, 3), np.float32), np.zeros((3, 2), order="F"), np.array([1, 2, 3])
    _turned(np.array([x.ctypes.data, y.ctypes.data, z[-1:].ctypes.data]))
    assert np.array_equal(y, [[4, 4], [3, 3], [2, 2]])


def _expected(shape):
    expected = np.zeros(shape, np.float32)
    expected[:, 1:] = 7
    return expected


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("view", ["C", "F", "steps", "empty", "0-d"])
def test_python_finds_the_same_array(dtype, view):
    x = np.arange(24).reshape(4, 6).astype(dtype)
    x = {"C": x, "F": x.T, "steps": x[::-2, 1::3], "empty": x[:0], "0-d": x[2, 3, ...]}[view]
    order = x.strides if view == "steps" else "F" if view == "F" else "C"
    found = in_python(x.ctypes.data, TYPES[dtype], x.shape, order)
    assert found.dtype == x.dtype
    assert np.array_equal(found, x)
    assert np.shares_memory(found, x) or not x.size
