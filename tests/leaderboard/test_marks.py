"""Marks: whose code a row is of, and that no table, figure or page shows it without them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mirbench.leaderboard import latex, render
from mirbench.leaderboard.compare import compare
from mirbench.leaderboard.compare_text import as_text
from mirbench.leaderboard.marks import marks_of
from mirbench.leaderboard.page.facts import described
from mirbench.leaderboard.pair import find_pair
from mirbench.leaderboard.plots import forest
from mirbench.leaderboard.table import boards
from mirbench.record import RunRecord
from tests.leaderboard.test_leaderboard import SPEC, write

OWN = replace(SPEC, task="gtzan", method="probe-linear", source="nano")
HASH = "0123456789ab"


@pytest.fixture(autouse=True)
def _toys_are_known() -> None:
    """Here names are looked up."""


@pytest.mark.parametrize(
    ("change", "marks"),
    [
        ({}, ()),
        ({"task": "gtzan+shots10+normalized", "source": "hf:someone/model"}, ()),
        ({"task": "csv:songs+folds5", "source": ""}, ()),
        ({"method": "ensemble", "source": "", "params": {"systems": ["knn + nano", "prior"]}}, ()),
        ({"method_version": f"1+{HASH}"}, ("plugin",)),
        ({"source": "mine", "source_version": f"3+{HASH}"}, ("plugin",)),
        ({"task": "mine+shots2", "task_version": f"1+{HASH}"}, ("plugin",)),
        ({"method": "mine", "method_version": f"1+{HASH}", "source": "none-such"}, ("plugin", "unknown")),
        ({"method": "none-such"}, ("unknown",)),
        ({"source": "nothing:such"}, ("unknown",)),
        ({"task": "none-such"}, ("unknown",)),
        ({"method": "ensemble", "source": "", "params": {"systems": ["knn + mine", "prior"]}}, ("unknown",)),
    ],
)
def test_marks_tell_whose_code_a_record_is_of(change: dict[str, object], marks: tuple[str, ...]) -> None:
    assert marks_of(RunRecord(replace(OWN, **change), "done")) == marks  # type: ignore[arg-type]


def test_an_ensemble_has_the_mark_of_a_member_that_has_the_name_of_a_built_in_method() -> None:
    plugin = RunRecord(replace(OWN, method_version=f"1+{HASH}"), "done")
    members = {"systems": ["probe-linear + nano", "prior"], "members": [plugin.spec.key, "f" * 16]}
    both = RunRecord(replace(OWN, method="ensemble", source="", params=members), "done")
    assert marks_of(both, members={plugin.spec.key: plugin}) == ("plugin",)


def test_every_table_figure_and_page_shows_the_marks_beside_the_name(tmp_path: Path) -> None:
    write(tmp_path, OWN)
    write(tmp_path, replace(OWN, method_version=f"1+{HASH}"), draw=1)
    (board,) = found = boards(tmp_path)
    own, plugin = sorted(board.rows, key=lambda row: row.marks)
    marked = f"probe-linear + nano (method version=1+{HASH}) [plugin]"
    assert (own.marks, plugin.label) == ((), marked)
    assert marked in render.markdown(found)
    assert marked in latex.latex(found).replace("{[}plugin{]}", "[plugin]").replace(r"\allowbreak{}", "")
    assert render.as_csv(found, ["rank", "method"]).splitlines()[0].endswith("rank,method,marks")
    assert [row["marks"] for row in json.loads(render.as_json(found))["boards"][0]["rows"]].count(["plugin"]) == 1
    shown = described(found, "")["boards"][0]
    assert (plugin.name, ["plugin"]) in [(row["name"], row["marks"]) for row in shown["rows"]]
    assert list(shown["badges"]) == ["plugin"]
    names = [label.get_text() for label in forest(board, "").axes[0].get_yticklabels()]
    assert any("plugin" in name for name in names)
    text = as_text(compare(*find_pair(tmp_path, (own.key, plugin.key))))
    assert marked in text
    assert "[plugin] method, " in text


def test_a_table_without_marks_says_nothing_of_them(tmp_path: Path) -> None:
    write(tmp_path, OWN)
    text = render.markdown(boards(tmp_path))
    assert "[" not in text.split("## ")[1]
    assert "Marks" not in text
    assert "marks" not in render.as_csv(boards(tmp_path), ["system"])
