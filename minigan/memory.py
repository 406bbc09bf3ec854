"""How the C library gives memory back: not at once, decided before the first large array is made.

Linux' C library (glibc) asks the system for each array of more than 128 kB and gives it back when it is gone. The next
one of the same size then begins with pages that the system has to find and fill with zeros: a pass of an LSTM spends as
long on that as on its matrix products. Training makes the same arrays over and over, so their memory is kept.
"""

import ctypes
import os

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as glibc numbers them
KEPT = 2**28  # bytes: what has been freed at the end of the heap is given back from here on
ASKED_FOR = 2**25  # bytes: an array of more than this, the most that glibc allows, is asked for and given back at once


def keep_freed():
    """Let memory of arrays be used again, unless MINIGAN_KEEP_MALLOC or one of glibc's own variables is set.

    Returns whether it was done; other C libraries than glibc are left alone.
    """
    theirs = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    if any(name in os.environ for name in theirs) or os.environ.get("MINIGAN_KEEP_MALLOC", "0") not in ("", "0"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(MMAP_THRESHOLD, ASKED_FOR) and mallopt(TRIM_THRESHOLD, KEPT))


def give_back():
    """Give all memory that is free back to the system: after something that needed much of it and will not come again.

    Returns whether it was done; other C libraries than glibc are left alone.
    """
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):
        return False
