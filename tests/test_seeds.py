"""Methods in which nothing is random say so, and are right; of them one run a fold stands for all seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench import Context
from mirbench.errors import BadInput
from mirbench.method import Fitted
from mirbench.methods import METHODS
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import Outcome, run
from mirbench.trust import checks
from mirbench.types import Split
from tests.every_method import NAMED, in_few_steps
from tests.toys import QUIET

Tiny = tuple[Context, tuple[Split, Split, Split]]

NOT_RANDOM = ("prior", "probe-linear", "probe-svm", "knn", "zero-shot")
SLOW = ("cnn-bs", *(name for name, entry in METHODS.items() if "taggers" in entry.target))
OTHERS = [name for name in METHODS if name not in NOT_RANDOM]


def test_methods_in_which_nothing_is_random_say_so() -> None:
    catalogue = Catalogue()
    said = [name for name in METHODS if getattr(catalogue.method(name)(), "uses_seed", True) is False]
    assert said == sorted(said, key=list(METHODS).index)
    assert set(said) == set(NOT_RANDOM)


def scores(name: str, tiny: Tiny, seed: int) -> Any:
    """Of one test clip where a method trains a network of its own on whole windows, by one clip a class."""
    context, (train, valid, test) = tiny
    if name in SLOW:
        train, valid = (Split(split.task, split.clips[:: len(split) // 3]) for split in (train, valid))
        test = Split(test.task, test.clips[:1])
    method, few = in_few_steps(name)
    return method(**few).fit(train, valid, context, seed=seed).predict(test.blind())


@pytest.mark.parametrize("name", [name for name in NOT_RANDOM if name not in NAMED])
def test_method_without_chance_scores_the_same_to_the_bit_from_every_seed(name: str, tiny: Tiny) -> None:
    first = scores(name, tiny, 0)
    assert all(np.array_equal(scores(name, tiny, seed), first) for seed in (1, 2**31))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in OTHERS]
)
def test_method_with_chance_scores_otherwise_from_another_seed(name: str, tiny: Tiny) -> None:
    assert not np.array_equal(scores(name, tiny, 0), scores(name, tiny, 1))


@dataclass(frozen=True)
class Coin:
    """Random where `sides` says so; broken where it says that."""

    sides: int = 1

    name, version, needs = "coin", "1", ()

    @property
    def uses_seed(self) -> bool:
        if self.sides < 1:
            raise RuntimeError("no sides")
        return self.sides > 1

    def fit(self, train: Any, valid: Any, context: Any, *, seed: int) -> Fitted:
        def predict(split: Any) -> Any:
            drawn = np.random.default_rng(seed * (self.sides > 1)).random(len(split.classes), dtype=np.float32)
            return np.tile(drawn, (len(split), 1))

        return Fitted(predict, n_trainable=0)


def tossed(tmp_path: Path, progress: Progress = QUIET, **changes: Any) -> list[Outcome]:
    data = tmp_path / "data" / "tiny"
    data.mkdir(parents=True, exist_ok=True)
    task = replace(checks.tiny_task(data)[0].task, n_folds=2)
    catalogue = Catalogue([Plugin("test", "0" * 64, {"tiny": task}, {"coin": Coin}, {})])
    request = Request("tiny", "coin", data=tmp_path / "data", runs=tmp_path / "runs", cache=tmp_path / "cache")
    return run(replace(request, **changes), catalogue, progress)


def seeds_and_folds(outcomes: list[Outcome]) -> list[tuple[int, int]]:
    return [(outcome.record.spec.seed, outcome.record.spec.fold) for outcome in outcomes]


def test_five_seeds_without_chance_are_one_run_a_fold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = tossed(tmp_path, Progress())
    assert seeds_and_folds(outcomes) == [(0, 0), (0, 1)]
    assert not any(outcome.record.uses_seed for outcome in outcomes)
    said = "coin: nothing is random, so one run a fold stands for all 5 seeds"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("params", "search", "n_runs"),
    [({"sides": 2}, {}, 10), ({}, {"sides": [1, 2]}, 10), ({}, {"sides": [1]}, 2)],
)
def test_whether_seeds_matter_may_depend_on_hyperparameters(
    params: Mapping[str, Any], search: Mapping[str, Any], n_runs: int, tmp_path: Path
) -> None:
    outcomes = tossed(tmp_path, params=params, search=search)
    assert (len(outcomes), all(outcome.record.uses_seed for outcome in outcomes)) == (n_runs, n_runs == 10)


def test_seed_that_is_asked_for_is_the_one_that_is_run(tmp_path: Path) -> None:
    """Whoever repeats a run on record asks for its seed, and must get that run."""
    assert seeds_and_folds(tossed(tmp_path, seeds=(7,))) == [(7, 0), (7, 1)]


def test_uses_seed_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"coin: its `uses_seed` cannot be read: .*no sides"):
        tossed(tmp_path, params={"sides": 0})


def test_check_method_finds_chance_where_there_should_be_none(tiny: Tiny) -> None:
    class Liar(Coin):
        uses_seed = False  # type: ignore[assignment]

    assert checks.check_method(Coin, *tiny) == []
    assert any("uses_seed" in problem for problem in checks.check_method(Liar, *tiny, {"sides": 2}))
