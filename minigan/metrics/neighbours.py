"""Measures that ask for nearest neighbours: are samples where data is, everywhere where it is, and are they copies?"""

import math
from typing import NamedTuple

import numpy as np
import scipy.stats

from minigan.errors import ConfigError, ShapeError
from minigan.metrics.rows import as_rows, blocks, centred, squared_distances


class PrecisionRecall(NamedTuple):
    """Quality and variety, by Kynkäänniemi et al. (2019).

    Attributes
    ----------
    precision : float
        Share of the generated items that lie where real ones are, in [0, 1].
    recall : float
        Share of the real items that lie where generated ones are, in [0, 1].
    """

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """Quality and variety, by Naeem et al. (2020).

    Attributes
    ----------
    density : float
        How many real neighbourhoods a generated item lies in, over the expected number k; from 0 up, 1 is right.
    coverage : float
        Share of the real items with a generated one in their neighbourhood, in [0, 1].
    """

    density: float
    coverage: float


class Memorisation(NamedTuple):
    """How close generated items are to the training set, beside new real ones.

    Attributes
    ----------
    median_ratio : float
        Median distance of generated items to the nearest training item, over that of held-out real items. 1: as far
        as new data; towards 0: copies.
    closer : float
        Probability that a generated item is closer to the training set than a held-out one (ties count half); 0.5 is
        right, 1 memorised, 0 far from all data.
    z : float
        Meehan's C_T: the Mann-Whitney statistic of the two sets of distances, in its own standard deviations. Below
        about -3: copies. Far above 3: samples unlike the data.
    p_value : float
        Probability of such closeness, or more, if generated items were new data.
    """

    median_ratio: float
    closer: float
    z: float
    p_value: float


def precision_recall(fake, real, *, k=3):
    """Estimate precision and recall: whether samples look right, and whether all kinds of data occur.

    The region of a set is the union of balls around its items, each as wide as the distance to the item's k-th
    neighbour in the set. Precision is the share of generated items in the real region, recall that of real items in
    the generated region (equations 1 and 2 of the paper).

    Parameters
    ----------
    fake, real : (N, ...), (M, ...) array_like
        Features, more than k of each. Take N = M: recall grows with N, precision with M.
    k : int
        Neighbours; 3 in the paper.

    Returns
    -------
    PrecisionRecall

    Raises
    ------
    ShapeError, DataError
        If the items do not have the same shape, are k or fewer, or hold nan or inf.
    ConfigError
        If `k` is less than 1.

    References
    ----------
    Kynkäänniemi, Karras, Laine, Lehtinen & Aila, "Improved Precision and Recall Metric for Assessing Generative
    Models", 2019.

    Examples
    --------
    >>> import minigan as mg
    >>> real = mg.data.ring().sample(500, seed=0)
    >>> narrow = mg.data.ring(modes=1).sample(500, seed=1)  # one mode of eight
    >>> precision, recall = mg.metrics.precision_recall(narrow, real)
    >>> precision > 0.9, recall < 0.2
    (True, True)
    """
    fake, real = _prepared(fake, real, k, "precision_recall")
    precision = _inside(fake, real, _radii2(real, k)) > 0
    recall = _inside(real, fake, _radii2(fake, k)) > 0
    return PrecisionRecall(float(precision.mean()), float(recall.mean()))


def density_coverage(fake, real, *, k=5):
    """Estimate density and coverage: precision and recall that one outlier does not spoil.

    With balls around the *real* items only, each as wide as the distance to the item's k-th neighbour among them:
    density is the number of balls that hold a generated item, over k, as a mean; coverage the share of balls that hold
    any (equations 4 and 5 of the paper).

    Parameters
    ----------
    fake, real : (N, ...), (M, ...) array_like
        Features, more than k of the real ones.
    k : int
        Neighbours; 5 in the paper. For N = M and equal distributions coverage is then about 1 - 2^-k = 0.97.

    Returns
    -------
    DensityCoverage

    Raises
    ------
    ShapeError, DataError
        If the items do not have the same shape, are k or fewer, or hold nan or inf.
    ConfigError
        If `k` is less than 1.

    References
    ----------
    Naeem, Oh, Uh, Choi & Yoo, "Reliable Fidelity and Diversity Metrics for Generative Models", 2020.
    """
    fake, real = _prepared(fake, real, k, "density_coverage")
    radii2 = _radii2(real, k)
    density = _inside(fake, real, radii2).mean() / k
    coverage = _nearest(real, fake)[1] <= radii2
    return DensityCoverage(float(density), float(coverage.mean()))


