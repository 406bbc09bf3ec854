"""What is wrong with a run, if anything: symptoms in numbers, and the first rule that they meet.

Every rule is a function of a `Symptoms` record that returns its evidence as a sentence, or None. The order of `RULES`
matters: a generator whose units are stuck makes one sample only, but to call that mode collapse would hide the cause.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from minigan.metrics.neighbours import Memorisation


@dataclass(frozen=True)
class Symptoms:
    """What a diagnosis looks at. Distances are in units of the data's spread: the rms distance to its own mean.

    Attributes
    ----------
    d_loss : (L,) array
        The discriminator's logged losses.
    equilibrium : float
        The value of that loss where real and generated samples are alike.
    logits : float
        Median of ``|D|`` over real and generated samples.
    told_apart : float
        Probability that D scores a real sample above a generated one: 0.5 cannot tell, 1 always tells (the area under
        its ROC curve).
    pull : float
        Mean size of the generator's gradient on the logit of a sample, at most 1 for most losses; 0 is vanished.
    variety : float
        Spread of the generated samples; 1 is right, 0: all alike.
    distance : float
        Sliced W2 of generated to real samples, less that between two real sets, in units of the data's standard
        deviation along a line.
    kinds : float
        How many of 200 real samples are the nearest one of some generated sample, over the same for other real ones:
        1 is right, 0: all are of one kind.
    shares : (K,) array or None
        Of the generated samples, the share nearest to each mode over the mode's weight: 1 is right. None where the
        data has no known modes, or only one.
    modes : (K, D) array or None
        Where these are.
    between : float
        Share of the samples farther than five standard deviations from every mode; 0 where there are no known modes.
    stuck : float
        Largest share, over the generator's activation layers, of units that pass no gradient whatever the noise.
    path : (S, D) array
        Mean of the snapshots' samples over the second half of the run.
    memorisation : metrics.Memorisation or None
        None where the data is endless.
    diverged : str or None
        What was no longer finite when training stopped.
    """

    d_loss: np.ndarray
    equilibrium: float
    logits: float
    told_apart: float
    pull: float
    variety: float
    distance: float
    kinds: float
    shares: np.ndarray | None = None
    modes: np.ndarray | None = None
    between: float = 0.0
    stuck: float = 0.0
    path: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))
    memorisation: Memorisation | None = None
    diverged: str | None = None


class Diagnosis(NamedTuple):
    """The name of a state, what it is seen by, and what to try.

    Attributes
    ----------
    name : str
        One of `NAMES`.
    evidence, remedy : str
        Sentences.
    """

    name: str
    evidence: str
    remedy: str

    def __str__(self):
        return f"{self.name}. {self.evidence} {self.remedy}".strip()


class Rule(NamedTuple):
    """A state's name, its test (a function from Symptoms to evidence or None) and its remedy."""

    name: str
    evidence: Callable[[Symptoms], str | None]
    remedy: str


def diagnose(symptoms):
    """Return the Diagnosis of `Symptoms`: that of the first of `RULES` whose evidence is found."""
    for rule in RULES:
        if evidence := rule.evidence(symptoms):
            return Diagnosis(rule.name, evidence, rule.remedy)
    between = f", {symptoms.between:.0%} of them between the modes" if symptoms.between else ""
    return Diagnosis(
        "unclear",
        f"None of the known failures shows, yet the samples are {symptoms.distance:.2f} standard deviations "
        f"(sliced W2) from the real ones{between}.",
        "Try: more steps, then wider networks.",
    )


# -- the rules; healthy runs keep a good distance from every threshold -------------------------------------------------
AHEAD = 0.97  # share of pairs that a discriminator far ahead ranks rightly
VANISHED = 0.1  # pull that no longer moves the generator


def divergence(s):
    """Numbers that are no longer finite, or scores and losses far beyond where any loss of a GAN works."""
    if s.diverged:
        return f"Training stopped: {s.diverged}."
    if not np.isfinite([s.logits, s.distance]).all():
        return "Samples or scores are no longer finite."
    worst = np.abs(_end(s.d_loss)).max(initial=0.0)
    if s.logits > 300 or worst > 100 * (1 + abs(s.equilibrium)):
        return f"The discriminator's scores have the size {s.logits:.3g}, its loss {worst:.3g}, and both grow."
    if s.distance > 30:
        return f"The samples are {s.distance:.3g} of the data's standard deviations away from it."
    return None


def saturation(s):
    """Units of the generator that sit where their activation is flat: they pass no gradient, so nothing can move."""
    if s.stuck < 0.97:
        return None
    return f"In one of the generator's layers {s.stuck:.0%} of the units pass no gradient, whatever the noise."


def discriminator_wins(s):
    """A discriminator that is always right, and has nothing left to learn or passes nothing on."""
    loss = _end(s.d_loss)
    if not len(loss) or s.equilibrium <= 0 or s.told_apart < AHEAD:
        return None
    if loss.mean() > 0.25 * s.equilibrium and s.pull >= VANISHED:
        return None
    vanished = f" The gradient that reaches the generator has shrunk to {s.pull:.1g}." if s.pull < VANISHED else ""
    return (
        f"The discriminator tells real from generated samples in {s.told_apart:.1%} of all pairs, and its loss is "
        f"{loss.mean():.2g}, where balance is {s.equilibrium:.2f}.{vanished}"
    )


