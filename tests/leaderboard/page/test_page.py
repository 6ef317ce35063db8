"""The page without a browser: what its data say, that nothing of them is markup, and that it is whole in itself."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

from mirbench import metrics
from mirbench.errors import MissingExtra
from mirbench.features.deformation import Curve, Robustness
from mirbench.leaderboard import statistics
from mirbench.leaderboard.page import SourceFacts, facts, page
from mirbench.leaderboard.page.facts import described
from mirbench.leaderboard.table import boards
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.types import Clip, Split, Task, Windowing

CLASSES = ("high", "low", "middle")
NASTY = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 1'>"

SPEC = RunSpec(
    task="tones",
    task_version="1",
    fold=0,
    windowing=Windowing(),
    method="probe-linear",
    method_version="1",
    params={"lr": 0.1},
    search={},
    source="tiny",
    source_version="1",
    source_params={},
    source_sha256="a" * 64,
    audio_sha256="b" * 64,
    precision="float32",
    seed=0,
)
QUICK = ("accuracy", "balanced-accuracy", "macro-f1", "f1-per-class", "confusion")
HISTORY = tuple({"loss": 1 / n, "valid_loss": 1.5 / n, "valid_score": 1 - 1 / n, "seconds": 1.0} for n in range(1, 9))


def predictions(seed: int, skill: float = 0.4, n_clips: int = 30, fold: int = 0, classes: Any = CLASSES) -> Any:
    """A split whose clips are those of the fold, and scores that are the better the more skill there is."""
    labels = np.concatenate([np.arange(len(classes)), np.random.default_rng(fold).integers(len(classes), size=n_clips)])
    task = Task("tones", "1", "for tests", "single-label", classes, ("accuracy",), lambda root, fold: [], "", 12, 1.0)
    clips = tuple(Clip(f"{fold}-{n}", None, "test", (classes[k],)) for n, k in enumerate(labels))
    rng = np.random.default_rng([seed, fold, int(1000 * skill)])
    scores = rng.dirichlet(np.ones(len(classes)), len(labels)) + skill * np.eye(len(classes))[labels]
    return Split(task, clips), (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


def write(
    root: Path,
    spec: RunSpec = SPEC,
    skill: float = 0.4,
    classes: Any = CLASSES,
    names: tuple[str, ...] = metrics.SINGLE_LABEL,
    **facts: Any,
) -> Path:
    """Put a finished run on record; returns its folder."""
    split, scores = predictions(spec.seed, skill, fold=spec.fold, classes=classes)
    record = RunRecord(
        spec,
        "done",
        metrics=metrics.evaluate(names, scores, split.targets()),
        classes=classes,
        kind="single-label",
        **{
            "n_trainable": 1234,
            "n_total": 5678,
            "n_clips": {"train": 60, "valid": 20, "test": len(scores)},
            "seconds": {"train": 2.0, "epoch": 0.5, "clips_per_second": 20.0},
            "environment": {"processor": "a processor", "load": 0.1, "cores": 2, "versions": {"numpy": "2"},
                            "finished": "2026-11-21T16:37:15+00:00"},
            **facts,
        },
    )  # fmt: skip
    return RunStore(root).write(record, Scores.of(split, scores))


def write_failed(root: Path, reason: str) -> None:
    RunStore(root).write(RunRecord(replace(SPEC, method="other"), "failed", reason=reason))


def write_curves(folder: Path, factor: float = 1.0) -> None:
    """Two deformations beside a run."""
    clean = {"accuracy": 0.9 * factor, "roc-auc": 0.95}
    values = {"gain": ("dB down", (6, 12)), "noise": ("dB SNR", (20, 10, 0))}
    curves = {
        name: Curve(
            unit, levels, {"accuracy": [0.8 * factor - 0.1 * n for n in range(len(levels))]}, 0.5, 0.6, "1", "-"
        )
        for name, (unit, levels) in values.items()
    }
    RunStore(folder.parents[2]).write_robustness(folder, Robustness("accuracy", clean, curves))


def write_many(root: Path, n_systems: int, n_runs: int, n_tasks: int = 1) -> None:
    """Records as long as those of a large benchmark: 13 classes, 100 epochs, settings and an environment."""
    classes = tuple(f"class {n}" for n in range(13))
    versions = {f"package-{n}": f"{n}.{n}.{n}" for n in range(12)}
    history = tuple(
        {name: 1 / (n + 3) for name in ("loss", "valid_loss", "valid_score", "seconds")} for n in range(100)
    )
    params = {f"setting {n}": n / 7 for n in range(14)}
    for n in range(n_systems):
        for run in range(n_runs):
            spec = replace(SPEC, task=f"tones-{n % n_tasks}", method=f"method-{n}", seed=run, params=params)
            environment = {"processor": "a processor", "versions": versions, "finished": f"2026-11-{run + 10}T10:00"}
            write(root, spec, 0.1 + n / (2 * n_systems), classes, QUICK, history=history, environment=environment,
                  n_trainable=10 * n + 1)  # fmt: skip


def facts_of(root: Path) -> dict[str, Any]:
    return described(boards(root), "Results")


def only_board(root: Path) -> dict[str, Any]:
    (board,) = facts_of(root)["boards"]
    return board


def only_row(root: Path) -> dict[str, Any]:
    (row,) = only_board(root)["rows"]
    return row


def curve_titles(root: Path) -> dict[str, list[str]]:
    return {board["title"]: [curve["title"] for curve in board["curves"]] for board in facts_of(root)["boards"]}


class Elements(HTMLParser):
    """Tags of a page with their attributes, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)

    def data(self) -> dict[str, Any]:
        return json.loads(self.scripts[0])


