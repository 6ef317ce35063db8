"""NSynth: single notes. The leak-free task on its own splits, and the three sets of shtern2017 built from it.

shtern2017 names no instruments and prints only how many notes each class has. Here a class takes its notes from whole
instruments of the training archive, those with the most notes first (then by name), until the printed number is
reached; which notes those are is written beside the records.

References
----------
Engel et al. (2017), Neural audio synthesis of musical notes with WaveNet autoencoders, ICML. Shtern, Ejaz, Tzerpos
(2017), the sets Family, Instrument and Organ.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mirbench.archive import Archive
from mirbench.errors import BadInput, MissingData
from mirbench.metrics import SINGLE_LABEL
from mirbench.tasks.layout import absent
from mirbench.tasks.retrain import retrain_split
from mirbench.tasks.stand_in_music.stand_ins import SAMPLE_RATE, Step, stand_in
from mirbench.types import Clip, Task

__all__ = [
    "FAMILIES", "NSYNTH_FAMILIES", "NSYNTH_FAMILIES_DEMO", "NSYNTH_FAMILY", "NSYNTH_FAMILY_DEMO", "NSYNTH_INSTRUMENT",
    "NSYNTH_INSTRUMENT_DEMO", "NSYNTH_ORGAN", "NSYNTH_ORGAN_DEMO",
]  # fmt: skip

FAMILIES = (
    "bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal",
)  # fmt: skip
SOURCES = ("acoustic", "electronic", "synthetic")
ACOUSTIC = ("brass", "flute", "guitar", "keyboard", "mallet", "reed", "string", "vocal")
ORGANS = ("organ-a", "organ-b")
VELOCITIES = (25, 50, 75, 100, 127)
LOWEST, HIGHEST = 21, 108  # MIDI pitches of a piano; a few notes lie outside

_SPLITS = ("train", "valid", "test")
_PER_FAMILY = 880
_PER_INSTRUMENT = (880, 880, 880, 760, 730, 690, 670, 650)  # printed; which family has which is not
_PER_ORGAN = 440
_DEMO_PITCHES, _DEMO_VELOCITIES = range(36, 72, 3), (25, 75, 127)
_DEMO_NOTES = len(_DEMO_PITCHES) * len(_DEMO_VELOCITIES)
_DEMO_SECONDS, _DEMO_VERSION = 4.0, "1"


@dataclass(frozen=True)
class _Note:
    """What examples.json says of a note, as far as it is needed."""

    name: str
    instrument: str
    family: str
    source: str
    pitch: int
    velocity: int


_Select = Callable[[Sequence[_Note]], Mapping[str, Sequence[_Note]]]
"""What takes the notes of each class from those of the train archive."""


def _archive_folder(task: str, root: Path | None, split: str) -> Path:
    if root is None:
        raise MissingData(f"{task}: its labels are in the examples.json of NSynth's archives")
    folder = root / f"nsynth-{split}"
    if not (folder / "examples.json").is_file():
        raise absent(task, f"{folder} holds no examples.json")
    return folder


def _notes(folder: Path) -> list[_Note]:
    path = folder / "examples.json"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        notes = [
            _Note(
                name, str(about["instrument_str"]), str(about["instrument_family_str"]),
                str(about["instrument_source_str"]), int(about["pitch"]), int(about["velocity"]),
            )
            for name, about in held.items()
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadInput(f"{path}: not NSynth's list of notes ({type(error).__name__}: {error})") from error
    # names become paths: a list from elsewhere must not lead out of the folder
    if strange := next((note for note in notes if not _consistent(note)), None):
        raise BadInput(f"{path}: {strange.name!r} is not called after what it is, family_source_000-pitch-velocity")
    return notes


def _consistent(note: _Note) -> bool:
    known = note.family in FAMILIES and note.source in SOURCES
    number = note.instrument.removeprefix(f"{note.family}_{note.source}_")
    called = f"{note.family}_{note.source}_{number}-{note.pitch:03}-{note.velocity:03}"
    return known and bool(re.fullmatch(r"[0-9]{3}", number)) and note.name == called


def _files(folder: Path) -> set[str]:
    audio = folder / "audio"
    return set(os.listdir(audio)) if audio.is_dir() else set()


def _clips(folder: Path, labelled: Iterable[tuple[str, _Note, str, str]]) -> list[Clip]:
    """Clips from (label, note, split, group)."""
    files = _files(folder)
    return [
        Clip(
            note.name, folder / "audio" / f"{note.name}.wav" if f"{note.name}.wav" in files else None, split, (label,),
            group=group,
        )
        for label, note, split, group in labelled
    ]  # fmt: skip


def _read_families(root: Path | None, fold: int) -> list[Clip]:
    """The official splits. Valid and test share instruments, so that valid's clips name no group."""
    clips = []
    for split in _SPLITS:
        folder = _archive_folder("nsynth-families", root, split)
        notes = sorted(_notes(folder), key=lambda note: note.name)
        clips += _clips(folder, ((n.family, n, split, "" if split == "valid" else n.instrument) for n in notes))
    return clips


