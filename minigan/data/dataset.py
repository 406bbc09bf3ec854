"""What a data set is, and the finite ones: rows of one array, or images held as bytes."""

from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np

from minigan.errors import DataError


@runtime_checkable
class Dataset(Protocol):
    """What a trainer asks of data. Any class with these five names will do; nothing needs to be inherited.

    Attributes
    ----------
    name : str
        A short name for reports and run folders.
    shape : tuple of int
        The shape of one item: ``(1,)`` in one dimension, ``(2,)`` for points, ``(1, 28, 28)`` for digits.
    mean, std : float
        Mean and standard deviation over all entries of all items (or of the distribution), in the data's own
        units, so that ``(x - mean) / std`` has mean 0 and standard deviation 1.
    """

    name: str
    shape: tuple[int, ...]
    mean: float
    std: float

    def sample(self, n, seed):
        """Draw ``n`` items.

        Parameters
        ----------
        n : int
        seed : int or numpy.random.Generator
            The same integer gives the same items; a Generator is advanced.

        Returns
        -------
        ndarray
            ``(n, *shape)`` float32, in the data's own units.
        """


class ArrayDataset:
    """A finite data set: the rows of one array, drawn uniformly with replacement.

    The array keeps its dtype; only what is drawn or indexed becomes float32. ``data[i]`` takes every NumPy index.

    Parameters
    ----------
    array : (N, ...) ndarray
        It is not copied, and becomes read-only. Use :func:`from_array` for arrays that are not checked yet.
    name : str
    labels : (N,) ndarray, optional
        A class for each row.
    """

    def __init__(self, array, name, labels=None):
        self.array, self.name, self.labels = array, name, labels
        self.shape = array.shape[1:]
        array.flags.writeable = False

    def sample(self, n, seed):
        """Draw ``n`` rows, see :meth:`Dataset.sample`."""
        rows = np.random.default_rng(seed).integers(len(self.array), size=n)
        return self._decode(self.array.take(rows, axis=0))  # one gather, one conversion

    def _decode(self, rows):
        """Turn stored rows into float32 in the data's own units."""
        return rows.astype(np.float32)

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        return self._decode(self.array[index])

    def __repr__(self):
        return f"<{self.name}: {len(self)} items of shape {self.shape}>"

    @cached_property
    def mean(self):
        """Mean over all entries."""
        return self._average(lambda x: x)

    @cached_property
    def std(self):
        """Standard deviation over all entries."""
        mean = np.float64(self.mean)  # not a Python float: the square of a large float32 would overflow
        return self._average(lambda x: (x - mean) ** 2) ** 0.5

    def _average(self, f):
        """Average f(x) over all entries, 1,024 rows at a time: the whole array never exists as floats."""
        blocks = (self[start : start + 1024] for start in range(0, len(self), 1024))
        return float(sum(f(x).sum(dtype=np.float64) for x in blocks) / self.array.size)


class ImageDataset(ArrayDataset):
    """Grey images, held as bytes, drawn as floats in [0, 1].

    Parameters
    ----------
    pixels : (N, H, W) uint8
        0 is black, 255 white. It is not copied.
    name : str
    labels : (N,) uint8, optional

    Notes
    -----
    ``shape`` is ``(1, H, W)``: one channel, as the convolutional layers want it.
    """

    def __init__(self, pixels, name, labels=None):
        if pixels.dtype != np.uint8 or pixels.ndim != 3:
            raise DataError(
                f"{name}: images must be uint8 of shape (N, H, W), got {pixels.dtype} of shape {pixels.shape}; "
                "for other arrays use from_array"
            )
        super().__init__(pixels[:, np.newaxis], name, labels)

    def _decode(self, rows):
        return np.divide(rows, 255, dtype=np.float32)


def from_array(x, name="array"):
    """Make a data set of your own array.

    Parameters
    ----------
    x : (N, ...) array_like of numbers
        The first axis counts the items; (N,) is read as (N, 1). It is copied and keeps its dtype.
    name : str

    Returns
    -------
    ArrayDataset

    Raises
    ------
    DataError
        If `x` is empty, is no array of real numbers, or holds a value that is not finite or does not fit float32.

    Examples
    --------
    >>> import numpy as np
    >>> import minigan as mg
    >>> data = mg.data.from_array(np.arange(12.0).reshape(6, 2))
    >>> data.shape, data.sample(100, seed=0).shape
    ((2,), (100, 2))
    """
    try:
        x = np.array(x)
    except ValueError as error:  # rows of unequal length
        raise DataError(f"from_array: x cannot become one array ({error}); every item must have the same shape")
    if x.dtype.kind not in "biuf":
        raise DataError(
            f"from_array: x has dtype {x.dtype}, expected real numbers; "
            "read a file first, with np.load(file, allow_pickle=False)"
        )
    if x.ndim == 0 or x.size == 0:
        raise DataError(f"from_array: x has shape {x.shape}, expected (N, ...) with at least one item")
    _check_finite(x)
    return ArrayDataset(x[:, np.newaxis] if x.ndim == 1 else x, name)


def _check_finite(x):
    """Raise DataError at the first value that is NaN, infinite, or too large for float32."""
    if x.dtype.kind != "f":
        return
    good = np.abs(x) <= np.finfo(np.float32).max  # False for NaN too
    if not good.all():
        index = np.unravel_index(np.argmin(good), x.shape)
        raise DataError(
            f"from_array: x[{', '.join(map(str, index))}] is {x[index]}, every value must be finite and fit float32 "
            f"({np.count_nonzero(~good)} of {x.size} do not); drop or fill these items first"
        )
