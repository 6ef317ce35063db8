"""What a shell completes, and that it loads nothing heavy for it."""

from __future__ import annotations

import os
import subprocess
import sys
import typing
from pathlib import Path

import pytest
import typer

from mirbench import cli
from mirbench.cli.completion import COMPLETED

ROOTS = ("runs/gtzan-mini/probe-linear+nano", "runs/gtzan-mini/prior", "else/openmic/knn+nano", "runs/gtzan-mini/.work")


def completed(words: str) -> list[str]:
    """What is offered for the last of these words."""
    command: typing.Any = typer.main.get_command(cli.app)
    *given, incomplete = words.split(" ")
    context = typer._click.shell_completion._resolve_context(command, {}, "mirbench", given)
    parameter, incomplete = typer._click.shell_completion._resolve_incomplete(context, given, incomplete)
    return [item.value for item in parameter.shell_complete(context, incomplete)]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("run --task gtzan-min", ["gtzan-mini"]),
        ("run --task gtzan-mini --method probe-li", ["probe-linear"]),
        ("run --source efficientat-mn04", ["efficientat-mn04"]),
        ("run --task gtzan+shots2+norm", ["gtzan+shots2+normalized", "gtzan+shots2+normalized-files"]),
        ("sweep every", ["every-method"]),
        ("data get gtzan-min", ["gtzan-mini"]),
        ("leaderboard --task gtzan-min", ["gtzan-mini"]),
        ("list me", ["methods"]),
        ("predict gtz", ["gtzan-mini/prior", "gtzan-mini/probe-linear+nano"]),
        ("compare --runs else open", ["openmic/knn+nano"]),
        ("compare gtzan-mini/prior gtzan-mini/pro", ["gtzan-mini/probe-linear+nano"]),
        ("show gtzan-mini/pri", ["gtzan-mini/prior"]),
        ("show idsnothing", []),
    ],
)
def test_names_are_completed(words: str, offered: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ROOTS:
        (tmp_path / folder).mkdir(parents=True)
    assert completed(words) == offered


def test_every_parameter_that_names_something_is_completed() -> None:
    root: typing.Any = typer.main.get_command(cli.app)
    data = root.commands["data"].commands.values()
    lacking = [
        f"{command.name} {option.name}"
        for command in (*root.commands.values(), *data)
        if not hasattr(command, "commands")
        for option in command.params
        if option.name in COMPLETED and option._custom_shell_complete is None
    ]
    assert lacking == []


def test_completion_loads_neither_torch_nor_rich(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "_MIRBENCH_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": "mirbench run --task gtzan-min",
    }
    program = (
        "import sys\nfrom mirbench.cli import main\nsys.argv = ['mirbench']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*({'torch', 'rich.markdown', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == ("_arguments '*: :((\"gtzan-mini\"))'\n\n", "")