@pytest.fixture
def libraries() -> None:
    for name in ("plotly", "itables"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}: pip install 'mirbench[page]'")


def parsed(root: Path, title: str = "Results") -> Elements:
    return Elements(page(boards(root), title=title))


# The document


@pytest.mark.usefixtures("libraries")
def test_page_refers_to_nothing_outside_itself(tmp_path: Path) -> None:
    write(tmp_path)
    addresses = {
        value for _, known in parsed(tmp_path).tags for name, value in known.items() if name in ("src", "href")
    }
    assert addresses == {"#main", "data:,"}


@pytest.mark.usefixtures("libraries")
def test_page_forbids_itself_the_network(tmp_path: Path) -> None:
    write(tmp_path)
    (policy,) = (known["content"] for tag, known in parsed(tmp_path).tags if tag == "meta" and "http-equiv" in known)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"connect-src|https?:|\*", policy)


@pytest.mark.usefixtures("libraries")
def test_page_holds_the_libraries_whole(tmp_path: Path) -> None:
    from plotly.offline import get_plotlyjs

    write(tmp_path)
    scripts = parsed(tmp_path).scripts
    unpacked = [gzip.decompress(base64.b64decode(script)) for script in scripts[1:3]]
    spec = importlib.util.find_spec("itables")
    assert spec is not None
    assert spec.origin is not None
    assert unpacked == [get_plotlyjs().encode(), (Path(spec.origin).parent / "html/dt_bundle.js").read_bytes()]


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("field", ["task", "method", "source", "method_version"])
def test_page_makes_no_markup_of_names(field: str, tmp_path: Path) -> None:
    write(tmp_path)
    clean = [tag for tag, _ in parsed(tmp_path).tags]
    write(tmp_path, replace(SPEC, **{field: NASTY}))
    elements = parsed(tmp_path)
    assert [tag for tag, _ in elements.tags] == clean
    assert NASTY in json.dumps(elements.data(), ensure_ascii=False)


@pytest.mark.usefixtures("libraries")
def test_page_makes_no_markup_of_facts_and_title(tmp_path: Path) -> None:
    write(tmp_path)
    clean = [tag for tag, _ in parsed(tmp_path).tags]
    write(tmp_path, classes=(NASTY, "low", "middle"), contaminated=(NASTY,), environment={"processor": NASTY})
    write_failed(tmp_path, NASTY)
    assert [tag for tag, _ in parsed(tmp_path, NASTY).tags] == clean


