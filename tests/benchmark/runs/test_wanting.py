"""What a dry run says is not on this machine: data and weights, once for each reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.benchmark.runs.test_many_processes import PLUGIN as TONES

if TYPE_CHECKING:
    from tests.conftest import Answer

Typed = Callable[..., "Answer"]


def suite(task: str, *sources: str, method: str = "probe-linear") -> None:
    rows = "".join(f"[[run]]\ntask = '{task}'\nmethod = '{method}'\nsource = '{name}'\n" for name in sources)
    Path("suite.toml").write_text(rows)


def lines(answer: Answer, said: str) -> list[str]:
    return [line for line in answer.out.splitlines() if said in line]


def test_dry_run_says_once_that_data_are_missing_and_how_to_get_them(typed: Typed) -> None:
    suite("gtzan", "nano", "ast")
    answer = typed("sweep", "suite.toml", "--dry-run", "--quiet")
    (line,) = lines(answer, "be done here")
    assert line.startswith("No row can be done here: the default data root ")
    assert "`mirbench data get gtzan --data ROOT`" in line
    assert answer.code == 0
    (Path.cwd() / "gtzan").mkdir()  # a folder with nothing in it
    (line,) = lines(typed("sweep", "suite.toml", "--dry-run", "--quiet", "--data", str(Path.cwd())), "be done here")
    assert "holds no genres/" in line


def test_data_that_several_modified_tasks_lack_are_said_once(typed: Typed) -> None:
    tables = (
        f'[[run]]\ntask = "gtzan{words}"\nmethod = "knn"\nsource = "nano"\n' for words in ("", "+normalized", "+shots5")
    )
    Path("suite.toml").write_text("".join(tables))
    (line,) = lines(typed("sweep", "suite.toml", "--dry-run"), "be done here")
    assert line.startswith("No row can be done here: ")
    assert "`mirbench show gtzan` says" in line


def test_dry_run_of_reproduce_says_it_too(typed: Typed) -> None:
    (line,) = lines(typed("reproduce", "hung2022-table3", "--dry-run"), "be done here")
    assert "`mirbench data get gtzan --data ROOT`" in line


@pytest.mark.usefixtures("_unverified_allowed")
def test_dry_run_says_which_weights_are_missing_and_which_will_be_fetched(typed: Typed) -> None:
    Path("tones.py").write_text(TONES)
    suite("tones", "nano", "coral-mobilenetv2", "efficientat-mn04")
    answer = typed("sweep", "suite.toml", "--dry-run", "--quiet", "--plugin", "tones.py")
    (line,) = lines(answer, "be done here")
    assert line.startswith("1 of 3 rows cannot be done here: coral-mobilenetv2: ")
    assert "--weights DIR" in line
    (line,) = lines(answer, "fetches")
    assert line == "efficientat-mn04: not on this machine; its first run fetches mn04_as_mAP_432.pt (4.1 MB)."


@pytest.mark.parametrize("method", ["probe-linear", "ii-nmr"])
def test_dry_run_says_nothing_is_missing_where_all_is_here(typed: Typed, method: str) -> None:
    Path("tones.py").write_text(TONES)
    suite("tones", "nano", method=method)
    answer = typed("sweep", "suite.toml", "--dry-run", "--quiet", "--plugin", "tones.py")
    assert (answer.code, lines(answer, "done here") + lines(answer, "not on this machine")) == (0, [])
