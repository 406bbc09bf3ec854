"""The course as pages of the documentation: lessons become scripts for sphinx-gallery, in reStructuredText.

`write_sources` is called by conf.py before the build. sphinx-gallery runs what it has written; then `put_downloads`
exchanges the files for download for those that students get from ``minigan lesson start``.
"""

import re
import weakref
import zipfile
from collections.abc import Iterable
from pathlib import Path

from minigan.course import exports, lessons
from minigan.course.lesson import STUB, Lesson
from minigan.course.library import folder
from minigan.files import atomic_write, write_bytes

UNDERLINES = " =-~"  # by level of the heading

_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\$(?P<maths>[^$]+)\$|\[(?P<text>[^\]]+)\]\((?P<address>[^)]+)\)"
    r"|(?P<mark>\*\*|\*)(?P<marked>[^*]+)(?P=mark)"
)

SOLUTIONS = """
Solutions
=========

Try an exercise before you look: ``minigan lesson check NN`` says what is wrong with an answer, not only that it is.
There is more than one right answer to most of them.
"""


# ---- Markdown to reStructuredText: the part of Markdown that lessons use ----


def to_rst(markdown: str) -> str:
    """Translate the Markdown of a prose cell."""
    out: list[str] = []
    lines = markdown.splitlines()
    while lines:
        line = lines[0]
        if line.startswith("```"):
            out += _fenced(lines)
        elif line.startswith("$$"):
            out += _displayed(lines)
        elif line.startswith("|"):
            out += _table(lines)
        elif line.startswith("> "):
            out += _quoted(lines)
        elif re.match(r"#+ ", line):
            out += _heading(lines.pop(0))
        elif re.match(r"(- |\d+\. )", line):
            out += ["", *_paragraph(lines), ""]
        else:
            out += _paragraph(lines)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip("\n") + "\n"


def _heading(line: str) -> list[str]:
    marks, _, title = line.partition(" ")
    text = _inline(title)
    return [text, UNDERLINES[len(marks)] * len(text), ""]


def _paragraph(lines: list[str]) -> list[str]:
    """Take the lines up to the next empty one or block: a paragraph or a list. Inline markup may span lines."""
    taken = [lines.pop(0)]
    while lines and lines[0].strip() and not lines[0].startswith(("```", "$$", "|", "#")):
        taken.append(lines.pop(0))
    return _inline("\n".join(taken)).split("\n")


def _fenced(lines: list[str]) -> list[str]:
    language = lines.pop(0).removeprefix("```").strip() or "text"
    body = []
    while lines and not lines[0].startswith("```"):
        body.append("   " + lines.pop(0))
    lines.pop(0)
    return ["", f".. code-block:: {language}", "", *body, ""]


def _quoted(lines: list[str]) -> list[str]:
    taken = []
    while lines and lines[0].startswith("> "):
        taken.append(lines.pop(0).removeprefix("> "))
    return ["", *("   " + line for line in _inline("\n".join(taken)).split("\n")), ""]


def _displayed(lines: list[str]) -> list[str]:
    taken = [lines.pop(0).removeprefix("$$")]
    while "$$" not in taken[-1]:
        taken.append(lines.pop(0))
    taken[-1] = taken[-1].removesuffix("$$")
    return ["", ".. math::", "", *(f"   {line}" for line in taken if line.strip()), ""]


def _table(lines: list[str]) -> list[str]:
    rows = []
    while lines and lines[0].startswith("|"):
        rows.append([cell.strip() for cell in lines.pop(0).strip().strip("|").split("|")])
    body = [row for row in rows if not all(set(cell) <= set("-: ") and cell for cell in row)]
    out = ["", ".. list-table::", "   :header-rows: 1", ""]
    for row in body:
        first, *rest = (_inline(cell) for cell in row)
        out += [f"   * - {first}".rstrip(), *(f"     - {cell}".rstrip() for cell in rest)]
    return [*out, ""]


def _inline(text: str) -> str:
    """Translate code, maths, links and emphasis, and escape what reStructuredText would take for markup."""
    out, end = "", 0
    for found in _INLINE.finditer(text):
        out += _plain(text[end : found.start()])
        before, after = text[: found.start()][-1:], text[found.end() :][:1]
        # Markup has to stand between spaces or punctuation; an escaped space is none to the reader.
        out += ("\\ " if before.isalnum() else "") + _markup(found) + ("\\ " if after.isalnum() else "")
        end = found.end()
    return out + _plain(text[end:])


def _markup(found: re.Match[str]) -> str:
    if found["code"]:
        return f"``{found['code']}``"
    if found["maths"]:
        return f":math:`{found['maths']}`"
    if found["text"]:
        return f"`{found['text']} <{found['address']}>`__"
    return f"{found['mark']}{found['marked']}{found['mark']}"


def _plain(text: str) -> str:
    return re.sub(r"([\\|`]|(?<=\w)_(?!\w))", r"\\\1", text)


# ---- the sources of the gallery ----