@pytest.mark.usefixtures("libraries")
def test_page_is_the_same_for_the_same_records(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / name)
    assert page(boards(tmp_path / "a")) == page(boards(tmp_path / "b"))


@pytest.mark.usefixtures("libraries")
def test_page_without_records_is_a_page(tmp_path: Path) -> None:
    assert parsed(tmp_path).data()["boards"] == []


@pytest.mark.parametrize("package", ["plotly", "itables"])
def test_page_without_a_library_says_what_installs_it(package: str, tmp_path: Path, monkeypatch: Any) -> None:
    from mirbench.leaderboard import page as module

    held = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else held(name))
    module._packed.cache_clear()
    with pytest.raises(MissingExtra, match=rf"{package}: pip install 'mirbench\[page\]'"):
        page(boards(tmp_path))


@pytest.mark.usefixtures("libraries")
@pytest.mark.slow
def test_page_of_500_records_is_below_8_megabytes(tmp_path: Path) -> None:
    write_many(tmp_path, 100, 5, n_tasks=4)
    size = len(page(boards(tmp_path)).encode())
    print(f"500 records: {size / 1e6:.2f} MB")
    assert size < 8e6


def test_page_needs_no_torch() -> None:
    program = "import sys; import mirbench.leaderboard.page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# The numbers


def test_row_says_what_the_table_has(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path, replace(SPEC, seed=seed), flops=3_000_000_000)
    (row,) = boards(tmp_path)[0].rows
    said = only_row(tmp_path)
    assert row.interval is not None
    assert said["interval"] == [row.interval.low, row.interval.high, row.interval.method]
    assert said["metrics"] == {name: list(value) for name, value in row.metrics.items() if value}
    assert (said["key"], said["name"], said["rank"]) == (row.key, "probe-linear + tiny", 1)
    costs = {"trainable": 1234, "total": 5678, "train-seconds": 2.0, "epoch-seconds": 0.5, "clips-per-second": 20.0,
             "gflops": 3.0, "kwh": None}  # fmt: skip
    assert said["costs"] == costs


def test_row_says_that_seeds_that_predict_the_same_are_all_equal(tmp_path: Path) -> None:
    first, second = (write(tmp_path, replace(SPEC, seed=seed)) for seed in range(2))
    assert only_row(tmp_path)["runs"] == "2 seeds"
    (second / "scores.npz").write_bytes((first / "scores.npz").read_bytes())
    assert only_row(tmp_path)["runs"] == "2 seeds, all equal"


def test_board_has_no_column_for_a_cost_that_no_row_has(tmp_path: Path) -> None:
    write(tmp_path, n_trainable=None)
    names = [cost["name"] for cost in only_board(tmp_path)["costs"]]
    assert names == ["total", "train-seconds", "epoch-seconds", "clips-per-second"]


def folded(root: Path) -> tuple[list[Any], list[Any]]:
    """True and predicted classes of two seeds on two folds that are put on record."""
    true, guess = [], []
    for seed in range(2):
        parts = []
        for fold in range(2):
            write(root, replace(SPEC, seed=seed, fold=fold), n_folds=2)
            split, scores = predictions(seed, fold=fold)
            parts.append((split.class_index(), scores.argmax(axis=1)))
        true.append(np.concatenate([part[0] for part in parts]))
        guess.append(np.concatenate([part[1] for part in parts]))
    return true, guess


def test_confusion_is_over_folds_and_seeds(tmp_path: Path) -> None:
    true, guess = folded(tmp_path)
    found = np.zeros((3, 3), dtype=int)
    for i, j, n in only_row(tmp_path)["confusion"]:
        found[i, j] = n
    assert (found == confusion_matrix(np.concatenate(true), np.concatenate(guess))).all()


def test_classes_are_the_mean_over_seeds_of_pooled_folds(tmp_path: Path) -> None:
    wanted = np.mean([f1_score(t, g, average=None) for t, g in zip(*folded(tmp_path), strict=True)], axis=0)
    assert only_row(tmp_path)["classes"] == pytest.approx(wanted, abs=1e-4)


