"""Printed results beside ours: runs that answer a line, what is written, and the command."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirbench.leaderboard.reproduction.printed import Printed
from mirbench.leaderboard.reproduction.rule import RULE, UNJUDGED, Verdict
from mirbench.leaderboard.reproduction.side_by_side import as_csv, as_json, as_markdown, summary
from mirbench.leaderboard.reproduction.verdicts import Line, systems_of
from mirbench.leaderboard.results import System, questions
from mirbench.record import RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.plan import draft_plan
from mirbench.runs.store import RunStore
from mirbench.runs.suite import read_suite, shipped, titles
from tests.leaderboard.reproduction.on_record import SPEC, Lines, flat, number, put
from tests.pages import OF_NO_PAPER

if TYPE_CHECKING:
    from tests.conftest import Answer as Typed


# Finding the runs


def found(root: Path, spec: RunSpec, *folders: str) -> list[System]:
    return systems_of([spec], questions(root), folders)


def test_systems_are_found_whatever_audio_weights_and_seeds(tmp_path: Path) -> None:
    for seed in (0, 1):
        put(tmp_path, replace(SPEC, seed=seed), flat(3, 4))
    put(tmp_path, replace(SPEC, audio_sha256="c" * 64), flat(4, 4))
    put(tmp_path, replace(SPEC, params={"epochs": 8}), flat(4, 4))
    bare = replace(SPEC, audio_sha256="", source_sha256="", seed=5)
    assert [len(system.seeds) for system in found(tmp_path, bare)] == [2, 1]
    just_done = str(RunStore(tmp_path).folder(replace(SPEC, audio_sha256="c" * 64)))
    assert [len(system.seeds) for system in found(tmp_path, bare, just_done)] == [1, 2]


# What is written


LINES = [
    Line(
        number("0.828", sd=0.017, n_seeds=5, note="a <b>|note</b>"),
        "agrees",
        0.81,
        0.77,
        0.85,
        5,
        None,
        290,
        "x|y",
        "",
        -0.018,
        -0.041,
        0.005,
    ),
    Line(number("60.1", "n_trainable", "millions", dead=1_500_000), "differs", 50.0, by="big"),
    Line(number("9", row="[left](x)"), "not run", reason="no audio"),
]


def test_markdown_has_both_numbers_and_the_rule() -> None:
    text = as_markdown("Title", "Somebody (2023)", LINES, ["DEMO"])
    row = [cell.strip() for cell in text.splitlines()[8].split(" | ")]
    assert row == [
        "| row", "accuracy", "0.828 ± 0.017", "0.8100", "0.7700 – 0.8500", "-0.0180 (-0.0410 to +0.0050)",
        "5 seeds, 290 clips", "agrees", "x\\|y |",
    ]  # fmt: skip
    assert "50.00 + 1.50" in text
    assert all(words in text for words in ("1 agrees, 1 differs, 1 not run.", "Rule: ", "* no audio: ", "DEMO"))
    assert "<b>" not in text


def test_systems_of_many_numbers_get_a_line_each() -> None:
    """Five bars of one system, of which the third is 3 points off; no mean runs over other quantities beside them."""
    bars = [
        Line(number(f"{50 + k}.00", f"f1-per-class[{k}]", "percent"), "agrees", 50 + k + 3.0 * (k == 2), by="sys")
        for k in range(5)
    ]
    others = [Line(number("99.00", name, "percent"), "agrees", 99.0, by="sys") for name in ("macro-f1", "accuracy")]
    text = as_markdown("Title", "", [*bars, *others])
    row = [cell.strip() for cell in text.splitlines()[4].strip("| ").split(" | ")]
    assert row == ["row", "f1-per-class", "5", "52.000 %", "52.600 %", "+3.000, f1-per-class[2]", "5 agrees", "sys"]
    assert "greatest gap" not in as_markdown("Title", "", bars[:4])


def test_csv_and_json_hold_the_same_lines() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(LINES))))
    held = json.loads(as_json("Title", "Somebody (2023)", LINES))
    assert [row["verdict"] for row in rows] == [line["verdict"] for line in held["lines"]] == [
        "agrees", "differs", "not run",
    ]  # fmt: skip
    assert (rows[0]["printed"], rows[0]["ours"], rows[2]["ours"]) == ("0.828", "0.81", "")
    assert (held["lines"][0]["n_clips"], held["lines"][2]["ours"]) == (290, None)
    assert summary(LINES) == "1 agrees, 1 differs, 1 not run"


# The command


def right_of(method: str) -> int:
    return {"ii-nmr": 100, "id-nmr": 233, "ids-nmr": 240}[method]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Records of what hung2022's Table 1 asks of AST with its own head, as if they had been done on the real audio."""
    catalogue, root = Catalogue(), tmp_path / "recorded"
    for entry in read_suite("hung2022-table1", catalogue, {}).entries:
        if entry.request.source == "ast" and "source_head" not in entry.request.params:
            for spec in draft_plan(entry.request, catalogue).specs:
                done = replace(spec, audio_sha256="b" * 64, source_sha256="a" * 64)
                put(root, done, flat(right_of(spec.method), 290))
    return root


