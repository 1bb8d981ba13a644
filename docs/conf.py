"""The documentation's site, by Sphinx: `make docs` writes it to build/docs."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import reference_pages

project, copyright = "millrace", "the millrace authors"  # noqa: A001  # Sphinx's name for it
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
html_theme, html_title = "furo", "millrace"
html_theme_options = {"source_edit_link": ""}
autodoc_typehints = "description"
default_role = "code"  # docstrings have `names` in single backticks
exclude_patterns = ["_build"]
# Pages of the repository that the site does not hold are linked as they are.
suppress_warnings = ["myst.xref_missing"]


def setup(app):
    """Write what is made from the code before the pages are read."""
    app.connect("builder-inited", lambda app: reference_pages.write(Path(app.srcdir)))
    app.connect("autodoc-process-docstring", _escape)


def _escape(app, what, name, described, options, lines):
    """A star in a docstring is one, and emphasises nothing; a letter may follow a `name`."""
    plain = (line.replace("*", r"\*") for line in lines)
    lines[:] = [re.sub(r"(`[^`]+`)(?=\w)", r"\1\\ ", line) for line in plain]