def write_tags(root: Path) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    there, scores = rng.random((40, 3)) < 0.4, rng.random((40, 3)).astype(np.float32)
    task = replace(predictions(0)[0].task, kind="multi-label")
    clips = tuple(Clip(str(n), None, "test", tuple(np.array(CLASSES)[line])) for n, line in enumerate(there))
    split = Split(task, clips)
    found = metrics.evaluate(("roc-auc", "roc-auc-per-class"), scores, split.targets())
    record = RunRecord(SPEC, "done", metrics=found, classes=CLASSES, kind="multi-label")
    RunStore(root).write(record, Scores.of(split, scores))
    return there, scores


def test_tags_are_said_by_the_metric_that_ranks(tmp_path: Path) -> None:
    there, scores = write_tags(tmp_path)
    assert only_board(tmp_path)["perClass"] == "ROC-AUC"
    assert only_row(tmp_path)["classes"] == pytest.approx(roc_auc_score(there, scores, average=None), abs=1e-4)


def test_tags_have_no_confusion(tmp_path: Path) -> None:
    write_tags(tmp_path)
    assert only_row(tmp_path)["confusion"] == []


def test_front_holds_what_none_as_cheap_beats(tmp_path: Path) -> None:
    rows = {
        "cheap": (10, 0.2),
        "worse": (50, 0.1),
        "dear": (100, 0.9),
        "dearest": (200, 0.4),
        "uncounted": (None, 0.95),
    }
    for name, (n_trainable, skill) in rows.items():
        write(tmp_path, replace(SPEC, method=name), skill, n_trainable=n_trainable)
    board = only_board(tmp_path)
    names = {row["key"]: row["method"] for row in board["rows"]}
    assert [names[key] for key in board["fronts"]["trainable"]] == ["cheap", "dear"]


def test_front_holds_no_row_of_fewer_folds(tmp_path: Path) -> None:
    for fold in range(2):
        write(tmp_path, replace(SPEC, fold=fold), 0.3, n_folds=2)
    write(tmp_path, replace(SPEC, method="lucky"), 0.99, n_folds=2, n_trainable=1)
    board = only_board(tmp_path)
    (whole,) = (row["key"] for row in board["rows"] if row["rank"] is not None)
    assert set(board["fronts"]) == {cost["name"] for cost in board["costs"]}
    assert all(front == [whole] for front in board["fronts"].values())


def test_front_of_speed_begins_with_the_fastest(tmp_path: Path) -> None:
    for name, (speed, skill) in {"fast": (90.0, 0.2), "slow": (5.0, 0.9), "beaten": (50.0, 0.1)}.items():
        write(tmp_path, replace(SPEC, method=name), skill, seconds={"clips_per_second": speed})
    board = only_board(tmp_path)
    names = {row["key"]: row["method"] for row in board["rows"]}
    assert [names[key] for key in board["fronts"]["clips-per-second"]] == ["fast", "slow"]


def test_learning_curve_has_every_epoch(tmp_path: Path) -> None:
    write(tmp_path, history=HISTORY)
    (run,) = only_row(tmp_path)["history"]
    assert run["epoch"] == list(range(1, 9))
    assert run["values"]["loss"] == pytest.approx([1 / n for n in range(1, 9)], abs=1e-4)
    assert sorted(run["values"]) == ["loss", "valid_loss", "valid_score"]


def test_long_learning_curve_keeps_its_ends(tmp_path: Path) -> None:
    write(tmp_path, history=tuple({"loss": float(n)} for n in range(1, 1001)))
    (run,) = only_row(tmp_path)["history"]
    assert (run["epoch"][0], run["epoch"][-1], len(run["epoch"]) <= 60) == (1, 1000, True)
    assert run["values"]["loss"] == run["epoch"]