def _take(notes: Sequence[_Note], count: int, what: str) -> list[_Note]:
    """The first notes of whole instruments, those with the most notes first."""
    by_instrument = _by_instrument(notes)
    order = sorted(by_instrument, key=lambda name: (-len(by_instrument[name]), name))
    taken = [note for name in order for note in by_instrument[name]][:count]
    if len(taken) < count:
        raise BadInput(f"NSynth's train archive holds {len(taken)} notes of {what}, {count} are needed: is it whole?")
    return taken


def _by_instrument(notes: Iterable[_Note]) -> dict[str, list[_Note]]:
    found: dict[str, list[_Note]] = defaultdict(list)
    for note in sorted(notes, key=lambda note: (note.instrument, note.pitch, note.velocity)):
        if LOWEST <= note.pitch <= HIGHEST:
            found[note.instrument].append(note)
    return found


def _family(notes: Sequence[_Note], count: int) -> dict[str, list[_Note]]:
    keyboards = [note for note in notes if note.family == "keyboard"]
    return {s: _take([n for n in keyboards if n.source == s], count, f"{s} keyboards") for s in SOURCES}


def _instrument(notes: Sequence[_Note], counts: Sequence[int]) -> dict[str, list[_Note]]:
    """The larger a family's two largest instruments, the more of its notes; equals in the order of their names."""
    acoustic = {family: [n for n in notes if n.family == family and n.source == "acoustic"] for family in ACOUSTIC}

    def largest_two(family: str) -> int:
        return sum(sorted(map(len, _by_instrument(acoustic[family]).values()), reverse=True)[:2])

    order = sorted(ACOUSTIC, key=lambda family: (-largest_two(family), family))
    return {f: _take(acoustic[f], n, f"acoustic {f}") for f, n in zip(order, sorted(counts, reverse=True), strict=True)}


def _organ(notes: Sequence[_Note], count: int) -> dict[str, list[_Note]]:
    organs = _by_instrument(note for note in notes if note.family == "organ" and note.source == "electronic")
    full = sorted(organs, key=lambda name: (-len(organs[name]), name))[: len(ORGANS)]
    if len(full) < len(ORGANS) or len(organs[full[-1]]) < count:
        raise BadInput(f"NSynth's train archive holds no two electronic organs of {count} notes: is it whole?")
    return {label: organs[name][:count] for label, name in zip(ORGANS, full, strict=True)}


def _read_chosen(task: str, select: _Select, root: Path | None, fold: int) -> list[Clip]:
    """One of shtern2017's sets, with the paper's split: by the hash of "class/note.jpg"."""
    folder = _archive_folder(task, root, "train")
    chosen = select(_notes(folder))
    return _clips(
        folder,
        (
            (label, note, retrain_split(f"{label}/{note.name}.jpg"), "")
            for label in sorted(chosen)
            for note in chosen[label]
        ),
    )


