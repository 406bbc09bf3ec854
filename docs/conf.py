"""Settings of the documentation (`make docs`). Nothing is fetched while it is built."""

import minigan

project = "minigan"
author = "The minigan authors"
copyright = author
release = version = minigan.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
numpydoc_show_class_members = False  # autodoc lists them already
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"

html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False}
