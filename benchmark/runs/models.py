"""Trained models of recorded runs, loaded again: with the weights that the run had, to predict files of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirbench.errors import BadInput, ChangedSource, MirbenchError, NotApplicable, UnknownName
from mirbench.features.weights import Weights, find_weights
from mirbench.installation import refuse_broken
from mirbench.learnt import Learnt
from mirbench.method import Graphed, Method, Restorable, Showing
from mirbench.places import default_cache
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.calibration import as_tuned
from mirbench.runs.members import Member
from mirbench.runs.own_files import Heard, as_plugin
from mirbench.runs.own_places import lacking, source_here
from mirbench.runs.plan import Plan, Request, draft_plan
from mirbench.runs.store import RunStore
from mirbench.runs.surroundings import context_of
from mirbench.source import SourceCard
from mirbench.types import BlindSplit, FloatArray, Split, Task

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["Leaf", "Models", "Places", "answers", "leaves_of"]

Predict = Callable[[BlindSplit], FloatArray]


@dataclass(frozen=True)
class Places:
    """Where things are, and what to compute on; fields as those of `mirbench.runs.plan.Request`.

    Parameters
    ----------
    named : mapping of str to str
        Where lists, folders and models lie; see `mirbench.runs.own_places.parse_places`.
    """

    data: Path | None = None
    weights: Path | None = None
    cache: Path = field(default_factory=default_cache)
    device: str = "auto"
    workers: int = 2
    threads: int = 0
    named: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Leaf:
    """A model and its share in the result.

    Parameters
    ----------
    folder : Path
        Where ``model.safetensors`` lies.
    source : Weights or None
        The weights of its source where they lie beside the model; None where they are looked for.
    """

    folder: Path
    record: RunRecord
    weight: float
    source: Weights | None = None

    @property
    def n_bytes(self) -> int:
        """What it takes in memory, at most: what was learnt, and a copy of the source."""
        path = self.folder / "model.safetensors"
        return 4 * (self.record.n_total or 0) + (path.stat().st_size if path.is_file() else 0)


def leaves_of(store: RunStore, member: Member) -> list[Leaf]:
    """The models of all runs; an ensemble's are those of its members."""
    every = [Leaf(folder, record, 1 / len(member.runs)) for folder, record in member.runs.values()]
    while any(leaf.record.spec.method == "ensemble" for leaf in every):
        every = [part for leaf in every for part in _parts(store, leaf)]
    return every


def _parts(store: RunStore, leaf: Leaf) -> Iterable[Leaf]:
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
        yield Leaf(folder, record, leaf.weight * weight)