def lines_of(answer: Typed) -> Lines:
    return {(line["row"], line["quantity"]): line for line in json.loads(answer.out)["lines"]}


def without_control(answer: Typed) -> Lines:
    lines = [line for line in json.loads(answer.out)["lines"] if "source_head" not in line["by"]]
    return {(line["row"], line["quantity"]): line for line in lines}


def test_command_judges_what_is_on_record(recorded: Path, typed: Callable[..., Typed]) -> None:
    """II-NMR got 0.345 for 0.503, ID-NMR 0.803 for 0.802, IDS-NMR 0.828 as printed; SpeechATT was not run.

    Its five seeds are alike, so that chance is that of the paper's: 2.776 × 0.017 / √5 = 0.021 for IDS-NMR.
    """
    answer = typed("reproduce", "hung2022-table1", "--no-run", "--runs", recorded, "--format", "json")
    assert (answer.code, answer.err) == (0, "")
    lines = without_control(answer)
    told = {row: (line["verdict"], line["n_seeds"], line["n_clips"]) for (row, _), line in lines.items()}
    assert told["IDS-NMR, AST"] == ("agrees", 5, 290)
    assert told["ID-NMR, AST"] == ("agrees", 5, 290)
    assert told["II-NMR, AST"] == ("differs", 5, 290)
    assert told["ID-NMR, SpeechATT"][0] == "not run"
    assert lines["ID-NMR, AST", "accuracy"]["ours"] == pytest.approx(233 / 290)
    ids = lines["IDS-NMR, AST", "accuracy"]
    assert ids["difference"] == pytest.approx(240 / 290 - 0.828)
    assert ids["difference_high"] - ids["difference"] == pytest.approx(0.0211 + 0.0005, abs=1e-4)
    assert "not on record" in lines["ID-NMR, SpeechATT", "accuracy"]["reason"]
    control = [line for line in json.loads(answer.out)["lines"] if "source_head=random-frozen" in line["by"]]
    assert [(line["row"], line["verdict"]) for line in control] == [
        ("II-NMR, AST", "not run"), ("ID-NMR, AST", "not run"), ("IDS-NMR, AST", "not run"),
    ]  # fmt: skip


def shown_of(typed: Callable[..., Typed], *words: Any) -> dict[str, str]:
    """Verdicts of the rows of Table 1."""
    answer = typed("reproduce", "hung2022-table1", "--no-run", "--format", "json", *words)
    assert answer.code == 0, answer.err
    return {row: line["verdict"] for (row, _), line in without_control(answer).items()}


def test_command_finds_runs_of_another_precision_and_of_other_seeds(
    tmp_path: Path, typed: Callable[..., Typed]
) -> None:
    """As `mirbench sweep hung2022-table1 --precision bfloat16 --seeds 7,9` leaves them."""
    catalogue, root = Catalogue(), tmp_path / "half"
    suite = read_suite("hung2022-table1", catalogue, {"precision": "bfloat16"}, {"seeds": "7,9"})
    (entry,) = (e for e in suite.entries if e.row == "IDS-NMR, AST" and not e.request.params)
    for spec in draft_plan(entry.request, catalogue).specs:
        put(root, replace(spec, audio_sha256="b" * 64, source_sha256="a" * 64), flat(240, 290))
    assert shown_of(typed, "--runs", root)["IDS-NMR, AST"] == "not run"
    assert shown_of(typed, "--runs", root, "--precision", "bfloat16")["IDS-NMR, AST"] == "agrees"


