"""What reprogramming shows of what it learnt is what it learnt: adapters, and clips before and after them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from mirbench import Context
from mirbench.errors import NotApplicable
from mirbench.learnt import LearntPicture, LearntSound
from mirbench.method import Showing
from mirbench.methods.reprogramming.nmr import IdNmr, IdsNmr, IiNmr, skip_layer
from mirbench.methods.reprogramming.picture_rp import AstBs, CnnRp, NoiseRp, PaddingRp, UnetRp
from mirbench.registry import Catalogue
from mirbench.types import Split
from tests.benchmark.runs.test_predict import Made, made
from tests.conftest import Answer

Tiny = tuple[Context, tuple[Split, Split, Split]]
Typed = Callable[..., Answer]
__all__ = ["made"]  # a fixture


def shown(method: Any, tiny: Tiny) -> tuple[dict[str, Any], dict[str, Any], Split]:
    """What a method shows of a model that moved at random, by name; the model's state, and the two clips."""
    context, (train, _, test) = tiny
    torch.manual_seed(0)
    module = method.module(context, train)
    with torch.no_grad():
        for parameter in module.adapter.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    state = {name: value.cpu().numpy() for name, value in method.state(module).items()}
    clips = Split(test.task, test.clips[:2])
    return {one.name: one for one in method.learnt(state, clips, context)}, state, clips


def of_clips(found: dict[str, Any], clips: Split) -> list[LearntPicture]:
    return [found[f"clip{n + 1}-{clip.path.stem}"] for n, clip in enumerate(clips.clips) if clip.path]


def firsts(windows: Any) -> np.ndarray:
    return np.asarray(windows.values)[np.unique(windows.clip_index, return_index=True)[1]]


@pytest.mark.parametrize("method", [IdNmr(), CnnRp(), UnetRp(), NoiseRp(), NoiseRp(specaug=True), PaddingRp()], ids=str)
def test_pictures_of_clips_are_those_before_and_after_the_adapter(method: Any, tiny: Tiny) -> None:
    context, _ = tiny
    found, state, clips = shown(method, tiny)
    pictures = of_clips(found, clips)
    before = firsts(context.source.entry(clips))[:, 0]
    adapter = method.stored(state, clips.blind(), context).adapter
    with torch.no_grad():
        after = adapter(torch.from_numpy(before[:, None].astype(np.float32)))[:, 0].numpy()
    assert len(pictures) == 2
    for picture, x, y in zip(pictures, before, after, strict=True):
        assert np.allclose(picture.panels[0].values, x, atol=1e-6)
        assert np.allclose(picture.panels[1].values, y, atol=1e-5)
        assert np.allclose(picture.panels[2].values, y - x, atol=1e-5)


def test_learnt_picture_is_the_noise(tiny: Tiny) -> None:
    found, state, _ = shown(NoiseRp(), tiny)
    assert np.array_equal(found["learnt"].panels[0].values, state["adapter.noise"][0, 0])


