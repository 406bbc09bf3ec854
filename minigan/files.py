"""Writing files so that a reader, or a crash, never meets half of one."""

import contextlib
import os
import tempfile
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
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o666 & ~_umask())  # mkstemp's own mode keeps others from reading
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_bytes(path, data):
    """Write `data` (bytes or str) to `path`, atomically."""
    with atomic_write(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def cache_folder():
    """Return the user's cache folder for minigan, which may not exist yet: for what can be made or downloaded again.

    Returns
    -------
    pathlib.Path
    """
    from platformdirs import user_cache_path

    return user_cache_path("minigan", appauthor=False)


def _umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask
