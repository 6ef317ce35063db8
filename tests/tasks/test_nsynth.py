"""NSynth: the published lists of notes, its own splits, and the three sets of shtern2017 built by a rule."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mirbench.errors import BadInput, MissingData
from mirbench.features.datasets import read_task
from mirbench.progress import Progress
from mirbench.runs.store import RunStore
from mirbench.tasks import archives, nsynth
from mirbench.tasks.nsynth import (
    ACOUSTIC,
    FAMILIES,
    NSYNTH_FAMILIES,
    NSYNTH_FAMILIES_DEMO,
    NSYNTH_FAMILY,
    NSYNTH_FAMILY_DEMO,
    NSYNTH_INSTRUMENT,
    NSYNTH_INSTRUMENT_DEMO,
    NSYNTH_ORGAN,
    NSYNTH_ORGAN_DEMO,
    SOURCES,
    VELOCITIES,
)  # fmt: skip
from mirbench.tasks.retrain import retrain_split
from mirbench.trust.checks import check_clips, check_data, check_task
from mirbench.types import Clip, Task

QUIET = Progress(quiet=True)
SETS = (NSYNTH_FAMILY, NSYNTH_INSTRUMENT, NSYNTH_ORGAN)
TASKS = (NSYNTH_FAMILIES, *SETS)
DEMOS = (NSYNTH_FAMILIES_DEMO, NSYNTH_FAMILY_DEMO, NSYNTH_INSTRUMENT_DEMO, NSYNTH_ORGAN_DEMO)
PIANO = range(21, 109)
Notes = dict[str, dict[str, Any]]

by_name = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
by_set = pytest.mark.parametrize("task", SETS, ids=lambda task: task.name)

# an entry of the published file
PUBLISHED: Notes = {
    "bass_synthetic_068-049-025": {
        "qualities": [0, 1, 0, 0, 0, 0, 0, 0, 0, 0], "pitch": 49, "note": 217499, "instrument_source_str": "synthetic",
        "velocity": 25, "instrument_str": "bass_synthetic_068", "instrument": 656, "sample_rate": 16000,
        "qualities_str": ["dark"], "instrument_source": 2, "note_str": "bass_synthetic_068-049-025",
        "instrument_family": 0, "instrument_family_str": "bass",
    }
}  # fmt: skip


def instrument(name: str, pitches: Iterable[int] = PIANO, velocities: Iterable[int] = VELOCITIES) -> Notes:
    """The notes of an instrument as examples.json describes them."""
    family, _, source = name.rpartition("_")[0].rpartition("_")
    velocities = list(velocities)
    return {
        f"{name}-{pitch:03}-{velocity:03}": {
            "note": 1, "note_str": f"{name}-{pitch:03}-{velocity:03}", "instrument": 7, "instrument_str": name,
            "pitch": pitch, "velocity": velocity, "sample_rate": 16000, "qualities": [0] * 10, "qualities_str": [],
            "instrument_family": 0, "instrument_family_str": family, "instrument_source": 0,
            "instrument_source_str": source,
        }
        for pitch in pitches for velocity in velocities
    }  # fmt: skip


def ensemble(sizes: Mapping[str, int]) -> Notes:
    """Instruments of all velocities on as many pitches as given."""
    notes: Notes = {}
    for name, n_pitches in sizes.items():
        notes |= instrument(name, PIANO[:n_pitches])
    return notes


def plant(root: Path, **archives: Notes | str) -> Path:
    """Lists of notes; no audio. Without a list, a split has one note of a bass of its own."""
    for number, split in enumerate(("train", "valid", "test")):
        folder = root / f"nsynth-{split}"
        folder.mkdir(parents=True, exist_ok=True)
        held = archives.get(split, instrument(f"bass_electronic_{number:03}", [60], [25]))
        (folder / "examples.json").write_text(held if isinstance(held, str) else json.dumps(held))
    return root


def read(task: Task, root: Path) -> dict[str, Clip]:
    return {clip.id: clip for clip in task.read_clips(root, 0)}


def per_class(clips: Mapping[str, Clip]) -> dict[str, int]:
    return dict(Counter(clip.labels[0] for clip in clips.values()))


def instruments(clips: Mapping[str, Clip], label: str) -> dict[str, int]:
    """Notes of each instrument in a class."""
    return dict(Counter(name.partition("-")[0] for name, clip in clips.items() if clip.labels == (label,)))


def refusal(task: Task, root: Path) -> str:
    """The one line that refuses what lies in a folder."""
    with pytest.raises(BadInput) as caught:
        task.read_clips(root, 0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


KEYBOARDS = {f"keyboard_{source}_{number:03}": 88 for source in SOURCES for number in range(3)}
# the printed numbers are two instruments of 88, 88, 88, 76, 73, 69, 67 and 65 pitches
TWICE = dict(zip(ACOUSTIC, (76, 88, 65, 88, 67, 88, 73, 69), strict=True))
BANDS = {f"{family}_acoustic_{number:03}": n for family, n in TWICE.items() for number in range(2)}
FULL = dict.fromkeys(BANDS, 88)
ORGANS = {"organ_electronic_000": 40, "organ_electronic_007": 88, "organ_electronic_003": 88}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that holds what the three sets need, and more."""
    notes = ensemble({**KEYBOARDS, **BANDS, **ORGANS, "organ_acoustic_000": 88, "guitar_synthetic_000": 88})
    return plant(tmp_path_factory.mktemp("nsynth"), train=notes)


@pytest.fixture(scope="module")
def sets(whole: Path) -> Mapping[str, dict[str, Clip]]:
    """The clips of the three sets, by name of the set."""
    return {task.name: read(task, whole) for task in SETS}


Sets = Mapping[str, dict[str, Clip]]

# Cards


@pytest.mark.parametrize("task", [*TASKS, *DEMOS], ids=lambda task: task.name)
def test_card_conforms(task: Task) -> None:
    assert check_task(task) == []


def test_sets_have_the_printed_numbers_of_clips() -> None:
    assert [task.n_clips for task in SETS] == [3 * 880, 6140, 2 * 440]


def test_sets_are_written_beside_the_records_and_the_official_splits_are_not() -> None:
    assert [task.manifest for task in TASKS] == [False, True, True, True]


def test_sets_need_the_training_archive_alone() -> None:
    names = [[archive.file_name for archive in task.archives] for task in TASKS]
    every = [f"nsynth-{split}.jsonwav.tar.gz" for split in ("train", "valid", "test")]
    assert names == [every, every[:1], every[:1], every[:1]]


# The three sets


@by_set
def test_set_conforms(task: Task, sets: Sets) -> None:
    assert check_clips(task, (tuple(sets[task.name].values()),)) == []


def test_family_has_880_notes_of_each_keyboard(sets: Sets) -> None:
    assert per_class(sets[NSYNTH_FAMILY.name]) == {"acoustic": 880, "electronic": 880, "synthetic": 880}


def test_instrument_has_the_printed_numbers(sets: Sets) -> None:
    counts = sorted(per_class(sets[NSYNTH_INSTRUMENT.name]).values(), reverse=True)
    assert counts == [880, 880, 880, 760, 730, 690, 670, 650]


def test_instrument_takes_more_of_families_with_larger_instruments(sets: Sets) -> None:
    assert per_class(sets[NSYNTH_INSTRUMENT.name]) == {family: 10 * n for family, n in TWICE.items()}


def test_instrument_families_of_one_size_are_taken_by_name(tmp_path: Path) -> None:
    found = per_class(read(NSYNTH_INSTRUMENT, plant(tmp_path, train=ensemble(FULL))))
    assert [found[family] for family in sorted(ACOUSTIC)] == [880, 880, 880, 760, 730, 690, 670, 650]


