"""What the command plot draws of a printed table: its numbers, and ours that are on record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mirbench.cli.answering import answers_of
from mirbench.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mirbench.leaderboard.reproduction.verdicts import Line

__all__ = ["drawn_of"]

_BY_CLASS = r"two-class-f1-per-class\[(.+)\]"
_BOX = r"(median|lower-quartile|upper-quartile|lower-whisker|upper-whisker|outlier)\[.+\]"


def drawn_of(kind: str, suite: str, runs: Path, width: float, left_out: list[str], *, demo: bool) -> tuple[Figure, int]:
    """The figure of a suite's printed tables, and how many of the systems in it are on record.

    Parameters
    ----------
    kind : {"box", "classes", "positives"}
        What is drawn.
    left_out : list of str
        As of `mirbench.runs.store.RunStore`.
    demo : bool
        Whether ours are those of its demo.
    """
    import matplotlib

    from mirbench.leaderboard import class_plots
    from mirbench.leaderboard.reproduction.drawn_lines import series_of_lines
    from mirbench.leaderboard.reproduction.printed import read_printed

    matplotlib.use("agg")  # else it looks for a window
    lines = _lines(suite, runs, left_out, demo=demo)
    series = series_of_lines(lines, _BOX if kind == "box" else _BY_CLASS)
    n_ours = sum(bool(each.ours) for each in series)
    if kind == "box":
        return class_plots.boxes(series, "two-class macro F1 of seeds", width), n_ours
    if kind == "classes":
        return class_plots.by_class(series, "two-class F1", width), n_ours
    counts: dict[str, int] = {}
    for number in read_printed(["chen2022-rf"]):
        if number.quantity.startswith("n_present["):
            name = number.quantity[len("n_present[") : -1]
            counts[name] = counts.get(name, 0) + int(number.value)
    said = "positive labels of OpenMIC-2018, train and test"
    return class_plots.by_positives(series, counts, "two-class F1", width, said), n_ours


def _lines(suite: str, runs: Path, left_out: list[str], *, demo: bool) -> list[Line]:
    from mirbench.leaderboard.reproduction.printed import read_printed
    from mirbench.leaderboard.reproduction.verdicts import compare
    from mirbench.leaderboard.results import questions, with_scores
    from mirbench.registry import Catalogue
    from mirbench.runs import sweep
    from mirbench.runs.suite import read_suite

    catalogue = Catalogue()
    asked = read_suite(suite, catalogue, {"runs": runs})
    if not asked.printed:
        raise BadInput(f"--printed {suite}: no printed table belongs to it; `mirbench reproduce --list` names those")
    if demo:
        asked = sweep.shortened(sweep.as_demo(asked, catalogue), catalogue)
    known = [with_scores(question, left_out) for question in questions(runs, left_out)] if runs.is_dir() else []
    results = [sweep.Result(entry, reason=entry.unable or "not on record") for entry in asked.entries]
    answers = [answer for result in results for answer in answers_of(result, catalogue, known)]
    return compare(read_printed(asked.printed), answers)
