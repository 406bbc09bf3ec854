"""Under `detect_anomaly`: find the first non-finite value, the operation that made it and the user's line."""

import os
import sys
from typing import Any

import numpy as np

from minigan.errors import AnomalyError

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def user_line(code: Any = None) -> str:
    """Return ``file:line`` of the innermost frame outside this package, or of the function whose `code` this is."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code is not code and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def check_forward(primitive: Any, values: Any) -> None:
    for value in values:
        if (kind := _non_finite(value)) is not None:
            raise AnomalyError(f"'{primitive.name}' returned {kind} (shape {np.shape(value)}), called at {user_line()}")


def check_backward(node: Any, position: int, cotangent: Any) -> None:
    if (kind := _non_finite(cotangent._data)) is not None:
        raise gradient_error(node, position, kind)


def gradient_error(node: Any, position: int | None, kind: str) -> AnomalyError:
    where = "its output" if position is None else f"argument {position}"
    return AnomalyError(
        f"the gradient of '{node.primitive.name}' with respect to {where} is {kind}; "
        f"the operation ran at {node.line or 'an unknown line: run the forward pass under detect_anomaly too'}"
    )


def _non_finite(value: Any) -> str | None:
    value = np.asarray(value)
    if value.dtype.kind != "f" or np.isfinite(value).all():
        return None
    return "nan" if np.isnan(value).any() else "inf"
