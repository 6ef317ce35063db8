"""The trained model of a run on files of one's own: probabilities of its classes.

A file is heard whole, in the windows of the run, at the levels of its task (``+normalized``, ``+levels8``), by the
source of the run with the same weights. No data set is needed. What the task cuts out of its own files (seconds 30 to
60, say) is not cut out of these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mirbench.errors import BadAudio, BadInput, MirbenchError, UnknownName
from mirbench.features import audio, pictures
from mirbench.features.weights import Weights, find_weights
from mirbench.method import Method, Restorable
from mirbench.places import default_cache, user_path
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue, Plugin
from mirbench.runs.ensemble import Member, find_member
from mirbench.runs.plan import Plan, Request, draft_plan
from mirbench.runs.runner import context_of
from mirbench.runs.store import RunStore
from mirbench.source import SourceCard
from mirbench.types import BlindSplit, Clip, Excerpt, FloatArray, Split, Task, excerpts

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["Places", "Predictions", "predict"]

Predict = Callable[[BlindSplit], FloatArray]

_CHUNK = 32  # files that are predicted together
_LEVELS = ("normalized", "levels8")
"""The modifiers of tasks that change what is heard of a file."""


@dataclass(frozen=True)
class Places:
    """Where things are, and what to compute on; fields as those of `mirbench.runs.plan.Request`."""

    data: Path | None = None
    weights: Path | None = None
    cache: Path = field(default_factory=default_cache)
    device: str = "auto"
    workers: int = 2
    threads: int = 0


@dataclass(frozen=True)
class Predictions:
    """What the model of a run says about some files.

    Parameters
    ----------
    title : str
        Task, method and source.
    runs : str
        Whose mean the probabilities are, "mean of 5 folds × 3 seeds"; "" of a single run.
    files : tuple of Path
        Those that could be read, in the order given.
    probabilities : ndarray of float32, shape (n_files, n_classes)
    faults : tuple of str
        A line for each file that could not.
    """

    title: str
    runs: str
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    probabilities: FloatArray
    faults: tuple[str, ...]


@dataclass(frozen=True)
class _Leaf:
    """A model and its share in the result."""

    folder: Path
    record: RunRecord
    weight: float


@dataclass(frozen=True)
class _Chosen(RunStore):
    """A store that finds the runs of one fold or seed alone, where these are given."""

    root: Path
    fold: int | None = None
    seed: int | None = None

    def find(self, name: str) -> list[tuple[Path, RunRecord]]:
        every = super().find(name)
        for what in ("fold", "seed"):
            if (wanted := getattr(self, what)) is None:
                continue
            kept = [run for run in every if getattr(run[1].spec, what) == wanted]
            if not kept:
                have = sorted({getattr(record.spec, what) for _, record in every})
                raise BadInput(f"--{what} {wanted}: {name} has no run of it; it has {', '.join(map(str, have))}")
            every = kept
        return every


def predict(
    runs: Path,
    name: str,
    files: Sequence[str],
    progress: Progress,
    places: Places | None = None,
    *,
    plugins: Sequence[Plugin] = (),
    fold: int | None = None,
    seed: int | None = None,
) -> Predictions:
    """Probabilities of the classes of a run for some files; those of its folds and seeds are averaged.

    Parameters
    ----------
    name : str
        As `RunStore.find` knows it.
    files : sequence of str
        Files, or folders, in which everything is taken that is called as audio (or as pictures) is.
    fold, seed : int or None
        Of the run to take; None takes all.

    Raises
    ------
    BadInput
        If the run's model cannot be loaded here, or no file can be read.
    """
    places = places or Places()
    store, member = RunStore(runs), find_member(_Chosen(runs, fold, seed), name)
    record = member.first
    if not record.classes or not record.kind:
        raise BadInput(f"{name}: an earlier mirbench recorded it, without the names of its classes; run it again")
    leaves = _leaves(store, member)
    heard = _hear(record, files, Catalogue(plugins, places.data, places.weights), places, progress)
    models = _Models(store, heard, plugins, places, progress)
    scores = np.zeros((len(heard.clips), len(record.classes)))
    faults: dict[int, str] = {}
    with progress.bar(f"{member.name} predicts", len(leaves) * len(heard.clips), "files") as step:
        for leaf in leaves:
            for n, answer in _answers(models.load(leaf), heard, step):
                if isinstance(answer, str):
                    faults[n] = answer
                else:
                    scores[n] += leaf.weight * answer
    good = [n for n in range(len(heard.clips)) if n not in faults]
    lines = (*heard.faults, *(f"{heard.clips[n].path}: {line}" for n, line in sorted(faults.items())))
    _some(good, lines)
    return Predictions(
        title=f"{record.spec.task}: {member.name}",
        runs=_said(member),
        classes=tuple(record.classes),
        files=tuple(Path(str(heard.clips[n].path)) for n in good),
        probabilities=np.clip(scores[good], 0, 1).astype(np.float32),
        faults=lines,
    )


def _some(files: Sequence[Any], faults: Sequence[str]) -> None:
    if not files:
        raise BadInput("no file can be used:\n  " + "\n  ".join(faults))


def _said(member: Member) -> str:
    """Whose mean it is."""
    if len(member.runs) == 1:
        return ""
    counts = [(len(member.folds), "fold"), (len(member.seeds), "seed")]
    if counts[0][0] * counts[1][0] != len(member.runs):
        return f"mean of {len(member.runs)} runs"
    return "mean of " + " × ".join(f"{count} {word}s" for count, word in counts if count > 1)


def _leaves(store: RunStore, member: Member) -> list[_Leaf]:
    """The models of all runs; an ensemble's are those of its members."""
    every = [_Leaf(folder, record, 1 / len(member.runs)) for folder, record in member.runs.values()]
    while any(leaf.record.spec.method == "ensemble" for leaf in every):
        every = [part for leaf in every for part in _parts(store, leaf)]
    return every


