"""What is done with a request, typed or of a program: settle it, do its runs, one after another or several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirbench.errors import BadInput, MissingData
from mirbench.places import no_folder, user_path

if TYPE_CHECKING:
    from mirbench.progress import Progress
    from mirbench.registry import Catalogue
    from mirbench.runs.plan import Request
    from mirbench.runs.runner import Outcome

__all__ = [
    "AVERAGES",
    "FIT_ON",
    "PADS",
    "PRECISIONS",
    "THRESHOLDS",
    "WINDOWS",
    "do",
    "folder_of_runs",
    "one_of",
    "or_demo",
    "protocol",
    "refuse_contradictions",
    "with_source",
]

PRECISIONS = ("float32", "bfloat16", "float16")
WINDOWS = ("nonoverlap", "nonoverlap-plus-tail", "hopped16")
AVERAGES = ("prob", "logit")
FIT_ON = ("train", "train-and-valid", "refit")
PADS = ("zeros", "center", "repeat", "reflect", "noise")
THRESHOLDS = ("0.5", "valid")
CALIBRATE = ("none", "temperature")


def one_of(flag: str, value: str, known: tuple[str, ...]) -> str:
    """The value, if it is one of these."""
    if value not in known:
        raise BadInput(f"{flag} {value}: one of {', '.join(known)} is needed")
    return value


def protocol(
    fit_on: str, pad: str, thresholds: str, calibrate: str, *, refit: bool, dashes: str = ""
) -> dict[str, Any]:
    """Fields of a request: what is learnt from, how short clips are padded, and what is tuned on valid.

    Parameters
    ----------
    refit : bool
        The same as ``fit_on="refit"``.
    dashes : str
        What stands before the names of flags.

    Raises
    ------
    BadInput
        If one of them is none that there is, or two contradict one another.
    """
    flag = f"{dashes}fit-on" if dashes else "fit_on"
    one_of(flag, fit_on, FIT_ON)
    if refit and fit_on == "train-and-valid":
        raise BadInput(
            f"{flag} {fit_on} and {dashes}refit: the one is for what selects nothing on valid, the other for what does"
        )
    if pad:
        one_of(f"{dashes}pad", pad, PADS)
    one_of(f"{dashes}thresholds", thresholds, THRESHOLDS)
    one_of(f"{dashes}calibrate", calibrate, CALIBRATE)
    return {
        "fit_on": "refit" if refit else fit_on, "pad": pad, "thresholds": thresholds, "calibrate": calibrate,
    }  # fmt: skip


def folder_of_runs(runs: str | PathLike[str]) -> Path:
    """A folder of records, which is there.

    Raises
    ------
    BadInput
        If it is not.
    """
    root = user_path(fspath(runs))
    if not root.is_dir():
        raise BadInput(f"--runs {root}: {no_folder(root)}; `mirbench run` makes one")
    return root


def refuse_contradictions(*, sealed: bool, deform: object, stack: bool, energy: bool) -> None:
    """Refuse what cannot be had together, before any work.

    Raises
    ------
    BadInput
        If that is asked for.
    """
    if sealed and deform:
        raise BadInput("--sealed: deformed clips are predicted where the labels are; leave --deform or --sealed out")
    if stack and energy:
        raise BadInput("--stack: the energy of one of several that are trained together is not told; leave one out")


def with_source(request: Request, catalogue: Catalogue, settings: Sequence[str]) -> Request:
    """The request with the options of its source, given as ``name=value``.

    Raises
    ------
    BadInput
        If the source has no such option, or the method takes no source.
    """
    from mirbench.runs.hyperparameters import parse_source
    from mirbench.runs.plan import DEFAULT_SOURCE

    if catalogue.method(request.method).needs:
        card = catalogue.source(request.source or DEFAULT_SOURCE)
        return replace(request, source_params=parse_source(card, settings))
    if settings:
        raise BadInput(f"--source-set {settings[0]}: {request.method} uses no source")
    return request


def or_demo(request: Request, catalogue: Catalogue, asked: bool) -> tuple[Request, str]:
    """The request, or its stand-in with a banner that says so.

    Raises
    ------
    BadInput
        If a stand-in is asked for and there is none.
    """
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
    return replace(request, task=task.demo, source=source, data=None, folds=None), banner


def do(
    request: Request,
    catalogue: Catalogue,
    progress: Progress,
    deform: tuple[str, ...] = (),
    jobs: int = 1,
    plugins: Sequence[Path] = (),
) -> Sequence[Outcome]:
    """Do the runs of a request that are not on record.

    Parameters
    ----------
    jobs : int
        How many at once, each in a process of its own.
    plugins : sequence of Path
        The files of the catalogue's plugins, which each process reads itself.

    Raises
    ------
    BadInput, NotApplicable, MissingExtra
        As `mirbench.runs.runner.run`.
    """
    from mirbench.runs.runner import run

    try:
        if jobs > 1:
            return _at_once(request, catalogue, progress, deform, jobs, plugins)
        return run(request, catalogue, progress, deform)
    except MissingData as error:
        if not (demo := catalogue.task(request.task).demo):
            raise
        raise MissingData(f"{error}; or add --demo for its stand-in {demo}") from error


def _at_once(
    request: Request,
    catalogue: Catalogue,
    progress: Progress,
    deform: tuple[str, ...],
    jobs: int,
    plugins: Sequence[Path],
) -> Sequence[Outcome]:
    from mirbench.runs.at_once.parallel import AtOnce, run_suite
    from mirbench.runs.dry_run import costs_of
    from mirbench.runs.limits import Limits
    from mirbench.runs.suite import Suite
    from mirbench.runs.suite_runs import Entry

    suite = Suite(f"{request.method} on {request.task}", "", (Entry("run", request, ""),))
    at_once = AtOnce(jobs, tuple(plugins))
    limits = Limits(cost=costs_of(suite, catalogue, at_once.threads(request)).known)
    (result,) = run_suite(suite, catalogue, progress, at_once, deform=deform, limits=limits)
    if result.reason or result.no_curve:
        raise BadInput((result.reason or result.no_curve).removeprefix("skipped: ").removeprefix("failed: "))
    return result.outcomes
