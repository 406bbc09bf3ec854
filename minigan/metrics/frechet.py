"""The Fréchet distance of two Gaussians, fitted to features."""

import numpy as np

from minigan.errors import ShapeError
from minigan.metrics.rows import as_rows


def frechet_distance(fake, real):
    """Return the Fréchet distance of Gaussians fitted to two sets of features: the FID, if a classifier made them.

    Parameters
    ----------
    fake, real : (N, K), (M, K) array_like
        Features of generated and of real items, at least two each.

    Returns
    -------
    float
        From 0 up, in squared units of the features: only numbers in one feature space compare, and of one sample size,
        since the estimate is too large: by about K(K + 5) / 2N between two sets of N from N(0, I).

    Raises
    ------
    ShapeError, DataError
        If the items do not have the same shape, are fewer than two, or hold nan or inf.

    References
    ----------
    Heusel, Ramsauer, Unterthiner, Nessler & Hochreiter, "GANs Trained by a Two Time-Scale Update Rule Converge to a
    Local Nash Equilibrium", 2017, equation 6.

    Examples
    --------
    >>> import numpy as np
    >>> import minigan as mg
    >>> x = np.random.default_rng(0).normal(size=(1000, 3))
    >>> round(mg.metrics.frechet_distance(x, x + [1.0, 0.0, 0.0]), 6)  # the squared distance of the means
    1.0
    """
    fake, real = as_rows(fake, real, name="frechet_distance", at_least=2)
    moments = [(x.mean(axis=0), np.cov(x, rowvar=False).reshape(x.shape[1], -1)) for x in (fake, real)]
    return frechet_of_gaussians(*moments[0], *moments[1])


def frechet_of_gaussians(mean1, covariance1, mean2, covariance2):
    r"""Return the Fréchet distance of two Gaussians, which is their squared Wasserstein distance W2^2.

    .. math:: d^2 = |m_1 - m_2|^2 + \mathrm{Tr}\left( S_1 + S_2 - 2 (S_1 S_2)^{1/2} \right)

    Parameters
    ----------
    mean1, mean2 : (K,) array_like
    covariance1, covariance2 : (K, K) array_like
        Symmetric and positive semi-definite.

    Returns
    -------
    float

    Raises
    ------
    ShapeError
        If the shapes are others.

    Notes
    -----
    *Numerics*: the product S1 S2 is not symmetric, and a matrix root of it can come out complex. But it has the
    eigenvalues of R S2 R with R = S1^(1/2), which is symmetric; both roots come from its eigenvalues, and those that
    rounding makes negative count as 0.

    References
    ----------
    Dowson & Landau, "The Fréchet distance between multivariate normal distributions", 1982.
    """
    mean1, covariance1, mean2, covariance2 = (
        np.asarray(x, dtype=float) for x in (mean1, covariance1, mean2, covariance2)
    )
    k = len(mean1) if mean1.ndim else 0
    shapes = [mean1.shape, covariance1.shape, mean2.shape, covariance2.shape]
    if shapes != [(k,), (k, k), (k,), (k, k)]:
        raise ShapeError(f"frechet_of_gaussians: got shapes {shapes}; expected (K,), (K, K), (K,), (K, K)")
    values, vectors = np.linalg.eigh(covariance1)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    product = root @ covariance2 @ root
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh((product + product.T) / 2), 0.0)).sum()
    distance = np.sum((mean1 - mean2) ** 2) + np.trace(covariance1) + np.trace(covariance2) - 2 * shared
    return max(float(distance), 0.0)
