"""How the pages of this folder become a site: ``sphinx-build -W -n docs docs/_build``, without a network."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "site"))
PROJECT = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = PROJECT["name"]
version = release = PROJECT["version"]
author = "the authors of mirbench"
copyright = f"{author}, MIT licence"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "api_members",
    "card_pages",
    "leaderboard_page",
    "name_links",
    "repository_pages",
]
exclude_patterns = ["README.md", "_build", "examples", "site"]
templates_path = ["site/templates"]
nitpicky = True
# Pages in markdown are read on a code host too, and link as it does: by file and by the anchors of headings there.
myst_heading_anchors = 4
# Single backticks in docstrings are code; `name_links` makes links of those that it knows.
default_role = "literal"
# Quotes and dashes are written as they are meant; two hyphens are a flag.
smartquotes = False

# The Python API, without types in signatures: numpydoc's sections say them in words.
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
# What the methods of a context take is told by the class and by one line each; a protocol's constructor takes nothing.
numpydoc_validation_exclude = {r"\.(BoundSource|Context)\.", r"mirbench\.(Method|Restorable)$"}
numpydoc_validation_checks = {"GL01", "GL03", "GL07", "PR01", "PR02", "PR10", "SS03", "YD01"}

# The gallery runs on synthesised audio; what is kept from one build to the next is what mirbench itself keeps. Packs of
# results that this machine has are no part of the site.
os.environ["MIRBENCH_CACHE"] = str(DOCS / "_build" / "cache")
os.environ["MIRBENCH_RESULTS"] = str(DOCS / "_build" / "no-results")
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib", "gallery_runs.leave_no_records"),
    "reset_modules_order": "both",
    "backreferences_dir": "gallery/of",
    "doc_module": ("mirbench",),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 3600,
    "write_computation_times": False,
    "remove_config_comments": True,
}

html_theme = "furo"
html_title = f"mirbench {version}"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_use_index = False
html_theme_options = {
    "navigation_with_keys": True,
    # the colours of the leaderboard's page
    "light_css_variables": {"color-brand-primary": "#0072b2", "color-brand-content": "#0072b2"},
    "dark_css_variables": {"color-brand-primary": "#66bdf0", "color-brand-content": "#66bdf0"},
}
copybutton_exclude = ".linenos, .gp, .go"
