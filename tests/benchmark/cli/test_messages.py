"""What is said to somebody who mistook one thing for another: the cause, and what to type instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirbench.errors import BadInput
from mirbench.plugin_file import load_plugin
from tests.benchmark.cli.test_cli import one_line

if TYPE_CHECKING:
    from tests.conftest import Answer

Mirbench = Callable[..., "Answer"]

PLUGIN = """
from mirbench import MissingData, Task

def clips(root, fold):
    raise MissingData("no clips")

task = Task("my-songs", "1", "mine", "single-label", ("a", "b"), ("accuracy",), clips, "my-songs", 2, 1.0)
"""


@pytest.fixture
def songs(typed: Mirbench) -> Mirbench:
    """`typed`, in a folder with songs, a list, features and a plugin."""
    for name in ("songs/a/1.wav", "my+songs/a/1.wav", "list.csv", "rows.npz"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("mine.py").write_text(PLUGIN)
    return typed


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (("--task", "songs"), "folder:songs"),
        (("--task", "songs/"), "folder:songs/"),
        (("--task", "./songs/../songs"), "folder:./songs/../songs"),
        (("--task", "songs+shots2"), "folder:songs"),
        (("--task", "my+songs"), "folder:my+songs"),
        (("--task", "list.csv"), "csv:list.csv"),
        (("--task", "mine.py"), "--plugin mine.py"),
        (("--task", "gtzan", "--method", "mine.py"), "--plugin mine.py"),
        (("--task", "gtzan-demo", "--method", "probe-linear", "--source", "rows.npz"), "features:rows.npz"),
    ],
)
def test_path_given_bare_is_answered_by_how_it_is_written(
    words: tuple[str, ...], instead: str, songs: Mirbench
) -> None:
    line = one_line(songs("run", *(("--method", "prior") if "--method" not in words else ()), *words))
    assert instead in line
    assert "Known:" not in line


def test_first_command_without_the_data_names_the_demo(songs: Mirbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRBENCH_DATA", "songs")
    line = one_line(songs("run", "--task", "gtzan", "--method", "ids-nmr"))
    assert "`mirbench data get gtzan" in line
    assert line.endswith("or add --demo for its stand-in gtzan-demo")


def test_task_that_nobody_fetches_is_not_said_to_be_fetched(songs: Mirbench) -> None:
    words = ("run", "--task", "my-songs", "--method", "prior", "--plugin", "mine.py", "--data", "nowhere")
    line = one_line(songs(*words))
    assert ("data get" in line, "--demo" in line, "mirbench show my-songs" in line) == (False, False, True)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--task", "gtzan-demo", "--method", "probe-linear", "--weights", "list.csv"),
        ("run", "--task", "gtzan", "--method", "probe-linear", "--data", "list.csv"),
        ("leaderboard", "--runs", "list.csv"),
        ("predict", "prior", "song.wav", "--runs", "list.csv"),
        ("compare", "a", "b", "--runs", "list.csv"),
        ("ensemble", "a", "b", "--runs", "list.csv"),
    ],
)
def test_file_in_the_place_of_a_folder_is_called_a_file(words: tuple[str, ...], songs: Mirbench) -> None:
    assert "list.csv: a file; the folder that holds it is needed" in one_line(songs(*words))


def test_check_blames_the_file_and_no_flag(songs: Mirbench) -> None:
    Path("empty.py").touch()
    assert one_line(songs("check", "empty.py")).startswith("empty.py: holds no method")


@pytest.mark.parametrize("words", [("predict", "/nowhere/run", "a.wav"), ("ensemble", "/nowhere/a", "/nowhere/b")])
def test_absolute_path_of_no_run_is_a_name_of_no_run(words: tuple[str, ...], songs: Mirbench) -> None:
    Path("runs").mkdir()
    assert one_line(songs(*words)).startswith("No run below runs is called '/nowhere/")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import sys; sys.exit(3)", "does not run: SystemExit: 3"),
        ("raise RuntimeError('a\\nb')", "does not run: RuntimeError: a"),
        ("x = " + "(" * 5000, "does not run: "),
        (PLUGIN.replace("my-songs", ""), "has 0 letters"),
        (PLUGIN.replace('"my-songs", "1"', "'..', '1'"), "is a name that file systems keep"),
        (PLUGIN.replace('"my-songs", "1"', "'a' * 10**7, '1'"), "has 10000000 letters"),
        (PLUGIN.replace('"my-songs", "1"', "'a\\x1b[31m', '1'"), "holds U+001B"),
        (PLUGIN.replace('"my-songs", "1"', "['a'], '1'"), "is no text"),
    ],
)  # fmt: skip
def test_plugin_that_cannot_be_loaded_is_one_line(text: str, says: str, songs: Mirbench) -> None:
    Path("plugin.py").write_text(text)
    line = one_line(songs("list", "--plugin", "plugin.py"))
    assert line.startswith("--plugin plugin.py: ")
    assert says in line
    assert len(line) < 600


def test_plugin_that_prints_leaves_the_results_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN + "print('hello')\n")
    load_plugin(tmp_path / "mine.py")
    assert capsys.readouterr() == ("", "hello\n")


def test_plugin_of_another_suffix_is_no_python_file(tmp_path: Path) -> None:
    (tmp_path / "mine.so").write_bytes(b"\x7fELF\x00")
    with pytest.raises(BadInput, match="not a Python file"):
        load_plugin(tmp_path / "mine.so")


def test_cache_that_is_a_file_is_refused_by_name(typed: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("cache").write_text("")
    monkeypatch.setenv("MIRBENCH_CACHE", "cache")
    answer = typed("run", "--task", "gtzan-demo", "--method", "probe-linear", "--source", "nano")
    assert answer.code == 2
    assert answer.err.strip().splitlines()[-1].startswith("mirbench: cache: gtzan-demo cannot be synthesised there")
