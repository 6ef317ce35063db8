"""mirbench: which way of reusing which pretrained model classifies this music best, at what cost?

Every word that a task, a source, a method or a notebook of yours needs is exported here. Importing this package
imports the words of sources alone; a name is looked up when it is first asked for, and `Context` and `BoundSource` then
load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# The module, loaded first: its name here is then free for the function, and stays it. The module keeps its name, for
# the kept rows of a source are found by the text of its builder, which imports from it.
from mirbench import source

if TYPE_CHECKING:
    from mirbench.api.cards import SourceModel, TaskData, task
    from mirbench.api.comparing import Comparison, compare
    from mirbench.api.predicting import Predictions, predict
    from mirbench.api.running import run
    from mirbench.api.runs import Run, Runs, load_runs
    from mirbench.archive import Archive
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
    from mirbench.features.bound import BoundSource
    from mirbench.features.context import Context
    from mirbench.features.windows import AnySplit, Windows, clip_means
    from mirbench.method import Fitted, Method, Restorable
    from mirbench.metrics import METRICS, REGRESSION, SINGLE_LABEL, TAGGING, TEMPO, Metric
    from mirbench.progress import Progress
    from mirbench.record import RunRecord, RunSpec, Trial
    from mirbench.runs.predict import load_model
    from mirbench.source import Activations, SourceCard, Stage, WeightFile
    from mirbench.types import (
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

__version__ = "0.5.0"

__all__ = [
    "METRICS", "REGRESSION", "SINGLE_LABEL", "TAGGING", "TEMPO", "Activations", "AnySplit", "Archive", "ArrayRow",
    "BadAudio", "BadInput", "BlindSplit", "BoolArray", "BoundSource", "BrokenInstallation", "Clip", "Comparison",
    "Context", "Excerpt", "Fitted", "FloatArray", "IntArray", "Method", "Metric", "MirbenchError", "MissingData",
    "MissingExtra", "NotApplicable", "Predictions", "Progress", "Restorable", "Run", "RunRecord", "RunSpec", "Runs",
    "SourceCard", "SourceModel", "Split", "Stage", "Targets", "Task", "TaskData", "Trial", "UnknownName", "WeightFile",
    "Windowing", "Windows", "__version__", "clip_means", "compare", "load_model", "load_runs", "predict", "run",
    "source", "task",
]  # fmt: skip

_NAMES = {
    "mirbench.api.cards": "SourceModel TaskData source task",
    "mirbench.api.comparing": "Comparison compare",
    "mirbench.api.predicting": "Predictions predict",
    "mirbench.api.running": "run",
    "mirbench.api.runs": "Run Runs load_runs",
    "mirbench.archive": "Archive",
    "mirbench.errors": "BadAudio BadInput BrokenInstallation MirbenchError MissingData MissingExtra NotApplicable "
        "UnknownName",
    "mirbench.features.bound": "BoundSource",
    "mirbench.features.context": "Context",
    "mirbench.features.windows": "AnySplit Windows clip_means",
    "mirbench.method": "Fitted Method Restorable",
    "mirbench.metrics": "METRICS REGRESSION SINGLE_LABEL TAGGING TEMPO Metric",
    "mirbench.progress": "Progress",
    "mirbench.record": "RunRecord RunSpec Trial",
    "mirbench.runs.predict": "load_model",
    "mirbench.source": "Activations SourceCard Stage WeightFile",
    "mirbench.types": "ArrayRow BlindSplit BoolArray Clip Excerpt FloatArray IntArray Split Targets Task Windowing",
}  # fmt: skip
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
"""The module that holds each name."""
del source  # the module's: `mirbench.source("ast")` is a function


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'mirbench' has no attribute '{name}'")
    globals()[name] = found = getattr(importlib.import_module(_MODULES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
