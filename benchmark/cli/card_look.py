"""How cards look: what a thing is, facts, options with their meaning, and commands to go on with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mirbench.plain_text import printable
from mirbench.terminal import Words

__all__ = ["Card", "Option", "look"]


class Option(NamedTuple):
    """A setting: its default, what it takes, what it means."""

    name: str
    default: str
    takes: str
    meaning: str = ""


@dataclass(frozen=True)
class Card:
    """What is shown of a task, a method or a source.

    Parameters
    ----------
    kind, name, version, summary : str
    text : sequence of str
        Paragraphs.
    facts : sequence of (str, str)
        A label, which may come several times, and what is said; "" is left out.
    options : sequence of Option
    flag : str
        What sets an option.
    commands : sequence of str
    """

    kind: str
    name: str
    version: str = ""
    summary: str = ""
    text: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    options: Sequence[Option] = ()
    flag: str = ""
    commands: Sequence[str] = ()


def look(card: Card) -> Iterator[RenderableType]:
    """The parts of a card, from top to bottom."""
    version = f", version {card.version}" if card.version else ""
    yield Text.assemble((printable(card.name), "bold"), (f"  {card.kind}{printable(version)}", "dim"))
    for paragraph in filter(None, (card.summary, *card.text)):
        yield Words(paragraph)
    if any(said for _, said in card.facts):
        yield Text("")
        yield _facts(card)
    if card.options:
        yield Text(f"\nOptions ({card.flag})", "bold")
        yield _options(card)
    if card.commands:
        yield Text("\nCommands", "bold")
        yield from (Padding(Words(line), (0, 0, 0, 2)) for line in card.commands)


def _facts(card: Card) -> Table:
    """A label is said once, however many lines it has."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    before = ""
    for label, said in card.facts:
        if said:
            grid.add_row(Text("" if label == before else label, "dim", no_wrap=True), Words(said, whole=True))
            before = label
    return grid


def _options(card: Card) -> Table:
    """An option a line, what it takes and means below where there is no room beside."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, default, takes, meaning in card.options:
        said = " ".join(filter(None, (meaning, f"({takes})" if takes else "")))
        grid.add_row(Text(f"  {printable(name)}", "cyan", no_wrap=True), Words(default), Words(said))
    return grid
