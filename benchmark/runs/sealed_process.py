"""The sealed process (see `mirbench.runs.sealed`): a restored model predicts the clips of its working directory."""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from mirbench.errors import ChangedSource
from mirbench.method import Restorable
from mirbench.progress import Progress
from mirbench.runs.hyperparameters import build
from mirbench.runs.plan import Plan
from mirbench.runs.sealed import Answer, Job
from mirbench.runs.surroundings import context_of

__all__ = ["answer"]


def answer() -> None:
    """Answer the job that lies in the working directory: this is what the sealed process does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        plugins, job = pickle.loads(Path("job.pickle").read_bytes())
        for name in plugins:
            _load(name, Path(f"{name}.py").absolute())
        found = _answer(pickle.loads(job))
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
