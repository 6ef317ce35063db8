"""A page for every task, method, source and suite, from the same cards that `mirbench show` prints."""

from __future__ import annotations

import functools
import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from docutils import nodes
from repository_pages import ROOT, write_if_new
from sphinx.util.docutils import SphinxDirective

from mirbench.cli.card_look import Card, Option
from mirbench.cli.cards import card_of
from mirbench.registry import Catalogue
from mirbench.runs.suite import shipped, titles
from mirbench.tables import families, modifiers, table

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_CATALOGUE = Catalogue()
_OF_THIS_MACHINE = ("missing",)
_NAMES: dict[str, dict[str, str]] = {
    "task": {name: entry.summary for name, entry in table("task").items() if not name.endswith("-demo")},
    "method": {name: entry.summary for name, entry in table("method").items()},
    "source": {name: entry.summary for name, entry in table("source").items()},
    "suite": titles(),
}
"""Names of each kind with their line in the registry. Stand-ins are told of on the card of what they stand in for."""
CARDS = {name: f"cards/{kind}s/{name}" for kind, names in _NAMES.items() for name in names}
"""The page of each name."""
_INTRODUCED = {
    "task": "Labelled clips and how they are scored. What a card says is what ``mirbench show NAME`` prints; "
    ":doc:`/data` tells how data are fetched, and how music of yours becomes a task.",
    "method": "Ways to learn a task, with a frozen source or without one. A card has every hyperparameter "
    "(``--set NAME=VALUE``), as ``mirbench show NAME`` prints them; see :doc:`/methods`.",
    "source": "Frozen pretrained networks: what they hear, what they were trained on, and under which licence. A card "
    "has every option (``--source-set NAME=VALUE``); see :doc:`/methods`.",
    "suite": "Many runs in a file: ``mirbench sweep NAME`` does them, and ``mirbench reproduce NAME`` puts a paper's "
    "printed results beside them; see :doc:`/papers` and :doc:`/runs`.",
}


def _pages(app: Sphinx) -> None:
    """Write the page of each name, and one that names them all."""
    folder = ROOT / "docs" / "cards"
    for kind, names in _NAMES.items():
        title = f"All {kind}s"
        inside = "\n".join(f"   {kind}s/{name}" for name in names)
        text = f"{title}\n{'=' * len(title)}\n\n{_INTRODUCED[kind]}\n\n.. cards-of:: {kind}\n\n"
        text += f".. toctree::\n   :hidden:\n\n{inside}\n"
        write_if_new(folder / f"{kind}s.rst", text)
        for name in names:
            page = f"{name}\n{'=' * len(name)}\n\n.. card-of:: {kind} {name}\n"
            write_if_new(folder / f"{kind}s" / f"{name}.rst", page)
        for old in set((folder / f"{kind}s").glob("*.rst")) - {folder / f"{kind}s" / f"{name}.rst" for name in names}:
            old.unlink()


