"""`minigan lesson` as a new student and a lecturer meet it, and with wrong input."""

import json
import subprocess
import sys
import zipfile

import pytest

from minigan.course import find_lesson, lessons
from minigan.course.exports import notebook, solved_cells, stub_cells

NAME = find_lesson(1).name
STUB = '\n    raise NotImplementedError("your turn")'
ANSWER = "return (f(x + h * v) - f(x - h * v)) / (2 * h)"


def write_answers(path, *answers):
    """Put answers in the place of the first stubs of a student's file."""
    text = path.read_text(encoding="utf-8")
    for answer in answers:
        assert STUB in text
        text = text.replace(STUB, f"\n    {answer}", 1)
    path.write_text(text, encoding="utf-8")


def test_a_students_first_hour(minigan, tmp_path):
    code, out, _ = minigan("lesson", "list")
    assert code == 0
    assert "01  Directional derivatives by differences" in out
    assert "exercises 0/4" in out
    code, out, _ = minigan("lesson", "start", "01")
    assert code == 0
    assert "Then grade its 4 exercises: minigan lesson check 01" in out
    path = tmp_path / "my-lessons" / f"{NAME}.py"
    assert path.read_text(encoding="utf-8").count(STUB) == 4
    assert "solution {" not in path.read_text(encoding="utf-8")

    write_answers(path, ANSWER.replace("2 * h", "h"))
    code, out, err = minigan("lesson", "check", "1")
    assert (code, err) == (1, "")
    assert "01.1  WRONG         a directional derivative\n        the result is 2 times the right one" in out
    assert out.count("not done yet") == 3
    assert "0 of 4 exercises are right; after a change: minigan lesson check 01" in out

    path.write_text(path.read_text(encoding="utf-8").replace("/ (h)", "/ (2 * h)"), encoding="utf-8")
    code, out, _ = minigan("lesson", "check", "01")
    assert code == 1
    assert "01.1  right" in out
    assert "1 of 4" in out
    assert "exercises 1/4" in minigan("lesson", "list").out


def test_all_right_leads_to_the_next_lesson(minigan, tmp_path):
    assert minigan("lesson", "start", "01", "mine", "--notebook").code == 0
    path = tmp_path / "mine" / f"{NAME}.ipynb"
    assert path.read_text(encoding="utf-8") == notebook(stub_cells(find_lesson(1)))
    path.write_text(notebook(solved_cells(find_lesson(1))), encoding="utf-8")
    code, out, _ = minigan("lesson", "check", "01", "mine")
    assert code == 0
    assert "4 of 4 exercises are right. Next: minigan lesson start 02 mine" in out
    progress = json.loads((tmp_path / "mine" / "progress.json").read_text(encoding="utf-8"))
    assert set(progress["exercises"].values()) == {"right"}


def test_in_the_folder_of_the_lessons_no_folder_is_named(minigan, tmp_path, monkeypatch):
    assert minigan("lesson", "start", "01").code == 0
    monkeypatch.chdir(tmp_path / "my-lessons")
    assert f"({NAME}.py)" in minigan("lesson", "check", "01").out


def test_the_file_that_was_changed_last_counts(minigan, tmp_path):
    assert minigan("lesson", "start", "01", "mine").code == 0
    assert minigan("lesson", "start", "01", "mine", "--notebook").code == 0
    assert ".ipynb)" in minigan("lesson", "check", "01", "mine").out
    (tmp_path / "mine" / f"{NAME}.py").touch()
    assert ".py)" in minigan("lesson", "check", "01", "mine").out


def test_solutions_are_printed(minigan):
    code, out, _ = minigan("lesson", "solution", "1")
    assert code == 0
    assert out.count("# %% exercise") == 4
    assert "solution {" not in out
    code, one, _ = minigan("lesson", "solution", "01.3")
    assert code == 0
    assert one in out
    assert one.count("# %% exercise") == 1


@pytest.mark.parametrize("seed", ["--seed", "MINIGAN_COURSE_SEED"])
def test_a_lecturers_seed(minigan, seed, tmp_path, monkeypatch):
    assert minigan("lesson", "start", "01", "mine").code == 0
    write_answers(tmp_path / "mine" / f"{NAME}.py", "return 0.5")  # the message shows what would be right

    def said(number):
        if seed == "--seed":
            return minigan("lesson", "check", "01", "mine", "--seed", number).out
        monkeypatch.setenv(seed, str(number))
        return minigan("lesson", "check", "01", "mine").out

    assert said(1) == said(1) != said(2)


