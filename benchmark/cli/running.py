"""Commands that make records: run, sweep, ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.left_out import end
from mirbench.cli.options import Recording, RunsFolder, one_of, taking
from mirbench.errors import BadInput, MissingData
from mirbench.places import no_folder
from mirbench.plain_text import say

if TYPE_CHECKING:
    from mirbench.registry import Catalogue
    from mirbench.runs.limits import Limits
    from mirbench.runs.plan import Request
    from mirbench.runs.runner import Outcome
    from mirbench.runs.suite import Suite
    from mirbench.types import Windowing


_LEFT = 75  # EX_TEMPFAIL of sysexits.h


@taking(Recording)
def run(
    task: Annotated[str, typer.Option("--task", help="Name of a task.")],
    method: Annotated[str, typer.Option("--method", help="Name of a method.")],
    source: Annotated[str, typer.Option("--source", help="Name of a source. Default: ast, if one is needed.")] = "",
    seeds: Annotated[str, typer.Option("--seeds", help="How many (5), a range (0-4) or a list (0,3).")] = "5",
    fold: Annotated[int | None, typer.Option("--fold", help="One fold only. Default: all.")] = None,
    settings: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter of the method.")
    ] = [],  # noqa: B006  (typer copies it)
    search: Annotated[
        list[str], typer.Option("--search", metavar="NAME=A,B", help="Values to try; chosen on valid.")
    ] = [],  # noqa: B006
    source_settings: Annotated[
        list[str], typer.Option("--source-set", metavar="NAME=VALUE", help="An option of the source.")
    ] = [],  # noqa: B006
    windows: Annotated[
        str, typer.Option("--windows", help="nonoverlap, nonoverlap-plus-tail or hopped16.")
    ] = "nonoverlap",
    average: Annotated[str, typer.Option("--average", help="Average windows' prob or logit.")] = "prob",
    *,
    how: Recording,
) -> None:
    """Run a method on a task, with a source if it needs one; what is on record is read back."""
    from mirbench.features.effects import parse_deform
    from mirbench.runs.hyperparameters import parse_method, parse_search, parse_source
    from mirbench.runs.plan import DEFAULT_SOURCE, Request
    from mirbench.runs.report import report
    from mirbench.runs.runner import run as do

    # what needs no torch is refused first
    chosen_seeds, windowing, deformations = _seeds(seeds), _windowing(windows, average), parse_deform(how.deform)
    circumstance, catalogue = how.circumstance(), how.catalogue()
    kind = catalogue.method(method)
    request = Request(
        task=task,
        method=method,
        source=source,
        seeds=chosen_seeds,
        folds=None if fold is None else (fold,),
        params=parse_method(kind, settings),
        search=parse_search(kind, search),
        windowing=windowing,
        **circumstance,
    )
    request, banner = _or_demo(request, catalogue, how.demo)
    if kind.needs:
        card = catalogue.source(request.source or DEFAULT_SOURCE)
        request = _with(request, source_params=parse_source(card, source_settings))
    elif source_settings:
        raise BadInput(f"--source-set {source_settings[0]}: {method} uses no source")
    if banner:
        say(banner)
    try:
        if how.jobs > 1:
            outcomes = _at_once(request, catalogue, how, deformations)
        else:
            outcomes = do(request, catalogue, how.progress(), deformations)
    except MissingData as error:
        if not (demo := catalogue.task(request.task).demo):
            raise
        raise MissingData(f"{error}; or add --demo for its stand-in {demo}") from error
    if not report(outcomes, request.runs, demo=bool(banner)):
        raise typer.Exit(1)


def _at_once(request: Request, catalogue: Catalogue, how: Recording, deform: tuple[str, ...]) -> Sequence[Outcome]:
    """The runs of a request, several at once."""
    from mirbench.runs.dry_run import costs_of
    from mirbench.runs.limits import Limits
    from mirbench.runs.parallel import AtOnce, run_suite
    from mirbench.runs.suite import Suite
    from mirbench.runs.suite_runs import Entry

    suite = Suite(f"{request.method} on {request.task}", "", (Entry("--jobs", request, ""),))
    at_once = AtOnce(how.jobs, tuple(how.plugin))
    limits = Limits(cost=costs_of(suite, catalogue, at_once.threads(request)).known)
    (result,) = run_suite(suite, catalogue, how.progress(), at_once, deform=deform, limits=limits)
    if result.reason or result.no_curve:
        raise BadInput((result.reason or result.no_curve).removeprefix("skipped: ").removeprefix("failed: "))
    return result.outcomes


def _or_demo(request: Request, catalogue: Catalogue, asked: bool) -> tuple[Request, str]:
    """The request, or its stand-in with a banner that says so."""
    from mirbench.places import default_data_root
    from mirbench.runs.plan import DEMO_SOURCE, demo_needed

    task = catalogue.task(request.task)
    if asked and not task.demo:
        if task.synthesise is not None:
            return request, ""
        raise BadInput(f"--demo: {task.name} has no stand-in")
    if not asked and not demo_needed(request, catalogue):
        return request, ""
    why = "as asked" if asked else f"no --data was given and {default_data_root()} does not exist"
    needs_source = bool(catalogue.method(request.method).needs)
    source = request.source or (DEMO_SOURCE if needs_source else "")
    with_source = f" with the source {source}" if source else ""
    banner = (
        f"DEMO: {task.demo}{with_source} ({why}).\n"
        f"It is synthesised audio that stands in for {task.name}; its numbers say nothing about music.\n"
        f"Real music: `mirbench data get gtzan-mini` (100 clips), `mirbench show {task.name}`, --data FOLDER.\n"
    )
    return _with(request, task=task.demo, source=source, data=None, folds=None), banner


@taking(Recording)
def sweep(
    suite: Annotated[str, typer.Argument(help="A TOML file of runs, or the name of one that ships with mirbench.")],
    task: Annotated[list[str], typer.Option("--task", help="This task instead of the suite's; may be repeated.")] = [],  # noqa: B006
    seeds: Annotated[str, typer.Option("--seeds", help="How many, a range or a list, instead of the suite's.")] = "",
    fold: Annotated[int | None, typer.Option("--fold", help="One fold only, instead of the suite's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and which are on record.")] = False,
    part: Annotated[str, typer.Option("--part", metavar="K/N", help="The K-th of N shares of the runs.")] = "",
    until: Annotated[
        str,
        typer.Option("--until", metavar="TIME", help="Begin no run that cannot end in time: 3:50 (hours), 90min, 2h."),
    ] = "",
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Fetch, and compute the rows that the runs share; do no run.")
    ] = False,
    scheduler: Annotated[
        str, typer.Option("--scheduler", help="Do the runs on a Dask cluster: tcp://HOST:PORT, or its scheduler file.")
    ] = "",
    *,
    how: Recording,
) -> None:
    """Do every run of a suite that is not on record; one that cannot be done is shown with its reason."""
    from mirbench.features.effects import parse_deform
    from mirbench.runs import sweep as sweeps
    from mirbench.runs.dry_run import costs_of, print_plan
    from mirbench.runs.limits import Limits, parse_part, parse_until
    from mirbench.runs.parallel import AtOnce
    from mirbench.runs.parallel import run_suite as run_at_once
    from mirbench.runs.suite import read_suite
    from mirbench.runs.sweep_report import report

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
    wanted, seconds = parse_part(part) if part else None, parse_until(until) if until else None
    limits = Limits(seconds=seconds)  # its clock starts here
    deformations = parse_deform(how.deform)
    catalogue = how.catalogue()
    for name in task:  # what the command line has wrong is no fault of the suite's
        catalogue.task(name)
    _seeds(seeds or "1")
    given = {"task": task or None, "seeds": seeds or None, "fold": fold}
    instead = {key: value for key, value in given.items() if value is not None}
    asked = read_suite(suite, catalogue, how.circumstance(here=not scheduler), instead)
    if how.demo:
        asked = sweeps.as_demo(asked, catalogue)
        say("DEMO: synthesised stand-ins, as asked; their numbers say nothing about music.")
    if wanted and not (asked := _share(asked, catalogue, wanted, limits, prepare)).entries:
        return
    if prepare and not dry_run:
        if deformations:
            say("--deform: rows of deformed clips are not prepared; each run computes its own.")
        _prepare(asked, catalogue, how, limits)
    elif dry_run:
        left_out: list[str] = []
        print_plan(asked, catalogue, limits, how.jobs, left_out)
        if deformations:
            say("--deform: curves that lack are added to each of them; which do was not looked at.")
        end(left_out)
    else:
        if scheduler:
            from mirbench.runs.dask_sweep import sweep_on_cluster

            done = sweep_on_cluster(asked, catalogue, scheduler, how.plugin, how.progress(), limits)
        else:
            at_once = AtOnce(how.jobs, tuple(how.plugin))
            do = partial(run_at_once, at_once=at_once) if how.jobs > 1 else sweeps.run_suite
            if until or how.jobs > 1:
                limits.cost = costs_of(asked, catalogue, at_once.threads(asked.first)).known
            done = do(asked, catalogue, how.progress(), deform=deformations, limits=limits)
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


def ensemble(
    members: Annotated[
        list[str],
        typer.Argument(metavar="RUN RUN …", help="Folders of runs, keys, METHOD+SOURCE or TASK/METHOD+SOURCE."),
    ],
    runs: RunsFolder = Path("runs"),
    average: Annotated[str, typer.Option("--average", help="Average scores (prob) or their ranks (rank).")] = "prob",
    weights: Annotated[str, typer.Option("--weights-of", metavar="A,B", help="Weights of the members.")] = "",
) -> None:
    """Average what recorded runs predicted, and record the result as a run."""
    from mirbench.runs.ensemble import AVERAGES, combine, parse_weights, report
    from mirbench.runs.store import RunStore

    if not runs.is_dir():
        raise BadInput(f"--runs {runs}: {no_folder(runs)}; `mirbench run` makes one")
    one_of("--average", average, AVERAGES)
    store = RunStore(runs, left_out=[])
    report(combine(store, members, average, parse_weights(weights)))
    end(store.left_out or ())


def _with(request: Request, **changes: object) -> Request:
    from dataclasses import replace

    return replace(request, **changes)  # type: ignore[arg-type]


def _windowing(windows: str, average: str) -> Windowing:
    from mirbench.types import Windowing

    one_of("--windows", windows, ("nonoverlap", "nonoverlap-plus-tail", "hopped16"))
    one_of("--average", average, ("prob", "logit"))
    return Windowing(windows, average)  # type: ignore[arg-type]


def _seeds(text: str) -> tuple[int, ...]:
    from mirbench.runs.hyperparameters import parse_seeds

    return parse_seeds(text)
