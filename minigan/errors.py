"""Every error that minigan raises on purpose, under one root.

A message says what was given, what was expected and what to do; the command line prints it as one line.
The classes also derive from the built-in that fits, so that ``except ValueError`` keeps working.
"""

from typing import Any


class MiniganError(Exception):
    """Root of all errors that minigan raises on purpose."""


class ShapeError(MiniganError, ValueError):
    """Arrays have shapes that do not go together."""


class DTypeError(MiniganError, TypeError):
    """An array has a dtype that the operation cannot take."""


class MissingRuleError(MiniganError, NotImplementedError):
    """An operation has no derivative rule, or NumPy was called where minigan has no counterpart."""


class GraphError(MiniganError, RuntimeError):
    """The recorded graph cannot be walked: freed, changed in place, or never recorded."""


class AnomalyError(MiniganError, ArithmeticError):
    """A non-finite value appeared under ``mg.detect_anomaly()``."""


class TraceError(MiniganError, RuntimeError):
    """A step cannot be compiled: it does something that a recording cannot hold."""


class GradientCheckError(MiniganError, AssertionError):
    """A gradient disagrees with the numerical directional derivative.

    Attributes
    ----------
    report : minigan.checking.GradientReport or None
        What was found.
    """

    def __init__(self, message: str = "", report: Any = None):
        super().__init__(message)
        self.report = report


class ConfigError(MiniganError, ValueError):
    """An option, name or configuration file is not usable."""


class DataError(MiniganError, ValueError):
    """A data set is missing, damaged, of another kind, or holds values that cannot be trained on."""


class CheckpointError(MiniganError, RuntimeError):
    """A run folder or its checkpoint is missing, damaged, in use, or of another configuration."""


class TrainingDiverged(MiniganError, ArithmeticError):
    """Training produced non-finite values; the last good checkpoint is kept."""
