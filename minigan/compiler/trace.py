"""Trace: run a step once, eagerly, and make a `Program` of what was recorded."""

from collections.abc import Callable, Sequence
from numbers import Number
from typing import Any

import numpy as np

from minigan.compiler.program import Equation, Program, Value
from minigan.engine import Recording, Tensor, no_grad, recording
from minigan.errors import TraceError


def trace(step: Callable[..., Any], arguments: Sequence[Any], record: Recording) -> Any:
    """Run ``step(*arguments)``, take down what happens, and return what it returned. Nothing is written to.

    Raises
    ------
    TraceError
        If a value leaves the recording: a branch on it, a conversion to a number or a NumPy array.
    """
    with recording(into=record), np.errstate(all="ignore"):  # of values that are not those of a step
        return step(*arguments)


def program_of(record: Recording, inputs: Sequence[Tensor], returned: Any, names: dict[int, str]) -> Program:
    """Make a program of what was recorded.

    Parameters
    ----------
    inputs : sequence of Tensor
        Those of the step's arguments that are Tensors: the inputs of the program.
    returned : what the step returned
    names : dict
        By the id of an array, what the user calls it: parameters, arguments.

    Raises
    ------
    TraceError
        If something else than Tensors in tuples, lists and dicts was returned, or a tensor comes from outside with its
        graph.
    """
    return _Tracer(names).program(record, inputs, tensors_in(returned))


def tensors_in(tree: Any) -> list[Tensor]:
    """Return the Tensors in nested tuples, lists and dicts, in order; None, numbers and words may stand beside them."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict | list | tuple):
        return [t for part in (tree.values() if isinstance(tree, dict) else tree) for t in tensors_in(part)]
    if tree is None or isinstance(tree, Number | str):
        return []
    raise TraceError(
        f"the step returned {type(tree).__name__}: its contents would stay those of the first call. Return Tensors, in "
        "tuples, lists or dicts"
    )


class _Tracer:
    """Knows each array that it has met as a Value, by identity: Tensors come and go, the arrays they hold do not."""

    def __init__(self, names: dict[int, str]) -> None:
        self.names = names
        self.values: dict[int, Value] = {}
        self.outer: set[int] = set()  # ids of memory from outside, and of memory that the step made
        self.made: set[int] = set()

    def program(self, record: Recording, arguments: Sequence[Tensor], returned: list[Tensor]) -> Program:
        inputs = [self.know(t._data, "input") for t in arguments]
        for tensor, _ in record.constants:
            if id(tensor._data) not in self.values:
                self.know(tensor._data, "constant")
        equations = []
        for (primitive, args, params, outs), line in zip(record, record.lines, strict=True):
            read = tuple(self.value_of(t, line) for t in args)
            made = () if primitive.mutates else tuple(self.know(t._data, "result", primitive.name) for t in outs)
            equations.append(Equation(primitive, read, made, params, line))
        return Program(inputs, equations, [self.value_of(t, "return") for t in returned])

    def value_of(self, tensor: Tensor, line: str) -> Value:
        """Return the value of an equation's argument; an array not met before is memory from outside: a state."""
        array = tensor._data
        if id(array) not in self.values:
            if id(memory_of(array)) in self.made:
                raise TraceError(f"at {line}: a view of a computed value was made outside of minigan's operations")
            if tensor._node is not None:
                raise TraceError(
                    f"at {line}: the step uses a tensor that was computed outside of it, and through which gradients "
                    "would flow. Pass or take its .detach(), or compute it inside the step"
                )
            self.know(array, "state", "state" if array.ndim else "number")
        return self.values[id(array)]

    def know(self, array: np.ndarray, kind: str, stem: str = "") -> Value:
        memory = id(memory_of(array))
        if kind != "result":
            self.outer.add(memory)
        elif memory not in self.outer:
            self.made.add(memory)
        value = Value(self.names.get(id(array), stem or kind), array, kind)
        self.values[id(array)] = value
        return value


def trace_reference(equation: Equation) -> Program:
    """Return the equations that an equation's reference consists of; its inputs are the equation's own."""
    tensors = [Tensor(v.array) for v in equation.inputs]
    with recording(closed=True) as record, no_grad(), np.errstate(all="ignore"):
        returned = equation.primitive.reference(  # type: ignore[misc]
            *tensors, **equation.params
        )
    record.lines = [equation.line] * len(record)
    tracer = _Tracer({})
    tracer.values = {id(v.array): v for v in equation.inputs}
    tracer.outer = {id(memory_of(v.array)) for v in equation.inputs}
    returned = returned if isinstance(returned, tuple) else (returned,)
    return tracer.program(record, [], list(returned))


def memory_of(array: np.ndarray) -> Any:
    """Return the object that owns an array's memory."""
    base: Any = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return base
