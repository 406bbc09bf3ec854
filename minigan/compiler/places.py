"""Places: where a compiled step finds its arguments and leaves its results."""

import numpy as np

from minigan.compiler.layout import empty, is_whole

LARGE = 2**16  # bytes: below, a copy is cheaper than to make an array anew at each call, which takes a microsecond


class Places:
    """Large arguments are read where the caller has them, and large results written to memory that is new at each call.

    To copy them would take as long as to compute with them. So the arrays of the compiled function that look into such
    memory are made anew for each call. All others are copied: to and from memory that belongs to the program.

    Parameters
    ----------
    program : Program
    layout : Layout
    on_host : list of Equation
        Those that run on the host: they know the program's memory only.
    """

    def __init__(self, program, layout, on_host):
        held = [layout.cell(v) for e in on_host for v in (*e.inputs, *e.outputs)]
        inputs = [layout.cell(v) for v in program.inputs]
        results = [layout.cell(v) for v in program.results]
        computed = [layout.root.get(v, v).kind == "result" for v in program.results]
        self.homes = []  # arrays of the program whose place others take
        for cell in [*inputs, *(cell for cell, new in zip(results, computed, strict=True) if new)]:
            if (
                is_whole(cell)
                and cell.nbytes >= LARGE
                and not any(np.may_share_memory(cell, a) for a in [*held, *self.homes])
            ):
                self.homes.append(cell)
        self.inputs = [(cell, _among(self.homes, cell)) for cell in inputs]
        self.new = [home for home in self.homes if not _among(inputs, home)]
        self.results = [
            (cell, self.where(cell), _among(self.new, cell) and not _among(results[:i], cell))
            for i, cell in enumerate(results)
        ]

    def memory(self, given):
        """Take in the arguments of a call; return what stands for each home in it."""
        memory = []
        for (cell, is_home), argument in zip(self.inputs, given, strict=True):
            in_place = is_home and argument._data.flags.carray
            if not in_place:
                np.copyto(cell, argument._data)
            if is_home:
                memory.append(argument._data if in_place else cell)
        return memory + [empty(home.shape, home.dtype) for home in self.new]

    def returned(self, memory):
        """Yield the results as arrays that are the caller's alone."""
        for cell, where, is_new in self.results:
            if where is None:
                yield cell.copy()
            elif is_new:
                yield memory[where[0]]
            else:
                k, offset = where
                yield np.ndarray(cell.shape, cell.dtype, memory[k], offset, cell.strides).copy()

    def where(self, array):
        """Return (k, bytes from the start of the k-th home) for an array that is in a home; None for others."""
        k = next((k for k, home in enumerate(self.homes) if np.may_share_memory(array, home)), None)
        return None if k is None else (k, array.ctypes.data - self.homes[k].ctypes.data)


def _among(arrays, array):
    """Return whether an array is one of these: itself, not one with equal elements."""
    return any(array is a for a in arrays)
