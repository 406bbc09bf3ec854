"""The report: one page that needs nothing else and lets nothing in."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from minigan import plots
from minigan.errors import ConfigError, DataError
from minigan.plots.report import in_words

HOSTILE = "<script>alert(1)</script> \" ' & {{ 7 * 7 }} <img src=x onerror=y>"
VOID = {"meta", "img", "br", "link"}
# fmt: off
HARMLESS = {
    "html", "head", "meta", "title", "style", "body", "main", "section", "h1", "h2", "p", "div",
    "figure", "img", "figcaption", "table", "thead", "tbody", "tr", "th", "td",
}
# fmt: on


class Page(HTMLParser):
    """Every tag with its attributes, the text, and a check that tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def gif(tmp_path):
    frames = [np.full((8, 8, 3), value, dtype=np.uint8) for value in (0, 255)]
    return plots.animate(frames, tmp_path / "training.gif")


@pytest.fixture
def content(records, gif):
    return {
        "title": HOSTILE,
        "words": ["It learnt.", HOSTILE],
        "facts": {"seed": 3, "loss": HOSTILE, HOSTILE: 1},
        "figures": [plots.Picture(plots.losses(records), HOSTILE, HOSTILE)],
        "metrics_table": [{"metric": HOSTILE, "value": 0.123456}, {"metric": "modes", "value": 4}],
        "animation": plots.Picture(str(gif), "Training.", "Black turns white.", photo=True),
    }


@pytest.fixture
def page(content, tmp_path):
    assert plots.render_report(tmp_path / "report.html", **content) == tmp_path / "report.html"
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_holds_everything_it_was_given(page, gif):
    parsed = Page(page)
    for text in ("It learnt.", "Training.", "seed", "0.1235", "modes", HOSTILE):
        assert text in parsed.text
    animation, losses = parsed.all("img")
    assert animation["alt"] == "Black turns white."
    assert base64.b64decode(animation["src"].removeprefix("data:image/gif;base64,")) == gif.read_bytes()
    assert base64.b64decode(losses["src"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert (animation["class"], losses["class"]) == ("photo", "chart")


def test_nothing_comes_from_outside(page):
    parsed = Page(page)
    without_images = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", without_images)
    assert {tag for tag, _ in parsed.tags} <= HARMLESS
    assert all(attributes["src"].startswith("data:") for attributes in parsed.all("img"))
    policy = next(m["content"] for m in parsed.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy


def test_hostile_text_stays_text(page):
    parsed = Page(page)
    assert parsed.all("script") == []
    assert len(parsed.all("img")) == 2
    assert "49" not in parsed.text
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)
    assert parsed.all("img")[1]["alt"] == HOSTILE


def test_it_fits_a_phone_and_the_dark(page):
    viewport = next(m["content"] for m in Page(page).all("meta") if m.get("name") == "viewport")
    assert "width=device-width" in viewport
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_a_table_and_an_animation_are_optional(content, tmp_path):
    content.update(metrics_table=None, animation=None)
    plots.render_report(tmp_path / "r.html", **content)
    parsed = Page((tmp_path / "r.html").read_text())
    assert "Measured" not in parsed.text
    assert len(parsed.all("img")) == 1


def test_one_string_of_words_is_a_clear_error(content, tmp_path):
    content["words"] = "It learnt."
    with pytest.raises(ConfigError, match="expected a list of paragraphs"):
        plots.render_report(tmp_path / "r.html", **content)


def test_a_picture_needs_alternative_text(content, records, tmp_path):
    content["figures"] = [plots.Picture(plots.losses(records), "Losses", " ")]
    with pytest.raises(ConfigError, match="'Losses' has no alternative text"):
        plots.render_report(tmp_path / "r.html", **content)


@pytest.mark.parametrize("name", ["missing.png", "picture.svg"])
def test_a_file_that_is_no_picture_is_a_clear_error(content, tmp_path, name):
    (tmp_path / "picture.svg").write_text("<svg/>")
    content["figures"] = [plots.Picture(tmp_path / name, "caption", "alt")]
    with pytest.raises(DataError, match=f"{name} is not a PNG or GIF file"):
        plots.render_report(tmp_path / "r.html", **content)
    assert not (tmp_path / "r.html").exists()


def test_a_row_without_a_column_is_a_clear_error(content, tmp_path):
    content["metrics_table"] = [{"metric": "W1", "value": 1}, {"metric": "modes"}]
    with pytest.raises(ConfigError, match=r"lacks \['value'\]"):
        plots.render_report(tmp_path / "r.html", **content)


@pytest.mark.parametrize(
    ("value", "text"),
    [(6000, "6,000"), (0.0312345, "0.03123"), (True, "yes"), (None, "–"), ([0.0, 0.9], "0, 0.9"), (np.int64(12), "12")],
)
def test_values_are_written_for_readers(value, text):
    assert in_words(value) == text
