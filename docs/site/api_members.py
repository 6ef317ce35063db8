"""Which members of a class its page in the API reference has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_MADE_BY_PYTHON = ("Alias for field number", "Return a new ")


def _skip(app: Sphinx, what: str, name: str, found: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what the parameters of a tuple with names say already."""
    return True if str(getattr(found, "__doc__", "")).startswith(_MADE_BY_PYTHON) else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to what members are asked for."""
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
