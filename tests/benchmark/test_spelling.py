"""One name for what may be typed in several ways, and only for what is the same."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from mirbench.names import natural
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.record import RunSpec
from mirbench.registry import Catalogue
from mirbench.runs import runner
from mirbench.runs.plan import Request
from mirbench.runs.store import RunStore
from mirbench.spelling import in_one_order, in_one_spelling, on_record, other_spellings, with_key
from mirbench.tables import modifier, modifiers
from mirbench.trust.verify import verify
from mirbench.types import Clip, Task

if TYPE_CHECKING:
    from tests.conftest import Answer

QUIET = Progress(quiet=True)


@pytest.mark.parametrize(
    ("typed", "called"),
    [
        ("gtzan+normalized+shots2", "gtzan+shots2+normalized"),
        ("gtzan+shots2+normalized", "gtzan+shots2+normalized"),
        ("gtzan+levels8+binarised+folds5", "gtzan+folds5+binarised+levels8"),
        ("gtzan+shots010-draw0", "gtzan+shots10"),
        ("gtzan+fraction0.50-draw01", "gtzan+fraction0.5-draw1"),
        ("gtzan+resplit-draw0", "gtzan+resplit"),
        ("gtzan+shots2+folds5", "gtzan+shots2+folds5"),  # folds of two clips a class, or two clips of each fold
        ("gtzan+folds5+shots2", "gtzan+folds5+shots2"),
        ("gtzan+normalized+loudness", "gtzan+normalized+loudness"),  # as they are heard, or as they are in the file
        ("gtzan+loudness+normalized+shots2", "gtzan+loudness+shots2+normalized"),
        ("csv:/music/songs.csv+folds05", "csv:songs+folds5"),
        ("csv:songs+folds5", "csv:songs+folds5"),
        ("folder:../songs/", "folder:songs"),
        ("folder:songs?inside=groups+shots2", "folder:songs+shots2"),
        ("folder:Cafe\u0301", "folder:Caf\u00e9"),
        ("hf:owner/name?label=genre&config=small", "hf:owner/name?config=small&label=genre"),
    ],
)
def test_task_is_called_so_on_record(typed: str, called: str) -> None:
    assert on_record("task", typed) == called
    assert on_record("task", called) == called


@pytest.mark.parametrize(
    ("typed", "called"),
    [
        ("features:/made/here.npz", "features:here.npz"),
        ("tokens:04:features:x/y.npz", "tokens:4:features:y.npz"),
        ("hf:owner/name", "hf:owner/name"),
        ("hf:/models/mert", "hf:mert"),
        ("ast", "ast"),
    ],
)
def test_source_is_called_so_on_record(typed: str, called: str) -> None:
    assert on_record("source", typed) == called


def test_names_sort_as_people_count() -> None:
    names = ["x+shots12", "x+folds10", "x", "x+shots2", "x+folds5", "x+fraction0.5"]
    assert sorted(names, key=natural) == ["x", "x+folds5", "x+folds10", "x+fraction0.5", "x+shots2", "x+shots12"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("svm+ears@0123abcd", ("svm+ears", "0123abcd")),
        ("folder:a@b/svm+ears", ("folder:a@b/svm+ears", "")),
        ("svm@ears", ("svm@ears", "")),
        ("svm@abc", ("svm@abc", "")),
    ],
)
def test_key_behind_a_name_is_of_four_digits_or_more(text: str, parts: tuple[str, str]) -> None:
    assert with_key(text) == parts


# Which modifiers have an order

WORDS = ("normalized", "levels8", "shots2", "fraction0.5", "balanced", "binarised", "resplit-draw1", "folds3")


def _soft(n_clips: int = 60) -> Task:
    """Clips of three classes in groups, some of their labels unsure, already in splits."""
    rng = np.random.default_rng(0)
    clips = [
        Clip(
            f"c{n:02}", None, ("train", "train", "valid", "test")[n % 4], ("a", "b", "c")[: 1 + n % 3],
            group=f"g{n // 3}", strengths=tuple(rng.uniform(0.3, 1, 1 + n % 3).round(3)),
        )
        for n in range(n_clips)
    ]  # fmt: skip
    return Task("soft", "1", "", "multi-label", ("a", "b", "c"), ("roc-auc",), lambda root, fold: clips, "", 0, 1.0)


def _sure(n_clips: int = 60) -> Task:
    """The same of one class each, one of them rarer."""
    clips = [
        replace(clip, labels=("abc"[(n > 9) + (n > 30)],), strengths=())
        for n, clip in enumerate(_soft(n_clips).read_clips(None, 0))
    ]
    return replace(
        _soft(), name="sure", kind="single-label", metrics=("accuracy",), read_clips=lambda root, fold: clips
    )


def _held(task: Task) -> object:
    return (
        task.n_folds,
        task.kind,
        task.classes,
        task.clip_seconds,
        [sorted(task.read_clips(None, fold), key=lambda clip: clip.id) for fold in range(task.n_folds)],
    )


def _catalogue() -> Catalogue:
    return Catalogue([Plugin("test", "0" * 64, {"soft": _soft(), "sure": _sure()}, {}, {})])


@pytest.mark.parametrize(
    "pair", [pair for pair in itertools.combinations(WORDS, 2) if in_one_order(pair) == in_one_order(pair[::-1])]
)
def test_modifiers_of_one_order_are_the_same_task_in_either(
    pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Applied as they are typed, which the catalogue no longer does."""
    monkeypatch.setattr("mirbench.registry.in_one_order", list)
    for name in ("soft", "sure"):
        if not (name == "soft" and "balanced" in pair):  # which is of one class a clip
            one, other = (_catalogue().task("+".join([name, *order])) for order in (pair, pair[::-1]))
            assert _held(one) == _held(other)


