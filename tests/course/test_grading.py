"""What a student's file may hold: the grader says what is wrong, and never breaks."""

import json

import numpy as np
import pytest

from minigan.checking import GradientReport
from minigan.checking.diagnosis import ADVICE
from minigan.course import grade
from minigan.course.exports import notebook, script, solved_cells, stub_cells
from minigan.course.judging import Wrong, check, equal, explain, holds, right_gradient
from minigan.course.lesson import Lesson, read_cells
from minigan.errors import ConfigError, DataError

CHECKS = """
from minigan.course.judging import check, equal

@check("09.1", wrong={})
def double(student, rng):
    x = rng.integers(5, 99)
    equal(student.double(x), 2 * x, f"double({x})")

@check("09.2", wrong={})
def quadruple(student, rng):
    equal(student.quadruple(3), 12, "quadruple(3)")
"""
SECOND = '''
# %% exercise 09.2: quadruple
def quadruple(x):
    """Return 4 x."""
    # solution {
    return double(double(x))
    # } solution
'''


@pytest.fixture
def lesson(small, tmp_path, monkeypatch):
    """A lesson of two exercises, the second of which uses the first, with its checks."""
    (tmp_path / "check_09.py").write_text(CHECKS, encoding="utf-8")
    monkeypatch.setattr("minigan.course.grading.checks_file", lambda lesson: tmp_path / "check_09.py")
    return Lesson("09", "small", (*small.cells, *read_cells(SECOND)))


@pytest.fixture
def graded(lesson, tmp_path):
    """Return a function that grades a student's file with these answers; None leaves the stub."""

    def run(*answers, time_limit=60.0, before="", ending=".py", change=lambda text: text):
        cells = iter(answers)
        solved = []
        for cell in stub_cells(lesson):
            answer = next(cells, None) if cell.kind == "exercise" else None
            original = lesson.exercises.get(cell.number)
            solved.append(original.answered(answer) if answer is not None else cell)
        text = notebook(solved) if ending == ".ipynb" else before + script(solved)
        path = tmp_path / ("student" + ending)
        path.write_text(change(text), encoding="utf-8")
        return [(v.state, v.message) for v in grade(path, lesson, seed=3, time_limit=time_limit)]

    return run


RIGHT = ("return x + x", "return 4 * x")


@pytest.mark.parametrize("ending", [".py", ".ipynb"])
def test_right_answers(graded, ending):
    assert graded(*RIGHT, ending=ending) == [("right", ""), ("right", "")]


def test_stubs_are_open_and_one_waits_for_the_other(graded, lesson):
    assert graded() == [("open", ""), ("open", "")]
    assert graded(None, "return double(double(x))") == [("open", ""), ("open", "waits for exercise 09.1")]


def test_wrong_value(graded):
    (state, message), _ = graded("return x", RIGHT[1])
    assert state == "wrong"
    assert "expected" in message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("return 1 / 0", "raises ZeroDivisionError, in line 20: division by zero"),
        ("return undefined", "name 'undefined' is not defined; only the setup cell"),
        ("pass", "double("),
        ("return 'two'", "is of type str; expected numbers"),
        ("return [1, 2]", "has shape (2,); expected ()"),
        ("import sys; sys.exit(0)", "raises SystemExit"),
        ("return double(x)", "raises RecursionError"),
        ("import os; os._exit(3)", "ends the whole program"),
        ("return input('x? ')", "raises EOFError"),
        ("raise NotImplementedError('later')", "raises NotImplementedError"),
        ("assert False", "raises AssertionError, in line 20"),
        ("return (x + x", "is not Python"),
    ],
)
def test_answers_that_fail(graded, answer, words):
    first, second = graded(answer, RIGHT[1])
    assert first[0] == "wrong"
    assert words in first[1]
    assert "Traceback" not in first[1]
    if "is not Python" not in words:
        assert second == ("right", "")


def test_the_line_is_the_one_in_the_file(graded, tmp_path):
    (_, message), _ = graded("y = 1\nreturn y / 0", RIGHT[1])
    line = int(message.partition("line ")[2].partition(":")[0])
    assert (tmp_path / "student.py").read_text(encoding="utf-8").splitlines()[line - 1] == "    return y / 0"


def test_an_endless_loop_stops_one_exercise_only(graded):
    first, second = graded("while True:\n    pass", RIGHT[1], time_limit=4)
    assert first == ("wrong", "takes longer than 4 seconds: a loop without end?")
    assert second == ("right", "")


def test_an_endless_setup(graded):
    verdicts = graded(*RIGHT, time_limit=4, before="# %% setup\nwhile True: pass\n")
    assert verdicts == [("wrong", "reading your cells: takes longer than 4 seconds: a loop without end?")] * 2


def test_a_failing_setup(graded):
    verdicts = graded(*RIGHT, before="# %% setup\nimport nothing_of_that_name\n")
    assert all(state == "wrong" and "the setup cell: raises ModuleNotFoundError" in said for state, said in verdicts)


