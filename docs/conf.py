"""Sphinx: ``make docs`` builds the site from these pages, offline and without a warning."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "src")]

from scripts.commands_page import commands_page  # noqa: E402

from parsimony.version import __version__  # noqa: E402

project = "Parsimony"
author = "The Parsimony developers"
copyright = author
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nb_execution_mode = "off"  # they are kept as run (scripts/run_notebooks.py), and tests run them
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
highlight_language = "none"

html_theme = "furo"
html_title = f"Parsimony {__version__}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}

# Of the command line, from what the program itself says.
(HERE / "reference" / "commands.md").write_text(commands_page(), encoding="utf-8")


def _outside(app: Any, page: str, source: list[str]) -> None:
    """Name what lies in the repository beside docs; a link to it would lead out of the site."""

    def named(link: re.Match[str]) -> str:
        target = (HERE / page).parent / link[2]
        beside = os.path.relpath(target, HERE.parent)
        return link[0] if beside.startswith("docs/") else f"{link[1]} (`{beside}`)"

    source[0] = re.sub(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#]+)[^)]*\)", named, source[0])


def setup(app: Any) -> None:
    """Register what is done to the pages as they are read."""
    app.connect("source-read", _outside)
