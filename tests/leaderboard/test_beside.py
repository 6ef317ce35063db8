"""Results of others beside one's own: when they share a table, when not, and how they are named in a comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard import packs
from mirbench.leaderboard.packs import Pack
from mirbench.leaderboard.pair import find_pair
from mirbench.leaderboard.render import markdown
from mirbench.leaderboard.table import Board, boards
from mirbench.places import default_cache
from mirbench.record import RunSpec
from mirbench.runs.results_pack import pack_runs
from mirbench.runs.store import RunStore
from mirbench.types import Windowing
from tests.leaderboard.test_leaderboard import CLASSES, SPEC, write

MINE, THEIRS = replace(SPEC, method="mine"), replace(SPEC, method="theirs")
OTHER_AUDIO = "f" * 64


def put(root: Path, spec: RunSpec, draw: int, n_test: int = 12, n_train: int = 30, **facts: Any) -> None:
    """A finished run of so many clips."""
    record = write(root, spec, draw, n_test, classes=CLASSES)
    store = RunStore(root)
    facts = {"n_clips": {"train": n_train, "test": n_test}} | facts
    store.write(replace(record, **facts), store.scores(store.folder(spec)))


class Others:
    """Packs of toys, and a board of one's own with them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.own = folder, folder / "runs"

    def run(self, spec: RunSpec = MINE, draw: int = 0, **facts: Any) -> None:
        put(self.own, spec, draw, **facts)

    def pack(self, *specs: RunSpec, name: str = "reference", times: bool = True, **facts: Any) -> Pack:
        root = self.folder / f"of-{name}-{specs[0].key}"
        for draw, spec in enumerate(specs, 20):
            put(root, spec, draw, **facts)
        path = self.folder / f"{root.name}.tar.xz"
        path.write_bytes(pack_runs(RunStore(root).records(), times=times))
        return Pack(name, path)

    def board(self, *packs: Pack, **how: Any) -> Board:
        (board,) = boards(self.own, packs=packs, **how)
        return board


@pytest.fixture
def others(tmp_path: Path) -> Others:
    return Others(tmp_path)


def names(board: Board) -> list[str]:
    return sorted(row.label for row in board.rows)


def test_results_of_others_stand_in_the_table_of_ones_own_task_marked_and_ranked_with_them(others: Others) -> None:
    others.run(n_test=40)
    lab = others.pack(THEIRS, replace(THEIRS, method="new"), name="lab", n_test=40)
    board = others.board(others.pack(THEIRS, n_test=40), lab)
    assert names(board) == ["mine + tiny", "new + tiny [lab]", "theirs + tiny [reference]"]
    assert board.notes == ("1 system of lab is not shown: reference has the same.",)
    assert all(row.rank is not None and row.interval is not None for row in board.rows)
    text = markdown([board])
    assert "Marks: [reference] not run here: results that ship with mirbench; [lab] not run here: results of" in text


def test_a_task_of_which_there_are_no_runs_of_ones_own_is_shown_only_when_asked(others: Others) -> None:
    pack = others.pack(replace(THEIRS, task="chords"))
    others.run()
    assert names(others.board(pack)) == ["mine + tiny"]
    assert [board.task for board in boards(others.own, packs=[pack], alone=True)] == ["chords", "tones"]
    (alone,) = boards(others.folder / "nothing", packs=[pack], alone=True)
    assert names(alone) == ["theirs + tiny [reference]"]


@pytest.mark.parametrize(
    "change", [{"task_version": "2"}, {"windowing": Windowing("hopped16", "prob")}, {"task": "tones+shots2"}]
)
def test_results_of_another_version_or_windowing_never_share_a_table(change: dict[str, Any], others: Others) -> None:
    others.run()
    pack = others.pack(replace(THEIRS, **change))
    assert names(others.board(pack)) == ["mine + tiny"]
    assert sorted(len(board.rows) for board in boards(others.own, packs=[pack], alone=True)) == [1, 1]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"n_test": 15, "n_clips": {"train": 30, "test": 12}}, "other test clips or labels"),
        ({"n_train": 60}, "another split of the clips"),
        ({"classes": ("low", "high", "middle")}, "other classes"),
        ({"metrics": {"roc-auc": 0.5}}, "other metrics"),
        ({"n_folds": 2}, "another number of folds"),
    ],
)
def test_results_that_differ_in_what_was_asked_are_left_out_and_it_is_said(
    facts: dict[str, Any], said: str, others: Others
) -> None:
    others.run()
    board = others.board(others.pack(THEIRS, **facts))
    assert names(board) == ["mine + tiny"]
    assert board.notes == (f"1 system of reference is not shown: {said}.",)
    assert said in markdown([board])