def test_learning_curves_of_many_runs_are_thinner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(2):
        write(tmp_path, replace(SPEC, seed=seed), history=tuple({"loss": float(n)} for n in range(1, 101)))
    monkeypatch.setattr(facts, "_MOST_POINTS", 40)
    assert [(run["epoch"][0], run["epoch"][-1], len(run["epoch"])) for run in only_row(tmp_path)["history"]] == [
        (1, 100, 20), (1, 100, 20)
    ]  # fmt: skip


def test_undefined_values_are_null(tmp_path: Path) -> None:
    folder = write(tmp_path)
    record = RunStore(tmp_path).read(SPEC)
    assert record is not None
    known = RunStore(tmp_path).scores(folder)
    RunStore(tmp_path).write(replace(record, metrics={**record.metrics, "roc-auc": None}), known)
    assert "roc-auc" not in only_row(tmp_path)["metrics"]


# What a reader is told


def test_verdict_says_that_nothing_can_be_told_apart(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write(tmp_path, replace(SPEC, method=name), 0.4)
    said = only_board(tmp_path)["verdict"]
    assert said.endswith("1 of 1 other cannot be told apart from it on 33 clips.")


def test_verdict_says_what_is_better(tmp_path: Path) -> None:
    write(tmp_path, replace(SPEC, method="good"), 2.0)
    write(tmp_path, replace(SPEC, method="bad"), 0.0)
    said = only_board(tmp_path)["verdict"]
    assert said == "good + tiny has the best accuracy, 1.000, and is significantly better than the other."


def test_verdict_warns_of_a_best_that_knew_the_clips(tmp_path: Path) -> None:
    write(tmp_path, contaminated=("tones",))
    assert only_board(tmp_path)["verdict"].endswith("Beware: its source was trained on tones.")


@pytest.mark.parametrize("standing", ["excerpt", "synthesised", "own"])
def test_standing_is_said(standing: str, tmp_path: Path) -> None:
    write(tmp_path, standing=standing)
    board = only_board(tmp_path)
    assert (board["standing"], bool(board["said"])) == (standing, True)


def test_full_task_needs_no_caveat(tmp_path: Path) -> None:
    write(tmp_path)
    assert only_board(tmp_path)["said"] == ""


def test_failed_runs_are_listed_without_the_folders_of_a_machine(tmp_path: Path) -> None:
    write_failed(tmp_path, "FileNotFoundError: '/music/secret/clip.wav' and C:\\users\\jane\\clip.wav, ~/secret/x.wav")
    board = only_board(tmp_path)
    said = "other + tiny: failed: FileNotFoundError: '…/clip.wav' and …/clip.wav, …/x.wav (1 run)"
    assert (board["problems"], board["rows"]) == ([said], [])


@pytest.mark.parametrize(
    "name", ["hf:owner/name", "s/epoch", "1/2", "a / b", "folder:PATH/x+folds5", "https://a.b/c/d"]
)
def test_names_with_slashes_are_kept(name: str, tmp_path: Path) -> None:
    write(tmp_path, replace(SPEC, source=name))
    assert only_row(tmp_path)["source"] == name


def test_record_says_what_was_asked(tmp_path: Path) -> None:
    spec = replace(SPEC, params={"lr": 0.1, "epochs": 3}, search={"lr": [0.1, 0.2]}, source_params={"crop": None})
    write(tmp_path, spec, changed={"epochs": 3})
    asked = {name: (value, changed) for name, value, changed in only_row(tmp_path)["record"]["asked"]}
    assert asked["epochs"] == ("3", True)
    assert asked["lr"] == ("0.1", False)
    assert asked["lr (searched)"] == ("0.1, 0.2", True)
    assert asked["source crop"] == ("—", False)


def test_record_lists_its_runs_hashes_and_command(tmp_path: Path) -> None:
    specs = [replace(SPEC, seed=seed) for seed in (0, 3)]
    for spec in specs:
        write(tmp_path, spec)
    record = only_row(tmp_path)["record"]
    assert [run[4] for run in record["runs"]] == [spec.key for spec in specs]
    assert record["runs"][0][5] == "2026-11-21 16:37"
    assert dict(record["hashes"])["weights"] == "a" * 64
    assert record["command"] == "mirbench run --task tones --method probe-linear --source tiny --seeds 0,3"


def test_environments_that_are_the_same_are_held_once(tmp_path: Path) -> None:
    for seed, processor in enumerate(("one", "one", "another")):
        known = {"processor": processor, "load": seed, "finished": str(seed), "versions": {"numpy": "2"}}
        write(tmp_path, replace(SPEC, seed=seed), environment=known)
    found = facts_of(tmp_path)
    assert sorted(dict(known)["processor"] for known in found["environments"]) == ["another", "one"]
    assert found["boards"][0]["rows"][0]["record"]["environments"] == [0, 1]


# Curves


def test_plain_runs_have_no_curves(tmp_path: Path) -> None:
    write(tmp_path)
    assert (curve_titles(tmp_path), only_row(tmp_path)["history"]) == ({"tones": []}, [])


def test_deformations_are_a_panel_each_from_clean_on(tmp_path: Path) -> None:
    write_curves(write(tmp_path))
    (curve,) = only_board(tmp_path)["curves"]
    assert [(panel["title"], panel["x"], panel["ticks"]) for panel in curve["panels"]] == [
        ("gain", "dB down", ["clean", "6", "12"]),
        ("noise", "dB SNR", ["clean", "20", "10", "0"]),
    ]
    assert curve["panels"][0]["lines"][0]["y"] == pytest.approx([0.9, 0.8, 0.7])


def test_deformations_are_averaged_over_runs(tmp_path: Path) -> None:
    for seed, factor in enumerate((1.0, 0.5)):
        write_curves(write(tmp_path, replace(SPEC, seed=seed)), factor)
    (curve,) = only_board(tmp_path)["curves"]
    assert curve["panels"][0]["lines"][0]["y"] == pytest.approx([0.675, 0.6, 0.5])


def test_deformations_of_some_runs_say_so(tmp_path: Path) -> None:
    for seed in range(3):
        folder = write(tmp_path, replace(SPEC, seed=seed))
    write_curves(folder)
    (curve,) = only_board(tmp_path)["curves"]
    assert curve["panels"][0]["lines"][0]["name"] == "probe-linear + tiny (1 of 3 runs)"


def test_few_shot_is_a_curve_over_the_clips_to_learn_from(tmp_path: Path) -> None:
    for task, n_train, skill in (("tones", 60, 0.9), ("tones+shots2", 6, 0.3), ("tones+shots8", 24, 0.6)):
        write(tmp_path, replace(SPEC, task=task), skill, n_clips={"train": n_train, "valid": 3, "test": 33})
    accuracy = {b.task: b.rows[0].metrics["accuracy"] for b in boards(tmp_path)}
    titles = curve_titles(tmp_path)
    assert titles == {name: ["Few-shot"] for name in ("tones", "tones+shots2", "tones+shots8")}
    (line,) = facts_of(tmp_path)["boards"][0]["curves"][0]["panels"][0]["lines"]
    assert (line["x"], line["text"]) == ([6, 24, 60], ["shots2", "shots8", "all"])
    assert line["y"] == [accuracy[task][0] for task in ("tones+shots2", "tones+shots8", "tones")]  # type: ignore[index]


def test_few_shot_averages_draws(tmp_path: Path) -> None:
    for task, skill in (("tones", 0.9), ("tones+fraction0.1", 0.2), ("tones+fraction0.1-draw1", 0.7)):
        write(tmp_path, replace(SPEC, task=task), skill, n_clips={"train": 60 if task == "tones" else 6})
    values = [b.rows[0].metrics["accuracy"][0] for b in boards(tmp_path) if b.task != "tones"]  # type: ignore[index]
    (line,) = facts_of(tmp_path)["boards"][0]["curves"][0]["panels"][0]["lines"]
    assert (line["x"], line["text"][0]) == ([6, 60], "fraction0.1, 2 draws")
    assert (line["y"][0], line["sd"][0]) == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))


