"""What may happen to audio on its way to a listener, at rising severity, to try a trained model on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mirbench.types import FloatArray

__all__ = ["Deformation"]


@dataclass(frozen=True)
class Deformation:
    """One deformation at one severity.

    Parameters
    ----------
    identity : str
        Name, severity, and the version of what computes it.
    apply : callable
        ``apply(audio (n_samples,), sample rate, seed)`` -> audio of the same rate.
    length_ratio : float
        Length after it over length before.
    """

    identity: str
    apply: Callable[[FloatArray, int, int], FloatArray]
    length_ratio: float = 1.0
