"""OpenMIC's audio and the features that ship with it, and the stand-in of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench.methods.sources.precomputed import ShippedFeatures
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, demo_needed
from mirbench.runs.runner import run
from mirbench.runs.store import RunStore
from mirbench.tasks import openmic
from mirbench.tasks.splitting import draw_order
from tests.tasks.test_openmic import QUIET, N, labels, names, objects, plant, read, targets

# Audio and the features that ship


def test_audio_that_is_missing_is_no_path(tmp_path: Path) -> None:
    assert {clip.path for clip in read(plant(tmp_path)).values()} == {None}


def test_audio_lies_in_a_folder_named_by_three_digits(tmp_path: Path) -> None:
    path = plant(tmp_path) / "audio" / "000" / f"{names()[1]}.ogg"
    path.parent.mkdir(parents=True)
    path.touch()
    assert {key: clip.path for key, clip in read(tmp_path).items() if clip.path} == {names()[1]: path}


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float32])
def test_shipped_features_are_the_rows_of_x(kind: type, tmp_path: Path) -> None:
    held = labels()["X"].astype(kind)
    clips = list(read(plant(tmp_path, X=held)).values())[5:8]
    values = ShippedFeatures("vggish").pooled(clips).values
    assert np.array_equal(values.reshape(3, 10, 128), labels()["X"][5:8].astype(np.float32))


def ran(typed: Any, data: Path, *words: str) -> tuple[int, str, str]:
    fixed = ("run", "--task", "openmic", "--data", data, "--seeds", "1", "--quiet")
    answer: tuple[int, str, str] = typed(*fixed, "--method", *words)
    return answer


FOREST = ("probe-forest", "--set", "n_trees=5", "--source", "shipped:vggish")


def test_show_says_how_to_do_without_audio(typed: Any) -> None:
    code, out, _ = typed("show", "openmic")
    assert (code, "--source shipped:vggish" in out) == (0, True)


def test_data_check_without_audio_says_so(typed: Any, tmp_path: Path) -> None:
    code, _, err = typed("data", "check", "openmic", "--data", plant(tmp_path / "set"))
    assert (code, "40 of 40 clips have no audio on this machine" in err, "Traceback" in err) == (2, True, False)


@pytest.mark.parametrize("words", [FOREST, ("prior",)], ids=" ".join)
def test_run_without_audio_is_done(words: tuple[str, ...], typed: Any, tmp_path: Path) -> None:
    code, _, err = ran(typed, plant(tmp_path / "set"), *words)
    (_, record) = next(RunStore(Path("runs")).records())
    assert (code, err, record.n_clips) == (0, "", {"train": 26, "valid": 4, "test": 10})


def test_run_that_needs_audio_without_is_one_line_that_names_the_features(typed: Any, tmp_path: Path) -> None:
    code, out, err = ran(typed, plant(tmp_path / "set"), "probe-linear", "--source", "nano")
    assert (code, out, err.count("\n"), "shipped:NAME" in err) == (2, "", 1, True)


@pytest.mark.parametrize(
    "change",
    [{"without": ["X"]}, {"X": np.zeros((3, 10, 128))}, {"X": np.zeros(N)}, {"X": np.full((N, 10, 128), "x")}],
    ids=["none", "fewer rows", "no frames", "text"],
)
def test_run_on_shipped_features_that_are_not_there_is_no_traceback(
    change: dict[str, Any], typed: Any, tmp_path: Path
) -> None:
    code, _, err = ran(typed, plant(tmp_path / "set", **change), *FOREST)
    assert (code in (1, 2), "openmic-2018.npz" in err, "Traceback" in err) == (True, True, False)


def test_run_without_data_on_shipped_features_is_the_demo() -> None:
    assert demo_needed(Request("openmic", "probe-forest", "shipped:vggish"), Catalogue())


# The stand-in


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in, of fewer and shorter clips."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openmic, "_DEMO_CLIPS", 40)
        patch.setattr(openmic, "_DEMO_SECONDS", 1.0)
        openmic._synthesise(folder, lambda n: None)
    return folder


def test_demo_is_in_the_published_layout(small: Path) -> None:
    found = {path.relative_to(small).as_posix() for path in small.rglob("*") if path.is_file()}
    assert {name for name in found if not name.startswith("audio/")} == {
        "openmic-2018.npz", "openmic-2018-metadata.csv", "class-map.json", "partitions/split01_train.csv",
        "partitions/split01_test.csv",
    }  # fmt: skip


def test_demo_has_audio_of_every_clip(small: Path) -> None:
    assert all(clip.path is not None for clip in read(small).values())


def test_demo_has_features_of_the_published_shape(small: Path) -> None:
    with np.load(small / "openmic-2018.npz", allow_pickle=False) as held:
        assert (held["X"].shape, held["X"].min() >= 0, held["X"].max() <= 255) == ((40, 10, 128), True, True)


def test_demo_leaves_most_labels_unknown(small: Path) -> None:
    known = targets(small).known
    assert 0.1 < known.mean() < 0.5


def test_demo_is_the_same_each_time(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmic, "_DEMO_CLIPS", 40)
    monkeypatch.setattr(openmic, "_DEMO_SECONDS", 1.0)
    openmic._synthesise(tmp_path, lambda n: None)
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.ogg")} for folder in (small, tmp_path)
    )
    assert first == second


def score(method: str, folder: Path, source: str = "", task: str = "openmic") -> float:
    """Two-class macro F1 of one seed on the data set in a folder's "set"."""
    request = Request(
        task, method, source, seeds=(0,), params={"n_trees": 50} if source else {}, data=folder / "set",
        runs=folder / "runs", cache=folder / "cache",
    )  # fmt: skip
    (outcome,) = run(request, Catalogue(), QUIET)
    value: float = outcome.record.metrics["two-class-macro-f1"]
    return value


@pytest.mark.slow
def test_forest_learns_the_demo_from_its_features_alone(tmp_path: Path) -> None:
    learnt = score("probe-forest", tmp_path, "shipped:vggish", task="openmic-demo")
    assert learnt > score("prior", tmp_path, task="openmic-demo") + 0.05


# Real embeddings of the same network


@pytest.mark.real
@pytest.mark.slow
def test_forest_beats_prior_clearly_on_real_vggish_embeddings(shared: Path, tmp_path: Path) -> None:
    """975 clips of AudioSet; 20 frequent classes stand for the instruments, judged about as often absent as present."""
    with np.load(shared / "data" / "audioset_vggish" / "audioset_vggish_975.npz", allow_pickle=False) as held:
        features, heard = held["X"], held["Y"].astype(bool)
    n, often = len(features), np.argsort(-heard.sum(axis=0), kind="stable")[:20]
    rng, keys, present = np.random.default_rng(0), names(n), heard[:, often]
    known = rng.random((n, 20)) < np.where(present, 0.9, 0.9 * present.sum(axis=0) / (~present).sum(axis=0))
    order = sorted(keys, key=lambda key: draw_order(key, 1))
    plant(
        tmp_path / "set", train=order[:725], test=order[725:], sample_key=objects(*keys), X=features.astype(np.int64),
        Y_true=np.where(known, present, 0.5), Y_mask=known,
    )  # fmt: skip
    assert score("probe-forest", tmp_path, "shipped:vggish") > score("prior", tmp_path) + 0.2
