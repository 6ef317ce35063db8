"""Runs that are fitted together leave the records that they leave alone, but for times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from mirbench import AnySplit, Context
from mirbench.errors import NotApplicable
from mirbench.features.claims import Claim
from mirbench.method import Fitted
from mirbench.methods.picture_mlp import PictureMlp
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.record import RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.limits import Limits
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.runner import Job, Outcome, run
from mirbench.runs.stacked import can_stack
from mirbench.runs.store import RunStore
from mirbench.trust.verify import verify
from mirbench.types import Split
from tests.toys import QUIET, gaussian, splits_of

if TYPE_CHECKING:
    from tests.conftest import Answer

FEW = {"epochs": 3, "hidden": 8, "batch_size": 10}


@dataclass(frozen=True)
class Toy(PictureMlp):
    """A `PictureMlp` that does not learn from seed 1, if so wanted."""

    wrong: bool = False

    name, version = "toy", "1"

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        module = super().module(context, split)
        if self.wrong and torch.initial_seed() == 1:
            nn.init.constant_(next(module.parameters()), float("nan"))
        return module


@dataclass(frozen=True)
class Raises(Toy):
    """Gives up after the first."""

    @classmethod
    def fit_many(cls, jobs: Sequence[Any], train: Split, valid: Split, context: Context) -> Iterator[Fitted]:
        yield from super().fit_many(jobs[:1], train, valid, context)
        raise RuntimeError("no memory\nis left")


@dataclass(frozen=True)
class TooFew(Toy):
    @classmethod
    def fit_many(cls, jobs: Sequence[Any], train: Split, valid: Split, context: Context) -> Iterator[Fitted]:
        return super().fit_many(jobs[:-1], train, valid, context)


@dataclass(frozen=True)
class Nonsense(Toy):
    @classmethod
    def fit_many(cls, jobs: Sequence[Any], train: Split, valid: Split, context: Context) -> Any:
        return ["fitted"] * len(jobs)


@dataclass(frozen=True)
class Refuses(Toy):
    """Cannot be used here at all."""

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        raise NotApplicable("not with this source")


@dataclass(frozen=True)
class NoneAtAll(Toy):
    fit_many = None


Asked = Callable[..., Request]


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """``asked(method, stack=True, …)``: a request for three seeds of a method on a toy task."""
    splits = splits_of({split: list("ab") * 15 for split in ("train", "valid", "test")}, ("a", "b"))
    rows = gaussian(splits, 6, 0.5)
    path = tmp_path / "features.npz"
    np.savez(path, id=np.array(list(rows)), x=np.stack(list(rows.values())).astype(np.float32))
    tasks.update(toy=splits[0].task)

    def request(method: type[Toy] = Toy, *, stack: bool = True, **given: Any) -> Request:
        tasks.update(method=method)
        facts = {"seeds": (0, 1, 2), "params": FEW, "runs": tmp_path / ("together" if stack else "alone"), **given}
        return Request(
            "toy", "toy", f"features:{path}", cache=tmp_path / "cache", source_params={"array": "x"}, stack=stack,
            **facts,
        )  # fmt: skip

    return request


tasks: dict[str, Any] = {}


def catalogue() -> Catalogue:
    return Catalogue([Plugin("test", "0" * 64, {"toy": tasks["toy"]}, {"toy": tasks["method"]}, {})])


def done(request: Request, progress: Progress = QUIET) -> list[Outcome]:
    outcomes = run(request, catalogue(), progress)
    assert not list(request.runs.rglob(".*")), "a claim is left"
    return outcomes


def assert_alike(together: Sequence[Outcome], alone: Sequence[Outcome]) -> None:
    store = RunStore(together[0].folder.parents[2])
    for one, other in zip(together, alone, strict=True):
        a, b = one.record, other.record
        assert (a.status, a.reason, a.spec, a.chosen) == (b.status, b.reason, b.spec, b.chosen)
        if a.status != "done":
            continue
        assert (a.n_trainable, a.n_total, a.n_clips, a.flops) == (b.n_trainable, b.n_total, b.n_clips, b.flops)
        np.testing.assert_allclose(store.scores(one.folder).scores, store.scores(other.folder).scores, atol=1e-5)
        assert [trial["params"] for trial in a.trials] == [trial["params"] for trial in b.trials]
        for mine, theirs in zip(a.trials, b.trials, strict=True):
            assert mine["valid_score"] == pytest.approx(theirs["valid_score"], abs=1e-4)


def stacked(outcomes: Sequence[Outcome]) -> list[int | None]:
    return [outcome.record.environment.get("stacked") for outcome in outcomes]


@pytest.mark.slow
def test_seeds_fitted_together_leave_the_records_of_each_alone(asked: Asked) -> None:
    together, alone = done(asked()), done(asked(stack=False))
    assert_alike(together, alone)
    assert stacked(together) == [3, 3, 3]
    assert stacked(alone) == [None] * 3


@pytest.mark.slow
def test_times_of_runs_fitted_together_are_blank_and_the_others_are_not(asked: Asked) -> None:
    together, alone = done(asked()), done(asked(stack=False))
    for outcome in together:
        seconds = outcome.record.seconds
        assert (seconds["train"], seconds["epoch"]) == (None, None)
        assert seconds["inference"] is not None
        assert not any("seconds" in row for row in outcome.record.history)
    for outcome in alone:
        assert None not in (outcome.record.seconds["train"], outcome.record.seconds["epoch"])


def test_memory_of_runs_fitted_together_is_at_least_that_of_the_stack(asked: Asked) -> None:
    peaks = [outcome.record.memory["cpu"] for outcome in done(asked())]
    assert all(peak is not None and peaks[0] is not None and peak >= 0.9 * peaks[0] for peak in peaks)


@pytest.mark.slow
def test_points_of_a_search_and_seeds_are_fitted_together(asked: Asked) -> None:
    search = {"lr": [0.001, 0.01], "weight_decay": [0.0, 0.1]}
    together, alone = done(asked(search=search)), done(asked(search=search, stack=False))
    assert_alike(together, alone)
    assert stacked(together) == [12] * 3
    assert {trial["seconds"] for outcome in together for trial in outcome.record.trials} == {None}
    assert None not in {trial["seconds"] for outcome in alone for trial in outcome.record.trials}


@pytest.mark.slow
def test_search_by_the_loss_chooses_as_alone(asked: Asked) -> None:
    given = {"search": {"lr": [0.0003, 0.003]}, "params": {**FEW, "select": "loss"}}
    assert_alike(done(asked(**given)), done(asked(**given, stack=False)))


def test_records_of_runs_fitted_together_hold(asked: Asked) -> None:
    request = asked(search={"lr": [0.001, 0.01]})
    done(request)
    cases = verify(request.runs, catalogue())
    assert [case.problems for case in cases] == [[]] * 3


@pytest.mark.slow
def test_runs_on_record_are_read_back_and_the_others_fitted_together(asked: Asked) -> None:
    first = done(asked(seeds=(1,)))
    assert stacked(first) == [None]
    outcomes = done(asked())
    assert [outcome.read_back for outcome in outcomes] == [False, True, False]
    assert stacked(outcomes) == [2, None, 2]
    again = done(asked())
    assert all(outcome.read_back for outcome in again)
    assert [outcome.record.metrics for outcome in again] == [outcome.record.metrics for outcome in outcomes]


def test_a_run_that_somebody_else_is_at_is_left_to_them(asked: Asked) -> None:
    request = asked()
    job = Job(request, catalogue(), QUIET)
    claim = Claim(job._store.folder(job._plan.specs[1]), QUIET)
    assert claim.take()
    job.do_free()
    claim.give_back()
    assert stacked(job.finish()) == [2, None, 2]


def test_claims_are_held_while_the_stack_is_fitted_and_given_back_when_it_breaks(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, held = asked(), []

    def interrupted(*given: Any) -> Any:
        held.extend(request.runs.rglob(".*.claim0"))
        raise KeyboardInterrupt

    monkeypatch.setattr(Toy, "fit_many", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(request, catalogue(), QUIET)
    assert len(held) == 3
    assert not list(request.runs.rglob(".*"))


def test_nothing_is_fitted_that_limits_do_not_let_begin(asked: Asked) -> None:
    class Nothing(Limits):
        def let_begin(self, spec: RunSpec) -> bool:
            self.put_off[spec.key] = spec
            return False

    job = Job(asked(), catalogue(), QUIET, limits=Nothing())
    job.do_free()
    assert len(job.put_off) == 3
    assert not job.finish()


def test_runs_of_a_command_that_has_to_end_are_fitted_one_by_one(asked: Asked) -> None:
    job = Job(asked(), catalogue(), QUIET, limits=Limits(seconds=1e6))
    job.do_free()
    assert stacked(job.finish()) == [None] * 3


@pytest.mark.parametrize(
    ("method", "reason", "together"),
    [
        (Raises, "RuntimeError: no memory", [None] * 3),
        (TooFew, "it yields too few", [2, 2, None]),
        (Nonsense, "fit_many yields a str", [None] * 3),
    ],
)
@pytest.mark.slow
def test_what_fails_together_is_done_one_by_one_in_one_line(
    method: type[Toy], reason: str, together: list[int | None], asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = done(asked(method), Progress())
    said = [line for line in capsys.readouterr().err.splitlines() if "one by one" in line]
    assert len(said) == 1
    assert reason in said[0]
    assert stacked(outcomes) == together
    assert_alike(outcomes, done(asked(stack=False)))


@pytest.mark.slow
def test_a_seed_that_does_not_learn_fails_as_alone_and_the_others_are_done(asked: Asked) -> None:
    params = {**FEW, "wrong": True, "starts": "alike"}
    outcomes, alone = done(asked(params=params)), done(asked(params=params, stack=False))
    assert [outcome.record.status for outcome in outcomes] == ["done", "failed", "done"]
    assert_alike(outcomes, alone)


@pytest.mark.parametrize(
    ("method", "changes"), [(NoneAtAll, {}), (Toy, {"precision": "bfloat16"}), (Toy, {"seeds": (4,)})]
)
def test_what_cannot_be_fitted_together_is_fitted_alone_without_a_word(
    method: type[Toy], changes: dict[str, Any], asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = done(asked(method, **changes), Progress())
    assert {outcome.record.status for outcome in outcomes} == {"done"}
    assert set(stacked(outcomes)) == {None}
    assert "one by one" not in capsys.readouterr().err


def test_what_cannot_be_used_is_skipped_with_its_own_reason_alone(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = done(asked(Refuses), Progress())
    assert [(each.record.status, each.record.reason) for each in outcomes] == [("skipped", "not with this source")] * 3
    assert "one by one" not in capsys.readouterr().err


def test_runs_whose_energy_is_measured_are_not_fitted_together(asked: Asked) -> None:
    plan = make_plan(asked(), catalogue(), QUIET)
    assert can_stack(plan)
    assert not can_stack(replace(plan, request=replace(plan.request, energy=True)))


def test_stack_and_energy_exclude_one_another(typed: Callable[..., Answer]) -> None:
    answer = typed("run", "--task", "gtzan-demo", "--method", "probe-mlp", "--stack", "--energy")
    assert answer.code == 2
    assert "leave one out" in answer.err