def gallery_script(lesson: Lesson) -> str:
    """Return a lesson as a script for sphinx-gallery, exercises as stubs with a link to their solution."""
    front, *cells = lesson.cells
    blocks = [f'r"""\n{_front_page(lesson, to_rst(front.text))}"""\n']
    for cell in cells:
        if cell.kind == "prose":
            blocks.append(_text_block(to_rst(cell.text)))
        elif cell.kind == "exercise":
            number = cell.number.removeprefix("0")
            link = f":ref:`Solution <solution-{cell.number.replace('.', '-')}>`"
            heading = "\n".join(_heading(f"### Exercise {number}: {cell.title}"))
            blocks += [_text_block(heading), _code_block(cell.answered(STUB).text), _text_block(link + "\n")]
        else:
            blocks.append(_code_block(cell.text))
    return "\n".join(blocks)


def _front_page(lesson: Lesson, text: str) -> str:
    """Return the first cell with its list of facts in two sentences: the first is shown beside the thumbnail."""
    title, facts = text.split("\n\n", 2)[0], f"*{lesson.minutes} minutes.* Before: {_inline(lesson.prerequisites)}"
    rest = text.split("\n\n", 2)[2]
    goal = _inline(lesson.goal[0].upper() + lesson.goal[1:])
    return f"{title}\n\n{goal}\n\n{facts}\n\n{rest}"


def _text_block(rst: str) -> str:
    return "# %%\n" + "".join(f"# {line}".rstrip() + "\n" for line in rst.splitlines())


def _code_block(code: str) -> str:
    return "# %%\n\n" + code  # the empty line keeps a comment at the top from becoming text


def solutions_page() -> str:
    """Return the page of all solutions."""
    parts = [SOLUTIONS]
    for lesson in lessons().values():
        parts += ["", *_heading(f"## {int(lesson.number)}. {lesson.title}")]
        for cell in lesson.exercises.values():
            code = "".join(f"   {line}".rstrip() + "\n" for line in cell.answered().text.splitlines())
            parts += [f".. _solution-{cell.number.replace('.', '-')}:", ""]
            parts += _heading(f"### {cell.number.removeprefix('0')} {cell.title}")
            parts += [".. code-block:: python", "", code]
    return "\n".join(parts)


def timing_table() -> str:
    """Return what a lecturer plans with, as a table in Markdown."""
    rows = [
        f"| {x.number} | {x.title} | {x.minutes} | {len(x.exercises)} | {x.prerequisites} |" for x in lessons().values()
    ]
    minutes = sum(lesson.minutes for lesson in lessons().values())
    head = ["| | lesson | minutes | exercises | assumes |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows, f"| | together | {minutes} | | |"]) + "\n"


def write_sources(docs: Path) -> None:
    """Write the scripts that sphinx-gallery runs, and the page of solutions; what did not change is left alone."""
    target = docs / "_lessons"
    target.mkdir(exist_ok=True)
    pages = {f"{lesson.name}.py": gallery_script(lesson) for lesson in lessons().values()}
    pages["timing.md"] = timing_table()
    pages["GALLERY_HEADER.rst"] = to_rst((folder() / "README.md").read_text(encoding="utf-8"))
    texts = {docs / "solutions.rst": solutions_page()} | {target / name: text for name, text in pages.items()}
    update(texts, [*target.glob("*.py"), *docs.glob("course/[0-9]*.*")])


def update(texts: dict[Path, str], made: Iterable[Path]) -> None:
    """Write files that are not so already, and remove what was made from sources of other names."""
    sources = {path.name.split(".")[0] for path in texts}
    for old in made:
        if old.name.split(".")[0] not in sources:
            old.unlink()
    for path, text in texts.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_bytes(path, text)


# ---- what sphinx-gallery calls ----

_shown: weakref.WeakSet = weakref.WeakSet()


def scrape_figures(block, block_vars, gallery_conf):
    """Keep the picture of a cell whose last expression is a figure that pyplot does not know, as of mg.plots."""
    from matplotlib.figure import Figure
    from sphinx_gallery.scrapers import figure_rst

    figure = block_vars["example_globals"].get("___")
    if not isinstance(figure, Figure) or figure.canvas.manager or figure in _shown:
        return ""
    _shown.add(figure)
    path = next(block_vars["image_path_iterator"])
    figure.savefig(path, dpi=120)
    return figure_rst([path], gallery_conf["src_dir"])


def put_downloads(app) -> None:
    """Put the student's script and notebook in the place of those that sphinx-gallery made."""
    for lesson in lessons().values():
        base = Path(app.srcdir, "course", lesson.name)
        cells = exports.stub_cells(lesson)
        files = {".py": exports.script(cells), ".ipynb": exports.notebook(cells)}
        for ending, text in files.items():
            write_bytes(base.with_suffix(ending), text)
        with atomic_write(base.with_suffix(".zip")) as file, zipfile.ZipFile(file, "w") as archive:
            for ending, text in files.items():
                archive.writestr(zipfile.ZipInfo(lesson.name + ending), text)
