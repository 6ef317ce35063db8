"""Probes of hidden layers: the layer that tells the class is the one that is heard, by every probe in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mirbench import Context
from mirbench.errors import BadInput, NotApplicable
from mirbench.method import asked_of, needed_stages
from mirbench.methods.forest_probe import ForestProbe
from mirbench.methods.probes import LinearProbe, MlpProbe, NeighboursProbe, SvmProbe
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, draft_plan
from mirbench.types import Split
from tests.toys import Ear, Splits, ear_context, splits_of, write_levels

Tiny = tuple[Context, tuple[Split, Split, Split]]

CLASSES = ("low", "middle", "high")
PROBES: list[Callable[..., Any]] = [
    LinearProbe, SvmProbe, NeighboursProbe,
    lambda **asked: ForestProbe(30, **asked), lambda **asked: MlpProbe(hidden=8, epochs=30, lr=0.01, **asked),
]  # fmt: skip


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, Splits]:
    """An ear of which layer 1 alone tells the level of a clip, and the embedding as well."""
    folder = tmp_path_factory.mktemp("levels")
    labels = {split: [CLASSES[n % 3] for n in range(24)] for split in ("train", "valid", "test")}
    splits = write_levels(splits_of(labels, CLASSES, folder), 0.2)
    return ear_context(splits, folder, Ear((4, 4, 4)), seconds=0.2), splits


def accuracy(probe: Any, heard: tuple[Context, Splits]) -> float:
    context, (train, valid, test) = heard
    scores = probe.fit(train, valid, context, seed=0).predict(test.blind())
    return float((scores.argmax(axis=1) == test.class_index()).mean())


@pytest.mark.parametrize("probe", PROBES, ids=["linear", "svm", "neighbours", "forest", "mlp"])
def test_every_probe_hears_the_layer_that_was_asked_for(probe, heard) -> None:
    assert accuracy(probe(layers="1"), heard) > 0.8
    assert accuracy(probe(layers="0"), heard) < 0.7  # chance is 0.33


@pytest.mark.parametrize("probe", PROBES, ids=["linear", "svm", "neighbours", "forest", "mlp"])
def test_restored_probe_of_layers_predicts_as_the_fitted(probe, heard) -> None:
    context, (train, valid, test) = heard
    method = probe(layers="0+1+pooled", pooling="mean+sd")
    fitted = method.fit(train, valid, context, seed=0)
    again = method.restore(fitted.state, test.blind(), context)(test.blind())
    np.testing.assert_allclose(again, fitted.predict(test.blind()), atol=1e-6)


def test_features_are_mean_and_deviation_of_tokens_in_the_order_asked_for(tiny: Tiny) -> None:
    context, (train, *_) = tiny
    asked = LinearProbe(layers="3+pooled+0", pooling="mean+sd").features(context, train)
    expected = []
    for k in (3, 0):
        windows = context.source.layer(train, k)
        tokens = np.asarray(windows.values).astype(np.float64)
        expected.append(np.concatenate([tokens.mean(axis=1), tokens.std(axis=1)], axis=1))
    pooled = context.source.pooled(train).clip_means()
    wanted = np.concatenate([expected[0], pooled, expected[1]], axis=1)  # a window a clip
    np.testing.assert_allclose(asked, wanted, atol=2e-3)  # `layer` keeps half precision


def test_clip_of_several_windows_has_the_mean_of_their_deviations(tmp_path: Path) -> None:
    splits = splits_of({"train": ["low"], "valid": ["low"], "test": ["low"]}, CLASSES, tmp_path)
    write_levels(splits, 0.6)
    context = ear_context(splits, tmp_path, Ear((4, 4, 4)), seconds=0.2)
    rows = context.source.together(splits[0], "sd0")["sd0"]
    assert len(rows) == 3
    features = LinearProbe(layers="0", pooling="mean+sd").features(context, splits[0])
    np.testing.assert_allclose(features[0, 4:], np.asarray(rows.values).mean(axis=0), atol=1e-6)


def test_all_layers_are_probed_from_one_pass(heard, monkeypatch: pytest.MonkeyPatch) -> None:
    context, (train, *_) = heard
    LinearProbe(layers="0").features(context, train)
    monkeypatch.setattr(type(context.source), "_compute", lambda *args: pytest.fail("the body is asked again"))
    both = LinearProbe(layers="1+2").features(context, train)
    assert np.array_equal(LinearProbe(layers="all").features(context, train)[:, 4:], both)


def test_embedding_is_what_a_probe_hears_unless_told_otherwise(tiny: Tiny) -> None:
    context, (train, *_) = tiny
    assert np.array_equal(LinearProbe().features(context, train), context.source.pooled(train).clip_means())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"layers": "0,3"}, "--search layers=0,3 tries one after the other"),
        ({"layers": "-1"}, "pooled, numbers of layers joined by"),
        ({"layers": "03"}, "pooled, numbers of layers joined by"),
        ({"layers": ""}, "pooled, numbers of layers joined by"),
        ({"layers": "2+2"}, "names one twice"),
        ({"pooling": "mean+sd"}, "of the tokens of hidden layers"),
        ({"layers": "0", "pooling": "max"}, "mean or mean"),
    ],
)
@pytest.mark.parametrize("probe", PROBES, ids=["linear", "svm", "neighbours", "forest", "mlp"])
def test_nonsense_is_refused_in_a_line(probe, asked, said, heard) -> None:
    with pytest.raises(BadInput, match=said):
        probe(**asked)


def test_layer_that_the_source_lacks_is_refused_with_those_it_has(heard) -> None:
    context, (train, valid, _) = heard
    with pytest.raises(NotApplicable, match="toy-ear has hidden layers 0 to 2"):
        LinearProbe(layers="3").fit(train, valid, context, seed=0)


def test_key_is_what_it_was_where_no_layer_is_asked_for() -> None:
    """The key of earlier versions, which knew no layers; of another one, another."""

    def spec(**params: Any) -> Any:
        return draft_plan(Request("gtzan-demo", "probe-linear", "nano", params=params), Catalogue()).specs[0]

    assert spec().params == {"C": 1.0}
    assert spec(layers="pooled", pooling="mean").key == spec().key
    assert spec(layers="2").params == {"C": 1.0, "layers": "2"}
    assert spec(layers="2").key != spec().key
    assert asked_of(LinearProbe(layers="2", pooling="mean+sd")) == asdict(LinearProbe(layers="2", pooling="mean+sd"))


@pytest.mark.parametrize("asked", [{"params": {"layers": "1"}}, {"search": {"layers": ("pooled", "1")}}])
def test_source_without_layers_is_refused_before_any_work(asked: dict[str, Any]) -> None:
    request = Request("gtzan-demo", "probe-linear", "openl3")
    draft_plan(request, Catalogue())
    with pytest.raises(Exception, match="it needs layers, and openl3 offers pooled"):
        draft_plan(replace(request, **asked), Catalogue())


def test_layers_are_needed_only_where_they_are_asked_for() -> None:
    assert needed_stages(LinearProbe, {}) == ("pooled",)
    assert needed_stages(LinearProbe, {"layers": "pooled"}) == ("pooled",)
    assert needed_stages(LinearProbe, {"layers": "0+1"}) == ("pooled", "layers")


@pytest.mark.slow
def test_module_of_a_probe_of_layers_computes_its_features(tiny: Tiny) -> None:
    context, (train, *_) = tiny
    probe = LinearProbe(layers="pooled+0+3", pooling="mean+sd")
    windows = torch.from_numpy(np.ascontiguousarray(context.source.audio(train).values[slice(0, 1)]))
    with torch.no_grad():
        (found,) = probe.front(context)(windows)
    np.testing.assert_allclose(found.numpy(), probe.features(context, train)[:1], atol=2e-3)