def test_few_shot_joins_no_different_systems(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, replace(SPEC, task="tones+shots2", params={"lr": 0.2}))
    assert curve_titles(tmp_path) == {"tones": [], "tones+shots2": []}


def test_few_shot_joins_no_different_tasks(tmp_path: Path) -> None:
    write(tmp_path, replace(SPEC, task="noises"))
    write(tmp_path, replace(SPEC, task="tones+shots2"))
    assert curve_titles(tmp_path) == {"noises": [], "tones+shots2": []}


def test_levels_are_a_curve(tmp_path: Path) -> None:
    for task in ("tones", "tones+normalized", "tones+levels8"):
        write(tmp_path, replace(SPEC, task=task))
    panel = facts_of(tmp_path)["boards"][0]["curves"][0]["panels"][0]
    assert panel["ticks"] == ["as recorded", "peaks at 0 dBFS", "eight levels"]
    assert panel["lines"][0]["x"] == [0, 1, 2]


def test_loudness_is_a_curve_over_its_classes(tmp_path: Path) -> None:
    classes = ("loud1", "loud2", "loud3")
    write(tmp_path, replace(SPEC, task="tones+loudness"), classes=classes)
    split, scores = predictions(0, classes=classes)
    matrix = confusion_matrix(split.class_index(), scores.argmax(axis=1))
    (curve,) = only_board(tmp_path)["curves"]
    assert (curve["title"], curve["panels"][0]["ticks"]) == ("Loudness", list(classes))
    assert curve["panels"][0]["lines"][0]["y"] == pytest.approx(np.diag(matrix) / matrix.sum(axis=1))