def test_instrument_goes_by_the_two_largest_and_not_by_all(tmp_path: Path) -> None:
    many = {f"vocal_acoustic_{number:03}": 40 for number in range(9)}  # 360 pitches, but 80 in the two largest
    sizes = {name: n for name, n in FULL.items() if not name.startswith("vocal")} | many
    assert per_class(read(NSYNTH_INSTRUMENT, plant(tmp_path, train=ensemble(sizes))))["vocal"] == 650


def test_organ_has_440_notes_of_each(sets: Sets) -> None:
    assert per_class(sets[NSYNTH_ORGAN.name]) == {"organ-a": 440, "organ-b": 440}


def test_organ_takes_the_two_largest_in_the_order_of_their_names(sets: Sets) -> None:
    found = sets[NSYNTH_ORGAN.name]
    assert [instruments(found, label) for label in ("organ-a", "organ-b")] == [
        {"organ_electronic_003": 440}, {"organ_electronic_007": 440}
    ]  # fmt: skip


def test_organ_leaves_acoustic_organs_aside(sets: Sets) -> None:
    assert not any(name.startswith("organ_acoustic") for name in sets[NSYNTH_ORGAN.name])


@by_set
def test_set_takes_whole_instruments_where_they_fit(task: Task, whole: Path, sets: Sets) -> None:
    found = sets[task.name]
    held = Counter(name.partition("-")[0] for name in json.loads((whole / "nsynth-train/examples.json").read_text()))
    assert all(held[name] == n for label in task.classes for name, n in instruments(found, label).items())


def test_family_takes_full_instruments_before_partial_ones(tmp_path: Path) -> None:
    sizes = KEYBOARDS | {"keyboard_acoustic_000": 87, "keyboard_acoustic_001": 20}
    sizes |= {"keyboard_acoustic_008": 88, "keyboard_acoustic_009": 88}
    found = read(NSYNTH_FAMILY, plant(tmp_path, train=ensemble(sizes)))
    assert instruments(found, "acoustic") == {"keyboard_acoustic_002": 440, "keyboard_acoustic_008": 440}


def test_family_takes_instruments_of_one_size_by_name(sets: Sets) -> None:
    found = instruments(sets[NSYNTH_FAMILY.name], "synthetic")
    assert set(found) == {"keyboard_synthetic_000", "keyboard_synthetic_001"}


def test_family_fills_up_with_a_part_of_the_next_instrument(tmp_path: Path) -> None:
    sizes = {**KEYBOARDS, "keyboard_electronic_000": 80, "keyboard_electronic_001": 70, "keyboard_electronic_002": 60}
    found = instruments(read(NSYNTH_FAMILY, plant(tmp_path, train=ensemble(sizes))), "electronic")
    assert found == {"keyboard_electronic_000": 400, "keyboard_electronic_001": 350, "keyboard_electronic_002": 130}


def test_family_takes_the_lowest_notes_of_a_part(tmp_path: Path) -> None:
    sizes = {**KEYBOARDS, "keyboard_electronic_001": 80, "keyboard_electronic_002": 80}
    found = read(NSYNTH_FAMILY, plant(tmp_path, train=ensemble(sizes)))
    part = sorted(name for name in found if name.startswith("keyboard_electronic_002"))
    assert (len(part), part[-1]) == (40, "keyboard_electronic_002-028-127")


def test_notes_outside_a_piano_are_left_out(tmp_path: Path) -> None:
    beyond = instrument("keyboard_acoustic_000", [0, 19, 20, 109, 110, 127])
    found = read(NSYNTH_FAMILY, plant(tmp_path, train=ensemble(KEYBOARDS) | beyond))
    assert {int(name.split("-")[1]) for name in found} == set(range(21, 109))