class CardOf(SphinxDirective):
    """The card of one thing: ``.. card-of:: KIND NAME``."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        """Its parts, from top to bottom."""
        kind, name = self.arguments
        return list(_suite(name) if kind == "suite" else _card(kind, card_of(name, _CATALOGUE)))


class CardsOf(SphinxDirective):
    """A table of all of a kind: ``.. cards-of:: KIND``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table, and below it what takes an argument."""
        (kind,) = self.arguments
        head, rows = _OVERVIEWS[kind]()
        found: list[nodes.Node] = [_table(head, rows, "mirbench-overview")]
        if kind in ("task", "source"):
            written = [(_code(name), entry.summary) for name, entry in families(kind).values()]
            found += [nodes.rubric("", f"Families of {kind}s"), _table(("name", "what"), written)]
        if kind == "task":
            words = [(_code(name), entry.summary) for name, entry in modifiers().values()]
            found += [nodes.rubric("", "Modifiers, behind the name of a task"), _table(("name", "what"), words)]
        return found


# What a card shows


def _card(kind: str, card: Card) -> Iterator[nodes.Node]:
    version = f", version {card.version}" if card.version else ""
    yield nodes.paragraph("", f"{card.kind}{version}", classes=["mirbench-kind"])
    yield nodes.paragraph("", "", *_words(card.summary), classes=["mirbench-summary"])
    yield from (nodes.paragraph("", "", *_words(part)) for part in card.text)
    facts = [(label, said) for label, said in card.facts if said and label not in _OF_THIS_MACHINE]
    rows: list[tuple[Any, Any]] = []
    for label, group in itertools.groupby(facts, key=lambda fact: fact[0]):
        rows.append((label, [nodes.paragraph("", "", *_words(said)) for _, said in group]))
    rows += [(label, _listed(names)) for label, names in _related(kind, card.name) if names]
    yield _table((), rows, "mirbench-facts")
    if card.options:
        yield nodes.rubric("", f"Options ({card.flag})")
        options = [(_code(option.name), _code(option.default), _meaning(option)) for option in card.options]
        yield _table(("name", "default", "what"), options, "mirbench-options")
    if card.commands:
        yield nodes.rubric("", "Commands")
        yield nodes.literal_block("", "\n".join(card.commands), language="sh")


def _meaning(option: Option) -> str:
    return " ".join(filter(None, (option.meaning, f"({option.takes})" if option.takes else "")))


def _related(kind: str, name: str) -> Iterator[tuple[str, list[str]]]:
    """What else there is for it: sources that a method can use, the other way round, and suites that name it."""
    if kind == "method":
        needs = {*_CATALOGUE.method(name).needs}
        yield "sources", [s for s in _NAMES["source"] if needs and needs <= {*_CATALOGUE.source(s).offers}]
    if kind == "source":
        offers = {*_CATALOGUE.source(name).offers}
        needed = {method: {*_CATALOGUE.method(method).needs} for method in _NAMES["method"]}
        yield "methods", [method for method, needs in needed.items() if needs and needs <= offers]
    yield "suites", [suite for suite, names in _named().items() if name in names]


@functools.cache
def _named() -> dict[str, set[str]]:
    """What each suite names."""
    return {suite: {*_strings(tomllib.loads(path.read_text("utf-8")))} for suite, path in shipped().items()}


def _strings(held: Any) -> Iterator[str]:
    """Every string in a suite."""
    if isinstance(held, str):
        yield held
    elif isinstance(held, dict | list):
        for inside in held.values() if isinstance(held, dict) else held:
            yield from _strings(inside)


def _suite(name: str) -> Iterator[nodes.Node]:
    text = shipped()[name].read_text("utf-8")
    held = tomllib.loads(text)
    yield nodes.paragraph("", "suite", classes=["mirbench-kind"])
    yield nodes.paragraph("", held["title"])
    named = _named()[name]
    kinds = ((f"{kind}s", [known for known in _NAMES[kind] if known in named]) for kind in ("task", "method", "source"))
    yield _table((), [(label, _listed(names)) for label, names in kinds if names], "mirbench-facts")
    yield nodes.rubric("", "Commands")
    printed = [f"mirbench reproduce {name}"] if name in titles(printed=True) else []
    yield nodes.literal_block("", "\n".join([f"mirbench sweep {name} --dry-run", *printed]), language="sh")
    yield nodes.rubric("", "Text")
    yield nodes.literal_block("", text, language="toml")


# Tables of all names


def _tasks() -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    rows = []
    for name, summary in _NAMES["task"].items():
        task = _CATALOGUE.task(name)
        n_clips = f"{task.n_clips:,}" if task.n_clips else "—"
        rows.append((_code(name), summary, str(len(task.classes)), n_clips, _got(task)))
    return ("task", "what", "classes", "clips", "audio"), rows


def _got(task: Any) -> str:
    n_bytes = sum(archive.n_bytes or 0 for archive in task.archives)
    size = f", {n_bytes / 1e9:.1f} GB" if n_bytes >= 1e8 else f", {n_bytes / 1e6:.0f} MB" if n_bytes else ""
    return f"fetched{size}" if task.archives else "by hand"


def _methods() -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    needs = {name: ", ".join(_CATALOGUE.method(name).needs) for name in _NAMES["method"]}
    rows = [(_code(name), summary, needs[name] or "no source") for name, summary in _NAMES["method"].items()]
    return ("method", "what", "needs"), rows


def _sources() -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    rows = []
    for name, summary in _NAMES["source"].items():
        card = _CATALOGUE.source(name)
        window = f"{card.seconds:g} s at {card.sample_rate / 1000:g} kHz".replace(" ", "\N{NO-BREAK SPACE}")
        n_parameters = f"{card.n_parameters / 1e6:.1f} M" if card.n_parameters else "—"
        rows.append((_code(name), summary.partition(" (")[0], n_parameters, f"{card.n_features:,}", window))
    return ("source", "what", "parameters", "features", "window"), rows


def _suites() -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    return ("suite", "what"), [(_code(name), title) for name, title in _NAMES["suite"].items()]


_OVERVIEWS = {"task": _tasks, "method": _methods, "source": _sources, "suite": _suites}


# Nodes


def _code(text: str) -> nodes.literal:
    return nodes.literal("", text)


def _words(text: str) -> list[nodes.Node]:
    """A line as nodes: addresses are links, what stands in backticks is code."""
    found: list[nodes.Node] = []
    for part in re.split(r"(`+[^`]+`+|https?://[^\s;)]*[^\s;).,]|(?<!\S)--[a-z][a-z-]+)", text):
        if part.startswith("`") and part.endswith("`") and len(part) > 2:
            found.append(_code(part.strip("`")))
        elif part.startswith("--"):
            found.append(_code(part))
        elif part.startswith("http"):
            found.append(nodes.reference("", part, refuri=part, internal=False))
        elif part:
            found.append(nodes.Text(part))
    return found


def _listed(names: Iterable[str]) -> list[nodes.Node]:
    between = itertools.chain.from_iterable((nodes.Text(", "), _code(name)) for name in names)
    return [nodes.paragraph("", "", *list(between)[1:])]


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]], *classes: str) -> nodes.table:
    """A table whose cells are texts, nodes, or lists of paragraphs."""
    n_columns = len(rows[0])
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in range(n_columns)), cols=n_columns)
    if head:
        group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group, classes=["colwidths-auto", *classes])


def _row(cells: Sequence[Any]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", *_cell(cell), classes=_side(cell)) for cell in cells))


def _side(held: Any) -> list[str]:
    """Numbers stand below one another."""
    return ["right"] if isinstance(held, str) and re.fullmatch(r"[\d.,]+( M)?|—", held) else []


def _cell(held: Any) -> list[nodes.Node]:
    if isinstance(held, list):
        return held
    return [nodes.paragraph("", "", *(_words(held) if isinstance(held, str) else [held]))]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives, and write the pages before pages are looked for."""
    app.add_directive("card-of", CardOf)
    app.add_directive("cards-of", CardsOf)
    app.connect("builder-inited", _pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
