from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from mirbench.methods.sources.renderings import Asperes
from tests.conftest import Answer

Typed = Callable[..., Answer]


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """Two classes of four files each, 1.5 s: tones of 440 Hz and of 3520 Hz."""
    time = np.arange(3 * 44_100 // 2) / 44_100
    for name, hertz in (("low", 440), ("high", 3520)):
        (tmp_path / "tones" / name).mkdir(parents=True)
        for number in range(4):
            wave = (0.2 + 0.1 * number) * np.sin(2 * np.pi * hertz * time)
            soundfile.write(tmp_path / "tones" / name / f"{number}.wav", wave, 44_100, subtype="FLOAT")
    return tmp_path / "tones"


def test_show_writes_what_a_source_sees_of_a_clip_of_each_class(tones: Path, typed: Typed) -> None:
    settings = ("--source-set", "seconds=whole", "--source-set", "intensity=linear")
    answer = typed("show", f"folder:{tones}", "--pictures", "out", *settings)
    assert (answer.code, answer.out) == (0, ""), answer.err
    found = {path.name.partition("_")[0]: path for path in sorted(Path("out").iterdir())}
    assert set(found) == {"high", "low"}
    for name, row in (("low", 54), ("high", 90)):  # 12 bands an octave from 20 Hz
        picture = np.asarray(Image.open(found[name])).astype(int)
        assert picture.shape == (121, 150)
        assert abs(int(picture[:, 75].argmax()) - (120 - row)) <= 1
    (number,) = re.findall(r"\d", found["low"].name)
    heard, _ = soundfile.read(tones / "low" / f"{number}.wav", dtype="float32")
    drawn = Asperes(44_100, intensity="linear")(torch.from_numpy(heard)[None])[0, 0].flip(0).numpy()
    np.testing.assert_allclose(np.asarray(Image.open(found["low"])), 255 * drawn, atol=0.51)


def test_show_draws_by_a_front_end_that_needs_its_network(tones: Path, typed: Typed) -> None:
    answer = typed("show", f"folder:{tones}", "--pictures", "out", "--source", "nano")
    assert answer.code == 0, answer.err
    assert {np.asarray(Image.open(path)).shape for path in Path("out").iterdir()} == {(64, 240)}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("gtzan-pictures-demo",), "its clips are picture files"),
        (("gtzan-demo", "--source", "openl3"), "openl3 makes no pictures"),
        (("gtzan-demo", "--source-set", "intensity=bright"), "intensity"),
    ],
)
def test_show_says_in_one_line_why_it_draws_nothing(words: tuple[str, ...], says: str, typed: Typed) -> None:
    answer = typed("show", words[0], "--pictures", "out", *words[1:])
    assert (answer.code, says in answer.err, answer.err.count("\n")) == (2, True, 1), answer.err
