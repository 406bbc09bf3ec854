"""Loops: the source of a Numba function for a group of elementwise equations."""

import inspect
import math
import re

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minigan.compiler.passes import inputs_of
from minigan.kernels.elementwise import FUNCTIONS
from minigan.kernels.threads import ELEMENTS

MOST_PARTS = 8  # that a loop is cut into for several threads

_WORD = re.compile(r"\b[A-Za-z_]\w*\b|(?<![\w.])\d+(?:\.\d+)?\b")


def copy_source(out, x):
    """Return (text, arguments) of a loop that writes x into out, arrays of one shape up to broadcasting."""
    return _source({"x": x}, [], "x", out, out.shape, out)


def loop_source(loop, cells, out):
    """Return (text, arguments) of the function that a Loop becomes.

    Parameters
    ----------
    cells : callable Value -> ndarray
    out : ndarray
        Where the result goes.

    Returns
    -------
    text : str
        ``({parameters}):`` and the body; the same text serves all loops that differ in their arrays only.
    arguments : list of ndarray or int
        Of a loop over many elements, which is shared among threads, the first two are how many parts there are, and
        how many rows each has.
    """
    last = loop.summed or loop.equations[-1]
    shape = last.inputs[0].shape if loop.summed else last.outputs[0].shape
    names = {}  # of values, inside the function
    operands = {}
    for v in inputs_of(loop):
        if v.kind == "constant" and v.size == 1:
            names[v] = _literal(v.array.reshape(-1)[0], v.dtype)
        elif not loop.summed and same_memory(cells(v), out):
            names[v] = (
                "out"  # said so, the loop is free to take many numbers at once; two names would look like overlap
            )
        else:
            names[v] = "abcdefghopqrsuvwxyz"[len(operands)] if len(operands) < 19 else f"x{len(operands)}"
            operands[names[v]] = cells(v)
    lines = []
    for k, e in enumerate(loop.equations):
        (made,) = e.outputs
        text = _expression(e, [names[v] for v in e.inputs])
        names[made] = f"t{k}"
        lines.append((f"t{k}", _cast(text, made.dtype), made.size == 1 and shape != made.shape))
    if not loop.summed:
        return _source(operands, lines, lines[-1][0], out, shape, out)
    axis, keepdims = loop.summed.params["axis"], loop.summed.params["keepdims"]
    axes = range(len(shape)) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, len(shape))
    kept = out if keepdims else np.expand_dims(out, tuple(axes))
    return _source(operands, lines, names[last.inputs[0]], kept, shape, np.broadcast_to(kept, shape), summed=True)


def _expression(e, operands):
    """Return an equation's element as an expression of its operands."""
    positional = [p.name for p in inspect.signature(e.primitive.impl).parameters.values() if p.kind != p.KEYWORD_ONLY]
    dtype = np.result_type(*(v.dtype for v in e.inputs)) if e.outputs[0].dtype.kind == "b" else e.outputs[0].dtype
    bits = dtype.itemsize * 8 if dtype.kind == "f" else 64
    known = dict(zip(positional, operands, strict=True))

    def word(match):
        text = match.group()
        if text in known:
            return known[text]
        if text in FUNCTIONS:
            return f"{text}{bits}"
        if text in e.params:
            return _literal(e.params[text], dtype)
        return _literal(float(text), dtype) if text[0].isdigit() and dtype.kind == "f" else text

    return _WORD.sub(word, e.primitive.lowering.expression)


def _literal(value, dtype):
    """Return a number as typed source, so that Numba does not widen the arithmetic."""
    value = dtype.type(value).item()
    if isinstance(value, float) and not np.isfinite(value):
        return f"{dtype}({'nan' if value != value else 'inf' if value > 0 else '-inf'})"
    return f"{dtype}({value!r})" if dtype.kind != "b" else repr(value)


def _cast(text, dtype):
    return f"{'boolean' if dtype.kind == 'b' else dtype}({text})"


# -- the nest of loops ------------------------------------------------------------------------------------------------


