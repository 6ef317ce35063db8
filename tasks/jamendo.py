"""MTG-Jamendo: which of 50 tags a whole track has; and two sets of shtern2017, built again from public music.

The labels and the artist-disjoint splits are the data set's own (split-0), read from its published tables. The authors
of shtern2017 never published the audio of their Instrument and Short Genre sets; ``guitar-type-jamendo`` and
``genre-3-jamendo`` ask the same of tracks that anyone can get, as many a class as the paper had.

References
----------
Bogdanov, Won, Tovstogan, Porter, Serra (2019), The MTG-Jamendo dataset for automatic music tagging, ML4MD, ICML.
Shtern, Ejaz, Tzerpos (2017).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mirbench.archive import Archive
from mirbench.errors import BadInput, MissingData
from mirbench.metrics import SINGLE_LABEL, TAGGING
from mirbench.tasks.layout import absent
from mirbench.tasks.shtern import PER_CLASS, reconstruction
from mirbench.tasks.splitting import draw_order
from mirbench.tasks.stand_in_music.stand_ins import Step, dealt, stand_in, write_scene
from mirbench.types import Clip, Task

__all__ = [
    "GENRE_3_JAMENDO", "GENRE_3_JAMENDO_DEMO", "GUITAR_TYPE_JAMENDO", "GUITAR_TYPE_JAMENDO_DEMO", "JAMENDO_TOP50",
    "JAMENDO_TOP50_DEMO", "TAGS",
]  # fmt: skip

_GENRES = (
    "alternative", "ambient", "atmospheric", "chillout", "classical", "dance", "downtempo", "easylistening",
    "electronic", "experimental", "folk", "funk", "hiphop", "house", "indie", "instrumentalpop", "jazz", "lounge",
    "metal", "newage", "orchestral", "pop", "popfolk", "poprock", "reggae", "rock", "soundtrack", "techno", "trance",
    "triphop", "world",
)  # fmt: skip
_INSTRUMENTS = (
    "acousticguitar", "bass", "computer", "drummachine", "drums", "electricguitar", "electricpiano", "guitar",
    "keyboard", "piano", "strings", "synthesizer", "violin", "voice",
)  # fmt: skip
_MOODS = ("emotional", "energetic", "film", "happy", "relaxing")

TAGS = (
    *(f"genre---{name}" for name in _GENRES),
    *(f"instrument---{name}" for name in _INSTRUMENTS),
    *(f"mood/theme---{name}" for name in _MOODS),
)
"""The 50 most frequent tags (the data set's data/tags/top50.txt), sorted."""

_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
_COLUMNS = ("TRACK_ID", "ARTIST_ID", "PATH", "DURATION", "TAGS")
_TABLES = ("data/splits/split-0", "splits/split-0", "mtg-jamendo-dataset/data/splits/split-0", "")
_AUDIO = (("audio", ".mp3"), ("audio-low", ".low.mp3"), ("", ".mp3"), ("", ".low.mp3"))


@dataclass(frozen=True)
class Stretch:
    """What is heard of a track: `seconds` from `start` on, of tracks that are longer than both together."""

    start: float
    seconds: float


@dataclass(frozen=True)
class Track:
    """A row of a table: `path` is NN/ID.mp3, `seconds` the length of the whole track, `where` the file and the line."""

    where: str
    id: str
    artist: str
    path: str
    seconds: float
    tags: tuple[str, ...]
    split: str


def _read_tagging(name: str, root: Path | None, fold: int) -> list[Clip]:
    tracks = _tracks(name, root, "top50tags")
    for track in tracks:
        if strange := sorted(set(track.tags) - set(TAGS)):
            raise BadInput(f"{track.where}: the tag '{strange[0]}' is none of the 50")
    find = _finder(root)
    return [_clip(track, tuple(sorted(set(track.tags))), find) for track in tracks]


def _read_chosen(
    name: str, subset: str, classes: Mapping[str, str], stretch: Stretch, root: Path | None, fold: int
) -> list[Clip]:
    """Tracks with exactly one of some tags, the first `PER_CLASS` of a fixed draw of each; `classes` are by tag."""
    held: dict[str, list[Track]] = {tag: [] for tag in classes}
    for track in _tracks(name, root, subset):
        tags = set(track.tags) & set(classes)
        if len(tags) == 1 and track.seconds > stretch.start + stretch.seconds:
            held[tags.pop()].append(track)
    find = _finder(root)
    clips = [
        replace(_clip(track, (classes[tag],), find), start=stretch.start, duration=stretch.seconds)
        for tag, tracks in held.items()
        for track in sorted(tracks, key=lambda track: draw_order(track.id))[:PER_CLASS]
    ]
    return sorted(clips, key=lambda clip: clip.id)


def _clip(track: Track, labels: tuple[str, ...], find: Callable[[str], Path | None]) -> Clip:
    return Clip(track.id, find(track.path), track.split, labels, group=track.artist)


def _tracks(name: str, root: Path | None, subset: str) -> list[Track]:
    """Tracks of a subset's split-0 by their ids, whatever the order of the tables."""
    files = {split: f"autotagging_{subset}-{word}.tsv" for split, word in _SPLITS.items()}
    if root is None:
        raise MissingData(f"{name}: its tracks are listed in data/splits/split-0/{files['train']} of the data set")
    folder = next((root / part for part in _TABLES if (root / part / files["train"]).is_file()), None)
    if folder is None:
        raise absent(name, f"{root} holds no {_TABLES[0]}/{files['train']}", fetched="the tables")
    found: dict[str, Track] = {}
    for split, file in files.items():
        if not (folder / file).is_file():
            raise MissingData(f"{name}: {folder / file} is missing; it comes with the others, in data.zip")
        for track in _table(folder / file, split):
            if track.id in found:
                raise BadInput(f"{track.where}: {track.id} stands in {found[track.id].where} already")
            found[track.id] = track
    return [found[track_id] for track_id in sorted(found)]


def _table(path: Path, split: str) -> list[Track]:
    """Tracks of one table, in which a row goes on with tags, separated by tabs, to its end.

    Raises
    ------
    BadInput
        If it is not such a table; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not readable as a table in UTF-8 ({error})") from error
    header = [field.strip() for field in lines[0].split("\t")]
    if not set(_COLUMNS) <= set(header) or header[-1] != "TAGS":
        raise BadInput(f"{path}, line 1: the columns {', '.join(_COLUMNS)}, the last of them TAGS, are needed")
    rows = [(number, line) for number, line in enumerate(lines[1:], 2) if line.strip()]
    return [_track(f"{path}, line {number}", header, line, split) for number, line in rows]


def _track(where: str, header: Sequence[str], line: str, split: str) -> Track:
    fields = [field.strip() for field in line.split("\t")]
    tags = tuple(tag for tag in fields[len(header) - 1 :] if tag)
    if not tags:
        raise BadInput(f"{where}: {', '.join(header[:-1])} and one tag or more are needed; it is '{line.strip()[:80]}'")
    row = dict(zip(header, fields, strict=False))
    if not row["TRACK_ID"] or not row["ARTIST_ID"]:
        raise BadInput(f"{where}: has no track or no artist")
    if not re.fullmatch(r"\d\d/\d+\.mp3", row["PATH"]):
        raise BadInput(f"{where}: the path '{row['PATH']}' is not of the form 34/786434.mp3")
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", row["DURATION"]):
        raise BadInput(f"{where}: the duration '{row['DURATION']}' is no number of seconds")
    return Track(where, row["TRACK_ID"], row["ARTIST_ID"], row["PATH"], float(row["DURATION"]), tags, split)


def _finder(root: Path | None) -> Callable[[str], Path | None]:
    """What finds the audio of a track by its path in the tables, in full quality or in low."""
    assert root is not None  # the tables were read from it
    places = [(root / folder, suffix) for folder, suffix in _AUDIO if (root / folder).is_dir()]

    def find(path: str) -> Path | None:
        candidates = (folder / f"{path.removesuffix('.mp3')}{suffix}" for folder, suffix in places)
        return next((candidate for candidate in candidates if candidate.is_file()), None)

    return find


_BOGDANOV = (
    "Bogdanov, Won, Tovstogan, Porter, Serra (2019), The MTG-Jamendo dataset for automatic music tagging, ML4MD, ICML"
)
_METADATA = Archive(
    "https://zenodo.org/record/3826813/files/data.zip?download=1",
    "data.zip",
    "md5:039ce10f267f6e4e9f72837c76d72b2f",
    note="the tables alone, no audio; address and md5 from mirdata's loader, not tried by us",
)
_LAYOUT = (
    "layout: mtg-jamendo/data/splits/split-0/autotagging_*-{train,validation,test}.tsv (or the tables in the folder "
    "itself) and audio/NN/ID.mp3 or audio-low/NN/ID.low.mp3 (or NN/… in the folder itself)",
    "audio is 508 GB (audio) or 156 GB (audio-low, mono, `lame -V 2`) in 100 tars; in a clone of "
    "github.com/MTG/mtg-jamendo-dataset, once the last folder is made: python3 scripts/download/download.py --dataset "
    "raw_30s --type audio-low --unpack --remove ROOT/mtg-jamendo/audio-low. It checks tars and tracks against the "
    "sha256 published in data/download/raw_30s_audio-low_sha256_{tars,tracks}.txt; not tried by us",
)
_OFFICIAL = "the official split-0, made so that no artist is in two splits; group: the artist"


def _card(name: str, title: str, notes: tuple[str, ...]) -> Task:
    """What the three tasks share; kind, classes and reader are those of the tagging task."""
    return Task(
        name=name,
        version="1",
        title=title,
        kind="multi-label",
        classes=TAGS,
        metrics=TAGGING,
        read_clips=partial(_read_tagging, name),
        folder="mtg-jamendo",
        n_clips=0,
        clip_seconds=0.0,
        datasets=("mtg-jamendo",),
        archives=(_METADATA,),
        reference=_BOGDANOV,
        license="tracks: Creative Commons, each its own (audio_licenses.txt); metadata: CC BY-NC-SA 4.0",
        notes=(*_LAYOUT, _OFFICIAL, *notes),
        demo=f"{name}-demo",
    )


def _chosen_card(
    name: str, title: str, subset: str, classes: Mapping[str, str], printed: str, notes: tuple[str, ...]
) -> Task:
    return replace(
        _card(name, title, ()),
        kind="single-label",
        classes=tuple(classes.values()),
        metrics=SINGLE_LABEL,
        read_clips=partial(_read_chosen, name, subset, classes, Stretch(30.0, 30.0)),
        clip_seconds=30.0,
        manifest=True,
        reference=f"{_BOGDANOV}; after the {printed} set of Shtern, Ejaz, Tzerpos (2017)",
        notes=(
            reconstruction(printed),
            f"tracks of autotagging_{subset} with exactly one of {', '.join(classes)} that are longer than 60 s; of "
            f"each at most {PER_CLASS}, the first by the SHA-256 of '0|TRACK_ID'; heard from second 30 to 60",
            "how many there are is known once the tables are read: they could not be tried here",
            *_LAYOUT,
            _OFFICIAL,
            *notes,
        ),
    )


JAMENDO_TOP50 = _card(
    "mtg-jamendo-top50",
    "MTG-Jamendo tagging, the 50 most frequent tags, whole tracks",
    (
        "autotagging_top50tags.tsv lists 54,380 tracks (README); how many split-0 has of them is known once it is read",
        "columns are the tags as the tables write them, sorted; outputs of pretrained taggers are mapped by name",
    ),
)
_GUITARS = {"instrument---acousticguitar": "acoustic", "instrument---classicalguitar": "classical"}
GUITAR_TYPE_JAMENDO = _chosen_card(
    "guitar-type-jamendo",
    "Acoustic or classical guitar, 30 s of tracks of MTG-Jamendo",
    "instrument",
    _GUITARS,
    "Instrument",
    (
        "tags are the uploaders': other instruments may sound too. The data set has 1,947 tracks tagged acousticguitar "
        "and 721 tagged classicalguitar (its stats/)",
    ),
)
_THREE_GENRES = {"genre---classical": "classical", "genre---metal": "metal", "genre---rock": "rock"}
GENRE_3_JAMENDO = _chosen_card(
    "genre-3-jamendo",
    "Classical, metal or rock, 30 s of tracks of MTG-Jamendo",
    "genre",
    _THREE_GENRES,
    "Short Genre",
    (
        "tags are the uploaders', and a track may have other genres besides. The data set has 5,602 tracks tagged "
        "classical, 1,435 metal and 6,865 rock (its stats/)",
    ),
)

_DEMO_VERSION = "1"
_DEMO_SECONDS, _DEMO_SPLITS = 4.0, {"train": 54, "valid": 18, "test": 24}
_CHOSEN_STRETCH, _CHOSEN_SPLITS = Stretch(0.25, 4.0), {"train": 12, "valid": 4, "test": 6}  # tracks a class


def _synthesise(
    root: Path, step: Step, subset: str, tags: Sequence[str], seconds: float, hands: Mapping[str, Sequence[list[int]]]
) -> None:
    """The official layout: three tables, and short tracks in low quality.

    Parameters
    ----------
    hands : mapping of str to sequence of list of int
        Numbers of the tags of each track, by split.
    """
    folder = root / _TABLES[0]
    folder.mkdir(parents=True)
    number = 1000
    for split, tracks in hands.items():
        lines = ["TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"]
        for place, kinds in enumerate(tracks):
            number += 7
            artist = number - 7 * (place % 2)  # two tracks in a row are one artist's
            path = f"{number % 100:02}/{number}"
            write_scene(root / "audio-low" / f"{path}.low.mp3", kinds, len(tags), [len(tags), number], seconds)
            start = f"track_{number:07}\tartist_{artist:06}\talbum_{artist:06}\t{path}.mp3\t{seconds:.1f}"
            lines.append("\t".join([start, *(tags[kind] for kind in kinds)]))
            step(1)
        (folder / f"autotagging_{subset}-{_SPLITS[split]}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _synthesise_tagging(root: Path, step: Step) -> None:
    hands = {split: dealt(len(TAGS), n, [50, part]) for part, (split, n) in enumerate(_DEMO_SPLITS.items())}
    _synthesise(root, step, "top50tags", TAGS, _DEMO_SECONDS, hands)


def _chosen_demo(task: Task, subset: str, classes: Mapping[str, str]) -> Task:
    """A stand-in of which four seconds are heard, since synthesising whole minutes takes long."""
    seconds = _CHOSEN_STRETCH.start + _CHOSEN_STRETCH.seconds + 0.5

    def synthesise(root: Path, step: Step) -> None:
        hands = {
            split: [[kind] for kind in range(len(classes)) for _ in range(n)] for split, n in _CHOSEN_SPLITS.items()
        }
        _synthesise(root, step, subset, list(classes), seconds, hands)

    n_clips = len(classes) * sum(_CHOSEN_SPLITS.values())
    demo = stand_in(task, synthesise, n_clips, _CHOSEN_STRETCH.seconds, _DEMO_VERSION)
    read_clips = partial(_read_chosen, demo.name, subset, classes, _CHOSEN_STRETCH)
    return _own_folder(replace(demo, read_clips=read_clips))


def _own_folder(demo: Task) -> Task:
    """The three stand-ins do not share one folder as their tasks do."""
    return replace(demo, folder=demo.name.replace("-demo", "_demo"), manifest=False)


_TOP50_DEMO = stand_in(JAMENDO_TOP50, _synthesise_tagging, sum(_DEMO_SPLITS.values()), _DEMO_SECONDS, _DEMO_VERSION)
JAMENDO_TOP50_DEMO = _own_folder(replace(_TOP50_DEMO, read_clips=partial(_read_tagging, _TOP50_DEMO.name)))
GUITAR_TYPE_JAMENDO_DEMO = _chosen_demo(GUITAR_TYPE_JAMENDO, "instrument", _GUITARS)
GENRE_3_JAMENDO_DEMO = _chosen_demo(GENRE_3_JAMENDO, "genre", _THREE_GENRES)
