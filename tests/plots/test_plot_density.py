"""One dimension: densities, D(x), and the generator as a map."""

import numpy as np
import pytest
from figure_contents import labels_of, line
from matplotlib.patches import StepPatch

from minigan import plots
from minigan.errors import DataError, ShapeError


def bars(ax, label):
    """Return heights and edges of the histogram whose label begins with `label`."""
    data = next(p for p in ax.patches if isinstance(p, StepPatch) and p.get_label().startswith(label)).get_data()
    return data.values, data.edges


def area(ax, label):
    heights, edges = bars(ax, label)
    return np.sum(heights * np.diff(edges))


@pytest.fixture
def real(rng):
    return rng.normal(4, 0.5, size=(4000, 1))


def test_histograms_have_area_one(real, rng):
    ax = plots.density1d(real, rng.normal(4, 0.4, size=3000)).axes[0]
    assert area(ax, "real") == pytest.approx(1, abs=0.005)
    assert area(ax, "generated") == pytest.approx(1, abs=0.005)
    assert labels_of(ax) == ["real", "generated"]
    assert all([ax.get_xlabel(), ax.get_ylabel()])


def test_bars_follow_the_exact_density(real):
    def density(x):
        return np.exp(-((x - 4) ** 2) / 0.5) / np.sqrt(0.5 * np.pi)

    ax = plots.density1d(real, real, density=density).axes[0]
    x, exact = line(ax, "exact")
    np.testing.assert_allclose(exact, density(x), atol=1e-6)
    heights, edges = bars(ax, "real")
    np.testing.assert_allclose(heights, density((edges[1:] + edges[:-1]) / 2), atol=0.15)


def test_what_lies_out_of_view_is_said_and_not_counted(real):
    ax = plots.density1d(real, np.concatenate([real[:900, 0], np.full(100, 1e6)])).axes[0]
    assert labels_of(ax)[1] == "generated (10% out of view)"
    assert area(ax, "generated") == pytest.approx(0.9, abs=0.005)


def test_a_collapsed_generator_does_not_squash_the_real_density(real):
    ax = plots.density1d(real, np.full(1000, 4.0)).axes[0]
    assert bars(ax, "generated")[0].max() > 5 * ax.get_ylim()[1]
    assert bars(ax, "real")[0].max() > 0.6 * ax.get_ylim()[1]


@pytest.mark.parametrize("trailing", [(), (1,)])
def test_discriminator_panel_shows_the_sigmoid_of_the_logit(real, trailing):
    figure = plots.density1d(real, real, discriminator=lambda x: (2 * x[:, 0] - 8).reshape(-1, *trailing))
    above, below = figure.axes
    assert len(figure.axes) == 2
    drawn = below.get_lines()[-1]
    np.testing.assert_allclose(drawn.get_ydata(), 1 / (1 + np.exp(8 - 2 * drawn.get_xdata())), rtol=1e-4)
    assert above.get_xlim() == below.get_xlim() == (drawn.get_xdata()[0], drawn.get_xdata()[-1])
    assert "D(x)" in below.get_ylabel()
    assert below.get_xlabel() == "x, in the data's units"


def test_extreme_logits_do_not_overflow(real):
    figure = plots.density1d(real, real, discriminator=lambda x: 1e4 * (x[:, 0] - 4))
    drawn = figure.axes[1].get_lines()[-1].get_ydata()
    assert set(drawn[[0, -1]]) == {0.0, 1.0}


def test_view_can_be_given(real):
    assert plots.density1d(real, real, view=(-1.0, 9.0)).axes[0].get_xlim() == (-1.0, 9.0)


def test_real_samples_that_are_all_equal_can_be_drawn():
    low, high = plots.density1d(np.zeros(10), np.ones(10)).axes[0].get_xlim()
    assert low < 0 < high


def test_samples_that_are_not_finite_are_left_out(real):
    ax = plots.density1d(real, np.concatenate([real, [[np.nan], [np.inf]]])).axes[0]
    assert area(ax, "generated") == pytest.approx(1, abs=0.005)


def test_nothing_finite_is_a_clear_error(real):
    with pytest.raises(DataError, match="fake: none of the 3 samples is finite"):
        plots.density1d(real, np.full(3, np.nan))
    with pytest.raises(DataError, match="real: none of the 0 samples"):
        plots.density1d(np.zeros((0, 1)), real)


@pytest.mark.parametrize("shape", [(10, 2), (10, 1, 1), ()])
def test_wrong_sample_shape_is_a_clear_error(real, shape):
    with pytest.raises(ShapeError, match=r"fake: has shape .* expected \(N, 1\)"):
        plots.density1d(real, np.zeros(shape))


def test_wrong_discriminator_shape_is_a_clear_error(real):
    with pytest.raises(ShapeError, match=r"discriminator: returned shape \(400, 2\)"):
        plots.density1d(real, real, discriminator=lambda x: np.repeat(x, 2, axis=1))


def test_networks_are_called_in_float32(real):
    seen = []
    plots.density1d(real, real, discriminator=lambda x: seen.append((x.dtype, x.ndim)) or x)
    assert seen == [(np.float32, 2)]


def test_the_map_is_sorted_by_latent(rng):
    z = rng.normal(size=200)
    ax = plots.generator_map(z, z**3).axes[0]
    x, y = ax.get_lines()[0].get_data()
    np.testing.assert_array_equal(x, np.sort(z))
    np.testing.assert_allclose(y, np.sort(z) ** 3)
    assert "z" in ax.get_xlabel()
    assert "G(z)" in ax.get_ylabel()


def test_one_curve_for_each_row(rng):
    z = rng.normal(size=(100, 1))
    ax, above, beside = plots.generator_map(z, np.stack([z[:, 0], -z[:, 0], z[:, 0] + 3])).axes
    assert len(ax.get_lines()) == 3
    assert "3 curves" in above.get_title(loc="left")
    for panel in (above, beside):  # the marginals are densities
        data = panel.patches[0].get_data()
        assert np.sum(data.values * np.diff(data.edges)) == pytest.approx(1)


def test_the_map_takes_a_column(rng):
    z = rng.normal(size=(100, 1))
    assert len(plots.generator_map(z, 2 * z).axes[0].get_lines()) == 1


@pytest.mark.parametrize("shape", [(99,), (3, 99), (100, 2), (2, 2, 100)])
def test_a_map_of_another_length_is_a_clear_error(rng, shape):
    with pytest.raises(ShapeError, match="z has 100 values"):
        plots.generator_map(rng.normal(size=100), np.zeros(shape))
