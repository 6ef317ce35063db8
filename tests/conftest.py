"""What tests share: the folder of real data, and a tiny task with the shipped source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mirbench import checks
from mirbench.context import Context
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.types import Split

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MIRBENCH_SHARED", ROOT.parent / "shared"))


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache, data or weights, or asks a hub."""
    monkeypatch.setenv("MIRBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MIRBENCH_DATA", str(tmp_path / "no-data"))
    monkeypatch.delenv("MIRBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def shared() -> Path:
    """The folder of real audio and weights."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the real audio and weights of {SHARED.name}/ beside the repository (or MIRBENCH_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, tuple[Split, Split, Split]]:
    """A context with the source nano, and train, valid and test of a task of three easy classes."""
    folder = tmp_path_factory.mktemp("tiny")
    splits = checks.tiny_task(folder)
    return checks.tiny_context(Catalogue().source("nano"), splits, folder, Progress(quiet=True)), splits
