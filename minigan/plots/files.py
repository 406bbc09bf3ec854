"""Write files so that a reader never meets half of one."""

import os
import tempfile
from pathlib import Path


def write_atomically(path, data):
    """Write bytes to `path`: to a temporary file in the same folder first, then renamed into place.

    Parameters
    ----------
    path : str or Path
        Where to write; its folder must exist.
    data : bytes
        The whole content.

    Raises
    ------
    OSError
        If the folder is missing or read-only, or the disk is full; a file that was there before is kept.
    """
    path = Path(path)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())  # mkstemp makes files that nobody else may read
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
