"""The words of the benchmark: clips, tasks, sources, methods, runs.

A *task* is labelled clips and how they are scored. A *source* is a frozen pretrained network. A *method* learns the
task, with or without a source. A *run* is (task, fold, method, source, seed) and leaves a *record*.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput, MissingData

if TYPE_CHECKING:
    from mirbench.context import Context

__all__ = [
    "OF_ONE_RUN", "Activations", "Archive", "ArrayRow", "BlindSplit", "Clip", "Excerpt", "Fitted", "Method", "Metric",
    "Restorable", "RunRecord", "RunSpec", "SourceCard", "Split", "Targets", "Task", "Trial", "WeightFile", "Windowing",
    "clips_of", "excerpts",
]  # fmt: skip

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

Stage = Literal["frontend", "body", "layers", "pooled", "head"]
"""What a source may offer. ``frontend``, ``body`` and ``head`` are its differentiable stages; ``layers`` are the
hidden states of its body and ``pooled`` is its embedding."""

SCHEMA_VERSION = 1

OF_ONE_RUN = ("members", "member_seeds")
"""Of the parameters of an ensemble, those that another fold or seed changes."""


@dataclass(frozen=True)
class ArrayRow:
    """Features of one clip that ship with its data set: a row of an array in an .npz file."""

    name: str
    path: Path
    key: str
    row: int


@dataclass(frozen=True)
class Clip:
    """One labelled stretch of one audio file, or one picture.

    Parameters
    ----------
    id : str
        Unique within the task.
    path : Path or None
        The file; None where this machine has only its labels.
    split : str
        "train", "valid" or "test".
    labels : tuple of str
        The classes that are present.
    unknown : tuple of str
        Classes of which nobody judged whether they are present; they are masked in losses and metrics.
    group : str
        What must not cross splits (an artist, an album); "" where unknown.
    start : float
        Seconds from the beginning of the file.
    duration : float or None
        Seconds; None is to the end of the file.
    strengths : tuple of float
        How sure each of `labels` is, in (0, 1]; () is 1 for all. A label under 0.5 is a soft target of an absent class.
    peaks : tuple of float
        Levels in dBFS: the stretch is heard once for each, in this order, with its absolute peak at that level; ()
        leaves it as it was recorded.
    arrays : tuple of ArrayRow
        Features that ship with the data set.
    """

    id: str
    path: Path | None
    split: str
    labels: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    group: str = ""
    start: float = 0.0
    duration: float | None = None
    strengths: tuple[float, ...] = ()
    peaks: tuple[float, ...] = ()
    arrays: tuple[ArrayRow, ...] = ()

    @property
    def present(self) -> tuple[str, ...]:
        """The labels that are at least as likely as not: those of strength 0.5 or more."""
        if not self.strengths:
            return self.labels
        return tuple(name for name, strength in zip(self.labels, self.strengths, strict=True) if strength >= 0.5)


@dataclass(frozen=True)
class Excerpt:
    """Where a clip's audio lies and at which levels it is heard, and nothing about its labels."""

    path: Path
    start: float = 0.0
    duration: float | None = None
    peaks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Archive:
    """A file to download, and where its contents go.

    Parameters
    ----------
    url : str
        The address.
    file_name : str
        The name it is kept under.
    checksum : str
        "md5:…" or "sha256:…"; "" where its publisher gives none.
    n_bytes : int or None
        Size of the download, where its page states it.
    strip : int
        Leading folders to leave out when unpacking.
    folder : str
        Folder inside the data set's own that it goes into.
    unpack : bool
        False for a plain file, which is kept as it is.
    note : str
        What a user should know before trying it.
    mirrors : tuple of str
        Addresses to try, in order, when the first does not answer; the checksum holds for all.
    """

    url: str
    file_name: str
    checksum: str
    n_bytes: int | None = None
    strip: int = 0
    folder: str = ""
    unpack: bool = True
    note: str = ""
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """Labelled clips and how they are scored: a card of facts plus the function that reads the clips.

    Parameters
    ----------
    name, version : str
        The identity; a changed split or label is a new version.
    title : str
        One line.
    kind : {"single-label", "multi-label"}
        Whether a clip has exactly one class.
    classes : tuple of str
        In the order of the columns of every score matrix.
    metrics : tuple of str
        Names in `mirbench.metrics.METRICS`, the one that selects first.
    read_clips : callable
        ``read_clips(root, fold) -> list of Clip``. Labels and splits come from frozen lists or from the data set's own
        files; `root` is the folder of the data set, or None to list the clips where this machine has no audio. Raises
        `MissingData` where files that it needs are absent.
    folder : str
        Name of the data set's folder under a data root, or an absolute path.
    n_folds : int
        Number of folds; 1 where the split is fixed.
    standing : {"full", "excerpt", "own", "synthesised"}
        Kinds never share a table; "own" is a user's own data.
    medium : {"audio", "picture"}
        What a clip's file is.
    ships : tuple of str
        Names of the features that ship with the data set, for sources ``shipped:NAME``.
    manifest : bool
        Whether its clips or splits are chosen on this machine and in no published list; they are then written beside
        the records, so that others can use the same.
    datasets : tuple of str
        Whose audio this is, for the flag of sources trained on it.
    n_clips : int
        Clips in one fold, all splits together; 0 where it is known only once they are read.
    clip_seconds : float
        Nominal length of a clip.
    synthesise : callable or None
        ``synthesise(root, step)`` writes the data set and calls ``step(1)`` after each clip, for tasks made on the
        spot.
    demo : str
        Name of the synthesised stand-in, or "".
    """

    name: str
    version: str
    title: str
    kind: Literal["single-label", "multi-label"]
    classes: tuple[str, ...]
    metrics: tuple[str, ...]
    read_clips: Callable[[Path | None, int], list[Clip]]
    folder: str
    n_clips: int
    clip_seconds: float
    n_folds: int = 1
    standing: Literal["full", "excerpt", "own", "synthesised"] = "full"
    medium: Literal["audio", "picture"] = "audio"
    ships: tuple[str, ...] = ()
    manifest: bool = False
    datasets: tuple[str, ...] = ()
    archives: tuple[Archive, ...] = ()
    reference: str = ""
    license: str = ""
    notes: tuple[str, ...] = ()
    demo: str = ""
    synthesise: Callable[[Path, Callable[..., None]], None] | None = None


