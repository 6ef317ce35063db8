"""Curves of a search: each line is the mean of its models, epoch by epoch, and panels hold five values."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mirbench.errors import BadInput
from mirbench.leaderboard.sweep_figures import by_value, in_panels, searched
from mirbench.record import RunRecord
from tests.conftest import Answer
from tests.leaderboard.test_leaderboard import SPEC, write
from tests.leaderboard.test_plots import at

RATES, DECAYS = [round(0.001 + 0.0002 * k, 4) for k in range(46)], [0.005, 0.01, 0.015]


def curves(lr: float, decay: float) -> dict[str, Any]:
    scores = [lr * 100 * epoch / 3 + decay for epoch in (1, 2, 3)]
    return {"valid_scores": scores, "valid_losses": [2 - score for score in scores]}


def sweep(rates: list[float] = RATES, **changes: Any) -> RunRecord:
    spec = replace(SPEC, search={"lr": rates, "weight_decay": DECAYS}, method="picture-mlp")
    trials = [
        {"params": {"lr": lr, "weight_decay": decay}, "valid_score": 0.5, "seconds": None, **curves(lr, decay)}
        for lr, decay in itertools.product(rates, DECAYS)
    ]
    return replace(RunRecord(spec, "done", metrics={"accuracy": 0.5}, trials=trials), **changes)


def test_line_of_a_value_is_the_mean_error_of_its_models() -> None:
    figure = by_value(sweep())
    assert [panel.get_title(loc="left") for panel in figure.axes[:2]] == [
        "a line a value of lr, the mean of 3 models", "a line a value of weight_decay, the mean of 46 models",
    ]  # fmt: skip
    x, y = at(figure, "curve-0.0026")
    assert x == [1, 2, 3]
    assert y == pytest.approx([100 * (1 - 0.26 * epoch / 3 - 0.01) for epoch in (1, 2, 3)])
    assert at(figure, "curve-0.015")[1] == pytest.approx(
        [100 * (1 - np.mean(RATES) * 100 * n / 3 - 0.015) for n in (1, 2, 3)]
    )


@pytest.mark.parametrize(("what", "of"), [("error", lambda s: 100 * (1 - s)), ("loss", lambda s: 2 - s)])
def test_panels_hold_five_rates_each_and_nine_hold_the_papers_46(what: Any, of: Callable[[float], float]) -> None:
    figure = in_panels(sweep(), what)
    shown = [[text.get_text() for text in panel.get_legend().get_texts()] for panel in figure.axes]
    assert [len(values) for values in shown] == [5] * 8 + [6]
    assert [float(value) for values in shown for value in values] == RATES
    assert at(figure, "curve-0.01")[1] == pytest.approx([of(1.0 * epoch / 3 + 0.01) for epoch in (1, 2, 3)])


def test_metric_that_is_no_accuracy_is_drawn_as_it_is() -> None:
    figure = in_panels(sweep(RATES[:7], metrics={"roc-auc": 0.5}), "error")
    assert figure.get_supylabel() == "roc-auc on valid"
    assert at(figure, "curve-0.001")[1] == pytest.approx([0.1 * epoch / 3 + 0.01 for epoch in (1, 2, 3)])


def test_the_largest_search_with_curves_is_drawn() -> None:
    bare = [{"params": {"lr": 0.1}, "valid_score": 0.5, "seconds": None}] * 999
    assert searched([sweep(RATES[:2]), sweep(), sweep(trials=bare)]) == sweep()
    with pytest.raises(BadInput, match="mirbench run --search"):
        searched([sweep(trials=bare), sweep(trials=[])])


@pytest.mark.slow
def test_command_writes_three_figures(tmp_path: Path, typed: Callable[..., Answer]) -> None:
    record = sweep(RATES[:7])
    write(tmp_path / "runs", record.spec, trials=record.trials)
    answer = typed("plot", "sweep", "--runs", tmp_path / "runs", "--output", "s.png", "--width", "3.5")
    assert (answer.code, answer.err.count("written to s-")) == (0, 3), answer.err
    for number in (1, 2, 3):
        with Image.open(f"s-{number}.png") as picture:
            assert picture.width == 1050
