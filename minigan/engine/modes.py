"""What is switched on in this thread: gradients, default dtype, anomaly detection, recording of equations."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from minigan.errors import DTypeError


class _Modes(threading.local):
    grad_enabled = True
    default_dtype = np.dtype("float32")
    anomaly = False
    unfused = False
    frozen_statistics = False  # of batch and spectral normalisation
    equations: Any = None  # the `Recording` that collects what `bind` runs


modes = _Modes()


def is_closed() -> bool:
    """Return whether a step is being recorded, so that there are shapes, and no values."""
    return modes.equations is not None and modes.equations.closed


class _Changes:
    """How often an attribute of a module was set to something new: whoever remembers what modules hold looks again."""

    count = 0


changes = _Changes()


@contextlib.contextmanager
def switched(name: str, value: Any) -> Iterator[Any]:
    """Inside, a mode has another value."""
    before = getattr(modes, name)
    setattr(modes, name, value)
    try:
        yield value
    finally:
        setattr(modes, name, before)


def no_grad() -> AbstractContextManager[Any]:
    """Compute values only: nothing is recorded, results do not require a gradient. Context manager or decorator."""
    return switched("grad_enabled", False)


def enable_grad() -> AbstractContextManager[Any]:
    """Record again inside `no_grad`: differentiation inside an evaluation needs it. Context manager or decorator."""
    return switched("grad_enabled", True)


def detect_anomaly() -> AbstractContextManager[Any]:
    """Stop at the first non-finite value, forward or backward, and name its operation and your line.

    Slower, since every result is looked at. Context manager or decorator.
    """
    return switched("anomaly", True)


def unfused() -> AbstractContextManager[Any]:
    """Run every fused primitive as its `reference`, built from small operations: slower, and a proof of the fused one.

    Context manager or decorator.
    """
    return switched("unfused", True)


def default_dtype(dtype: Any) -> AbstractContextManager[Any]:
    """Set the dtype that lists, scalars and new parameters take: ``with mg.default_dtype("float64"): ...``.

    Raises
    ------
    DTypeError
        If `dtype` is not float32 or float64.
    """
    try:
        dtype = np.dtype(dtype)
    except TypeError as error:
        raise DTypeError(f"default_dtype: got {dtype!r}, expected 'float32' or 'float64'") from error
    if dtype not in (np.float32, np.float64):
        raise DTypeError(f"default_dtype: got {dtype}, expected 'float32' or 'float64'")
    return switched("default_dtype", dtype)
