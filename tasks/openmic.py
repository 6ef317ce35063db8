"""OpenMIC-2018: which of 20 instruments are heard in ten seconds; each clip is judged for a few of them only.

The labels are the crowd's probabilities. What nobody was asked is unknown, not absent: it counts in no loss and in no
metric. The data set ships VGGish embeddings, with which the task runs without any audio: ``--source shipped:vggish``.

References
----------
Humphrey, Durand, McFee (2018), OpenMIC-2018: an open dataset for multiple instrument recognition, ISMIR.
Chen, Lerch (2022), Music instrument classification reprogrammed (the metric, and 15 % of train as valid).
"""

from __future__ import annotations

import json
import pickletools
import re
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.archive import Archive
from mirbench.errors import BadInput, MissingData
from mirbench.tasks.layout import absent
from mirbench.tasks.splitting import draw_order
from mirbench.tasks.stand_in_music.stand_ins import Step, stand_in, write_scene
from mirbench.types import ArrayRow, Clip, Task

__all__ = ["INSTRUMENTS", "METRICS", "OPENMIC", "OPENMIC_DEMO"]

INSTRUMENTS = (
    "accordion", "banjo", "bass", "cello", "clarinet", "cymbals", "drums", "flute", "guitar", "mallet_percussion",
    "mandolin", "organ", "piano", "saxophone", "synthesizer", "trombone", "trumpet", "ukulele", "violin", "voice",
)  # fmt: skip
METRICS = (
    "two-class-macro-f1", "macro-f1", "roc-auc", "pr-auc", "two-class-f1-per-class", "f1-per-class",
    "roc-auc-per-class", "pr-auc-per-class", "ece",
)  # fmt: skip