def test_command_finds_one_fold_where_one_is_asked_for(tmp_path: Path, typed: Callable[..., Typed]) -> None:
    text = "printed = ['hung2022-table2']\n[[run]]\ntask = 'gtzan-mini'\nmethod = 'prior'\nrow = 'BL-CNN, CNN'\n"
    Path("own.toml").write_text(text)
    catalogue = Catalogue()
    (entry,) = read_suite("own.toml", catalogue, {}, {"fold": 2}).entries
    for spec in draft_plan(entry.request, catalogue).specs:
        put(tmp_path / "runs", replace(spec, audio_sha256="b" * 64), flat(20, 290), n_folds=5)
    asked = ("reproduce", "own.toml", "--no-run", "--format", "json", "--runs", tmp_path / "runs")
    all_folds, one = (lines_of(typed(*asked, *words))["BL-CNN, CNN", "accuracy"] for words in ((), ("--fold", "2")))
    assert (all_folds["verdict"], one["n_seeds"]) == ("not run", 1)


def test_command_answers_only_the_rows_that_are_asked_for(recorded: Path, typed: Callable[..., Typed]) -> None:
    rows = ["IDS-NMR, AST", "II-NMR, AST"]
    assert list(shown_of(typed, "--runs", recorded, "--only", rows[0], "--only", rows[1])) == rows[::-1]
    claim = "what depends on the input is better, on AST"
    words = ("--no-run", "--runs", recorded, "--only", claim, "--format", "json")
    (line,) = json.loads(typed("reproduce", "hung2022-claims", *words).out)["lines"]
    assert (line["row"], line["verdict"], line["by"]) == (claim, "agrees", "IDS-NMR, AST over ID-NMR, AST")
    answer = typed("reproduce", "hung2022-table1", "--only", "IDS-NMR, ATS")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "No row of hung2022-table1 is called 'IDS-NMR, ATS'. Did you mean 'IDS-NMR, AST'?" in answer.err


