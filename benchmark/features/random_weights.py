"""A source at random weights: the same network, trained on nothing, for telling what its training gave.

Weights are those that the library of the network draws when it makes one, from a seed. What such a start leaves at
zero, so that training begins gently, is drawn too, for no training follows. Batch norms get the statistics of some
synthesised noise: those of a new network (mean 0, variance 1) would let deep networks fade to nothing, or grow without
limit. No clip of a task has a part in it, so that one random network serves all tasks.

References
----------
Pons, Serra (2019), Randomly weighted CNNs for (music) audio classification, ICASSP. Statistics that the data give to an
untrained network: Mishkin, Matas (2016), All you need is a good init, ICLR.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench.source import SourceCard, further_options
from mirbench.tables import target_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mirbench.types import FloatArray

__all__ = ["bursts", "drawn_network", "drawn_sha256"]

_RECIPE = 1
"""Raised when the same seed gives another network by what is done here."""
_N_WINDOWS = 16
_STD = 0.02  # of what a start left at zero: that of transformers
_known: dict[str, str] = {}
"""Hashes by what was asked, for a sweep asks many times, and to draw an AST takes seconds."""


def drawn_network(card: SourceCard, options: Mapping[str, Any], seed: int) -> Any:
    """The network of a card at random weights, in eval mode.

    Parameters
    ----------
    card : SourceCard
        With `untrained`.
    options : mapping
        Of its builder.
    seed : int
        Which draw. Another version of the library that makes the network may draw otherwise: `drawn_sha256` tells.
    """
    network = _drawn(card, options, seed)
    _give_statistics(network, card, seed)
    return network.eval()


def drawn_sha256(card: SourceCard, options: Mapping[str, Any], seed: int) -> str:
    """A hash of the weights that are drawn, and of what is done with them, as 64 hex digits."""
    own = {name: value for name, value in options.items() if name not in further_options(card)}
    asked = repr((card.name, card.file, sorted(own.items()), seed))
    if asked not in _known:
        total = hashlib.sha256(f"random weights, recipe {_RECIPE}, {card.name}\n".encode())
        for name, value in sorted(_drawn(card, own, seed).state_dict().items()):
            total.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            total.update(value.contiguous().numpy().tobytes())
        _known[asked] = total.hexdigest()
    return _known[asked]


def _drawn(card: SourceCard, options: Mapping[str, Any], seed: int) -> Any:
    import torch

    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        network = target_of(card.untrained)(card, options)
        _draw_what_is_zero(network)
    return network.eval()


def _draw_what_is_zero(network: nn.Module) -> None:
    """Draw matrices that are all zeros (classifiers, positions, tokens), and make ones of the gains that are."""
    import torch

    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.any():
                continue
            if value.ndim > 1:
                value.normal_(std=_STD)
            elif name.endswith("weight"):  # the last norm of a residual branch
                value.fill_(1.0)


def _give_statistics(network: Any, card: SourceCard, seed: int) -> None:
    """Let batch norms, if there are any, have the statistics of what comes to them where the source hears `bursts`."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not norms:
        return
    seconds = card.options.get("seconds") or card.seconds  # the usual ones, whatever windows are asked for
    heard = torch.from_numpy(bursts(_N_WINDOWS, card.sample_rate, float(seconds), seed))
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0  # of these windows alone
    with torch.no_grad():
        _pass(network, card, heard)
    for norm, momentum in zip(norms, usual, strict=True):
        norm.eval()
        norm.momentum = momentum


def _pass(network: Any, card: SourceCard, audio: Tensor) -> None:
    found = network.body(network.frontend(audio) if "frontend" in card.offers else audio)
    if "head" in card.offers:
        network.head(found.pooled)


def bursts(n_windows: int, sample_rate: int, seconds: float, seed: int) -> FloatArray:
    """Windows of pink noise, a quarter of a second after the other at a level of its own from -60 to 0 dB.

    Parameters
    ----------
    n_windows, sample_rate, seconds : int, int, float
        Shape of what comes, (n_windows, seconds * sample_rate); the largest sample of a window is 1 at most.
    seed : int
        Of the generator.
    """
    generator = np.random.default_rng(seed)
    n_samples = round(seconds * sample_rate)
    spectrum = np.fft.rfft(generator.standard_normal((n_windows, n_samples)))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 1))
    noise = np.fft.irfft(spectrum, n_samples)
    noise /= np.abs(noise).max(axis=1, keepdims=True)
    n_levels = -(-n_samples // (sample_rate // 4))
    levels = 10 ** (generator.uniform(-60.0, 0.0, (n_windows, n_levels)) / 20)
    held: FloatArray = (noise * np.repeat(levels, sample_rate // 4, axis=1)[:, :n_samples]).astype(np.float32)
    return held
