"""mirbench: which way of reusing which pretrained model classifies this music best, at what cost?

Importing this package loads no torch.
"""

from mirbench.errors import (
    BadAudio,
    BadInput,
    MirbenchError,
    MissingData,
    MissingExtra,
    NotApplicable,
    UnknownName,
)
from mirbench.types import (
    Activations,
    Archive,
    BlindSplit,
    Clip,
    Fitted,
    Method,
    Metric,
    RunRecord,
    RunSpec,
    SourceCard,
    Split,
    Targets,
    Task,
    Windowing,
)

__version__ = "0.1.0"

__all__ = [
    "Activations",
    "Archive",
    "BadAudio",
    "BadInput",
    "BlindSplit",
    "Clip",
    "Fitted",
    "Method",
    "Metric",
    "MirbenchError",
    "MissingData",
    "MissingExtra",
    "NotApplicable",
    "RunRecord",
    "RunSpec",
    "SourceCard",
    "Split",
    "Targets",
    "Task",
    "UnknownName",
    "Windowing",
    "__version__",
]
