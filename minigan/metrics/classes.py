"""Measures of what a classifier says about samples."""

import math

import numpy as np

from minigan.errors import DataError, ShapeError


def classifier_score(probabilities):
    r"""Return the classifier score (Inception score, if it is that network): sure of each sample, and of all kinds.

    .. math:: \exp\left( E_x\, \mathrm{KL}\left( p(y|x) \,\|\, p(y) \right) \right), \qquad p(y) = E_x\, p(y|x)

    Parameters
    ----------
    probabilities : (N, K) array_like
        p(y|x) of each sample, each row with the sum 1.

    Returns
    -------
    float
        From 1 (all samples alike, or the classifier never sure) to K (always sure, all classes equally often).

    Raises
    ------
    ShapeError
        If it is no table of N rows and K columns.
    DataError
        If a row is no distribution.

    References
    ----------
    Salimans, Goodfellow, Zaremba, Cheung, Radford & Chen, "Improved Techniques for Training GANs", 2016, section 4.
    """
    p = np.asarray(probabilities, dtype=float)
    if p.ndim != 2 or not p.size:
        raise ShapeError(f"classifier_score: got shape {p.shape}; expected (N, K) with N and K of 1 or more")
    if not ((p >= 0).all() and np.allclose(p.sum(axis=1), 1.0, atol=1e-4)):
        raise DataError("classifier_score: a row is no distribution; pass probabilities, softmax(logits)")
    mean = p.mean(axis=0)
    # p log(p / mean), and 0 where p is 0; the mean is 0 only where all p are.
    ratio = np.divide(p, mean, out=np.ones_like(p), where=p > 0)
    return math.exp(np.sum(p * np.log(ratio)) / len(p))


def class_histogram_kl(labels, classes):
    """Return KL(histogram of the labels, uniform) = log K - H in nats: how unevenly the classes occur.

    Parameters
    ----------
    labels : (N,) array_like of int
        From 0 to `classes` - 1.
    classes : int
        K

    Returns
    -------
    float
        From 0 (all alike) to log K (one class only). N labels drawn evenly give (K - 1) / 2N in the mean.

    Raises
    ------
    ShapeError
        If there are no labels, or they are no list.
    DataError
        If a label is out of range.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not labels.size:
        raise ShapeError(f"class_histogram_kl: got labels of shape {labels.shape}; expected (N,) with N of 1 or more")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"class_histogram_kl: labels must be integers from 0 to {classes - 1}")
    shares = np.bincount(labels, minlength=classes) / len(labels)
    shares = shares[shares > 0]
    return max(math.log(classes) + float(np.sum(shares * np.log(shares))), 0.0)
