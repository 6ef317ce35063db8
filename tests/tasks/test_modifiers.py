"""Modifiers of tasks: which clips are left, under which labels, and what is heard of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mirbench import Context
from mirbench.errors import BadInput, UnknownName
from mirbench.features import audio
from mirbench.features.datasets import read_task
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.runner import run
from mirbench.tasks.gtzan import GTZAN
from mirbench.tasks.modifiers import LEVELS8, LOUDNESS
from mirbench.trust.checks import check_clips, check_task
from mirbench.types import Clip, Split, Task, excerpts

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


# What is heard


def write(path: Path, peak: float, seconds: float = 0.6, rate: int = RATE, hertz: float = 440.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * hertz * time) + 0.3 * np.sin(2 * np.pi * 3.1 * hertz * time + 1)
    soundfile.write(path, peak * wave / np.abs(wave).max(), rate, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of ten tones, each a little louder than the one before, in an order that no name tells."""
    root = tmp_path_factory.mktemp("data") / "songs"
    order = np.random.default_rng(3).permutation(20)
    for n, (c, k) in enumerate((c, k) for c in "ab" for k in range(10)):
        write(root / c / f"{k}.wav", 0.05 + 0.02 * order[n], hertz=300 + 10 * n)
    return root


def read(name: str) -> list[Clip]:
    task = get(name)
    return task.read_clips(Path(task.folder), 0)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def contexts_of(name: str, tmp_path: Path, clips: list[Clip] | None = None) -> tuple[Context, Split]:
    split = Split(get(name), tuple(clips or read(name)))
    facts = audio.survey(excerpts(split), tmp_path / "memo.sqlite", QUIET)
    return Context(facts=facts, cache=tmp_path / "cache", device=torch.device("cpu")), split


def heard(name: str, tmp_path: Path, rate: int = RATE, seconds: float = 0.6) -> np.ndarray:
    """The windows that a method hears, (n_windows, n_samples)."""
    context, split = contexts_of(name, tmp_path)
    return np.asarray(context.audio(split, rate, seconds).values)


def test_normalized_clips_reach_a_method_with_a_peak_of_one(songs: Path, tmp_path: Path) -> None:
    peaks = np.abs(heard(f"folder:{songs}+normalized", tmp_path)).max(axis=1)
    np.testing.assert_allclose(peaks, 1.0, rtol=0, atol=2e-7)


def test_normalized_clips_keep_their_shape(songs: Path, tmp_path: Path) -> None:
    before, after = heard(f"folder:{songs}", tmp_path), heard(f"folder:{songs}+normalized", tmp_path)
    np.testing.assert_allclose(after, before / np.abs(before).max(axis=1, keepdims=True), atol=1e-6)


def test_normalized_clips_have_the_level_of_the_file_at_another_rate(songs: Path, tmp_path: Path) -> None:
    """The gain is of the recording; a resampler may shoot over its peak."""
    name, rate = f"folder:{songs}", 16_000
    plain, normal = heard(name, tmp_path, rate), heard(f"{name}+normalized", tmp_path, rate)
    own = np.array([soundfile.read(clip.path)[0].__abs__().max() for clip in read(name)])
    np.testing.assert_allclose(normal, plain / own[:, None], atol=1e-5)


def test_rows_of_another_level_are_other_rows(songs: Path, tmp_path: Path) -> None:
    """One cache serves both tasks."""
    plain = heard(f"folder:{songs}", tmp_path)
    assert not np.allclose(heard(f"folder:{songs}+normalized", tmp_path), plain)
    np.testing.assert_array_equal(heard(f"folder:{songs}", tmp_path), plain)


def test_levels8_are_eight_times_as_long(songs: Path) -> None:
    (place, *_) = excerpts(Split(get(f"folder:{songs}+levels8"), tuple(read(f"folder:{songs}+levels8"))))
    assert len(audio.read(place, RATE)) == 8 * round(0.6 * RATE)


def test_levels8_reach_a_method_with_the_peaks_of_the_paper(songs: Path, tmp_path: Path) -> None:
    windows = heard(f"folder:{songs}+levels8", tmp_path).reshape(20, 8, -1)
    found = 20 * np.log10(np.abs(windows).max(axis=2))
    np.testing.assert_allclose(found, np.tile(LEVELS8, (20, 1)), atol=1e-4)


def test_levels8_of_a_clip_differ_in_level_alone(songs: Path, tmp_path: Path) -> None:
    windows = heard(f"folder:{songs}+levels8", tmp_path).reshape(20, 8, -1)
    gains = 10 ** (np.array(LEVELS8) / 20)
    np.testing.assert_allclose(windows / gains[:, None], np.repeat(windows[:, -1:], 8, axis=1), atol=1e-5)


def test_levels8_say_their_length() -> None:
    assert get("gtzan+levels8").clip_seconds == 240


