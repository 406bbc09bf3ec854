"""Recording: every primitive that runs is collected, in order. What a compiler needs."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigan.engine.anomaly import user_line
from minigan.engine.modes import modes
from minigan.errors import TraceError


class Recording(list[Any]):
    """Equations ``(primitive, inputs, params, outputs)``.

    Attributes
    ----------
    closed : bool
        No value may leave as a Python number or a NumPy array: what is done to it there would not be recorded.
    code : code object, optional
        Of the function that is recorded, whose lines are the user's even where it belongs to this package.
    constants : list of (Tensor, original)
        What became a Tensor on the way: numbers and arrays.
    lines : list of str
        For each equation of a closed recording, ``file:line`` of the user's code that ran it.
    overwritten : list of (array, copy)
        In a closed recording, what stood in memory before it was written to.
    """

    def __init__(self, closed: bool, code: Any = None) -> None:
        super().__init__()
        self.closed, self.code = closed, code
        self.constants: list[tuple[Any, Any]] = []
        self.lines: list[str] = []
        self.overwritten: list[tuple[np.ndarray, np.ndarray]] = []

    def append(self, equation: Any) -> None:
        super().append(equation)
        if self.closed:
            self.lines.append(user_line(self.code))

    def save(self, array: np.ndarray) -> None:
        """Take note of memory that is about to be overwritten."""
        if self.closed:
            self.overwritten.append((array, array.copy()))

    def undo(self) -> None:
        """Give all memory that was written to its values from before."""
        for array, before in reversed(self.overwritten):
            np.copyto(array, before)
        self.overwritten.clear()


@contextlib.contextmanager
def recording(closed: bool = False, code: Any = None, into: Recording | None = None) -> Iterator[Recording]:
    """Collect every primitive that runs, as equations ``(primitive, inputs, params, outputs)``, in order.

    `into` is a Recording of one's own, which may look at each equation as it comes.

    Forward, backward, optimiser and random draws all go through `bind`, so the list is the whole training step:
    what a compiler needs.
    """
    before, modes.equations = modes.equations, Recording(closed, code) if into is None else into
    try:
        yield modes.equations
    finally:
        modes.equations = before


def must_stay(what: str) -> None:
    """Raise TraceError if a value is about to leave a closed recording."""
    if modes.equations is not None and modes.equations.closed:
        raise TraceError(
            f"{what} at {user_line()}: while a step is being compiled, values are not known, so what Python or NumPy "
            "does with them would be frozen. Use mg's functions (mg.where instead of if), return the tensor and look "
            "at it outside, or compute it before the step and pass it in"
        )
