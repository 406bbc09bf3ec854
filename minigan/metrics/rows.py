"""What the measures share: samples as rows, and distances between many pairs of rows in little memory."""

import numpy as np

from minigan.errors import DataError, ShapeError

ENTRIES = 2**22  # of a block of the table of pairs: 32 MB in float64


def as_rows(*samples, name, at_least=1, dtype=np.float64):
    """Return samples (N, ...) as rows (N, K) of floats.

    Parameters
    ----------
    *samples : (N, ...) array_like
        Each may have its own N.
    name : str
        Of the measure, for messages.
    at_least : int
        The least N.
    dtype : dtype

    Raises
    ------
    ShapeError
        If there are too few items, or those of one array have another shape than those of the first.
    DataError
        If a value is nan or inf.
    """
    arrays = [np.asarray(x, dtype=dtype) for x in samples]
    for x in arrays:
        if x.ndim == 0 or len(x) < at_least or x.size == 0:
            raise ShapeError(f"{name}: got samples of shape {x.shape}; expected (N, ...) with N of {at_least} or more")
        if x.shape[1:] != arrays[0].shape[1:]:
            raise ShapeError(f"{name}: items of shapes {arrays[0].shape[1:]} and {x.shape[1:]}; expected the same")
        if not np.isfinite(x).all():
            raise DataError(f"{name}: the samples hold nan or inf; leave such items out, and say how many there were")
    return [x.reshape(len(x), -1) for x in arrays]


def blocks(rows, columns):
    """Return slices that cut a table of so many rows and columns into blocks of rows that fit into memory."""
    height = max(ENTRIES // columns, 1)
    return [slice(start, min(start + height, rows)) for start in range(0, rows, height)]


def squared_distances(a, b):
    """Return |a_i - b_j|^2 (N, M) of rows a (N, K) and b (M, K): one matrix product, |a|^2 + |b|^2 - 2 a b.

    *Numerics*: rows far from the origin would cancel; subtract a common centre first (`centred`). Rounding below 0 is
    cut off.
    """
    table = a @ b.T
    table *= -2.0
    table += np.einsum("ik,ik->i", a, a)[:, np.newaxis]
    table += np.einsum("jk,jk->j", b, b)
    return np.maximum(table, 0.0, out=table)


def centred(*arrays):
    """Return rows (N, K) with the mean of the last array subtracted from all: distances stay, rounding shrinks."""
    centre = arrays[-1].mean(axis=0)
    return [x - centre for x in arrays]