def test_command_tells_what_its_runs_cost_before_they_are_done(
    typed: Callable[..., Typed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each of 100 epochs 1674 of 2790 windows go forth and back and 558 forth: 10^17 operations of AST, 8 days here.

    What learns on a hidden layer of it passes a thousandth.
    """
    monkeypatch.setattr("mirbench.runs.costs.measured_flops", lambda device, threads, large: 1.5e11)
    told = {}
    for row in ("II-NMR, AST", "IDS-NMR, AST"):
        answer = typed("reproduce", "hung2022-table1", "--dry-run", "--only", row, "--seeds", "1")
        assert answer.code == 0
        told[row] = next(line for line in answer.out.splitlines() if "nmr + ast  " in line)
    assert " 7 d 20 h" in told["II-NMR, AST"]
    assert re.search(r" 19 min\s*$", told["IDS-NMR, AST"])
    assert not Path("runs").exists()


def test_command_without_data_runs_nothing_and_says_so(typed: Callable[..., Typed], tmp_path: Path) -> None:
    answer = typed("reproduce", "hung2022-table3", "--quiet", "--format", "json")
    lines = lines_of(answer)
    assert (answer.code, {line["verdict"] for line in lines.values()}) == (0, {"not run"})
    assert all("no such folder" in line["reason"] for line in lines.values())
    assert not (tmp_path / "work" / "runs").exists()


def test_command_lists_the_suites(typed: Callable[..., Typed]) -> None:
    listed = typed("reproduce", "--list")
    assert [line.split()[0] for line in listed.out.splitlines()] == sorted(titles(printed=True))
    assert set(shipped()) - set(titles(printed=True)) == OF_NO_PAPER


def test_command_says_which_suite_is_no_papers(typed: Callable[..., Typed]) -> None:
    answer = typed("reproduce", "every-method")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert answer.err.startswith("mirbench: every-method: no printed table belongs to it")


def test_command_writes_a_file(recorded: Path, typed: Callable[..., Typed]) -> None:
    answer = typed("reproduce", "hung2022-table1", "--no-run", "--runs", recorded, "--output", "table.md")
    text = Path("table.md").read_text(encoding="utf-8")
    assert (answer.code, answer.out, answer.err.strip()) == (
        0, "", "2 agrees, 1 differs, 6 not run; written to table.md",
    )  # fmt: skip
    assert text.startswith("# hung2022, Table 1: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "reproduce which suite? `mirbench reproduce --list` names them"),
        (("hung2022-table4",), "No suite of a printed table is called 'hung2022-table4'. Did you mean 'hung2022-table"),
        (("own.toml",), "own.toml: no printed table belongs to it"),
        (("hung2022-table1", "--data", "gone"), "--data gone: no such folder"),
        (("hung2022-table1", "--format", "tex"), "--format tex: one of md, csv, json is needed"),
        (("hung2022-table1", "--output", "gone/t.md"), "--output gone/t.md: there is no folder gone"),
    ],
)
def test_command_refuses_in_one_line(words: tuple[str, ...], says: str, typed: Callable[..., Typed]) -> None:
    Path("own.toml").write_text("[[run]]\ntask = 'gtzan'\nmethod = 'prior'\n")
    answer = typed("reproduce", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert answer.err.startswith(f"mirbench: {says}")


def test_suite_of_a_user_may_name_a_printed_table(typed: Callable[..., Typed]) -> None:
    text = "printed = ['hung2022-table2']\n[[run]]\ntask = 'gtzan'\nmethod = 'prior'\nrow = 'BL-CNN, CNN'\n"
    Path("own.toml").write_text(text)
    answer = typed("reproduce", "own.toml", "--no-run", "--format", "csv")
    assert (answer.code, len(answer.out.splitlines())) == (0, 10)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[data]]\ntask = 'gtzan'\nrows = { Blues = 'blus' }\n", "[[data]] 1: No class of gtzan is called 'blus'"),
        ("[[data]]\ntask = 'gtzan'\nsplits = ['trian']\n", "[[data]] 1: No split is called 'trian'"),
        ("[[data]]\nrow = 'x'\n", "[[data]] 1: task is needed"),
        ("[[data]]\ntask = 'gtzan'\nrowz = 'x'\n", "[[data]] 1 is called 'rowz'"),
        ("[[run]]\ntask = 'gtzan'\nmethod = 'prior'\neach = { x = [] }\n", "[[run]] 1: each x: a list"),
        ("[[run]]\ntask = 'gtzan'\nmethod = 'prior'\neach = { x = [1] }\n", "No hyperparameter of prior"),
    ],
)
def test_keys_of_reproduce_are_refused_where_they_are_wrong(text: str, says: str, typed: Callable[..., Typed]) -> None:
    Path("own.toml").write_text(text)
    answer = typed("reproduce", "own.toml")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert says in answer.err


def test_sweep_of_a_suite_without_runs_is_refused(typed: Callable[..., Typed]) -> None:
    for words in ((), ("--dry-run",), ("--demo",)):
        answer = typed("sweep", "shtern2017-table4", *words)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
        assert "it asks for no run, only what data are" in answer.err


def test_each_makes_a_run_of_every_combination(tmp_path: Path) -> None:
    text = (
        "[defaults]\ntask = 'gtzan'\nmethod = 'probe-forest'\nsource = 'nano'\n"
        "row = '{n_trees} of {max_depth} on {source}'\n"
        "[[run]]\nset = { standardise = false }\n"
        "each = { n_trees = [10, 20], max_depth = { from = 2, to = 4, step = 2 } }\n"
    )
    (tmp_path / "s.toml").write_text(text)
    entries = read_suite(str(tmp_path / "s.toml"), Catalogue(), {}).entries
    assert [entry.row for entry in entries] == [
        "10 of 2 on nano", "10 of 4 on nano", "20 of 2 on nano", "20 of 4 on nano",
    ]  # fmt: skip
    assert entries[1].request.params == {"standardise": False, "n_trees": 10, "max_depth": 4}
    assert not any(entry.request.search for entry in entries)


@pytest.mark.parametrize(
    ("value", "unit", "ours", "told"),
    [("45.45", "percent", 77.5, ("45.45 %", "77.500 %")), ("0.745", "fraction", 0.7, ("0.745", "0.7000")),
     ("1:05", "min:s", 61.0, ("1:05 min:s", "61.0 s")), ("3.1", "seconds", 2.0, ("3.1 s", "2.00 s")),
     ("12", "count", 12.0, ("12", "12"))],
)  # fmt: skip
def test_ours_has_the_unit_of_the_printed_number(value: str, unit: str, ours: float, told: tuple[str, str]) -> None:
    printed = Printed("t", "a row", "a quantity", value, unit, None, None, None, True, 0, "", "")
    (line,) = (line for line in as_markdown("", "", [Line(printed, "shown", ours)]).splitlines() if "a row" in line)
    assert tuple(cell.strip() for cell in line.split("|")[3:5]) == told


@pytest.mark.parametrize(
    ("verdicts", "begins"),
    [(("stand-in", "not run"), UNJUDGED), (("stand-in", "agrees"), RULE), (("not run",), RULE), (("shown",), RULE)],
)
def test_rule_is_told_where_something_may_be_judged(verdicts: tuple[Verdict, ...], begins: str) -> None:
    text = as_markdown("", "", [Line(number("0.8"), verdict) for verdict in verdicts])
    assert [part for part in text.split("\n\n") if part.startswith("Rule:")] == [begins]
