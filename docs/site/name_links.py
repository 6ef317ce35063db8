"""Code in a text that names a task, method, source, suite, word of the Python API or page leads there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from card_pages import CARDS
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_NO_LINK_IN = (nodes.reference, nodes.title, nodes.literal_block)
_TYPES_IN = (nodes.classifier, nodes.term)
_PAGE = re.compile(r"docs/([a-z-]+)\.md")
_WORD = re.compile(r"(?:mirbench\.)?(\w+(?:\.\w+)?)(?:\(.*\))?")
_NAME_IN_COMMAND = re.compile(r"((?:--task|--method|--source|choose|get|reproduce|show|sweep) )([\w-]+)")
_MANY_MEANINGS = {"run", "task", "source", "predict", "compare"}
"""Words that mean a function where they are called or follow ``mirbench.``, and may mean something else alone."""


class NameLinks(SphinxPostTransform):
    """Wraps such code in a link, but for that in titles and in links, and that on the page itself."""

    default_priority = 5
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Look at all code of a page, and at the types of parameters."""
        for node in list(self.document.findall(nodes.literal)):
            if _is_inside(node):
                continue
            if link := self._link(node.astext(), node.deepcopy()):
                node.replace_self(link)
            elif " " in node.astext():
                node[:] = [self._name_in(word) for word in re.split(_NAME_IN_COMMAND, node.astext()) if word]
        typed = [part for kind in _TYPES_IN for part in self.document.findall(kind)]
        for text in [text for part in typed for text in part.findall(nodes.Text)]:
            if not _is_inside(text):
                text.parent.replace(text, list(self._linked(text.astext())))

    def _name_in(self, word: str) -> nodes.Node:
        """A part of a command, as a link where it is a name."""
        return (self._link(word, nodes.Text(word)) if word in CARDS else None) or nodes.Text(word)

    def _linked(self, types: str) -> Iterator[nodes.Node]:
        """The types that a parameter takes, in words, with links to the classes of mirbench among them."""
        for word in re.split(r"(\w+)", types):
            yield (self._link(word, nodes.Text(word)) if word[:1].isupper() else None) or nodes.Text(word)

    def _link(self, text: str, shown: nodes.Node) -> nodes.reference | None:
        page, anchor = self._place(text)
        if page in ("", self.env.docname):
            return None
        uri = self.app.builder.get_relative_uri(self.env.docname, page) + (f"#{anchor}" if anchor else "")
        return nodes.reference("", "", shown, refuri=uri, internal=True)

    def _place(self, text: str) -> tuple[str, str]:
        """The page of what a piece of code names, and the anchor there; "" for none."""
        if (card := text.removesuffix("-demo")) in CARDS:  # a stand-in is told of where the task is
            return CARDS[card], ""
        if (page := _PAGE.fullmatch(text)) and page[1] in self.env.found_docs:
            return page[1], ""
        found = _WORD.fullmatch(text)
        if found and not (found[1] == text and text in _MANY_MEANINGS):
            objects = self.env.domains.python_domain.objects
            for name in (found[1], found[1].partition(".")[0]):  # a field is told of where its class is
                if held := objects.get(f"mirbench.{name}"):
                    return held.docname, held.node_id
        return "", ""


def _is_inside(node: nodes.Node) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, _NO_LINK_IN) or "pending" in type(node).__name__:
            return True
    return False


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the transform."""
    app.add_post_transform(NameLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
