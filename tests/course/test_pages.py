"""Lessons as pages of the documentation: Markdown in, reStructuredText out."""

import ast
import importlib.util
from pathlib import Path

import pytest
from all_lessons import LESSONS

DOCS = Path(__file__).resolve().parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("lesson_pages", DOCS / "lesson_pages.py")
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)

TABLE = ".. list-table::\n   :header-rows: 1\n"


@pytest.mark.parametrize(
    ("markdown", "rst"),
    [
        ("# A title", "A title\n======="),
        ("### `f` and $x$", "``f`` and :math:`x`\n~~~~~~~~~~~~~~~~~~~"),
        ("a `b_` c", "a ``b_`` c"),
        ("the $n$th of $x_1$, $y$", "the :math:`n`\\ th of :math:`x_1`, :math:`y`"),
        ("**bold** and *it*", "**bold** and *it*"),
        ("[here](https://example.org/a_b)", "`here <https://example.org/a_b>`__"),
        ("the |x| and x_ and \\a", "the \\|x\\| and x\\_ and \\\\a"),
        ("$$a\n+ b$$", ".. math::\n\n   a\n   + b"),
        ("```python\nx = 1\n\ny = `2`\n```", ".. code-block:: python\n\n   x = 1\n   \n   y = `2`"),
        ("text\n\n- one\n  more\n- two\n\nafter", "text\n\n- one\n  more\n- two\n\nafter"),
        ("| a | $b$ |\n|---|---|\n| 1 | |", f"{TABLE}\n   * - a\n     - :math:`b`\n   * - 1\n     -"),
        ("`a\nb` over lines", "``a\nb`` over lines"),
        ("> a word", "   a word"),
    ],
)  # fmt: skip
def test_markdown_becomes_rst(markdown, rst):
    assert pages.to_rst(markdown) == rst + "\n"


@pytest.mark.parametrize("number", LESSONS)
def test_gallery_script(number):
    lesson = LESSONS[number]
    text = pages.gallery_script(lesson)
    tree = ast.parse(text)
    title, rule, *_ = ast.get_docstring(tree, clean=False).strip().splitlines()
    assert title == f"{int(number)}. {lesson.title}"
    assert rule == "=" * len(title)
    assert "# solution {" not in text
    assert text.count('    raise NotImplementedError("your turn")\n') == len(lesson.exercises)
    for block in text.split("\n# %%\n")[1:]:
        prose = [line for line in block.splitlines() if line.startswith("#")] if block.startswith("#") else []
        assert not any("$" in line for line in prose), "maths was not translated"
        assert not any(line.startswith(("# - **Goal", "# ## ")) for line in prose)


def test_solutions_page_has_every_exercise():
    text = pages.solutions_page()
    for lesson in LESSONS.values():
        for number in lesson.exercises:
            assert f".. _solution-{number.replace('.', '-')}:" in text
    assert "solution {" not in text


def test_timing_table_has_every_lesson():
    lines = pages.timing_table().splitlines()
    assert len(lines) == len(LESSONS) + 3
    assert len({line.count("|") for line in lines}) == 1
