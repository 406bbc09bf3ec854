"""The Wasserstein distance on the line."""

import numpy as np
import scipy.stats

from minigan.errors import ShapeError


def wasserstein1(a, b):
    """Return W1, the least mean distance by which one sample is moved onto the other, in the data's units.

    On the line it is the area between the two distribution functions (Vallender, 1974).

    Parameters
    ----------
    a, b : (N,) or (N, 1) and (M,) or (M, 1) arrays
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


def _line(x):
    x = np.asarray(x)
    if x.ndim == 2 and x.shape[1] == 1:
        x = x[:, 0]
    if x.ndim != 1 or x.size == 0:
        raise ShapeError(f"wasserstein1: got shape {x.shape}; expected (N,) or (N, 1) with N > 0")
    return x
