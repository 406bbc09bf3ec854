"""Passes: from program to program, each one idea."""

import builtins
import itertools
import keyword
import re

import numpy as np

from minigan.compiler.program import Equation, Program
from minigan.compiler.trace import memory_of, trace_reference
from minigan.lowerings import Elementwise, Fill, Kernel, OnHost, Pieces, Sum


def lowering_of(equation):
    """Return how an equation is written: its primitive's lowering, or `OnHost` where there is none that takes it."""
    lowering = equation.primitive.lowering
    given = [v.array for v in equation.inputs]
    if isinstance(lowering, Kernel) and not lowering.takes(*given):
        return OnHost
    if isinstance(lowering, Pieces) and not lowering.takes(*given, **equation.params):
        return OnHost
    return OnHost if lowering is None or isinstance(lowering, Fill) else lowering


def is_view(equation):
    """Return whether the outputs only look at the memory of an input."""
    made = [v.array for v in equation.outputs]
    given = [v.array for v in equation.inputs]
    return bool(made) and all(any(memory_of(m) is memory_of(g) for g in given) and m.size for m in made)


def _written(program):
    """Return the ids of all memory that is written to."""
    return {id(memory_of(v.array)) for e in program.equations for v in e.mutated}


def expand(program):
    """Replace what has no lowering by its reference, built from small operations; repeat until nothing changes."""
    equations, known = [], {}
    for e in program.equations:
        inputs = tuple(known.get(v, v) for v in e.inputs)
        e = Equation(e.primitive, inputs, e.outputs, e.params, e.line)
        if e.primitive.reference is None or e.primitive.lowering is not None or is_view(e):
            equations.append(e)
            continue
        body = expand(trace_reference(e))
        equations += body.equations
        for e_made in body.equations:  # views of the fused result are views of this one
            if e_made.outputs and e_made.outputs[0] in body.results and not is_view(e_made):
                k = body.results.index(e_made.outputs[0])
                e_made.outputs[0].array = e.outputs[k].array
        known.update(zip(e.outputs, body.results, strict=True))
    return Program(program.inputs, equations, [known.get(v, v) for v in program.results])


def fold_constants(program):
    """Compute now what depends on constants only, save memory that is written to later."""
    written = _written(program)
    for e in program.equations:
        untouched = written.isdisjoint(id(memory_of(v.array)) for v in e.outputs)
        if e.inputs and not e.primitive.mutates and untouched and all(v.kind == "constant" for v in e.inputs):
            with np.errstate(all="ignore"):
                made = e.primitive.impl(*[v.array for v in e.inputs], **e.params)
            for v, array in zip(e.outputs, made if isinstance(made, tuple) else (made,), strict=True):
                v.kind, v.array = "constant", np.asarray(array, order="C")
    return program.replaced({}, keep=lambda e: not e.outputs or e.outputs[0].kind != "constant")


def drop_unused(program):
    """Leave out what nobody reads. Writes stay, and so does what Python works out (it may count steps)."""
    needed, kept = set(program.results), set()
    for e in reversed(program.equations):
        if e.primitive.mutates or not e.inputs or any(v in needed for v in e.outputs):
            needed.update(e.inputs)
            kept.add(e)
    return program.replaced({}, keep=kept.__contains__)


def share_common(program):
    """Compute the same thing once. Memory that was written to in between is not the same, nor that of later writes."""
    version, seen, known, doubles = {}, {}, {}, set()
    written = _written(program)
    for e in program.equations:
        inputs = [known.get(v, v) for v in e.inputs]
        if e.primitive.mutates:
            for v in e.mutated:
                version[id(memory_of(v.array))] = version.get(id(memory_of(v.array)), 0) + 1
            continue
        if not inputs:  # random draws and Python's numbers differ from time to time
            continue
        if not is_view(e) and not written.isdisjoint(id(memory_of(v.array)) for v in e.outputs):
            continue
        key = (
            e.primitive.name,
            tuple((id(v), version.get(id(memory_of(v.array)), 0)) for v in map(_literal(seen), inputs)),
            tuple((name, _key(value)) for name, value in sorted(e.params.items())),
        )
        if key in seen:
            known.update(zip(e.outputs, seen[key].outputs, strict=True))
            doubles.add(e)
        else:
            seen[key] = e
    return program.replaced(known, keep=lambda e: e not in doubles)


def _key(param):
    """Return something hashable that stands for a parameter."""
    if isinstance(param, np.ndarray):
        return param.dtype, param.shape, param.tobytes()
    return tuple(map(_key, param)) if isinstance(param, tuple | list) else repr(param)


