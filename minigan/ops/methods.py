"""Gives Tensor its operators and methods, and makes NumPy's functions answer for Tensors."""

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
        if not isinstance(other, Tensor | np.ndarray | np.generic | int | float):
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
    ours = _counterpart(function)
    if ours is not None:
        return ours(*args, **kwargs)
    return _numpy_on_values(f"np.{function.__name__}", function, args, kwargs)


def _numpy_on_values(call, function, args, kwargs):
    """Let NumPy compute on constants; refuse where a gradient would be lost without a word."""
    tensors = [x for x in _leaves((args, kwargs)) if isinstance(x, Tensor)]
    if any(t.requires_grad for t in tensors):
        raise MissingRuleError(
            f"{call} has no counterpart in minigan, and a gradient is wanted of its argument. Use a function of `mg`, "
            "or pass x.detach() (or np.asarray(x)) to treat it as a constant"
        )
    out = kwargs.get("out")
    if any(isinstance(t, Tensor) for t in _leaves(out)):
        raise MissingRuleError(f"{call}: a Tensor cannot be the output; use t.assign(values)")
    return function(*_plain(args), **_plain(kwargs))


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