def test_a_bundle_holds_a_week(minigan, tmp_path):
    code, out, _ = minigan("lesson", "bundle", "02", "1", "--out", "week.zip", "--package", "./minigan.whl")
    assert (code, out) == (0, "lessons 02, 01 in week.zip\n")
    again = (tmp_path / "week.zip").read_bytes()
    minigan("lesson", "bundle", "02", "1", "--out", "week.zip", "--package", "./minigan.whl")
    assert (tmp_path / "week.zip").read_bytes() == again
    with zipfile.ZipFile(tmp_path / "week.zip") as archive:
        names = {"README.md", "requirements.txt", "test_exercises.py", ".github/workflows/exercises.yml"}
        names |= {find_lesson(n).name + end for n in (1, 2) for end in (".py", ".ipynb")}
        assert set(archive.namelist()) == names
        assert "solution {" not in "".join(archive.read(name).decode() for name in names)
        archive.extractall(tmp_path / "week")
    write_answers(tmp_path / "week" / f"{NAME}.py", ANSWER)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "week",
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "7 failed, 1 passed" in done.stdout
    assert "AssertionError: not done yet" in done.stdout


def test_without_a_package_there_is_no_workflow(minigan, tmp_path):
    assert minigan("lesson", "bundle", "01").code == 0
    with zipfile.ZipFile(tmp_path / "lessons.zip") as archive:
        assert set(archive.namelist()) == {"README.md", "test_exercises.py", f"{NAME}.py", f"{NAME}.ipynb"}
        assert "{" not in archive.read("README.md").decode()


# ---- wrong input ----


def test_words_that_are_none(refused):
    assert "expected one of list, start, check, solution, bundle" in refused("lesson", "begin")


@pytest.mark.parametrize("number", ["0", "99", "four", "04x", "-1.5", "٣"])
def test_lessons_that_are_none(refused, number):
    assert "known are" in refused("lesson", "start", number) or number.startswith("-")


def test_no_number(refused):
    assert "minigan lesson check" in refused("lesson", "check")
    assert "which lessons?" in refused("lesson", "bundle")


def test_exercises_that_are_none(refused):
    assert "there is no exercise '01.9'; lesson 01 has 01.1, 01.2, 01.3, 01.4" in refused("lesson", "solution", "01.9")


def test_answers_are_not_overwritten(minigan, refused, tmp_path):
    minigan("lesson", "start", "01", "mine")
    path = tmp_path / "mine" / f"{NAME}.py"
    path.write_text("answers", encoding="utf-8")
    assert "with your answers" in refused("lesson", "start", "01", "mine")
    assert path.read_text(encoding="utf-8") == "answers"


def test_a_lesson_that_was_not_started(refused, tmp_path):
    assert "get it with: minigan lesson start 02" in refused("lesson", "check", "2")
    assert list(tmp_path.iterdir()) == []


def test_a_file_for_a_folder(refused, tmp_path):
    (tmp_path / "mine").write_text("", encoding="utf-8")
    assert "expected a folder" in refused("lesson", "start", "01", "mine")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"seed": -1, "exercises": {}}', '{"seed": 1, "exercises": {"01.1": 3}}', "\xff"]
)
def test_a_damaged_progress_file(minigan, refused, tmp_path, content):
    minigan("lesson", "start", "01", "mine")
    (tmp_path / "mine" / "progress.json").write_bytes(content.encode("latin-1"))
    assert "is damaged; remove it" in refused("lesson", "check", "01", "mine")
    assert "is damaged; remove it" in refused("lesson", "list", "mine")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"cells": 3}', b'{"cells": [{"source": 1}]}', b"\xff\xfe"])
def test_a_damaged_notebook(refused, tmp_path, content):
    (tmp_path / "answers.ipynb").write_bytes(content)
    said = refused("lesson", "check", "01", "answers.ipynb")
    assert "is no notebook" in said or "is not text" in said


def test_options_out_of_range(minigan, refused, monkeypatch):
    minigan("lesson", "start", "01", "mine")
    assert "--seed is -1" in refused("lesson", "check", "01", "mine", "--seed", "-1")
    assert "--time-limit is 0" in refused("lesson", "check", "01", "mine", "--time-limit", "0")
    assert "expected a name that ends in .zip" in refused("lesson", "bundle", "01", "--out", "week.tar")
    monkeypatch.setenv("MINIGAN_COURSE_SEED", "secret")
    assert "expected a whole number" in refused("lesson", "check", "01", "mine")


def test_every_subcommand_explains_itself(minigan):
    for word in ("list", "start", "check", "solution", "bundle"):
        code, out, err = minigan("lesson", word, "--help")
        assert (code, err) == (0, "")
        assert f"usage: minigan lesson {word}" in out
    assert minigan("lesson").code == 0


def test_titles_fit_the_table(minigan):
    lines = minigan("lesson", "list").out.splitlines()
    assert len({line.index(" min  ") for line in lines if " min  " in line}) == 1
    assert len(lines) == len(lessons()) + 2
