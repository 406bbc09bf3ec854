"""Walks through the noise, saliency, sequences."""

import io

import numpy as np
import pytest
from figure_contents import labels_of

from minigan import plots
from minigan.errors import DataError, ShapeError
from minigan.plots.images import mosaic


def drawn(figure):
    figure.savefig(io.BytesIO(), dpi=40)
    return figure


def test_walks_of_images_are_rows(rng):
    walks = rng.random((3, 5, 1, 4, 6))
    figure = drawn(plots.image_walks(walks, labels=["z0", "z7", "z9"], title="Walk"))
    ax = figure.axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), mosaic(walks.reshape(15, 4, 6), 5))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["z0", "z7", "z9"]
    centres = ax.get_yticks()
    assert [ax.images[0].get_array().shape[0] // 3] * 2 == pytest.approx(np.diff(centres), abs=1)
    assert drawn(plots.image_walks(walks)).axes[0].get_yticklabels() is not None


@pytest.mark.parametrize(("shape", "labels"), [((3, 5, 4, 6), None), ((3, 5, 1, 4, 6), ["z0"])])
def test_walks_of_a_wrong_shape(shape, labels):
    with pytest.raises(ShapeError, match=r"expected \(R, S, 1, H, W\) and R labels"):
        plots.image_walks(np.zeros(shape), labels=labels)


def test_walks_in_the_plane_are_paths(rng):
    walks = rng.normal(size=(3, 7, 2))
    figure = drawn(plots.plane_walks(rng.normal(size=(50, 2)), walks))
    ax = figure.axes[0]
    assert labels_of(ax) == ["real", "on the way", "ends"]
    for path, ends, walk in zip(ax.get_lines()[::2], ax.get_lines()[1::2], walks, strict=True):
        np.testing.assert_array_equal(np.transpose(path.get_data()), walk)
        np.testing.assert_array_equal(np.transpose(ends.get_data()), walk[[0, -1]])
    with pytest.raises(ShapeError, match=r"expected \(R, S, 2\)"):
        plots.plane_walks(rng.normal(size=(50, 2)), walks[0])


@pytest.mark.parametrize("axes", [(1, 4, 5), (4, 5)])
def test_saliency_stands_below_its_image(rng, axes):
    images, gradients = rng.random((3, *axes)), rng.normal(size=(3, *axes))
    gradients[1] *= 1000  # each image has its own scale
    gradients[2] = 0.0
    figure = drawn(plots.saliency(images, gradients, scores=np.array([1.0, -2.5, 0.0]), title="Saliency"))
    above, below = figure.axes
    np.testing.assert_array_equal(above.images[0].get_array(), mosaic(images, 3))
    assert [text.get_text() for text in above.texts] == ["+1.0", "-2.5", "+0.0"]
    shown = below.images[0].get_array()
    assert shown.mask.sum() == shown.size - 3 * 20  # the gaps
    first, second, third = (shown[1:5, 1 + 6 * i : 6 + 6 * i] for i in range(3))
    assert (np.sign(first - 0.5) == np.sign(gradients[0].reshape(4, 5))).all()
    assert first.max() > 0.9 or first.min() < 0.1
    assert second.max() > 0.9 or second.min() < 0.1
    assert (third == 0.5).all()


def test_saliency_of_wrong_input():
    images = np.zeros((2, 1, 3, 3))
    with pytest.raises(ShapeError, match="expected the same for images and gradients"):
        plots.saliency(images, np.zeros((2, 1, 3, 4)))
    with pytest.raises(ShapeError, match=r"\(N,\) scores"):
        plots.saliency(images, images, scores=np.zeros(3))
    with pytest.raises(DataError, match=r"expected \[0, 1\]"):
        plots.saliency(images + 7, images)


@pytest.mark.parametrize(("channels", "rows"), [(1, 1), (3, 3), (9, 5)])
def test_sequences_are_lines(rng, channels, rows):
    real, fake = rng.normal(size=(20, 6, channels)), rng.normal(size=(4, 6, channels))
    figure = drawn(plots.sequences(real, fake, shown=5, title="Waves"))
    assert len(figure.axes) == 2 * rows
    left, right = figure.axes[:2]
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == ("Real", "Generated")
    np.testing.assert_array_equal([line.get_ydata() for line in left.get_lines()], real[:5, :, 0])
    np.testing.assert_array_equal([line.get_ydata() for line in right.get_lines()], fake[:, :, 0])


@pytest.mark.parametrize("shapes", [((3, 4), (3, 4)), ((3, 4, 1), (3, 5, 1)), ((0, 4, 1), (3, 4, 1))])
def test_sequences_of_wrong_shapes(shapes):
    with pytest.raises(ShapeError, match=r"expected \(N, T, C\) and \(M, T, C\)"):
        plots.sequences(*map(np.zeros, shapes))
