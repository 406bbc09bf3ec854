"""The format of a lesson, and what is made of it."""

import json

import pytest

from minigan.course.exports import notebook, script, solution, solved_cells, stub_cells
from minigan.course.lesson import STUB, Cell, Lesson, read_cells
from minigan.errors import DataError


def test_cells_are_told_apart(small):
    assert [cell.kind for cell in small.cells] == ["prose", "setup", "code", "exercise"]
    assert small.cells[0].text.startswith("# 9. Small\n\n- **Goal:** one thing,\n  on two lines.\n")
    assert small.cells[1].text == "import numpy as np\n"
    assert small.cells[2].title == "a picture"
    assert (small.cells[3].number, small.cells[3].title) == ("09.1", "double")


def test_facts_are_read(small):
    assert (small.title, small.goal) == ("Small", "one thing, on two lines.")
    assert (small.prerequisites, small.minutes) == ("nothing.", 5)
    assert list(small.exercises) == ["09.1"]


@pytest.mark.parametrize("fact", ["title", "goal", "prerequisites", "minutes"])
def test_missing_facts_are_named(fact):
    with pytest.raises(DataError, match="lesson 09: the first cell"):
        getattr(Lesson("09", "small", read_cells("# %%\nx = 1\n")), fact)


def test_lines_are_those_of_the_file(small, small_text):
    lines = small_text.splitlines()
    for cell in small.cells[1:]:
        assert lines[cell.line - 1] == cell.text.splitlines()[0]


def test_stub_and_solution(small):
    (stub,) = [cell for cell in stub_cells(small) if cell.kind == "exercise"]
    assert stub.text == f'def double(x):\n    """Return 2 x."""\n    {STUB}\n'
    (solved,) = [cell for cell in solved_cells(small) if cell.kind == "exercise"]
    assert solved.text == 'def double(x):\n    """Return 2 x."""\n    y = x\n    return y + y\n'
    assert solution(small) == solution(small, "09.1") == "# %% exercise 09.1: double\n" + solved.text
    assert solution(small, "09.2") == ""


def test_an_answer_is_indented_as_its_place(small):
    cell = small.exercises["09.1"].answered("\n    if x:\n        return 1\n    return 2\n")
    assert cell.text.endswith('x."""\n    if x:\n        return 1\n    return 2\n')


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    return 1\n",
        "def f():\n    # solution {\n    return 1\n",
        "def f():\n    # } solution\n    # solution {\n",
        "# solution {\n# } solution\n# solution {\n# } solution\n",
    ],
)
def test_regions_that_are_none(text):
    with pytest.raises(DataError, match=r"exercise 09.1 has \d solution regions"):
        Cell("exercise", text, "f", "09.1").answered()


def test_a_script_is_read_as_it_was_written(small):
    cells = read_cells(script(small.cells))
    assert [(c.kind, c.title, c.number, c.text) for c in cells] == [
        (c.kind, c.title, c.number, c.text) for c in small.cells
    ]


def test_headers_of_jupytext_and_strange_cells():
    text = "# ---\n# jupyter:\n# ---\n\n# %% [markdown]\n# one\n#two\n\n# %% exercise 1: no number\n%%x\n#%%\n"
    assert [(c.kind, c.text) for c in read_cells(text)] == [
        ("prose", "one\ntwo\n"),
        ("code", "%%x\n"),
        ("code", ""),
    ]


def test_notebook_cells(small):
    cells = json.loads(notebook(small.cells))["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "code", "code"]
    assert cells[1]["source"] == ["# setup\n", "import numpy as np"]
    assert cells[3]["source"][0] == "# exercise 09.1: double\n"
