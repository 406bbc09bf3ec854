"""Maximum mean discrepancy: the distance of two distributions as a kernel sees it."""

import numpy as np

from minigan.errors import ConfigError
from minigan.metrics.rows import as_rows, blocks, centred, squared_distances


def mmd2(fake, real, *, bandwidths=None):
    r"""Estimate the squared maximum mean discrepancy (MMD^2) with a mixture of Gaussian kernels.

    .. math::

        \mathrm{MMD}^2 = E\,k(x, x') + E\,k(y, y') - 2 E\,k(x, y), \qquad
        k(x, y) = \frac1S \sum_{s=1}^S \exp\left( -\frac{|x - y|^2}{2 \sigma_s^2} \right)

    for x, x' generated and y, y' real (Gretton et al., 2012, lemma 6).

    Parameters
    ----------
    fake, real : (N, ...), (M, ...) array_like
        At least two items each; images and sequences count as one long vector.
    bandwidths : sequence of float, optional
        sigma, in the data's units. Default: 1/2, 1 and 2 times the median distance of the real items
        (`median_bandwidth`), so that one set of real data measures all generators with the same ruler.

    Returns
    -------
    float
        0 for equal distributions, at most 2. The estimate is unbiased (equation 3 there: no item meets itself), hence
        it scatters around 0 and may be negative.

    Raises
    ------
    ShapeError, DataError
        If the items do not have the same shape, are fewer than two, or hold nan or inf.
    ConfigError
        If a bandwidth is not a positive number.

    References
    ----------
    Gretton, Borgwardt, Rasch, Schölkopf & Smola, "A Kernel Two-Sample Test", JMLR 2012.

    Examples
    --------
    >>> import minigan as mg
    >>> x, y = (mg.data.gaussian().sample(500, seed) for seed in (0, 1))
    >>> mg.metrics.mmd2(x, y) < 0.01 < mg.metrics.mmd2(x + 1.0, y)
    True
    """
    fake, real = as_rows(fake, real, name="mmd2", at_least=2)
    if bandwidths is None:
        bandwidths = median_bandwidth(real) * np.array([0.5, 1.0, 2.0])
    bandwidths = np.atleast_1d(np.asarray(bandwidths, dtype=float))
    if not (bandwidths.size and ((bandwidths > 0) & (bandwidths < np.inf)).all()):
        raise ConfigError(f"mmd2: got bandwidths {bandwidths}; expected positive numbers, in the data's units")

    def gaussians(x, y):
        squares = squared_distances(x, y)
        return sum(np.exp(squares / (-2.0 * sigma**2)) for sigma in bandwidths) / len(bandwidths)

    return _unbiased_mmd2(*centred(fake, real), gaussians)


def median_bandwidth(x, *, rows=2000):
    """Return the median distance between two items of `x` (N, ...), of which the first `rows` are looked at.

    The median heuristic of Gretton et al. (2012, section 8): a kernel as wide as the data is neither blind to where
    the points are nor to all but their neighbours. In the data's units.

    Raises
    ------
    ConfigError
        If more than half of the pairs are equal: the median is 0 and no width.
    """
    (x,) = as_rows(x, name="median_bandwidth", at_least=2)
    (x,) = centred(x[:rows])
    distances = np.sqrt(squared_distances(x, x)[np.triu_indices(len(x), 1)])
    median = float(np.median(distances))
    if median == 0:
        raise ConfigError("median_bandwidth: most items are equal; pass bandwidths of your own")
    return median


def kid(fake, real):
    r"""Estimate the kernel inception distance: MMD^2 of features with the kernel k(x, y) = (x . y / K + 1)^3.

    Unlike the Fréchet distance it assumes no Gaussian, and its estimate has no bias whatever the number of samples.

    Parameters
    ----------
    fake, real : (N, K), (M, K) array_like
        Features of generated and of real items, at least two each.

    Returns
    -------
    float
        0 for equal distributions; it scatters around its mean and may be negative. The unit is that of the features to
        the power of 6: only numbers in one feature space compare. Bińkowski et al. average over subsets of 1,000;
        here all pairs take part, which has the same mean and scatters less.

    Raises
    ------
    ShapeError, DataError
        If the items do not have the same shape, are fewer than two, or hold nan or inf.

    References
    ----------
    Bińkowski, Sutherland, Arbel & Gretton, "Demystifying MMD GANs", ICLR 2018, section 4.
    """
    fake, real = as_rows(fake, real, name="kid", at_least=2)

    def cubic(x, y):
        base = x @ y.T / x.shape[1] + 1.0
        return base * base * base  # ten times as fast as ** 3

    return _unbiased_mmd2(fake, real, cubic)


def _unbiased_mmd2(x, y, kernel):
    return _mean_of_pairs(x, kernel) + _mean_of_pairs(y, kernel) - 2 * _mean(x, y, kernel)


def _mean(x, y, kernel):
    """Return the mean of kernel(x_i, y_j) over all i and j."""
    return float(sum(kernel(x[part], y).sum() for part in blocks(len(x), len(y))) / (len(x) * len(y)))


def _mean_of_pairs(x, kernel):
    """Return the mean of kernel(x_i, x_j) over all i != j."""
    total = 0.0
    for part in blocks(len(x), len(x)):
        table = kernel(x[part], x)
        table[np.arange(len(table)), np.arange(part.start, part.stop)] = 0.0  # an item with itself
        total += table.sum()
    return float(total / (len(x) * (len(x) - 1)))
