"""Two systems on the same clips: which is better, how sure that is, where they differ, and what each costs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirbench import metrics
from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard import statistics
from mirbench.leaderboard.beside import joined
from mirbench.leaderboard.by_class import mean
from mirbench.leaderboard.marks import explained
from mirbench.leaderboard.packs import Pack
from mirbench.leaderboard.results import Question, Stack, System, questions, with_scores
from mirbench.leaderboard.statistics import Difference
from mirbench.leaderboard.table import over_folds, timing
from mirbench.places import no_folder, user_path
from mirbench.record import RunRecord
from mirbench.runs.store import RunStore
from mirbench.spelling import is_key, with_key
from mirbench.told_apart import told_apart

__all__ = ["ClassChange", "ClipChange", "Comparison", "Cost", "compare", "find_pair"]

_QUESTION = {"task": "task", "task_version": "version of the task", "windowing": "windowing", "audio_sha256": "audio"}


@dataclass(frozen=True)
class ClipChange:
    """A clip on which the systems differ.

    Parameters
    ----------
    a, b : float
        Share of right decisions, over seeds (and over classes that are known, in a multi-label task).
    true, guess_a, guess_b : str
        Classes; the guesses are those of most seeds.
    """

    clip: str
    fold: int
    a: float
    b: float
    true: str
    guess_a: str
    guess_b: str


@dataclass(frozen=True)
class ClassChange:
    """F1 of a class under both systems, mean over seeds; None where it is undefined."""

    name: str
    n_clips: int
    a: float | None
    b: float | None


@dataclass(frozen=True)
class Cost:
    """What each needs of something; None where it is not known or means nothing."""

    name: str
    a: float | None
    b: float | None


@dataclass(frozen=True)
class Comparison:
    """What came of it; see `compare`."""

    name_a: str
    name_b: str
    task: str
    metric: str
    value_a: float
    value_b: float
    seeds_a: tuple[int, ...]
    seeds_b: tuple[int, ...]
    folds: tuple[int, ...]
    n_folds: int
    difference: Difference
    clips: tuple[ClipChange, ...]
    classes: tuple[ClassChange, ...]
    costs: tuple[Cost, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One sentence in plain words."""
        d, n = self.difference, self.difference.n_clips
        if d.p >= 0.05:
            return f"{self.name_a} and {self.name_b} cannot be told apart on {n} clips."
        a_is_better = (d.value > 0) == metrics.METRICS[self.metric].higher_is_better
        better, worse = (self.name_a, self.name_b) if a_is_better else (self.name_b, self.name_a)
        return f"{better} is better than {worse} on these {n} clips."


def find_pair(
    root: Path, names: Sequence[str], left_out: list[str] | None = None, packs: Sequence[Pack] = (), task: str = ""
) -> tuple[System, System]:
    """The two systems that are meant.

    Parameters
    ----------
    names : sequence of two str
        As `mirbench.runs.store.RunStore.find` knows them; ``NAME@KEY`` is that of several settings to which the
        run or the system KEY belongs. ``PACK:NAME`` is that of a pack.
    left_out : list of str, optional
        Takes a line for each run that cannot be read, which is then left out; without it the first of them raises.
    packs : sequence of Pack
        Results of others, in which what is none of one's own is looked for.
    task : str
        The task of both, for names that do not say it.

    Raises
    ------
    BadInput
        If a name stands for no system or for several, or they did not answer the same question.
    """
    names = [_of_task(name, task, {pack.name for pack in packs}) for name in names]
    asked = joined(questions(root, left_out), packs, alone=True)
    places = {"": [RunStore(root, left_out)]}
    for pack in packs:
        places.setdefault(pack.name, []).append(RunStore(pack.opened(), []))
    (ask_a, a), (ask_b, b) = (_find_anywhere(asked, places, name) for name in names)
    if ask_a is not ask_b:
        raise BadInput(_of_two_questions(a, b))
    if a == b:
        raise BadInput(f"{names[0]} and {names[1]} are the same system; name two")
    return _with_scores(ask_a, a, left_out), _with_scores(ask_b, b, left_out)


