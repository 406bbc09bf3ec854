"""Arrays from anywhere become what kernels are compiled for."""

import numpy as np
import pytest

from minigan.kernels.host import plain

READ_ONLY = np.ones((3, 4))
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    "arrays",
    [
        [np.ones((3, 4)), np.ones(2)],
        [np.ones((3, 4), "f4"), np.ones(2)],
        [np.ones((3, 4), "f2"), np.ones(2, "f2")],
        [np.ones((3, 4), ">f4")],
        [np.ones((3, 4), int), np.ones(2, "f4")],
        [np.ones((3, 4), order="F"), np.ones((6, 8))[::2, ::2]],
        [READ_ONLY, np.broadcast_to(2.0, (3, 4))],
    ],
)
def test_one_native_dtype_in_c_order_and_writable(arrays):
    made = plain(*arrays)
    (dtype,) = {a.dtype for a in made}
    assert dtype == np.result_type(*arrays, np.float32)
    assert dtype.isnative
    assert all(a.flags.carray for a in made)
    for a, b in zip(made, arrays, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_plain_is_not_copied():
    a, b = np.ones((2, 3), "f4"), np.zeros(4, "f4")
    assert plain(a, b)[0] is a
    assert plain(a, b)[1] is b
