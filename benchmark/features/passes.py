"""One file, many clips: its decoder is led through it once while the clips are asked for in turn.

MP3 and Vorbis are decoded from the beginning (`mirbench.features.decoding`), however late a clip begins: one by one, a
thousand clips of a concert would decode it five hundred times.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock

import numpy as np

from mirbench.errors import BadAudio
from mirbench.features.decoding import Heard, Stretch, decode, heard, mono
from mirbench.types import Excerpt, FloatArray

__all__ = ["Passes"]

_OPEN = 32  # passes at a time: each holds a file open
_LATE_SECONDS = 240.0  # of audio that a pass may come by before it is asked for, and hold: 42 MB


class Passes:
    """Samples of stretches of files, which are asked for once each, about in the order that is given.

    Whatever the order, what is handed out is what decoding each alone would give; another one costs more.

    Parameters
    ----------
    places : iterable of Excerpt
        What will be asked for.
    """

    def __init__(self, places: Iterable[Excerpt]) -> None:
        files: dict[Path, list[Stretch]] = defaultdict(list)
        for place in places:
            if place.first_channel:
                continue  # what a pass hands out is the mean
            files[place.path].append((place.start, place.duration))
        self._turns: dict[tuple[Path, Stretch], deque[_Pass]] = defaultdict(deque)
        for path, stretches in files.items():
            for some in _parts(stretches) if len(stretches) > 1 else ():
                one = _Pass(path, some)
                for stretch in some:
                    self._turns[path, stretch].append(one)
        self._open: OrderedDict[_Pass, None] = OrderedDict()
        self._lock = Lock()

    def decode(self, place: Excerpt) -> tuple[FloatArray, int]:
        """Samples of one of the stretches and their rate in Hz, from any thread; see `decode`.

        Raises
        ------
        BadAudio
            If the file cannot be decoded, or is cut or damaged.
        """
        stretch = place.start, place.duration
        with self._lock:
            turns = None if place.first_channel else self._turns.get((place.path, stretch))
            one = turns.popleft() if turns else None
            oldest = self._opened(one) if one else None
        if oldest:
            oldest.close()
        found = one.samples(stretch) if one else None
        return found or decode(place)

    def _opened(self, one: _Pass) -> _Pass | None:
        """Take note that a pass is needed now; that which was not for longest, if too many are open."""
        self._open[one] = None
        self._open.move_to_end(one)
        return self._open.popitem(last=False)[0] if len(self._open) > _OPEN else None


def _parts(stretches: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    """Stretches of a file, parted where one pass for all would have to hold too much."""
    some, furthest, late = list[Stretch](), 0.0, 0.0
    for start, duration in stretches:
        end = float("inf") if duration is None else start + duration
        held = duration or 0.0 if end <= furthest else 0.0
        if late + held > _LATE_SECONDS:
            yield some
            some, furthest, late, held = [], 0.0, 0.0, 0.0
        some.append((start, duration))
        furthest, late = max(furthest, end), late + held
    yield some


class _Pass:
    """One way through a file, as far as it was asked for yet; once closed, it knows nothing."""

    def __init__(self, path: Path, stretches: list[Stretch]) -> None:
        self._left = Counter(stretches)
        self._order = list(self._left)
        self._pieces: dict[Stretch, list[FloatArray]] = {stretch: [] for stretch in self._order}
        self._ended: list[Stretch] = []  # all of it was heard, and nothing yet that would tell of damage at its end
        self._whole: dict[Stretch, FloatArray] = {}
        self._blocks: Iterator[Heard] | None = heard(path, self._order)
        self._rate = 0
        self._lock = Lock()

    def samples(self, stretch: Stretch) -> tuple[FloatArray, int] | None:
        """Samples and rate of a stretch; None where it must be decoded alone."""
        with self._lock:
            while stretch not in self._whole and self._blocks:
                self._advance()
            found = self._whole.get(stretch)
            if found is None:
                return None
            self._left[stretch] -= 1
            if self._left[stretch]:
                return found.copy(), self._rate
            del self._whole[stretch]
            return found, self._rate

    def close(self) -> None:
        """Let go of the file, and of what was heard and not asked for."""
        with self._lock:
            self._blocks = None
            self._pieces.clear()
            self._whole.clear()

    def _advance(self) -> None:
        """Hear one block more."""
        try:
            piece = next(self._blocks, None) if self._blocks else None
        except BadAudio:  # what comes before the damage is good, which decoding it alone tells
            self._blocks = None
            self._pieces.clear()
            return
        for stretch in self._ended if piece else list(self._pieces):
            if pieces := self._pieces.pop(stretch):
                self._whole[stretch] = np.concatenate(pieces)
        self._ended = []
        if piece is None:
            self._blocks = None
            return
        self._rate = piece.rate
        if piece.stretch is not None:
            stretch = self._order[piece.stretch]
            pieces = self._pieces[stretch]
            pieces.append(mono(piece.block))
            if stretch[1] is not None and sum(map(len, pieces)) >= round(stretch[1] * self._rate):
                self._ended.append(stretch)
