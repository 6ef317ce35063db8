"""The leaderboard as one HTML file: tables, plots and records, offline, with nothing to install or to fetch.

Plotly and DataTables (as itables bundles it) travel inside, compressed, and are unpacked by the browser when they are
needed. Whatever comes from records is one block of JSON, which scripts put into the page as text, never as markup; a
content security policy forbids the page every connection.
"""

from __future__ import annotations

import base64
import gzip
import html
import importlib.util
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mirbench.errors import MissingExtra
from mirbench.leaderboard.page.facts import described
from mirbench.leaderboard.page.source_facts import SourceFacts
from mirbench.leaderboard.table import Board
from mirbench.plain_text import printable

__all__ = ["SourceFacts", "page"]

_LIBRARIES = {"plotly": "package_data/plotly.min.js", "itables": "html/dt_bundle.js"}

_SCRIPTS = (
    "parts.js", "address.js", "sorting.js", "columns.js", "ranking.js", "saving.js", "classes.js", "plots.js",
    "pareto.js", "curves.js", "record.js", "comparing.js", "over_tasks.js", "source.js", "print.js", "page.js",
)  # fmt: skip
"""In the order of their use; together they are one module."""


def page(
    boards: Sequence[Board], *, title: str = "mirbench leaderboard", sources: Mapping[str, SourceFacts] = {}
) -> str:
    """The page of some tables.

    Parameters
    ----------
    sources : mapping of str to SourceFacts
        What cards say of sources, by their names.

    Returns
    -------
    str
        A whole HTML document.

    Raises
    ------
    MissingExtra
        If plotly or itables is not installed.
    BadInput
        If scores or curves of a run cannot be read.
    """
    parts = {
        "title": html.escape(title),
        "style": _own("page.css"),
        "data": _data(described(boards, title, sources)),
        "plotly": _packed("plotly"),
        "itables": _packed("itables"),
        "script": "\n".join(map(_own, _SCRIPTS)),
    }
    first, *rest = _own("page.html").split("{{")
    filled = [first]
    for piece in rest:
        name, _, after = piece.partition("}}")
        filled += [parts[name], after]
    return "".join(filled)


def _data(held: Any) -> str:
    return json.dumps(_shown(held), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _shown(value: Any) -> Any:
    """The same with every text as one printable line: what turns the direction of writing turns the page."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list | tuple):
        return [item if type(item) is float else _shown(item) for item in value]  # of which most are numbers
    return {_shown(name): _shown(item) for name, item in value.items()} if isinstance(value, Mapping) else value


def _own(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _packed(package: str) -> str:
    """A library's script, as base64 of gzip: a third of its size, and inert until it is unpacked."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtra("the page", package, "page")
    script = Path(spec.origin).parent / _LIBRARIES[package]
    return base64.b64encode(gzip.compress(script.read_bytes(), mtime=0)).decode("ascii")
