"""README, CONTRIBUTING, AGENTS and docs/ speak of what there is: links, paths, names, commands and flags."""

from __future__ import annotations

import functools
import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

import mirbench
from mirbench import METRICS, cli
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

PAGES = ("README.md", "CONTRIBUTING.md", "AGENTS.md", *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")))
FOLDERS = ("benchmark", "tasks", "methods", "leaderboard", "tests", "docs", ".ci", ".github")
PLACEHOLDERS = re.compile("NAME|TASK|FOLDER")
PATH = re.compile(rf"(?<![\w/.:-])(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*")
RUN = re.compile(r"(?P<task>[\w-]+)/(?P<method>[\w-]+)(?:\+(?P<source>[\w-]+))?")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@functools.cache
def tokens(text: str) -> tuple[Token, ...]:
    """Tokens of a text, those inside a line after the line."""
    found: list[Token] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        found += [token, *(token.children or ())]
    return tuple(found)


def spans(text: str) -> list[str]:
    """What stands in backticks."""
    return [token.content for token in tokens(text) if token.type == "code_inline"]


def fences(text: str, language: str) -> list[str]:
    return [token.content for token in tokens(text) if token.type == "fence" and token.info == language]


def rows(text: str, heading: str) -> Iterator[list[Token]]:
    """The cells of every row of the tables whose first column is called so."""
    cells: list[Token] = []
    ours = False
    for before, token in itertools.pairwise(tokens(text)):
        if before.type == "tr_open":
            cells = []
        if before.type in ("th_open", "td_open"):
            cells.append(token)
        if token.type == "tr_close" and before.type == "th_close":
            ours = cells[0].content == heading
        elif token.type == "tr_close" and ours:
            yield cells


def named(cell: Token) -> list[str]:
    return [token.content for token in cell.children or () if token.type == "code_inline"]


def first_column(heading: str) -> list[str]:
    """What stands in backticks in the first column of the tables of docs/ that begin with this heading."""
    pages = (page for page in PAGES if page.startswith("docs/"))
    return [name for page in pages for cells in rows(text_of(page), heading) for name in named(cells[0])]


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


def words_of(line: str) -> Iterator[list[str]]:
    """The words of each command of mirbench in a line of a shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    command: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("();<>|&"):
            if command[:1] == ["mirbench"]:
                yield command[1:]
            command = []
        else:
            command.append(word)


def typed_in(text: str) -> list[list[str]]:
    """Commands of mirbench in the blocks of sh, as words."""
    lines = (line for block in fences(text, "sh") for line in block.splitlines())
    return [words for line in lines for words in words_of(line)]


def said_in(text: str) -> list[list[str]]:
    """Commands of mirbench in backticks, as words."""
    return [words for span in spans(text) if span.startswith("mirbench ") for words in words_of(span)]


def command_of(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that words call, and what they give it.

    Raises
    ------
    KeyError
        If there is none.
    """
    command: Any = typer.main.get_command(cli.app)
    left = list(words)
    while hasattr(command, "commands") and left and not left[0].startswith("-"):
        command = command.commands[left.pop(0)]
    return command, left


def flags_of(command: Any) -> set[str]:
    return {"--help", *(flag for option in command.params for flag in (*option.opts, *option.secondary_opts))}


def unknown_words(words: Sequence[str]) -> list[str]:
    """Of the words of a command, its own name or the flags that there are not."""
    try:
        command, left = command_of(words)
    except KeyError as error:
        return [str(error.args[0])]
    given = [word.partition("=")[0] for word in left if re.match("--?[a-z]", word)]
    return [flag for flag in given if flag not in flags_of(command)]


def parse(words: Sequence[str]) -> None:
    """Read words as the command line does, and do nothing; raises what it says of bad usage."""
    command, left = command_of(words)
    command.make_context(" ".join(words), left)


def is_known(kind: str, name: str) -> bool:
    """Whether a name is in the registry of its kind, or of one of its families; a task's with modifiers."""
    table, families = {
        "task": (TASKS, TASK_FAMILIES),
        "method": (METHODS, {}),
        "source": (SOURCES, SOURCE_FAMILIES),
    }[kind]
    base, *words = name.split("+") if kind == "task" else [name]
    modified = all(any(f"+{word}".startswith(known.rstrip("KF")) for known in MODIFIERS) for word in words)
    family = base.partition(":")[0] in {known.partition(":")[0] for known in families} and ":" in base
    return modified and (base in table or family)


def unknown_names(words: Sequence[str]) -> list[str]:
    """Names in a command that no registry has; with a plugin, names may be its own."""
    if "--plugin" in words:
        return []
    asked = [(flag.removeprefix("--"), name) for flag, name in itertools.pairwise(words)]
    asked = [(kind, name) for kind, name in asked if kind in ("task", "method", "source")]
    if words[0] in ("compare", "ensemble", "predict"):
        runs = [found.groupdict() for found in map(RUN.fullmatch, words[1:]) if found]
        asked += [(kind, name) for run in runs for kind, name in run.items() if name]
    unknown = [name for kind, name in asked if not is_known(kind, name)]
    if words[0] in ("sweep", "reproduce") and not words[1].startswith("-"):
        unknown += [words[1]] if words[1] not in shipped() and not words[1].endswith(".toml") else []
    return unknown


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


# Commands


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_page_are_read_by_the_command_line(page: str) -> None:
    for words in typed_in(text_of(page)):
        assert unknown_words(words) == []
        parse(words)


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_page_use_names_that_are_known(page: str) -> None:
    assert [name for words in typed_in(text_of(page)) for name in unknown_names(words)] == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_backticks_have_flags_that_there_are(page: str) -> None:
    assert [word for words in said_in(text_of(page)) for word in unknown_words(words)] == []


@pytest.mark.parametrize("page", PAGES)
def test_flags_in_backticks_are_of_some_command(page: str) -> None:
    root: Any = typer.main.get_command(cli.app)
    groups = [root, *(held for held in root.commands.values() if hasattr(held, "commands"))]
    flags = {flag for group in groups for command in group.commands.values() for flag in flags_of(command)}
    ours = [span.split()[0].partition("=")[0] for span in spans(text_of(page)) if span.startswith("--")]
    of_others = {"--extra-index-url", "--config-file"}
    assert set(ours) - of_others <= flags


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("mirbench fly gtzan", "fly"),
        ("mirbench data fly gtzan", "fly"),
        ("mirbench run --task gtzan --methods prior", "--methods"),
        ("pip install . && mirbench list | mirbench show --plugins=x ast > file", "--plugins"),
    ],
)
def test_unknown_words_finds_a_planted_one(line: str, unknown: str) -> None:
    (*_, words) = words_of(line)
    assert unknown_words(words) == [unknown]