def test_learnt_frame_is_empty_where_the_picture_is(tiny: Tiny) -> None:
    frame = shown(PaddingRp(), tiny)[0]["learnt"].panels[0].values
    middle = frame[frame.shape[0] // 2, frame.shape[1] // 2]
    assert middle == 0
    assert np.count_nonzero(frame) == shown(PaddingRp(), tiny)[1]["adapter.frame"].size


def test_learnt_waveform_is_heard_at_a_peak_that_is_said(tiny: Tiny) -> None:
    _, state, clips = shown(IiNmr(), tiny)
    theta = state["adapter.theta"][0]
    sounds = [one for one in IiNmr().learnt(state, clips, tiny[0]) if isinstance(one, LearntSound)]
    assert np.allclose(sounds[0].samples, theta * 0.9 / np.abs(theta).max(), atol=1e-6)
    assert f"it is {np.abs(theta).max():.3g}" in sounds[0].said


def test_clip_after_the_learnt_waveform_is_their_sum(tiny: Tiny) -> None:
    context, _ = tiny
    found, state, clips = shown(IiNmr(), tiny)
    path = clips.clips[0].path
    assert path
    summed = firsts(context.source.audio(clips))[0] + state["adapter.theta"][0]
    scale = min(1.0, 0.9 / np.abs(summed).max())
    assert np.allclose(found[f"clip1-{path.stem}-after"].samples, scale * summed, atol=1e-5)


def test_gain_and_shift_are_what_moves_the_embedding(tiny: Tiny) -> None:
    context, _ = tiny
    found, state, clips = shown(IdsNmr(), tiny)
    gain, shift = (panel.values for panel in found["learnt"].panels)
    tokens, pooled = context.source.layer_and_pooled(clips, skip_layer(context.source.card))
    adapter: Any = IdsNmr().stored(state, clips.blind(), context).adapter
    held = [torch.from_numpy(np.asarray(rows.values, np.float32)) for rows in (tokens, pooled)]
    with torch.no_grad():
        moved = adapter(*held).numpy()
    assert np.allclose(held[1].numpy() * gain + shift, moved, atol=1e-4)


def test_output_mapping_alone_is_nothing_to_look_at(tiny: Tiny) -> None:
    with pytest.raises(NotApplicable, match="ast-bs learns an output mapping alone"):
        AstBs().learnt({}, tiny[1][2], tiny[0])


def test_message_names_every_method_that_shows_something() -> None:
    catalogue = Catalogue()
    showing = {name for name in catalogue.names("method") if hasattr(catalogue.method(name), "learnt")}
    assert showing == {"ast-bs", "ii-nmr", "id-nmr", "ids-nmr", "nrp", "cnnrp", "unet-rp", "padding-rp"}
    assert isinstance(IiNmr(), Showing)


# The command


def look(made: Made, typed: Typed, folder: Path, *words: object) -> Answer:
    (made.root / "plugin.py").write_text(
        "from mirbench.trust import checks\nfrom pathlib import Path\n"
        f"TINY = checks.tiny_task(Path({str(made.root / 'data' / 'tiny')!r}))[0].task\n"
    )
    return typed("show", *words, "--runs", made.runs, "--learnt", folder, "--data", made.root / "data",
                 "--plugin", made.root / "plugin.py", *(w for f in made.files[:1] for w in ("--clip", f)))  # fmt: skip


@pytest.mark.slow
def test_what_a_run_learnt_is_written_and_listed(made: Made, typed: Typed, tmp_path: Path) -> None:
    (run,) = made.run("ii-nmr", {"epochs": 1, "lr": 0.1})
    answer = look(made, typed, tmp_path / "out", run)
    assert answer.code == 0, answer.err
    written = {path.name for path in (tmp_path / "out").iterdir()}
    stem = Path(made.files[0]).stem
    assert written == {
        "learnt.png", "learnt.wav", f"clip1-{stem}.png", f"clip1-{stem}-before.wav", f"clip1-{stem}-after.wav",
    }  # fmt: skip
    assert all(name in answer.out for name in written)
    samples, rate = soundfile.read(tmp_path / "out" / "learnt.wav")
    assert (rate, len(samples)) == (16_000, 5 * 16_000)
    assert np.abs(samples).max() == pytest.approx(0.9, abs=1e-3)
    with Image.open(tmp_path / "out" / "learnt.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 5


def test_method_with_nothing_to_show_is_refused_in_one_line(made: Made, typed: Typed, tmp_path: Path) -> None:
    (run,) = made.run("probe-linear")
    answer = look(made, typed, tmp_path / "out", run)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "probe-linear has nothing to look at" in answer.err
    assert not (tmp_path / "out").exists()


def test_clip_without_learnt_is_refused(typed: Typed) -> None:
    answer = typed("show", "nano", "--clip", "song.wav")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "--learnt" in answer.err
