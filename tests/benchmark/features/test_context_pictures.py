"""A context of picture files: a row each, of any size, and nothing to be heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mirbench import Context
from mirbench.errors import BadInput, NotApplicable
from mirbench.features import pictures
from mirbench.methods.sources.cards import NANO
from mirbench.progress import Progress
from mirbench.source import Activations
from mirbench.types import Excerpt, Split, excerpts
from tests.benchmark.features.test_context_windows import summary
from tests.toys import splits_of


class Looks(torch.nn.Module):
    """The mean colour of a picture file."""

    seen = 0

    def body(self, picture: torch.Tensor, layers: tuple[int, ...] = ()) -> Activations:
        Looks.seen += len(picture)
        colours = picture.mean(dim=(2, 3))
        return Activations(colours, {k: colours[:, None, :] * torch.tensor([[[1.0]], [[3.0]]][k]) for k in layers})


def picture_task(folder: Path, sizes: tuple[int, ...] = (8, 8, 8)) -> tuple[Split, Split, Split]:
    classes = ("r", "g", "b")
    train, valid, test = splits_of({s: classes for s in ("train", "valid", "test")}, classes, medium="picture")
    splits = []
    for split in (train, valid, test):
        clips = []
        for k, (clip, size) in enumerate(zip(split.clips, sizes, strict=True)):
            pixels = np.zeros((size, 2 * size, 3), dtype=np.uint8)
            pixels[..., k] = 100 + len(splits)
            Image.fromarray(pixels).save(folder / f"{clip.id}.png")
            clips.append(replace(clip, path=folder / f"{clip.id}.png"))
        splits.append(Split(split.task, tuple(clips)))
    return splits[0], splits[1], splits[2]


def picture_context(splits: tuple[Split, ...], folder: Path) -> Context:
    places: list[Excerpt] = [place for split in splits for place in excerpts(split)]
    card = replace(NANO, name="looks", offers=("body", "layers", "pooled"), n_layers=2, accepts=("audio", "picture"))
    return Context(
        facts=pictures.survey(places, folder / "memo", Progress(quiet=True)), cache=folder / "cache", card=card,
        device=torch.device("cpu"), medium="picture", load=Looks, source_identity="looks",
    )  # fmt: skip


def test_pictures_have_one_row_each_computed_once(tmp_path: Path) -> None:
    splits, Looks.seen = picture_task(tmp_path), 0
    for _ in range(2):
        pooled = picture_context(splits, tmp_path).source.pooled(splits[0])
        assert np.asarray(pooled.values) == pytest.approx(100 * np.eye(3))
        assert pooled.clip_index.tolist() == [0, 1, 2]
    assert Looks.seen == 3


def test_pictures_of_other_sizes_have_embeddings_but_cannot_be_stacked(tmp_path: Path) -> None:
    splits = picture_task(tmp_path, (8, 9, 10))
    context = picture_context(splits, tmp_path)
    assert np.asarray(context.source.pooled(splits[1]).values) == pytest.approx(101 * np.eye(3))
    with pytest.raises(BadInput, match="18 x 9 pixels, others 16 x 8"):
        context.source.entry(splits[1])


def test_entry_of_pictures_is_the_files_colours_first(tmp_path: Path) -> None:
    splits = picture_task(tmp_path)
    entry = picture_context(splits, tmp_path).source.entry(splits[2])
    assert entry.values.shape == (3, 3, 8, 16)
    assert np.asarray(entry.values).dtype == np.uint8
    assert (np.asarray(entry.values)[1, 1] == 102).all()


def test_layer_means_of_pictures_are_those_of_their_layers(tmp_path: Path) -> None:
    splits = picture_task(tmp_path)
    first, second = picture_context(splits, tmp_path).source.layer_means(splits[0])
    assert np.allclose(3 * np.asarray(first.values), second.values)


def test_edited_picture_is_computed_anew(tmp_path: Path) -> None:
    splits, Looks.seen = picture_task(tmp_path), 0
    picture_context(splits, tmp_path).source.pooled(splits[0])
    Image.new("RGB", (16, 8), "white").save(splits[0].clips[0].path)
    pooled = picture_context(splits, tmp_path).source.pooled(splits[0])
    assert Looks.seen == 4
    assert pooled.values[:][0].tolist() == [255.0, 255.0, 255.0]


def test_pictures_cannot_be_heard(tmp_path: Path) -> None:
    splits = picture_task(tmp_path)
    context = picture_context(splits, tmp_path)
    for hear in (
        lambda: context.audio(splits[0], 8000, 1.0),
        lambda: context.whole(splits[0], "s", 8000, summary([]), identity="1"),
        lambda: context.random_crops(splits[0], 8000, 1.0, np.arange(1), np.random.default_rng(0)),
    ):
        with pytest.raises(NotApplicable, match="the clips of this task are pictures"):
            hear()
