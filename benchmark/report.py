"""What `mirbench run` prints when it is done: a small table, where the records are, what to do next."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from mirbench.metrics import METRICS
from mirbench.runner import Outcome
from mirbench.types import RunRecord

__all__ = ["report"]

_WIDTH = 120  # where the output is no terminal


def report(outcomes: Sequence[Outcome], runs: Path, *, demo: bool) -> bool:
    """Print the runs, where their records are and what to do next; returns whether all have a result."""
    first = outcomes[0].record
    _print_table(outcomes)
    done = [outcome.record for outcome in outcomes if outcome.record.status == "done"]
    if done:
        print(_summary(done))
    if first.contaminated:
        print(f"Beware: the source was trained on {', '.join(first.contaminated)}.")
    where = "" if runs == Path("runs") else f" --runs {runs}"
    print(f"Records: {outcomes[0].folder.parent.parent}. All results as a table: mirbench leaderboard{where}")
    if demo:
        print("Next: another --method (`mirbench list methods`), or real music: `mirbench data get gtzan-mini`.")
    if len(done) == len(outcomes):
        return True
    sys.stdout.flush()
    failed = next(outcome for outcome in outcomes if outcome.record.status != "done")
    count = f"{len(outcomes) - len(done)} of {len(outcomes)} runs have no result"
    print(f"{count}: {failed.record.reason}", file=sys.stderr)
    print(f"Details: {failed.folder}. The same command tries them again.", file=sys.stderr)
    return False


def _print_table(outcomes: Sequence[Outcome]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    first = outcomes[0].record.spec
    shown = _shown([outcome.record for outcome in outcomes])
    title = f"{first.task}: {first.method}" + (f" + {first.source}" if first.source else "")
    table = Table(title=escape(title), title_justify="left")
    for column in ("fold", "seed", *shown, "s/epoch", "train s", "note"):
        table.add_column(column, justify="right")
    for outcome in outcomes:
        record = outcome.record
        cells = [_cell(record.metrics.get(name)) for name in shown]
        times = [_cell(record.seconds.get(name)) for name in ("epoch", "train")]
        table.add_row(str(record.spec.fold), str(record.spec.seed), *cells, *times, escape(_note(outcome)))
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)


def _note(outcome: Outcome) -> str:
    record = outcome.record
    if record.status != "done":
        return f"{record.status}: {record.reason}"
    chosen = ", ".join(f"{name}={value}" for name, value in record.chosen.items())
    return "; ".join(part for part in (chosen, "on record" if outcome.read_back else "") if part)


def _shown(records: Sequence[RunRecord]) -> list[str]:
    """Up to four metrics that are one number, the selecting one first."""
    names = {name: None for record in records for name in record.metrics}
    values = [name for name in names if name in METRICS and METRICS[name].kind == "value"]
    return [name for name in values if name != "balanced-accuracy"][:4]


def _summary(done: Sequence[RunRecord]) -> str:
    """Mean and standard deviation over seeds of the selecting metric, which is averaged over folds here."""
    name = next(iter(done[0].metrics))
    by_seed: dict[int, list[float]] = {}
    for record in done:
        if record.metrics[name] is not None:
            by_seed.setdefault(record.spec.seed, []).append(record.metrics[name])
    means = [mean(values) for values in by_seed.values()]
    if not means:
        return f"{name} is undefined on this test set."
    spread = f" ± {stdev(means):.3f}" if len(means) > 1 else ""
    line = f"{name.capitalize()} {mean(means):.3f}{spread} over {len(means)} {'seed' if len(means) == 1 else 'seeds'}"
    line += f" (mean of {done[0].n_folds} folds)." if done[0].n_folds > 1 else "."
    if done[0].n_total is not None:
        n_trainable = done[0].n_trainable
        learnt = "no count of trainable ones" if n_trainable is None else f"{n_trainable:,} trainable"
        line += f" Parameters: {done[0].n_total:,}, {learnt}."
    return line


def _cell(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
