"""Recording: every primitive that runs is collected, in order. What a compiler needs."""

import contextlib
import mmap
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigan.engine.anomaly import user_line
from minigan.engine.modes import is_closed, modes
from minigan.errors import TraceError

HOLLOW = mmap.PAGESIZE  # bytes: an array of fewer takes no more room than what stands for it


class Recording(list[Any]):
    """Equations ``(primitive, inputs, params, outputs)``.

    Attributes
    ----------
    closed : bool
        No value may leave as a Python number or a NumPy array: what is done to it there would not be recorded. So none
        is needed: results are `hollow`, writes are taken note of and not done, and in the end `empty` comes.
    code : code object, optional
        Of the function that is recorded, whose lines are the user's even where it belongs to this package.
    constants : list of (Tensor, original)
        What became a Tensor on the way: numbers and arrays.
    lines : list of str
        For each equation of a closed recording, ``file:line`` of the user's code that ran it.
    made : list of weak references to Tensors
        Those that a closed recording has made.
    cleared : set of int
        Ids of Tensors whose ``.grad`` a closed recording has set to None.
    """

    def __init__(self, closed: bool, code: Any = None) -> None:
        super().__init__()
        self.closed, self.code = closed, code
        self.constants: list[tuple[Any, Any]] = []
        self.lines: list[str] = []
        self.made: list[weakref.ref[Any]] = []
        self.cleared: set[int] = set()

    def append(self, equation: Any) -> None:
        super().append(equation)
        if self.closed:
            self.lines.append(user_line(self.code))

    def empty(self) -> None:
        """Take their arrays from all Tensors that were made, and that somebody has put aside."""
        for reference in self.made:
            if (tensor := reference()) is not None:
                tensor._data = NO_VALUE
        self.made.clear()


class _NoValue:
    """What a Tensor of a closed recording holds when that is over: whatever it is asked for, it says so."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TraceError(
            "this tensor was made while a step was recorded for compiling, and has no value. Let the step return it, "
            "and use what a call returns"
        )

    __array__ = __array_ufunc__ = _refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python itself is looking
            raise AttributeError(name)
        return self._refuse()


NO_VALUE: Any = _NoValue()


def hollow(array: np.ndarray) -> np.ndarray:
    """Return what stands for an array whose elements nobody needs: of its shape and dtype, in C order.

    Its elements are zeros that take no memory until they are written to; those of a small array of floats are its own.
    """
    if array.nbytes < HOLLOW:  # an integer may be an index: 0 is valid where what comes of other zeros is not
        return np.asarray(array, order="C") if array.dtype.kind == "f" else np.zeros(array.shape, array.dtype)
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    return np.ndarray(array.shape, array.dtype, mmap.mmap(-1, array.nbytes, **private))


@contextlib.contextmanager
def recording(closed: bool = False, into: Recording | None = None) -> Iterator[Recording]:
    """Collect every primitive that runs, as equations ``(primitive, inputs, params, outputs)``, in order.

    `into` is a Recording of one's own, which may look at each equation as it comes.

    Forward, backward, optimiser and random draws all go through `bind`, so the list is the whole training step:
    what a compiler needs.
    """
    before, modes.equations = modes.equations, Recording(closed) if into is None else into
    try:
        yield modes.equations
    finally:
        modes.equations = before


def must_stay(what: str) -> None:
    """Raise TraceError if a value is about to leave a closed recording."""
    if is_closed():
        raise TraceError(
            f"{what} at {user_line()}: while a step is being compiled, values are not known, so what Python or NumPy "
            "does with them would be frozen. Use mg's functions (mg.where instead of if), return the tensor and look "
            "at it outside, or compute it before the step and pass it in"
        )
