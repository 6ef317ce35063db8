"""Names to things: tables, plugin files, entry points."""

import hashlib
import importlib
import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from mirbench.errors import BadInput, MirbenchError, UnknownName
from mirbench.methods import METHODS
from mirbench.methods.sources import SOURCES
from mirbench.plugin_file import load_plugin
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import parse_method
from mirbench.source import SourceCard
from mirbench.tasks import FAMILIES, MODIFIERS, TASKS
from mirbench.types import Task

METHOD = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Guess:
    rate: float = 0.5
    name, version, needs = "guess", "3", ()
    def fit(self, train, valid, context, *, seed):
        ...
"""

CARDS = """
from mirbench.source import SourceCard
from mirbench.types import Task

MINE = Task("mine", "7", "My task", "single-label", ("a", "b"), ("accuracy",), lambda root, fold: [], "mine", 2, 1.0)
EAR = SourceCard("ear", "My ear", "network", ("pooled",), 8000, 1.0, 0, 0, 4, 2, 0, 10, "", (), "m:f", version="5")
"""


@pytest.fixture
def plugin_file(tmp_path):
    path = tmp_path / "my_method.py"
    path.write_text(METHOD)
    return path


@pytest.fixture
def entry_points(monkeypatch):
    """Replace the entry points of this installation."""

    def install(*points):
        monkeypatch.setattr(
            "importlib.metadata.entry_points", lambda group: [point for point in points if point.group == group]
        )

    return install


def in_fresh_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("kind", "typed", "meant"),
    [("task", "gtzn", "gtzan"), ("method", "probe-liner", "probe-linear"), ("source", "asd", "ast")],
)
def test_unknown_name_guesses_what_was_meant(kind, typed, meant):
    with pytest.raises(UnknownName, match=f"No {kind} is called '{typed}'. Did you mean '{meant}'?"):
        getattr(Catalogue(), kind)(typed)


@pytest.mark.parametrize(("kind", "typed"), [("task", "gtzan-mimi"), ("method", "probe"), ("source", "efficientat-mn")])
def test_unknown_name_is_answered_by_five_near_names_at_most(kind: str, typed: str) -> None:
    with pytest.raises(UnknownName) as caught:
        getattr(Catalogue(), kind)(typed)
    said = str(caught.value)
    words = re.findall(r"[\w-]+", said.partition("Did you mean")[2])
    assert 1 <= len(set(words) & set(Catalogue().names(kind))) <= 5
    assert len(said) <= 230
    assert "-demo" not in said


def test_names_that_hold_commas_are_quoted_where_names_are_listed() -> None:
    said = str(UnknownName("row", "xyz", ["FCN, msd", "FCN, tags", "svm"]))
    assert said.endswith("Known: 'FCN, msd', 'FCN, tags', svm.")


def test_unknown_name_far_from_all_guesses_nothing():
    with pytest.raises(UnknownName) as caught:
        Catalogue().task("qqqqqqqqqq")
    assert "Did you mean" not in str(caught.value)
    assert str(caught.value).endswith("more. `mirbench list tasks` has them all; one of yours needs --plugin FILE.")


@pytest.mark.parametrize(("kind", "table"), [("task", TASKS), ("method", METHODS), ("source", SOURCES)])
def test_names_hold_the_table_with_its_summaries(kind, table):
    assert {name: entry.summary for name, entry in table.items()}.items() <= Catalogue().names(kind).items()


def test_names_import_nothing_heavy():
    code = """
import sys
from mirbench.registry import Catalogue
for kind in ("task", "method", "source"):
    assert Catalogue().names(kind)
print(sorted({"torch", "sklearn", "scipy", "transformers", "soundfile", "pandas", "matplotlib"} & set(sys.modules)))
"""
    assert in_fresh_python(code) == "[]"


def test_source_cards_import_no_torch():
    code = """
import sys
from mirbench.registry import Catalogue
for name in Catalogue().names("source"):
    assert Catalogue().source(name).name == name
