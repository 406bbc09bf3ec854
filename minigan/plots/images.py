"""Grids of grey images."""

import numpy as np

from minigan.errors import DataError, ShapeError
from minigan.plots.style import WIDTH, new_figure, styled

GAP = 1  # pixels between two images
GAP_GREY = 0.35  # neither image ink nor paper, so that the grid reads on a light and on a dark page


@styled
def image_grid(images, *, columns=None, title=None):
    """Draw grey images as a grid.

    Parameters
    ----------
    images : (N, 1, H, W) or (N, H, W) array
        Grey values in [0, 1], 0 black; N >= 1.
    columns : int, optional
        Images in a row. By default the grid is about square.
    title : str, optional
        Heading.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If the array has another shape or holds no image.
    DataError
        If values lie outside [0, 1].
    """
    grid = mosaic(images, columns)
    height, width = WIDTH * np.array(grid.shape) / max(grid.shape[1], grid.shape[0] / 3)  # at most 3 times as tall
    fig = new_figure(width, max(height, 0.5) + (0.3 if title else 0.0))
    ax = fig.subplots()
    ax.imshow(grid, cmap="gray", vmin=0, vmax=1)
    ax.set_axis_off()
    fig.get_layout_engine().set(w_pad=0, h_pad=0)
    if title:
        ax.set_title(title)
    return fig


def mosaic(images, columns=None):
    """Lay images ``(N, 1, H, W)`` or ``(N, H, W)`` in [0, 1] out as one picture, row by row.

    Parameters
    ----------
    images : (N, 1, H, W) or (N, H, W) array
        Grey values in [0, 1]. Values that are not finite become the grey of the gaps.
    columns : int, optional
        Images in a row; by default about as many as there are rows.

    Returns
    -------
    (rows * (H + 1) + 1, columns * (W + 1) + 1) array

    Raises
    ------
    ShapeError, DataError
        As `image_grid`.
    """
    images = np.asarray(images, dtype=float)
    given = images.shape
    if images.ndim == 4 and given[1] == 1:
        images = images[:, 0]
    if images.ndim != 3 or images.size == 0:
        raise ShapeError(f"images: have shape {given}, expected (N, 1, H, W) or (N, H, W) with at least one image")
    images = np.where(np.isfinite(images), images, GAP_GREY)
    if images.min() < -1e-3 or images.max() > 1 + 1e-3:
        raise DataError(
            f"images: values lie in [{images.min():.3g}, {images.max():.3g}], expected [0, 1]: "
            "divide bytes by 255, turn the output x of a tanh into (x + 1) / 2"
        )
    n, height, width = images.shape
    columns = min(columns or int(np.ceil(np.sqrt(n))), n)
    if columns < 1:
        raise ShapeError(f"images: columns is {columns}, expected at least 1")
    rows = -(-n // columns)
    grid = np.full((rows * columns, height + GAP, width + GAP), GAP_GREY)
    grid[:n, :height, :width] = images
    grid = grid.reshape(rows, columns, height + GAP, width + GAP).swapaxes(1, 2)
    return np.pad(grid.reshape(rows * (height + GAP), -1), ((GAP, 0), (GAP, 0)), constant_values=GAP_GREY)
