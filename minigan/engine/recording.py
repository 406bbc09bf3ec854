"""Recording: every primitive that runs is collected, in order. What a compiler needs."""

import contextlib
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigan.engine.anomaly import user_line
from minigan.engine.modes import modes
from minigan.errors import TraceError

HOLLOW = mmap.PAGESIZE  # bytes: an array of fewer takes no more room than what stands for it


class Recording(list[Any]):
    """Equations ``(primitive, inputs, params, outputs)``.

    Attributes
    ----------
    closed : bool
        No value may leave as a Python number or a NumPy array: what is done to it there would not be recorded. So none
        is needed: results are `hollow`, and writes are taken note of, but not done.
    code : code object, optional
        Of the function that is recorded, whose lines are the user's even where it belongs to this package.
    constants : list of (Tensor, original)
        What became a Tensor on the way: numbers and arrays.
    lines : list of str
        For each equation of a closed recording, ``file:line`` of the user's code that ran it.
    """

    def __init__(self, closed: bool, code: Any = None) -> None:
        super().__init__()
        self.closed, self.code = closed, code
        self.constants: list[tuple[Any, Any]] = []
        self.lines: list[str] = []

    def append(self, equation: Any) -> None:
        super().append(equation)
        if self.closed:
            self.lines.append(user_line(self.code))


def hollow(array: np.ndarray) -> np.ndarray:
    """Return what stands for an array whose elements nobody needs: of its shape and dtype, in C order.

    Its elements are zeros that take no memory until they are written to; those of a small array are its own.
    """
    if array.nbytes < HOLLOW:
        return np.asarray(array, order="C")
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    return np.ndarray(array.shape, array.dtype, mmap.mmap(-1, array.nbytes, **private))


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


def is_closed() -> bool:
    """Return whether a closed recording goes on."""
    return modes.equations is not None and modes.equations.closed


def must_stay(what: str) -> None:
    """Raise TraceError if a value is about to leave a closed recording."""
    if is_closed():
        raise TraceError(
            f"{what} at {user_line()}: while a step is being compiled, values are not known, so what Python or NumPy "
            "does with them would be frozen. Use mg's functions (mg.where instead of if), return the tensor and look "
            "at it outside, or compute it before the step and pass it in"
        )