@dataclass(frozen=True)
class Targets:
    """What is true of each clip.

    Parameters
    ----------
    value : ndarray of float32, shape (n_clips, n_classes)
        1 where the class is present, 0 where absent; in between for soft labels.
    known : ndarray of bool, shape (n_clips, n_classes)
        False where nobody judged; `value` means nothing there.
    kind : {"single-label", "multi-label"}
        Of the task: whether one class is predicted for a clip, or each class is decided on.
    """

    value: FloatArray
    known: BoolArray
    kind: Literal["single-label", "multi-label"]


@dataclass(frozen=True)
class Split:
    """The clips of one split of a task, with their labels."""

    task: Task
    clips: tuple[Clip, ...]

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the task's classes."""
        return self.task.classes

    def targets(self) -> Targets:
        """Labels as arrays; see `Targets`."""
        column = {name: k for k, name in enumerate(self.task.classes)}
        value = np.zeros((len(self), len(column)), dtype=np.float32)
        known = np.ones(value.shape, dtype=np.bool_)
        for row, clip in enumerate(self.clips):
            value[row, [column[name] for name in clip.labels]] = clip.strengths or 1.0
            known[row, [column[name] for name in clip.unknown]] = False
        return Targets(value, known, self.task.kind)

    def class_index(self) -> IntArray:
        """Index of each clip's class, shape (n_clips,).

        Raises
        ------
        BadInput
            If the task is multi-label.
        """
        if self.task.kind != "single-label":
            raise BadInput(f"{self.task.name} is multi-label: a clip has no single class; use targets()")
        return np.argmax(self.targets().value, axis=1).astype(np.int64)

    def blind(self) -> BlindSplit:
        """The same clips without ids, labels or paths, to predict from."""
        blind = BlindSplit(self.task.classes, self.task.kind, len(self))
        _HIDDEN[blind] = self.clips
        return blind


