"""How much a run computes, counted before it is done: windows, epochs, and passes of a network forth and back.

All of it is told from names and cards, without a look at data, weights or this machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mirbench.features.audio import window_starts
from mirbench.method import Method
from mirbench.source import SourceCard
from mirbench.tables import OwnNetwork
from mirbench.types import Task, Windowing

__all__ = ["nominal_flops", "passes_of", "window_flops", "windows_a_clip"]

_USUAL_CLIPS, _USUAL_SECONDS = 1000, 30.0  # of a task that tells neither before it is read
_USUAL_WINDOW = 10.0  # seconds, where no card tells
_FROM_SCRATCH = 2_000_000  # parameters of a network that a method brings along
_CELLS = 1024  # of a picture, for each of which a network multiplies by all of its parameters: a rough mean
_TOKENS_A_SECOND = 50  # of encoders that hear waveforms
_TRAIN, _VALID = 0.6, 0.2  # of the clips of a fold
_CROPS_AN_EPOCH, _CROP_SECONDS = 1000, 10.0  # of hung2022's authors' code
_SKIP, _MOST_OF_IT = 3e8, 0.05  # operations of what is trained on a hidden layer of AST; and of a pass of any network


def windows_a_clip(task: Task, seconds: float, windowing: Windowing) -> int:
    """Windows of so many seconds in a clip of the task's nominal length; one where a clip is a window as it is."""
    if not seconds or math.isinf(seconds):
        return 1
    clip = task.clip_seconds or _USUAL_SECONDS
    return len(window_starts(round(1000 * clip), round(1000 * seconds), windowing))


def window_flops(task: Task, card: SourceCard | None, own: OwnNetwork | None = None) -> float:
    """Floating-point operations of one window in a network: as they were counted, else as its card tells, roughly."""
    if card is None:
        return float(own.flops) if own else 2.0 * _FROM_SCRATCH * 10 * _USUAL_WINDOW
    if card.kind == "precomputed":
        return 0.0
    if card.flops:
        return float(card.flops)
    clip = task.clip_seconds or _USUAL_SECONDS
    each = clip if math.isinf(card.seconds) else card.seconds or _USUAL_WINDOW
    places = card.n_bands * card.n_frames / _CELLS if card.n_bands else _TOKENS_A_SECOND * each
    return 2.0 * (card.n_parameters or _FROM_SCRATCH) * max(1.0, places)


def nominal_flops(
    task: Task, card: SourceCard | None, windowing: Windowing | None = None, own: OwnNetwork | None = None
) -> float:
    """Floating-point operations of one pass of a network over all windows of all clips of a task."""
    windows = windows_a_clip(task, _seconds(card, own), windowing or Windowing())
    return (task.n_clips or _USUAL_CLIPS) * windows * window_flops(task, card, own)


def passes_of(
    method: type[Method],
    params: Mapping[str, Any],
    task: Task,
    card: SourceCard | None,
    windowing: Windowing | None = None,
    own: OwnNetwork | None = None,
) -> float:
    """Passes of all windows of a task through a network, in all epochs, where a method learns before or in it.

    In each epoch train, three fifths of the clips, goes forth, and back: another pass through a network that is frozen,
    two through one that learns. Valid, a fifth, goes forth. Of train it may be crops: one a clip, or a thousand in all.
    What learns on a hidden layer passes a small part of it, for the frozen body is passed once, ever. A budget of
    queries is that many windows.
    """
    if isinstance(queries := params.get("queries"), int):
        return queries / (
            (task.n_clips or _USUAL_CLIPS) * windows_a_clip(task, _seconds(card, own), windowing or Windowing())
        )
    needs, epochs = set(method.needs), params.get("epochs", 0)
    if not isinstance(epochs, int) or (needs and not needs & {"frontend", "body", "layers"}):
        return 0.0
    before = {"frontend", "head"} & needs or params.get("tuned") == "lora"
    skips = needs and not {"frontend", "body"} & needs
    train = _TRAIN * _share(params, task, card, windowing or Windowing(), own)
    passes = epochs * (train * (2.0 if before and not skips else 3.0) + _VALID)
    return passes * (min(_MOST_OF_IT, _SKIP / max(window_flops(task, card), 1.0)) if skips else 1.0)


def _share(
    params: Mapping[str, Any], task: Task, card: SourceCard | None, windowing: Windowing, own: OwnNetwork | None
) -> float:
    """What an epoch takes of train, in its windows."""
    seconds = _seconds(card, own)
    windows = windows_a_clip(task, seconds, windowing)
    if params.get("items") == "random-crops":
        return 1 / windows
    if params.get("items") == "1000-crops":
        pieces = 1.0 if math.isinf(seconds) else max(1, round(_CROP_SECONDS / seconds))
        return _CROPS_AN_EPOCH * pieces / (_TRAIN * (task.n_clips or _USUAL_CLIPS) * windows)
    return 1.0


def _seconds(card: SourceCard | None, own: OwnNetwork | None) -> float:
    """Of a window."""
    if card is None:
        return own.seconds if own else _USUAL_WINDOW
    return card.seconds or _USUAL_WINDOW
