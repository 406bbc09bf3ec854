"""Grids of images."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import plots
from minigan.errors import DataError, ShapeError
from minigan.plots.images import GAP_GREY, mosaic


@given(n=st.integers(1, 20), columns=st.none() | st.integers(1, 25), channel=st.booleans())
def test_every_image_stands_in_its_place(n, columns, channel):
    images = np.random.default_rng(n).random((n, 5, 4))
    grid = mosaic(images[:, None] if channel else images, columns)
    across = (grid.shape[1] - 1) // 5
    assert across == min(columns or int(np.ceil(np.sqrt(n))), n)
    for i, image in enumerate(images):
        row, column = divmod(i, across)
        np.testing.assert_array_equal(grid[6 * row + 1 : 6 * row + 6, 5 * column + 1 : 5 * column + 5], image)
    # Everything else is gap.
    assert np.sum(grid == GAP_GREY) == grid.size - images.size


def test_the_figure_shows_the_grid_in_grey(rng):
    images = rng.random((10, 1, 28, 28))
    figure = plots.image_grid(images, columns=5, title="Step 10")
    picture = figure.axes[0].images[0]
    np.testing.assert_array_equal(picture.get_array(), mosaic(images, 5))
    assert picture.get_clim() == (0, 1)
    assert figure.axes[0].get_title(loc="left") == "Step 10"


@pytest.mark.parametrize(("n", "columns"), [(1, None), (64, None), (200, 1), (200, 200)])
def test_any_number_in_any_arrangement(n, columns):
    figure = plots.image_grid(np.zeros((n, 28, 28)), columns=columns)
    figure.savefig(io.BytesIO(), dpi=40)
    assert max(figure.get_size_inches()) < 20


def test_values_that_are_not_finite_become_grey():
    assert (mosaic(np.full((1, 2, 2), np.nan)) == GAP_GREY).all()


@pytest.mark.parametrize("shape", [(28, 28), (0, 1, 28, 28), (3, 2, 28, 28), (3, 784)])
def test_wrong_shape_is_a_clear_error(shape):
    with pytest.raises(ShapeError, match=r"expected \(N, 1, H, W\)"):
        plots.image_grid(np.zeros(shape))


def test_no_columns_is_a_clear_error():
    with pytest.raises(ShapeError, match="columns is -1"):
        plots.image_grid(np.zeros((3, 2, 2)), columns=-1)


@pytest.mark.parametrize("images", [np.full((1, 2, 2), 255), np.full((1, 2, 2), -1.0)])
def test_values_outside_the_unit_interval_are_a_clear_error(images):
    with pytest.raises(DataError, match=r"expected \[0, 1\]: divide bytes by 255"):
        plots.image_grid(images)
