"""Commands that make records: run and ensemble; `mirbench.cli.sweep` has the third."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.api.asking import AVERAGES, WINDOWS, do, folder_of_runs, one_of, or_demo, protocol, with_source
from mirbench.cli.left_out import end
from mirbench.cli.options import Recording, RunsFolder, taking
from mirbench.plain_text import say
from mirbench.spelling import travelled

if TYPE_CHECKING:
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
    fit_on: Annotated[
        str,
        typer.Option(
            "--fit-on",
            metavar="CLIPS",
            help="train; train-and-valid where nothing is selected on valid; or refit.",
        ),
    ] = "train",
    refit: Annotated[
        bool, typer.Option("--refit", help="Once selected on valid, fit once more, on train and valid.")
    ] = False,
    pad: Annotated[
        str,
        typer.Option(
            "--pad",
            metavar="HOW",
            help="Clips shorter than the window: zeros, center, repeat, reflect, noise. Default: the source's.",
            show_default=False,
        ),
    ] = "",
    thresholds: Annotated[
        str,
        typer.Option("--thresholds", metavar="0.5|valid", help="Of multi-label tasks: a half, or tuned on valid."),
    ] = "0.5",
    test_on: Annotated[
        str, typer.Option("--test-on", metavar="TASK", help="Test on another task, by the classes of both.")
    ] = "",
    classes: Annotated[
        str, typer.Option("--classes", metavar="A=B,…|FILE.csv", help="Which class of --test-on is which.")
    ] = "",
    calibrate: Annotated[
        str,
        typer.Option("--calibrate", metavar="none|temperature", help="Scores at a temperature fitted on valid."),
    ] = "none",
    *,
    how: Recording,
) -> None:
    """Run a method on a task, with a source if it needs one; what is on record is read back."""
    from mirbench.features.effects import parse_deform
    from mirbench.runs.hyperparameters import parse_method, parse_search
    from mirbench.runs.plan import Request
    from mirbench.runs.report import report

    # what needs no torch is refused first
    chosen_seeds, windowing, deformations = _seeds(seeds), _windowing(windows, average), parse_deform(how.deform)
    asked = protocol(fit_on, pad, thresholds, calibrate, refit=refit, dashes="--")
    circumstance, catalogue = how.circumstance(), how.catalogue()
    kind = catalogue.method(method)
    request = Request(
        task=travelled(task, test_on, classes, dashes="--"),
        method=method,
        source=source,
        seeds=chosen_seeds,
        folds=None if fold is None else (fold,),
        params=parse_method(kind, settings),
        search=parse_search(kind, search),
        windowing=windowing,
        **asked,
        **circumstance,
    )
    request, banner = or_demo(request, catalogue, how.demo)
    request = with_source(request, catalogue, source_settings)
    if banner:
        say(banner)
    outcomes = do(request, catalogue, how.progress(), deformations, how.jobs, how.plugin)
    if not report(outcomes, request.runs, demo=bool(banner)):
        raise typer.Exit(1)


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

    folder_of_runs(runs)
    one_of("--average", average, AVERAGES)
    store = RunStore(runs, left_out=[])
    report(combine(store, members, average, parse_weights(weights)))
    end(store.left_out or ())


def _windowing(windows: str, average: str) -> Windowing:
    from mirbench.types import Windowing

    one_of("--windows", windows, WINDOWS)
    one_of("--average", average, AVERAGES)
    return Windowing(windows, average)  # type: ignore[arg-type]


def _seeds(text: str) -> tuple[int, ...]:
    from mirbench.runs.hyperparameters import parse_seeds

    return parse_seeds(text)
