"""A picture of the recorded graph that ends in a Tensor: what reverse mode will walk, from the bottom up.

Three steps, each a function: `collect` lists the boxes, `arrange` gives each a place, `draw` paints them.
"""

import itertools

import numpy as np
from matplotlib.patches import FancyBboxPatch, Patch, PathPatch
from matplotlib.path import Path

from minigan.errors import DTypeError, GraphError
from minigan.plots.style import INK, MUTED, PAPER, new_figure, styled

LEAF = "#c9eadf"  # a pale discriminator green: gradients arrive here
CONSTANT = "#ececec"
RESULT = "#cfe5f3"
ROW_HEIGHT, BOX_HEIGHT = 0.82, 0.46  # inches
SWEEPS = 12


@styled
def draw(t, *, names=None, max_nodes=300):
    """Draw the recorded graph that ends in a Tensor.

    Data flows from top to bottom, the gradient back up along the dark arrows; pale arrows carry constants, through
    which no gradient flows. The arguments of an operation enter its box from left to right. Every box shows the shape
    and dtype of its value.

    Parameters
    ----------
    t : Tensor
        A result, before ``backward()`` has freed its graph.
    names : dict of str to Tensor, optional
        Names to show for some tensors, for example ``{"x": x, **dict(D.named_parameters())}``.
    max_nodes : int
        Refuse to draw more boxes than this.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DTypeError
        If `t` is not a Tensor.
    GraphError
        If nothing was recorded, the graph was freed, or it has too many nodes for a picture.

    Examples
    --------
    >>> w = mg.tensor([2.0, 3.0], requires_grad=True)
    >>> figure = mg.draw(mg.sigmoid(w).sum(), names={"w": w})
    """
    if not hasattr(t, "_node"):
        raise DTypeError(f"draw: expected a Tensor, got {type(t).__name__}")
    if t._node is None:
        raise GraphError(
            "draw: nothing was recorded for this tensor. It is a leaf, or was computed under mg.no_grad(), or from "
            "nothing that requires a gradient"
        )
    boxes = collect(t, max_nodes)
    labels = [_label(thing, names or {}) for thing, _ in boxes]
    widths = [0.3 + max(0.085 * len(head), 0.068 * len(foot)) for head, foot in labels]
    places, routes = arrange([inputs for _, inputs in boxes], widths)

    (left, low), (right, high) = places.min(axis=0), places.max(axis=0)
    margin = 0.1 + max(widths) / 2
    width, height = max(right - left + 2 * margin, 4.0), high - low + BOX_HEIGHT + 0.9
    fig = new_figure(width, height)
    ax = fig.add_axes((0, 0, 1, 1))
    fig.set_layout_engine("none")
    centre = (left + right) / 2
    ax.set(xlim=(centre - width / 2, centre + width / 2), ylim=(low - BOX_HEIGHT / 2 - 0.15, low + height - 0.38))
    ax.set_axis_off()
    for (thing, _), label, place, box_width in zip(boxes, labels, places, widths, strict=True):
        _paint_box(ax, label, place, box_width, _colour(thing, result=thing is t._node))
    for route, source in routes:
        _paint_arrow(ax, route, INK if _differentiable(boxes[source][0]) else "#b5b5b5")
    kinds = [("leaf, takes a gradient", LEAF), ("constant", CONSTANT), ("operation", PAPER), ("result", RESULT)]
    handles = [Patch(facecolor=colour, edgecolor=MUTED, label=kind) for kind, colour in kinds]
    ax.legend(handles=handles, loc="upper left", ncols=2, borderaxespad=0.4)
    return fig


def collect(t, max_nodes):
    """List the boxes of the graph that ends in `t`, every box after its inputs.

    Depth first with a stack of our own, as the engine walks it: no recursion, and it stops at the limit.

    Returns
    -------
    list of (thing, inputs)
        The thing is a node of the graph or a Tensor that no node made; the inputs are positions in this list.
    """
    position, seen, boxes = {}, {t._node}, []
    stack = [(t._node, False)]
    while stack:
        thing, listed_inputs = stack.pop()
        if thing in position:
            continue
        inputs = [_thing(x) for x in _inputs(thing)]
        if listed_inputs:
            position[thing] = len(boxes)
            boxes.append((thing, [position[x] for x in inputs]))
            continue
        stack.append((thing, True))
        stack.extend((x, False) for x in reversed(inputs))
        seen.update(inputs)
        if len(seen) > max_nodes:
            raise GraphError(
                f"draw: the graph has more than {max_nodes} nodes, too many to read in a picture. Draw a smaller part "
                "(the output of one layer, one time step), or raise max_nodes"
            )
    return boxes


