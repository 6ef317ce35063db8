"""What a run is and what it leaves: its identity, its record, and the trials of a search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from mirbench.types import Pad, Range, Windowing

__all__ = [
    "OF_ONE_RUN", "SCHEMA_VERSION", "Amount", "Between", "Count", "FitOn", "RunRecord", "RunSpec", "ThresholdsFrom",
    "Trial", "Value", "copies",
]  # fmt: skip

SCHEMA_VERSION = 1

OF_ONE_RUN = ("members", "member_seeds")
"""Of the parameters of an ensemble, those that another fold or seed changes."""

_MOST = 2**53 - 1
"""The largest whole number that every reader of JSON takes for what it is."""


@dataclass(frozen=True)
class Between:
    """The range of a number of a record, ends included; ``record.schema.json`` has the same."""

    low: float
    high: float


Count = Annotated[int, Between(0, _MOST)]
Amount = Annotated[float, Between(0, 1e15)]
Value = Annotated[float, Between(-1e300, 1e300)]
Fold = Annotated[int, Between(0, 9_999)]
Folds = Annotated[int, Between(1, 10_000)]

FitOn = Literal["train", "train-and-valid", "refit"]
"""Which clips are learnt from: those of train; those of valid too, where nothing is selected on them; or both, once
more, after what was selected on valid."""

ThresholdsFrom = Literal["0.5", "valid"]
"""Above which score a label of several is predicted: a half, or what is best on valid, class by class."""

CalibrateBy = Literal["none", "temperature"]
"""Whether scores are as the model says, or with a temperature that was fitted on valid."""

_LATER: dict[str, Any] = {"fit_on": "train", "pad": "zeros", "thresholds": "0.5", "calibrate": "none"}
"""Fields that came later, with what earlier versions did: where it is that, they are neither in keys nor in files, so
that a run of before is the run that it was."""


@dataclass(frozen=True)
class Trial:
    """One point of a declared search.

    Parameters
    ----------
    params : mapping
        Its hyperparameters.
    valid_score : float
        What it is chosen by, higher is better; NaN where the metric is undefined on valid.
    seconds : float or None
        Wall time of its fit and its score; None where others were fitted with it.
    valid_scores, valid_losses : sequence of float
        Of its epochs, to five digits; empty in records of earlier versions, where a method has no epochs, and where a
        search has more epochs in all than a record holds.
    """

    params: Mapping[str, Any]
    valid_score: Value
    seconds: Amount | None
    valid_scores: Sequence[Value] = ()
    valid_losses: Sequence[Value] = ()


@dataclass(frozen=True)
class RunSpec:
    """What was asked of a run, down to weights and bytes of audio. Circumstance (device, threads) is not in it.

    Parameters
    ----------
    task, task_version : str
        Name of the task with its modifiers, and its version.
    fold, seed : int
        Which fold is tested, and what every random number comes from.
    windowing : Windowing
        How clips become windows and windows a score.
    method, method_version : str
        Of a plugin, the version holds a hash of its source.
    params : mapping
        Every hyperparameter of the method.
    search : mapping of str to sequence
        Values to try of some of them; the run is then all of the search.
    source, source_version : str
        "" where the method takes none.
    source_params : mapping
        Options of the source.
    source_sha256 : str
        Of its weights; "" where they are none.
    audio_sha256 : str
        Of ids, labels, splits and bytes of all clips.
    precision : str
        "float32", "bfloat16" or "float16".
    fit_on : {"train", "train-and-valid", "refit"}
        Which clips are learnt from; see `FitOn`.
    pad : str
        How clips that are shorter than the source's window fill it; "zeros" where none is. See
        `mirbench.features.padding`.
    thresholds : {"0.5", "valid"}
        Above which score a label of a multi-label task is predicted; see `mirbench.runs.thresholds`.
    calibrate : {"none", "temperature"}
        What is done to scores so that they are probabilities; see `mirbench.runs.calibration`.
    """

    task: str
    task_version: str
    fold: Fold
    windowing: Windowing
    method: str
    method_version: str
    params: Mapping[str, Any]
    search: Mapping[str, Sequence[Any]]
    source: str
    source_version: str
    source_params: Mapping[str, Any]
    source_sha256: str
    audio_sha256: str
    precision: str
    seed: Count
    fit_on: FitOn = "train"
    pad: Pad = "zeros"
    thresholds: ThresholdsFrom = "0.5"
    calibrate: CalibrateBy = "none"

    @property
    def later(self) -> dict[str, str]:
        """Those of the fields that came last which are not what they always were, as the flags that ask for them."""
        return {flag: value for flag, value in self.as_asked.items() if value != _LATER[flag.replace("-", "_")]}

    @property
    def as_asked(self) -> dict[str, str]:
        """The fields that came last, as the flags that ask for them."""
        return {name.replace("_", "-"): getattr(self, name) for name in _LATER}

    @property
    def left_out(self) -> list[str]:
        """Names of the fields that came last and are what they always were, so that no file and no key holds them."""
        return [name for name, usual in _LATER.items() if getattr(self, name) == usual]

    @property
    def key(self) -> str:
        """Sixteen hex digits that name the run."""
        text = json.dumps(self._fields(), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def system(self) -> str:
        """Eight hex digits that name the system: all that was asked, less fold and seed."""
        fields = self._fields()
        del fields["fold"], fields["seed"]
        if "systems" in self.params:  # the runs that an ensemble joins are others in each fold and seed
            fields["params"] = {name: value for name, value in self.params.items() if name not in OF_ONE_RUN}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:8]

    def _fields(self) -> dict[str, Any]:
        """As `asdict`, which would copy every value: a board asks thousands of records."""
        fields = {**vars(self), "windowing": vars(self.windowing)}
        for name in self.left_out:
            del fields[name]
        return fields


@dataclass(frozen=True)
class RunRecord:
    """What came of a run.

    Parameters
    ----------
    spec : RunSpec
        What was asked.
    status : {"done", "failed", "skipped"}
        A failed run is tried again when it is asked for again.
    reason : str
        Why it failed or was skipped, one line.
    metrics : mapping of str to float, None, or nested list
        Every metric of the task on test; an undefined value is None.
    n_scored : mapping of str to int
        How many classes a macro metric could be computed for.
    n_trainable, n_total : int or None
        Values that were learnt; the source as published and what was learnt, together, None where the source computes
        in another program.
    n_clips : mapping of str to int
        Clips in train, valid and test.
    seconds : mapping of str to float or None
        ``features`` (frozen computation, as measured when it was done), ``train``, ``epoch`` (mean), ``inference``
        (test set, cache allowed), ``clips_per_second`` (of the system: an uncached pass from file to score, measured
        once on this machine by the run that the environment calls ``timed_run``), ``frozen_clip`` (measured then, too:
        what a clip takes from file to the rows that training reads, which an epoch reads from the cache).
        ``train`` and ``epoch`` are None where others were trained with it.
    spent : mapping of str to float
        Where the wall time of the run went, in seconds that add up to it: ``waiting`` (for other processes),
        ``loading`` (the source), ``decoding`` (as far as it was waited for), ``front_end`` and ``body`` (of the source,
        rows that were new), ``features`` (other rows), ``rows`` (reading and writing the cache), ``training``,
        ``predicting``, ``scoring``, ``timing``, ``other``. Beside it ``decoding_threads``: what decoding took its
        threads, added up. Of runs that were trained together the first waited for all. Empty in records of earlier
        versions.
    memory : mapping of str to int or None
        Peak bytes: ``cpu`` (resident), ``gpu`` (allocated).
    flops : int or None
        Floating-point operations of torch's matrix products, convolutions and attention from the audio of one clip
        (the first of test of the first fold) to its score, counted by the run that was timed; a multiply-add counts
        two. None where torch does nothing of the kind, and where the source computes in another program.
    classes : sequence of str
        Names of the columns of its scores.
    kind : str
        Of the task: "single-label", "multi-label" or "regression".
    changed : mapping of str to value
        Hyperparameters, and options of the source as "source NAME", that differ from their defaults.
    energy : mapping of str to float or str
        With ``--energy``: ``train_kwh``, and ``how`` it was measured or estimated.
    trials : sequence of mapping
        The points of its search as `Trial`, in the order in which they were tried.
    chosen : mapping
        The hyperparameters of the best of them.
    thresholds : sequence of float
        One a class, where they were tuned on valid: what the model scores, before a half means that.
    temperature : float or None
        Fitted on valid, where that was asked for.
    ranges : sequence of (float, float)
        Of a regression task's targets, the lowest and the highest value in their units: scores are places between them.
    history : sequence of mapping
        A row an epoch: ``loss``, ``valid_score``, ``valid_loss``, ``seconds``; of a fit on valid too, without valid.
        ``without_gradient``: how many trained values had none in its last step, where that is so of all of a tensor.
    standing, n_folds
        Of the task; see `Task`.
    uses_seed : bool
        False where nothing is random, and the run stands for those of all seeds.
    contaminated : sequence of str
        Data sets of the task that the source was trained on; "unknown" where nobody says what it was trained on.
    environment : mapping
        Versions, device, threads, processor and time: the circumstance of the run. ``copies``: how many test clips are
        the same to the byte as clips of train or valid, where some are.
    files : mapping of str to str
        SHA-256 of ``scores.npz`` and, where something was learnt, ``model.safetensors`` beside it; empty in records of
        earlier versions.
    schema_version : int
        Of the form of the record.
    """

    spec: RunSpec
    status: Literal["done", "failed", "skipped"]
    reason: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    n_scored: Mapping[str, Count] = field(default_factory=dict)
    n_trainable: Count | None = None
    n_total: Count | None = None
    n_clips: Mapping[str, Count] = field(default_factory=dict)
    seconds: Mapping[str, Amount | None] = field(default_factory=dict)
    memory: Mapping[str, Count | None] = field(default_factory=dict)
    flops: Count | None = None
    classes: Sequence[str] = ()
    kind: str = ""
    changed: Mapping[str, Any] = field(default_factory=dict)
    energy: Mapping[str, Any] = field(default_factory=dict)
    spent: Mapping[str, Amount] = field(default_factory=dict)
    trials: Sequence[Mapping[str, Any]] = ()
    chosen: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Sequence[Value] = ()
    temperature: Amount | None = None
    ranges: Sequence[Sequence[Value]] = ()
    history: Sequence[Mapping[str, Value]] = ()
    standing: str = "full"
    n_folds: Folds = 1
    uses_seed: bool = True
    contaminated: Sequence[str] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def target_ranges(self) -> tuple[Range, ...]:
        """`ranges` as a task has them, however the record was read."""
        return tuple((float(low), float(high)) for low, high in self.ranges)


def copies(record: RunRecord) -> int:
    """How many test clips are copies of clips that were learnt from; 0 of earlier versions, which did not look."""
    n = record.environment.get("copies")
    return n if isinstance(n, int) and not isinstance(n, bool) else 0
