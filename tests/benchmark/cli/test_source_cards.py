"""Cards of sources for the page."""

from __future__ import annotations

from types import SimpleNamespace as Some
from typing import Any

from mirbench.cli.source_cards import source_cards


def table(*sources: str) -> Any:
    return Some(rows=[Some(system=Some(record=Some(spec=Some(source=name)))) for name in sources])


def test_cards_of_own_sources_alone_are_handed_in() -> None:
    found = source_cards([table("nano", "features:x.npz"), table("nano", "", "of-a-plugin")])
    assert list(found) == ["nano"]


def test_card_says_licence_and_what_it_was_trained_on_but_nothing_of_this_machine() -> None:
    facts = source_cards([table("ast")])["ast"].facts
    labels = [label for label, _ in facts]
    assert {"licence", "trained on", "reference", "parameters"} <= set(labels)
    assert "missing" not in labels
