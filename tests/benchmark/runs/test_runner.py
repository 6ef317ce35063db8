from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import shutil
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile
import torch

from mirbench.errors import BadAudio, BadInput, MissingExtra, NotApplicable
from mirbench.features.claims import Claim
from mirbench.method import Fitted
from mirbench.plugin_file import Plugin, load_plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs import runner
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.runner import Job, Outcome, run
from mirbench.runs.store import RunStore
from mirbench.runs.surroundings import context_of
from mirbench.source import Activations, SourceCard
from mirbench.trust import checks
from mirbench.types import Task

QUIET = Progress(quiet=True)


@dataclass(frozen=True)
class Oracle:
    """Knows nothing but what it is told to do; counts its fits."""

    level: float = 0.5
    fail_on: int = -1

    name, version, needs = "oracle", "1", ()
    fits: ClassVar[list[tuple[float, int]]] = []
    repaired: ClassVar[bool] = False

    def fit(self, train, valid, context, *, seed):
        Oracle.fits.append((self.level, seed))
        if seed == self.fail_on and not Oracle.repaired:
            raise RuntimeError("the moon is full\nand more")
        targets = valid.class_index()

        def predict(split):
            # right on a share `level` of the clips, by order: valid and test hold their classes in the same order
            scores = np.zeros((len(split), len(split.classes)), dtype=np.float32)
            right = np.arange(len(split)) < self.level * len(split)
            scores[np.arange(len(split)), np.where(right, targets[: len(split)], (targets[: len(split)] + 1) % 3)] = 1
            return scores

        return Fitted(predict, n_trainable=7)


@pytest.fixture(scope="module")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Task]:
    """The data root of the tiny task, which no test changes, and the task."""
    root = tmp_path_factory.mktemp("data")
    (root / "tiny").mkdir()
    return root, checks.tiny_task(root / "tiny")[0].task


def catalogue_of(task: Task) -> Catalogue:
    Oracle.fits.clear()
    Oracle.repaired = False
    return Catalogue([Plugin("test", "0" * 64, {"tiny": task}, {"oracle": Oracle}, {})])


@pytest.fixture
def catalogue(tiny_data: tuple[Path, Task], tmp_path: Path) -> Catalogue:
    """A catalogue with the tiny task and the oracle; the folder of the test has a link to the data."""
    root, task = tiny_data
    (tmp_path / "data").symlink_to(root)
    return catalogue_of(task)


@pytest.fixture
def catalogue_of_own_data(tmp_path: Path) -> Catalogue:
    """The same with data that the test may change."""
    data = tmp_path / "data" / "tiny"
    data.mkdir(parents=True)
    return catalogue_of(checks.tiny_task(data)[0].task)


def ask(tmp_path: Path, **changes: object) -> Request:
    request = Request("tiny", "oracle", seeds=(0, 1), data=tmp_path / "data", runs=tmp_path / "runs")
    return replace(request, **changes)


def do(tmp_path: Path, catalogue: Catalogue, **changes: object) -> list[Outcome]:
    return run(ask(tmp_path, **changes), catalogue, QUIET)


def test_second_run_is_read_back(tmp_path: Path, catalogue: Catalogue) -> None:
    first = do(tmp_path, catalogue)
    second = do(tmp_path, catalogue)
    assert [o.read_back for o in first] == [False, False]
    assert [o.read_back for o in second] == [True, True]
    assert len(Oracle.fits) == 2
    assert [o.record.metrics for o in first] == [o.record.metrics for o in second]


