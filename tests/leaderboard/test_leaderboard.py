"""Records to tables: what shares a row, what shares a table, the numbers, and the markdown."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markdown_it import MarkdownIt
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from mirbench import cli, metrics
from mirbench.leaderboard.columns import COLUMNS
from mirbench.leaderboard.render import markdown
from mirbench.leaderboard.table import Row, boards
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.report import over_seeds
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.types import Clip, Split, Targets, Task, Windowing

CLASSES = ("high", "low", "middle")
METRICS = ("accuracy", "balanced-accuracy", "macro-f1", "roc-auc", "pr-auc")
TASK = Task("tones", "1", "for tests", "single-label", CLASSES, METRICS, lambda root, fold: [], "tones", 12, 1.0)

SPEC = RunSpec(
    task="tones",
    task_version="1",
    fold=0,
    windowing=Windowing(),
    method="probe",
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


def predictions(draw: int, n_clips: int = 12, fold: int = 0) -> tuple[Split, np.ndarray]:
    """The clips of a fold, of three classes, and scores that are right about half of the time; rows add up to one."""
    labels = [*range(3), *np.random.default_rng(fold).integers(3, size=n_clips - 3)]  # each occurs: AUCs are defined
    clips = tuple(Clip(f"{fold}-{n}", Path(f"{n}.wav"), "test", (CLASSES[k],)) for n, k in enumerate(labels))
    rng = np.random.default_rng([draw, fold])
    scores = rng.dirichlet(np.ones(3), n_clips) + 0.4 * np.eye(3)[labels]
    return Split(TASK, clips), (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


def write(root: Path, spec: RunSpec = SPEC, draw: int = 0, n_clips: int = 12, **facts: Any) -> RunRecord:
    """Put a finished run on record, with the scores of `predictions`."""
    split, scores = predictions(draw, n_clips, spec.fold)
    record = RunRecord(
        spec,
        "done",
        metrics=metrics.evaluate(METRICS, scores, split.targets()),
        seconds={"epoch": 1.0, "clips_per_second": 20.0},
        **{
            "n_trainable": 1234,
            "n_total": 5678,
            "environment": {"processor": "a processor", "gpu": None},
            **facts,
        },
    )
    RunStore(root).write(record, Scores.of(split, scores))
    return record


def write_failed(root: Path, reason: str, status: str = "failed", spec: RunSpec = SPEC) -> None:
    RunStore(root).write(RunRecord(spec, status, reason=reason))  # type: ignore[arg-type]


def only_row(root: Path) -> Row:
    (board,) = boards(root)
    (row,) = board.rows
    return row


def cells(text: str) -> list[list[str]]:
    """Rows of all tables of a markdown text, as a parser of tables reads them; the head comes first."""
    rows: list[list[str]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open") and after is not None:
            rows[-1].append("".join(child.content for child in after.children or []))
    return rows


def live_html(text: str) -> list[str]:
    """Pieces of a markdown text that a browser would get as markup."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    every = [*tokens, *(child for token in tokens for child in token.children or [])]
    return [token.content for token in every if token.type in ("html_block", "html_inline")]