def _of_task(name: str, task: str, packs: Collection[str]) -> str:
    """A name with its task before it, where it says none: not a key, and not a folder."""
    pack, colon, rest = name.partition(":")
    before, rest = (f"{pack}:", rest) if colon and pack in packs else ("", name)
    if not task or rest.startswith(f"{task}/") or is_key(rest) or user_path(rest).is_dir():
        return name
    return f"{before}{task}/{rest}"


def _of_two_questions(a: System, b: System) -> str:
    """Why they cannot be compared; which tasks they are of, where it is that."""
    ours, theirs = (asdict(system.record.spec) for system in (a, b))
    if ours["task"] != theirs["task"]:
        return (
            f"{a.label} is a result of {ours['task']}, {b.label} of {theirs['task']}; "
            "name two of one task as TASK/METHOD+SOURCE, or say --task"
        )
    differ = [words for name, words in _QUESTION.items() if ours[name] != theirs[name]]
    return f"{a.label} and {b.label} cannot be compared: they differ in {' and '.join(differ)}"


def _with_scores(question: Question, system: System, left_out: list[str] | None) -> System:
    found = with_scores(replace(question, systems=(system,)), left_out).systems
    if not found:
        raise BadInput(f"{system.name}: of none of its runs can the scores be read; the last: {(left_out or [''])[-1]}")
    return found[0]


def _find_anywhere(
    asked: Sequence[Question], places: Mapping[str, Sequence[RunStore]], text: str
) -> tuple[Question, System]:
    """The system that is meant: of a pack where the name begins with its own, else one's own, else any pack's."""
    pack, colon, rest = text.partition(":")
    if colon and pack in places:
        return _of_packs(asked, places, [pack], rest)
    try:
        return _find(_of(asked, ""), places[""][0], text)
    except UnknownName:
        try:
            return _of_packs(asked, places, [name for name in places if name], text)
        except UnknownName as error:
            root = places[""][0].root
            if not root.is_dir():
                raise BadInput(f"--runs {root}: {no_folder(root)}; {error}") from error
        if not any(places):
            raise
        every = _spelled_as(text, [pair for pack in places for pair in _of(asked, pack)])
        where = "`mirbench leaderboard --reference` shows them all."
        raise UnknownName(f"run below {root}, and no reference result,", text, every, where) from None


def _of_packs(
    asked: Sequence[Question], places: Mapping[str, Sequence[RunStore]], packs: Sequence[str], text: str
) -> tuple[Question, System]:
    """The one system of these packs that is called so."""
    found = []
    for pack in packs:
        for store in places[pack]:
            with suppress(UnknownName):
                found.append(_find(_of(asked, pack), store, text))
    different = {(system.pack, system.key): (question, system) for question, system in found}
    if not different:
        every = _spelled_as(text, [pair for pack in packs for pair in _of(asked, pack)])
        raise UnknownName("result of others", text, every, "`mirbench leaderboard --reference` shows them.")
    if len(different) > 1:
        ways = ", ".join(f"{system.pack}:{system.record.spec.task}/{text}" for _, system in different.values())
        raise BadInput(f"{text}: there are {len(different)} among the results of others; name one ({ways})")
    return next(iter(different.values()))


def _spelled_as(text: str, pairs: Iterable[tuple[Question, System]]) -> set[str]:
    """What systems are called, with their task where what was asked for has one."""
    names = ((question.record.spec.task, _as_typed(system)) for question, system in pairs)
    return {f"{task}/{name}" if "/" in text else name for task, name in names}


def _as_typed(system: System) -> str:
    """The name of a system as it is typed, with its settings where tables show some."""
    return system.name.replace(" + ", "+")


def _of(asked: Sequence[Question], pack: str) -> list[tuple[Question, System]]:
    """One's own systems, or those of a pack, each with the question that it answers."""
    return [(question, system) for question in asked for system in question.systems if system.pack == pack]