_ADDRESS = "https://storage.googleapis.com/download.magenta.tensorflow.org/datasets/nsynth"
_TRAIN, _VALID, _TEST = (
    Archive(
        f"{_ADDRESS}/nsynth-{split}.jsonwav.tar.gz",
        f"nsynth-{split}.jsonwav.tar.gz",
        f"md5:{md5}",
        n_bytes=n_bytes,
        note="address, md5 and size from public loaders (hearpreprocess among them), not tried by us",
        mirrors=(f"http://download.magenta.tensorflow.org/datasets/nsynth/nsynth-{split}.jsonwav.tar.gz",),
    )
    for split, md5, n_bytes in (
        ("train", "fde6665a93865503ba598b9fac388660", 23_815_298_079),
        ("valid", "87e94a00a19b6dbc99cf6d4c0c0cae87", 1_068_767_009),
        ("test", "5e6f8719bf7e16ad0a00d518b78af77d", 349_501_546),
    )
)

_ENGEL = "Engel et al. (2017), Neural audio synthesis of musical notes with WaveNet autoencoders, ICML"
_SHTERN = "Shtern, Ejaz, Tzerpos (2017)"
_LAYOUT = "layout: nsynth/nsynth-{train,valid,test}/examples.json and audio/<note>.wav, 4 s, 16 kHz mono"
_RULE = (
    "the paper names no instruments: each class takes notes (pitch 21 to 108) of whole instruments of the train "
    "archive, those with the most notes first, until the printed number; the list is written beside the records"
)
_LEAK = (
    "the paper's split, by a hash of each note's name: the same instruments are in train and test, so it measures "
    "memory of instruments; nsynth-families is the task without that leak"
)


def _card(
    name: str,
    title: str,
    classes: tuple[str, ...],
    read_clips: Callable[[Path | None, int], list[Clip]],
    n_clips: int,
    notes: tuple[str, ...],
) -> Task:
    return Task(
        name=name,
        version="1",
        title=title,
        kind="single-label",
        classes=classes,
        metrics=SINGLE_LABEL,
        read_clips=read_clips,
        folder="nsynth",
        n_clips=n_clips,
        clip_seconds=4.0,
        manifest=name != "nsynth-families",
        datasets=("nsynth",),
        archives=(_TRAIN, _VALID, _TEST) if name == "nsynth-families" else (_TRAIN,),
        reference=_ENGEL if name == "nsynth-families" else f"{_ENGEL}; the set of {_SHTERN}",
        license="CC BY 4.0",
        notes=(_LAYOUT, *notes),
        demo=f"{name}-demo",
    )


NSYNTH_FAMILIES = _card(
    "nsynth-families",
    "NSynth instrument families on its own splits, which share no instrument between train and test",
    FAMILIES,
    _read_families,
    305_979,
    (
        "289,205 train, 12,678 valid, 4,096 test; no instrument of train is in valid or test, which share theirs, so "
        "that +resplit and +folds would scatter instruments",
        "synth_lead occurs in train alone: it has no AUC, and no F1 unless it is predicted; means run over the others",
        "known faults: 0.8 % of test lies outside pitches 21 to 108; 71 test notes of brass_acoustic_046 are noise",
    ),
)

NSYNTH_FAMILY = _card(
    "nsynth-family",
    "Acoustic, electronic or synthetic keyboard (NSynth Family of shtern2017)",
    SOURCES,
    partial(_read_chosen, "nsynth-family", partial(_family, count=_PER_FAMILY)),
    len(SOURCES) * _PER_FAMILY,
    (_RULE, _LEAK, "880 notes a class are two instruments of 88 pitches and 5 velocities"),
)

NSYNTH_INSTRUMENT = _card(
    "nsynth-instrument",
    "Eight acoustic instrument families (NSynth Instrument of shtern2017)",
    ACOUSTIC,
    partial(_read_chosen, "nsynth-instrument", partial(_instrument, counts=_PER_INSTRUMENT)),
    sum(_PER_INSTRUMENT),
    (
        _RULE,
        _LEAK,
        "printed: 880, 880, 880, 760, 730, 690, 670, 650, and not which family has which; here the larger its two "
        "largest instruments, the more notes a family gives",
    ),
)

