"""``task+on:other``: which clips and classes it has, what it is called, what is refused, and a run of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import mirbench
from mirbench.errors import BadInput
from mirbench.leaderboard.table import boards
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.suite import read_suite
from mirbench.spelling import on_record, travelled
from mirbench.trust.known_facts import is_place
from mirbench.trust.recompute import wrong_metrics
from mirbench.types import Clip, Task


def made(name: str, labels: dict[str, str], classes: str, **facts: object) -> Task:
    """A task whose clips are called after their split: "train1": "rock", several labels by ";"."""
    clips = [
        Clip(f"{name}-{key}", None, key.rstrip("0123456789"), tuple(filter(None, text.split(";"))))
        for key, text in labels.items()
    ]
    usual = {
        "version": "1", "title": "", "kind": "single-label", "metrics": ("accuracy",), "folder": "/nowhere",
        "read_clips": lambda root, fold: list(clips), "n_clips": len(clips), "clip_seconds": 1.0,
    }  # fmt: skip
    return Task(name, classes=tuple(classes.split(",")), **usual | facts)  # type: ignore[arg-type]


OWN = made(
    "own", {"train1": "Hip Hop", "train2": "jazz", "train3": "folk", "valid1": "jazz", "test1": "jazz"},
    "Hip Hop,folk,jazz",
)  # fmt: skip
OTHER = made(
    "other", {"train1": "Jazz", "test1": "hip-hop", "test2": "Jazz", "test3": "techno", "test4": "house"},
    "Jazz,hip-hop,house,techno", datasets=("others",), standing="own",
)  # fmt: skip


def on(task: Task, other: Task, pairs: str = "") -> Task:
    from mirbench.tasks.tested_on import tested_on

    return tested_on(task, other.name + (f"::{pairs}" if pairs else ""), other)


def told(task: Task) -> dict[str, tuple[str, ...]]:
    return {f"{clip.id} {clip.split}": clip.labels for clip in task.read_clips(None, 0)}


def test_what_one_task_learns_is_tested_on_the_test_clips_of_the_other_by_the_classes_of_both() -> None:
    task = on(OWN, OTHER)
    assert task.classes == ("Hip Hop", "jazz")
    assert told(task) == {
        "own-train1 train": ("Hip Hop",), "own-train2 train": ("jazz",), "own-valid1 valid": ("jazz",),
        "other-test1 test": ("Hip Hop",), "other-test2 test": ("jazz",),
    }  # fmt: skip
    assert task.cautions == ("without a counterpart, and left out: folk of own; house, techno of other",)
    assert (task.standing, task.datasets, task.kind) == ("own", ("others",), "single-label")


def test_classes_that_are_given_may_stand_for_several() -> None:
    task = on(OWN, OTHER, "folk=techno, folk=house, jazz=Jazz")
    assert task.classes == ("folk", "jazz")
    tested = {name: labels for name, labels in told(task).items() if name.endswith(" test")}
    assert tested == {"other-test2 test": ("jazz",), "other-test3 test": ("folk",), "other-test4 test": ("folk",)}
    wider = on(OWN, OTHER, "folk=Jazz,jazz=Jazz,Hip Hop=hip-hop")
    assert wider.classes == ("Hip Hop", "Jazz")
    assert told(wider)["own-train3 train"] == ("Jazz",)


def test_classes_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("folk,techno\n\njazz,Jazz\n")
    assert on(OWN, OTHER, f"{tmp_path}/pairs.csv").classes == ("folk", "jazz")


def test_several_labels_on_one_side_are_several_on_both() -> None:
    tags = made(
        "tags", {"train1": "jazz;piano", "train2": "", "valid1": "Hip Hop"}, "Hip Hop,jazz,piano", kind="multi-label",
        metrics=("roc-auc",),
    )  # fmt: skip
    task = on(tags, OTHER)
    assert (task.kind, task.metrics, task.classes) == ("multi-label", ("roc-auc",), ("Hip Hop", "jazz"))
    assert told(task)["tags-train1 train"] == ("jazz",)
    assert told(task)["tags-train2 train"] == told(task)["other-test3 test"] == ()


def test_what_nobody_judged_of_a_class_stays_so_unless_another_that_is_one_with_it_is_there() -> None:
    clips = [
        Clip("a", None, "train", ("x",), unknown=("y", "z")), Clip("b", None, "valid", ("z",), strengths=(0.25,)),
    ]  # fmt: skip
    tags = replace(
        made("tags", {}, "x,y,z", kind="multi-label", metrics=("roc-auc",)), read_clips=lambda root, fold: list(clips)
    )
    first, second, *_ = on(tags, OTHER, "x=Jazz,y=Jazz,z=house").read_clips(None, 0)
    assert (first.labels, first.unknown, second.strengths) == (("Jazz",), ("z",), (0.25,))


def test_clips_of_every_fold_are_tested_and_all_of_a_list_whose_split_was_drawn() -> None:
    def folded(root: Path | None, fold: int) -> list[Clip]:
        return [Clip(f"c{k}", None, "test" if k == fold else "train", ("jazz",)) for k in range(3)]

    folds = replace(OTHER, classes=("jazz", "folk"), n_folds=3, read_clips=folded)
    assert [name for name in told(on(OWN, folds)) if name.endswith(" test")] == ["c0 test", "c1 test", "c2 test"]
    assert "other-train1 test" in told(on(OWN, replace(OTHER, splits_drawn=True)))


def test_clips_of_one_id_are_told_apart() -> None:
    twin = replace(OTHER, read_clips=lambda root, fold: [Clip("own-train1", None, "test", ("Jazz",))])
    assert "other/own-train1 test" in told(on(OWN, twin))


def test_other_classes_or_another_version_are_another_version() -> None:
    versions = {
        on(OWN, OTHER).version, on(OWN, OTHER, "folk=house,jazz=Jazz").version,
        on(OWN, replace(OTHER, version="2")).version, on(replace(OWN, version="2"), OTHER).version,
    }  # fmt: skip
    assert len(versions) == 4


@pytest.mark.parametrize(
    ("other", "pairs", "said"),
    [
        (OTHER, "folk=house,folk=techno,jazz=techno", "folk, jazz and house, techno are several classes on both sides"),
        (OTHER, "folk=house", "shares 1 of its classes with it by --classes, and two are needed"),
        (OTHER, "folk=polka,jazz=Jazz", "other has no class 'polka'; it has Jazz, hip-hop, house, techno"),
        (OTHER, "blues=house,jazz=Jazz", "own has no class 'blues'"),
        (OTHER, "folk", "'folk' is no pair; a=b, or two columns"),
        (OTHER, "/no/such.csv", "not readable"),
        (replace(OTHER, classes=("a", "b")), "", "--classes 'a=b,c=d'"),
        (replace(OTHER, medium="picture"), "", "its clips are pictures, those of own audios"),
        (OWN, "", "that is the task itself"),
        (replace(OTHER, name="x+on:y"), "", "tested on another task already"),
    ],
)
def test_tasks_that_cannot_be_joined_are_refused(other: Task, pairs: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        on(OWN, other, pairs)


# In the registry


def test_name_says_both_tasks_and_what_comes_behind_changes_all_clips() -> None:
    task = Catalogue().task("gtzan+shots10+on:gtzan-kaggle+normalized")
    assert task.name == "gtzan+shots10+on:gtzan-kaggle+normalized"
    assert len(task.classes) == 10
    levels = {clip.split: clip.peaks for clip in task.read_clips(None, 0)}
    assert levels == {"train": (0.0,), "valid": (0.0,), "test": (0.0,)}


def test_stand_in_is_that_of_both_where_they_are_two() -> None:
    pairs = "::rock=Jive,jazz=Waltz"
    assert Catalogue().task(f"gtzan+on:ballroom{pairs}").demo == f"gtzan-demo+on:ballroom-demo{pairs}"
    assert Catalogue().task(f"gtzan-demo+on:ballroom-demo{pairs}").standing == "synthesised"
    assert Catalogue().task("gtzan+on:gtzan-kaggle").demo == ""


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("gtzan+on:gtzan-kaggle", False), ("gtzan+on:csv:a", True), ("csv:a+on:gtzan", True),
        ("gtzan+on:ballroom::/etc/pairs.csv", True),
    ],
)  # fmt: skip
def test_record_of_two_tasks_that_ship_is_held_against_them_and_of_no_place_elsewhere(name: str, place: bool) -> None:
    assert is_place(name) == place


def test_lists_are_called_by_their_last_parts_on_record() -> None:
    assert on_record("task", "gtzan+on:csv:/music/a.csv::/music/pairs.csv") == "gtzan+on:csv:a::pairs"
    assert on_record("task", "gtzan+on:csv:a::pairs") == "gtzan+on:csv:a::pairs"


def test_classes_without_another_task_are_refused() -> None:
    assert travelled("a", "", "") == "a"
    with pytest.raises(BadInput, match=r"--classes: of which task\? Give --test-on TASK"):
        travelled("a", "", "x=y", dashes="--")
    with pytest.raises(BadInput, match=r"write such classes into a \.csv file"):
        travelled("a", "b", "x=r+b")


# Lists that are no task by themselves


def listed(folder: Path, name: str, splits: dict[str, str]) -> str:
    """``csv:FILE`` of clips: {"train": "x y y"}, a class a clip; the split "none" is not written."""
    lines = [
        f"{name}-{split}{n}.wav,{label}{'' if split == 'none' else f',{split}'}"
        for split, labels in splits.items()
        for n, label in enumerate(labels.split())
    ]
    head = "path,label" + ("" if "none" in splits else ",split")
    (folder / f"{name}.csv").write_text("\n".join([head, *lines]) + "\n")
    return f"csv:{folder}/{name}.csv"


@pytest.mark.parametrize(
    ("splits", "n_tested"), [({"test": "x y x"}, 3), ({"none": "x y"}, 2), ({"train": "x", "test": "y x"}, 2)]
)
def test_list_of_test_clips_alone_or_of_few_is_tested_on(splits: dict[str, str], n_tested: int, tmp_path: Path) -> None:
    other = listed(tmp_path, "b", splits)
    with pytest.raises(BadInput, match=r"csv:b: .*another task can be tested on it \(--test-on\)"):
        Catalogue().task(other)
    ours = listed(tmp_path, "a", {"train": "x y", "valid": "x y", "test": "x y"})
    task = Catalogue().task(f"{ours}+on:{other}")
    count = Counter(clip.split for clip in task.read_clips(None, 0))
    assert count == {"train": 2, "valid": 2, "test": n_tested}


def test_list_without_test_is_learnt_from(tmp_path: Path) -> None:
    ours = listed(tmp_path, "a", {"train": "x y", "valid": "x y"})
    with pytest.raises(BadInput, match=r"no clip is in test.*it can be learnt from, and tested on another task"):
        Catalogue().task(ours)
    with pytest.raises(BadInput, match="no clip is in test"):
        Catalogue().task(f"{ours}+normalized")
    other = listed(tmp_path, "b", {"test": "y x"})
    task = Catalogue().task(f"{ours}+normalized+on:{other}")
    assert Counter(clip.split for clip in task.read_clips(None, 0)) == {"train": 2, "valid": 2, "test": 2}


def test_list_that_lacks_a_class_on_its_side_is_refused(tmp_path: Path) -> None:
    ours = listed(tmp_path, "a", {"train": "x y", "valid": "x y", "test": "x y"})
    with pytest.raises(BadInput, match="no clip is in test") as caught:
        Catalogue().task(f"{ours}+on:{listed(tmp_path, 'b', {'train': 'x y', 'valid': 'x y'})}")
    assert "tested on it" not in str(caught.value)
    with pytest.raises(BadInput, match="no clip of 'y' is in test"):
        Catalogue().task(f"{ours}+on:{listed(tmp_path, 'c', {'train': 'x y', 'valid': 'x y', 'test': 'x x'})}")
    with pytest.raises(BadInput, match="no clip is in valid"):
        Catalogue().task(f"{listed(tmp_path, 'd', {'test': 'x y'})}+on:{ours}")


# Runs


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lists of clips with their features, the classes of the second written otherwise, and one more in it."""
    folder, generator = tmp_path_factory.mktemp("lists"), np.random.default_rng(0)
    ids, rows = [], []
    for name, classes in (("ours", ("Hip Hop", "jazz")), ("theirs", ("hip-hop", "Jazz", "techno"))):
        lines = ["id,label,split"]
        for n in range(36):
            k, split = n % len(classes), ("train", "valid", "test")[n // 12]
            ids.append(f"{name}{n:02}")
            rows.append(generator.normal(0, 0.3, 4) + np.eye(4)[k])
            lines.append(f"{ids[-1]},{classes[k]},{split}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    np.savez(folder / "held.npz", id=np.array(ids), held=np.array(rows, dtype=np.float32))
    return folder


def test_run_is_tested_on_the_other_list_and_stands_in_a_table_of_its_own(lists: Path, tmp_path: Path) -> None:
    how = {
        "source": f"features:{lists}/held.npz", "source_params": {"array": "held"}, "seeds": 1,
        "runs": tmp_path / "runs",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRBENCH_CACHE", str(tmp_path / "cache"))
        (own,) = mirbench.run(f"csv:{lists}/ours.csv", "probe-linear", **how)  # type: ignore[arg-type]
        with pytest.warns(UserWarning, match="without a counterpart, and left out: techno of csv:theirs"):
            (run,) = mirbench.run(
                f"csv:{lists}/ours.csv", "probe-linear", test_on=f"csv:{lists}/theirs.csv",
                **how,  # type: ignore[arg-type]
            )  # fmt: skip
    record = run.record
    assert record.spec.task == "csv:ours+on:csv:theirs"
    assert record.n_clips == {"train": 12, "valid": 12, "test": 8}  # of twelve, four are techno
    assert record.metrics["accuracy"] > 0.8
    from mirbench.runs.store import RunStore

    scores = RunStore(run.folder).scores(run.folder)
    assert list(wrong_metrics(record, scores)) == []
    assert all(str(name).startswith("theirs") for name in scores.clip_ids)
    assert own.record.spec.key != record.spec.key
    assert {(board.task, len(board.rows)) for board in boards(tmp_path / "runs")} == {
        ("csv:ours", 1), ("csv:ours+on:csv:theirs", 1)
    }  # fmt: skip
    assert len(list((tmp_path / "runs").glob("csv_ours+on_csv_theirs/clips-*.csv"))) == 1


def test_suite_tests_on_another_task(lists: Path, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        f'[[run]]\ntask = "csv:{lists}/ours.csv"\ntest-on = "csv:{lists}/theirs.csv"\nmethod = "prior"\n'
        'classes = "Hip Hop=techno,jazz=Jazz"\n'
    )
    (entry,) = read_suite(str(tmp_path / "s.toml"), Catalogue(), {}).entries
    assert Catalogue().task(entry.request.task).name == "csv:ours+on:csv:theirs::Hip Hop=techno,jazz=Jazz"


def test_audio_that_was_learnt_from_is_no_test(tmp_path: Path) -> None:
    rate, generator = 16_000, np.random.default_rng(0)
    for n in range(12):
        soundfile.write(tmp_path / f"{n}.wav", generator.normal(0, 0.1, rate), rate)
    soundfile.write(tmp_path / "copy.wav", soundfile.read(tmp_path / "0.wav")[0], rate)
    for name, files in (("a", [*range(6), *range(6, 12)]), ("b", ["copy", *range(6, 12), 6, 7, 8, 9, 10])):
        lines = [
            f"{file},{file}.wav,{'xy'[n % 2]},{('train', 'valid', 'test')[n // 4]}" for n, file in enumerate(files)
        ]
        lines = lines if name == "a" else ["copy,copy.wav,x,test", "11,11.wav,y,test", *lines[1:5]]
        (tmp_path / f"{name}.csv").write_text("\n".join(["id,path,label,split", *lines]) + "\n")
    request = Request(
        f"csv:{tmp_path}/a.csv+on:csv:{tmp_path}/b.csv", "probe-linear", "nano", seeds=(0,), device="cpu",
        runs=tmp_path / "runs", cache=tmp_path / "cache",
    )  # fmt: skip
    with pytest.raises(BadInput, match=r"1 clips of test are in train or valid, too, to the byte \(copy is 0\)"):
        make_plan(request, Catalogue(), Progress(quiet=True))