def test_notes_outside_a_piano_do_not_make_an_instrument_larger(tmp_path: Path) -> None:
    wide = instrument("keyboard_acoustic_009", range(10, 97))  # 87 pitches, 76 of them on a piano
    found = read(NSYNTH_FAMILY, plant(tmp_path, train=ensemble(KEYBOARDS) | wide))
    assert "keyboard_acoustic_009" not in instruments(found, "acoustic")


@by_set
def test_set_does_not_depend_on_the_order_of_the_list(task: Task, whole: Path, sets: Sets, tmp_path: Path) -> None:
    notes = list(json.loads((whole / "nsynth-train/examples.json").read_text()).items())
    random.Random(0).shuffle(notes)
    shuffled = plant(tmp_path, train=dict(notes))
    assert task.read_clips(shuffled, 0) == list(sets[task.name].values())


@by_set
def test_set_is_split_by_the_hash_of_class_and_note(task: Task, sets: Sets) -> None:
    found = sets[task.name]
    assert all(clip.split == retrain_split(f"{clip.labels[0]}/{name}.jpg") for name, clip in found.items())


@by_set
def test_set_has_its_instruments_on_both_sides_of_the_split(task: Task, sets: Sets) -> None:
    """The leak of the paper's split, which the card tells of."""
    tested, learnt = (
        {name.partition("-")[0] for name, clip in sets[task.name].items() if clip.split == split}
        for split in ("test", "train")
    )
    assert (tested == learnt, any("same instruments are in train and test" in note for note in task.notes)) == (
        True, True
    )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "sizes", "says"),
    [
        (NSYNTH_FAMILY, KEYBOARDS | dict.fromkeys([f"keyboard_synthetic_{n:03}" for n in range(3)], 58),
         "holds 870 notes of synthetic keyboards, 880 are needed"),
        (NSYNTH_INSTRUMENT, {name: n for name, n in FULL.items() if "brass" not in name},
         "holds 0 notes of acoustic brass, 650 are needed"),
        (NSYNTH_ORGAN, {"organ_electronic_000": 88, "organ_electronic_001": 87}, "no two electronic organs of 440"),
        (NSYNTH_ORGAN, {"organ_electronic_000": 88}, "no two electronic organs of 440"),
        (NSYNTH_ORGAN, {}, "no two electronic organs of 440"),
    ],
    ids=["keyboards", "brass", "partial organ", "one organ", "no organ"],
)  # fmt: skip
def test_set_of_too_few_notes_is_one_line(task: Task, sizes: Mapping[str, int], says: str, tmp_path: Path) -> None:
    line = refusal(task, plant(tmp_path, train=ensemble(sizes)))
    assert (says in line, line.endswith("is it whole?")) == (True, True)


# The official splits


def official(root: Path) -> Path:
    """Two families; valid and test hold different notes of the same instruments."""
    train = instrument("bass_acoustic_000", [10, 60]) | instrument("synth_lead_synthetic_000", [60])
    valid, test = (instrument("bass_acoustic_001", [pitch]) for pitch in (60, 61))
    return plant(root, train=train, valid=valid, test=test)


def test_families_take_the_official_splits(tmp_path: Path) -> None:
    found = read(NSYNTH_FAMILIES, official(tmp_path))
    assert Counter(clip.split for clip in found.values()) == {"train": 15, "valid": 5, "test": 5}


def test_families_label_a_name_of_two_words(tmp_path: Path) -> None:
    found = read(NSYNTH_FAMILIES, official(tmp_path))
    assert found["synth_lead_synthetic_000-060-025"].labels == ("synth_lead",)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_label_each_family(family: str, tmp_path: Path) -> None:
    (clip, *_) = read(NSYNTH_FAMILIES, plant(tmp_path, train=instrument(f"{family}_synthetic_000", [60]))).values()
    assert (clip.id.startswith(family), clip.labels) == (True, (family,))


def test_families_read_a_published_entry(tmp_path: Path) -> None:
    clip = read(NSYNTH_FAMILIES, plant(tmp_path, train=PUBLISHED))["bass_synthetic_068-049-025"]
    assert (clip.labels, clip.split, clip.group) == (("bass",), "train", "bass_synthetic_068")


