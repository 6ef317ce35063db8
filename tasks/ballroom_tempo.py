"""The tempo of Extended Ballroom's tracks, in beats a minute: a regression task on the same audio and the same split.

References
----------
Marchand, Peeters (2016), The Extended Ballroom dataset, ISMIR late-breaking session.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.metrics import TEMPO
from mirbench.tasks.ballroom import BALLROOM, METADATA, N_TRACKS, Track, listed, placed, split_of
from mirbench.tasks.stand_in_music.stand_ins import SAMPLE_RATE, Step, names_by_split, stand_in
from mirbench.types import Clip, Task

__all__ = ["BALLROOM_TEMPO", "BALLROOM_TEMPO_DEMO", "RANGE"]

RANGE = (30.0, 300.0)
"""Between which tempi, in beats a minute, a track is looked for."""

_DEMO_SECONDS, _DEMO_VERSION = 6.0, "1"
_DEMO_DANCES = ("Rumba", "Tango", "Jive")
_DEMO_SPLITS = {"train": 24, "valid": 6, "test": 10}
_DEMO_TEMPI = (60.0, 200.0)


def _read(task: str, root: Path | None, fold: int) -> list[Clip]:
    folder, songs = listed(task, root)
    tempi = _tempi(folder / METADATA, songs)
    return [
        replace(clip, labels=("tempo",), values=(tempi[clip.id],)) for clip in placed(folder, songs) if clip.id in tempi
    ]


def _tempi(path: Path, songs: Mapping[str, Track]) -> dict[str, float]:
    """Beats a minute of the tracks that have them.

    Raises
    ------
    BadInput
        If one is no tempo, or none is there.
    """
    found = {}
    for song_id, song in songs.items():
        if song.bpm:
            try:
                tempo = float(song.bpm)
            except ValueError:
                tempo = np.nan
            if not RANGE[0] <= tempo <= RANGE[1]:
                low, high = RANGE
                raise BadInput(
                    f"{path}: the bpm of track {song_id} is {song.bpm[:40]!a}; {low:g} to {high:g} is looked for"
                )
            found[song_id] = tempo
    if not found:
        raise BadInput(f"{path}: no track has a bpm; the list of version 1.1 has them")
    return found


BALLROOM_TEMPO = replace(
    BALLROOM,
    name="ballroom-tempo",
    title="Extended Ballroom, tempo in beats a minute",
    kind="regression",
    classes=("tempo",),
    metrics=TEMPO,
    read_clips=partial(_read, "ballroom-tempo"),
    ranges=(RANGE,),
    reference="Marchand, Peeters (2016), The Extended Ballroom dataset, ISMIR",
    notes=(
        "tempi of the data set's own list, read from a dance school's web site and corrected by its authors; of a "
        "varying tempo the mean",
        *BALLROOM.notes[1:-2],
        "a dance says much of its tempo: a method that knows the dance alone is not at chance",
    ),
    demo="ballroom-tempo-demo",
)


def _synthesise(root: Path, step: Step) -> None:
    """The official layout, and in each file a drum that beats at the tempo that the list says."""
    import soundfile

    lines = ["<ballroom>"]
    for kind, dance in enumerate(_DEMO_DANCES):
        supply = map(str, itertools.count(100_000 + 1000 * list(N_TRACKS).index(dance)))
        lines.append(f"<{dance}>")
        (root / dance).mkdir(parents=True, exist_ok=True)
        for number, song_id in enumerate(names_by_split(supply, partial(split_of, dance), _DEMO_SPLITS)):
            rng = np.random.default_rng([17, kind, number])
            tempo = round(float(rng.uniform(*_DEMO_TEMPI)), 1)
            soundfile.write(root / dance / f"{song_id}.mp3", _drum(tempo, rng), SAMPLE_RATE)
            lines.append(f'<song id="{song_id}" artist="nobody" title="{dance} {number}" bpm="{tempo}"/>')
            step(1)
        lines.append(f"</{dance}>")
    lines.append("</ballroom>")
    (root / METADATA).write_text("\n".join(lines), encoding="utf-8")


def _drum(tempo: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Beats of decaying noise over a quiet hiss, (n_samples,)."""
    n_samples, beat = round(_DEMO_SECONDS * SAMPLE_RATE), 60 / tempo * SAMPLE_RATE
    audio = 0.01 * rng.normal(size=n_samples)
    time = np.arange(round(0.12 * SAMPLE_RATE)) / SAMPLE_RATE
    for onset in np.arange(rng.uniform(0, beat), n_samples, beat).astype(int):
        hit = rng.uniform(0.2, 0.3) * rng.normal(size=len(time)) * np.exp(-time / 0.03)
        audio[onset : onset + len(hit)] += hit[: n_samples - onset]
    return np.clip(audio, -1, 1)


def _demo() -> Task:
    n_clips = len(_DEMO_DANCES) * Counter(_DEMO_SPLITS).total()
    demo = stand_in(BALLROOM_TEMPO, _synthesise, n_clips, _DEMO_SECONDS, _DEMO_VERSION)
    said = "each clip has one drum that beats at its tempo: it shows that the machinery works, nothing about music"
    return replace(
        demo, read_clips=partial(_read, demo.name), notes=(demo.notes[0], said), folder="ballroom-tempo_demo"
    )


BALLROOM_TEMPO_DEMO = _demo()
