"""Digits drawn from the fonts that matplotlib ships: images of MNIST's size and style, without a download.

Each image takes the outline of a digit in one of 13 faces, distorts it by a random affine map, fits it into a box of
20 x 20 pixels near the middle of 28 x 28, and fills it, white on black, with a random stroke width.
"""

import operator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from minigan.data.dataset import ImageDataset
from minigan.errors import ConfigError
from minigan.files import atomic_write, cache_folder, check_readable

# Faces whose digits differ: no oblique beside its upright (the random shear makes those), none with a slashed zero.
FACES = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSerif-Bold"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10"),
)
SIDE, BOX = 28, 20  # pixels
_EDITION = 1  # part of the cache's file name: to be raised when the drawing below changes


def glyphs(n=10_000, seed=0, *, cache=None):
    """Return `n` images of digits, drawn from fonts.

    Parameters
    ----------
    n : int
        How many images; image i shows the digit i mod 10.
    seed : int
        Other seeds give other images. The first images are the same whatever `n` is.
    cache : path-like, optional
        The folder that keeps the images for the next time. Default: the user's cache folder.

    Returns
    -------
    ImageDataset
        Items of shape ``(1, 28, 28)`` in [0, 1], with ``labels`` (n,) uint8.

    Raises
    ------
    ConfigError
        If `n` is less than 1, or `seed` is not an integer from 0 up.
    """
    try:
        n, seed = operator.index(n), operator.index(seed)
    except TypeError:
        raise ConfigError(f"glyphs: n and seed must be integers, got {n!r} and {seed!r}")
    if n < 1 or seed < 0:
        raise ConfigError(f"glyphs: n must be at least 1 and seed at least 0, got {n} and {seed}")
    labels = (np.arange(n) % 10).astype(np.uint8)
    folder = cache_folder() if cache is None else cache
    return ImageDataset(_remember(folder, n, seed, labels), "glyphs", labels)


def draw_glyphs(labels, seed):
    """Draw one image for each label.

    Parameters
    ----------
    labels : (N,) int
        Digits from 0 to 9.
    seed : int

    Returns
    -------
    ndarray
        (N, 28, 28) uint8; 0 is black
    """
    outlines = [[_outline(face, str(digit)) for digit in range(10)] for face in FACES]
    choices = np.random.default_rng(seed).random((len(labels), 8))  # row by row: a longer list begins with the shorter
    face = (choices[:, 0] * len(FACES)).astype(int)
    angle = _between(-0.2, 0.2, choices[:, 1])  # radians
    shear = _between(-0.25, 0.25, choices[:, 2])
    aspect = _between(0.85, 1.35, choices[:, 3])  # width over height, relative to the face
    scale = _between(0.85, 1.0, choices[:, 4])  # of the box
    shift = _between(-1.5, 1.5, choices[:, 5:7])  # pixels
    stroke = _between(0.0, 1.5, choices[:, 7])  # pixels, of a pen that follows the outline

    draw = _painter()
    pixels = np.empty((len(labels), SIDE, SIDE), dtype=np.uint8)
    for i, digit in enumerate(labels):
        path, points = outlines[face[i]][digit]
        distort = _rotation(angle[i]) @ np.array([[aspect[i], shear[i]], [0.0, 1.0]])
        pixels[i] = draw(path, *_fit(points, distort, scale[i] * BOX - stroke[i], shift[i]), stroke[i])
    return pixels


def _between(low, high, uniform):
    return low + (high - low) * uniform


def _rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _outline(face, digit):
    """Return the outline of a digit, as a path of Bezier curves and as points (P, 2) along them."""
    from matplotlib import get_data_path
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    # A font file by its path: the fonts of the user's system play no part. Paths come from unhinted outlines.
    path = TextPath((0, 0), digit, size=100, prop=FontProperties(fname=f"{get_data_path()}/fonts/ttf/{face}.ttf"))
    return path, np.concatenate(path.to_polygons(closed_only=False))


def _fit(points, distort, size, shift):
    """Return the affine map (matrix, offset) that distorts, scales the longer side to `size`, and puts it in place."""
    distorted = points @ distort.T
    low, high = distorted.min(axis=0), distorted.max(axis=0)
    zoom = size / (high - low).max()
    return zoom * distort, SIDE / 2 + shift - zoom * (low + high) / 2


def _painter():
    """Return a function that fills a path, mapped by (matrix, offset), and follows its edge with a pen."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.transforms import Affine2D

    canvas = RendererAgg(SIDE, SIDE, dpi=72)  # at 72 dpi, line widths are in pixels
    coverage = np.asarray(canvas.buffer_rgba())[:, :, 3]  # (28, 28) uint8, a view
    pen = canvas.new_gc()
    pen.set_foreground("white")
    pen.set_joinstyle("round")
    pen.set_snap(False)

    def draw(path, matrix, offset, stroke):
        place = np.eye(3)
        place[:2, :2], place[:2, 2] = matrix, offset
        pen.set_linewidth(stroke)
        canvas.clear()
        canvas.draw_path(pen, path, Affine2D(place), (1.0, 1.0, 1.0))
        return coverage

    return draw


def _remember(folder, n, seed, labels):
    """Return the images from the cache, or draw them and put them there."""
    file = Path(folder) / "glyphs" / f"{n}-{seed}-edition{_EDITION}-matplotlib{version('matplotlib')}.npz"
    pixels = _load(file, n)
    if pixels is None:
        pixels = draw_glyphs(labels, seed)
        _save(file, pixels)
    return pixels


def _load(file, n):
    """Return the cached images, or None if there are none or the file is damaged (npz holds a checksum)."""
    try:
        check_readable(file, 2 * n * SIDE * SIDE + 2**16)
        with open(file, "rb") as source, np.load(source, allow_pickle=False) as archive:
            if archive.zip.getinfo("pixels.npy").file_size > n * SIDE * SIDE + 2**10:
                return None  # what it claims to hold would be unpacked before it could be looked at
            pixels = archive["pixels"]
    except Exception:  # a damaged zip raises many kinds; none is worth more than drawing again
        return None
    return pixels if pixels.dtype == np.uint8 and pixels.shape == (n, SIDE, SIDE) else None


def _save(file, pixels):
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as target:
            np.savez(target, pixels=pixels)
    except OSError:
        pass  # a full disk or a read-only home costs a second next time, no more
