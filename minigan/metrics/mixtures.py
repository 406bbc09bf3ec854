"""How well samples cover a mixture of separate Gaussian modes."""

import math
from typing import NamedTuple

import numpy as np

from minigan.errors import ConfigError, ShapeError

# Standard deviation per axis of a standard normal vector of the plane, given that it is within 3 of its centre.
TRUNCATED_SD = math.sqrt((1 - (1 + 4.5) * math.exp(-4.5)) / (1 - math.exp(-4.5)))


class MixtureQuality(NamedTuple):
    """Protocol of Srivastava et al. (2017, VEEGAN) and Lin et al. (2018, PacGAN); `width` is ours.

    Attributes
    ----------
    modes : int
        Modes that are nearest to at least one high-quality sample.
    high_quality : float
        Share of samples within 3 standard deviations of the nearest mode, in [0, 1]; 0.989 for perfect samples of the
        plane (more: modes too tight).
    reverse_kl : float
        log K - H(shares of the high-quality samples over the K modes), in nats; 0: all modes alike.
    width : float
        Standard deviation of the high-quality samples about their mode's own mean, over the true one; 1 is right.
    """

    modes: int
    high_quality: float
    reverse_kl: float
    width: float


def mixture_quality(samples, means, std):
    """Measure samples (N, 2) of the plane against modes at `means` (K, 2) with standard deviation `std`, a number.

    Returns
    -------
    MixtureQuality

    Raises
    ------
    ShapeError
        If samples or means are no points of the plane, or there are none.
    ConfigError
        If `std` is not one positive number.

    Examples
    --------
    >>> import minigan as mg
    >>> data = mg.data.ring()
    >>> half = [x for x in data.sample(2000, seed=0) if x[0] > 0.1]  # as a collapsed generator makes
    >>> mg.metrics.mixture_quality(half, data.means, data.stds[0]).modes
    3
    """
    samples, means = np.asarray(samples, float), np.asarray(means, float)
    if any(a.ndim != 2 or a.shape[1] != 2 or not len(a) for a in (samples, means)):
        raise ShapeError(
            f"mixture_quality: got samples {samples.shape} and means {means.shape}; expected (N, 2), (K, 2)"
        )
    if np.ndim(std) or not std > 0:
        raise ConfigError(f"mixture_quality: got std {std}; expected one positive number, the same for all modes")
    distance = np.linalg.norm(samples[:, None] - means, axis=-1)
    nearest = distance.argmin(axis=1)
    good = distance.min(axis=1) <= 3 * std
    counts = np.bincount(nearest[good], minlength=len(means))
    if not good.any():
        return MixtureQuality(0, 0.0, math.nan, math.nan)
    shares = counts[counts > 0] / counts.sum()
    reverse_kl = math.log(len(means)) + float(np.sum(shares * np.log(shares)))
    spreads = [_spread(samples[good & (nearest == k)]) for k in np.flatnonzero(counts > 1)]
    width = float(np.mean(spreads)) / (TRUNCATED_SD * std) if spreads else math.nan
    return MixtureQuality(int((counts > 0).sum()), float(good.mean()), reverse_kl, width)


def _spread(points):
    return math.sqrt(np.mean((points - points.mean(axis=0)) ** 2) * len(points) / (len(points) - 1))
