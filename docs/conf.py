"""Settings of the documentation (`make docs`). Nothing is fetched while it is built or read."""

import os
import sys
from pathlib import Path

import minigan

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import example_pages  # noqa: E402
import lesson_pages  # noqa: E402
import make_pictures  # noqa: E402

project = "minigan"
author = "The minigan authors"
copyright = author
release = version = minigan.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "site_checks",
]
# The folder that this is built in may have a space in its name; the names of the pages have none.
suppress_warnings = ["sphinx_gallery.space_in_filename"]
exclude_patterns = ["_build", "_lessons", "_examples"]
default_role = "py:obj"  # `name` in a docstring links to what it names
myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 3
numpydoc_show_class_members = False  # autodoc lists them already
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "minigan"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"index": [], "bibliography": [], "notation": [], "getting-started": []}
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
}

os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(HERE / "_build" / "hypothesis"))
make_pictures.make(make_pictures.missing())
lesson_pages.write_sources(HERE)
example_pages.write_sources(HERE)
sphinx_gallery_conf = {
    "examples_dirs": ["_lessons", "_examples"],
    "gallery_dirs": ["course", "gallery"],
    "filename_pattern": rf"_lessons\W\d\d_\w+\.py|_examples\W({'|'.join(example_pages.RUN)})\.py",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("matplotlib", "lesson_pages.scrape_figures"),
    "matplotlib_animations": True,
    "capture_repr": (),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "default_thumb_file": str(HERE / "images" / "graph.png"),
    "show_signature": False,
    "write_computation_times": False,
    "remove_config_comments": True,
}


def setup(app):
    """Exchange the gallery's downloads for the student's files as soon as it has made its own."""
    app.connect("builder-inited", lesson_pages.put_downloads, priority=900)
