"""MagnaTagATune: which of 50 tags a clip of 29 s has; and whether its vocalist is a woman or a man.

The tagging task is the customary one: the 50 most frequent tags and the split by folder. ``vocalist-magnatagatune``
asks what the Vocalist set of shtern2017 asked, whose audio was never published, of clips that anyone can get.

References
----------
Law, West, Mandel, Bay, Downie (2009), Evaluation of algorithms using games: the case of music tagging, ISMIR.
Shtern, Ejaz, Tzerpos (2017).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mirbench.archive import Archive
from mirbench.errors import BadInput, MissingData
from mirbench.metrics import SINGLE_LABEL, TAGGING
from mirbench.tasks.layout import absent
from mirbench.tasks.shtern import PER_CLASS, reconstruction
from mirbench.tasks.splitting import draw_order, drawn_split
from mirbench.tasks.stand_in_music.stand_ins import Step, dealt, stand_in, write_scene
from mirbench.types import Clip, Task

__all__ = [
    "FEMALE", "MAGNATAGATUNE", "MAGNATAGATUNE_DEMO", "MALE", "NO_VOCAL", "TAGS", "VOCALIST_MAGNATAGATUNE",
    "VOCALIST_MAGNATAGATUNE_DEMO",
]  # fmt: skip

TAGS = (
    "ambient", "beat", "beats", "cello", "choir", "choral", "classic", "classical", "country", "dance", "drums",
    "electronic", "fast", "female", "female vocal", "female voice", "flute", "guitar", "harp", "harpsichord", "indian",
    "loud", "male", "male vocal", "male voice", "man", "metal", "new age", "no vocal", "no vocals", "no voice", "opera",
    "piano", "pop", "quiet", "rock", "singing", "sitar", "slow", "soft", "solo", "strings", "synth", "techno", "violin",
    "vocal", "vocals", "voice", "weird", "woman",
)  # fmt: skip
"""The 50 most frequent tags, as annotations_final.csv writes them, sorted."""

FEMALE = (
    "female", "female opera", "female singer", "female singing", "female vocal", "female vocals", "female voice",
    "girl", "soprano", "woman", "woman singing", "women",
)  # fmt: skip
MALE = (
    "male", "male opera", "male singer", "male vocal", "male vocals", "male voice", "man", "man singing", "men",
)  # fmt: skip
NO_VOCAL = ("instrumental", "no singer", "no singing", "no vocal", "no vocals", "no voice", "no voices")

BROKEN = (
    "6/norine_braun-now_and_zen-08-gently-117-146.mp3",
    "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233.mp3",
    "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_couperin-88-117.mp3",
)
"""Files of 0 bytes in the published archive (jordipons/musicnn-training, aux/mtt/partition_gt.py)."""

_ANNOTATIONS, _CLIP_INFO = "annotations_final.csv", "clip_info_final.csv"
_TRAIN, _VALID = "0123456789ab", "c"  # folders; the others are test


@dataclass(frozen=True)
class Annotated:
    """A row of the annotations: the clip's number, its file and those of its tags that were asked for."""

    id: str
    path: str
    tags: frozenset[str]


def _read_tagging(name: str, root: Path | None, fold: int) -> list[Clip]:
    rows, find = _annotated(name, root, TAGS)
    return [
        Clip(row.id, find(row.path), _by_folder(row.path), tuple(tag for tag in TAGS if tag in row.tags))
        for row in rows
        if row.tags
    ]


def _by_folder(path: str) -> str:
    return "train" if path[0] in _TRAIN else "valid" if path[0] in _VALID else "test"


