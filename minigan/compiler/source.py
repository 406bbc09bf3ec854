"""Source: the Python that a program becomes. One Numba function of calls, each into memory that is there already."""

import linecache
import re

import numpy as np

from minigan.compiler.layout import Layout, made_by
from minigan.compiler.loops import copy_source, loop_source, same_memory
from minigan.compiler.passes import Loop, fuse, is_view, lowering_of
from minigan.kernels import elementwise
from minigan.lowerings import Kernel, OnHost, Pieces

HEAD = '''"""{title}"""

from numba import boolean, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64
from numpy import inf, nan

from minigan.kernels.arrays import array_of
from minigan.kernels.elementwise import {functions}
from minigan.kernels.jit import inner, njit
{imports}'''
MOST_CALLS = 100  # of one function: what LLVM needs for it grows faster than it does
SUMS = 'fastmath=("nsz", "arcp", "contract", "afn", "reassoc")'


class Source:
    """The text of a program's module, and what it runs on.

    Attributes
    ----------
    text : str
    actions : list
        In order: a pair (name of a function in the text, the arrays whose addresses it takes), or an equation that
        runs on the host.
    layout : Layout
    products : list of (out, x, y)
        The arrays of all matrix products: what the step cannot do without.
    """

    def __init__(self, program, title):
        groups = fuse(program)
        sources = [g for g in groups if not isinstance(g, Loop) and not g.inputs]  # draws: they wait for nothing
        groups = sources + [g for g in groups if g not in sources]
        self.layout = Layout(program.inputs, groups, program.results)
        self.actions = []
        self.products = []
        self.kernels = {}  # text -> name
        self.imports = {}  # of kernels from elsewhere: name -> module
        self.arguments = {}  # of the part being written: (address, strides, ...) -> (name, array)
        self.lines, self.parts, self.place, self.calls = [], [], "", 0
        for group in groups:
            self._write(group)
        self._close_part()
        self.actions = [a for a in self.actions if isinstance(a, tuple) or a.inputs]
        self.text = self._module(title)

    # -- one group -----------------------------------------------------------------------------------------------------
    def _write(self, group):
        cell = self.layout.cell
        if isinstance(group, Loop):
            (out,) = made_by(group)
            text, arguments = loop_source(group, cell, cell(out))
            self._call(self._kernel(group.name, text), arguments, group.summed or group.equations[-1])
        elif is_view(group):
            return
        elif isinstance(lowering_of(group), Pieces):
            self._copies(group)
        elif isinstance(lowering_of(group), Kernel):
            self._kernel_call(group)
        else:
            assert lowering_of(group) is OnHost
            self._close_part()
            self.actions.append(group)

    def _copies(self, e):
        lowering, cell = lowering_of(e), self.layout.cell
        out = cell(e.outputs[0]) if e.outputs else cell(e.inputs[0])
        if lowering.filled:
            zero = np.zeros((), out.dtype)
            self._copy(out, zero, e)
        places = lowering.places(out, *(v.array for v in e.inputs), **e.params)
        for place, v in zip(places, e.inputs[lowering.first :], strict=True):
            x = cell(v)
            if same_memory(place, x):
                continue
            if np.may_share_memory(place, x):  # what is read must not have been written to before
                between = np.empty(x.shape, x.dtype)
                self._copy(between, x, e)
                x = between
            self._copy(place, x, e)

    def _copy(self, out, x, e):
        text, arguments = copy_source(out, x)
        self._call(self._kernel("copy", text), arguments, e)

    def _kernel_call(self, e):
        function = e.primitive.lowering.function
        name = function.__name__
        assert self.imports.setdefault(name, function.__module__) == function.__module__, f"two kernels {name}"
        outs = [self.layout.cell(v) for v in e.outputs]
        optional = [e.inputs[i] for i in e.primitive.lowering.optional]
        inputs = [
            np.empty((0,) * v.array.ndim, v.dtype)
            if v in optional and is_zero(v)
            else self._contiguous(self.layout.cell(v), e)
            for v in e.inputs
        ]
        if name == "matmul":
            self.products.append((*outs, *inputs))
        self._call(name, [*outs, *inputs, *e.primitive.lowering.numbers(**e.params)], e)

    def _contiguous(self, array, e):
        if array.flags.c_contiguous or array.flags.f_contiguous:
            return array
        copy = np.empty(array.shape, array.dtype)
        self._copy(copy, array, e)
        return copy

    # -- text ----------------------------------------------------------------------------------------------------------
    def _kernel(self, stem, text):
        """Return the name of the generated function with this text, a new one if need be."""
        if text not in self.kernels:
            stem = "_".join(stem.split("_")[:4])
            taken = set(self.kernels.values()) | {"matmul"}
            k = sum(name.rsplit("_", 1)[0] == stem for name in taken)
            self.kernels[text] = f"{stem}_{k + 1}"
        return self.kernels[text]

    def _call(self, kernel, arguments, e):
        if self.calls == MOST_CALLS:
            self._close_part()
        self.calls += 1
        if e.line != self.place:
            self.place = e.line
            self.lines.append(f"    # {_users_words(e.line)}")
        words = ", ".join(self._argument(a) if isinstance(a, np.ndarray) else repr(a) for a in arguments)
        told = e.outputs[0] if e.outputs else e.inputs[0]
        self.lines.append(f"    {kernel}({words})  # {told}")

    def _argument(self, array):
        key = (array.ctypes.data, array.shape, array.strides, array.dtype)
        if key not in self.arguments:
            self.arguments[key] = self._name_of(array), array
        return self.arguments[key][0]

    def _name_of(self, array):
        for value, cell in self.layout.cells.items():
            if cell.ctypes.data == array.ctypes.data and cell.size == array.size and value.kind != "result":
                stem = value.name
                break
        else:
            stem = "b"
        taken = {name for name, _ in self.arguments.values()}
        if stem != "b" and stem not in taken:
            return stem
        return next(name for k in range(1, 10_000) if (name := f"{stem}{'_' * (stem != 'b')}{k}") not in taken)

    def _close_part(self):
        """End the function being written: what comes next runs on the host, or nothing does."""
        if self.calls:
            name = f"part{len(self.parts) + 1}"
            arguments = list(self.arguments.values())
            taken = [f"    {word} = {_array_source(k, array)}" for k, (word, array) in enumerate(arguments)]
            self.parts.append("\n".join([f"@njit(outermost=True)\ndef {name}(memory):", *taken, *self.lines]))
            self.actions.append((name, [array for _, array in arguments]))
        self.lines, self.arguments, self.place, self.calls = [], {}, "", 0

    def _module(self, title):
        functions = sorted(f"{name}{bits}" for name in elementwise.FUNCTIONS for bits in (32, 64))
        used = [f for f in functions if any(f"{f}(" in text for text in self.kernels)]
        by_module = {}
        for name, module in self.imports.items():
            by_module.setdefault(module, []).append(name)
        imports = "".join(f"from {module} import {', '.join(sorted(names))}\n" for module, names in by_module.items())
        if any(is_shared(text) for text in self.kernels):
            imports += "from minigan.kernels.threads import share\n"
        head = HEAD.format(title=title, functions=", ".join(used) or "exp32", imports=imports)
        kernels = [_definition(name, text) for text, name in self.kernels.items()]
        return "\n\n\n".join([head.rstrip(), *kernels, *self.parts]) + "\n"


def _array_source(k, array):
    """Return how the k-th array of a part is made from its address."""
    dtype = "boolean" if array.dtype == bool else array.dtype
    order = '"C"' if array.flags.c_contiguous else '"F"' if array.flags.f_contiguous else array.strides
    return f"array_of(memory, {k}, {dtype}, {array.shape}, {order})"


def _definition(name, text):
    share = "@share\n" if is_shared(text) else ""
    return f"{share}@inner(cache=False{', ' + SUMS if 'acc' in text else ''})\ndef {name}{text}"


def is_shared(text):
    """Return whether a kernel does one part of its work, for `minigan.kernels.threads.share`."""
    return text.startswith("(part, ")


def is_zero(value):
    """Return whether a value is known to be one zero, repeated."""
    array = value.array
    return value.kind == "constant" and array.size > 0 and not any(array.strides) and not array.any()


def _users_words(line):
    """Return the user's line of code with its place: ``d_loss = loss(D(x))  (train.py:12)``."""
    file, _, number = line.rpartition(":")
    words = linecache.getline(file, int(number)).strip() if number.isdigit() else ""
    return re.sub(r"\s+", " ", f"{words}  ({file.rsplit('/', 1)[-1]}:{number})".strip())
