"""Help texts: every command on one line, no type of a programmer's, examples that the command line takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from mirbench import cli
from mirbench.cli.examples import BEGIN, EXAMPLES
from tests.conftest import Answer
from tests.test_documented_commands import parse, unknown_words

Typed = Callable[..., Answer]


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something."""
    if not hasattr(command, "commands"):
        yield path
        return
    for name, held in command.commands.items():
        yield from leaves(held, (*path, name))


ROOT: Any = typer.main.get_command(cli.app)
ALL = list(leaves(ROOT))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("path", [(), ("data",), ("cache",)], ids=str)
def test_every_command_has_one_full_line(path: tuple[str, ...], typed: Typed) -> None:
    shown = typed(*path, "--help").out.splitlines()
    group = ROOT
    for name in path:
        group = group.commands[name]
    for name, command in group.commands.items():
        said = command.short_help or command.help.partition("\n")[0]
        (line,) = [line for line in shown if re.match(rf"  {name}  ", line)]
        assert line.endswith(said)
        assert said.endswith(".")
        assert len(line) <= 80


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_fits_and_leaks_no_type(path: tuple[str, ...], typed: Typed) -> None:
    shown = typed(*path, "--help").out
    assert max(map(len, shown.splitlines())) <= 80
    assert re.findall(r"<[a-z]|\bTEXT\b|\bPATH\]|INTEGER|function|object at|\[default: \]", shown) == []


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_says_what_it_takes_and_does(path: tuple[str, ...]) -> None:
    command: Any = ROOT
    for name in path:
        command = command.commands[name]
    for param in command.params:
        if not getattr(param, "hidden", False):
            assert param.help, param.name
            assert getattr(param, "is_flag", False) or param.metavar, param.name


@pytest.mark.parametrize("line", [*BEGIN, *(line for lines in EXAMPLES.values() for line in lines)])
def test_every_example_is_taken_by_the_command_line(line: str) -> None:
    name, *words = shlex.split(line, comments=True)
    assert name == "mirbench"
    assert unknown_words(words) == []
    parse(words)


def test_mirbench_alone_shows_three_commands_to_begin_with(typed: Typed) -> None:
    answer = typed()
    assert len(BEGIN) == 3
    assert all(line in answer.err for line in BEGIN)
    assert "\x1b" not in answer.err


@pytest.mark.parametrize("flag", ["--threads", "--decode-threads", "--jobs"])
@pytest.mark.parametrize("value", ["-1", "100000"])
def test_number_out_of_range_is_one_line(flag: str, value: str, typed: Typed) -> None:
    answer = typed("run", "--task", "gtzan-demo", "--method", "prior", flag, value)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert flag in answer.err
