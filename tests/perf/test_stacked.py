"""What training together is worth: ``pytest -m perf -s tests/perf/test_stacked.py`` prints ratios.

Heads of the shapes of rommel2023's first sweep, and seeds of a probe, trained together, one by one, and their matrix
products alone, in CPU seconds of one thread.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mirbench.methods.picture_mlp import PictureMlp
from mirbench.methods.probes import MlpProbe
from mirbench.runs.measure import tune_allocator
from tests.toys import gaussian, splits_of, table_context

CLASSES = tuple("abcdefghij")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    tune_allocator()
    torch.set_num_threads(1)


def cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def side_by_side(works: dict[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Median of so many turns of each, one after the other; one before that warms up."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _, (name, work) in itertools.product(range(times + 1), works.items()):
        taken[name].append(cpu_seconds(work))
    return {name: statistics.median(each[1:]) for name, each in taken.items()}


def products(n_members: int, sizes: tuple[int, ...], n_train: int, n_valid: int, batch_size: int) -> None:
    """The matrix products of an epoch: forwards, of gradients of weights, of gradients of inputs, and of valid."""
    whole, rest = divmod(n_train, batch_size)
    trained = [(batch_size, True)] * whole + [(rest, True)] * bool(rest)
    for (first, last), (n, learns) in itertools.product(itertools.pairwise(sizes), (*trained, (n_valid, False))):
        x, w = torch.empty(n_members, n, first), torch.empty(n_members, first, last)
        y = torch.bmm(x, w)
        if learns:
            torch.bmm(x.transpose(1, 2), y)
            if first != sizes[0]:
                torch.bmm(y, w.transpose(1, 2))


@pytest.mark.perf
def test_rommel2023s_first_sweep_beside_its_matrix_products(tmp_path: Path) -> None:
    n_members, epochs, batch_size = 16, 2, 100
    labels = {"train": 800, "valid": 99, "test": 10}
    splits = splits_of({split: [CLASSES[n % 10] for n in range(count)] for split, count in labels.items()}, CLASSES)
    context = table_context(gaussian(splits, 768, 0.5), tmp_path)
    jobs = [
        (PictureMlp(epochs=epochs, batch_size=batch_size, lr=lr, weight_decay=decay), 0)
        for lr, decay in itertools.product(np.linspace(0.001, 0.01, 4).tolist(), np.linspace(0.005, 0.015, 4).tolist())
    ]
    works: dict[str, Callable[[], object]] = {
        "products": lambda: [products(n_members, (768, 1024, 1024, 10), 800, 99, batch_size) for _ in range(epochs)],
        "together": lambda: list(PictureMlp.fit_many(jobs, *splits[:2], context)),
        "one by one": lambda: [method.fit(*splits[:2], context, seed=seed) for method, seed in jobs],
    }
    taken = side_by_side(works, 3)
    print(
        f"\n{n_members} x 768-1024-1024-10, {epochs} epochs of 800 items in batches of 100, CPU seconds of one thread"
    )
    for name, seconds in taken.items():
        print(f"  {name:<12} {seconds:7.2f} s   {seconds / taken['products']:.2f} times the products")


@pytest.mark.perf
@pytest.mark.parametrize(("width", "n_train"), [(384, 60), (768, 60), (768, 443)])
def test_five_seeds_of_a_probe_beside_one(width: int, n_train: int, tmp_path: Path) -> None:
    labels = {"train": n_train, "valid": n_train // 3, "test": 10}
    splits = splits_of({split: [CLASSES[n % 10] for n in range(count)] for split, count in labels.items()}, CLASSES)
    context = table_context(gaussian(splits, width, 0.5), tmp_path)
    method = replace(MlpProbe(), epochs=20)
    shape = (width, method.hidden, len(CLASSES)), n_train, labels["valid"], 64
    works: dict[str, Callable[[], object]] = {
        "one": lambda: method.fit(*splits[:2], context, seed=0),
        "five together": lambda: list(MlpProbe.fit_many([(method, seed) for seed in range(5)], *splits[:2], context)),
        "five one by one": lambda: [method.fit(*splits[:2], context, seed=seed) for seed in range(5)],
        "products of one": lambda: [products(1, *shape) for _ in range(20)],
        "products of five": lambda: [products(5, *shape) for _ in range(20)],
    }
    taken = side_by_side(works, 3)
    print(f"\n{width}-512-10, 20 epochs of {n_train} items in batches of 64, CPU seconds of one thread")
    for name, seconds in taken.items():
        beside = "one" if name in ("one", "five together", "five one by one") else "products of one"
        print(f"  {name:<16} {seconds:7.3f} s   {seconds / taken[beside]:.2f} times {beside}")
