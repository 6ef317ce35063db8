"""Printed results and ours as markdown, CSV and JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from textwrap import shorten
from typing import Any

from mirbench.leaderboard.render import escaped
from mirbench.leaderboard.reproduction.printed import SCALES, Printed
from mirbench.leaderboard.reproduction.rule import RULE, UNJUDGED, Verdict
from mirbench.leaderboard.reproduction.verdicts import Line
from mirbench.plain_text import csv_cell, json_text

__all__ = ["as_csv", "as_json", "as_markdown", "summary"]

JSON_VERSION = 1
_WIDEST = 120  # letters of a system's name
_MANY = 5  # numbers of a system, from which on it gets a line of its own above the table
_UNITS = {"fraction": "", "percent": " %", "points": " points", "count": "", "millions": " M", "seconds": " s",
          "min:s": " min:s", "nats": "", "full scale": "", "setting": "", "order": ""}  # fmt: skip
_ORDER: tuple[Verdict, ...] = ("agrees", "differs", "cannot tell", "shown", "other data", "stand-in", "not run")


def as_markdown(title: str, reference: str, lines: Sequence[Line], notes: Iterable[str] = ()) -> str:
    """A table with the rule below it, why lines were not run, and what the printed numbers' own notes say."""
    from tabulate import tabulate

    heads = ["row", "quantity", "printed", "ours", "95 % interval", "ours − printed", "n", "verdict", "by"]
    align = ("left", "left", "right", "right", "right", "right", "left", "left", "left")
    rows = [[escaped(cell) for cell in _cells(line)] for line in lines]
    parts = [f"# {escaped(title)}", *map(escaped, [*notes, reference] if reference else notes)]
    parts += _by_system(lines)
    parts.append(tabulate(rows, heads, tablefmt="github", disable_numparse=True, colalign=align))
    stand_ins = any(line.verdict == "stand-in" for line in lines) and not any(map(_may_be_judged, lines))
    parts += [f"{summary(lines)}.", UNJUDGED if stand_ins else RULE]
    parts += _listed("Not run", ((line.reason, line) for line in lines if line.verdict == "not run"))
    parts += _listed("Other data", ((line.reason, line) for line in lines if line.verdict == "other data"))
    parts += _listed("Notes", ((line.printed.note, line) for line in lines if line.verdict != "not run"))
    parts += _listed("Printed in", ((line.printed.where, line) for line in lines))
    return "\n\n".join(parts) + "\n"


def _may_be_judged(line: Line) -> bool:
    return line.verdict not in ("stand-in", "not run")


def _by_system(lines: Sequence[Line]) -> list[str]:
    """A line a system and quantity, where some have it of many classes: the means, the greatest gap, the verdicts."""
    from tabulate import tabulate

    groups: dict[tuple[str, str, str], list[Line]] = defaultdict(list)
    for line in lines:
        if line.ours is not None and line.printed.number is not None:
            quantity = line.printed.quantity.partition("[")[0]  # of which class or bar, a mean runs over
            groups[line.printed.row, line.by, quantity].append(line)
    if max(map(len, groups.values()), default=0) < _MANY:
        return []
    rows = [_of_system(*group, held) for group, held in groups.items() if len(held) >= _MANY]
    heads = ["system", "quantity", "numbers", "printed, mean", "ours, mean", "greatest gap", "verdicts", "by"]
    align = ("left", "left", "right", "right", "right", "left", "left", "left")
    cells = [[escaped(cell) for cell in row] for row in rows]
    return [tabulate(cells, heads, tablefmt="github", disable_numparse=True, colalign=align)]


def _of_system(row: str, by: str, quantity: str, lines: Sequence[Line]) -> list[str]:
    first = lines[0].printed
    printed = [float(line.printed.number or 0.0) / SCALES[first.unit] for line in lines]
    ours = [line.ours or 0.0 for line in lines]
    gaps = [b - a for a, b in zip(printed, ours, strict=True)]
    k = max(range(len(gaps)), key=lambda n: abs(gaps[n]))
    means = [f"{sum(held) / len(held):.{first.n_digits + 1}f}{_UNITS[first.unit]}" for held in (printed, ours)]
    judged = any(line.verdict != "stand-in" for line in lines)
    greatest = f"{_signed(gaps[k], first)}, {lines[k].printed.quantity}" if judged else ""
    return [row, quantity, str(len(lines)), *means, greatest, summary(lines), shorten(by, _WIDEST, placeholder=" …")]