# Chance, pairs, badges


def test_chance_is_the_share_of_the_most_common_class(tmp_path: Path) -> None:
    write(tmp_path)
    true = predictions(0)[0].class_index()
    assert only_board(tmp_path)["chance"] == pytest.approx(np.bincount(true).max() / len(true), abs=1e-4)


def test_chance_of_tags_is_one_half_of_the_curve(tmp_path: Path) -> None:
    write_tags(tmp_path)
    assert only_board(tmp_path)["chance"] == 0.5


def test_pairs_hold_p_of_every_two_rows(tmp_path: Path) -> None:
    for name, skill in {"a": 2.0, "b": 0.5, "c": 0.4, "d": 0.0}.items():
        write(tmp_path, replace(SPEC, method=name), skill)
    rows = boards(tmp_path)[0].rows
    stacks = [row.system.stack for row in rows]
    p = statistics.compared(
        "accuracy", [s.scores for s in stacks], stacks[0].targets, stacks[0].groups, stacks[0].folds
    )
    assert only_board(tmp_path)["pairs"] == pytest.approx(p[np.triu_indices(4, 1)], rel=0.02)


def test_pairs_are_left_out_where_clips_differ(tmp_path: Path) -> None:
    for fold in range(2):
        write(tmp_path, replace(SPEC, fold=fold), n_folds=2)
    write(tmp_path, replace(SPEC, method="lacking"), n_folds=2)
    assert only_board(tmp_path)["pairs"] == []


def test_marks_stand_beside_the_name_with_their_meaning(tmp_path: Path) -> None:
    write(tmp_path, replace(SPEC, method="mine", method_version=f"1+{'a' * 12}"))
    board = only_board(tmp_path)
    (row,) = board["rows"]
    assert (row["name"], "plugin" in row["marks"]) == ("mine + tiny", True)
    assert "code from outside mirbench" in board["badges"]["plugin"]


def test_source_has_the_facts_of_its_card_and_its_rows(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, replace(SPEC, task="noises", source=""))
    found = described(boards(tmp_path), "Results", {"tiny": SourceFacts("A tiny network", [("licence", "MIT")])})
    (source,) = found["sources"]
    assert (source["title"], source["facts"], source["versions"]) == ("A tiny network", [["licence", "MIT"]], ["1"])
    ((number, key),) = source["rows"]
    assert [row["key"] for row in found["boards"][number]["rows"]] == [key]
