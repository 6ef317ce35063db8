"""What a command prints when it is done: a small table, where the records are, what to do next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev

from mirbench.errors import BadInput
from mirbench.features.deformation import Robustness
from mirbench.metrics import IN_UNITS, METRICS, evaluate
from mirbench.plain_text import one_message, say
from mirbench.record import RunRecord
from mirbench.runs.runner import Outcome
from mirbench.runs.scores import Scores, how_over_folds, over_folds, that_count
from mirbench.runs.store import RunStore
from mirbench.source import trained_on_it
from mirbench.text_table import table
from mirbench.told_apart import called
from mirbench.types import FloatArray, Targets

__all__ = [
    "apart",
    "equal_runs",
    "over_seeds",
    "print_rows",
    "report",
    "shown_metrics",
    "where_records_are",
    "where_time_went",
]


def report(outcomes: Sequence[Outcome], runs: Path, *, demo: bool) -> bool:
    """Print the runs, where their records are and what to do next; returns whether all have a result."""
    first = outcomes[0].record
    _print_table(outcomes)
    with_result = [outcome for outcome in outcomes if outcome.record.status == "done"]
    done = [outcome.record for outcome in with_result]
    if done:
        _print_targets([(outcome.folder, outcome.record) for outcome in with_result])
        say(_summary(with_result))
    if line := where_time_went(outcomes):
        say(line)
    _print_curves([outcome.robustness for outcome in outcomes if outcome.robustness])
    if first.contaminated:
        say(f"Beware: {trained_on_it(first.contaminated, 'the source was')}.")
    say(where_records_are(runs, outcomes[0].folder.parent.parent))
    if demo:
        say("Next: another --method (`mirbench list methods`), or real music: `mirbench data get gtzan-mini`.")
    refused = [outcome.refused for outcome in outcomes if outcome.refused]
    if refused:
        say(f"{len(refused)} of {len(done)} runs have no curve: {refused[0]}", error=True)
    if len(done) == len(outcomes):
        return not refused
    lacking = [outcome for outcome in outcomes if outcome.record.status != "done"]
    for reason, count in Counter(outcome.record.reason for outcome in lacking).items():
        say(f"{count} of {len(outcomes)} runs have no result: {one_message(reason)}", error=True)
    if failed := next((outcome for outcome in lacking if outcome.record.status == "failed"), None):
        say(f"Details: {failed.folder}. The same command tries them again.", error=True)
    return False


def _print_table(outcomes: Sequence[Outcome]) -> None:
    shown = shown_metrics([outcome.record for outcome in outcomes])
    rows = []
    for outcome in outcomes:
        record = outcome.record
        cells = [_cell(record.metrics.get(name)) for name in shown]
        times = [_cell(record.seconds.get(name)) for name in ("epoch", "train")]
        rows.append([str(record.spec.fold), str(record.spec.seed), *cells, *times, _note(outcome)])
    print_rows(called(outcomes[0].record), ("fold", "seed", *shown, "s/epoch", "train s", "note"), rows)


def print_rows(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], n_left: int = 0) -> None:
    """Print a table, its first `n_left` columns flush left and the others flush right."""
    left = {*range(n_left), *(column for column, head in enumerate(heads) if head == "note")}
    say(table(title, heads, rows, left=left), end="")


def _print_targets(runs: Sequence[tuple[Path, RunRecord]]) -> None:
    """Of clips with several numbers each, how near each is told, over folds and seeds as `over_seeds` has it."""
    record = runs[0][1]
    if not _several_targets(record):
        return
    names = [name for name in record.metrics if name in METRICS and METRICS[name].kind == "value"]
    per_class = tuple(METRICS[name].per_class for name in names)
    counted = _counted(runs)
    try:
        held = [evaluate(per_class, joined.scores, joined.targets) for joined in map(_joined, counted)]
    except BadInput:  # scores that somebody damaged
        return
    rows = [
        [target, *(_mean_sd([seed[name][k] for seed in held], counted) for name in per_class)]
        for k, target in enumerate(record.classes)
    ]
    print_rows("Target by target", ("target", *names), rows, n_left=1)


def _several_targets(record: RunRecord) -> bool:
    return record.kind == "regression" and len(record.classes) > 1


def apart(names: Sequence[str]) -> list[str]:
    """Names of a suite's entries, "TASK: METHOD + SOURCE", without a task that is the same for all."""
    tasks = {name.partition(": ")[0] for name in names if ": " in name}
    shared = len(tasks) == 1 and all(": " in name for name in names)
    return [name.partition(": ")[2] if shared else name for name in names]


