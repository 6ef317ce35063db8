"""What a notebook shows of an object: a small table or a text, in which nothing of anybody's becomes markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from mirbench.plain_text import printable

__all__ = ["facts", "grid", "text"]


def text(lines: str) -> str:
    """Lines as they are."""
    return f"<pre>{escape(lines)}</pre>"


def facts(title: str, pairs: Iterable[tuple[str, object]]) -> str:
    """A title, and a line for each fact that is known."""
    rows = "".join(f"<tr><th>{_cell(name)}</th><td>{_cell(value)}</td></tr>" for name, value in pairs if value != "")
    return f"<p><b>{_cell(title)}</b></p><table>{rows}</table>"


def grid(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A title, and a table."""
    head = "".join(f"<th>{_cell(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<p><b>{_cell(title)}</b></p><table><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    return escape(printable(value, 300))
