"""What is measured of a run, by the kind of its data."""

import math

import numpy as np

from minigan import metrics
from minigan.errors import ConfigError


def is_measured(data):
    """Return whether `evaluate` has measures for such data."""
    return data.shape == (1,) or (data.shape == (2,) and hasattr(data, "means"))


def evaluate(gan, data):
    """Return measures of the samples of `gan` against `data`: a dict from a name to a number.

    Points on the line: W1 over the sampling floor (10 pairs of 10,000). Mixtures of the plane: modes, high-quality
    share, reverse KL, width (means of 10 draws of 2,500).
    """
    if data.shape == (1,):
        w1, floor = metrics.wasserstein1_over_floor(gan.sample, data.sample)
        return {
            "W1 (data units)": w1,
            "W1 between two real sets (floor)": floor,
            "W1 / floor (1 is perfect)": w1 / floor if floor else math.inf,  # 0: the data is one constant
        }
    if is_measured(data):
        draws = [metrics.mixture_quality(gan.sample(2500, seed), data.means, data.stds[0]) for seed in range(10)]
        modes, high_quality, reverse_kl, width = np.mean(draws, axis=0)
        return {
            f"modes of {len(data.means)}": modes,
            "high-quality samples (perfect 0.989)": high_quality,
            "reverse KL in nats (0 is perfect)": reverse_kl,
            "width of the modes (1 is perfect)": width,
        }
    raise ConfigError(
        f"evaluate: no measure for samples of shape {data.shape}; points on the line or a mixture in 2D have one"
    )
