"""The runs of one fold or seed alone, of those that a name stands for."""

from __future__ import annotations

from pathlib import Path

from mirbench.errors import BadInput
from mirbench.record import RunRecord
from mirbench.runs.store import RunStore

__all__ = ["OneOf"]


class OneOf(RunStore):
    """A store that finds the runs of one fold or seed alone, where these are given."""

    def __init__(self, root: Path, fold: int | None, seed: int | None, left_out: list[str] | None) -> None:
        super().__init__(root, left_out)
        self.fold, self.seed = fold, seed

    def find(self, name: str) -> list[tuple[Path, RunRecord]]:
        """As of the store, refused where none of them is of the fold or seed."""
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
