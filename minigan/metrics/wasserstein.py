"""The Wasserstein distance on the line, and in more dimensions as a mean over lines."""

import numpy as np
import scipy.stats

from minigan.errors import ConfigError, ShapeError
from minigan.metrics.rows import as_rows, blocks


def wasserstein1(a, b):
    """Return W1, the least mean distance by which one sample is moved onto the other, in the data's units.

    On the line it is the area between the two distribution functions (Vallender, 1974).

    Parameters
    ----------
    a, b : (N,) or (N, 1) and (M,) or (M, 1) arrays

    Examples
    --------
    >>> import minigan as mg
    >>> mg.metrics.wasserstein1([0.0, 1.0, 3.0], [5.0, 6.0, 8.0])  # everything moves by 5
    5.0
    """
    return float(scipy.stats.wasserstein_distance(_line(a), _line(b)))


def wasserstein1_over_floor(draw_fake, draw_real, *, n=10_000, pairs=10):
    """Return (W1, floor): W1 of fake against real samples, and of real against real, both means over `pairs` sets.

    Two samples of the *same* distribution are not at distance 0 but at the floor, about 1/sqrt(n): a perfect
    generator has the ratio 1. Single pairs scatter by a factor of 2, hence the means.

    Parameters
    ----------
    draw_fake, draw_real : callables (n, seed) -> (n, 1) array
        No seed is used twice: noise and data drawn from the same numbers would be closer than chance.
    """
    real = [draw_real(n, seed) for seed in range(2 * pairs)]
    fake = [draw_fake(n, seed) for seed in range(2 * pairs, 3 * pairs)]
    w1 = np.mean([wasserstein1(f, r) for f, r in zip(fake, real, strict=False)])
    floor = np.mean([wasserstein1(r, s) for r, s in zip(real[:pairs], real[pairs:], strict=True)])
    return float(w1), float(floor)


def sliced_wasserstein(fake, real, *, order=2, projections=256, seed=0):
    r"""Estimate the sliced Wasserstein distance: that of the shadows on a line, averaged over directions of the line.

    .. math:: SW_p = \left( E_\theta \, W_p^p(\theta \cdot x, \theta \cdot y) \right)^{1/p}, \qquad
        W_p^p(a, b) = \int_0^1 | F_a^{-1}(u) - F_b^{-1}(u) |^p \, du

    with theta uniform on the unit sphere (Rabin et al., 2011; Bonneel et al., 2015, definition 7).

    Parameters
    ----------
    fake, real : (N, ...), (M, ...) array_like
        Images and sequences count as one long vector.
    order : int or float
        p, from 1 up.
    projections : int
        How many directions; the estimate scatters as one over their square root.
    seed : int or numpy.random.Generator
        Of the directions; the same seed measures with the same lines.

    Returns
    -------
    float
        From 0 up, in the data's units. A shift by v comes out as ``|v| / sqrt(D)`` in D dimensions (order 2).
        As for W1, two samples of one distribution are not at distance 0.

    Raises
    ------
    ShapeError, DataError
        If the items do not have the same shape, there are none, or they hold nan or inf.
    ConfigError
        If `order` or `projections` is less than 1.

    References
    ----------
    Rabin, Peyré, Delon & Bernot, "Wasserstein Barycenter and its Application to Texture Mixing", 2011. Bonneel, Rabin,
    Peyré & Pfister, "Sliced and Radon Wasserstein Barycenters of Measures", 2015.

    Examples
    --------
    >>> import minigan as mg
    >>> x, y = mg.data.ring().sample(500, 0), mg.data.ring().sample(500, 1)
    >>> mg.metrics.sliced_wasserstein(x, y) < mg.metrics.sliced_wasserstein(0.5 * x, y)
    True
    """
    if not order >= 1 or projections < 1:
        raise ConfigError(f"sliced_wasserstein: order is {order}, projections {projections}; both must be 1 or more")
    fake, real = as_rows(fake, real, name="sliced_wasserstein")
    theta = np.random.default_rng(seed).standard_normal((projections, fake.shape[1]))
    theta /= np.linalg.norm(theta, axis=1, keepdims=True)
    i, j, weight = _common_quantiles(len(fake), len(real))
    total = 0.0
    for part in blocks(projections, len(fake) + len(real)):
        a, b = (np.sort(theta[part] @ x.T, axis=1) for x in (fake, real))
        total += float((np.abs(a[:, i] - b[:, j]) ** order @ weight).sum())
    return (total / projections) ** (1 / order)


def _common_quantiles(n, m):
    """Cut [0, 1] where either of two sorted samples steps to its next value.

    Returns
    -------
    i, j : (L,) int
        Which value of each sample belongs to a piece.
    weight : (L,) float
        The piece's length.
    """
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)  # in units of 1 / nm: exact
    starts = np.concatenate([[0], ends[:-1]])
    return starts // m, starts // n, (ends - starts) / (n * m)


def _line(x):
    x = np.asarray(x)
    if x.ndim == 2 and x.shape[1] == 1:
        x = x[:, 0]
    if x.ndim != 1 or x.size == 0:
        raise ShapeError(f"wasserstein1: got shape {x.shape}; expected (N,) or (N, 1) with N > 0")
    return x
