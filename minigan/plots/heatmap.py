"""Pictures of GANs in the plane: samples over what the discriminator believes of every point."""

import numpy as np

from minigan.errors import ShapeError
from minigan.plots.arrays import as_samples, evaluate, probability
from minigan.plots.style import BELIEF, FAKE, INK, REAL, legend_above, new_figure, styled

CELLS = 160  # heat map: cells along the longer side
ARROWS = 18  # gradient: arrows along the longer side


@styled
def plane(real, fake, *, discriminator=None, gradient=None, view=None, title=None):
    """Draw real and generated points over the discriminator's heat map and the gradient of its logit.

    The arrows point uphill on the logit: that is where the generator's gradient pushes a generated point. Their
    length is ``r / (r + median r)`` of the gradient's norm r, so that flat regions stay visible beside steep ones.

    Parameters
    ----------
    real, fake : (N, 2) array
        Real and generated points, in the data's units; up to 2,000 of each are drawn (the first ones).
    discriminator : callable, optional
        Takes points ``(N, 2)`` float32, returns **logits** ``(N,)`` or ``(N, 1)``; ``sigmoid(logit)`` is drawn.
    gradient : callable, optional
        Takes points ``(N, 2)``, returns the gradient of the logit ``(N, 2)``. By default central differences of
        `discriminator` over one cell of the heat map.
    view : (x_low, x_high, y_low, y_high), optional
        Range of both axes. By default it holds all but the outermost 0.1 % of the real points, with a margin.
    title : str, optional
        Heading.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If an array, or what a callable returns, has another shape.
    DataError
        If real or generated points hold nothing finite.
    """
    real, fake = as_samples("real", real, 2), as_samples("fake", fake, 2)
    view = view or square_view(real)
    if len(view) != 4:
        raise ShapeError(f"plane: view has {len(view)} numbers, expected (x_low, x_high, y_low, y_high)")
    fig = new_figure(height=5.4 if discriminator is None else 4.8)
    ax = fig.subplots()
    if discriminator is not None:
        _heat_map(fig, ax, discriminator, view)
        if gradient is None:
            gradient = _central_differences(discriminator, view)
        _arrows(ax, gradient, view)
    _points(ax, real[:2000], fake[:2000])
    ax.set(
        xlim=view[:2], ylim=view[2:], aspect="equal", xlabel="x₁, in the data's units", ylabel="x₂, in the data's units"
    )
    ax.set_title(title or "Samples in the plane", pad=26)
    legend_above(ax)
    return fig


def square_view(real):
    """Return a square range ``(x_low, x_high, y_low, y_high)`` around the real points (N, 2), with a margin."""
    low, high = np.quantile(real, [0.001, 0.999], axis=0)
    centre, half = (low + high) / 2, 0.65 * max(*(high - low)) or 1.0
    return tuple(np.stack([centre - half, centre + half], axis=1).ravel())


def cell_centres(view, cells):
    """Return the centres of a grid of square cells over a view: points (rows * columns, 2), and (rows, columns)."""
    width, height = view[1] - view[0], view[3] - view[2]
    side = max(width, height) / cells
    columns, rows = max(1, round(width / side)), max(1, round(height / side))
    x = view[0] + width * (np.arange(columns) + 0.5) / columns
    y = view[2] + height * (np.arange(rows) + 0.5) / rows
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), (rows, columns)


def _heat_map(fig, ax, discriminator, view):
    points, shape = cell_centres(view, CELLS)
    belief = probability(evaluate("discriminator", discriminator, points, (len(points),)))
    picture = ax.imshow(belief.reshape(shape), extent=view, origin="lower", cmap=BELIEF, vmin=0, vmax=1)
    bar = fig.colorbar(picture, ax=ax, shrink=0.8, pad=0.02, ticks=[0, 0.5, 1])
    bar.set_label("D(x): 0 generated, 1 real")
    bar.outline.set_visible(False)
    ax.grid(False)


def _points(ax, real, fake):
    """Draw both kinds in turn, so that neither hides the other."""
    turn = np.argsort(np.concatenate([np.arange(len(p)) / len(p) for p in (real, fake)]), kind="stable")
    colours = np.array([REAL] * len(real) + [FAKE] * len(fake))[turn]
    ax.scatter(*np.concatenate([real, fake])[turn].T, c=colours, s=5, alpha=0.6, linewidths=0, rasterized=True)
    for colour, label in (REAL, "real"), (FAKE, "generated"):
        ax.scatter([], [], color=colour, s=40, label=label)


def _arrows(ax, gradient, view):
    points, _ = cell_centres(view, ARROWS)
    g = evaluate("gradient", gradient, points, points.shape)
    g = np.where(np.isfinite(g), g, 0.0)
    r = np.linalg.norm(g, axis=1, keepdims=True)
    unit = np.divide(g, r, out=np.zeros_like(g), where=r > 0)
    arrows = unit * r / (r + np.median(r) + 1e-30)
    # One arrow of length 1 spans 0.9 of the distance between two arrows.
    spacing = max(view[1] - view[0], view[3] - view[2]) / ARROWS
    ax.quiver(*points.T, *arrows.T, color=INK, alpha=0.6, width=0.003, pivot="mid",
              angles="xy", scale_units="xy", scale=1 / (0.9 * spacing))  # fmt: skip


def _central_differences(function, view):
    """Return the gradient of `function` by ``(f(x + h e) - f(x - h e)) / 2h``, h one cell of the heat map.

    A step as wide as a cell is far coarser than a derivative needs: the picture shows no finer detail, and the
    networks answer in float32, where a small step drowns in rounding.
    """
    h = max(view[1] - view[0], view[3] - view[2]) / CELLS

    def gradient(points):
        columns = []
        for step in h * np.eye(2):
            ends = [evaluate("discriminator", function, points + s * step, (len(points),)) for s in (1, -1)]
            columns.append((ends[0] - ends[1]) / (2 * h))
        return np.stack(columns, axis=1)

    return gradient
