"""What `mirbench doctor` finds: libraries that are broken, absent or of another version, folders, data, weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mirbench.cli import libraries
from tests.conftest import Answer

FINE = {"": ["numpy>=2"], "page": ["jsonschema"]}


@pytest.fixture
def examined(typed: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Answer]:
    """``examined(asked, modules)``: the command with these requirements, and modules of these texts to import."""

    def answer(asked: dict[str, list[str]], modules: dict[str, str] | None = None, *words: object) -> Answer:
        for name, text in (modules or {}).items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        held = {extra: {Requirement(line).name: Requirement(line) for line in lines} for extra, lines in asked.items()}
        monkeypatch.setattr(libraries, "declared", lambda: held)
        version = libraries.version_of
        monkeypatch.setattr(libraries, "version_of", lambda name: "1.5" if name in (modules or {}) else version(name))
        return typed("doctor", *words)

    return answer


def test_doctor_is_content_where_the_main_job_runs(examined) -> None:
    found = examined(FINE)
    assert found.code == 0
    assert found.out.splitlines()[-1] == "The main job runs here: mirbench run --task gtzan --method ids-nmr"
    for title in ("libraries", "extras", "devices", "folders", "environment", "data and weights"):
        assert f"\n{title}\n" in found.out


def test_broken_library_is_exit_code_1_with_what_to_type(examined) -> None:
    found = examined({"": ["numpy>=2", "cracked>=1,<2"]}, {"cracked": "raise OSError('no\\nlibcracked.so')"})
    assert found.code == 1
    assert "  cracked 1.5 does not import: OSError: no libcracked.so\n" in found.out
    assert "pip install --force-reinstall" in found.out.splitlines()[-1]


def test_library_that_is_not_installed_is_exit_code_1(examined) -> None:
    found = examined({"": ["no-such-library>=3"]})
    assert (found.code, "no-such-library is not installed (needs >=3)" in found.out) == (1, True)


def test_library_of_another_version_is_said_and_may_work(examined) -> None:
    found = examined({"": ["elder>=2"]}, {"elder": ""})
    assert (found.code, "elder 1.5 (tested with >=2)" in found.out) == (0, True)


def test_library_that_ends_the_process_is_named_and_the_next_are_looked_at(examined) -> None:
    found = examined(
        {"": ["deadly", "after"]}, {"deadly": "import os\nos._exit(3)", "after": "raise ImportError('too late')"}
    )
    assert "deadly 1.5 does not import: it ends the process, with code 3" in found.out
    assert "after 1.5 does not import: ImportError: too late" in found.out
    assert found.code == 1


def test_broken_or_absent_extra_is_no_fault_of_the_main_job(examined) -> None:
    found = examined({**FINE, "energy": ["no-such-meter"], "peft": ["cracked"]}, {"cracked": "raise ValueError('no')"})
    assert found.code == 0
    assert "energy: lacks no-such-meter; pip install 'mirbench[energy]'" in found.out
    assert "peft: cracked 1.5 does not import: ValueError: no" in found.out


def test_library_that_prints_while_it_is_imported_is_not_in_the_way(examined) -> None:
    found = examined({"": ["chatty"]}, {"chatty": "print('hello'); import sys; print('[', file=sys.stderr)"})
    assert (found.code, "  chatty 1.5\n" in found.out, "hello" in found.out) == (0, True, False)


def test_folder_that_cannot_be_written_is_exit_code_1(examined, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MIRBENCH_CACHE", str(tmp_path / "file" / "cache"))
    found = examined(FINE)
    assert (found.code, "cache: nothing can be written into" in found.out) == (1, True)


def test_data_root_that_was_given_and_is_not_there_is_exit_code_1(examined) -> None:
    found = examined(FINE, None, "--data", "nowhere")
    assert (found.code, "--data nowhere: no such folder" in found.out) == (1, True)
    assert "The main job cannot run here" in found.out


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_weights_that_are_not_there_are_said_and_the_rest_is_looked_at(by: str, examined, monkeypatch) -> None:
    if by == "variable":
        monkeypatch.setenv("MIRBENCH_WEIGHTS", "nowhere")
    found = examined(FINE, None, *(["--weights", "nowhere"] if by == "flag" else []))
    said = " ".join(found.out.split())
    assert found.code == 0
    assert "weights: --weights (or MIRBENCH_WEIGHTS) nowhere: no such folder" in said
    assert "tasks here (synthesised): TASK-demo sources not looked at: --weights" in said


def test_library_that_the_main_job_spares_is_said_and_no_fault(examined) -> None:
    found = examined({"": ["numpy", "h5py"]}, {"h5py": "raise OSError('no libhdf5')"})
    assert (found.code, "does not import: OSError: no libhdf5" in found.out) == (0, True)


def test_command_that_is_named_takes_the_stand_in_where_a_data_root_is_there(examined, tmp_path, monkeypatch) -> None:
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("MIRBENCH_DATA", str(tmp_path / "root"))
    assert examined(FINE).out.splitlines()[-1].endswith("--method ids-nmr --demo")


def test_data_and_weights_that_are_here_are_told_from_others(examined, tmp_path: Path) -> None:
    (tmp_path / "data" / "gtzan_mini" / "genres").mkdir(parents=True)
    (tmp_path / "data" / "gtzan").mkdir()  # empty: nothing is here
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "mn04_as_mAP_432.pt").write_bytes(b"weights")
    found = examined(FINE, None, "--data", tmp_path / "data", "--weights", tmp_path / "weights")
    said = " ".join(found.out.split())
    assert "tasks here: gtzan-mini tasks here (synthesised)" in said
    assert "sources here: efficientat-mn04" in said or "sources here: efficientat-mn04, nano" in said
    assert "ast, " in said.partition("sources fetched when first used: ")[2]


def test_folders_that_are_not_there_yet_are_told_with_free_space(examined) -> None:
    found = examined(FINE)
    said = " ".join(found.out.split())
    folders = said.partition("folders data: ")[2].partition("environment")[0]
    assert (folders.count("(not there yet)"), folders.count("GB free")) == (3, 3)
