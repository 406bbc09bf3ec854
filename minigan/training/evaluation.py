"""What is measured of a run, by the kind of its data."""

import json
import math

import numpy as np

from minigan import metrics
from minigan.data import ArrayDataset
from minigan.files import read_bytes, write_bytes
from minigan.training.run import checksum
from minigan.training.virtual import fingerprint

IMAGES = 10_000  # images that are compared: FIDs of other numbers do not compare

COPIES = "copies: distance to the training set, over that of new data"
COPIES_Z = "copies: z of closeness (below -3: copies)"
COPIES_P = "copies: p, chance of such closeness if all were new"


def evaluate(gan, data, *, judges=3, progress=False):
    """Return measures of the samples of `gan` against `data`: a dict from a name to a number.

    Points on the line: W1 over the sampling floor (10 pairs of 10,000). Mixtures of the plane: modes, high-quality
    share, reverse KL, width (means of 10 draws of 2,500). Sequences (T, C): discriminative scores of 10,000 by judges
    of 2 and of 32 units, MMD^2, autocorrelation. Labelled images: FID and the others of `metrics.evaluate_images`.
    Anything else: the sliced Wasserstein distance. And where the data is finite: whether the samples are copies of it.

    Parameters
    ----------
    gan : GAN
    data : dataset
    judges : int
        How many judges of sequences of either size; the published protocol takes 10. Each takes some ten seconds.
    progress : bool
        Show bars.

    Returns
    -------
    dict of str to float
    """
    return quality(gan, data, judges=judges, progress=progress) | copies(memorisation(gan, data, 1000))


def is_quick(data):
    """Return whether `evaluate` takes a second or two for such data, so that every report can call it."""
    images = len(data.shape) == 3 and getattr(data, "labels", None) is not None and np.ptp(data.labels) > 0
    return len(data.shape) != 2 and not images


def quality(gan, data, *, judges=3, progress=False):
    """Return the measures of `evaluate` without those of copying; arguments as there."""
    if len(data.shape) == 2:
        return _sequences(gan, data, judges, progress)
    if not is_quick(data):
        return metrics.evaluate_images(gan.sample(IMAGES, 0), data, progress=progress)
    if data.shape == (1,):
        return _line(gan, data)
    return _mixture(gan, data) if data.shape == (2,) and hasattr(data, "means") else _anything(gan, data)


def _line(gan, data):
    w1, floor = metrics.wasserstein1_over_floor(gan.sample, data.sample)
    return {
        "W1 (data units)": w1,
        "W1 between two real sets (floor)": floor,
        "W1 / floor (1 is perfect)": w1 / floor if floor else math.inf,  # 0: the data is one constant
    }


def _mixture(gan, data):
    draws = [metrics.mixture_quality(gan.sample(2500, seed), data.means, data.stds[0]) for seed in range(10)]
    modes, high_quality, reverse_kl, width = np.mean(draws, axis=0)
    return {
        f"modes of {len(data.means)}": modes,
        "high-quality samples (perfect 0.989)": high_quality,
        "reverse KL in nats (0 is perfect)": reverse_kl,
        "width of the modes (1 is perfect)": width,
    }


def _anything(gan, data):
    fake, real, more = gan.sample(2000, 0), data.sample(2000, 0), data.sample(2000, 1)
    return {
        "sliced W2 (data units)": metrics.sliced_wasserstein(fake, real),
        "sliced W2 between two real sets (floor)": metrics.sliced_wasserstein(more, real),
    }


def _sequences(gan, data, judges, progress):
    fake, real, more = gan.sample(10_000, 0), data.sample(10_000, 0), data.sample(10_000, 1)

    def score(x, hidden):
        return metrics.discriminative_score(x, real, hidden=hidden, judges=judges, progress=progress)

    return {
        "discriminative score, 2 units (0 is perfect)": score(fake, 2),
        "discriminative score, 2 units, real against real (floor)": score(more, 2),
        "discriminative score, 32 units (0 is perfect)": score(fake, 32),
        "judges of each": judges,
        "MMD^2 of 2,000 (0 is perfect)": metrics.mmd2(fake[:2000], real[:2000]),
        "MMD^2 between two real sets (floor)": metrics.mmd2(more[:2000], real[:2000]),
        "autocorrelation difference (0 is perfect)": metrics.autocorrelation_difference(fake, real),
        "autocorrelation difference between two real sets (floor)": metrics.autocorrelation_difference(more, real),
    }


# -- copies ---------------------------------------------------------------------------------------------------------
def memorisation(gan, data, n=500):
    """Ask whether the samples are copies of the training data.

    A tenth of the rows (at most n) is set aside as if it were new. They were trained on as well, but are compared with
    the others only, and so are as far from those as new data is; copies of a row set aside go unnoticed.

    Parameters
    ----------
    gan : GAN
    data : dataset
    n : int
        Samples that are compared.

    Returns
    -------
    metrics.Memorisation or None
        None where the data is endless, or has fewer than 15 rows.
    """
    if not isinstance(data, ArrayDataset) or len(data) < 15:
        return None
    order = np.random.default_rng(0).permutation(len(data))
    aside = min(max(len(data) // 10, 5), n)
    return metrics.memorisation(gan.sample(n, 0), Rows(data, np.sort(order[aside:])), data[order[:aside]])


class Rows:
    """Some rows of a data set, made when they are asked for by a slice."""

    def __init__(self, data, indices):
        self.data, self.indices = data, indices

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, part):
        return self.data[self.indices[part]]


def copies(found):
    """Return what `memorisation` found as measures with names; none for None."""
    return {} if found is None else {COPIES: found.median_ratio, COPIES_Z: found.z, COPIES_P: found.p_value}


# -- keeping them ---------------------------------------------------------------------------------------------------
def keep(run, gan, measures):
    """Write the measures into evaluation.json of a RunFolder, with the fingerprint of the generator measured."""
    numbers = {name: float(value) if math.isfinite(value) else None for name, value in measures.items()}
    content = {"step": gan.step, "generator": fingerprint(gan), "measures": numbers, "crc32": checksum({}, numbers)}
    write_bytes(run.path / "evaluation.json", json.dumps(content, indent=1) + "\n")


def kept(run, gan):
    """Return the measures in evaluation.json; none if there are none, they are damaged, or of another generator."""
    try:
        content = json.loads(read_bytes(run.path / "evaluation.json", 2**20))
        if content["generator"] != fingerprint(gan) or content["crc32"] != checksum({}, content["measures"]):
            return {}
        return {name: math.nan if value is None else float(value) for name, value in content["measures"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return {}
