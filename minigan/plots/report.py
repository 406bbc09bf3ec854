"""The report of a run: one HTML page that holds its pictures and needs nothing else, neither files nor network."""

import base64
import numbers
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from minigan.errors import ConfigError, DataError
from minigan.files import write_bytes
from minigan.plots.style import png_bytes

MEDIA_TYPES = {".png": "image/png", ".gif": "image/gif"}


class Picture(NamedTuple):
    """A picture of a report.

    Parameters
    ----------
    image : Figure, str or Path
        A matplotlib figure, or a PNG or GIF file.
    caption : str
        What the reader should see in it; stands below the picture.
    alt : str
        What it shows, for readers who cannot see it. Must not be empty.
    photo : bool
        True for grey images. A dark page turns a chart's light and dark around; a photo it leaves alone.
    """

    image: object
    caption: str
    alt: str
    photo: bool = False


def render_report(path, *, title, words, facts, figures, metrics_table=None, animation=None):
    """Write a self-contained HTML page about a run: words on top, then pictures, measurements and settings.

    All text is escaped; the page asks the browser to refuse anything from outside. It follows the reader's light or
    dark setting, fits a phone and prints.

    Parameters
    ----------
    path : str or Path
        File to write, replaced in one step. Its folder must exist.
    title : str
        Heading.
    words : sequence of str
        Paragraphs that say what the run shows.
    facts : dict of str to object
        The run's settings, in the order to show them.
    figures : sequence of Picture
        Pictures, the most telling first.
    metrics_table : sequence of dict, optional
        Rows of a table; the keys of the first are the columns.
    animation : Picture, optional
        The training animation; it comes first.

    Returns
    -------
    str or Path
        `path`, as given.

    Raises
    ------
    ConfigError
        If `words` is one string, a picture has no alternative text, or a row of the table lacks a column.
    DataError
        If a picture's file is missing, or is neither PNG nor GIF.
    """
    if isinstance(words, str):
        raise ConfigError("render_report: words is one string, expected a list of paragraphs")
    pictures = ([animation] if animation else []) + list(figures)
    columns = list(metrics_table[0]) if metrics_table else []
    environment = Environment(
        loader=PackageLoader("minigan.plots", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html.jinja").render(
        title=title,
        words=words,
        facts=[(name, in_words(value)) for name, value in facts.items()],
        pictures=[_embed(picture) for picture in pictures],
        columns=columns,
        rows=[_cells(row, columns) for row in metrics_table or []],
    )
    write_bytes(path, page.encode())
    return path


def in_words(value):
    """Write a value for a reader: four digits of a float, thousands apart in an integer, lists without brackets."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{value:,}"
    if isinstance(value, numbers.Real):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(in_words(item) for item in value)
    return str(value)


def _embed(picture):
    """Return what the template needs of a picture, its bytes as a data URI."""
    if not picture.alt.strip():
        raise ConfigError(f"render_report: the picture with caption {picture.caption!r} has no alternative text")
    if hasattr(picture.image, "savefig"):
        kind, data = "image/png", png_bytes(picture.image)
    else:
        file = Path(picture.image)
        kind = MEDIA_TYPES.get(file.suffix.lower())
        if kind is None or not file.is_file():
            raise DataError(f"render_report: {file} is not a PNG or GIF file that can be read")
        data = file.read_bytes()
    uri = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return {"uri": uri, "caption": picture.caption, "alt": picture.alt, "photo": picture.photo}


def _cells(row, columns):
    missing = [name for name in columns if name not in row]
    if missing:
        raise ConfigError(f"render_report: a row of metrics_table lacks {missing}, it has {list(row)}")
    return [{"text": in_words(row[name]), "number": isinstance(row[name], numbers.Real)} for name in columns]
