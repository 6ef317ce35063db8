"""What the runs of a plan are handed: the context in which a source is loaded and rows are kept, on one device."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirbench.errors import BadInput
from mirbench.installation import require
from mirbench.progress import Progress
from mirbench.runs.plan import Plan
from mirbench.source import seed_of

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["context_of", "find_device", "load_libraries", "require_device_name", "settings_put_back"]

_EVERY_RUN = ("torch", "torchaudio", "soundfile", "soxr", "rich.table")
_INNER_IMPORT = re.compile(r"^ +(?:from|import) (mirbench\.[\w.]+|sklearn[\w.]*|scipy[\w.]*)", re.MULTILINE)
_OPTIMISES = re.compile(r"\bmirbench\.methods\.training\b(?!\.graph\b)")
_MAY_OPTIMISE = re.compile(r"\btorch\b")
"""In what somebody else wrote."""

_before: ContextVar[list[Callable[[], None]] | None] = ContextVar("_before", default=None)
"""What puts settings of torch back; None where the process is the command's own."""


@contextmanager
def settings_put_back() -> Iterator[None]:
    """After the block, what `find_device` sets in torch for a whole process is as it was: the process is a user's."""
    undo: list[Callable[[], None]] = []
    token = _before.set(undo)
    try:
        yield
    finally:
        _before.reset(token)
        for put_back in undo:
            put_back()


def context_of(plan: Plan, progress: Progress, scratch: Path | None = None) -> Context:
    """What the runs of a plan are handed.

    Parameters
    ----------
    scratch : Path or None
        Where rows that are new go instead of the cache.

    Raises
    ------
    BrokenInstallation
        If a library that every run needs does not import, before a seed is trained for nothing.
    """
    require(*_EVERY_RUN)
    from mirbench.features.context import Context
    from mirbench.features.networks import load_network
    from mirbench.runs.measure import tune_allocator

    request, card, weights = plan.request, plan.card, plan.weights
    tune_allocator()
    load, identity = None, ""
    if card is not None:
        # what ships with a data set is found by its name, through the clips
        paths, sha256 = ((weights.path, *weights.extra), weights.sha256) if weights else ((card.shipped,), "")

        def load() -> Any:
            return load_network(card, paths, request.source_params)

        # the builder's code too: whoever edits a network must not meet rows of the old one
        targets = [card.builder, card.adapter]
        targets += [card.untrained] if seed_of(card, request.source_params) is not None else []
        targets += [card.shorter] if "seconds" in request.source_params else []
        code = _code_sha256(*(target.partition(":")[0] for target in targets if target))
        spec = plan.specs[0]
        identity = f"{card.name}:{spec.source_version}:{code}:{sha256}:{sorted(request.source_params.items())}"
    return Context(
        facts=plan.facts,
        cache=request.rows or request.cache,
        scratch=scratch,
        device=find_device(request.device, request.threads),
        precision=request.precision,
        windowing=request.windowing,
        pad=plan.specs[0].pad,
        medium=plan.task.medium,
        progress=progress,
        workers=request.workers,
        card=card,
        load=load,
        source_identity=identity,
    )


def load_libraries(kind: type) -> None:
    """Import what the functions of a method import when they are called: it is no part of their time.

    Raises
    ------
    BrokenInstallation
        If one of them does not import.
    """
    optimises = False
    for each in kind.__mro__:
        with suppress(OSError, TypeError):  # a class that is made by no file
            text, ours = inspect.getsource(each), each.__module__.startswith("mirbench.")
            optimises |= bool((_OPTIMISES if ours else _MAY_OPTIMISE).search(text))
            if ours:
                require(*_INNER_IMPORT.findall(text))
    if optimises:
        import torch

        torch.optim.SGD([torch.zeros(1, requires_grad=True)])  # the first one of a process loads torch's compiler


def _code_sha256(*modules: str) -> str:
    """Hash of the source of modules and of those modules of the methods that they import, and so on."""
    sources: dict[str, bytes] = {}
    left = [*modules]
    while left:
        name = left.pop()
        found = importlib.util.find_spec(name) if name not in sources else None
        if found is None or not found.origin:
            continue
        sources[name] = Path(found.origin).read_bytes()
        left += re.findall(r"^ *from (mirbench\.methods\.\S+) import", sources[name].decode(), re.MULTILINE)
    return hashlib.sha256(b"".join(sources[name] for name in sorted(sources))).hexdigest()


def require_device_name(name: str) -> None:
    """Refuse what is called like no device; whether there is one of that name is not looked at."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        raise BadInput(f"--device {name}: auto, cpu and cuda[:N] are accepted")


def find_device(name: str, threads: int) -> Any:
    """The torch device called `name`; "auto" takes a GPU where there is one, and 0 threads leave that to torch."""
    import torch

    require_device_name(name)
    if (undo := _before.get()) == []:
        cudnn = torch.backends.cudnn
        undo.append(functools.partial(torch.set_num_threads, torch.get_num_threads()))
        undo += [
            functools.partial(setattr, cudnn, name, getattr(cudnn, name)) for name in ("deterministic", "benchmark")
        ]
    if threads:
        torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"--device {name}: not on this machine; auto, cpu and cuda[:N] are accepted") from error
    if device.type == "cuda":
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    return device
