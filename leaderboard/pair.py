"""The two systems that are meant by names, keys or folders, among one's own results and those of others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.beside import joined
from mirbench.leaderboard.packs import Pack
from mirbench.leaderboard.results import Question, System, questions, with_scores
from mirbench.places import no_folder, user_path
from mirbench.runs.store import RunStore
from mirbench.spelling import is_key, on_record, with_key
from mirbench.told_apart import told_apart

__all__ = ["find_pair"]

_QUESTION = {"task": "task", "task_version": "version of the task", "windowing": "windowing", "audio_sha256": "audio"}


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
    asked = joined(questions(root, left_out), packs, alone=True)
    if task:
        tasks = {question.record.spec.task for question in asked}
        names = [_of_task(name, task, {pack.name for pack in packs}, tasks) for name in names]
    places = {"": [RunStore(root, left_out)]}
    for pack in packs:
        places.setdefault(pack.name, []).append(RunStore(pack.opened(), []))
    (ask_a, a), (ask_b, b) = (_find_anywhere(asked, places, name) for name in names)
    if ask_a is not ask_b:
        raise BadInput(_of_two_questions(a, b))
    if a == b:
        raise BadInput(f"{names[0]} and {names[1]} are the same system; name two")
    return _with_scores(ask_a, a, left_out), _with_scores(ask_b, b, left_out)


def _of_task(name: str, task: str, packs: Collection[str], tasks: Collection[str]) -> str:
    """A name with its task before it, where it says none: not a key, and not a folder.

    Raises
    ------
    BadInput
        If it says another one, of those on record.
    """
    pack, colon, rest = name.partition(":")
    before, rest = (f"{pack}:", rest) if colon and pack in packs else ("", name)
    if rest.startswith(f"{task}/") or is_key(rest) or user_path(rest).is_dir():
        return name
    if other := next((own for own in tasks if own != on_record("task", task) and rest.startswith(f"{own}/")), ""):
        raise BadInput(f"{name} says its task, {other}, and --task says {task}; leave one of them out")
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
        own = _spelled_as(text, _of(asked, ""))
        raise UnknownName(f"run below {root}, and no reference result,", text, every, where, own=own) from None


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
