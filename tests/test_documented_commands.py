"""Every command that a page shows is one that the command line reads, with flags and names that there are."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import pytest
import typer

from mirbench import cli
from mirbench.methods import METHODS
from mirbench.methods.sources import FAMILIES as SOURCE_FAMILIES
from mirbench.methods.sources import SOURCES
from mirbench.runs.suite import shipped
from mirbench.tasks import FAMILIES as TASK_FAMILIES
from mirbench.tasks import MODIFIERS, TASKS
from tests.pages import PAGES, said_in, spans, text_of, typed_in, words_of

RUN = re.compile(r"(?P<task>[\w-]+)/(?P<method>[\w-]+)(?:\+(?P<source>[\w-]+))?")


def command_of(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that words call, and what they give it.

    Raises
    ------
    KeyError
        If there is none.
    """
    command: Any = typer.main.get_command(cli.app)
    left = list(words)
    while hasattr(command, "commands") and left and not left[0].startswith("-"):
        command = command.commands[left.pop(0)]
    return command, left


def flags_of(command: Any) -> set[str]:
    return {"--help", *(flag for option in command.params for flag in (*option.opts, *option.secondary_opts))}


def unknown_words(words: Sequence[str]) -> list[str]:
    """Of the words of a command, its own name or the flags that there are not."""
    try:
        command, left = command_of(words)
    except KeyError as error:
        return [str(error.args[0])]
    given = [word.partition("=")[0] for word in left if re.match("--?[a-z]", word)]
    return [flag for flag in given if flag not in flags_of(command)]


def parse(words: Sequence[str]) -> None:
    """Read words as the command line does, and do nothing; raises what it says of bad usage."""
    command, left = command_of(words)
    command.make_context(" ".join(words), left)


def is_known(kind: str, name: str) -> bool:
    """Whether a name is in the registry of its kind, or of one of its families; a task's with modifiers."""
    table, families = {
        "task": (TASKS, TASK_FAMILIES),
        "method": (METHODS, {}),
        "source": (SOURCES, SOURCE_FAMILIES),
    }[kind]
    base, *words = name.split("+") if kind == "task" else [name]
    modified = all(
        any(f"+{word}".startswith(known.removesuffix("TASK").rstrip("KF")) for known in MODIFIERS) for word in words
    )
    family = base.partition(":")[0] in {known.partition(":")[0] for known in families} and ":" in base
    return modified and (base in table or family)


def unknown_names(words: Sequence[str]) -> list[str]:
    """Names in a command that no registry has; with a plugin, names may be its own."""
    if "--plugin" in words:
        return []
    asked = [(flag.removeprefix("--"), name) for flag, name in itertools.pairwise(words)]
    asked = [(kind, name) for kind, name in asked if kind in ("task", "method", "source")]
    if words[0] in ("compare", "ensemble", "predict"):
        runs = [found.groupdict() for found in map(RUN.fullmatch, words[1:]) if found]
        asked += [(kind, name) for run in runs for kind, name in run.items() if name]
    unknown = [name for kind, name in asked if not is_known(kind, name)]
    if words[0] in ("sweep", "reproduce") and not words[1].startswith("-"):
        unknown += [words[1]] if words[1] not in shipped() and not words[1].endswith(".toml") else []
    return unknown


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_page_are_read_by_the_command_line(page: str) -> None:
    for words in typed_in(text_of(page)):
        assert unknown_words(words) == []
        parse(words)


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_page_use_names_that_are_known(page: str) -> None:
    assert [name for words in typed_in(text_of(page)) for name in unknown_names(words)] == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_backticks_have_flags_that_there_are(page: str) -> None:
    assert [word for words in said_in(text_of(page)) for word in unknown_words(words)] == []


@pytest.mark.parametrize("page", PAGES)
def test_flags_in_backticks_are_of_some_command(page: str) -> None:
    root: Any = typer.main.get_command(cli.app)
    groups = [root, *(held for held in root.commands.values() if hasattr(held, "commands"))]
    flags = {flag for group in groups for command in group.commands.values() for flag in flags_of(command)}
    ours = [span.split()[0].partition("=")[0] for span in spans(text_of(page)) if span.startswith("--")]
    of_others = {"--extra-index-url", "--config-file"}
    assert set(ours) - of_others <= flags


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("mirbench fly gtzan", "fly"),
        ("mirbench data fly gtzan", "fly"),
        ("mirbench run --task gtzan --methods prior", "--methods"),
        ("pip install . && mirbench list | mirbench show --plugins=x ast > file", "--plugins"),
    ],
)
def test_unknown_words_finds_a_planted_one(line: str, unknown: str) -> None:
    (*_, words) = words_of(line)
    assert unknown_words(words) == [unknown]


@pytest.mark.parametrize("line", ["mirbench run --task gtzan", "mirbench compare a", "mirbench predict run x --top no"])
def test_parse_refuses_a_planted_fault(line: str) -> None:
    (words,) = words_of(line)
    with pytest.raises(Exception, match=r"Missing|valid integer"):
        parse(words)


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("mirbench run --task gtzn --method prior", ["gtzn"]),
        ("mirbench run --task gtzan+loud --method prior", ["gtzan+loud"]),
        ("mirbench run --task folders:here --method prior", ["folders:here"]),
        ("mirbench run --task csv:a.csv+folds5 --method probe --source timm:resnet18", ["probe"]),
        ("mirbench compare gtzan/prior gtzan/knn+nono", ["nono"]),
        ("mirbench sweep hung2022-table9 --dry-run", ["hung2022-table9"]),
    ],
)
def test_unknown_names_finds_a_planted_one(line: str, unknown: list[str]) -> None:
    (words,) = words_of(line)
    assert unknown_names(words) == unknown


def test_docs_mention_every_command() -> None:
    root: Any = typer.main.get_command(cli.app)
    every = {(name,) for name, command in root.commands.items() if not hasattr(command, "commands")}
    every |= {(group, name) for group in root.commands for name in getattr(root.commands[group], "commands", ())}
    said = [words for page in PAGES for words in [*typed_in(text_of(page)), *said_in(text_of(page))]]
    assert {names for names in every if not any(tuple(words[: len(names)]) == names for words in said)} == set()