@dataclass(frozen=True)
class Models:
    """What loads the models of runs; those of one source share it."""

    store: RunStore
    plugins: Sequence[Plugin]
    places: Places
    progress: Progress
    contexts: dict[str, Context] = field(default_factory=dict)
    catalogues: dict[str, Catalogue] = field(default_factory=dict)

    def load(self, leaf: Leaf, heard: Heard, scratch: Path | None) -> Predict:
        """The model of a run; refused where what it needs is not here as it was.

        Parameters
        ----------
        heard : Heard
            Files that are heard next.
        scratch : Path or None
            Where their rows go.
        """
        self.require_untouched()
        plan = self._plan(leaf.record, heard)
        context = self._context(leaf, plan, scratch)
        return _restored(leaf, plan.method, self.store, heard.split(range(1)), context)

    def graph(self, leaf: Leaf, heard: Heard, scratch: Path | None) -> tuple[Any, Any]:
        """The model as torch modules; see `mirbench.method.Graphed`. Parameters as of `load`."""
        plan = self._plan(leaf.record, heard)
        method = plan.method
        if not isinstance(method, Graphed):
            raise NotApplicable(f"--onnx: {method.name} is no network that torch could write; leave --onnx out")
        if leaf.record.thresholds:
            raise NotApplicable("--onnx: thresholds that were tuned on valid are not written so; leave --onnx out")
        if leaf.record.temperature is not None:
            raise NotApplicable("--onnx: a temperature that was fitted on valid is not written so; leave --onnx out")
        self.load(leaf, heard, scratch)  # refuses what does not load
        context = self._context(leaf, plan, scratch)
        state = self.store.state(leaf.folder, leaf.record.files) or {}
        found: tuple[Any, Any] = method.graph(state, heard.split(range(1)).blind(), context)
        return found

    def learnt(self, leaf: Leaf, heard: Heard, scratch: Path | None) -> list[Learnt]:
        """What the model's method shows of what it learnt; see `mirbench.method.Showing`. Parameters as of `load`."""
        method = self._plan(leaf.record, heard).method
        if not isinstance(method, Showing):
            raise NotApplicable(
                f"--learnt: {method.name} has nothing to look at or to listen to; reprogramming has (ii-nmr, id-nmr, "
                "ids-nmr, nrp, cnnrp, unet-rp, padding-rp)"
            )
        self.load(leaf, heard, scratch)  # refuses what does not load
        context = self._context(leaf, self._plan(leaf.record, heard), scratch)
        state = self.store.state(leaf.folder, leaf.record.files) or {}
        found = list(method.learnt(state, heard.split(range(len(heard.clips))), context))
        self.require_untouched()
        return found

    def hear(self, heard: Heard, scratch: Path | None) -> None:
        """Let the models that are loaded hear these files, whose rows go to `scratch`."""
        for context in self.contexts.values():
            context.hear_others(heard.facts, scratch)

    def require_untouched(self) -> None:
        """Refuse to go on with a source that one of the models changed.

        Raises
        ------
        ChangedSource
            If that is so.
        """
        for context in self.contexts.values():
            if changed := context.source_changed():
                raise ChangedSource(changed)

    def _plan(self, record: RunRecord, heard: Heard) -> Plan:
        """The run's question about these files."""
        spec, places = record.spec, self.places
        elsewhere = BadInput(f"{spec.source} was computed elsewhere; files of your own have no such features")
        if spec.source.startswith(("features:", "shipped:")):
            raise elsewhere
        request = Request(
            task=heard.task.name,
            method=spec.method,
            source=source_here(spec.source, places.named),
            seeds=(spec.seed,),
            params={**spec.params, **record.chosen},
            source_params=spec.source_params,
            windowing=spec.windowing,
            pad=spec.pad,
            data=places.data,
            weights=places.weights,
            cache=places.cache,
            device=places.device,
            precision=spec.precision,
            workers=places.workers,
            threads=places.threads,
        )
        try:
            plan = draft_plan(request, self._catalogue(heard.task))
        except UnknownName as error:
            if "+" not in spec.method_version + spec.source_version:
                raise
            raise BadInput(
                f"{spec.method} {spec.source}: the run was made with a plugin; give it as --plugin FILE"
            ) from error
        except BadInput as error:
            if lacks := lacking(replace(spec, task=""), places.named):
                raise BadInput(f"{error}; {lacks}") from error
            raise
        if plan.card is not None and plan.card.missing:
            raise BadInput(plan.card.missing)
        if plan.card is not None and plan.card.kind == "precomputed":
            raise elsewhere
        for what in ("method", "source"):
            had, has = (getattr(asked, f"{what}_version") for asked in (spec, plan.specs[0]))
            if had != has:
                raise BadInput(f"{getattr(spec, what)}: the run is of its version {had}, here is {has}; run it again")
        return replace(plan, facts=heard.facts)

    def _catalogue(self, task: Task) -> Catalogue:
        """What the models may be made of; it is the same for all, and takes time to look for."""
        if task.name not in self.catalogues:
            self.catalogues[task.name] = Catalogue(
                [*self.plugins, as_plugin(task)], self.places.data, self.places.weights
            )
        return self.catalogues[task.name]

    def _context(self, leaf: Leaf, plan: Plan, scratch: Path | None) -> Context:
        spec = leaf.record.spec
        asked = [spec.source, spec.source_params, spec.source_sha256, spec.precision, repr(spec.windowing), spec.pad]
        key = json.dumps(asked, sort_keys=True)
        if key not in self.contexts:
            weights = leaf.source or (self._weights(plan.card, spec) if plan.card else None)
            self.contexts[key] = context_of(replace(plan, weights=weights), self.progress, scratch)
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


def _restored(leaf: Leaf, method: Method, store: RunStore, split: Split, context: Context) -> Predict:
    if not isinstance(method, Restorable):
        raise BadInput(
            f"{method.name} cannot be loaded again; give its class `restore`, and what it needs as `state` of what fit "
            "returns (`mirbench check` tries both), and run it again"
        )
    state = store.state(leaf.folder, leaf.record.files)
    if state is None and leaf.record.n_trainable != 0:
        raise BadInput(f"{leaf.folder}: no model is stored in it; remove it to run it again")
    try:
        restored = method.restore(state or {}, split.blind(), context)
    except MirbenchError:
        raise
    except Exception as error:  # arrays that do not fit, in torch's or numpy's words
        refuse_broken(error)
        raise BadInput(f"{leaf.folder}: its model does not load ({_line(error)}); remove it to run it again") from error
    return as_tuned(restored, leaf.record)


def answers(model: Predict, heard: Heard, rows: range) -> Iterator[tuple[int, FloatArray | str]]:
    """Scores of some files, or what is wrong with each: of all together, or one by one where that cannot be done."""
    try:
        scores = model(heard.split(rows).blind())
    except Exception as error:
        refuse_broken(error)
        if len(rows) == 1:
            yield rows[0], _line(error)
            return
        for n in rows:
            yield from answers(model, heard, range(n, n + 1))
    else:
        yield from zip(rows, scores, strict=True)


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]
