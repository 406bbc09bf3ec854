"""Reverse mode: cotangents flow from the results back to what they were computed from."""

import numpy as np

from minigan.engine import anomaly
from minigan.engine.graph import conform, place, topological_order
from minigan.engine.modes import enable_grad, modes, no_grad
from minigan.engine.primitive import rules_of
from minigan.engine.tensor import Tensor, as_tensor
from minigan.errors import GraphError, ShapeError


def pull_back(roots, seeds, targets, order, *, stop=frozenset(), create_graph=False, retain_graph=False):
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
    wanted = {place(t, stop) for t in targets}
    leading = _nodes_towards(wanted, order, stop)
    cotangents = {}
    for root, seed in zip(roots, seeds, strict=True):
        _add(cotangents, place(root, stop), seed)

    with enable_grad() if create_graph else no_grad():
        for node in reversed(order):
            if node not in leading:
                continue
            node.check()
            g = _cotangent_of_outputs(cotangents, node, wanted)
            if g is not None:
                for x, contribution in _apply_rules(node, g, leading, wanted, stop):
                    _add(cotangents, place(x, stop), contribution)
            if not retain_graph:
                node.free()
    return [cotangents.get(place(t, stop)) for t in targets]


def _nodes_towards(wanted, order, stop):
    """Return the nodes through which a target is reached; nothing is computed for the others."""
    leading = set()
    for node in order:
        freed = node.values is None  # where it led is forgotten: let `check` complain if a cotangent arrives
        if freed or any(x.requires_grad and _leads(x, leading, wanted, stop) for x in node.inputs):
            leading.add(node)
    return leading


def _leads(x, leading, wanted, stop):
    return place(x, stop) in wanted or (x._node in leading and x not in stop)


def _cotangent_of_outputs(cotangents, node, wanted):
    """Return what has gathered for a node's output; with several outputs a tuple, zeros for those nobody used."""
    places = [(node, i) for i in range(len(node.values))]
    found = [cotangents.get(p) if p in wanted else cotangents.pop(p, None) for p in places]
    if all(g is None for g in found):
        return None
    if len(found) == 1:
        return found[0]
    return tuple(Tensor(np.zeros_like(v)) if g is None else g for g, v in zip(found, node.values, strict=True))


def _apply_rules(node, g, leading, wanted, stop):
    """Yield (input, cotangent) for the inputs of a node through which a target is reached."""
    primitive, inputs, params, out = node.primitive, node.inputs, node.params, node.outputs()
    if primitive.shared is not None:
        g = primitive.shared(g, out, *inputs, **params)
    for i, (x, rule) in enumerate(zip(inputs, rules_of(primitive, inputs), strict=True)):
        if rule is None or not x.requires_grad or not _leads(x, leading, wanted, stop):
            continue
        contribution = conform(rule(g, out, *inputs, **params), x, primitive.name)
        if modes.anomaly:
            anomaly.check_backward(node, i, contribution)
        yield x, contribution


def _add(cotangents, key, contribution):
    """A value used several times hears from each of its users: the contributions add up."""
    before = cotangents.get(key)
    cotangents[key] = contribution if before is None else before + contribution


def backward(tensor, gradient, inputs, *, retain_graph, create_graph):
    """Accumulate into ``.grad``: the work behind `Tensor.backward`."""
    if not tensor.requires_grad:
        raise GraphError(
            "backward: nothing was recorded for this tensor. Was it computed under mg.no_grad(), from detached values, "
            "or from tensors none of which has requires_grad=True?"
        )
    seed = _seed(tensor, gradient)
    order, leaves = topological_order([tensor])
    targets = leaves if inputs is None else list(inputs)
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


def _seed(tensor, gradient):
    if gradient is None:
        if tensor.size != 1:
            raise ShapeError(
                f"backward: this tensor has shape {tensor.shape}, and only a single element has a gradient. "
                "Reduce it (.sum(), .mean()), or pass gradient=, the cotangent to start from"
            )
        return Tensor(np.ones_like(tensor._data))
    gradient = as_tensor(gradient)
    if gradient.shape != tensor.shape:
        raise ShapeError(f"backward: gradient has shape {gradient.shape}, the tensor {tensor.shape}: they must agree")
    return gradient if gradient.dtype == tensor.dtype else gradient.astype(tensor.dtype)


def _accumulate(target, grad, taken):
    """Add to ``.grad``, whose memory belongs to its tensor alone: rules may hand on a view, or one array to several."""
    if target.grad is not None:
        target.grad = target.grad + grad
    elif grad.requires_grad:
        target.grad = grad
    elif grad._data.base is not None or id(grad._data) in taken:
        target.grad = Tensor(np.array(grad._data, order="C"))
    else:
        target.grad = grad.detach()
    taken.add(id(grad._data))
