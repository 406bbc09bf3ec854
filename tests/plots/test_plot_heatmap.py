"""Two dimensions: points over the heat map of D and the gradient of its logit."""

import numpy as np
import pytest
from figure_contents import labels_of
from matplotlib.collections import PathCollection
from matplotlib.quiver import Quiver

from minigan import plots
from minigan.errors import DataError, ShapeError
from minigan.plots.heatmap import cell_centres, square_view

VIEW = (-2.0, 2.0, -1.0, 1.0)


def logit(x):
    return np.sin(x[:, 0]) - 0.5 * x[:, 1] ** 2


def logit_gradient(x):
    return np.stack([np.cos(x[:, 0]), -x[:, 1]], axis=1)


def arrows(figure):
    quiver = next(c for c in figure.axes[0].collections if isinstance(c, Quiver))
    return np.stack([quiver.X, quiver.Y], axis=1), np.stack([quiver.U, quiver.V], axis=1)


@pytest.fixture
def points(rng):
    return rng.normal(size=(300, 2)), rng.normal(size=(100, 2))


def test_the_heat_map_is_the_sigmoid_of_the_logit(points):
    ax, bar = plots.plane(*points, discriminator=logit, view=VIEW).axes
    picture = ax.images[0]
    centres, shape = cell_centres(VIEW, 160)
    assert picture.get_array().shape == shape == (80, 160)
    expected = 1 / (1 + np.exp(-logit(centres.astype(np.float32)).astype(float)))
    np.testing.assert_allclose(picture.get_array().ravel(), expected, rtol=1e-6)
    assert picture.get_extent() == list(VIEW) or tuple(picture.get_extent()) == VIEW
    assert picture.origin == "lower"
    assert picture.get_clim() == (0, 1)
    assert bar.get_ylabel() == "D(x): 0 generated, 1 real"


def test_the_first_cell_is_the_lower_left_corner(points):
    ax = plots.plane(*points, discriminator=lambda x: 100 * ((x[:, 0] < 0) & (x[:, 1] < 0)) - 50, view=VIEW).axes[0]
    belief = ax.images[0].get_array()
    assert belief[0, 0] > 0.99
    assert max(belief[0, -1], belief[-1, 0], belief[-1, -1]) < 0.01


def test_arrows_point_along_the_gradient(points):
    where, drawn = arrows(plots.plane(*points, discriminator=logit, gradient=logit_gradient, view=VIEW))
    g = logit_gradient(where)
    r = np.linalg.norm(g, axis=1)
    np.testing.assert_allclose(drawn, g / (r + np.median(r))[:, None], atol=1e-5)


def test_central_differences_stand_in_for_a_gradient(points):
    _, given = arrows(plots.plane(*points, discriminator=logit, gradient=logit_gradient, view=VIEW))
    _, found = arrows(plots.plane(*points, discriminator=logit, view=VIEW))
    np.testing.assert_allclose(found, given, atol=2e-3)


def test_a_flat_or_broken_discriminator_draws_no_arrows(points):
    for value in (0.0, np.nan):
        _, drawn = arrows(plots.plane(*points, discriminator=lambda x, v=value: np.full(len(x), v)))
        np.testing.assert_array_equal(drawn, 0)


def test_both_kinds_of_points_are_drawn_in_turn(points):
    ax = plots.plane(*points).axes[0]
    scatter = next(c for c in ax.collections if isinstance(c, PathCollection))
    assert len(scatter.get_offsets()) == 400
    assert {tuple(p) for p in scatter.get_offsets().tolist()} == {tuple(p) for p in np.concatenate(points).tolist()}
    first, second = (len(np.unique(half, axis=0)) for half in np.split(scatter.get_facecolors(), 2))
    assert first == second == 2
    assert labels_of(ax) == ["real", "generated"]
    assert all([ax.get_xlabel(), ax.get_ylabel()])
    assert ax.get_aspect() == 1


def test_the_view_is_a_square_around_the_real_points(rng):
    real = rng.uniform([-3, 0], [3, 1], size=(5000, 2))
    x0, x1, y0, y1 = square_view(real)
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert (x0, x1) == pytest.approx((-3.9, 3.9), abs=0.05)
    assert (y0 + y1) / 2 == pytest.approx(0.5, abs=0.02)


def test_points_that_are_all_equal_can_be_drawn():
    assert plots.plane(np.zeros((5, 2)), np.ones((5, 2))).axes[0].get_xlim() == (-1, 1)


@pytest.mark.parametrize("shape", [(10,), (10, 3), (2, 10)])
def test_wrong_points_are_a_clear_error(points, shape):
    with pytest.raises(ShapeError, match=r"real: has shape .* expected \(N, 2\)"):
        plots.plane(np.zeros(shape), points[1])


def test_wrong_callables_are_a_clear_error(points):
    with pytest.raises(ShapeError, match="discriminator: returned shape"):
        plots.plane(*points, discriminator=lambda x: x)
    with pytest.raises(ShapeError, match="gradient: returned shape"):
        plots.plane(*points, discriminator=logit, gradient=logit)
    with pytest.raises(ShapeError, match="view has 2 numbers"):
        plots.plane(*points, view=(0, 1))


def test_nothing_finite_is_a_clear_error(points):
    with pytest.raises(DataError, match="fake: none of the 4 samples is finite"):
        plots.plane(points[0], np.full((4, 2), np.inf))