def _print_curves(runs: Sequence[Robustness]) -> None:
    """Scores at each severity, averaged over the runs."""
    if not runs:
        return
    metric = runs[0].metric
    clean = _average([run.clean[metric] for run in runs])
    rows = []
    for name, curve in runs[0].curves.items():
        curves = [run.curves[name] for run in runs]
        levels = [
            f"{severity:g}: {_cell(_average([held.metrics[metric][level] for held in curves]))}"
            for level, severity in enumerate(curve.severities)
        ]
        areas = [_average([held.area for held in curves]), _average([held.relative_area for held in curves])]
        rows.append([f"{name}, {curve.unit}", _cell(clean), *levels, *map(_cell, areas)])
    title = f"{metric} of deformed clips" + (f", mean of {len(runs)} runs" if len(runs) > 1 else "")
    n_levels = max(len(row) for row in rows) - 4
    print_rows(title, ("deformation", "clean", *map(str, range(1, n_levels + 1)), "area", "of clean"), rows, n_left=1)


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known and len(known) == len(values) else None


def _note(outcome: Outcome) -> str:
    record = outcome.record
    if record.status != "done":
        return record.status  # its reason is said once, for all that share it
    chosen = ", ".join(f"{name}={value}" for name, value in record.chosen.items())
    return "; ".join(part for part in (chosen, "on record" if outcome.read_back else "") if part)


def shown_metrics(records: Sequence[RunRecord]) -> list[str]:
    """Up to four metrics that are one number, the selecting one first; no mean over the units of several targets."""
    names = {name: None for record in records for name in record.metrics}
    values = [name for name in names if name in METRICS and METRICS[name].kind == "value"]
    left_out = {"balanced-accuracy", *(IN_UNITS if any(map(_several_targets, records)) else ())}
    return [name for name in values if name not in left_out][:4]


def over_seeds(runs: Iterable[tuple[Path, RunRecord]], name: str) -> tuple[str, int]:
    """Mean ± standard deviation over seeds of a metric, as the leaderboard has it; "—" where it is undefined.

    Parameters
    ----------
    runs : iterable of (Path, RunRecord)
        Folders and their records. Seeds that lack a fold that counts do not count; see `that_count`.

    Returns
    -------
    text, n_seeds
        The text has no deviation where all seeds gave the same to the bit.
    """
    counted = _counted(runs)
    values = [_over_folds(theirs, name) for theirs in counted]
    return _mean_sd(values, counted), sum(value is not None for value in values)


def _counted(runs: Iterable[tuple[Path, RunRecord]]) -> list[list[tuple[Path, RunRecord]]]:
    """Those that count, a list a seed, in the order of their folds."""
    by_seed: dict[int, dict[int, tuple[Path, RunRecord]]] = {}
    n_folds = 1
    for folder, record in runs:
        by_seed.setdefault(record.spec.seed, {})[record.spec.fold] = (folder, record)
        n_folds = record.n_folds
    folds, seeds = that_count(by_seed, n_folds) if by_seed else (frozenset[int](), [])
    return [[by_seed[seed][fold] for fold in sorted(folds)] for seed in seeds]


