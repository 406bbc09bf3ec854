"""Sphinx extension: what has to hold for the site as a whole. What does not is a warning, and so stops `make docs`.

- Every public name of minigan has its place in the reference.
- Every paper that a docstring, lesson or example cites by author and year stands in the bibliography.
- No page fetches anything from the network.
"""

import inspect
import re
from importlib import import_module
from pathlib import Path

from sphinx.util import logging

MODULES = ["checking", "data", "errors", "losses", "metrics", "nn", "nn.init", "optim", "penalties", "plots"]
MODULES += ["random", "training"]

# Links are for readers to follow; these are what a browser loads by itself.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|video|source)\b[^>]*\bsrc="https?:[^"]*"|<link\b[^>]*\bhref="https?:[^"]*\""""
)

CITED = re.compile(r"([^\W\d_]{2,})(?: et al\.| (?:&|and) (?:[a-z]+ ){0,2}[^\W\d_]+),? \(?((?:19|20)\d\d)\b")

logger = logging.getLogger(__name__)


def public_names():
    """Yield every public name, as ``minigan.relu`` or ``minigan.nn.Dense``."""
    import minigan

    names = [name for name in minigan.__all__ if name not in minigan._SUBMODULES]
    yield from (f"minigan.{name}" for name in names if minigan._HOME_OF[name].rpartition(".")[2] not in MODULES)
    for path in MODULES:
        module = import_module(f"minigan.{path}")
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        ]
        yield from (f"minigan.{path}.{name}" for name in names if not inspect.ismodule(getattr(module, name)))


def check_reference(app, env):
    documented = env.get_domain("py").objects
    for name in sorted(set(public_names()) - set(documented)):
        logger.warning("%s is public, but docs/api does not show it", name)


def check_bibliography(app, env):
    papers = " ".join(Path(app.srcdir, "bibliography.md").read_text(encoding="utf-8").split()).split("- ")
    for folder in ("minigan", "lessons", "examples"):
        for path in sorted(Path(app.srcdir, "..", folder).rglob("*.py")):
            for author, year in CITED.findall(path.read_text(encoding="utf-8")):
                if not any(author in paper and year in paper for paper in papers):
                    logger.warning("%s cites %s, %s, which docs/bibliography.md does not have", path.name, author, year)


def remove_fonts(app, pagename, templatename, context, doctree):
    """Take the icon font that matplotlib's animations ask a server for: the theme has those icons."""
    if "body" in context:
        context["body"] = re.sub(
            r'<link rel="stylesheet"\s+href="https?://[^"]*font-awesome[^"]*">', "", context["body"]
        )


def check_pages(app, exception):
    if exception is None and app.builder.format == "html":
        for path in sorted(Path(app.outdir).rglob("*.html")):
            for found in FETCHED.findall(path.read_text(encoding="utf-8")):
                logger.warning("%s fetches from the network: %s", path.relative_to(app.outdir), found[:200])


def setup(app):
    app.connect("env-updated", check_reference)
    app.connect("env-updated", check_bibliography)
    app.connect("html-page-context", remove_fonts)
    app.connect("build-finished", check_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
