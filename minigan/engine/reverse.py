"""Reverse mode: cotangents flow from the results back to what they were computed from."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigan.engine import anomaly
from minigan.engine.graph import Stop, conform, origin, place, topological_order
from minigan.engine.modes import enable_grad, is_closed, modes, no_grad
from minigan.engine.primitive import Node, Rule, lift, rules_of
from minigan.engine.tensor import Tensor, constant, filled_like
from minigan.errors import AnomalyError, GraphError, ShapeError

Cotangents = dict[Any, Any]  # by `place`


def pull_back(
    roots: Sequence[Tensor],
    seeds: Sequence[Tensor],
    targets: Sequence[Tensor],
    order: list[Node],
    *,
    stop: Stop = frozenset(),
    create_graph: bool = False,
    retain_graph: bool = False,
) -> list[Any]:
    """Return the cotangents of `targets`, given the cotangents `seeds` of `roots`.

    Parameters
    ----------
    roots, seeds : sequences of Tensor, of equal length and shapes
    targets : sequence of Tensor
    order : list of Node
        From `topological_order`, with the same `stop`.

    Returns
    -------
    list of Tensor or None
        None where no path leads from a root to that target.
    """
    places = [place(t, stop) for t in targets]
    wanted = set(places)
    leading, passed = _towards(targets, order, stop)
    cotangents: Cotangents = {}
    found: Cotangents = {}
    for root, seed in zip(roots, seeds, strict=True):
        _add(cotangents, place(root, stop), seed)

    with enable_grad() if create_graph else no_grad():
        for node in reversed(order):
            if node not in passed:
                continue
            node.check()
            g = _cotangent_of_outputs(cotangents, node, wanted, found)
            if g is not None:
                _apply_rules(node, g, leading, cotangents, stop)
            if not retain_graph:
                node.free()
    return [found.get(p, cotangents.get(p)) for p in places]


def _towards(targets: Iterable[Tensor], order: list[Node], stop: Stop) -> tuple[set[Any], set[Node]]:
    """Return the origins that lead to a target, and the nodes among them to pass; nothing is computed for others.

    The node that made a target leads to it, and is not passed unless another target lies behind.
    """
    leading: set[Any] = {origin(t, stop) for t in targets}
    passed: set[Node] = set()
    for node in order:
        if node.values is None:  # freed: where it led is forgotten; let `check` complain if a cotangent arrives
            passed.add(node)
        for x in node.inputs:
            if x.requires_grad and origin(x, stop) in leading:
                passed.add(node)
                break
        if node in passed:
            leading.add(node)
    return leading, passed


def _cotangent_of_outputs(cotangents: Cotangents, node: Node, wanted: set[Any], found: Cotangents) -> Any:
    """Return what has gathered for a node's output; with several outputs a tuple, zeros for those nobody used."""
    g = []
    for i in range(len(node.values)):
        g.append(cotangents.pop((node, i), None))
        if (node, i) in wanted:
            found[(node, i)] = g[-1]
    if len(g) == 1:
        return g[0]
    if all(one is None for one in g):
        return None
    return tuple(_zero_like(v) if one is None else one for one, v in zip(g, node.values, strict=True))


def _zero_like(array: np.ndarray) -> Tensor:
    """Return one zero, repeated: nothing to allocate, and a kernel can tell that nobody used this output."""
    zero = _zero(array.dtype)
    return constant(Tensor(np.ndarray(array.shape, zero.dtype, zero, strides=(0,) * array.ndim)), 0)


@functools.cache
def _zero(dtype: np.dtype[Any]) -> np.ndarray:
    zero = np.zeros((), dtype)
    zero.flags.writeable = False
    return zero


def _apply_rules(node: Node, g: Any, leading: set[Any], cotangents: Cotangents, stop: Stop) -> None:
    """Add to the cotangents of those inputs of a node through which a target is reached."""
    primitive, inputs, out = node.primitive, node.inputs, node.outputs()
    if primitive.shared is not None:
        g = _run_rule(primitive.shared, g, out, node)
    for i, (x, rule) in enumerate(zip(inputs, rules_of(primitive, inputs), strict=True)):
        if rule is None or not x.requires_grad or origin(x, stop) not in leading:
            continue
        contribution = conform(_run_rule(rule, g, out, node, i), x, primitive.name)
        if modes.anomaly and not is_closed():
            anomaly.check_backward(node, i, contribution)
        _add(cotangents, place(x, stop), contribution)


def _run_rule(rule: Rule, g: Any, out: Any, node: Node, position: int | None = None) -> Any:
    try:
        return rule(g, out, *node.inputs, **node.params)
    except AnomalyError as error:  # an operation inside the rule noticed it; the user knows this node's operation
        raise anomaly.gradient_error(node, position, f"not finite ({error})") from error


def _add(cotangents: Cotangents, key: Any, contribution: Any) -> None:
    """A value used several times hears from each of its users: the contributions add up."""
    before = cotangents.get(key)
    cotangents[key] = contribution if before is None else before + contribution


def backward(
    tensor: Tensor, gradient: Any, inputs: Iterable[Tensor] | None, *, retain_graph: bool, create_graph: bool
) -> None:
    """Accumulate into ``.grad``: the work behind `Tensor.backward`."""
    if not tensor.requires_grad:
        raise GraphError(
            "backward: nothing was recorded for this tensor. Was it computed under mg.no_grad(), from detached values, "
            "or from tensors none of which has requires_grad=True?"
        )
    seed = _seed(tensor, gradient) if create_graph else _seed(tensor, gradient).detach()
    order, leaves = topological_order([tensor])
    targets = leaves if inputs is None else [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for t in targets:
        if not t.requires_grad:
            raise GraphError(f"backward: inputs holds a tensor of shape {t.shape} that does not require a gradient")
    grads = pull_back(
        [tensor], [seed], targets, order, create_graph=create_graph, retain_graph=retain_graph or create_graph
    )
    taken = {id(seed._data)}
    for target, grad in zip(targets, grads, strict=True):
        if grad is not None:
            _accumulate(target, grad, taken)


def _seed(tensor: Tensor, gradient: Any) -> Tensor:
    if gradient is None:
        if tensor.size != 1:
            raise ShapeError(
                f"backward: this tensor has shape {tensor.shape}, and only a single element has a gradient. "
                "Reduce it (.sum(), .mean()), or pass gradient=, the cotangent to start from"
            )
        return filled_like(tensor._data, 1)
    _, gradient = lift((tensor, gradient))
    if gradient.shape != tensor.shape:
        raise ShapeError(f"backward: gradient has shape {gradient.shape}, the tensor {tensor.shape}: they must agree")
    return gradient if gradient.dtype == tensor.dtype else gradient.astype(tensor.dtype)


def _accumulate(target: Tensor, grad: Any, taken: set[int]) -> None:
    """Add to ``.grad``, whose memory belongs to its tensor alone: rules may hand on a view, or one array to several."""
    if target.grad is not None:
        target.grad = target.grad + grad
    elif grad.requires_grad:
        target.grad = grad
    elif isinstance(grad._data.base, np.ndarray) or id(grad._data) in taken:
        target.grad = grad.astype(grad.dtype)  # a copy that a recording sees
    else:
        target.grad = grad.detach()
    taken.add(id(grad._data))