@pytest.mark.parametrize(
    "pair",
    [("shots2", "folds3"), ("fraction0.5", "resplit-draw1"), ("shots2", "fraction0.5")],
)
def test_modifiers_whose_order_counts_keep_it(pair: tuple[str, str]) -> None:
    one, other = (_catalogue().task("+".join(["sure", *order])) for order in (pair, pair[::-1]))
    assert one.name != other.name
    assert _held(one) != _held(other)


def test_order_of_any_three_does_not_depend_on_how_they_came() -> None:
    for words in itertools.permutations(WORDS, 3):
        settled = in_one_order(words)
        assert in_one_order(settled) == settled
        for first in range(2):  # two neighbours that may change places change nothing
            a, b = words[first : first + 2]
            if in_one_order([a, b]) == in_one_order([b, a]):
                assert in_one_order([*words[:first], b, a, *words[first + 2 :]]) == settled


def test_modifiers_that_go_behind_others_go_behind_known_ones() -> None:
    behind = {word for _, entry in modifiers().values() for word in entry.goes_behind}
    assert behind <= set(modifiers())
    assert all(modifier(word) == word for word in behind)


def test_other_spellings_are_those_of_the_same_task() -> None:
    others = list(other_spellings("gtzan+shots2+binarised+normalized"))
    assert "gtzan+normalized+shots2+binarised" in others
    assert {in_one_spelling(name) for name in others} == {"gtzan+shots2+binarised+normalized"}
    assert list(other_spellings("gtzan+shots2+folds5")) == []


