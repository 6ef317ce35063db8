"""Of thousands of records some cannot be read: they are left out and named; all else is as if they were not there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mirbench.errors import BadInput
from mirbench.leaderboard.results import questions
from mirbench.leaderboard.table import boards
from mirbench.methods.prior import Prior
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs import runner
from mirbench.runs.plan import Plan, Request, make_plan
from mirbench.runs.store import RunStore
from tests.benchmark.trust.test_verify import TASK, edit, write

if TYPE_CHECKING:
    from tests.conftest import Answer

QUIET = Progress(quiet=True)


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> list[Plan]:
    """Of two systems."""
    folder = tmp_path_factory.mktemp("plans")
    plan = make_plan(Request(TASK, "prior", seeds=(0,), data=folder, cache=folder), Catalogue(), QUIET)
    plan = replace(plan, uses_seed=True, specs=tuple(replace(plan.specs[0], seed=seed) for seed in range(3)))
    return [plan, replace(plan, specs=tuple(replace(spec, method="other") for spec in plan.specs))]


@pytest.fixture
def root(plans: list[Plan], tmp_path: Path) -> Path:
    """Three seeds of each."""
    for number, plan in enumerate(plans):
        for seed in range(3):
            write(tmp_path / "runs", plan, seed, draw=10 * number + seed)
    return tmp_path / "runs"


def victim(root: Path) -> Path:
    """The folder of the run that is damaged."""
    (found,) = [folder for folder, record in RunStore(root).records() if record.spec.method == "other"][1:2]
    return found


def put(name: str, text: str | bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def changed(change: Callable[[bytes], bytes], name: str = "record.json") -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def loop(folder: Path) -> None:
    (folder / "record.json").unlink()
    (folder / "record.json").symlink_to(folder / "record.json")


def reshaped(folder: Path) -> None:
    with np.load(folder / "scores.npz") as stored:
        held = dict(stored)
    held["scores"] = held["scores"][1:]
    np.savez_compressed(folder / "scores.npz", **held)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "another schema": lambda f: edit(f, lambda held: held.update(schema_version=2)),
    "no schema": lambda f: edit(f, lambda held: held.pop("schema_version")),
    "cut JSON": changed(lambda text: text[:-30]),
    "an empty file": put("record.json", ""),
    "zeros": changed(lambda text: bytes(len(text))),
    "a byte order mark": changed(lambda text: b"\xef\xbb\xbf" + text),
    "another encoding": changed(lambda text: text.decode().encode("utf-16")),
    "NaN": changed(lambda text: text.replace(b'"flops": null', b'"flops": NaN')),
    "1e999": changed(lambda text: text.replace(b'"flops": null', b'"flops": 1e999')),
    "a number of 5000 digits": changed(lambda text: text.replace(b'"flops": null', b'"flops": 1' + b"0" * 5000)),
    "a list": put("record.json", "[]"),
    "a number": put("record.json", "7"),
    "another type": lambda f: edit(f, lambda held: held.update(seconds="long")),
    "a spec of text": lambda f: edit(f, lambda held: held.update(spec="all")),
    "a spec of nothing": lambda f: edit(f, lambda held: held.update(spec={})),
    "a metric of lists": lambda f: edit(f, lambda held: held["metrics"].update(accuracy=[0.5])),
    "energy of text": lambda f: edit(f, lambda held: held.update(energy={"train_kwh": "much"})),
    "half a letter": lambda f: edit(f, lambda held: held["environment"].update(processor="\ud800")),
    "900 lists": lambda f: edit(f, lambda held: held["spec"]["params"].update(x=json.loads("[" * 900 + "]" * 900))),
    "100,000 lists": put("record.json", "[" * 100_000),
    "a link to itself": loop,
    "a link to nowhere": lambda f: ((f / "record.json").unlink(), (f / "record.json").symlink_to("nowhere")),
    "no record": lambda f: (f / "record.json").unlink(),
    "a folder": lambda f: ((f / "record.json").unlink(), (f / "record.json").mkdir()),
    "a pipe": lambda f: ((f / "record.json").unlink(), os.mkfifo(f / "record.json")),
    "20 MB": changed(lambda text: text + b" " * 20 * 2**20),
    "no scores": lambda f: (f / "scores.npz").unlink(),
    "cut scores": changed(lambda data: data[:500], "scores.npz"),
    "scores of zeros": changed(lambda data: bytes(len(data)), "scores.npz"),
    "scores of another shape": reshaped,
    "curves that are none": put("deform.json", "{"),
}
SCORED = ("curves that are none",)
"""What leaves the run in the table."""


QUICK = ("another schema", "cut JSON", "1e999", "900 lists", "a link to itself", "no scores", "scores of another shape")


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=() if what in QUICK else pytest.mark.slow) for what in DAMAGE]
)
def test_board_is_that_of_the_rest(what: str, root: Path, tmp_path: Path) -> None:
    folder = victim(root)
    rest = Path(shutil.copytree(root, tmp_path / "rest"))
    if what not in SCORED:
        shutil.rmtree(rest / folder.relative_to(root))
    DAMAGE[what](folder)
    left_out: list[str] = []
    found, expected = boards(root, left_out), boards(rest)
    assert [[(row.name, row.metrics, row.n_seeds, row.rank) for row in board.rows] for board in found] == [
        [(row.name, row.metrics, row.n_seeds, row.rank) for row in board.rows] for board in expected
    ]
    (line,) = left_out
    assert str(folder) in line
    assert "\n" not in line


def test_every_run_of_a_system_may_be_damaged(root: Path) -> None:
    for folder in (root / TASK / "other").iterdir():
        (folder / "scores.npz").unlink()
    left_out: list[str] = []
    (board,) = boards(root, left_out)
    assert ([row.name for row in board.rows], len(left_out)) == (["prior"], 3)


def test_linked_run_counts_once(root: Path) -> None:
    (root / TASK / "again").symlink_to(root / TASK / "other")
    (root / "loop").symlink_to(root)
    (question,) = questions(root, [])
    assert sorted(len(system.runs) for system in question.systems) == [3, 3]


def test_without_a_list_the_first_raises(root: Path) -> None:
    DAMAGE["cut JSON"](victim(root))
    with pytest.raises(BadInput, match=r"record\.json: not a record"):
        boards(root)


COMMANDS: dict[str, tuple[str, ...]] = {
    **{form: ("leaderboard", "--format", form) for form in ("md", "csv", "json", "latex", "html")},
    "compare": ("compare", "prior", "other"),
    "plot": ("plot", "forest"),
    "ensemble": ("ensemble", "prior", "other"),
}


def some() -> Iterator[Any]:
    """Every command with one kind of damage; every kind with every command is slow."""
    for name in COMMANDS:
        for what in DAMAGE:
            quick = what == "cut JSON"
            yield pytest.param(name, what, marks=() if quick else pytest.mark.slow, id=f"{name}, {what}")


@pytest.mark.parametrize(("name", "what"), list(some()))
def test_command_names_what_it_left_out_and_ends_with_1(
    name: str, what: str, root: Path, typed: Callable[..., Answer]
) -> None:
    folder = victim(root)
    if name == "ensemble" and ("scores" in what or what in SCORED):
        pytest.skip("needs these scores, or reads no curves")
    DAMAGE[what](folder)
    answer = typed(*COMMANDS[name], "--runs", root)
    assert answer.code == 1
    (line,) = [line for line in answer.err.splitlines() if line.startswith("mirbench: ")]
    assert line.startswith("mirbench: 1 is left out, for it cannot be read: ")
    assert str(folder) in line
    assert answer.out or name == "plot" or "written to" in answer.err


def test_command_counts_many_and_names_a_few(plans: list[Plan], root: Path, typed: Callable[..., Answer]) -> None:
    for folder in (*(root / TASK / "other").iterdir(), *sorted((root / TASK / "prior").iterdir())[:2]):
        (folder / "record.json").write_text("{")
    answer = typed("leaderboard", "--runs", root)
    assert answer.code == 1
    assert "mirbench: 5 are left out" in answer.err
    assert "; and 2 more" in answer.err


@pytest.mark.slow
def test_run_that_is_on_record_and_unreadable_stays_and_the_next_seed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Prior, "uses_seed", True)
    request = Request(TASK, "prior", seeds=(0, 1), runs=tmp_path / "runs", data=tmp_path, cache=tmp_path / "c")
    first = runner.run(request, Catalogue(), QUIET)[0].folder
    edit(first, lambda held: held.update(schema_version=2))
    before = (first / "record.json").read_bytes()
    shutil.rmtree(runner.run(replace(request, seeds=(1,)), Catalogue(), QUIET)[0].folder)
    outcomes = runner.run(request, Catalogue(), QUIET)
    assert [outcome.record.status for outcome in outcomes] == ["failed", "done"]
    assert "schema version 2" in outcomes[0].record.reason
    assert (first / "record.json").read_bytes() == before
