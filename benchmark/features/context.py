"""What a method is handed: audio, the bound source, device, precision, progress.

A frozen computation is done once for these weights, options, precision and bytes of audio, then read from disk, one row
a window; see `mirbench.features.cache`.
"""

from __future__ import annotations

import hashlib
import json
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from mirbench.errors import BadInput, NotApplicable
from mirbench.features import audio, pictures
from mirbench.features.bound import BoundSource
from mirbench.features.cache import RowStore, unwritable
from mirbench.features.claims import claimed
from mirbench.features.deformation import Deformation
from mirbench.features.extraction import Compute, Decode, Extraction, row_key
from mirbench.features.temporary import temporary
from mirbench.features.windows import AnySplit, Windows
from mirbench.progress import Progress
from mirbench.source import SourceCard
from mirbench.types import Excerpt, FloatArray, IntArray, Windowing, excerpts

__all__ = ["Context"]

_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Context:
    """What a method may use.

    Parameters
    ----------
    facts : mapping of Excerpt to Facts
        From `mirbench.features.audio.survey`, for every clip of the task.
    cache : Path
        Root of the cache.
    scratch : Path or None
        Where rows that are new go instead: what is not worth keeping; None where they are kept, or, if nothing can be
        written there, in a folder that goes with this context.
    device : torch.device
        Where networks run.
    precision : {"float32", "bfloat16", "float16"}
        Of the networks' arithmetic, by autocast.
    windowing : Windowing
        How clips become windows.
    medium : {"audio", "picture"}
        What the task's files are.
    progress : Progress or None
        What says how far long work has come; None says nothing.
    workers : int
        Threads that decode audio.
    card : SourceCard or None
        The source; None where the method takes none.
    load : callable or None
        Returns its network; called when that is first needed.
    source_identity : str
        Weights, version and options of the source: what its rows depend on.
    """

    def __init__(
        self,
        *,
        facts: Mapping[Excerpt, audio.Facts],
        cache: Path,
        device: torch.device,
        precision: str = "float32",
        windowing: Windowing | None = None,
        medium: Literal["audio", "picture"] = "audio",
        progress: Progress | None = None,
        workers: int = 2,
        card: SourceCard | None = None,
        load: Callable[[], Any] | None = None,
        source_identity: str = "",
        scratch: Path | None = None,
    ) -> None:
        self.device, self.precision, self.workers = device, precision, workers
        self.windowing = windowing or Windowing()
        self.medium = medium
        self.progress = progress or Progress(quiet=True)
        self.feature_seconds = 0.0
        """What the rows that were handed out cost when they were computed."""
        self._facts, self._cache, self._scratch = facts, cache, scratch
        self._stores: dict[Path, RowStore] = {}
        self._bypass = self._claiming = False
        self._deformation: Deformation | None = None
        self._counted: set[tuple[Path, str]] = set()
        self.spent_seconds = 0.0
        """Wall time spent on computing rows, or on waiting for another process that does, since `begin_run`."""
        self._source = BoundSource(card, load, source_identity, self) if card and load else None

    def begin_run(self) -> None:
        """Start to count costs afresh."""
        self.feature_seconds = self.spent_seconds = 0.0
        self._counted.clear()

    def source_changed(self) -> str:
        """What of the shared source was changed since this was asked last; see `BoundSource.changed`."""
        return self._source.changed() if self._source else ""

    @property
    def source(self) -> BoundSource:
        """The source, bound to device and cache.

        Raises
        ------
        BadInput
            If the run has no source: declare what the method `needs`.
        """
        if self._source is None:
            raise BadInput("this run has no source; a method that uses context.source must list stages in `needs`")
        return self._source

    def audio(self, split: AnySplit, sample_rate: int, seconds: float) -> Windows:
        """Audio windows, values (n_windows, seconds * sample_rate) float32; cached."""
        rows = self.rows(split, ("audio",), sample_rate, seconds, identity="audio", compute=lambda x, _: {"audio": x})
        return rows["audio"]

    def random_crops(
        self, split: AnySplit, sample_rate: int, seconds: float, clips: IntArray, generator: np.random.Generator
    ) -> Windows:
        """A crop at a random place of each of these clips of a split; decoded afresh, never cached.

        A clip shorter than the crop is taken from its start and padded with zeros.
        """
        self._must_be_audio()
        places = excerpts(split)
        window = round(seconds * sample_rate)

        def crop(job: tuple[Excerpt, float]) -> FloatArray:
            where, offset = job
            facts = self._facts[where]
            start = offset * max(audio.heard_seconds(where, facts) - seconds, 0.0)
            if len(where.peaks) > 1:  # a crop may begin at one level and end at another
                return audio.cut(audio.read(where, sample_rate), [round(start * sample_rate)], window)[0]
            length = seconds if where.duration is None else min(seconds, where.duration)
            piece = audio.read(Excerpt(where.path, where.start + start, length), sample_rate)
            return audio.cut(audio.at_levels(piece, where.peaks, facts.peak), [0], window)[0]

        offsets = generator.random(len(clips))
        jobs = [(places[i], float(offset)) for i, offset in zip(clips, offsets, strict=True)]
        with ThreadPoolExecutor(self.workers) as pool:
            values = np.stack(list(pool.map(crop, jobs)))
        return Windows(values, clips.astype(np.int64), len(places))

    def images(self, split: AnySplit) -> Windows:
        """Pictures of a task whose clips are pictures, values (n_clips, height, width, 3) uint8; decoded, not cached.

        Raises
        ------
        BadInput
            If they are not all of one size.
        """
        places = excerpts(split)
        with ThreadPoolExecutor(self.workers) as pool:
            found = list(pool.map(lambda place: pictures.read(place.path), places))
        for place, picture in zip(places, found, strict=True):
            if picture.shape != found[0].shape:
                height, width, _ = found[0].shape
                raise BadInput(
                    f"{place.path}: {picture.shape[1]} x {picture.shape[0]} pixels, others {width} x {height}"
                )
        return Windows(np.stack(found), np.arange(len(places)), len(places))

    def whole(
        self,
        split: AnySplit,
        stage: str,
        sample_rate: int,
        compute: Callable[[FloatArray, float], npt.NDArray[Any]],
        *,
        identity: str,
    ) -> Windows:
        """A row of each clip, computed from the whole of it; cached.

        Parameters
        ----------
        stage : str
            Name of what is computed.
        compute : callable
            ``compute(audio (n_samples,), longest)`` -> array, whose shape must be the same for every clip; `longest` is
            the length of the task's longest clip in seconds, for those who pad.
        identity : str
            What the rows depend on besides audio and stage.
        """
        self._must_be_audio()
        longest = max(self._seconds(place) for place in self._facts)
        about = {"identity": identity, "sample_rate": sample_rate, "longest": round(longest, 3)}
        return self._gather(
            split,
            (stage,),
            lambda place: [0],
            about,
            lambda place, starts: self._read(place, sample_rate)[None],
            lambda clips, _: {stage: compute(clips[0], longest)[None]},
            lambda: None,
            batch=1,
        )[stage]

    @contextmanager
    def uncached(self) -> Iterator[None]:
        """Compute everything afresh within the block and keep nothing: for timing."""
        self._bypass = True
        try:
            yield
        finally:
            self._bypass = False

    @contextmanager
    def deformed(self, deformation: Deformation) -> Iterator[None]:
        """Everything is heard deformed within the block."""
        self._deformation = deformation
        try:
            yield
        finally:
            self._deformation = None

    def hand_out(self, split: AnySplit, cache: Path) -> None:
        """Copy those rows of a split that are kept to another cache, of what was asked for here until now."""
        if not self._facts:
            return
        for folder, store in self._stores.items():
            about, keys = store.about, dict[str, None]()
            for place in excerpts(split):
                starts = [0]
                if "window" in about:
                    n_samples = round(self._seconds(place) * about["sample_rate"])
                    starts = audio.window_starts(n_samples, about["window"], self.windowing)
                keys |= dict.fromkeys(row_key(self._facts[place], place, start) for start in starts)
            store.copy_to(RowStore(cache / "rows" / folder.name), list(keys))

    def take_in(self, cache: Path) -> None:
        """Keep the rows of another cache here, too."""
        for folder in sorted((cache / "rows").glob("*/")):
            new = RowStore(folder)
            own = self._opened(self._cache / "rows" / folder.name)
            if own.missing(new.keys):
                new.copy_to(self._writable({"": own})[""], new.keys)

    def autocast(self) -> Any:
        """Context manager of the run's precision."""
        dtype = _PRECISIONS[self.precision]
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype != torch.float32)

    def rows(
        self,
        split: AnySplit,
        stages: tuple[str, ...],
        sample_rate: int,
        seconds: float,
        *,
        identity: str,
        compute: Compute,
        prepare: Callable[[], object] = lambda: None,
    ) -> dict[str, Windows]:
        """Rows of some stages for every window of a split: what is missing is computed, all stages in one pass.

        Parameters
        ----------
        stages : tuple of str
            Names of what to get.
        identity : str
            What the rows depend on besides audio, window length and stage.
        compute : callable
            See `mirbench.features.extraction.Compute`.
        prepare : callable
            Called before the clock of what rows cost starts, if any is missing.
        """
        self._must_be_audio()
        window = round(seconds * sample_rate)
        return self._gather(
            split,
            stages,
            lambda place: audio.window_starts(round(self._seconds(place) * sample_rate), window, self.windowing),
            {"identity": identity, "sample_rate": sample_rate, "window": window},
            lambda place, starts: audio.cut(self._read(place, sample_rate), starts, window),
            compute,
            prepare,
            batch=64 if self.device.type == "cuda" else 16,  # more falls out of a processor's cache
        )

    def picture_rows(
        self,
        split: AnySplit,
        stages: tuple[str, ...],
        *,
        identity: str,
        compute: Compute,
        prepare: Callable[[], object] = lambda: None,
    ) -> dict[str, Windows]:
        """The same of a task whose clips are pictures: ``compute`` is given one, (1, height, width, 3) uint8."""
        return self._gather(
            split,
            stages,
            lambda place: [0],
            {"identity": identity},
            lambda place, starts: pictures.read(place.path)[None],
            compute,
            prepare,
            batch=1,  # they may differ in size
        )

    def _must_be_audio(self) -> None:
        if self.medium != "audio":
            raise NotApplicable("the clips of this task are pictures, and the method hears audio")

    def _seconds(self, place: Excerpt) -> float:
        ratio = self._deformation.length_ratio if self._deformation else 1.0
        return audio.heard_seconds(place, self._facts[place]) * ratio

    def _read(self, place: Excerpt, sample_rate: int) -> FloatArray:
        deformation = self._deformation
        if deformation is None:
            return audio.read(place, sample_rate)
        # noise is drawn by what the clip holds: the same for every method and source
        seed = int(row_key(self._facts[place], place, 0)[:8], 16)
        return audio.read(place, sample_rate, lambda heard, rate: deformation.apply(heard, rate, seed))

    def _gather(
        self,
        split: AnySplit,
        stages: tuple[str, ...],
        starts_of: Callable[[Excerpt], list[int]],
        about: dict[str, Any],
        decode: Decode,
        compute: Compute,
        prepare: Callable[[], object],
        *,
        batch: int,
    ) -> dict[str, Windows]:
        """Rows of some stages, from the cache where they are there; the others are computed in one pass."""
        places = excerpts(split)
        starts = [starts_of(place) for place in places]
        if self._deformation:
            about["deformation"] = self._deformation.identity
        clip_index = np.repeat(np.arange(len(places)), [len(s) for s in starts]).astype(np.int64)
        if self._bypass:
            job = self._extraction(list(zip(places, starts, strict=True)), stages, decode, compute, batch)
            parts = [rows for _, rows, _ in job.batches()]
            return {s: Windows(np.concatenate([p[s] for p in parts]), clip_index, len(places)) for s in stages}
        keys = [[row_key(self._facts[p], p, s) for s in begin] for p, begin in zip(places, starts, strict=True)]
        flat = [key for group in keys for key in group]
        stores = {stage: self._store(stage, about) for stage in stages}
        if any(store.missing(flat) for store in stores.values()):
            stores = self._writable(stores)
            began = time.perf_counter()
            with self._alone_at(stores):
                todo = sorted({clip_index[i] for store in stores.values() for i in store.missing(flat)})
                self.spent_seconds += time.perf_counter() - began
                if todo:
                    prepare()
                    began = time.perf_counter()
                    job = self._extraction([(places[i], starts[i]) for i in todo], stages, decode, compute, batch)
                    job.fill(stores, [key for i in todo for key in keys[i]], about, prepare)
                    self.spent_seconds += time.perf_counter() - began
        # stages that are asked for together come from one pass, whose cost stands beside each of them
        self.feature_seconds += max(self._uncounted_seconds(store, flat) for store in stores.values())
        return {stage: Windows(store.get(flat), clip_index, len(places)) for stage, store in stores.items()}

    @contextmanager
    def _alone_at(self, stores: Mapping[str, RowStore]) -> Iterator[None]:
        """Wait until no other process computes rows of this task for a store, and keep others waiting in the block."""
        # a computation that needs rows itself must not wait: others may wait for it
        if self._claiming or self._scratch is not None:
            yield
            return
        self._claiming = True
        try:
            with ExitStack() as held:
                for stage, store in sorted(stores.items(), key=lambda item: item[1].folder):  # for all in one order
                    claim = store.folder / f"rows-{self._task_digest}"
                    held.enter_context(claimed(claim, f"computing {stage}", self.progress))
                yield
        finally:
            self._claiming = False

    @cached_property
    def _task_digest(self) -> str:
        return hashlib.sha256("".join(sorted(f.sha256 for f in self._facts.values())).encode()).hexdigest()[:12]

    def _uncounted_seconds(self, store: RowStore, keys: Sequence[str]) -> float:
        fresh = [key for key in keys if (store.folder, key) not in self._counted]
        self._counted.update((store.folder, key) for key in fresh)
        return store.seconds(fresh)

    def _extraction(
        self,
        work: Sequence[tuple[Excerpt, list[int]]],
        stages: tuple[str, ...],
        decode: Decode,
        compute: Compute,
        batch: int,
    ) -> Extraction:
        root = self._scratch or self._cache
        return Extraction(work, stages, decode, compute, batch, self.workers, root, self.progress)

    def _writable(self, stores: dict[str, RowStore]) -> dict[str, RowStore]:
        """The same stores, with another place for what is new where nothing can be written to the cache."""
        if self._scratch is not None or not (why := unwritable(self._cache)):
            return stores
        held = ExitStack()
        self._scratch = held.enter_context(temporary())
        weakref.finalize(self, held.close)
        self.progress.say(f"{self._cache}: no rows can be kept there ({why}); they are kept for this command alone")
        self._stores.clear()
        return {stage: self._opened(store.folder) for stage, store in stores.items()}

    def _store(self, stage: str, about: Mapping[str, Any]) -> RowStore:
        import soxr

        depends = {**about, "stage": stage, "soxr": soxr.__version__}
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:20]
        return self._opened(self._cache / "rows" / f"{stage}-{digest}")

    def _opened(self, folder: Path) -> RowStore:
        if folder not in self._stores:
            scratch = self._scratch and self._scratch / folder.name
            self._stores[folder] = RowStore(folder, scratch, self.progress.say)
        return self._stores[folder]
