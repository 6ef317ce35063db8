"""The commands about results of others, as a user types them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mirbench.places import default_results
from mirbench.runs.plan import Plan
from mirbench.runs.results_pack import pack_runs
from mirbench.runs.store import RunStore
from tests.benchmark.trust import recorded
from tests.benchmark.trust.recorded import TASK
from tests.conftest import Answer

Typed = Callable[..., Answer]

plan = recorded.plan  # a fixture


@pytest.fixture
def pack(plan: Plan, tmp_path: Path) -> Path:
    """A pack of three runs that hold."""
    for seed in range(3):
        recorded.write(tmp_path / "theirs", plan, seed)
    path = tmp_path / "lab.tar.xz"
    path.write_bytes(pack_runs(RunStore(tmp_path / "theirs").records()))
    return path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a folder that is served on this machine."""
    handler = partial(_Silent, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None: ...


@pytest.mark.slow
def test_a_pack_is_made_added_shown_listed_and_removed(typed: Typed, plan: Plan, tmp_path: Path) -> None:
    for seed in range(2):
        recorded.write(tmp_path / "theirs", plan, seed)
    made = typed("results", "pack", tmp_path / "lab.tar.xz", "--runs", tmp_path / "theirs", "--task", TASK)
    assert (made.code, made.out.count("2 runs")) == (0, 1)
    added = typed("results", "add", tmp_path / "lab.tar.xz")
    assert (added.code, f"2 runs of {TASK} hold" in added.out) == (0, True)
    assert f"lab  {TASK}: 2 runs" in typed("results", "list").out
    hint = typed("leaderboard", "--task", TASK)
    assert (hint.code, f"`mirbench leaderboard --reference --task {TASK}`" in hint.err) == (2, True)
    alone = typed("leaderboard", "--reference", "--task", TASK, "--format", "md")
    assert (alone.code, "prior [lab]" in alone.out, Path("runs").exists()) == (0, True, False)
    recorded.write(Path("runs"), plan, 2)
    beside = typed("leaderboard", "--format", "md")
    assert "[lab]" not in beside.out, "one's own run of the same system stands alone"
    both = typed("compare", "prior", "lab:prior")
    assert (both.code, "prior [lab]" in both.out) == (0, True)
    assert typed("results", "remove", "lab").code == 0
    assert "lab" not in typed("results", "list").out
    assert typed("results", "remove", "lab").code == 2


def test_a_pack_comes_from_the_web_and_must_be_what_its_hash_says(typed: Typed, pack: Path, site: str) -> None:
    sha256 = hashlib.sha256(pack.read_bytes()).hexdigest()
    wrong = typed("results", "add", f"{site}/lab.tar.xz", "--sha256", "0" * 64)
    assert (wrong.code, wrong.err.count("\n"), "results" in typed("results", "list").out) == (2, 1, False)
    assert typed("results", "add", f"{site}/lab.tar.xz", "--sha256", sha256, "--name", "web").code == 0
    assert f"web  {TASK}: 3 runs" in typed("results", "list").out
    lost = typed("results", "add", f"{site}/none.tar.xz")
    assert (lost.code, "HTTP 404" in lost.err) == (2, True)
    assert typed("results", "add", "http://example.org/lab.tar.xz").code == 2


def test_a_pack_from_the_web_that_is_too_large_is_not_kept(
    typed: Typed, pack: Path, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirbench.runs.results_pack.MOST_BYTES", 100)
    answer = typed("results", "add", f"{site}/lab.tar.xz")
    assert (answer.code, answer.err.count("\n"), "no more are taken" in answer.err) == (2, 1, True)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://a.org/lab.tar.xz", "s3://lab/lab.tar.xz"])
def test_a_pack_of_another_protocol_is_refused_unasked(address: str, typed: Typed) -> None:
    answer = typed("results", "add", address)
    assert (answer.code, "are fetched by https" in answer.err) == (2, True)


def test_a_pack_of_a_task_takes_every_spelling_of_its_name(typed: Typed, plan: Plan, tmp_path: Path) -> None:
    recorded.write(tmp_path / "theirs", plan, 0)
    store = RunStore(tmp_path / "theirs")
    ((folder, record),) = store.records()
    spec = replace(record.spec, task="csv:songs+normalized+folds5")
    RunStore(tmp_path / "mine").write(replace(record, spec=spec), store.scores(folder))
    for task in ("csv:songs+folds5+normalized", f"csv:{tmp_path}/songs.csv+folds05+normalized"):
        made = typed("results", "pack", tmp_path / "lab.tar.xz", "--runs", tmp_path / "mine", "--task", task)
        assert (made.code, ": 1 run" in made.out) == (0, True), made.err


def test_a_pack_with_one_record_that_does_not_hold_is_refused_whole(
    typed: Typed,
    plan: Plan,
    tmp_path: Path,
) -> None:
    recorded.write(tmp_path / "theirs", plan, 0)
    recorded.write(tmp_path / "theirs", plan, 1, uses_seed=False, contaminated=("gtzan",))
    (tmp_path / "lab.tar.xz").write_bytes(pack_runs(RunStore(tmp_path / "theirs").records()))
    answer = typed("results", "add", tmp_path / "lab.tar.xz")
    assert (answer.code, answer.err.count("\n"), "1 of its 2 records" in answer.err) == (2, 1, True)
    assert "lab" not in typed("results", "list").out


@pytest.mark.parametrize("name", ["reference", "plugin", "../x", "A", "-", "a" * 41])
def test_a_name_that_is_a_mark_or_a_path_is_refused(name: str, typed: Typed, pack: Path) -> None:
    answer = typed("results", "add", pack, f"--name={name}")
    assert (answer.code, answer.err.count("\n")) == (2, 1)


def test_another_pack_of_the_same_name_is_not_overwritten(typed: Typed, pack: Path, tmp_path: Path) -> None:
    assert typed("results", "add", pack).code == typed("results", "add", pack).code == 0
    other = tmp_path / "other" / "lab.tar.xz"
    other.parent.mkdir()
    other.write_bytes(pack_runs(list(RunStore(tmp_path / "theirs").records())[:1]))
    assert "results remove lab" in typed("results", "add", other).err


def test_a_damaged_pack_is_left_out_of_tables_and_named(typed: Typed, pack: Path, plan: Plan) -> None:
    assert typed("results", "add", pack).code == 0
    lab = default_results() / "lab.tar.xz"
    lab.write_bytes(lab.read_bytes()[:-1])
    recorded.write(Path("runs"), plan, 2)
    answer = typed("leaderboard", "--format", "md")
    assert (answer.code, answer.err.count("results remove lab"), "prior" in answer.out) == (1, 1, True)
    assert "cannot be read" in typed("results", "list").out
    assert typed("results", "remove", "lab").code == 0


def test_verify_takes_a_pack_for_a_folder_of_records(typed: Typed, pack: Path) -> None:
    answer = typed("verify", pack, "--strict")
    assert (answer.code, "3 records: 3 hold" in answer.out) == (0, True)
    assert typed("verify", pack.with_name("none.tar.xz")).code == 2
