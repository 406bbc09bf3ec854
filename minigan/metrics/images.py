"""All measures of images together, in the features of the data set's own classifier."""

from typing import NamedTuple

import numpy as np

from minigan.data import ArrayDataset
from minigan.errors import ShapeError
from minigan.metrics.classes import class_histogram_kl, classifier_score
from minigan.metrics.classifier import Settings, accuracy, image_classifier, train_classifier
from minigan.metrics.frechet import frechet_distance
from minigan.metrics.kernels import kid
from minigan.metrics.neighbours import density_coverage, precision_recall


class LabelledAccuracy(NamedTuple):
    """Accuracy on real images that nothing was trained on, in [0, 1].

    Attributes
    ----------
    synthetic : float
        Of a classifier trained on generated images.
    real : float
        Of one trained on real images: what can be reached.
    """

    synthetic: float
    real: float


def image_report(samples, dataset, *, n=10_000, seed=0, classifier=None, progress=False):
    """Measure generated images against a labelled data set.

    Parameters
    ----------
    samples : (N, C, H, W) array_like
        In the data's units, [0, 1].
    dataset : ImageDataset or ArrayDataset
        With `labels`; its classifier is trained first if it is not in the cache.
    n : int
        The most images of either kind that are compared. As many real ones, drawn without replacement, as samples: FID,
        precision and recall depend on the numbers.
    seed : int
        Of that draw.
    classifier : ImageClassifier, optional
        Default: `image_classifier(dataset)`.
    progress : bool
        Show bars.

    Returns
    -------
    dict
        ``n``, how many of either kind; ``fid`` and ``kid`` (of the features), ``precision`` and ``recall`` (k = 3),
        ``density`` and ``coverage`` (k = 5), ``classifier_score`` of the samples and ``classifier_score_real``,
        ``class_histogram``, the shares of the K classes as a list, ``kl`` of that to uniform in nats;
        ``fid_real``, the same between two sets of n real images that share none (None if the data is too small);
        ``classifier``, its key, and ``classifier_accuracy``.

    Raises
    ------
    ShapeError
        If the samples are no images of the data's size, or fewer than six.
    ConfigError
        If the data has no labels.
    DataError
        If a sample holds nan or inf.
    """
    samples = np.asarray(samples)
    if samples.ndim != 4 or samples.shape[1:] != dataset.shape or len(samples) < 6:
        expected = f"(N, {', '.join(map(str, dataset.shape))}) with N of 6 or more"
        raise ShapeError(f"image_report: got samples of shape {samples.shape}; expected {expected}")
    classifier = classifier or image_classifier(dataset, progress=progress)
    n = min(n, len(samples), len(dataset))
    order = np.random.default_rng(seed).permutation(len(dataset))
    fake, fake_classes = classifier.inspect(samples[:n], progress=progress)
    real, real_classes = classifier.inspect(dataset[np.sort(order[:n])], progress=progress)
    labels = fake_classes.argmax(axis=1)
    return {
        "n": n,
        "fid": frechet_distance(fake, real),
        "fid_real": _floor(real, dataset, order, n, classifier),
        "kid": kid(fake, real),
        **precision_recall(fake, real)._asdict(),
        **density_coverage(fake, real)._asdict(),
        "classifier_score": classifier_score(fake_classes),
        "classifier_score_real": classifier_score(real_classes),
        "class_histogram": (np.bincount(labels, minlength=classifier.classes) / n).tolist(),
        "kl": class_histogram_kl(labels, classifier.classes),
        "classifier": classifier.key,
        "classifier_accuracy": classifier.accuracy,
    }


def _floor(real, dataset, order, n, classifier):
    if len(order) < 2 * n:
        return None
    return frechet_distance(classifier.inspect(dataset[np.sort(order[n : 2 * n])])[0], real)


def evaluate_images(samples, dataset, *, progress=True, **options):
    """Return the numbers of `image_report` under names for people: a dict from a name to a number.

    Parameters
    ----------
    samples, dataset
        As those of `image_report`; 10,000 samples for numbers that compare.
    progress : bool
        Show bars, above all while the classifier is trained, once, which takes about a minute.
    **options
        Others of `image_report`.
    """
    report = image_report(samples, dataset, progress=progress, **options)
    classes = len(report["class_histogram"])
    floor = report["fid_real"]
    numbers = {
        f"FID, {report['n']} images (own classifier)": report["fid"],
        "FID between two real sets (floor)": floor,
        "KID (0 is perfect)": report["kid"],
        "precision (k = 3)": report["precision"],
        "recall (k = 3)": report["recall"],
        "density (k = 5, 1 is perfect)": report["density"],
        "coverage (k = 5, perfect 0.97)": report["coverage"],
        f"classifier score (real {report['classifier_score_real']:.2f})": report["classifier_score"],
        f"classes of {classes}": sum(share > 0 for share in report["class_histogram"]),
        "KL of the classes to uniform in nats": report["kl"],
        "accuracy of the classifier": report["classifier_accuracy"],
    }
    return {name: value for name, value in numbers.items() if value is not None}


def tstr_images(fake, fake_labels, real, *, settings=None, progress=False):
    """Train on synthetic images, test on real ones (TSTR): are labelled generated images as useful as real ones?

    One classifier learns the generated images, one 80 % of the real ones; both are tested on the other 20 %.

    Parameters
    ----------
    fake : (N, C, H, W) array_like
        In [0, 1].
    fake_labels : (N,) int
        What the generator was asked for. Labels that a classifier gave would hand on what it knows from real images.
    real : ImageDataset or ArrayDataset
        With `labels`.
    settings : Settings, optional
        Of both trainings.
    progress : bool
        Show bars.

    Returns
    -------
    LabelledAccuracy

    Raises
    ------
    ShapeError, ConfigError
        If images or labels do not fit, or either set has no labels.

    References
    ----------
    Esteban, Hyland & Rätsch, "Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs", 2017.
    """
    fake = np.array(fake, dtype=np.float32)
    if fake.shape[1:] != real.shape or len(fake) != len(fake_labels):
        raise ShapeError(f"tstr_images: got {fake.shape} and {len(fake_labels)} labels; expected (N, *{real.shape}), N")
    settings = settings or Settings()
    order = np.random.default_rng([settings.seed, 2]).permutation(len(real))
    known, new = np.split(order, [int(0.8 * len(real))])
    materials = (
        ArrayDataset(fake, "synthetic", np.asarray(fake_labels)),
        ArrayDataset(real[known], "real", real.labels[known]),
    )
    images, labels = real[new], real.labels[new]
    return LabelledAccuracy(
        *(accuracy(train_classifier(m, settings=settings, progress=progress), images, labels) for m in materials)
    )
