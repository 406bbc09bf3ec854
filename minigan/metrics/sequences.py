"""Measures of sequences that need no training."""

import numpy as np

from minigan.errors import ConfigError, DataError, ShapeError


def autocorrelation(x, *, lags=None):
    r"""Return the mean autocorrelation of sequences.

    .. math:: \rho_c(l) = \frac{E_{n,t}\, (x_{n,t,c} - \mu_c)(x_{n,t+l,c} - \mu_c)}{\sigma_c^2}

    with mean and variance of a channel taken over all sequences and time steps.

    Parameters
    ----------
    x : (N, T, C) array_like
    lags : int, optional
        L, the largest lag in time steps; T - 1 by default.

    Returns
    -------
    ndarray
        (L, C) float64, for the lags 1 ... L, about -1 to 1; nan for a channel that is constant.

    Raises
    ------
    ShapeError
        If x has other axes, or fewer than two time steps.
    DataError
        If a value is nan or inf.
    ConfigError
        If `lags` is not from 1 to T - 1.

    References
    ----------
    Ni, Szpruch, Wiese, Liao & Xiao, "Conditional Sig-Wasserstein GANs for Time Series Generation", 2020, section 4.
    """
    x = np.asarray(x, dtype=float)
    if x.ndim != 3 or x.size == 0 or x.shape[1] < 2:
        raise ShapeError(f"autocorrelation: got shape {x.shape}; expected (N, T, C) with T of 2 or more")
    if not np.isfinite(x).all():
        raise DataError("autocorrelation: the sequences hold nan or inf")
    lags = x.shape[1] - 1 if lags is None else lags
    if not 1 <= lags < x.shape[1]:
        raise ConfigError(f"autocorrelation: lags is {lags}; expected 1 to {x.shape[1] - 1}, less than the time steps")
    constant = np.ptp(x, axis=(0, 1)) == 0
    x = x - x.mean(axis=(0, 1))
    variance = np.where(constant, np.nan, np.square(x).mean(axis=(0, 1)))
    return np.stack([_mean_product(x[:, lag:], x[:, :-lag]) for lag in range(1, lags + 1)]) / variance


def _mean_product(a, b):
    return np.einsum("ntc,ntc->c", a, b) / (a.shape[0] * a.shape[1])


def autocorrelation_difference(fake, real, *, lags=None):
    """Return the mean over lags and channels of the absolute difference of two mean autocorrelations.

    Parameters
    ----------
    fake, real : (N, T, C), (M, T, C) array_like
    lags : int, optional
        The largest lag; T - 1 by default.

    Returns
    -------
    float
        0 for the same dynamics, at most about 2; nan if a channel is constant.

    Raises
    ------
    ShapeError
        If the sequences do not have the same shape; and as `autocorrelation`.
    """
    if np.shape(fake)[1:] != np.shape(real)[1:]:
        shapes = f"{np.shape(fake)} and {np.shape(real)}"
        raise ShapeError(f"autocorrelation_difference: got shapes {shapes}; expected (N, T, C), (M, T, C)")
    return float(np.abs(autocorrelation(fake, lags=lags) - autocorrelation(real, lags=lags)).mean())
