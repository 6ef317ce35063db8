"""GTZAN genre recognition: the fault-filtered task, the Kaggle copy, the public excerpt, and a synthesised stand-in.

References
----------
Tzanetakis, Cook (2002), Musical genre classification of audio signals, IEEE TSAP. Sturm (2013), The GTZAN dataset: its
contents, its faults, their effects on evaluation, arXiv:1306.1461. Kereliuk, Sturm, Larsen (2015), Deep learning and
music adversaries, IEEE TMM (the fault-filtered split).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np

from mirbench.archive import Archive
from mirbench.errors import MissingData
from mirbench.metrics import SINGLE_LABEL
from mirbench.tasks.layout import absent, few
from mirbench.types import Clip, Task

__all__ = ["GENRES", "GTZAN", "GTZAN_DEMO", "GTZAN_KAGGLE", "GTZAN_MINI", "fault_filtered"]

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
SUFFIXES = (".wav", ".au", ".flac")

_BROKEN_IN_KAGGLE = "jazz.00054"
_MINI_CLIPS, _MINI_FOLDS = 10, 5  # clips a genre
_DEMO_CLIPS, _DEMO_VERSION = 30, 1
_REFERENCE = "Tzanetakis, Cook (2002), Musical genre classification of audio signals, IEEE TSAP"
_SPLIT = "fault-filtered split of Kereliuk, Sturm and Larsen (2015), as published with hung2022's code"
_LICENSE = "not stated by its authors; research use"


def fault_filtered() -> dict[str, str]:
    """Split of each of the 930 clips that the fault-filtered lists keep, by clip name ("blues.00000")."""
    with (files("mirbench.tasks") / "splits" / "gtzan_fault_filtered.csv").open() as table:
        return {row["clip"]: row["split"] for row in csv.DictReader(table)}


def _find(genres: Path) -> dict[str, Path]:
    """Audio of each clip in a folder of genres, by clip name; clips are named genre.number."""
    found = {}
    for genre in GENRES:
        for path in sorted((genres / genre).glob(f"{genre}.*")):
            if path.suffix.lower() in SUFFIXES:
                found[path.stem] = path
    return found


def _genres_folder(task: str, root: Path | None, names: tuple[str, ...]) -> Path:
    if root is None:
        raise MissingData(f"{task}: its clips are known only from its folder")
    candidates = [root / name for name in names] + [root]
    folder = next((path for path in candidates if (path / GENRES[0]).is_dir()), None)
    if folder is None:
        raise absent(task, f"{root} holds no {names[0]}/ with one folder a genre ({GENRES[0]}/ … {GENRES[-1]}/)")
    return folder


def _clips(task: str, found: Mapping[str, Path], splits: Mapping[str, str]) -> list[Clip]:
    missing = sorted(set(splits) - set(found))
    if missing:
        hint = " (is this the excerpt? it is the task gtzan-mini)" if len(found) <= 100 and task == "gtzan" else ""
        raise MissingData(f"{task}: {len(missing)} of {len(splits)} clips are missing: {few(missing)}{hint}")
    return [Clip(name, found[name], split, (name.partition(".")[0],)) for name, split in sorted(splits.items())]


def _listed(splits: Mapping[str, str]) -> list[Clip]:
    """Clips of a frozen list, where there is no audio."""
    return [Clip(name, None, split, (name.partition(".")[0],)) for name, split in sorted(splits.items())]


def _read_gtzan(root: Path | None, fold: int) -> list[Clip]:
    if root is None:
        return _listed(fault_filtered())
    return _clips("gtzan", _find(_genres_folder("gtzan", root, ("genres",))), fault_filtered())


def _read_kaggle(root: Path | None, fold: int) -> list[Clip]:
    splits = {name: split for name, split in fault_filtered().items() if name != _BROKEN_IN_KAGGLE}
    if root is None:
        return _listed(splits)
    folder = _genres_folder("gtzan-kaggle", root, ("genres_original", "Data/genres_original"))
    return _clips("gtzan-kaggle", _find(folder), splits)


def mini_split(rank: int, fold: int) -> str:
    """Split of the clip of this rank within its genre: fold k tests ranks 2k and 2k + 1, the next two are valid."""
    pair = (rank // 2 - fold) % _MINI_FOLDS
    return ("test", "valid")[pair] if pair < 2 else "train"


def _read_mini(root: Path | None, fold: int) -> list[Clip]:
    found = _find(_genres_folder("gtzan-mini", root, ("genres",)))
    splits: dict[str, str] = {}
    for genre in GENRES:
        names = sorted(name for name in found if name.startswith(genre + "."))
        if len(names) != _MINI_CLIPS:
            hint = " (is this the whole of GTZAN? it is the task gtzan)" if len(names) > _MINI_CLIPS else ""
            raise MissingData(f"gtzan-mini: {len(names)} clips of {genre}, {_MINI_CLIPS} are needed{hint}")
        splits |= {name: mini_split(rank, fold) for rank, name in enumerate(names)}
    return _clips("gtzan-mini", found, splits)


def _read_demo(root: Path | None, fold: int) -> list[Clip]:
    found = _find(_genres_folder("gtzan-demo", root, ("genres",)))

    def split(name: str) -> str:
        number = int(name.rpartition(".")[2])
        return "train" if number < 12 else "valid" if number < 18 else "test"

    return _clips(
        "gtzan-demo", found, {f"{g}.{n:05}": split(f"{g}.{n:05}") for g in GENRES for n in range(_DEMO_CLIPS)}
    )


def _synthesise(root: Path, step: Callable[..., None]) -> None:
    import soundfile

    from mirbench.tasks.stand_in_music.songs import song

    for index, genre in enumerate(GENRES):
        (root / "genres" / genre).mkdir(parents=True)
        for number in range(_DEMO_CLIPS):
            rng = np.random.default_rng([_DEMO_VERSION, index, number])
            audio = song(genre, rng, seconds=10.0, sample_rate=22_050)
            soundfile.write(root / "genres" / genre / f"{genre}.{number:05}.wav", audio, 22_050, subtype="PCM_16")
            step(1)


GTZAN = Task(
    name="gtzan",
    version="1",
    title="GTZAN genre recognition, fault-filtered",
    kind="single-label",
    classes=GENRES,
    metrics=SINGLE_LABEL,
    read_clips=_read_gtzan,
    folder="gtzan",
    n_clips=930,
    clip_seconds=30.0,
    datasets=("gtzan",),
    archives=(
        Archive(
            "http://opihi.cs.uvic.ca/sound/genres.tar.gz",
            "genres.tar.gz",
            "md5:5b3d6dddb579ab49814ab86dba69e7c7",
            n_bytes=1_230_000_000,
            note="1.2 GB; address and md5 from mirdata's loader, the mirror from Hugging Face's marsyas/gtzan; neither "
            "tried by us. If none answers, find genres.tar.gz by its md5 and unpack it to ROOT/gtzan",
            mirrors=("https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz",),
        ),
    ),
    reference=f"{_REFERENCE}; {_SPLIT}",
    license=_LICENSE,
    notes=(
        "layout: gtzan/genres/<genre>/<genre>.NNNNN.wav, .au or .flac; of 1000 clips the split keeps 930",
        "443 train, 197 valid, 290 test; made to keep artists apart and leave out repetitions and distortions",
        "genres are not clear-cut here; an accuracy of 1.0 would be suspect (Sturm 2013)",
    ),
    demo="gtzan-demo",
)

GTZAN_KAGGLE = Task(
    name="gtzan-kaggle",
    version="1",
    title="GTZAN genre recognition, fault-filtered, Kaggle copy",
    kind="single-label",
    classes=GENRES,
    metrics=SINGLE_LABEL,
    read_clips=_read_kaggle,
    folder="gtzan-kaggle",
    n_clips=929,
    clip_seconds=30.0,
    datasets=("gtzan",),
    reference=f"{_REFERENCE}; {_SPLIT}",
    license=_LICENSE,
    notes=(
        "layout: gtzan-kaggle/genres_original/<genre>/<genre>.NNNNN.wav (or Data/genres_original)",
        "from kaggle.com, data set andradaolteanu/gtzan-dataset-music-genre-classification, which asks for an account: "
        "fetch it by hand",
        "jazz.00054 is broken in that copy and left out: 442 train, 197 valid, 290 test; a table of its own",
    ),
    demo="gtzan-demo",
)

GTZAN_MINI = Task(
    name="gtzan-mini",
    version="1",
    title="GTZAN genre recognition, public excerpt of 100 clips",
    kind="single-label",
    classes=GENRES,
    metrics=SINGLE_LABEL,
    read_clips=_read_mini,
    folder="gtzan_mini",
    n_clips=100,
    clip_seconds=30.0,
    n_folds=_MINI_FOLDS,
    standing="excerpt",
    datasets=("gtzan",),
    archives=(
        Archive(
            "https://github.com/TempoBeatDownbeat/gtzan_mini/archive/refs/heads/main.zip",
            "gtzan_mini.zip",
            "md5:44f7f23af8363d96c59663a987f29a4c",
            strip=1,
            note="address and md5 from mirdata's loader, not tried by us",
        ),
    ),
    reference=_REFERENCE,
    license=_LICENSE,
    notes=(
        "layout: gtzan_mini/genres/<genre>/<genre>.NNNNN.wav, .au or .flac; 10 clips a genre",
        "5 folds by rank of the file name within its genre: fold k tests ranks 2k and 2k+1, the next two (cyclically) "
        "are valid, six train; every clip is tested once a seed",
        "neighbouring numbers often share an artist and stay together, but artists still cross splits at the edges: "
        "its scores are optimistic, and 20 test clips a fold are few",
    ),
    demo="gtzan-demo",
)

GTZAN_DEMO = Task(
    name="gtzan-demo",
    version="1",
    title="Ten synthesised styles named as GTZAN's genres: a stand-in, no music",
    kind="single-label",
    classes=GENRES,
    metrics=SINGLE_LABEL,
    read_clips=_read_demo,
    folder="gtzan_demo",
    n_clips=len(GENRES) * _DEMO_CLIPS,
    clip_seconds=10.0,
    standing="synthesised",
    datasets=("gtzan-demo",),
    reference="mirbench.tasks.stand_in_music.songs",
    license="MIT",
    notes=(
        "30 clips of 10 s a class, synthesised on this machine: 12 train, 6 valid, 12 test a class",
        "tempo, drums, harmony and timbre differ between classes and overlap, so that 1.0 is out of reach",
        "says nothing about music; it shows that the machinery works",
    ),
    synthesise=_synthesise,
)