def _read_vocalist(name: str, root: Path | None, fold: int) -> list[Clip]:
    rows, find = _annotated(name, root, (*FEMALE, *MALE, *NO_VOCAL))
    assert root is not None  # the annotations were read from it
    artists = {row["clip_id"]: row["artist"] for _, row in _rows(name, root / _CLIP_INFO, ("clip_id", "artist"))}
    clips = []
    for label, wanted in (("female", FEMALE), ("male", MALE)):
        fitting = [row for row in rows if row.tags and row.tags <= set(wanted)]
        for row in sorted(fitting, key=lambda row: draw_order(row.id))[:PER_CLASS]:
            if not artists.get(row.id):
                raise BadInput(f"{root / _CLIP_INFO}: names no artist of clip {row.id}, which is in {_ANNOTATIONS}")
            clips.append(Clip(row.id, find(row.path), "", (label,), group=artists[row.id]))
    return drawn_split(sorted(clips, key=lambda clip: int(clip.id)))


def _annotated(
    name: str, root: Path | None, tags: Sequence[str]
) -> tuple[list[Annotated], Callable[[str], Path | None]]:
    """Rows of the annotations by their numbers, without the broken files, and what finds a file by its path."""
    if root is None:
        raise MissingData(f"{name}: its clips are listed in {_ANNOTATIONS} of the data set")
    table = root / _ANNOTATIONS
    rows: dict[str, Annotated] = {}
    for where, row in _rows(name, table, ("clip_id", "mp3_path", *tags)):
        if not row["mp3_path"] or row["mp3_path"] in BROKEN:
            continue
        if not re.fullmatch(r"\d+", row["clip_id"]) or not re.fullmatch(r"[0-9a-f]/[^/\\]+\.mp3", row["mp3_path"]):
            raise BadInput(
                f"{where}: clip '{row['clip_id']}' with the file '{row['mp3_path']}'; a number and a path of the form "
                "6/name.mp3 are needed"
            )
        if strange := next((tag for tag in tags if row[tag] not in ("0", "1")), None):
            raise BadInput(f"{where}: '{row[strange]}' in the column {strange}; 0 or 1 is needed")
        if row["clip_id"] in rows:
            raise BadInput(f"{where}: clip {row['clip_id']} occurs twice")
        held = frozenset(tag for tag in tags if row[tag] == "1")
        rows[row["clip_id"]] = Annotated(row["clip_id"], row["mp3_path"], held)
    return [rows[clip_id] for clip_id in sorted(rows, key=int)], _finder(name, root)


