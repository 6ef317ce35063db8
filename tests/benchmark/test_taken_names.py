"""Nothing of a plugin's is called as mirbench's own, or as another plugin's: not by a file, not by a package."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirbench.errors import BadInput
from mirbench.methods import METHODS
from mirbench.methods.sources import SOURCES
from mirbench.plugin_file import load_plugin
from mirbench.registry import Catalogue
from mirbench.tasks import TASKS

if TYPE_CHECKING:
    from tests.conftest import Answer

PLUGIN = """
from dataclasses import dataclass

import numpy as np

from mirbench import Fitted, SourceCard, Task

@dataclass(frozen=True)
class Mine:
    rate: float = 0.5
    name, version, needs, uses_audio = {method!r}, "1", (), False
    def fit(self, train, valid, context, *, seed):
        return Fitted(lambda split: np.full((len(split), len(split.classes)), 1 / len(split.classes)), 0)

SONGS = Task({task!r}, "1", "Mine", "single-label", ("a", "b"), ("accuracy",), lambda root, fold: [], "mine", 2, 1.0)
EAR = SourceCard({source!r}, "Mine", "network", ("pooled",), 8000, 1.0, 0, 0, 4, 2, 0, 10, "", (), "m:f")
"""
FREE = {"method": "my-probe", "task": "my-songs", "source": "my-ear"}


def written(path: Path, more: str = "", **names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PLUGIN.format(**FREE | names) + more, encoding="utf-8")
    return path


def install(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: [point for point in points if point.group == group]
    )


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("method", "probe-linear", "is that of mirbench's own method 'probe-linear'"),
        ("method", "Probe_Linear", "may be taken for mirbench's own method 'probe-linear'"),
        ("method", "probelinear", "may be taken for mirbench's own method 'probe-linear'"),
        ("method", "probe-linear+nano", "begins as mirbench's own 'probe-linear"),
        ("method", "ensemble", "is that of mirbench's own method 'ensemble'"),
        ("source", "NANO", "may be taken for mirbench's own source 'nano'"),
        ("source", "timm:resnet18", "begins as mirbench's own sources timm:"),
        ("source", "Features:mine", "begins as mirbench's own sources Features:"),
        ("task", "gtzan-demo", "is that of mirbench's own task"),
        ("task", "gtzan+shots10", "begins as mirbench's own 'gtzan"),
        ("task", "csv:songs", "begins as mirbench's own tasks csv:"),
        ("task", "my-songs+folds5", "ends as a modified task does"),
    ],
)
def test_name_of_ours_is_refused_to_a_plugin_in_a_line(kind: str, name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        Catalogue([load_plugin(written(tmp_path / "mine.py", **{kind: name}))])
    assert str(caught.value).startswith(f"mine.py: the name of its {kind} '{name}' {said}")
    assert "\n" not in str(caught.value)


def test_every_name_of_ours_is_refused_to_its_kind(tmp_path: Path) -> None:
    plugin = load_plugin(written(tmp_path / "mine.py"))
    for kind, names in (("method", METHODS), ("task", TASKS), ("source", SOURCES)):
        for name in names:
            held = {f"{kind}s": {name: next(iter(getattr(plugin, kind + "s").values()))}}
            with pytest.raises(BadInput, match="is that of mirbench's own"):
                Catalogue([type(plugin)("mine.py", "0", **{"tasks": {}, "methods": {}, "sources": {}} | held)])


def test_name_of_another_kind_is_free(tmp_path: Path) -> None:
    """A source may be called as a method is: the taggers' networks are both."""
    catalogue = Catalogue([load_plugin(written(tmp_path / "mine.py", source="musicnn", task="genre"))])
    assert catalogue.source("musicnn").title == "Mine"


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--task", "gtzan-demo", "--method", "prior"),
        ("list",),
        ("show", "prior"),
        ("verify", "."),
        ("data", "stats", "gtzan"),
    ],
)
def test_command_with_a_plugin_of_a_taken_name_exits_with_2(
    command: tuple[str, ...], tmp_path: Path, typed: Callable[..., Answer]
) -> None:
    path = written(tmp_path / "mine.py", method="knn")
    answer = typed(*command, "--plugin", path)
    assert answer.code == 2
    assert "the name of its method 'knn' is that of mirbench's own method 'knn'; give it another" in answer.err
    assert answer.err.count("\n") == 1


