"""What is heard of each clip: how long it is, its samples as they are or deformed, and what its rows are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mirbench.features import audio
from mirbench.features.decoding import DecodeStretch
from mirbench.features.deformation import Deformation
from mirbench.features.extraction import as_keys, row_digests, row_key
from mirbench.features.row_index import KeyArray
from mirbench.types import Excerpt, FloatArray, Windowing

__all__ = ["Hearing", "from_the_first"]


@dataclass(frozen=True)
class Hearing:
    """Clips as they are heard.

    Parameters
    ----------
    facts : mapping of Excerpt to Facts
        From `mirbench.features.audio.survey`, for every clip of the task.
    deformation : Deformation or None
        Under which everything is heard; None is as it is.
    """

    facts: Mapping[Excerpt, audio.Facts]
    deformation: Deformation | None = None

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
        # noise is drawn by what the clip holds: the same for every method and source
        seed = int(row_key(self.facts[place], place, 0)[:8], 16)
        return audio.read(place, sample_rate, lambda heard, rate: deformation.apply(heard, rate, seed), decode)

    def keys(self, places: Iterable[Excerpt], starts: Iterable[Sequence[int]]) -> KeyArray:
        """Keys of the rows of some clips, one a window, in their order."""
        facts = self.facts
        return as_keys(
            b"".join([row_digests(facts[place], place, begin) for place, begin in zip(places, starts, strict=True)])
        )


def from_the_first(places: Sequence[Excerpt]) -> list[Sequence[int]]:
    """The starts of clips that are taken whole: one each, at the first sample."""
    return [(0,)] * len(places)
