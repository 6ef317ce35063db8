"""What a method is handed: audio, the bound source, device, precision, progress.

A frozen computation is done once for these weights, options, precision and bytes of audio, then read from disk, one row
a window; see `mirbench.features.cache`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from mirbench.errors import BadInput, NotApplicable
from mirbench.features import audio, pictures, reading_order
from mirbench.features.afresh import Afresh
from mirbench.features.bound import BoundSource
from mirbench.features.cache import RowStore
from mirbench.features.decoding import DecodeStretch
from mirbench.features.decoding import decode as decode_alone
from mirbench.features.deformation import Deformation
from mirbench.features.extraction import Compute, Extraction
from mirbench.features.hearing import Hearing, from_the_first
from mirbench.features.passes import Passes
from mirbench.features.row_index import KeyArray
from mirbench.features.row_stores import RowStores
from mirbench.features.stopwatch import Stopwatch
from mirbench.features.usual import computed_as_usual
from mirbench.features.windows import AnySplit, Windows
from mirbench.progress import Progress
from mirbench.source import SourceCard
from mirbench.types import Excerpt, FloatArray, IntArray, Pad, Windowing, excerpts

__all__ = ["Context"]

Asked = Callable[[RowStore, KeyArray], object]

_DecodeBy = Callable[[Excerpt, Sequence[int], DecodeStretch], npt.NDArray[Any]]


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
    pad : str
        How clips that are shorter than a window fill it; see `mirbench.features.padding`.
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
        pad: Pad = "zeros",
    ) -> None:
        self.device, self.precision, self.workers = device, precision, workers
        self.watch = Stopwatch(device)
        """Where the wall time of the run goes."""
        self.windowing = windowing or Windowing()
        self.medium, self._pad = medium, pad
        self.threads = torch.get_num_threads()
        """Of torch's arithmetic on the processor."""
        self.progress = progress or Progress(quiet=True)
        self.feature_seconds = 0.0
        """What the rows that were handed out cost when they were computed."""
        self._cache, self.memo = cache, cache / "files.sqlite"
        self.hear_others(facts, scratch)
        self._afresh: Afresh | None = None
        self._asked_of: Asked = lambda store, keys: None
        self.circumstances: dict[str, Any] = {}
        """What a record must say of how this run was done, since `begin_run`."""
        self.spent_seconds = 0.0
        """Wall time spent on computing rows, or on waiting for another process that does, since `begin_run`."""
        self._source = BoundSource(card, load, source_identity, self) if card and load else None

    def begin_run(self) -> None:
        """Start to count costs afresh."""
        self.feature_seconds = self.spent_seconds = 0.0
        self.circumstances = {}
        self.watch = Stopwatch(self.device)
        self._stores.begin_run()

    def hear_others(self, facts: Mapping[Excerpt, audio.Facts], scratch: Path | None) -> None:
        """Hear other files from now on, with the same source; parameters as of the class."""
        self._heard = Hearing(facts, pad=self._pad)
        self._stores = RowStores(self._cache, scratch, (known.sha256 for known in facts.values()), self.progress)

    def source_changed(self) -> str:
        """What of the shared source was changed since this was asked last; see `BoundSource.changed`."""
        return self._source.changed() if self._source else ""

    def let_go(self) -> None:
        """Keep the source's network no longer; it names this, so it would last until Python looks for cycles."""
        if self._source is not None:
            self._source.let_go()

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
        how: dict[str, Any] = {"identity": "audio", "compute": lambda audio, _: {"audio": audio}}
        return self.rows(split, ("audio",), sample_rate, seconds, **how)["audio"]

    def random_crops(
        self, split: AnySplit, sample_rate: int, seconds: float, clips: IntArray, generator: np.random.Generator
    ) -> Windows:
        """A crop at a random place of each of these clips of a split; decoded afresh, never cached.

        A clip shorter than the crop is taken from its start and padded with zeros, or as the run pads.
        """
        self._must_be_audio()
        places = excerpts(split)

        offsets = generator.random(len(clips)).tolist()
        chosen = [places[clip] for clip in clips.tolist()]
        values = self._heard.crops(chosen, sample_rate, seconds, offsets, self.workers, self.watch)
        return Windows(values, clips.astype(np.int64), len(places))

    def images(self, split: AnySplit) -> Windows:
        """Pictures of a task whose clips are pictures, values (n_clips, height, width, 3) uint8; decoded, not cached.

        Raises
        ------
        BadInput
            If they are not all of one size.
        """
        places = excerpts(split)
        found = pictures.read_alike([place.path for place in places], self.workers)
        return Windows(found, np.arange(len(places)), len(places))

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
        longest = self._heard.longest()
        about = {"identity": identity, "sample_rate": sample_rate, "longest": round(longest, 3)}
        return self._of_clips(split, (stage,), about, lambda clips, _: {stage: compute(clips[0], longest)[None]})[stage]

    def reading_order(self, arrays: Sequence[Any], generator: np.random.Generator) -> IntArray:
        """Every row of some arrays once, at random; see `mirbench.features.reading_order`."""
        order, circumstance = reading_order.epoch_order(arrays, generator, self.progress)
        self.circumstances |= circumstance
        return order

    def uncached(self, afresh: Afresh) -> AbstractContextManager[None]:
        """Nothing is kept within the block; rows cost what `afresh` takes them for."""
        # all of it is one phase of the run, and none of its rows is a cost of it
        alone = {"watch": Stopwatch(self.device), "feature_seconds": 0.0, "spent_seconds": 0.0}
        return self._with(_afresh=afresh, **alone)

    def telling(self, tell: Asked) -> AbstractContextManager[None]:
        """`tell` is told of every store and the keys of the rows that are asked of it, before any is computed."""
        return self._with(_asked_of=tell)

    def deformed(self, deformation: Deformation) -> AbstractContextManager[None]:
        """Everything is heard deformed within the block."""
        return self._with(_heard=replace(self._heard, deformation=deformation))

    @contextmanager
    def _with(self, **held: object) -> Iterator[None]:
        before = {name: getattr(self, name) for name in held}
        vars(self).update(held)
        try:
            yield
        finally:
            vars(self).update(before)

    def hand_out(self, split: AnySplit, cache: Path) -> None:
        """Copy those rows of a split that are kept to another cache, of what was asked for here until now."""
        if self._heard.facts:
            keys_of = partial(self._heard.every_key, excerpts(split), windowing=self.windowing)
            self._stores.hand_out(keys_of, cache)

    def take_in(self, cache: Path) -> None:
        """Keep the rows of another cache here, too."""
        self._stores.take_in(cache)

    def autocast(self) -> Any:
        """Context manager of the run's precision."""
        dtype = getattr(torch, self.precision)
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
        if math.isinf(seconds):  # each clip as it is
            about = {"identity": identity, "sample_rate": sample_rate, "whole": True}
            return self._of_clips(split, stages, about, compute, prepare)
        window = round(seconds * sample_rate)
        return self._gather(
            split,
            stages,
            lambda places: self._heard.starts(places, sample_rate, window, self.windowing),
            {"identity": identity, "sample_rate": sample_rate, "window": window},
            lambda place, starts, decode: self._heard.windows(place, sample_rate, starts, window, decode),
            compute,
            prepare,
            batch=64 if self.device.type == "cuda" else 16,  # more falls out of a processor's cache
        )

    def _of_clips(
        self,
        split: AnySplit,
        stages: tuple[str, ...],
        about: dict[str, Any],
        compute: Compute,
        prepare: Callable[[], object] = lambda: None,
    ) -> dict[str, Windows]:
        """Rows of clips as they are, one after another, for they differ in length."""

        def clip(place: Excerpt, starts: Sequence[int], decode: DecodeStretch) -> npt.NDArray[Any]:
            return self._heard.read(place, about["sample_rate"], decode)[None]

        return self._gather(split, stages, from_the_first, about, clip, compute, prepare, batch=1)

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
            from_the_first,
            {"identity": identity},
            lambda place, starts, decode: pictures.read(place.path)[None],
            compute,
            prepare,
            batch=1,  # they may differ in size
        )

    def _must_be_audio(self) -> None:
        if self.medium != "audio":
            raise NotApplicable("the clips of this task are pictures, and the method hears audio")

    def _gather(
        self,
        split: AnySplit,
        stages: tuple[str, ...],
        starts_of: Callable[[Sequence[Excerpt]], list[Sequence[int]]],
        about: dict[str, Any],
        decode: _DecodeBy,
        compute: Compute,
        prepare: Callable[[], object],
        *,
        batch: int,
    ) -> dict[str, Windows]:
        """Rows of some stages, from the cache where they are there; the others are computed in one pass."""
        places = excerpts(split)
        starts = starts_of(places)
        about = about | self._heard.about
        clip_index = np.repeat(np.arange(len(places)), [len(s) for s in starts]).astype(np.int64)
        keys = self._heard.keys(places, starts, about)
        stores = {stage: self._stores.store(stage, about) for stage in stages}
        if self._afresh is not None:
            # what a clip costs does not depend on those beside it
            job = self._extraction(list(zip(places, starts, strict=True)), stages, decode, decode_alone, compute, batch)
            how = f"{self.device} {self.threads} {self.workers}"
            rows = self._afresh.rows(stores, keys, how, job.all_rows)
            return {stage: Windows(values, clip_index, len(places)) for stage, values in rows.items()}
        for store in stores.values():
            self._asked_of(store, keys)
        if any(store.missing(keys) for store in stores.values()):
            stores = self._stores.writable(stores)
            began = time.perf_counter()
            with ExitStack() as held:
                with self.watch.phase("waiting"):
                    held.enter_context(self._stores.alone_at(stores))
                lacking = np.unique(np.concatenate([clip_index[store.missing(keys)] for store in stores.values()]))
                self.spent_seconds += time.perf_counter() - began
                if len(lacking):
                    prepare()
                    began = time.perf_counter()
                    work = [(places[i], starts[i]) for i in lacking]
                    in_turn = Passes(place for place, _ in work).decode
                    job = self._extraction(work, stages, decode, in_turn, compute, batch)
                    with self.watch.phase("rows"):
                        job.fill(stores, keys[np.isin(clip_index, lacking)], about, prepare)
                    self.spent_seconds += time.perf_counter() - began
        # stages that are asked for together come from one pass, whose cost stands beside each of them
        self.feature_seconds += max(self._stores.uncounted_seconds(store, keys) for store in stores.values())
        with self.watch.phase("rows"):
            return {stage: Windows(store.get(keys), clip_index, len(places)) for stage, store in stores.items()}

    def _extraction(
        self,
        work: Sequence[tuple[Excerpt, Sequence[int]]],
        stages: tuple[str, ...],
        decode: _DecodeBy,
        each: DecodeStretch,
        compute: Compute,
        batch: int,
    ) -> Extraction:
        def decoded(place: Excerpt, starts: Sequence[int]) -> npt.NDArray[Any]:
            return decode(place, starts, each)

        def as_usual(windows: npt.NDArray[Any], stages: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
            # whatever the method has set: the rows are for all
            with self.watch.phase("features"), computed_as_usual(self.device, self.threads):
                return compute(windows, stages)

        root = self._stores.root
        return Extraction(work, stages, decoded, as_usual, batch, self.workers, root, self.progress, self.watch)