def test_families_keep_notes_outside_a_piano(tmp_path: Path) -> None:
    assert "bass_acoustic_000-010-025" in read(NSYNTH_FAMILIES, official(tmp_path))


def test_families_group_train_and_test_by_instrument_and_valid_not_at_all(tmp_path: Path) -> None:
    found = read(NSYNTH_FAMILIES, official(tmp_path)).values()
    groups = {split: {clip.group for clip in found if clip.split == split} for split in ("train", "valid", "test")}
    assert groups == {
        "train": {"bass_acoustic_000", "synth_lead_synthetic_000"}, "valid": {""}, "test": {"bass_acoustic_001"}
    }  # fmt: skip


def test_families_conform_but_for_their_number(tmp_path: Path) -> None:
    (problem,) = check_clips(NSYNTH_FAMILIES, read_task(NSYNTH_FAMILIES, official(tmp_path)))
    assert problem == "25 clips, the card says 305979"


def test_families_with_an_instrument_in_train_and_test_are_told_by_the_check(tmp_path: Path) -> None:
    root = plant(tmp_path, train=instrument("bass_acoustic_001", [60]), test=instrument("bass_acoustic_001", [61]))
    problems = check_clips(NSYNTH_FAMILIES, read_task(NSYNTH_FAMILIES, root))
    assert any(problem.startswith("group 'bass_acoustic_001' is in test and train") for problem in problems)


def test_families_do_not_depend_on_the_order_of_the_list(tmp_path: Path) -> None:
    notes = instrument("bass_acoustic_000", PIANO)
    there = plant(tmp_path / "a", train=notes)
    back = plant(tmp_path / "b", train=dict(reversed(notes.items())))
    assert list(read(NSYNTH_FAMILIES, there)) == list(read(NSYNTH_FAMILIES, back))


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_families_without_an_archive_say_which(split: str, tmp_path: Path) -> None:
    (official(tmp_path) / f"nsynth-{split}" / "examples.json").unlink()
    with pytest.raises(MissingData, match=rf"nsynth-families: \S+/nsynth-{split} holds no examples.json; .*data get"):
        read(NSYNTH_FAMILIES, tmp_path)


# The list of notes


@by_name
def test_without_a_folder_nothing_is_known(task: Task) -> None:
    with pytest.raises(MissingData, match=rf"{task.name}: its labels are in the examples.json"):
        task.read_clips(None, 0)


@by_name
def test_without_the_training_archive_the_data_is_asked_for(task: Task, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=rf"{task.name}: \S+ holds no examples.json; `mirbench show {task.name}`"):
        task.read_clips(tmp_path, 0)


@pytest.mark.parametrize(
    "name",
    ["../bass_acoustic_000-060-025", "bass_acoustic_000-060-025/../../x", "/etc/passwd", "", "bass_acoustic_0-60-25",
     "bass_wooden_000-060-025", "bass_acoustic_000-060-025\n", "..\\bass_acoustic_000-060-025"],
)  # fmt: skip
@by_name
def test_name_that_is_no_note_is_refused(name: str, task: Task, tmp_path: Path) -> None:
    entry = next(iter(instrument("bass_acoustic_000", [60]).values()))
    line = refusal(task, plant(tmp_path, train={name: {**entry, "note_str": name}}))
    assert "nsynth-train/examples.json" in line


