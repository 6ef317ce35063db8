"""What a run says of its clips before it begins: few to test on or to learn from, shorter than the window."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from scipy.stats import binomtest

from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.told_before import learnt_by_heart, padded_clips
from tests.toys import QUIET

if TYPE_CHECKING:
    from tests.conftest import Answer

Typed = Callable[..., "Answer"]


def listed(n: int, test: int, seconds: float = 0.2, short: int | None = None) -> None:
    """A list of n clips, so many of them test; so many are short, the others are a window of nano."""
    rows = ["path,label,split"]
    for k in range(n):
        length = seconds if short is None or k < short else 5.0
        soundfile.write(f"{k}.wav", 0.1 * np.sin(np.arange(round(length * 16_000)) * (k + 1) / 20), 16_000)
        rows.append(f"{k}.wav,{'ab'[k % 2]},{'test' if k < test else 'valid' if k < test + 4 else 'train'}")
    Path("songs.csv").write_text("\n".join(rows) + "\n")


def run(typed: Typed, *words: str, task: str = "csv:songs.csv", method: str = "prior") -> str:
    answer = typed("run", "--task", task, "--method", method, "--seeds", "1", *words)
    assert answer.code == 0, answer
    return answer.err


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 19])
def test_run_says_that_its_test_clips_are_few_and_what_to_do(n: int, typed: Typed) -> None:
    listed(40, test=n)
    (line,) = (line for line in run(typed).splitlines() if "test clip" in line)
    begins = binomtest(n, n).proportion_ci(method="wilson").low
    assert line == (
        f"{n} test clips of csv:songs: with all of them right, the 95 % interval of an accuracy begins "
        f"at {begins:.2f}; --task csv:songs.csv+folds5 tests each of its 40 clips once"
    )
    assert line in run(typed).splitlines()  # on record
    assert "test clip" not in run(typed, task="csv:songs.csv+folds5")  # as the line says


def test_task_that_a_shell_would_take_apart_can_be_pasted(typed: Typed) -> None:
    listed(40, test=3)
    Path("songs.csv").write_text(Path("songs.csv").read_text().replace("path,label,split", "file,genre,split", 1))
    said = run(typed, task="csv:songs.csv?path=file&label=genre")
    assert "; --task 'csv:songs.csv?path=file&label=genre+folds5' tests each of its 40 clips once" in said


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        ("shots5", "folds5+shots5"), ("resplit+fraction0.5", "folds5+fraction0.5"), ("normalized", "normalized+folds5"),
    ],
)  # fmt: skip
def test_folds_are_advised_before_clips_are_left_out_and_test_as_many_as_is_said(
    words: str, instead: str, typed: Typed
) -> None:
    listed(40, test=3)
    said = run(typed, task=f"csv:songs.csv+{words}")
    assert f"; --task csv:songs.csv+{instead} tests each of its 40 clips once" in said
    task = Catalogue().task(f"csv:songs.csv+{instead}")
    tested = [clip.id for fold in range(5) for clip in task.read_clips(None, fold) if clip.split == "test"]
    assert len(tested) == len({*tested}) == 40


def test_folds_are_not_advised_to_a_task_that_is_tested_on_another(typed: Typed) -> None:
    listed(40, test=3)
    Path("others.csv").write_text(Path("songs.csv").read_text())
    said = run(typed, task="csv:songs.csv+on:csv:others.csv")
    assert "3 test clips" in said
    assert "only more clips help" in said


def test_run_of_one_fold_is_told_of_the_others(typed: Typed) -> None:
    listed(40, test=8)
    said = run(typed, "--fold", "0", task="csv:songs.csv+folds5")
    assert "leave --fold out, and the clips of all 5 folds are tested" in said


def test_run_says_nothing_of_many_test_clips(typed: Typed) -> None:
    listed(40, test=20)
    assert "test clip" not in run(typed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("shots14", ""),
        ("shots15-draw2", "+shots15: 1 of 2 classes have fewer train clips than that, the rarest 14"),
        ("shots100", "+shots100: all 2 classes have fewer train clips than that, the rarest 14"),
        ("shots100+shots3", ""),
    ],
)
def test_run_says_which_classes_have_fewer_clips_than_shots(word: str, said: str, typed: Typed) -> None:
    listed(53, test=20)  # 29 are train: 15 a, 14 b
    for _ in ("run", "read back"):
        lines = [line for line in run(typed, task=f"csv:songs.csv+{word}").splitlines() if "+shots" in line[:6]]
        assert lines == ([said] if said else [])


def planned(**changes: Any) -> str:
    request = Request(task="csv:songs.csv", method="knn", source="nano", cache=Path("cache"), **changes)
    return said_of(request)


def said_of(request: Request) -> str:
    catalogue = Catalogue()
    return padded_clips(make_plan(request, catalogue, QUIET), catalogue)


@pytest.mark.parametrize(
    ("pad", "by"), [("", "zeros behind it"), ("center", "zeros around it"), ("reflect", "--pad reflect")]
)
@pytest.mark.usefixtures("typed")
def test_clips_that_are_padded_are_counted_and_how_is_said(pad: Any, by: str) -> None:
    listed(12, test=4, short=7)
    assert planned(pad=pad) == f"7 of 12 clips are shorter than the window of nano, 5 s, filled by {by}"


@pytest.mark.usefixtures("typed")
def test_nothing_is_said_of_padding_where_nothing_is_padded() -> None:
    listed(12, test=4, short=0)
    assert planned() == planned(pad="reflect") == ""


@pytest.mark.usefixtures("typed")
def test_window_of_a_network_that_a_method_brings_along_counts_too() -> None:
    listed(12, test=4, short=7)
    request = Request(task="csv:songs.csv", method="musicnn", cache=Path("cache"))
    assert said_of(request) == "7 of 12 clips are shorter than the window of musicnn, 3 s, filled by zeros behind it"


@pytest.mark.slow
def test_run_says_how_many_clips_are_padded(typed: Typed) -> None:
    listed(12, test=4)
    said = run(typed, "--source", "nano", "--pad", "repeat", method="knn")
    assert "12 of 12 clips are shorter than the window of nano, 5 s, filled by --pad repeat" in said.splitlines()


def by_heart(said: str) -> list[str]:
    return [line for line in said.splitlines() if "the same to the byte" in line]


def test_run_says_which_test_clips_are_files_that_it_learns_from(typed: Typed) -> None:
    listed(40, test=20)
    for copy, of in (("3.wav", "30.wav"), ("4.wav", "21.wav"), ("5.wav", "6.wav"), ("31.wav", "32.wav")):
        Path(copy).write_bytes(Path(of).read_bytes())
    line = (
        "2 of 20 test clips are the same to the byte as a clip of train or valid (3.wav and 30.wav): what is known by "
        "heart counts in the score; remove copies, or give those of one recording the same group (`mirbench data "
        "audit` lists them)"
    )
    assert by_heart(run(typed, "--source", "nano", method="knn")) == [line]
    assert by_heart(run(typed, "--source", "nano", method="knn")) == [line]  # on record
    beware = typed("leaderboard", "--columns", "system,flags", "--format", "csv").out
    assert "2 of its test clips it learnt from, as copies" in beware


def test_clips_that_are_cut_from_one_file_are_no_copies_unless_they_are_the_same_part(typed: Typed) -> None:
    listed(1, test=1, seconds=3.2)
    rows = ["id,path,label,split,start,duration"]
    rows += [f"clip{k},0.wav,{'ab'[k % 2]},{('test', 'train', 'valid')[k % 3]},{k / 10},0.1" for k in range(30)]
    Path("songs.csv").write_text("\n".join(rows))
    assert by_heart(run(typed, "--source", "nano", method="knn")) == []
    Path("copy.wav").write_bytes(Path("0.wav").read_bytes())
    Path("songs.csv").write_text("\n".join([*rows, "again,copy.wav,b,train,1.5,0.1"]))
    (line,) = by_heart(run(typed, "--source", "nano", method="knn"))
    assert line.startswith("1 of 10 test clips is the same to the byte as a clip of train or valid (")


@pytest.mark.usefixtures("typed")
def test_copies_count_in_the_folds_that_are_run_where_one_is_tested_and_the_other_learnt_from() -> None:
    listed(40, test=20)
    Path("songs.csv").write_text(re.sub("(test|valid|train)$", "", Path("songs.csv").read_text(), flags=re.MULTILINE))
    Path("1.wav").write_bytes(Path("3.wav").read_bytes())
    plan = make_plan(
        Request(task="csv:songs.csv+folds5", method="mfcc-codebook", cache=Path("cache")), Catalogue(), QUIET
    )
    apart = [
        fold for fold in range(5)
        if len({clip.split == "test" for clip in plan.folds[fold] if clip.id in ("1.wav", "3.wav")}) == 2
    ]  # fmt: skip
    said = [learnt_by_heart(plan, (fold,)) for fold in range(5)]
    assert [fold for fold in range(5) if said[fold]] == apart
    n = len(apart)
    assert learnt_by_heart(plan, range(5)).startswith(f"{n} of 40 test clips " if n else "")
