"""Settings of the documentation (`make docs`). Nothing is fetched while it is built."""

import os
import sys
from pathlib import Path

import minigan

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import lesson_pages  # noqa: E402

project = "minigan"
author = "The minigan authors"
copyright = author
release = version = minigan.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx_gallery.gen_gallery"]
# The folder that this is built in may have a space in its name; the names of the pages have none.
suppress_warnings = ["sphinx_gallery.space_in_filename"]
exclude_patterns = ["_build", "_lessons"]
myst_heading_anchors = 3
numpydoc_show_class_members = False  # autodoc lists them already
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"

html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False}

os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(HERE / "_build" / "hypothesis"))
lesson_pages.write_sources(HERE)
sphinx_gallery_conf = {
    "examples_dirs": "_lessons",
    "gallery_dirs": "course",
    "filename_pattern": r"\d\d_\w+\.py",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("matplotlib", "lesson_pages.scrape_figures"),
    "matplotlib_animations": True,
    "capture_repr": (),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "remove_config_comments": True,
}


def setup(app):
    """Exchange the gallery's downloads for the student's files as soon as it has made its own."""
    app.connect("builder-inited", lesson_pages.put_downloads, priority=900)
