"""Commands that look things up: list, show, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.left_out import end
from mirbench.cli.options import DataRoot, PlacesGiven, Plugins, RunsFolder, WeightsFolder, catalogue_of, one_of
from mirbench.errors import BadInput
from mirbench.places import path_text
from mirbench.plain_text import printable, say

if TYPE_CHECKING:
    from mirbench.registry import Catalogue
    from mirbench.runs.models import Places

_MOST_PROBLEMS = 10  # of one thing, that are said
_LETTERS = 600  # of a line, most of which somebody else may have written


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
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", metavar="FOLDER", help="Of a task: write what a source sees, a clip a class."),
    ] = None,
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="Of --pictures.")] = "inception-v3",
    source_settings: Annotated[
        list[str], typer.Option("--source-set", metavar="NAME=VALUE", help="Of --pictures.")
    ] = [],  # noqa: B006
    learnt: Annotated[
        Path | None,
        typer.Option("--learnt", metavar="FOLDER", help="Of a run: write what was learnt, as pictures and sounds."),
    ] = None,
    clip: Annotated[
        list[Path], typer.Option("--clip", metavar="FILE", help="Of --learnt: shown on this one; may be given again.")
    ] = [],  # noqa: B006
    data: DataRoot = None,
    weights: WeightsFolder = None,
    where: PlacesGiven = [],  # noqa: B006
) -> None:
    """The card of a task or source, the hyperparameters of a method, the text of a suite, or a run on record."""
    from mirbench.cli.card_look import look
    from mirbench.cli.cards import card_of
    from mirbench.cli.show_run import runs_as_text
    from mirbench.runs.models import Places
    from mirbench.runs.own_places import parse_places
    from mirbench.runs.store import RunStore
    from mirbench.runs.suite import shipped
    from mirbench.terminal import draw

    if clip and learnt is None:
        raise BadInput("--clip: is of --learnt FOLDER, which shows what a run learnt on this file")
    if where and learnt is None:
        raise BadInput("--as: is of --learnt FOLDER, which shows clips of the run's task; leave it out")
    if name in shipped():
        say(shipped()[name].read_text("utf-8"), end="")
        return
    if pictures is not None:
        _write_pictures(name, pictures, source, source_settings, catalogue_of(plugin, data, weights), data, weights)
        return
    if learnt is not None:
        _write_learnt(name, runs, learnt, clip, plugin, Places(data=data, weights=weights, named=parse_places(where)))
        return
    left_out: list[str] = []
    try:
        draw(*look(card_of(name, catalogue_of(plugin, data, weights), plugin)))
    except BadInput:
        if not (text := runs_as_text(runs, name, left_out)):
            end(left_out)
            if "/" in name and (no_run := RunStore(runs).unknown(name)).near:
                raise no_run from None
            raise
        say(text)
    end(left_out)


def _write_learnt(name: str, runs: Path, folder: Path, clips: list[Path], plugins: list[Path], places: Places) -> None:
    from mirbench.cli.learnt import write_learnt
    from mirbench.plugin_file import load_plugin
    from mirbench.progress import Progress
    from mirbench.runs.learnt import learnt_of

    title, found = learnt_of(name, runs, Progress(), places, clips, [load_plugin(path) for path in plugins])
    say(title)
    for path, said in write_learnt(found, folder):
        say(printable(f"  {path_text(path)}: {said}"))


def _write_pictures(
    name: str,
    folder: Path,
    source: str,
    settings: list[str],
    catalogue: Catalogue,
    data: Path | None,
    weights: Path | None,
) -> None:
    from mirbench.progress import Progress
    from mirbench.runs.drawings import draw_clips
    from mirbench.runs.hyperparameters import parse_source

    task, card = catalogue.task(name), catalogue.source(source)
    options = parse_source(card, settings)
    written = draw_clips(task, card, options, folder, data=data, weights=weights, progress=Progress())
    say(f"{len(written)} pictures in {folder}, as {card.name} sees the first clip of each class", error=True)


def check(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="A plugin file, a package, module:Thing, or a name that is installed."),
    ],
    data: DataRoot = None,
    weights: WeightsFolder = None,
) -> None:
    """Run the conformance checks on methods, tasks and sources, and a small run of each."""
    from mirbench.places import weights_folder
    from mirbench.progress import Progress
    from mirbench.trust.checkable import checkable
    from mirbench.trust.plugin_checks import look_at_plugin

    if weights is not None:
        weights_folder(weights)  # refused before any work
    plugin, is_ours = checkable(what, data, weights)
    found = look_at_plugin(plugin, Progress(), data, weights, is_ours=is_ours)
    for name, seen in found.items():
        n_problems = len(seen.problems)
        wrong = f"{n_problems} problem{'s' * (n_problems > 1)}"
        say(printable(f"{name}: {wrong if n_problems else 'conforms'}", _LETTERS))
        more = [f"and {n_problems - _MOST_PROBLEMS} more"] if n_problems > _MOST_PROBLEMS else []
        for line in (*seen.problems[:_MOST_PROBLEMS], *more, *(f"note: {note}" for note in seen.notes)):
            say(printable(f"  - {line}", _LETTERS))
    if any(seen.problems for seen in found.values()):
        raise typer.Exit(1)