def summary(lines: Sequence[Line]) -> str:
    """How many lines have which verdict."""
    count = Counter(line.verdict for line in lines)
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in _ORDER if count[verdict])


def _cells(line: Line) -> list[str]:
    printed = line.printed
    sd = "" if printed.sd is None else f" ± {printed.sd:g}"
    interval = (
        "" if line.low is None or line.high is None else f"{_text(line.low, printed)} – {_text(line.high, printed)}"
    )
    return [
        printed.row, printed.quantity, f"{printed.value}{sd}{_UNITS[printed.unit]}",
        _ours(line), interval, _difference(line), _n(line), line.verdict, shorten(line.by, _WIDEST, placeholder=" …"),
    ]  # fmt: skip


def _difference(line: Line) -> str:
    """With its interval, where the line is judged by one."""
    if line.difference is None or line.difference_low is None or line.difference_high is None:
        return ""
    value, low, high = (
        _signed(one, line.printed) for one in (line.difference, line.difference_low, line.difference_high)
    )
    return f"{value} ({low} to {high})"


def _signed(value: float, printed: Printed) -> str:
    return f"{value:+.{printed.n_digits + 1}f}"


def _ours(line: Line) -> str:
    if line.ours is None:
        return "—"
    counted = line.printed.dead and line.verdict != "stand-in"
    dead = f" + {_text(line.printed.dead / SCALES[line.printed.unit], line.printed)}" if counted else ""
    unit = "" if line.printed.unit == "min:s" else _UNITS[line.printed.unit]  # whose seconds say so
    return _text(line.ours, line.printed) + dead + unit


def _text(value: float, printed: Printed) -> str:
    """With a digit more than is printed; whole counts as they are, steps of an order with their sign."""
    if printed.unit == "order":
        return f"{value:+.4g}"
    if printed.unit == "count":
        return f"{value:.0f}"
    return f"{value:.1f} s" if printed.unit == "min:s" else f"{value:.{printed.n_digits + 1}f}"


def _n(line: Line) -> str:
    counts = ((line.n_models, "model"), (line.n_seeds, "seed"), (line.n_clips, "clip"))
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts if n is not None)


def _listed(heading: str, said: Iterable[tuple[str, Line]]) -> list[str]:
    """A list of what is said of which rows; nothing where nothing is."""
    rows: dict[str, dict[str, None]] = defaultdict(dict)
    for text, line in said:
        if text:
            rows[text][line.printed.row] = None
    items = [f"* {escaped(text)}: {escaped(_few(list(names)))}" for text, names in rows.items()]
    return [f"{heading}:\n\n" + "\n".join(items)] if items else []


def _few(names: list[str]) -> str:
    return "; ".join(names) if len(names) <= 12 else f"{'; '.join(names[:10])} and {len(names) - 10} more"


def _fields(line: Line) -> dict[str, Any]:
    printed = line.printed
    return {
        "table": printed.table,
        "row": printed.row,
        "quantity": printed.quantity,
        "unit": printed.unit,
        "printed": printed.value,
        "printed_sd": printed.sd,
        "printed_n_seeds": printed.n_seeds,
        "printed_n_clips": printed.n_clips,
        "dead": printed.dead,
        "ours": line.ours,
        "low": line.low,
        "high": line.high,
        "difference": line.difference,
        "difference_low": line.difference_low,
        "difference_high": line.difference_high,
        "n_models": line.n_models,
        "n_seeds": line.n_seeds,
        "n_clips": line.n_clips,
        "verdict": line.verdict,
        "by": line.by,
        "reason": line.reason,
        "where": printed.where,
        "note": printed.note,
    }


def as_csv(lines: Sequence[Line]) -> str:
    """A line a comparison; empty where there is no number."""
    import pandas as pd

    frame = pd.DataFrame([_fields(line) for line in lines]).map(csv_cell).convert_dtypes()
    return str(frame.to_csv(index=False, lineterminator="\n"))


def as_json(title: str, reference: str, lines: Sequence[Line], notes: Iterable[str] = ()) -> str:
    """The same with title and rule, strict JSON."""
    held = {
        "schema_version": JSON_VERSION,
        "title": title,
        "reference": reference,
        "notes": list(notes),
        "rule": RULE,
        "lines": [_fields(line) for line in lines],
    }
    return json_text(held)
