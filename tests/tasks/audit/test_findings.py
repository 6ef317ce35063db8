"""The audit of a data set: each kind of fault is found where it was planted, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from mirbench.features import audio
from mirbench.features.datasets import read_task
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.tasks.audit.findings import KINDS, Finding, as_json, audit, summary
from mirbench.tasks.stand_in_music.songs import song
from mirbench.types import Clip, Task

if TYPE_CHECKING:
    from tests.conftest import Answer

RATE = 16_000
SECONDS = 4.0
QUIET = Progress(quiet=True)

TASK = Task(
    name="small", version="1", title="Small", kind="single-label", classes=("blues", "metal"), metrics=("accuracy",),
    read_clips=lambda root, fold: [], folder="small", n_clips=0, clip_seconds=SECONDS,
)  # fmt: skip

SONG = song("blues", np.random.default_rng(0), seconds=SECONDS, sample_rate=RATE)
OTHER = song("metal", np.random.default_rng(1), seconds=SECONDS, sample_rate=RATE)


class Folder:
    """Clips that are written as they are asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def clip(self, name: str, samples: np.ndarray, split: str = "train", label: str = "blues", **more: object) -> Clip:
        path = self.root / name
        soundfile.write(path, samples, RATE)
        return Clip(name.replace(".", "-"), path, split, (label,), **more)  # type: ignore[arg-type]

    def audit(self, clips: Sequence[Clip], *others: Sequence[Clip], task: Task = TASK) -> list[Finding]:
        return audit(task, (tuple(clips), *map(tuple, others)), self.root / "cache", QUIET)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def kinds(findings: Sequence[Finding]) -> list[str]:
    return [finding.kind for finding in findings]


def test_two_songs_have_no_faults(folder: Folder) -> None:
    assert folder.audit([folder.clip("a.wav", SONG), folder.clip("b.wav", OTHER, "test", "metal")]) == []


@pytest.mark.parametrize(
    ("label", "kind", "detail"),
    [
        ("Metal", "names-alike", "classes 'Metal' (1 clip), 'metal' (0 clips)"),
        ("metal\u00a0", "names-alike", "classes 'metal' (0 clips), 'metal\\xa0' (1 clip)"),
        ("blues|metal", "names-joined", "'blues|metal' (1 clip) of blues, metal; 1 such"),
        ("nan", "names-empty", "'nan' (1 clip)"),
    ],
)
def test_class_whose_name_means_another_is_found(label: str, kind: str, detail: str, folder: Folder) -> None:
    clips = [folder.clip("a.wav", SONG), folder.clip("b.wav", OTHER, "test", label)]
    (finding,) = folder.audit(clips, task=replace(TASK, classes=("blues", label, "metal")))
    assert (finding.kind, finding.clips, finding.detail, finding.across) == (kind, ("b-wav",), detail, False)


def test_groups_that_may_be_one_are_found_across_splits(folder: Folder) -> None:
    clips = [
        folder.clip("a.wav", SONG, group="B.B. King"),
        folder.clip("b.wav", OTHER, "test", "metal", group="b.b. king"),
    ]
    (finding,) = folder.audit(clips)
    assert (finding.kind, finding.clips, finding.across) == ("names-alike", ("a-wav", "b-wav"), True)


