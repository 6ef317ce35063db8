"""What a method is handed: audio, the bound source, device, precision, progress.

A frozen computation is done once for these weights, options, precision and bytes of audio, then read from disk, one row
a window; see `mirbench.cache`.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mirbench import audio
from mirbench.cache import Rows, RowStore
from mirbench.errors import BadInput
from mirbench.progress import Progress
from mirbench.types import BlindSplit, Excerpt, FloatArray, IntArray, SourceCard, Split, Windowing, excerpts

__all__ = ["BoundSource", "Context", "Windows", "fold_batch_norm"]

_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_BATCH = 16  # windows a frozen forward pass
_SHARD_BYTES = 128 * 2**20
_SAY_BYTES = 500 * 2**20

AnySplit = Split | BlindSplit


@dataclass(frozen=True)
class Windows:
    """Windows of the clips of a split, in order.

    Parameters
    ----------
    values : array-like, shape (n_windows, …)
        Lazy rows; index with slices or arrays of int, or take them whole with ``numpy.asarray``.
    clip_index : ndarray of int, shape (n_windows,)
        Which clip of the split each window is from.
    n_clips : int
        Number of clips.
    """

    values: Rows | npt.NDArray[Any]
    clip_index: IntArray
    n_clips: int

    def __len__(self) -> int:
        return len(self.clip_index)

    def clip_means(self) -> npt.NDArray[np.float64]:
        """Mean over each clip's windows, shape (n_clips, …)."""
        return clip_means(np.asarray(self.values), self.clip_index, self.n_clips)


def clip_means(values: npt.NDArray[Any], clip_index: IntArray, n_clips: int) -> npt.NDArray[np.float64]:
    """Mean of window values over each clip, shape (n_clips, …), float64."""
    total = np.zeros((n_clips, *values.shape[1:]))
    np.add.at(total, clip_index, values)
    count = np.bincount(clip_index, minlength=n_clips).reshape(-1, *[1] * (values.ndim - 1))
    mean: npt.NDArray[np.float64] = total / count
    return mean


