"""Train the weights of nano: ``python -m mirbench.methods.sources.train_nano OUT.safetensors``.

It synthesises scenes of one or two sound events (`mirbench.methods.sources.nano_sounds.sounds`), trains a small AST to
name them, and writes half-precision weights. Deterministic for one version of torch and one kind of processor; about
ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mirbench import Context
from mirbench.areas import pr_auc
from mirbench.methods.sources.ast import AstNetwork
from mirbench.methods.sources.nano import N_SAMPLES, SAMPLE_RATE, untrained
from mirbench.methods.sources.nano_sounds.sounds import SOUNDS, scene
from mirbench.methods.training import Batch, Phase, Recipe, masked_bce, seeded, train
from mirbench.progress import Progress
from mirbench.runs.measure import count_parameters, tune_allocator
from mirbench.types import Targets

__all__ = ["main"]

SEED = 20261121
N_VALID, BATCH, LR = 1_000, 32, 1e-3


def _scenes(job: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Pictures (n, 1, bands, frames) in half precision and labels (n, n_sounds) of scenes number `first` to `last`."""
    first, last = job
    torch.set_num_threads(1)
    bank = untrained().filter_bank
    audio = np.empty((last - first, N_SAMPLES), dtype=np.float32)
    labels = torch.zeros(last - first, len(SOUNDS))
    for row, number in enumerate(range(first, last)):
        rng = np.random.default_rng([SEED, number])
        audio[row], found = scene(rng, N_SAMPLES / SAMPLE_RATE, SAMPLE_RATE, int(rng.integers(1, 3)))
        labels[row, found] = 1.0
    return bank(torch.from_numpy(audio)).half(), labels


def _all_scenes(first: int, last: int, progress: Progress) -> tuple[Tensor, Tensor]:
    step = 100
    jobs = [(i, min(i + step, last)) for i in range(first, last, step)]
    parts = []
    with ProcessPoolExecutor() as pool, progress.bar("synthesising", last - first, "scenes") as tick:
        for (begin, end), part in zip(jobs, pool.map(_scenes, jobs), strict=True):
            parts.append(part)
            tick(end - begin)
    return torch.cat([p for p, _ in parts]), torch.cat([y for _, y in parts])


def main() -> None:
    """Synthesise, train, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="where to write the weights")
    parser.add_argument("--scenes", type=int, default=14_000, help="to train on (nano: 14000)")
    parser.add_argument("--epochs", type=int, default=15, help="nano: 15")
    given = parser.parse_args()
    out, n_train, epochs = Path(given.out), int(given.scenes), int(given.epochs)
    began = time.perf_counter()
    progress, device = Progress(), torch.device("cpu")
    tune_allocator()
    pictures, labels = _all_scenes(0, n_train, progress)
    valid_pictures, valid_labels = _all_scenes(n_train, n_train + N_VALID, progress)
    progress.say(f"scenes: mean {float(pictures.float().mean()):.3f}, SD {float(pictures.float().std()):.3f}")
    with seeded(SEED, device):
        network = untrained()
    progress.say(f"nano has {count_parameters(network):,} parameters")
    module = _Classifier(network)
    known = np.ones(valid_labels.shape, dtype=np.bool_)
    targets = Targets(valid_labels.numpy(), known, "multi-label")

    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        for rows in torch.from_numpy(generator.permutation(n_train)).split(BATCH):
            yield Batch((_masked(pictures[rows].float(), generator),), labels[rows], torch.ones_like(labels[rows]))

    @torch.no_grad()
    def score() -> tuple[float, float]:
        logits = torch.cat([module(part.float()) for part in valid_pictures.split(256)])
        loss = masked_bce(logits, Batch((), valid_labels, torch.ones_like(valid_labels)))
        return pr_auc(logits.sigmoid().numpy(), targets), float(loss)

    fifth = epochs // 5
    phases = (Phase(epochs - 2 * fifth, LR, weight_decay=1e-6), Phase(fifth, LR / 4), Phase(fifth, LR / 16))
    context = Context(facts={}, cache=Path(), device=device, progress=progress)
    recipe = Recipe(phases, BATCH, masked_bce)
    history = train(module, recipe, draw, score, context, seed=SEED, what="training nano")
    _write(network, out)
    best = max(row["valid_score"] for row in history)
    progress.say(f"{out}: mean average precision {best:.3f} on {N_VALID} scenes; {time.perf_counter() - began:.0f} s")


class _Classifier(torch.nn.Module):
    def __init__(self, network: AstNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.network.head(self.network.body(pictures).pooled)
        return logits


def _masked(pictures: Tensor, generator: np.random.Generator) -> Tensor:
    """SpecAugment: one band of up to 12 mel bands and one stretch of up to 48 frames, a batch."""
    n_bands, n_frames = pictures.shape[2:]
    width, height = int(generator.integers(48)), int(generator.integers(12))
    left, low = int(generator.integers(n_frames - width)), int(generator.integers(n_bands - height))
    pictures[..., left : left + width] = 0.0
    pictures[:, :, low : low + height] = 0.0
    return pictures


def _write(network: AstNetwork, out: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, out)


if __name__ == "__main__":
    main()