def _parts(store: RunStore, leaf: _Leaf) -> Iterable[_Leaf]:
    params = leaf.record.spec.params
    if leaf.record.spec.method != "ensemble":
        yield leaf
        return
    if params["average"] != "prob":
        raise BadInput(f"{leaf.folder}: this ensemble averages ranks among the test clips; a file alone has none")
    for key, system, weight in zip(params["members"], params["systems"], params["member_weights"], strict=True):
        try:
            ((folder, record),) = store.find(key)
        except BadInput as error:
            raise BadInput(f"{leaf.folder}: its member {system}, run {key}, is not below {store.root}") from error
        yield _Leaf(folder, record, leaf.weight * weight)


@dataclass(frozen=True)
class _Heard:
    """The files that can be used, as clips of a task in the classes of the run, and a line for each other one."""

    task: Task
    clips: tuple[Clip, ...]
    facts: dict[Excerpt, audio.Facts]
    faults: tuple[str, ...]

    def split(self, rows: range) -> Split:
        """Some of them."""
        return Split(self.task, tuple(self.clips[n] for n in rows))


def _hear(record: RunRecord, files: Sequence[str], catalogue: Catalogue, places: Places, progress: Progress) -> _Heard:
    """Find and survey the files, which are heard at the levels of the run's task."""
    medium = _medium(record.spec.task, catalogue)
    found = _listed(files, pictures.SUFFIXES if medium == "picture" else audio.SUFFIXES)
    clips = [Clip(str(n), path, "test", ()) for n, path in enumerate(found)]
    task = Task(
        "files", "1", "files of one's own", record.kind, tuple(record.classes), ("accuracy",),  # type: ignore[arg-type]
        lambda root, fold: clips, "", len(clips), 0.0, medium=medium,
    )  # fmt: skip
    levels = [word for word in record.spec.task.rpartition("/")[2].split("+")[1:] if word in _LEVELS]
    task = replace(Catalogue([_plugin(task)]).task("+".join(["files", *levels])), name="files", version="1")
    at_levels = task.read_clips(None, 0)
    facts, faults = _survey(excerpts(Split(task, tuple(at_levels))), medium, places, progress)
    kept = tuple(clip for clip in at_levels if set(excerpts(Split(task, (clip,)))) & facts.keys())
    _some(kept, faults)
    return _Heard(task, kept, facts, faults)


def _plugin(task: Task) -> Plugin:
    return Plugin("files", "0" * 64, {task.name: task}, {}, {})


def _medium(task: str, catalogue: Catalogue) -> Literal["audio", "picture"]:
    """What the task's files are; those of families are audio, and a task that is not known here is taken for that."""
    base = task.partition("+")[0]
    if ":" in base:
        return "audio"
    try:
        return catalogue.task(base).medium
    except MirbenchError:
        return "audio"