NSYNTH_ORGAN = _card(
    "nsynth-organ",
    "Which of two electronic organs (NSynth Organ of shtern2017)",
    ORGANS,
    partial(_read_chosen, "nsynth-organ", partial(_organ, count=_PER_ORGAN)),
    len(ORGANS) * _PER_ORGAN,
    (_RULE, _LEAK, "its two classes are two instruments: a split without common instruments cannot exist"),
)


def _synthesise(root: Path, step: Step, instruments: Mapping[str, Sequence[str]]) -> None:
    """The official layout: archives by split, each with the given instruments ("family_source_000")."""
    import soundfile

    from mirbench.tasks.stand_in_music.voices import note as sound

    every = sorted({name for names in instruments.values() for name in names})
    grid = [(pitch, velocity) for pitch in _DEMO_PITCHES for velocity in _DEMO_VELOCITIES]
    # valid and test hold different notes of the same instruments, as in the real archives
    parts = {"train": grid, "valid": grid[::2], "test": grid[1::2]}
    for split, names in instruments.items():
        folder = root / f"nsynth-{split}"
        (folder / "audio").mkdir(parents=True)
        listed = {}
        for name in names:
            family, _, source = name.rpartition("_")[0].rpartition("_")
            kind = every.index(name)
            for pitch, velocity in parts[split]:
                note = f"{name}-{pitch:03}-{velocity:03}"
                rng = np.random.default_rng([kind, pitch, velocity])
                audio = sound(kind, len(every), pitch, velocity, rng, seconds=_DEMO_SECONDS, sample_rate=SAMPLE_RATE)
                soundfile.write(folder / "audio" / f"{note}.wav", audio, SAMPLE_RATE)
                listed[note] = {
                    "note_str": note, "instrument_str": name, "pitch": pitch, "velocity": velocity,
                    "sample_rate": SAMPLE_RATE, "instrument_family_str": family, "instrument_source_str": source,
                }  # fmt: skip
                step(1)
        (folder / "examples.json").write_text(json.dumps(listed))


def _demo(task: Task, instruments: Mapping[str, Sequence[str]], select: _Select | None = None) -> Task:
    # the notes of an instrument are parted between valid and test
    n_notes = (len(instruments["train"]) + len(instruments.get("test", ()))) * _DEMO_NOTES
    demo = stand_in(task, partial(_synthesise, instruments=instruments), n_notes, _DEMO_SECONDS, _DEMO_VERSION)
    read_clips = task.read_clips if select is None else partial(_read_chosen, demo.name, select)
    return replace(demo, folder=demo.name.replace("-", "_"), read_clips=read_clips)


NSYNTH_FAMILIES_DEMO = _demo(
    NSYNTH_FAMILIES,
    {
        "train": [f"{family}_acoustic_000" for family in FAMILIES],
        "valid": [f"{family}_acoustic_001" for family in FAMILIES if family != "synth_lead"],
        "test": [f"{family}_acoustic_001" for family in FAMILIES if family != "synth_lead"],
    },
)
NSYNTH_FAMILY_DEMO = _demo(
    NSYNTH_FAMILY,
    {"train": [f"keyboard_{source}_{k:03}" for source in SOURCES for k in range(2)]},
    partial(_family, count=2 * _DEMO_NOTES),
)
NSYNTH_INSTRUMENT_DEMO = _demo(
    NSYNTH_INSTRUMENT,
    {"train": [f"{family}_acoustic_000" for family in ACOUSTIC]},
    partial(_instrument, counts=[_DEMO_NOTES] * len(ACOUSTIC)),
)
NSYNTH_ORGAN_DEMO = _demo(
    NSYNTH_ORGAN,
    {"train": ["organ_electronic_000", "organ_electronic_001"]},
    partial(_organ, count=_DEMO_NOTES),
)