def _find(every: Sequence[tuple[Question, System]], store: RunStore, text: str) -> tuple[Question, System]:
    name, key = with_key(text)
    typed = text.replace(" + ", "+")
    exact = [(q, s) for q, s in every if typed in (s.key, _as_typed(s), f"{q.record.spec.task}/{_as_typed(s)}")]
    if len(exact) == 1:
        return exact[0]
    found = store.find(name)
    keys = {record.spec.key for _, record in found}
    meant = [(question, system) for question, system in every if keys & _keys(system)]
    if key:
        known = [system.key for _, system in meant]
        meant = [pair for pair in meant if any(other.startswith(key) for other in {pair[1].key, *_keys(pair[1])})]
        if not meant:
            raise UnknownName(f"key of {name}", key, known)
    if not meant:
        status = "; ".join(sorted({f"{record.status}: {record.reason}" for _, record in found}))
        raise BadInput(f"{text}: no run of it has a result ({status})")
    if len(meant) > 1:
        ways = told_apart(name, {system.key: [run.record for run in system.runs] for _, system in meant})
        raise BadInput(f"{text}: holds runs of {len(meant)} settings; name one of{ways}")
    return meant[0]


def _keys(system: System) -> set[str]:
    return {run.record.spec.key for run in system.runs}


def compare(a: System, b: System, metric: str = "") -> Comparison:
    """Compare two systems that answered the same question, on the folds that both have.

    Where both have several seeds, those that both have are taken.

    Parameters
    ----------
    metric : str
        One that is one number; the task's first if left out.

    Raises
    ------
    BadInput
        If they were tested on other clips or labels, share no fold, or the metric is undefined.
    """
    known = [name for name in a.record.metrics if name in metrics.METRICS and metrics.METRICS[name].kind == "value"]
    metric = metric or known[0]
    if metric not in known:
        raise UnknownName(f"metric of {a.record.spec.task}", metric, known)
    names = a.label, b.label
    a, b, notes = _on_common(a, b)
    left, right = a.stack, b.stack
    if not np.array_equal(left.hashes, right.hashes):
        raise BadInput(f"{names[0]} and {names[1]} cannot be compared: their test clips or labels differ")
    found = statistics.difference(metric, left.scores, right.scores, left.targets, left.groups, left.folds)
    values = [mean([value[metric] for value in over_folds(system, [metric])]) for system in (a, b)]
    if found is None or values[0] is None or values[1] is None:
        raise BadInput(f"{metric} is undefined on these clips; --metric takes {', '.join(known)}")
    return Comparison(
        name_a=names[0],
        name_b=names[1],
        task=a.record.spec.task,
        metric=metric,
        value_a=values[0],
        value_b=values[1],
        seeds_a=a.seeds,
        seeds_b=b.seeds,
        folds=a.folds,
        n_folds=a.n_folds,
        difference=found,
        clips=_clips(left, right, _classes(a.record, left)),
        classes=_per_class(left, right, _classes(a.record, left)),
        costs=_costs(a, b),
        notes=(*notes, *(f"{said}." for said in explained((*a.marks, *b.marks)))),
    )


def _on_common(a: System, b: System) -> tuple[System, System, list[str]]:
    """Both on the folds, and where both have several, on the seeds that they share."""
    folds = sorted(set(a.folds) & set(b.folds))
    if not folds:
        raise BadInput(f"{a.name} has folds {_listed(a.folds)} and {b.name} has {_listed(b.folds)}: none in common")
    notes = []
    if len(folds) < max(len(a.folds), len(b.folds)):
        notes.append(f"On fold {_listed(folds)} alone, which both have.")
    seeds = [a.seeds, b.seeds]
    both = sorted(set(a.seeds) & set(b.seeds))
    if min(map(len, seeds)) > 1 and both and seeds != [tuple(both)] * 2:
        notes.append(f"On seeds {_listed(both)}, which both have.")
        seeds = [tuple(both)] * 2
    if min(map(len, seeds)) == 1:
        one = [system for system, held in zip((a, b), seeds, strict=True) if len(held) == 1]
        for uses_seed, said in (
            (True, "one seed; how much another would change is not known."),
            (False, "nothing is random; one seed stands for all."),
        ):
            if names := [system.label for system in one if system.uses_seed == uses_seed]:
                notes.append(f"{' and '.join(names)}: {said}")
    parts = [_part(system, folds, held) for system, held in zip((a, b), seeds, strict=True)]
    return parts[0], parts[1], notes


