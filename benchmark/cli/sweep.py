"""The command that does the runs of a suite: all, a share of them, or what they share; here or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.left_out import end
from mirbench.cli.options import Recording, taking
from mirbench.errors import BadInput
from mirbench.plain_text import say

if TYPE_CHECKING:
    from mirbench.registry import Catalogue
    from mirbench.runs.limits import Limits
    from mirbench.runs.suite import Suite
    from mirbench.runs.sweep import Result

_LEFT = 75  # EX_TEMPFAIL of sysexits.h


@taking(Recording)
def sweep(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A TOML file, or a name of `mirbench list suites`.")],
    task: Annotated[
        list[str],
        typer.Option("--task", metavar="NAME", help="Instead of the suite's; may be repeated.", show_default=False),
    ] = [],  # noqa: B006
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="N", help="Instead of the suite's: how many, 0-4 or 0,3.")
    ] = "",
    fold: Annotated[int | None, typer.Option("--fold", metavar="K", help="One fold only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and which are on record.")] = False,
    part: Annotated[str, typer.Option("--part", metavar="K/N", help="The K-th of N shares of the runs.")] = "",
    until: Annotated[
        str,
        typer.Option("--until", metavar="TIME", help="Begin no run that cannot end in time: 90min, 2h."),
    ] = "",
    prepare: Annotated[bool, typer.Option("--prepare", help="Only compute what the runs share.")] = False,
    scheduler: Annotated[
        str, typer.Option("--scheduler", metavar="ADDRESS", help="A Dask cluster: tcp://HOST:PORT, or its file.")
    ] = "",
    *,
    how: Recording,
) -> None:
    """Do every run of a suite that is not on record; one that cannot be done is shown with its reason."""
    from mirbench.features.effects import parse_deform
    from mirbench.runs.limits import Limits, parse_part, parse_until
    from mirbench.runs.suite import plugins_of

    _refuse_together(scheduler, prepare, how)
    wanted, seconds = parse_part(part) if part else None, parse_until(until) if until else None
    limits = Limits(seconds=seconds)  # its clock starts here
    deformations = parse_deform(how.deform)
    how = how.with_plugins(plugins_of(suite))
    catalogue = how.catalogue()
    given = {"task": task or None, "seeds": seeds or None, "fold": fold}
    instead = {key: value for key, value in given.items() if value is not None}
    asked = _asked(suite, catalogue, how, instead, here=not scheduler)
    if wanted and not (asked := _share(asked, catalogue, wanted, limits, prepare)).entries:
        return
    if dry_run:
        _tell(asked, catalogue, limits, how, deformations)
    elif prepare:
        if deformations:
            say("--deform: rows of deformed clips are not prepared; each run computes its own.")
        _prepare(asked, catalogue, how, limits)
    elif scheduler:
        from mirbench.runs.cluster.dask_sweep import sweep_on_cluster

        _end(asked, sweep_on_cluster(asked, catalogue, scheduler, how.plugin, how.progress(), limits), limits)
    else:
        _end(asked, _done_here(asked, catalogue, limits, how, deformations), limits)


def _refuse_together(scheduler: str, prepare: bool, how: Recording) -> None:
    """Refuse options that do not go together."""
    if scheduler and how.deform:
        raise BadInput("--scheduler: curves under --deform are measured without a cluster; leave one of them out")
    if scheduler and prepare:
        raise BadInput("--scheduler: each worker prepares the rows that its runs share; leave --prepare out")
    if scheduler and how.jobs > 1:
        raise BadInput("--scheduler: a cluster does as many runs at once as it has workers; leave --jobs out")
    if prepare and how.jobs > 1:
        raise BadInput(
            "--prepare: it is done in one process; --prepare --part 1/2 and 2/2 share it out, leave --jobs out"
        )


def _asked(suite: str, catalogue: Catalogue, how: Recording, instead: Mapping[str, object], *, here: bool) -> Suite:
    """The suite, with what the command line says instead."""
    from mirbench.runs.hyperparameters import parse_seeds
    from mirbench.runs.suite import read_suite
    from mirbench.runs.sweep import QUICK, as_demo, quick

    names = instead.get("task", [])
    for name in names if isinstance(names, list) else []:  # what the command line has wrong is no fault of the suite's
        catalogue.task(name)
    parse_seeds(str(instead.get("seeds", "1")))
    asked = read_suite(suite, catalogue, how.circumstance(here=here), instead)
    if how.demo:
        seeds = "seeds" in instead
        asked = quick(as_demo(asked, catalogue), catalogue, seeds=seeds)
        cut = f"{'' if seeds else 'one seed, '}{QUICK}"
        say(f"DEMO: synthesised stand-ins, as asked, cut to {cut}; their numbers say nothing about music.")
    return asked


def _tell(asked: Suite, catalogue: Catalogue, limits: Limits, how: Recording, deformations: Sequence[str]) -> None:
    """Do what ``--dry-run`` asks for."""
    from mirbench.runs.dry_run import print_plan

    left_out: list[str] = []
    print_plan(asked, catalogue, limits, how.jobs, left_out)
    if deformations:
        say("--deform: curves that lack are added to each of them; which do was not looked at.")
    end(left_out)


def _done_here(
    asked: Suite, catalogue: Catalogue, limits: Limits, how: Recording, deformations: Sequence[str]
) -> list[Result]:
    """Do the runs on this machine, one after another or some at once."""
    from mirbench.runs.at_once import parallel
    from mirbench.runs.dry_run import costs_of
    from mirbench.runs.sweep import run_suite

    at_once = parallel.AtOnce(how.jobs, tuple(how.plugin))
    do = partial(parallel.run_suite, at_once=at_once) if how.jobs > 1 else run_suite
    if limits.timed or how.jobs > 1:
        limits.cost = costs_of(asked, catalogue, at_once.threads(asked.first)).known
    return do(asked, catalogue, how.progress(), deform=deformations, limits=limits)


def _end(asked: Suite, done: Sequence[Result], limits: Limits) -> None:
    """Report, and say by the exit code whether all is done."""
    from mirbench.runs.sweep_report import report

    complete = report(asked, done)
    if limits.put_off:
        say(limits.said())
        raise typer.Exit(_LEFT)
    if not complete:
        raise typer.Exit(1)


def _share(suite: Suite, catalogue: Catalogue, part: tuple[int, int], limits: Limits, rows: bool) -> Suite:
    """The entries of a part of a suite, of its runs or of its rows; `limits` learn which runs are in it."""
    from mirbench.runs.pieces import divide, pieces_of
    from mirbench.runs.prepare import divide_rows
    from mirbench.runs.sweep import part_of

    (k, n), pieces = part, pieces_of(suite, catalogue)
    own = (divide_rows(pieces, catalogue, n) if rows else divide(pieces, n))[k - 1]
    limits.keys = frozenset(piece.key for piece in own)
    runs = f"{len(pieces)} {'run' if len(pieces) == 1 else 'runs'}"
    say(f"part {k} of {n}: {len(own) or 'none'} of {runs}{'' if own else '; nothing is left for it to do'}")
    return part_of(suite, own, first=k == 1)


def _prepare(suite: Suite, catalogue: Catalogue, how: Recording, limits: Limits) -> None:
    """Do what ``--prepare`` asks for."""
    from mirbench.features.datasets import on_disk
    from mirbench.places import default_data_root
    from mirbench.runs.prepare import prepare, report
    from mirbench.tasks.archives import get_task

    progress = how.progress()

    def fetch(name: str) -> bool:
        root, task = how.data or default_data_root(), catalogue.task(name)
        own = catalogue.fetcher(name)
        if on_disk(task, root) or not (own or task.archives):
            return False
        if own:
            own(root, progress)
        else:
            get_task(task, root, progress)
        return True

    found = prepare(suite, catalogue, progress, limits, fetch)
    complete = report(suite, found)
    if any(ready.left for ready in found):
        raise typer.Exit(_LEFT)
    if not complete:
        raise typer.Exit(1)