def _rows(name: str, table: Path, columns: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Some columns of a tab-separated table, row by row, and where each stands.

    Raises
    ------
    MissingData
        If it is absent.
    BadInput
        If it is not such a table; names the line.
    """
    if not table.is_file():
        raise absent(name, f"{table} is missing")
    try:
        # names and titles may hold a letter in another encoding; tags and paths are ASCII
        with table.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
            reader = csv.reader(stream, delimiter="\t")
            header = next(reader, [])
            if lacking := [column for column in columns if column not in header]:
                raise BadInput(f"{table}, line 1: has no column {lacking[0]}, or is not separated by tabs")
            places = {column: header.index(column) for column in columns}
            for fields in reader:
                where = f"{table}, line {reader.line_num}"
                if len(fields) != len(header):
                    raise BadInput(f"{where}: {len(fields)} fields, the header has {len(header)}")
                yield where, {column: fields[place].strip() for column, place in places.items()}
    except (OSError, csv.Error) as error:
        raise BadInput(f"{table}: not readable as a tab-separated table ({error})") from error


def _finder(name: str, root: Path) -> Callable[[str], Path | None]:
    """What finds a clip's file, in the sixteen folders of the archive or in mp3/."""
    places = [place for place in (root, root / "mp3") if any((place / digit).is_dir() for digit in "0123456789abcdef")]
    if not places and (root / "mp3.zip.001").is_file():
        raise MissingData(
            f"{name}: the audio is still packed; in {root}: cat mp3.zip.001 mp3.zip.002 mp3.zip.003 > mp3_all.zip, "
            "then unzip mp3_all.zip"
        )

    def find(path: str) -> Path | None:
        return next((place / path for place in places if (place / path).is_file()), None)

    return find


_LAW = "Law, West, Mandel, Bay, Downie (2009), Evaluation of algorithms using games: the case of music tagging, ISMIR"
_SITES = ("https://mirg.city.ac.uk/datasets/magnatagatune", "http://mi.soi.city.ac.uk/datasets/magnatagatune")
_FILES = {
    _ANNOTATIONS: (None, ""),
    _CLIP_INFO: (None, ""),
    "mp3.zip.001": (1_100_000_000, "one of three parts, to be joined by hand (see the notes)"),
    "mp3.zip.002": (1_100_000_000, "part two"),
    "mp3.zip.003": (772_769_864, "part three"),
}


def _archives() -> tuple[Archive, ...]:
    tried = "addresses as public scripts have them, not tried by us; no checksum is published"
    return tuple(
        Archive(
            f"{_SITES[0]}/{file}",
            file,
            "",
            n_bytes=n_bytes,
            unpack=False,
            note="; ".join(part for part in (said, tried) if part),
            mirrors=(f"{_SITES[1]}/{file}",),
        )
        for file, (n_bytes, said) in _FILES.items()
    )


_LAYOUT = (
    f"layout: magnatagatune/{_ANNOTATIONS}, {_CLIP_INFO}, and the folders 0 to f of the archive (or mp3/0 to mp3/f)",
    "`mirbench data get` leaves the audio in three parts; in the folder: cat mp3.zip.001 mp3.zip.002 mp3.zip.003 > "
    "mp3_all.zip, then unzip mp3_all.zip (2.97 GB)",
    "three files of 0 bytes are left out, which partition_gt.py of jordipons/musicnn-training names",
)

MAGNATAGATUNE = Task(
    name="magnatagatune",
    version="1",
    title="MagnaTagATune tagging, the 50 most frequent tags",
    kind="multi-label",
    classes=TAGS,
    metrics=TAGGING,
    read_clips=partial(_read_tagging, "magnatagatune"),
    folder="magnatagatune",
    n_clips=21_108,
    clip_seconds=29.0,
    datasets=("magnatagatune",),
    archives=_archives(),
    reference=f"{_LAW}; split as in jordipons/musicnn-training and minzwon/sota-music-tagging-models",
    license="CC BY-NC-SA 3.0",
    notes=(
        *_LAYOUT,
        "15,247 train (folders 0 to b), 1,529 valid (c), 4,332 test (d to f); clips with none of the 50 tags are left "
        "out (counts: minzwon/sota-music-tagging-models, issue 25); not tried by us",
        "artists cross splits, so that scores are optimistic, and clips have no group; albums should not, since the "
        "data set's cut_clips.py puts an album into one folder",
        "columns are the tags as annotations_final.csv writes them, sorted; published lists order them in three other "
        "ways: outputs of pretrained taggers are mapped by name",
        "players of a game gave the tags: synonyms stand side by side, and what was not said is not absent for sure",
    ),
    demo="magnatagatune-demo",
)

VOCALIST_MAGNATAGATUNE = Task(
    name="vocalist-magnatagatune",
    version="1",
    title="Female or male vocalist, clips of MagnaTagATune",
    kind="single-label",
    classes=("female", "male"),
    metrics=SINGLE_LABEL,
    read_clips=partial(_read_vocalist, "vocalist-magnatagatune"),
    folder="magnatagatune",
    n_clips=0,
    clip_seconds=29.0,
    manifest=True,
    datasets=("magnatagatune",),
    archives=_archives(),
    reference=f"{_LAW}; after the Vocalist set of Shtern, Ejaz, Tzerpos (2017)",
    license="CC BY-NC-SA 3.0",
    notes=(
        reconstruction("Vocalist"),
        *_LAYOUT,
        f"female: one or more of {', '.join(FEMALE)}; male: of {', '.join(MALE)}; none of the other, and none of "
        f"{', '.join(NO_VOCAL)}",
        f"of each at most {PER_CLASS}, the first by the SHA-256 of '0|clip_id'; how many there are is known once the "
        "annotations are read: they could not be tried here",
        f"split drawn 70/15/15, stratified, each artist of {_CLIP_INFO} in one split",
        "players of a game gave the tags: some will be wrong",
    ),
    demo="vocalist-magnatagatune-demo",
)

_DEMO_SECONDS, _DEMO_VERSION = 4.0, "1"
_DEMO_FOLDERS = {"0123456789ab": 54, "c": 18, "def": 24}  # clips that go round each
_DEMO_VOICES = 24  # clips a class; two in a row are one artist's


def _write_tables(root: Path, rows: Sequence[tuple[str, str, Sequence[str]]]) -> None:
    """Annotations and clip info in the published form, of (artist, path, tags); clips are numbered from 2 on."""
    tags = sorted({*TAGS, *FEMALE, *MALE, *NO_VOCAL})
    info = (
        "clip_id", "track_number", "title", "artist", "album", "url", "segmentStart", "segmentEnd", "original_url",
        "mp3_path",
    )  # fmt: skip
    annotations: list[Sequence[object]] = [("clip_id", *tags, "mp3_path")]
    clips: list[Sequence[object]] = [info]
    for clip_id, (artist, path, held) in enumerate(rows, 2):
        annotations.append((clip_id, *(int(tag in held) for tag in tags), path))
        clips.append((clip_id, 1, f"Title {clip_id}", artist, "Album", "", 0, round(_DEMO_SECONDS), "", path))
    for file, table in ((_ANNOTATIONS, annotations), (_CLIP_INFO, clips)):
        with (root / file).open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table)


