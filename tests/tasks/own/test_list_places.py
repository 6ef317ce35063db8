"""Where the files of a list are looked for: beside it, below the data root; and what is said of those not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirbench.registry import Catalogue
from mirbench.trust.checks import check_data
from tests.tasks.own.test_own_task import QUIET, SIMPLE, Typed, clips_of, listed, plant, rows, sing, write

FOLK = "path,label\n" + "".join(f"{g}/{n}.wav,{g}\n" for g in ("folk", "jazz") for n in range(10))
PROBE = ("run", "--task", "csv:l.csv", "--method", "probe-linear", "--source", "nano", "--quiet")
WHERE = "--data FOLDER, or MIRBENCH_DATA, says where data lie, and paths of a list begin there or beside it"


def test_list_looks_for_each_file_in_the_data_root_too(tmp_path: Path) -> None:
    """The first clip is there, others are where --data says."""
    data = plant(tmp_path / "data", [f"{c}{n}.wav" for c in "ab" for n in range(1, 10)])
    plant(tmp_path / "lists", ["a0.wav"])
    path = write(tmp_path / "lists" / "l.csv", SIMPLE)
    found = {name: clip.path for name, clip in clips_of(Catalogue(data=data).task(f"csv:{path}")).items()}
    assert (found["a0.wav"], found["a1.wav"], found["b0.wav"]) == (
        tmp_path / "lists" / "a0.wav", data / "a1.wav", data / "b0.wav",
    )  # fmt: skip


def test_list_looks_where_mirbench_data_says_as_where_data_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = plant(tmp_path / "data", [f"{c}{n}.wav" for c in "ab" for n in range(10)])
    (tmp_path / "lists").mkdir()
    path = write(tmp_path / "lists" / "l.csv", SIMPLE)
    said = Catalogue(data=data).task(f"csv:{path}")
    monkeypatch.setenv("MIRBENCH_DATA", str(data))
    found = Catalogue().task(f"csv:{path}")
    assert (found.folder, found.version) == (str(data), said.version)
    assert clips_of(found)["b3.wav"].path == data / "b3.wav"


def test_list_that_has_nothing_in_the_default_root_is_of_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRBENCH_DATA", str(plant(tmp_path / "data", ["other.wav"])))
    (tmp_path / "lists").mkdir()
    task = Catalogue().task(f"csv:{write(tmp_path / 'lists' / 'l.csv', SIMPLE)}")
    assert (task.folder, clips_of(task)["b3.wav"].path) == (str(tmp_path / "lists"), tmp_path / "lists" / "b3.wav")


def test_list_finds_data_where_its_first_file_is_gone(tmp_path: Path) -> None:
    data = plant(tmp_path / "data", [f"{c}{n}.wav" for c in "ab" for n in range(10)])
    path = write(tmp_path / "l.csv", SIMPLE.replace("label\n", "label\ngone.wav,a\n"))
    task = Catalogue(data=data).task(f"csv:{path}")
    assert (task.folder, clips_of(task)["a0.wav"].path) == (str(data), data / "a0.wav")


def test_list_of_paths_of_elsewhere_says_what_is_there(tmp_path: Path) -> None:
    plant(tmp_path, [f"{c}{n}.wav" for c in "ab" for n in range(10)])
    path = write(tmp_path / "l.csv", rows("path,label", "C:\\me\\{c}{n}.wav,{c}"))
    (line,) = listed(path).cautions
    assert line.startswith("20 of 20 files are not there, as C:\\me\\a0.wav, but a0.wav is; write paths as they are, w")


def test_data_check_of_a_list_names_every_missing_file(tmp_path: Path) -> None:
    task = listed(write(tmp_path / "l.csv", SIMPLE))
    problems = check_data(task, Path(task.folder), tmp_path / "cache", QUIET)
    assert len([line for line in problems if "no such file" in line]) == 20


def test_run_of_a_list_of_files_that_are_not_there_is_one_line_with_what_to_do(typed: Typed) -> None:
    Path("l.csv").write_text(FOLK)
    code, _, err = typed(*PROBE)
    assert (code, err) == (
        2,
        f"mirbench: 20 files are not there, as {Path.cwd()}/folk/0.wav; {WHERE}; `mirbench data check TASK` names them "
        "all\n",
    )
    sing(Path.cwd(), FOLK.replace(",folk", "").replace(",jazz", "").split()[2:])
    said = typed("data", "check", "csv:l.csv").err.splitlines()
    assert (len(said), said[-1]) == (3, f"  1 file is not there: {Path.cwd()}/folk/0.wav; {WHERE}")
    assert typed(*PROBE).err == f"mirbench: 1 file is not there: {Path.cwd()}/folk/0.wav; {WHERE}\n"


def test_files_that_are_not_there_are_said_apart_from_broken_ones(typed: Typed) -> None:
    Path("l.csv").write_text(FOLK)
    sing(Path.cwd(), FOLK.replace(",folk", "").replace(",jazz", "").split()[4:])
    Path("jazz/9.wav").write_text("no sound")
    lines = typed(*PROBE).err.splitlines()
    assert lines[0] == "mirbench: 1 file cannot be used; replace or remove:", lines
    assert "jazz/9.wav: " in lines[1]
    assert lines[2].startswith("  3 files are not there, as ")
    assert len(lines) == 3
