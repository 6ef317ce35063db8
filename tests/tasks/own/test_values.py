"""Regression tasks of one's own: columns of numbers, their ranges, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mirbench.errors import BadInput
from mirbench.features.clip_list import read_clip_list, write_clip_list
from mirbench.metrics import REGRESSION, TEMPO
from mirbench.registry import Catalogue
from mirbench.tasks.own.csv_list import csv_task
from mirbench.trust.checks import check_clips, check_task
from mirbench.types import Clip, Split, Task


def listed(folder: Path, header: str = "path,valence,arousal", rows: int = 24, value: str = "{v},{a}") -> Path:
    lines = [f"c{n:02}.wav," + value.format(v=1 + n / 4, a=9 - n / 8, n=n) for n in range(rows)]
    path = folder / "songs.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def refusal(argument: str) -> str:
    with pytest.raises(BadInput) as caught:
        csv_task(argument)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def clips_of(task: Task) -> dict[str, Clip]:
    return {clip.id: clip for clip in task.read_clips(None, 0)}


def test_columns_of_numbers_make_a_regression_task_with_a_target_each(tmp_path: Path) -> None:
    task = csv_task(f"{listed(tmp_path)}?value=valence,arousal&range=1:9")
    assert (task.kind, task.classes, task.metrics) == ("regression", ("arousal", "valence"), REGRESSION)
    assert task.ranges == ((1.0, 9.0), (1.0, 9.0))
    clip = clips_of(task)["c04.wav"]
    assert dict(zip(clip.labels, clip.values, strict=True)) == {"valence": 2.0, "arousal": 8.5}
    assert check_task(task) == []
    assert check_clips(task, (tuple(clips_of(task).values()),)) == []
    assert {clip.split for clip in clips_of(task).values()} == {"train", "valid", "test"}


def test_a_range_that_nobody_declares_goes_a_tenth_beyond_the_values_listed(tmp_path: Path) -> None:
    task = csv_task(f"{listed(tmp_path)}?value=valence")
    low, high = 1.0, 1 + 23 / 4
    assert task.ranges == ((low - 0.1 * (high - low), high + 0.1 * (high - low)),)
    value = Split(task, tuple(clips_of(task).values())).targets().value
    assert value.min() == pytest.approx(1 / 12)
    assert value.max() == pytest.approx(11 / 12)


def test_each_target_may_have_a_range_of_its_own_in_the_order_of_the_names(tmp_path: Path) -> None:
    task = csv_task(f"{listed(tmp_path)}?value=valence,arousal&range=0:10,1:9")
    assert dict(zip(task.classes, task.ranges, strict=True)) == {"valence": (0.0, 10.0), "arousal": (1.0, 9.0)}


def test_another_range_or_value_is_another_version_and_the_same_list_is_the_same(tmp_path: Path) -> None:
    path = listed(tmp_path)
    versions = [csv_task(f"{path}?value=valence&range={declared}").version for declared in ("0:10", "0:10", "0:9")]
    assert versions[0] == versions[1] != versions[2]
    path.write_text(path.read_text().replace("c03.wav,1.75", "c03.wav,1.76"))
    assert csv_task(f"{path}?value=valence&range=0:10").version != versions[0]


def test_targets_in_another_order_are_the_same_task(tmp_path: Path) -> None:
    path = listed(tmp_path)
    one, other = (csv_task(f"{path}?{said}") for said in (
        "value=valence,arousal&range=0:10,1:9", "value=arousal,valence&range=1:9,0:10",
    ))  # fmt: skip
    assert (one.version, one.classes, one.ranges) == (other.version, other.classes, other.ranges)


@pytest.mark.parametrize("name", ["tempo", "bpm", "BPM"])
def test_a_target_that_is_called_a_tempo_is_scored_as_one(name: str, tmp_path: Path) -> None:
    path = listed(tmp_path, f"path,{name}", value="{n}")
    assert csv_task(f"{path}?value={name}").metrics == TEMPO


def test_a_column_called_label_may_hold_the_numbers(tmp_path: Path) -> None:
    task = csv_task(f"{listed(tmp_path, 'path,label', value='{v}')}?value=label")
    assert (task.kind, task.classes) == ("regression", ("label",))


@pytest.mark.parametrize("empty", ["", " ", "nan", "NaN"])
def test_an_empty_cell_is_a_value_that_nobody_knows(empty: str, tmp_path: Path) -> None:
    path = listed(tmp_path)
    path.write_text(path.read_text().replace("c03.wav,1.75,", f"c03.wav,{empty},"))
    clip = clips_of(csv_task(f"{path}?value=valence,arousal"))["c03.wav"]
    assert (clip.labels, clip.unknown) == (("arousal",), ("valence",))


def test_what_a_list_says_besides_is_said_to_say_nothing(tmp_path: Path) -> None:
    task = csv_task(f"{listed(tmp_path, 'path,valence,label,mood', value='{v},x,y')}?value=valence")
    assert any("label, mood" in said for said in task.cautions)


def test_the_list_beside_a_record_reads_back_as_the_same_clips(tmp_path: Path) -> None:
    path = listed(tmp_path)
    path.write_text(path.read_text().replace("c03.wav,1.75,", "c03.wav,,").replace("c04.wav,2.0", "c04.wav,0.1"))
    clips = list(clips_of(csv_task(f"{path}?value=valence,arousal")).values())
    write_clip_list(tmp_path / "again.csv", [clips], tmp_path)
    again, _ = read_clip_list(tmp_path / "again.csv", called={"value": "arousal,valence"})

    def held(clip: Clip) -> tuple[object, ...]:
        return clip.id, clip.path, clip.split, sorted(zip(clip.labels, clip.values, strict=True)), clip.unknown

    assert sorted(map(held, again)) == sorted(map(held, clips))


@pytest.mark.parametrize(
    ("change", "asked", "said"),
    [
        ({}, "value=mood", "no column is called 'mood'; it has path, valence, arousal"),
        ({"header": "file,valence,arousal", "value": "{v},{a}"}, "value=valence,arousal",
         "the columns path (or id) and valence, arousal, and any of id, path, split, fold, group, start, duration, "
         "exact; it is 'file,valence,arousal'; or say which column the path is: 'csv:songs.csv?path=…&value=valence,"),
        ({}, "value=valence,valence", "columns are named once"),
        ({}, "value=valence,", "columns are named once"),
        ({}, "value=valence&label=arousal", "label and value: clips have classes or numbers"),
        ({}, "range=1:9", "a range of which values"),
        ({}, "value=valence&range=1-9", "the lowest and the highest value are needed, as 1:9"),
        ({}, "value=valence&range=9:1", "the lowest and the highest value are needed, as 1:9"),
        ({}, "value=valence&range=1:inf", "the lowest and the highest value are needed, as 1:9"),
        ({}, "value=valence&range=1:9,1:9", "2 ranges for 1 targets"),
        ({}, "value=valence&range=2:9", "valence is 1 on the list (4 such), outside of its range 2:9"),
        ({"value": "high"}, "value=valence", "line 2: valence 'high'; a number is needed"),
        ({"value": "'1,5'"}, "value=valence", "another number of fields"),
        ({"value": '"1,5"'}, "value=valence", "with a point, not a comma"),
        ({"value": "inf"}, "value=valence", "valence 'inf'; a number is needed"),
        ({"value": ""}, "value=valence", "no clip has a value of valence"),
        ({"value": "3"}, "value=valence", "valence is 3 for every clip of train; two values or more are needed"),
        ({"header": "path,start"}, "value=start", "a target cannot be called start"),
    ],
)  # fmt: skip
def test_what_is_no_regression_task_is_refused_in_one_line(
    change: dict[str, str], asked: str, said: str, tmp_path: Path
) -> None:
    given = {"header": "path,valence", "value": "{v}", **change} if change else {}
    assert said in refusal(f"{listed(tmp_path, **given)}?{asked}")  # type: ignore[arg-type]


def test_few_clips_of_values_are_said_to_be_few(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("path,tempo\na.wav,92.4\nb.wav,117.4\nc.wav,126\n")
    said = refusal(f"{path}?value=tempo")
    assert re.search(r"tempo is \S+ for the only clip of \w+ that has one; two values or more are needed", said), said


def test_a_clip_without_any_value_is_left_out_and_said(tmp_path: Path) -> None:
    path = listed(tmp_path, "path,valence", value="{v}")
    path.write_text(path.read_text().replace("c03.wav,1.75", "c03.wav,"))
    task = csv_task(f"{path}?value=valence")
    assert "c03.wav" not in clips_of(task)
    assert "1 of 24 clips have no value, and are left out" in task.cautions


def test_labels_that_are_many_numbers_are_said_to_be_perhaps_values(tmp_path: Path) -> None:
    assert "?value=label" in refusal(f"{listed(tmp_path, 'path,label', value='{v}')}")


@pytest.mark.parametrize(
    ("modifier", "said"),
    [("balanced", "is regression; a clip has values"), ("binarised", "asks for values, and has no labels")],
)
def test_modifiers_of_classes_refuse_values(modifier: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=said):
        Catalogue().task(f"csv:{listed(tmp_path)}?value=valence+{modifier}")


def test_folds_and_fractions_are_taken_of_values_too(tmp_path: Path) -> None:
    task = Catalogue().task(f"csv:{listed(tmp_path)}?value=valence+folds3")
    tested = [clip.id for fold in range(3) for clip in task.read_clips(None, fold) if clip.split == "test"]
    assert sorted(tested) == sorted(f"c{n:02}.wav" for n in range(24))
    half = Catalogue().task(f"csv:{listed(tmp_path)}?value=valence+fraction0.5")
    assert len([clip for clip in half.read_clips(None, 0) if clip.split == "train"]) == 9
    assert np.unique([len(clip.values) for clip in half.read_clips(None, 0)]).tolist() == [1]


@pytest.mark.parametrize("query", ["value=valence&range=1:9", "value=valence", "range=1:9&value=valence"])
@pytest.mark.parametrize("words", ["shot10", "shot10+folds3", "folds3+shot10"])
def test_a_slip_in_a_modifier_behind_a_query_is_told_as_one_without(query: str, words: str, tmp_path: Path) -> None:
    path = listed(tmp_path)
    with pytest.raises(BadInput, match=r"No modifier of tasks is called 'shot10'\. Did you mean '\+shotsK'\?"):
        Catalogue().task(f"csv:{path}?{query}+{words}")


def test_column_with_a_space_and_a_plus_is_named_as_the_refusal_says(tmp_path: Path) -> None:
    path = listed(tmp_path, "path,how fast,a+b")
    with pytest.raises(BadInput, match="a space is %20 and a plus is %2B"):
        Catalogue().task(f"csv:{path}?value=how+fast")
    task = Catalogue().task(f"csv:{path}?value=how%20fast,a%2Bb+folds3")
    assert (task.classes, task.n_folds) == (("a+b", "how fast"), 3)