print("torch" in sys.modules)
"""
    assert in_fresh_python(code) == "False"


@pytest.mark.parametrize("name", SOURCES)
def test_source_calls_itself_as_the_table_does(name):
    assert Catalogue().source(name).name == name


@pytest.mark.parametrize("name", TASKS)
def test_task_calls_itself_as_the_table_does(name):
    assert Catalogue().task(name).name == name


def test_builtin_version_carries_no_hash():
    catalogue = Catalogue()
    assert catalogue.version("source", "nano") == catalogue.source("nano").version


def test_plugin_method_is_found_by_its_name(plugin_file):
    assert Catalogue([load_plugin(plugin_file)]).method("guess")(rate=0.25).rate == 0.25


def test_plugin_method_is_among_the_names(plugin_file):
    assert Catalogue([load_plugin(plugin_file)]).names("method")["guess"] == "from my_method.py"


def test_plugin_task_and_source_are_found(tmp_path):
    path = tmp_path / "cards.py"
    path.write_text(CARDS)
    catalogue = Catalogue([load_plugin(path)])
    assert isinstance(catalogue.task("mine"), Task)
    assert isinstance(catalogue.source("ear"), SourceCard)


def test_plugin_version_carries_the_hash_of_its_file(plugin_file):
    digest = hashlib.sha256(plugin_file.read_bytes()).hexdigest()
    assert Catalogue([load_plugin(plugin_file)]).version("method", "guess") == f"3+{digest[:12]}"


@pytest.mark.parametrize(("kind", "name", "version"), [("task", "mine", "7"), ("source", "ear", "5")])
def test_plugin_version_carries_the_hash_for_cards_too(tmp_path, kind, name, version):
    path = tmp_path / "cards.py"
    path.write_text(CARDS)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Catalogue([load_plugin(path)]).version(kind, name) == f"{version}+{digest[:12]}"


def test_plugin_version_changes_when_its_file_is_edited(plugin_file):
    before = Catalogue([load_plugin(plugin_file)]).version("method", "guess")
    plugin_file.write_text(METHOD + "# a remark\n")
    assert Catalogue([load_plugin(plugin_file)]).version("method", "guess") != before


def test_plugin_edit_is_loaded_afresh(plugin_file):
    load_plugin(plugin_file)
    plugin_file.write_text(METHOD.replace("rate: float = 0.5", "rate: float = 0.125"))
    assert load_plugin(plugin_file).methods["guess"]().rate == 0.125


def test_plugin_owns_no_card_that_it_merely_imports(tmp_path):
    path = tmp_path / "importer.py"
    path.write_text("from mirbench.methods.sources.cards import AST\n" + METHOD)
    assert list(load_plugin(path).sources) == []


def test_plugin_owns_no_method_that_it_merely_imports(tmp_path, plugin_file, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "importer.py"
    path.write_text("from my_method import Guess\n" + CARDS)
    assert list(load_plugin(path).methods) == []


def test_plugins_of_one_file_name_keep_their_own_types(tmp_path):
    plugins = []
    for kind in ("int", "float"):
        path = tmp_path / kind / "mine.py"
        path.parent.mkdir()
        text = METHOD.replace("class Guess", "class Guess").replace("rate: float", "rate: Kind")
        path.write_text(f"from __future__ import annotations\nKind = {kind}\n{text}")
        plugins.append(load_plugin(path))
    assert [parse_method(plugin.methods["guess"], ["rate=2"]) for plugin in plugins] == [{"rate": 2}, {"rate": 2.0}]
    assert [type(parse_method(plugin.methods["guess"], ["rate=2"])["rate"]) for plugin in plugins] == [int, float]


def test_plugin_that_is_missing_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.py: no such file"):
        load_plugin(tmp_path / "nowhere.py")


def test_plugin_that_is_not_python_is_named(tmp_path):
    path = tmp_path / "plugin.txt"
    path.write_text(METHOD)
    with pytest.raises(BadInput, match=r"plugin\.txt: not a Python file"):
        load_plugin(path)


def test_plugin_that_raises_shows_what_it_raised(tmp_path):
    path = tmp_path / "plugin.py"
    path.write_text("{}['tempo']\n")
    with pytest.raises(BadInput, match=r"plugin\.py: does not run: KeyError: 'tempo'"):
        load_plugin(path)


def test_plugin_with_a_syntax_error_shows_its_line(tmp_path):
    path = tmp_path / "plugin.py"
    path.write_text("x = 1\ndef fit(:\n")
    with pytest.raises(BadInput, match=r"plugin\.py: does not run: SyntaxError: .*line 2"):
        load_plugin(path)


def test_plugin_method_without_dataclass_is_told_to_add_it(tmp_path):
    path = tmp_path / "plugin.py"
    path.write_text(METHOD.replace("@dataclass(frozen=True)", ""))
    with pytest.raises(BadInput, match=r"Guess must be a frozen dataclass: add @dataclass\(frozen=True\)"):
        load_plugin(path)


def test_plugin_without_anything_says_what_it_may_hold(tmp_path):
    path = tmp_path / "plugin.py"
    path.write_text("answer = 42\n")
    with pytest.raises(BadInput, match=r"holds no method .*Task, SourceCard or encoder"):
        load_plugin(path)


def test_entry_point_is_found(tmp_path, monkeypatch, entry_points):
    (tmp_path / "orchestra_cards.py").write_text(CARDS)
    monkeypatch.syspath_prepend(tmp_path)
    entry_points(EntryPoint("ear", "orchestra_cards:EAR", "mirbench.sources"))
    assert Catalogue().source("ear").name == "ear"


def test_installed_packages_are_looked_through_once_for_all_catalogues(monkeypatch):
    looked = []
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: looked.append(group) or ())
    for _ in range(3):
        Catalogue().names("source")
        Catalogue().names("task")
    assert sorted(looked) == ["mirbench.sources", "mirbench.tasks"]


def test_package_that_is_installed_meanwhile_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    os.utime(tmp_path, (0, 0))
    before = set(Catalogue().names("source"))
    info = tmp_path / "orchestra-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: orchestra\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mirbench.sources]\near = orchestra_cards:EAR\n")
    assert set(Catalogue().names("source")) - before == {"ear"}


def test_entry_point_version_carries_the_hash_of_its_module(tmp_path, monkeypatch, entry_points):
    path = tmp_path / "orchestra_hashed.py"
    path.write_text(CARDS)
    monkeypatch.syspath_prepend(tmp_path)
    entry_points(EntryPoint("ear", "orchestra_hashed:EAR", "mirbench.sources"))
    assert Catalogue().version("source", "ear") == f"5+{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def test_entry_point_that_does_not_load_is_named(entry_points):
    entry_points(EntryPoint("ear", "no_such_orchestra:EAR", "mirbench.sources"))
    with pytest.raises(MirbenchError, match=r"no_such_orchestra:EAR of source 'ear' does not load"):
        Catalogue().source("ear")


# Families and modifiers


def plant(root):
    for name in (f"{c}/{n}.wav" for c in "ab" for n in range(8)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize("kind", ["task", "method", "source"])
def test_families_are_listed_as_they_are_written(kind):
    assert all(":" in name and summary for name, summary in Catalogue().families(kind).items())


def test_families_of_tasks_hold_the_table_with_its_summaries():
    assert Catalogue().families("task") == {name: entry.summary for name, entry in FAMILIES.items()}


def test_methods_have_no_families():
    assert Catalogue().families("method") == {}


def test_modifiers_hold_the_table_with_its_summaries():
    assert Catalogue().modifiers() == {name: entry.summary for name, entry in MODIFIERS.items()}


@pytest.mark.parametrize("name", [*FAMILIES, *MODIFIERS])
def test_families_and_modifiers_are_there_where_the_table_says(name):
    module, _, attribute = {**FAMILIES, **MODIFIERS}[name].target.partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_listing_families_and_modifiers_imports_nothing_heavy():
    code = """