class Neighbour:
    """Another process that has claimed the run of a seed, and ends it, in some way, while this one waits for it."""

    def __init__(self, request: Request, catalogue: Catalogue, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        (spec,) = make_plan(replace(request, seeds=(seed,)), catalogue, QUIET).specs
        self.claim = Claim(RunStore(request.runs).folder(spec), QUIET)
        self.ends = self.claim.give_back
        self.fits_before_its_end: list[tuple[float, int]] = []
        assert self.claim.take()
        monkeypatch.setattr("mirbench.runs.runner.time", SimpleNamespace(sleep=self._end, monotonic=time.monotonic))

    def _end(self, seconds: float) -> None:
        self.fits_before_its_end = list(Oracle.fits)
        self.ends()
        self.claim.give_back()


def test_run_that_another_process_is_at_is_waited_for_last_and_done_where_that_gave_up(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    neighbour = Neighbour(ask(tmp_path), catalogue, 0, monkeypatch)
    outcomes = run(ask(tmp_path), catalogue, Progress())
    assert neighbour.fits_before_its_end == [(0.5, 1)]
    assert Oracle.fits == [(0.5, 1), (0.5, 0)]
    assert [(o.record.spec.seed, o.record.status, o.read_back) for o in outcomes] == [
        (0, "done", False), (1, "done", False),
    ]  # fmt: skip
    assert f"a run is being done by process {os.getpid()} on " in capsys.readouterr().err
    assert not list((tmp_path / "runs").rglob(".*"))


@pytest.mark.parametrize("status", ["done", "failed"])
def test_run_that_another_process_does_meanwhile_is_read_back(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    request = ask(tmp_path, params={"fail_on": 0} if status == "failed" else {})
    elsewhere = replace(request, runs=tmp_path / "elsewhere", seeds=(0,))
    (there,) = run(elsewhere, catalogue, QUIET)
    neighbour = Neighbour(request, catalogue, 0, monkeypatch)
    Oracle.fits.clear()

    def finish() -> None:
        place = tmp_path / "runs" / there.folder.relative_to(elsewhere.runs)
        shutil.copytree(there.folder, place)
        os.utime(place / "record.json")

    neighbour.ends = finish
    outcomes = run(request, catalogue, QUIET)
    assert [(o.record.status, o.read_back) for o in outcomes] == [(status, True), ("done", False)]
    assert Oracle.fits == [(0.5, 1)]


def test_only_missing_seeds_are_run(tmp_path: Path, catalogue: Catalogue) -> None:
    do(tmp_path, catalogue, seeds=(1,))
    outcomes = do(tmp_path, catalogue, seeds=(0, 1, 2))
    assert [o.read_back for o in outcomes] == [False, True, False]


@pytest.mark.parametrize(
    "change", [{"params": {"level": 0.6}}, {"precision": "bfloat16"}, {"search": {"level": [0.1, 0.2]}}]
)
def test_other_questions_are_other_runs(change, tmp_path: Path, catalogue: Catalogue) -> None:
    do(tmp_path, catalogue)
    assert not any(o.read_back for o in do(tmp_path, catalogue, **change))


@pytest.mark.parametrize("circumstance", [{"workers": 1}, {"device": "cpu"}])
def test_circumstance_is_no_other_question(circumstance, tmp_path: Path, catalogue: Catalogue) -> None:
    do(tmp_path, catalogue)
    assert all(o.read_back for o in do(tmp_path, catalogue, **circumstance))


def test_edited_audio_is_not_read_back(tmp_path: Path, catalogue_of_own_data: Catalogue) -> None:
    do(tmp_path, catalogue_of_own_data)
    path = tmp_path / "data" / "tiny" / "noise0.wav"
    sound, rate = soundfile.read(path)
    soundfile.write(path, sound[::-1], rate)
    assert not any(o.read_back for o in do(tmp_path, catalogue_of_own_data))


def test_touched_but_equal_audio_is_read_back(tmp_path: Path, catalogue_of_own_data: Catalogue) -> None:
    do(tmp_path, catalogue_of_own_data)
    os.utime(tmp_path / "data" / "tiny" / "noise0.wav")
    assert all(o.read_back for o in do(tmp_path, catalogue_of_own_data))


@pytest.mark.slow
def test_edited_plugin_is_not_read_back(tmp_path: Path, catalogue: Catalogue) -> None:
    text = (
        "from dataclasses import dataclass\nimport numpy as np\nfrom mirbench import Fitted\n"
        "@dataclass(frozen=True)\nclass Mine:\n    name, version, needs = 'mine', '1', ()\n"
        "    def fit(self, train, valid, context, *, seed):\n"
        "        return Fitted(lambda s: np.full((len(s), len(s.classes)), 0.5, np.float32), None)\n"
    )
    path = tmp_path / "mine.py"
    task = catalogue.task("tiny")
    backs = []
    for code in (text, text, text + "# edited\n"):
        path.write_text(code)
        both = Catalogue([Plugin("test", "0" * 64, {"tiny": task}, {}, {}), load_plugin(path)])
        backs.append([o.read_back for o in run(ask(tmp_path, method="mine"), both, QUIET)])
    assert backs == [[False, False], [True, True], [False, False]]


@pytest.mark.slow
def test_edited_weights_are_not_read_back(tmp_path: Path, catalogue: Catalogue) -> None:
    import torch

    from mirbench.methods.sources.efficientat import EfficientAtNetwork

    weights = tmp_path / "weights"
    weights.mkdir()
    backs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        state = {
            name.replace("classifier.3.", "classifier.5.").replace("classifier.0.", "classifier.2."): value
            for name, value in EfficientAtNetwork(0.4).state_dict().items()
        }
        state = {
            name.replace(".fc1.", ".conc_se_layers.0.fc1.").replace(".fc2.", ".conc_se_layers.0.fc2."): (
                value.squeeze((2, 3)) if ".fc" in name and value.ndim == 4 else value
            )
            for name, value in state.items()
        }
        torch.save(state, weights / "mn04_as_mAP_432.pt")
        changes = {"method": "probe-linear", "source": "efficientat-mn04", "weights": weights, "seeds": (0,)}
        backs.append(do(tmp_path, catalogue, **changes)[0].read_back)
    assert backs == [False, True, False]


def test_failed_seed_is_recorded_with_its_reason_and_retried(tmp_path: Path, catalogue: Catalogue) -> None:
    outcomes = do(tmp_path, catalogue, params={"fail_on": 1})
    assert [o.record.status for o in outcomes] == ["done", "failed"]
    assert outcomes[1].record.reason == "RuntimeError: the moon is full"
    assert "RuntimeError" in (outcomes[1].folder / "traceback.txt").read_text()
    Oracle.repaired = True
    again = do(tmp_path, catalogue, params={"fail_on": 1})
    assert [(o.record.status, o.read_back) for o in again] == [("done", True), ("done", False)]
    assert not (again[1].folder / "traceback.txt").exists()


def test_missing_extra_is_recorded_as_skipped(tmp_path: Path, catalogue: Catalogue, monkeypatch) -> None:
    def fit(self, *args, **kwargs):
        raise MissingExtra("oracle", "crystal-ball", "magic")

    monkeypatch.setattr(Oracle, "fit", fit)
    (outcome,) = do(tmp_path, catalogue, seeds=(0,))
    assert outcome.record.status == "skipped"
    assert "pip install 'mirbench[magic]'" in outcome.record.reason


def test_interrupt_leaves_finished_runs_and_nothing_half_written(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Oracle.fit

    def fit(self, train, valid, context, *, seed):
        if seed == 1:
            raise KeyboardInterrupt
        return honest(self, train, valid, context, seed=seed)

    monkeypatch.setattr(Oracle, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        do(tmp_path, catalogue)
    folders = [path for path in (tmp_path / "runs" / "tiny" / "oracle").iterdir()]
    assert len(folders) == 1
    assert {path.name for path in folders[0].iterdir()} == {"record.json", "scores.npz"}


def test_search_is_chosen_on_valid_and_every_trial_recorded(tmp_path: Path, catalogue: Catalogue) -> None:
    (outcome,) = do(tmp_path, catalogue, seeds=(0,), search={"level": [0.2, 1.0, 0.6]})
    record = outcome.record
    assert record.chosen == {"level": 1.0}
    assert [trial["params"]["level"] for trial in record.trials] == [0.2, 1.0, 0.6]
    assert [trial["valid_score"] for trial in record.trials] == pytest.approx([1 / 3, 1.0, 2 / 3])
    assert record.metrics["accuracy"] == 1.0


def test_selection_never_sees_test(tmp_path: Path, catalogue: Catalogue, monkeypatch) -> None:
    seen = []
    honest = Oracle.fit

    def fit(self, train, valid, context, *, seed):
        seen.extend([clip.split for split in (train, valid) for clip in split.clips])
        fitted = honest(self, train, valid, context, seed=seed)

        def predict(split):
            assert not hasattr(split, "clips")
            assert not hasattr(split, "targets")
            return fitted.predict(split)

        return replace(fitted, predict=predict)

    monkeypatch.setattr(Oracle, "fit", fit)
    (outcome,) = do(tmp_path, catalogue, seeds=(0,))
    assert outcome.record.status == "done", outcome.record.reason
    assert set(seen) == {"train", "valid"}


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (lambda s: np.full((len(s), 3), 5.0, np.float32), "did you return logits"),
        (lambda s: np.full((len(s), 3), np.nan, np.float32), "not finite"),
        (lambda s: np.full((len(s), 2), 0.5, np.float32), "shape"),
    ],
)
def test_predictions_that_are_no_probabilities_fail_the_run(
    scores, reason: str, tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Oracle, "fit", lambda *a, **k: Fitted(scores, None))
    (outcome,) = do(tmp_path, catalogue, seeds=(0,))
    assert outcome.record.status == "failed"
    assert reason in outcome.record.reason


def test_record_holds_what_the_leaderboard_and_a_doubter_need(tmp_path: Path, catalogue: Catalogue) -> None:
    (outcome,) = do(tmp_path, catalogue, seeds=(0,), method="probe-mlp", source="nano")
    fields = json.loads((outcome.folder / "record.json").read_text())
    assert fields["n_trainable"] == (96 + 1) * 512 + (512 + 1) * 3
    assert fields["n_total"] == fields["n_trainable"] + catalogue.source("nano").n_parameters
    assert fields["n_clips"] == {"train": 12, "valid": 6, "test": 6}
    assert fields["seconds"]["features"] > 0
    assert fields["seconds"]["epoch"] > 0
    assert fields["seconds"]["clips_per_second"] > 0
    assert fields["memory"]["cpu"] > 10**7
    assert fields["environment"]["versions"]["torch"] == importlib.metadata.version("torch")
    assert len(fields["spec"]["audio_sha256"]) == len(fields["spec"]["source_sha256"]) == 64
    assert str(tmp_path) not in json.dumps(fields)
    assert {path.name for path in outcome.folder.iterdir()} == {"record.json", "scores.npz", "model.safetensors"}


def test_metrics_of_a_record_follow_from_its_scores(tmp_path: Path, catalogue: Catalogue) -> None:
    from mirbench import metrics
    from mirbench.runs.store import RunStore

    (outcome,) = do(tmp_path, catalogue, seeds=(0,), method="probe-forest", source="nano")
    held = RunStore(tmp_path / "runs").scores(outcome.folder)
    names = catalogue.task("tiny").metrics
    assert metrics.evaluate(names, held.scores, held.targets) == dict(outcome.record.metrics)


@pytest.mark.parametrize("method", ["probe-linear", "probe-mlp", "ids-nmr"])
@pytest.mark.slow
def test_same_seed_gives_the_same_scores_on_a_fresh_cache(method: str, tmp_path: Path, catalogue: Catalogue) -> None:
    from mirbench.runs.store import RunStore

    params = {"epochs": 3} if method != "probe-linear" else {}
    found = []
    for attempt in ("a", "b"):
        (outcome,) = do(
            tmp_path, catalogue, seeds=(3,), method=method, source="nano", params=params,
            runs=tmp_path / attempt, cache=tmp_path / f"cache-{attempt}",
        )  # fmt: skip
        found.append(RunStore(tmp_path / attempt).scores(outcome.folder).scores)
    assert np.array_equal(found[0], found[1])


def test_method_that_needs_missing_stages_is_refused_with_sources_that_have_them(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    card = replace(catalogue.source("nano"), name="pooled-only", offers=("pooled",))
    both = Catalogue([Plugin("test", "0" * 64, {"tiny": catalogue.task("tiny")}, {}, {"pooled-only": card})])
    with pytest.raises(NotApplicable, match=r"needs layers, head.*nano"):
        run(ask(tmp_path, method="ids-nmr", source="pooled-only"), both, QUIET)


def test_every_bad_file_is_listed_before_anything_runs(tmp_path: Path, catalogue_of_own_data: Catalogue) -> None:
    folder = tmp_path / "data" / "tiny"
    (folder / "noise0.wav").write_bytes(b"")
    (folder / "tone3.wav").write_bytes(b"RIFFnonsense")
    soundfile.write(folder / "clicks5.wav", np.zeros(32_000), 16_000)
    with pytest.raises(BadAudio) as caught:
        do(tmp_path, catalogue_of_own_data)
    assert len(caught.value.faults) == 3
    assert all(name in str(caught.value) for name in ("noise0.wav", "tone3.wav", "clicks5.wav"))
    assert not Oracle.fits
    assert not (tmp_path / "runs").exists()


def test_source_trained_on_the_task_is_flagged(tmp_path: Path, catalogue: Catalogue) -> None:
    task = replace(catalogue.task("tiny"), datasets=("mirbench-sounds",))
    other = Catalogue([Plugin("test", "0" * 64, {"tiny": task}, {}, {})])
    (outcome,) = run(ask(tmp_path, method="probe-linear", source="nano", seeds=(0,)), other, QUIET)
    assert outcome.record.contaminated == ("mirbench-sounds",)


def test_fold_that_does_not_exist_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match="folds 0 to 0"):
        do(tmp_path, catalogue, folds=(1,))


def test_method_without_source_refuses_one(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match="uses no source"):
        do(tmp_path, catalogue, source="nano")


def test_device_that_is_not_there_is_bad_input(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match="--device"):
        do(tmp_path, catalogue, device="cuda:77")


def test_setting_and_searching_the_same_hyperparameter_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match="both set"):
        do(tmp_path, catalogue, params={"level": 0.5}, search={"level": [0.1, 0.2]})


def test_fit_that_returns_a_function_fails_with_what_is_needed(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Oracle, "fit", lambda *a, **k: lambda split: None)
    (outcome,) = do(tmp_path, catalogue, seeds=(0,))
    assert outcome.record.reason == "TypeError: fit of oracle must return a mirbench.Fitted, not function"


def test_search_prefers_a_defined_score_to_an_undefined_one(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mirbench import metrics

    honest = metrics.METRICS["accuracy"]

    def undefined_at_first(scores, targets):
        value = honest.function(scores, targets)
        return float("nan") if value < 0.5 else value

    table = {**metrics.METRICS, "accuracy": replace(honest, function=undefined_at_first)}
    monkeypatch.setattr(metrics, "METRICS", table)
    (outcome,) = do(tmp_path, catalogue, seeds=(0,), search={"level": [0.2, 0.8]})
    assert outcome.record.chosen == {"level": 0.8}


def test_search_selects_by_what_the_method_selected_by(tmp_path: Path, catalogue: Catalogue, monkeypatch) -> None:
    honest = Oracle.fit

    def fit(self, *args, **kwargs):
        return replace(honest(self, *args, **kwargs), valid_score=-self.level)

    monkeypatch.setattr(Oracle, "fit", fit)
    (outcome,) = do(tmp_path, catalogue, seeds=(0,), search={"level": [0.6, 0.2, 1.0]})
    assert outcome.record.chosen == {"level": 0.2}
    assert [trial["valid_score"] for trial in outcome.record.trials] == [-0.6, -0.2, -1.0]


def lower_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    from mirbench import metrics

    accuracy = metrics.METRICS["accuracy"]
    error = replace(accuracy, function=lambda s, t: 1 - accuracy.function(s, t), higher_is_better=False)
    monkeypatch.setattr(metrics, "METRICS", {**metrics.METRICS, "accuracy": error})
    monkeypatch.setattr("mirbench.methods.training.fitting.METRICS", {**metrics.METRICS, "accuracy": error})


def test_search_of_a_metric_that_should_be_low_takes_the_lowest(tmp_path: Path, catalogue: Catalogue, monkeypatch):
    lower_is_better(monkeypatch)
    (outcome,) = do(tmp_path, catalogue, seeds=(0,), search={"level": [0.2, 1.0, 0.6]})
    assert outcome.record.chosen == {"level": 1.0}
    assert outcome.record.metrics["accuracy"] == 0.0


@pytest.mark.slow
def test_training_on_a_metric_that_should_be_low_keeps_the_lowest(tmp_path: Path, catalogue: Catalogue, monkeypatch):
    lower_is_better(monkeypatch)
    params = {"epochs": 30, "lr": 3e-5}
    (outcome,) = do(tmp_path, catalogue, seeds=(0,), method="probe-mlp", source="nano", params=params)
    assert outcome.record.status == "done", outcome.record.reason
    scores = [row["valid_score"] for row in outcome.record.history]
    assert max(scores) <= 0.0  # turned: higher is better
    assert max(scores) > min(scores)


class Plain(torch.nn.Module):
    """The mean of each tenth of a window."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.n_samples = round(16_000 * seconds)

    def body(self, x, layers=()):
        assert x.shape[1] == self.n_samples
        return Activations(x[:, : x.shape[1] // 10 * 10].unflatten(1, (10, -1)).square().mean(dim=2))


def build_plain(path, *, seconds: float = 1.0) -> Plain:
    return Plain(seconds)


def plain(tmp_path: Path, catalogue: Catalogue, **source_params: float) -> Outcome:
    (tmp_path / "plain.bin").write_bytes(b"weights")
    card = SourceCard(
        "plain", "for tests", "network", ("body", "pooled"), f"{__name__}:build_plain", 16_000, 1.0, n_features=10,
        file=str(tmp_path / "plain.bin"), options={"seconds": 1.0},
    )  # fmt: skip
    both = Catalogue([Plugin("test", "0" * 64, {"tiny": catalogue.task("tiny")}, {}, {"plain": card})])
    request = ask(tmp_path, method="probe-linear", source="plain", seeds=(0,), source_params=source_params)
    (outcome,) = run(request, both, QUIET)
    return outcome


@pytest.mark.slow
def test_option_that_is_called_as_a_field_of_the_card_takes_its_place(tmp_path: Path, catalogue: Catalogue) -> None:
    outcomes = [plain(tmp_path, catalogue, seconds=seconds) for seconds in (1.0, 0.5)]
    assert [o.record.status for o in outcomes] == ["done", "done"], outcomes[1].record.reason
    assert outcomes[0].folder != outcomes[1].folder
    assert outcomes[1].record.spec.source_params == {"seconds": 0.5}


@pytest.mark.parametrize("seconds", [0.0, -3.0])
def test_window_of_no_length_is_refused_before_any_work(seconds: float, tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match="seconds"):
        plain(tmp_path, catalogue, seconds=seconds)
    assert not (tmp_path / "runs").exists()


def test_energy_is_in_the_record_and_not_in_the_training_time(tmp_path: Path, catalogue: Catalogue, monkeypatch):
    import time

    class Meter:
        def __init__(self, wanted: bool) -> None:
            self.reading = {"train_kwh": 0.25, "how": "by the sun"} if wanted else {}

        def __enter__(self) -> None:
            time.sleep(0.3)

        def __exit__(self, *error: object) -> None:
            time.sleep(0.3)

    monkeypatch.setattr("mirbench.runs.measure.EnergyMeter", Meter)
    monkeypatch.setattr("mirbench.runs.plan.EnergyMeter", Meter)
    measured, other = (do(tmp_path, catalogue, seeds=(n,), energy=n == 0)[0].record for n in (0, 1))
    assert measured.energy == {"train_kwh": 0.25, "how": "by the sun"}
    assert other.energy == {}
    assert measured.seconds["train"] < 0.3


def test_energy_is_circumstance_and_no_other_question(tmp_path: Path, catalogue: Catalogue) -> None:
    do(tmp_path, catalogue)
    assert all(o.read_back for o in do(tmp_path, catalogue, energy=False))


def test_energy_of_runs_on_record_is_not_passed_over_in_silence(
    tmp_path: Path, catalogue: Catalogue, monkeypatch, capsys
):
    class Meter:
        def __init__(self, wanted: bool) -> None: ...

    monkeypatch.setattr("mirbench.runs.plan.EnergyMeter", Meter)
    do(tmp_path, catalogue)
    again = run(ask(tmp_path, energy=True), catalogue, Progress(quiet=False))
    assert all(outcome.read_back for outcome in again)
    assert f"--energy: {len(again)} of {len(again)} runs were on record" in capsys.readouterr().err


def test_energy_without_codecarbon_is_refused_before_any_work(tmp_path: Path, catalogue: Catalogue, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with pytest.raises(MissingExtra, match=r"mirbench\[energy\]"):
        do(tmp_path, catalogue, energy=True)
    assert not Oracle.fits
    assert not (tmp_path / "runs").exists()


def test_energy_without_codecarbon_is_one_line_and_exit_code_2(typed, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "codecarbon", None)
    answer = typed("run", "--task", "gtzan", "--demo", "--method", "prior", "--energy")
    assert answer.code == 2
    assert answer.err == "mirbench: --energy needs codecarbon: pip install 'mirbench[energy]'\n"


@pytest.fixture
def no_search_for_cycles() -> Iterator[None]:
    """Python does not look for objects that name each other."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.slow
@pytest.mark.usefixtures("no_search_for_cycles")
def test_what_an_entry_loaded_is_let_go_when_its_runs_are_done(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def noting(*words: Any) -> Any:
        context = context_of(*words)
        made.append(weakref.ref(context.source.network))
        return context

    monkeypatch.setattr(runner, "context_of", noting)
    job = Job(ask(tmp_path, method="probe-mlp", source="nano", seeds=(0,), params={"epochs": 1}), catalogue, QUIET)
    job.do_free()
    assert [outcome.record.status for outcome in job.done] == ["done"]
    assert [network() for network in made] == [None]
