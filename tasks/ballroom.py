"""Extended Ballroom: which of 13 dances, 30 s previews; and the subsets of shtern2017.

The split is shtern2017's, by a hash of each file's name. What its authors list as duplicates (the same recording,
another version, another speed, a karaoke version) is kept in one split, which the paper did not do.

References
----------
Marchand, Peeters (2016), The Extended Ballroom dataset, ISMIR late-breaking session. Shtern, Ejaz, Tzerpos (2017).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from mirbench.errors import BadInput, MissingData
from mirbench.metrics import SINGLE_LABEL
from mirbench.tasks.retrain import retrain_split
from mirbench.tasks.stand_in_music.stand_ins import Step, names_by_split, stand_in, write_scene
from mirbench.types import Clip, Task

__all__ = [
    "BALLROOM", "BALLROOM2", "BALLROOM2_DEMO", "BALLROOM7", "BALLROOM7_DEMO", "BALLROOM8", "BALLROOM8_DEMO",
    "BALLROOM9", "BALLROOM9_DEMO", "BALLROOM_DEMO", "METADATA", "N_TRACKS", "Track", "listed", "placed", "split_of",
]  # fmt: skip

N_TRACKS: Mapping[str, int] = {
    "Chacha": 455, "Foxtrot": 507, "Jive": 350, "Pasodoble": 53, "Quickstep": 497, "Rumba": 470, "Salsa": 47,
    "Samba": 468, "Slowwaltz": 65, "Tango": 464, "Viennesewaltz": 252, "Waltz": 529, "Wcswing": 23,
}  # fmt: skip
"""Tracks of each dance (shtern2017, Table 1), under the names of their folders."""

METADATA = "extendedballroom_v1.1.xml"
_DEMO_SECONDS, _DEMO_VERSION = 4.0, "1"
_DEMO_SPLITS = {"train": 8, "valid": 2, "test": 4}  # and a duplicate of the first
_LINKS = ("exact", "version", "time", "karaoke")


class Track(NamedTuple):
    """A line of the list of tracks.

    Parameters
    ----------
    linked : tuple of str
        Ids of the tracks that the authors call its duplicates.
    bpm : str
        Its tempo as it stands there, or "".
    """

    dance: str
    linked: tuple[str, ...]
    bpm: str


def listed(task: str, root: Path | None) -> tuple[Path, dict[str, Track]]:
    """The folder of Extended Ballroom and its tracks by their ids.

    Parameters
    ----------
    task : str
        Who asks, for messages.
    root : Path or None
        The folder, or what it lies in.

    Raises
    ------
    MissingData
        If the list of tracks is not there.
    BadInput
        If it is not that list.
    """
    if root is None:
        raise MissingData(f"{task}: its tracks are listed in {METADATA} of the data set")
    folder = next((path for path in (root, root / "extendedballroom_v1.1") if (path / METADATA).is_file()), None)
    if folder is None:
        raise MissingData(f"{task}: {root} holds no {METADATA}; `mirbench show {task}` says how to get it")
    return folder, _songs(folder / METADATA)


def placed(folder: Path, songs: Mapping[str, Track]) -> Iterator[Clip]:
    """A clip a track, in the order of ids, with its dance, its split, and what it must stay together with."""
    group = _duplicates(songs)
    for song_id, song in sorted(songs.items()):
        path = folder / song.dance / f"{song_id}.mp3"
        # a group goes where the name of its first track sends it, whatever dance that is of
        first = group[song_id]
        split = split_of(songs[first].dance, first)
        there = path if path.is_file() else None
        yield Clip(song_id, there, split, (song.dance,), group=f"duplicates {first}")


def _read(task: str, dances: Iterable[str], root: Path | None, fold: int) -> list[Clip]:
    folder, songs = listed(task, root)
    kept = set(dances)
    return [clip for clip in placed(folder, songs) if clip.labels[0] in kept]


def split_of(dance: str, song_id: str) -> str:
    """The split of a track by shtern2017's rule."""
    return retrain_split(f"{dance}/{song_id}.jpg")


