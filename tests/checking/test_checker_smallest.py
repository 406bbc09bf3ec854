"""The smallest failing inputs, and what a failing check looks like inside a hypothesis test."""

import doctest

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import minigan as mg
from minigan.checking import smallest, smallest_failure, strategies
from minigan.errors import GradientCheckError


def cumulative(x):
    return np.sum(np.cumsum(x, 0) ** 2)


def not_reversed(x):
    """The gradient of `cumulative`, without turning the second cumulative sum round: right for a single row."""
    return 2 * np.cumsum(np.cumsum(x, 0), 0)


TABLES = strategies.arrays(strategies.shapes(min_dims=2, max_dims=2, min_side=1))


def test_a_mistake_of_two_rows_shrinks_to_two_rows():
    report = smallest_failure(cumulative, TABLES, grad=not_reversed)
    assert not report.ok
    assert report.inputs["x"].shape == (2, 1)
    assert np.abs(report.inputs["x"]).max() <= 0.002
    assert f"with x = {report.inputs['x'].tolist()}" in str(report)
    again = smallest_failure(cumulative, TABLES, grad=not_reversed)
    np.testing.assert_array_equal(again.inputs["x"], report.inputs["x"])


def test_a_right_gradient_has_no_smallest_failure():
    assert smallest_failure(np.sum, strategies.arrays(), grad=np.ones_like, max_examples=20) is None
    assert smallest_failure(mg.tanh, strategies.arrays(), max_examples=20) is None


def test_several_inputs_each_or_together():
    def f(a, b):
        return np.sum(a * b**2)

    def half(a, b):
        return b**2, a * b  # the factor 2 is missing

    shape = strategies.shapes(min_side=1)
    together = shape.flatmap(lambda s: st.tuples(strategies.arrays(s), strategies.arrays(s)))
    report = smallest_failure(f, together, grad=half)
    assert (report.argument, report.inputs["a"].size) == (1, 1)
    floats = st.floats(1, 2)
    assert smallest_failure(f, floats, floats, grad=half).inputs == {"a": 1.0, "b": 1.0}


def test_the_examples_of_the_docstrings_run():
    assert doctest.testmod(smallest).failed == 0


def test_a_failure_inside_a_hypothesis_test_is_one_screen_and_the_smallest():
    @settings(max_examples=100, derandomize=True, database=None, phases=(Phase.generate, Phase.shrink))
    @given(x=TABLES)
    def gradient_of_cumulative(x):
        mg.check_gradients(cumulative, x, grad=not_reversed, seed=0)

    with pytest.raises(GradientCheckError) as caught:
        gradient_of_cumulative()
    shown = [*str(caught.value).splitlines(), *(line for n in caught.value.__notes__ for line in n.splitlines())]
    assert len(shown) <= 24
    assert caught.value.report.inputs["x"].shape == (2, 1)


def test_an_error_without_a_report():
    assert GradientCheckError("no").report is None


def test_large_inputs_and_many_notes_are_left_out_of_the_screen():
    inputs = [np.zeros(20)] * 9
    report = mg.check_gradients(
        lambda *xs: sum(np.abs(x).sum() for x in xs), *inputs, grad=lambda *xs: [*map(np.sign, xs)], seed=0
    )
    assert len(report.notes) == 9
    assert "5 more in report.notes" in str(report)
    assert "with " not in str(report)
    assert len(str(report).splitlines()) <= 24
