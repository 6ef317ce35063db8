"""Sources that hear shorter windows than they were trained on: AST, as its authors fine-tune it on shorter clips.

References
----------
Gong, Chung, Glass (2021), AST: Audio Spectrogram Transformer, Interspeech; code: YuanGongND/ast, which cuts positions
out of the middle (src/models/ast_models.py), and whose recipes have 1,024 frames for AudioSet's 10 s, 512 for ESC-50's
5 s and 128 for the 1 s of Speech Commands (egs/).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from mirbench.errors import BadInput
from mirbench.methods.sources.ast import AstNetwork

__all__ = ["ast"]

_FRAMES_IN_ONE, _FRAMES_A_SECOND = 128, 100


def ast(network: AstNetwork, seconds: float) -> AstNetwork:
    """Make an AST hear windows of so many seconds, in place.

    Its picture has the next multiple of 128 frames, of which there are a hundred in a second; its positions in time are
    as many from the middle of those that it was trained on.

    Parameters
    ----------
    network : AstNetwork
        As it was built.
    seconds : float
        Of a window.

    Raises
    ------
    BadInput
        If it has fewer frames than that.
    """
    model: Any = network.model.audio_spectrogram_transformer
    config = model.config
    n_frames = _FRAMES_IN_ONE * math.ceil(seconds * _FRAMES_A_SECOND / _FRAMES_IN_ONE)
    if n_frames > config.max_length:
        raise BadInput(f"--source-set seconds={seconds:g}: this AST sees {config.max_length} frames; fewer are needed")
    n_times, n_kept = ((n - config.patch_size) // config.time_stride + 1 for n in (config.max_length, n_frames))
    first = n_times // 2 - n_kept // 2
    with torch.no_grad():
        held = model.embeddings.position_embeddings
        tokens, patches = held[:, :2], held[:, 2:].unflatten(1, (-1, n_times))  # (1, bands, times, width)
        cut = patches[:, :, first : first + n_kept].flatten(1, 2)
        model.embeddings.position_embeddings = nn.Parameter(torch.cat([tokens, cut], dim=1))
    config.max_length = n_frames
    network.filter_bank = replace(network.filter_bank, n_frames=n_frames)
    return network