def arrange(inputs, widths):
    """Place boxes in layers so that arrows are short and point down.

    The layer of a box is the longest way from it to the result. An arrow across several layers gets a narrow
    stand-in on each layer between, so that it finds its way around the boxes there; arrows from the same box share
    them. Then the layers are swept down and up: each box moves as near as its neighbours allow to the mean of what it
    is connected to.

    Parameters
    ----------
    inputs : list of list of int
        For each box, the boxes that it takes; boxes come after their inputs.
    widths : list of float
        Widths of the boxes, in inches.

    Returns
    -------
    places : (N, 2) array
        Centres of the boxes, in inches; y is 0 for the result and grows upwards.
    routes : list of ((M, 2) array, int)
        For each arrow its points from source to target, and the number of the source.
    """
    layer = [0] * len(inputs)
    for box in reversed(range(len(inputs))):
        for source in inputs[box]:
            layer[source] = max(layer[source], layer[box] + 1)
    layer, widths = np.array(layer), list(widths)

    levels, chains, stand_ins = list(layer), [], {}
    for box, sources in enumerate(inputs):
        for port, source in enumerate(sources):
            chain = [source]
            for level in range(layer[source] - 1, layer[box], -1):
                if (source, level) not in stand_ins:
                    stand_ins[source, level] = len(levels)
                    levels.append(level)
                    widths.append(0.1)
                chain.append(stand_ins[source, level])
            chains.append(([*chain, box], (port + 0.5) / len(sources) - 0.5))

    x = _sweep(np.array(levels), np.array(widths), [chain for chain, _ in chains])
    y = ROW_HEIGHT * np.array(levels, dtype=float)
    routes = []
    for chain, port in chains:
        points = np.stack([x[chain], y[chain]], axis=1)
        points[-1, 0] += 0.6 * port * widths[chain[-1]]
        points[0, 1] -= BOX_HEIGHT / 2
        points[-1, 1] += BOX_HEIGHT / 2
        routes.append((points, chain[0]))
    return np.stack([x, y], axis=1)[: len(inputs)], routes


def _sweep(levels, widths, chains):
    """Return the horizontal places of all boxes and stand-ins, from repeated sweeps over the layers."""
    above, below = [[] for _ in levels], [[] for _ in levels]
    for upper, lower in dict.fromkeys(pair for chain in chains for pair in itertools.pairwise(chain)):
        above[lower].append(upper)
        below[upper].append(lower)
    rows = [np.flatnonzero(levels == level) for level in range(max(levels) + 1)]
    x = np.zeros(len(levels))
    for row in rows:
        x[row] = _spread(np.zeros(len(row)), widths[row])
    for sweep in range(SWEEPS):
        neighbours, order = (above, rows[::-1]) if sweep % 2 else (below, rows)
        for row in order:
            wish = np.array([x[neighbours[item]].mean() if neighbours[item] else x[item] for item in row])
            by_wish = np.argsort(wish, kind="stable")
            x[row[by_wish]] = _spread(wish[by_wish], widths[row[by_wish]])
    return x


def _spread(wish, widths, gap=0.22):
    """Return the places nearest to the wishes (least squares) that keep the order and do not overlap.

    With the least distances taken off it is isotonic regression: neighbours that would collide are pooled and share
    the mean of their wishes.
    """
    offset = np.concatenate([[0.0], np.cumsum((widths[1:] + widths[:-1]) / 2 + gap)])
    pools = []  # (mean, size)
    for value in wish - offset:
        mean, size = value, 1
        while pools and pools[-1][0] > mean:
            other, n = pools.pop()
            mean, size = (mean * size + other * n) / (size + n), size + n
        pools.append((mean, size))
    return np.repeat([mean for mean, _ in pools], [size for _, size in pools]) + offset


def _thing(x):
    return x if x._node is None else x._node


def _inputs(thing):
    """Return the inputs of a node, none for a Tensor at the beginning of the graph."""
    if not hasattr(thing, "primitive"):
        return ()
    if thing.values is None:
        raise GraphError(
            "draw: this graph was freed by backward(). Draw before it, or call backward(retain_graph=True)"
        )
    return thing.inputs


def _differentiable(thing):
    return hasattr(thing, "primitive") or thing.requires_grad


def _colour(thing, result):
    if hasattr(thing, "primitive"):
        return RESULT if result else PAPER
    return LEAF if thing.requires_grad else CONSTANT


def _label(thing, names):
    """Return the two lines of a box: what it is; shape and dtype of its value."""
    name = next((name for name, x in names.items() if _thing(x) is thing), None)
    if hasattr(thing, "primitive"):
        shown = [f"{key}={value!r}" for key, value in thing.params.items() if _worth_showing(value)]
        head = thing.primitive.name + (f"({', '.join(shown)})" if shown else "")
        head = f"{name} = {head}" if name else head
        return head, "; ".join(f"{tuple(value.shape)} {value.dtype}" for value in thing.values)
    if thing.ndim == 0 and not thing.requires_grad:
        return name or f"{thing.item():.6g}", f"() {thing.dtype}"
    return name or ("leaf" if thing.requires_grad else "constant"), f"{thing.shape} {thing.dtype}"


def _worth_showing(value):
    return isinstance(value, int | float | str | tuple) and value is not False and len(repr(value)) <= 16


def _paint_box(ax, label, place, width, colour):
    corner = place - [width / 2, BOX_HEIGHT / 2]
    shape = FancyBboxPatch(corner, width, BOX_HEIGHT, boxstyle="round,pad=0,rounding_size=0.08")
    shape.set(facecolor=colour, edgecolor=MUTED, linewidth=1.0, zorder=2)
    ax.add_patch(shape)
    ax.text(*(place + [0, 0.09]), label[0], ha="center", va="center", fontsize=10, weight="bold", zorder=3)
    ax.text(*(place - [0, 0.11]), label[1], ha="center", va="center", fontsize=8, color=INK, zorder=3)


def _paint_arrow(ax, points, colour):
    """Paint a curve through the points that leaves and enters each of them vertically, and its head."""
    vertices, codes = [points[0]], [Path.MOVETO]
    for start, stop in itertools.pairwise(points):
        middle = (start[1] + stop[1]) / 2
        vertices += [(start[0], middle), (stop[0], middle), stop]
        codes += [Path.CURVE4] * 3
    ax.add_patch(PathPatch(Path(vertices, codes), facecolor="none", edgecolor=colour, linewidth=1.1, zorder=1))
    ax.plot(points[-1, 0], points[-1, 1] + 0.035, marker="v", markersize=5, color=colour, zorder=2)
