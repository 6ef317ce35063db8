"""Commands about data sets and the cache."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.help import Command
from mirbench.cli.options import AllowUnverified, DataRoot, Plugins, TaskName, allow_unverified, catalogue_of
from mirbench.errors import BadInput, not_there
from mirbench.plain_text import json_text, say

if TYPE_CHECKING:
    from mirbench.types import Task

_FEW_CLASSES = 12  # whose counts are all said

data_app = typer.Typer(help="Fetch data sets, and look whether they can be trusted.", no_args_is_help=True)
cache_app = typer.Typer(help="Look at and clear computed rows.", no_args_is_help=True)


@data_app.command(cls=Command, name="get", short_help="Download, check and unpack a data set.")
def data_get(
    task: TaskName,
    data: DataRoot = None,
    plugin: Plugins = [],  # noqa: B006
    unverified: AllowUnverified = False,
) -> None:
    """Download a data set, check it, unpack it under the data root."""
    from mirbench.places import default_data_root
    from mirbench.progress import Progress
    from mirbench.tasks.archives import get_task

    allow_unverified(unverified)
    catalogue = catalogue_of(plugin, data)
    root = data or default_data_root()
    fetch = catalogue.fetcher(task)
    target = fetch(root, Progress()) if fetch else get_task(catalogue.task(task), root, Progress())
    say(f"{task} is in {target}")
    data_check(task, data=root, plugin=plugin)


@data_app.command(cls=Command, name="check", short_help="Whether every file is here and can be read.")
def data_check(task: TaskName, data: DataRoot = None, plugin: Plugins = []) -> None:  # noqa: B006
    """Verify layout, counts and every audio file of a data set."""
    from mirbench.features.datasets import dataset_folder
    from mirbench.features.temporary import using
    from mirbench.places import default_cache
    from mirbench.progress import Progress
    from mirbench.trust.checks import check_data

    card = catalogue_of(plugin, data).task(task)
    progress = Progress()
    with using(default_cache()):
        folder = dataset_folder(card, data, default_cache(), progress)
        problems = check_data(card, folder, default_cache(), progress)
    if problems:
        where = [said] if (said := not_there(problems)) else []
        raise BadInput(f"{card.name} in {folder}:\n  " + "\n  ".join([*problems, *where]))
    say(f"{card.name} in {folder}: {_holds(card, folder)}")


def _holds(card: Task, folder: Path) -> str:
    """What was found to be right: of a user's own data there is no card but the one that was made of it."""
    if card.standing != "own":
        count = f"{card.n_clips} clips" if card.n_clips else "clips"
        return f"{count}, all readable, layout and counts as on the card"
    held = Counter(label for clip in card.read_clips(folder, 0) for label in clip.present)
    each = ", ".join(f"{name} {held[name]}" for name in card.classes)
    if len(card.classes) > _FEW_CLASSES:
        each = f"{min(held[name] for name in card.classes)} or more of each"
    beware = f"; {len(card.cautions)} thing{'s' * (len(card.cautions) > 1)} to know, see above" if card.cautions else ""
    n = len(card.classes)
    what = f"target{'s' * (n > 1)}" if card.ranges else "classes"
    return f"{card.n_clips} clips of {n} {what} ({each}), all of them readable{beware}"


@data_app.command(cls=Command, name="stats", short_help="Clips, length and loudness of each class.")
def data_stats(
    task: TaskName,
    data: DataRoot = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write it as JSON too.")] = None,
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """Clips, length and loudness of each class; clips alone where there is no audio."""
    from mirbench.features.datasets import facts_of, read_labels
    from mirbench.places import default_cache
    from mirbench.progress import Progress
    from mirbench.tasks.audit.statistics import as_text, describe

    card, progress = catalogue_of(plugin, data).task(task), Progress()
    folds, folder = read_labels(card, data, default_cache(), progress)
    found = describe(card, folds, facts_of(card, folds, default_cache(), progress))
    say(as_text(found))
    if found["minutes"] is None:
        where = f"in {folder}" if folder else "on this machine"
        say(f"\nNo audio of it is {where}: clips are counted, nothing is heard.")
    if json_file:
        json_file.write_text(json_text(found), encoding="utf-8")
        say(f"written to {json_file}", error=True)


@data_app.command(cls=Command, name="audit", short_help="Duplicates, leaks, silence and clipping.")
def data_audit(
    task: TaskName,
    data: DataRoot = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the findings as JSON too.")
    ] = None,
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """Find what makes scores untrustworthy: duplicates across splits, groups in two splits, silence, clipping."""
    from mirbench.features.datasets import dataset_folder, read_task
    from mirbench.places import default_cache
    from mirbench.progress import Progress
    from mirbench.tasks.audit.findings import as_json, audit, summary

    card, progress = catalogue_of(plugin, data).task(task), Progress()
    folds = read_task(card, dataset_folder(card, data, default_cache(), progress))
    findings = audit(card, folds, default_cache(), progress)
    say(summary(findings, len({clip.id for clips in folds for clip in clips})))
    if not any(clip.group for clips in folds for clip in clips):
        say("Groups (artists, albums) are not known here: whether they cross splits was not looked at.")
    if json_file:
        json_file.write_text(as_json(findings), encoding="utf-8")
        say(f"written to {json_file}", error=True)
    unheard = sum(finding.kind == "unreadable" for finding in findings)
    if unheard:
        which = "they are" if unheard > 1 else "it is"
        say(f"{unheard:,} of the files could not be heard: whether {which} in two splits is not known.")
    if unheard or any(finding.across for finding in findings):
        raise typer.Exit(1)


@cache_app.command(cls=Command, name="info", short_help="Where the cache is, and what it holds.")
def cache_info() -> None:
    """Where the cache is and how much it holds; of each kind of rows how many, and what they have cost."""
    from mirbench.features.row_stores import contents
    from mirbench.places import default_cache

    root = default_cache()
    say(f"{root}")
    for part in sorted(root.iterdir()) if root.is_dir() else []:
        size = sum(f.stat().st_size for f in [part, *part.rglob("*")] if f.is_file())
        say(f"  {part.name:<16} {size / 1e6:10.1f} MB")
    for store in contents(root):
        say(
            f"  {store.name:<32} {store.n_rows:>9,} rows in {store.n_shards} shards, {store.n_bytes / 1e6:,.1f} MB, "
            f"computed in {store.seconds:,.0f} s"
        )


@cache_app.command(cls=Command, name="clear", short_help="Remove computed rows; downloads stay.")
def cache_clear() -> None:
    """Remove computed rows and synthesised audio, unless a run uses them; downloaded weights stay."""
    from mirbench.features.temporary import clearing
    from mirbench.places import default_cache
    from mirbench.progress import Progress

    root = default_cache()
    with clearing(root, Progress()):
        memos = [path.name for path in root.glob("*.sqlite*")]  # and those that were put aside
        for name in ("rows", "scratch", "synthesised", "results", "validation", *memos):
            path = root / name
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
    say(f"cleared {root}")