def _listed(names: Sequence[str], suffixes: tuple[str, ...]) -> list[Path]:
    """Files, and those of folders that are called as they should; each once, none that is hidden."""
    found: dict[Path, None] = {}
    for name in names:
        given = user_path(name)
        if not given.is_dir():
            found[given] = None
            continue
        inside = sorted(path for path in given.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
        shown = [path for path in inside if not any(part[0] == "." for part in path.relative_to(given).parts)]
        if not shown:
            raise BadInput(f"{given}: holds no file that ends in {', '.join(suffixes)}")
        found |= dict.fromkeys(shown)
    return list(found)


def _survey(
    every: Sequence[Excerpt], medium: str, places: Places, progress: Progress
) -> tuple[dict[Excerpt, audio.Facts], tuple[str, ...]]:
    """Facts of the files that can be used, and a line for each other one."""
    look = pictures.survey if medium == "picture" else audio.survey
    memo = places.cache / "files.sqlite"
    try:
        return look(every, memo, progress, places.workers), ()
    except BadAudio as error:
        faults = error.faults
    good = [place for place in every if not any(line.startswith(f"{place.path}: ") for line in faults)]
    return look(good, memo, progress, places.workers), faults  # what was looked at is remembered


@dataclass(frozen=True)
class _Models:
    """What loads the models of runs; those of one source share it."""

    store: RunStore
    heard: _Heard
    plugins: Sequence[Plugin]
    places: Places
    progress: Progress
    contexts: dict[str, Context] = field(default_factory=dict)

    def load(self, leaf: _Leaf) -> Predict:
        """The model of a run; refused where what it needs is not here as it was."""
        plan = self._plan(leaf.record)
        return _restored(leaf, plan.method, self.store, self.heard.split(range(1)), self._context(leaf.record, plan))

    def _plan(self, record: RunRecord) -> Plan:
        """The run's question about these files."""
        spec, places = record.spec, self.places
        elsewhere = BadInput(f"{spec.source} was computed elsewhere; files of your own have no such features")
        if spec.source.startswith(("features:", "shipped:")):
            raise elsewhere
        request = Request(
            task=self.heard.task.name,
            method=spec.method,
            source=spec.source,
            seeds=(spec.seed,),
            params={**spec.params, **record.chosen},
            source_params=spec.source_params,
            windowing=spec.windowing,
            data=places.data,
            weights=places.weights,
            cache=places.cache,
            device=places.device,
            precision=spec.precision,
            workers=places.workers,
            threads=places.threads,
        )
        try:
            plan = draft_plan(
                request, Catalogue([*self.plugins, _plugin(self.heard.task)], places.data, places.weights)
            )
        except UnknownName as error:
            if "+" not in spec.method_version + spec.source_version:
                raise
            raise BadInput(
                f"{spec.method} {spec.source}: the run was made with a plugin; give it as --plugin FILE"
            ) from error
        if plan.card is not None and plan.card.missing:
            raise BadInput(plan.card.missing)
        if plan.card is not None and plan.card.kind == "precomputed":
            raise elsewhere
        for what in ("method", "source"):
            had, has = (getattr(asked, f"{what}_version") for asked in (spec, plan.specs[0]))
            if had != has:
                raise BadInput(f"{getattr(spec, what)}: the run is of its version {had}, here is {has}; run it again")
        return replace(plan, facts=self.heard.facts)

    def _context(self, record: RunRecord, plan: Plan) -> Context:
        spec = record.spec
        asked = [spec.source, spec.source_params, spec.source_sha256, spec.precision, repr(spec.windowing)]
        key = json.dumps(asked, sort_keys=True)
        if key not in self.contexts:
            weights = self._weights(plan.card, spec) if plan.card else None
            self.contexts[key] = context_of(replace(plan, weights=weights), self.progress)
        return self.contexts[key]

    def _weights(self, card: SourceCard, spec: RunSpec) -> Weights | None:
        found = find_weights(card, self.places.weights, self.places.cache, self.progress, spec.source_params)
        sha256 = found.sha256 if found else ""
        if sha256 != spec.source_sha256:
            raise BadInput(
                f"{card.name}: the weights here (sha256 {sha256[:12]}…) are not those of the run "
                f"({spec.source_sha256[:12]}…); put those into a folder and give it as --weights DIR"
            )
        return found


def _restored(leaf: _Leaf, method: Method, store: RunStore, split: Split, context: Context) -> Predict:
    if not isinstance(method, Restorable):
        raise BadInput(
            f"{method.name} cannot be loaded again; give its class `restore`, and what it needs as `state` of what fit "
            "returns (`mirbench check` tries both), and run it again"
        )
    state = store.state(leaf.folder)
    if state is None and leaf.record.n_trainable != 0:
        raise BadInput(f"{leaf.folder}: no model is stored in it; remove it to run it again")
    try:
        return method.restore(state or {}, split.blind(), context)
    except MirbenchError:
        raise
    except Exception as error:  # arrays that do not fit, in torch's or numpy's words
        raise BadInput(f"{leaf.folder}: its model does not load ({_line(error)}); remove it to run it again") from error


def _answers(model: Predict, heard: _Heard, step: Callable[..., None]) -> Iterator[tuple[int, FloatArray | str]]:
    """Scores of each file, or what is wrong with it."""
    for first in range(0, len(heard.clips), _CHUNK):
        rows = range(first, min(first + _CHUNK, len(heard.clips)))
        yield from _answer(model, heard, rows)
        step(len(rows))


def _answer(model: Predict, heard: _Heard, rows: range) -> Iterator[tuple[int, FloatArray | str]]:
    """Of several files together; of each by itself where that cannot be done."""
    try:
        scores = model(heard.split(rows).blind())
    except Exception as error:
        if len(rows) == 1:
            yield rows[0], _line(error)
            return
        for n in rows:
            yield from _answer(model, heard, range(n, n + 1))
    else:
        yield from zip(rows, scores, strict=True)


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]
