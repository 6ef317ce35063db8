"""A submission adds records, and does nothing else."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirbench.errors import BadInput
from mirbench.trust.changes import unwelcome, unwelcome_since

if TYPE_CHECKING:
    from tests.conftest import Answer

RUN = "runs/gtzan/prior/0123456789abcdef"


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    ran = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def put(folder: Path, name: str, text: str = "x") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One record on main, and a branch that starts there."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for name in (f"{RUN}/record.json", "runs/leaderboard.md", "README.md", ".github/workflows/ci.yml"):
        put(folder, name)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
    git(folder, "switch", "-qc", "sent")
    return folder


WELCOME: dict[str, Callable[[Path], Any]] = {
    "a record": lambda f: put(f, "runs/gtzan/prior/00/record.json"),
    "a record of another task": lambda f: put(f, "runs/für Elise/prior/00/record.json"),
    "tables": lambda f: put(f, "runs/leaderboard.md", "y"),
    "a list of clips": lambda f: put(f, "runs/gtzan/clips-1.csv", "y"),
}
UNWELCOME: dict[str, Callable[[Path], Any]] = {
    "a record that changes": lambda f: put(f, f"{RUN}/record.json", "y"),
    "a record that goes": lambda f: shutil.rmtree(f / RUN),
    "a record that is moved": lambda f: (f / RUN).rename((f / RUN).with_name("ffffffffffffffff")),
    "a record that becomes a link": lambda f: (
        (f / RUN / "record.json").unlink(), (f / RUN / "record.json").symlink_to("/etc/passwd")),
    "a record that can be executed": lambda f: (f / RUN / "record.json").chmod(0o755),
    "tables that go": lambda f: (f / "runs/leaderboard.md").unlink(),
    "a workflow": lambda f: put(f, ".github/workflows/ci.yml", "y"),
    "another workflow": lambda f: put(f, ".github/workflows/more.yml"),
    "a file beside": lambda f: put(f, "runs2/record.json"),
    "a file of the root": lambda f: put(f, "setup.py"),
    "README": lambda f: (f / "README.md").unlink(),
    "attributes": lambda f: put(f, ".gitattributes", "* diff=x"),
}  # fmt: skip


def committed(folder: Path) -> None:
    git(folder, "add", "-Af")
    git(folder, "commit", "-qm", "sent")


@pytest.mark.parametrize("what", WELCOME)
def test_what_a_submission_adds_is_welcome(what: str, repository: Path) -> None:
    WELCOME[what](repository)
    committed(repository)
    assert unwelcome_since("main", repository / "runs") == []


@pytest.mark.parametrize("what", UNWELCOME)
def test_what_else_it_does_is_said_beside_a_record_that_is_welcome(what: str, repository: Path) -> None:
    WELCOME["a record"](repository)
    UNWELCOME[what](repository)
    committed(repository)
    (line,) = unwelcome_since("main", repository / "runs")
    assert "nothing else" in line or "neither changes nor goes" in line


def test_what_came_to_main_since_is_no_change(repository: Path) -> None:
    WELCOME["a record"](repository)
    committed(repository)
    git(repository, "switch", "-q", "main")
    put(repository, "README.md", "y")
    committed(repository)
    git(repository, "switch", "-q", "sent")
    assert unwelcome_since("main", repository / "runs") == []


def test_records_may_be_the_whole_repository() -> None:
    assert list(unwelcome("A\0gtzan/prior/00/record.json\0", "")) == []
    assert len(list(unwelcome("D\0gtzan/prior/00/record.json\0", ""))) == 1


@pytest.mark.parametrize("commit", ["no-such-branch", "--output=/tmp/x", ""])
def test_commit_that_is_none_is_one_line(commit: str, repository: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--since: git cannot tell"):
        unwelcome_since(commit or "\n", repository / "runs")
    with pytest.raises(BadInput, match="--since: git cannot tell"):
        unwelcome_since("main", tmp_path)


def test_command_refuses_what_else_is_sent(repository: Path, typed: Callable[..., Answer]) -> None:
    UNWELCOME["a workflow"](repository)
    committed(repository)
    answer = typed("verify", "--strict", repository / "runs", "--since", "main", "--quiet")
    assert answer.code == 1
    assert answer.out.startswith("changes .github/workflows/ci.yml, which is not in runs/")
    answer = typed("verify", repository / "runs", "--since", "main")
    assert (answer.code, answer.err) == (2, "mirbench: --since is about submissions: add --strict\n")
