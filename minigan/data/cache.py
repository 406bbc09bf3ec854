"""Where minigan keeps what it can make or download again."""

import os
import tempfile
from contextlib import contextmanager


def cache_folder():
    """Return the user's cache folder for minigan, which may not exist yet.

    Returns
    -------
    pathlib.Path
    """
    from platformdirs import user_cache_path

    return user_cache_path("minigan", appauthor=False)


@contextmanager
def atomic_write(path):
    """Open a file for writing bytes that appears at `path` complete or not at all.

    Parameters
    ----------
    path : pathlib.Path
        In a folder that exists.

    Yields
    ------
    file
        A binary file in the same folder; it takes its place at the end of the ``with`` block, and is removed if the
        block raises.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
