"""Tables as markdown, by tabulate."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from mirbench.leaderboard.table import Board, Row

__all__ = ["markdown"]

_TITLES = {"balanced-accuracy": "bal. accuracy", "macro-f1": "macro-F1", "roc-auc": "ROC-AUC", "pr-auc": "PR-AUC"}
_SAID = {
    "full": "",
    "excerpt": "An excerpt: its numbers are optimistic and compare with nothing but this table.",
    "synthesised": "Synthesised audio: shows that the machinery works, says nothing about music.",
}
NOTE = (
    "Mean ± standard deviation (n - 1) over seeds alone: a method without chance has 0, which says nothing of other "
    "clips. Over folds, accuracies and F1 are of pooled predictions, AUCs are averaged. "
    "Trainable: values moved by an optimiser (— for forests and kernel machines). s/epoch: training alone, with frozen "
    "parts read from the cache. Clips/s: from file to score, nothing cached. GFLOP/clip: matrix products, convolutions "
    "and attention from the audio of one clip to its score."
)


def markdown(boards: Sequence[Board]) -> str:
    """All tables, each under a heading, with notes."""
    parts = ["# Leaderboard", NOTE]
    for board in boards:
        parts.append(f"## {_escaped(board.title)}")
        if _SAID.get(board.standing):
            parts.append(_SAID[board.standing])
        if board.rows:
            parts.append(_table(board))
            devices = sorted({row.device for row in board.rows})
            parts.append(f"Timed on: {_escaped('; '.join(devices))}.")
        if board.problems:
            parts.append("Without a result:\n\n" + "\n".join(f"* {_escaped(line)}" for line in board.problems))
    return "\n\n".join(parts) + "\n"


def _table(board: Board) -> str:
    heads = [
        "method + source", "runs", *[_TITLES.get(name, name) for name in board.metrics], "trainable", "total",
        "s/epoch", "clips/s", "GFLOP/clip",
    ]  # fmt: skip
    if any(row.flags for row in board.rows):
        heads.append("beware")
    lines = [_line(row, board.metrics)[: len(heads)] for row in board.rows]
    align = ["left", "left", *["right"] * (len(board.metrics) + 5), "left"][: len(heads)]
    return tabulate(lines, heads, tablefmt="github", disable_numparse=True, colalign=align)


def _line(row: Row, names: Sequence[str]) -> list[str]:
    runs = f"{row.n_seeds} {'seed' if row.n_seeds == 1 else 'seeds'}"
    if row.n_done < row.n_folds:
        runs += f" × {row.n_done} of {row.n_folds} folds"
    elif row.n_folds > 1:
        runs += f" × {row.n_folds} folds"
    return [
        _escaped(row.name), runs, *[_value(row.metrics.get(name)) for name in names], _count(row.n_trainable),
        _count(row.n_total), _number(row.epoch_seconds), _number(row.clips_per_second), _number(row.gflops),
        _escaped("; ".join(row.flags)),
    ]  # fmt: skip


def _value(value: tuple[float, float | None] | None) -> str:
    if value is None:
        return "—"
    mean, sd = value
    return f"{mean:.3f}" if sd is None else f"{mean:.3f} ± {sd:.3f}"


def _count(value: int | None) -> str:
    return "—" if value is None else f"{value:,}"


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.3g}"


def _escaped(text: str) -> str:
    """Names come from plugins and records: nothing in them may become markup."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|")
