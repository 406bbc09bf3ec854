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


def linear(step, steps, *, end, until=0.5):
    """Return a factor that falls from 1 to `end` along a straight line over the fraction `until` of the run."""
    return 1.0 + (end - 1.0) * min(1.0, step / (until * steps))


def movers(step, *, freeze_g_until=0, freeze_d_from=0):
    """Return which players move at `step` (0-based): a pair (discriminator, generator) of bools.

    Parameters
    ----------
    freeze_g_until : int
        The generator stands still before this step, while the discriminator learns to judge it.
    freeze_d_from : int
        The discriminator stands still from this step on; 0: it never does.
    """
    return not 0 < freeze_d_from <= step, step >= freeze_g_until