@dataclass(frozen=True, eq=False)
class BlindSplit:
    """What `predict` sees of a split: its class names and its length. The context finds its audio."""

    classes: tuple[str, ...]
    kind: str
    n_clips: int

    def __len__(self) -> int:
        return self.n_clips


# Kept apart from BlindSplit so that a method cannot read labels from file names without going out of its way.
_HIDDEN: weakref.WeakKeyDictionary[BlindSplit, tuple[Clip, ...]] = weakref.WeakKeyDictionary()


def clips_of(split: Split | BlindSplit) -> tuple[Clip, ...]:
    """The clips behind a split. For the context; a method has no business here."""
    return _HIDDEN[split] if isinstance(split, BlindSplit) else split.clips


def excerpts(split: Split | BlindSplit) -> tuple[Excerpt, ...]:
    """Where the file of each clip lies. For the context; a method has no business here.

    Raises
    ------
    MissingData
        If this machine has no file of some clip.
    """
    clips = clips_of(split)
    if lacking := [clip.id for clip in clips if clip.path is None]:
        few = ", ".join(lacking[:3]) + (" …" if len(lacking) > 3 else "")
        task = f"{split.task.name}: " if isinstance(split, Split) else ""
        raise MissingData(
            f"{task}{len(lacking)} of {len(clips)} clips have no audio on this machine ({few}); get it "
            "(`mirbench data get`), or take a source of precomputed features (features:FILE.npz, shipped:NAME)"
        )
    return tuple(Excerpt(clip.path, clip.start, clip.duration, clip.peaks) for clip in clips if clip.path is not None)


@dataclass(frozen=True)
class Metric:
    """A score of predictions.

    Parameters
    ----------
    name : str
        Kebab-case.
    kind : {"value", "per-class", "matrix"}
        Shape of the result.
    task_kinds : tuple of str
        Kinds of task that it is defined for.
    function : callable
        ``function(scores, targets)`` with scores (n_clips, n_classes) in [0, 1]. An undefined value is NaN inside
        arrays and becomes null in records.
    over_folds : {"pool", "average"}
        Whether it is taken once on the predictions of all folds together, or averaged over folds.
    per_class : str
        Name of the metric that holds its values class by class, or "".
    """

    name: str
    kind: Literal["value", "per-class", "matrix"]
    task_kinds: tuple[str, ...]
    function: Callable[[FloatArray, Targets], Any]
    reference: str
    over_folds: Literal["pool", "average"] = "pool"
    per_class: str = ""
    higher_is_better: bool = True


@dataclass(frozen=True)
class WeightFile:
    """A file of pretrained weights: where it is published and what it hashes to.

    Parameters
    ----------
    sha256 : str
        Its first digits where no more are published (torch.hub puts 8 into names). "" where nobody has published it:
        the file is taken as it comes, and its own hash tells its results apart.
    n_bytes : int
        0 where it is not known.
    """

    file_name: str
    url: str
    sha256: str = ""
    n_bytes: int = 0

    @property
    def checksum(self) -> str:
        """Its hash for people."""
        more = "…" if len(self.sha256) < 64 else ""
        return f"sha256:{self.sha256}{more}" if self.sha256 else "no checksum"

    @property
    def size(self) -> str:
        """Its size for people."""
        return f"{self.n_bytes / 1e6:.1f} MB" if self.n_bytes else "size unknown"


