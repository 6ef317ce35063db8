"""How much a run computes: windows, epochs and passes, counted and not timed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirbench.registry import Catalogue
from mirbench.runs import costs as costs_module
from mirbench.runs.costs import measured_flops
from mirbench.runs.operations import nominal_flops, passes_of, window_flops, windows_a_clip
from mirbench.types import Windowing

CATALOGUE = Catalogue()
GTZAN = CATALOGUE.task("gtzan")  # clips of 30 s
SHORT = replace(GTZAN, clip_seconds=4.0)


def passes(method: str, source: str = "", windowing: Windowing | None = None, **params: Any) -> float:
    card = CATALOGUE.source(source) if source else None
    params = {"epochs": 10} | params
    return passes_of(CATALOGUE.method(method), params, GTZAN, card, windowing, CATALOGUE.own_network(method))


@pytest.mark.parametrize(
    ("seconds", "windows", "count"),
    [
        (10.0, "nonoverlap", 3), (10.0, "nonoverlap-plus-tail", 4), (10.0, "hopped16", 16), (1.0, "nonoverlap", 30),
        (29.0, "nonoverlap", 1), (math.inf, "nonoverlap", 1), (math.inf, "hopped16", 1),
    ],
)  # fmt: skip
def test_windows_of_a_clip_are_counted_as_they_are_cut(seconds: float, windows: Any, count: int) -> None:
    assert windows_a_clip(GTZAN, seconds, Windowing(windows)) == count


@pytest.mark.parametrize("source", ["ast", "nano", "speechatt"])
def test_a_pass_is_of_every_window_of_every_clip(source: str) -> None:
    card = CATALOGUE.source(source)
    n_windows = GTZAN.n_clips * round(30 / card.seconds)
    assert nominal_flops(GTZAN, card) == n_windows * card.flops > 0
    assert nominal_flops(SHORT, CATALOGUE.source("ast")) == SHORT.n_clips * CATALOGUE.source("ast").flops


@pytest.mark.parametrize("method", ["ii-nmr", "id-nmr", "nrp", "cnnrp", "unet-rp"])
def test_what_learns_before_a_frozen_network_passes_it_forth_and_back_in_every_epoch(method: str) -> None:
    assert passes(method, "nano") == pytest.approx(10 * (0.6 * 2 + 0.2))


@pytest.mark.parametrize(("method", "source"), [("finetune", "nano"), ("cnn-bs", ""), ("bl-cnn", "")])
def test_network_that_learns_goes_back_twice(method: str, source: str) -> None:
    assert passes(method, source) == pytest.approx(10 * (0.6 * 3 + 0.2))


def test_low_rank_adapters_go_back_once() -> None:
    assert passes("finetune", "nano", tuned="lora") == pytest.approx(10 * (0.6 * 2 + 0.2))


@pytest.mark.parametrize("method", ["probe-linear", "knn", "probe-mlp", "mean-teacher", "tf-retrain", "ast-bs"])
def test_what_learns_behind_a_frozen_network_never_passes_it_again(method: str) -> None:
    assert passes(method, "nano") == 0.0


def test_what_learns_on_a_hidden_layer_passes_a_small_part_of_a_large_network() -> None:
    small, large = passes("ids-nmr", "nano"), passes("ids-nmr", "ast")
    assert large < small / 20
    assert small < passes("id-nmr", "nano") / 10


def test_one_crop_of_each_clip_is_one_window_of_it() -> None:
    """Three seconds of thirty, in train; valid is heard whole."""
    assert passes("musicnn", items="chunks") == pytest.approx(10 * (0.6 * 3 + 0.2))
    assert passes("musicnn", items="random-crops") == pytest.approx(10 * (0.6 * 3 / 10 + 0.2))
    assert passes("musicnn", windowing=Windowing("hopped16"), items="random-crops") == pytest.approx(
        10 * (0.6 * 3 / 16 + 0.2)
    )


@pytest.mark.parametrize(("source", "pieces"), [("ast", 1), ("speechatt", 10)])
def test_a_thousand_crops_are_a_thousand_times_ten_seconds(source: str, pieces: int) -> None:
    n_windows = GTZAN.n_clips * round(30 / CATALOGUE.source(source).seconds)
    told = passes("ii-nmr", source, items="1000-crops")
    assert told == pytest.approx(10 * (1000 * pieces / n_windows * 2 + 0.2))


def test_encoder_of_waveforms_of_which_nobody_counted_passes_its_parameters_fifty_times_a_second() -> None:
    card = replace(CATALOGUE.source("ast"), flops=0, n_bands=0, n_frames=0, n_parameters=95_000_000, seconds=5.0)
    assert window_flops(GTZAN, card) == 2.0 * 95_000_000 * 250


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("threads", [0, 1])
def test_speed_is_the_best_of_many_moments_and_leaves_torch_as_it_was(
    threads: int, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others did in the other moments is left out; a clock of steps of 1 s, but for one of 0.5 s."""
    import torch

    steps = iter([1.0, 0.5] + [1.0] * 100_000)
    now = [0.0]
    asked: list[int] = []

    def clock() -> float:
        asked.append(torch.get_num_threads())
        now[0] += next(steps) if len(asked) % 2 == 0 else 0.0
        return now[0]

    before = torch.get_num_threads()
    monkeypatch.setattr(costs_module.time, "thread_time", clock)
    told = measured_flops("cpu", threads, large=large)
    assert told == pytest.approx(2 * measured_once(large))
    assert torch.get_num_threads() == before
    assert set(asked) == {threads or before}


def measured_once(large: bool) -> float:
    """Operations of the measured network: of each layer, channels in by channels out by places of its filter."""
    if large:
        return 2.0 * 512 * (768 * 3072 + 3072 * 768)
    per_place = 1 * 16 * 9 + 16 * 64 + 64 * 9 + 64 * 32 + 32 * 32 * 9
    return 2.0 * 4 * 64 * 64 * per_place


# what was counted is what torch counts


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nano", "cnn-bs", "bl-cnn", "cnn1d", "musicnn", "frame-level"])
def test_operations_in_the_tables_are_what_torch_counts(name: str) -> None:
    import torch

    from mirbench.features.networks import load_network
    from mirbench.methods.cnn_bs import cnn_bs_matched
    from mirbench.methods.sources import nano
    from mirbench.runs.measure import flops_of

    if name == "nano":
        card = CATALOGUE.source("nano")
        network = load_network(card, (Path(nano.__file__).with_name("nano.safetensors"),), {})
        heard = torch.zeros(1, round(card.sample_rate * card.seconds))
        assert flops_of(lambda: network.body(network.frontend(heard))) == card.flops
        return
    own = CATALOGUE.own_network(name)
    if name == "cnn-bs":
        built, shape = cnn_bs_matched(10), (1, 1, 128, 1024)
    else:
        built, seconds, rate = CATALOGUE.method(name)().own_network(10)
        shape = (1, round(seconds * rate))
        assert own.seconds == pytest.approx(seconds, abs=0.001)
    with torch.no_grad():
        assert flops_of(lambda: built.eval()(torch.zeros(shape))) == own.flops


def test_budget_of_queries_is_that_many_windows_of_the_network() -> None:
    card = CATALOGUE.source("efficientat-mn04")
    windows = GTZAN.n_clips * windows_a_clip(GTZAN, card.seconds, Windowing())
    assert passes("black-box-rp", card.name, queries=3 * windows) == 3.0
