"""Losses and scores over the training steps."""

import numpy as np
import pytest
from figure_contents import labels_of, line
from hypothesis import given
from hypothesis import strategies as st

from minigan import plots
from minigan.errors import ConfigError, DataError
from minigan.plots.curves import moving_mean


def test_losses_show_raw_values_and_their_mean(records):
    ax = plots.losses(records).axes[0]
    assert labels_of(ax) == ["discriminator", "generator"]
    raw = ax.get_lines()[0]
    np.testing.assert_allclose(raw.get_xdata(), [r["step"] for r in records])
    np.testing.assert_allclose(raw.get_ydata(), [r["d_loss"] for r in records])
    _, mean = line(ax, "discriminator")
    # A centred mean leaves a straight line as it is, away from its ends.
    np.testing.assert_allclose(mean[10:-10], raw.get_ydata()[10:-10])
    np.testing.assert_allclose(line(ax, "generator")[1], 0.5)
    assert ax.get_xlabel() == "training step"
    assert ax.get_ylabel() == "loss (batch mean)"


def test_references_are_horizontal_lines_with_their_name(records):
    ax = plots.losses(records, references={"2 log 2": 2 * np.log(2)}).axes[0]
    assert any(np.allclose(drawn.get_ydata(), 2 * np.log(2)) for drawn in ax.get_lines())
    assert "2 log 2" in [text.get_text() for text in ax.texts]


def test_a_reference_outside_the_curves_is_in_view(records):
    low, high = plots.losses(records, references={"far": 50.0}).axes[0].get_ylim()
    assert low < 0.5
    assert high > 50


def test_scores_span_zero_to_one_with_a_half_line(records):
    ax = plots.scores(records).axes[0]
    assert labels_of(ax) == ["D(x), real", "D(G(z)), generated"]
    low, high = ax.get_ylim()
    assert -0.1 < low <= 0
    assert 1 <= high < 1.1
    assert any(len(set(drawn.get_ydata())) == 1 and drawn.get_ydata()[0] == 0.5 for drawn in ax.get_lines())


def test_an_extreme_value_does_not_flatten_the_curves(records):
    many = [dict(r, step=r["step"] + 1000 * k) for k in range(10) for r in records]
    many[500]["d_loss"] = 1e6
    many[600]["g_loss"] = -1e6
    ax = plots.losses(many, smooth=0).axes[0]
    low, high = ax.get_ylim()
    assert -1 < low < 0.5
    assert 2 < high < 3
    assert "(2 extreme values not shown)" in ax.get_xlabel()


def test_gaps_where_a_value_is_missing(records):
    records[3]["d_loss"] = None
    records[4]["d_loss"] = float("nan")
    records[5]["d_loss"] = float("inf")
    del records[6]["d_loss"]
    raw = plots.losses(records).axes[0].get_lines()[0].get_ydata()
    assert len(raw) == 99
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(raw)), [3, 4, 5])


def test_one_record_is_a_visible_dot(records):
    ax = plots.losses(records[:1]).axes[0]
    assert [drawn.get_marker() for drawn in ax.get_lines() if not drawn.get_label().startswith("_")] == ["o", "o"]


def test_long_runs_have_short_step_labels(records):
    figure = plots.losses([dict(r, step=1000 * r["step"]) for r in records])
    figure.canvas.draw()
    assert "800k" in [text.get_text() for text in figure.axes[0].get_xticklabels()]


def test_history_draws_any_quantity(records):
    figure = plots.history(records, {"d_real": ("W1", "#000000")}, ylabel="W1, in the data's units", title="Distance")
    assert figure.axes[0].get_title(loc="left") == "Distance"
    assert labels_of(figure.axes[0]) == ["W1"]


@pytest.mark.parametrize("draw", [plots.losses, plots.scores])
def test_no_records_is_a_clear_error(draw):
    with pytest.raises(DataError, match="none of the 0 records has a step and 'd_"):
        draw([])


def test_a_key_that_no_record_has_is_a_clear_error():
    with pytest.raises(DataError, match="none of the 1 records has a step and 'd_loss'"):
        plots.losses([{"step": 1, "loss": 2.0}])


def test_nothing_finite_is_a_clear_error():
    with pytest.raises(DataError, match="'d_loss' is not finite in any of the 1 records"):
        plots.losses([{"step": 1, "d_loss": float("nan"), "g_loss": 1.0}])


@pytest.mark.parametrize("smooth", [-0.1, 1.0, 40])
def test_smooth_must_be_a_fraction(records, smooth):
    with pytest.raises(ConfigError, match="expected a fraction"):
        plots.losses(records, smooth=smooth)


@given(st.lists(st.one_of(st.just(np.nan), st.floats(-100, 100)), min_size=1, max_size=30), st.integers(1, 40))
def test_moving_mean_is_the_mean_of_each_window(values, window):
    values = np.array(values)
    expected = []
    for i in range(len(values)):
        inside = values[max(0, i - window // 2) : i + (window + 1) // 2]
        inside = inside[np.isfinite(inside)]
        expected.append(inside.mean() if len(inside) else np.nan)
    np.testing.assert_allclose(moving_mean(values, window), expected, atol=1e-10)
