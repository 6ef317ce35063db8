"""A task of thirty short sounds, and cells of a notebook."""

from __future__ import annotations

import linecache
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

RATE = 16_000


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of noise that differ in colour, ten clips of a second each."""
    folder = tmp_path_factory.mktemp("own") / "songs"
    for n in range(30):
        rng, label = np.random.default_rng(n), n % 3
        sound = rng.normal(0, 0.1, RATE)
        sound = np.convolve(sound, np.ones(1 + 4 * label) / (1 + 4 * label), "same")
        place = folder / f"class{label}" / f"{n}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place, sound, RATE)
    return folder


@pytest.fixture
def kept(songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a test, with a cache that the tests of a session share."""
    monkeypatch.setenv("MIRBENCH_CACHE", str(songs.parent / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """``cell(text)`` does what a notebook does with a cell, and returns the names of the notebook."""
    notebook = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    count = 0

    def do(text: str) -> dict[str, Any]:
        nonlocal count
        count += 1
        name = f"<cell {count} of {id(notebook)}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec", dont_inherit=True), vars(notebook))
        return vars(notebook)

    return do