def test_check_of_a_plugin_of_a_taken_name_exits_with_2(tmp_path: Path, typed: Callable[..., Answer]) -> None:
    answer = typed("check", written(tmp_path / "mine.py", method="knn"))
    assert (answer.code, answer.err.count("\n")) == (2, 1)


def test_two_plugins_of_one_name_are_refused(tmp_path: Path) -> None:
    both = [load_plugin(written(tmp_path / f"{n}.py", f"# {n}", source=f"ear{n}", task=f"t{n}")) for n in "ab"]
    with pytest.raises(BadInput, match=r"^a\.py and b\.py: both have a method 'my-probe'; give one of them another"):
        Catalogue(both)


def test_plugin_that_is_given_twice_is_one(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.py")
    assert Catalogue([load_plugin(path), load_plugin(path)]).method("my-probe").name == "my-probe"


def test_two_methods_of_one_name_in_a_file_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.py", "\n@dataclass(frozen=True)\nclass Other(Mine):\n    more: int = 1\n")
    with pytest.raises(BadInput, match="has two methods of the name 'my-probe'"):
        load_plugin(path)


def test_name_that_is_a_hyperparameter_is_refused(tmp_path: Path) -> None:
    """``--set name=probe-linear`` would put the real one's name on its records."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Mine:\n    name: str = 'mine'\n"
        "    version, needs = '1', ()\n    def fit(self): ...\n"
    )
    with pytest.raises(BadInput, match="name of Mine is a hyperparameter"):
        load_plugin(path)


@pytest.mark.parametrize("name", ["probe-linear", "Probe-Linear"])
def test_installed_plugin_of_a_taken_name_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "taken_pkg.py", method=name)
    monkeypatch.syspath_prepend(tmp_path)
    install(monkeypatch, EntryPoint(name, "taken_pkg:Mine", "mirbench.methods"))
    with pytest.raises(BadInput, match=f"taken_pkg:Mine is installed, and the name of its method '{name}'"):
        Catalogue().method(name)
    assert Catalogue().method("knn").name == "knn"
    assert Catalogue().names("method")["probe-linear"] == METHODS["probe-linear"].summary


def test_installed_plugin_that_calls_itself_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records would have the name that it gives itself, and the version of ours."""
    written(tmp_path / "sly_pkg.py", method="probe-linear")
    monkeypatch.syspath_prepend(tmp_path)
    install(monkeypatch, EntryPoint("sly", "sly_pkg:Mine", "mirbench.methods"))
    with pytest.raises(BadInput, match="its method calls itself 'probe-linear', and its entry point calls it 'sly'"):
        Catalogue().method("sly")


def test_installed_plugins_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("my-probe", f"{package}:Mine", "mirbench.methods") for package in ("one_pkg", "two_pkg")]
    install(monkeypatch, *points)
    with pytest.raises(BadInput, match="one_pkg:Mine and two_pkg:Mine: both have a method 'my-probe'"):
        Catalogue().method("my-probe")


def test_installed_plugin_and_a_file_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, EntryPoint("my-probe", "one_pkg:Mine", "mirbench.methods"))
    with pytest.raises(BadInput, match=r"mine\.py and one_pkg:Mine: both have a method 'my-probe'"):
        Catalogue([load_plugin(written(tmp_path / "mine.py"))]).method("my-probe")


def test_method_on_one_that_comes_with_mirbench_is_taken(tmp_path: Path) -> None:
    """Its name is of the class, as that of the one it is built on, and no hyperparameter."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\n\nfrom mirbench.methods.probes import LinearProbe\n\n\n"
        "@dataclass(frozen=True)\nclass Mine(LinearProbe):\n    C: float = 2.0\n"
        '    name, version = "mine", "1"\n',
        encoding="utf-8",
    )
    assert load_plugin(file).methods["mine"].name == "mine"
