"""The sealed process (see `mirbench.runs.sealed`): a restored model predicts the clips of its working directory."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from mirbench.errors import ChangedSource
from mirbench.features.audio import Facts
from mirbench.features.weights import Weights
from mirbench.method import Restorable
from mirbench.progress import Progress
from mirbench.record import RunSpec
from mirbench.runs.hyperparameters import build
from mirbench.runs.plan import Plan, Request
from mirbench.runs.sealed import Answer, Job, bare_task
from mirbench.runs.surroundings import context_of
from mirbench.source import SourceCard
from mirbench.types import Clip, Excerpt, Split, Windowing

__all__ = ["answer", "read_job"]


def answer() -> None:
    """Answer the job that lies in the working directory: this is what the sealed process does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        told = json.loads(Path("job.json").read_text(encoding="utf-8"))
        for name in told["plugins"]:
            _load(name, Path(f"{name}.py").absolute())
        found = _answer(read_job(told))
        with Path("answer.npz").open("wb") as stream:
            np.savez(stream, **vars(found))
    except BaseException as error:  # a method may say exit() too
        said = next(iter(str(error).splitlines()), "") or "it says no more"
        Path("error.txt").write_text(f"{type(error).__name__}: {said}", encoding="utf-8", errors="replace")
        raise


def _end_with_parent() -> None:
    os.read(0, 1)  # the other end closes when the parent ends, however it does
    os._exit(1)


def _load(name: str, path: Path) -> None:
    """A plugin's module, under the name that it has in the parent."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def read_job(told: Mapping[str, Any]) -> Job:
    """A job as it was told."""
    module, _, name = told["method"].partition(":")
    method: Any = functools.reduce(getattr, name.split("."), importlib.import_module(module))
    request = Request(
        **told["request"] | {"windowing": Windowing(**told["request"]["windowing"])},
        runs=Path(told["runs"]),
        cache=Path(told["cache"]),
    )
    spec = RunSpec(**told["spec"] | {"windowing": Windowing(**told["spec"]["windowing"])})
    clips = tuple(
        Clip(
            clip_id,
            path and Path(path),
            "test",
            (),
            start=start,
            duration=duration,
            peaks=tuple(peaks),
            first_channel=first_channel,
        )
        for clip_id, path, start, duration, peaks, first_channel in told["clips"]
    )
    return Job(
        method,
        _tuples(told["params"]),
        request,
        told["card"] and SourceCard(**_tuples(told["card"])),
        told["weights"] and _weights(**told["weights"]),
        {
            Excerpt(Path(path), start, duration, tuple(peaks), first_channel): Facts(**known)
            for (path, start, duration, peaks, first_channel), known in told["facts"]
        },
        spec,
        Split(bare_task(**told["test"], n_clips=len(clips)), clips),
    )


def _weights(path: str | None, sha256: str, published: bool, extra: Sequence[str]) -> Weights:
    return Weights(path and Path(path), sha256, published, tuple(map(Path, extra)))  # type: ignore[arg-type]


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(value, Mapping):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _answer(job: Job) -> Answer:
    method = build(job.method, job.params)
    assert isinstance(method, Restorable)
    plan = Plan(job.request, job.test.task, method, job.card, job.weights, (), None, job.facts, (job.spec,))
    context = context_of(plan, Progress(quiet=True))
    held = Path("state.safetensors")
    state = load_file(held) if held.is_file() else {}
    context.begin_run()
    restored = method.restore(state, job.test.blind(), context)
    began, frozen = time.perf_counter(), context.spent_seconds
    scores: Any = restored(job.test.blind())
    seconds = time.perf_counter() - began - (context.spent_seconds - frozen)
    if changed := context.source_changed():
        raise ChangedSource(changed)
    if not isinstance(scores, np.ndarray) or scores.dtype.kind not in "fiub":
        raise TypeError(f"predict must return a numpy array of numbers, not {type(scores).__name__}")
    return Answer(scores, seconds, context.feature_seconds)