def _source(operands, lines, result, out, shape, spread, summed=False):
    """Return (text, arguments) of ``out = result`` over `shape`; `spread` is `out` with stride 0 where it is summed."""
    arrays = {"out": out, **operands}
    lengths, strides = _collapsed(shape, [spread, *(np.broadcast_to(a, shape) for a in operands.values())])
    index, arguments, spans = {}, [], [str(n) for n in lengths]
    for (name, array), steps in zip(arrays.items(), strides, strict=True):
        axes = [k for k, step in enumerate(steps) if step]
        lengths_of, steps_of = [lengths[k] for k in axes], [steps[k] for k in axes]
        arguments.append(as_strided(array, lengths_of or [1], steps_of or [array.itemsize]))
        index[name] = f"{name}[{', '.join('ijklmn'[k] for k in axes) or '0'}]"
        for at, k in enumerate(axes):
            spans[k] = f"{name}.shape[{at}]"
    body = _Body(operands, index, lines, result)
    parts = 1 if summed else min(MOST_PARTS, math.prod(lengths) // ELEMENTS)
    text = [f"({', '.join(arrays)}):"]
    if parts > 1:
        rows = -(-lengths[0] // parts)
        arguments = [-(-lengths[0] // rows), rows, *arguments]
        text = [f"(part, rows, {', '.join(arrays)}):", "    start, stop = part * rows, (part + 1) * rows"]
        text += [f"    {name} = {name}[start:stop]" for name in arrays if index[name].startswith(f"{name}[i")]
    text += [f"    {name} = {name}[0]" for name in operands if index[name] == f"{name}[0]"]
    text += [f"    {name} = {value}" for name, value, early in lines if early]
    inner = bool(lengths) and not strides[0][-1] if summed else False
    if summed and index["out"] == "out[0]" and not lengths:
        summed = False
    if not summed:
        text += _nest(0, spans, [*body.lines, f"{index['out']} = {body.result}"])
    elif not inner:  # the inner axis stays: rows are added to rows
        text += ["    out[...] = 0", *_nest(0, spans, [*body.lines, f"{index['out']} += {body.result}"])]
    else:
        first = max((k + 1 for k, step in enumerate(strides[0]) if step), default=0)
        sum_up = [f"{index['out']} += acc"]
        text += ["    out[...] = 0"]
        text += _nest(
            0,
            spans[:first],
            [
                f"acc = {'0.0' if out.dtype.kind == 'f' else 'int64(0)'}",
                *(line[4:] for line in _nest(first, spans[first:], [*body.lines, f"acc += {body.result}"])),
                *sum_up,
            ],
        )
    return "\n".join(text), arguments


class _Body:
    """What stands inside the innermost loop."""

    def __init__(self, operands, index, lines, result):
        places = {name: index[name] for name in [*operands, "out"] if name == "out" or index[name] != f"{name}[0]"}

        def located(text):
            return _WORD.sub(lambda m: places.get(m.group(), m.group()), text)

        self.lines = [f"{name} = {located(value)}" for name, value, early in lines if not early]
        self.result = located(result)


def _nest(first, spans, body):
    """Return `body` inside loops over axes from `first` on, as long as `spans` says."""
    text, indent = [], "    "
    for k, span in enumerate(spans, first):
        text.append(f"{indent}for {'ijklmn'[k]} in range({span}):")
        indent += "    "
    return text + [indent + line for line in body]


def same_memory(a, b):
    """Return whether two arrays are the same elements of memory in the same order."""
    return a.ctypes.data == b.ctypes.data and a.shape == b.shape and a.strides == b.strides


def _collapsed(shape, arrays):
    """Return (lengths, strides of each array): neighbouring axes that all arrays run through alike become one."""
    axes = [k for k, n in enumerate(shape) if n != 1]
    lengths = [shape[k] for k in axes]
    strides = [[a.strides[k] for k in axes] for a in arrays]
    k = len(lengths) - 2
    while k >= 0:
        if all(s[k] == s[k + 1] * lengths[k + 1] for s in strides):
            lengths[k : k + 2] = [lengths[k] * lengths[k + 1]]
            for s in strides:
                s[k : k + 2] = [s[k + 1]]
        k -= 1
    return lengths, strides