def _part(system: System, folds: Sequence[int], seeds: Sequence[int]) -> System:
    runs = tuple(r for r in system.runs if r.record.spec.fold in folds and r.record.spec.seed in seeds)
    return replace(system, runs=runs, folds=tuple(folds), seeds=tuple(seeds))


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _classes(record: RunRecord, stack: Stack) -> list[str]:
    return list(record.classes) or [f"class {k}" for k in range(stack.scores.shape[2])]


def _right(stack: Stack) -> npt.NDArray[np.float64]:
    """Share of right decisions of each clip, mean over seeds."""
    true, known = stack.targets.value >= 0.5, stack.targets.known
    if stack.targets.kind == "single-label":
        hit = stack.scores.argmax(axis=2) == true.argmax(axis=1)
        return np.asarray(hit.mean(axis=0))
    right = ((stack.scores >= 0.5) == true) & known
    return np.asarray(right.sum(axis=2).mean(axis=0) / np.maximum(known.sum(axis=1), 1))


def _clips(left: Stack, right: Stack, classes: Sequence[str]) -> tuple[ClipChange, ...]:
    """Clips on which the share of right decisions differs, the largest change first."""
    a, b = _right(left), _right(right)
    order = np.lexsort((np.arange(len(a)), -np.abs(b - a)))
    return tuple(
        ClipChange(
            clip=str(left.clip_ids[n]),
            fold=int(left.folds[n]),
            a=float(a[n]),
            b=float(b[n]),
            true=", ".join(name for name, value in zip(classes, left.targets.value[n], strict=True) if value >= 0.5),
            guess_a=_guess(left, n, classes),
            guess_b=_guess(right, n, classes),
        )
        for n in order
        if a[n] != b[n]
    )


def _guess(stack: Stack, clip: int, classes: Sequence[str]) -> str:
    """What most seeds say of a clip."""
    scores = stack.scores[:, clip]
    if stack.targets.kind == "single-label":
        return classes[int(np.bincount(metrics.predicted(scores), minlength=len(classes)).argmax())]
    chosen = (scores >= 0.5).mean(axis=0) > 0.5
    return ", ".join(name for name, there in zip(classes, chosen, strict=True) if there) or "none"


def _per_class(left: Stack, right: Stack, classes: Sequence[str]) -> tuple[ClassChange, ...]:
    a, b = _f1(left), _f1(right)
    count = ((left.targets.value >= 0.5) & left.targets.known).sum(axis=0)
    return tuple(ClassChange(name, int(count[k]), a[k], b[k]) for k, name in enumerate(classes))


def _f1(stack: Stack) -> list[float | None]:
    values = [metrics.evaluate(("f1-per-class",), scores, stack.targets)["f1-per-class"] for scores in stack.scores]
    return [mean(column) for column in zip(*values, strict=True)]


def _costs(a: System, b: System) -> tuple[Cost, ...]:
    records = [[run.record for run in system.runs] for system in (a, b)]

    def cost(name: str, values: Sequence[float | None]) -> Cost:
        return Cost(name, values[0], values[1])

    found = [
        cost("trainable values", [system.record.n_trainable for system in (a, b)]),
        cost("values in all", [system.record.n_total for system in (a, b)]),
        cost("GFLOP a clip", [mean([r.flops and r.flops / 1e9 for r in held]) for held in records]),
    ]
    devices = {_device(record) for held in records for record in held}
    if len(devices) == 1:  # times of other machines mean nothing side by side
        for title, name in (("training, s", "train"), ("epoch, s", "epoch")):
            found.append(cost(title, [mean([r.seconds.get(name) for r in held]) for held in records]))
        newest = max(timing(record) for held in records for record in held)
        timed = [[r.seconds.get("clips_per_second") for r in held if timing(r) == newest] for held in records]
        found.append(cost("clips a second", [mean(values) for values in timed]))
    return tuple(found)


def _device(record: RunRecord) -> str:
    known = record.environment
    return str(known.get("gpu") or f"{known.get('processor')}, {known.get('cores')}")
