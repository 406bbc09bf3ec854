"""The directional derivative of a function, by three methods that should agree."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigan.checking.differences import Derivative, differentiate
from minigan.checking.directions import size_of
from minigan.checking.subject import Function
from minigan.engine import Tensor, tensor
from minigan.errors import ShapeError
from minigan.transforms import jvp, vjp


class NumericalDerivative(NamedTuple):
    """A derivative and how far it may be off: ``value +- error``."""

    value: Any
    error: Any


def directional_derivative(f: Function, x: Any, v: Any, method: str = "numerical") -> Any:
    """Return the derivative of `f` at `x` in the direction `v`: the rate at which f changes when x moves along v.

    .. math:: D_v f(x) = \\lim_{t \\to 0} (f(x + t v) - f(x)) / t = \\langle \\nabla f(x), v \\rangle

    Parameters
    ----------
    f : callable
        A function of Tensors or, for the numerical method, of NumPy arrays; a number or an array of any shape.
    x, v : arrays of equal shapes, or tuples of them
        The point and the direction; tuples where f has several arguments. v need not have length 1.
    method : {"numerical", "forward", "reverse"}
        Differences over a sweep of steps in float64; forward mode; the gradient times v.

    Returns
    -------
    NumericalDerivative or float or array
        The numerical method returns ``(value, error)``, the others the value alone: a float where f returns one
        number, else an array of its shape. At a kink, ``value +- error`` is the interval between the derivatives
        from the left and from the right.

    Raises
    ------
    ShapeError
        If `x` and `v` do not match, or f returns several elements and the method is "reverse".

    Examples
    --------
    >>> import minigan as mg
    >>> value, error = mg.directional_derivative(np.sin, 0.0, 1.0)
    >>> abs(value - 1) <= error < 1e-9
    True
    """
    xs, vs = (list(a) if isinstance(a, tuple) else [a] for a in (x, v))
    points, directions = [_floats(a) for a in xs], [_floats(a) for a in vs]
    if [a.shape for a in points] != [a.shape for a in directions]:
        raise ShapeError(
            f"directional_derivative: x has shape {_shapes(points)}, v has {_shapes(directions)}; "
            "the direction needs the shape of the point"
        )
    if method == "numerical":
        return _numerical(f, points, directions, _kind_of_input(f, xs, points))
    if method == "forward":
        _, slope = jvp(f, tuple(tensor(a) for a in points), tuple(tensor(a) for a in directions))
        return _bare(slope.numpy())
    if method == "reverse":
        y, pullback = vjp(f, *(tensor(a) for a in points))
        if y.size != 1:
            raise ShapeError(f"directional_derivative: f returned shape {y.shape}; use method='forward' for arrays")
        gradients = pullback(np.ones(y.shape))
        return float(sum(np.vdot(g.numpy(), a) for g, a in zip(gradients, directions, strict=True)))
    raise ValueError(f"directional_derivative: got method={method!r}, expected 'numerical', 'forward' or 'reverse'")


def _kind_of_input(f: Function, given: Sequence[Any], points: Sequence[Any]) -> Function:
    """Return what makes an input for f: a Tensor where Tensors were given or arrays do not do, else a copied array."""
    if any(isinstance(a, Tensor) for a in given):
        return tensor
    try:
        f(*(x.copy() for x in points))
    except (AttributeError, TypeError):  # a method of Tensors, or an operator that refuses arrays
        return tensor
    return np.copy


def _numerical(f: Function, points: Sequence[Any], directions: Sequence[Any], wrap: Function) -> NumericalDerivative:
    """Differentiate each output element; they share the evaluations of f."""
    known: dict[float, np.ndarray] = {}

    def values(t: float) -> np.ndarray:
        if t not in known:
            known[t] = evaluate([x + t * v if t else x for x, v in zip(points, directions, strict=True)], t == 0)
        return known[t]

    def evaluate(moved: list[Any], at_the_point: bool) -> np.ndarray:
        try:
            with np.errstate(all="ignore"):
                y = f(*(wrap(x) for x in moved))
        except (ArithmeticError, ValueError):
            if at_the_point:
                raise
            return np.full(base.shape, np.nan)
        return np.asarray(y.data if isinstance(y, Tensor) else y)

    base = values(0.0)
    epsilon = float(np.finfo(base.dtype).eps) if base.dtype.kind == "f" else 0.0
    length = max((float(np.max(np.abs(v), initial=0.0)) for v in directions), default=0.0)
    if length == 0.0:
        return NumericalDerivative(_bare(np.zeros(base.shape)), _bare(np.zeros(base.shape)))
    sizes = [size_of(x) / size_of(v) for x, v in zip(points, directions, strict=True) if np.any(v)]
    unit = min(sizes)  # t = unit moves x by about its own size

    def element(index: tuple[int, ...]) -> Derivative:
        return differentiate(
            lambda s: float(values(s * unit)[index]), epsilon=epsilon, largest=max(1.0, 1 / (unit * length))
        )

    results = [element(index) for index in np.ndindex(*base.shape)]
    value = np.array([r.value / unit for r in results]).reshape(base.shape)
    error = np.array([r.error / unit for r in results]).reshape(base.shape)
    return NumericalDerivative(_bare(value), _bare(error))


def _floats(a: Any) -> np.ndarray:
    return np.asarray(a.numpy() if isinstance(a, Tensor) else a, dtype=np.float64)


def _bare(a: np.ndarray) -> Any:
    return float(a) if a.shape == () else a


def _shapes(arrays: list[np.ndarray]) -> str:
    return " and ".join(str(a.shape) for a in arrays)