@pytest.mark.parametrize("times", [True, False])
def test_it_is_said_of_which_others_there_are_no_times(times: bool, others: Others) -> None:
    others.run()
    board = others.board(others.pack(THEIRS, times=times))
    assert names(board) == ["mine + tiny", "theirs + tiny [reference]"]
    assert board.notes == (() if times else ("reference holds no times.",))


def test_ones_own_run_of_the_same_system_stands_alone_whatever_the_container_of_the_audio(others: Others) -> None:
    others.run(MINE)
    board = others.board(
        others.pack(replace(MINE, audio_sha256=OTHER_AUDIO, seed=1), replace(THEIRS, audio_sha256=OTHER_AUDIO))
    )
    assert names(board) == ["mine + tiny", "theirs + tiny [reference]"]
    assert board.notes == ("Your own runs stand in the place of those of reference: mine + tiny.",)


def test_a_system_of_another_version_is_told_apart_by_more_than_its_mark(others: Others) -> None:
    others.run(MINE)
    board = others.board(others.pack(replace(MINE, method_version="2", audio_sha256=OTHER_AUDIO)))
    assert names(board) == ["mine + tiny", "mine + tiny (method version=2) [reference]"]


def test_where_one_has_only_some_folds_others_are_compared_on_those(others: Others) -> None:
    others.run(MINE, n_folds=5)
    board = others.board(others.pack(*(replace(THEIRS, fold=fold) for fold in range(5)), n_folds=5))
    assert [(row.n_done, row.rank) for row in board.rows] == [(1, 1), (1, 1)]
    others.run(replace(THEIRS, method="whole"), n_folds=5)
    for fold in range(1, 5):
        others.run(replace(THEIRS, method="whole", fold=fold), n_folds=5)
    board = others.board(others.pack(*(replace(THEIRS, fold=fold) for fold in range(5)), n_folds=5))
    assert {row.name: row.n_done for row in board.rows} == {"mine + tiny": 1, "whole + tiny": 5, "theirs + tiny": 5}


def test_ones_own_table_is_the_same_to_the_letter_without_others(others: Others) -> None:
    others.run()
    pack = others.pack(replace(THEIRS, task="chords"))
    assert markdown(boards(others.own)) == markdown(boards(others.own, packs=[pack]))


def test_compare_takes_ones_own_first_then_that_of_others_and_either_by_the_name_of_its_pack(others: Others) -> None:
    others.run(MINE)
    packs = [others.pack(MINE, THEIRS), others.pack(replace(THEIRS, task="chords")), others.pack(THEIRS, name="lab")]
    pair = [system.label for system in find_pair(others.own, ("mine+tiny", "reference:mine+tiny"), None, packs)]
    assert pair == ["mine + tiny", "mine + tiny [reference]"]
    assert find_pair(others.own, ("mine+tiny", "lab:theirs+tiny"), None, packs)[1].label == "theirs + tiny [lab]"
    with pytest.raises(BadInput, match="3 among the results of others; name one"):
        find_pair(others.own, ("mine+tiny", "theirs+tiny"), None, packs)
    with pytest.raises(BadInput, match=r"mine \+ tiny is a result of tones, theirs \+ tiny \[reference\] of chords"):
        find_pair(others.own, ("mine+tiny", "reference:chords/theirs+tiny"), None, packs)
    said = "No run below .*, and no reference result, is called 'thiers.tiny'. Did you mean 'theirs.tiny'"
    with pytest.raises(UnknownName, match=said):
        find_pair(others.own, ("mine+tiny", "thiers+tiny"), None, packs)
    with pytest.raises(UnknownName, match="no-such"):
        find_pair(others.own, ("mine+tiny", "no-such"), None, packs)
    (a, _) = find_pair(others.folder / "nothing", ("reference:mine+tiny", "lab:theirs+tiny"), None, packs)
    assert a.label == "mine + tiny [reference]"


def test_a_pack_is_unpacked_once_and_read_where_nothing_can_be_written(
    others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "default_cache", default_cache)
    pack = others.pack(THEIRS)
    first = pack.opened()
    assert pack.opened() == first
    assert first.is_relative_to(others.folder / "cache")
    (others.folder / "file").write_text("")
    monkeypatch.setenv("MIRBENCH_CACHE", str(others.folder / "file"))
    assert pack.opened() != first
    assert len(list(pack.opened().glob("*/*/*/record.json"))) == 1
