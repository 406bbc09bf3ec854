"""Layout: which memory each value lives in. Buffers are taken anew only where none is free."""

import math

import numpy as np

from minigan.compiler.passes import Loop, inputs_of, is_view, lowering_of
from minigan.compiler.trace import memory_of
from minigan.lowerings import Pieces

LINE = 64  # bytes of a cache line


def empty(shape, dtype):
    """Return a new array that begins on a cache line: no register is filled from two of them.

    NumPy's begin at any multiple of 16 bytes, and steps take some percent longer.
    """
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + LINE, np.uint8)
    return np.ndarray(shape, dtype, memory, -memory.ctypes.data % LINE)


def is_whole(array):
    """Return whether an array is all of what `empty` made, not a part of it."""
    return array.flags.c_contiguous and getattr(memory_of(array), "nbytes", 0) == array.nbytes + LINE


def read_by(group):
    """Return the values that a group (a Loop or an equation) reads or overwrites."""
    return list(inputs_of(group)) if isinstance(group, Loop) else list(group.inputs)


def made_by(group):
    """Return the values that a group brings about."""
    if isinstance(group, Loop):
        return (group.summed or group.equations[-1]).outputs
    return group.outputs


class Layout:
    """Lay out the values of a program, given as groups in order.

    Attributes
    ----------
    cells : dict from Value to ndarray
        The memory of every value that has one: for a state the living array, for an input a copy of its own, for a view
        the view of another cell.
    """

    def __init__(self, inputs, groups, results):
        self.cells = {v: empty(v.shape, v.dtype) for v in inputs}
        self.groups = groups
        self.free = {}  # (size, dtype) -> buffers
        self.root = {}  # a view's value -> the value whose memory it is
        self._find_roots()
        self.last = self._last_uses(results)
        self.placed = self._destinations(results)
        for i, group in enumerate(groups):
            self._lay_out(i, group)

    def cell(self, value):
        """Return the memory of a value; states and constants bring their own."""
        if value not in self.cells:
            assert value.kind in ("state", "constant"), value
            self.cells[value] = value.array if value.array.flags.writeable else value.array.copy(order="K")
        return self.cells[value]

    def _find_roots(self):
        for group in self.groups:
            if not isinstance(group, Loop) and is_view(group):
                for v in group.outputs:
                    self.root[v] = self.root.get(group.inputs[0], group.inputs[0])

    def _last_uses(self, results):
        last = {}
        for i, group in enumerate(self.groups):
            for v in [*read_by(group), *made_by(group)]:
                last[self.root.get(v, v)] = i
        for v in results:
            last[self.root.get(v, v)] = len(self.groups)
        return last

    def _destinations(self, results):
        """Return {value: (equation, k)}: values that are made right where a copy would bring them."""
        uses, made_at, found = {}, {}, {}
        for i, group in enumerate(self.groups):
            for v in read_by(group):
                uses.setdefault(v, []).append(i)
            made_at.update((v, i) for v in made_by(group))
        for i, group in enumerate(self.groups):
            if isinstance(group, Loop) or not isinstance(lowering_of(group), Pieces) or is_view(group):
                continue
            if lowering_of(group).filled:  # the zeros would come on top
                continue
            first = lowering_of(group).first
            for k, v in enumerate(group.inputs[first:]):
                alone = uses[v] == [i] and group.inputs.count(v) == 1 and v not in results
                owned = v in made_at and v not in self.root and v not in self.root.values()
                between = self.groups[made_at.get(v, i) : i]
                if alone and owned and all(self._leaves_alone(g, group.mutated) for g in between):
                    found[v] = group, k
        return found

    @staticmethod
    def _leaves_alone(group, targets):
        """Return whether a group touches none of the memory of `targets`."""
        memories = [memory_of(t.array) for t in targets]
        return not any(memory_of(v.array) is m for v in read_by(group) for m in memories)

    def _lay_out(self, i, group):
        if not isinstance(group, Loop) and is_view(group):
            cell = self.cell(group.inputs[0])
            made = group.primitive.impl(cell, **group.params)
            made = made if isinstance(made, tuple) else (made,)
            assert all(np.may_share_memory(m, cell) for m in made), f"{group}: a view when recorded, and now a copy"
            made = [_writable(m, cell) for m in made]
            self.cells.update(zip(group.outputs, made, strict=True))
            return
        dying = [v for v in dict.fromkeys(read_by(group)) if v.kind == "result" and self._dies(v, i)]
        for v in made_by(group):
            if v not in self.cells:
                self.cells[v] = self._place(v, group) if v in self.placed else self._buffer(v, group, dying)
        for v in dict.fromkeys(self.root.get(v, v) for v in [*read_by(group), *made_by(group)]):
            # (a set would have another order in each process, and the source another name in the cache)
            if v.kind == "result" and self.last[v] == i and v not in self.placed:
                self._release(v)

    def _dies(self, v, i):
        return v not in self.root and v not in self.root.values() and self.last[v] == i and v not in self.placed

    def _place(self, v, group):
        """Return the part of a larger array where `v` is wanted in the end, if it can be written there at once."""
        target, k = self.placed[v]
        lowering = lowering_of(target)
        if target.outputs and target.outputs[0] not in self.cells:
            self.cells[target.outputs[0]] = self._buffer(target.outputs[0], target, [])
        out = self.cells[target.outputs[0]] if target.outputs else self.cell(target.inputs[0])
        given = [x.array for x in target.inputs]
        place = lowering.places(out, *given, **target.params)[k]
        if place.flags.c_contiguous or isinstance(group, Loop):
            return place
        del self.placed[v]
        return self._buffer(v, group, [])

    def _buffer(self, v, group, dying):
        """Return memory for `v`: of an input that the same loop reads for the last time, or free, or new."""
        if isinstance(group, Loop) and not group.summed:
            for other in dying:
                cell = self.cells[other]
                if other.shape == v.shape and other.dtype == v.dtype and cell.flags.c_contiguous:
                    dying.remove(other)
                    self.last[other] = -1  # its memory goes on as v's
                    return cell
        free = self.free.get((v.size, v.dtype))
        return free.pop().reshape(v.shape) if free else empty(v.shape, v.dtype)

    def _release(self, v):
        cell = self.cells[v]
        self.free.setdefault((v.size, v.dtype), []).append(cell.reshape(-1))


def _writable(view, cell):
    """Return a view that broadcasting made read-only as one that Numba takes for the same kind as all others."""
    return view if view.flags.writeable else np.lib.stride_tricks.as_strided(cell, view.shape, view.strides)
