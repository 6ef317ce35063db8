"""GTZAN as pictures: the spectrograms that come with the Kaggle copy, as rommel2023 classified them.

The paper drew its splits at random from all 999 pictures, not stratified, anew for each of its two sweeps, and without
a seed. Here they are two fixed draws of the same sizes, by a hash of each clip's name. As recordings are repeated and
artists shared in GTZAN, such splits are easy; the fault-filtered split is there to compare.

References
----------
Tzanetakis, Cook (2002), Musical genre classification of audio signals, IEEE TSAP. Rommel, Cerullo (2023), whose code is
github.com/nick-rommel/CSC561-Final-Project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirbench.errors import MissingData
from mirbench.metrics import SINGLE_LABEL
from mirbench.tasks.gtzan import GENRES, fault_filtered
from mirbench.tasks.layout import few
from mirbench.tasks.splitting import draw_order
from mirbench.tasks.stand_in_music.stand_ins import SAMPLE_RATE, Step, stand_in
from mirbench.tasks.stand_in_music.voices import scene
from mirbench.types import Clip, FloatArray, Task

__all__ = ["GTZAN_PICTURES", "GTZAN_PICTURES_DEMO", "GTZAN_PICTURES_FILTERED", "GTZAN_PICTURES_REDRAWN", "drawn"]

SIZES: Mapping[str, int] = {"train": 800, "valid": 100, "test": 99}

_LACKING = "jazz.00054"  # its audio is broken in that copy, so that it was not drawn
_FOLDERS = ("images_original", "Data/images_original")
_WIDTH, _HEIGHT = 432, 288  # of a picture
_LEFT, _TOP, _INNER = 54, 35, (335, 217)  # where the spectrogram lies in it; the rest is white
_DEMO_SIZES: Mapping[str, int] = {"train": 60, "valid": 20, "test": 20}
_DEMO_DRAW = 17  # one in which each genre is in each split
_DEMO_SECONDS, _DEMO_VERSION = 4.0, "1"


def drawn(names: Iterable[str], sizes: Mapping[str, int], draw: int) -> dict[str, str]:
    """A split for each name: the first of a draw are train, the next valid, the rest test; nothing is stratified."""
    order = sorted(names, key=lambda name: draw_order(name, draw))
    splits = [split for split, size in sizes.items() for _ in range(size)]
    return dict(zip(order, splits, strict=True))


def _all_names() -> list[str]:
    names = [f"{genre}.{number:05}" for genre in GENRES for number in range(100)]
    return [name for name in names if name != _LACKING]


def _filtered() -> dict[str, str]:
    return {name: split for name, split in fault_filtered().items() if name != _LACKING}


def _file(name: str) -> str:
    """Path of a clip's picture: the clip blues.00000 is blues/blues00000.png."""
    genre, _, number = name.partition(".")
    return f"{genre}/{genre}{number}.png"


def _reader(task: str, splits: Callable[[], Mapping[str, str]]) -> Callable[[Path | None, int], list[Clip]]:
    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        clips = [Clip(name, None, split, (name.partition(".")[0],)) for name, split in sorted(splits().items())]
        if root is None:
            return clips
        folder = next((path for path in (*(root / f for f in _FOLDERS), root) if (path / GENRES[0]).is_dir()), None)
        how = f"they are fetched by hand, `mirbench show {task}` says from where"
        if folder is None:
            raise MissingData(
                f"{task}: {root} holds no images_original/ with one folder a genre "
                f"({GENRES[0]}/ … {GENRES[-1]}/); {how}"
            )
        placed = [replace(clip, path=folder / _file(clip.id)) for clip in clips]
        if missing := [_file(clip.id) for clip in placed if clip.path is None or not clip.path.is_file()]:
            raise MissingData(
                f"{task}: {len(missing)} of {len(clips)} pictures are missing in {folder}: {few(missing)}; {how}"
            )
        return placed

    return read_clips


