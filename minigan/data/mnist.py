"""MNIST: 70,000 handwritten digits, from your own files or downloaded once."""

import os
from pathlib import Path

from minigan.data.dataset import ImageDataset
from minigan.data.download import download
from minigan.data.idx import read_idx
from minigan.errors import DataError
from minigan.files import cache_folder

# Length in bytes and SHA-256 of the published files, unpacked (mirrors pack them differently).
FILES = {
    "train-images-idx3-ubyte": (47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": (60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": (7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def mnist(path=None, train=True, *, mirrors=MIRRORS, cache=None):
    """Load MNIST's training or test images.

    The first of these that has them: the folder `path`; the folder ``mnist`` in the folder that the environment
    variable ``MINIGAN_DATA`` names; the user's cache; a download into that cache.

    Parameters
    ----------
    path : path-like, optional
        A folder that holds the IDX files under their usual names (``train-images-idx3-ubyte`` or
        ``train-images.idx3-ubyte``, with or without ``.gz``). Other sets in this form will do, too: Fashion-MNIST.
    train : bool
        The 60,000 training images, or the 10,000 test images.
    mirrors : sequence of str
        Addresses to download from, tried in this order.
    cache : path-like, optional
        Default: the user's cache folder.

    Returns
    -------
    ImageDataset
        Items of shape ``(1, 28, 28)`` in [0, 1], with ``labels`` (N,) uint8. The images stay bytes in memory, 47 MB.

    Raises
    ------
    DataError
        If files are missing or damaged, hold something else than images of 28 x 28 and as many labels, or cannot be
        downloaded.
    """
    split = "train" if train else "t10k"
    names = [f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"]
    images, labels = _locate(path, names) or _download(names, mirrors, cache)
    pixels, classes = read_idx(images, item_shape=(28, 28)), read_idx(labels, item_shape=())
    if len(pixels) != len(classes):
        raise DataError(
            f"{images} holds {len(pixels):,} images, {labels} holds {len(classes):,} labels: "
            "they must be as many; take both files from the same set"
        )
    return ImageDataset(pixels, "mnist", classes)


def _locate(path, names):
    """Return the user's own files, or None if there are none and no `path` asks for them."""
    if path is not None:
        folder = Path(path).expanduser()
    elif os.environ.get("MINIGAN_DATA"):
        folder = Path(os.environ["MINIGAN_DATA"]).expanduser() / "mnist"
    else:
        return None
    files = [_find(folder, name) for name in names]
    if None not in files:
        return files
    if path is None:
        return None
    if not folder.is_dir():
        raise DataError(f"{folder}: is {'a file' if folder.exists() else 'missing'}, expected the folder of {names[0]}")
    missing = " and ".join(name for name, file in zip(names, files, strict=True) if file is None)
    nested = f"; did you mean {folder / 'mnist'}?" if _find(folder / "mnist", names[0]) else ""
    raise DataError(f"{folder}: has no {missing} (nor with .gz); pass the folder that holds MNIST's IDX files{nested}")


def _find(folder, name):
    """Return the file of this name in one of its usual spellings, or None."""
    dotted = name.replace("-idx", ".idx")
    candidates = [folder / (stem + ending) for stem in (name, dotted) for ending in ("", ".gz")]
    return next((file for file in candidates if file.exists()), None)


def _download(names, mirrors, cache):
    folder = Path(cache_folder() if cache is None else cache) / "mnist"
    try:
        return [
            download(name, size=FILES[name][0], sha256=FILES[name][1], mirrors=mirrors, folder=folder) for name in names
        ]
    except DataError as error:
        raise DataError(
            f"{error}; or get MNIST's four files by hand and pass their folder as path (--data), "
            "or set MINIGAN_DATA to the folder that holds them in a folder named mnist"
        ) from None
