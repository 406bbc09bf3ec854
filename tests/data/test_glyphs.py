"""Drawn digits: deterministic, of MNIST's make, cached without harm."""

import numpy as np
import pytest
from matplotlib import rc_context

from minigan import data
from minigan.data.glyphs import FACES, draw_glyphs
from minigan.errors import ConfigError

LABELS = np.arange(300) % 10


@pytest.fixture(scope="module")
def pixels():
    return draw_glyphs(LABELS, seed=0)


def test_same_seed_same_images(pixels):
    np.testing.assert_array_equal(draw_glyphs(LABELS, seed=0), pixels)
    assert (draw_glyphs(LABELS, seed=1) != pixels).any(axis=(1, 2)).mean() > 0.99


def test_longer_set_begins_with_the_shorter(pixels):
    np.testing.assert_array_equal(draw_glyphs(LABELS[:70], seed=0), pixels[:70])


def test_user_settings_of_matplotlib_play_no_part(pixels):
    settings = {
        "font.family": "serif",
        "font.size": 30,
        "lines.linewidth": 9,
        "path.simplify": False,
        "savefig.dpi": 300,
    }
    with rc_context(settings):
        np.testing.assert_array_equal(draw_glyphs(LABELS[:50], seed=0), pixels[:50])


def test_all_labels_are_there_in_equal_numbers(cache):
    glyphs = data.glyphs(200)
    assert len(glyphs) == 200
    assert glyphs.labels.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(glyphs.labels), np.full(10, 20))


def test_items_are_images_in_0_to_1(cache):
    x = data.glyphs(100).sample(40, seed=0)
    assert x.shape == (40, 1, 28, 28)
    assert x.dtype == np.float32
    assert x.min() == 0
    assert x.max() == 1
    assert isinstance(data.glyphs(100), data.Dataset)


def test_images_look_like_mnists(pixels):
    """White on black, inside the frame, about MNIST's brightness (.131, .308), with grey edges, not centred alike."""
    assert pixels.dtype == np.uint8
    assert pixels[:, [0, 1, 26, 27]].max() == 0
    assert pixels[:, :, [0, 1, 26, 27]].max() == 0
    assert pixels.max(axis=(1, 2)).min() > 200
    assert 0.11 < pixels.mean() / 255 < 0.19
    assert 0.28 < pixels.std() / 255 < 0.37
    assert 0.05 < ((pixels > 0) & (pixels < 255)).mean() < 0.2


def test_each_digit_fits_its_box(pixels):
    rows, columns = pixels.any(axis=2).sum(axis=1), pixels.any(axis=1).sum(axis=1)
    longer = np.maximum(rows, columns)
    assert longer.min() >= 16
    assert longer.max() <= 22  # 20, and an edge pixel at each end where the box falls between pixels


def test_digits_can_be_told_apart_by_their_pixels():
    """A nearest-mean classifier, which knows no shapes, is right far more often than by chance."""
    x = draw_glyphs(np.arange(1500) % 10, seed=3).reshape(1500, -1).astype(float)
    labels = np.arange(1500) % 10
    means = np.stack([x[:1000][labels[:1000] == digit].mean(axis=0) for digit in range(10)])
    guess = ((x[1000:, np.newaxis] - means) ** 2).sum(axis=-1).argmin(axis=1)
    assert 0.7 < (guess == labels[1000:]).mean() < 0.95


def test_every_face_has_ten_different_digits(monkeypatch):
    from minigan.data.glyphs import _outline

    for face in FACES:
        assert len({_outline(face, str(digit))[1].tobytes() for digit in range(10)}) == 10


def test_second_call_reads_the_cache(cache, monkeypatch):
    first = data.glyphs(30, seed=2)
    (file,) = (cache / "glyphs").iterdir()
    file_time = file.stat().st_mtime_ns
    again = data.glyphs(30, seed=2)
    assert file.stat().st_mtime_ns == file_time
    np.testing.assert_array_equal(first.array, again.array)
    np.testing.assert_array_equal(first.array[:, 0], draw_glyphs(np.arange(30) % 10, seed=2))


def test_sets_do_not_share_a_cache_file(cache):
    assert not np.array_equal(data.glyphs(30, seed=2).array, data.glyphs(30, seed=3).array)
    assert len(data.glyphs(31, seed=2)) == 31
    assert len(list((cache / "glyphs").iterdir())) == 3


def test_damaged_cache_is_made_again(cache):
    good = data.glyphs(20).array
    (file,) = (cache / "glyphs").iterdir()
    content = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in [0, 3, 20, 60, 200, 5000, len(content) - 30, *rng.integers(len(content), size=20)]:
        damaged = bytearray(content)
        damaged[place] ^= 0x55
        file.write_bytes(damaged)
        np.testing.assert_array_equal(data.glyphs(20).array, good)
    for length in (0, 10, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:length])
        np.testing.assert_array_equal(data.glyphs(20).array, good)
        assert file.read_bytes() == content  # and put right on disk
    assert [f.name for f in file.parent.iterdir()] == [file.name]  # no temporary file is left


def test_cache_of_another_set_is_made_again(cache):
    data.glyphs(20)
    (file,) = (cache / "glyphs").iterdir()
    np.savez(file, pixels=np.zeros((3, 28, 28), np.uint8))
    assert len(data.glyphs(20)) == 20


def test_cache_that_cannot_be_written_does_no_harm(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert len(data.glyphs(20, cache=tmp_path / "file")) == 20


@pytest.mark.parametrize(
    "arguments", [{"n": 0}, {"n": -1}, {"n": 2.5}, {"n": "10"}, {"seed": -1}, {"seed": None}, {"seed": 1.5}]
)
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(ConfigError, match="glyphs: n"):
        data.glyphs(**arguments)
