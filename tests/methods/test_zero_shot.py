"""Zero-shot: classes are scored by the source's own labels or its text tower, and nothing is learnt or heard first."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from mirbench import SINGLE_LABEL, Clip, Context, Task
from mirbench.errors import NotApplicable
from mirbench.features.afresh import Afresh
from mirbench.methods.zero_shot import ZeroShot
from mirbench.plugin_file import Plugin
from mirbench.registry import Catalogue
from mirbench.runs.measure import flops_of
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.trust.checks import check_method
from mirbench.types import Split
from tests.toys import QUIET, Ear, Splits, ear_context, splits_of, table_context, write_levels

CLASSES = ("high", "low", "middle")  # another order than the source's labels
Tiny = tuple[Context, tuple[Split, Split, Split]]


def levels(folder: Path, classes: tuple[str, ...] = CLASSES, **changes: str) -> Splits:
    labels = {split: [classes[n % 3] for n in range(6)] for split in ("train", "valid", "test")}
    splits = splits_of(labels, classes, folder, **changes)
    return write_levels(splits)


class Named(Ear):
    """An `Ear` whose outputs have these names."""

    def __init__(self, *labels: str) -> None:
        super().__init__()
        self.labels = labels

    def head(self, pooled: torch.Tensor) -> torch.Tensor:
        peaks = torch.linspace(0.1, 0.1 * len(self.labels), len(self.labels))
        return -1000 * (pooled - peaks) ** 2


def scores(folder: Path, network: Ear, classes: tuple[str, ...] = CLASSES, kind: str = "single-label", **facts: object):
    train, valid, test = splits = levels(folder, classes, kind=kind)
    context = ear_context(splits, folder, network, **facts)
    fitted = ZeroShot().fit(train, valid, context, seed=0)
    assert (fitted.n_trainable, dict(fitted.state)) == (0, {})
    return fitted.predict(test.blind()), test


def test_nano_names_no_sounds(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    with pytest.raises(NotApplicable, match="nano names no sounds") as caught:
        ZeroShot().fit(train, valid, context, seed=0)
    assert "\n" not in str(caught.value)


def test_precomputed_features_name_no_sounds(tmp_path: Path) -> None:
    splits = splits_of({"train": CLASSES, "valid": CLASSES, "test": CLASSES}, CLASSES)
    with pytest.raises(NotApplicable, match="table names no sounds"):
        ZeroShot().fit(*splits[:2], table_context({}, tmp_path), seed=0)


# files are written so that the level grows with the class: high 0.1, low 0.2, middle 0.3
def test_classes_are_scored_by_the_labels_that_they_mean(tmp_path: Path) -> None:
    found, test = scores(tmp_path, Named("High music", "low", "MIDDLE"))
    assert (found.argmax(axis=1) == test.class_index()).all()
    assert np.allclose(found.sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_scores_are_the_sources_probabilities_over_their_sum(activation: str, tmp_path: Path) -> None:
    found, test = scores(tmp_path, Named("high", "low", "middle", "x"), activation=activation)
    level = 0.1 * (test.class_index() + 1)
    logits = torch.from_numpy(-1000 * (level[:, None] - np.array([0.1, 0.2, 0.3, 0.4])) ** 2)
    own = (logits.sigmoid() if activation == "sigmoid" else logits.softmax(dim=1)).numpy()[:, :3]
    assert np.allclose(found, own / own.sum(axis=1, keepdims=True), atol=0.01)


def test_multi_label_scores_are_the_probabilities_themselves(tmp_path: Path) -> None:
    found, test = scores(tmp_path, Named("high", "low", "middle"), kind="multi-label")
    own = torch.sigmoid(torch.tensor([0.0, -10.0, -40.0])).numpy()
    assert np.allclose(found[test.targets().value[:, 0] == 1], own, atol=0.01)


def test_class_that_no_label_means_is_never_predicted(tmp_path: Path) -> None:
    found, test = scores(tmp_path, Named("high", "low", "x"))
    assert not found[:, 2].any()
    assert set(found.argmax(axis=1)) <= {0, 1}
    assert np.allclose(found[test.class_index() < 2].sum(axis=1), 1.0, atol=1e-5)


def test_the_most_likely_of_several_labels_counts(tmp_path: Path) -> None:
    classes = ("bass", "low", "middle")  # bass is a bass guitar or a double bass
    found, test = scores(tmp_path, Named("Bass guitar", "low", "middle", "Double bass"), classes, "multi-label")
    assert np.allclose(found[test.targets().value[:, 0] == 1][:, 0], 0.5, atol=0.01)


@pytest.mark.parametrize("labels", [("x", "y", "z"), ("high", "y", "z")])
def test_fewer_than_two_named_classes_are_refused_in_one_line(labels: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="two at least are needed") as caught:
        scores(tmp_path, Named(*labels))
    assert "\n" not in str(caught.value)
    assert f"a label for {'high' in labels:d} of the 3 classes" in str(caught.value)


def test_labels_without_a_head_name_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="neither labels nor a text tower"):
        scores(tmp_path, Named("high", "low", "middle"), offers=("body", "pooled"))


class Reads(Ear):
    """Has a text tower: it likes the level that a word of so many letters names."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[str, ...]] = []

    def text_embeddings(self, words: tuple[str, ...]) -> torch.Tensor:
        self.read.append(words)
        levels = torch.tensor([[{"high": 0.1, "low": 0.2, "middle": 0.3}[word]] for word in words])
        return levels @ torch.ones(1, 500) @ torch.ones(500, 1) / 500  # what reading costs

    def text_logits(self, pooled: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        # -1000 (pooled - level)^2 as a product, but for what is the same of all classes
        return torch.cat([pooled, torch.ones_like(pooled)], 1) @ torch.cat([2000 * texts, -1000 * texts**2], 1).T


def test_a_text_tower_goes_before_labels(tmp_path: Path) -> None:
    found, test = scores(tmp_path, Reads())
    assert (found.argmax(axis=1) == test.class_index()).all()
    level = 0.1 * (test.class_index() + 1)
    logits = torch.from_numpy(-1000 * (level[:, None] - np.array([0.1, 0.2, 0.3])) ** 2)
    assert np.allclose(found, logits.softmax(dim=1).numpy(), atol=0.02)


def test_text_ranks_clips_of_a_multi_label_task_where_sigmoids_would_all_be_one(tmp_path: Path) -> None:
    class Certain(Reads):
        def text_logits(self, pooled: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
            return 40.0 + super().text_logits(pooled, texts)

    labels = {split: [CLASSES[n % 3] for n in range(6)] for split in ("train", "valid", "test")}
    splits = write_levels(splits_of(labels, CLASSES, tmp_path, kind="multi-label"))
    context = ear_context(splits, tmp_path, Certain())
    found = ZeroShot().fit(splits[0], splits[1], context, seed=0).predict(splits[2].blind())
    loudest = np.array([label == "middle" for label in labels["test"]])
    column = found[:, CLASSES.index("middle")]
    assert ((column > 0.5) & (column < 1)).all()
    assert column[loudest].min() > column[~loudest].max()


@pytest.mark.parametrize("classes", [CLASSES, ("high", "low")])
def test_a_prediction_reads_no_text_and_costs_one_product(classes: tuple[str, ...], tmp_path: Path) -> None:
    labels = {split: [classes[n % 2] for n in range(6)] for split in ("train", "valid", "test")}
    train, valid, test = splits = write_levels(splits_of(labels, classes, tmp_path), seconds=3.0)
    network = Reads()
    context = ear_context(splits, tmp_path, network)
    fitted = ZeroShot().fit(train, valid, context, seed=0)
    n_read = len(context.source.network.read)
    one = Split(test.task, test.clips[:1]).blind()
    with context.uncached(Afresh(time.perf_counter)):
        costs = [flops_of(lambda: fitted.predict(one)) for _ in range(2)]
    windows, width = 3, 2
    assert costs == [2 * windows * width * len(classes)] * 2
    assert len(context.source.network.read) == n_read == 1


def test_nothing_of_train_and_valid_is_heard(tmp_path: Path) -> None:
    train, valid, test = splits = levels(tmp_path)
    context = ear_context(splits, tmp_path, Named("high", "low", "middle"))
    for clip in train.clips + valid.clips:
        assert clip.path is not None
        clip.path.unlink()
    found = ZeroShot().fit(train, valid, context, seed=0).predict(test.blind())
    assert (found.argmax(axis=1) == test.class_index()).all()


def test_zero_shot_conforms(tmp_path: Path) -> None:
    splits = levels(tmp_path)
    context = ear_context(splits, tmp_path, Named("high", "low", "middle"))
    assert check_method(ZeroShot, context, splits) == []


@pytest.mark.real
def test_zero_shot_by_speechatt_names_the_words_that_it_hears(shared: Path, tmp_path: Path) -> None:
    words = ("eight", "five", "follow")
    clips = [
        Clip(f"{split}-{word}", shared / "data" / "speech_words" / f"word_{word}.wav", split, (word,))
        for split in ("train", "valid", "test")
        for word in words
    ]
    task = Task(
        "words", "1", "for tests", "single-label", words, SINGLE_LABEL, lambda root, fold: clips,
        str(shared / "data" / "speech_words"), len(clips), 1.0,
    )  # fmt: skip
    request = Request(
        "words", "zero-shot", "speechatt", seeds=(0,), weights=shared / "weights", runs=tmp_path / "runs",
        data=shared / "data", cache=tmp_path / "cache",
    )  # fmt: skip
    (outcome,) = run(request, Catalogue([Plugin("test", "0" * 64, {"words": task}, {}, {})]), QUIET)
    assert outcome.record.reason == ""
    assert outcome.record.metrics["accuracy"] == 1.0  # chance is 0.33
