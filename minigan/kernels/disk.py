"""Compiled functions on disk: Numba's cache, which does no harm where its files are damaged or cannot be written."""

import contextlib
import functools
import warnings
from pathlib import Path

from numba.core.caching import FunctionCache, NullCache


def cache_of(function, called):
    """Return Numba's cache for a function: out of date, too, when one of the files `called` changes.

    Numba has no public way to say so; it watches the function's own file only. Where the attribute is another one,
    functions are kept as Numba keeps them, and whoever changes such a file has to delete
    ``minigan/kernels/__pycache__``.
    """
    try:
        cache = _Cache(function)
    except RuntimeError:  # Numba has found no folder to write to
        _say_that_nothing_is_kept()
        return NullCache()
    file = getattr(cache, "_cache_file", None)
    if hasattr(file, "_source_stamp"):
        stamps = [(stat.st_mtime, stat.st_size) for stat in map(Path.stat, called)]
        file._source_stamp = (file._source_stamp, *stamps)
    return cache


@functools.cache  # once is enough
def _say_that_nothing_is_kept():
    warnings.warn(
        "compiled kernels cannot be kept: neither the folder of minigan nor the user's cache can be written. Each "
        "process compiles them again, which may take minutes; set NUMBA_CACHE_DIR to a folder that can be written",
        stacklevel=2,
    )


class _Cache(FunctionCache):
    """Numba's files of one function. What cannot be read is compiled and written anew, or else not kept."""

    def load_overload(self, sig, target_context):
        """Return what was compiled for these types; None if nothing was, or if it is damaged."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # an index or a file of code that is cut off, or no such file at all: rubbish raises anything
            try:
                self.flush()
            except OSError:
                self.disable()
            return None

    def save_overload(self, sig, data):
        """Keep what was compiled, if that can be written."""
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)
