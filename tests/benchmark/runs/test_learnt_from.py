"""Which clips a run learns from: k-fold protocols to the digit, one more fit of what was selected, what is refused."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mirbench.errors import NotApplicable
from mirbench.leaderboard.table import boards
from mirbench.method import Fitted
from mirbench.methods.probes import MlpProbe as Mlp
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.learnt_from import held_back, joined, require_possible
from mirbench.runs.plan import Request, draft_plan
from mirbench.runs.runner import Outcome, run
from mirbench.runs.store import RunStore
from mirbench.runs.suite import read_suite
from mirbench.trust.rerun import repeat
from tests.conftest import ROOT
from tests.toys import splits_of

QUIET = Progress(quiet=True)
CHOI = ROOT.parent / "shared" / "data" / "choi2017" / "gtzan.npz"
PROBES = {
    "probe-linear": lambda: LogisticRegression(max_iter=2000),
    "knn": lambda: KNeighborsClassifier(5, weights="distance", metric="cosine"),
}
"""As their docstrings say, on standardised features."""


def listed(folder: Path, ids: Sequence[str], labels: Sequence[str], parts: Sequence[Any], part: str = "fold") -> Path:
    """A list of clips, known by their ids alone."""
    path = folder / "clips.csv"
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["id", "label", part])
        rows.writerows(zip(ids, labels, parts, strict=True))
    return path


@dataclass(frozen=True)
class Drawn:
    """Features of clips of unequal classes, with folds of their own, as Extended Ballroom has them."""

    ids: list[str]
    labels: npt.NDArray[np.str_]
    features: npt.NDArray[np.float32]
    folds: npt.NDArray[np.int64]
    request: Request

    def scores(self, outcomes: Sequence[Outcome]) -> npt.NDArray[np.float32]:
        """Of every clip, in the fold in which it is tested."""
        found: dict[str, Any] = {}
        for outcome in outcomes:
            held = RunStore(outcome.folder).scores(outcome.folder)
            found.update(zip(held.clip_ids.tolist(), held.scores, strict=True))
        return np.stack([found[name] for name in self.ids])

    def expected(self, method: str) -> npt.NDArray[np.float32]:
        """What scikit-learn predicts of each clip from all folds but its own."""
        model, rows = make_pipeline(StandardScaler(), PROBES[method]()), self.features.astype(np.float64)
        found = cross_val_predict(model, rows, self.labels, cv=PredefinedSplit(self.folds), method="predict_proba")
        return np.asarray(found, dtype=np.float32)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder, generator = tmp_path_factory.mktemp("folds"), np.random.default_rng(0)
    labels = np.repeat(["chacha", "rumba", "samba", "tango"], [27, 19, 9, 6])
    kind = np.unique(labels, return_inverse=True)[1]
    features = (generator.standard_normal((61, 5)) + 1.2 * kind[:, None] * [1, -1, 0.5, 0, 0]).astype(np.float32)
    folds = np.arange(61) % 4
    ids = [f"song{n:02}" for n in range(61)]
    np.savez(folder / "features.npz", id=np.array(ids), features=features)
    path = listed(folder, ids, labels, folds)
    request = Request(
        f"csv:{path}", "probe-linear", f"features:{folder}/features.npz", seeds=(0,), runs=folder / "runs",
        cache=folder / "cache", source_params={"array": "features"},
    )  # fmt: skip
    return Drawn(ids, labels, features, folds, request)


def asked(drawn: Drawn, **changes: Any) -> list[Outcome]:
    return run(replace(drawn.request, **changes), Catalogue(), QUIET)


@pytest.mark.slow
@pytest.mark.parametrize("method", PROBES)
def test_folds_of_a_list_learnt_from_all_that_is_given_are_scikit_learns_to_the_digit(
    drawn: Drawn, method: str
) -> None:
    ours = drawn.scores(asked(drawn, method=method, fit_on="train-and-valid"))
    np.testing.assert_array_equal(ours, drawn.expected(method))
    less = drawn.scores(asked(drawn, method=method))
    assert np.abs(less - ours).max() > 0.01  # a fold is held back there


@pytest.mark.real
@pytest.mark.skipif(not CHOI.is_file(), reason=f"needs {CHOI}")
@pytest.mark.parametrize(("method", "accuracy"), [("probe-linear", 0.923), ("knn", 0.793)])
@pytest.mark.slow
def test_ten_folds_of_published_features_of_gtzan_are_scikit_learns_to_the_digit(
    tmp_path: Path, method: str, accuracy: float
) -> None:
    from sklearn.model_selection import StratifiedKFold

    held = np.load(CHOI)
    folds = np.zeros(1000, dtype=np.int64)
    parts = StratifiedKFold(10, shuffle=True, random_state=0).split(held["convnet"], held["label"])
    for number, (_, test) in enumerate(parts):
        folds[test] = number
    path = listed(tmp_path, held["id"], held["label"], folds)
    request = Request(
        f"csv:{path}", method, f"features:{CHOI}", seeds=(0,), runs=tmp_path / "runs", cache=tmp_path / "cache",
        source_params={"array": "convnet"}, fit_on="train-and-valid",
    )  # fmt: skip
    real = Drawn(held["id"].tolist(), held["label"], held["convnet"], folds, request)
    ours = real.scores(run(request, Catalogue(), QUIET))
    np.testing.assert_array_equal(ours, real.expected(method))
    assert float((np.unique(real.labels)[ours.argmax(axis=1)] == real.labels).mean()) == pytest.approx(accuracy)


def test_what_is_learnt_from_is_in_key_name_and_the_run_done_again(drawn: Drawn) -> None:
    plain, both = (asked(drawn, fit_on=fit_on, folds=(0,))[0] for fit_on in ("train", "train-and-valid"))
    assert plain.record.spec.key != both.record.spec.key
    assert both.record.n_clips == plain.record.n_clips  # of the splits: which of them is learnt from is asked
    (board,) = boards(drawn.request.runs)
    names = {row.name for row in board.rows if row.name.startswith("probe-linear")}
    assert any("fit-on=train-and-valid" in name for name in names)
    places = {"csv:clips": drawn.request.task, "features:features.npz": drawn.request.source}
    done = repeat((both.folder, both.record), Catalogue(), places, QUIET)
    assert str(done) == "repeated, and the same to the bit on 16 clips"


def test_search_with_refit_fits_what_was_chosen_on_both(drawn: Drawn) -> None:
    search = {"C": (0.01, 1.0)}
    (chosen,) = asked(drawn, search=search, fit_on="refit", folds=(1,))
    (of_train,) = asked(drawn, search=search, folds=(1,))
    assert chosen.record.chosen == of_train.record.chosen
    (alone,) = asked(drawn, params=chosen.record.chosen, fit_on="train-and-valid", folds=(1,))
    ours, theirs = (RunStore(o.folder).scores(o.folder).scores for o in (chosen, alone))
    np.testing.assert_array_equal(ours, theirs)


def test_forest_that_joins_valid_itself_is_the_one_that_is_asked_to(drawn: Drawn) -> None:
    few = {"n_trees": 3}
    (own,) = asked(drawn, method="probe-forest", params=few | {"fit_on": "train-and-valid"}, folds=(0,))
    (as_all,) = asked(drawn, method="probe-forest", params=few, fit_on="train-and-valid", folds=(0,))
    ours, theirs = (RunStore(o.folder).scores(o.folder).scores for o in (own, as_all))
    np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(NotApplicable, match="probe-forest has fit_on=train-and-valid of its own"):
        asked(drawn, method="probe-forest", params={"fit_on": "train-and-valid"}, fit_on="train-and-valid")


@pytest.mark.parametrize(
    ("method", "changes", "said"),
    [
        ("probe-mlp", {"fit_on": "train-and-valid"}, "probe-mlp selects on valid; --refit fits once more"),
        ("knn", {"fit_on": "train-and-valid", "search": {"k": (1, 5)}}, "--search chooses on valid; --refit fits"),
        ("zero-shot", {"fit_on": "train-and-valid"}, "zero-shot learns from no clip; leave it out"),
        ("knn", {"fit_on": "refit"}, "knn selects nothing on valid; --fit-on train-and-valid fits it on both"),
    ],
)
def test_clips_that_a_method_cannot_learn_from_are_refused_in_a_line_that_says_what_goes(
    drawn: Drawn, method: str, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotApplicable) as error:
        draft_plan(replace(drawn.request, method=method, **changes), Catalogue())
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@dataclass(frozen=True)
class Silent:
    """A method that says nothing of valid."""

    name, version, needs = "silent", "1", ("pooled",)

    def fit(self, train: Any, valid: Any, context: Any, *, seed: int) -> Fitted:
        raise NotImplementedError


class Frank(Silent):
    """The same, which says that it does not look at it."""

    uses_valid = False


class Selects(Silent):
    """The same, which says that it does."""

    uses_valid = True


class Refits(Selects):
    """The same, which can do without."""

    def refit(self, clips: Any, context: Any, *, seed: int, histories: Any) -> Fitted:
        raise NotImplementedError


class OwnLoop(Mlp):
    """A network that is trained in a way of its own, with the `refit` of another."""

    name = "own-loop"

    def fit(self, train: Any, valid: Any, context: Any, *, seed: int) -> Fitted:
        raise NotImplementedError


def refused(fit_on: Any, method: Any, search: dict[str, Any], *, tunes: str) -> str:
    try:
        require_possible(fit_on, method, search, tunes=tunes)
    except NotApplicable as error:
        return str(error)
    return ""


@pytest.mark.parametrize("fit_on", ["train-and-valid", "refit"])
@pytest.mark.parametrize("search", [{}, {"C": (1, 2)}], ids=["", "search"])
@pytest.mark.parametrize("tunes", ["", "--thresholds", "--calibrate"])
def test_each_thing_that_a_refusal_says_to_do_works(fit_on: Any, search: dict[str, Any], tunes: str) -> None:
    """Of a method that says nothing of valid, with all that may choose on it."""
    line = refused(fit_on, Silent(), search, tunes=tunes)
    assert "say `uses_valid = False` in its class" in line
    assert "give its class `refit` and take --refit" in line
    instead = line.partition(" and give ")[2].partition(" instead")[0]
    other = {"": fit_on, "--refit": "refit", "--fit-on train-and-valid": "train-and-valid"}[instead]
    assert refused(other, Frank(), search, tunes=tunes) == ""
    assert refused("refit", Refits(), search, tunes=tunes) == ""
    assert refused("train", Silent(), search, tunes=tunes) == ""


@pytest.mark.parametrize("method", [Selects(), OwnLoop()], ids=["says", "inherits"])
@pytest.mark.parametrize("fit_on", ["train-and-valid", "refit"])
def test_method_that_selects_on_valid_is_not_told_to_say_that_it_does_not(method: Any, fit_on: Any) -> None:
    line = refused(fit_on, method, {}, tunes="")
    assert "selects on valid" in line
    assert "uses_valid" not in line
    assert "give its class `refit`" in line


@pytest.mark.parametrize(
    ("method", "params", "uses_valid"),
    [
        ("probe-linear", {}, False), ("probe-svm", {}, False), ("knn", {}, False), ("prior", {}, False),
        ("probe-forest", {}, False), ("marsyas-forest", {}, False), ("mfcc-codebook", {}, False),
        ("sparse-coding", {}, False), ("tf-retrain", {}, False), ("finetune", {"select": "last"}, False),
        ("finetune", {}, True), ("ast-bs", {"select": "last"}, False), ("ast-bs", {}, True), ("probe-mlp", {}, True),
    ],
)  # fmt: skip
def test_methods_say_whether_they_select_on_valid(method: str, params: dict[str, Any], uses_valid: bool) -> None:
    assert Catalogue().method(method)(**params).uses_valid is uses_valid


@dataclass(frozen=True)
class Listener:
    """Keeps a record of what it is handed; its second epoch is the best on valid."""

    name, version, needs = "listener", "1", ("pooled",)
    handed: ClassVar[list[tuple[str, list[str]]]] = []

    def fit(self, train: Any, valid: Any, context: Any, *, seed: int) -> Fitted:
        self.handed.append(("fit", [clip.id for clip in train.clips]))
        history = [{"loss": 1.0, "valid_score": score, "valid_loss": 1.0} for score in (0.1, 0.9, 0.2)]
        return Fitted(lambda split: np.full((len(split), 4), 0.25, dtype=np.float32), 1, history=history)

    def refit(self, clips: Any, context: Any, *, seed: int, histories: Any) -> Fitted:
        ((_, kept, _),) = histories
        self.handed.append((f"refit for what scored {kept['valid_score']}", [clip.id for clip in clips.clips]))
        return Fitted(lambda split: np.full((len(split), 4), 0.25, dtype=np.float32), 1, history=[{"loss": 0.5}])


def test_refit_hands_clips_of_both_in_the_order_of_their_ids_and_what_was_selected(drawn: Drawn) -> None:
    Listener.handed.clear()
    catalogue = Catalogue([Plugin("mine", "0" * 64, {}, {"listener": Listener}, {})])
    (outcome,) = run(replace(drawn.request, method="listener", fit_on="refit", folds=(2,)), catalogue, QUIET)
    learnt = [name for name, fold in zip(drawn.ids, drawn.folds, strict=True) if fold != 2]
    without = [name for name, fold in zip(drawn.ids, drawn.folds, strict=True) if fold not in (2, 3)]
    assert outcome.record.status == "done"
    assert Listener.handed == [("fit", without), ("refit for what scored 0.9", learnt)]
    assert outcome.record.history == [{"loss": 0.5}]


def test_network_that_was_refitted_keeps_as_many_epochs_as_were_selected(drawn: Drawn) -> None:
    params = {"epochs": 4, "hidden": 3, "patience": 9}
    (first,) = asked(drawn, method="probe-mlp", params=params, folds=(0,))
    (again,) = asked(drawn, method="probe-mlp", params=params, fit_on="refit", folds=(0,))
    ranks = [(row["valid_score"], -row["valid_loss"]) for row in first.record.history]
    assert len(again.record.history) == 1 + ranks.index(max(ranks))
    assert not any(name.startswith("valid") for row in again.record.history for name in row)


@pytest.mark.parametrize(
    ("split", "changes", "said"),
    [
        (
            ["train"] * 40 + ["test"] * 21,
            {},
            "6 of 40 train clips, drawn here from what the data call train, are held back for validation; "
            "probe-linear selects nothing on them: --fit-on train-and-valid learns from all 40",
        ),
        (
            ["train"] * 30 + ["valid"] * 10 + ["test"] * 21,
            {"method": "probe-mlp"},
            "10 of 40 train clips are held back for validation, on which probe-mlp selects; --refit learns from all of "
            "them, with what was selected",
        ),
        (
            ["train"] * 30 + ["valid"] * 10 + ["test"] * 21,
            {"fit_on": "train-and-valid"},
            "all 40 clips are learnt from, the 10 of valid too: nothing is selected on those",
        ),
        (
            ["train"] * 30 + ["valid"] * 10 + ["test"] * 21,
            {"fit_on": "refit", "search": {"C": (0.1, 1.0)}},
            "--search chooses on 10 of 40 clips, valid; then all of them are learnt from",
        ),
    ],
)
def test_run_says_what_is_held_back_and_why(
    drawn: Drawn,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    split: list[str],
    changes: dict[str, Any],
    said: str,
) -> None:
    labels = np.array(["waltz", "foxtrot"])[np.arange(61) % 2]
    path = listed(tmp_path, drawn.ids, labels, split, "split")
    few = {"epochs": 1} if "method" in changes else {}
    request = replace(drawn.request, task=f"csv:{path}", runs=tmp_path / "runs", params=few, **changes)
    run(request, Catalogue(), Progress())
    assert said in capsys.readouterr().err.splitlines()
    run(request, Catalogue(), Progress())  # which is on record
    assert "clips" not in capsys.readouterr().err


def test_nothing_is_said_of_clips_that_a_method_joins_itself() -> None:
    train, valid, test = splits_of({"train": "aab", "valid": "ab", "test": "ab"}, "ab")
    forest = Catalogue().method("probe-forest")(fit_on="train-and-valid")
    clips = (*train.clips, *valid.clips, *test.clips)
    assert held_back(train.task, clips, "train", forest, tunes="", searches=False) == ""
    assert [clip.id for clip in joined(train, valid).clips] == ["train0", "train1", "train2", "valid0", "valid1"]


def test_suite_asks_for_what_is_learnt_from(drawn: Drawn, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        f'[defaults]\ntask = "{drawn.request.task}"\nsource = "{drawn.request.source}"\n'
        'source-set = { array = "features" }\n'
        '[[run]]\nmethod = ["knn", "probe-mlp"]\nfit-on = "train-and-valid"\n'
        '[[run]]\nmethod = "probe-mlp"\nrefit = true\n'
    )
    suite = read_suite(str(tmp_path / "mine.toml"), Catalogue(), {})
    assert [(entry.request.fit_on, entry.unable[:43]) for entry in suite.entries] == [
        ("train-and-valid", ""),
        ("train-and-valid", "--fit-on train-and-valid: probe-mlp selects"),
        ("refit", ""),
    ]
    assert suite.entries[0].name.endswith("fit-on=train-and-valid)")