@pytest.mark.parametrize("line", ["mirbench run --task gtzan", "mirbench compare a", "mirbench predict run x --top no"])
def test_parse_refuses_a_planted_fault(line: str) -> None:
    (words,) = words_of(line)
    with pytest.raises(Exception, match=r"Missing|valid integer"):
        parse(words)


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("mirbench run --task gtzn --method prior", ["gtzn"]),
        ("mirbench run --task gtzan+loud --method prior", ["gtzan+loud"]),
        ("mirbench run --task folders:here --method prior", ["folders:here"]),
        ("mirbench run --task csv:a.csv+folds5 --method probe --source timm:resnet18", ["probe"]),
        ("mirbench compare gtzan/prior gtzan/knn+nono", ["nono"]),
        ("mirbench sweep hung2022-table9 --dry-run", ["hung2022-table9"]),
    ],
)
def test_unknown_names_finds_a_planted_one(line: str, unknown: list[str]) -> None:
    (words,) = words_of(line)
    assert unknown_names(words) == unknown


def test_docs_mention_every_command() -> None:
    root: Any = typer.main.get_command(cli.app)
    every = {(name,) for name, command in root.commands.items() if not hasattr(command, "commands")}
    every |= {(group, name) for group in root.commands for name in getattr(root.commands[group], "commands", ())}
    said = [words for page in PAGES for words in [*typed_in(text_of(page)), *said_in(text_of(page))]]
    assert {names for names in every if not any(tuple(words[: len(names)]) == names for words in said)} == set()


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
        ("suite", {name for name in shipped() if name not in ("every-method", "from-scratch")}),
    ],
)
def test_table_of_docs_has_every_name_and_no_other(heading: str, names: set[str]) -> None:
    assert set(first_column(heading)) == names


def test_docs_name_the_suites_of_no_paper() -> None:
    swept = {words[1] for words in typed_in(text_of("docs/runs.md")) if words[0] == "sweep"}
    assert {"every-method", "from-scratch"} <= swept


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
