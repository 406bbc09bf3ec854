"""A run in words: what its curves and measures show, and what they do not."""

import numpy as np


def describe(history, measures, gan, data):
    """Return paragraphs about a run.

    Parameters
    ----------
    history : list of dict
        Records of metrics.jsonl.
    measures : dict
        From `evaluate`; may be empty.
    """
    return [p for p in (_what(gan, data), _quality(measures), _game(history, gan)) if p]


def _what(gan, data):
    average = f" Samples come from an average of the generator's weights (decay {gan.config.ema:g})." * bool(
        gan.average
    )
    return (
        f"A generator and a discriminator played {gan.step:,} steps on {data.name} with the {gan.loss.name} loss, "
        f"{gan.config.batch_size} samples a step, seed {gan.config.seed}.{average}"
    )


def _quality(measures):
    if "W1 / floor (1 is perfect)" in measures:
        ratio = measures["W1 / floor (1 is perfect)"]
        verdict = (
            "hardly told from real ones at this sample size"
            if ratio < 2
            else "close to the real ones"
            if ratio < 3
            else "visibly off: compare the densities below"
        )
        return (
            f"The generated samples are {verdict}: their distance W1 to real samples is "
            f"{measures['W1 (data units)']:.3g}, {ratio:.1f} times that between two sets of real samples."
        )
    modes = next(((name, value) for name, value in measures.items() if name.startswith("modes of")), None)
    if modes is None:
        return ""
    total = int(modes[0].split()[-1])
    good = measures["high-quality samples (perfect 0.989)"]
    if modes[1] >= total - 0.5:
        found = f"All {total} modes are found"
    else:
        found = f"Only {modes[1]:.1f} of {total} modes are found: the generator has collapsed onto a part of the data"
    return f"{found}; {good:.1%} of the samples lie within three standard deviations of a mode (perfect: 98.9%)."


def _game(history, gan):
    """Say who was ahead over the last tenth of the run, and whether the losses had settled."""
    if len(history) < 20:
        return ""
    last = history[-max(10, len(history) // 10) :]
    real, fake = (float(np.mean([r[key] for r in last])) for key in ("d_real", "d_fake"))
    d_loss = float(np.mean([r["d_loss"] for r in last]))
    gap = real - fake
    if gap > 0.6:
        state = "the discriminator was well ahead: it told almost every generated sample from a real one"
    elif gap > 0.15:
        state = "the discriminator was somewhat ahead, as it is in most GANs that still learn"
    else:
        state = "the discriminator could hardly tell real from generated samples"
    return (
        f"At the end {state} (mean score of real samples {real:.2f}, of generated ones {fake:.2f}); its loss was "
        f"{d_loss:.2f}, at equilibrium it is {gan.loss.equilibrium[0]:.2f}."
    )
