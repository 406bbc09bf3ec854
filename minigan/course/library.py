"""Where the lessons are, and which there are."""

import re
from pathlib import Path

from minigan.course.lesson import Lesson, read_cells
from minigan.errors import ConfigError, DataError

_FILE = re.compile(r"(\d\d)_(\w+)\.py")


def folder() -> Path:
    """Return the folder of the lessons: inside an installed package, beside the package in a clone."""
    here = Path(__file__).resolve()
    for candidate in (here.parent / "lessons", here.parents[2] / "lessons"):
        if candidate.is_dir():
            return candidate
    raise DataError("the lessons are missing from this installation; install minigan again, or clone its repository")


def lessons() -> dict[str, Lesson]:
    """Return all lessons by number, in order."""
    found = {}
    for path in sorted(folder().glob("*.py")):
        name = _FILE.fullmatch(path.name)
        if name:
            found[name[1]] = Lesson(name[1], name[2], read_cells(path.read_text(encoding="utf-8")))
    return found


def find_lesson(number: str | int) -> Lesson:
    """Return one lesson by its number: ``4``, ``"4"`` or ``"04"``.

    Raises
    ------
    ConfigError
        If there is none.
    """
    known = lessons()
    text = str(number)
    key = text.zfill(2) if text.isascii() and text.isdigit() else text
    if key not in known:
        raise ConfigError(f"there is no lesson {text!r}; known are {', '.join(known)} (see: minigan lesson list)")
    return known[key]


def checks_file(lesson: Lesson) -> Path:
    """Return the file with the hidden checks of a lesson's exercises."""
    return folder() / "checks" / f"check_{lesson.number}.py"
