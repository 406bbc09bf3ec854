"""Numbers that change over a run, as functions of the step. Pure: a resumed run sees what an undisturbed one sees."""

import math


def warmup_cosine(step, steps, *, warmup, cosine_from):
    """Return the factor of a learning rate at `step` (0-based) of `steps`: a rise, a plateau, a cosine to 0.

    Parameters
    ----------
    warmup : int
        Steps of the linear rise.
    cosine_from : float in [0, 1]
        Fraction of the run where the fall begins; 1: never.
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    start = cosine_from * steps
    if step < start or start >= steps:
        return rise
    return rise * 0.5 * (1 + math.cos(math.pi * (step - start) / (steps - start)))


def geometric(step, steps, *, end, until=0.5):
    """Return a factor that falls from 1 to `end` geometrically over the fraction `until` of the run, then stays."""
    return end ** min(1.0, step / (until * steps))
