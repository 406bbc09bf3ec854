"""Program: a recorded step as data. Values, and the equations between them; printed, it is the step's mathematics."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigan.engine import Primitive


@dataclass(eq=False)
class Value:
    """An array of the program.

    Attributes
    ----------
    name : str
    array : ndarray
        For a state, the very memory that lives on; for a constant, its values; for a result, what has its shape, dtype
        and layout (a view of another result looks into that one's array), and after `Program.forget` no layout.
    kind : {"input", "state", "constant", "result"}
        Passed in at each call; memory that outlives a call (parameters, optimiser, buffers); known for ever; computed.
    """

    name: str
    array: np.ndarray
    kind: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def size(self) -> int:
        return self.array.size

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(eq=False)
class Equation:
    """``outputs = primitive(*inputs, **params)``; `line` is the user's line that ran it."""

    primitive: Primitive
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    params: dict[str, Any] = field(default_factory=dict)
    line: str = ""

    @property
    def mutated(self) -> tuple[Value, ...]:
        """The inputs that are overwritten."""
        return tuple(self.inputs[i] for i in self.primitive.mutates)

    def __str__(self) -> str:
        params = [f"{k}={_short(v)}" for k, v in self.params.items()]
        call = f"{self.primitive.name}({', '.join([*(v.name for v in self.inputs), *params])})"
        return f"{', '.join(map(str, self.outputs))} = {call}" if self.outputs else call


@dataclass(eq=False)
class Program:
    """A step: what goes in, what happens, what comes out."""

    inputs: list[Value]
    equations: list[Equation]
    results: list[Value]

    def uses(self) -> dict[Value, int]:
        """Return how often each value is read, a result of the program counting as one reading."""
        count: dict[Value, int] = {}
        for value in [*(v for e in self.equations for v in e.inputs), *self.results]:
            count[value] = count.get(value, 0) + 1
        return count

    def forget(self) -> None:
        """Let go of all that the recorded run computed."""
        for result in (v for e in self.equations for v in e.outputs):
            result.array = np.broadcast_to(np.zeros((), result.dtype), result.shape)

    def replaced(self, known: dict[Value, Value], keep: Callable[[Equation], bool] = lambda e: True) -> "Program":
        """Return the program with the equations that `keep` wants, and with values replaced by what is `known`."""
        equations = [
            Equation(e.primitive, tuple(known.get(v, v) for v in e.inputs), e.outputs, e.params, e.line)
            for e in self.equations
            if keep(e)
        ]
        return Program(self.inputs, equations, [known.get(v, v) for v in self.results])

    def __str__(self) -> str:
        head = f"step({', '.join(map(str, self.inputs))})"
        lines, place = [], ""
        for e in self.equations:
            if e.line != place:
                place = e.line
                lines.append(f"  # {os.path.basename(place)}")
            lines.append(f"  {e}")
        return "\n".join([head, *lines, f"  return {', '.join(v.name for v in self.results)}"])


def _short(value: Any) -> str:
    text = getattr(value, "__qualname__", None) or str(value)
    return text if len(text) <= 40 else text[:37] + "..."
