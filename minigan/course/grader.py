"""Runs a student's cells and the checks, in a process of its own: ``python -m minigan.course.grader``.

One line of JSON per exercise goes to the standard output, as soon as it is known. What the student's code prints goes
to the standard error output.
"""

import json
import os
import sys
import traceback
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from minigan.course.judging import Check, Wrong
from minigan.course.lesson import YOUR_TURN, Cell, kind_of, read_cells

DONE, WRONG, OPEN = "right", "wrong", "open"


def student_cells(path: Path) -> tuple[Cell, ...]:
    """Return the cells of a student's script or notebook.

    Raises
    ------
    ValueError
        If a notebook is no notebook.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return read_cells(text)
    return tuple(_notebook_cell(cell) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")


def _notebook_cell(content: dict[str, Any]) -> Cell:
    """Return a code cell, titled by the comment on its first line or, where jupytext wrote it, by its metadata."""
    source = "".join(content["source"])
    title = content.get("metadata", {}).get("title")
    if title:
        source = f"# {title}\n{source}"
    first, _, rest = source.partition("\n")
    kind, title, number = kind_of(first.removeprefix("#").strip().removeprefix("%%").strip())
    code = "\n".join("" if line.startswith(("%", "!")) else line for line in rest.split("\n"))  # no magic here
    return Cell(kind, code, title, number, line=2)


def load_checks(path: Path) -> dict[str, Check]:
    """Return the checks of a file by exercise."""
    namespace: dict[str, object] = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), namespace)
    return {item.number: item for item in namespace.values() if isinstance(item, Check)}


class Student:
    """The namespace of a student's cells, and which of them failed."""

    def __init__(self, path: Path):
        self.path = path
        self.cells = [cell for cell in student_cells(path) if cell.kind in ("setup", "exercise")]
        self.module = types.ModuleType("student")
        sys.modules["student"] = self.module  # dataclasses look there
        self.failed: dict[str, str] = {}  # by exercise; "" is the setup
        for cell in self.cells:
            try:
                # Empty lines before the code make line numbers those of the file.
                code = compile("\n" * (cell.line - 1) + cell.text, self.path, "exec")
                exec(code, self.module.__dict__)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self.failed[cell.number] = self.describe(error)

    def verdict(self, check: Check, seed: int) -> tuple[str, str]:
        """Return what the check finds: one of right, wrong and open, and a message."""
        for number in ("", check.number):
            if number in self.failed:
                return WRONG, ("" if number else "the setup cell: ") + self.failed[number]
        if all(cell.number != check.number for cell in self.cells):
            return WRONG, (
                f"the cell is not in the file any more; it begins with the line '# %% exercise {check.number}: ...'"
            )
        rng = np.random.default_rng([seed, crc32(check.number.encode())])
        try:
            check.judge(self.module, rng)
        except Wrong as wrong:
            return WRONG, str(wrong)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return self._of_exception(error, check)
        return DONE, ""

    def _of_exception(self, error: BaseException, check: Check) -> tuple[str, str]:
        for each in _chain(error):
            if isinstance(each, Wrong):
                return WRONG, str(each)
            if isinstance(each, NotImplementedError) and str(each) == YOUR_TURN:
                where = self._exercise_at(self._line(each))
                return OPEN, "" if where in ("", check.number) else f"waits for exercise {where}"
        if isinstance(error, AttributeError) and error.obj is self.module:
            return WRONG, f"{error.name!r} is not defined in the cell of this exercise"
        return WRONG, self.describe(error)

    def describe(self, error: BaseException) -> str:
        """Return an exception in one sentence, with the line of the student's file that raised it."""
        text = " ".join(str(error).split())
        if isinstance(error, SyntaxError):
            return f"line {error.lineno} is not Python: {error.msg}: {(error.text or '').strip()}"
        kind, line = type(error).__name__, self._line(error)
        where = f", in line {line}" if line else ""
        hint = ""
        if isinstance(error, NameError):
            hint = "; only the setup cell and the cells of exercises are run, so put helpers into one of them"
        return f"raises {kind}{where}" + (f": {text}" if text else "") + hint

    def _line(self, error: BaseException) -> int | None:
        frames = traceback.extract_tb(error.__traceback__)
        return next((f.lineno for f in reversed(frames) if f.filename == str(self.path)), None)

    def _exercise_at(self, line: int | None) -> str:
        if self.path.suffix == ".ipynb" or line is None:
            return ""
        return next((c.number for c in reversed(self.cells) if c.line <= line), "")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what it came from: hypothesis and the checker wrap what a function raised."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__


def main(arguments: list[str]) -> None:
    path, checks, seed, *numbers = arguments
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever is printed from here on
    warnings.simplefilter("ignore")
    known = load_checks(Path(checks))

    def tell(exercise: str, state: str, message: str) -> None:
        sys.stdout.flush()
        print(json.dumps({"exercise": exercise, "state": state, "message": message}), file=channel, flush=True)

    tell("", "loading", "")
    student = Student(Path(path))
    tell("", "loaded", "")
    for number in numbers:
        tell(number, *student.verdict(known[number], int(seed)))
    os._exit(0)  # threads that the student's code has started do not keep us


if __name__ == "__main__":
    main(sys.argv[1:])
