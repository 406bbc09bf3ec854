"""Animations: frames, time, colours, size of the file."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minigan import plots
from minigan.errors import ConfigError, DataError, ShapeError
from minigan.plots.animation import _indexed, _shared_palette


def moving_square(n):
    for i in range(n):
        frame = np.full((40, 60, 3), 255, dtype=np.uint8)
        frame[10:20, i : i + 10] = (213, 94, 0)
        yield frame


def read(path):
    """Return the frames (RGB) and durations (ms) of a GIF."""
    frames, durations = [], []
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        for i in range(gif.n_frames):
            gif.seek(i)
            frames.append(np.asarray(gif.convert("RGB")))
            durations.append(gif.info["duration"])
    return frames, durations


def test_frames_time_and_colours_survive(tmp_path):
    path = tmp_path / "a.gif"
    assert plots.animate(moving_square(12), path, seconds=2.4, pause=1.0) == path
    frames, durations = read(path)
    for found, given_frame in zip(frames, moving_square(12), strict=True):
        np.testing.assert_array_equal(found, given_frame)
    assert durations == [200] * 11 + [1200]


def test_equal_frames_keep_their_time(tmp_path):
    still = np.full((8, 8, 3), 255, dtype=np.uint8)
    moved = np.zeros((8, 8, 3), dtype=np.uint8)
    plots.animate([still, still, still, moved], tmp_path / "a.gif", seconds=0.4, pause=0.0)
    assert read(tmp_path / "a.gif")[1] == [300, 100]


def test_no_frame_is_shorter_than_browsers_obey(tmp_path):
    plots.animate(moving_square(12), tmp_path / "a.gif", seconds=0.01)
    assert min(read(tmp_path / "a.gif")[1]) == 20


def test_figures_of_one_size_become_frames(tmp_path, rng):
    real = rng.normal(size=2000)
    snapshots = [(100 * i, rng.normal(scale=0.2 + 0.2 * i, size=500)) for i in range(4)]
    figures = list(plots.density_frames(snapshots, real, density=lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)))
    assert [figure.axes[0].get_title(loc="left") for figure in figures] == [
        "Step 0",
        "Step 100",
        "Step 200",
        "Step 300",
    ]
    assert len({(figure.axes[0].get_xlim(), figure.axes[0].get_ylim()) for figure in figures}) == 1
    plots.animate(figures, tmp_path / "a.gif")
    frames, _ = read(tmp_path / "a.gif")
    assert len(frames) == 4
    assert {frame.shape for frame in frames} == {(320, 520, 3)}
    assert all((frame[0, 0] == 255).all() for frame in frames)  # the paper is not tinted


def test_plane_frames_share_their_axes_and_take_a_discriminator_each(rng):
    snapshots = [(i, rng.normal(scale=1 + i, size=(50, 2))) for i in range(3)]
    judges = [lambda x, k=k: k * x[:, 0] for k in range(3)]
    figures = list(plots.plane_frames(snapshots, rng.normal(size=(300, 2)), discriminators=judges))
    assert len({figure.axes[0].get_xlim() for figure in figures}) == 1
    spans = [np.ptp(figure.axes[0].images[0].get_array()) for figure in figures]
    assert spans[0] == 0 < spans[1] < spans[2]
    assert len(list(plots.plane_frames(snapshots, rng.normal(size=(300, 2))))) == 3


def test_image_frames_show_every_pixel_enlarged(rng):
    images = rng.random((4, 1, 6, 6))
    (frame,) = plots.image_frames([(1500, images)], scale=3)
    assert frame.shape == (24 + 3 * 15, 3 * 15, 3)
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame[24 + 3 : 24 + 21 : 3, 3:21:3, 0], np.round(255 * images[0, 0]))
    assert frame[:24].max() == 255  # the step is written above


def test_forty_frames_make_a_small_file(tmp_path, rng):
    real = rng.normal(size=(2000, 2))
    noise = rng.normal(size=(800, 2))
    frames = plots.plane_frames([(i, noise * (3 - i / 20)) for i in range(40)], real)
    plots.animate(list(frames)[::4] * 4, tmp_path / "a.gif")
    assert len(read(tmp_path / "a.gif")[0]) == 40
    assert 10_000 < (tmp_path / "a.gif").stat().st_size < 1_500_000


@given(seed=st.integers(0, 2**32 - 1), colours=st.integers(2, 256))
def test_the_palette_is_small_and_every_pixel_takes_the_nearest_colour(seed, colours):
    picture = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8))
    palette = _shared_palette([picture], colours)
    assert len(palette) <= colours
    given_pixels = np.asarray(picture).astype(int)
    shown = np.asarray(_indexed(picture, palette).convert("RGB")).astype(int)
    moved = ((shown - given_pixels) ** 2).sum(axis=-1)
    np.testing.assert_array_equal(moved, ((given_pixels[:, :, None] - palette) ** 2).sum(axis=-1).min(axis=-1))
    if colours >= 144:  # room for every pixel of the picture
        assert np.abs(shown - given_pixels).max() <= 6 * np.sqrt(3)


def test_a_rare_colour_keeps_its_hue():
    picture = np.full((60, 60, 3), 255, dtype=np.uint8)
    picture[:50] = np.linspace(150, 255, 60, dtype=np.uint8)[None, :, None]  # many greys
    picture[59, 59] = (0, 114, 178)
    palette = _shared_palette([Image.fromarray(picture)], 16)
    assert [0, 114, 178] in palette.tolist()


def test_the_most_frequent_colour_stays_exact():
    picture = np.full((20, 20, 3), 255, dtype=np.uint8)
    picture[:5] = np.random.default_rng(0).integers(200, 256, (5, 20, 3))
    palette = _shared_palette([Image.fromarray(picture)], 4)
    assert [255, 255, 255] in palette.tolist()


def test_no_frames_is_a_clear_error(tmp_path):
    with pytest.raises(DataError, match="no frames"):
        plots.animate([], tmp_path / "a.gif")


def test_frames_of_two_sizes_are_a_clear_error(tmp_path):
    frames = [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)]
    with pytest.raises(ShapeError, match=r"frames differ in size .*\(4, 4\), \(5, 4\)"):
        plots.animate(frames, tmp_path / "a.gif")


@pytest.mark.parametrize("frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)])
def test_a_wrong_frame_is_a_clear_error(tmp_path, frame):
    with pytest.raises(ShapeError, match="frame 0 is"):
        plots.animate([frame], tmp_path / "a.gif")


@pytest.mark.parametrize("colours", [1, 257])
def test_a_palette_that_gif_cannot_hold_is_a_clear_error(tmp_path, colours):
    with pytest.raises(ConfigError, match="2 to 256"):
        plots.animate(moving_square(2), tmp_path / "a.gif", colours=colours)


def test_an_interrupted_animation_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(b"old")

    def failing():
        yield from moving_square(2)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        plots.animate(failing(), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.gif"]


def test_progress_is_shown_on_stderr(tmp_path, capsys):
    plots.animate(moving_square(3), tmp_path / "a.gif", progress=True, total=3)
    captured = capsys.readouterr()
    assert "3/3" in captured.err
    assert captured.out == ""