def _mean_sd(values: Iterable[float | None], counted: Sequence[Sequence[tuple[Path, RunRecord]]]) -> str:
    """Of the seeds where it is defined; without a deviation where all gave the same to the bit."""
    known = [value for value in values if value is not None]
    spread = f" ± {stdev(known):.3f}" if len(known) > 1 and not equal_runs(counted) else ""
    return _cell(mean(known) if known else None) + spread


def equal_runs(by_seed: Sequence[Sequence[tuple[Path, RunRecord]]]) -> bool:
    """Whether several seeds, each with its runs in the order of their folds, predicted the same to the bit."""
    hashes = {tuple(record.files.get("scores.npz", "") for _, record in theirs) for theirs in by_seed}
    return len(by_seed) > 1 and len(hashes) == 1 and "" not in next(iter(hashes))


def _over_folds(runs: Sequence[tuple[Path, RunRecord]], name: str) -> float | None:
    def pooled() -> tuple[FloatArray, Targets]:
        scores = _joined(runs)
        return scores.scores, scores.targets

    try:
        return over_folds(name, [record.metrics.get(name) for _, record in runs], pooled)
    except BadInput:  # scores that somebody damaged; each fold has its number in the record
        return None


def _joined(runs: Sequence[tuple[Path, RunRecord]]) -> Scores:
    return Scores.joined([RunStore(folder.parents[2]).scores(folder) for folder, _ in runs])


def where_records_are(runs: Path, these: Path | None = None) -> str:
    """Where records lie, `these` or all of them, and the command that shows all as a table."""
    where = "" if runs == Path("runs") else f" --runs {shlex.quote(str(runs))}"
    return f"Records: {these or runs}. All results as a table: mirbench leaderboard{where}"


def where_time_went(outcomes: Iterable[Outcome]) -> str:
    """One line on the wall time of those runs that were done now, the largest share first; "" where there are none."""
    runs = [outcome.record.spent for outcome in outcomes if not outcome.read_back and outcome.record.spent]
    total: Counter[str] = Counter()
    for spent in runs:
        total.update(spent)
    beside = total.pop("decoding_threads", 0.0)
    seconds = sum(total.values())
    if not seconds:
        return ""
    shares = [(name, value / seconds) for name, value in total.most_common() if value >= 0.01 * seconds]
    said = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in shares)
    threads = f"; decoding took its threads {beside:.1f} s" if beside >= 0.05 else ""
    n = len(runs)
    return f"Time of {'the run' if n == 1 else f'the {n} runs'}: {seconds:.1f} s ({said}{threads})."


def _summary(outcomes: Sequence[Outcome]) -> str:
    done = [outcome.record for outcome in outcomes]
    name = next(iter(done[0].metrics))
    text, n_seeds = over_seeds([(outcome.folder, outcome.record) for outcome in outcomes], name)
    if not n_seeds:
        return f"{name} is undefined on this test set."
    over = f" over {n_seeds} {'seed' if n_seeds == 1 else 'seeds'}"
    line = f"{name.capitalize()} {text}{over if done[0].uses_seed else ', the same with any seed'}"
    if n_seeds > 1 and "±" not in text:
        line += ", which gave the same to the bit"
    folds = sorted({record.spec.fold for record in done})
    said = [how_over_folds(name, len(folds))]
    if len(folds) < done[0].n_folds:
        said.append(f"fold {', '.join(map(str, folds))} of {done[0].n_folds}")
    line += f" ({'; '.join(filter(None, said))})." if any(said) else "."
    if n_clips := sum({record.spec.fold: record.n_clips.get("test", 0) for record in done}.values()):
        line += f" Tested on {n_clips} clips."
    if done[0].n_total is not None:
        n_trainable = done[0].n_trainable
        learnt = "no count of trainable ones" if n_trainable is None else f"{n_trainable:,} trainable"
        line += f" Parameters: {done[0].n_total:,}, {learnt}."
    return line


def _cell(value: float | None) -> str:
    return "—" if value is None else f"{value:z.3f}"
