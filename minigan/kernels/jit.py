"""The one wrapper that owns every Numba flag.

Nothing is compiled at import: a kernel compiles at its first call and is kept on disk. Numba's disk cache watches the
file of the kernel only, so a kernel calls no compiled function of another file.
"""

import numba


def njit(kernel=None, *, fastmath=("nsz", "arcp", "contract", "afn"), cache=True):
    """Compile a kernel with the project's flags.

    ``error_model="numpy"``: a division checks nothing, so its loop can vectorise. `fastmath`: the relaxations that
    keep nan and inf as they are; sums may be reordered only where a kernel asks for it (``"reassoc"``).
    """
    if kernel is None:
        return lambda k: njit(k, fastmath=fastmath, cache=cache)
    return numba.njit(error_model="numpy", fastmath=set(fastmath), cache=cache, nogil=True)(kernel)
