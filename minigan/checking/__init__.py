"""Gradient checking: directional derivatives, the checker, and hypothesis strategies for the reader's own tests.

Read in this order: `windows`, `differences` (the numerical derivative and its error), `directional` (three ways to one
number), `directions` and `compare` (what is compared with what), `gradients` (the course of a check), `conduct` (all
but numbers), `investigate`, `localise`, `whatif`, `diagnosis` (what is wrong, and where), `report`. For tests with
hypothesis: `strategies`, `layer_strategies`, `smallest`.
"""

from importlib import import_module as _import_module
from typing import Any

from minigan.checking.differences import Derivative, differentiate
from minigan.checking.directional import NumericalDerivative, directional_derivative
from minigan.checking.gradients import check_gradients
from minigan.checking.report import GradientReport

__all__ = [
    "Derivative",
    "GradientReport",
    "NumericalDerivative",
    "check_gradients",
    "differentiate",
    "directional_derivative",
]


def __getattr__(name: str) -> Any:
    if name == "strategies":  # this and the next are all that needs hypothesis
        return _import_module("minigan.checking.strategies")
    if name == "smallest_failure":
        return _import_module("minigan.checking.smallest").smallest_failure
    raise AttributeError(f"module 'minigan.checking' has no attribute {name!r}")
