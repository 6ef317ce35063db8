"""What reprogramming learnt, to look at and to listen to: adapters alone, and what they make of a few clips."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mirbench.learnt import Learnt, LearntPicture, LearntSound, Panel
from mirbench.methods.reprogramming.adapters import InputNoise, SkipTransform
from mirbench.methods.reprogramming.picture_adapters import PictureNoise, PicturePadding
from mirbench.types import Split

if TYPE_CHECKING:
    from mirbench import Context, Windows

__all__ = ["of_embeddings", "of_pictures", "of_waveforms"]

_PEAK = 0.9
"""Of a sound that is written louder or softer than it is."""


def of_pictures(adapter: nn.Module, split: Split, context: Context) -> Iterator[Learnt]:
    """What is learnt of the picture itself where there is such a thing, and the first window of clips before and after.

    Parameters
    ----------
    adapter : Module
        (n, 1, n_bands, n_frames) -> the same shape.
    """
    windows = context.source.entry(split)
    before = _firsts(windows, context)
    with torch.no_grad():
        after = adapter.eval()(before)
        if isinstance(adapter, PictureNoise | PicturePadding):
            added = adapter(torch.zeros_like(before[:1]))
            said = "the picture that is added to every one" if isinstance(adapter, PictureNoise) else "the frame"
            yield LearntPicture("learnt", said, (_panel(said, added[0], signed=True),))
    for n, clip in enumerate(split.clips):
        panels = (
            _panel("before: the source's picture of the clip", before[n]),
            _panel("after: what the body is given", after[n]),
            _panel("after, less before", after[n] - before[n], signed=True),
        )
        yield LearntPicture(_name(clip, n), f"{_title(clip, n)}, first window, before and after", panels)


def of_waveforms(adapter: InputNoise, split: Split, context: Context) -> Iterator[Learnt]:
    """The waveform that is added to all, as sound and as the source's picture, and clips before and after."""
    rate = context.source.card.sample_rate
    before = _firsts(context.source.audio(split), context)
    with torch.no_grad():
        theta = adapter.theta.detach()
        after = adapter.eval()(before)
        pictures = [_picture(sound, context) for sound in (theta, before, after)]
    peak, loudest = float(theta.abs().max()), float(before.abs().max())
    said = f"the learnt waveform, brought to a peak of {_PEAK} (it is {peak:.3g}, that of the clips {loudest:.3g})"
    yield LearntSound("learnt", said, _samples(theta[0]) * (_PEAK / (peak or 1.0)), rate)
    yield LearntPicture("learnt", "the learnt waveform", (_panel("the learnt waveform alone", pictures[0][0]),))
    for n, clip in enumerate(split.clips):
        panels = (
            _panel("before: the clip", pictures[1][n]),
            _panel("after: the clip and the learnt waveform", pictures[2][n]),
            _panel("after, less before", pictures[2][n] - pictures[1][n], signed=True),
        )
        yield LearntPicture(_name(clip, n), f"{_title(clip, n)}, first window, before and after", panels)
        for word, sound in (("before", before[n]), ("after", after[n])):
            loud = float(sound.abs().max())
            scale = min(1.0, _PEAK / loud) if loud else 1.0
            softer = f", at {scale:.2g} of its level" if scale < 1 else ""
            heard = f"{_title(clip, n)}, first window, {word}{softer}"
            yield LearntSound(f"{_name(clip, n)}-{word}", heard, _samples(sound) * scale, rate)


def of_embeddings(adapter: SkipTransform, tokens: Windows, n_features: int, context: Context) -> Iterator[Learnt]:
    """By what each window's embedding is scaled and shifted, a row a window."""
    with torch.no_grad():
        held = context.source.tensor(np.asarray(tokens.values))
        shift = adapter.eval()(held, held.new_zeros(len(held), n_features))
        gain = adapter(held, held.new_ones(len(held), n_features)) - shift
    panels = (Panel("gain of each feature", _array(gain)), Panel("shift of each feature", _array(shift), signed=True))
    yield LearntPicture("learnt", "gain and shift of the embeddings of the clips", panels, "feature", "window")


def _picture(sound: Tensor, context: Context) -> Tensor:
    """(n, n_samples) -> the source's pictures (n, 1, n_bands, n_frames), or a spectrogram in dB where it makes none."""
    network = context.source.network
    if hasattr(network, "frontend"):
        found: Tensor = network.frontend(sound)
        return found
    size = 512
    window = torch.hann_window(size, device=sound.device)
    spectrum = torch.stft(sound, size, size // 2, window=window, return_complex=True).abs()
    return 20 * spectrum.clamp(min=1e-5).log10().unsqueeze(1)


def _firsts(windows: Windows, context: Context) -> Tensor:
    """The first window of each clip."""
    rows = np.unique(windows.clip_index, return_index=True)[1]
    return context.source.tensor(np.stack([np.asarray(windows.values[slice(row, row + 1)])[0] for row in rows]))


def _panel(title: str, picture: Tensor, *, signed: bool = False) -> Panel:
    return Panel(title, _array(picture.squeeze(0)), signed)


def _array(values: Tensor) -> Any:
    return values.float().cpu().numpy()


def _samples(sound: Tensor) -> Any:
    return _array(sound)


def _title(clip: Any, n: int) -> str:
    return clip.path.name if clip.path else f"clip {n}"


def _name(clip: Any, n: int) -> str:
    return f"clip{n + 1}-{clip.path.stem}" if clip.path else f"clip{n + 1}"