@dataclass(frozen=True)
class SourceCard:
    """The facts of a pretrained network.

    Parameters
    ----------
    kind : {"network", "embedding", "precomputed"}
        What it is.
    offers : tuple of str
        Which stages it has; see `Stage`.
    sample_rate, seconds : int, float
        Rate in Hz and length of the window that it takes; these and the counts below are 0 where there is no network.
    accepts : tuple of str
        Kinds of file that its network can begin from: "audio", "picture".
    n_bands, n_frames : int
        Shape of the picture that its front end makes; 0 where it has none.
    n_features, n_outputs : int
        Width of `pooled`, and number of its own classes.
    n_layers : int
        Number of hidden layers that `body` can return.
    n_parameters : int
        Parameters of the network as published.
    labels : str
        Name of the list of its own classes, for people.
    missing : str
        Why it cannot be used on this machine, and what to do, in one line; "" where it can. A run with it is recorded
        as skipped.
    trained_on : tuple of str
        Data sets whose audio it has seen, in the words of ``Task.datasets``.
    builder : str
        "module:function" that takes the folder or file of its weights and its options and returns the network.
    activation : {"sigmoid", "softmax"}
        What makes probabilities of its logits.
    version : str
        Raised when our code of the network changes what it computes.
    weights, hub, packaged, file, shipped
        Where it comes from: published files, a Hugging Face repository, a file of this package ("module:file"), a file
        of precomputed features, or the name of features that ship with the task's data set.
    extra_weights : mapping of str to WeightFile
        A further file that an option needs at one of its values, by "option=value"; the builder takes it after the
        first.
    options : mapping
        Options of the builder with their defaults, set by ``--source-set``. One that is called as a field here
        (``seconds``) takes the field's place.
    choices : mapping of str to tuple of str or int
        The values that an option accepts, where they are few: others are refused before weights are looked for.
    """

    name: str
    title: str
    kind: Literal["network", "embedding", "precomputed"]
    offers: tuple[Stage, ...]
    builder: str
    sample_rate: int = 0
    seconds: float = 0.0
    n_bands: int = 0
    n_frames: int = 0
    n_features: int = 0
    n_outputs: int = 0
    n_layers: int = 0
    n_parameters: int = 0
    labels: str = ""
    trained_on: tuple[str, ...] = ()
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    version: str = "1"
    weights: tuple[WeightFile, ...] = ()
    extra_weights: Mapping[str, WeightFile] = field(default_factory=dict)
    hub: str = ""
    packaged: str = ""
    file: str = ""
    shipped: str = ""
    accepts: tuple[Literal["audio", "picture"], ...] = ("audio",)
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    reference: str = ""
    license: str = ""
    notes: tuple[str, ...] = ()
    missing: str = ""


@dataclass
class Activations:
    """What the body of a source computes.

    Parameters
    ----------
    pooled : Tensor, shape (n, n_features)
    layers : dict of int to Tensor, shape (n, n_tokens, width)
        Only the layers that were asked for; class tokens are left out.
    """

    pooled: Any
    layers: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Windowing:
    """How clips become windows, and windows become a clip's score. The defaults are hung2022's (as printed).

    Parameters
    ----------
    windows : {"nonoverlap", "nonoverlap-plus-tail", "hopped16"}
        Windows side by side; a last one of at least half a window is padded with zeros, a shorter rest is left out.
        "plus-tail" adds the last full window of the clip, as hung2022's code does. "hopped16" is 16 windows at equal
        steps from the beginning, as in Won et al.'s benchmark of taggers.
    average : {"prob", "logit"}
        Whether probabilities or logits of the windows are averaged.
    """

    windows: Literal["nonoverlap", "nonoverlap-plus-tail", "hopped16"] = "nonoverlap"
    average: Literal["prob", "logit"] = "prob"


@dataclass(frozen=True)
class Trial:
    """One point of a declared search: its settings, its score on valid, and its time."""

    params: Mapping[str, Any]
    valid_score: float
    seconds: float


