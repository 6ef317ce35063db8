"""No lie of the list is accepted as a submission, none hides another record, and none stops a board."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirbench.leaderboard.render import as_csv, as_json, markdown
from mirbench.leaderboard.table import boards
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs import runner
from mirbench.runs.ensemble import combine
from mirbench.runs.plan import Request
from mirbench.runs.store import RunStore
from mirbench.tasks.audit.statistics import committed
from mirbench.trust import loose_files, submission, verify
from tests.benchmark.trust.forgeries import FORGERIES, TRUE_CURVES, drawn, forge, rewritten

TASK = "composer-maestro"
QUIET = Progress(quiet=True)
QUICK = {"curves above one", "scores under a password", "a header of brackets", "a kind that is no letter",
         "a model that is a pipe", "a time to come"}  # fmt: skip
Found = tuple[list[verify.Case], list[tuple[Path, str]]]


@pytest.fixture(scope="module")
def true(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs and their ensemble, as the runner makes them."""
    folder = tmp_path_factory.mktemp("true")
    folders = []
    for seed in range(2):
        request = Request(TASK, "prior", seeds=(seed,), runs=folder / "runs", data=folder, cache=folder / "cache")
        folders += [outcome.folder.name for outcome in runner.run(request, Catalogue(), QUIET)]
    combine(RunStore(folder / "runs"), folders)
    return folder / "runs"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a stand-in with a source."""
    folder = tmp_path_factory.mktemp("demo")
    request = Request("ballroom2-demo", "probe-linear", "nano", seeds=(0,), folds=(0,), runs=folder / "runs",
                      data=folder / "data", cache=folder / "cache")  # fmt: skip
    runner.run(request, Catalogue(), QUIET)
    return folder / "runs"


def strict(root: Path, **how: Any) -> Found:
    cases = verify.verify(root, Catalogue(), None, submission.Submission(Catalogue(), committed, **how))
    strange = list(loose_files.strange_files(root))
    submission.lacking_members(cases)
    return cases, strange


def accepted(found: Found) -> bool:
    return not found[1] and all(case.holds for case in found[0])


def of(root: Path, method: str) -> Path:
    """The first run of a method."""
    return next(folder for folder, record in RunStore(root).records() if record.spec.method == method)


def tables(root: Path) -> str:
    """Everything that a folder of records gives, whatever lies in it."""
    left_out: list[str] = []
    found = boards(root, left_out)
    return markdown(found) + as_csv(found) + as_json(found)


def test_true_curves_are_accepted(true: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(true, tmp_path / "runs"))
    TRUE_CURVES(of(root, "prior"))
    assert accepted(strict(root))


@pytest.mark.parametrize(("version", "accepts"), [("0.2.0", True), ("9.0.0", False)])
def test_record_without_hashes_is_accepted_of_versions_that_wrote_none(
    version: str, accepts: bool, true: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(true, tmp_path / "runs"))
    rewritten(of(root, "prior"), ("environment", "versions", "mirbench"), version)
    rewritten(of(root, "prior"), ("files",), {})
    assert accepted(strict(root)) is accepts


def quick_and_slow(names: list[str], quick: set[str]) -> list[Any]:
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


def test_true_records_are_accepted(true: Path, demo: Path) -> None:
    assert accepted(strict(true))
    assert accepted(strict(demo, allow_own=True))
    assert not accepted(strict(demo))


@pytest.mark.parametrize("name", quick_and_slow(sorted(FORGERIES), {*drawn(8, seed=0), *QUICK}))
def test_forgery_is_not_accepted_hides_nothing_and_stops_no_board(name: str, true: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(true, tmp_path / "runs", symlinks=True))
    for folder in (root / TASK / "ensemble").iterdir():
        shutil.rmtree(folder)
    (root / TASK / "ensemble").rmdir()
    other = sorted((root / TASK / "prior").iterdir())[1]
    forge(sorted((root / TASK / "prior").iterdir())[0], name)
    found = strict(root)
    assert not accepted(found)
    assert [case.problems for case in found[0] if case.folder == other] == [[]]
    assert all(line.isprintable() or "\n" not in line for case in found[0] for line in case.problems)
    tables(root).encode("utf-8")


OF_A_SOURCE: dict[str, Callable[[Path], Any]] = {
    "another version of the source": lambda f: rewritten(f, ("spec", "source_version"), "99"),
    "another source": lambda f: rewritten(f, ("spec", "source"), "ast"),
    "no source": lambda f: rewritten(f, ("spec", "source"), ""),
    "an option that there is not": lambda f: rewritten(f, ("spec", "source_params", "power"), 2),
    "a setting that there is not": lambda f: rewritten(f, ("spec", "params", "power"), 2),
    "a setting of text": lambda f: rewritten(f, ("spec", "params", "C"), "large"),
    "another version of the method": lambda f: rewritten(f, ("spec", "method_version"), "0"),
    "a contamination": lambda f: rewritten(f, ("contaminated",), ["ballroom"]),
    "a change": lambda f: rewritten(f, ("changed",), {"C": 2}),
    "flops of 10^400": lambda f: rewritten(f, ("flops",), 10**400),
    "precision int4": lambda f: rewritten(f, ("spec", "precision"), "int4"),
    "source of a homoglyph": lambda f: rewritten(f, ("spec", "source"), "nаno"),
    "another task": lambda f: rewritten(f, ("spec", "task"), "gtzan-demo"),
}


@pytest.mark.parametrize(
    "name", quick_and_slow(sorted(OF_A_SOURCE), {"another version of the source", "source of a homoglyph"})
)
def test_forgery_of_own_data_is_not_accepted_for_consistency_either(name: str, demo: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(demo, tmp_path / "runs"))
    OF_A_SOURCE[name](of(root, "probe-linear"))
    assert not accepted(strict(root, allow_own=True))


ENSEMBLES: dict[str, Callable[[Path], Any]] = {
    "other names of its members": lambda f: rewritten(f, ("spec", "params", "systems"), ["ids-nmr + ast"] * 2),
    "other settings of its members": lambda f: rewritten(f, ("spec", "params", "member_settings"), ["0" * 8] * 2),
    "other seeds of its members": lambda f: rewritten(f, ("spec", "params", "member_seeds"), [None, None]),
    "other weights": lambda f: rewritten(f, ("spec", "params", "member_weights"), [0.9, 0.1]),
    "weights of nothing": lambda f: rewritten(f, ("spec", "params", "member_weights"), [0, 0]),
    "weights that are not shares": lambda f: rewritten(f, ("spec", "params", "member_weights"), [1.0, 1.0]),
    "weights of text": lambda f: rewritten(f, ("spec", "params", "member_weights"), ["all", "none"]),
    "a member less": lambda f: rewritten(f, ("spec", "params", "members", 1), "0" * 16),
    "one member twice": lambda f: rewritten(f, ("spec", "params", "members"), 2 * [
        next(path.name for path in (f.parents[1] / "prior").iterdir())]),
    "no members": lambda f: rewritten(f, ("spec", "params", "members"), []),
    "members that are a number": lambda f: rewritten(f, ("spec", "params", "members"), 7),
    "members that are lists": lambda f: rewritten(f, ("spec", "params", "members"), [[1], [2]]),
    "systems that are lists": lambda f: rewritten(f, ("spec", "params", "systems"), [[1], [2]]),
    "an average of nothing": lambda f: rewritten(f, ("spec", "params", "average"), "best"),
    "an average that is a list": lambda f: rewritten(f, ("spec", "params", "average"), ["prob"]),
    "a setting more": lambda f: rewritten(f, ("spec", "params", "power"), 9000),
    "no settings": lambda f: rewritten(f, ("spec", "params"), {}),
    "another seed": lambda f: rewritten(f, ("spec", "seed"), 7),
    "another version": lambda f: rewritten(f, ("spec", "method_version"), "2"),
    "a source": lambda f: rewritten(f, ("spec", "source"), "ast"),
    "other audio": lambda f: rewritten(f, ("spec", "audio_sha256"), "ab" * 32),
    "another precision": lambda f: rewritten(f, ("spec", "precision"), "bfloat16 and float32"),
    "fewer values": lambda f: rewritten(f, ("n_trainable",), 1),
    "fewer values in all": lambda f: rewritten(f, ("n_total",), 1),
    "a time": lambda f: rewritten(f, ("seconds",), {"train": 0.1}),
    "operations": lambda f: rewritten(f, ("flops",), 1),
    "a history": lambda f: rewritten(f, ("history",), [{"loss": 0.1}]),
    "energy": lambda f: rewritten(f, ("energy",), {"train_kwh": 0.1}),
    "a change": lambda f: rewritten(f, ("changed",), {"C": 1}),
    "a contamination": lambda f: rewritten(f, ("contaminated",), ["maestro"]),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    quick_and_slow(sorted(ENSEMBLES), {"other names of its members", "a member less", "members that are a number"}),
)
def test_ensemble_that_lies_about_its_members_is_not_accepted(name: str, true: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(true, tmp_path / "runs"))
    ENSEMBLES[name](of(root, "ensemble"))
    found = strict(root)
    assert not accepted(found)
    assert [case.problems for case in found[0] if case.folder.parent.name == "prior"] == [[], []]
    tables(root).encode("utf-8")
