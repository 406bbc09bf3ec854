"""The lessons as they are, and a small one made for tests."""

import warnings

import matplotlib
import pytest

from minigan.course.grader import Student
from minigan.course.lesson import Lesson, read_cells

SMALL = '''
# what stands before the first cell is left out
# %% [markdown]
# # 9. Small
#
# - **Goal:** one thing,
#   on two lines.
# - **Before:** nothing.
# - **Minutes:** 5
#
# Text with `code`.

# %% setup
import numpy as np

# %% a picture
print("shown")

# %% exercise 09.1: double
def double(x):
    """Return 2 x."""
    # solution {
    y = x
    return y + y
    # } solution
'''


@pytest.fixture
def small_text():
    """The source of a lesson with a cell of each kind."""
    return SMALL


@pytest.fixture
def small(small_text):
    """A lesson with a cell of each kind."""
    return Lesson("09", "small", read_cells(small_text))


@pytest.fixture
def judged(tmp_path):
    """Return a function from a student's script, a check and a seed to (state, message), in this process."""

    def run(text, check, seed=0):
        path = tmp_path / "student.py"
        path.write_text(text, encoding="utf-8")
        with warnings.catch_warnings(), matplotlib.rc_context():
            warnings.simplefilter("ignore")
            return Student(path).verdict(check, seed)

    return run