_KEY = re.compile(r"[0-9]{6}_[0-9]+")
_SUFFIXES = (".ogg", ".flac", ".wav")  # published as .ogg
_VALID_SHARE = 0.15
_BROKEN = (
    OSError, ValueError, KeyError, EOFError, TypeError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_DEMO_CLIPS, _DEMO_SECONDS, _DEMO_VERSION = 160, 5.0, "1"


@dataclass(frozen=True)
class _Labels:
    """What openmic-2018.npz says, a row a clip: keys, probabilities of presence, and which of them were judged."""

    keys: tuple[str, ...]
    value: npt.NDArray[Any]
    known: npt.NDArray[np.bool_]


def _read(root: Path | None, fold: int) -> list[Clip]:
    if root is None:
        raise MissingData("openmic: its labels are in openmic-2018.npz of the data set")
    folder = next((path for path in (root, root / "openmic-2018") if (path / "openmic-2018.npz").is_file()), None)
    if folder is None:
        raise absent("openmic", f"{root} holds no openmic-2018.npz")
    labels = _labels(folder / "openmic-2018.npz")
    splits = _splits(folder / "partitions")
    artists = _artists(folder / "openmic-2018-metadata.csv")
    if strange := sorted(set(splits) ^ set(labels.keys)):
        raise BadInput(
            f"{folder}: {len(strange)} clips are in the partitions or in the .npz file alone ({strange[0]} …)"
        )
    # train and valid share artists, so that only the clips of test name theirs
    groups = {key: artists.get(key, "") if split == "test" else "" for key, split in splits.items()}
    return [_clip(folder, labels, row, splits[key], groups[key]) for row, key in enumerate(labels.keys)]


def _artists(path: Path) -> dict[str, str]:
    """Artist of each clip; empty where the file is not there, as for those who fetched the labels alone."""
    if not path.is_file():
        return {}
    import pandas  # its fields hold whole web pages, too long for the csv module

    try:
        table = pandas.read_csv(path, usecols=["sample_key", "artist_id"], dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas' own errors are of this kind
        reason = str(error).partition("\n")[0]
        raise BadInput(f"{path}: not OpenMIC's list of tracks ({reason})") from error
    return {key: f"artist {artist}" for key, artist in zip(table.sample_key, table.artist_id, strict=True)}


def _clip(folder: Path, labels: _Labels, row: int, split: str, group: str) -> Clip:
    key = labels.keys[row]
    heard = [k for k in range(len(INSTRUMENTS)) if labels.known[row, k] and labels.value[row, k] > 0]
    places = (folder / "audio" / key[:3] / f"{key}{suffix}" for suffix in _SUFFIXES)
    return Clip(
        id=key,
        path=next((path for path in places if path.is_file()), None),
        split=split,
        labels=tuple(INSTRUMENTS[k] for k in heard),
        unknown=tuple(name for k, name in enumerate(INSTRUMENTS) if not labels.known[row, k]),
        group=group,
        strengths=tuple(float(labels.value[row, k]) for k in heard),
        arrays=(ArrayRow("vggish", folder / "openmic-2018.npz", "X", row),),
    )


def _labels(path: Path) -> _Labels:
    """Labels of the official file; its VGGish rows stay on disk.

    Raises
    ------
    BadInput
        If it is not that file.
    """
    _check_class_map(path.parent / "class-map.json")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            value, known = held["Y_true"], held["Y_mask"].astype(bool)
        keys = _keys(path)
    except _BROKEN as error:
        raise BadInput(f"{path}: not OpenMIC's file of labels ({str(error).partition(chr(10))[0]})") from error
    shape = (len(keys), len(INSTRUMENTS))
    if value.shape != shape or known.shape != shape or len(set(keys)) < len(keys):
        raise BadInput(
            f"{path}: {len(keys)} keys, labels {value.shape}, mask {known.shape}; "
            f"one row of {len(INSTRUMENTS)} a clip is needed"
        )
    if strange := next((key for key in keys if not _KEY.fullmatch(key)), None):
        raise BadInput(f"{path}: {strange!r} is no key of a clip; they look like 000046_3840")
    judged = value[known] if value.dtype.kind in "fiu" else np.array([np.nan])
    if not ((judged >= 0) & (judged <= 1)).all():  # NaN is not either
        raise BadInput(f"{path}: Y_true holds something else than probabilities in [0, 1]")
    return _Labels(keys, value, known)


def _keys(path: Path) -> tuple[str, ...]:
    """The column ``sample_key``: an array of text, or of Python objects as in the published file.

    The latter is a pickle, which could run code when it is loaded; its strings are picked out without loading it.
    """
    with zipfile.ZipFile(path) as zipped, zipped.open("sample_key.npy") as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read(stream)
        if dtype.kind != "O":
            with np.load(path, allow_pickle=False) as held:
                keys = held["sample_key"]
            return tuple(str(key) for key in (np.strings.decode(keys, "ascii") if dtype.kind == "S" else keys))
        texts = (argument for _, argument, _ in pickletools.genops(stream.read()) if isinstance(argument, str))
        return tuple(text for text in texts if _KEY.fullmatch(text))


def _check_class_map(path: Path) -> None:
    if not path.is_file():
        return  # the order is that of the published file
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path}: not JSON ({error})") from error
    if found != {name: k for k, name in enumerate(INSTRUMENTS)}:
        raise BadInput(f"{path}: names other instruments, or in another order, than OpenMIC-2018")


def _splits(partitions: Path) -> dict[str, str]:
    """Split of each clip: the official train and test; 15 % of train, the first of a fixed draw, are valid."""
    found: dict[str, str] = {}
    for split in ("train", "test"):
        path = partitions / f"split01_{split}.csv"
        if not path.is_file():
            raise MissingData(f"openmic: {path} is missing; it comes with the archive")
        try:
            keys = path.read_text(encoding="utf-8").split()
        except UnicodeDecodeError as error:
            raise BadInput(f"{path}: not a list of keys ({error})") from error
        if twice := next((key for key, count in Counter([*keys, *found]).items() if count > 1), None):
            raise BadInput(f"{path}: {twice} is listed twice, here or in the other partition")
        found |= dict.fromkeys(keys, split)
    train = sorted((key for key, split in found.items() if split == "train"), key=draw_order)
    return found | {key: "valid" for key in train[: round(_VALID_SHARE * len(train))]}


OPENMIC = Task(
    name="openmic",
    version="1",
    title="OpenMIC-2018 instrument recognition, partly labelled",
    kind="multi-label",
    classes=INSTRUMENTS,
    metrics=METRICS,
    read_clips=_read,
    folder="openmic-2018",
    n_clips=20_000,
    clip_seconds=10.0,
    ships=("vggish",),
    datasets=("openmic-2018", "fma"),
    archives=(
        Archive(
            "https://zenodo.org/records/1432913/files/openmic-2018-v1.0.0.tgz",
            "openmic-2018-v1.0.0.tgz",
            "md5:e4ccf187e2bb5ab2e115416e8aafe7f4",
            n_bytes=2_623_376_754,
            strip=1,
            note="address and md5 from mirdata's loader, size from a public report; not tried by us",
            mirrors=("https://zenodo.org/record/1432913/files/openmic-2018-v1.0.0.tgz",),
        ),
    ),
    reference="Humphrey, Durand, McFee (2018), OpenMIC-2018: an open data set for multiple instrument recognition",
    license="labels CC BY 4.0; each clip under its own Creative Commons licence (Free Music Archive)",
    notes=(
        "layout: openmic-2018/openmic-2018.npz, partitions/split01_{train,test}.csv, audio/NNN/<sample_key>.ogg, "
        "openmic-2018-metadata.csv; without audio: --source shipped:vggish",
        "split01: 14,915 and 5,085 clips, no artist in both; the first 15 % of train in a fixed draw are valid "
        "(2,237), clip by clip as in chen2022, so that artists are in train and valid; +resplit scatters them all",
        "labels are probabilities, used as soft targets; +binarised makes them hard at 0.5. A clip is judged for about "
        "two of 20 instruments; the others are unknown and masked",
        "two-class-macro-f1 is chen2022's F1: the mean of the F1 of presence and of absence; macro-f1 is that of "
        "presence. Always answering the majority gives 0.398 and a fair coin 0.483 of the first, by the printed counts",
        "known faults: ten clips come from corrupt files of the Free Music Archive, mended by the authors; some pairs "
        "of clips are the same recording, kept on one side of the split",
    ),
    demo="openmic-demo",
)


def _synthesise(root: Path, step: Step) -> None:
    """The official layout: audio, partitions, class map, and the .npz file with rows that stand for VGGish's."""
    rng = np.random.default_rng(20_18)
    n = _DEMO_CLIPS
    present = np.zeros((n, len(INSTRUMENTS)), dtype=bool)
    for row in range(n):
        present[row, rng.choice(len(INSTRUMENTS), rng.integers(1, 4), replace=False)] = True
    # each clip is judged for what is there, mostly, and for some of what is not
    known = rng.random(present.shape) < np.where(present, 0.85, 0.25)
    sure = rng.uniform(0.6, 1.0, present.shape)
    value = np.where(known, np.where(present, sure, np.where(sure < 0.8, 0.0, 1 - sure)), 0.5)
    keys = [f"{1000 + 7 * row:06}_{10 * row}" for row in range(n)]
    features = np.zeros((n, 10, 128), dtype=np.uint8)
    for row, key in enumerate(keys):
        path = root / "audio" / key[:3] / f"{key}.flac"  # libsndfile writes .ogg with random numbers inside
        audio = write_scene(path, np.flatnonzero(present[row]).tolist(), len(INSTRUMENTS), [20, row], _DEMO_SECONDS)
        features[row] = _frame_features(audio)
        step(1)
    np.savez_compressed(
        root / "openmic-2018.npz", X=features, Y_true=value, Y_mask=known, sample_key=np.array(keys, dtype=np.str_)
    )
    (root / "class-map.json").write_text(json.dumps({name: k for k, name in enumerate(INSTRUMENTS)}))
    rows = [f"{int(key[:6])},{row // 4},{key},{int(key[7:]) / 1000}" for row, key in enumerate(keys)]
    (root / "openmic-2018-metadata.csv").write_text("track_id,artist_id,sample_key,start_time\n" + "\n".join(rows))
    (root / "partitions").mkdir()
    for split, part in (("train", keys[: 3 * n // 4]), ("test", keys[3 * n // 4 :])):
        (root / "partitions" / f"split01_{split}.csv").write_text("".join(f"{key}\n" for key in part))


def _frame_features(audio: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Ten frames of 128 log magnitudes as bytes: the shape of VGGish's embeddings, and nothing more of them."""
    frames = audio[: len(audio) // 10 * 10].reshape(10, -1)
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1])))[:, 1:]
    bands = np.geomspace(1, magnitude.shape[1], 129).astype(int)
    low, high = bands[:-1], np.maximum(bands[1:], bands[:-1] + 1)
    total = np.stack([magnitude[:, a:b].mean(axis=1) for a, b in zip(low - 1, high - 1, strict=True)], axis=1)
    return np.clip(20 * np.log10(total + 1e-5) * 2.5 + 128, 0, 255).astype(np.uint8)


OPENMIC_DEMO = stand_in(OPENMIC, _synthesise, _DEMO_CLIPS, _DEMO_SECONDS, _DEMO_VERSION)
