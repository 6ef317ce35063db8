"""The page in headless Chromium: what a reader does with mouse, keyboard, phone and screen reader."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mirbench import __version__
from mirbench.leaderboard.page import SourceFacts, page
from mirbench.leaderboard.table import Board, boards
from mirbench.plain_text import csv_cell
from tests.leaderboard.page.test_page import HISTORY, NASTY, SPEC, write, write_curves, write_failed, write_many

pytestmark = pytest.mark.browser

ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"]  # fmt: skip
SKILLS = {"probe-linear": 0.9, "probe-svm": 0.85, "id-nmr": 0.5, "ids-nmr": 0.3, "prior": 0.0}
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 400, "height": 860}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if missing := [name for name in ("plotly", "itables", "playwright") if importlib.util.find_spec(name) is None]:
        pytest.skip(f"needs {', '.join(missing)}: pip install 'mirbench[browser]'")
    from playwright.sync_api import Error, sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    with sync_playwright() as started:
        try:
            browser = started.chromium.launch(executable_path=path, args=ARGS)
        except Error as error:
            pytest.skip(f"no Chromium: {str(error).splitlines()[0]}; `playwright install chromium` gets one")
        yield browser
        browser.close()


def write_board(root: Path) -> None:
    """Five methods on two sources with all that there can be, few-shot runs, and one system that lacks a fold."""
    for n, (method, skill) in enumerate(SKILLS.items()):
        for source, gain in (("tiny", 0.0), ("large", 0.2)):
            if method == "prior" and source == "large":
                continue
            known = ("tones",) if (method, source) == ("ids-nmr", "large") else ()
            name = "" if method == "prior" else source
            for seed in range(2):
                for fold in range(2):
                    spec = replace(SPEC, method=method, source=name, seed=seed, fold=fold)
                    facts = {"n_trainable": (0, 100, 5000, 70_000, None)[n], "history": HISTORY, "contaminated": known,
                             "seconds": {"train": 0.01 * 10**n}, "n_folds": 2}  # fmt: skip
                    folder = write(root, spec, skill + gain, **facts)
                    if method == "probe-linear":
                        write_curves(folder)
    write(root, replace(SPEC, method="lacking"), 0.5, n_folds=2)
    for task in ("tones+shots2", "tones+shots8"):
        clips = {"train": 6 if "2" in task else 24}
        for fold in range(2):
            spec = replace(SPEC, task=task, method="probe-svm", fold=fold)
            write(root, spec, 0.3, n_folds=2, n_clips=clips, standing="synthesised")
            write(root, replace(spec, task="tones"), 0.85, n_folds=2, n_clips={"train": 60})
    write_failed(root, "no luck")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> tuple[Path, list[Board]]:
    """A page as a file, and its tables."""
    root = tmp_path_factory.mktemp("runs")
    write_board(root)
    found = boards(root)
    cards = {"tiny": SourceFacts("A tiny network", [("licence", "MIT"), ("weights", "https://example.org/tiny, 2 MB")])}
    (root / "page.html").write_text(page(found, sources=cards), encoding="utf-8")
    return root / "page.html", found


class Reader:
    """A browser tab with what went wrong in it, and what it asked the network for."""

    def __init__(
        self, browser: Any, path: Path, theme: str = "light", size: Any = DESKTOP, place: str = "#task=tones"
    ) -> None:
        self.context = browser.new_context(viewport=size, color_scheme=theme)
        self.tab = self.context.new_page()
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda message: self.faults.append(f"{message.type}: {message.text}"))
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.address = path.as_uri()
        self.tab.goto(self.address + place)
        self.tab.wait_for_selector("html[data-ready]")

    def column(self, table: int, number: int) -> list[str]:
        """Texts of a column of a ranking, the first is 1."""
        return (
            self.tab.locator("table.ranking").nth(table).locator(f"tbody tr > :nth-child({number})").all_inner_texts()
        )

    def names(self, table: int | None = None) -> list[str]:
        """Names in the tables, or in one of them, as they stand there."""
        tables = self.tab.locator("table.ranking")
        place = tables if table is None else tables.nth(table)
        return [text.strip() for text in place.locator(".open").all_inner_texts()]

    def said(self) -> dict[str, str]:
        """What the address says."""
        return dict(parse_qsl(urlsplit(self.tab.url).fragment))

    def see_all(self) -> None:
        """Scroll to every plot, and wait until all are drawn."""
        for plot in self.tab.locator(".plot").all():
            self.see(plot)

    def see(self, plot: Any) -> None:
        """Scroll to a plot and wait until it is drawn; a selector, for the page forbids the eval of other waits."""
        plot.scroll_into_view_if_needed()
        plot.and_(self.tab.locator("[data-drawn]")).wait_for()

    def traces(self, label: str) -> list[dict[str, Any]]:
        """What the plot whose label begins so has drawn."""
        plot = self.tab.locator(f".plot[aria-label^='{label}']").first
        self.see(plot)
        return plot.evaluate(
            "(plot) => plot.data.map(({ name, x, y, customdata, error_x }) => ({ name, x, y, customdata, error_x }))"
        )


@pytest.fixture
def opened(drawn: tuple[Path, list[Board]], chromium: Any) -> Iterator[Any]:
    """``opened(theme=…, size=…)``: a reader of the page; none may meet a fault or ask for anything."""
    readers: list[Reader] = []

    def open_page(**how: Any) -> Reader:
        readers.append(Reader(chromium, drawn[0], **how))
        return readers[-1]

    yield open_page
    for reader in readers:
        outside = [url for url in reader.requests if not url.startswith(("blob:", "data:", reader.address))]
        reader.context.close()
        assert (reader.faults, outside) == ([], [])


def violations(reader: Reader) -> list[str]:
    """Serious and critical faults that axe-core finds."""
    if importlib.util.find_spec("axe_playwright_python") is None:
        pytest.skip("needs axe-playwright-python: pip install 'mirbench[browser]'")
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(reader.tab).response["violations"]
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


# Tables


def test_rows_stand_in_the_order_of_the_table(opened: Any, drawn: Any) -> None:
    ranked = [row.name for row in drawn[1][0].rows]
    assert opened().names() == ranked


def sorted_as(head: Any, order: Any) -> None:
    """Wait for a table that is sorted so: it does that after the click."""
    from playwright.sync_api import expect

    expect(head).to_have_attribute("aria-sort", order)


def test_head_sorts_both_ways(opened: Any, drawn: Any) -> None:
    reader = opened()
    before = reader.names()
    head = reader.tab.locator("table.ranking").first.locator("thead th", has_text="method + source")
    head.locator("[role=button]").click()
    sorted_as(head, "ascending")
    ascending = reader.names(0)
    assert ascending == sorted(ascending)
    assert ascending != before[: len(ascending)]
    head.locator("[role=button]").press("Enter")
    sorted_as(head, "descending")
    assert reader.names(0) == ascending[::-1]


def test_numbers_sort_as_numbers_and_what_is_missing_comes_last(opened: Any) -> None:
    reader = opened()
    heads = reader.tab.locator("table.ranking").first.locator("thead th")
    place = next(n for n, text in enumerate(heads.all_inner_texts()) if text.startswith("trainable"))
    for _ in range(2):
        before = heads.nth(place).get_attribute("aria-sort")
        heads.nth(place).locator("[role=button]").click()
        sorted_as(heads.nth(place), re.compile("descending" if before == "ascending" else "ascending|descending"))
        shown = reader.column(0, place + 1)
        numbers = [int(text.replace(",", "")) for text in shown if text != "—"]
        assert sorted(numbers) in (numbers, numbers[::-1])
        assert (len(set(numbers)) > 3, shown[len(numbers) :]) == (True, ["—"])


def test_rows_are_filtered_by_words(opened: Any) -> None:
    reader = opened()
    reader.tab.get_by_label("Filter by words").fill("svm large")
    assert [name.replace(" [unknown]", "") for name in reader.names()] == ["probe-svm + large"]
    assert reader.tab.locator(".left").inner_text().startswith("1 of ")


def test_rows_are_filtered_by_family_and_source(opened: Any) -> None:
    reader = opened()
    reader.tab.get_by_label("Method", exact=True).select_option("…-nmr")
    assert {name.split(" ")[0] for name in reader.names()} == {"id-nmr", "ids-nmr"}
    reader.tab.get_by_label("Source", exact=True).select_option("tiny")
    assert sorted(reader.names()) == ["id-nmr + tiny", "ids-nmr + tiny"]


def test_contaminated_rows_say_so_and_can_be_hidden(opened: Any) -> None:
    reader = opened()
    assert reader.tab.locator("table.ranking .grave").all_text_contents() == [
        "trained on this data (source trained on tones)"
    ]
    before = reader.names()
    reader.tab.get_by_label("without contaminated sources").check()
    assert sorted(set(before) - set(reader.names())) == ["ids-nmr + large"]


def test_rows_of_fewer_folds_stand_apart(opened: Any) -> None:
    reader = opened()
    tables = reader.tab.locator("table.ranking")
    assert tables.count() == 2
    assert [text.strip() for text in tables.nth(1).locator(".open").all_inner_texts()] == ["lacking + tiny"]


def test_rows_that_share_a_rank_show_it(opened: Any, drawn: Any) -> None:
    ranks = [row.rank for row in drawn[1][0].rows if row.rank is not None]
    wanted = [f"={rank}" if ranks.count(rank) > 1 else str(rank) for rank in ranks]
    assert [text.replace("shared", "").strip() for text in opened().column(0, 1)] == wanted
    assert any(text.startswith("=") for text in wanted)


def test_task_is_chosen_by_its_name(opened: Any) -> None:
    reader = opened()
    reader.tab.locator("#task").select_option(label="tones+shots2")
    assert reader.tab.locator("h2").first.inner_text() == "tones+shots2"
    assert "Synthesised audio" in reader.tab.locator(".warning").first.inner_text()
    assert reader.names() == ["probe-svm + tiny"]


def test_sections_are_there_only_where_runs_are(opened: Any) -> None:
    reader = opened()
    whole = reader.tab.locator("main h3").all_inner_texts()
    reader.tab.locator("#task").select_option(label="tones+shots2")
    few = reader.tab.locator("main h3").all_inner_texts()
    assert set(whole) - set(few) == {"Not ranked", "Learning curves", "Deformations", "Without a result"}
    assert "Few-shot" in few


# Records


def test_record_opens_and_closes_by_the_keyboard(opened: Any) -> None:
    reader = opened()
    name = reader.tab.locator(".open").first
    name.focus()
    reader.tab.keyboard.press("Enter")
    dialog = reader.tab.get_by_role("dialog")
    assert dialog.get_attribute("open") is not None
    assert reader.tab.evaluate("document.activeElement.textContent") == "Close"
    for _ in range(12):  # the focus cannot leave it
        reader.tab.keyboard.press("Tab")
        assert reader.tab.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    reader.tab.keyboard.press("Escape")
    assert dialog.count() == 0
    assert name.evaluate("(button) => button === document.activeElement")


def test_record_says_what_was_asked_and_how_to_repeat_it(opened: Any, drawn: Any) -> None:
    row = drawn[1][0].rows[0]
    reader = opened()
    reader.tab.locator(".open").first.click()
    said = reader.tab.get_by_role("dialog").inner_text()
    assert row.name in said
    assert f"mirbench run --task tones --method {row.system.record.spec.method}" in said
    for run in row.system.runs:
        assert run.record.spec.key in said
    assert "a processor" in said
    assert "a" * 64 in said


def test_record_has_an_address(opened: Any, drawn: Any) -> None:
    row = drawn[1][0].rows[2]
    reader = opened(place=f"#tones/{row.key}")  # as older pages wrote it
    assert reader.tab.locator("#record-name").inner_text() == row.name
    reader.tab.keyboard.press("Escape")
    reader.tab.wait_for_url(re.compile("#task=tones$"), timeout=5000)  # the dialog closes in its own time


# Columns, address, files


def visible_heads(reader: Reader) -> list[str]:
    return [text.strip() for text in reader.tab.locator("table.ranking").first.locator("thead th").all_inner_texts()]


@pytest.mark.parametrize("width", [400, 700, 1000, 1400])
def test_columns_fit_the_window(width: int, opened: Any) -> None:
    reader = opened(size={"width": width, "height": 800})
    fits = (
        "document.querySelector('.ranking').offsetWidth <= document.querySelector('.ranking').parentElement.clientWidth"
    )
    assert reader.tab.evaluate(fits)
    assert reader.tab.evaluate("document.documentElement.scrollWidth") == width


def test_column_is_shown_when_it_is_chosen_and_the_address_holds_it(opened: Any) -> None:
    reader = opened(size=PHONE)
    before = visible_heads(reader)
    reader.tab.locator(".columns-menu summary").click()
    reader.tab.get_by_label("macro-F1").check()
    after = visible_heads(reader)
    assert (set(after) - set(before), "macro-f1" in reader.said()["columns"]) == ({"macro-F1"}, True)
    reader.tab.reload()
    reader.tab.wait_for_selector("html[data-ready]")
    assert visible_heads(reader) == after


def test_head_stays_in_sight_and_so_does_the_name_of_a_wide_table(opened: Any) -> None:
    reader = opened(place="#task=tones&columns=accuracy,interval,p,trainable,total,train-seconds,macro-f1,runs,roc-auc",
                    size={"width": 700, "height": 400})  # fmt: skip
    where = "document.querySelector('.ranking').parentElement"
    reader.tab.evaluate(f"{where}.scrollIntoView(); {where}.scrollTo(400, 60)")
    box = reader.tab.locator(".ranking").locator("xpath=..").first.bounding_box()
    head = reader.tab.locator(".ranking thead th").nth(3).bounding_box()
    name = reader.tab.locator(".ranking tbody th").nth(3).bounding_box()
    assert (round(head["y"] - box["y"]), 0 <= name["x"] - box["x"] < 90) == (0, True)


def test_head_of_a_table_that_fits_stays_at_the_top_of_the_window(opened: Any) -> None:
    reader = opened(size={"width": 1280, "height": 300})
    reader.tab.locator(".ranking tbody tr").nth(6).scroll_into_view_if_needed()
    assert reader.tab.evaluate("scrollY") > 300
    assert round(reader.tab.locator(".ranking thead th").first.bounding_box()["y"]) == 0


def test_address_holds_filters_and_order(opened: Any) -> None:
    reader = opened()
    reader.tab.get_by_label("Filter by words").fill("probe")
    reader.tab.get_by_label("Source", exact=True).select_option("tiny")
    reader.tab.locator("table.ranking thead th", has_text="method + source").first.locator("[role=button]").click()
    reader.tab.wait_for_url(re.compile("sort=system"))
    assert reader.said() == {"task": "tones", "words": "probe", "source": "tiny", "sort": "system:asc"}
    names = reader.names()
    again = opened(place=f"#{urlsplit(reader.tab.url).fragment}")
    assert (again.names(), len(names)) == (names, 2)


def test_back_leads_to_the_screen_before(opened: Any) -> None:
    reader = opened(place="")
    assert reader.tab.locator("h2").first.inner_text() == "All tasks"
    reader.tab.locator("main").get_by_role("link", name="tones", exact=True).click()
    reader.tab.wait_for_selector("table.ranking")
    reader.tab.go_back()
    reader.tab.locator("h2", has_text="All tasks").wait_for()


def saved(reader: Reader, kind: str) -> str:
    with reader.tab.expect_download() as waiting:
        reader.tab.get_by_role("button", name=f"Save as {kind}").click()
    return Path(waiting.value.path()).read_text(encoding="utf-8")


def test_saved_csv_has_what_is_shown(opened: Any, drawn: Any) -> None:
    reader = opened()
    reader.tab.get_by_label("Filter by words").fill("probe")
    rows = list(csv.DictReader(io.StringIO(saved(reader, "CSV"))))
    known = {row.key: row for row in drawn[1][0].rows}
    assert [row["key"] for row in rows] == [row.key for row in known.values() if row.name.startswith("probe")]
    for row in rows:
        board_row = known[row["key"]]
        assert float(row["accuracy"]) == board_row.metrics["accuracy"][0]
        assert float(row["interval_high"]) == board_row.interval.high


def test_saved_json_has_what_is_shown(opened: Any, drawn: Any) -> None:
    reader = opened()
    reader.tab.get_by_label("Source", exact=True).select_option("large")
    held = json.loads(saved(reader, "JSON"))
    wanted = [row.key for row in drawn[1][0].rows if row.system.record.spec.source == "large"]
    assert ([row["key"] for row in held["systems"]], held["task"]) == (wanted, "tones")
    assert held["shown"]["source"] == "large"


CELLS = ("=1+1", "+1", "-2.5", "-1e3", "@x", " =x", "a,b", 'a"b', "plain", "＝1", "-", "inf", "-inf", "+ 1", "")


def test_cells_are_escaped_as_every_csv_is(tmp_path: Path, chromium: Any) -> None:
    script = files("mirbench.leaderboard.page").joinpath("saving.js").read_text(encoding="utf-8")
    tab = chromium.new_page()
    shown = tab.evaluate(f"(cells) => {{ {script}; return cells.map(csvCell); }}", list(CELLS))
    tab.close()
    assert [(next(csv.reader([cell]), None) or [""])[0] for cell in shown] == [csv_cell(cell) for cell in CELLS]


def test_bars_of_intervals_stand_on_one_axis_below_zero_too(tmp_path: Path, chromium: Any) -> None:
    """An end below zero takes more letters, which must not move the bar beside it."""
    for method, skill in (("good", 0.9), ("bad", 0.0)):
        write(tmp_path / "runs", replace(SPEC, method=method), skill)
    (board,) = boards(tmp_path / "runs")
    good, bad = board.rows
    assert bad.interval is not None
    below = replace(bad, interval=replace(bad.interval, low=-0.31))
    path = tmp_path / "page.html"
    path.write_text(page([replace(board, rows=[good, below])]), encoding="utf-8")
    reader = Reader(chromium, path)
    marks = reader.tab.locator("table.ranking .bar, table.ranking thead .axis")
    lefts = {round(box["x"]) for mark in marks.all() if (box := mark.bounding_box())}
    assert "-0.31 to " in reader.tab.locator("table.ranking tbody").first.inner_text()
    assert (marks.count() >= 3, len(lefts), reader.faults) == (True, 1, [])
    reader.context.close()


# Two rows side by side


def test_comparison_says_values_p_and_what_was_asked(opened: Any, drawn: Any) -> None:
    first, second = (row for row in drawn[1][0].rows if row.system.record.spec.method in ("id-nmr", "probe-svm")
                     and row.system.record.spec.source == "tiny")  # fmt: skip
    reader = opened(place=f"#task=tones&compare={first.key},{second.key}")
    dialog = reader.tab.get_by_role("dialog")
    said = dialog.inner_text()
    assert f"p = {first.p_others[second.key]:.3f}" in said or "p < 0.001" in said
    line = dialog.locator("tr", has_text=re.compile("^accuracy")).first.inner_text()
    gap = second.metrics["accuracy"][0] - first.metrics["accuracy"][0]
    assert line.split()[-1] == f"−{abs(gap):.3f}"
    asked = dialog.locator("section", has_text="Asked differently").inner_text()
    assert "probe-svm" in asked
    assert "source" not in asked


def test_comparison_is_chosen_in_the_page(opened: Any, drawn: Any) -> None:
    reader = opened()
    reader.tab.get_by_role("button", name="Compare two").click()
    row = drawn[1][0].rows[3]
    reader.tab.get_by_label("System B").select_option(row.key)
    assert reader.said()["compare"].endswith(row.key)
    assert violations(reader) == []
    reader.tab.keyboard.press("Escape")
    reader.tab.wait_for_url(re.compile("#task=tones$"))


# First screen, sources


@pytest.mark.parametrize(
    ("kinds", "head"),
    [
        (("single-label", "multi-label"), "classes"),
        (("regression", "regression"), "targets"),
        (("single-label", "regression"), "classes, targets"),
    ],
)
def test_first_screen_counts_classes_and_targets_by_their_names(
    kinds: tuple[str, ...], head: str, tmp_path: Path, chromium: Any
) -> None:
    write(tmp_path / "runs", SPEC, 0.9)
    (board,) = boards(tmp_path / "runs")
    made = [replace(board, title=f"task {number}", kind=kind) for number, kind in enumerate(kinds)]
    path = tmp_path / "page.html"
    path.write_text(page(made), encoding="utf-8")
    reader = Reader(chromium, path, place="")
    heads = reader.tab.locator(".kinds thead th").all_inner_texts()
    assert ([text for text in heads if "classes" in text or "targets" in text], reader.faults) == ([head], [])
    of_heads = reader.tab.locator(".kinds thead th")
    assert not of_heads.evaluate_all("all => all.some(one => one.scrollWidth > one.clientWidth)")  # cut off
    reader.context.close()


def test_first_screen_has_every_task_with_its_best(opened: Any, drawn: Any) -> None:
    reader = opened(place="")
    assert reader.tab.locator(".kinds tbody th").all_inner_texts() == [board.title for board in drawn[1]]
    assert drawn[1][0].rows[0].name in reader.tab.locator(".kinds tbody tr").first.inner_text()
    assert f"mirbench {__version__}" in reader.tab.locator(".summary").first.inner_text()


def test_matrix_has_average_ranks_and_says_what_they_are_of(tmp_path: Path, chromium: Any) -> None:
    for task in ("tones", "noises"):
        for method, skill in (("good", 0.9), ("fair", 0.5), ("bad", 0.0)):
            write(tmp_path, replace(SPEC, task=task, method=method), skill)
    write(tmp_path, replace(SPEC, method="alone"), 0.7)
    path = tmp_path / "page.html"
    path.write_text(page(boards(tmp_path)), encoding="utf-8")
    reader = Reader(chromium, path, place="")
    lines = [line.split() for line in reader.tab.locator(".matrix tbody tr").all_inner_texts()]
    assert [(line[0], line[3]) for line in lines] == [
        ("good", "1.00"),
        ("fair", "2.00"),
        ("bad", "3.00"),
        ("alone", "—"),
    ]
    said = reader.tab.locator("section", has_text="Systems over these tasks").inner_text()
    assert "of the 3 systems that all of noises, tones have" in said
    assert "less than 2.34 apart" in said  # 2.343 * sqrt(3 * 4 / (6 * 2)), with q of Demsar's table 5
    assert (violations(reader), reader.faults) == ([], [])
    reader.context.close()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("place", ["", "#about=tiny"], ids=["tasks", "source"])
def test_axe_finds_no_serious_fault_on_other_screens(place: str, size: Any, opened: Any) -> None:
    reader = opened(place=place, size=size)
    assert violations(reader) == []
    assert reader.tab.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_source_has_its_rows_and_links(opened: Any, drawn: Any) -> None:
    reader = opened(place="#about=tiny")
    rows = [row for board in drawn[1] for row in board.rows if row.system.record.spec.source == "tiny"]
    assert reader.tab.locator(".tasks tbody tr").count() == len(rows)
    assert reader.tab.get_by_role("link", name="https://example.org/tiny").get_attribute("href") == (
        "https://example.org/tiny"
    )


# Plots


def test_front_shows_the_systems_at_their_costs(opened: Any, drawn: Any) -> None:
    reader = opened()
    board = drawn[1][0]
    reader.tab.get_by_label("Cost").select_option("train-seconds")
    assert reader.said()["cost"] == "train-seconds"
    traces = {trace["name"]: trace for trace in reader.traces("accuracy against s to train")}
    shown = {key: (x, y) for t in traces.values() for key, x, y in zip(t["customdata"], t["x"], t["y"], strict=True)}
    known = {row.key: (row.train_seconds, row.metrics["accuracy"][0]) for row in board.rows}
    assert {key: pytest.approx(value) for key, value in known.items()} == shown
    front = [(x, y) for x, y in zip(traces["front"]["x"], traces["front"]["y"], strict=True)]
    beaten = [a for a in front for x, y in known.values() if x <= a[0] and y > a[1]]
    assert (beaten, front) == ([], sorted(front))


def test_front_has_a_place_for_nothing_trained(opened: Any) -> None:
    reader = opened(place="#task=tones&cost=trainable")
    ticks = reader.traces("accuracy against trainable")
    shown = reader.tab.locator(".plot[aria-label^='accuracy against trainable'] .xtick text").all_text_contents()
    assert shown[0] == "0"
    assert min(x for trace in ticks for x in trace["x"]) == 10


def test_forest_shows_the_intervals(opened: Any, drawn: Any) -> None:
    (trace,) = opened().traces("95 % intervals of accuracy")
    rows = drawn[1][0].rows
    assert trace["customdata"] == [row.key for row in rows]
    assert trace["x"] == pytest.approx([row.metrics["accuracy"][0] for row in rows])
    ends = [x + more for x, more in zip(trace["x"], trace["error_x"]["array"], strict=True)]
    assert ends == pytest.approx([row.interval.high for row in rows])


def test_learning_curves_show_the_runs_of_the_chosen_system(opened: Any, drawn: Any) -> None:
    reader = opened()
    row = drawn[1][0].rows[3]
    reader.tab.locator("section", has_text="Learning curves").last.get_by_label("System").select_option(row.key)
    traces = reader.traces(f"loss of {row.name}")
    learnt = [run for run in row.system.runs if run.record.history]
    assert (len(traces), len(learnt) > 1) == (2 * len(learnt), True)
    assert traces[0]["y"] == pytest.approx([step["loss"] for step in HISTORY], abs=1e-4)


def test_curves_show_deformations_and_few_shot(opened: Any) -> None:
    reader = opened()
    assert reader.traces("gain")[0]["y"] == pytest.approx([0.9, 0.8, 0.7])
    assert [trace["x"] for trace in reader.traces("Few-shot")] == [[6, 24, 60]]


def test_confusion_shows_the_chosen_system(opened: Any, drawn: Any) -> None:
    reader = opened()
    row = drawn[1][0].rows[1]
    section = reader.tab.locator("section", has=reader.tab.get_by_role("heading", name="Confusion matrix"))
    section.get_by_label("System").select_option(row.key)
    texts = section.locator("tbody td").all_inner_texts()
    right = sum(int(text) for text in texts[::4] if text != "·")
    stack = row.system.stack
    assert right == round(row.metrics["accuracy"][0] * stack.scores.shape[0] * stack.scores.shape[1])


def test_click_on_a_point_opens_its_record(opened: Any, drawn: Any) -> None:
    reader = opened()
    reader.traces("95 % intervals of accuracy")
    point = reader.tab.locator(".plot[aria-label^='95 % intervals'] .points path").first
    box = point.bounding_box()
    reader.tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    reader.tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert reader.tab.locator("#record-name").inner_text() == drawn[1][0].rows[0].name


# Theme


def test_theme_follows_the_system_and_the_switch(opened: Any) -> None:
    def ground() -> str:
        return reader.tab.evaluate("getComputedStyle(document.body).backgroundColor")

    reader = opened(theme="dark")
    dark = ground()
    reader.tab.get_by_role("button", name="Switch to").click()
    assert (ground() != dark, ground()) == (True, "rgb(255, 255, 255)")
    reader.tab.reload()
    reader.tab.wait_for_selector("html[data-ready]")
    assert ground() == "rgb(255, 255, 255)"


def test_theme_is_that_of_the_plots(opened: Any) -> None:
    from playwright.sync_api import expect

    reader = opened()
    reader.traces("95 % intervals of accuracy")
    text = reader.tab.locator(".plot[aria-label^='95 %'] .ytick text").first
    light = text.evaluate("(text) => getComputedStyle(text).fill")
    reader.tab.get_by_role("button", name="Switch to").click()
    expect(text).not_to_have_css("fill", light)


def test_theme_button_says_what_it_does(opened: Any) -> None:
    button = opened(theme="dark").tab.get_by_role("button", name="Switch to")
    assert button.inner_text() == "Switch to light"
    button.click()
    assert button.inner_text() == "Switch to dark"


# Paper


def test_plots_are_drawn_without_being_scrolled_to(opened: Any) -> None:
    tab = opened().tab
    for plot in tab.locator(".plot").all():
        plot.and_(tab.locator("[data-drawn]")).wait_for()
    assert tab.evaluate("scrollY") == 0


def test_paper_is_light_and_cuts_no_table_and_no_plot(opened: Any) -> None:
    tab = opened(theme="dark").tab
    for plot in tab.locator(".plot").all():
        plot.and_(tab.locator("[data-drawn]")).wait_for()
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    ends = tab.evaluate(
        "[...document.querySelectorAll('main table, .plot svg')].map((one) => one.getBoundingClientRect())"
        ".map((box) => box.right - document.querySelector('main').getBoundingClientRect().left)"
    )
    assert (len(ends) > 8, max(ends) <= 1001) == (True, True)
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert tab.evaluate("document.querySelectorAll('details[open]').length") == 0


def test_printed_page_has_every_row(opened: Any, tmp_path: Path) -> None:
    reader = opened()
    for plot in reader.tab.locator(".plot").all():
        plot.and_(reader.tab.locator("[data-drawn]")).wait_for()
    shown = reader.tab.pdf(prefer_css_page_size=True)
    assert 3 <= shown.count(b"/Type /Page\n") <= 12
    assert b"/MediaBox [0 0 841" in shown  # A4 across


# Phone, screen reader


def test_phone_scrolls_down_alone(opened: Any) -> None:
    reader = opened(size=PHONE)
    reader.see_all()
    assert reader.tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    reader.tab.locator(".open").first.click()
    assert (
        reader.tab.evaluate(
            "(() => { const d = document.querySelector('dialog'); return d.scrollWidth - d.clientWidth })()"
        )
        == 0
    )


def test_phone_shows_rank_name_score_with_its_interval_and_one_cost(opened: Any) -> None:
    reader = opened(size=PHONE)
    heads = reader.tab.locator("table.ranking").first.locator("thead th").all_inner_texts()
    assert [text.strip() for text in heads] == ["rank", "method + source", "accuracy", "trainable"]
    for cell in ("tbody td.figure >> nth=-1", ".below >> nth=0"):
        box = reader.tab.locator(f"table.ranking >> nth=0 >> {cell}").bounding_box()
        assert box["x"] + box["width"] <= PHONE["width"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_serious_fault(theme: str, size: Any, opened: Any) -> None:
    reader = opened(theme=theme, size=size)
    reader.see_all()
    assert violations(reader) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_a_record(theme: str, opened: Any) -> None:
    reader = opened(theme=theme)
    reader.tab.locator(".open").first.click()
    assert violations(reader) == []


# What a page must not do


def test_page_asks_the_network_for_nothing(opened: Any) -> None:
    reader = opened()
    reader.see_all()
    assert [url for url in reader.requests if not url.startswith(("blob:", "data:"))] == [reader.address]


def test_names_with_markup_do_nothing(tmp_path: Path, chromium: Any) -> None:
    classes = (NASTY, "low", "middle")
    for fold in range(2):
        spec = replace(SPEC, task=NASTY, method=NASTY, source=NASTY, params={NASTY: NASTY}, fold=fold)
        facts = {"contaminated": (NASTY,), "history": HISTORY, "environment": {"processor": NASTY}, "n_folds": 2,
                 "n_trainable": 7, "seconds": {"train": 1.0}, "changed": {NASTY: NASTY}}  # fmt: skip
        write_curves(write(tmp_path, spec, 0.5, classes, **facts))
        write(tmp_path, replace(spec, task=f"{NASTY}+shots2"), 0.5, classes, **facts)
    write_failed(tmp_path, NASTY)
    path = tmp_path / "page.html"
    path.write_text(page(boards(tmp_path), title=NASTY), encoding="utf-8")
    reader = Reader(chromium, path)
    for place in range(reader.tab.locator("#task option").count()):
        reader.tab.locator("#task").select_option(index=place)
        reader.see_all()
        for plot in reader.tab.locator(".plot").all():
            plot.hover()
        if reader.tab.locator(".open").count():
            reader.tab.locator(".open").first.click()
            reader.tab.keyboard.press("Escape")
    injected = "document.querySelectorAll('img, main script, dialog script').length"
    assert (reader.tab.evaluate("window.hit"), reader.tab.evaluate(injected)) == (None, 0)
    assert reader.faults == []
    reader.context.close()


@pytest.mark.slow
def test_500_records_are_interactive_soon(tmp_path: Path, chromium: Any) -> None:
    write_many(tmp_path, 100, 5)
    path = tmp_path / "page.html"
    path.write_text(page(boards(tmp_path)), encoding="utf-8")
    times = []
    for _ in range(3):
        reader = Reader(chromium, path, place="")
        times.append(reader.tab.evaluate("performance.getEntriesByName('interactive')[0].startTime"))
        assert len(reader.names()) == 100
        reader.context.close()
    print(
        f"500 records, {path.stat().st_size / 1e6:.2f} MB: interactive after {', '.join(f'{t:.0f}' for t in times)} ms"
    )
    assert path.stat().st_size < 8e6
    assert min(times) < 10_000  # a loaded machine may take long; what is wanted is 2,000
