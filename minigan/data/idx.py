"""Read IDX files, the format of MNIST, without trusting what they say about themselves.

The format, all integers big-endian: two zero bytes; one byte for the type (0x08: unsigned bytes); one byte for the
number of axes; the length of each axis as 4 bytes; then the values in C order.

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import mmap
import stat
import zlib
from pathlib import Path

import numpy as np

from minigan.errors import DataError

_TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_MOST_AXES = 4  # N, C, H, W
_CHUNK = 2**20
_LARGEST_UNPACKED = 2**30  # a gzipped file of 1 MB can unpack to 1 GB of zeros


def read_idx(path, item_shape=None):
    """Read an IDX file of unsigned bytes, raw or gzipped (told apart by content, not by name).

    Parameters
    ----------
    path : str or path-like
    item_shape : tuple of int, optional
        The shape that one item must have: ``(28, 28)`` for MNIST's images, ``()`` for labels. Default: any.

    Returns
    -------
    ndarray
        (N, *item_shape) uint8, N > 0

    Raises
    ------
    DataError
        If the file is missing, is no regular file, is not IDX, holds another type or shape, is shorter or longer than
        its header says, or is damaged gzip.

    Notes
    -----
    A header may promise 10^12 images, and a small gzipped file may unpack to terabytes. Memory therefore follows the
    bytes that are really there: a raw file is measured before anything is read, a gzipped one is unpacked piece by
    piece and never further than one byte past the promised end.
    """
    path = Path(path)
    try:
        return _read(path, item_shape)
    except EOFError:
        raise DataError(f"{path}: the gzip data ends too early, the file is truncated; copy or download it again")
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip data ({error}); copy or download it again")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the path and its permissions")


def is_gzipped(path):
    """Tell whether the file begins as gzip does."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _read(path, item_shape):
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # a folder; or a pipe, which would block
        raise DataError(f"{path}: is {'a folder' if path.is_dir() else 'not a regular file'}, expected an IDX file")
    packed = is_gzipped(path)
    with (gzip.open if packed else open)(path, "rb") as file:
        shape, header_size = _read_header(file, path, item_shape)
        expected = math.prod(shape)
        if packed and expected > _LARGEST_UNPACKED:
            raise DataError(
                f"{path}: the header promises {_times(shape)} = {expected:,} bytes, gzipped files are read up to "
                f"{_LARGEST_UNPACKED:,} bytes; if the promise is true, unpack it with gunzip first"
            )
        if not packed and status.st_size != header_size + expected:
            raise _wrong_length(path, shape, f"{status.st_size - header_size:,}")
        values = _read_at_most(file, expected + 1)  # one more, to notice trailing bytes and to verify gzip's checksum
    if len(values) != expected:
        raise _wrong_length(path, shape, "more" if len(values) > expected else f"{len(values):,}")
    return values.reshape(shape)


def _read_header(file, path, item_shape):
    """Return the array's shape and the header's length in bytes; raise DataError if the header is no good."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES:
        raise DataError(
            f"{path}: is not an IDX file, it begins with the bytes {magic.hex(' ') or '(none)'} where IDX files of "
            "bytes begin with 00 00 08; pass the files of MNIST, raw or gzipped"
        )
    if magic[2] != 0x08:
        raise DataError(f"{path}: holds {_TYPES[magic[2]]} values, expected uint8 (type 08 in its third byte)")
    if not 1 <= magic[3] <= _MOST_AXES:
        raise DataError(f"{path}: has {magic[3]} axes, expected 1 for labels or 3 for images; is it the right file?")
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise DataError(f"{path}: ends inside its header, the file is truncated; copy or download it again")
    shape = tuple(int(length) for length in np.frombuffer(lengths, dtype=">u4"))
    if 0 in shape:
        raise DataError(f"{path}: holds no items, its shape is {shape}; pass another file")
    if item_shape is not None and shape[1:] != item_shape:
        raise DataError(f"{path}: holds items of shape {shape[1:]}, expected {item_shape}; is it the right file?")
    return shape, 4 + len(lengths)


def _read_at_most(file, count):
    """Read up to `count` bytes, into memory that the system gives as it is written to: no more than there are bytes."""
    values, filled = mmap.mmap(-1, count), 0
    with memoryview(values) as places:
        while filled < count and (read := file.readinto(places[filled : filled + _CHUNK])):
            filled += read
    return np.frombuffer(values, np.uint8, filled)


def _times(shape):
    return " x ".join(map(str, shape))


def _wrong_length(path, shape, found):
    return DataError(
        f"{path}: the header promises {_times(shape)} = {math.prod(shape):,} bytes, the file holds {found}; "
        "it is truncated or not what its name says, copy or download it again"
    )
