"""Clips that are stretches of one file are decoded in one pass, and are what each decoded alone is."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirbench.errors import BadAudio
from mirbench.features import decoding, passes
from mirbench.features.passes import Passes
from mirbench.types import Excerpt

RATE, SECONDS = 8000, 20
KINDS = {
    "mp3": ("MP3", "MPEG_LAYER_III"), "ogg": ("OGG", "VORBIS"), "flac": ("FLAC", "PCM_16"),
    "wav": ("WAV", "PCM_16"), "joined": ("MP3", "MPEG_LAYER_III"),
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, rng = tmp_path_factory.mktemp("long"), np.random.default_rng(0)
    found = {}
    for kind, (container, subtype) in KINDS.items():
        found[kind] = folder / f"{kind}.{kind.replace('joined', 'mp3')}"
        sound = rng.normal(0, 0.1, (RATE * SECONDS, 2))
        soundfile.write(found[kind], sound, RATE, format=container, subtype=subtype)
    found["joined"].write_bytes(2 * found["joined"].read_bytes())
    return found


def stretches(path: Path) -> list[Excerpt]:
    """Side by side, over one another, twice, to the end, past the end."""
    beside = [Excerpt(path, float(start), 3.0) for start in range(0, SECONDS, 3)]
    over = [Excerpt(path, start / 2, 5.0) for start in range(SECONDS)]
    return [*beside, *over, beside[4], beside[4], Excerpt(path, 10.0), Excerpt(path, 100.0, 2.0)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_stretches_are_those_decoded_alone_in_any_order_and_from_any_thread(
    kind: str, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "_LATE_SECONDS", 30.0)
    asked = stretches(files[kind])
    alone = {place: decoding.decode(place) for place in asked}
    orders = [asked, asked[::-1], random.Random(0).sample(asked, len(asked))]
    for given in orders:
        one = Passes(given)
        with ThreadPoolExecutor(3) as pool:
            for place, (samples, rate) in zip(given, pool.map(one.decode, given), strict=True):
                assert rate == alone[place][1]
                np.testing.assert_array_equal(samples, alone[place][0])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were opened for decoding, each time."""
    found: list[Path] = []
    honest = decoding.layout_of
    monkeypatch.setattr(decoding, "layout_of", lambda path: found.append(path) or honest(path))
    return found


def test_file_is_opened_once_for_stretches_in_order(files: dict[str, Path], opened: list[Path]) -> None:
    asked = [Excerpt(files["mp3"], float(start), 1.0) for start in range(SECONDS)]
    one = Passes(asked)
    assert sum(len(one.decode(place)[0]) for place in asked) == RATE * SECONDS
    assert opened == [files["mp3"]]


def test_pass_holds_no_more_than_may_come_late(
    files: dict[str, Path], opened: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "_LATE_SECONDS", 5.0)
    asked = [Excerpt(files["mp3"], float(start), 1.0) for start in reversed(range(SECONDS))]
    one = Passes(asked)
    for place in asked:
        one.decode(place)
    assert len(opened) == 4  # six stretches each at most: one is asked for when it is heard


def test_files_beyond_those_that_may_be_open_are_decoded_stretch_by_stretch(
    files: dict[str, Path], opened: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "_OPEN", 1)
    asked = [Excerpt(files[kind], float(start), 1.0) for start in range(3) for kind in ("mp3", "ogg")]
    one = Passes(asked)
    for place in asked:
        np.testing.assert_array_equal(one.decode(place)[0], decoding.decode(place)[0])


def test_damage_is_said_of_those_stretches_alone_that_it_is_in(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    content = bytearray(files["flac"].read_bytes())
    content[len(content) // 2 : len(content) // 2 + 5000] = bytes(5000)
    path.write_bytes(content)
    asked = [Excerpt(path, float(start), 1.0) for start in range(SECONDS)]

    def fate(decode: decoding.DecodeStretch, place: Excerpt) -> object:
        try:
            return decode(place)[0].tobytes()
        except BadAudio as error:
            return error.faults

    one = Passes(asked)
    fates = [fate(one.decode, place) for place in asked]
    assert fates == [fate(decoding.decode, place) for place in asked]
    assert {type(each) for each in fates} == {bytes, tuple}
