"""Files of the repository's root that are pages of the site too, and links to them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
COPIED = {"CONTRIBUTING.md": "docs/project/contributing.md", "CHANGELOG.md": "docs/project/changelog.md"}
"""Files of the root, and where their copies lie."""
_SHOWN_AS = {**COPIED, "README.md": "docs/index.rst", "docs/README.md": "docs/index.rst"}
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")


def relinked(text: str, page: str, shown: str) -> str:
    """A text in markdown whose links lead to pages of the site, where their targets are some.

    Parameters
    ----------
    page : str
        Path of the text in the repository, from which its links go out.
    shown : str
        Path of the page that it is shown on.
    """

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), found[1]))
        target = _SHOWN_AS.get(target, target)
        return posixpath.relpath(target, posixpath.dirname(shown)) + (found[2] or "")

    return _LINK.sub(link, text)


def write_if_new(path: Path, text: str) -> None:
    """Write a file unless it holds this text already: an old page is not read again."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _copy(app: Sphinx) -> None:
    for name, shown in COPIED.items():
        write_if_new(ROOT / shown, relinked((ROOT / name).read_text(encoding="utf-8"), name, shown))


def _relink(app: Sphinx, docname: str, content: list[str]) -> None:
    path = Path(app.env.doc2path(docname))
    if path.suffix == ".md" and path.parent == Path(app.srcdir):
        page = f"docs/{path.name}"
        content[0] = relinked(content[0], page, page)


def setup(app: Sphinx) -> dict[str, Any]:
    """Copy before pages are looked for; rewrite links of the pages of docs as they are read."""
    app.connect("builder-inited", _copy)
    app.connect("source-read", _relink)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
