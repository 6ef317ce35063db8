"""What every tool is told of a record: what it is of, its numbers, and what a reader of them must know."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from mirbench.leaderboard.marks import explained
from mirbench.leaderboard.record_columns import of_targets
from mirbench.leaderboard.results import Question
from mirbench.metrics import METRICS
from mirbench.plain_text import printable
from mirbench.record import RunRecord
from mirbench.source import trained_on_it

__all__ = [
    "STANDINGS", "Told", "costs_of", "data_set", "label", "numbers", "plain", "plain_and_own", "protocol", "scores_of",
    "told_of", "warnings_of",
]  # fmt: skip

STANDINGS = {
    "full": "",
    "excerpt": "an excerpt, not the whole data set",
    "own": "own data, which nobody else may have",
    "synthesised": "a synthesised stand-in, no real music",
}
"""What is to be said of the data of a task, by its standing."""

_MOST = 200  # letters of a name
_MOST_PLAIN = 60  # of one in a path


@dataclass(frozen=True)
class Told:
    """A record that is done, with what its table says of it.

    Parameters
    ----------
    title : str
        Of the table.
    system : str
        Method + source, and the settings that set it apart.
    marks : tuple of str
        See `mirbench.leaderboard.marks`.
    """

    record: RunRecord
    title: str
    system: str
    marks: tuple[str, ...]

    @property
    def name(self) -> str:
        """What a run is called among those of its task, with its marks."""
        spec = self.record.spec
        return f"{label(self.system, self.marks)}, fold {spec.fold}, seed {spec.seed} ({spec.key[:8]})"


def told_of(questions: Iterable[Question]) -> Iterator[Told]:
    """Every run of some questions that is done, those that a table leaves out too."""
    for question in questions:
        for system in question.systems:
            for run in (*system.runs, *system.others):
                yield Told(run.record, question.title, system.name, system.marks)


def label(system: str, marks: Sequence[str]) -> str:
    """What a system is called, with its marks; names may be a stranger's."""
    return " ".join([printable(system, _MOST), *(f"[{mark}]" for mark in marks)])


def data_set(title: str, standing: str) -> str:
    """What the data are called: a stand-in and an excerpt say that they are one."""
    said = STANDINGS.get(standing, printable(standing, _MOST))
    return f"{printable(title, _MOST)} ({said})" if said else printable(title, _MOST)


def warnings_of(record: RunRecord, marks: Sequence[str], flags: Sequence[str] = ()) -> list[str]:
    """What a reader of its score must know, a text each."""
    standing = STANDINGS.get(record.standing, record.standing)
    said = [f"data: {standing}"] if standing else []
    said += explained(marks)
    said += [trained_on_it(record.contaminated)] if record.contaminated else []
    return [printable(text, 2 * _MOST) for text in dict.fromkeys([*said, *flags])]


def numbers(held: Mapping[str, Any], names: Iterable[str] | None = None) -> dict[str, float]:
    """Those of some values that are finite numbers; of metrics, those that are one number."""
    known = [name for name in METRICS if METRICS[name].kind == "value"] if names is None else names
    values = {name: held.get(name) for name in known}
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def scores_of(record: RunRecord) -> dict[str, float]:
    """The metrics that are one number, and where a clip has several numbers, those of each target, ``rmse:valence``."""
    each = of_targets(record)
    return numbers(record.metrics) | numbers(each, each)


def costs_of(record: RunRecord) -> dict[str, float]:
    """What a run cost, as far as it is known, by names with their units."""
    seconds = numbers(record.seconds, ("features", "train", "epoch", "inference"))
    found = {f"{name}-seconds": value for name, value in seconds.items()}
    found |= {f"{name}-bytes": value for name, value in numbers(record.memory, ("cpu", "gpu")).items()}
    counted: dict[str, Any] = {"trainable": record.n_trainable, "parameters": record.n_total, "flops": record.flops}
    counted |= {"clips-per-second": record.seconds.get("clips_per_second"), "train-kwh": record.energy.get("train_kwh")}
    return found | numbers(counted, counted)


def protocol(record: RunRecord) -> dict[str, str]:
    """How clips became windows, in which precision, from what was learnt."""
    spec = record.spec
    said = {"windows": spec.windowing.windows, "average": spec.windowing.average, "precision": spec.precision}
    return said | spec.as_asked


def plain(name: str) -> str:
    """A name as a part of any path: small ASCII letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_MOST_PLAIN].strip("-") or "unnamed"


def plain_and_own(name: str) -> str:
    """The same, with a hash where it had to change, so that no two names become one."""
    part = plain(name)
    return part if part == name else f"{part}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
