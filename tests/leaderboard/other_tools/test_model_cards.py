"""Rows as evaluation results of model cards are read back by Hugging Face's own library."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from mirbench.leaderboard.table import Row, boards
from tests.leaderboard.other_tools.conftest import ODD, Typed


def cards(typed: Typed, runs: Path, *words: str) -> dict[str, Path]:
    """Folders of the rows by their table."""
    answer = typed("export", "records", runs, "--to", "hf-eval-results", "--output", "out", *words)
    assert answer.code == 0, answer.err
    return {path.parent.name: path for path in Path("out").glob("*/*")}


def row_of(runs: Path, task: str) -> Row:
    return next(board.rows[0] for board in boards(runs) if board.task == task)


def test_card_reads_back_as_the_row(typed: Typed, runs: Path) -> None:
    card, row = ModelCard.load(cards(typed, runs)["tones"] / "README.md"), row_of(runs, "tones")
    read = {result.metric_type: result for result in card.data.eval_results}
    assert {name: result.metric_value for name, result in read.items()} == {
        name: summary[0] for name, summary in row.metrics.items() if summary
    }
    assert read["accuracy"].metric_args["sd"] == row.metrics["accuracy"][1]
    assert read["accuracy"].metric_name == "accuracy, mean of 2 seeds"
    assert (read["accuracy"].dataset_name, read["accuracy"].dataset_split) == ("tones", "test")


def test_card_says_what_a_reader_must_know(typed: Typed, runs: Path) -> None:
    made = cards(typed, runs)
    card = ModelCard.load(made["tones-demo"] / "README.md")
    (first, *_) = card.data.eval_results
    assert first.dataset_name == "tones-demo (a synthesised stand-in, no real music)"
    assert first.dataset_type == "mirbench-tones-demo"
    assert "[claimed]" in card.data.model_name
    assert {"mirbench-synthesised", "mirbench-claimed"} <= set(card.data.tags)
    assert "no real music" in first.metric_args["warnings"]
    assert (
        "source trained on fma"
        in ModelCard.load(made["tones"] / "README.md").data.eval_results[0].metric_args["warnings"]
    )


def test_results_for_the_hubs_leaderboards_read_back_with_their_notes(typed: Typed, runs: Path) -> None:
    made = cards(typed, runs, "--hub-dataset", "lab/mirbench")
    for task in ("tones", "tones-demo"):
        text = (made[task] / ".eval_results" / "mirbench.yaml").read_text(encoding="utf-8")
        (entry,) = parse_eval_result_entries(yaml.safe_load(text))
        assert (entry.dataset_id, entry.task_id) == ("lab/mirbench", task)
        assert entry.value == row_of(runs, task).metrics["accuracy"][0]
        assert ("no real music" in entry.notes) == (task == "tones-demo")


def test_results_name_no_data_set_that_nobody_named(typed: Typed, runs: Path) -> None:
    assert not list(cards(typed, runs)["tones"].glob(".eval_results/*"))


def test_card_holds_no_markup_of_a_strangers_name(typed: Typed, runs: Path) -> None:
    text = (cards(typed, runs)["tones-demo"] / "README.md").read_text(encoding="utf-8")
    body = text.split("---\n", 2)[2]
    assert "<script>" in ODD
    assert "<script>" not in body
    assert "&lt;script&gt;alert" in body


def test_cards_again_are_the_same(typed: Typed, runs: Path) -> None:
    before = {path: path.read_bytes() for path in cards(typed, runs)["tones"].rglob("*") if path.is_file()}
    assert before == {path: path.read_bytes() for path in cards(typed, runs)["tones"].rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["lab", "a/b/c", "../etc", "a b/c", "/x"])
def test_wrong_data_set_of_the_hub_is_refused(name: str, typed: Typed, runs: Path) -> None:
    assert typed("export", "records", runs, "--to", "hf-eval-results", "--hub-dataset", name).code == 2
