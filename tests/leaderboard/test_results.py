"""Records to systems: which runs belong together, which of them count, and how their scores are stacked."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mirbench.errors import BadInput
from mirbench.leaderboard.results import System, questions
from mirbench.leaderboard.table import Row, boards
from mirbench.record import RunRecord
from mirbench.runs.store import RunStore
from tests.leaderboard.test_compare import SPEC, truth, write, wrong


def only_system(root: Path) -> System:
    (question,) = questions(root)
    (system,) = question.systems
    return system


def rows(root: Path) -> dict[str, Row]:
    (board,) = boards(root)
    return {row.name: row for row in board.rows}


# Which runs count


@pytest.mark.parametrize(
    ("held", "seeds", "folds", "lacking"),
    [
        ({0: [0, 1, 2], 1: [0, 1, 2]}, (0, 1), (0, 1, 2), ()),
        ({0: [0, 1, 2], 1: [0, 1]}, (0,), (0, 1, 2), (1,)),
        ({0: [0], 1: [0], 2: [0, 1]}, (0, 1, 2), (0,), ()),
        ({0: [0], 1: [1]}, (0,), (0,), (1,)),
        ({0: [1, 2]}, (0,), (1, 2), ()),
    ],
)
def test_system_counts_the_seeds_with_every_fold_or_the_folds_of_most_seeds(
    tmp_path: Path, held: dict[int, list[int]], seeds: tuple[int, ...], folds: tuple[int, ...], lacking: tuple[int, ...]
) -> None:
    for seed, theirs in held.items():
        for fold in theirs:
            write(tmp_path, "left", truth(6), seed=seed, fold=fold, n_folds=3)
    system = only_system(tmp_path)
    assert (system.seeds, system.folds, system.lacking) == (seeds, folds, lacking)
    assert len(system.runs) == len(seeds) * len(folds)
    assert system.stack.scores.shape == (len(seeds), 6 * len(folds), 3)


def test_system_key_is_of_what_was_asked_alone(tmp_path: Path) -> None:
    for root, seed in (("a", 0), ("b", 4)):
        write(tmp_path / root, "left", truth(6), seed=seed, seconds={"train": float(seed)})
    write(tmp_path / "c", "left", truth(6), spec={"params": {"lr": 1}})
    keys = [only_system(tmp_path / root).key for root in "abc"]
    assert keys[0] == keys[1] != keys[2]


def test_questions_keep_runs_without_a_result_as_problems(tmp_path: Path) -> None:
    RunStore(tmp_path).write(RunRecord(SPEC, "skipped", "no weights"))
    (question,) = questions(tmp_path)
    assert (question.systems, question.problems) == ((), ("probe: skipped: no weights (1 run)",))


# Stacks


def test_stack_puts_folds_side_by_side_and_seeds_in_layers(tmp_path: Path) -> None:
    for seed in (3, 1):
        for fold, n in ((1, 6), (0, 9)):
            write(tmp_path, "left", wrong(n, [seed]), seed=seed, fold=fold, n_folds=2)
    stack = only_system(tmp_path).stack
    assert stack.seeds == (1, 3)
    np.testing.assert_array_equal(stack.folds, [0] * 9 + [1] * 6)
    assert list(stack.clip_ids[[0, 8, 9, 14]]) == ["0-0000", "0-0008", "1-0000", "1-0005"]
    np.testing.assert_array_equal(stack.scores[1].argmax(axis=1), [*wrong(9, [3]), *wrong(6, [3])])


def test_stack_matches_clips_by_name_where_records_have_another_order(tmp_path: Path) -> None:
    write(tmp_path, "left", wrong(9, [4]), seed=0)
    write(tmp_path, "left", wrong(9, [4]), seed=1)
    store = RunStore(tmp_path)
    folder, record = next((f, r) for f, r in store.records() if r.spec.seed == 1)
    scores = store.scores(folder)
    store.write(record, scores.take(np.arange(9)[::-1]))
    stack = only_system(tmp_path).stack
    np.testing.assert_array_equal(stack.scores[0], stack.scores[1])


def test_stack_refuses_seeds_that_were_tested_on_other_clips(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(6), seed=0)
    write(tmp_path, "left", truth(9), seed=1)
    with pytest.raises(BadInput, match="seeds of left were tested on different clips"):
        _ = only_system(tmp_path).stack


def test_stack_keeps_the_groups(tmp_path: Path) -> None:
    names = np.array(["x", "y", "x", "", "y", ""])
    write(tmp_path, "left", truth(6), groups=names)
    np.testing.assert_array_equal(only_system(tmp_path).stack.groups, names)


def test_scores_without_groups_are_read_as_of_unknown_groups(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(6))
    store = RunStore(tmp_path)
    ((folder, _),) = store.records()
    with np.load(folder / "scores.npz") as held:
        kept = {name: held[name] for name in held.files if name != "groups"}
    np.savez(folder / "scores.npz", **kept)
    assert list(store.scores(folder).groups) == [""] * 6


# Ranks in a table


def test_rows_that_cannot_be_told_apart_share_a_rank(tmp_path: Path) -> None:
    write(tmp_path, "best", wrong(300, range(10)))
    write(tmp_path, "as-good", wrong(300, range(5, 20)))
    write(tmp_path, "worse", wrong(300, range(150)))
    found = rows(tmp_path)
    assert {name: row.rank for name, row in found.items()} == {"best": 1, "as-good": 1, "worse": 3}
    assert found["best"].p_best is None
    p_equal, p_worse = found["as-good"].p_best, found["worse"].p_best
    assert p_equal is not None
    assert p_worse is not None
    assert p_worse < 1e-6 < 0.05 < p_equal


def test_row_without_every_fold_has_no_rank_and_stands_last(tmp_path: Path) -> None:
    for fold in range(2):
        write(tmp_path, "whole", wrong(30, range(25)), fold=fold, n_folds=2)
    write(tmp_path, "part", truth(30), n_folds=2)
    (board,) = boards(tmp_path)
    assert [(row.name, row.rank) for row in board.rows] == [("whole", 1), ("part", None)]
    assert board.rows[1].interval is not None


def test_row_of_other_test_clips_has_no_rank_and_says_so(tmp_path: Path) -> None:
    for method in ("left", "right"):
        write(tmp_path, method, truth(30))
    write(tmp_path, "other", truth(27))
    found = rows(tmp_path)
    assert (found["left"].rank, found["right"].rank, found["other"].rank) == (1, 1, None)
    assert found["other"].flags == ("other test clips",)


def test_interval_of_a_row_holds_its_value_and_narrows_with_clips(tmp_path: Path) -> None:
    write(tmp_path / "few", "left", wrong(30, range(6)))
    write(tmp_path / "many", "left", wrong(3000, range(600)))
    few, many = (rows(tmp_path / name)["left"].interval for name in ("few", "many"))
    assert few is not None
    assert many is not None
    assert few.low < many.low < 0.8 < many.high < few.high


def test_board_knows_its_classes_and_kind(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(6))
    (board,) = boards(tmp_path)
    assert (board.classes, board.kind) == (("high", "low", "middle"), "single-label")
    assert (board.task, board.version) == ("tones", "1")


def test_systems_of_other_settings_stay_apart(tmp_path: Path) -> None:
    for lr in (1, 2):
        write(tmp_path, "left", truth(6), spec={"params": {"lr": lr}})
    assert set(rows(tmp_path)) == {"left (lr=1)", "left (lr=2)"}


def test_board_ranks_by_the_metric_that_selects(tmp_path: Path) -> None:
    for method, guess in (("left", wrong(30, range(3))), ("right", wrong(30, range(9)))):
        record = write(tmp_path, method, guess)
        store = RunStore(tmp_path)
        scores = store.scores(store.folder(record.spec))
        turned = {name: record.metrics[name] for name in ("macro-f1", "accuracy")}
        store.write(replace(record, metrics=turned), scores)
    (board,) = boards(tmp_path)
    assert board.metrics == ("macro-f1", "accuracy")


def test_rows_of_the_same_fold_alone_are_ranked_among_themselves(tmp_path: Path) -> None:
    write(tmp_path, "good", wrong(90, range(3)), n_folds=5)
    write(tmp_path, "bad", wrong(90, range(60)), n_folds=5)
    assert {name: row.rank for name, row in rows(tmp_path).items()} == {"good": 1, "bad": 2}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("n_trainable", "x", 'n_trainable is "x", which is not a whole number from 0 to 9007199254740991 or null'),
        ("flops", "a", 'flops is "a", which is not a whole number from 0 to 9007199254740991 or null'),
        ("seconds", {"train": "y"}, 'seconds.train is "y", which is not a number from 0 to 1000000000000000.0 or null'),
        ("contaminated", 4, "contaminated is 4, which is not a list"),
        ("status", "finished", "status is \"finished\", which is not 'done' or 'failed' or 'skipped'"),
    ],
)
def test_record_with_a_field_of_another_type_is_refused_in_one_line(
    tmp_path: Path, name: str, value: object, said: str
) -> None:
    write(tmp_path, "left", truth(6))
    ((folder, _),) = RunStore(tmp_path).records()
    held = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(held | {name: value}))
    with pytest.raises(BadInput, match=re.escape(said)):
        boards(tmp_path)


@pytest.mark.parametrize("environment", [{"cores": "many", "load": 9.0}, {"cores": 2, "load": "high"}])
def test_row_of_a_strange_environment_is_shown(tmp_path: Path, environment: dict[str, object]) -> None:
    write(tmp_path, "left", truth(6), environment=environment, seconds={"train": 1.0})
    assert rows(tmp_path)["left"].flags == ()


def test_system_is_found_by_the_name_that_tables_print(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(6), spec={"source": "tiny"})
    assert RunStore(tmp_path).find("tones/left + tiny") == RunStore(tmp_path).find("left+tiny")


def test_pickled_scores_are_refused_without_advice_to_load_them(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(6))
    ((folder, _),) = RunStore(tmp_path).records()
    (folder / "scores.npz").write_bytes(b"not an archive")
    with pytest.raises(BadInput, match="not readable as scores") as caught:
        RunStore(tmp_path).scores(folder)
    assert "allow_pickle" not in str(caught.value)
