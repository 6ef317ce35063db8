"""Runs on record as objects: one, and many, with a frame of them and the table that they make."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from mirbench.api import html
from mirbench.api.asking import folder_of_runs
from mirbench.api.frame_columns import column_names, columns_of
from mirbench.api.left_out import said
from mirbench.errors import BadInput, UnknownName
from mirbench.metrics import METRICS
from mirbench.record import RunRecord

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run", "Runs", "load_runs"]

_SHOWN = 20  # lines of a notebook's table


@dataclass(frozen=True, repr=False)
class Run:
    """A run on record.

    Parameters
    ----------
    folder : Path
        Where its record, scores and model lie.
    record : RunRecord
        All that is known of it.
    read_back : bool
        Whether it was on record already when it was asked for.
    """

    folder: Path
    record: RunRecord
    read_back: bool = True

    @property
    def task(self) -> str:
        """Name of its task."""
        return self.record.spec.task

    @property
    def method(self) -> str:
        """Name of its method."""
        return self.record.spec.method

    @property
    def source(self) -> str:
        """Name of its source; "" where the method takes none."""
        return self.record.spec.source

    @property
    def system(self) -> str:
        """Method and source, as tables have them."""
        return f"{self.method} + {self.source}" if self.source else self.method

    @property
    def fold(self) -> int:
        """The fold that it was tested on."""
        return self.record.spec.fold

    @property
    def seed(self) -> int:
        """The seed that its random numbers came from."""
        return self.record.spec.seed

    @property
    def status(self) -> str:
        """ "done", "failed" or "skipped"."""
        return self.record.status

    @property
    def metrics(self) -> dict[str, float | None]:
        """Its metrics on test that are one number; None where one is undefined."""
        known = self.record.metrics
        return {name: known[name] for name in known if name in METRICS and METRICS[name].kind == "value"}

    def scores(self) -> pd.DataFrame:
        """A row a test clip: clip, group, labels, the most probable class as predicted, and a column a class.

        Raises
        ------
        BadInput
            If its scores cannot be read.
        """
        import pandas as pd

        from mirbench.runs.store import RunStore

        held = RunStore(self.folder.parents[2]).scores(self.folder)
        n_classes = held.scores.shape[1]
        classes = list(self.record.classes) or [f"class {k}" for k in range(n_classes)]
        there = (held.targets.value >= 0.5) & held.targets.known
        frame = pd.DataFrame(held.scores, columns=column_names(classes, ("clip", "group", "labels", "predicted")))
        frame.insert(0, "predicted", [classes[k] for k in held.scores.argmax(axis=1)])
        frame.insert(0, "labels", [", ".join(classes[k] for k in row.nonzero()[0]) for row in there])
        frame.insert(0, "group", held.groups)
        frame.insert(0, "clip", held.clip_ids)
        return frame

    def __repr__(self) -> str:
        return f"<Run {self.task}: {self.system}, fold {self.fold}, seed {self.seed}: {_result(self)}>"

    def _repr_html_(self) -> str:
        spec, record = self.record.spec, self.record
        pairs = [
            ("task", f"{spec.task}, fold {spec.fold}"),
            ("method", f"{spec.method}, version {spec.method_version}"),
            ("source", spec.source),
            ("seed", spec.seed),
            *((name, "undefined" if value is None else f"{value:.3f}") for name, value in self.metrics.items()),
            ("status", record.status if record.status == "done" else f"{record.status}: {record.reason}"),
            ("source trained on", ", ".join(record.contaminated)),
            ("folder", self.folder),
        ]
        return html.facts(repr(self).strip("<>"), pairs)


@dataclass(frozen=True, repr=False, eq=False)
class Runs(Sequence[Run]):
    """Runs on record, in the order in which they were asked for or lie.

    Parameters
    ----------
    runs : tuple of Run
        The runs.
    root : Path
        Folder of the records that they are of.
    left_out : tuple of str
        A line for each record there that could not be read.
    """

    runs: tuple[Run, ...]
    root: Path
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        return Runs(self.runs[index], self.root, self.left_out) if isinstance(index, slice) else self.runs[index]

    def filter(
        self, task: str | None = None, method: str | None = None, source: str | None = None, status: str | None = None
    ) -> Runs:
        """Those of a task, a method, a source or a status.

        Parameters
        ----------
        task, method, source, status : str or None
            What they must have; None is any, and the source "" is none.

        Raises
        ------
        UnknownName
            If no run here has what is asked for.
        """
        asked = {"task": task, "method": method, "source": source, "status": status}
        kept = self.runs
        for what, wanted in asked.items():
            if wanted is None:
                continue
            known = {getattr(run, what) for run in self.runs}
            if wanted not in known:
                raise UnknownName(f"{what} of these runs", wanted, known)
            kept = tuple(run for run in kept if getattr(run, what) == wanted)
        return Runs(kept, self.root, self.left_out)

    def to_frame(self) -> pd.DataFrame:
        """A row a run; columns are named in `docs/api.md`. A metric that is undefined or not of a task is NaN."""
        import pandas as pd

        return pd.DataFrame(columns_of([(run.folder, run.record) for run in self.runs]))

    def leaderboard(self, task: str | None = None, *, reference: bool = False) -> pd.DataFrame:
        """The table of these runs on a task as `mirbench leaderboard` makes it: a row a system, the best first.

        Parameters
        ----------
        task : str or None
            Name of a task, or the title of a table; may be left out where the runs are of one alone.
        reference : bool
            Whether results of others, which ship with mirbench or were added, stand beside these, marked.

        Raises
        ------
        BadInput
            If there is no table of that task, or there are several.
        """
        from mirbench.api.board_frame import board_frame

        return board_frame(((run.folder, run.record) for run in self.runs), task, reference)

    def __repr__(self) -> str:
        systems = {run.record.spec.system for run in self.runs}
        tasks = {run.task for run in self.runs}
        said = [_count(len(self.runs), "run")]
        if len(systems) == 1:
            said = [f"{said[0]} of {self.runs[0].system} on {self.runs[0].task}", _mean(self.runs)]
        elif systems:
            said = [f"{said[0]} of {len(systems)} systems on {_count(len(tasks), 'task')}"]
        if lacking := sum(run.status != "done" for run in self.runs):
            said.append(f"{lacking} without a result")
        if contaminated := {name for run in self.runs for name in run.record.contaminated}:
            said.append(f"beware: trained on {', '.join(sorted(contaminated))}")
        if self.left_out:
            said.append(f"{_count(len(self.left_out), 'record')} not readable")
        return f"<Runs: {', '.join(filter(None, said))}>"

    def _repr_html_(self) -> str:
        rows: list[tuple[object, ...]] = [
            (run.task, run.system, run.fold, run.seed, _result(run)) for run in self.runs[:_SHOWN]
        ]
        if len(self.runs) > _SHOWN:
            rows.append((f"… and {len(self.runs) - _SHOWN} more", "", "", "", ""))
        return html.grid(repr(self).strip("<>"), ("task", "system", "fold", "seed", "result"), rows)


def load_runs(runs: str | PathLike[str] = "runs") -> Runs:
    """Every run on record below a folder.

    A record that cannot be read is left out with a warning that names it.

    Parameters
    ----------
    runs : str or path
        Folder of records.

    Returns
    -------
    Runs
        In the order of their folders' names.

    Raises
    ------
    BadInput
        If there is no such folder.
    """
    from mirbench.runs.store import RunStore

    root = folder_of_runs(runs)
    left_out: list[str] = []
    found = tuple(Run(folder, record) for folder, record in RunStore(root, left_out).records())
    if left_out:
        warnings.warn(said(left_out), stacklevel=2)
    return Runs(found, root, tuple(left_out))


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _result(run: Run) -> str:
    if run.status != "done":
        return f"{run.status}: {run.record.reason}"
    values: Iterable[tuple[str, float | None]] = run.metrics.items()
    return next((f"{name} {'undefined' if value is None else f'{value:.3f}'}" for name, value in values), "done")


def _mean(runs: Sequence[Run]) -> str:
    """The first metric of the runs of one system, as the command says it."""
    from mirbench.runs.report import over_seeds

    done = [(run.folder, run.record) for run in runs if run.status == "done"]
    names: Mapping[str, Any] = next((run.metrics for run in runs if run.metrics), {})
    try:
        return next((f"{name} {over_seeds(done, name)[0]}" for name in names), "")
    except BadInput:  # scores that cannot be read, which is no reason not to show the rest
        return ""