def mode_collapse(s):
    """Known modes that get less than a tenth of their share; otherwise samples that are far less varied than data."""
    swing, _ = sway(s.path)
    missing = np.flatnonzero(s.shares < 0.1) if s.shares is not None else []
    if len(missing) and swing < 1:
        places = ", ".join(f"{k} at ({', '.join(f'{c:.3g}' for c in s.modes[k])})" for k in missing[:8])
        more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
        return f"{len(missing)} of {len(s.shares)} modes get less than a tenth of their share: {places}{more}."
    if s.variety < 0.3 and swing < 1:
        return f"The samples vary {s.variety:.2g} times as much as the data."
    if s.kinds < 0.25 and not oscillation(s):
        return f"The samples resemble few of the data's kinds: {s.kinds:.0%} as many as new data does."
    return None


def oscillation(s):
    """Samples that wander to and fro in the second half of the run instead of settling."""
    swing, turns = sway(s.path)
    if swing < 0.2 or turns < 2:
        return None
    return (
        f"Over the second half of the run the mean of the samples wandered to and fro {turns} times, by {swing:.2f} of "
        "the data's spread (rms)."
    )


def memorised(s):
    """Samples that are closer to the training set than new data, and not by chance."""
    m = s.memorisation
    if m is None or m.z > -2.5 or m.median_ratio > 0.3:
        return None
    return (
        f"The samples are {m.median_ratio:.2f} times as far from the nearest training item as new data (median; "
        f"z = {m.z:.1f})."
    )


def healthy(s):
    """Samples that lie where the data lies, in about the right proportions."""
    if s.distance > 0.5 or s.between > 0.5:
        return None
    return (
        f"The samples are {s.distance:.2f} standard deviations (sliced W2) from the real ones and vary "
        f"{s.variety:.2f} times as much; {_lead(s)}."
    )


def _lead(s):
    """Say how far ahead the discriminator of a healthy run is, and, where it is far, why that is no failure here."""
    if s.told_apart < AHEAD:
        return f"the discriminator ranks a real sample above a generated one in {s.told_apart:.0%} of all pairs"
    return (
        f"the discriminator sees differences still (it ranks the real sample above the generated one in "
        f"{s.told_apart:.0%} of all pairs), as it mostly does on images; it has not won, for the generator gets a "
        f"gradient (mean size {s.pull:.2g} on a score) and its samples are near the data"
    )


RULES = [
    Rule(
        "divergence",
        divergence,
        "Try: learning rates ten times smaller, R1 and R2 penalties (--r1, --r2), for a Wasserstein loss --wgan-gp "
        "10 or spectral normalisation; and data of standard deviation 1 (--standardise).",
    ),
    Rule(
        "saturation",
        saturation,
        "Try: a smaller rate of the generator (--lr-g), smaller first weights, LeakyReLU inside, and an "
        "output layer whose range is the data's.",
    ),
    Rule(
        "discriminator wins",
        discriminator_wins,
        "Try: a smaller rate of the discriminator (--lr-d) or a larger one of the generator (--lr-g), R1 (--r1), the "
        "non_saturating or relativistic loss instead of minimax, and noise on what it sees (--noise 0.1).",
    ),
    Rule(
        "mode collapse",
        mode_collapse,
        "Try: the relativistic loss with R1 and R2 (--loss relativistic --r1 0.3 --r2 0.3), packs of samples "
        "(--pack 2), a smaller --lr-g, and random signs in the noise (--latent-signs 8) for separate modes.",
    ),
    Rule(
        "oscillation",
        oscillation,
        "Try: no momentum (--beta1 0), smaller rates that fall towards the end (--cosine-from 0.5), R1 and R2, and an "
        "average of the generator (--ema 0.99).",
    ),
    Rule(
        "memorisation",
        memorised,
        "Try: more data, fewer steps, a smaller generator and discriminator, and noise on the data.",
    ),
    Rule("healthy", healthy, ""),
]

NAMES = [rule.name for rule in RULES] + ["unclear"]


def sway(path):
    """Measure how a point wanders to and fro.

    Parameters
    ----------
    path : (S, D) array
        Where it was, one time after the other.

    Returns
    -------
    size : float
        Root mean square distance from its mean place; 0 for fewer than 5 times.
    turns : int
        How often it crossed its mean place, along the line on which it moved most. A slow drift crosses once.
    """
    if len(path) < 5:
        return 0.0, 0
    away = path - path.mean(axis=0)
    line = np.linalg.svd(away, full_matrices=False)[2][0]
    side = np.sign(away @ line)
    return float(np.sqrt((away**2).sum(axis=1).mean())), int((side[1:] != side[:-1]).sum())


def _end(values):
    """Return the last fifth of a curve, at least five values."""
    return values[-max(5, len(values) // 5) :]
