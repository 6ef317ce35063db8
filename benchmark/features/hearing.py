"""What is heard of each clip: how long it is, its samples as they are or deformed, and what its rows are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirbench.features import audio
from mirbench.features.decoding import DecodeStretch
from mirbench.features.deformation import Deformation
from mirbench.features.extraction import as_keys, row_digests, row_key
from mirbench.features.padding import filled, is_short
from mirbench.features.row_index import KEY, KeyArray
from mirbench.features.stopwatch import Stopwatch
from mirbench.types import Excerpt, FloatArray, Pad, Windowing

__all__ = ["Hearing", "from_the_first"]

_WHOLE: Mapping[str, Any] = {}
"""Of rows of whole clips, which have no windows."""


@dataclass(frozen=True)
class Hearing:
    """Clips as they are heard.

    Parameters
    ----------
    facts : mapping of Excerpt to Facts
        From `mirbench.features.audio.survey`, for every clip of the task.
    deformation : Deformation or None
        Under which everything is heard; None is as it is.
    pad : str
        How a clip that is shorter than a window fills it; see `mirbench.features.padding`.
    """

    facts: Mapping[Excerpt, audio.Facts]
    deformation: Deformation | None = None
    pad: Pad = "zeros"

    @property
    def about(self) -> dict[str, str]:
        """What rows depend on besides the clip: nothing, or the deformation."""
        return {"deformation": self.deformation.identity} if self.deformation else {}

    def seconds(self, place: Excerpt) -> float:
        """Length of a clip."""
        ratio = self.deformation.length_ratio if self.deformation else 1.0
        return audio.heard_seconds(place, self.facts[place]) * ratio

    def longest(self) -> float:
        """Seconds of the longest clip of the task."""
        return max(map(self.seconds, self.facts))

    def starts(self, places: Iterable[Excerpt], rate: int, window: int, windowing: Windowing) -> list[Sequence[int]]:
        """Where the windows of each clip begin, in samples; one is `window` samples long, at `rate` Hz."""
        known: dict[int, Sequence[int]] = {}  # by number of samples, which thousands of clips share
        found = []
        for place in places:
            n_samples = round(self.seconds(place) * rate)
            if n_samples not in known:
                known[n_samples] = audio.window_starts(n_samples, window, windowing)
            found.append(known[n_samples])
        return found

    def read(self, place: Excerpt, sample_rate: int, decode: DecodeStretch) -> FloatArray:
        """(n_samples,) of a clip."""
        deformation = self.deformation
        if deformation is None:
            return audio.read(place, sample_rate, decode=decode)
        seed = self._seed(place)
        return audio.read(place, sample_rate, lambda heard, rate: deformation.apply(heard, rate, seed), decode)

    def windows(
        self, place: Excerpt, sample_rate: int, starts: Sequence[int], window: int, decode: DecodeStretch
    ) -> FloatArray:
        """(n_windows, window) of a clip."""
        heard = self.read(place, sample_rate, decode)
        if self._fills(place, sample_rate, window):
            return filled(heard, window, self.pad, self._seed(place))[None]
        return audio.cut(heard, starts, window)

    def crop(self, place: Excerpt, sample_rate: int, seconds: float, offset: float) -> FloatArray:
        """A stretch of a clip, shape (round(seconds * sample_rate),); see `mirbench.features.audio.crop`."""
        window = round(seconds * sample_rate)
        if self._fills(place, sample_rate, window):
            return filled(audio.read(place, sample_rate), window, self.pad, self._seed(place))
        return audio.crop(place, self.facts[place], sample_rate, seconds, offset)

    def crops(
        self,
        places: Sequence[Excerpt],
        rate: int,
        seconds: float,
        offsets: Sequence[float],
        workers: int,
        watch: Stopwatch,
    ) -> FloatArray:
        """A stretch of each clip, shape (n, round(seconds * rate)), decoded in so many threads."""

        def crop(place: Excerpt, offset: float) -> FloatArray:
            with watch.working_beside():
                return self.crop(place, rate, seconds, offset)

        with watch.phase("decoding"), ThreadPoolExecutor(workers) as pool:
            return np.stack(list(pool.map(crop, places, offsets)))

    def keys(
        self, places: Iterable[Excerpt], starts: Iterable[Sequence[int]], about: Mapping[str, Any] = _WHOLE
    ) -> KeyArray:
        """Keys of the rows of some clips, one a window, in their order.

        Parameters
        ----------
        about : mapping
            What the rows depend on: of windows their ``sample_rate`` and ``window``, in samples.
        """
        facts, rate, window = self.facts, about.get("sample_rate", 0), about.get("window", 0)
        each = zip(places, starts, strict=True)
        if self.pad == "zeros":  # of most tasks, which may have very many clips
            return as_keys(b"".join([row_digests(facts[place], place, begin) for place, begin in each]))
        pads = ((place, begin, self.pad if self._fills(place, rate, window) else "zeros") for place, begin in each)
        return as_keys(b"".join([row_digests(facts[place], place, begin, pad) for place, begin, pad in pads]))

    def every_key(self, places: Sequence[Excerpt], about: Mapping[str, Any], windowing: Windowing) -> KeyArray:
        """Keys of all rows of some clips, each once."""
        starts = from_the_first(places)
        if "window" in about:
            starts = self.starts(places, about["sample_rate"], about["window"], windowing)
        return np.array(list(dict.fromkeys(self.keys(places, starts, about).tolist())), dtype=KEY)

    def _fills(self, place: Excerpt, sample_rate: int, window: int) -> bool:
        """Whether a clip is filled up otherwise than with zeros."""
        return self.pad != "zeros" and is_short(round(self.seconds(place) * sample_rate), window)

    def _seed(self, place: Excerpt) -> int:
        """Noise is drawn by what the clip holds: the same for every method and source."""
        return int(row_key(self.facts[place], place, 0)[:8], 16)


def from_the_first(places: Sequence[Excerpt]) -> list[Sequence[int]]:
    """The starts of clips that are taken whole: one each, at the first sample."""
    return [(0,)] * len(places)
