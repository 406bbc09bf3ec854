"""Sequences as lines over time, real beside generated."""

import numpy as np

from minigan.errors import ShapeError
from minigan.plots.style import FAKE, REAL, WIDTH, new_figure, styled

MOST_CHANNELS = 5


@styled
def sequences(real, fake, *, shown=12, title=None):
    """Draw real and generated sequences as lines over time: a row for each of the first five channels.

    Parameters
    ----------
    real, fake : (N, T, C), (M, T, C) array
        In the data's units.
    shown : int
        Lines of either kind in a panel.
    title : str, optional
        Heading.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If these are no sequences of the same shape, or there are none.
    """
    real, fake = np.asarray(real, dtype=float), np.asarray(fake, dtype=float)
    if real.ndim != 3 or real.shape[1:] != fake.shape[1:] or not (real.size and fake.size):
        raise ShapeError(f"sequences: got shapes {real.shape} and {fake.shape}; expected (N, T, C) and (M, T, C)")
    rows = min(real.shape[2], MOST_CHANNELS)
    fig = new_figure(WIDTH, 1.0 + 1.1 * rows)
    axes = fig.subplots(rows, 2, sharex=True, sharey="row", squeeze=False)
    for (left, right), channel in zip(axes, range(rows), strict=True):
        left.plot(real[:shown, :, channel].T, color=REAL, linewidth=1.0, alpha=0.6)
        right.plot(fake[:shown, :, channel].T, color=FAKE, linewidth=1.0, alpha=0.6)
        left.set_ylabel(f"channel {channel}" if real.shape[2] > 1 else "x")
    for ax, name in zip(axes[0], ("Real", "Generated"), strict=True):
        ax.set_title(name)
    for ax in axes[-1]:
        ax.set_xlabel("time step")
    if title:
        fig.suptitle(title)
    return fig