import sys
from mirbench.registry import Catalogue
assert [Catalogue().families(kind) for kind in ("task", "source")] and Catalogue().modifiers()
print(sorted({"torch", "sklearn", "scipy", "transformers", "soundfile", "pandas", "matplotlib"} & set(sys.modules)))
"""
    assert in_fresh_python(code) == "[]"


def test_task_of_a_family_and_modified_imports_no_torch(tmp_path):
    code = f"""
import sys
from mirbench.registry import Catalogue
assert Catalogue().task("folder:{plant(tmp_path)}+shots1+normalized").name
print("torch" in sys.modules)
"""
    assert in_fresh_python(code) == "False"


@pytest.mark.parametrize("kind", ["task", "source"])
def test_unknown_family_lists_the_known_ones(kind):
    with pytest.raises(UnknownName) as caught:
        getattr(Catalogue(), kind)("nothing:x")
    assert all(name in str(caught.value) for name in Catalogue().families(kind))


def test_family_of_another_kind_is_unknown(tmp_path):
    with pytest.raises(UnknownName):
        Catalogue().source(f"folder:{tmp_path}")


def test_family_of_a_path_with_a_colon_keeps_it(tmp_path):
    assert Catalogue().task(f"folder:{plant(tmp_path / 'side:a')}").name == "folder:side:a"


def test_modified_tasks_apply_one_after_the_other():
    twice = Catalogue().task("gtzan+shots7+balanced")
    assert (twice.name, len(twice.read_clips(None, 0)) > 0) == ("gtzan+shots7+balanced", True)


@pytest.mark.parametrize("name", ["gtzan+shots2+shots2", "gtzan+shots2+loudness+shots02", "gtzan+shots2+shots2-draw0"])
def test_modifier_that_is_there_twice_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"gtzan\+shots2.* is there twice"):
        Catalogue().task(name)


def test_unknown_modifier_lists_the_known_ones():
    with pytest.raises(UnknownName) as caught:
        Catalogue().task("gtzan+nonsense")
    assert str(caught.value).startswith("No modifier of tasks is called 'nonsense'.")
    assert all(name in str(caught.value) for name in MODIFIERS)


def test_modifier_of_a_source_or_method_is_unknown():
    for kind, name in (("source", "nano+normalized"), ("method", "prior+normalized")):
        with pytest.raises(UnknownName, match=f"No {kind} is called"):
            getattr(Catalogue(), kind)(name)


def test_plugin_task_can_be_modified(tmp_path):
    path = tmp_path / "cards.py"
    path.write_text(CARDS)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    task = Catalogue([load_plugin(path)]).task("mine+normalized")
    assert (task.name, task.version) == ("mine+normalized", f"7+{digest[:12]}")


def test_plugin_task_with_a_plus_in_its_name_is_found(tmp_path):
    path = tmp_path / "cards.py"
    path.write_text(CARDS.replace('"mine"', '"mine+yours"'))
    assert Catalogue([load_plugin(path)]).task("mine+yours").name == "mine+yours"


def test_built_in_task_has_no_fetcher():
    assert Catalogue().fetcher("gtzan") is None


def test_family_that_fetches_nothing_has_no_fetcher():
    assert Catalogue().fetcher("folder:somewhere") is None