def _card(name: str, title: str, splits: Callable[[], Mapping[str, str]], n_clips: int, note: str) -> Task:
    return Task(
        name=name,
        version="1",
        title=f"GTZAN genre recognition from Kaggle's spectrogram pictures, {title}",
        kind="single-label",
        classes=GENRES,
        metrics=SINGLE_LABEL,
        read_clips=_reader(name, splits),
        folder="gtzan-kaggle",
        n_clips=n_clips,
        clip_seconds=30.0,
        medium="picture",
        datasets=("gtzan",),
        reference="Tzanetakis, Cook (2002), Musical genre classification of audio signals, IEEE TSAP; "
        "Rommel, Cerullo (2023)",
        license="not stated by its authors; research use",
        notes=(
            "layout: gtzan-kaggle/images_original/<genre>/<genre>NNNNN.png (or Data/images_original), 999 pictures "
            "of 432x288; that of jazz.00054 does not exist",
            "from kaggle.com, data set andradaolteanu/gtzan-dataset-music-genre-classification, which asks for an "
            "account: fetch it by hand; the same archive as for gtzan-kaggle",
            note,
        ),
        demo="gtzan-pictures-demo",
    )


_RANDOM = (
    "800/100/99 at random, not stratified, as in rommel2023, whose own draws (one for each of two sweeps) were not "
    "kept; repetitions and artists cross the splits, so that scores are optimistic"
)

GTZAN_PICTURES = _card(
    "gtzan-pictures", "random split", lambda: drawn(_all_names(), SIZES, 0), 999, f"{_RANDOM}; draw 0"
)
GTZAN_PICTURES_REDRAWN = _card(
    "gtzan-pictures-redrawn", "another random split", lambda: drawn(_all_names(), SIZES, 1), 999, f"{_RANDOM}; draw 1"
)
GTZAN_PICTURES_FILTERED = _card(
    "gtzan-pictures-filtered",
    "fault-filtered",
    _filtered,
    929,
    "fault-filtered split of Kereliuk, Sturm and Larsen (2015): 442 train, 197 valid, 290 test, as in gtzan-kaggle; "
    "not rommel2023's split",
)


def _demo_splits() -> dict[str, str]:
    return drawn([f"{genre}.{number:05}" for genre in GENRES for number in range(10)], _DEMO_SIZES, _DEMO_DRAW)


def _synthesise(root: Path, step: Step) -> None:
    from PIL import Image

    for name in sorted(_demo_splits()):
        kind, number = GENRES.index(name.partition(".")[0]), int(name.partition(".")[2])
        rng = np.random.default_rng([999, kind, number])
        audio = scene([kind], len(GENRES), rng, seconds=_DEMO_SECONDS, sample_rate=SAMPLE_RATE)
        path = root / _FOLDERS[0] / _file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        inner = Image.fromarray(_coloured(audio)).resize(_INNER)
        whole = Image.new("RGBA", (_WIDTH, _HEIGHT), "white")
        whole.paste(inner, (_LEFT, _TOP))
        whole.save(path, compress_level=1)  # quick
        step(1)


def _coloured(audio: FloatArray) -> npt.NDArray[np.uint8]:
    """Log magnitudes from dark blue to yellow, low frequencies at the bottom, shape (n_bins, n_frames, 3)."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, 512)[::128]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(512))).T[::-1]
    level = np.clip(20 * np.log10(magnitude / magnitude.max() + 1e-9) / 80 + 1, 0, 1)  # 80 dB
    stops = np.array([[0, 0, 60], [90, 0, 130], [220, 60, 60], [255, 240, 90]])
    channels = [np.interp(level, np.linspace(0, 1, len(stops)), stops[:, k]) for k in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


_DEMO = stand_in(GTZAN_PICTURES, _synthesise, sum(_DEMO_SIZES.values()), _DEMO_SECONDS, _DEMO_VERSION)

GTZAN_PICTURES_DEMO = replace(_DEMO, read_clips=_reader(_DEMO.name, _demo_splits))
