"""What a method is: how it learns a task, what it hands back, and how it is loaded again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from mirbench.errors import BadInput, NotApplicable
from mirbench.learnt import Learnt
from mirbench.source import SourceCard
from mirbench.types import BlindSplit, FloatArray, Split, Task

__all__ = [
    "CLASSES", "EVERY_KIND", "Fitted", "Graphed", "Method", "Part", "ReadsRows", "Refittable", "Refusing",
    "Restorable", "Showing", "asked_of", "learns", "needed_stages", "require_above", "require_kind", "require_least",
]  # fmt: skip

Part = Literal["train", "valid", "test"]

CLASSES: tuple[str, ...] = ("single-label", "multi-label")
"""The kinds of task that ask for classes, which every method learns that does not say which it can."""

EVERY_KIND = (*CLASSES, "regression")


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
    together : int
        How many models were trained as one program, this one among them: time and memory are then of all, and its
        record leaves times blank.
    """

    predict: Callable[[BlindSplit], FloatArray]
    n_trainable: int | None
    state: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    valid_score: float | None = None
    n_total: int | None = None
    together: int = 1


@runtime_checkable
class Method(Protocol):
    """A way to learn a task: a frozen dataclass whose fields are its hyperparameters.

    Attributes
    ----------
    name, version : str
        The identity. A changed result is a new version.
    needs : tuple of str
        Stages of the source that it uses; empty where it takes no source.
    spares : mapping, optional
        ``{stage: (hyperparameter, value)}`` of the class: a stage among `needs` that is not needed where the
        hyperparameter has this value.
    adds : mapping, optional
        ``{stage: (hyperparameter, value)}`` of the class: a stage besides those of `needs` that is needed where the
        hyperparameter has another value than this, its default.
    later : tuple of str, optional
        Hyperparameters that came when there were records of this version already: at their defaults the method is what
        it was, so that neither records nor keys hold them.
    task_kinds : tuple of str, optional
        Kinds of task that it can learn (see `mirbench.types.TaskKind`); single-label and multi-label where it is not
        said, for whoever decides on classes has to be told how to predict values. It may be a property that depends on
        hyperparameters; ``every_kind_with = "mapping=new-head"`` then says of which.
    uses_audio : bool, optional
        False for a method without a source that looks at labels alone; it runs where there is no audio.
    uses_seed : bool, optional
        False where nothing is random: every seed gives the same to the bit, and one run a fold stands for all seeds. It
        may be a property that depends on hyperparameters. True where it is not said.
    uses_train : bool, optional
        False where nothing is learnt.
    uses_valid : bool, optional
        False where `fit` does not look at valid, so that nothing is selected on it: the method may be asked to learn
        from valid too (``--fit-on train-and-valid``). It may be a property, too. True where it is not said.
    fit_many : callable, optional
        ``fit_many(jobs, train, valid, context)`` of the class, with jobs a sequence of (method, seed), yields what
        `fit` of each would return, but for rounding, in their order; `mirbench.runs.stacked` asks for it.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]

    def fit(self, train: Split, valid: Split, context: Any, *, seed: int) -> Fitted:
        """Learn from train, select on valid.

        Parameters
        ----------
        train, valid : Split
            Clips with their labels.
        context : Context
            What audio and the source's rows come from.
        seed : int
            What every random number comes from.
        """
        ...


def learns(method: Method, task: Task) -> bool:
    """Whether a method learns tasks of this kind."""
    return task.kind in getattr(method, "task_kinds", CLASSES)


def require_kind(method: Method, task: Task) -> None:
    """Refuse a task of a kind that the method does not learn.

    Raises
    ------
    NotApplicable
        If it is one.
    """
    if not learns(method, task):
        kinds = tuple(getattr(method, "task_kinds", CLASSES))
        other = getattr(method, "every_kind_with", "")
        way = f" (it learns those with --set {other})" if other else ""
        raise NotApplicable(f"{method.name} learns {' and '.join(kinds)} tasks; {task.name} is a {task.kind} task{way}")


def needed_stages(method: type[Method], params: Mapping[str, Any]) -> tuple[str, ...]:
    """The stages of a source that a method uses with these hyperparameters, of which defaults may be left out."""
    spares: Mapping[str, tuple[str, Any]] = getattr(method, "spares", {})
    spared = {stage for stage, (name, value) in spares.items() if params.get(name) == value}
    adds: Mapping[str, tuple[str, Any]] = getattr(method, "adds", {})
    added = tuple(stage for stage, (name, value) in adds.items() if params.get(name, value) != value)
    return tuple(stage for stage in method.needs if stage not in spared) + added


def require_least(method: Any, least: float, *names: str) -> None:
    """Refuse the first of some hyperparameters that is below a number; one that is None is let through.

    Raises
    ------
    BadInput
        If there is one.
    """
    _require(method, names, lambda value: value is None or value >= least, f"{least:g} or more")


def require_above(method: Any, limit: float, *names: str) -> None:
    """The same of those that must be above a number."""
    _require(method, names, lambda value: value is not None and value > limit, f"more than {limit:g}")


def _require(method: Any, names: Iterable[str], fits: Callable[[Any], bool], needed: str) -> None:
    for name in names:
        value = getattr(method, name)
        if not fits(value):
            raise BadInput(f"{method.name}: {name}={value}: {needed} is needed")


def asked_of(method: Method) -> dict[str, Any]:
    """Hyperparameters of a method as a record has them: all, less those that came `later` and are at their default."""
    fields = {field.name: field.default for field in dataclasses.fields(method)}  # type: ignore[arg-type]
    every: dict[str, Any] = dataclasses.asdict(method)  # type: ignore[call-overload]
    later = {name for cls in type(method).__mro__ for name in vars(cls).get("later", ())}
    return {name: value for name, value in every.items() if name not in later or value != fields[name]}


@runtime_checkable
class Restorable(Protocol):
    """A method whose stored state predicts again, without fitting."""

    def restore(self, state: Mapping[str, Any], split: BlindSplit, context: Any) -> Callable[[BlindSplit], FloatArray]:
        """`predict` from the state of an earlier `fit`.

        Parameters
        ----------
        state : mapping of str to ndarray
            As `Fitted` had it.
        split : BlindSplit
            Tells the classes, and sizes of what is heard.
        context : Context
            What audio and the source's rows come from.
        """
        ...


@runtime_checkable
class Refusing(Protocol):
    """A method that says, before anything is fetched or computed, what its hyperparameters can do nothing with.

    Such a run is refused; among the runs of a suite it is skipped.
    """

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """Look at what the cards tell.

        Parameters
        ----------
        card : SourceCard or None
            Of the source, its options applied; None without one.
        task : Task
            Its classes and their kind; no clip is read.

        Raises
        ------
        NotApplicable
            If nothing can come of these hyperparameters with this source or task.
        """
        ...


@runtime_checkable
class Refittable(Protocol):
    """A method that can learn once more, with no clips left to select on, for ``--refit`` of run and of predict.

    A method whose `fit` does not look at valid says ``uses_valid = False`` instead.
    """

    def refit(
        self, clips: Split, context: Any, *, seed: int, histories: Sequence[Sequence[Mapping[str, float]]]
    ) -> Fitted:
        """As `fit`, from all clips; `histories` are those of the runs that selected on valid."""
        ...


@runtime_checkable
class Graphed(Protocol):
    """A method whose trained model can be had as torch modules, for ``mirbench export model --onnx``."""

    def graph(self, state: Mapping[str, Any], split: BlindSplit, context: Any) -> tuple[Any, Any]:
        """Front and head; the front has a `key`, equal where two fronts compute the same.

        The front takes the windows of one clip, (n_windows, n_samples), and gives a tuple of tensors; the head takes
        these, and gives the clip's probabilities, (n_classes,).
        """
        ...


@runtime_checkable
class Showing(Protocol):
    """A method that shows what it learnt, for ``mirbench show RUN --learnt FOLDER``."""

    def learnt(self, state: Mapping[str, Any], split: Split, context: Any) -> Iterable[Learnt]:
        """Pictures and sounds of what was learnt, and of what it makes of a few clips.

        Parameters
        ----------
        state : mapping of str to ndarray
            As `Fitted` had it.
        split : Split
            A few clips.
        context : Context
            What audio and the source's rows come from.

        Raises
        ------
        NotApplicable
            If with these hyperparameters there is nothing to look at.
        """
        ...


@runtime_checkable
class ReadsRows(Protocol):
    """A method that says which rows it reads, so that ``mirbench sweep --prepare`` can compute them before any run.

    One that does not say is taken to read ``pooled`` and ``frontend``, where it needs them, of every split.
    """

    def reads(self, split: Split | BlindSplit, part: Part, context: Any) -> None:
        """Ask the context for all that `fit` (train, valid) or `predict` (test, which is blind) will ask it for."""
        ...
