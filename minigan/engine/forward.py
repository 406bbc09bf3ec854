"""Forward mode: tangents flow through the recorded graph in the order in which it was computed."""

from collections.abc import Sequence
from typing import Any

from minigan.engine.graph import Stop, conform, place, topological_order
from minigan.engine.modes import enable_grad, modes
from minigan.engine.primitive import Node, rules_of
from minigan.engine.reverse import pull_back
from minigan.engine.tensor import Tensor, filled_like


def push_forward(
    sources: Sequence[Tensor],
    tangents: Sequence[Tensor],
    roots: Sequence[Tensor],
    order: list[Node],
    *,
    stop: Stop = frozenset(),
) -> list[Any]:
    """Return the tangents of `roots`, given the `tangents` of `sources`.

    Parameters
    ----------
    sources, tangents : sequences of Tensor, of equal length and shapes
    roots : sequence of Tensor
    order : list of Node
        From `topological_order` of the roots, with the same `stop`.
    """
    known = {place(s, stop): t for s, t in zip(sources, tangents, strict=True)}
    for node in order:
        node.check()
        incoming = [known.get(place(x, stop)) for x in node.inputs]
        if any(t is not None for t in incoming):
            for i, t in enumerate(_tangents_of_outputs(node, incoming)):
                known[(node, i)] = t
    return [known.get(place(r, stop), filled_like(r._data, 0)) for r in roots]


def _tangents_of_outputs(node: Node, incoming: list[Any]) -> Sequence[Any]:
    primitive, out = node.primitive, node.outputs()
    if primitive.jvp is None:
        return _transpose_twice(node, incoming, out)
    filled = [filled_like(x._data, 0) if t is None else t for t, x in zip(incoming, node.inputs, strict=True)]
    t = primitive.jvp(filled, out, *node.inputs, **node.params)
    return t if isinstance(t, tuple) else (t,)


def _transpose_twice(node: Node, incoming: list[Any], out: Any) -> list[Any]:
    """Return J t from the VJP alone.

    The pullback u -> J^T u is linear, so s(u) = <J^T u, t> = <u, J t>: the gradient of s with respect to u is J t,
    whatever u is. (Townsend, "A new trick for calculating Jacobian vector products", 2017.)
    """
    primitive, inputs, params = node.primitive, node.inputs, node.params
    recording = modes.grad_enabled
    with enable_grad():
        u = tuple(filled_like(v, 0, requires_grad=True) for v in node.values)
        g = u[0] if len(u) == 1 else u
        if primitive.shared is not None:
            g = primitive.shared(g, out, *inputs, **params)
        products = [
            (conform(rule(g, out, *inputs, **params), x, primitive.name) * t).sum()
            for x, t, rule in zip(inputs, incoming, rules_of(primitive, inputs), strict=True)
            if rule is not None and t is not None
        ]
        results: list[Any] = [None] * len(u)
        if products:
            outs = out if isinstance(out, tuple) else (out,)
            here = frozenset([*u, *inputs, *outs, *(t for t in incoming if t is not None)])  # what lies behind is no
            order, _ = topological_order(products, stop=here)  # concern of u: a chain would be walked n^2 times
            ones = [filled_like(p._data, 1) for p in products]
            results = pull_back(products, ones, u, order, stop=here, create_graph=recording, retain_graph=True)
    return [filled_like(v, 0) if r is None else r for r, v in zip(results, node.values, strict=True)]
