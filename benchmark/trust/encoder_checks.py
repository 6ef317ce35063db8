"""Conformance checks of encoders (see `mirbench.encoder`): what comes out is of one width, finite, and of its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import MirbenchError
from mirbench.source import SourceCard

__all__ = ["check_encoder"]

_RELATIVE, _ABSOLUTE = 1e-3, 1e-4  # of the deviation of an embedding: what a sum in another order may move


def check_encoder(card: SourceCard, network: Any) -> list[str]:
    """What is wrong with an encoder: its shape, its determinism, and what it makes of odd audio.

    Parameters
    ----------
    network : object
        That `mirbench.features.networks.load_network` made of it.
    """
    heard: dict[str, npt.NDArray[Any]] = {}
    problems: list[str] = []
    windows = _windows(round(card.sample_rate * card.seconds))
    for name, window in windows.items():
        try:
            heard[name] = _embedded(network, window[None])
        except MirbenchError as error:
            problems.append(f"of {name}: {str(error).partition(': ')[2]}")
        except Exception as error:  # somebody else's code
            problems.append(f"of {name}: {type(error).__name__}: {error}")
    if problems:
        return list(dict.fromkeys(problems))
    widths = {row.shape[1] for row in heard.values()}
    if len(widths) > 1:
        return [f"embeddings have different widths: {', '.join(map(str, sorted(widths)))}"]
    spread = float(np.concatenate(list(heard.values())).std()) or 1.0
    again = _embedded(network, windows["noise"][None])
    if not _alike(again, heard["noise"], spread):
        problems.append("the same window twice gives two embeddings: is something random in it, or in train mode?")
    elif not _alike(_embedded(network, np.stack([*windows.values()]))[:1], heard["noise"], spread):
        problems.append("the embedding of a window depends on its batch-mates")
    if np.array_equal(heard["noise"], heard["a tone"]):
        problems.append("noise and a tone have the same embedding: does it hear at all?")
    return problems


def _windows(n_samples: int) -> Mapping[str, npt.NDArray[np.float32]]:
    """Windows of one length: usual ones, and those that break what divides or takes logarithms."""
    rng, time = np.random.default_rng(0), np.arange(n_samples)
    noise = 0.1 * rng.standard_normal(n_samples)
    short = np.where(time < n_samples // 20, noise, 0.0)  # as a clip is padded
    found = {
        "noise": noise,
        "a tone": 0.5 * np.sin(0.05 * time),
        "silence": np.zeros(n_samples),
        "a short clip (zeros behind a twentieth of the window)": short,
        "noise at -140 dB": 1e-6 * noise,
        "clipped noise": np.sign(noise),
    }
    return {name: window.astype(np.float32) for name, window in found.items()}


def _embedded(network: Any, windows: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    import torch

    with torch.no_grad():
        rows: npt.NDArray[Any] = network.body(torch.from_numpy(windows.copy())).pooled.float().numpy()
    return rows


def _alike(one: npt.NDArray[Any], other: npt.NDArray[Any], spread: float) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=_RELATIVE, atol=_ABSOLUTE * spread)
