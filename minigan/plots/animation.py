"""Animations over training: a sequence of frames, written as one small GIF."""

import io
import itertools

import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from minigan.errors import ConfigError, DataError, ShapeError
from minigan.files import write_bytes
from minigan.plots.density import density1d
from minigan.plots.heatmap import plane
from minigan.plots.images import mosaic

PALETTE_FRAMES = 8  # frames that the shared palette is chosen from
NEAR = 6  # colours that differ by less in every channel (of 0 to 255) look the same
LABEL_HEIGHT = 24  # pixels above a grid of images, for the step


def animate(frames, path, *, seconds=6.0, pause=2.0, dpi=100, colours=128, progress=False, total=None):
    """Write frames as a GIF that loops for ever and rests on its last frame.

    All frames share one palette, and no colours are mixed by dithering: what stands still stays the same bytes, and
    GIF stores only what changed. (Equal frames in a row become one that is shown for longer.)

    Parameters
    ----------
    frames : iterable of Figure or (H, W, 3) uint8 array
        The frames, all of the same size; figures are rendered one by one, so that a generator keeps memory low.
    path : str or Path
        File to write, replaced in one step. Its folder must exist.
    seconds : float
        Time of one loop, without the pause; a frame is shown for at least 0.02 s, the shortest that browsers obey.
    pause : float
        Time that the last frame stays on top of its own, in seconds.
    dpi : int
        Pixels per inch for figures.
    colours : int
        Size of the shared palette, 2 to 256.
    progress : bool
        Show a progress bar on stderr.
    total : int, optional
        Number of frames, for the progress bar where `frames` is a generator.

    Returns
    -------
    pathlib.Path or str
        `path`, as given.

    Raises
    ------
    DataError
        If there is no frame.
    ShapeError
        If frames differ in size, or an array is not (H, W, 3).
    ConfigError
        If `colours` is out of range.
    """
    if not 2 <= colours <= 256:
        raise ConfigError(f"animate: colours is {colours}, a GIF holds 2 to 256")
    bar = tqdm(frames, "animation", total=total, unit="frame", disable=not progress)
    pictures = [_picture(i, frame, dpi) for i, frame in enumerate(bar)]
    if not pictures:
        raise DataError("animate: no frames were given")
    if len({picture.size for picture in pictures}) > 1:
        raise ShapeError(f"animate: frames differ in size (width, height): {sorted({p.size for p in pictures})}")
    palette = _shared_palette(pictures, colours)
    indexed = [_indexed(picture, palette) for picture in pictures]
    durations = [max(20, round(1000 * seconds / len(indexed)))] * len(indexed)
    durations[-1] += round(1000 * pause)
    buffer = io.BytesIO()
    indexed[0].save(buffer, "GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0, optimize=True)
    write_bytes(path, buffer.getvalue())
    return path


def density_frames(snapshots, real, *, density=None):
    """Yield one `density1d` figure for each snapshot, all with the same axes.

    Parameters
    ----------
    snapshots : iterable of (int, (N,) or (N, 1) array)
        Training step, and samples generated at that step from noise that stays the same.
    real : (M,) or (M, 1) array
        Real samples.
    density : callable, optional
        Exact density of the data, as in `density1d`.

    Yields
    ------
    matplotlib.figure.Figure
    """
    for step, fake in snapshots:
        yield density1d(real, fake, density=density, title=f"Step {step:,}")


def plane_frames(snapshots, real, *, discriminators=None):
    """Yield one `plane` figure for each snapshot, all with the same axes.

    Parameters
    ----------
    snapshots : iterable of (int, (N, 2) array)
        Training step, and points generated at that step from noise that stays the same.
    real : (M, 2) array
        Real points.
    discriminators : iterable of callable, optional
        The discriminator at each of the steps, as in `plane`.

    Yields
    ------
    matplotlib.figure.Figure
    """
    if discriminators is None:
        discriminators = itertools.repeat(None)
    for (step, fake), discriminator in zip(snapshots, discriminators, strict=False):
        yield plane(real, fake, discriminator=discriminator, title=f"Step {step:,}")


def image_frames(snapshots, *, columns=None, scale=2):
    """Yield one picture with a grid of images for each snapshot, its step written above.

    These are plain arrays, not figures: every pixel of an image becomes a whole number of pixels of the frame, which
    looks sharper and makes the GIF smaller. For a small file animate 36 images rather than 64, with
    ``animate(..., colours=32)``.

    Parameters
    ----------
    snapshots : iterable of (int, (N, 1, H, W) or (N, H, W) array)
        Training step, and images in [0, 1] generated at that step from noise that stays the same.
    columns : int, optional
        Images in a row.
    scale : int
        Side of an image pixel, in pixels of the frame.

    Yields
    ------
    (H', W', 3) uint8 array
    """
    font = ImageFont.truetype(findfont("DejaVu Sans"), 14)
    for step, images in snapshots:
        grey = Image.fromarray(np.round(255 * mosaic(images, columns).clip(0, 1)).astype(np.uint8))
        frame = Image.new("L", (scale * grey.width, scale * grey.height + LABEL_HEIGHT))
        frame.paste(grey.resize((scale * grey.width, scale * grey.height), Image.Resampling.NEAREST), (0, LABEL_HEIGHT))
        ImageDraw.Draw(frame).text((6, 3), f"Step {step:,}", fill=255, font=font)
        yield np.asarray(frame.convert("RGB"))


def _picture(i, frame, dpi):
    """Render one frame as an RGB picture."""
    if hasattr(frame, "savefig"):
        frame.set_dpi(dpi)
        frame.canvas.draw()
        return Image.fromarray(np.asarray(frame.canvas.buffer_rgba())).convert("RGB")
    array = np.ascontiguousarray(frame)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise ShapeError(f"animate: frame {i} is {array.dtype} {array.shape}, expected a Figure or (H, W, 3) uint8")
    return Image.fromarray(array)


def _shared_palette(pictures, colours):
    """Choose at most `colours` colours (n, 3) for all frames, looking at some spread over the whole animation.

    The most frequent colour comes first and stays exact (paper, grid, lines), all colours near it are struck off, and
    so on; "near" grows until the palette is large enough for what is left. So no colour, however rare, moves far.
    """
    chosen = [pictures[i] for i in np.unique(np.linspace(0, len(pictures) - 1, PALETTE_FRAMES).astype(int))]
    tall = Image.fromarray(np.concatenate([np.asarray(picture) for picture in chosen]))
    counts = sorted(tall.getcolors(tall.width * tall.height), reverse=True)
    near = NEAR
    while True:
        left = np.array([colour for _, colour in counts])
        palette = []
        while len(left) and len(palette) < colours:
            palette.append(left[0])
            left = left[np.abs(left - left[0]).max(axis=1) >= near]
        if not len(left):
            return np.array(palette)
        near *= 1.25


def _indexed(picture, palette):
    """Replace each pixel by the nearest colour of the palette. (Pillow's own search is not exact.)"""
    packed = np.asarray(picture).astype(np.int32) @ [65536, 256, 1]
    distinct, where = np.unique(packed, return_inverse=True)
    rgb = np.stack([distinct >> 16, distinct >> 8 & 255, distinct & 255], axis=1)
    nearest = ((rgb[:, None] - palette) ** 2).sum(axis=-1).argmin(axis=1).astype(np.uint8)
    indexed = Image.fromarray(nearest[where].reshape(packed.shape), "P")
    indexed.putpalette(palette.astype(np.uint8).tobytes())
    return indexed
