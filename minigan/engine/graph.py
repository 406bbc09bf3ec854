"""The recorded graph in the order in which it was computed, and what every rule's result goes through."""

from collections.abc import Iterable
from typing import Any

from minigan.engine.primitive import Node
from minigan.engine.tensor import Tensor
from minigan.errors import ShapeError

Stop = frozenset[Tensor] | set[Tensor]  # tensors behind which nobody looks


def topological_order(roots: Iterable[Tensor], stop: Stop = frozenset()) -> tuple[list[Node], list[Tensor]]:
    """Return the nodes that `roots` were computed from, every node after the nodes of its inputs.

    Depth first with a stack of our own, so that a chain of 100,000 operations needs no recursion. A node is listed
    once all its inputs are: walking the list backwards, each node has heard from *all* its users before its turn.
    Without that order a value used twice would pass on a cotangent that is not complete yet.

    Parameters
    ----------
    roots : iterable of Tensor
    stop : set of Tensor
        Do not look behind these.

    Returns
    -------
    order : list of Node
    leaves : list of Tensor
        The tensors at the beginning that require a gradient (those in `stop` included), each once.
    """
    order: list[Node] = []
    leaves: dict[Tensor, None] = {}
    seen = set()
    stack: list[tuple[Any, bool]] = [(root, False) for root in roots]
    while stack:
        item, listed_inputs = stack.pop()
        if listed_inputs:
            order.append(item)
            continue
        node = item._node
        if node is None or item in stop:
            if item.requires_grad:
                leaves[item] = None
            continue
        if node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((x, False) for x in node.inputs if x.requires_grad)
    return order, list(leaves)


def place(tensor: Tensor, stop: Stop = frozenset()) -> Any:
    """Return what identifies a tensor in the graph: (node, index) for a result, the tensor itself for a beginning."""
    return tensor if tensor._node is None or tensor in stop else (tensor._node, tensor._index)


def origin(tensor: Tensor, stop: Stop = frozenset()) -> Any:
    """Return where a tensor comes from: its node, or the tensor itself for a beginning."""
    return tensor if tensor._node is None or tensor in stop else tensor._node


def conform(cotangent: Any, primal: Tensor, name: str) -> Tensor:
    """Bring a cotangent to its primal's shape and dtype: the one place where broadcasting and promotion are undone.

    Broadcasting repeats an element; the derivative with respect to something repeated is the sum over the repeats.
    """
    if not isinstance(cotangent, Tensor):
        raise TypeError(
            f"the rule of '{name}' returned {type(cotangent).__name__}, expected a Tensor: write it with mg"
        )
    if cotangent._data.shape != primal._data.shape:
        extra = cotangent.ndim - primal.ndim
        try:
            repeated = [i + extra for i, n in enumerate(primal.shape) if n == 1 and cotangent.shape[i + extra] != 1]
            cotangent = cotangent.sum(axis=(*range(extra), *repeated)).reshape(primal.shape)
        except (ValueError, TypeError, IndexError) as error:
            raise ShapeError(
                f"the rule of '{name}' returned a cotangent of shape {cotangent.shape} for an input of shape "
                f"{primal.shape}: expected that shape, or one that it broadcasts to"
            ) from error
    return cotangent if cotangent._data.dtype == primal._data.dtype else cotangent.astype(primal.dtype)