def test_levels8_of_the_last_window_are_padded_as_one_long_clip(songs: Path, tmp_path: Path) -> None:
    """Windows run over the borders of the copies: 4.8 s are four windows of 1.1 s and a rest of 0.4 s."""
    context, split = contexts_of(f"folder:{songs}+levels8", tmp_path)
    windows = context.audio(split, RATE, 1.1)
    assert np.bincount(windows.clip_index).tolist() == [4] * 20
    (place, *_) = excerpts(split)
    whole = audio.read(place, RATE)
    np.testing.assert_array_equal(windows.values[slice(3, 4)][0], whole[3 * 8800 : 4 * 8800])


@pytest.mark.parametrize("word", ["normalized", "levels8"])
def test_levels_know_the_rms_of_what_is_heard(songs: Path, tmp_path: Path, word: str) -> None:
    context, split = contexts_of(f"folder:{songs}+{word}", tmp_path)
    for place in excerpts(split):
        heard = audio.heard_rms(place, context._heard.facts[place])
        assert heard == pytest.approx(rms(audio.read(place, RATE)), rel=1e-5)


def crops(name: str, tmp_path: Path, seconds: float, clips: list[Clip] | None = None) -> np.ndarray:
    context, split = contexts_of(name, tmp_path, clips)
    generator = np.random.default_rng(0)
    chosen = generator.integers(len(split), size=40)
    found = context.random_crops(split, RATE, seconds, chosen, generator)
    return np.asarray(found.values)


def test_random_crops_of_a_normalized_clip_are_at_the_level_of_the_whole_clip(tmp_path: Path) -> None:
    """A crop of the quiet half stays quiet: one gain a clip."""
    quiet_then_loud = np.repeat([0.01, 0.1], 4000)
    path = tmp_path / "a.wav"
    soundfile.write(path, quiet_then_loud, RATE, subtype="FLOAT")
    found = crops("gtzan+normalized", tmp_path, 0.1, [Clip("a", path, "train", ("jazz",), peaks=(0.0,))])
    steady = found[np.ptp(found, axis=1) < 1e-6]
    assert {round(float(value), 3) for value in steady[:, 0]} == {0.1, 1.0}


def test_random_crops_of_levels_come_from_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(8000, 0.3), RATE, subtype="FLOAT")
    found = crops("gtzan+levels8", tmp_path, 0.05, [Clip("a", path, "train", ("jazz",), peaks=LEVELS8)])
    steady = found[np.ptp(found, axis=1) < 1e-6]
    assert {round(20 * math.log10(value)) for value in steady[:, 0]} == set(LEVELS8)


def test_random_crops_longer_than_a_normalized_clip_are_padded(songs: Path, tmp_path: Path) -> None:
    found = crops(f"folder:{songs}+normalized", tmp_path, 1.0)
    assert not found[:, round(0.6 * RATE) :].any()
    np.testing.assert_allclose(np.abs(found).max(axis=1), 1.0, atol=2e-7)


# Loudness


def by_class(name: str) -> dict[str, list[float]]:
    """RMS of the clips of each class, in the order of the classes."""
    found: dict[str, list[float]] = {label: [] for label in get(name).classes}
    for clip in read(name):
        assert clip.path is not None
        found[clip.labels[0]].append(rms(soundfile.read(clip.path)[0]))
    return found


def test_loudness_makes_five_classes_of_equal_size(songs: Path) -> None:
    assert {name: len(levels) for name, levels in by_class(f"folder:{songs}+loudness").items()} == dict.fromkeys(
        LOUDNESS, 4
    )


def test_loudness_classes_are_ordered_by_rms(songs: Path) -> None:
    levels = list(by_class(f"folder:{songs}+loudness").values())
    assert all(max(quiet) < min(loud) for quiet, loud in pairwise(levels))


@pytest.mark.parametrize("count", [11, 12, 13, 14])
def test_loudness_classes_differ_by_one_clip_at_most(tmp_path: Path, count: int) -> None:
    clips = [Clip(str(n), write(tmp_path / f"{n}.wav", 0.1 + 0.01 * n), "train", ("ab"[n % 2],)) for n in range(count)]
    sizes = Counter(clip.labels[0] for clip in of(clips).task("mine+loudness").read_clips(tmp_path, 0))
    assert (set(sizes), max(sizes.values()) - min(sizes.values())) == (set(LOUDNESS), 1)


def test_loudness_keeps_the_splits(songs: Path) -> None:
    splits = [{clip.id: clip.split for clip in read(name)} for name in (f"folder:{songs}", f"folder:{songs}+loudness")]
    assert splits[0] == splits[1]


def test_loudness_is_a_single_label_task_of_its_own(songs: Path) -> None:
    task = get(f"folder:{songs}+loudness")
    assert (task.kind, task.classes, task.metrics[0]) == ("single-label", LOUDNESS, "accuracy")


