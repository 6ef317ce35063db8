"""Systems that were run elsewhere beside one's own: which of them answer the very same question, and which are shown.

They stand in a table with one's own where task, version, windowing, classes, metrics, splits and test clips are the
same; what differs in one of these is left out, with the reason. Where a system of one's own is the same but for the
bytes of the audio (a FLAC of the same samples has others than a WAV), one's own stands alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from mirbench.leaderboard.packs import Pack
from mirbench.leaderboard.results import Question, System, in_order, question_of, questions, with_scores
from mirbench.leaderboard.system_names import names_of
from mirbench.record import RunRecord, RunSpec

__all__ = ["beside", "joined"]


_MOST_NAMED = 3


def beside(own: Sequence[Question], packs: Iterable[Pack], *, alone: bool = False) -> list[Question]:
    """Questions with the systems of packs that answer them, less those that do not belong beside one's own.

    Parameters
    ----------
    alone : bool
        Whether questions to which one has no answer are shown, too.
    """
    found = []
    for question in joined(own, packs, alone=alone):
        mine = tuple(system for system in question.systems if not system.pack)
        theirs = tuple(system for system in question.systems if system.pack)
        kept, notes = _fitting(mine, with_scores(replace(question, systems=theirs), []).systems)
        found.append(replace(question, systems=(*mine, *kept), notes=notes))
    return found


def joined(own: Sequence[Question], packs: Iterable[Pack], *, alone: bool = False) -> list[Question]:
    """Questions with every system of packs that answers one of the same task, version and windowing."""
    held = {question_of(question.record): question for question in own}
    tasks = {question.record.spec.task for question in own}
    for pack in packs:
        if not alone and not any(map(pack.holds, tasks)):
            continue
        for question in questions(pack.opened(), []):
            key = question_of(question.record)
            systems = tuple(_of_pack(system, pack.name) for system in question.systems)
            if key in held:
                held[key] = replace(held[key], systems=(*held[key].systems, *systems))
            elif alone:
                held[key] = replace(question, systems=systems)
    return in_order(held.values())


def _of_pack(system: System, pack: str) -> System:
    return replace(system, pack=pack, marks=(pack, *system.marks))


def _fitting(mine: Sequence[System], theirs: Sequence[System]) -> tuple[list[System], tuple[str, ...]]:
    """Those of packs that stand beside one's own, on the folds that one has; and what is to be said of the others."""
    kept: list[System] = []
    why: Counter[tuple[str, str]] = Counter()
    own = {_same(system.record.spec): system for system in mine}
    clips = _clips(mine)
    counts = {run.record.spec.fold: _counts(run.record) for system in mine for run in system.runs}
    folds = _folds(mine)
    shown: dict[str, str] = {}
    replaced: dict[str, list[str]] = defaultdict(list)
    for system in theirs:
        if _same(system.record.spec) in own:
            replaced[system.pack].append(system.name)
            continue
        if (first := shown.setdefault(system.key, system.pack)) != system.pack:
            why[system.pack, f"{first} has the same"] += 1
            continue
        if folds and set(folds) <= set(system.folds):
            system = _on(system, folds)
        if fault := _unlike(mine, clips, counts, system):
            why[system.pack, fault] += 1
        else:
            kept.append(_told_apart(system, mine))
    counted = ((f"{n} systems of {pack} are" if n > 1 else f"1 system of {pack} is", fault)
               for (pack, fault), n in sorted(why.items()))  # fmt: skip
    instead = (f"Your own runs stand in the place of those of {pack}: {_listed(names)}."
               for pack, names in sorted(replaced.items()))  # fmt: skip
    timeless = {system.pack for system in kept if not any(run.record.seconds for run in system.runs)}
    times = (f"{pack} holds no times." for pack in sorted(timeless))
    return kept, (*instead, *(f"{said} not shown: {fault}." for said, fault in counted), *times)


def _listed(names: Sequence[str]) -> str:
    """Names of systems, and how many more there are."""
    return ", ".join(names[:_MOST_NAMED]) + (f" and {len(names) - _MOST_NAMED} more" if names[_MOST_NAMED:] else "")


def _same(spec: RunSpec) -> str:
    """What is the same of two systems whatever the bytes of the audio are."""
    return replace(spec, audio_sha256="").system


def _folds(mine: Sequence[System]) -> tuple[int, ...]:
    """The folds on which most of one's own systems are ranked, where none has them all; () stands for all."""
    if not mine or any(system.complete for system in mine):
        return ()
    return Counter(system.folds for system in mine).most_common(1)[0][0]


def _on(system: System, folds: Sequence[int]) -> System:
    runs = tuple(run for run in system.runs if run.record.spec.fold in folds)
    return replace(system, runs=runs, folds=tuple(folds))


def _clips(mine: Sequence[System]) -> dict[int, set[bytes]]:
    """Of each fold, the test clips and labels that one's own systems had."""
    held: dict[int, set[bytes]] = defaultdict(set)
    for system in mine:
        for fold in system.folds:
            held[fold].add(_hashes(system, fold))
    return held


def _hashes(system: System, fold: int) -> bytes:
    return np.sort(system.stack.hashes[system.stack.folds == fold]).tobytes()


def _unlike(
    mine: Sequence[System], clips: dict[int, set[bytes]], counts: dict[int, dict[str, int]], theirs: System
) -> str:
    """How a system differs from one's own in what was asked of it; "" if it does not."""
    if not mine:
        return ""
    own, other = mine[0].record, theirs.record
    facts = {
        "number of folds": (own.n_folds, other.n_folds),
        "classes": (list(own.classes), list(other.classes)),
        "metrics": (list(own.metrics)[:1], list(other.metrics)[:1]),  # that ranks; later versions report more beside it
    }
    if differ := [name for name, (a, b) in facts.items() if a != b]:
        return f"another {differ[0]}" if differ[0].startswith("number") else f"other {differ[0]}"
    if any(_counts(run.record) != counts.get(run.record.spec.fold, _counts(run.record)) for run in theirs.runs):
        return "another split of the clips"
    if any(_hashes(theirs, fold) not in clips[fold] for fold in theirs.folds if fold in clips):
        return "other test clips or labels"
    return ""


def _counts(record: RunRecord) -> dict[str, int]:
    return dict(record.n_clips)


def _told_apart(system: System, mine: Sequence[System]) -> System:
    """A system with what sets it apart from one's own of the same name."""
    alike = next((own for own in mine if own.name == system.name), None)
    if alike is None:
        return system
    spec = replace(system.record.spec, audio_sha256=alike.record.spec.audio_sha256)
    names = names_of([alike.record, replace(system.record, spec=spec)])
    return replace(system, name=names[spec.system])
