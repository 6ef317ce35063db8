"""Recorded runs of the same settings, found by a name: what `ensemble` averages and `predict` loads again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mirbench.errors import BadInput, UnknownName
from mirbench.record import RunRecord
from mirbench.runs.store import RunStore
from mirbench.spelling import with_key
from mirbench.told_apart import called, told_apart

__all__ = ["Member", "find_member"]

_Run = tuple[Path, RunRecord]


@dataclass(frozen=True)
class Member:
    """Runs of one method and source with the same settings.

    Parameters
    ----------
    said : str
        What it was called by.
    runs : dict of (fold, seed) to (folder, record)
        Where nothing is random, one of each fold, all under one seed.
    weight : float
        In the average; those of all members add up to 1.
    """

    said: str
    runs: Mapping[tuple[int, int], _Run]
    weight: float = 1.0

    @property
    def first(self) -> RunRecord:
        """Any of its records, for what they share."""
        return next(iter(self.runs.values()))[1]

    @property
    def name(self) -> str:
        """Method and source."""
        spec = self.first.spec
        if spec.method == "ensemble" and "systems" in spec.params:
            return f"ensemble ({', '.join(spec.params['systems'])})"
        return f"{spec.method} + {spec.source}" if spec.source else spec.method

    @property
    def title(self) -> str:
        """Task, method and source, with the settings that differ from their defaults."""
        spec = self.first.spec
        return f"{spec.task}: {self.name}" if "systems" in spec.params else called(self.first)

    @property
    def settings(self) -> str:
        """See `RunSpec.system`."""
        return self.first.spec.system

    @property
    def folds(self) -> set[int]:
        """Folds that it has a run of."""
        return {fold for fold, _ in self.runs}

    @property
    def seeds(self) -> list[int]:
        """Seeds that it has a run of, in some fold."""
        return sorted({seed for _, seed in self.runs})

    def run(self, fold: int, seed: int) -> _Run | None:
        """Its run of this fold and seed; that of its only seed where it has one alone."""
        return self.runs.get((fold, self.seeds[0] if len(self.seeds) == 1 else seed))


def find_member(store: RunStore, text: str) -> Member:
    """The runs that a name stands for, ``NAME@KEY`` where there are several settings; the key of a system or of a run.

    Raises
    ------
    BadInput
        If nothing or several settings are called so, or a run of it has no result.
    """
    name, key = with_key(text)
    alike: dict[str, list[_Run]] = {}
    for run in store.find(name):
        alike.setdefault(run[1].spec.system, []).append(run)
    if key:
        known = list(alike)
        alike = {
            system: runs
            for system, runs in alike.items()
            if any(other.startswith(key) for other in (system, *(record.spec.key for _, record in runs)))
        }
        if not alike:
            raise UnknownName(f"key of {name}", key, known)
    if len(alike) > 1:  # what was asked for and could not be done is none of those that are meant
        done = {system: runs for system, runs in alike.items() if any(record.status == "done" for _, record in runs)}
        alike = done or alike
    if len(alike) > 1:
        ways = told_apart(name, {system: [record for _, record in runs] for system, runs in alike.items()})
        raise BadInput(f"{text}: holds runs of {len(alike)} settings; name one of{ways}")
    (runs,) = alike.values()
    for folder, record in runs:
        if record.status != "done":
            raise BadInput(
                f"{text}: seed {record.spec.seed} of fold {record.spec.fold} has no result ({record.status}: "
                f"{record.reason}); run it again, or remove {folder}"
            )
    return Member(text, _by_fold_and_seed(runs))


def _by_fold_and_seed(runs: Sequence[_Run]) -> dict[tuple[int, int], _Run]:
    """Runs by (fold, seed); where nothing is random, one of each fold, for it stands for all seeds."""
    found = {(record.spec.fold, record.spec.seed): (folder, record) for folder, record in runs}
    if all(record.uses_seed for _, record in runs):
        return found
    first: dict[int, _Run] = {}
    for (fold, _), run in sorted(found.items(), key=lambda item: item[0]):
        first.setdefault(fold, run)
    seed = min(seed for _, seed in found)
    return {(fold, seed): run for fold, run in first.items()}
