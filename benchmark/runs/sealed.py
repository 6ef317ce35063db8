"""Prediction of the test clips in a process of its own that has no labels, no ids and no names of files (``--sealed``).

What was learnt goes there as it would go to disk, the clips as numbered copies in an order of their hashes: a hard link
would tell the clip by its inode and its date, and the order of a list often tells the class. Rows that are kept go
along, and those that are computed there come back. What is not told can still be looked for: see
docs/writing-a-method.md.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import signal
import site
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.features import audio, pictures, sound_files
from mirbench.features.cache import writing_to
from mirbench.features.extraction import row_key
from mirbench.features.temporary import temporary
from mirbench.features.weights import Weights
from mirbench.method import Method
from mirbench.record import RunSpec
from mirbench.runs.plan import Plan, Request
from mirbench.source import SourceCard
from mirbench.types import Clip, Excerpt, Split, Task, excerpts

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["Answer", "Job", "SealedFailure", "predict"]

_KEPT = (
    "PATH", "PYTHONPATH", "PYTHONHASHSEED", "PYTHONWARNINGS", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT",
    "LANG", "TZ", "HF_HUB_OFFLINE", "MIRBENCH_OPENL3_PYTHON",
)  # fmt: skip
_KEPT_FAMILIES = ("LC_", "OMP_", "MKL_", "KMP_", "OPENBLAS_", "CUDA_", "CUBLAS_", "NVIDIA_", "TORCH_", "TRANSFORMERS_")
"""Of the environment, what the process may know: how to compute, and where programs lie."""

_OF_REQUEST = ("task", "method", "source_params", "device", "precision", "workers", "threads")

_MOST_SAID = 4_000  # letters of what the process printed


class SealedFailure(Exception):
    """The sealed process failed, or ended without an answer."""


@dataclass(frozen=True)
class Answer:
    """What the process hands back.

    Parameters
    ----------
    scores : ndarray, shape (n_clips, n_classes)
        In the order of the split; nothing is checked yet.
    seconds, feature_seconds : float
        What predicting took, without rows that were computed on the way; and what those rows cost.
    """

    scores: npt.NDArray[Any]
    seconds: float
    feature_seconds: float


@dataclass(frozen=True)
class Job:
    """What the process (`mirbench.runs.sealed_process`) is told; fields as those of `Plan` and `RunSpec`."""

    method: type[Method]
    params: Mapping[str, Any]
    request: Request
    card: SourceCard | None
    weights: Weights | None
    facts: Mapping[Excerpt, audio.Facts]
    spec: RunSpec
    test: Split


def predict(
    spec: RunSpec,
    plan: Plan,
    chosen: Mapping[str, Any],
    state: Mapping[str, npt.NDArray[Any]],
    test: Split,
    context: Context,
) -> Answer:
    """Predict a split in a sealed process, with a method as it is restored from its state.

    Parameters
    ----------
    chosen : mapping
        Hyperparameters that a search chose.
    state : mapping of str to array
        What was learnt.

    Raises
    ------
    BadInput
        If the temporary folder cannot hold the clips.
    SealedFailure
        If the process fails, or is killed.
    """
    with temporary() as folder:
        order = _order(spec, plan, test)
        mixed = replace(test, clips=tuple(test.clips[i] for i in order))
        with writing_to(folder, "it must hold a copy of the test clips: free some, or point TMPDIR elsewhere"):
            sealed = _numbered(mixed, folder)
            _pack(_job(spec, plan, chosen, (mixed, sealed), folder, context), state, folder)
        context.hand_out(mixed, folder / "cache")
        _wait(folder)
        with np.load(folder / "answer.npz", allow_pickle=False) as held:
            mixed_scores, seconds, feature_seconds = (held[name] for name in ("scores", "seconds", "feature_seconds"))
        context.take_in(folder / "cache")
    scores = mixed_scores
    if mixed_scores.ndim and len(mixed_scores) == len(order):  # any other is refused by whoever checks it
        scores = np.empty_like(mixed_scores)
        scores[order] = mixed_scores
    return Answer(scores, float(seconds), float(feature_seconds))


def _order(spec: RunSpec, plan: Plan, test: Split) -> npt.NDArray[np.int64]:
    """The clips by the hash of what they hold, which tells nothing that the clips do not."""
    if plan.facts:
        keys = [row_key(plan.facts[place], place, 0) for place in excerpts(test)]
    else:  # nothing is heard
        keys = [hashlib.sha256(f"{spec.key} {clip.id}".encode()).hexdigest() for clip in test.clips]
    return np.argsort(np.array(keys), kind="stable")


def _numbered(split: Split, folder: Path) -> Split:
    """The same clips, copied to the folder, with nothing about them but which stretch of a file they are."""
    (folder / "clips").mkdir()
    files: dict[Path, Path] = {}
    for clip in split.clips:
        if clip.path is not None and clip.path not in files:
            suffix = clip.path.suffix.lower()
            suffix = suffix if suffix in (*sound_files.SUFFIXES, *pictures.SUFFIXES) else ""
            files[clip.path] = folder / "clips" / f"{len(files):04d}{suffix}"
            shutil.copyfile(clip.path, files[clip.path])
    task, clips = split.task, split.clips
    return Split(
        bare_task(task.kind, task.classes, task.medium, len(clips)),
        tuple(
            Clip(
                f"{n:04d}", clip.path and files[clip.path], "test", (),
                start=clip.start, duration=clip.duration, peaks=clip.peaks, first_channel=clip.first_channel,
            )
            for n, clip in enumerate(clips)
        ),
    )  # fmt: skip


def _read_no_clips(root: Path | None, fold: int) -> list[Clip]:
    raise BadInput("a sealed process knows no clips but those that it predicts")


def _job(
    spec: RunSpec, plan: Plan, chosen: Mapping[str, Any], clips: tuple[Split, Split], folder: Path, context: Context
) -> Job:
    """The run with nothing in it but what these clips need; `clips` are as they were, and as they are in the folder."""
    import torch

    request = Request(
        task=clips[1].task.name,
        method=spec.method,
        source_params=plan.request.source_params,
        windowing=plan.request.windowing,
        runs=folder / "runs",
        cache=folder / "cache",
        device=str(context.device),
        precision=plan.request.precision,
        workers=plan.request.workers,
        threads=torch.get_num_threads(),
    )
    facts: dict[Excerpt, audio.Facts] = {}
    if plan.facts:
        facts = {here: plan.facts[there] for there, here in zip(*map(excerpts, clips), strict=True)}
        # some pad to the longest clip of the task, whichever split it is in
        longest = max(audio.heard_seconds(place, known) for place, known in plan.facts.items())
        facts[Excerpt(folder / "longest")] = audio.Facts("", longest)
    weights = plan.weights
    if weights is not None:
        path = weights.path and weights.path.absolute()
        weights = replace(weights, path=path, extra=tuple(path.absolute() for path in weights.extra))
    bare = replace(spec, task=request.task, fold=0, seed=0, audio_sha256="")
    # hyperparameters as they are on record: an instance may hold what `fit` put into it
    params = {**spec.params, **chosen}
    return Job(type(plan.method), params, request, plan.card, weights, facts, bare, clips[1])


def _pack(job: Job, state: Mapping[str, npt.NDArray[Any]], folder: Path) -> None:
    from safetensors.numpy import save_file

    builder = job.card.builder.partition(":")[0] if job.card else ""
    plugins = sorted(name for name in {job.method.__module__, builder} if name.startswith("mirbench_plugin_"))
    for name in plugins:
        code = Path(inspect.getfile(sys.modules[name]))
        text = code.read_bytes()
        if hashlib.sha256(text).hexdigest()[:12] not in job.spec.method_version + job.spec.source_version:
            raise BadInput(f"{code}: it was changed since the command began, and --sealed imports it again; ask again")
        (folder / f"{name}.py").write_bytes(text)
    (folder / "job.json").write_text(json.dumps(_as_json(job) | {"plugins": plugins}), encoding="utf-8")
    if state:
        save_file(dict(state), folder / "state.safetensors")


def _as_json(job: Job) -> dict[str, Any]:
    """A job in the words of JSON; `mirbench.runs.sealed_process.read_job` reads it."""
    request = {name: getattr(job.request, name) for name in _OF_REQUEST}
    weights = job.weights and {**asdict(job.weights), "path": job.weights.path and str(job.weights.path)}
    if weights and job.weights:
        weights["extra"] = [str(path) for path in job.weights.extra]
    # the files of weights are told, and not where they are published
    card = job.card and asdict(replace(job.card, weights=(), extra_weights={}))
    return {
        "method": f"{job.method.__module__}:{job.method.__qualname__}",
        "params": dict(job.params),
        "request": request | {"windowing": asdict(job.request.windowing)},
        "runs": str(job.request.runs),
        "cache": str(job.request.cache),
        "card": card,
        "weights": weights,
        "facts": [[_place(place), known._asdict()] for place, known in job.facts.items()],
        "spec": asdict(job.spec),
        "test": {"kind": job.test.task.kind, "classes": job.test.task.classes, "medium": job.test.task.medium},
        "clips": [
            [clip.id, clip.path and str(clip.path), clip.start, clip.duration, clip.peaks, clip.first_channel]
            for clip in job.test.clips
        ],
    }


def _place(place: Excerpt) -> list[Any]:
    return [str(place.path), *place[1:]]


def bare_task(kind: str, classes: Sequence[str], medium: str, n_clips: int) -> Task:
    """What a sealed process is told of the task."""
    return Task(
        "sealed", "1", "", kind, tuple(classes), (), _read_no_clips, "", n_clips, 0.0, medium=medium,  # type: ignore[arg-type]
    )  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_FAMILIES)}
    places = {"HOME": folder, "TMPDIR": folder, "MIRBENCH_CACHE": folder / "cache", "MIRBENCH_DATA": folder / "data"}
    own = {name: str(place) for name, place in places.items()}
    if site.ENABLE_USER_SITE and Path(site.getusersitepackages()).is_dir():
        own["PYTHONUSERBASE"] = site.getuserbase()  # packages that lie in the user's home
    return kept | own


def _wait(folder: Path) -> None:
    """Start the process and wait for its end; whatever stops this one stops it too."""
    code = "from mirbench.runs.sealed_process import answer; answer()"
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE, stdout=said, stderr=said, cwd=folder, env=_environment(folder),
            start_new_session=True,
        )  # fmt: skip
        try:
            ended = process.wait()
        finally:
            process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()
    if (folder / "answer.npz").is_file() and ended == 0:
        return
    why = _read(folder / "error.txt")
    if not why:
        why = f"it ended with exit code {ended}, without an answer" if ended >= 0 else _killed(-ended)
    raise SealedFailure(f"in the sealed process: {why}\n{_read(folder / 'said.txt')[-_MOST_SAID:]}".rstrip())


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""


def _killed(number: int) -> str:
    try:
        return f"it was ended by {signal.Signals(number).name}"
    except ValueError:
        return f"it was ended by signal {number}"
