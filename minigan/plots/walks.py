"""Walks through the generator's noise: what it makes between two samples, and along one coordinate."""

import numpy as np

from minigan.errors import ShapeError
from minigan.plots.arrays import as_samples
from minigan.plots.heatmap import square_view
from minigan.plots.images import image_grid
from minigan.plots.style import FAKE, INK, REAL, legend_above, new_figure, styled


@styled
def image_walks(walks, *, labels=None, title=None):
    """Draw walks through the noise as rows of grey images.

    Parameters
    ----------
    walks : (R, S, 1, H, W) array
        R walks of S steps, in [0, 1].
    labels : sequence of R str, optional
        What stands before each row.
    title : str, optional
        Heading.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If the array has other axes, or there are not as many labels as rows.
    DataError
        If values lie outside [0, 1].
    """
    walks = np.asarray(walks)
    if walks.ndim != 5 or (labels is not None and len(labels) != len(walks)):
        count = "no labels" if labels is None else f"{len(labels)} labels"
        raise ShapeError(f"image_walks: got shape {walks.shape} and {count}; expected (R, S, 1, H, W) and R labels")
    fig = image_grid(walks.reshape(-1, *walks.shape[2:]), columns=walks.shape[1], title=title)
    if labels is not None:
        ax = fig.axes[0]
        ax.set_axis_on()
        ax.grid(False)
        ax.spines[:].set_visible(False)
        pitch = walks.shape[3] + 1  # an image and a gap
        ax.set(xticks=[], yticks=pitch * (np.arange(len(walks)) + 0.5), yticklabels=labels)
        ax.tick_params(length=0)
    return fig


@styled
def plane_walks(real, walks, *, title=None):
    """Draw walks through the noise as paths in the plane, over real points.

    Long straight pieces between modes are jumps that the generator makes in no time; points there are rare.

    Parameters
    ----------
    real : (N, 2) array
        Real points; up to 2,000 are drawn.
    walks : (R, S, 2) array
        R walks of S steps, in the data's units.
    title : str, optional
        Heading.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If an array has other axes.
    DataError
        If nothing real is finite.
    """
    real, walks = as_samples("real", real, 2)[:2000], np.asarray(walks, dtype=float)
    if walks.ndim != 3 or walks.shape[2] != 2:
        raise ShapeError(f"plane_walks: walks have shape {walks.shape}; expected (R, S, 2)")
    fig = new_figure(height=5.4)
    ax = fig.subplots()
    ax.scatter(*real.T, color=REAL, s=4, alpha=0.35, linewidths=0, rasterized=True)
    for walk in walks:
        ax.plot(*walk.T, color=FAKE, linewidth=1.0, marker="o", markersize=2.2, alpha=0.8)
        ax.plot(*walk[[0, -1]].T, color=INK, linestyle="", marker="o", markersize=5, fillstyle="none")
    for colour, label in (REAL, "real"), (FAKE, "on the way"):
        ax.scatter([], [], color=colour, s=40, label=label)
    ax.scatter([], [], edgecolors=INK, facecolors="none", s=40, label="ends")
    view = square_view(real)
    ax.set(xlim=view[:2], ylim=view[2:], aspect="equal", xlabel="x₁, in the data's units", ylabel="x₂")
    ax.set_title(title or "From sample to sample through the noise", pad=26)
    legend_above(ax)
    return fig