@pytest.mark.parametrize(
    ("name", "samples"),
    [("b.mp3", SONG), ("b.wav", SONG / 2), ("b.wav", SONG[RATE // 2 :]), ("b.mp3", SONG[RATE // 2 :] / 2)],
    ids=["mp3", "-6 dB", "cut by 0.5 s", "all three"],
)
def test_planted_copy_across_splits_is_a_near_duplicate(name: str, samples: np.ndarray, folder: Folder) -> None:
    clips = [folder.clip("a.wav", SONG), folder.clip("c.wav", OTHER), folder.clip(name, samples, "test")]
    (finding,) = (f for f in folder.audit(clips) if f.kind != "duration")
    assert (finding.kind, finding.clips, finding.across) == ("near-duplicate", ("a-wav", name.replace(".", "-")), True)


def test_near_duplicate_tells_what_is_common_and_where(folder: Folder) -> None:
    findings = folder.audit([folder.clip("a.wav", SONG), folder.clip("b.wav", SONG[RATE // 2 :])])
    (detail,) = [f.detail for f in findings if f.kind == "near-duplicate"]
    assert detail == "3.5 s in common, 0.50 s earlier in the second, correlation 1.000"


def test_near_duplicate_of_duplicates_names_a_pair_across_splits(folder: Folder) -> None:
    clips = [folder.clip("a.wav", SONG), folder.clip("b.wav", SONG, "test"), folder.clip("c.mp3", SONG)]
    assert [f.clips for f in folder.audit(clips) if f.kind == "near-duplicate"] == [("b-wav", "c-mp3")]


def test_copy_within_a_split_is_not_across(folder: Folder) -> None:
    (finding,) = folder.audit([folder.clip("a.wav", SONG), folder.clip("b.wav", SONG)])
    assert not finding.across


def test_copy_is_across_if_any_fold_parts_it(folder: Folder) -> None:
    a, b = folder.clip("a.wav", SONG), folder.clip("b.wav", SONG)
    (finding,) = folder.audit([a, b], [a, replace(b, split="test")])
    assert finding.across


@pytest.mark.parametrize(
    ("name", "detail"), [("b.wav", "files of the same bytes"), ("b.flac", "the same samples in files of other bytes")]
)
def test_exact_duplicate_is_found_in_any_container(name: str, detail: str, folder: Folder) -> None:
    steps = np.round(SONG * 32767).astype(np.int16)  # or each container would round in its own way
    (finding,) = folder.audit([folder.clip("a.wav", steps), folder.clip(name, steps, "test")])
    assert (finding.kind, finding.detail) == ("exact-duplicate", detail)


def test_exact_duplicates_are_one_finding(folder: Folder) -> None:
    (finding,) = folder.audit([folder.clip(f"{name}.wav", SONG) for name in "abc"])
    assert finding.clips == ("a-wav", "b-wav", "c-wav")


def test_one_stretch_of_one_file_twice_is_an_exact_duplicate(folder: Folder) -> None:
    a = folder.clip("a.wav", SONG)
    (finding,) = folder.audit([a, replace(a, id="again", split="test")])
    assert (finding.kind, finding.detail) == ("exact-duplicate", "the same stretch of one file")


def stretches(folder: Folder, starts: Sequence[float], samples: np.ndarray) -> list[Clip]:
    whole = folder.clip("a.wav", samples, duration=SECONDS)
    splits = ("train", "test", "valid")
    return [replace(whole, id=f"at{start:g}", start=start, split=splits[k % 3]) for k, start in enumerate(starts)]


def test_stretches_of_one_file_are_no_duplicates(folder: Folder) -> None:
    """Not even where they sound alike: the second differs from the first by its gain alone."""
    assert folder.audit(stretches(folder, (0, 4), np.concatenate([SONG, SONG / 2]))) == []


def test_stretches_of_one_file_that_overlap_are_near_duplicates(folder: Folder) -> None:
    findings = folder.audit(stretches(folder, (0, 3, 7), np.concatenate([SONG, OTHER, SONG / 2])))
    assert [(f.kind, f.clips, f.across) for f in findings] == [("near-duplicate", ("at0", "at3"), True)]
    assert findings[0].detail == "stretches of one file that overlap by 1.0 s"


@pytest.mark.parametrize("name", ["b.wav", "b.mp3"])
def test_duplicates_of_other_labels_are_a_conflict(name: str, folder: Folder) -> None:
    findings = folder.audit([folder.clip("a.wav", SONG), folder.clip(name, SONG, label="metal")])
    (conflict,) = (f for f in findings if f.kind == "label-conflict")
    assert conflict.detail == f"a-wav is blues; {name.replace('.', '-')} is metal"


def test_a_label_that_nobody_judged_is_no_conflict(folder: Folder) -> None:
    a = folder.clip("a.wav", SONG)
    b = replace(folder.clip("b.wav", SONG), labels=("blues", "metal"))
    assert "label-conflict" in kinds(folder.audit([a, b]))
    assert "label-conflict" not in kinds(folder.audit([replace(a, unknown=("metal",)), b]))


def test_group_in_two_splits_is_found(folder: Folder) -> None:
    a, b = folder.clip("a.wav", SONG, group="Bo"), folder.clip("b.wav", OTHER, "test", group="Bo")
    (finding,) = folder.audit([a, b], [a, replace(b, split="train")])
    assert finding == Finding(
        "group-crosses-splits", ("a-wav", "b-wav"), "group 'Bo' is in test and train of fold 0", True
    )


def test_clips_without_a_group_cross_nothing(folder: Folder) -> None:
    assert folder.audit([folder.clip("a.wav", SONG), folder.clip("b.wav", OTHER, "test")]) == []


@pytest.mark.parametrize("content", [b"", b"no audio", None])
def test_file_that_cannot_be_decoded_is_unreadable(content: bytes | None, folder: Folder) -> None:
    clips = [folder.clip("a.wav", SONG), folder.clip("b.wav", OTHER)]
    if content is None:
        clips[1].path.unlink()  # type: ignore[union-attr]
    else:
        clips[1].path.write_bytes(content)  # type: ignore[union-attr]
    assert [(f.kind, f.clips) for f in folder.audit(clips)] == [("unreadable", ("b-wav",))]


def test_file_with_values_that_are_not_finite_is_unreadable(folder: Folder) -> None:
    clip = folder.clip("a.wav", SONG)
    soundfile.write(clip.path, np.full(4 * RATE, np.nan), RATE, subtype="FLOAT")
    assert kinds(folder.audit([clip])) == ["unreadable"]


def test_silence_is_found_and_no_duplicate_of_other_silence(folder: Folder) -> None:
    clips = [folder.clip(f"{name}.wav", np.zeros(4 * RATE)) for name in "ab"]
    assert kinds(folder.audit(clips)) == ["silence", "silence"]


def test_clipping_is_found(folder: Folder) -> None:
    (finding,) = folder.audit([folder.clip("a.wav", np.clip(8 * SONG, -1, 1))])
    assert finding.kind == "clipping"


def test_a_song_that_touches_full_scale_is_not_clipped(folder: Folder) -> None:
    assert folder.audit([folder.clip("a.wav", SONG / np.abs(SONG).max())]) == []


@pytest.mark.parametrize(("seconds", "expected"), [(3.5, ["duration"]), (3.7, []), (4.3, []), (4.5, ["duration"])])
def test_length_over_a_tenth_off_is_found(seconds: float, expected: list[str], folder: Folder) -> None:
    samples = song("jazz", np.random.default_rng(3), seconds=seconds, sample_rate=RATE)
    assert kinds(folder.audit([folder.clip("a.wav", samples)])) == expected


def test_length_is_free_where_the_task_has_none(folder: Folder) -> None:
    assert folder.audit([folder.clip("a.wav", SONG[:RATE])], task=replace(TASK, clip_seconds=0.0)) == []


def test_clips_without_audio_are_counted_and_the_others_heard(folder: Folder) -> None:
    lacking = Clip("c", None, "test", ("blues",))
    clips = [folder.clip("a.wav", SONG), folder.clip("b.wav", SONG, "test"), lacking]
    duplicate, absent = folder.audit(clips)
    assert (duplicate.kind, absent.kind, absent.clips) == ("exact-duplicate", "no-audio", ("c",))
    assert absent.detail.startswith("1 of 3 clips")


def test_pictures_are_compared_by_their_bytes(folder: Folder) -> None:
    from PIL import Image

    clips = []
    for name, split, shade in (("a", "train", 9), ("b", "test", 9), ("c", "test", 8)):
        path = folder.root / f"{name}.png"
        Image.new("RGB", (8, 8), (shade, 0, 0)).save(path)
        clips.append(Clip(name, path, split, ("blues",)))
    (finding,) = folder.audit(clips, task=replace(TASK, medium="picture"))
    assert (finding.kind, finding.clips, finding.across) == ("exact-duplicate", ("a", "b"), True)


def test_findings_across_splits_come_first(folder: Folder) -> None:
    clips = [
        folder.clip("a.wav", SONG), folder.clip("b.wav", SONG), folder.clip("c.wav", OTHER, group="Bo"),
        folder.clip("d.wav", song("pop", np.random.default_rng(4), seconds=4, sample_rate=RATE), "test", group="Bo"),
    ]  # fmt: skip
    assert kinds(folder.audit(clips)) == ["group-crosses-splits", "exact-duplicate"]


def test_each_stretch_is_decoded_once_for_all_folds_and_times(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [folder.clip("a.wav", SONG), folder.clip("b.wav", OTHER)]
    recorded, heard = audio.recorded, []
    monkeypatch.setattr(audio, "recorded", lambda place: heard.append(place.path.name) or recorded(place))
    folder.audit(clips, clips)
    folder.audit(clips)
    assert sorted(heard) == ["a.wav", "b.wav"]


def test_channels_that_cancel_are_found_and_no_silence(folder: Folder) -> None:
    for sign, name in ((-1, "exact.wav"), (-0.99, "nearly.wav")):
        clip = folder.clip(name, np.stack([SONG, sign * SONG], axis=1))
        (finding,) = folder.audit([clip])
        assert (finding.kind, "one of them is inverted" in finding.detail) == ("out-of-phase", True)


def test_samples_in_another_unit_are_found_and_no_clipping(folder: Folder) -> None:
    clip = folder.clip("a.wav", SONG)
    assert clip.path is not None
    soundfile.write(clip.path, SONG * 32768, RATE, subtype="FLOAT")
    (finding,) = folder.audit([clip])
    assert finding.kind == "out-of-scale"


def test_what_is_remembered_gives_the_same_findings(folder: Folder) -> None:
    clips = [folder.clip("a.wav", SONG), folder.clip("b.mp3", SONG, "test"), folder.clip("c.wav", np.zeros(RATE))]
    first = folder.audit(clips)
    assert folder.audit(clips) == first
    assert kinds(first) == ["near-duplicate", "silence", "duration"]


def test_a_file_that_changed_is_heard_again(folder: Folder) -> None:
    clips = [folder.clip("a.wav", SONG), folder.clip("b.wav", SONG, "test")]
    assert kinds(folder.audit(clips)) == ["exact-duplicate"]
    folder.clip("b.wav", OTHER[:-1])
    assert folder.audit(clips) == []


FINDINGS = [
    Finding("near-duplicate", ("a", "b"), "3.0 s in common", True),
    *(Finding("duration", (name,), "1.00 s", False) for name in "cdefg"),
    Finding("no-audio", tuple("stuvwxyz"), "8 of 20", False),
]


def test_summary_counts_by_kind_and_abridges() -> None:
    text = summary(FINDINGS, 20, lines=2)
    assert text.splitlines() == [
        "20 clips: 7 findings, 1 across splits",
        "",
        "near-duplicate: 1, 1 across splits (the same recording)",
        "  a, b: 3.0 s in common [across splits]",
        "",
        "duration: 5 (over 10 % from the nominal length)",
        "  c: 1.00 s",
        "  d: 1.00 s",
        "  … and 3 more",
        "",
        "no-audio: 1 (no audio on this machine)",
        "  s, t, u, v and 4 more: 8 of 20",
    ]


def test_summary_of_nothing_says_so() -> None:
    assert summary([], 20) == "20 clips: no faults found"


def test_json_holds_every_field() -> None:
    first = json.loads(as_json(FINDINGS))[0]
    assert first == {"kind": "near-duplicate", "clips": ["a", "b"], "detail": "3.0 s in common", "across": True}


def test_every_kind_is_told_in_the_summary() -> None:
    text = summary([Finding(kind, ("a",), "so", False) for kind in KINDS], 1)
    assert all(f"\n{kind}: 1 (" in text for kind in KINDS)


@pytest.mark.parametrize("grouped", [False, True])
def test_command_exits_with_1_where_something_crosses_splits_and_says_when_groups_are_unknown(
    grouped: bool, tmp_path: Path, typed: Callable[..., Answer]
) -> None:
    lines = ["path,label,split,group"]
    for n, split in enumerate(("train", "train", "valid", "valid", "test", "test")):
        noise = 0.1 * np.random.default_rng(n % 5).normal(size=RATE)  # the last is the first again
        soundfile.write(tmp_path / f"{n}.wav", noise, RATE)
        lines.append(f"{tmp_path / f'{n}.wav'},{'ab'[n % 2]},{split},{f'artist {n}' if grouped else ''}")
    (tmp_path / "songs.csv").write_text("\n".join(lines))
    answer = typed("data", "audit", f"csv:{tmp_path / 'songs.csv'}")
    assert (answer.code, "exact-duplicate: 1, 1 across splits" in answer.out) == (1, True)
    assert ("Groups (artists, albums) are not known here" in answer.out) is not grouped


def test_command_exits_with_1_where_a_file_cannot_be_heard(tmp_path: Path, typed: Callable[..., Answer]) -> None:
    lines = ["path,label,split"]
    for n, split in enumerate(("train", "train", "valid", "valid", "test", "test")):
        soundfile.write(tmp_path / f"{n}.wav", 0.1 * np.random.default_rng(n).normal(size=RATE), RATE)
        lines.append(f"{n}.wav,{'ab'[n % 2]},{split}")
    (tmp_path / "songs.csv").write_text("\n".join(lines))
    assert typed("data", "audit", f"csv:{tmp_path / 'songs.csv'}").code == 0
    (tmp_path / "3.wav").write_bytes(b"RIFF")
    answer = typed("data", "audit", f"csv:{tmp_path / 'songs.csv'}")
    assert (answer.code, "1 of the files could not be heard: whether it is in two splits" in answer.out) == (1, True)


@pytest.mark.real
@pytest.mark.slow
def test_gtzan_mini_holds_no_repeats_but_those_planted(shared: Path, folder: Folder) -> None:
    """Cross-correlating all pairs of clips finds none either. Planted in another split: MP3, -6 dB, 0.5 s less."""
    task = Catalogue().task("gtzan-mini")
    fold = read_task(task, shared / "data" / task.folder)[0]
    assert folder.audit(fold, task=task) == []
    copies = []
    for clip in [clip for clip in fold if clip.split == "train"][::6]:
        samples, rate = soundfile.read(clip.path, dtype="float32")  # type: ignore[arg-type]
        path = folder.root / f"{clip.id}.mp3"
        soundfile.write(path, samples[rate // 2 :] / 2, rate)
        copies.append(Clip(f"copy-of-{clip.id}", path, "test", clip.labels))
    findings = folder.audit([*fold, *copies], task=task)
    assert {f.clips for f in findings} == {(copy.id.removeprefix("copy-of-"), copy.id) for copy in copies}
    assert {(f.kind, f.across) for f in findings} == {("near-duplicate", True)}
