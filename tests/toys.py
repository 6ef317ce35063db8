"""Small tasks and sources whose numbers can be worked out by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from torch import Tensor, nn

from mirbench import Context, Windows
from mirbench.features import audio
from mirbench.methods.sources.nano import untrained
from mirbench.progress import Progress
from mirbench.source import Activations, SourceCard
from mirbench.types import Clip, Split, Task, Windowing, excerpts

QUIET = Progress(quiet=True)
RATE = 8_000
Splits = tuple[Split, Split, Split]


def splits_of(
    labels: Mapping[str, Sequence[str]], classes: Sequence[str], folder: Path | None = None, **changes: Any
) -> Splits:
    """Train, valid and test of a task, from the label of each clip; its files are ``folder/<id>.wav``, if any."""
    clips = [
        Clip(f"{split}{n}", folder and folder / f"{split}{n}.wav", split, (label,))
        for split, held in labels.items()
        for n, label in enumerate(held)
    ]
    facts = {"kind": "single-label", "metrics": ("accuracy", "balanced-accuracy", "macro-f1"), **changes}
    task = Task(
        name="toy", version="1", title="for tests", classes=tuple(classes), read_clips=lambda root, fold: clips,
        folder="toy", n_clips=len(clips), clip_seconds=1.0, **facts,
    )  # fmt: skip
    train, valid, test = (Split(task, tuple(c for c in clips if c.split == s)) for s in ("train", "valid", "test"))
    return train, valid, test


class Table:
    """Features by clip id, (n_windows, n_features) each: a source that was computed elsewhere."""

    def __init__(self, rows: Mapping[str, npt.NDArray[Any]]) -> None:
        self.rows = rows

    def pooled(self, clips: Sequence[Clip]) -> Windows:
        held = [np.atleast_2d(self.rows[clip.id]).astype(np.float32) for clip in clips]
        index = np.repeat(np.arange(len(held)), [len(rows) for rows in held])
        return Windows(np.concatenate(held), index, len(held))


def table_context(rows: Mapping[str, npt.NDArray[Any]], folder: Path, windowing: Windowing | None = None) -> Context:
    """A context whose source is a table of features."""
    card = SourceCard("table", "for tests", "precomputed", ("pooled",), "tests.toys:Table")
    return Context(
        facts={}, cache=folder / "cache", device=torch.device("cpu"), card=card, load=lambda: Table(rows),
        windowing=windowing,
    )  # fmt: skip


def gaussian(splits: Splits, width: int, spread: float, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """One row a clip: the unit vector of its class, and noise."""
    rng = np.random.default_rng(seed)
    rows = {}
    for split in splits:
        for clip, k in zip(split.clips, split.targets().value.argmax(axis=1), strict=True):
            rows[clip.id] = np.eye(len(split.classes), width)[k] + spread * rng.normal(size=width)
    return rows


def write_levels(splits: Splits, seconds: float = 1.0) -> Splits:
    """Write the clips' files: a constant of 0.1 for the first class, 0.2 for the second …, and weak noise."""
    rng = np.random.default_rng(0)
    for split in splits:
        for clip, k in zip(split.clips, split.targets().value.argmax(axis=1), strict=True):
            sound = 0.1 * (k + 1) + 0.001 * rng.normal(size=round(seconds * RATE))
            soundfile.write(clip.path, sound, RATE, subtype="FLOAT")
    return splits


CARD = SourceCard(
    "toy-ear", "for tests", "network", ("body", "layers", "pooled", "head"), "tests.toys:build", RATE, 1.0,
    n_features=1, n_outputs=3, n_layers=3, labels="levels",
)  # fmt: skip


class Ear(nn.Module):
    """Hears the level of a window; two of its three layers are noise that means nothing.

    Parameters
    ----------
    widths : tuple of int
        Of the layers; layer 1 alone tells the level.
    """

    labels: tuple[str, ...] = ("Low", "Middle", "High")

    def __init__(self, widths: tuple[int, int, int] = (4, 4, 4)) -> None:
        super().__init__()
        self.widths = widths

    def body(self, x: Tensor, layers: Sequence[int] = ()) -> Activations:
        level = x.mean(dim=1, keepdim=True)
        made = {k: self._layer(k, x, level) for k in layers}
        return Activations(level, made)

    def head(self, pooled: Tensor) -> Tensor:
        return -1000 * (pooled - torch.tensor([[0.1, 0.2, 0.3]])) ** 2

    def _layer(self, k: int, x: Tensor, level: Tensor) -> Tensor:
        noise = torch.sin(1e6 * x[:, 100 * k : 100 * k + 2 * self.widths[k]]).unflatten(1, (2, -1))
        return noise if k != 1 else level[:, :, None] + 0.01 * noise


def ear_context(splits: Splits, folder: Path, network: nn.Module | None = None, **facts: Any) -> Context:
    """A context whose source is an `Ear`, or another network."""
    from dataclasses import replace

    places = [place for split in splits for place in excerpts(split)]
    return Context(
        facts=audio.survey(places, folder / "cache" / "files.sqlite", QUIET), cache=folder / "cache",
        device=torch.device("cpu"), card=replace(CARD, **facts), load=lambda: network or Ear(),
        source_identity="toy",
    )  # fmt: skip


class Linear(nn.Module):
    """A front end of one linear layer and a body of one convolution: their operations are known."""

    def __init__(self) -> None:
        super().__init__()
        self.front, self.convolution = nn.Linear(RATE, 20, bias=False), nn.Conv1d(1, 5, 3)

    def frontend(self, x: Tensor) -> Tensor:
        return self.front(x)[:, None, None, :]

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        return Activations(self.convolution(picture[:, 0]).flatten(1))


def build(path: Path, **options: Any) -> nn.Module:
    """An `Ear` from any file, or a `Linear` from one whose name begins so."""
    torch.manual_seed(0)
    return Linear() if path and path.name.startswith("linear") else Ear()


def hand_trained(
    module: nn.Module, optimizer: torch.optim.Optimizer, batches: Sequence[tuple[Tensor, Tensor]]
) -> dict[str, Tensor]:
    """State of a module after these batches, trained by nothing but torch's own loop, with cross entropy."""
    module.train()
    for x, target in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(x), target).backward()
        optimizer.step()
    return module.state_dict()


def recorded(method: Any) -> tuple[Any, list[SimpleNamespace]]:
    """The same method, which notes the batches that it is trained on."""
    seen: list[SimpleNamespace] = []

    def loss(self: Any, kind: str) -> Callable[[Tensor, Any], Tensor]:
        honest = type(method).loss(self, kind)

        def noting(logits: Tensor, batch: Any) -> Tensor:
            if batch.inputs:  # the loss on valid has none
                seen.append(SimpleNamespace(x=batch.inputs[0].clone(), target=batch.target.clone()))
            return honest(logits, batch)

        return noting

    noted = type(type(method).__name__, (type(method),), {"loss": loss})
    import dataclasses

    return noted(**{f.name: getattr(method, f.name) for f in dataclasses.fields(method)}), seen


class Counted:
    """Makes networks like nano at random weights, whose bodies count windows; each takes some time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.windows, self.seconds = 0, seconds

    def load(self) -> nn.Module:
        torch.manual_seed(0)
        network = untrained()
        body = network.body

        def counting(picture: torch.Tensor, layers: tuple[int, ...] = ()) -> object:
            self.windows += len(picture)
            time.sleep(self.seconds * len(picture))
            return body(picture, layers)

        network.body = counting
        return network
