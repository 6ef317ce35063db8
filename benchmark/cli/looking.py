"""Commands that look things up: list, show, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirbench.cli.left_out import end
from mirbench.cli.options import Plugins, RunsFolder, catalogue_of, one_of
from mirbench.errors import BadInput
from mirbench.plain_text import say


def list_names(
    kind: Annotated[str, typer.Argument(metavar="tasks|methods|sources|suites", help="All if left out.")] = "",
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """Names that can be used, one line each."""
    from mirbench.runs.suite import titles

    kinds = {"tasks": "task", "methods": "method", "sources": "source", "suites": "suite"}
    chosen = [one_of("list", kind, tuple(kinds))] if kind else list(kinds)
    catalogue = catalogue_of(plugin)
    for plural in chosen:
        kind = kinds[plural]
        names = titles() if kind == "suite" else catalogue.names(kind) | catalogue.families(kind)
        if kind == "task":  # each has a stand-in, which would double the list
            names = {name: summary for name, summary in names.items() if not name.endswith("-demo")}
            names["TASK-demo"] = "a synthesised stand-in that needs no download"
            names |= {f"TASK{word}": summary for word, summary in catalogue.modifiers().items()}
        width = max(map(len, names))
        if len(chosen) > 1:
            say(f"{plural}:")
        for name, summary in names.items():
            say(f"  {name:<{width}}  {summary}")


def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A task, method, source or suite; a run's folder, key or system.")
    ],
    plugin: Plugins = [],  # noqa: B006
    runs: RunsFolder = Path("runs"),
) -> None:
    """The card of a task or source, the hyperparameters of a method, the text of a suite, or a run on record."""
    from mirbench.cli.card_look import look
    from mirbench.cli.cards import card_of
    from mirbench.cli.show_run import runs_as_text
    from mirbench.runs.suite import shipped
    from mirbench.terminal import draw

    if name in shipped():
        say(shipped()[name].read_text("utf-8"), end="")
        return
    left_out: list[str] = []
    try:
        draw(*look(card_of(name, catalogue_of(plugin))))
    except BadInput:
        if not (text := runs_as_text(runs, name, left_out)):
            end(left_out)
            raise
        say(text)
    end(left_out)


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Of a plugin, in Python.")],
) -> None:
    """Run the conformance checks on a plugin's methods, tasks and sources."""
    from mirbench.plugin_file import load_plugin
    from mirbench.progress import Progress
    from mirbench.trust.checks import check_plugin

    if not file.is_file():
        raise BadInput(f"{file}: no such file; a Python file of a plugin is needed")
    plugin = load_plugin(file, "")
    found = check_plugin(plugin, Progress())
    for name, problems in found.items():
        say(f"{name}: {'conforms' if not problems else f'{len(problems)} problem(s)'}")
        for problem in problems:
            say(f"  - {problem}")
        if name in plugin.methods and not hasattr(plugin.methods[name], "restore"):
            say("  it has no `restore`: `mirbench predict` will not load its runs again, and `--deform` fits it anew")
    if any(found.values()):
        raise typer.Exit(1)
