"""What a sweep tells people when it ends: every entry with its result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import mean

from mirbench.plain_text import one_message, say
from mirbench.runs.report import apart, over_seeds, print_rows, where_records_are, where_time_went
from mirbench.runs.suite import Suite
from mirbench.runs.sweep import Result
from mirbench.source import trained_on_it

__all__ = ["report"]


def report(suite: Suite, results: Sequence[Result]) -> bool:
    """Print every entry with its first metric, and why some have no result; returns whether all have one."""
    if suite.reference:
        say(suite.reference)
    names = apart([result.entry.name for result in results])
    rows = [[name, *_row(result)] for name, result in zip(names, results, strict=True)]
    print_rows(suite.title, ("", "runs", "first metric on test", "note"), rows, n_left=1)
    lacking = [result for result in results if not result.complete]
    failed = [result for result in lacking if result.reason or len(result.done) < len(result.outcomes)]
    reasons: dict[str, list[str]] = defaultdict(list)
    for result in failed:
        reasons[result.why].append(f"{result.entry.where}, {result.entry.name}")
    for reason, names in reasons.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        say(f"{'; '.join(names[:3])}{more}: {one_message(reason)}")
    if fixed := sum(bool(result.done) and not result.done[0].record.uses_seed for result in results):
        say(f"Nothing is random in {fixed} of {len(results)} entries: one run a fold stands for all seeds.")
    if line := where_time_went(outcome for result in results for outcome in result.outcomes):
        say(line)
    say(where_records_are(suite.first.runs))
    return not lacking


def _row(result: Result) -> list[str]:
    done = [outcome.record for outcome in result.done]
    score, notes = "—", []
    if done:
        metric = next(iter(done[0].metrics))
        score = f"{metric} {over_seeds([(outcome.folder, outcome.record) for outcome in result.done], metric)[0]}"
        notes = [trained_on_it(done[0].contaminated)] if done[0].contaminated else []
    if n_read := sum(outcome.read_back for outcome in result.outcomes):
        notes.append("on record" if n_read == len(result.outcomes) else f"{n_read} on record")
    notes += _kept_when_deformed(result)
    if result.n_left:
        notes.append(f"{result.n_left} left for lack of time")
    elif not result.complete:
        notes.append(result.why.partition(":")[0])
    if not result.outcomes and not result.n_left:
        return ["—", score, "; ".join(notes)]  # it was refused before any run
    return [f"{len(done)} of {len(result.outcomes) + result.n_left}", score, "; ".join(notes)]


def _kept_when_deformed(result: Result) -> list[str]:
    """What share of the score is kept under each deformation, over all severities and runs."""
    shares: dict[str, list[float | None]] = {}
    for outcome in result.done:
        for name, curve in outcome.robustness.curves.items() if outcome.robustness else ():
            shares.setdefault(name, []).append(curve.relative_area)
    known = {name: [share for share in of if share is not None] for name, of in shares.items()}
    refused = [reason for reason in (result.no_curve, *(outcome.refused for outcome in result.done)) if reason]
    kept = [f"{name} {mean(of):.2f} of clean" for name, of in known.items() if of]
    return kept + [f"no curve: {reason}" for reason in refused[:1]]