def memorisation(fake, train, held_out):
    """Ask whether generated items are closer to the training set than new data is.

    Parameters
    ----------
    fake : (N, ...) array_like
    train : (M, ...) array_like, or anything with a length and slices
        The items that the generator was trained on, or a part of them. Looked at slice by slice.
    held_out : (L, ...) array_like
        Real items that it never saw.

    Returns
    -------
    Memorisation

    Raises
    ------
    ShapeError, DataError
        If the items do not have the same shape, there are none, or they hold nan or inf.

    Notes
    -----
    The test is that of the paper with one cell only. It finds copies, not all of overfitting: a generator that copies
    one half of the time and errs in the other passes in z, and one that makes nothing but the commonest items is close
    to the training set without copying. Compare with pictures of the nearest neighbours.

    References
    ----------
    Meehan, Chaudhuri & Dasgupta, "A Non-Parametric Test to Detect Data-Copying in Generative Models", 2020.
    """
    # float32: training sets are large, and the distances are computed again from the pairs that are found.
    fake, held_out = as_rows(fake, held_out, name="memorisation", dtype=np.float32)
    distances = _distances_to_nearest(np.concatenate([fake, held_out]), train)
    generated, new = distances[: len(fake)], distances[len(fake) :]
    # U counts the pairs (generated, held-out) in which the generated item is farther away.
    ranks = scipy.stats.rankdata(np.concatenate([generated, new]))
    n, m = len(generated), len(new)
    u = ranks[:n].sum() - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    medians = np.median(generated), np.median(new)
    ratio = medians[0] / medians[1] if medians[1] > 0 else math.nan
    return Memorisation(float(ratio), float(1 - u / (n * m)), float(z), float(scipy.stats.norm.cdf(z)))


def _prepared(fake, real, k, name):
    if k < 1:
        raise ConfigError(f"{name}: k is {k}; it must be at least 1")
    return centred(*as_rows(fake, real, name=name, at_least=k + 1))


def _radii2(x, k):
    """Return the squared distance of each row to its k-th nearest neighbour among the others (N,)."""
    # Position k, not k - 1: at position 0 is the row itself.
    return np.concatenate(
        [np.partition(squared_distances(x[part], x), k, axis=1)[:, k] for part in blocks(len(x), len(x))]
    )


def _inside(x, centres, radii2):
    """Return in how many balls around `centres` (M, K) each row of x (N, K) lies: (N,) int."""
    parts = blocks(len(x), len(centres))
    return np.concatenate([(squared_distances(x[part], centres) <= radii2).sum(axis=1) for part in parts])


def _nearest(x, others):
    """Return for each row of x the index of the nearest row of `others`, and the squared distance: (N,), (N,)."""
    found = []
    for part in blocks(len(x), len(others)):
        table = squared_distances(x[part], others)
        index = table.argmin(axis=1)
        found.append((index, table[np.arange(len(table)), index]))
    return tuple(np.concatenate(pieces) for pieces in zip(*found, strict=True))


def _distances_to_nearest(x, others, at_a_time=4096):
    """Return the distance of each row of x to the nearest of `others`, computed from that pair itself: 0 for a copy.

    `others` are looked at some thousand at a time: of a training set there need not be a copy as floats.
    """
    if not len(others):
        raise ShapeError("memorisation: the training set is empty; there is nothing to be close to")
    distances = np.full(len(x), np.inf)
    for start in range(0, len(others), at_a_time):
        (part,) = as_rows(others[start : start + at_a_time], name="memorisation", dtype=np.float32)
        if part.shape[1] != x.shape[1]:
            raise ShapeError(f"memorisation: items of {x.shape[1]} and of {part.shape[1]} entries; expected the same")
        index, _ = _nearest(*centred(x, part))
        distances = np.minimum(distances, np.linalg.norm(x - part[index], axis=1))
    return distances