@dataclass(frozen=True)
class Fitted:
    """What `fit` returns: a method that has learnt.

    Parameters
    ----------
    predict : callable
        ``predict(blind split)`` -> probabilities, shape (n_clips, n_classes), each in [0, 1].
    n_trainable : int or None
        Number of learnt values that an optimiser moved; None where the word means nothing (forest, kernel SVM).
    state : mapping of str to array
        What was learnt, for files; empty where it is not stored.
    history : sequence of mapping
        A row an epoch, plain numbers.
    valid_score : float or None
        What it was selected by on valid, higher is better, where that is not the task's first metric of `predict`: a
        search of hyperparameters selects by it too.
    n_total : int or None
        The source and what was learnt, together, where that is not the sum: some of the source itself was learnt.
    """

    predict: Callable[[BlindSplit], FloatArray]
    n_trainable: int | None
    state: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    valid_score: float | None = None
    n_total: int | None = None


@runtime_checkable
class Method(Protocol):
    """A way to learn a task: a frozen dataclass whose fields are its hyperparameters.

    Attributes
    ----------
    name, version : str
        The identity. A changed result is a new version.
    needs : tuple of str
        Stages of the source that it uses; empty where it takes no source.
    uses_audio : bool, optional
        False for a method without a source that looks at labels alone; it runs where there is no audio.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Learn from train, select on valid; every random number comes from `seed`."""
        ...


@runtime_checkable
class Restorable(Protocol):
    """A method whose stored state predicts again, without fitting."""

    def restore(
        self, state: Mapping[str, Any], split: BlindSplit, context: Context
    ) -> Callable[[BlindSplit], FloatArray]:
        """`predict` from the state of an earlier `fit`; `split` tells the classes, and sizes of what is heard."""
        ...


@dataclass(frozen=True)
class RunSpec:
    """What was asked of a run, down to weights and bytes of audio. Circumstance (device, threads) is not in it."""

    task: str
    task_version: str
    fold: int
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
    seed: int

    @property
    def key(self) -> str:
        """Sixteen hex digits that name the run."""
        text = json.dumps(asdict(self), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def system(self) -> str:
        """Eight hex digits that name the system: all that was asked, less fold and seed."""
        fields = asdict(self)
        del fields["fold"], fields["seed"]
        if "systems" in self.params:  # the runs that an ensemble joins are others in each fold and seed
            fields["params"] = {name: value for name, value in self.params.items() if name not in OF_ONE_RUN}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class RunRecord:
    """What came of a run.

    Parameters
    ----------
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
        (test set, cache allowed), ``clips_per_second`` (one uncached pass from file to score).
    memory : mapping of str to int or None
        Peak bytes: ``cpu`` (resident), ``gpu`` (allocated).
    flops : int or None
        Floating-point operations of torch's matrix products, convolutions and attention from the audio of one clip
        (the first of test) to its score; a multiply-add counts two. None where torch does nothing of the kind, and
        where the source computes in another program.
    classes : sequence of str
        Names of the columns of its scores.
    kind : str
        Of the task: "single-label" or "multi-label".
    changed : mapping of str to value
        Hyperparameters, and options of the source as "source NAME", that differ from their defaults.
    energy : mapping of str to float or str
        With ``--energy``: ``train_kwh``, and ``how`` it was measured or estimated.
    """

    spec: RunSpec
    status: Literal["done", "failed", "skipped"]
    reason: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    n_scored: Mapping[str, int] = field(default_factory=dict)
    n_trainable: int | None = None
    n_total: int | None = None
    n_clips: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float | None] = field(default_factory=dict)
    memory: Mapping[str, int | None] = field(default_factory=dict)
    flops: int | None = None
    classes: Sequence[str] = ()
    kind: str = ""
    changed: Mapping[str, Any] = field(default_factory=dict)
    energy: Mapping[str, Any] = field(default_factory=dict)
    trials: Sequence[Mapping[str, Any]] = ()
    chosen: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    standing: str = "full"
    n_folds: int = 1
    contaminated: Sequence[str] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
