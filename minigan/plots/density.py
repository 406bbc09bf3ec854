"""Pictures of GANs in one dimension: densities, the discriminator over x, and the generator as a map z -> x."""

import numpy as np

from minigan.errors import ShapeError
from minigan.plots.arrays import as_samples, evaluate, probability
from minigan.plots.style import DISCRIMINATOR, FAKE, INK, MUTED, REAL, legend_above, new_figure, styled

BINS = 80
CURVE_POINTS = 400


@styled
def density1d(real, fake, *, discriminator=None, density=None, view=None, title=None):
    """Draw the densities of real and of generated samples, and below them D(x) over the same x.

    The histograms are normalised over all samples, so that the area of the bars is the share of samples in view. The
    axis follows the real samples: a bar that is far higher than theirs (a collapsed generator) leaves the top.

    For a given generator the best discriminator of the classic loss is ``D*(x) = p(x) / (p(x) + q(x))``, with ``p``
    the density of the data and ``q`` that of the generator: 1/2 wherever the two agree
    (Goodfellow et al. 2014, proposition 1).

    Parameters
    ----------
    real : (N,) or (N, 1) array
        Real samples, in the data's units.
    fake : (M,) or (M, 1) array
        Generated samples.
    discriminator : callable, optional
        Takes points ``(N, 1)`` float32, returns **logits** ``(N,)`` or ``(N, 1)``; ``sigmoid(logit)`` is drawn.
    density : callable, optional
        The exact density of the data: takes points ``(N,)``, returns ``(N,)``, per unit of x.
    view : (float, float), optional
        Range of x. By default it holds all but the outermost 0.1 % of the real samples, with a margin.
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
        If real or generated samples hold nothing finite.
    """
    real, fake = as_samples("real", real, 1)[:, 0], as_samples("fake", fake, 1)[:, 0]
    low, high = view or _view(real)
    ratios = [1] if discriminator is None else [5, 2]
    fig = new_figure(height=3.2 if discriminator is None else 4.2)
    panels = fig.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    x = np.linspace(low, high, CURVE_POINTS)
    _densities(panels[0], real, fake, x, density)
    panels[0].set_title(title or "Real and generated samples", pad=26)
    if discriminator is not None:
        logits = evaluate("discriminator", discriminator, x[:, None], x.shape)
        panels[1].axhline(0.5, color=INK, linewidth=1.1, linestyle="--")
        panels[1].plot(x, probability(logits), color=DISCRIMINATOR)
        panels[1].set(ylim=(-0.04, 1.04), yticks=[0, 0.5, 1], ylabel="D(x), 0 to 1")
    panels[-1].set(xlim=(low, high), xlabel="x, in the data's units")
    return fig


@styled
def generator_map(z, x, *, title=None):
    """Draw the generator of a one-dimensional GAN as what it is: a function from latent z to sample x.

    Above and beside the map stand the densities of z and of x. Where the curve is flat, much of z lands on little of
    x and makes a mode; where it is steep, it crosses a gap between modes.

    Parameters
    ----------
    z : (M,) or (M, 1) array
        Draws of the latent coordinate, in any order.
    x : (M,), (M, 1) or (K, M) array
        The generator's output at each z, in the data's units; with K rows one curve for each setting of the
        remaining latent coordinates (such as random signs).
    title : str, optional
        Heading.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If `x` does not hold one value for each `z`.
    DataError
        If nothing is finite.
    """
    z = as_samples("z", z, 1)[:, 0]
    curves = np.asarray(x, dtype=float)
    curves = curves.reshape(1, -1) if curves.ndim == 1 or curves.shape == (len(z), 1) else curves
    if curves.ndim != 2 or curves.shape[1] != len(z):
        raise ShapeError(f"generator_map: x has shape {np.shape(x)}, z has {len(z)} values: expected (M,) or (K, M)")
    outputs = as_samples("x", curves.ravel(), 1)[:, 0]
    order = np.argsort(z)

    fig = new_figure(height=4.6)
    grid = fig.add_gridspec(2, 2, width_ratios=[4, 1], height_ratios=[1, 4])
    ax = fig.add_subplot(grid[1, 0])
    above, beside = fig.add_subplot(grid[0, 0], sharex=ax), fig.add_subplot(grid[1, 1], sharey=ax)
    faint = max(0.12, len(curves) ** -0.5)
    for curve in curves:
        ax.plot(z[order], curve[order], color=FAKE, alpha=faint, linewidth=1.8 if len(curves) == 1 else 1.0)
    ax.set(xlabel="latent z", ylabel="x = G(z), in the data's units")
    _marginal(above, z, MUTED)
    _marginal(beside, outputs, FAKE, orientation="horizontal")
    above.set_title(title or "The generator as a map" + (f", {len(curves)} curves" if len(curves) > 1 else ""))
    return fig


def _densities(ax, real, fake, x, density):
    """Draw both histograms over the range of x, and the exact density where it is known."""
    edges = np.linspace(x[0], x[-1], BINS + 1)
    peak = _histogram(ax, real, edges, fill=True, color=REAL, alpha=0.35, label=_label("real", real, edges))
    if density is not None:
        exact = evaluate("density", lambda points: density(points[:, 0]), x[:, None], x.shape)
        ax.plot(x, exact, color=INK, linewidth=1.2, linestyle="--", label="exact")
        peak = max(peak, exact.max())
    _histogram(ax, fake, edges, color=FAKE, linewidth=1.6, label=_label("generated", fake, edges))
    ax.set(ylim=(0, 1.35 * peak or 1.0), ylabel="density, per unit of x")
    legend_above(ax)


def _view(real):
    low, high = np.quantile(real, [0.001, 0.999])
    margin = 0.15 * (high - low) or 1.0
    return low - margin, high + margin


def _histogram(ax, samples, edges, **style):
    """Draw a histogram normalised over all samples, in view or not; return its highest bar."""
    counts, _ = np.histogram(samples, edges)
    heights = counts / (len(samples) * np.diff(edges))
    ax.stairs(heights, edges, **style)
    return heights.max()


def _label(name, samples, edges):
    outside = np.mean((samples < edges[0]) | (samples > edges[-1]))
    return name if outside < 0.005 else f"{name} ({outside:.0%} out of view)"


def _marginal(ax, samples, color, orientation="vertical"):
    heights, edges = np.histogram(samples, BINS, density=True)
    ax.stairs(heights, edges, fill=True, color=color, alpha=0.5, orientation=orientation)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelleft=False, labelbottom=False)
    (ax.set_ylabel if orientation == "vertical" else ax.set_xlabel)("density")
    (ax.set_yticks if orientation == "vertical" else ax.set_xticks)([])