def as_shown(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``mirbench leaderboard``."""
    monkeypatch.setattr(sys, "argv", ["mirbench", "leaderboard", "--runs", str(root)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    held = capsys.readouterr()
    return int(caught.value.code or 0), held.out, held.err


# Over folds


@pytest.fixture
def folded(tmp_path: Path) -> tuple[Row, list[RunRecord], np.ndarray, np.ndarray]:
    """Three folds of unequal size of one seed: their row, records, true classes and predicted classes."""
    sizes = (9, 14, 23)
    records = [write(tmp_path, replace(SPEC, fold=k), draw=k, n_clips=n, n_folds=3) for k, n in enumerate(sizes)]
    parts = [predictions(k, n, k) for k, n in enumerate(sizes)]
    true = np.concatenate([split.class_index() for split, _ in parts])
    return only_row(tmp_path), records, true, np.concatenate([scores.argmax(axis=1) for _, scores in parts])


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("accuracy", accuracy_score),
        ("balanced-accuracy", balanced_accuracy_score),
        ("macro-f1", lambda true, guess: f1_score(true, guess, average="macro")),
    ],
)
def test_over_folds_predictions_are_pooled(name: str, reference: Any, folded: Any) -> None:
    row, records, true, guess = folded
    assert row.metrics[name] == (pytest.approx(reference(true, guess)), None)
    assert row.metrics[name][0] != pytest.approx(np.mean([record.metrics[name] for record in records]))


@pytest.mark.parametrize("name", ["roc-auc", "pr-auc"])
def test_over_folds_aucs_are_averaged(name: str, folded: Any) -> None:
    row, records, _, _ = folded
    assert row.metrics[name] == (pytest.approx(np.mean([record.metrics[name] for record in records])), None)


def test_over_folds_an_undefined_auc_is_left_out(tmp_path: Path) -> None:
    records = [write(tmp_path, replace(SPEC, fold=k), draw=k, n_folds=3) for k in range(2)]
    split, scores = predictions(2, fold=2)
    last = replace(records[0], spec=replace(SPEC, fold=2), metrics={**records[0].metrics, "roc-auc": None})
    RunStore(tmp_path).write(last, Scores.of(split, scores))
    mean = np.mean([record.metrics["roc-auc"] for record in records])
    assert only_row(tmp_path).metrics["roc-auc"] == (pytest.approx(mean), None)


@pytest.fixture
def tagged(tmp_path: Path) -> tuple[Row, list[RunRecord], np.ndarray, Targets]:
    """Two folds of a multi-label task with unjudged labels: their row, records, scores and targets."""
    names = ("two-class-macro-f1", "macro-f1", "roc-auc", "pr-auc")
    task = replace(TASK, kind="multi-label", metrics=names)
    rng, records, parts = np.random.default_rng(0), [], []
    for fold, n_clips in enumerate((8, 17)):
        there, unjudged = rng.random((n_clips, 3)) < 0.4, rng.random((n_clips, 3)) < 0.2
        clips = []
        for n in range(n_clips):
            labels = tuple(c for k, c in enumerate(CLASSES) if there[n, k] and not unjudged[n, k])
            unknown = tuple(c for k, c in enumerate(CLASSES) if unjudged[n, k])
            clips.append(Clip(f"{fold}-{n}", None, "test", labels, unknown))
        split, scores = Split(task, tuple(clips)), rng.random((n_clips, 3)).astype(np.float32)
        found = metrics.evaluate(names, scores, split.targets())
        record = RunRecord(replace(SPEC, fold=fold), "done", metrics=found, n_folds=2, environment={})
        RunStore(tmp_path).write(record, Scores.of(split, scores))
        records.append(record)
        parts.append((scores, split.targets()))
    pooled = Targets(
        np.concatenate([t.value for _, t in parts]), np.concatenate([t.known for _, t in parts]), "multi-label"
    )
    return only_row(tmp_path), records, np.concatenate([scores for scores, _ in parts]), pooled


@pytest.mark.parametrize("name", ["two-class-macro-f1", "macro-f1"])
def test_over_folds_tags_are_pooled_with_what_is_known_of_them(name: str, tagged: Any) -> None:
    row, records, scores, targets = tagged
    wanted = metrics.evaluate((name,), scores, targets)[name]
    assert row.metrics[name][0] == pytest.approx(wanted)
    assert wanted != pytest.approx(np.mean([record.metrics[name] for record in records]))


@pytest.mark.parametrize("name", ["roc-auc", "pr-auc"])
def test_over_folds_aucs_of_tags_are_averaged(name: str, tagged: Any) -> None:
    row, records, _, _ = tagged
    assert row.metrics[name][0] == pytest.approx(np.mean([record.metrics[name] for record in records]))


def test_single_fold_is_read_from_its_record(tmp_path: Path) -> None:
    record = write(tmp_path)
    assert only_row(tmp_path).metrics == {name: (record.metrics[name], None) for name in METRICS}


def test_incomplete_folds_are_flagged(tmp_path: Path) -> None:
    for fold in (0, 2):
        write(tmp_path, replace(SPEC, fold=fold), draw=fold, n_folds=5)
    assert only_row(tmp_path).flags == ("only fold 0, 2 of 5",)


def test_incomplete_folds_are_flagged_in_the_markdown(tmp_path: Path) -> None:
    write(tmp_path, n_folds=5)
    head, line = cells(markdown(boards(tmp_path)))
    assert dict(zip(head, line, strict=True))["beware"] == "only fold 0 of 5"


def test_incomplete_folds_are_said_below_a_table_that_shows_no_such_column(tmp_path: Path) -> None:
    write(tmp_path, n_folds=5)
    said = "Of some folds alone, to be compared with rows of the same folds: probe + tiny (fold 0 of 5)."
    assert said in markdown(boards(tmp_path), ["rank", "system"])
    assert "Of some folds alone" not in markdown(boards(tmp_path))


def test_incomplete_seed_does_not_touch_the_complete_ones(tmp_path: Path) -> None:
    for fold in (0, 1):
        write(tmp_path, replace(SPEC, fold=fold), draw=fold, n_folds=2)
    whole = only_row(tmp_path)
    write(tmp_path, replace(SPEC, fold=0, seed=1), draw=9, n_folds=2)
    row = only_row(tmp_path)
    assert (row.metrics, row.n_seeds) == (whole.metrics, 1)


def test_complete_folds_are_not_flagged(folded: Any) -> None:
    assert folded[0].flags == ()


# Over seeds


def test_over_seeds_mean_and_sample_sd_are_shown(tmp_path: Path) -> None:
    values = [write(tmp_path, replace(SPEC, seed=seed), draw=seed).metrics["accuracy"] for seed in range(5)]
    expected = (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    assert (only_row(tmp_path).metrics["accuracy"], np.std(values) > 0) == (expected, True)


def test_over_seeds_of_folds_the_sd_is_of_pooled_values(tmp_path: Path) -> None:
    pooled = []
    for seed in range(3):
        parts = []
        for fold, size in enumerate((7, 16)):
            write(tmp_path, replace(SPEC, seed=seed, fold=fold), draw=10 * seed + fold, n_clips=size, n_folds=2)
            parts.append(predictions(10 * seed + fold, size, fold))
        true = np.concatenate([split.class_index() for split, _ in parts])
        pooled.append(accuracy_score(true, np.concatenate([scores.argmax(axis=1) for _, scores in parts])))
    expected = (pytest.approx(np.mean(pooled)), pytest.approx(np.std(pooled, ddof=1)))
    assert only_row(tmp_path).metrics["accuracy"] == expected


def test_over_seeds_the_number_of_seeds_is_shown(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path, replace(SPEC, seed=seed), draw=seed)
    head, line = cells(markdown(boards(tmp_path)))
    assert line[head.index("runs")] == "3 seeds"


def test_seeds_that_predict_the_same_to_the_bit_are_said_to_be_equal_and_have_no_sd(tmp_path: Path) -> None:
    runs = []
    for seed in range(3):
        write(tmp_path, replace(SPEC, seed=seed), draw=7)
        runs = list(RunStore(tmp_path).records())
    row = only_row(tmp_path)
    assert [value and value[1] for value in row.metrics.values()] == [None] * len(row.metrics)
    head, line = cells(markdown(boards(tmp_path)))
    assert line[head.index("runs")] == "3 seeds, all equal"
    text, n_seeds = over_seeds(runs, "accuracy")
    assert (text, n_seeds) == (f"{runs[0][1].metrics['accuracy']:.3f}", 3)
    write(tmp_path, replace(SPEC, seed=3), draw=8)
    assert not only_row(tmp_path).alike
    assert "±" in over_seeds(RunStore(tmp_path).records(), "accuracy")[0]


@pytest.mark.parametrize(
    ("there", "folds", "seeds"),
    [
        ({0: (0, 1, 2), 1: (0, 1, 2)}, (0, 1, 2), (0, 1)),
        ({0: (0, 1, 2), 1: (0,), 2: (0,)}, (0, 1, 2), (0,)),  # every fold, though one seed alone has them
        ({0: (0, 1), 1: (0,), 2: (0,)}, (0,), (0, 1, 2)),  # none has: what most have
    ],
)
def test_run_and_leaderboard_give_one_number_for_one_system_whatever_folds_lack(
    tmp_path: Path, there: dict[int, tuple[int, ...]], folds: tuple[int, ...], seeds: tuple[int, ...]
) -> None:
    for seed, own in there.items():
        for fold in own:
            write(tmp_path, replace(SPEC, seed=seed, fold=fold), draw=10 * seed + fold, n_clips=9 + fold, n_folds=3)
    row = only_row(tmp_path)
    assert (row.system.folds, row.system.seeds) == (folds, seeds)
    for name in ("accuracy", "roc-auc"):  # pooled, and the mean of folds
        mean, sd = row.metrics[name] or (0.0, None)
        said, n_seeds = over_seeds(RunStore(tmp_path).records(), name)
        assert (said, n_seeds) == (f"{mean:.3f}" + ("" if sd is None else f" ± {sd:.3f}"), len(seeds))


def test_one_seed_has_no_sd(tmp_path: Path) -> None:
    write(tmp_path)
    assert "±" not in "".join(cells(markdown(boards(tmp_path)))[1])


def test_undefined_metric_is_a_dash(tmp_path: Path) -> None:
    record = write(tmp_path)
    write(tmp_path, replace(SPEC, params={"lr": 0.2}))
    RunStore(tmp_path).write(replace(record, metrics={**record.metrics, "roc-auc": None}), Scores.of(*predictions(0)))
    head, *rows = cells(markdown(boards(tmp_path)))
    assert sorted(row[head.index("ROC-AUC")] for row in rows) == sorted(["—", f"{record.metrics['roc-auc']:.3f}"])


def test_counts_that_mean_nothing_are_dashes(tmp_path: Path) -> None:
    write(tmp_path, n_trainable=None)
    head, line = cells(markdown(boards(tmp_path)))
    shown = dict(zip(head, line, strict=True))
    assert (shown["trainable"], shown["total"]) == ("—", "5,678")


# What shares a row, what shares a table

OTHERS = {
    "params": {"params": {"lr": 0.2}},
    "search": {"search": {"lr": [0.1, 0.2]}},
    "method version": {"method_version": "2"},
    "source options": {"source_params": {"input_norm": "none"}},
    "source version": {"source_version": "2"},
    "weights": {"source_sha256": "c" * 64},
    "precision": {"precision": "bfloat16"},
    "source": {"source": "other"},
    "audio": {"audio_sha256": "d" * 64},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_row_never_merges_with_another(changes: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, replace(SPEC, **changes), draw=1)
    (board,) = boards(tmp_path)
    assert [(row.n_seeds, row.flags) for row in board.rows] == [(1, ()), (1, ())]


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_row_of_another_setting_has_another_name(changes: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, replace(SPEC, **changes), draw=1)
    (board,) = boards(tmp_path)
    assert len({row.name for row in board.rows}) == 2


def test_row_without_a_rival_is_named_by_method_and_source(tmp_path: Path) -> None:
    write(tmp_path)
    assert only_row(tmp_path).name == "probe + tiny"


def test_row_without_a_source_is_named_by_its_method(tmp_path: Path) -> None:
    write(tmp_path, replace(SPEC, source="", source_version="", source_sha256=""))
    assert only_row(tmp_path).name == "probe"


def test_row_says_the_settings_that_differ_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, replace(SPEC, params={"lr": 0.1, "epochs": 3}))
    write(tmp_path, replace(SPEC, params={"lr": 0.2, "epochs": 3}), draw=1)
    (board,) = boards(tmp_path)
    assert {row.name for row in board.rows} == {"probe + tiny (lr=0.1)", "probe + tiny (lr=0.2)"}


def test_rows_come_best_first(tmp_path: Path) -> None:
    for draw in range(5):
        write(tmp_path, replace(SPEC, method=f"m{draw}"), draw=draw)
    (board,) = boards(tmp_path)
    found = [row.metrics["accuracy"][0] for row in board.rows if row.metrics["accuracy"]]
    assert (found, len(set(found)) > 1) == (sorted(found, reverse=True), True)


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "noises"},
        {"task_version": "2"},
        {"windowing": Windowing(windows="nonoverlap-plus-tail")},
        {"windowing": Windowing(average="logit")},
    ],
    ids=["task", "task version", "windows", "average"],
)
def test_table_is_another_for_another_question(changes: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, replace(SPEC, **changes), draw=1)
    found = boards(tmp_path)
    assert (len({board.title for board in found}), [len(board.rows) for board in found]) == (2, [1, 1])


def test_table_says_the_version_that_is_not_the_first(tmp_path: Path) -> None:
    write(tmp_path, replace(SPEC, task_version="2"))
    assert boards(tmp_path)[0].title == "tones (version 2)"


def write_standings(root: Path) -> None:
    for name, standing in (("a-demo", "synthesised"), ("b-mini", "excerpt"), ("c-whole", "full")):
        write(root, replace(SPEC, task=name), standing=standing)


def test_tables_of_stand_ins_come_last(tmp_path: Path) -> None:
    write_standings(tmp_path)
    assert [board.title for board in boards(tmp_path)] == ["c-whole", "b-mini", "a-demo"]


@pytest.mark.parametrize(
    ("name", "caveat"),
    [("a-demo", "says nothing about music"), ("b-mini", "compare with nothing but this table")],
)
def test_tables_of_stand_ins_carry_their_caveat(name: str, caveat: str, tmp_path: Path) -> None:
    write_standings(tmp_path)
    sections = markdown(boards(tmp_path)).split("## ")
    assert [section.split("\n")[0] for section in sections if caveat in section] == [name]


def test_contaminated_source_is_flagged(tmp_path: Path) -> None:
    write(tmp_path, contaminated=("gtzan",))
    head, line = cells(markdown(boards(tmp_path)))
    assert dict(zip(head, line, strict=True))["beware"] == "source trained on gtzan"


def test_clean_table_has_no_column_of_flags(tmp_path: Path) -> None:
    write(tmp_path)
    assert "beware" not in cells(markdown(boards(tmp_path)))[0]


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_run_without_a_result_is_listed_with_its_reason(status: str, tmp_path: Path) -> None:
    write(tmp_path)
    write_failed(tmp_path, "RuntimeError: out of ideas", status, replace(SPEC, method="other"))
    assert f"* other + tiny: {status}: RuntimeError: out of ideas (1 run)" in markdown(boards(tmp_path))


def test_runs_without_a_result_are_counted_by_reason(tmp_path: Path) -> None:
    for seed in range(3):
        write_failed(tmp_path, "no luck", spec=replace(SPEC, seed=seed))
    assert boards(tmp_path)[0].problems == ("probe + tiny: failed: no luck (3 runs)",)


def test_run_without_a_result_is_no_row(tmp_path: Path) -> None:
    write_failed(tmp_path, "no luck")
    assert boards(tmp_path)[0].rows == ()


def test_failed_seed_does_not_touch_the_others(tmp_path: Path) -> None:
    record = write(tmp_path)
    write_failed(tmp_path, "no luck", spec=replace(SPEC, seed=1))
    row = only_row(tmp_path)
    assert (row.metrics["accuracy"], row.n_seeds) == ((record.metrics["accuracy"], None), 1)


# Markdown

NASTY = "<script>alert(1)</script>"


def test_markdown_table_has_the_same_number_of_cells_in_each_row(tmp_path: Path) -> None:
    for draw, params in enumerate(({"x": "a|b"}, {"x": "c||d|"}, {"x": "e"})):
        write(tmp_path, replace(SPEC, params=params), draw=draw)
    table = cells(markdown(boards(tmp_path)))
    assert (len(table), {len(row) for row in table}) == (4, {len(table[0])})


def test_markdown_keeps_pipes_of_names(tmp_path: Path) -> None:
    write(tmp_path, replace(SPEC, method="left|right"))
    head, line = cells(markdown(boards(tmp_path)))
    assert line[head.index("method + source")] == "left|right + tiny"


@pytest.mark.parametrize("field", ["task", "task_version", "method", "source", "method_version"])
def test_markdown_makes_no_markup_of(field: str, tmp_path: Path) -> None:
    write(tmp_path, replace(SPEC, **{field: NASTY.replace("/", "")}))
    write(tmp_path, replace(SPEC, **{field: NASTY.replace("/", ""), "params": {"lr": NASTY}}))
    assert live_html(markdown(boards(tmp_path))) == []


def test_markdown_makes_no_markup_of_reasons(tmp_path: Path) -> None:
    write_failed(tmp_path, f"ValueError: {NASTY}")
    assert live_html(markdown(boards(tmp_path))) == []


@pytest.mark.parametrize("facts", [{"contaminated": (NASTY,)}, {"environment": {"processor": NASTY}}])
def test_markdown_makes_no_markup_of_facts(facts: dict[str, Any], tmp_path: Path) -> None:
    RunStore(tmp_path).write(replace(write(tmp_path), **facts), Scores.of(*predictions(0)))
    assert live_html(markdown(boards(tmp_path))) == []


def test_markdown_keeps_pipes_of_flags(tmp_path: Path) -> None:
    write(tmp_path, contaminated=("a|b",))
    head, line = cells(markdown(boards(tmp_path)))
    assert dict(zip(head, line, strict=True))["beware"] == "source trained on a|b"


def test_markdown_is_the_same_for_the_same_records(tmp_path: Path) -> None:
    for name in "ab":
        for seed in range(3):
            write(tmp_path / name, replace(SPEC, seed=seed), draw=seed)
    assert markdown(boards(tmp_path / "a")) == markdown(boards(tmp_path / "b"))


# The command


def test_command_writes_what_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    code, out, _ = as_shown(tmp_path, capsys, monkeypatch)
    assert (code, out.strip()) == (0, (tmp_path / "leaderboard.md").read_text(encoding="utf-8").strip())


@pytest.mark.parametrize(("name", "says"), [(".", "no records in it"), ("nowhere", "no such folder")])
def test_command_without_records_says_what_makes_some(
    name: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = as_shown(tmp_path / name, capsys, monkeypatch)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"mirbench: --runs {tmp_path / name}: {says}; `mirbench run` makes ")
    assert err.endswith("there are reference results: `mirbench leaderboard --reference`\n")


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 1}', "[]", '{"schema_version": 99}', '{"a": NaN}'])
def test_command_on_a_broken_record_names_it(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    (path,) = tmp_path.rglob("record.json")
    path.write_text(text)
    code, _, err = as_shown(tmp_path, capsys, monkeypatch)
    assert (code, str(path) in err, err.count("\n")) == (1, True, 1)


@pytest.mark.slow
def test_command_loads_no_torch(tmp_path: Path) -> None:
    for fold in range(2):
        write(tmp_path, replace(SPEC, fold=fold), draw=fold, n_folds=2)
    program = (
        "import sys\n"
        "from mirbench.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    sys.exit('torch' if 'torch' in sys.modules else end.code)\n"
    )
    command = [sys.executable, "-c", program, "leaderboard", "--runs", str(tmp_path)]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_timing_on_a_busy_machine_is_flagged(tmp_path: Path) -> None:
    write(tmp_path, SPEC, environment={"load": 6.1, "cores": 2})
    assert "timed on a busy machine" in only_row(tmp_path).flags


def test_timing_on_a_quiet_machine_is_not_flagged(tmp_path: Path) -> None:
    write(tmp_path, SPEC, environment={"load": 2.1, "cores": 2})
    assert only_row(tmp_path).flags == ()


def test_speed_that_was_timed_on_a_busy_machine_is_flagged_in_every_run_that_shares_it(tmp_path: Path) -> None:
    write(tmp_path, SPEC, environment={"load": 0.5, "timed_load": 6.1, "cores": 2})
    assert "timed on a busy machine" in only_row(tmp_path).flags


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({"threads": 2}, "P, 2 cores"),
        ({"threads": 1}, "P, 2 cores, 1 thread"),
        ({}, "P, 2 cores"),
        ({"gpu": "G", "threads": 1}, "G"),
    ],
)
def test_row_says_with_how_many_threads_it_was_timed_where_they_are_not_its_cores(
    known: dict[str, Any], told: str, tmp_path: Path
) -> None:
    write(tmp_path, SPEC, environment={"processor": "P", "cores": 2, **known})
    assert only_row(tmp_path).device == told


def test_row_says_how_many_of_its_test_clips_are_copies_once_for_all_seeds(tmp_path: Path) -> None:
    for seed in (0, 1):
        write(tmp_path, replace(SPEC, seed=seed), environment={"copies": 3})
    assert only_row(tmp_path).flags == ("3 of its test clips it learnt from, as copies",)


@pytest.mark.parametrize(
    ("columns", "flagged"),
    [([{}, {"without_gradient": 3.0}], False), ([{"without_gradient": 20.0}, {"without_gradient": 3.0}], True)],
)
def test_row_whose_adapter_never_had_a_gradient_says_so(
    columns: list[dict[str, float]], flagged: bool, tmp_path: Path
) -> None:
    write(tmp_path, SPEC, history=[{"loss": 1.0, **column} for column in columns])
    said = "in 1 of 1 runs some trained values had no gradient in any epoch"
    assert only_row(tmp_path).flags == ((said,) if flagged else ())


def test_speeds_of_different_protocols_share_no_column(tmp_path: Path) -> None:
    write(tmp_path, SPEC)
    write(tmp_path, replace(SPEC, params={"lr": 0.2}), draw=1, environment={"timing": 2})
    (board,) = boards(tmp_path)
    speeds = {row.system.record.spec.params["lr"]: row.clips_per_second for row in board.rows}
    assert speeds == {0.1: None, 0.2: 20.0}
    assert [any("another way" in flag for flag in row.flags) for row in board.rows] == [
        row.clips_per_second is None for row in board.rows
    ]


def test_speed_of_a_system_is_of_the_runs_of_the_newest_protocol(tmp_path: Path) -> None:
    write(tmp_path, SPEC)
    write(tmp_path, replace(SPEC, seed=1), draw=1, environment={"timing": 2})
    path = next(p for p in tmp_path.rglob("record.json") if '"timing": 2' in p.read_text())
    path.write_text(path.read_text().replace('"clips_per_second": 20.0', '"clips_per_second": 50.0'))
    assert (only_row(tmp_path).clips_per_second, only_row(tmp_path).flags) == (50.0, ())


def test_speeds_of_old_records_alone_are_shown(tmp_path: Path) -> None:
    write(tmp_path, SPEC)
    assert (only_row(tmp_path).clips_per_second, only_row(tmp_path).flags) == (20.0, ())


def test_row_says_the_settings_that_differ_from_the_defaults(tmp_path: Path) -> None:
    """One epoch where the default is a hundred: who reads the score must read that."""
    write(tmp_path, replace(SPEC, params={"lr": 0.1, "epochs": 1}), changed={"epochs": 1})
    (board,) = boards(tmp_path)
    assert board.rows[0].name == "probe + tiny (epochs=1)"


def test_rows_of_fewer_folds_stand_below_the_others_and_say_how_many(tmp_path: Path) -> None:
    for fold in range(2):
        write(tmp_path, replace(SPEC, fold=fold), draw=fold, n_folds=2)
    easy = Split(TASK, predictions(0)[0].clips)
    right = np.eye(3, dtype=np.float32)[easy.class_index()]
    spec = replace(SPEC, method="lucky")
    record = RunRecord(spec, "done", metrics=metrics.evaluate(METRICS, right, easy.targets()), n_folds=2)
    RunStore(tmp_path).write(record, Scores.of(easy, right))
    (board,) = boards(tmp_path)
    assert [row.name for row in board.rows] == ["probe + tiny", "lucky + tiny"]
    assert "1 seed × 1 of 2 folds" in markdown([board])


def test_method_without_chance_is_one_seed_that_stands_for_all(tmp_path: Path) -> None:
    for seed in range(3):  # of which some were run by an earlier version, that did not know
        write(tmp_path, replace(SPEC, seed=seed), uses_seed=seed != 1)
    row = only_row(tmp_path)
    assert (row.n_seeds, COLUMNS["runs"].text(row), row.flags) == (1, "1 (nothing random)", ())
    assert row.metrics["accuracy"] is not None
    assert row.metrics["accuracy"][1] is None


def test_interval_of_a_method_without_chance_is_that_of_its_seeds_all_the_same(tmp_path: Path) -> None:
    intervals = []
    for name, n_seeds, uses_seed in (("one", 1, False), ("five", 5, True)):
        for seed in range(n_seeds):
            write(tmp_path / name, replace(SPEC, seed=seed), uses_seed=uses_seed)
        found = only_row(tmp_path / name).interval
        assert found is not None
        intervals.append((found.low, found.high))
    assert intervals[0] == pytest.approx(intervals[1])


def test_setting_that_a_record_does_not_hold_is_not_in_its_name(tmp_path: Path) -> None:
    """A hyperparameter that came later is in no record that has its default."""
    write(tmp_path)
    write(tmp_path, replace(SPEC, params={**SPEC.params, "layers": "2"}), changed={"layers": "2"})
    (board,) = boards(tmp_path)
    plain, other = sorted((row.system.name for row in board.rows), key=len)
    assert "layers" not in plain
    assert "layers=2" in other