class Context:
    """What a method may use.

    Parameters
    ----------
    facts : mapping of Excerpt to Facts
        From `mirbench.audio.survey`, for every clip of the task.
    cache : Path
        Root of the cache.
    device : torch.device
        Where networks run.
    precision : {"float32", "bfloat16", "float16"}
        Of the networks' arithmetic, by autocast.
    windowing : Windowing
        How clips become windows.
    card : SourceCard or None
        The source, with `load` to get its network, `source_identity` (weights, version, options).
    """

    def __init__(
        self,
        *,
        facts: Mapping[Excerpt, audio.Facts],
        cache: Path,
        device: torch.device,
        precision: str = "float32",
        windowing: Windowing | None = None,
        progress: Progress | None = None,
        workers: int = 2,
        card: SourceCard | None = None,
        load: Callable[[], torch.nn.Module] | None = None,
        source_identity: str = "",
    ) -> None:
        self.device, self.precision, self.workers = device, precision, workers
        self.windowing = windowing or Windowing()
        self.progress = progress or Progress(quiet=True)
        self.feature_seconds = 0.0
        """What the rows that were handed out cost when they were computed."""
        self._facts, self._cache = facts, cache
        self._stores: dict[Path, RowStore] = {}
        self._bypass = False
        self._counted: set[tuple[Path, str]] = set()
        self.spent_seconds = 0.0
        """Wall time spent on computing rows since `begin_run`."""
        self._source = BoundSource(card, load, source_identity, self) if card and load else None

    def begin_run(self) -> None:
        """Start to count costs afresh."""
        self.feature_seconds = self.spent_seconds = 0.0
        self._counted.clear()

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
        self, split: AnySplit, sample_rate: int, seconds: float, count: int, generator: np.random.Generator
    ) -> Windows:
        """Crops of random clips at random places, both drawn with replacement; decoded afresh, never cached.

        A clip shorter than the crop is taken from its start and padded with zeros.
        """
        places = excerpts(split)
        index = generator.integers(len(places), size=count)
        window = round(seconds * sample_rate)

        def crop(job: tuple[Excerpt, float]) -> FloatArray:
            where, offset = job
            start = where.start + offset * max(self._facts[where].seconds - seconds, 0.0)
            length = seconds if where.duration is None else min(seconds, where.duration)
            piece = audio.read(Excerpt(where.path, start, length), sample_rate)
            return audio.cut(piece, [0], window)[0]

        jobs = [(places[i], float(offset)) for i, offset in zip(index, generator.random(count), strict=True)]
        with ThreadPoolExecutor(self.workers) as pool:
            values = np.stack(list(pool.map(crop, jobs)))
        return Windows(values, index.astype(np.int64), len(places))

    @contextmanager
    def uncached(self) -> Iterator[None]:
        """Compute everything afresh within the block and keep nothing: for timing."""
        self._bypass = True
        try:
            yield
        finally:
            self._bypass = False

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
        compute: Callable[[FloatArray, tuple[str, ...]], dict[str, npt.NDArray[Any]]],
    ) -> dict[str, Windows]:
        """Rows of some stages for every window of a split: what is missing is computed, all stages in one pass.

        Parameters
        ----------
        stages : tuple of str
            Names of what to get.
        identity : str
            What the rows depend on besides audio, window length and stage.
        compute : callable
            ``compute(audio windows (n, n_samples), stages)`` -> rows of each stage.
        """
        places = excerpts(split)
        window = round(seconds * sample_rate)
        starts = [audio.window_starts(round(self._facts[p].seconds * sample_rate), window, self.windowing) for p in places]
        clip_index = np.repeat(np.arange(len(places)), [len(s) for s in starts]).astype(np.int64)
        if self._bypass:
            job = _Extraction(self, list(zip(places, starts, strict=True)), sample_rate, window, stages, compute)
            parts = [rows for _, rows, _ in job.batches()]
            return {s: Windows(np.concatenate([p[s] for p in parts]), clip_index, len(places)) for s in stages}
        keys = [[_row_key(self._facts[p], p, s) for s in begin] for p, begin in zip(places, starts, strict=True)]
        flat = [key for group in keys for key in group]
        about = {"identity": identity, "sample_rate": sample_rate, "window": window}
        stores = {stage: self._store(stage, about) for stage in stages}
        todo = sorted({clip_index[i] for store in stores.values() for i in store.missing(flat)})
        if todo:
            work = [(places[i], starts[i]) for i in todo]
            began = time.perf_counter()
            job = _Extraction(self, work, sample_rate, window, stages, compute)
            job.fill(stores, [key for i in todo for key in keys[i]], about)
            self.spent_seconds += time.perf_counter() - began
        for stage, store in stores.items():
            fresh = [key for key in flat if (store.folder, key) not in self._counted]
            self._counted.update((store.folder, key) for key in fresh)
            self.feature_seconds += store.seconds(fresh)
        return {stage: Windows(store.get(flat), clip_index, len(places)) for stage, store in stores.items()}

    def _store(self, stage: str, about: Mapping[str, Any]) -> RowStore:
        import soxr

        depends = {**about, "stage": stage, "soxr": soxr.__version__}
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:20]
        folder = self._cache / "rows" / f"{stage}-{digest}"
        return self._stores.setdefault(folder, RowStore(folder))


