"""A source network bound to device and cache: what methods reach as ``context.source``."""

from __future__ import annotations

import copy
import math
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch

from mirbench.errors import ChangedSource, NotApplicable
from mirbench.features.extraction import Compute
from mirbench.features.frozen import difference, looks_of
from mirbench.features.stopwatch import Stopwatch
from mirbench.features.tokens import FewerTokens
from mirbench.features.usual import computed_as_usual
from mirbench.features.windows import AnySplit, Windows
from mirbench.source import SourceCard, deviations
from mirbench.types import clips_of

__all__ = ["BoundSource", "fold_batch_norm"]

_HALF = torch.finfo(torch.float16).max


class SourceHost(Protocol):
    """What a bound source needs of the `Context` that it is reached through."""

    device: torch.device
    precision: str
    medium: Literal["audio", "picture"]
    threads: int
    spent_seconds: float
    watch: Stopwatch

    def audio(self, split: AnySplit, sample_rate: int, seconds: float) -> Windows:
        """See `Context.audio`."""
        ...

    def images(self, split: AnySplit) -> Windows:
        """See `Context.images`."""
        ...

    def rows(
        self,
        split: AnySplit,
        stages: tuple[str, ...],
        sample_rate: int,
        seconds: float,
        *,
        identity: str,
        compute: Compute,
        prepare: Callable[[], object] = ...,
    ) -> dict[str, Windows]:
        """See `Context.rows`."""
        ...

    def picture_rows(
        self,
        split: AnySplit,
        stages: tuple[str, ...],
        *,
        identity: str,
        compute: Compute,
        prepare: Callable[[], object] = ...,
    ) -> dict[str, Windows]:
        """See `Context.picture_rows`."""
        ...

    def autocast(self) -> AbstractContextManager[None]:
        """See `Context.autocast`."""
        ...


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
    context : SourceHost
        Where it runs: the `Context`.
    """

    def __init__(self, card: SourceCard, load: Callable[[], Any], identity: str, context: SourceHost) -> None:
        self.card = card
        self._load, self._identity, self._context = load, identity, context
        self._loaded: Any = None
        self._frozen: torch.nn.Module | None = None
        self._looks: dict[str, object] = {}
        self._changed = ""

    @property
    def network(self) -> Any:
        """The shared network: frozen, in eval mode, batch norm folded into convolutions. Do not change it."""
        if self._frozen is None:
            network = fold_batch_norm(copy.deepcopy(self._original()))
            self._frozen = network.to(self._context.device).eval().requires_grad_(False)
            self._looks = looks_of(self._frozen)
        return self._frozen

    def changed(self) -> str:
        """What of the shared network was changed since this was asked last, in a line; "" where nothing was.

        A network that was changed is loaded again when it is needed next.
        """
        self._look_again()
        changed, self._changed = self._changed, ""
        return changed

    def let_go(self) -> None:
        """Keep the network no longer; it is loaded again when it is needed next."""
        self._frozen = self._loaded = None
        self._looks = {}

    @property
    def n_parameters(self) -> int:
        """Parameters of the network as published (before folding); 0 where features were computed elsewhere."""
        if self.card.kind == "precomputed":
            return 0
        own = sum(p.numel() for p in self._original().parameters())
        return own + getattr(self._original(), "elsewhere", 0)

    @property
    def computes_here(self) -> bool:
        """Whether torch sees in this process what the network computes."""
        if self.card.kind == "network":
            return True
        return self.card.kind != "precomputed" and next(self._original().parameters(), None) is not None

    def copy(self) -> Any:
        """A network of your own to train: on the device, trainable, in train mode."""
        return copy.deepcopy(self._original()).to(self._context.device).requires_grad_(True).train()

    def audio(self, split: AnySplit) -> Windows:
        """Windows at the source's rate, values (n, n_samples).

        Raises
        ------
        NotApplicable
            If a window is a whole clip.
        """
        if math.isinf(self.card.seconds):
            raise NotApplicable("seconds=whole: clips differ in length, and the method takes windows; say seconds=N")
        return self._context.audio(split, self.card.sample_rate, self.card.seconds)

    def pictures(self, split: AnySplit) -> Windows:
        """What the front end makes of the windows, values (n, 1, n_bands, n_frames)."""
        return self._rows(split, "pictures")["pictures"]

    def entry(self, split: AnySplit) -> Windows:
        """What the body begins from: picture files (n, 3, height, width) of 0 … 255, pictures of audio, or audio."""
        if self._context.medium == "picture":
            seen = self._context.images(split)
            return Windows(np.moveaxis(np.asarray(seen.values), 3, 1), seen.clip_index, seen.n_clips)
        return self.pictures(split) if "frontend" in self.card.offers else self.audio(split)

    def live_entry(self, audio: torch.Tensor) -> torch.Tensor:
        """The same of audio (n, n_samples), now; differentiable."""
        return self.network.frontend(audio) if "frontend" in self.card.offers else audio

    def pooled(self, split: AnySplit) -> Windows:
        """Embeddings, values (n, n_features)."""
        if self.card.kind == "precomputed":
            found: Windows = self._original().pooled(clips_of(split))
            return found
        return self._rows(split, "pooled")["pooled"]

    def layer(self, split: AnySplit, k: int) -> Windows:
        """Hidden layer k, values (n, n_tokens, width) in half precision; `pooled` is kept from the same pass."""
        return self.layer_and_pooled(split, k)[0]

    def layer_and_pooled(self, split: AnySplit, k: int) -> tuple[Windows, Windows]:
        """Hidden layer k and the embeddings, from one pass; see `layer` and `pooled`."""
        rows = self._rows(split, "pooled", f"layer{k}")
        return rows[f"layer{k}"], rows["pooled"]

    def layer_means(self, split: AnySplit) -> list[Windows]:
        """Mean over the tokens of every hidden layer, values (n, width) each; all from one pass."""
        rows = self.together(split, *(f"mean{k}" for k in range(self.card.n_layers)))
        return list(rows.values())

    def together(self, split: AnySplit, *stages: str) -> dict[str, Windows]:
        """Several of "pooled", "layerK", "meanK" and "sdK" (over the tokens of layer K), all from one pass."""
        return self._rows(split, *stages)

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

    def _original(self) -> Any:
        if self._loaded is None:
            # networks are made at random before their weights are put in: no seed of a run may depend on when
            began = time.perf_counter()
            usual = computed_as_usual(self._context.device, self._context.threads)
            with usual, torch.random.fork_rng(devices=[]), self._context.watch.phase("loading"):
                loaded = self._load()
                if self.card.tokens_in_one > 1:
                    loaded = FewerTokens(loaded, self.card.tokens_in_one)
            self._context.spent_seconds += time.perf_counter() - began  # no part of what training takes
            self._loaded = loaded if self.card.kind == "precomputed" else loaded.eval()
        return self._loaded

    def _look_again(self) -> None:
        if self._frozen is not None and (what := difference(self._looks, looks_of(self._frozen))):
            self._changed = (
                f"the method changed the shared source {self.card.name} ({what}): context.source.copy() is what it may "
                "train, context.source.network stays as it is"
            )
            self._frozen = self._loaded = None

    def _untouched(self) -> None:
        """The network, as it was loaded: what is kept on disk comes from no other.

        Raises
        ------
        ChangedSource
            If a method changed it.
        """
        self._look_again()
        if self._changed:
            raise ChangedSource(self._changed)
        _ = self.network

    def _rows(self, split: AnySplit, *stages: str) -> dict[str, Windows]:
        how: dict[str, Any] = {
            "identity": f"{self._identity}:{self._context.precision}",
            "compute": self._compute,
            "prepare": self._untouched,
        }
        if self._context.medium == "picture":
            return self._context.picture_rows(split, stages, **how)
        if math.isinf(self.card.seconds) and "pictures" in stages:
            raise NotApplicable(
                "seconds=whole: pictures of clips differ in length; take a method on the embedding or on a hidden "
                "layer, or seconds=N"
            )
        return self._context.rows(split, stages, self.card.sample_rate, self.card.seconds, **how)

    @torch.no_grad()
    def _compute(self, windows: npt.NDArray[Any], stages: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
        """Rows of windows of audio (n, n_samples), or of picture files (n, height, width, 3)."""
        layers = tuple(
            sorted({int(m.group(1)) for stage in stages if (m := re.fullmatch(r"(?:layer|mean|sd)(\d+)", stage))})
        )
        out: dict[str, npt.NDArray[Any]] = {}
        network = self.network  # loaded, if it was not, before the front end is timed
        with self._context.watch.phase("front_end"):
            if self._context.medium == "picture":
                x = self.tensor(np.moveaxis(windows, 3, 1))
            else:
                x = self.live_entry(self.tensor(windows))
        if "pictures" in stages:
            out["pictures"] = x.float().cpu().numpy()
        if "pooled" in stages or layers:
            with self._context.watch.phase("body"), self._context.autocast():
                found = network.body(x, layers=layers)
            out["pooled"] = found.pooled.float().cpu().numpy()
            for k in layers:
                if f"layer{k}" in stages:
                    # what half precision cannot hold becomes its largest number, and not infinite
                    out[f"layer{k}"] = found.layers[k].clamp(-_HALF, _HALF).half().cpu().numpy()
                if f"mean{k}" in stages:
                    out[f"mean{k}"] = found.layers[k].float().mean(dim=1).cpu().numpy()
                if f"sd{k}" in stages:
                    out[f"sd{k}"] = deviations(found.layers[k].float()).cpu().numpy()
        return {stage: out[stage] for stage in stages}


def fold_batch_norm(network: torch.nn.Module) -> torch.nn.Module:
    """Fold each batch norm behind a convolution of a Sequential into it, in place; the function stays the same."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    network.eval()
    for module in network.modules():
        if not isinstance(module, torch.nn.Sequential):
            continue
        for i, (first, second) in enumerate(zip(list(module), list(module)[1:], strict=False)):
            # timm's batch norms with an activation inside are subclasses, and do more than torch's
            if isinstance(first, torch.nn.Conv2d) and type(second) is torch.nn.BatchNorm2d:
                module[i], module[i + 1] = fuse_conv_bn_eval(first, second), torch.nn.Identity()
    return network
