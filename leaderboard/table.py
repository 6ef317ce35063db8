"""Records to rows: what is comparable, and the numbers of each.

Runs share a row when everything that was asked is the same but fold and seed. Rows share a table when they answer the
same question: task, task version, windowing. Over folds, a metric is taken on the pooled predictions of one seed or
averaged, as its card says; mean and standard deviation are then over seeds.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirbench import metrics
from mirbench.store import RunStore, Scores
from mirbench.types import RunRecord, Targets

__all__ = ["Board", "Row", "boards"]

SHOWN = tuple(metric.name for metric in metrics.METRICS.values() if metric.kind == "value")
"""Metrics that are one number, in the order of their columns."""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Parameters
    ----------
    name : str
        Method + source, with the settings that differ from another row of the same name.
    metrics : dict of str to (mean, SD) or None
        Over seeds; SD is None for one seed.
    n_seeds, n_folds, n_done : int
        Seeds for which these folds are there; number of folds of the task; number of those that are there.
    flags : tuple of str
        What a reader must know: contamination, incomplete folds.
    """

    name: str
    metrics: dict[str, tuple[float, float | None] | None]
    n_seeds: int
    n_folds: int
    n_done: int
    n_trainable: int | None
    n_total: int | None
    epoch_seconds: float | None
    clips_per_second: float | None
    gflops: float | None
    device: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Board:
    """One table.

    Parameters
    ----------
    title : str
        Task, version where it is not the first, windowing where it is not the default.
    standing : str
        "full", "excerpt", "own" or "synthesised".
    problems : tuple of str
        One line for each run that failed or was skipped.
    """

    title: str
    standing: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    problems: tuple[str, ...]


def boards(root: Path) -> list[Board]:
    """Every table that the records below a folder give, full tasks first."""
    store = RunStore(root)
    groups: dict[str, list[tuple[Path, RunRecord]]] = defaultdict(list)
    for folder, record in store.records():
        groups[_question(record)].append((folder, record))
    found = [_board(store, group) for _, group in sorted(groups.items())]
    order = {"full": 0, "excerpt": 1, "own": 2, "synthesised": 3}
    return sorted(found, key=lambda board: (order.get(board.standing, 4), board.title))


def _question(record: RunRecord) -> str:
    spec = record.spec
    return json.dumps([spec.task, spec.task_version, asdict(spec.windowing)], sort_keys=True)


def _asked(record: RunRecord) -> str:
    """What was asked, less fold and seed."""
    fields = asdict(record.spec)
    for name in ("fold", "seed"):
        del fields[name]
    if _of_ensemble(record):  # the runs that it combines are others in each fold and seed
        del fields["params"]["members"]
    return json.dumps(fields, sort_keys=True)


def _board(store: RunStore, group: Sequence[tuple[Path, RunRecord]]) -> Board:
    first = group[0][1]
    spec = first.spec
    title = spec.task if spec.task_version == "1" else f"{spec.task} (version {spec.task_version})"
    windowing = asdict(spec.windowing)
    if windowing != {"windows": "nonoverlap", "average": "prob"}:
        title += f" [{windowing['windows']}, average {windowing['average']}]"
    asked: dict[str, list[tuple[Path, RunRecord]]] = defaultdict(list)
    for folder, record in group:
        asked[_asked(record)].append((folder, record))
    done = {key: [(f, r) for f, r in rows if r.status == "done"] for key, rows in asked.items()}
    names = _names([rows[0][1] for rows in done.values() if rows])
    lines = [_row(store, rows, names[_asked(rows[0][1])]) for rows in done.values() if rows]
    present = [name for name in SHOWN if any(line.metrics.get(name) for line in lines)]
    # fewer folds are other clips: such rows are no part of the ranking
    lines.sort(key=lambda row: (row.n_done < row.n_folds, -((present and row.metrics[present[0]]) or (0.0, 0))[0]))
    return Board(title, first.standing, tuple(present), tuple(lines), _problems(group))


def _problems(group: Iterable[tuple[Path, RunRecord]]) -> tuple[str, ...]:
    count: dict[str, int] = defaultdict(int)
    for _, record in group:
        if record.status != "done":
            source = f" + {record.spec.source}" if record.spec.source else ""
            count[f"{record.spec.method}{source}: {record.status}: {record.reason}"] += 1
    return tuple(f"{line} ({n} {'run' if n == 1 else 'runs'})" for line, n in sorted(count.items()))


def _names(records: Sequence[RunRecord]) -> dict[str, str]:
    """A name for each row, with the settings that differ from their defaults, or from another row's."""
    plain: dict[str, list[RunRecord]] = defaultdict(list)
    for record in records:
        plain[_plain_name(record)].append(record)
    names = {}
    for name, alike in plain.items():
        settings = [_settings(record) for record in alike]
        differ = sorted({key for s in settings for key in s if any(s.get(key) != t.get(key) for t in settings)})
        for record, setting in zip(alike, settings, strict=True):
            shown = sorted({*differ, *record.changed, *record.spec.search})
            said = ", ".join(f"{key}={setting.get(key)}" for key in shown)
            names[_asked(record)] = f"{name} ({said})" if said else name
    return names


