"""README, CONTRIBUTING, AGENTS and docs/ speak of what there is: links, paths, and names of the registries."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest
from markdown_it.token import Token

import mirbench
from mirbench import METRICS
from mirbench.errors import BadInput
from mirbench.features.effects import EFFECTS
from mirbench.leaderboard.columns import COLUMNS, EVERY_METRIC
from mirbench.methods import METHODS
from mirbench.methods.sources import FAMILIES as SOURCE_FAMILIES
from mirbench.methods.sources import SOURCES
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import parse_method, parse_source
from mirbench.runs.suite import shipped
from mirbench.tasks import FAMILIES as TASK_FAMILIES
from mirbench.tasks import MODIFIERS, TASKS
from tests.conftest import ROOT
from tests.pages import OF_NO_PAPER, PAGES, first_column, named, rows, spans, text_of, tokens, typed_in

FOLDERS = ("benchmark", "tasks", "methods", "leaderboard", "tests", "docs", ".ci", ".github")
PLACEHOLDERS = re.compile("NAME|TASK|FOLDER")
PATH = re.compile(rf"(?<![\w/.:-])(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """The anchors that a code host gives the headings of a text."""
    pairs = itertools.pairwise(tokens(text))
    titles = [token.content.replace("`", "") for before, token in pairs if before.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(text: str) -> list[str]:
    return [str(token.attrs["href"]) for token in tokens(text) if token.type == "link_open"]


def broken_links(text: str, folder: Path) -> list[str]:
    """Links that lead to no file, or to no heading of it."""
    found = []
    for link in links(text):
        path, _, anchor = link.partition("#")
        target = folder / path
        if "://" in link or (target.exists() and not anchor):
            continue
        if not target.exists() or anchor not in anchors(target.read_text(encoding="utf-8") if path else text):
            found.append(link)
    return found


def lacking_paths(text: str) -> list[str]:
    """Paths of the repository that nothing lies at; a placeholder stands for any word."""
    paths = [path for span in spans(text) for path in PATH.findall(span)]
    return [path for path in paths if not any(ROOT.glob(PLACEHOLDERS.sub("*", path).rstrip("/")))]


# Links and paths


@pytest.mark.parametrize("page", PAGES)
def test_page_links_to_what_is_there(page: str) -> None:
    assert broken_links(text_of(page), (ROOT / page).parent) == []


@pytest.mark.parametrize("link", ["docs/nothing.md", "docs/data.md#nothing", "#nothing"])
def test_broken_links_finds_a_planted_one(link: str) -> None:
    assert broken_links(f"# Here\n\nSee [there]({link}) and [here](#here).", ROOT) == [link]


@pytest.mark.parametrize("page", PAGES)
def test_page_names_paths_that_are_there(page: str) -> None:
    assert lacking_paths(text_of(page)) == []


@pytest.mark.parametrize("path", ["benchmark/nothing.py", "tests/nothing/", "tasks/stats/NAME.csv", "methods/*.toml"])
def test_lacking_paths_finds_a_planted_one(path: str) -> None:
    assert lacking_paths(f"`{path}`, `tasks/gtzan.py` and `python -m this tests/test_docs.py`") == [path]


def misplaced(text: str) -> list[str]:
    """Of "`word` in `file`", the words that the file does not hold."""
    found = re.findall(r"`(\w+)`(?: (?:or|and) `(\w+)`)? in `([\w/]+\.(?:py|toml))`", text)
    return [
        word
        for *words, path in found
        for word in filter(None, words)
        if not re.search(rf"\b{word}\b", (ROOT / path).read_text(encoding="utf-8"))
    ]


def test_contributing_finds_words_in_the_files_that_it_names() -> None:
    assert misplaced(text_of("CONTRIBUTING.md")) == []


def test_misplaced_finds_a_planted_one() -> None:
    assert misplaced("`TASKS` or `NOTHING` in `tasks/__init__.py`") == ["NOTHING"]


def test_index_of_docs_names_every_page() -> None:
    pages = {Path(page).name for page in PAGES if page.startswith("docs/")}
    assert pages - {"README.md"} <= set(links(text_of("docs/README.md")))


def test_readme_names_every_page_of_docs() -> None:
    pages = {page for page in PAGES if page.startswith("docs/")}
    assert pages - {"docs/README.md"} <= set(links(text_of("README.md")))


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_page_opens_with_what_it_is_for(page: str) -> None:
    kinds = [token.type for token in tokens(text_of(page))]
    assert kinds[:2] == ["heading_open", "inline"]
    assert kinds[kinds.index("heading_close") + 1] == "paragraph_open"


# Names


def test_names_of_tasks_are_those_of_the_registry() -> None:
    said = first_column("task")
    assert len(said) == len(set(said))
    assert set(said) == {name for name in TASKS if not name.endswith("-demo")}


def test_names_of_methods_are_those_of_the_registry() -> None:
    said = first_column("method")
    assert len(said) == len(set(said))
    assert set(said) == set(METHODS)


def test_names_of_sources_are_those_of_the_registry() -> None:
    said = first_column("source")
    assert len(said) == len(set(said))
    assert {name for name in said if ":" not in name} == set(SOURCES)


def test_families_of_sources_are_those_of_the_registry() -> None:
    said = {name.partition(":")[0] for name in first_column("source") if ":" in name}
    assert said == {name.partition(":")[0] for name in SOURCE_FAMILIES}


def test_families_of_tasks_are_all_told() -> None:
    said = {span.partition(":")[0] for span in spans(text_of("docs/data.md")) if ":" in span}
    assert {name.partition(":")[0] for name in TASK_FAMILIES} <= said


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("modifier", set(MODIFIERS)),
        ("metric", set(METRICS)),
        ("column", set(COLUMNS) - set(METRICS)),
        ("deformation", set(EFFECTS)),
        ("extra", set(PYPROJECT["project"]["optional-dependencies"])),
        ("suite", {name for name in shipped() if name not in OF_NO_PAPER}),
    ],
)
def test_table_of_docs_has_every_name_and_no_other(heading: str, names: set[str]) -> None:
    assert set(first_column(heading)) == names


def test_docs_name_the_suites_of_no_paper() -> None:
    swept = {words[1] for words in typed_in(text_of("docs/runs.md")) if words[0] == "sweep"}
    assert swept >= OF_NO_PAPER


def test_page_of_mirex_has_the_labels_of_its_task() -> None:
    assert first_column("label") == list(Catalogue().task("openmic").classes)


def test_docs_name_the_column_that_stands_for_every_metric() -> None:
    assert EVERY_METRIC in spans(text_of("docs/statistics.md"))


def test_docs_name_every_environment_variable_that_is_read() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8") for top in FOLDERS[:4] for path in sorted((ROOT / top).rglob("*.py"))
    )
    assert set(first_column("variable")) == set(re.findall(r"MIRBENCH_[A-Z0-9_]*[A-Z0-9]", code))


def test_docs_name_every_word_that_mirbench_exports() -> None:
    said = [name for cells in rows(text_of("docs/plugins.md"), "what for") for name in named(cells[1])]
    assert sorted(said) == sorted(mirbench.__all__)


def test_first_column_reads_the_tables_of_its_heading_alone() -> None:
    text = "| task | what |\n|---|---|\n| `a`, `b` | `c` |\n\n| other | what |\n|---|---|\n| `d` | `e` |\n"
    assert [named(cells[0]) for cells in rows(text, "task")] == [["a", "b"]]


def settings_of(cell: Token) -> tuple[set[str], set[str], list[str], list[str]]:
    """Methods, sources, settings and options of sources in a row of the papers' systems.

    Raises
    ------
    BadInput
        If a name is none.
    """
    given: dict[str, list[str]] = {"--method": [], "--source": [], "--set": [], "--source-set": []}
    for name in named(cell):
        words = name.split()
        for flag, value in itertools.pairwise(words):
            if flag in given:
                given[flag].append(value)
        if len(words) == 1:
            given["--method"] += [name] if name in METHODS else []
            given["--source"] += [name] if name in SOURCES else []
            if name not in METHODS and name not in SOURCES and name not in shipped():
                raise BadInput(f"{name} is no method, source or suite")
    return set(given["--method"]), set(given["--source"]), given["--set"], given["--source-set"]


SYSTEMS = list(rows(text_of("docs/papers.md"), "paper"))


@pytest.mark.parametrize("cells", SYSTEMS, ids=[cells[1].content for cells in SYSTEMS])
def test_systems_of_papers_take_the_settings_that_are_printed(cells: list[Token]) -> None:
    methods, sources, settings, options = settings_of(cells[2])
    assert methods
    catalogue = Catalogue()
    for name in methods:
        kind = catalogue.method(name)
        assert all(parse_method(kind, [setting]) for setting in settings)
    for name in sources:
        card = catalogue.source(name)
        assert all(parse_source(card, [option]) for option in options)


@pytest.mark.parametrize(
    "text", ["`--method nothing`", "`--method finetune --set nothing=1`", "`--method nrp` (`nothing`)"]
)
def test_systems_of_papers_refuse_a_planted_fault(text: str) -> None:
    (cells,) = rows(f"| paper | system | flags |\n|---|---|---|\n| a | b | {text} |\n", "paper")
    with pytest.raises(BadInput, match="nothing"):
        test_systems_of_papers_take_the_settings_that_are_printed(cells)
