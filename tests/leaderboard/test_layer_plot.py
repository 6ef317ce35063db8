"""The figure of layers: each probe of one layer is a point of the curve of its probe and source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirbench.errors import BadInput
from mirbench.leaderboard.drawn import dots
from mirbench.leaderboard.layer_plot import by_layer, probes_of
from mirbench.leaderboard.table import Board, boards
from tests.leaderboard.test_leaderboard import SPEC, write


def probed(folder: Path, *asked: dict[str, Any]) -> Board:
    """A table of runs with these hyperparameters, each of other scores."""
    for draw, params in enumerate(asked):
        write(folder, replace(SPEC, params={**SPEC.params, **params}), draw, changed=params)
    (found,) = boards(folder)
    return found


def test_curve_is_of_single_layers_in_their_order_after_the_embedding(tmp_path: Path) -> None:
    board = probed(tmp_path, {}, {"layers": "10"}, {"layers": "2"}, {"layers": "2+10"}, {"layers": "all"})
    (curve,) = probes_of(dots(board, board.metrics[0])).values()
    assert list(curve) == [-1, 2, 10]
    for layer, dot in curve.items():
        params = dot.row.system.record.spec.params
        assert params.get("layers") == (None if layer == -1 else str(layer))


def test_other_pooling_is_another_curve_beside_the_same_embedding(tmp_path: Path) -> None:
    board = probed(tmp_path, {}, {"layers": "0"}, {"layers": "0", "pooling": "mean+sd"})
    first, second = probes_of(dots(board, board.metrics[0])).items()
    assert {first[0].endswith("mean+sd"), second[0].endswith("mean+sd")} == {True, False}
    assert first[1][-1] == second[1][-1]
    assert first[1][0] != second[1][0]


def test_other_settings_are_another_curve_of_another_name(tmp_path: Path) -> None:
    board = probed(tmp_path, {"layers": "0", "C": 2.0}, {"layers": "0", "C": 3.0})
    curves = probes_of(dots(board, board.metrics[0]))
    assert len(curves) == 2
    assert all(list(curve) == [0] for curve in curves.values())


def test_points_stand_where_the_table_says(tmp_path: Path) -> None:
    board = probed(tmp_path, {}, {"layers": "0"}, {"layers": "1"})
    (name, curve), *_ = probes_of(dots(board, board.metrics[0])).items()
    (axes,) = by_layer(board).axes
    (line,) = [line for line in axes.lines if line.get_gid() == name]
    (embedding,) = [line for line in axes.lines if line.get_gid() == f"pooled-{name}"]
    assert list(line.get_xdata()) == [0, 1]
    assert list(line.get_ydata()) == [curve[0].value, curve[1].value]
    assert set(embedding.get_ydata()) == {curve[-1].value}


def test_table_without_probes_of_layers_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no probe of a single layer is in the table"):
        by_layer(probed(tmp_path, {}))
