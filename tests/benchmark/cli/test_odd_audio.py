"""What commands say of audio that can be used and is odd, or cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

if TYPE_CHECKING:
    from tests.conftest import Answer

RATE = 16_000
Typed = Callable[..., "Answer"]


def tone(seed: int, hertz: float) -> np.ndarray:
    time = np.arange(RATE) / RATE
    return 0.3 * np.sin(2 * np.pi * hertz * time) + 0.02 * np.random.default_rng(seed).standard_normal(RATE)


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A folder of two classes with eight songs each."""
    root = tmp_path / "songs"
    for name, hertz in (("low", 200.0), ("high", 900.0)):
        (root / name).mkdir(parents=True)
        for n in range(8):
            soundfile.write(root / name / f"{n}.wav", tone(n, hertz * (1 + n / 50)), RATE, subtype="FLOAT")
    return root


def spoil(songs: Path, n: int, fault: str) -> None:
    path, samples = songs / "low" / f"{n}.wav", tone(n, 200 * (1 + n / 50))
    if fault == "cancels":
        soundfile.write(path, np.stack([samples, -samples + 1e-3 * tone(99, 500)], axis=1), RATE, subtype="FLOAT")
    else:
        soundfile.write(path, samples * 32768, RATE, subtype="FLOAT")


@pytest.mark.parametrize(("fault", "words"), [("cancels", "its channels cancel"), ("unit", "another unit")])
def test_check_names_every_odd_file(fault: str, words: str, songs: Path, typed: Typed) -> None:
    for n in (1, 4):
        spoil(songs, n, fault)
    code, _, err = typed("data", "check", f"folder:{songs}")
    assert code == 2
    assert [name in err for name in ("low/1.wav", "low/4.wav", "low/2.wav")] == [True, True, False]
    assert err.count(words) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "words"), [("cancels", "its channels cancel"), ("unit", "another unit")])
def test_run_says_once_that_files_are_odd_and_goes_on(fault: str, words: str, songs: Path, typed: Typed) -> None:
    for n in (1, 4):
        spoil(songs, n, fault)
    code, _, err = typed("run", "--task", f"folder:{songs}", "--method", "knn", "--source", "nano", "--seeds", 2)
    assert (code, err.count(words), "and 1 more" in err) == (0, 1, True)


def test_run_names_the_file_that_is_cut_and_no_other(songs: Path, typed: Typed) -> None:
    path = songs / "low" / "3.wav"
    path.write_bytes(path.read_bytes()[:20_000])
    code, _, err = typed("run", "--task", f"folder:{songs}", "--method", "knn", "--source", "nano", "--seeds", 1)
    assert (code, err.count(".wav:"), f"{path}: broken (cut short" in err) == (2, 1, True)
