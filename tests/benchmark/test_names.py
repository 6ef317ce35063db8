"""What things may be called."""

from __future__ import annotations

from typing import Literal

import pytest

from mirbench.methods import METHODS
from mirbench.methods.sources import SOURCES
from mirbench.names import confusable, unseen, wrong_name
from mirbench.plain_text import printable
from mirbench.tasks import TASKS

Kind = Literal["task", "method", "source"]


@pytest.mark.parametrize(("kind", "table"), [("task", TASKS), ("method", METHODS), ("source", SOURCES)])
def test_registered_names_are_names_that_nothing_is_confused_with(kind: Kind, table: dict[str, object]) -> None:
    assert [name for name in table if wrong_name(name, kind) or confusable(name)] == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gtzan+shots10+normalized", "task"),
        ("openmic+fraction0.1-draw1", "task"),
        ("folder:Песни", "task"),
        ("folder:日本の音楽 ジャンル", "task"),
        ("folder:हिन्दी गीत", "task"),
        ("folder:می\u200cخواهم", "task"),
        ("folder:👩\u200d🎤", "task"),
        ("csv:my list (2024), final.csv", "task"),
        ("músicas-do-mundo", "task"),
        ("hf:facebook/wav2vec2-base", "source"),
        ("features:vggish.npz", "source"),
        ("My_Probe.v2", "method"),
    ],
)
def test_name_is_accepted(name: str, kind: Kind) -> None:
    assert wrong_name(name, kind) == ""


WRONG = [
    "", ".", "..", "../up", "a/b", "/etc/passwd", "a\0b", "CON", "nul.txt", "aux+1", "a" * 300, "a\nb", "a\x1b[2J",
    "a\u202eb", "a\u200bb", "\ufeffa", "a\udc80", "-a", ".a", "a.", " a", "a ", "a\\b", "a*", "a:", ":a", None, 7,
]  # fmt: skip


@pytest.mark.parametrize("kind", ["task", "method", "source"])
@pytest.mark.parametrize("name", WRONG, ids=ascii)
def test_name_is_refused_in_one_printable_line(name: object, kind: Kind) -> None:
    fault = wrong_name(name, kind)
    assert fault
    assert fault.isprintable()


@pytest.mark.parametrize("name", ["folder:a\u202eb", "folder:a/../b", "folder:a\x07", "Ordner 1:x"])
def test_argument_of_a_family_is_no_way_out(name: str) -> None:
    assert wrong_name(name, "task")


def test_methods_and_sources_are_called_in_ascii() -> None:
    assert wrong_name("méthode", "method")
    assert wrong_name("источник", "source")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("рrior", "cyrillic and latin"),
        ("αlpha", "greek and latin"),
        ("folder:cafe\u0301", "normal form"),
        ("ｐrior", "another form"),
        ("folder:a\u00a0b", "another form"),
    ],
)
def test_name_that_may_be_taken_for_another_is_said(name: str, said: str) -> None:
    assert said in confusable(name)


@pytest.mark.parametrize("name", ["folder:Песни and songs", "folder:日本のロックrock", "genre-3", "folder:café"])
def test_name_of_several_scripts_side_by_side_is_none_of_these(name: str) -> None:
    assert confusable(name) == ""


def test_unseen_names_the_first_character() -> None:
    assert (unseen("a\u200bb\x00"), unseen("plain")) == ("U+200B", "")


def test_printable_is_one_short_line_of_what_can_be_seen() -> None:
    assert printable("a\nb\x1b[2J\ud800é") == "a\\nb\\x1b[2J\\ud800é"
    assert len(printable("x" * 10_000_000, 500)) < 510
