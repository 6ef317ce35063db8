"""A comparison in words: one screen, or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from mirbench.leaderboard.compare import Comparison, Cost
from mirbench.metrics import METRICS
from mirbench.plain_text import cut_apart
from mirbench.runs.scores import how_over_folds

__all__ = ["as_json", "as_text"]

_MOST_CLIPS, _MOST_CLASSES = 8, 12


def as_json(comparison: Comparison) -> dict[str, Any]:
    """All of it as plain values."""
    return {"verdict": comparison.verdict} | asdict(comparison)


def as_text(comparison: Comparison, *, whole: bool = False) -> str:
    """One screen, plain words first; names are cut to fit it, unless they are to be `whole`."""
    c, d = comparison, comparison.difference
    over = (
        how_over_folds(c.metric, len(c.folds))
        if len(c.folds) > 1
        else f"fold {c.folds[0]} of {c.n_folds}"
        if c.n_folds > 1
        else ""
    )
    lines = [c.verdict, ""]
    lines += [f"{c.task}: {c.metric}" + (f", {over}" if over else "")]
    for mark, name, value, seeds in (("A", c.name_a, c.value_a, c.seeds_a), ("B", c.name_b, c.value_b, c.seeds_b)):
        lines.append(f"  {mark}  {value:.3f}  {name} ({len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'})")
    lines.append(f"  A - B  {d.value:+.3f}, 95 % interval {d.low:+.3f} to {d.high:+.3f}, {_p(d.p)} ({d.method})")
    if d.low < 0 < d.high:
        most = (d.high, -d.low) if METRICS[c.metric].higher_is_better else (-d.low, d.high)
        lines.append(f"  As far as these clips tell, A may be {most[0]:.3f} better, or {most[1]:.3f} worse.")
    lines += [f"  {note}" for note in c.notes]
    lines += ["", _clip_lines(c, whole), "", _class_lines(c, whole), "", _cost_lines(c)]
    return "\n".join(lines)


def _p(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def _clip_lines(c: Comparison, whole: bool) -> str:
    up, down = sum(clip.a > clip.b for clip in c.clips), sum(clip.a < clip.b for clip in c.clips)
    better, mark = "right more often", "right"
    if c.kind == "regression":
        up, down, better = down, up, "nearer"
        mark = "off by" if len(c.classes) == 1 else "off, of range"
    said = f"A is {better} on {up} clips, B on {down}, the same on {c.difference.n_clips - len(c.clips)}."
    if not c.clips:
        return said
    shown = c.clips[:_MOST_CLIPS]
    ids = _fitting([clip.clip for clip in shown], 28, whole)
    names = _fitting([name for clip in shown for name in (clip.true, clip.guess_a, clip.guess_b)], 14, whole)
    said_of = zip(names[::3], names[1::3], names[2::3], strict=True)
    rows = [[name, *said, clip.a, clip.b] for name, said, clip in zip(ids, said_of, shown, strict=True)]
    rest = len(c.clips) - len(rows)
    text = tabulate(rows, ["clip", "is", "A says", "B says", f"A {mark}", f"B {mark}"], floatfmt=".2f")
    return f"{said}\n{_indented(text)}" + (f"\n  … and {rest} more" if rest else "")


def _fitting(names: Sequence[str], n_cells: int, whole: bool) -> list[str]:
    return list(names) if whole else cut_apart(names, n_cells)


def _class_lines(c: Comparison, whole: bool) -> str:
    both = [(k.name, k.n_clips, k.a, k.b, k.a - k.b) for k in c.classes if k.a is not None and k.b is not None]
    both.sort(key=lambda row: -abs(row[4]))
    names = _fitting([name for name, *_ in both[:_MOST_CLASSES]], 40, whole)
    shown = [(name, *rest) for name, (_, *rest) in zip(names, both, strict=False)]
    what = "F1" if c.by_class == "f1-per-class" else c.by_class.removesuffix("-per-class")
    text = tabulate(shown, [f"{what} of", "clips", "A", "B", "A - B"], floatfmt=("", "", ".3f", ".3f", "+.3f"))
    rest = len(c.classes) - min(len(both), _MOST_CLASSES)
    return _indented(text) + (f"\n  … and {rest} more" if rest else "")


def _cost_lines(c: Comparison) -> str:
    rows = [[cost.name, _number(cost.a), _number(cost.b), _ratio(cost)] for cost in c.costs]
    align = ("left", "right", "right", "right")
    return _indented(tabulate(rows, ["cost", "A", "B", "A : B"], disable_numparse=True, colalign=align))


def _number(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.3g}"


def _ratio(cost: Cost) -> str:
    return f"{cost.a / cost.b:.3g}" if cost.a and cost.b else "—"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