def changed(**fields: Any) -> str:
    (name, entry), *_ = instrument("bass_acoustic_000", [60]).items()
    return json.dumps({name: {key: value for key, value in {**entry, **fields}.items() if value is not None}})


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "[1]", "1", '{"bass_acoustic_000-060-025": null}', '{"bass_acoustic_000-060-025": 7}',
        changed(pitch=None), changed(instrument_family_str=None), changed(instrument_str=None), changed(pitch="high"),
        changed(pitch=float("inf")), changed(pitch=[60]), "[" * 200_000,
    ],
    ids=["empty", "broken", "no notes", "list", "number", "null", "no fields", "no pitch", "no family",
         "no instrument", "pitch in words", "pitch without end", "pitch in a list", "deep"],
)  # fmt: skip
def test_list_that_is_none_is_one_line(text: str, tmp_path: Path) -> None:
    assert "nsynth-train/examples.json: not NSynth's list of notes" in refusal(
        NSYNTH_FAMILIES, plant(tmp_path, train=text)
    )


def test_list_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    (official(tmp_path) / "nsynth-train" / "examples.json").write_bytes(b"\xff\xfe{}")
    assert "not NSynth's list of notes" in refusal(NSYNTH_FAMILIES, tmp_path)


@pytest.mark.parametrize(
    "fields",
    [{"instrument_family_str": "kazoo"}, {"instrument_family_str": "brass"}, {"instrument_str": "bass_acoustic_001"},
     {"instrument_source_str": "electronic"}, {"pitch": 61}],
    ids=["unknown family", "family", "instrument", "source", "pitch"],
)  # fmt: skip
def test_note_that_its_own_name_contradicts_is_refused(fields: dict[str, Any], tmp_path: Path) -> None:
    assert "bass_acoustic_000-060-025" in refusal(NSYNTH_FAMILIES, plant(tmp_path, train=changed(**fields)))


# Audio


@by_set
def test_audio_that_is_missing_is_no_path(task: Task, sets: Sets) -> None:
    assert {clip.path for clip in sets[task.name].values()} == {None}


def test_audio_lies_beside_its_list(tmp_path: Path) -> None:
    path = official(tmp_path) / "nsynth-test" / "audio" / "bass_acoustic_001-061-025.wav"
    path.parent.mkdir()
    path.touch()
    found = {clip.id: clip.path for clip in read(NSYNTH_FAMILIES, tmp_path).values() if clip.path}
    assert found == {"bass_acoustic_001-061-025": path}


def test_audio_of_another_split_is_not_taken(tmp_path: Path) -> None:
    folder = official(tmp_path) / "nsynth-train" / "audio"
    folder.mkdir()
    (folder / "bass_acoustic_001-061-025.wav").touch()
    assert {clip.path for clip in read(NSYNTH_FAMILIES, tmp_path).values()} == {None}


# The command line


@by_name
def test_show_prints_the_layout(task: Task, typed: Any) -> None:
    code, out, _ = typed("show", task.name)
    assert (code, "nsynth-{train,valid,test}/examples.json" in " ".join(out.split())) == (0, True)


def test_data_check_without_audio_says_so(typed: Any, whole: Path) -> None:
    code, _, err = typed("data", "check", "nsynth-organ", "--data", whole)
    assert (code, "880 of 880 clips have no audio" in err, "Traceback" in err) == (2, True, False)


def test_run_of_prior_needs_no_audio_and_writes_the_notes_chosen(typed: Any, whole: Path) -> None:
    typed("run", "--task", "nsynth-organ", "--method", "prior", "--data", whole, "--seeds", "1", "--quiet")
    (_, record) = next(RunStore(Path("runs")).records())
    lists = [path for path in Path("runs").rglob("*.csv") if "organ_electronic_003-021-025" in path.read_text()]
    assert (record.status, sum(record.n_clips.values()), len(lists)) == ("done", 880, 1)


def test_run_on_too_few_notes_is_one_line(typed: Any, tmp_path: Path) -> None:
    root = plant(tmp_path / "set", train=ensemble({"organ_electronic_000": 88}))
    words = ("--task", "nsynth-organ", "--method", "prior", "--data", root, "--seeds", "1", "--quiet")
    code, out, err = typed("run", *words)
    assert (code, out, err.count("\n"), "is it whole?" in err) == (2, "", 1, True)


