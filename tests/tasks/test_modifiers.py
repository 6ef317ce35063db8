"""Modifiers of tasks: their names, and which clips are left, in which splits and under which labels."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from mirbench.errors import BadInput, UnknownName
from mirbench.features.datasets import read_task
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.tasks.gtzan import GTZAN
from mirbench.trust.checks import check_clips, check_task
from mirbench.types import Clip, Task

QUIET = Progress(quiet=True)
RATE = 8000


def get(name: str) -> Task:
    return Catalogue().task(name)


def ids(name: str, *splits: str) -> set[str]:
    """Ids of the clips of some splits of a task that needs no audio."""
    return {clip.id for clip in get(name).read_clips(None, 0) if clip.split in splits}


def per_class(name: str, split: str) -> Counter[str]:
    return Counter(clip.labels[0] for clip in get(name).read_clips(None, 0) if clip.split == split)


def of(clips: list[Clip], **changes: object) -> Catalogue:
    """A catalogue with the task "mine", of these clips."""
    classes = tuple(sorted({label for clip in clips for label in (*clip.labels, *clip.unknown)}))
    task = Task(
        "mine", "7", "", "single-label", classes, ("accuracy",), lambda root, fold: clips, "mine", len(clips), 1.0
    )
    return Catalogue([Plugin("test", "0" * 64, {"mine": replace(task, **changes)}, {}, {})])  # type: ignore[arg-type]


# Names


def test_modified_task_is_called_as_it_was_asked_for() -> None:
    assert get("gtzan+shots10-draw2+normalized").name == "gtzan+shots10-draw2+normalized"


def test_modified_task_keeps_its_version() -> None:
    assert Catalogue().version("task", "gtzan+shots10") == GTZAN.version


def test_modified_task_of_a_plugin_keeps_the_hash_of_its_file() -> None:
    clips = [Clip(str(n), None, "train", ("ab"[n % 2],)) for n in range(4)]
    assert of(clips).task("mine+shots1").version == "7+" + "0" * 12


def test_modified_task_says_in_its_notes_what_was_done() -> None:
    notes = get("gtzan+shots10+normalized").notes
    assert notes[: len(GTZAN.notes)] == GTZAN.notes
    assert [("10 clips a class" in notes[-2]), "0 dBFS" in notes[-1]] == [True, True]


@pytest.mark.parametrize("word", Catalogue().modifiers())
def test_modified_task_conforms(word: str) -> None:
    task = get("gtzan" + word.replace("TASK", "gtzan-kaggle").replace("K", "5").replace("F", "0.5"))
    listed = not word.startswith("+loud")  # which needs audio
    assert check_task(task) + (check_clips(task, read_task(task, None)) if listed else []) == []


def test_modified_task_has_a_stand_in_modified_alike() -> None:
    assert get("gtzan+shots5+normalized").demo == "gtzan-demo+shots5+normalized"


def test_modified_stand_in_is_found() -> None:
    assert get(get("gtzan+shots5+normalized").demo).standing == "synthesised"


@pytest.mark.parametrize(
    ("word", "meant"),
    [("shot10", "+shotsK"), ("binarized", "+binarised"), ("levels16", "+levels8"), ("Normalized", "+normalized")],
)
def test_unknown_modifier_guesses_what_was_meant(word: str, meant: str) -> None:
    with pytest.raises(UnknownName) as caught:
        get(f"gtzan+{word}")
    assert f"'{word}'. Did you mean '{meant}'?" in str(caught.value)


@pytest.mark.parametrize("name", ["gtzan+", "gtzan++shots5", "gtzan+shots5+"])
def test_modifier_without_a_word_is_unknown(name: str) -> None:
    with pytest.raises(UnknownName, match=r"is called ''"):
        get(name)


def test_unknown_task_with_a_modifier_is_an_unknown_task() -> None:
    with pytest.raises(UnknownName, match=r"No task is called 'gtzn'\. Did you mean 'gtzan'"):
        get("gtzn+shots5")


@pytest.mark.parametrize(
    "word",
    [
        "shots", "shots0", "shots-1", "shots1.5", "shotsten", "shots5-draw", "shots5-drawx", "shots5draw1", "shots5 ",
        "fraction", "fraction0", "fraction0.0", "fraction1.01", "fraction-0.5", "fraction.5", "fraction1e-3",
        "fraction50%", "folds", "folds0", "folds2", "folds3.5", "resplit1", "resplit-draw", "balanced2", "normalized1",
        "levels8-draw1", "levels88", "loudness5", "loud1v5x", "binarised0.5",
    ],
)  # fmt: skip
def test_modifier_refuses_its_argument_in_one_line(word: str) -> None:
    with pytest.raises(BadInput) as caught:
        get(f"gtzan+{word}")
    message = str(caught.value)
    assert not isinstance(caught.value, UnknownName)
    assert (message.startswith(f"+{word}:"), "\n" in message) == (True, False)


@pytest.mark.parametrize("words", ["levels8+normalized", "normalized+levels8", "levels8+levels8"])
def test_levels_are_set_once(words: str) -> None:
    with pytest.raises(BadInput, match=r"set already|is there twice"):
        get(f"gtzan+{words}")


def picture_catalogue() -> Catalogue:
    clips = [Clip(f"{c}{n}", Path(f"{c}{n}.png"), "train", (c,)) for c in "ab" for n in range(3)]
    return of(clips, medium="picture")


@pytest.mark.parametrize("word", ["normalized", "levels8", "loudness", "loud1v5"])
def test_levels_of_pictures_are_refused(word: str) -> None:
    with pytest.raises(BadInput, match="pictures"):
        picture_catalogue().task(f"mine+{word}")


# A "+" in a path


def plant(root: Path) -> Path:
    for name in (f"{c}/{n}.wav" for c in "ab" for n in range(10)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize("folder", ["r+b", "+", "a+shots1+b"])
def test_plus_in_an_existing_path_belongs_to_the_path(tmp_path: Path, folder: str) -> None:
    root = plant(tmp_path / folder)
    assert get(f"folder:{root}").n_clips == 20


@pytest.mark.parametrize("folder", ["r+b+shots2", "songs+normalized"])
def test_path_that_ends_as_a_modified_task_is_refused(tmp_path: Path, folder: str) -> None:
    """Its records would have the name of those of a task with that modifier."""
    with pytest.raises(BadInput, match=r"would be taken for a task with the modifier \+\w+; give the file or folder"):
        get(f"folder:{plant(tmp_path / folder)}")


def test_plus_behind_an_existing_path_is_a_modifier(tmp_path: Path) -> None:
    root = plant(tmp_path / "r+b")
    task = get(f"folder:{root}+shots2+balanced")
    assert task.name == "folder:r+b+shots2+balanced"
    assert Counter(clip.split for clip in task.read_clips(None, 0))["train"] == 4


def test_plus_in_a_list_belongs_to_the_path(tmp_path: Path) -> None:
    path = tmp_path / "r+b.csv"
    path.write_text("path,label\n" + "".join(f"{c}{n},{c}\n" for c in "ab" for n in range(10)))
    assert get(f"csv:{path}+folds4").n_folds == 4


def test_plus_in_a_path_that_is_not_there_is_said_whole() -> None:
    with pytest.raises(BadInput, match=r"folder:my\+songs: no such folder"):
        get("folder:my+songs")


def test_path_that_is_not_there_is_said_whole_though_a_folder_is_called_like_a_modifier() -> None:
    with pytest.raises(BadInput, match=r"csv:runs/csv_songs\+folds5/clips\.csv: no such file"):
        get("csv:runs/csv_songs+folds5/clips.csv")


def test_unknown_modifier_of_an_existing_path_guesses_what_was_meant(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"'shot2'. Did you mean '\+shotsK'"):
        get(f"folder:{plant(tmp_path / 'songs')}+shot2")


# Fewer clips


@pytest.mark.parametrize("number", [1, 10])
def test_shots_keep_so_many_clips_of_each_class(number: int) -> None:
    for split in ("train", "valid"):
        assert set(per_class(f"gtzan+shots{number}", split).values()) == {number}


def test_shots_keep_all_of_a_class_that_has_fewer() -> None:
    whole = per_class("gtzan", "valid")
    assert per_class("gtzan+shots20", "valid") == Counter({name: min(20, n) for name, n in whole.items()})


@pytest.mark.parametrize("word", ["shots3", "fraction0.01"])
def test_fewer_clips_leave_test_whole(word: str) -> None:
    assert ids(f"gtzan+{word}", "test") == ids("gtzan", "test")


def test_shots_are_nested() -> None:
    kept = [ids(f"gtzan+shots{number}", "train", "valid") for number in (1, 2, 5, 10, 40, 1000)]
    assert all(smaller < larger for smaller, larger in pairwise(kept))
    assert kept[-1] == ids("gtzan", "train", "valid")


def test_fractions_are_nested() -> None:
    kept = [ids(f"gtzan+fraction{share}", "train", "valid") for share in (0.01, 0.1, 0.25, 0.5, 0.9, 1)]
    assert all(smaller < larger for smaller, larger in pairwise(kept))
    assert kept[-1] == ids("gtzan", "train", "valid")


def test_shots_are_inside_the_fraction_that_holds_as_many() -> None:
    assert ids("gtzan+shots4", "train") < ids("gtzan+fraction0.1", "train")


def test_fraction_keeps_its_share_of_each_class_rounded_up() -> None:
    whole = per_class("gtzan", "train")
    assert per_class("gtzan+fraction0.1", "train") == Counter({k: math.ceil(n / 10) for k, n in whole.items()})


def test_fraction_keeps_at_least_one_clip_of_each_class() -> None:
    assert set(per_class("gtzan+fraction0.000001", "valid").values()) == {1}


@pytest.mark.parametrize("word", ["shots5", "fraction0.2", "resplit", "folds5", "balanced"])
def test_another_draw_is_another_selection(word: str) -> None:
    drawn = [tuple(sorted(ids(f"gtzan+{word}{draw}", "train"))) for draw in ("", "-draw1", "-draw2")]
    assert len(set(drawn)) == 3


@pytest.mark.parametrize("word", ["shots5", "fraction0.2", "resplit", "folds5", "balanced"])
def test_draw_zero_is_the_first_draw(word: str) -> None:
    assert ids(f"gtzan+{word}-draw0", "train") == ids(f"gtzan+{word}", "train")


def test_shots_do_not_depend_on_the_order_of_clips() -> None:
    clips = get("gtzan").read_clips(None, 0)
    kept = [{clip.id for clip in of(order).task("mine+shots3").read_clips(None, 0)} for order in (clips, clips[::-1])]
    assert kept[0] == kept[1]


def tags() -> list[Clip]:
    """Twelve clips of train: six of a, three of b, of which one is also a, and four of neither."""
    labels = [("a",)] * 5 + [("a", "b")] + [("b",)] * 2 + [()] * 4
    train = [Clip(f"clip {n}", None, "train", own) for n, own in enumerate(labels)]
    return [*train, Clip("v", None, "valid", ("a", "b")), Clip("t", None, "test", ("a", "b"))]


def kept_tags(word: str, clips: list[Clip] | None = None) -> list[Clip]:
    task = of(clips or tags(), kind="multi-label", metrics=("roc-auc",)).task(f"mine+{word}")
    return [clip for clip in task.read_clips(None, 0) if clip.split == "train"]


def test_shots_of_tags_keep_enough_of_each_class() -> None:
    count = Counter(label for clip in kept_tags("shots2") for label in clip.labels)
    assert min(count["a"], count["b"]) >= 2


def test_shots_of_tags_keep_clips_of_no_class_too() -> None:
    assert sum(not clip.labels for clip in kept_tags("shots2")) == 2


def test_whole_fraction_of_tags_keeps_every_clip() -> None:
    assert len(kept_tags("fraction1")) == 12


def test_shots_go_by_the_labels_that_are_present() -> None:
    """A clip whose label is weaker than a half is no example of it."""
    weak = [replace(c, strengths=(0.3,) * len(c.labels)) for c in tags()[:1]]
    kept = kept_tags("shots5", weak + tags()[1:])
    assert sum(clip.present == ("a",) or clip.present == ("a", "b") for clip in kept) == 5


def test_balanced_keeps_as_many_of_each_class_as_the_rarest_has() -> None:
    for split in ("train", "valid", "test"):
        rarest = min(per_class("gtzan", split).values())
        assert set(per_class("gtzan+balanced", split).values()) == {rarest}


def test_balanced_leaves_a_split_that_lacks_a_class() -> None:
    counts = {("train", "a"): 4, ("train", "b"): 2, ("valid", "a"): 3, ("test", "a"): 2, ("test", "b"): 5}
    clips = [Clip(f"{s}{c}{n}", None, s, (c,)) for (s, c), count in counts.items() for n in range(count)]
    kept = Counter(clip.split for clip in of(clips).task("mine+balanced").read_clips(None, 0))
    assert kept == {"train": 4, "valid": 3, "test": 4}


def test_balanced_is_refused_for_tags() -> None:
    with pytest.raises(BadInput, match="multi-label"):
        kept_tags("balanced")


def test_binarised_keeps_the_labels_that_are_at_least_as_likely_as_not() -> None:
    clips = [Clip("x", None, "train", ("a", "b", "c"), strengths=(0.5, 0.49, 1.0))]
    task = of(clips, kind="multi-label", metrics=("roc-auc",)).task("mine+binarised")
    assert task.read_clips(None, 0) == [Clip("x", None, "train", ("a", "c"))]


# Other splits


def test_resplit_deals_every_clip() -> None:
    assert ids("gtzan+resplit", "train", "valid", "test") == ids("gtzan", "train", "valid", "test")


def test_resplit_gives_test_its_share_of_each_class() -> None:
    whole = Counter(clip.labels[0] for clip in get("gtzan").read_clips(None, 0))
    assert all(abs(n - 0.15 * whole[name]) < 1 for name, n in per_class("gtzan+resplit", "test").items())


def test_resplit_of_folds_has_one() -> None:
    assert get("gtzan-mini+resplit").n_folds == 1


def test_folds_test_each_clip_once() -> None:
    task = get("gtzan+folds4")
    tested = Counter(clip.id for k in range(4) for clip in task.read_clips(None, k) if clip.split == "test")
    assert (task.n_folds, len(tested), set(tested.values())) == (4, 930, {1})


def test_folds_of_folds_deal_the_clips_of_the_first(tmp_path: Path) -> None:
    """Each fold of the list keeps other clips of train; the new folds must not mix them."""
    path = tmp_path / "l.csv"
    path.write_text("id,label,fold\n" + "".join(f"{c}{n},{c},{n % 5}\n" for c in "ab" for n in range(20)))
    task = get(f"csv:{path}+shots2+folds4")
    held = [{clip.id for clip in task.read_clips(None, k)} for k in range(4)]
    assert all(clips == held[0] for clips in held)
    assert held[0] == {clip.id for clip in get(f"csv:{path}+shots2").read_clips(None, 0)}


def test_resplit_keeps_groups_whole() -> None:
    clips = [Clip(f"{c}{n}", None, "train", (c,), group=f"{c} {n // 5}") for c in "ab" for n in range(40)]
    task = of(clips).task("mine+resplit")
    assert check_clips(task, read_task(task, None)) == []


def test_modifiers_apply_from_left_to_right() -> None:
    """Folds of what ten shots leave, or ten shots of each fold."""
    first, second = get("gtzan+shots10+folds5"), get("gtzan+folds5+shots10")
    assert (first.n_folds, second.n_folds) == (5, 5)
    assert len(first.read_clips(None, 0)) == len(ids("gtzan+shots10", "train", "valid", "test"))
    assert Counter(c.labels[0] for c in second.read_clips(None, 0) if c.split == "train")["jazz"] == 10


def test_three_modifiers_compose() -> None:
    clips = get("gtzan+resplit-draw1+shots3+normalized").read_clips(None, 0)
    assert {clip.peaks for clip in clips} == {(0.0,)}
    assert Counter(clip.split for clip in clips)["train"] == 30
    assert {c.id for c in clips if c.split == "test"} == ids("gtzan+resplit-draw1", "test")


@pytest.mark.parametrize(("group", "units"), [("", "40 clips"), ("{g}", "8 groups")])
def test_more_folds_than_clips_or_groups_are_refused_at_once(group: str, units: str, tmp_path: Path) -> None:
    lines = [f"{n}.wav,{'ab'[n % 2]},{group.format(g=f'artist {n // 5}')}" for n in range(40)]
    (tmp_path / "songs.csv").write_text("\n".join(["path,label,group", *lines]))
    n = units.split()[0]
    with pytest.raises(BadInput, match=rf"songs\+folds999: {units} make at most {n} folds"):
        get(f"csv:{tmp_path / 'songs.csv'}+folds999").read_clips(None, 0)
    assert get(f"csv:{tmp_path / 'songs.csv'}+folds{n}").read_clips(None, 0)
