"""Gives Tensor its operators and methods, and makes NumPy's functions answer for Tensors."""

import inspect

import numpy as np

from minigan.engine import Tensor
from minigan.errors import MissingRuleError
from minigan.ops import activations, arithmetic, linear, reductions, shape, smooth, writes

OPERATORS = {
    "add": arithmetic.add,
    "sub": arithmetic.subtract,
    "mul": arithmetic.multiply,
    "truediv": arithmetic.divide,
    "pow": arithmetic.power,
    "matmul": linear.matmul,
}
COMPARISONS = {
    "eq": arithmetic.equal,
    "ne": arithmetic.not_equal,
    "lt": arithmetic.less,
    "le": arithmetic.less_equal,
    "gt": arithmetic.greater,
    "ge": arithmetic.greater_equal,
}
METHODS = {
    **{name: getattr(reductions, name) for name in ("sum", "mean", "var", "max", "min")},
    **{name: getattr(shape, name) for name in ("reshape", "transpose", "swapaxes", "alias")},
    "clip": arithmetic.clip,
    "assign": writes.assign,
    "__getitem__": shape.getitem,
    "__neg__": arithmetic.negative,
    "__pos__": shape.alias,
    "__abs__": arithmetic.abs,
}
OPERANDS = (Tensor, float, int, np.ndarray, np.generic, list, tuple)
MODULES = (activations, arithmetic, linear, reductions, shape, smooth)


def install():
    """Attach all of it to Tensor; called once, when `minigan.ops` is imported."""
    for name, operation in OPERATORS.items():
        setattr(Tensor, f"__{name}__", _binary(operation))
        setattr(Tensor, f"__r{name}__", _binary(operation, reflected=True))
    for name, operation in COMPARISONS.items():
        setattr(Tensor, f"__{name}__", _binary(operation))
    for name, method in METHODS.items():
        setattr(Tensor, name, method)
    Tensor.astype = lambda self, dtype: shape.astype(self, dtype=np.dtype(dtype))
    Tensor.T = property(lambda self: shape.transpose(self), doc="The tensor with its axes reversed; a view.")
    Tensor.__array_ufunc__ = _array_ufunc
    Tensor.__array_function__ = _array_function


def _binary(operation, reflected=False):
    def method(self, other):
        if not isinstance(other, OPERANDS):
            return NotImplemented
        return operation(other, self) if reflected else operation(self, other)

    method.__name__ = operation.__name__
    return method


def _counterpart(numpy_function):
    """Return minigan's function of the same name, or None."""
    name = {"absolute": "abs", "true_divide": "divide", "amax": "max", "amin": "min"}.get(
        numpy_function.__name__, numpy_function.__name__
    )
    for module in MODULES:
        found = getattr(module, name, None)
        if callable(found) and getattr(found, "__module__", "").startswith("minigan.ops"):
            return found
    return None


def _array_ufunc(self, ufunc, method, *inputs, **kwargs):
    ours = _counterpart(ufunc)
    if ours is not None and method == "__call__" and not kwargs:
        return ours(*inputs)
    call = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    options = f" with {', '.join(kwargs)}=" if kwargs and ours is not None else ""
    return _numpy_on_values(call + options, getattr(ufunc, method), inputs, kwargs)


def _array_function(self, function, types, args, kwargs):
    public = getattr(np, function.__name__, None) is function  # np.linalg.norm is another norm than ours
    ours = _counterpart(function) if public else None
    if ours is not None and _takes(ours, args, kwargs):
        return ours(*args, **kwargs)
    call = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
    options = f" with these arguments ({', '.join(kwargs)})" if ours is not None else ""
    return _numpy_on_values(call + options, function, args, kwargs)


def _takes(function, args, kwargs):
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _numpy_on_values(call, function, args, kwargs):
    """Let NumPy compute on constants, and what has no derivative; refuse to lose a gradient without a word."""
    if any(isinstance(t, Tensor) for t in _leaves(kwargs.get("out"))):
        raise MissingRuleError(f"{call}: a Tensor cannot be the output; use t.assign(values)")
    wanted = any(isinstance(x, Tensor) and x.requires_grad for x in _leaves((args, kwargs)))
    result = None if wanted and "out" in kwargs else function(*_plain(args), **_plain(kwargs))
    if wanted and any(np.asarray(r).dtype.kind not in "biuU" for r in _leaves(result)):  # shapes, indices, truth: fine
        raise MissingRuleError(
            f"{call} has no counterpart in minigan, and a gradient is wanted of its argument. Use a function of `mg`, "
            "or pass x.detach() (or np.asarray(x)) to treat it as a constant"
        )
    return result


def _leaves(x):
    if isinstance(x, dict):
        x = list(x.values())
    return [leaf for item in x for leaf in _leaves(item)] if isinstance(x, list | tuple) else [x]


def _plain(x):
    if isinstance(x, dict):
        return {k: _plain(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(_plain(item) for item in x)
    return np.asarray(x) if isinstance(x, Tensor) else x