def _of_ensemble(record: RunRecord) -> bool:
    return record.spec.method == "ensemble" and "systems" in record.spec.params


def _plain_name(record: RunRecord) -> str:
    """Method and source; of an ensemble, those of its members."""
    spec = record.spec
    if not _of_ensemble(record):
        return f"{spec.method} + {spec.source}" if spec.source else spec.method
    count = Counter(spec.params["systems"])
    return f"ensemble ({', '.join(name if n == 1 else f'{n} × {name}' for name, n in count.items())})"


def _settings(record: RunRecord) -> dict[str, Any]:
    spec = record.spec
    settings: dict[str, Any] = dict(spec.params)
    if _of_ensemble(record):
        del settings["members"]
    settings |= {name: f"best of {'/'.join(map(str, values))}" for name, values in spec.search.items()}
    settings |= {f"source {name}": value for name, value in spec.source_params.items()}
    settings |= {"precision": spec.precision, "method version": spec.method_version}
    settings |= {"source version": spec.source_version, "weights": spec.source_sha256[:8]}
    settings["audio"] = spec.audio_sha256[:8]
    return settings


def _row(store: RunStore, runs: Sequence[tuple[Path, RunRecord]], name: str) -> Row:
    record = runs[0][1]
    by_seed: dict[int, list[tuple[Path, RunRecord]]] = defaultdict(list)
    for folder, run in runs:
        by_seed[run.spec.seed].append((folder, run))
    complete = [parts for _, parts in sorted(by_seed.items()) if len(parts) == record.n_folds]
    flags = []
    if not complete:  # show what there is, and say so
        held = sorted({run.spec.fold for _, run in runs})
        flags.append(f"only fold {', '.join(map(str, held))} of {record.n_folds}")
        complete = list(by_seed.values())
    elif lacking := [seed for seed, parts in sorted(by_seed.items()) if len(parts) < record.n_folds]:
        flags.append(f"without seed {', '.join(map(str, lacking))}, which lacks folds")
    if any(_busy(run) for _, run in runs):
        flags.append("timed on a busy machine")
    if record.contaminated:
        flags.append(f"source trained on {', '.join(record.contaminated)}")
    known = [metric for metric in SHOWN if metric in record.metrics]
    values = [_over_folds(store, parts, known) for parts in complete]
    return Row(
        name=name,
        metrics={metric: _mean_sd([value[metric] for value in values]) for metric in known},
        n_seeds=len(complete),
        n_folds=record.n_folds,
        n_done=len({run.spec.fold for parts in complete for _, run in parts}),
        n_trainable=record.n_trainable,
        n_total=record.n_total,
        epoch_seconds=_mean([run.seconds.get("epoch") for _, run in runs]),
        clips_per_second=_mean([run.seconds.get("clips_per_second") for _, run in runs]),
        gflops=_mean([None if run.flops is None else run.flops / 1e9 for _, run in runs]),
        device=_device(record),
        flags=tuple(flags),
    )


def _device(record: RunRecord) -> str:
    known = record.environment
    return str(known.get("gpu") or f"{known.get('processor', 'unknown')}, {known.get('cores', '?')} cores")


def _busy(record: RunRecord) -> bool:
    """Whether more was waiting for the processor than it has cores, and one more, when a run that was timed ended."""
    if not any(record.seconds.values()):
        return False
    load, cores = record.environment.get("load"), record.environment.get("cores")
    return load is not None and cores is not None and load > cores + 1


def _over_folds(
    store: RunStore, parts: Sequence[tuple[Path, RunRecord]], names: Sequence[str]
) -> dict[str, float | None]:
    """Metrics of one seed over its folds."""
    values: dict[str, float | None] = {}
    if len(parts) == 1:
        return {name: parts[0][1].metrics[name] for name in names}
    pooled = _pool([store.scores(folder) for folder, _ in parts])
    for name in names:
        if metrics.METRICS[name].over_folds == "pool":
            values[name] = metrics.evaluate((name,), pooled.scores, pooled.targets)[name]
        else:
            values[name] = _mean([run.metrics[name] for _, run in parts])
    return values


def _pool(parts: Sequence[Scores]) -> Scores:
    return Scores(
        np.concatenate([part.clip_ids for part in parts]),
        np.concatenate([part.scores for part in parts]),
        Targets(
            np.concatenate([part.targets.value for part in parts]),
            np.concatenate([part.targets.known for part in parts]),
            parts[0].targets.kind,
        ),
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.groups for part in parts]),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def _mean_sd(values: Sequence[float | None]) -> tuple[float, float | None] | None:
    there = [value for value in values if value is not None]
    if not there:
        return None
    return float(np.mean(there)), float(np.std(there, ddof=1)) if len(there) > 1 else None
