"""Functions of functions: grad, value_and_grad, vjp, jvp, hvp. Each nests in each, to any order."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minigan.engine.forward import push_forward
from minigan.engine.graph import topological_order
from minigan.engine.modes import enable_grad, modes, no_grad
from minigan.engine.primitive import lift
from minigan.engine.reverse import pull_back
from minigan.engine.tensor import Tensor, as_tensor, filled_like
from minigan.errors import DTypeError, ShapeError


class _Evaluation:
    """One run of ``f`` on fresh stand-ins for its arguments, recorded.

    A stand-in has its argument's value but its own identity, so a derivative with respect to it does not see the same
    tensor where `f` holds it in a closure. What comes out stays in the graph only if somebody outside can ask for it:
    if an argument, or a tensor that `f` captured, requires a gradient.
    """

    def __init__(self, f: Callable[..., Any], args: Sequence[Any], argnums: Iterable[int]) -> None:
        self.primals = [_differentiable(args[i], i) for i in argnums]
        with enable_grad():
            self.inputs = [x.alias() if x.requires_grad else _stand_in(x) for x in self.primals]
            args = list(args)
            for i, x in zip(argnums, self.inputs, strict=True):
                args[i] = x
            self.result = f(*args)
        self.outputs = list(self.result) if isinstance(self.result, tuple) else [self.result]
        for y in self.outputs:
            if not isinstance(y, Tensor):
                raise TypeError(f"the function returned {type(y).__name__}, expected a Tensor or a tuple of them")
        self.stop = frozenset(self.inputs)
        self.order, leaves = topological_order(self.outputs, self.stop)
        captured = any(leaf not in self.stop for leaf in leaves)
        self.keep = modes.grad_enabled and (captured or any(x.requires_grad for x in self.primals))

    def pull_back(self, seeds: Sequence[Tensor]) -> list[Tensor]:
        keep = self._keeps(seeds)
        grads = pull_back(
            self.outputs, seeds, self.inputs, self.order, stop=self.stop, create_graph=keep, retain_graph=True
        )
        zeros = [filled_like(x._data, 0) for x in self.inputs]
        return [_seal(z if g is None else g, keep) for g, z in zip(grads, zeros, strict=True)]

    def push_forward(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        keep = self._keeps(tangents)
        with enable_grad() if keep else no_grad():
            results = push_forward(self.inputs, tangents, self.outputs, self.order, stop=self.stop)
        return [_seal(t, keep) for t in results]

    def values(self) -> Any:
        return self.as_result([_seal(y, self.keep) for y in self.outputs])

    def _keeps(self, vectors: Sequence[Tensor]) -> bool:
        return self.keep or (modes.grad_enabled and any(v.requires_grad for v in vectors))

    def as_result(self, tensors: Sequence[Tensor]) -> Any:
        return tuple(tensors) if isinstance(self.result, tuple) else tensors[0]


def _stand_in(x: Tensor) -> Tensor:
    return Tensor(x._data, True, version=x._version)


def _seal(t: Tensor, keep: bool) -> Tensor:
    return t if keep else t.detach()


def _differentiable(x: Any, position: int) -> Tensor:
    x = as_tensor(x)
    if x.dtype.kind != "f":
        raise DTypeError(f"argument {position} has dtype {x.dtype}; only floating arrays have derivatives")
    return x


def _like(arrays: Sequence[Any], tensors: Sequence[Tensor], what: str) -> list[Tensor]:
    """Return cotangents or tangents as Tensors that match, or say which does not."""
    if len(arrays) != len(tensors):
        raise ShapeError(f"{what}: got {len(arrays)}, expected {len(tensors)}, one for each")
    result = []
    for i, (a, t) in enumerate(zip(arrays, tensors, strict=True)):
        _, a = lift((t, a))
        if a.shape != t.shape:
            raise ShapeError(f"{what}: number {i} has shape {a.shape}, expected {t.shape}")
        result.append(a if a.dtype == t.dtype else a.astype(t.dtype))
    return result


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that computes ``f`` and its gradient in one go: ``(value, gradient)``.

    Parameters
    ----------
    f : callable
        Returns a Tensor with one element.
    argnums : int or tuple of int
        With respect to which argument; a tuple gives a tuple of gradients.

    Raises
    ------
    ShapeError
        When called, if `f` returns more than one element.
    """
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(f)
    def with_gradient(*args: Any) -> Any:
        run = _Evaluation(f, args, numbers)
        value = run.outputs[0]
        if len(run.outputs) > 1 or value.size != 1:
            what = f"shape {value.shape}" if len(run.outputs) == 1 else f"{len(run.outputs)} values"
            raise ShapeError(f"grad: the function returned {what}; a gradient needs a single element")
        grads = run.pull_back([filled_like(value._data, 1)])
        return run.values(), (grads[0] if isinstance(argnums, int) else tuple(grads))

    return with_gradient


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return the function that computes the gradient of ``f``, itself differentiable: ``mg.grad(mg.grad(f))`` works.

    Examples
    --------
    >>> import minigan as mg
    >>> mg.grad(mg.grad(lambda x: x * x * x))(2.0).item()
    12.0
    """
    with_gradient = value_and_grad(f, argnums)

    @functools.wraps(f)
    def gradient(*args: Any) -> Any:
        return with_gradient(*args)[1]

    return gradient


def vjp(f: Callable[..., Any], *xs: Any) -> tuple[Any, Callable[..., Any]]:
    """Evaluate ``f`` and return its pullback: the vector-Jacobian product.

    Returns
    -------
    y : Tensor or tuple of Tensor
        ``f(*xs)``.
    pullback : callable
        Takes a cotangent for `y` (a tuple if `y` is one) and returns a tuple with a cotangent for each of `xs`:
        ``J^T g``. May be called any number of times.
    """
    run = _Evaluation(f, xs, range(len(xs)))

    def pullback(g: Any) -> tuple[Tensor, ...]:
        cotangents = g if isinstance(run.result, tuple) else (g,)
        return tuple(run.pull_back(_like(cotangents, run.outputs, "pullback: cotangents")))

    return run.values(), pullback


def jvp(f: Callable[..., Any], xs: Any, vs: Any) -> tuple[Any, Any]:
    """Evaluate ``f`` and its derivative in a direction: ``(y, dy)`` with ``dy = J v``, in forward mode.

    Parameters
    ----------
    xs, vs : tuple of arrays of equal shapes, or one array each
        The point and the direction.
    """
    xs, vs = (x if isinstance(x, tuple | list) else (x,) for x in (xs, vs))
    run = _Evaluation(f, xs, range(len(xs)))
    tangents = run.push_forward(_like(vs, run.inputs, "jvp: directions"))
    return run.values(), run.as_result(tangents)


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Tensor:
    """Return the Hessian of the scalar function ``f`` at `x` times `v`, without forming it: the derivative of the
    gradient in the direction `v` (Pearlmutter, "Fast exact multiplication by the Hessian", 1994).
    """
    return jvp(grad(f), (x,), (v,))[1]
