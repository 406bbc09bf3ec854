"""What a lesson is turned into: the student's script and notebook, and the solutions."""

import json
from collections.abc import Iterable

from minigan.course.lesson import STUB, Cell, Lesson


def stub_cells(lesson: Lesson) -> list[Cell]:
    """Return the cells as a student gets them: ``raise NotImplementedError("your turn")`` where a solution stands."""
    return [cell.answered(STUB) if cell.kind == "exercise" else cell for cell in lesson.cells]


def solved_cells(lesson: Lesson) -> list[Cell]:
    """Return the cells with the solutions and without the marks around them."""
    return [cell.answered() if cell.kind == "exercise" else cell for cell in lesson.cells]


def script(cells: Iterable[Cell]) -> str:
    """Return cells as a script in percent format."""
    return "\n".join(f"# %% {cell.header}".rstrip() + "\n" + _script_text(cell) for cell in cells)


def notebook(cells: Iterable[Cell]) -> str:
    """Return cells as the JSON of a Jupyter notebook (nbformat 4.5).

    A titled cell keeps its title as a comment on its first line: that is how an exercise is found again.
    """
    content = {
        "cells": [_notebook_cell(i, cell) for i, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def solution(lesson: Lesson, number: str | None = None) -> str:
    """Return the solutions of a lesson, or of the one exercise `number`, as code in percent format."""
    return script(c for c in solved_cells(lesson) if c.kind == "exercise" and number in (None, c.number))


def _script_text(cell: Cell) -> str:
    if cell.kind != "prose":
        return cell.text
    return "".join(f"# {line}".rstrip() + "\n" for line in cell.text.splitlines())


def _notebook_cell(i: int, cell: Cell) -> dict[str, object]:
    text = cell.text.rstrip("\n")
    common: dict[str, object] = {"id": f"cell-{i:03d}", "metadata": {}}
    if cell.kind == "prose":
        return common | {"cell_type": "markdown", "source": text.splitlines(keepends=True)}
    title = f"# {cell.header}\n" if cell.header else ""
    source = (title + text).splitlines(keepends=True)
    return common | {"cell_type": "code", "execution_count": None, "outputs": [], "source": source}
