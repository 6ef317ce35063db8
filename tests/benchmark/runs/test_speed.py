"""Speed belongs to a system on a machine: it is measured once, and its folds, seeds and other processes share it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from mirbench import Context
from mirbench.features import audio
from mirbench.features.claims import Claim
from mirbench.method import Fitted
from mirbench.methods.sources.cards import NANO
from mirbench.plugin_file import Plugin
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs import measure, speed
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.runs.store import RunStore
from mirbench.trust import checks
from mirbench.types import Split, clips_of, excerpts
from tests.toys import QUIET, Counted


@dataclass(frozen=True)
class Guess:
    """Guesses; `broken` ones fail."""

    level: float = 0.5
    broken: bool = False

    name, version, needs = "guess", "1", ()

    def fit(self, train: Any, valid: Any, context: Any, *, seed: int) -> Fitted:
        if self.broken:
            raise RuntimeError("broken")
        uniform = lambda split: np.full((len(split), len(split.classes)), 1 / len(split.classes), np.float32)  # noqa: E731
        return Fitted(uniform, n_trainable=0, valid_score=self.level)


class Timed:
    """Counts how often something was timed, and answers another speed each time."""

    times: ClassVar[int] = 0

    def __call__(self, fitted: Any, clips: Any, context: Any) -> speed.Timed:
        Timed.times += 1
        return speed.Timed(float(Timed.times), 0.25)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[RunRecord]]:
    Timed.times = 0
    monkeypatch.setattr(speed, "clips_per_second", Timed())
    data = tmp_path / "data" / "tiny"
    data.mkdir(parents=True)
    task = replace(checks.tiny_task(data)[0].task, n_folds=2)
    read = task.read_clips
    task = replace(task, read_clips=lambda root, fold: read(root, 0)[:: 1 - 2 * fold])
    catalogue = Catalogue([Plugin("test", "0" * 64, {"tiny": task}, {"guess": Guess}, {})])

    def done(**changes: Any) -> list[RunRecord]:
        request = Request("tiny", "guess", seeds=(0, 1), data=tmp_path / "data", runs=tmp_path / "runs")
        request = replace(request, **changes)
        return [outcome.record for outcome in run(request, catalogue, QUIET)]

    return done


def speeds(records: list[RunRecord]) -> list[float | None]:
    return [record.seconds["clips_per_second"] for record in records]


def test_folds_and_seeds_of_a_system_share_one_speed(ask: Callable[..., list[RunRecord]]) -> None:
    records = ask()
    assert (len(records), Timed.times, speeds(records)) == (4, 1, [1.0] * 4)
    assert {record.environment["timed_run"] for record in records} == {records[0].spec.key}
    assert {record.environment["timing"] for record in records} == {speed.PROTOCOL}


def test_another_command_takes_the_speed_on_record(ask: Callable[..., list[RunRecord]]) -> None:
    (first,) = ask(folds=(0,), seeds=(0,))
    later = ask()
    assert (Timed.times, speeds(later)) == (1, [1.0] * 4)
    assert {record.environment["timed_run"] for record in later} == {first.spec.key}


@pytest.mark.slow
def test_run_that_is_asked_for_alone_takes_the_speed_of_another_seed_and_fold(
    ask: Callable[..., list[RunRecord]],
) -> None:
    ask(folds=(0,), seeds=(3,))
    assert speeds(ask(folds=(1,), seeds=(4,)) + ask(folds=(1,), seeds=(70,))) == [1.0, 1.0]


@pytest.mark.slow
def test_other_settings_are_timed_by_themselves(ask: Callable[..., list[RunRecord]]) -> None:
    assert speeds(ask() + ask(params={"level": 0.7})) == [1.0] * 4 + [2.0] * 4


def test_other_hyperparameters_that_a_search_chose_are_timed_by_themselves(
    ask: Callable[..., list[RunRecord]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirbench.runs.attempt._score", lambda fitted, valid: 0.0)
    fit = Guess.fit

    def fold_decides(self: Guess, train: Any, valid: Any, context: Any, *, seed: int) -> Fitted:
        fitted = fit(self, train, valid, context, seed=seed)
        return replace(fitted, valid_score=self.level if seed else -self.level)

    monkeypatch.setattr(Guess, "fit", fold_decides)
    records = ask(search={"level": [0.1, 0.9]})
    assert [record.chosen["level"] for record in records] == [0.1, 0.9] * 2
    assert speeds(records) == [1.0, 2.0] * 2


@pytest.mark.parametrize(("what", "value"), [("processor", "another"), ("threads", 64), ("gpu", "another"),
                                             ("timing", 1), ("versions", {"torch": "0.1"})])  # fmt: skip
def test_speed_of_another_machine_or_protocol_is_not_taken(
    what: str, value: Any, ask: Callable[..., list[RunRecord]], tmp_path: Path
) -> None:
    (first,) = ask(folds=(0,), seeds=(0,))
    RunStore(tmp_path / "runs").write(replace(first, environment={**first.environment, what: value}))
    assert speeds(ask(folds=(1,), seeds=(0,))) == [2.0]


def test_record_that_cannot_be_read_is_passed_over(ask: Callable[..., list[RunRecord]], tmp_path: Path) -> None:
    (first,) = ask(folds=(0,), seeds=(0,))
    (RunStore(tmp_path / "runs").folder(first.spec) / "record.json").write_text("{")
    assert speeds(ask(folds=(1,), seeds=(0,))) == [2.0]


def test_speed_of_a_failed_run_is_not_taken(ask: Callable[..., list[RunRecord]]) -> None:
    assert [record.status for record in ask(params={"broken": True})] == ["failed"] * 4
    assert Timed.times == 0


def test_system_that_another_process_times_is_waited_for(
    ask: Callable[..., list[RunRecord]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (theirs,) = ask(folds=(0,), seeds=(0,))
    folder = RunStore(tmp_path / "runs").folder(theirs.spec)
    folder.rename(tmp_path / "aside")
    claim = Claim(folder.parent / f"speed-{theirs.spec.system}", QUIET)
    assert claim.take()

    def end() -> None:
        (tmp_path / "aside").rename(folder)
        claim.give_back()

    timer = threading.Timer(0.3, end)
    timer.start()
    (ours,) = ask(folds=(1,), seeds=(0,))
    timer.join()
    assert (Timed.times, ours.environment["timed_run"]) == (1, theirs.spec.key)


def test_claim_on_a_speed_is_given_back_when_its_record_is_written(
    ask: Callable[..., list[RunRecord]], tmp_path: Path
) -> None:
    ask()
    assert list((tmp_path / "runs").rglob(".*claim*")) == []


def test_operations_are_of_the_first_test_clip_of_the_first_fold_whichever_run_counts_them(
    ask: Callable[..., list[RunRecord]], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    @contextmanager
    def count() -> Iterator[Callable[[], int]]:
        heard.clear()
        yield lambda: 7 * len(heard)

    fit = Guess.fit

    def listening(self: Guess, train: Any, valid: Any, context: Any, *, seed: int) -> Fitted:
        fitted = fit(self, train, valid, context, seed=seed)

        def predict(split: Any) -> Any:
            heard.extend(clip.id for clip in clips_of(split))
            return fitted.predict(split)

        return replace(fitted, predict=predict)

    monkeypatch.setattr(Guess, "fit", listening)
    monkeypatch.setattr(speed, "counted_flops", count)
    (record,) = ask(folds=(1,), seeds=(0,))
    assert (record.flops, heard) == (7, ["clicks6"])


def test_environment_of_a_process_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    first = measure.environment(torch.device("cpu"))
    monkeypatch.setattr(measure.subprocess, "run", lambda *a, **k: pytest.fail("asked again"))
    assert measure.environment(torch.device("cpu"))["commit"] == first["commit"]


@pytest.mark.parametrize("batches", [1, 2])
def test_frozen_part_of_a_clip_is_timed_by_what_training_reads(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip to warm up, then four at once, of which each takes 20 ms here; four more if that was less than asked."""
    monkeypatch.setattr(speed, "_SECONDS", 0.07 * batches)
    asked: list[tuple[int, str]] = []

    class Reads:
        def reads(self, some: Any, part: str, context: Any) -> None:
            asked.append((len(some), part))
            time.sleep(0.02 * len(some))

    class Watched:
        device, memo = torch.device("cpu"), Path()

        @contextmanager
        def uncached(self, afresh: Any) -> Iterator[None]:
            yield

    clips = Split(SimpleNamespace(classes=()), tuple(range(12)))  # type: ignore[arg-type]
    monkeypatch.setattr(Split, "blind", lambda split: split)
    timed = speed.frozen_seconds(Reads(), clips, Watched())  # type: ignore[arg-type]
    assert timed.value == pytest.approx(0.02, rel=0.2)
    assert asked == [(1, "train")] + [(4, "train")] * batches


