"""What only a GPU can show; skipped where there is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from mirbench import Context
from mirbench.features import audio
from mirbench.methods import METHODS
from mirbench.methods.probes import MlpProbe
from mirbench.methods.reprogramming.nmr import IdNmr, IdsNmr, IiNmr
from mirbench.methods.sources.cards import NANO, SPEECHATT
from mirbench.methods.sources.nano import untrained
from mirbench.methods.sources.speechatt import SpeechAttNetwork
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.source import SourceCard
from mirbench.trust import checks
from mirbench.types import excerpts

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def make(splits, folder: Path, device: str, card: SourceCard = NANO) -> Context:
    def load() -> torch.nn.Module:
        torch.manual_seed(0)
        return untrained() if card is NANO else SpeechAttNetwork()

    facts = audio.survey([e for s in splits for e in excerpts(s)], folder / "memo", Progress(quiet=True))
    cache = folder / f"cache-{device}"
    return Context(facts=facts, cache=cache, device=torch.device(device), card=card, load=load, source_identity="w")


def test_embeddings_of_gpu_and_cpu_agree(tmp_path: Path) -> None:
    splits = checks.tiny_task(tmp_path)
    found = [make(splits, tmp_path, device).source.pooled(splits[0]).values[:] for device in ("cpu", "cuda")]
    assert np.allclose(found[0], found[1], atol=1e-2)


@pytest.mark.parametrize("card", [NANO, SPEECHATT], ids=lambda card: card.name)
@pytest.mark.parametrize("method", [MlpProbe(epochs=2), IiNmr(epochs=2), IdNmr(epochs=2), IdsNmr(epochs=2)])
def test_methods_train_on_the_gpu(method, card: SourceCard, tmp_path: Path) -> None:
    train, valid, test = checks.tiny_task(tmp_path)
    fitted = method.fit(train, valid, make((train, valid, test), tmp_path, "cuda", card), seed=0)
    assert fitted.predict(test.blind()).shape == (len(test), 3)


@pytest.mark.parametrize("method", [MlpProbe(epochs=3, hidden=16), IdsNmr(epochs=2)], ids=lambda method: method.name)
def test_seeds_trained_together_on_the_gpu_are_those_alone(method, tmp_path: Path) -> None:
    train, valid, test = splits = checks.tiny_task(tmp_path)
    context = make(splits, tmp_path, "cuda")
    many = list(type(method).fit_many([(method, seed) for seed in range(3)], train, valid, context))
    assert [fitted.together for fitted in many] == [3, 3, 3]
    for seed, fitted in enumerate(many):
        alone = method.fit(train, valid, context, seed=seed)
        assert np.allclose(fitted.predict(test.blind()), alone.predict(test.blind()), atol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_conforms_on_the_gpu(name: str, tmp_path: Path) -> None:
    splits = checks.tiny_task(tmp_path)
    method = Catalogue().method(name)
    few = {"epochs": 2} if "epochs" in {field.name for field in dataclasses.fields(method)} else {}  # type: ignore[arg-type]
    if name == "zero-shot":
        pytest.skip("nano at random weights names nothing")
    assert checks.check_method(method, make(splits, tmp_path, "cuda"), splits, few) == []


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_low_precision_stays_near_float32(precision: str, tmp_path: Path) -> None:
    splits = checks.tiny_task(tmp_path)
    full = make(splits, tmp_path, "cuda").source.pooled(splits[0]).values[:]
    context = make(splits, tmp_path, "cuda")
    context.precision = precision
    low = context.source.pooled(splits[0]).values[:]
    assert np.abs(full - low).max() < 0.1 * np.abs(full).max()