def test_loudness_of_normalized_clips_goes_by_what_is_heard(tmp_path: Path) -> None:
    """Square waves and clicks: the louder file is the quieter one once both peaks are at 0 dBFS."""
    clips = []
    for n in range(10):
        clicks = np.where(np.arange(4000) % (20 * (n + 1)) == 0, 0.05 * (n + 1), 0.0)
        soundfile.write(tmp_path / f"{n}.wav", clicks, RATE, subtype="FLOAT")
        clips.append(Clip(str(n), tmp_path / f"{n}.wav", "train", ("ab"[n % 2],)))
    plain, normal = (
        {clip.id: clip.labels[0] for clip in of(clips).task(f"mine{word}+loudness").read_clips(tmp_path, 0)}
        for word in ("", "+normalized")
    )
    assert (plain["0"], normal["0"], plain["9"], normal["9"]) == ("loud1", "loud5", "loud5", "loud1")


def test_loudness_before_normalized_goes_by_the_files(songs: Path) -> None:
    labels = [
        {clip.id: clip.labels for clip in read(f"folder:{songs}+{word}")}
        for word in ("loudness", "loudness+normalized")
    ]
    assert labels[0] == labels[1]


def test_loud1v5_keeps_the_quietest_and_the_loudest_fifth(songs: Path) -> None:
    five, two = by_class(f"folder:{songs}+loudness"), by_class(f"folder:{songs}+loud1v5")
    assert two == {"loud1": five["loud1"], "loud5": five["loud5"]}


def test_loudness_without_audio_says_that_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no audio on this machine"):
        get("gtzan+loudness").read_clips(None, 0)


# Runs


def ask(name: str, tmp_path: Path, **changes: object) -> Request:
    request = Request(name, "prior", seeds=(0,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    return replace(request, **changes)  # type: ignore[arg-type]


def test_run_of_a_modified_task_is_another_run(songs: Path, tmp_path: Path) -> None:
    keys = set()
    for word in ("", "+normalized", "+shots2", "+shots2-draw1"):
        (outcome,) = run(ask(f"folder:{songs}{word}", tmp_path), Catalogue(), QUIET)
        assert outcome.record.status == "done"
        keys.add(outcome.record.spec.key)
    assert len(keys) == 4


def test_run_counts_the_clips_that_are_left(songs: Path, tmp_path: Path) -> None:
    (outcome,) = run(ask(f"folder:{songs}+shots2", tmp_path), Catalogue(), QUIET)
    assert (outcome.record.n_clips["train"], outcome.record.n_clips["valid"] <= 4) == (4, True)


def test_run_of_folds_of_which_one_has_no_clip_is_refused(songs: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no clip is in (test|valid) of fold \d+"):
        run(ask(f"folder:{songs}+folds50", tmp_path), Catalogue(), QUIET)


def test_run_of_unbalanced_folds_that_are_balanced_leaves_a_list_a_fold(tmp_path: Path) -> None:
    """A clip that is kept in train may be dropped from the test of its own fold."""
    path = tmp_path / "l.csv"
    count = {"a": 10, "b": 16}
    path.write_text("id,label,fold\n" + "".join(f"{c}{n},{c},{n % 5}\n" for c in "ab" for n in range(count[c])))
    outcomes = run(ask(f"csv:{path}+balanced", tmp_path), Catalogue(), QUIET)
    assert [outcome.record.status for outcome in outcomes] == ["done"] * 5
    task = get(f"csv:{path}+balanced")
    for fold, written in enumerate(sorted((tmp_path / "runs").rglob("clips-*.csv"))):
        again = {(clip.id, clip.split) for clip in get(f"csv:{written}").read_clips(None, 0)}
        assert again == {(clip.id, clip.split) for clip in task.read_clips(None, fold)}


def test_stand_in_is_not_synthesised_anew_for_its_modifiers(tmp_path: Path) -> None:
    made: list[Path] = []

    def synthesise(root: Path, step: Callable[..., None]) -> None:
        made.append(root)
        for c in "ab":
            for n in range(6):
                write(root / f"{c}{n}.wav", 0.2)

    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        assert root is not None
        splits = ("train", "train", "train", "valid", "test", "test")
        return [Clip(f"{c}{n}", root / f"{c}{n}.wav", splits[n], (c,)) for c in "ab" for n in range(6)]

    task = Task(
        "toy", "1", "", "single-label", ("a", "b"), ("accuracy",), read_clips, "toy", 12, 0.6,
        standing="synthesised", synthesise=synthesise,
    )  # fmt: skip
    catalogue = Catalogue([Plugin("test", "0" * 64, {"toy": task}, {}, {})])
    for word in ("", "+shots1", "+normalized", "+resplit", "+loudness"):
        make_plan(ask(f"toy{word}", tmp_path, method="probe-linear", source="nano"), catalogue, QUIET)
    assert len(made) == 1
