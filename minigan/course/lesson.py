"""One lesson: a script in percent format, read cell by cell.

A line that begins with ``# %%`` starts a cell. What follows on that line says of which kind it is:

=============================  =====================================================================
``# %% [markdown]``            prose, every line a comment
``# %% setup``                 code that the exercises need too: imports, small helpers
``# %% exercise 04.2: title``  code with one region to be solved, ``# solution {`` to ``# } solution``
``# %%``, ``# %% any title``   code
=============================  =====================================================================
"""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from textwrap import dedent, indent

from minigan.errors import DataError

YOUR_TURN = "your turn"
STUB = f'raise NotImplementedError("{YOUR_TURN}")'

_HEADER = re.compile(r"^# ?%%(?P<rest>.*)$")
_EXERCISE = re.compile(r"^exercise (?P<number>\d\d\.\d+): *(?P<title>.+)$")
_REGION = re.compile(r"^(?P<indent> *)# solution \{\n(?P<answer>.*?)^ *# \} solution\n", re.MULTILINE | re.DOTALL)
_FACTS = {"goal": "Goal", "prerequisites": "Before", "minutes": "Minutes"}


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson.

    Attributes
    ----------
    kind : {"prose", "setup", "exercise", "code"}
    text : str
        Markdown without the comment signs, or code; ends with a newline unless empty.
    title : str
        What the header line says.
    number : str
        Of an exercise, such as ``04.2``; else empty.
    line : int
        Where `text` begins in its file, counted from 1.
    """

    kind: str
    text: str
    title: str = ""
    number: str = ""
    line: int = 1

    @property
    def header(self) -> str:
        """What stands after ``# %%``."""
        if self.kind == "exercise":
            return f"exercise {self.number}: {self.title}"
        return {"prose": "[markdown]", "setup": "setup"}.get(self.kind, self.title)

    def answered(self, answer: str | None = None) -> "Cell":
        """Return the exercise with an answer in place of its solution region.

        Parameters
        ----------
        answer : str, optional
            Code; indented as the region is. By default the solution itself, so that only the two marks go.
        """
        region = self._region()
        body = region["answer"] if answer is None else indent(dedent(answer).strip("\n") + "\n", region["indent"])
        return replace(self, text=self.text[: region.start()] + body + self.text[region.end() :])

    def _region(self) -> re.Match[str]:
        regions = list(_REGION.finditer(self.text))
        marks = len(re.findall(r"# solution \{|# \} solution", self.text))
        if len(regions) != 1 or marks != 2:
            raise DataError(
                f"exercise {self.number} has {len(regions)} solution regions and {marks} marks; expected one region, "
                "from a line '# solution {' to a line '# } solution'"
            )
        return regions[0]


@dataclass(frozen=True)
class Lesson:
    """A lesson: its number and name, and its cells."""

    number: str
    slug: str
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """The name of its files, without their ending."""
        return f"{self.number}_{self.slug}"

    @cached_property
    def exercises(self) -> dict[str, Cell]:
        """The exercises by number, in order."""
        return {cell.number: cell for cell in self.cells if cell.kind == "exercise"}

    @cached_property
    def title(self) -> str:
        found = re.match(r"# \d+\. (.+)\n", self._front)
        if not found:
            raise DataError(f"lesson {self.number}: the first cell must begin with '# # {int(self.number)}. Title'")
        return found[1]

    @property
    def goal(self) -> str:
        return self._fact("goal")

    @property
    def prerequisites(self) -> str:
        return self._fact("prerequisites")

    @property
    def minutes(self) -> int:
        """How long a student takes, the exercises included."""
        return int(self._fact("minutes"))

    @property
    def _front(self) -> str:
        return self.cells[0].text if self.cells and self.cells[0].kind == "prose" else ""

    def _fact(self, name: str) -> str:
        found = re.search(rf"^- \*\*{_FACTS[name]}:\*\* (.+(?:\n  .+)*)", self._front, flags=re.MULTILINE)
        if not found:
            raise DataError(f"lesson {self.number}: the first cell has no line '- **{_FACTS[name]}:** ...'")
        return " ".join(found[1].split())


def read_cells(text: str) -> tuple[Cell, ...]:
    """Split a script in percent format into its cells; what stands before the first header line is left out."""
    cells: list[Cell] = []
    kind, title, number, start = "", "", "", 0
    lines = text.splitlines()

    def close(end: int) -> None:
        if kind:
            cells.append(Cell(kind, _body(lines[start:end], kind), title, number, start + 1))

    for i, line in enumerate(lines):
        header = _HEADER.match(line)
        if header:
            close(i)
            kind, title, number = kind_of(header["rest"].strip())
            start = i + 1
    close(len(lines))
    return tuple(cells)


def kind_of(header: str) -> tuple[str, str, str]:
    """Return kind, title and number of the cell with this header line."""
    exercise = _EXERCISE.match(header)
    if exercise:
        return "exercise", exercise["title"].strip(), exercise["number"]
    if header.startswith("[markdown]"):
        return "prose", "", ""
    return ("setup", "", "") if header == "setup" else ("code", header, "")


def _body(lines: list[str], kind: str) -> str:
    if kind == "prose":
        lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
    text = "\n".join(lines).rstrip()
    return text + "\n" if text else ""
