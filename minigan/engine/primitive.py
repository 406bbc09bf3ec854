"""Primitive: everything about one operation in one record; `bind`: the one door through which all of them run."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigan.domains import Domain
from minigan.engine import anomaly
from minigan.engine.modes import is_closed, modes
from minigan.engine.recording import hollow
from minigan.engine.tensor import Tensor, constant, numbers, tensor
from minigan.errors import DTypeError, GraphError, MiniganError, MissingRuleError, ShapeError, TraceError
from minigan.lowerings import Lowering, OnHost

Rule = Callable[..., Any]


@dataclass(frozen=True)
class Primitive:
    """One operation: its values, its derivative, where it is defined.

    Attributes
    ----------
    name : str
    impl : callable ``(*arrays, **params) -> array`` or tuple of arrays
        Eager NumPy or a kernel. Never writes to its inputs, except to those in `mutates`.
    vjp : tuple of callables, one per argument, or None
        ``rule(g, out, *inputs, **params) -> Tensor``: the cotangent of that argument, given the cotangent ``g`` of the
        output. Written with public operations, so that it can be differentiated again. A rule that is None says that
        nothing flows there (indices, conditions). The engine undoes broadcasting and promotion after the rule.
        Where there are several outputs, ``g`` and ``out`` are tuples. A function of any number of arrays
        (concatenate) has one rule instead of a tuple, with ``position=i`` among its params. ``vjp=None``: no rule is
        known, which is an error as soon as a gradient is wanted.
    shared : callable ``(g, out, *inputs, **params) -> g``, optional
        What all rules begin with, computed once; its result takes the place of ``g`` in them.
    jvp : callable ``(tangents, out, *inputs, **params) -> Tensor``, optional
        The tangent of the output; without it the engine transposes the `vjp` twice.
    domain : Domain
        Where the function is defined and smooth: the registry's tests draw their examples from it.
    reference : callable ``(*tensors, **params) -> Tensor``, optional
        For a fused operation: the same function built from small ones.
    mutates : tuple of int
        Which arguments `impl` overwrites (updates of parameters); their versions are bumped.
    lowering : Lowering, optional
        How the compiler writes it (`minigan.lowerings`).
    """

    name: str
    impl: Callable[..., Any]
    vjp: tuple[Rule | None, ...] | Rule | None
    domain: Domain
    shared: Rule | None = None
    jvp: Callable[..., Any] | None = None
    reference: Callable[..., Any] | None = None
    mutates: tuple[int, ...] = ()
    lowering: Lowering | type[OnHost] | None = None


REGISTRY: dict[str, Primitive] = {}


def primitive(*, vjp: Any, domain: Domain, name: str | None = None, **fields: Any) -> Callable[..., Any]:
    """Turn a function of arrays into a differentiable function of Tensors: one record, kept in the `REGISTRY`.

    The body is the implementation, positional arguments are arrays, keyword-only arguments are parameters, and the
    docstring is the user's. The record itself is the attribute ``.primitive`` of the result.
    """

    def declare(impl: Callable[..., Any]) -> Callable[..., Any]:
        record = Primitive(name or impl.__name__, impl, vjp, domain, **fields)
        if record.name in REGISTRY:
            raise ValueError(f"primitive {record.name!r} is declared twice")
        REGISTRY[record.name] = record

        def run(*args: Any, **params: Any) -> Any:
            return bind(record, *args, **params)

        operation: Any = functools.update_wrapper(run, impl)
        # Tensors come in and go out, so the parameters' defaults are all that the signature has to show.
        operation.__signature__ = inspect.signature(impl)
        operation.primitive = record
        return operation

    return declare


class Node:
    """One recorded equation ``values = primitive(*inputs, **params)``.

    It holds the output *values*, never the output Tensors: Tensors point to nodes and nodes to their inputs, so the
    graph has no cycles and its memory returns as soon as the last Tensor goes.
    """

    __slots__ = ("inputs", "line", "params", "primitive", "values", "versions", "written")

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Tensor, ...],
        params: dict[str, Any],
        values: list[np.ndarray],
        versions: list[list[int]],
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.values: Any = values  # (array, ...), one per output
        self.versions = versions  # of inputs and outputs: lists of one int, shared with the Tensors
        self.written = self.count_writes()
        self.line = anomaly.user_line() if modes.anomaly else None

    def count_writes(self) -> int:
        """Return how often the recorded values have been written to; it only grows, so a sum will do."""
        count = 0
        for version in self.versions:
            count += version[0]
        return count

    def outputs(self) -> Any:
        """Return the output as a Tensor again, or a tuple of them, as the rules want it."""
        if len(self.values) == 1:
            return Tensor(self.values[0], True, self, 0, self.versions[-1])
        versions = self.versions[len(self.inputs) :]
        return tuple(Tensor(v, True, self, i, versions[i]) for i, v in enumerate(self.values))

    def check(self) -> None:
        """Raise GraphError if the recorded values are gone or have been overwritten."""
        if self.values is None:
            raise GraphError(
                f"backward through '{self.primitive.name}' a second time: the first backward() freed its values; "
                "call backward(retain_graph=True) the first time, or compute the result again"
            )
        if self.written != self.count_writes():
            raise GraphError(
                f"backward through '{self.primitive.name}': a value it recorded was changed in place since (an "
                "optimiser step or assign). Call backward() before the change, or compute the result again after it"
            )

    def free(self) -> None:
        self.inputs, self.values, self.versions = (), None, []


def bind(primitive: Primitive, *args: Any, **params: Any) -> Any:
    """Run a primitive on Tensors, arrays and numbers; record it where a gradient is wanted."""
    for x in args:
        if not isinstance(x, Tensor):
            args = lift(args)
            break
    if modes.unfused and primitive.reference is not None:
        return primitive.reference(*args, **params)
    if primitive.mutates:
        _guard_writes(primitive, args)
        if is_closed():
            return _note_write(primitive, args, params)
    try:
        values = primitive.impl(*[x._data for x in args], **params)
    except Exception as error:
        if (clearer := _clearer(error, primitive, args)) is None:
            raise
        raise clearer from error
    for i in primitive.mutates:
        args[i]._version[0] += 1
    several = type(values) is tuple
    outs = [_wrap(v, args) for v in (values if several else (values,))]
    if modes.grad_enabled and not primitive.mutates:  # a write has no derivative
        for x in args:
            if x.requires_grad:
                _record(primitive, args, params, outs)
                break
    if modes.anomaly and not is_closed():
        anomaly.check_forward(primitive, [out._data for out in outs])
    if modes.equations is not None:
        modes.equations.append((primitive, args, params, tuple(outs)))
    return tuple(outs) if several else outs[0]


def _note_write(primitive: Primitive, args: tuple[Tensor, ...], params: dict[str, Any]) -> Any:
    """Take note of a write, in place of doing it; return what it is for: its target."""
    for i in primitive.mutates:
        args[i]._version[0] += 1
    modes.equations.append((primitive, args, params, ()))
    target = args[primitive.mutates[0]]
    return Tensor(target._data, version=target._version)


def _clearer(error: Exception, primitive: Primitive, args: tuple[Tensor, ...]) -> Exception | None:
    """Return what to raise in place of what an implementation raised; None if that is clear by itself."""
    if isinstance(error, TypeError) and (words := _about_dtypes(error, args)) is not None:
        return DTypeError(f"{primitive.name}: {words}")
    if isinstance(error, MiniganError):
        return None
    if isinstance(error, ValueError) and "broadcast" in str(error):
        shapes = " and ".join(str(x.shape) for x in args)
        return ShapeError(f"{primitive.name}: shapes {shapes} do not broadcast together")
    if is_closed() and not (getattr(primitive.impl, "__module__", None) or "").startswith("minigan."):
        return TraceError(
            f"'{primitive.name}' raised {type(error).__name__} ({error}) while a step was recorded. There it is given "
            "zeros in place of values: if they are the reason, let it return nan, or leave it out of the compiled step"
        )
    return None


def _about_dtypes(error: TypeError, args: tuple[Tensor, ...]) -> str | None:
    """Return what to say where NumPy, or a kernel, does not take a dtype; None if the error is about something else."""
    if isinstance(error, DTypeError):
        return str(error)
    if "ufunc '" not in str(error) and "numpy boolean" not in str(error):
        return None
    dtypes = " and ".join(str(x.dtype) for x in args)
    return f"not defined for dtype {dtypes}, expected real numbers; convert with x.astype('float32')"


def _record(primitive: Primitive, args: tuple[Tensor, ...], params: dict[str, Any], outs: list[Tensor]) -> None:
    """Tie the outputs to a node, if a gradient can flow back through it."""
    if primitive.vjp is None:
        raise MissingRuleError(
            f"'{primitive.name}' has no derivative rule, and a gradient is wanted of what it is given. Pass x.detach() "
            "to treat that as a constant, compute under mg.no_grad(), or declare a vjp"
        )
    for x, rule in zip(args, rules_of(primitive, args), strict=True):
        if x.requires_grad and rule is not None:
            break
    else:
        return
    for out in outs:
        if out._data.dtype.kind != "f":
            return
    versions = [x._version for x in args] + [out._version for out in outs]
    node = Node(primitive, args, params, [out._data for out in outs], versions)
    for i, out in enumerate(outs):
        out.requires_grad, out._node, out._index = True, node, i


def rules_of(primitive: Primitive, args: tuple[Tensor, ...]) -> Any:
    """Return one rule per argument; a function of any number of arrays has one for all, which is told the position."""
    if callable(primitive.vjp):
        return [functools.partial(primitive.vjp, position=i) for i in range(len(args))]
    return primitive.vjp


def _wrap(value: Any, args: tuple[Tensor, ...]) -> Tensor:
    """Make a Tensor of a result; a view shares the version of the memory it looks into."""
    if type(value) is not np.ndarray:
        value = np.asarray(value)  # NumPy reductions return scalars
    if value.base is not None:
        for x in args:
            if np.may_share_memory(value, x._data):
                return Tensor(value, version=x._version)
    if modes.equations is not None:  # a compiled step's memory is in C order: no view here that would be none there
        value = hollow(value) if args and is_closed() else np.asarray(value, order="C")
    return Tensor(value)


def lift(args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Make Tensors by NumPy 2 promotion: Python numbers, also those in a list, take the dtype of their company."""
    company = [x.dtype for x in args if isinstance(x, Tensor | np.ndarray | np.generic)]
    return tuple(x if isinstance(x, Tensor) else _lift_one(x, company) for x in args)


# The Python number that stands for the values of a list in NumPy's promotion, by the kind of their dtype.
_LIKE_NUMBER = {"b": False, "i": 0, "u": 0, "f": 0.0}


def _lift_one(x: Any, company: list[np.dtype[Any]]) -> Tensor:
    if company and type(x) in (int, float, bool):
        if company[0].kind == "f" and company.count(company[0]) == len(company):
            return constant(Tensor(np.array(x, dtype=company[0])), x)  # the common case, without asking NumPy
        return constant(Tensor(np.asarray(x, dtype=np.result_type(x, *company))), x)
    if company and isinstance(x, list | tuple):
        return tensor(x, dtype=np.result_type(_LIKE_NUMBER[numbers(x).dtype.kind], *company))
    return tensor(x)  # a copy: an array changed later must not change a recorded value


def _guard_writes(primitive: Primitive, args: tuple[Tensor, ...]) -> None:
    for i in primitive.mutates:
        if args[i]._node is not None:
            raise GraphError(f"{primitive.name}: only leaves are written to; this tensor was computed. Use .detach()")
        if not args[i]._data.flags.writeable:
            raise GraphError(f"{primitive.name}: the tensor's memory is read-only; make one with mg.tensor(...)")
