"""Grade a student's file: a process of its own, with a time limit for each exercise."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from minigan.course.lesson import Lesson
from minigan.course.library import checks_file, find_lesson
from minigan.errors import ConfigError, DataError
from minigan.files import cache_folder

TIME_LIMIT = 60.0  # seconds for an exercise: much, for the first use of a kernel compiles it


@dataclass(frozen=True)
class Verdict:
    """What a check says of one exercise.

    Attributes
    ----------
    exercise : str
        Such as ``04.2``.
    state : {"right", "wrong", "open"}
        Open: not done yet.
    message : str
        What is wrong; several lines. Empty where nothing is to be said.
    """

    exercise: str
    state: str
    message: str = ""


def grade(
    path: str | Path, lesson: Lesson | str | int, *, seed: int = 0, time_limit: float = TIME_LIMIT
) -> list[Verdict]:
    """Grade the exercises of a lesson in a student's script or notebook.

    Parameters
    ----------
    path : path-like
        ``.py`` in percent format or ``.ipynb``. Its setup cell and its exercises are run, nothing else.
    lesson : Lesson, or its number
    seed : int
        Of the inputs on which answers are tried, at least 0.
    time_limit : float
        Seconds for one exercise.

    Returns
    -------
    list of Verdict
        One for each exercise, in order.

    Raises
    ------
    ConfigError
        If there is no such lesson or file.
    DataError
        If the file cannot be read.
    """
    lesson = lesson if isinstance(lesson, Lesson) else find_lesson(lesson)
    path = _readable(Path(path))
    numbers = list(lesson.exercises)
    verdicts: list[Verdict] = []
    while len(verdicts) < len(numbers):  # again, after an exercise that ended the process
        rest = numbers[len(verdicts) :]
        told = _Told(path, checks_file(lesson), seed, rest, time_limit)
        verdicts += told.verdicts
        missing = rest[len(told.verdicts) :]
        if missing and told.loaded:
            verdicts.append(Verdict(missing[0], "wrong", told.ending))
        elif missing:
            return [*verdicts, *(Verdict(number, "wrong", f"reading your cells: {told.ending}") for number in missing)]
    return verdicts


class _Told:
    """What one process of `minigan.course.grader` told until it ended.

    Attributes
    ----------
    verdicts : list of Verdict
    loaded : bool
        The student's cells could be run.
    ending : str
        Why it ended, if it ended too early.
    """

    def __init__(self, path: Path, checks: Path, seed: int, numbers: list[str], time_limit: float):
        self.verdicts: list[Verdict] = []
        self.loaded = False
        self.ending = "ends the whole program"
        self.time_limit = time_limit
        arguments = [str(path.absolute()), str(checks), str(seed), *numbers]
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=os.environ | {"MPLBACKEND": "Agg", "HYPOTHESIS_STORAGE_DIRECTORY": str(cache_folder() / "hypothesis")},
            text=True,
            encoding="utf-8",
        )
        try:
            started = False
            for line in self._lines(process):
                started = True
                self._take(json.loads(line))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]
        if not started:
            raise DataError("the grader could not be started; `minigan doctor` shows whether the installation works")

    def _lines(self, process: subprocess.Popen[str]) -> Iterator[str]:
        """Yield the lines that a process writes; kill it if one takes longer than the limit."""
        while True:
            watchdog = threading.Timer(self.time_limit, self._too_long, [process])
            watchdog.start()
            try:
                line = process.stdout.readline()  # type: ignore[union-attr]
            finally:
                watchdog.cancel()
            if not line:
                return
            yield line

    def _too_long(self, process: subprocess.Popen[str]) -> None:
        self.ending = f"takes longer than {self.time_limit:g} seconds: a loop without end?"
        process.kill()

    def _take(self, record: dict[str, str]) -> None:
        if record["exercise"]:
            self.verdicts.append(Verdict(record["exercise"], record["state"], record["message"]))
        self.loaded = record["state"] != "loading"


# Not `-m`: a student's folder may hold a file random.py. The package's own folder comes last.
_START = f"""
import sys
sys.path.append({str(Path(__file__).resolve().parents[2])!r})
from minigan.course.grader import main
main(sys.argv[1:])
"""


def _readable(path: Path) -> Path:
    """Return `path`, if it is a script or notebook that can be read."""
    if path.suffix not in (".py", ".ipynb"):
        raise ConfigError(f"{path}: expected a file that ends in .py or .ipynb")
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            for cell in json.loads(text)["cells"]:
                "".join(cell["source"]), cell["cell_type"]
    except UnicodeDecodeError:
        raise DataError(f"{path} is not text in UTF-8; save it again as such") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{path} is no notebook that Jupyter could open; fetch a new one: minigan lesson start"
        ) from None
    return path
