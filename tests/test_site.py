"""The site of docs: every page is in it, its parts are what the package has, and it builds without a warning."""

from __future__ import annotations

import html.parser
import importlib.util
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from packaging.requirements import Requirement

import mirbench
from mirbench.methods import METHODS
from mirbench.methods.sources import SOURCES
from mirbench.runs.suite import shipped
from mirbench.tasks import TASKS
from tests.conftest import ROOT
from tests.pages import words_of
from tests.test_documented_commands import parse

DOCS = ROOT / "docs"
MADE = ("cards", "gallery", "project", "reference", "_build")
"""Folders of docs that a build makes."""
EXAMPLES = sorted(DOCS.glob("examples/*.py"))
KINDS = {"tasks": [name for name in TASKS if not name.endswith("-demo")], "methods": [*METHODS], "sources": [*SOURCES],
         "suites": [*shipped()]}  # fmt: skip


def directives(text: str, name: str) -> Iterator[list[str]]:
    """The lines within each directive of a name, without its options."""
    for found in re.finditer(rf"^\.\. {name}::.*\n((?:[ ]+.*\n|\n)*)", text, flags=re.MULTILINE):
        yield [line.strip() for line in found[1].splitlines() if line.strip() and not line.strip().startswith(":")]


INDEX = (DOCS / "index.rst").read_text(encoding="utf-8")
ENTRIES = [entry for entries in directives(INDEX, "toctree") for entry in entries]


def test_every_page_is_in_one_toctree() -> None:
    pages = {path.stem for path in DOCS.glob("*.md")} - {"README"}
    here = [entry for entry in ENTRIES if "/" not in entry]
    assert sorted(here) == sorted(pages | {"reference"})


def test_other_entries_of_toctrees_are_made_by_a_build() -> None:
    assert {entry.partition("/")[0] for entry in ENTRIES if "/" in entry} == {"cards", "gallery", "project"}


def test_directives_reads_entries_alone() -> None:
    text = ".. toctree::\n   :hidden:\n\n   one\n   two\n\nText.\n\n.. toctree::\n\n   three\n"
    assert [*directives(text, "toctree")] == [["one", "two"], ["three"]]


def test_commands_of_the_first_page_are_read_by_the_command_line() -> None:
    (block,) = re.findall(r"^\.\. code-block:: sh\n\n((?:   .*\n)+)", INDEX, flags=re.MULTILINE)
    commands = [words for line in block.splitlines() for words in words_of(line)]
    assert commands
    for words in commands:
        parse(words)


def test_reference_has_every_word_that_mirbench_exports_once() -> None:
    text = (DOCS / "reference.rst").read_text(encoding="utf-8")
    said = [name for names in directives(text, "autosummary") for name in names]
    said += re.findall(r"^\.\. py:data:: (\w+)$", text, flags=re.MULTILINE)
    assert sorted(said) == sorted(mirbench.__all__)