def test_data_get_fetches_what_a_smaller_set_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The five tasks share a folder, and the sets of shtern2017 need the training archive alone."""

    def fetched(archive: Any, folder: Path, progress: Progress) -> Path:
        split = archive.file_name.partition(".")[0]
        (folder / split).mkdir(parents=True)
        (folder / split / "examples.json").write_text("{}")
        return archives_of(folder, split)

    def archives_of(folder: Path, split: str) -> Path:
        import tarfile

        path = folder / f"{split}.tar"
        with tarfile.open(path, "w") as tarred:
            tarred.add(folder / split / "examples.json", f"{split}/examples.json")
        return path

    monkeypatch.setattr(archives, "_fetch_any", fetched)
    for task in (NSYNTH_ORGAN, NSYNTH_FAMILIES):
        archives.get_task(task, tmp_path, QUIET)
    places = [tmp_path / NSYNTH_FAMILIES.folder / f"nsynth-{split}" / "examples.json" for split in ("train", "valid")]
    assert [path.is_file() for path in places] == [True, True]


# The stand-ins


def noise(
    kind: int, n_kinds: int, pitch: int, velocity: int, rng: np.random.Generator, *, seconds: float, sample_rate: int
) -> np.ndarray:
    return rng.uniform(-0.5, 0.5, round(seconds * sample_rate)).astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Every stand-in, of shorter notes; of noise, but for organs: `test_conformance` makes the whole of them."""
    folders = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nsynth, "_DEMO_SECONDS", 0.2)
        for task in sorted(DEMOS, key=lambda task: task is not NSYNTH_ORGAN_DEMO):
            if task is not NSYNTH_ORGAN_DEMO:
                patch.setattr("mirbench.tasks.stand_in_music.voices.note", noise)
            folders[task.name] = tmp_path_factory.mktemp(task.name)
            assert task.synthesise is not None
            task.synthesise(folders[task.name], lambda n: None)
    return folders


by_demo = pytest.mark.parametrize("task", DEMOS, ids=lambda task: task.name)


@by_demo
@pytest.mark.slow
def test_demo_conforms(task: Task, made: Mapping[str, Path], tmp_path: Path) -> None:
    short = replace(task, clip_seconds=0.2)
    assert check_data(short, made[task.name], tmp_path, QUIET) == []


@by_demo
def test_demo_lists_what_it_holds(task: Task, made: Mapping[str, Path]) -> None:
    for folder in made[task.name].iterdir():
        listed = set(json.loads((folder / "examples.json").read_text()))
        assert {path.stem for path in (folder / "audio").iterdir()} == listed


@by_demo
def test_demo_is_of_the_published_sample_rate(task: Task, made: Mapping[str, Path]) -> None:
    info = soundfile.info(str(next(made[task.name].rglob("*.wav"))))
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")


@by_demo
def test_demo_has_its_classes_in_train_and_test(task: Task, made: Mapping[str, Path]) -> None:
    clips = task.read_clips(made[task.name], 0)
    found = {split: {clip.labels[0] for clip in clips if clip.split == split} for split in ("train", "test")}
    left = {"synth_lead"} if task is NSYNTH_FAMILIES_DEMO else set()  # as in the published splits
    assert found == {"train": set(task.classes), "test": set(task.classes) - left}


def test_demo_is_the_same_each_time(made: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nsynth, "_DEMO_SECONDS", 0.2)
    assert NSYNTH_ORGAN_DEMO.synthesise is not None
    NSYNTH_ORGAN_DEMO.synthesise(tmp_path, lambda n: None)
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (made["nsynth-organ-demo"], tmp_path)
    )
    assert first == second


def test_demo_notes_of_one_instrument_differ(made: Mapping[str, Path]) -> None:
    heard = [soundfile.read(path)[0] for path in sorted(made["nsynth-organ-demo"].rglob("organ_electronic_000*.wav"))]
    assert not any(np.array_equal(a, b) for a, b in itertools.pairwise(heard))