def test_source_is_heard_for_the_speed_of_the_first_method_alone_and_counts_in_that_of_each(tmp_path: Path) -> None:
    source = Counted(seconds=0.02)
    splits = checks.tiny_task(tmp_path)
    facts = audio.survey([place for split in splits for place in excerpts(split)], tmp_path / "files.sqlite", QUIET)
    context = Context(
        facts=facts, cache=tmp_path, card=NANO, load=source.load, source_identity="w", device=torch.device("cpu")
    )
    for split in splits:
        context.source.pooled(split)
    heard, found = [source.windows], []
    for lasts in (0.0, 0.1, 0.0):

        def predict(some: Any, lasts: float = lasts) -> Any:
            time.sleep(lasts)
            return context.source.pooled(some).values[:]

        fitted = Fitted(predict, n_trainable=0)
        timed = speed.clips_per_second(fitted, splits[2], context)
        found.append((1 / timed.value, speed.operations(fitted, splits[2], context)))
        heard.append(source.windows)
    seconds, operations = zip(*found, strict=True)
    assert heard[1] > heard[0]
    assert heard[2:] == heard[1:2] * 2
    assert seconds[1] - seconds[0] == pytest.approx(0.1 / 4, rel=0.3)
    assert seconds[2] == pytest.approx(seconds[0], rel=0.3)
    assert min(seconds) > 0.02
    assert operations[0] == operations[1] == operations[2] > 0
