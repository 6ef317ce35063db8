"""Reprogramming by answers alone: no gradient, a budget in queries, what is kept, the missing package."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mirbench import Context, Windows
from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.reprogramming.answers import _stretched
from mirbench.methods.reprogramming.black_box import BlackBoxRp
from mirbench.methods.reprogramming.outputs import output
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.trust import checks
from mirbench.types import Clip, Split, Task

Tiny = tuple[Context, tuple[Split, Split, Split]]
CPU = torch.device("cpu")


class Bands:
    """A source of three classes whose answers are the means of a picture's three bands; it refuses gradients."""

    labels = ("low tone", "noise", "high tone")

    def __init__(self) -> None:
        self.n_asked = 0

    def body(self, picture: torch.Tensor) -> SimpleNamespace:
        if torch.is_grad_enabled() or not torch.is_inference_mode_enabled() or picture.requires_grad:
            raise AssertionError("a black box hands out no gradients")
        self.n_asked += len(picture)
        return SimpleNamespace(pooled=4.0 * picture.mean(dim=3)[:, 0])

    def head(self, pooled: torch.Tensor) -> torch.Tensor:
        return pooled


class Told:
    """A progress that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def bar(self, *args: object) -> Any:
        return Progress(quiet=True).bar("", 1, "")


def answering(pictures: dict[int, np.ndarray], card: dict[str, Any] | None = None) -> Any:
    """A context of such a source; a split is told by how many clips it has."""
    network = Bands()
    facts = {"name": "box", "n_outputs": 3, "offers": ("frontend", "body", "head"), "activation": "sigmoid"} | (
        card or {}
    )
    source = SimpleNamespace(
        card=SimpleNamespace(**facts),
        network=network,
        tensor=torch.from_numpy,
        entry=lambda split: Windows(pictures[len(split)], np.arange(len(split)), len(split)),
    )
    return SimpleNamespace(
        source=source, device=CPU, progress=Told(), autocast=lambda: torch.autocast("cpu", enabled=False),
        windowing=SimpleNamespace(average="prob"),
    )  # fmt: skip


CLASSES = ("low tone", "high tone")


def tones(n: int, split: str, kind: str = "single-label") -> tuple[Split, np.ndarray]:
    """Clips that are loud below or above; the band between, which speaks for the second of many-to-one, is louder."""
    labels = [CLASSES[i % 2] for i in range(n)]
    task = Task(
        "t", "1", "", kind, CLASSES, ("accuracy" if kind == "single-label" else "roc-auc",), lambda *_: [], "t", n, 1.0
    )
    pictures = np.random.default_rng(n).normal(0, 0.3, (n, 1, 3, 5)).astype(np.float32)
    for i in range(n):
        pictures[i, 0, 2 * (i % 2)] += 1.0
        pictures[i, 0, 1] += 3.0 + i % 2
    return Split(task, tuple(Clip(str(i), None, split, (label,)) for i, label in enumerate(labels))), pictures


@pytest.fixture
def box() -> tuple[Any, Split, Split]:
    pytest.importorskip("cma")
    (train, heard), (valid, seen) = tones(20, "train"), tones(12, "valid")
    return answering({20: heard, 12: seen}), train, valid


def fitted_by(box: tuple[Any, Split, Split], seed: int = 0, **params: Any) -> Any:
    context, train, valid = box
    return BlackBoxRp(**{"bands": 3, "outputs_per_class": 1, **params}).fit(train, valid, context, seed=seed)


def test_black_box_learns_from_answers_what_the_unchanged_source_gets_wrong(box: tuple[Any, Split, Split]) -> None:
    """In inference mode throughout: the source raises where it could be asked for a gradient."""
    found = fitted_by(box, queries=4000)
    scores = [row["valid_score"] for row in found.history]
    assert scores[0] == 0.5
    assert max(scores) == 1.0
    valid = box[2]
    predicted = found.predict(valid.blind()).argmax(axis=1)
    assert (predicted == valid.class_index()).all()


def test_black_box_of_no_queries_is_the_unchanged_source_behind_the_mapping(tiny: Tiny) -> None:
    pytest.importorskip("cma")
    context, (train, valid, test) = tiny
    from mirbench.methods.training import Inputs, clip_scores

    method = BlackBoxRp(queries=0)
    found = method.fit(train, valid, context, seed=0)
    source = context.source
    mapped = output("many-to-one", source.card, source.network, len(test.classes))
    pooled = source.pooled(test)
    with torch.no_grad():
        logits = mapped(source.tensor(np.asarray(pooled.values))).numpy()
    expected = clip_scores(logits, Inputs.of(pooled), test.task.kind, context)
    assert np.allclose(found.predict(test.blind()), expected, atol=1e-5)
    assert (found.n_trainable, len(found.history), method.uses_seed) == (0, 1, False)


def test_black_box_counts_every_window_that_it_asks_about_and_stays_within_its_budget(
    box: tuple[Any, Split, Split],
) -> None:
    found = fitted_by(box, queries=500, population=6, batch_size=10)
    network = box[0].source.network
    queries = [row["queries"] for row in found.history]
    first, generation = 10 + 12, 6 * 10 + 12
    assert queries == [first + k * generation for k in range(1 + 500 // generation)]
    assert network.n_asked == queries[-1]
    found.predict(box[2].blind())
    assert network.n_asked == queries[-1] + 12


def test_black_box_budget_that_is_too_small_for_a_generation_says_what_one_takes(box: tuple[Any, Split, Split]) -> None:
    with pytest.raises(BadInput, match=r"queries=50 do not suffice .* 6 candidates on 10 .* 12 of valid, are 72"):
        fitted_by(box, queries=50, population=6, batch_size=10)


def test_black_box_is_the_same_by_seed_and_leaves_the_generator_of_numpy_alone(box: tuple[Any, Split, Split]) -> None:
    def told(seed: int) -> list[float]:
        return [row["loss"] for row in fitted_by(box, seed, queries=600).history]

    np.random.seed(5)  # noqa: NPY002 the one that pycma would take and seed
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    first = told(0)
    assert np.random.random() == expected  # noqa: NPY002
    assert told(0) == first
    assert told(1) != first


def test_black_box_keeps_the_unchanged_source_where_nothing_is_better_on_valid(box: tuple[Any, Split, Split]) -> None:
    context, train, valid = box
    far = tones(12, "valid")[1]
    far[:, 0, 1] = 0.0  # what is in the way in train is not there
    context.source.entry = lambda split: Windows(
        {20: tones(20, "train")[1], 12: far}[len(split)], np.arange(len(split)), len(split)
    )
    found = BlackBoxRp(bands=3, mapping="names", queries=400, sigma=30.0).fit(train, valid, context, seed=0)
    assert found.history[0]["valid_score"] == 1.0
    assert not found.state["grid"].any()


def test_black_box_learns_once_more_from_all_clips_for_as_many_generations_as_were_kept(
    box: tuple[Any, Split, Split],
) -> None:
    context, train, _ = box
    found = fitted_by(box, queries=600, population=4, batch_size=10)
    kept = max((row["valid_score"], -row["valid_loss"], -k) for k, row in enumerate(found.history))[2]
    method = BlackBoxRp(queries=600, population=4, batch_size=10, bands=3, outputs_per_class=1)
    again = method.refit(train, context, seed=0, histories=[found.history])
    assert 0 < -kept == len(again.history) - 1
    assert not any("valid_score" in row for row in again.history)
    assert np.array_equal(again.state["grid"], found.state["grid"])  # of the same clips, by the same seed


def test_black_box_by_names_asks_the_classes_that_are_called_so(box: tuple[Any, Split, Split]) -> None:
    found = fitted_by(box, queries=0, mapping="names", outputs_per_class=None)
    assert found.history[0]["valid_score"] == 1.0  # the band between speaks for nobody


def test_black_box_by_names_of_a_source_that_names_nothing_is_not_applicable(box: tuple[Any, Split, Split]) -> None:
    box[0].source.network.labels = ("rain", "wind", "low tone")
    with pytest.raises(NotApplicable, match="has a label for 1 of the 2 classes"):
        fitted_by(box, mapping="names", outputs_per_class=None)


def test_black_box_learns_several_labels_at_once() -> None:
    pytest.importorskip("cma")
    (train, heard), (valid, seen) = tones(20, "train", "multi-label"), tones(12, "valid", "multi-label")
    found = fitted_by((answering({20: heard, 12: seen}), train, valid), queries=2000)
    losses = [row["loss"] for row in found.history]
    assert losses[-1] < 0.8 * losses[0]


def test_grid_of_one_frame_is_the_same_at_all_times_and_its_edges_are_those_of_the_picture() -> None:
    picture = _stretched(np.array([[1.0], [3.0]], dtype=np.float32), 5, 4)
    assert np.allclose(picture, np.array([1.0, 1.5, 2.0, 2.5, 3.0])[:, None])
    assert picture.shape == (5, 4)


def test_black_box_of_pictures_in_colour_is_not_applicable(box: tuple[Any, Split, Split]) -> None:
    colour = Windows(np.zeros((20, 3, 4, 4), dtype=np.float32), np.arange(20), 20)
    box[0].source.entry = lambda split: colour
    with pytest.raises(NotApplicable, match="black-box-rp changes spectrograms; the clips of this task are pictures"):
        fitted_by(box)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"queries": -1}, "queries=-1: 0 or more is needed"),
        ({"bands": 0}, "bands=0: 1 or more is needed"),
        ({"bands": 1}, "bands=1 and frames=1 are one value; CMA-ES needs two or more"),
        ({"sigma": 0.0}, "sigma=0.0: more than 0 is needed"),
        ({"population": 3}, "population=3: 4 or more is needed"),
        ({"batch_size": 0}, "batch_size=0: 1 or more is needed"),
        (
            {"mapping": "names", "outputs_per_class": 2},
            "mapping=names takes the classes that are named; leave outputs_per_class out",
        ),
    ],
)
def test_black_box_hyperparameters_that_make_no_sense_are_refused_each_by_itself(
    wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        BlackBoxRp(**wrong)
    assert str(caught.value) == f"black-box-rp: {said}"


def test_run_without_cma_is_recorded_as_skipped_with_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cma", None)
    data = tmp_path / "data" / "tiny"
    data.mkdir(parents=True)
    train, *_ = checks.tiny_task(data)
    catalogue = Catalogue([Plugin("test", "0" * 64, {"tiny": train.task}, {}, {})])
    request = Request(
        "tiny", "black-box-rp", source="nano", seeds=(0,), data=tmp_path / "data", runs=tmp_path / "runs", device="cpu"
    )
    (outcome,) = run(request, catalogue, Progress(quiet=True))
    assert (outcome.record.status, outcome.record.reason) == (
        "skipped", "black-box-rp needs cma: pip install 'mirbench[black-box]'"
    )  # fmt: skip
