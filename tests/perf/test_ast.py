"""AST at its limit: ``pytest -m perf -s -n 0 tests/perf/test_ast.py`` prints ratios and shares of the machine's peak.

The network has AST's full size and random weights, which compute as long as the published ones. The peak is that of
one large matrix product in the same run: no program on the machine does more operations a second. On a GPU the steps
are of sixteen windows and timed by the clock; on a CPU of one window, in CPU seconds of one thread, and an epoch is
extrapolated from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

from mirbench.methods.reprogramming.adapters import (
    LabelMapping,
    PictureTransform,
    Reprogrammed,
    SkipTransform,
    SourceHead,
    new_head,
)
from mirbench.methods.sources.ast import AstNetwork, FilterBank
from mirbench.methods.training import Batch, masked_bce
from mirbench.runs.measure import flops_of, tune_allocator

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ON_GPU = DEVICE.type == "cuda"
N_WINDOWS = 3 * 443
"""Of an epoch: three windows of 10 s of each clip of train of the fault-filtered split."""

PRINTED = {"ID-NMR": "10:11", "IDS-NMR": "3:50", "fine-tuning": "not printed"}
"""hung2022, Table 3, minutes and seconds an epoch on an RTX 2080; its IDS-NMR computes the body in every epoch."""


def full_size() -> AstNetwork:
    torch.manual_seed(0)
    bank = FilterBank(to_last_sound=True)
    return AstNetwork(ASTForAudioClassification(ASTConfig(num_labels=527)), bank).to(DEVICE).eval()


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Of the clock on a GPU, after one that warms up; of the CPU elsewhere."""
    if ON_GPU:
        work()
        torch.cuda.synchronize()
    began = time.perf_counter() if ON_GPU else time.process_time()
    for _ in range(times):
        work()
    if ON_GPU:
        torch.cuda.synchronize()
    return ((time.perf_counter() if ON_GPU else time.process_time()) - began) / times


def peak(dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product."""
    n = 8192 if ON_GPU else 2048
    a, b = (torch.randn(n, n, device=DEVICE, dtype=dtype) for _ in range(2))
    a @ b
    return 2 * n**3 / min(seconds(lambda: a @ b) for _ in range(5))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    tune_allocator()
    torch.set_num_threads(1)


@pytest.mark.perf
@torch.no_grad()
def test_embeddings_beside_transformers_clip_by_clip() -> None:
    network, extractor = full_size().requires_grad_(False), ASTFeatureExtractor()
    audio = (0.1 * np.random.default_rng(0).normal(size=(16 if ON_GPU else 3, 160_000))).astype(np.float32)
    windows = torch.from_numpy(audio).to(DEVICE)

    def theirs() -> Tensor:
        pictures = (extractor(clip, sampling_rate=16_000, return_tensors="pt")["input_values"] for clip in audio)
        found = [network.model.audio_spectrogram_transformer(picture.to(DEVICE)).pooler_output for picture in pictures]
        return torch.cat(found)

    def ours(dtype: torch.dtype) -> Callable[[], Tensor]:
        def embeddings() -> Tensor:
            pictures = network.frontend(windows)
            with torch.autocast(DEVICE.type, dtype, enabled=dtype != torch.float32):
                return network.body(pictures).pooled.float()

        return embeddings

    ways = {"transformers, clip by clip": theirs, "float32": ours(torch.float32), "bfloat16": ours(torch.bfloat16)}
    operations = flops_of(lambda: network.body(network.frontend(windows[:1])))
    best = {name: peak(torch.bfloat16 if name == "bfloat16" else torch.float32) for name in ways}
    taken = {name: seconds(way) / len(audio) for name, way in ways.items()}
    wanted = theirs()
    print(f"\nAST on {DEVICE.type}, windows of 10 s, {operations / 1e9:.0f} GFLOP each")
    for name, way in ways.items():
        off = float((way() - wanted).norm() / wanted.norm())
        ratio, share = taken["transformers, clip by clip"] / taken[name], operations / taken[name] / best[name]
        print(
            f"  {name:<28} {taken[name]:7.3f} s a window   ratio {ratio:5.2f}   "
            f"{share:4.0%} of a matrix product's {best[name] / 1e9:.0f} GFLOPS   embeddings off by {off:.1e}"
        )


@dataclass(frozen=True)
class Step:
    """What is trained, and what it is fed."""

    module: nn.Module
    inputs: tuple[Tensor, ...]


def steps(network: AstNetwork, n: int) -> dict[str, Step]:
    """One of each method on n windows, built as the methods build theirs."""
    frozen = network.requires_grad_(False)
    with torch.no_grad():
        pictures = frozen.frontend(0.1 * torch.randn(n, 160_000, device=DEVICE))
        found = frozen.body(pictures, layers=(8,))
    output = nn.Sequential(SourceHead(frozen), LabelMapping(10, 5, "mean-prob", "sigmoid"))
    whole = full_size().requires_grad_(True)
    return {
        "ID-NMR": Step(Reprogrammed(PictureTransform(128, 135), frozen, "body", output), (pictures,)),
        "IDS-NMR": Step(
            Reprogrammed(SkipTransform(768, 54, 768), frozen, "head", output), (found.layers[8], found.pooled)
        ),
        "fine-tuning": Step(_Tuned(whole), (pictures,)),
    }


class _Tuned(nn.Module):
    """A network with the head of ten classes, all of which is trained."""

    def __init__(self, network: AstNetwork) -> None:
        super().__init__()
        self.network, self.head = network, new_head(768, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.network.body(pictures).pooled)


@pytest.mark.perf
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_gtzan_epochs_beside_hung2022_table_3(precision: torch.dtype) -> None:
    n = 16 if ON_GPU else 1
    best, target = peak(precision), torch.eye(10, device=DEVICE)[torch.arange(n) % 10]
    print(f"\nAST on {DEVICE.type}, {precision}, {n} windows a step, an epoch of {N_WINDOWS} windows from a step")
    for name, step in steps(full_size(), n).items():
        module = step.module.to(DEVICE).train()
        optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr=1e-4)

        def work(module: nn.Module = module, step: Step = step, optimizer: torch.optim.Adam = optimizer) -> None:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(DEVICE.type, precision, enabled=precision != torch.float32):
                loss = masked_bce(module(*step.inputs), Batch((), target, torch.ones_like(target)))
            loss.backward()
            optimizer.step()

        operations = flops_of(work)
        if ON_GPU:
            torch.cuda.reset_peak_memory_stats()
        taken = seconds(work, 10 if ON_GPU else 1)
        share = f"{operations / taken / best:4.0%} of a matrix product's {best / 1e9:.0f} GFLOPS"
        held = f"   {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if ON_GPU else ""
        print(
            f"  {name:<12} {taken / n * N_WINDOWS:8.1f} s an epoch (printed: {PRINTED[name]})   "
            f"{operations / n / 1e9:6.1f} GFLOP a window   {share}{held}"
        )
