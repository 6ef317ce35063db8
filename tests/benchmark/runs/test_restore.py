"""What is stored of a trained model predicts again: the same scores, from plain arrays, without pickle."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from mirbench import Context
from mirbench.errors import BadInput
from mirbench.method import Fitted, Restorable
from mirbench.methods import METHODS
from mirbench.methods.classifiers import margins
from mirbench.methods.forest_probe import ForestProbe
from mirbench.methods.hand_made.codebook import MfccCodebook, SparseCoding
from mirbench.methods.hand_made.marsyas import MarsyasForest
from mirbench.methods.prior import Prior
from mirbench.methods.probes import LinearProbe, NeighboursProbe, SvmProbe
from mirbench.methods.stored import KernelMachine, Trees, keep_kernel, keep_linear, keep_trees, linear, small
from mirbench.methods.zero_shot import ZeroShot
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.runs.store import RunStore
from mirbench.trust import checks
from mirbench.types import Split
from tests.conftest import ROOT
from tests.methods.test_zero_shot import Named, levels
from tests.toys import Splits, ear_context, gaussian, splits_of, table_context

Tiny = tuple[Context, Splits]
PROBES = (LinearProbe(), SvmProbe(), SvmProbe(C=10, gamma=0.1), ForestProbe(20), ForestProbe(5, 2, standardise=False),
          NeighboursProbe(3), NeighboursProbe(1000), Prior())  # fmt: skip
BAGS = (MarsyasForest(n_trees=10), MarsyasForest("timbre+chroma", 10), MfccCodebook(n_words=8),
        MfccCodebook(n_words=8, classifier="logistic"), SparseCoding(n_words=8),
        SparseCoding(n_words=8, classifier="logistic", segment_seconds=0))  # fmt: skip
CLASSES = tuple("abcdefg")


def restored(method: Any, fitted: Fitted, split: Split, context: Context) -> np.ndarray:
    """Scores of what is read back from the bytes that would be stored."""
    stored = load(save({name: np.asarray(value, order="C") for name, value in fitted.state.items()}))
    scores: np.ndarray = method.restore(stored, split.blind(), context)(split.blind())
    return scores


def labelled(n_classes: int, folder: Path) -> tuple[Context, Splits]:
    """A task of so many classes, and features that half tell them."""
    names = CLASSES[:n_classes]
    splits = splits_of({"train": names * 12, "valid": names, "test": names * 10}, names)
    return table_context(gaussian(splits, 8, 0.7), folder), splits


def tagged(splits: Splits, unknown: float = 0.3) -> Splits:
    """The same clips with their class and another as tags, some unjudged; "a" is in all, and of the last nobody knows.

    The two last classes are new.
    """
    rng = np.random.default_rng(0)
    train, *_ = splits
    names = (*train.classes, "always", "never", "unheard")
    task = replace(train.task, kind="multi-label", classes=names, metrics=("roc-auc",))

    def tag(split: Split) -> Split:
        clips = []
        for clip in split.clips:
            present = {*clip.labels, "always", str(rng.choice(train.classes))}
            lacking = {name for name in names if rng.random() < unknown} | {"unheard"}
            clips.append(replace(clip, labels=tuple(sorted(present - lacking)), unknown=tuple(sorted(lacking))))
        return Split(task, tuple(clips))

    return tuple(map(tag, splits))  # type: ignore[return-value]


def name_of(method: Any) -> str:
    return f"{method.name}-{'-'.join(str(value) for value in dataclasses.astuple(method))}"


# Every method


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_restored(name: str) -> None:
    assert isinstance(Catalogue().method(name), Restorable)  # a class has what its instances have


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("probe", PROBES, ids=name_of)
def test_restored_probe_predicts_the_same(probe: Any, n_classes: int, tmp_path: Path) -> None:
    context, (train, valid, test) = labelled(n_classes, tmp_path)
    fitted = probe.fit(train, valid, context, seed=1)
    np.testing.assert_allclose(restored(probe, fitted, test, context), fitted.predict(test.blind()), rtol=0, atol=1e-6)


@pytest.mark.parametrize("probe", PROBES, ids=name_of)
def test_restored_probe_of_tags_predicts_the_same(probe: Any, tmp_path: Path) -> None:
    context, splits = labelled(3, tmp_path)
    train, valid, test = tagged(splits)
    fitted = probe.fit(train, valid, context, seed=1)
    scores = restored(probe, fitted, test, context)
    np.testing.assert_allclose(scores, fitted.predict(test.blind()), rtol=0, atol=1e-6)
    assert scores[:, 3:].tolist() == [[1.0, 0.0, 0.0]] * len(test)  # of which train knows one answer, or none


@pytest.mark.parametrize("probe", PROBES, ids=name_of)
def test_restored_probe_knows_classes_that_train_lacks(probe: Any, tmp_path: Path) -> None:
    context, (train, valid, test) = labelled(3, tmp_path)
    train = Split(train.task, tuple(clip for clip in train.clips if clip.labels != ("b",)))
    fitted = probe.fit(train, valid, context, seed=1)
    scores = restored(probe, fitted, test, context)
    np.testing.assert_allclose(scores, fitted.predict(test.blind()), rtol=0, atol=1e-6)
    assert set(scores[:, 1]) == {0.0}


@pytest.mark.parametrize("probe", PROBES[:-1], ids=name_of)
def test_restored_probe_of_tags_that_nobody_judged_gives_its_constants(probe: Any, tmp_path: Path) -> None:
    context, splits = labelled(2, tmp_path)
    train, valid, test = tagged(splits, unknown=1.0)
    fitted = probe.fit(train, valid, context, seed=1)
    assert not restored(probe, fitted, test, context).any()


@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
@pytest.mark.parametrize("bag", BAGS, ids=name_of)
def test_restored_method_of_audio_predicts_the_same(bag: Any, kind: str, tiny: Tiny) -> None:
    context, splits = tiny
    train, valid, test = splits if kind == "single-label" else tagged(splits)
    fitted = bag.fit(train, valid, context, seed=1)
    np.testing.assert_array_equal(restored(bag, fitted, test, context), fitted.predict(test.blind()))


@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
def test_restored_zero_shot_needs_no_state(kind: str, tmp_path: Path) -> None:
    train, valid, test = splits = levels(tmp_path, kind=kind)
    context = ear_context(splits, tmp_path, Named("Low", "Middle", "High"))
    fitted = ZeroShot().fit(train, valid, context, seed=0)
    assert not fitted.state
    assert np.array_equal(ZeroShot().restore({}, test.blind(), context)(test.blind()), fitted.predict(test.blind()))


# Forests and kernel machines, against scikit-learn


def points(n: int, n_features: int = 6, n_classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_classes, size=n)
    return rng.normal(size=(n, n_features)) + 0.8 * np.eye(n_classes, n_features)[labels], labels


@pytest.mark.parametrize("options", [{}, {"max_depth": 3}, {"max_leaf_nodes": 12}, {"min_samples_leaf": 5}], ids=str)
def test_trees_equal_scikit_learn_bit_by_bit(options: dict[str, int]) -> None:
    forest = RandomForestClassifier(30, random_state=0, **options).fit(*points(200))
    asked, _ = points(600, seed=1)
    trees = Trees(keep_trees(forest))
    assert np.array_equal(trees.predict_proba(asked), forest.predict_proba(asked))


def test_trees_decide_as_scikit_learn_does_at_their_very_thresholds() -> None:
    """Where single precision rounds a threshold up, a clip just there must not change sides."""
    forest = RandomForestClassifier(20, random_state=0).fit(*points(150, 2))
    thresholds = np.concatenate([t.tree_.threshold[t.tree_.children_left >= 0] for t in forest.estimators_])
    single = thresholds.astype(np.float32)
    assert (single > thresholds).any()
    near = [np.nextafter(single, np.float32(side)) for side in (-np.inf, np.inf)]
    line = np.concatenate([single, *near]).astype(np.float64)
    asked = np.stack([line, line[::-1]], axis=1)
    trees = Trees(keep_trees(forest))
    assert np.array_equal(trees.predict_proba(asked), forest.predict_proba(asked))


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_kernel_machine_equals_scikit_learn(n_classes: int) -> None:
    x, y = points(150, n_classes=n_classes)
    model = SVC(C=2.0).fit(x, y)
    machine = KernelMachine(keep_kernel(model), x[model.support_])
    asked, _ = points(400, n_classes=n_classes, seed=1)
    np.testing.assert_allclose(machine.decision_function(asked), model.decision_function(asked), atol=1e-10)
    assert np.array_equal(machine.predict(asked), model.predict(asked))
    np.testing.assert_allclose(margins(machine, asked), margins(model, asked), atol=1e-10)


def test_kernel_machine_gives_a_tie_of_votes_to_the_class_that_predict_takes() -> None:
    x, y = points(60, 4, 3, seed=3)
    model = SVC(C=5.0).fit(x, y)
    machine = KernelMachine(keep_kernel(model), x[model.support_])
    asked, _ = points(3000, 4, 3, seed=4)
    tied = model.decision_function(asked).argmax(axis=1) != model.predict(asked)
    assert tied.any()
    assert np.array_equal(margins(machine, asked).argmax(axis=1), model.predict(asked))


def test_linear_classifier_equals_scikit_learn_bit_by_bit() -> None:
    x, y = points(100)
    model = LogisticRegression(C=0.3).fit(x, y)
    again = linear(LogisticRegression, keep_linear(model))
    assert np.array_equal(again.predict_proba(x), model.predict_proba(x))


# What is stored


def n_bytes(state: Iterable[Any]) -> int:
    return sum(np.asarray(value).nbytes for value in state)


def test_a_node_of_a_forest_takes_ten_bytes_at_most(tmp_path: Path) -> None:
    forest = RandomForestClassifier(100, random_state=0).fit(*points(400, 100))
    kept = keep_trees(forest)
    n_nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    assert n_bytes(kept.values()) <= 10 * n_nodes + 2000
    assert len(kept["shares"]) == 4  # pure leaves


def test_clips_that_several_tags_need_are_stored_once(tmp_path: Path) -> None:
    context, splits = labelled(3, tmp_path)
    train, valid, _ = tagged(splits)
    for probe in (SvmProbe(), NeighboursProbe()):
        state = probe.fit(train, valid, context, seed=0).state
        judged = {clip.id for clip in train.clips if {"a", "b", "c"} - set(clip.unknown)}
        assert state["features"].shape[1] == 8
        assert len(train) // 2 < len(state["features"]) <= len(judged)
        assert state["features"].dtype == np.float32  # means of one window each: nothing is lost
        floats = [value for name, value in state.items() if value.dtype.kind == "f" and "dual" not in name]
        assert sum(value.size > 8 for value in floats) == 1  # and scalers of 8 numbers


def test_clips_that_no_support_vector_needs_are_not_stored(tmp_path: Path) -> None:
    splits = splits_of({"train": ("a", "b") * 50, "valid": ("a", "b"), "test": ("a", "b")}, ("a", "b"))
    context = table_context(gaussian(splits, 2, 0.1), tmp_path)
    state = SvmProbe(gamma=0.1).fit(*splits[:2], context, seed=0).state
    assert len(state["features"]) == state["n_support"].sum() < 50
    assert sorted(state["support"]) == list(range(len(state["features"])))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([0, 255], np.uint8), ([0, 256], np.uint16), ([-1, 3], np.int64), ([0.5, 2.0], np.float32),
     ([0.1, 2.0], np.float64), ([True, False], np.bool_)],
)  # fmt: skip
def test_small_keeps_every_number(values: list[Any], dtype: type) -> None:
    held = small(np.array(values))
    assert held.dtype == dtype
    assert held.tolist() == values


@pytest.mark.parametrize("probe", [LinearProbe(), SvmProbe(), ForestProbe(3), NeighboursProbe()], ids=name_of)
def test_model_that_lacks_an_array_is_refused(probe: Any, tmp_path: Path) -> None:
    context, splits = labelled(3, tmp_path)
    for train, valid, test in (splits, tagged(splits)):
        state = dict(probe.fit(train, valid, context, seed=0).state)
        for name in [n for n in state if n.partition(".")[0] not in ("mean", "scale")]:
            some = {key: value for key, value in state.items() if key != name}
            with pytest.raises(BadInput, match=r"the stored model lacks \w+; remove"):
                probe.restore(some, test.blind(), context)


@pytest.mark.parametrize("bag", [MfccCodebook(n_words=4), SparseCoding(n_words=4)], ids=name_of)
def test_bag_without_words_is_refused(bag: Any, tiny: Tiny) -> None:
    with pytest.raises(BadInput, match="lacks"):
        bag.restore({"coef": np.zeros(3)}, tiny[1][2].blind(), tiny[0])


def test_check_method_finds_what_is_not_stored(tiny: Tiny) -> None:
    class Forgets(Prior):
        name = "forgets"

        def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
            return replace(super().fit(train, valid, context, seed=seed), state={})

        def restore(self, state: Any, split: Any, context: Context) -> Any:
            return lambda split: np.full((len(split), 3), 1 / 3, np.float32)

    assert checks.check_method(Forgets, *tiny) == [
        "what it learnt is not stored: return it as `state`, or n_trainable=0 where nothing is learnt"
    ]


def test_check_method_leaves_a_method_without_restore_alone(tiny: Tiny) -> None:
    @dataclasses.dataclass(frozen=True)
    class Plain:
        name, version, needs = "plain", "1", ()

        def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
            return Fitted(lambda split: np.full((len(split), 3), 0.5, np.float32), None)

    assert checks.check_method(Plain, *tiny) == []


# No pickle


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of runs of the methods that scikit-learn learns, and of one that torch does."""
    root = tmp_path_factory.mktemp("runs")
    (root / "data" / "tiny").mkdir(parents=True)
    train, _, _ = checks.tiny_task(root / "data" / "tiny")
    catalogue = Catalogue([Plugin("test", "0" * 64, {"tiny": train.task}, {}, {})])
    few: dict[str, dict[str, Any]] = {"probe-forest": {"n_trees": 5}, "probe-mlp": {"epochs": 1},
                                      "marsyas-forest": {"n_trees": 5}, "mfcc-codebook": {"n_words": 4}}  # fmt: skip
    found = []
    for method in ("probe-linear", "probe-svm", "knn", "sparse-coding", "prior", *few):
        source = "nano" if Catalogue().method(method).needs else ""
        request = Request("tiny", method, source, seeds=(0,), params=few.get(method, {}), data=root / "data",
                          runs=root / "runs", cache=root / "cache")  # fmt: skip
        (outcome,) = run(request, catalogue, Progress(quiet=True))
        assert outcome.record.status == "done", outcome.record.reason
        found.append(outcome.folder)
    return found


