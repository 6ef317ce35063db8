"""Where the sound of a window ends."""

from __future__ import annotations

import torch

from mirbench.methods.sources.ast import FilterBank
from mirbench.methods.sources.sounding import sounding, sounding_samples


def windows() -> torch.Tensor:
    audio = torch.randn(4, 16_000, generator=torch.Generator().manual_seed(0))
    audio[1, 9_000:] = 0.0
    audio[2] = 0.0
    audio[3, 100:] = 0.0
    return audio


def test_sound_ends_at_its_last_sample_and_lasts_a_tenth_of_a_second_or_all_of_a_silence() -> None:
    assert sounding_samples(windows(), 16_000) == [16_000, 9_000, 16_000, 1_600]


def test_silence_inside_a_window_is_a_part_of_it() -> None:
    audio = torch.ones(1, 8_000)
    audio[0, 1_000:7_000] = 0.0
    assert [len(window) for window in sounding(audio, 16_000)] == [8_000]


def test_gradient_of_what_sounds_reaches_the_window() -> None:
    audio = windows().requires_grad_(True)
    sounding(audio, 16_000)[1].square().sum().backward()
    assert audio.grad is not None
    assert (audio.grad != 0).sum(dim=1).tolist() == [0, 9_000, 0, 0]


def test_picture_of_a_window_that_is_full_is_the_same_either_way() -> None:
    audio = windows()[:1]
    kept, cut = (FilterBank(n_frames=128, to_last_sound=to_last_sound)(audio) for to_last_sound in (False, True))
    assert torch.equal(kept, cut)
