"""What the discriminator looks at: the derivative of its score with respect to every pixel."""

import matplotlib
import numpy as np

from minigan.errors import ShapeError
from minigan.plots.images import GAP_GREY, mosaic
from minigan.plots.style import WIDTH, new_figure, styled

STRONGEST = 0.995  # quantile of |gradient| that gets the full colour: single pixels may be far above


@styled
def saliency(images, gradients, *, scores=None, title=None):
    """Draw images, and below each the gradient of the discriminator's logit with respect to its pixels.

    The value at pixel ij is the directional derivative of D along that pixel's axis: blue where making the pixel
    brighter would make the image more real to D, red where making it darker would. Each image has a scale of its own.

    Parameters
    ----------
    images : (N, 1, H, W) or (N, H, W) array
        Grey values in [0, 1].
    gradients : array of the same shape
        dD / dx, in any unit.
    scores : (N,) array, optional
        Logits D(x), written above the images.
    title : str, optional
        Heading.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If the shapes differ, or these are no images.
    DataError
        If values lie outside [0, 1].
    """
    images, gradients = np.asarray(images, dtype=float), np.asarray(gradients, dtype=float)
    if images.shape != gradients.shape or (scores is not None and np.shape(scores) != images.shape[:1]):
        shapes = [images.shape, gradients.shape] + ([] if scores is None else [np.shape(scores)])
        raise ShapeError(f"saliency: got shapes {shapes}; expected the same for images and gradients, and (N,) scores")
    n = len(images)
    top = mosaic(images, n)
    strength = np.quantile(np.abs(gradients).reshape(n, -1), STRONGEST, axis=1)
    scale = np.where(strength > 0, strength, 1.0).reshape(-1, *[1] * (gradients.ndim - 1))
    gaps = mosaic(np.ones_like(images), n) < 1
    bottom = np.ma.array(mosaic(0.5 + 0.5 * (gradients / scale).clip(-1, 1), n), mask=gaps)
    fig = new_figure(WIDTH, 2 * WIDTH * top.shape[0] / top.shape[1] + (0.7 if title else 0.4))
    above, below = fig.subplots(2, 1)
    above.imshow(top, cmap="gray", vmin=0, vmax=1)
    below.imshow(bottom, cmap=matplotlib.colormaps["RdBu"].with_extremes(bad=str(GAP_GREY)), vmin=0, vmax=1)
    for ax in (above, below):
        ax.set_axis_off()
    pitch = images.shape[-1] + 1
    for i, score in enumerate([] if scores is None else scores):
        above.text(pitch * (i + 0.5), -2, f"{score:+.1f}", ha="center", va="bottom", fontsize=9)
    if title:
        above.set_title(title, pad=18 if scores is not None else 6)
    return fig