def _synthesise_tagging(root: Path, step: Step) -> None:
    """The official layout: two tables, and clips in sixteen folders."""
    rows = []
    for part, (folders, n_clips) in enumerate(_DEMO_FOLDERS.items()):
        for number, kinds in enumerate(dealt(len(TAGS), n_clips, [188, part])):
            path = f"{folders[number % len(folders)]}/nobody-album-{number:02}-title-0-4.mp3"
            write_scene(root / path, kinds, len(TAGS), [188, part, number], _DEMO_SECONDS)
            rows.append(("Nobody", path, [TAGS[kind] for kind in kinds]))
            step(1)
    _write_tables(root, rows)


def _synthesise_vocalist(root: Path, step: Step) -> None:
    """The same layout, with two voices under all their synonyms."""
    rows = []
    for kind, synonyms in enumerate((FEMALE, MALE)):
        for number in range(_DEMO_VOICES):
            artist = f"singer_{2 * (number // 2) + kind}"
            path = f"{number % 16:x}/{artist}-album-{number:02}-title-0-4.mp3"
            write_scene(root / path, [kind], 2, [2, kind, number], _DEMO_SECONDS)
            rows.append((artist, path, ["vocal", synonyms[number % len(synonyms)]]))
            step(1)
    _write_tables(root, rows)


_TAGGING_DEMO = stand_in(MAGNATAGATUNE, _synthesise_tagging, sum(_DEMO_FOLDERS.values()), _DEMO_SECONDS, _DEMO_VERSION)
MAGNATAGATUNE_DEMO = replace(_TAGGING_DEMO, read_clips=partial(_read_tagging, _TAGGING_DEMO.name))
_VOCALIST_DEMO = stand_in(VOCALIST_MAGNATAGATUNE, _synthesise_vocalist, 2 * _DEMO_VOICES, _DEMO_SECONDS, _DEMO_VERSION)
VOCALIST_MAGNATAGATUNE_DEMO = replace(
    _VOCALIST_DEMO,
    folder="vocalist-magnatagatune_demo",  # not that of the other stand-in
    read_clips=partial(_read_vocalist, _VOCALIST_DEMO.name),
    manifest=False,
)
