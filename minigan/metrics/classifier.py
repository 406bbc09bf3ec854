"""The classifier whose features the image measures use: a small convolutional net, trained here, once, and kept.

    python -m minigan.metrics.classifier mnist      # about a minute; also done when a measure first needs it
    python -m minigan.metrics.classifier glyphs
    python -m minigan.metrics.classifier mnist --data FOLDER

It learns the classes of a labelled data set and is kept in the user's cache folder under a name that depends on its
settings and on every byte of that data. Nothing is downloaded. Distances in its features (FID, KID) compare with
others in the features of the same classifier only, so its `key` belongs to every such number.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors
from threadpoolctl import threadpool_limits

from minigan import data as datasets
from minigan import nn, ops, optim, random
from minigan.engine import Tensor, no_grad
from minigan.errors import ConfigError, DataError, MiniganError, ShapeError
from minigan.files import atomic_write, cache_folder, check_readable, write_arrays
from minigan.progress import progress_bar

PART = 500  # images that pass the network at once outside training


@dataclass(frozen=True)
class Settings:
    """How a classifier is trained.

    Attributes
    ----------
    steps, batch_size : int
        Of Adam.
    lr : float
        The first learning rate; it falls to 0 along half a cosine.
    shift : int
        Every batch is moved by up to so many pixels in each direction.
    channels : tuple of int
        Of the two convolutions.
    features : int
        K, of the last layer but one.
    held_out : float
        Share of the images that are not learnt, but tell the accuracy.
    seed : int
    edition : int
        To be raised when the code changes what comes out.
    """

    steps: int = 4000
    batch_size: int = 128
    lr: float = 2e-3
    shift: int = 2
    channels: tuple[int, int] = (16, 32)
    features: int = 128
    held_out: float = 0.1
    seed: int = 0
    edition: int = 1


class ImageClassifier(nn.Module):
    """Two convolutions of stride 2 and two dense layers: from images (N, C, H, W) to logits (N, classes).

    Attributes
    ----------
    classes : int
    accuracy : float
        On images that it has not learnt, in [0, 1]; nan before training.
    key : str
        Names the settings and the data; empty before training.
    """

    def __init__(self, shape, classes, settings, rng):
        channels, height, width = shape
        first, second = settings.channels
        pixels = -(-height // 4) * -(-width // 4)  # each convolution halves the side, rounded up
        self.shape, self.classes, self.accuracy, self.key = shape, classes, float("nan"), ""
        self.body = nn.Sequential(
            nn.Conv2d(channels, first, 5, stride=2, padding=2, rng=rng),
            nn.LeakyReLU(),
            nn.Conv2d(first, second, 5, stride=2, padding=2, rng=rng),
            nn.LeakyReLU(),
            nn.Flatten(),
            nn.Dense(second * pixels, settings.features, rng=rng),
            nn.ReLU(),
        )
        self.head = nn.Dense(settings.features, classes, rng=rng)

    def forward(self, x):
        """Map images (N, C, H, W) in [0, 1] to logits (N, classes)."""
        return self.head(self.body(x))

    def inspect(self, images, *, progress=False):
        """Return what the classifier sees in images, a part at a time.

        Parameters
        ----------
        images : (N, C, H, W) array_like
            In [0, 1].
        progress : bool

        Returns
        -------
        features : (N, K) float32
            Of the last layer but one, for FID and KID.
        probabilities : (N, classes) float64
            p(y|x)

        Raises
        ------
        ShapeError
            If these are no images of the size that was learnt, or there are none.
        """
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[1:] != self.shape or not len(images):
            raise ShapeError(f"ImageClassifier: got images of shape {images.shape}; expected (N, *{self.shape})")
        features, probabilities = [], []
        starts = progress_bar(
            range(0, len(images), PART), desc="features", unit="part", disable=not progress, leave=False
        )
        with no_grad(), threadpool_limits(1, user_api="blas"):
            for start in starts:
                h = self.body(Tensor(images[start : start + PART].astype(np.float32)))
                features.append(h.numpy())
                probabilities.append(ops.softmax(self.head(h).astype("float64")).numpy())
        return np.concatenate(features), np.concatenate(probabilities)


def image_classifier(dataset, *, settings=None, cache=None, progress=False):
    """Return the classifier of a labelled data set: from the cache, or trained and put there.

    Parameters
    ----------
    dataset : ImageDataset or ArrayDataset
        Items (C, H, W) in [0, 1], with `labels` 0, 1, ....
    settings : Settings, optional
    cache : path-like, optional
        Default: the user's cache folder.
    progress : bool
        Show a bar while it trains.

    Returns
    -------
    ImageClassifier

    Raises
    ------
    ConfigError
        If the data has no labels, or only one class.
    ShapeError
        If its items are no images.

    Notes
    -----
    It is kept complete or not at all: after an interrupt the next call starts afresh. A file that is damaged is made
    again. Weights trained on processors of different makes differ in the last digits, and with them FIDs.
    """
    settings = settings or Settings()
    _check(dataset)
    key = _key(dataset, settings)
    file = Path(cache_folder() if cache is None else cache) / "classifiers" / f"{dataset.name}-{key}.safetensors"
    classifier = _load(file, key, _fresh(dataset, settings))
    if classifier is None:
        classifier = train_classifier(dataset, settings=settings, progress=progress)
        classifier.key = key
        _save(file, classifier, dataset, settings)
    return classifier


def train_classifier(dataset, *, settings=None, progress=False):
    """Train a classifier on a labelled data set; see `image_classifier`, which keeps it.

    The loss is the cross-entropy -E log p(y|x), with p = softmax(logits).

    Returns
    -------
    ImageClassifier
        With its accuracy on the images that were held out.
    """
    settings = settings or Settings()
    _check(dataset)
    classifier = _fresh(dataset, settings)
    rng = np.random.default_rng([settings.seed, 1])
    order = rng.permutation(len(dataset))
    new, known = np.split(order, [max(int(settings.held_out * len(dataset)), 1)])
    targets = np.eye(classifier.classes, dtype=np.float32)[dataset.labels]
    optimiser = optim.Adam(classifier.parameters(), settings.lr)
    steps = progress_bar(range(settings.steps), desc=f"classifier of {dataset.name}", unit="step", disable=not progress)
    with threadpool_limits(1, user_api="blas"):
        for step in steps:
            rows = np.sort(rng.choice(known, settings.batch_size))
            optimiser.lr = settings.lr * 0.5 * (1 + np.cos(np.pi * step / settings.steps))
            logits = classifier(Tensor(_shifted(dataset[rows], settings.shift, rng)))
            loss = -(ops.log_softmax(logits) * targets[rows]).sum() / len(rows)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    classifier.accuracy = accuracy(classifier, dataset[new], dataset.labels[new])
    return classifier


def accuracy(classifier, images, labels):
    """Return the share of images (N, C, H, W) to whose label (N,) the classifier gives the largest probability."""
    _, probabilities = classifier.inspect(images)
    return float((probabilities.argmax(axis=1) == labels).mean())


def _fresh(dataset, settings):
    return ImageClassifier(dataset.shape, int(dataset.labels.max()) + 1, settings, random.default_rng(settings.seed))


def _shifted(images, most, rng):
    """Move a batch (N, C, H, W) by up to `most` pixels down or up, and right or left; 0 moves in."""
    down, right = rng.integers(0, 2 * most + 1, size=2)
    padded = np.pad(images, ((0, 0), (0, 0), (most, most), (most, most)))
    return padded[:, :, down : down + images.shape[2], right : right + images.shape[3]]


def _check(dataset):
    labels = getattr(dataset, "labels", None)
    if labels is None:
        raise ConfigError(f"classifier: the data set {dataset.name} has no labels; pass ArrayDataset(x, name, labels)")
    if len(dataset.shape) != 3:
        raise ShapeError(f"classifier: items of {dataset.name} have shape {dataset.shape}; expected (C, H, W)")
    if labels.dtype.kind not in "iu" or len(labels) != len(dataset) or labels.min() < 0 or labels.max() < 1:
        raise ConfigError(f"classifier: the labels of {dataset.name} must be integers 0, 1, ..., one for each image")
    if not np.isfinite([dataset.mean, dataset.std]).all():
        raise DataError(f"classifier: the images of {dataset.name} hold nan or inf")


# -- keeping it -----------------------------------------------------------------------------------------------------
def _key(dataset, settings):
    """Return a name for what decides the weights: the settings, the images, the labels."""
    digest = hashlib.sha256(json.dumps(asdict(settings)).encode())
    for array in (dataset.array, dataset.labels):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]


def _checksum(arrays):
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _save(file, classifier, dataset, settings):
    arrays = classifier.state_dict(copy=False)
    facts = {
        "data": dataset.name,
        "key": classifier.key,
        "accuracy": classifier.accuracy,
        "settings": asdict(settings),
        "sha256": _checksum(arrays),
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as target:
            write_arrays(target, arrays, {"minigan": json.dumps(facts, sort_keys=True)})
    except OSError:
        pass  # a full disk or a read-only home costs a minute next time, no more


def _load(file, key, classifier):
    """Give the cached weights to `classifier` and return it, or None if there are none or the file is damaged."""
    try:
        check_readable(file, 2**30)
        with safetensors.safe_open(file, framework="numpy") as source:
            arrays = {name: source.get_tensor(name) for name in source.keys()}  # noqa: SIM118 (not a dict)
            facts = json.loads((source.metadata() or {})["minigan"])
        if facts["key"] != key or facts["sha256"] != _checksum(arrays):
            return None
        classifier.load_state_dict(arrays)
        classifier.key, classifier.accuracy = key, float(facts["accuracy"])
    except (OSError, safetensors.SafetensorError, KeyError, ValueError, TypeError, RecursionError):
        return None  # whatever is wrong with the file, training again mends it
    return classifier


def main(argv=None):
    """Run ``python -m minigan.metrics.classifier``; return the exit code: 0 done, 2 wrong input, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m minigan.metrics.classifier", description="Train the classifier of a data set, if there is none."
    )
    parser.add_argument("name", choices=["mnist", "glyphs"])
    parser.add_argument("--data", type=Path, help="the folder that holds MNIST's four IDX files")
    options = parser.parse_args(argv)
    try:
        if options.data and options.name != "mnist":
            raise ConfigError(f"--data belongs to mnist; {options.name} are drawn")
        dataset = datasets.mnist(options.data) if options.name == "mnist" else datasets.glyphs()
        classifier = image_classifier(dataset, progress=True)
    except MiniganError as error:
        print(f"minigan: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("minigan: interrupted; nothing was kept", file=sys.stderr)
        return 130
    print(f"{dataset.name}: classifier {classifier.key}, accuracy {classifier.accuracy:.2%} on images held out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
