"""What computing the frozen part once is worth: ``pytest -m perf -s tests/perf`` prints ratios, no time is asserted.

IDS-NMR trains behind the body of its source. One epoch with the body's output read from the cache is set beside one
that computes the body again, and one that also computes the front end again: same windows, batches and adapter.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mirbench import Context
from mirbench.features import audio
from mirbench.methods.reprogramming.adapters import LabelMapping, Reprogrammed, SourceHead
from mirbench.methods.reprogramming.nmr import IdsNmr
from mirbench.methods.sources import efficientat
from mirbench.methods.sources.cards import EFFICIENTAT_MN04
from mirbench.methods.training import Batch, masked_bce
from mirbench.progress import Progress
from mirbench.runs.measure import tune_allocator
from mirbench.tasks.gtzan import GTZAN_MINI
from mirbench.types import Split, excerpts


@pytest.mark.perf
@pytest.mark.real
def test_ids_nmr_epoch_with_cached_prefix_beside_recomputation(shared: Path, tmp_path: Path) -> None:
    tune_allocator()
    clips = GTZAN_MINI.read_clips(shared / "data" / "gtzan_mini", 0)
    train = Split(GTZAN_MINI, tuple(clip for clip in clips if clip.split == "train"))
    facts = audio.survey(excerpts(train), tmp_path / "memo", Progress(quiet=True))
    context = Context(
        facts=facts, cache=tmp_path / "cache", device=torch.device("cpu"), card=EFFICIENTAT_MN04,
        load=lambda: efficientat.build(shared / "weights" / "mn04_as_mAP_432.pt"), source_identity="mn04",
    )  # fmt: skip
    method, source = IdsNmr(), context.source
    cached = method.inputs(context, train)
    sound, pictures = source.audio(train), source.pictures(train)
    layer = method._layer(source.card)

    def body(picture: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = source.network.body(picture, layers=(layer,))
        return found.layers[layer], found.pooled

    feeds: dict[str, Callable[[np.ndarray], tuple[torch.Tensor, ...]]] = {
        "cached prefix": lambda rows: cached.take(rows, context),
        "body recomputed": lambda rows: body(source.tensor(pictures.values[rows])),
        "front end and body recomputed": lambda rows: method.live_inputs(context, source.tensor(sound.values[rows])),
    }
    targets = torch.from_numpy(train.targets().value[cached.clip_index])
    seconds = {name: _epoch(method, context, train, targets, feed) for name, feed in feeds.items()}
    print(
        f"\nIDS-NMR on efficientat-mn04, gtzan-mini fold 0, {len(targets)} windows, {torch.get_num_threads()} threads"
    )
    for name, value in seconds.items():
        print(f"  {name:<30} {value:7.3f} s/epoch   ratio {value / seconds['cached prefix']:5.1f}")


def _epoch(
    method: IdsNmr,
    context: Context,
    train: Split,
    targets: torch.Tensor,
    feed: Callable[[np.ndarray], tuple[torch.Tensor, ...]],
) -> float:
    """Median seconds of five epochs after one that warms up."""
    card = context.source.card
    torch.manual_seed(0)
    adapter = method.adapter(card, context, train)
    network = context.source.network
    output = torch.nn.Sequential(SourceHead(network), LabelMapping(10, 5, "mean-prob", "sigmoid"))
    module = Reprogrammed(adapter, network, "head", output)
    module.train()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-4)
    times = []
    for _ in range(6):
        began = time.perf_counter()
        for rows in np.array_split(np.random.default_rng(0).permutation(len(targets)), len(targets) // 16):
            with torch.no_grad():
                inputs = feed(rows)
            loss = masked_bce(module(*inputs), Batch((), targets[rows], torch.ones_like(targets[rows])))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])