def test_every_run_stores_its_model(folders: list[Path]) -> None:
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == {"record.json", "scores.npz", "model.safetensors"}
        assert RunStore(folder.parents[2]).state(folder)


def test_a_model_file_holds_numbers_and_nothing_else(folders: list[Path]) -> None:
    """Eight bytes of length, a JSON header of names, types and places, and then the numbers, without a gap."""
    for folder in folders:
        data = (folder / "model.safetensors").read_bytes()
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        places = sorted(tuple(entry["data_offsets"]) for entry in header.values())
        assert {entry["dtype"] for entry in header.values()} <= {
            "F64", "F32", "I64", "I32", "U8", "U16", "U32", "BOOL"
        }  # fmt: skip
        assert places[0][0] == 0
        assert all(end == start for (_, end), (start, _) in pairwise(places))
        assert places[-1][1] == len(data) - 8 - length


def test_no_file_of_a_run_is_or_holds_a_pickle(folders: list[Path]) -> None:
    for folder in folders:
        with np.load(folder / "scores.npz", allow_pickle=False) as held:
            assert all(held[name].dtype.kind in "USbfi" for name in held.files)
        for path in folder.iterdir():
            data = path.read_bytes()
            assert not data.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))
            assert b"sklearn" not in data or path.name == "record.json"  # a pickle names the classes that it makes
            assert b"copyreg" not in data
            assert b"numpy.core" not in data
            assert b"numpy._core" not in data
        json.loads((folder / "record.json").read_bytes())


def test_nothing_here_writes_or_reads_pickles() -> None:
    """``pickle.UnpicklingError`` alone may be named: torch raises it for weights that are not plain tensors."""
    root = ROOT
    found = []
    packages = [root / name for name in ("benchmark", "methods", "leaderboard")]
    for path in (path for package in packages for path in package.rglob("*.py")):
        text = path.read_text("utf-8")
        if not any(word in text for word in ("pickle", "joblib", "skops", "torch.save", "torch.load")):
            continue
        for node in ast.walk(ast.parse(text)):
            said = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Call | ast.Import | ast.ImportFrom) else ""
            pickles = said.startswith(("pickle.", "torch.save", "import joblib", "import skops", "from pickle"))
            if (pickles and said != "pickle.UnpicklingError") or (
                said.startswith("torch.load(") and "weights_only=True" not in said
            ):
                found.append(f"{path}: {said}")
    assert found == []
