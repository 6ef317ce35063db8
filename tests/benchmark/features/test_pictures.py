"""Picture files, and tasks whose clips are pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mirbench import Context
from mirbench.errors import BadAudio, BadInput, NotApplicable
from mirbench.features import pictures
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.runner import run
from mirbench.trust.checks import check_data
from mirbench.types import Clip, Excerpt, Split, Task, excerpts

QUIET = Progress(quiet=True)
RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def draw(path: Path, pixels: np.ndarray = RGB, mode: str = "") -> Path:
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path)
    return path


def survey(*paths: Path) -> dict[Excerpt, object]:
    return dict(pictures.survey([Excerpt(path) for path in paths], paths[0].parent / "memo.sqlite", QUIET))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_read_gives_the_pixels_of_a_lossless_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RGB).save(path, **({"lossless": True} if suffix == "webp" else {}))
    found = pictures.read(path)
    assert (found.dtype, np.array_equal(found, RGB)) == (np.uint8, True)


def test_read_gives_nearly_the_pixels_of_a_jpeg(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(32), np.arange(48))[..., None].repeat(3, axis=2).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(pictures.read(tmp_path / "a.jpg").astype(int) - smooth).max() <= 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA"])
def test_read_makes_rgb_of_other_modes(tmp_path: Path, mode: str) -> None:
    path = draw(tmp_path / "a.png", mode=mode)
    assert pictures.read(path).shape == (5, 7, 3)


def test_read_makes_white_of_what_is_transparent(tmp_path: Path) -> None:
    glass = np.zeros((2, 2, 4), dtype=np.uint8)
    glass[0, 0] = (10, 20, 30, 255)
    glass[1, 1] = (0, 0, 0, 128)
    found = pictures.read(draw(tmp_path / "a.png", glass))
    assert (found[0, 0].tolist(), found[0, 1].tolist()) == ([10, 20, 30], [255, 255, 255])
    assert 125 <= found[1, 1, 0] <= 129


def test_read_makes_white_of_the_transparent_colour_of_a_palette(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "a.png", transparency=0)
    assert pictures.read(tmp_path / "a.png").tolist() == [[[255, 255, 255], [200, 0, 0]]]


def test_read_refuses_sixteen_bits_rather_than_cut_them_off(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", np.full((3, 3), 3000, dtype=np.uint16))
    with pytest.raises(BadAudio, match="8 bits a colour are needed"):
        pictures.read(path)


def broken(folder: Path) -> dict[str, str]:
    """Files that are no pictures, and what their line must say."""
    whole = draw(folder / "whole.png", np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    (folder / "short.png").write_bytes(whole.read_bytes()[:1000])
    (folder / "empty.png").touch()
    (folder / "words.png").write_text("a picture says more than a thousand of these")
    (folder / "sound.png").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")
    (folder / "folder.png").mkdir()
    words = dict.fromkeys(("short.png", "empty.png", "words.png", "sound.png"), "broken, or not a picture")
    return words | {"missing.png": "no such file", "folder.png": "no such file"}


def test_survey_names_each_bad_file_with_its_fault(tmp_path: Path) -> None:
    words = broken(tmp_path)
    with pytest.raises(BadAudio) as caught:
        survey(*(tmp_path / name for name in (*words, "whole.png")))
    faults = {line.partition(": ")[0]: line.partition(": ")[2] for line in caught.value.faults}
    assert sorted(faults) == sorted(str(tmp_path / name) for name in words)
    assert all(faults[str(tmp_path / name)].startswith(said) for name, said in words.items())


def test_survey_gives_a_line_a_file(tmp_path: Path) -> None:
    words = broken(tmp_path)
    with pytest.raises(BadAudio) as caught:
        survey(*(tmp_path / name for name in words))
    assert not any("\n" in line for line in caught.value.faults)


def test_survey_does_not_call_a_picture_audio(tmp_path: Path) -> None:
    with pytest.raises(BadAudio) as caught:
        survey(tmp_path / "missing.png")
    assert "audio" not in str(caught.value)


def test_survey_hashes_the_file(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png")
    (facts,) = pictures.survey([Excerpt(path)], tmp_path / "memo.sqlite", QUIET).values()
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_survey_remembers_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = draw(tmp_path / "a.png")
    first = survey(path)
    monkeypatch.setattr(pictures, "read", lambda path: pytest.fail("decoded again"))
    assert survey(path) == first


# Tasks of pictures


def catalogue(root: Path) -> Catalogue:
    """A catalogue with the task "cards": 24 pictures, dark ones and bright ones."""
    rng = np.random.default_rng(0)
    clips = []
    for n in range(24):
        base = 60 if n % 2 else 160
        pixels = rng.integers(base, base + 40, (6, 9, 3), dtype=np.uint8)
        path = draw(root / f"{n}.png", pixels)
        split = ("train", "train", "valid", "test")[n // 2 % 4]
        clips.append(Clip(str(n), path, split, ("dark" if n % 2 else "bright",)))
    task = Task(
        "cards", "1", "", "single-label", ("bright", "dark"), ("accuracy",), lambda root, fold: clips, str(root), 24,
        30.0, medium="picture",
    )  # fmt: skip
    return Catalogue([Plugin("test", "0" * 64, {"cards": task}, {}, {})])


def ask(root: Path, method: str, source: str = "") -> Request:
    return Request("cards", method, source, (0,), runs=root / "runs", cache=root / "cache")


def context_of(root: Path) -> tuple[Context, Split]:
    task = catalogue(root).task("cards")
    split = Split(task, tuple(task.read_clips(None, 0)))
    facts = pictures.survey(excerpts(split), root / "memo.sqlite", QUIET)
    return Context(facts=facts, cache=root / "cache", device=torch.device("cpu")), split


def test_images_are_the_pictures_of_the_clips_in_order(tmp_path: Path) -> None:
    context, split = context_of(tmp_path)
    images = context.images(split)
    assert (images.values.shape, images.clip_index.tolist()) == ((24, 6, 9, 3), list(range(24)))
    assert np.array_equal(images.values[7], pictures.read(tmp_path / "7.png"))


def test_images_of_a_blind_split_are_the_same(tmp_path: Path) -> None:
    context, split = context_of(tmp_path)
    assert np.array_equal(context.images(split.blind()).values, context.images(split).values)


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    context, split = context_of(tmp_path)
    draw(tmp_path / "3.png", np.zeros((6, 10, 3), dtype=np.uint8))
    with pytest.raises(BadInput, match=r"3\.png: 10 x 6 pixels, others 9 x 6"):
        context.images(split)


def test_pictures_are_not_applicable_to_a_source_that_takes_audio(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="its clips are pictures, and speechatt takes audio"):
        make_plan(ask(tmp_path, "probe-linear", "speechatt"), catalogue(tmp_path), QUIET)


def test_prior_runs_on_pictures(tmp_path: Path) -> None:
    (outcome,) = run(ask(tmp_path, "prior"), catalogue(tmp_path), QUIET)
    assert (outcome.record.status, outcome.record.metrics["accuracy"]) == ("done", 0.5)


def test_data_check_of_pictures_looks_for_no_length(tmp_path: Path) -> None:
    task = catalogue(tmp_path).task("cards")
    assert check_data(task, tmp_path, tmp_path / "cache", QUIET) == []


def test_data_check_of_pictures_names_the_broken_one(tmp_path: Path) -> None:
    task = catalogue(tmp_path).task("cards")
    (tmp_path / "5.png").write_bytes(b"")
    (problem,) = check_data(task, tmp_path, tmp_path / "cache", QUIET)
    assert "5.png: broken, or not a picture" in problem
