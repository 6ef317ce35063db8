"""Commands that make records: run and ensemble; `mirbench.cli.sweep` has the third."""

from __future__ import annotations

from collections.abc import Sequence
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
    from mirbench.runs.plan import Request
    from mirbench.runs.runner import Outcome
    from mirbench.types import Windowing


@taking(Recording)
def run(
    task: Annotated[
        str, typer.Option("--task", metavar="NAME", help="See `mirbench list tasks`; or folder:PATH, csv:FILE.")
    ],
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="See `mirbench list methods`.")],
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="See `mirbench list sources`. Default: ast.")
    ] = "",
    seeds: Annotated[str, typer.Option("--seeds", metavar="N", help="How many, a range (0-4) or a list (0,3).")] = "5",
    fold: Annotated[int | None, typer.Option("--fold", metavar="K", help="One fold only. Default: all.")] = None,
    settings: Annotated[
        list[str],
        typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter of the method.", show_default=False),
    ] = [],  # noqa: B006  (typer copies it)
    search: Annotated[
        list[str],
        typer.Option("--search", metavar="NAME=A,B", help="Values to try; chosen on valid.", show_default=False),
    ] = [],  # noqa: B006
    source_settings: Annotated[
        list[str],
        typer.Option("--source-set", metavar="NAME=VALUE", help="An option of the source.", show_default=False),
    ] = [],  # noqa: B006
    windows: Annotated[
        str, typer.Option("--windows", metavar="HOW", help="nonoverlap, nonoverlap-plus-tail, hopped16.")
    ] = "nonoverlap",
    average: Annotated[
        str, typer.Option("--average", metavar="prob|logit", help="What is averaged over windows.")
    ] = "prob",
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
    from mirbench.runs.at_once.parallel import AtOnce, run_suite
    from mirbench.runs.dry_run import costs_of
    from mirbench.runs.limits import Limits
    from mirbench.runs.suite import Suite
    from mirbench.runs.suite_runs import Entry

    suite = Suite(f"{request.method} on {request.task}", "", (Entry("run", request, ""),))
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


def ensemble(
    members: Annotated[
        list[str],
        typer.Argument(metavar="RUN RUN …", help="Folders of runs, keys, METHOD+SOURCE or TASK/METHOD+SOURCE."),
    ],
    runs: RunsFolder = Path("runs"),
    average: Annotated[
        str, typer.Option("--average", metavar="prob|rank", help="Average scores, or their ranks.")
    ] = "prob",
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