# In commands


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A list of songs, their audio beside it."""
    return _songs(tmp_path / "music" / "Pärt, quiet + loud")


def _songs(folder: Path, tune: float = 300.0) -> Path:
    rng = np.random.default_rng(int(tune))
    lines = ["path,label"]
    for label in "ab":
        for n in range(6):
            path = folder / f"{label}{n}.wav"
            folder.mkdir(parents=True, exist_ok=True)
            wave = np.sin(np.arange(8000) * (tune if label == "a" else 3 * tune) / 8000) + 0.1 * rng.normal(size=8000)
            soundfile.write(path, 0.3 * wave, 8000)
            lines.append(f"{path.name},{label}{int(tune)}")
    (folder / "songs.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "songs.csv"


def ran(path: str, runs: Path, **changes: object) -> list[runner.Outcome]:
    request = Request(path, "prior", seeds=(0,), runs=runs, cache=runs.parent / "cache", **changes)  # type: ignore[arg-type]
    return runner.run(request, Catalogue(), QUIET)


def test_every_spelling_of_a_list_is_one_run(songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(songs.parent)
    windows = str(Path("..", songs.parent.name, "songs.csv")).replace("/", "\\")
    for n, path in enumerate((str(songs), "songs.csv", f"../{songs.parent.name}/songs.csv", windows)):
        outcomes = ran(f"csv:{path}+normalized+folds03", tmp_path / "runs")
        assert [outcome.read_back for outcome in outcomes] == [n > 0] * 3
    assert {outcome.record.spec.task for outcome in outcomes} == {"csv:songs+folds3+normalized"}


def test_commands_that_read_records_take_what_run_took(
    songs: Path, tmp_path: Path, typed: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    ran(f"csv:{songs}+normalized+folds3", runs)
    monkeypatch.chdir(songs.parent)
    for path in (str(songs), "songs.csv", "songs", "./songs.csv"):
        for words in ("normalized+folds3", "folds3+normalized"):
            name = f"csv:{path}+{words}"
            board = typed("leaderboard", "--runs", runs, "--task", name)
            assert (board.code, "## csv:songs+folds3+normalized" in board.out) == (0, True), board.err
            found = RunStore(runs).find(f"{name}/prior")
            assert {record.spec.task for _, record in found} == {"csv:songs+folds3+normalized"}
    found = RunStore(runs).find("csv_songs+folds3+normalized/prior")  # as the folder is called
    assert len(found) == 3
    missed = typed("leaderboard", "--runs", runs, "--task", "csv:song.csv+folds3")
    assert (missed.code, "No task in these records is called 'csv:song.csv+folds3'" in missed.err) == (2, True)


def test_lists_of_one_name_in_two_folders_are_two_tables(tmp_path: Path, typed: Callable[..., Answer]) -> None:
    here, there = _songs(tmp_path / "here"), _songs(tmp_path / "there", 500.0)
    for path in (here, there):
        ran(f"csv:{path}", tmp_path / "runs")
    both = typed("leaderboard", "--runs", tmp_path / "runs", "--task", "csv:songs")
    assert both.out.count("## csv:songs (version ") == 2
    assert "a300, b300" in both.out
    one = typed("leaderboard", "--runs", tmp_path / "runs", "--task", f"csv:{there}")
    assert one.out.count("## csv:songs (version ") == 1
    assert ("a500, b500" in one.out, "a300" in one.out) == (True, False)
    ((_, record),) = RunStore(tmp_path / "runs").find(f"csv:{here}/prior")
    assert tuple(record.classes) == ("a300", "b300")


def _as_before(store: RunStore, spec: RunSpec, task: str) -> None:
    """Put a run on record under another spelling, as earlier versions would have."""
    record = store.read(spec)
    assert record is not None
    old = replace(spec, task=task)
    folder = store.folder(spec)
    scores = store.scores(folder)
    store.write(replace(record, spec=old), scores, store.state(folder, record.files))
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink()
    folder.rmdir()


def test_record_of_another_order_is_read_back_and_holds(
    songs: Path, tmp_path: Path, typed: Callable[..., Answer]
) -> None:
    runs = tmp_path / "runs"
    (outcome,) = ran(f"csv:{songs}+shots2+normalized", runs)
    _as_before(RunStore(runs), outcome.record.spec, "csv:songs+normalized+shots2")
    shutil.rmtree(runs / "csv_songs+shots2+normalized")
    (again,) = ran(f"csv:{songs}+normalized+shots2", runs)
    assert (again.read_back, again.record.spec.task) == (True, "csv:songs+normalized+shots2")
    assert not (runs / "csv_songs+shots2+normalized").exists(), "nothing of the run is under that name"
    assert all(case.holds for case in verify(runs, Catalogue()))
    board = typed("leaderboard", "--runs", runs, "--task", "csv:songs+shots2+normalized")
    assert (board.code, board.out.count("## csv:songs+shots2+normalized")) == (0, 1)