def _row_key(facts: audio.Facts, excerpt: Excerpt, start: int) -> str:
    """What a window holds: bytes of the file, stretch of the clip (its end decides the padding), first sample."""
    text = f"{facts.sha256}|{excerpt.start:.6f}|{excerpt.duration}|{start}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class _Extraction:
    """One pass over clips that computes rows; decoding runs ahead in threads."""

    def __init__(
        self,
        context: Context,
        work: Sequence[tuple[Excerpt, list[int]]],
        sample_rate: int,
        window: int,
        stages: tuple[str, ...],
        compute: Callable[[FloatArray, tuple[str, ...]], dict[str, npt.NDArray[Any]]],
    ) -> None:
        self.context, self.work, self.sample_rate, self.window = context, work, sample_rate, window
        self.stages, self.compute = stages, compute

    def fill(self, stores: Mapping[str, RowStore], keys: Sequence[str], about: dict[str, Any]) -> None:
        """Compute all rows and write them, a shard at a time, so that a stop loses little."""
        held: list[dict[str, npt.NDArray[Any]]] = []
        seconds, first, done, told = 0.0, 0, 0, False
        what = "computing " + " and ".join(self.stages)
        with self.context.progress.bar(what, len(keys), "windows") as step:
            for count, rows, cost in self.batches():
                if not told:
                    self._warn_of_size(len(keys), sum(part[0].nbytes for part in rows.values()))
                    told = True
                held.append(rows)
                seconds, done = seconds + cost, done + count
                step(count)
                if sum(part.nbytes for batch in held for part in batch.values()) >= _SHARD_BYTES or done == len(keys):
                    for share, (stage, store) in enumerate(stores.items()):
                        part = np.concatenate([batch[stage] for batch in held])
                        # One pass made all stages: its cost is booked once, on the first.
                        store.put(keys[first:done], part, 0.0 if share else seconds, about)
                    held, seconds, first = [], 0.0, done

    def batches(self) -> Iterator[tuple[int, dict[str, npt.NDArray[Any]], float]]:
        """Number of windows, rows of each stage, and seconds, batch by batch."""
        began = time.perf_counter()
        with ThreadPoolExecutor(self.context.workers) as pool:
            waiting: list[FloatArray] = []
            for windows in _ahead(pool, self._windows, self.work, 4 * self.context.workers):
                waiting.extend(windows)
                while len(waiting) >= _BATCH:
                    rows = self.compute(np.stack(waiting[:_BATCH]), self.stages)
                    del waiting[:_BATCH]
                    now = time.perf_counter()
                    yield _BATCH, rows, now - began
                    began = time.perf_counter()
            if waiting:
                rows = self.compute(np.stack(waiting), self.stages)
                yield len(waiting), rows, time.perf_counter() - began

    def _windows(self, job: tuple[Excerpt, list[int]]) -> FloatArray:
        excerpt, starts = job
        return audio.cut(audio.read(excerpt, self.sample_rate), starts, self.window)

    def _warn_of_size(self, n_rows: int, row_bytes: int) -> None:
        size = n_rows * row_bytes
        if size < _SAY_BYTES:
            return
        root = self.context._cache
        root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
        what = f"{' and '.join(self.stages)} of {n_rows} windows take {size / 1e9:.1f} GB of disk in {root}"
        if size > 0.95 * free:
            raise BadInput(f"{what}, where {free / 1e9:.1f} GB are free: free some, or point MIRBENCH_CACHE elsewhere")
        self.context.progress.say(f"{what} (`mirbench cache clear` frees it)")


def _ahead(pool: ThreadPoolExecutor, function: Callable[[Any], Any], jobs: Sequence[Any], depth: int) -> Iterator[Any]:
    """Like ``pool.map`` in order, but never more than `depth` jobs ahead of the reader."""
    pending = [pool.submit(function, job) for job in jobs[:depth]]
    for position in range(len(jobs)):
        answer = pending.pop(0).result()
        if position + depth < len(jobs):
            pending.append(pool.submit(function, jobs[position + depth]))
        yield answer