def test_site_has_the_version_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRBENCH_CACHE", "")  # which the configuration sets, as the next
    monkeypatch.setenv("MIRBENCH_RESULTS", "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    held = runpy.run_path(str(DOCS / "conf.py"))
    assert (held["version"], held["release"]) == (mirbench.__version__, mirbench.__version__)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run_on_what_is_synthesised_alone(example: Path) -> None:
    words = re.findall(r'"([a-z][\w-]*)"', example.read_text(encoding="utf-8"))
    assert "gtzan-demo" in words
    assert {word for word in words if word in TASKS or word in SOURCES} <= {"gtzan-demo", "nano"}


def test_gallery_has_a_few_examples() -> None:
    assert 2 <= len(EXAMPLES) <= 8


def test_what_a_build_makes_is_ignored() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is ignored is not known")
    asked = [f"docs/{folder}/page.rst" for folder in (*MADE, "examples/runs")]
    done = subprocess.run(["git", "check-ignore", *asked], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == asked


@pytest.fixture(scope="module")
def relinked() -> Any:
    spec = importlib.util.spec_from_file_location("repository_pages", DOCS / "site" / "repository_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.relinked


@pytest.mark.parametrize(
    ("page", "shown", "link", "wanted"),
    [
        ("docs/api.md", "docs/api.md", "data.md#your-own-music", "data.md#your-own-music"),
        ("docs/api.md", "docs/api.md", "#functions", "#functions"),
        ("docs/api.md", "docs/api.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("docs/api.md", "docs/api.md", "../CONTRIBUTING.md#rules", "project/contributing.md#rules"),
        ("docs/api.md", "docs/api.md", "../README.md", "index.rst"),
        ("docs/api.md", "docs/api.md", "../tests/test_site.py", "../tests/test_site.py"),
        ("CONTRIBUTING.md", "docs/project/contributing.md", "docs/data.md#tasks", "../data.md#tasks"),
        ("CONTRIBUTING.md", "docs/project/contributing.md", "LICENSE", "../../LICENSE"),
        ("CONTRIBUTING.md", "docs/project/contributing.md", "CHANGELOG.md", "changelog.md"),
    ],
)
def test_relinked_leads_to_pages_of_the_site(relinked: Any, page: str, shown: str, link: str, wanted: str) -> None:
    assert relinked(f"See [there]({link}), and (this).", page, shown) == f"See [there]({wanted}), and (this)."


# Built


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the tracked files, every warning of which is an error."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    modules = {"myst-parser": "myst_parser"}
    lacking = [
        name
        for name in (Requirement(line).name for line in (*extras["docs"], *extras["page"]))
        if importlib.util.find_spec(modules.get(name, name.replace("-", "_"))) is None
    ]
    if lacking or not (ROOT / ".git").exists():
        pytest.skip(f"needs a git checkout and mirbench[docs]: {', '.join(lacking) or 'no checkout'}")
    folder = tmp_path_factory.mktemp("site")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", "-j", "auto", "docs", "docs/_build"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return folder / "docs" / "_build"


class Links(html.parser.HTMLParser):
    """Anchors of a page, and what it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif (tag, name) in (("a", "href"), ("img", "src"), ("link", "href"), ("script", "src")) and value:
                self.targets.add(value)


def broken(pages: dict[Path, Links]) -> list[str]:
    """Links within a site that lead to no file, or to no anchor of it."""
    found = []
    for page, links in pages.items():
        for target in links.targets:
            if re.match(r"[a-z]+:|//", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / unquote(path.partition("?")[0])).resolve() if path else page
            known = not anchor or file not in pages or unquote(anchor) in pages[file].anchors
            if not file.exists() or not known:
                found.append(f"{page.name}: {target}")
    return found


@pytest.mark.slow
def test_site_builds_with_a_page_for_every_name(site: Path) -> None:
    for kind, names in KINDS.items():
        assert {path.stem for path in (site / "cards" / kind).glob("*.html")} == set(names)


@pytest.mark.slow
def test_links_within_the_site_lead_to_what_is_there(site: Path) -> None:
    pages = {path.resolve(): Links(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert len(pages) > 100
    assert broken(pages) == []


@pytest.mark.slow
def test_site_asks_nothing_of_a_network(site: Path) -> None:
    loaded = r'<(?:script|img|iframe)[^>]* src="(?:https?:)?//|<link[^>]* rel="stylesheet"[^>]* href="(?:https?:)?//'
    assert [path.name for path in site.rglob("*.html") if re.search(loaded, path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("target", ["nothing.html", "there.html#nothing", "#nothing"])
def test_broken_finds_a_planted_one(target: str, tmp_path: Path) -> None:
    texts = {"here.html": f'<a href="{target}"></a><a href="there.html#this"></a>', "there.html": '<p id="this">'}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert broken({tmp_path.resolve() / name: Links(text) for name, text in texts.items()}) == [f"here.html: {target}"]