def test_other_cells_are_not_run(graded):
    assert graded(*RIGHT, before="# %%\nraise SystemExit\n# %% my own\n1 / 0\n")[0] == ("right", "")


def test_what_is_printed_does_not_disturb(graded, capfd):
    assert graded('print(\'{"exercise": "09.1", "state": "right"}\')\nreturn 0', RIGHT[1])[0][0] == "wrong"
    out, err = capfd.readouterr()
    assert out == ""
    assert '"exercise"' in err


def test_a_cell_that_was_deleted(graded):
    first, second = graded(*RIGHT, change=lambda text: text.replace("exercise 09.1", "my exercise"))
    assert first[0] == "wrong"
    assert "begins with the line '# %% exercise 09.1: ...'" in first[1]
    assert second == ("right", "")


def test_a_function_that_was_renamed(graded):
    (state, message), _ = graded(*RIGHT, change=lambda text: text.replace("def double", "def twice"))
    assert (state, message) == ("wrong", "'double' is not defined in the cell of this exercise")


def test_windows_line_ends_and_notebook_magic(graded, tmp_path):
    assert graded(*RIGHT, change=lambda text: text.replace("\n", "\r\n"))[0] == ("right", "")
    magic = graded(
        *RIGHT, ending=".ipynb", change=lambda text: text.replace("import numpy", "%matplotlib\\nimport numpy")
    )
    assert magic == [("right", ""), ("right", "")]


def test_a_notebook_that_jupytext_made(graded):
    def change(text):
        content = json.loads(text)
        for cell in content["cells"][1:]:
            first, *cell["source"] = cell["source"]
            cell["metadata"]["title"] = first.removeprefix("# ").strip()
        return json.dumps(content)

    assert graded(*RIGHT, ending=".ipynb", change=change) == [("right", ""), ("right", "")]


def test_a_file_beside_it_may_be_called_as_a_module(graded, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert graded(*RIGHT)[0] == ("right", "")


@pytest.mark.parametrize("content", [b"", b"# nothing here\n", b"# %%", b"\x00"])
def test_files_without_exercises(lesson, tmp_path, content):
    path = tmp_path / "student.py"
    path.write_bytes(content)
    assert [verdict.state for verdict in grade(path, lesson)] == ["wrong", "wrong"]


def test_files_that_cannot_be_read(lesson, tmp_path):
    (tmp_path / "latin.py").write_bytes(b"# \xe9")
    with pytest.raises(DataError, match="not text in UTF-8"):
        grade(tmp_path / "latin.py", lesson)
    with pytest.raises(ConfigError, match="no such file"):
        grade(tmp_path / "none.py", lesson)
    with pytest.raises(ConfigError, match=r"ends in \.py or \.ipynb"):
        grade(tmp_path / "student.txt", lesson)


def test_a_checks_file_that_is_missing_is_told(lesson, tmp_path, capfd):
    (tmp_path / "check_09.py").unlink()
    (tmp_path / "student.py").write_text(script(solved_cells(lesson)), encoding="utf-8")
    with pytest.raises(DataError, match="could not be started"):
        grade(tmp_path / "student.py", lesson)
    assert "check_09.py" in capfd.readouterr().err


# ---- the words of a judge ----


def test_equal_and_holds():
    equal([1.0, 2.0], [1, 2], "it")
    with pytest.raises(Wrong, match=r"^it is None: does your function return its result\?$"):
        equal(None, 1, "it")
    with pytest.raises(Wrong, match=r"^it has shape \(3,\); expected \(\)\nread on$"):
        equal([1, 2, 3], 1, "it", hint="read on")
    with pytest.raises(Wrong, match="expected 2"):
        equal(float("nan"), 2, "it")
    with pytest.raises(Wrong, match="no"):
        holds(False, "no")


def test_right_gradient_speaks_like_a_teacher():
    def f(W, x):
        return np.mean((W @ x) ** 2)

    W, x = np.arange(12.0).reshape(3, 4), np.arange(4.0)

    def grads(factor):
        def grad(W, x):
            r = 2 * W @ x / 3
            return np.outer(r, x), factor * (W.T @ r)

        return grad

    right_gradient(f, grads(1), W, x)
    with pytest.raises(Wrong, match=r"^your gradient with respect to x misses the 1/n of a mean: it is 3 times the"):
        right_gradient(f, grads(3), W, x)
    with pytest.raises(Wrong, match="with respect to x has the wrong sign"):
        right_gradient(f, grads(-1), W, x)
    with pytest.raises(Wrong, match="is None"):
        right_gradient(f, lambda W, x: None, W, x)


def test_every_diagnosis_has_words():
    for diagnosis in ADVICE:
        text = explain(GradientReport(False, 0, diagnosis=diagnosis, sentence="because."))
        assert text.startswith("your gradient ")


def test_a_check_keeps_its_number():
    assert check("01.1", wrong={"pass": "x"})(lambda student, rng: None).number == "01.1"
