"""What lies on disk is believed when it deserves it: sources that methods change, damaged caches, damaged records."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mirbench.errors import BadInput, MirbenchError
from mirbench.features import memo
from mirbench.features.cache import RowStore
from mirbench.method import Fitted
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.models import Places
from mirbench.runs.plan import Request
from mirbench.runs.predict import predict
from mirbench.runs.runner import Outcome, run
from mirbench.runs.store import RunStore
from mirbench.trust import checks, rerun
from mirbench.trust.verify import verify

QUIET = Progress(quiet=True)


def first_weight(network: Any) -> torch.Tensor:
    weight: torch.Tensor = next(p for p in network.parameters() if p.ndim > 1)
    return weight


WAYS: dict[str, Callable[[Any], object]] = {
    "trained": lambda network: first_weight(network).mul_(1.5),
    "behind autograd's back": lambda network: first_weight(network).data.mul_(1.5),
    "left in train mode": lambda network: network.train(),
    "hooked": lambda network: network.register_forward_hook(lambda *_: None),
}


@dataclass(frozen=True)
class Spoiler:
    """Changes the shared source, and asks it for rows."""

    way: str = "trained"
    seeds: int = 99
    swallow: bool = False
    name, version, needs = "spoiler", "1", ("pooled",)

    def fit(self, train: Any, valid: Any, context: Any, *, seed: int) -> Fitted:
        if seed < self.seeds:
            with torch.no_grad():
                WAYS[self.way](context.source.network)
        try:
            context.source.pooled(train)
        except MirbenchError:
            if not self.swallow:
                raise
        return Fitted(lambda split: np.full((len(split), 3), 1 / 3, np.float32), n_trainable=0)


@dataclass(frozen=True)
class Place:
    """A folder with the tiny task."""

    root: Path
    catalogue: Catalogue

    def run(self, method: str = "probe-linear", **changes: Any) -> list[Outcome]:
        request = Request(
            "tiny", method, "nano", (0,), data=self.root / "data", runs=self.root / "runs", cache=self.root / "cache"
        )
        return run(replace(request, **changes), self.catalogue, QUIET)

    def scores(self, **changes: Any) -> Any:
        (outcome,) = self.run(**changes)
        assert outcome.record.status == "done", outcome.record.reason
        return RunStore(self.root).scores(outcome.folder).scores

    def files(self, below: str) -> set[str]:
        return {str(path.relative_to(self.root)) for path in (self.root / below).rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "data" / "tiny").mkdir(parents=True)
    task = replace(checks.tiny_task(tmp_path / "data" / "tiny")[0].task, metrics=("accuracy", "macro-f1"))
    return Place(tmp_path, Catalogue([Plugin("test", "0" * 64, {"tiny": task}, {"spoiler": Spoiler}, {})]))


@pytest.mark.parametrize("swallow", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_method_that_changes_the_source_fails_and_leaves_no_rows(place: Place, way: str, swallow: bool) -> None:
    (spoilt,) = place.run("spoiler", params={"way": way, "swallow": swallow})
    assert spoilt.record.status == "failed"
    assert "the method changed the shared source nano (" in spoilt.record.reason
    assert "context.source.copy()" in spoilt.record.reason
    assert place.files("cache/rows") == set()


@pytest.mark.slow
def test_results_after_a_method_that_changes_the_source_are_the_same_to_the_bit(place: Place) -> None:
    clean = place.scores(cache=place.root / "clean", runs=place.root / "clean-runs")
    place.run("spoiler", params={"swallow": True})
    np.testing.assert_array_equal(place.scores(), clean)


@pytest.mark.slow
def test_next_seed_gets_the_source_as_it_was_loaded(place: Place) -> None:
    outcomes = place.run("spoiler", params={"seeds": 1}, seeds=(0, 1))
    assert [outcome.record.status for outcome in outcomes] == ["failed", "done"]


@pytest.mark.slow
def test_run_that_is_repeated_reads_no_rows_of_the_cache(place: Place) -> None:
    (honest,) = place.run()
    (store,) = (place.root / "cache" / "rows").iterdir()
    held = RowStore(store)
    keys, rows = held.keys, held.get(held.keys)[:]
    shutil.rmtree(store)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(rows.shape).astype(rows.dtype)
    RowStore(store).put(keys, noise, 1.0, {})  # checksums and all
    (wrong,) = place.run(runs=place.root / "wrong")
    how = {"data": place.root / "data", "cache": place.root / "cache"}
    assert not rerun.repeat((wrong.folder, wrong.record), place.catalogue, {}, QUIET, **how).within(rerun.TOLERANCE)
    assert rerun.repeat((honest.folder, honest.record), place.catalogue, {}, QUIET, **how).within(0.0)


@pytest.mark.slow
def test_predictions_leave_no_rows(place: Place) -> None:
    (outcome,) = place.run()
    before = place.files("cache/rows")
    files = sorted(str(path) for path in (place.root / "data" / "tiny").glob("*.wav"))[:3]
    shutil.copy(files[0], place.root / "own.wav")
    places = Places(cache=place.root / "cache", device="cpu")
    predict(place.root / "runs", str(outcome.folder), [str(place.root / "own.wav"), *files], QUIET, places)
    assert place.files("cache/rows") == before
    assert place.files("cache/scratch") == set()


@pytest.mark.slow
def test_cache_that_cannot_be_written_to_gives_the_same_scores(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = place.scores()
    (place.root / "file").write_text("no folder")
    request = {"cache": place.root / "file", "runs": place.root / "again"}
    np.testing.assert_array_equal(place.scores(**request), clean)


def test_runs_folder_that_cannot_be_written_to_is_refused_before_any_work(place: Place) -> None:
    (place.root / "file").write_text("no folder")
    with pytest.raises(BadInput, match=r"no record can be written there \(.*is no folder\); give --runs FOLDER"):
        place.run(runs=place.root / "file")
    assert list((place.root / "cache").iterdir()) == []


def flip(path: Path, rng: np.random.Generator) -> None:
    held = bytearray(path.read_bytes())
    held[int(rng.integers(len(held)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(held)


def cut(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(path.read_bytes()[: int(rng.integers(path.stat().st_size))])


def zero(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def lose(path: Path, rng: np.random.Generator) -> None:
    path.unlink()


DAMAGE = {"flip": flip, "cut": cut, "zero": zero, "lose": lose}


@pytest.mark.slow
@pytest.mark.parametrize("how", DAMAGE)
def test_no_damage_to_a_cache_changes_a_score(place: Place, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = place.scores()
    shutil.copytree(place.root / "cache", place.root / "whole")
    rng = np.random.default_rng(0)
    parts = sorted(place.files("cache"))
    for number, part in enumerate(parts * (3 if how in ("flip", "cut") else 1)):
        monkeypatch.setattr(memo, "_without", {})
        shutil.rmtree(place.root / "cache")
        shutil.copytree(place.root / "whole", place.root / "cache")
        DAMAGE[how](place.root / part, rng)
        np.testing.assert_array_equal(place.scores(runs=place.root / f"again{number}"), clean)


@pytest.mark.slow
@pytest.mark.parametrize("how", DAMAGE)
def test_damage_to_a_record_is_one_line_and_to_its_files_is_found(place: Place, how: str) -> None:
    (outcome,) = place.run()
    assert [case.problems for case in verify(place.root / "runs", place.catalogue)] == [[]]
    shutil.copytree(outcome.folder, place.root / "whole")
    rng, files = np.random.default_rng(0), [str(place.root / "data" / "tiny" / "tone0.wav")]
    places = Places(cache=place.root / "cache", device="cpu")
    believed = {}
    for part in ("record.json", "scores.npz", "model.safetensors"):
        believed[part] = 0
        n_tries = 25 if how in ("flip", "cut") else 1
        for _ in range(n_tries):
            shutil.rmtree(outcome.folder)
            shutil.copytree(place.root / "whole", outcome.folder)
            DAMAGE[how](outcome.folder / part, rng)
            try:
                believed[part] += all(case.holds for case in verify(place.root / "runs", place.catalogue))
            except BadInput:  # no record in it
                assert (part, how) == ("record.json", "lose")
        assert part == "record.json" or believed[part] == 0
        if part == "model.safetensors":
            with pytest.raises(BadInput, match="model"):
                predict(place.root / "runs", str(outcome.folder), files, QUIET, places)
    print(how, believed)
