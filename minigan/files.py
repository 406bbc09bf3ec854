"""Writing files so that a reader, or a crash, never meets half of one; reading them without trusting their size."""

import contextlib
import errno
import json
import os
import secrets
import stat
from pathlib import Path


@contextlib.contextmanager
def atomic_write(path):
    """Open a file for writing bytes that appears at `path` complete or not at all.

    Parameters
    ----------
    path : path-like
        In a folder that exists.

    Yields
    ------
    file
        A binary file in the same folder. It takes its place at the end of the ``with`` block; if the block raises, it
        is removed, and what stood at `path` before still stands there.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as file:  # not by tempfile, whose files nobody else may read
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_bytes(path, data):
    """Write `data` (bytes or str) to `path`, atomically."""
    with atomic_write(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def write_arrays(file, arrays, metadata):
    """Write arrays to a binary file in the safetensors format, one after the other.

    The library would join them in memory first. The format: how long the table of contents is (8 bytes), that table
    as JSON, filled up with blanks to a multiple of 8 bytes, and the arrays, those with the longest elements first so
    that each begins at a multiple of its own.

    Parameters
    ----------
    file : file
    arrays : dict from name to ndarray
        In C order.
    metadata : dict from str to str

    Raises
    ------
    TypeError
        If an array holds something else than booleans, integers and floats of up to 8 bytes; nothing is written then.
    """
    ordered = sorted(arrays.items(), key=lambda pair: -pair[1].itemsize)
    contents, end = {"__metadata__": metadata}, 0
    for name, a in ordered:
        if a.dtype.kind not in "biuf" or a.itemsize > 8:
            raise TypeError(f"{name} holds {a.dtype}; such a file takes booleans, integers and floats of up to 8 bytes")
        kind = "BOOL" if a.dtype == bool else f"{a.dtype.kind.upper()}{8 * a.itemsize}"
        contents[name] = {"dtype": kind, "shape": a.shape, "data_offsets": [end, end + a.nbytes]}
        end += a.nbytes
    table = json.dumps(contents, separators=(",", ":")).encode()
    table += b" " * (-len(table) % 8)
    file.write(len(table).to_bytes(8, "little") + table)
    for _, a in ordered:
        file.write(a.astype(a.dtype.newbyteorder("<"), copy=False).data)


def check_readable(path, most):
    """Raise OSError unless `path` is a regular file of at most `most` bytes: a pipe blocks, a giant fills memory."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, expected a file", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    if status.st_size > most:
        raise OSError(errno.EFBIG, f"has {status.st_size:,} bytes, no such file has more than {most:,}", str(path))


def read_bytes(path, most):
    """Return the content of the regular file `path`; OSError if there is none, or it has more than `most` bytes."""
    check_readable(path, most)
    with open(path, "rb") as file:
        return file.read(most)


def cache_folder():
    """Return the user's cache folder for minigan, which may not exist yet: for what can be made or downloaded again.

    Returns
    -------
    pathlib.Path
    """
    from platformdirs import user_cache_path

    return user_cache_path("minigan", appauthor=False)
