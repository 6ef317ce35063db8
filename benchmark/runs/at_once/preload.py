"""What the server of processes imports before it forks (see `parallel`): all that runs would import later.

The names of methods' and sources' modules are in the environment. What these import when they are called is imported,
too: a network's library may take longer to import than a run takes.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import signal
import sys
from contextlib import suppress

__all__ = ["VARIABLE", "import_all"]

VARIABLE = "PRELOAD_OF_MIRBENCH"

_ALWAYS = (
    "mirbench.runs.at_once.child", "mirbench.runs.attempt", "mirbench.runs.sealed", "mirbench.features.context",
    "mirbench.runs.measure", "torchaudio", "torch.nn.attention", "torch.utils.flop_counter", "torch._dynamo",
    "soundfile", "soxr", "scipy.stats", "sklearn.utils", "sklearn.metrics", "pandas", "rich.table", "safetensors.numpy",
    "threadpoolctl",
)  # fmt: skip


def import_all(names: str) -> None:
    """Import modules, whose names stand apart by commas, and what is imported inside them; errors are for the runs."""
    for name in (*_ALWAYS, *names.split(",")):
        _import(name)
    for name in [name for name in sys.modules if name.startswith("mirbench.methods.")]:
        with suppress(OSError, TypeError, SyntaxError):
            for node in ast.walk(ast.parse(inspect.getsource(sys.modules[name]))):
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    _import(node.module)
                    for alias in node.names:
                        with suppress(Exception):
                            getattr(sys.modules[node.module], alias.name)  # of a package that loads it only now
                elif isinstance(node, ast.Import):
                    for alias in node.names:
                        _import(alias.name)


def _import(name: str) -> None:
    with suppress(Exception):
        importlib.import_module(name)


if (names := os.environ.get(VARIABLE)) is not None:
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # a terminal sends it to all; the command speaks
    import_all(names)
    signal.signal(signal.SIGINT, before)
