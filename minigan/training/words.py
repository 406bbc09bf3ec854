"""A run in words: what its curves and measures show, and what they do not."""

import numpy as np

from minigan.training.evaluation import COPIES, COPIES_Z

FID_FLOOR = "FID between two real sets (floor)"


def describe(gan, data, measures, diagnosis=None):
    """Return paragraphs about a run.

    Parameters
    ----------
    gan : GAN
    data : dataset
    measures : dict
        From `evaluate`; may be empty.
    diagnosis : Diagnosis, optional
    """
    said = [_what(gan, data), _diagnosis(diagnosis), _quality(measures), _copying(measures), _game(gan.history, gan)]
    return [paragraph for paragraph in said if paragraph]


def _diagnosis(diagnosis):
    return f"Diagnosis: {diagnosis}" if diagnosis else ""


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
    if FID_FLOOR in measures:
        fid = next(value for name, value in measures.items() if name.startswith("FID,"))
        return f"Their FID is {fid:.3g}, where two sets of real images have {measures[FID_FLOOR]:.3g}."
    modes = next(((name, value) for name, value in measures.items() if name.startswith("modes of")), None)
    if modes is None:
        return _told(measures)
    total = int(modes[0].split()[-1])
    good = measures["high-quality samples (perfect 0.989)"]
    if modes[1] >= total - 0.5:
        found = f"All {total} modes are found"
    else:
        found = f"Only {modes[1]:.1f} of {total} modes are found: the generator has collapsed onto a part of the data"
    return f"{found}; {good:.1%} of the samples lie within three standard deviations of a mode (perfect: 98.9%)."


def _told(measures):
    """Say how well a judge tells generated sequences from real ones."""
    score = measures.get("discriminative score, 2 units (0 is perfect)")
    if score is None:
        return ""
    floor = measures["discriminative score, 2 units, real against real (floor)"]
    return (
        f"A fresh judge is right about {0.5 + score:.1%} of the sequences that it has not seen (discriminative score "
        f"{score:.3f}); about real ones against real ones, {0.5 + floor:.1%}."
    )


def _copying(measures):
    if COPIES not in measures:
        return ""
    ratio, z = measures[COPIES], measures[COPIES_Z]
    verdict = (
        "closer to the training data than new data is" if z < -3 else "not closer to the training data than new data"
    )
    return (
        f"The samples are {verdict}: their distance to the nearest training item is {ratio:.2f} times that of new data "
        f"(median; z = {z:.1f}, copies have a ratio near 0 and z far below -3)."
    )


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
