"""A week for a class: the students' files of some lessons, a test for plain pytest and one for GitHub Classroom."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from minigan.course.exports import notebook, script, stub_cells
from minigan.course.lesson import Lesson
from minigan.files import atomic_write

README = """# {title}

{lessons}

Install minigan with Python 3.11 or newer ({install}). Then step through each lesson in an editor that
knows `# %%` cells (VS Code, Spyder, PyCharm) or, the same as a notebook, in Jupyter. In the cells named *exercise*,
replace the line `raise NotImplementedError("your turn")`. To see what is right, and what is wrong with the rest:

    {commands}

or `python -m pytest` for all of them.
"""

TEST = '''"""All exercises as tests: python -m pytest. The inputs follow from the variable MINIGAN_COURSE_SEED."""

import os
from functools import cache
from pathlib import Path

import pytest

from minigan.course import grade

EXERCISES = {exercises}


@cache
def verdicts(name):
    seed = int(os.environ.get("MINIGAN_COURSE_SEED") or 0)
    path = Path(__file__).with_name(name + ".py")
    return {{verdict.exercise: verdict for verdict in grade(path, name[:2], seed=seed)}}


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_exercise(name, exercise):
    verdict = verdicts(name)[exercise]
    assert verdict.state == "right", verdict.message or "not done yet"
'''

WORKFLOW = """name: exercises
on: [push]
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: python -m pip install -r requirements.txt
      - run: python -m pytest
        env:
          MINIGAN_COURSE_SEED: ${{ secrets.MINIGAN_COURSE_SEED }}
"""


def files(lessons: Sequence[Lesson], package: str = "") -> dict[str, str]:
    """Return the text of each file of a bundle by its name; `package` is what pip installs."""
    content = {"README.md": _readme(lessons, package), "test_exercises.py": TEST.format(exercises=_exercises(lessons))}
    if package:
        content["requirements.txt"] = f"{package}\npytest\n"
        content[".github/workflows/exercises.yml"] = WORKFLOW
    for lesson in lessons:
        cells = stub_cells(lesson)
        content |= {f"{lesson.name}.py": script(cells), f"{lesson.name}.ipynb": notebook(cells)}
    return content


def write_bundle(lessons: Sequence[Lesson], path: Path, package: str = "") -> None:
    """Write the files of a bundle as a zip archive, the same bytes for the same lessons."""
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files(lessons, package).items()):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16  # a class may read what a lecturer unpacks
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)


def _readme(lessons: Sequence[Lesson], package: str) -> str:
    rows = [f"- **Lesson {x.number}: {x.title}** ({x.minutes} minutes): {x.goal}" for x in lessons]
    commands = [f"minigan lesson check {x.number} ." for x in lessons]
    title = "Lesson" if len(lessons) == 1 else "Lessons"
    title += " " + ", ".join(x.number for x in lessons)
    install = "`pip install -r requirements.txt`" if package else "as your lecturer says"
    return README.format(title=title, install=install, lessons="\n".join(rows), commands="\n    ".join(commands))


def _exercises(lessons: Sequence[Lesson]) -> str:
    rows = [f'    ("{lesson.name}", "{number}"),\n' for lesson in lessons for number in lesson.exercises]
    return "[\n" + "".join(rows) + "]"
