"""A run on record in plain words, 80 columns wide: what was asked, what came of it, what it took, how to repeat it."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mirbench.leaderboard import repeat
from mirbench.leaderboard.marks import explained, marks_of
from mirbench.leaderboard.results import questions_of
from mirbench.leaderboard.table import Row, boards_of
from mirbench.metrics import METRICS
from mirbench.plain_text import printable
from mirbench.record import RunRecord
from mirbench.told_apart import called

__all__ = ["run_lines", "run_text"]

_WIDTH, _NAMES = 80, 10  # columns, and those of what stands before a line
_MOST_TRIALS = 8

_Lines = Iterator[tuple[str, str]]


def run_text(folder: Path, record: RunRecord) -> str:
    """All that is worth reading of a run."""
    row, problems = _row(folder, record)
    held = [
        *_asked(folder, record),
        *_scores(record, row),
        *_costs(record),
        *_search(record),
        *_files(folder, record),
        *(("beware", line) for line in (*problems, *_warnings(record, row))),
    ]
    lines: list[str] = []
    last = ""
    for name, text in held:
        lines += _wrapped("" if name == last else name, text)
        last = name
    return "\n".join([*lines, "", "again:", *_again(record), *_wrapped_notes(record)])


def run_lines(runs: Sequence[tuple[Path, RunRecord]]) -> str:
    """A line a run: its key, system, fold, seed and first metric."""
    lines = [("key", "task: method + source", "fold", "seed", "result")]
    for _, record in runs:
        spec = record.spec
        lines.append((spec.key, called(record), str(spec.fold), str(spec.seed), _first(record)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    cells = ([f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in cells)


def _first(record: RunRecord) -> str:
    if record.status != "done":
        return printable(f"{record.status}: {record.reason}", 60)
    return next((f"{name} {_number(value)}" for name, value in _values(record).items()), "done")


def _values(record: RunRecord) -> dict[str, float | None]:
    return {n: value for n, value in record.metrics.items() if n in METRICS and METRICS[n].kind == "value"}


def _row(folder: Path, record: RunRecord) -> tuple[Row | None, list[str]]:
    """Its line of a table that it has for itself, and why its scores cannot be read."""
    left_out: list[str] = []
    boards = boards_of(questions_of([(folder, record)]), left_out)
    return next((row for board in boards for row in board.rows), None), left_out


def _asked(folder: Path, record: RunRecord) -> _Lines:
    spec, known = record.spec, record.environment
    done = f", {known['finished']}" if known.get("finished") else ""
    yield "run", f"{spec.key}, {record.status}{done}"
    if record.reason:
        yield "reason", record.reason
    yield "folder", str(folder)
    folds = f", fold {spec.fold} of {record.n_folds}" if record.n_folds > 1 else ""
    yield "task", f"{spec.task}, version {spec.task_version}{folds}, {record.standing}"
    yield "method", f"{spec.method}, version {spec.method_version}"
    if spec.source:
        weights = f", weights {spec.source_sha256[:12]}…" if spec.source_sha256 else ""
        yield "source", f"{spec.source}, version {spec.source_version}{weights}"
    yield "settings", ", ".join(f"{name}={value}" for name, value in spec.params.items())
    if spec.source_params:
        yield "options", ", ".join(f"{name}={value}" for name, value in spec.source_params.items())
    random = "" if record.uses_seed else " (nothing is random: it stands for every seed)"
    yield "seed", f"{spec.seed}{random}"
    pad = f", short clips padded: {spec.pad}" if "pad" in spec.later else ""
    yield "windows", f"{spec.windowing.windows}, average {spec.windowing.average}, {spec.precision}{pad}"


def _scores(record: RunRecord, row: Row | None) -> _Lines:
    clips = record.n_clips
    if clips:
        learnt = {
            "train": "",
            "train-and-valid": ", learnt from train and valid",
            "refit": ", learnt from train and valid, after what was selected on valid",
        }[record.spec.fit_on]
        yield "clips", ", ".join(f"{count:,} {split}" for split, count in clips.items()) + learnt
    for number, (name, value) in enumerate(_values(record).items()):
        said = f"{name} {_number(value)}"
        if number == 0 and row is not None and row.interval is not None:
            found = row.interval
            said += f", 95 % interval {found.low:.3f} to {found.high:.3f} ({found.method})"
        yield "score", said + _each_target(record, name)


def _each_target(record: RunRecord, name: str) -> str:
    """A metric of numbers target by target, where a clip has several."""
    each = record.metrics.get(METRICS[name].per_class) if record.kind == "regression" else None
    if not each or len(each) != len(record.classes) or len(each) == 1:
        return ""
    return f" ({', '.join(f'{target} {_number(value)}' for target, value in zip(record.classes, each, strict=True))})"


def _costs(record: RunRecord) -> _Lines:
    if record.n_total is not None or record.n_trainable is not None:
        learnt = "no count of trainable ones" if record.n_trainable is None else f"{record.n_trainable:,} trainable"
        total = "" if record.n_total is None else f"{record.n_total:,} values, "
        yield "size", f"{total}{learnt}"
    if record.flops is not None:
        yield "cost", f"{record.flops / 1e9:.3g} GFLOP a clip"
    if rate := record.seconds.get("clips_per_second"):
        yield "speed", f"{rate:.3g} clips a second, from file to score"
    for name, said in (("train", "training"), ("epoch", "an epoch"), ("inference", "the test set")):
        if (seconds := record.seconds.get(name)) is not None:
            yield "time", f"{seconds:.3g} s for {said}"
    spent = {name: value for name, value in record.spent.items() if name != "decoding_threads"}
    if total_seconds := sum(spent.values()):
        shares = sorted(spent.items(), key=lambda item: -item[1])
        parts = ", ".join(f"{n.replace('_', ' ')} {v:.3g} s" for n, v in shares if v >= 0.01 * total_seconds)
        yield "spent", f"{total_seconds:.3g} s in all: {parts}"
    memory = [f"{count / 2**20:,.0f} MB {what}" for what, count in record.memory.items() if count]
    if memory:
        yield "memory", ", ".join(memory)
    if "train_kwh" in record.energy:
        yield "energy", f"{record.energy['train_kwh']:.3g} kWh to train ({record.energy.get('how', '')})"
    yield from _machine(record.environment)


def _machine(known: Mapping[str, Any]) -> _Lines:
    if not known:
        return
    device = known.get("gpu") or f"{known.get('processor')}, {known.get('cores')} cores"
    versions = known.get("versions") or {}
    yield "on", f"{device}, {known.get('threads')} threads, load {known.get('load')}"
    yield "with", f"Python {known.get('python')}, " + ", ".join(f"{n} {v}" for n, v in versions.items() if n in _MAIN)


_MAIN = ("mirbench", "torch", "numpy", "scikit-learn")


def _search(record: RunRecord) -> _Lines:
    if record.thresholds:
        yield "tuned", f"thresholds of {len(record.thresholds)} classes on valid, {_several(record.thresholds)}"
    if record.temperature is not None:
        yield "tuned", f"temperature {record.temperature:.3g} on valid"
    if not record.trials:
        return
    yield "chosen", f"{_pairs(record.chosen)} of {len(record.trials)} points, on valid"
    for trial in record.trials[:_MOST_TRIALS]:
        yield "trial", f"{_pairs(trial['params'])}: {_number(trial['valid_score'])}"
    if len(record.trials) > _MOST_TRIALS:
        yield "trial", f"… and {len(record.trials) - _MOST_TRIALS} more"


def _files(folder: Path, record: RunRecord) -> _Lines:
    for name, sha256 in {"record.json": "", **record.files}.items():
        path = folder / name
        size = f"{path.stat().st_size:,} bytes" if path.is_file() else "is not there"
        yield "file", f"{name}, {size}" + (f", sha256 {sha256[:12]}…" if sha256 else "")


def _warnings(record: RunRecord, row: Row | None) -> Iterator[str]:
    yield from row.flags if row is not None else ()
    yield from explained(marks_of(record))
    if record.environment.get("sealed"):
        yield "predicted in a sealed process"
    if record.standing == "synthesised":
        yield "synthesised audio says nothing about music"


def _again(record: RunRecord) -> Iterator[str]:
    """The command, broken between its words so that it can be pasted."""
    line = " "
    for word in map(shlex.quote, shlex.split(repeat.command(record))):
        if len(line) + len(word) > _WIDTH - 3 and line.strip():
            yield printable(f"{line} \\")
            line = "   "
        line += f" {word}"
    yield printable(line)


def _wrapped_notes(record: RunRecord) -> list[str]:
    return [line for note in repeat.notes(record) for line in _wrapped("", note)]


def _wrapped(name: str, text: str) -> list[str]:
    shown = textwrap.wrap(printable(text), _WIDTH - _NAMES, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{name if not n else '':<{_NAMES}}{line}" for n, line in enumerate(shown)]


def _several(values: Sequence[float]) -> str:
    return f"{min(values):.3f} to {max(values):.3f}"


def _pairs(held: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in held.items())


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
