"""What the loaders of mirdata call a class and a group, and how both are read from a track."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirbench.errors import BadInput
from mirbench.tasks.own.libraries import class_name

__all__ = ["KNOWN", "Known", "classes", "group", "value"]


@dataclass(frozen=True)
class Known:
    """What a loader's tracks are asked for: attributes, "a.b" for a key of a dictionary, "a,b" for both together.

    Parameters
    ----------
    label, group, audio : str
        Attributes of a track; no group is "".
    split : str
        Attribute that says the split, where the loader's ``get_track_splits`` does not.
    label_part, group_part : str
        Pattern whose first group is the part of the text that counts; text that does not match has no class or group.
    seen : str
        What the loader's source (mirdata 1.0.0) says the label is.
    also : tuple of str
        Other words for whose audio it is, as sources' cards use them.
    """

    label: str
    group: str = ""
    audio: str = "audio_path"
    split: str = ""
    label_part: str = ""
    group_part: str = ""
    seen: str = ""
    also: tuple[str, ...] = ()


KNOWN: Mapping[str, Known] = {
    "ballroom": Known("genre", seen="name of the folder of the audio file, in lower case"),
    "beatport_key": Known(
        "key", "artists", label_part=r"(?!x$)(.+)", seen="list of annotated keys, 'x' for none known"
    ),
    "compmusic_carnatic_rhythm": Known("taala", "artist", seen="a column of the data set's table"),
    "compmusic_carnatic_varnam": Known("raaga", "artist", seen="second word of the track id"),
    "compmusic_hindustani_rhythm": Known("taala", "artist", seen="a column of the data set's table"),
    "compmusic_indian_tonic": Known("tradition", "artist", seen="Carnatic or Hindustani, from the metadata"),
    "compmusic_raga": Known("raga", "artist", seen="raga of the recording, from the metadata"),
    "dali": Known("genres", "artist", seen="list of genres, from the metadata; its loader needs the package DALI"),
    "egfxset": Known("effect", seen="effect of the recording, from the metadata"),
    "fma_keys": Known("key,mode", seen="tonic, and Major or minor, from the metadata", also=("fma",)),
    "giantsteps_key": Known("key", "artists", seen="first line of the key file"),
    "giantsteps_tempo": Known("genre", seen="genre of the track, from its annotation"),
    "good_sounds": Known(
        "instrument", "take_info.sound_id", seen="instrument of the sound; a sound's microphones stay together"
    ),
    "groove_midi": Known("style", label_part=r"([^/]+)", seen="'primary/secondary' style, from the metadata"),
    "gtzan_genre": Known("genre", seen="first part of the track id", also=("gtzan",)),
    "guitarset": Known("style", "player_id", audio="audio_mic_path", seen="one of five styles, from the file name"),
    "idmt_smt_audio_effects": Known("fx_type", seen="number of the effect, from the XML lists"),
    "irmas": Known("instrument", "track_id", group_part=r"(.+)__\d+", seen="list of predominant instruments' codes"),
    "jtd": Known("instrument", "track_id", group_part=r"(.+)_[^_]+", seen="last word of the track id"),
    "medley_solos_db": Known("instrument", "song_id", split="subset", seen="English name, from the metadata"),
    "medleydb_melody": Known("genre", "artist", seen="genre of the track, from the metadata"),
    "medleydb_pitch": Known("instrument", "artist", seen="instrument of the stem, from the metadata"),
    "mridangam_stroke": Known("stroke_name", seen="name of the stroke, from the file name"),
    "mtg_jamendo_autotagging_moodtheme": Known("tags", seen="list of tags without their prefix; split-0 of its five"),
    "rwc_classical": Known("category", "composer", seen="category of the piece, from the metadata"),
    "salami": Known("broad_genre", "artist", seen="column 'class' of the metadata"),
    "scms": Known("gender", "artist", split="train", seen="gender of the singer, from the metadata"),
    "slakh": Known("instrument", "mtrack_id", seen="class of the instrument, from each song's metadata"),
    "tinysol": Known("instrument_full", seen="English name; its five folds are kept"),
    "tonality_classicaldb": Known("key", seen="key of the piece, from its annotation"),
    "tonas": Known("style", "singer", seen="style of the song, from the metadata"),
    "vocadito": Known("language", "singer_id", seen="language of the lyrics, from the metadata"),
}
"""Loaders that were read; none of their data sets was fetched by us."""


def value(name: str, track: Any, attribute: str) -> Any:
    """What a track has under "a", or under the key "b" of a dictionary, "a.b".

    Parameters
    ----------
    name : str
        The task, for messages.

    Raises
    ------
    BadInput
        If there is no such attribute or key; lists those that there are.
    """
    first, *keys = attribute.split(".")
    if first not in (known := _attributes(track)):
        raise BadInput(f"{name}: '{first}' is no attribute of track {track.track_id}; it has {', '.join(known)}")
    found = getattr(track, first)
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            has = ", ".join(sorted(map(str, found))) if isinstance(found, Mapping) else "no keys"
            raise BadInput(f"{name}: '{key}' is no key of {attribute} of track {track.track_id}; it has {has}")
        found = found[key]
    return found


def _attributes(track: Any) -> list[str]:
    """Names of public attributes that are no methods; none is evaluated, for that may read a file."""
    names = (name for name in dir(track) if not name.startswith("_"))
    return [name for name in names if not callable(inspect.getattr_static(track, name))]


def classes(name: str, known: Known, track: Any) -> tuple[str, ...] | None:
    """Classes of a track; None where it has no label, () where its list of labels is empty."""
    attributes = known.label.split(",")
    values = [value(name, track, attribute) for attribute in attributes]
    found = [_texts(name, a, held, known.label_part) for a, held in zip(attributes, values, strict=True)]
    if len(found) > 1:
        return (" ".join(text for texts in found for text in texts),) if all(found) else None
    empty = isinstance(values[0], list | tuple | set | frozenset) and not values[0]
    return tuple(dict.fromkeys(found[0])) if found[0] or empty else None


def group(name: str, known: Known, track: Any) -> str:
    """What a track must not be parted from, "" where nothing is known of it."""
    if not known.group:
        return ""
    return ", ".join(sorted(_texts(name, known.group, value(name, track, known.group), known.group_part)))


def _texts(name: str, attribute: str, held: Any, part: str) -> list[str]:
    """Texts of a value, one or those of a list: the part of each that counts, where there is one."""
    texts = []
    for member in held if isinstance(held, list | tuple | set | frozenset) else [held]:
        if member is None:
            continue
        if not isinstance(member, str | int | np.integer):
            raise BadInput(f"{name}: {attribute} is {type(member).__name__}; text, whole numbers or lists are needed")
        match = re.match(part or "(.*)", str(member).strip(), re.DOTALL)
        texts.append(class_name(match[1]) if match else "")
    return [text for text in texts if text]