def _songs(path: Path) -> dict[str, Track]:
    """Tracks by id.

    Raises
    ------
    BadInput
        If it is not that file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not the list of tracks of Extended Ballroom ({error})") from error
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BadInput(f"{path}: declares entities, which the published file does not; not trusted")
    try:
        dances = ElementTree.fromstring(text)
        found = {}
        for dance in dances:
            for song in dance.iter("song"):
                linked = tuple(link.attrib["id"] for kind in _LINKS for link in song.iter(kind) if "id" in link.attrib)
                if song.attrib["id"] in found:
                    raise BadInput(f"{path}: track {song.attrib['id']} is listed twice")
                found[song.attrib["id"]] = Track(dance.tag, linked, song.attrib.get("bpm", ""))
    except (ElementTree.ParseError, KeyError) as error:
        raise BadInput(f"{path}: not the list of tracks of Extended Ballroom ({error})") from error
    # ids and dances become paths
    strange = next((i for i, song in found.items() if not i.isalnum() or song.dance not in N_TRACKS), None)
    if strange is not None:
        raise BadInput(f"{path}: track {strange!r} of {found[strange].dance!r} is none of Extended Ballroom")
    return found


def _duplicates(songs: Mapping[str, Track]) -> dict[str, str]:
    """First id of each track's group: links connect in both directions, though the list has some in one alone."""
    group = {song_id: song_id for song_id in songs}

    def first(song_id: str) -> str:
        while group[song_id] != song_id:
            song_id = group[song_id]
        return song_id

    for song_id, song in songs.items():
        for other in song.linked:
            if other in group:
                low, high = sorted((first(song_id), first(other)))
                group[high] = low
    return {song_id: first(song_id) for song_id in songs}


def _card(name: str, dances: tuple[str, ...], said: str) -> Task:
    return Task(
        name=name,
        version="1",
        title=f"Extended Ballroom, {len(dances)} dances",
        kind="single-label",
        classes=dances,
        metrics=SINGLE_LABEL,
        read_clips=partial(_read, name, dances),
        folder="extended-ballroom",
        n_clips=sum(N_TRACKS[dance] for dance in dances),
        clip_seconds=30.0,
        datasets=("extended-ballroom",),
        reference="Marchand, Peeters (2016), The Extended Ballroom dataset, ISMIR; subsets of shtern2017",
        license="not stated by its authors; commercial previews",
        notes=(
            said,
            f"layout: extended-ballroom/{METADATA} and <Dance>/<id>.mp3",
            "by hand: the archive of anasynth.ircam.fr/home/media/ExtendedBallroom holds the list and a script that "
            "fetches the previews from ballroomdancers.com; neither tried by us",
            "split as TF's retrain script does (shtern2017), by SHA-1 of '<Dance>/<id>.jpg', about 80/10/10; "
            "duplicates that its authors list stay together, by the name of the first; artists cross splits",
            "some versions of one song as Waltz and as Slowwaltz are not listed as duplicates",
            "shtern2017's test draws classes evenly, so that its accuracy is close to our balanced accuracy",
        ),
        demo=f"{name}-demo",
    )


def _above(count: int) -> tuple[str, ...]:
    return tuple(dance for dance, n in N_TRACKS.items() if n > count)


BALLROOM = _card("ballroom", tuple(N_TRACKS), "13 dances, 23 to 529 tracks each")
BALLROOM9 = _card("ballroom9", _above(100), "the dances of more than 100 tracks")
BALLROOM8 = _card("ballroom8", _above(300), "the dances of more than 300 tracks")
BALLROOM7 = _card("ballroom7", _above(400), "the dances of more than 400 tracks")
BALLROOM2 = _card("ballroom2", _above(500), "Foxtrot and Waltz, the dances of more than 500 tracks")


def _synthesise(root: Path, step: Step) -> None:
    """The official layout: the list of tracks, the last of each dance a duplicate of the first, and their files."""
    lines = ["<ballroom>"]
    for kind, dance in enumerate(N_TRACKS):
        supply = map(str, itertools.count(100_000 + 1000 * kind))
        names = names_by_split(supply, partial(split_of, dance), _DEMO_SPLITS)
        again = str(int(names[-1]) + 1)
        lines.append(f"<{dance}>")
        for number, song_id in enumerate([*names, again]):
            seed = [13, kind, 0 if song_id == again else number]
            write_scene(root / dance / f"{song_id}.mp3", [kind], len(N_TRACKS), seed, _DEMO_SECONDS)
            link = f'<exact id="{names[0]}"/>' if song_id == again else ""
            lines.append(f'<song id="{song_id}" artist="nobody" title="{dance} {number}">{link}</song>')
            step(1)
        lines.append(f"</{dance}>")
    lines.append("</ballroom>")
    (root / METADATA).write_text("\n".join(lines), encoding="utf-8")


def _demo(task: Task) -> Task:
    each = sum(_DEMO_SPLITS.values()) + 1
    share = len(task.classes) / len(N_TRACKS)  # of the audio, which is that of all dances

    def synthesise(root: Path, step: Step) -> None:
        _synthesise(root, lambda n: step(n * share))

    demo = stand_in(task, synthesise, each * len(task.classes), _DEMO_SECONDS, _DEMO_VERSION)
    return replace(demo, read_clips=partial(_read, demo.name, task.classes))


BALLROOM_DEMO = _demo(BALLROOM)
BALLROOM9_DEMO = _demo(BALLROOM9)
BALLROOM8_DEMO = _demo(BALLROOM8)
BALLROOM7_DEMO = _demo(BALLROOM7)
BALLROOM2_DEMO = _demo(BALLROOM2)
