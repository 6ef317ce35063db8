"""What was asked, settled before the first run: task, method, source, weights, clips, and the identity of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mirbench.errors import BadInput, MissingData, MissingExtra, NotApplicable
from mirbench.features import audio
from mirbench.features.weights import Weights, find_weights
from mirbench.lasting import made_to_last
from mirbench.method import Method, Restorable, asked_of
from mirbench.names import wrong_name
from mirbench.places import default_cache, default_data_root
from mirbench.plain_text import printable
from mirbench.progress import Progress
from mirbench.record import CalibrateBy, FitOn, RunRecord, RunSpec, ThresholdsFrom
from mirbench.registry import Catalogue
from mirbench.runs.calibration import what_is_tuned
from mirbench.runs.chosen_source import DEFAULT_SOURCE, card_of, require_usable
from mirbench.runs.clips_asked import audio_sha256, clips_asked
from mirbench.runs.hyperparameters import build, grid, refuse_large
from mirbench.runs.learnt_from import require_possible
from mirbench.runs.measure import EnergyMeter
from mirbench.runs.padded import pad_of, pads_nothing
from mirbench.runs.record_file import sound
from mirbench.source import SourceCard
from mirbench.types import Clip, Excerpt, Pad, Task, Windowing

__all__ = ["DEFAULT_SOURCE", "DEMO_SOURCE", "Plan", "Request", "demo_needed", "draft_plan", "make_plan"]

DEMO_SOURCE = "nano"


@dataclass(frozen=True)
class Request:
    """What a user asks for in one command.

    Parameters
    ----------
    source : str
        "" takes the default where the method needs one.
    folds : tuple of int or None
        None is all of the task's folds.
    search : mapping of str to sequence
        Values to try of each hyperparameter; chosen on valid.
    fit_on, thresholds, calibrate : str
        As those of a `RunSpec`.
    pad : str
        As that of a `RunSpec`; "" is as the card of the source says.
    data, weights : Path or None
        None is the default place.
    rows : Path or None
        Root of the cache of rows alone, apart from the cache; None is the cache.
    energy : bool
        Measure the energy of training, with codecarbon.
    sealed : bool
        Predict the test clips in a process that has neither labels nor names of files.
    stack : bool
        Fit seeds and points of a search together, where the method can.
    workers, threads : int
        Threads that decode audio, and of torch; 0 leaves that to torch.
    """

    task: str
    method: str
    source: str = ""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    folds: tuple[int, ...] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    source_params: Mapping[str, Any] = field(default_factory=dict)
    windowing: Windowing = field(default_factory=Windowing)
    fit_on: FitOn = "train"
    pad: Pad | Literal[""] = ""
    thresholds: ThresholdsFrom = "0.5"
    calibrate: CalibrateBy = "none"
    data: Path | None = None
    weights: Path | None = None
    runs: Path = Path("runs")
    cache: Path = field(default_factory=default_cache)
    rows: Path | None = None
    device: str = "auto"
    precision: str = "float32"
    energy: bool = False
    sealed: bool = False
    stack: bool = False
    workers: int = 2
    threads: int = 0


@dataclass(frozen=True)
class Plan:
    """Everything about a request that is settled before the first run.

    Parameters
    ----------
    folds : sequence of tuple of Clip
        The clips of every fold of the task.
    data : Path or None
        Folder of the data set; None where only frozen lists were read.
    specs : tuple of RunSpec
        The runs to do, fold by fold.
    uses_seed : bool
        False where nothing is random: the runs are those of the first seed alone.
    unable : str
        Why the source cannot be used on this machine; "" where it can.
    """

    request: Request
    task: Task
    method: Method
    card: SourceCard | None
    weights: Weights | None
    folds: Sequence[tuple[Clip, ...]]
    data: Path | None
    facts: Mapping[Excerpt, audio.Facts]
    specs: tuple[RunSpec, ...]
    unable: str = ""
    uses_seed: bool = True


def demo_needed(request: Request, catalogue: Catalogue) -> bool:
    """Whether a request falls back on the demo: no data given, no default root, and the task has a stand-in."""
    if request.data is not None or default_data_root().exists():
        return False
    task = catalogue.task(request.task)
    if request.source:
        card = catalogue.source(request.source)
        if (card.kind == "precomputed" and card.file) or (card.shipped and card.shipped not in task.ships):
            return False
    return bool(task.demo)


def make_plan(request: Request, catalogue: Catalogue, progress: Progress) -> Plan:
    """Settle a request.

    Raises
    ------
    BadInput
        If it cannot be carried out; every bad audio file is named.
    NotApplicable
        If the method cannot use the source.

    Notes
    -----
    A source whose weights or packages are not on this machine leaves a plan with `unable`: its runs are recorded as
    skipped.
    """
    EnergyMeter(request.energy)  # refuses before any work what is not installed
    plan = draft_plan(request, catalogue)
    if request.sealed:
        _check_sealed(plan)
    task, card = plan.task, plan.card
    with made_to_last():
        every, folder, facts = clips_asked(task, type(plan.method), card, request, progress)
    weights, unable = _weights(request, card, progress)
    of_audio = audio_sha256(every, facts, card.shipped if card else "", request.cache / "files.sqlite")
    source_sha256 = weights.sha256 if weights else ""
    pad = plan.specs[0].pad
    if pads_nothing(card, facts) and pad != "zeros":
        if request.pad:
            progress.say(f"--pad {pad}: no clip is shorter than the windows of {card and card.name}; nothing is padded")
        pad = "zeros"
    specs = tuple(replace(spec, source_sha256=source_sha256, audio_sha256=of_audio, pad=pad) for spec in plan.specs)
    return replace(plan, weights=weights, folds=every, data=folder, facts=facts, specs=specs, unable=unable)


def draft_plan(request: Request, catalogue: Catalogue) -> Plan:
    """What can be settled without looking at data and weights: `make_plan`'s, less clips and hashes.

    Raises
    ------
    BadInput, NotApplicable
        As `make_plan`.
    """
    task = catalogue.task(request.task)
    kind = catalogue.method(request.method)
    method = build(kind, request.params)
    if method.name != request.method:  # somebody else's, which says so of itself once it has its hyperparameters
        raise BadInput(f"{request.method}: calls itself {printable(str(method.name), 80)!r}; a method has one name")
    if both := sorted(set(request.params) & set(request.search)):
        raise BadInput(f"{both[0]} is both set (--set) and searched (--search); give one of them")
    refuse_large(request.search, "--search")
    tunes = what_is_tuned(request.thresholds, request.calibrate, task)
    points = [build(kind, {**request.params, **point}) for point in grid(request.search)]  # refuses bad values
    for point in points:
        require_possible(request.fit_on, point, request.search, tunes=tunes)
    asked = [request.params, *({**request.params, **point} for point in grid(request.search))]
    card = card_of(request.source, request.source_params, kind, asked, catalogue)
    for point in points:
        require_usable(point, card, task)
    folds = tuple(range(task.n_folds)) if request.folds is None else request.folds
    if bad := [fold for fold in folds if not 0 <= fold < task.n_folds]:
        raise BadInput(f"--fold {bad[0]}: {task.name} has folds 0 to {task.n_folds - 1}")
    plan = Plan(request, task, method, card, None, (), None, {}, ())
    uses_seed = _uses_seed(method, request.search)
    seeds = request.seeds if uses_seed else request.seeds[:1]
    specs = tuple(_spec(plan, catalogue, fold, seed) for fold in folds for seed in seeds)
    _check_records(plan, specs)
    return replace(plan, specs=specs, uses_seed=uses_seed)


def _uses_seed(method: Method, search: Mapping[str, Sequence[Any]]) -> bool:
    """Whether another seed may give another result, at some point of the search."""
    points = [replace(method, **point) for point in grid(search)] if search else [method]  # type: ignore[type-var]
    try:
        return any(getattr(point, "uses_seed", True) is not False for point in points)
    except Exception as error:  # it may be a property of somebody else's
        raise BadInput(f"{method.name}: its `uses_seed` cannot be read: {printable(error, 500)}") from error


def _check_sealed(plan: Plan) -> None:
    """Refuse what cannot be predicted in a process that is handed nothing but clips and what was learnt.

    Raises
    ------
    NotApplicable
        If that is so.
    """
    method, card = plan.method, plan.card
    if not isinstance(method, Restorable):
        raise NotApplicable(
            f"--sealed: {method.name} cannot be loaded again in another process; give its class `restore`, and what it "
            "needs as `state` of what fit returns (`mirbench check` tries both), or leave --sealed out"
        )
    if card is not None and card.kind == "precomputed":
        raise NotApplicable(
            f"--sealed: {card.name} was computed elsewhere, and finds its rows by the clips' names, which a sealed "
            "process is not told; take a source that hears, or leave --sealed out"
        )
    if type(method).__module__ == "__main__" or "<locals>" in type(method).__qualname__:
        raise NotApplicable(f"--sealed: another process cannot import {method.name}; put it into a file of its own")


def _check_records(plan: Plan, specs: Sequence[RunSpec]) -> None:
    """Refuse what no record could say of these runs: names, values of hyperparameters, seeds."""
    names: dict[Literal["task", "method", "source"], str] = {"task": plan.task.name, "method": plan.method.name}
    for kind, name in (names | ({"source": plan.card.name} if plan.card else {})).items():
        if fault := wrong_name(name, kind):
            todo = "; give the file or folder another name, or a link to it" if ":" in str(name) else ""
            raise BadInput(f"{kind} {printable(str(name), 80)!r} {fault}: nothing can be called so{todo}")
    task, ends = plan.task, (specs[0], max(specs, key=lambda spec: spec.seed)) if specs else ()
    for spec in ends:
        blank = RunRecord(
            spec, "failed", standing=task.standing, n_folds=task.n_folds, classes=task.classes, kind=task.kind,
            ranges=task.ranges,
        )  # fmt: skip
        try:
            sound(blank)
        except (TypeError, ValueError, RecursionError) as error:
            raise BadInput(
                f"{plan.method.name} on {task.name} cannot be put on record: {printable(error, 500)}"
            ) from error


def _weights(request: Request, card: SourceCard | None, progress: Progress) -> tuple[Weights | None, str]:
    """The weights of the source, and why it cannot be used where they are not here."""
    if card is None:
        return None, ""
    if card.missing:
        return None, card.missing
    try:
        found = find_weights(card, request.weights, request.cache, progress, request.source_params, must_load=True)
        return found, ""
    except (MissingData, MissingExtra) as error:
        return None, str(error)


def _spec(plan: Plan, catalogue: Catalogue, fold: int, seed: int) -> RunSpec:
    """The identity of a run, but for the hashes of weights and audio."""
    request, card = plan.request, plan.card
    return RunSpec(
        task=plan.task.name,
        task_version=plan.task.version,
        fold=fold,
        windowing=request.windowing,
        method=plan.method.name,
        method_version=catalogue.version("method", plan.method.name),
        params=_params(plan.method),
        search={name: list(values) for name, values in request.search.items()},
        source=card.name if card else "",
        source_version=catalogue.version("source", request.source or DEFAULT_SOURCE) if card else "",
        source_params=dict(request.source_params) if card else {},
        source_sha256="",
        audio_sha256="",
        precision=request.precision,
        seed=seed,
        fit_on=request.fit_on,
        pad=pad_of(request.pad, plan.task, card),
        thresholds=request.thresholds,
        calibrate=request.calibrate,
    )


def _params(method: Method) -> dict[str, Any]:
    """Its hyperparameters; raises `BadInput` for one that cannot be copied."""
    try:
        return asked_of(method)
    except Exception as error:  # a field may be anything of somebody else's
        raise BadInput(f"{method.name}: a hyperparameter cannot be written down: {printable(error, 500)}") from error
