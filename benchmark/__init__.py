"""mirbench: which way of reusing which pretrained model classifies this music best, at what cost?

Every word that a task, a source, a method or a notebook of yours needs is exported here. Importing this package loads
no torch; what is made of torch (`Context`, `BoundSource`) is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mirbench.errors import (
    BadAudio,
    BadInput,
    BrokenInstallation,
    MirbenchError,
    MissingData,
    MissingExtra,
    NotApplicable,
    UnknownName,
)
from mirbench.method import Fitted, Method, Restorable
from mirbench.metrics import METRICS, SINGLE_LABEL, TAGGING, Metric
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec, Trial
from mirbench.source import Activations, SourceCard, Stage, WeightFile
from mirbench.types import (
    Archive,
    ArrayRow,
    BlindSplit,
    BoolArray,
    Clip,
    Excerpt,
    FloatArray,
    IntArray,
    Split,
    Targets,
    Task,
    Windowing,
)

if TYPE_CHECKING:
    from mirbench.features.bound import BoundSource
    from mirbench.features.context import Context
    from mirbench.features.windows import AnySplit, Windows, clip_means

__version__ = "0.2.0"

_LATER = {
    "AnySplit": "mirbench.features.windows",
    "BoundSource": "mirbench.features.bound",
    "Context": "mirbench.features.context",
    "Windows": "mirbench.features.windows",
    "clip_means": "mirbench.features.windows",
}
"""Names that are imported when they are first asked for, and the modules that hold them."""

__all__ = [
    "METRICS", "SINGLE_LABEL", "TAGGING", "Activations", "AnySplit", "Archive", "ArrayRow", "BadAudio", "BadInput",
    "BlindSplit", "BoolArray", "BoundSource", "BrokenInstallation", "Clip", "Context", "Excerpt", "Fitted",
    "FloatArray", "IntArray", "Method", "Metric", "MirbenchError", "MissingData", "MissingExtra", "NotApplicable",
    "Progress", "Restorable", "RunRecord", "RunSpec", "SourceCard", "Split", "Stage", "Targets", "Task", "Trial",
    "UnknownName", "WeightFile", "Windowing", "Windows", "__version__", "clip_means",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'mirbench' has no attribute '{name}'")
    globals()[name] = found = getattr(importlib.import_module(_LATER[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
