"""Rows of tables as evaluation results of model cards, as Hugging Face's hub reads them: a folder a row.

``README.md`` holds the results in its ``model-index``; where the hub has a data set for the benchmark, they stand in
``.eval_results/mirbench.yaml``, too, which the hub's own leaderboards read.

References
----------
https://huggingface.co/docs/hub/eval-results, https://huggingface.co/docs/hub/model-cards
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mirbench.errors import BadInput
from mirbench.features.temporary import written_whole
from mirbench.leaderboard.other_tools.told import data_set, label, plain, plain_and_own, warnings_of
from mirbench.leaderboard.render import escaped
from mirbench.leaderboard.table import OF_TIMES, Board, Row, Summary
from mirbench.metrics import METRICS

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, EvalResultEntry

__all__ = ["RESULTS", "write_cards"]

_OF_A_DATA_SET = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)

RESULTS = Path(".eval_results") / "mirbench.yaml"


def write_cards(boards: Iterable[Board], folder: Path, hub_dataset: str = "") -> list[Path]:
    """Write a folder a row below `folder`, TABLE/SYSTEM-KEY; those that are there are replaced.

    Parameters
    ----------
    hub_dataset : str
        OWNER/NAME of the data set that is the benchmark on the hub; the task is named within it. Without one there is
        no ``.eval_results``, which must name one.

    Raises
    ------
    BadInput
        If that is no name of a data set.
    """
    if hub_dataset and not _OF_A_DATA_SET.fullmatch(hub_dataset):
        raise BadInput(f"--hub-dataset {hub_dataset}: no name of a data set on the hub; OWNER/NAME is needed")
    written = []
    for board in boards:
        for row in board.rows:
            place = folder / plain_and_own(board.title) / f"{plain(row.name)}-{row.key}"
            place.mkdir(parents=True, exist_ok=True)
            _write(place / "README.md", _card(board, row))
            if hub_dataset:
                (place / RESULTS).parent.mkdir(exist_ok=True)
                _write(place / RESULTS, _results(board, row, hub_dataset))
            written.append(place)
    return written


def _write(path: Path, text: str) -> None:
    with written_whole(path) as work:
        work.write_text(text, encoding="utf-8", newline="\n")
        work.chmod(0o644)


def _card(board: Board, row: Row) -> str:
    """The text of README.md: metadata, and the same for people."""
    from huggingface_hub import ModelCardData

    standing = row.system.record.standing
    tags = ["mirbench", *(f"mirbench-{mark}" for mark in row.marks)]
    tags += [] if standing == "full" else [f"mirbench-{standing}"]
    data = ModelCardData(
        model_name=label(row.name, row.marks),
        pipeline_tag="audio-classification",
        tags=[plain(tag) for tag in tags],
        eval_results=_eval_results(board, row),
    )
    lines = [f"- {escaped(name)}: {_value(summary)}" for name, summary in _metrics(board, row) if summary]
    said = [f"- {escaped(text)}" for text in _warnings(row)]
    return "\n".join([
        "---", data.to_yaml().rstrip(), "---", "",
        f"# {escaped(label(row.name, row.marks))}", "",
        f"Scored by mirbench on {escaped(data_set(board.title, standing))}: {_runs(row)}, {row.n_clips} test clips.",
        "",
        *lines, *(["", "To know:", "", *said] if said else []), "",
    ])  # fmt: skip


def _metrics(board: Board, row: Row) -> Iterator[tuple[str, Summary | None]]:
    """What the row has of each metric, and behind those that have it, of each target."""
    for name, summary in row.metrics.items():
        yield name, summary
        if board.targets and METRICS[name].per_class:
            for target, of_target in zip(board.classes, row.of_classes(name), strict=True):
                yield f"{name} of {target}", of_target


def _value(summary: Summary) -> str:
    mean, deviation = summary
    return f"{mean:.4f}" if deviation is None else f"{mean:.4f} (SD {deviation:.4f})"


def _runs(row: Row) -> str:
    folds = f", {row.n_done} of {row.n_folds} folds" if row.n_folds > 1 else ""
    return f"{f'mean of {row.n_seeds} seeds' if row.n_seeds > 1 else 'one seed'}{folds}"


def _warnings(row: Row) -> list[str]:
    """What is to be said of its scores; its times are not on the card."""
    return warnings_of(row.system.record, row.marks, [flag for flag in row.flags if flag not in OF_TIMES])


def _eval_results(board: Board, row: Row) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    data = data_set(board.title, row.system.record.standing)
    asked = {"version": board.version, "windows": board.windowing.windows, "average": board.windowing.average}
    said = "; ".join(_warnings(row))
    return [
        EvalResult(
            task_type="audio-classification",
            task_name="Music classification",
            dataset_type=f"mirbench-{plain_and_own(board.title)}",
            dataset_name=data,
            dataset_split="test",
            dataset_args=asked,
            metric_type=name,
            metric_name=f"{name}, {_runs(row)}",
            metric_value=summary[0],
            metric_args={"sd": summary[1], "system": row.key, **({"warnings": said} if said else {})},
        )
        for name, summary in row.metrics.items()
        if summary and name in METRICS
    ]


def _results(board: Board, row: Row, hub_dataset: str) -> str:
    """One result, of the metric that ranks: the hub knows one value a task."""
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    entries: list[EvalResultEntry] = []
    record = row.system.record
    if board.metrics and (summary := row.metrics.get(board.metrics[0])):
        said = [
            f"{board.metrics[0]}, {_runs(row)}, {label(row.name, row.marks)}, of "
            f"{data_set(board.title, record.standing)}",
            *_warnings(row),
        ]
        entries.append(EvalResultEntry(hub_dataset, plain_and_own(board.title), summary[0], notes="; ".join(said)))
    return yaml.safe_dump(eval_result_entries_to_yaml(entries), allow_unicode=True, sort_keys=False)
