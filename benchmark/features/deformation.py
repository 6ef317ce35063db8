"""What may happen to audio on its way to a listener, at rising severity, and what a trained model makes of it.

A *deformation* is heard by the trained model alone: nothing is fitted to it. Its *curve* is the score of the test clips
at each of its severities, from the clean score on; its *area* says it in one number. `mirbench.features.effects` has
the deformations, `mirbench.runs.robustness` the curves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mirbench.types import FloatArray

__all__ = ["CURVES_VERSION", "Curve", "Deformation", "Robustness", "area_under"]

CURVES_VERSION = 1
"""Schema version of ``deform.json``."""


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


@dataclass(frozen=True)
class Curve:
    """Scores of the test clips under one deformation, from its least severe level to its most severe one.

    Parameters
    ----------
    unit : str
        What the severities are counted in.
    severities : sequence of float, length n
        In that unit.
    metrics : mapping of str to sequence of float or None, length n
        Every metric of the task that is one number, at each severity; an undefined value is None.
    area : float or None
        `area_under` the task's first metric; None where a value of it is undefined.
    relative_area : float or None
        `area` over the clean value: 1 for a model that nothing troubles. It does not go down to 0, for a model that
        hears nothing still scores at chance. None where the clean value is 0 or undefined.
    version : str
        Of the deformation's definition.
    library : str
        What computed the deformation, with its version.
    """

    unit: str
    severities: Sequence[float]
    metrics: Mapping[str, Sequence[float | None]]
    area: float | None
    relative_area: float | None
    version: str
    library: str


@dataclass(frozen=True)
class Robustness:
    """Curves of one run: what ``deform.json`` beside its record holds.

    Parameters
    ----------
    metric : str
        The task's first metric, whose areas are taken.
    clean : mapping of str to float or None
        The record's metrics that are one number.
    curves : mapping of str to Curve
        By name of the deformation.
    """

    metric: str
    clean: Mapping[str, float | None]
    curves: Mapping[str, Curve]
    schema_version: int = CURVES_VERSION


def area_under(values: Sequence[float | None]) -> float | None:
    """Normalised area under a curve over the number of its level, 0 for clean: trapezoids, divided by the last number.

    Every step of severity counts the same, whatever its unit. It is a weighted mean of the values, so it lies in
    [0, 1] for a metric that does; None where a value is.

    >>> area_under([1.0, 0.5, 0.0])
    0.5
    """
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return float(np.trapezoid(known) / (len(known) - 1))