def _literal(seen):
    """Return a function that takes equal constants of one number for the same."""

    def one(v):
        if v.kind != "constant" or v.size != 1:
            return v
        return seen.setdefault(("constant", v.dtype, v.shape, v.array.tobytes()), v)

    return one


def drop_copies(program):
    """Let a computed value stand for its copy, where neither is written to nor looked at in another shape."""
    written = _written(program)
    viewed = {v for e in program.equations if is_view(e) for v in e.inputs}
    known = {}
    for e in program.equations:
        if e.primitive.name != "astype" or e.outputs[0] in viewed:
            continue
        (x,), (copy,) = e.inputs, e.outputs
        untouched = x.kind == "result" and written.isdisjoint(id(memory_of(v.array)) for v in (x, copy))
        if untouched and x.dtype == copy.dtype and x.array.flags.c_contiguous:
            known[copy] = known.get(x, x)
    return program.replaced(known, keep=lambda e: not known.keys() & set(e.outputs))


# -- fusion ---------------------------------------------------------------------------------------------------------

MOST_INPUTS = 7  # arrays that one loop reads: with more, the check that they do not overlap costs more than it gains


class Loop:
    """Elementwise equations that run together, the last of them, or its sum over axes, being what comes out."""

    def __init__(self, equations, summed=None):
        self.equations = equations
        self.summed = summed  # the equation of a Sum that takes the last value in

    @property
    def name(self):
        return "_".join(
            dict.fromkeys(e.primitive.name for e in [*self.equations, *([self.summed] if self.summed else [])])
        )


def fuse(program):
    """Return the program as a list of groups: each a Loop, or an equation by itself.

    An elementwise result that only one loop reads is not written to memory: its expression moves into that loop.
    """
    uses = program.uses()
    group_of = {}  # by the value that comes out of a loop
    groups = []
    epoch = 0  # writes so far: nothing that reads memory moves past one
    for e in program.equations:
        lowering = lowering_of(e)
        if e.primitive.mutates:
            epoch += 1
        if is_view(e) or not isinstance(lowering, Elementwise | Sum):
            groups.append(e)
            continue
        shape = e.inputs[0].shape if isinstance(lowering, Sum) else e.outputs[0].shape
        members, inputs = [], set(e.inputs)
        for v in dict.fromkeys(e.inputs):
            loop, when = group_of.get(v, (None, None))
            if (
                loop is None
                or when != epoch
                or uses[v] != e.inputs.count(v)
                or loop.summed
                or not (v.shape == shape or v.size == 1)
            ):
                continue
            merged = (inputs | inputs_of(loop)) - {v}
            if sum(x.size > 1 for x in merged) > MOST_INPUTS:
                continue
            members += [m for m in loop.equations if m not in members]
            inputs = merged
            groups.remove(loop)
            del group_of[v]
        loop = Loop(members, e) if isinstance(lowering, Sum) else Loop([*members, e])
        group_of[e.outputs[0]] = loop, epoch
        groups.append(loop)
    return groups


def inputs_of(loop):
    """Return the values that a loop reads from memory."""
    made = {v for e in loop.equations for v in e.outputs}
    last = [loop.summed] if loop.summed else []
    return dict.fromkeys(v for e in [*loop.equations, *last] for v in e.inputs if v not in made).keys()


def name_apart(program):
    """Give each value a name of its own that Python takes for one."""
    taken = set(dir(builtins)) | set(keyword.kwlist) | {"njit", "nan", "inf"}
    kernels = (lowering_of(e) for e in program.equations)
    taken |= {kernel.function.__name__ for kernel in kernels if isinstance(kernel, Kernel)}
    values = [*program.inputs, *(v for e in program.equations for v in (*e.inputs, *e.outputs)), *program.results]
    for value in dict.fromkeys(values):
        stem = re.sub(r"\W+", "_", value.name).strip("_") or "value"
        tries = (f"{stem}_{k}" if stem[-1].isdigit() else f"{stem}{k}" for k in itertools.count(1))
        plain = [stem] if value.kind in ("input", "state") else []
        value.name = next(name for name in itertools.chain(plain, tries) if name not in taken)
        taken.add(value.name)
    return program


def optimise(program):
    """All passes on equations, in the order in which they help each other."""
    for one in (expand, fold_constants, drop_copies, share_common, drop_unused, name_apart):
        program = one(program)
    return program