class BoundSource:
    """A frozen source network, bound to device and cache.

    Parameters
    ----------
    card : SourceCard
        Its facts.
    load : callable
        Returns the network; called when it is first needed.
    identity : str
        Weights, version and options: what its rows depend on.
    context : Context
        Where it runs.
    """

    def __init__(
        self, card: SourceCard, load: Callable[[], torch.nn.Module], identity: str, context: Context
    ) -> None:
        self.card = card
        self._load, self._identity, self._context = load, identity, context
        self._loaded: torch.nn.Module | None = None
        self._frozen: torch.nn.Module | None = None

    @property
    def network(self) -> Any:
        """The shared network: frozen, in eval mode, batch norm folded into convolutions. Do not change it."""
        if self._frozen is None:
            network = fold_batch_norm(copy.deepcopy(self._original()))
            self._frozen = network.to(self._context.device).eval().requires_grad_(False)
        return self._frozen

    @property
    def n_parameters(self) -> int:
        """Parameters of the network as published (before folding)."""
        return sum(p.numel() for p in self._original().parameters())

    def copy(self) -> Any:
        """A network of your own to train: on the device, trainable, in train mode."""
        return copy.deepcopy(self._original()).to(self._context.device).requires_grad_(True).train()

    def audio(self, split: AnySplit) -> Windows:
        """Windows at the source's rate, values (n, n_samples)."""
        return self._context.audio(split, self.card.sample_rate, self.card.seconds)

    def pictures(self, split: AnySplit) -> Windows:
        """What the front end makes of the windows, values (n, 1, n_bands, n_frames)."""
        return self._rows(split, "pictures")["pictures"]

    def pooled(self, split: AnySplit) -> Windows:
        """Embeddings, values (n, n_features)."""
        return self._rows(split, "pooled")["pooled"]

    def layer(self, split: AnySplit, k: int) -> Windows:
        """Hidden layer k, values (n, n_tokens, width) in half precision; `pooled` is kept from the same pass."""
        return self._rows(split, "pooled", f"layer{k}")[f"layer{k}"]

    def logits(self, split: AnySplit) -> Windows:
        """The source's own opinion, values (n, n_outputs); computed from `pooled`, which is cached."""
        pooled = self.pooled(split)
        parts = [
            self.network.head(self.tensor(pooled.values[slice(i, i + 1024)])).float().cpu().numpy()
            for i in range(0, len(pooled), 1024)
        ]
        return Windows(np.concatenate(parts), pooled.clip_index, pooled.n_clips)

    def tensor(self, rows: npt.NDArray[Any]) -> torch.Tensor:
        """Rows as a float32 tensor on the device."""
        return torch.from_numpy(np.ascontiguousarray(rows)).to(self._context.device, torch.float32)

    def _original(self) -> torch.nn.Module:
        if self._loaded is None:
            self._loaded = self._load().eval()
        return self._loaded

    def _rows(self, split: AnySplit, *stages: str) -> dict[str, Windows]:
        identity = f"{self._identity}:{self._context.precision}"
        card = self.card
        return self._context.rows(
            split, stages, card.sample_rate, card.seconds, identity=identity, compute=self._compute
        )

    @torch.no_grad()
    def _compute(self, windows: FloatArray, stages: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
        layers = tuple(int(stage.removeprefix("layer")) for stage in stages if stage.startswith("layer"))
        out: dict[str, npt.NDArray[Any]] = {}
        x = self.tensor(windows)
        if "frontend" in self.card.offers:
            x = self.network.frontend(x)
        if "pictures" in stages:
            out["pictures"] = x.float().cpu().numpy()
        if "pooled" in stages or layers:
            with self._context.autocast():
                found = self.network.body(x, layers=layers)
            out["pooled"] = found.pooled.float().cpu().numpy()
            out |= {f"layer{k}": found.layers[k].half().cpu().numpy() for k in layers}
        return {stage: out[stage] for stage in stages}


def fold_batch_norm(network: torch.nn.Module) -> torch.nn.Module:
    """Fold each batch norm that follows a convolution in a Sequential into it, in place; the function stays the same."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    network.eval()
    for module in network.modules():
        if not isinstance(module, torch.nn.Sequential):
            continue
        for i, (first, second) in enumerate(zip(list(module), list(module)[1:], strict=False)):
            if isinstance(first, torch.nn.Conv2d) and isinstance(second, torch.nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(first, second), torch.nn.Identity()
    return network
