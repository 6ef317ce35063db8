"""Trained models as one ONNX graph, from windows of a clip to its probabilities, compared with what they predict."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mirbench.errors import BadInput, NotApplicable
from mirbench.features.cache import throwaway
from mirbench.installation import extra_module
from mirbench.plain_text import printable
from mirbench.runs.own_files import hear
from mirbench.runs.predict import Model
from mirbench.source import SourceCard

__all__ = ["FILE", "ONNX_TOLERANCE", "first_cause", "traced", "write_onnx"]

FILE = "model.onnx"
ONNX_TOLERANCE = 1e-4
"""How far what a graph predicts may be from what the run predicts."""

_WITHOUT = "leave --onnx out: the folder predicts without it"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STATUS = re.compile(r"^(\[ONNXRuntimeError\]|\s|:|\d+|[A-Z_]+(?= : ))+")


def write_onnx(model: Model, path: Path, sounds: Sequence[str]) -> tuple[dict[str, Any], float]:
    """Write a graph that takes the windows of one clip, (n_windows, n_samples), and gives its probabilities.

    Of a regression task those are where in their ranges its values are.

    Returns
    -------
    dict, float
        What is to be said of it, and the largest difference of a probability on the sounds.

    Raises
    ------
    MissingExtra
        If what writes or runs it is not installed.
    NotApplicable
        If a method or source cannot be written so.
    BadInput
        If the graph predicts otherwise by more than `ONNX_TOLERANCE`.
    """
    for module in ("onnx", "onnxscript", "onnxruntime"):
        extra_module(module, "--onnx", module, "onnx")
    system, clips, card = traced(model, sounds)
    what = model.title.partition(": ")[2]
    _export(system, clips[0], path, what)
    said = {
        "file": path.name,
        "input": f"windows: float32, (n_windows, {clips[0].shape[1]}), of one clip, full scale 1, one channel",
        "output": f"probabilities: float32, ({len(model.classes)},)",
        "sample_rate": card.sample_rate,
        "n_samples": int(clips[0].shape[1]),
        "holds": "front end, body, every model and their mean",
    }
    answers = _run(path, clips, what)
    largest = float(np.abs(answers - model(list(sounds)).probabilities).max())
    if largest > ONNX_TOLERANCE:
        raise BadInput(f"--onnx: the graph predicts otherwise (by {largest:.1e}); nothing is written")
    return said, largest


def traced(model: Model, sounds: Sequence[str]) -> tuple[Any, list[Any], SourceCard]:
    """The models as one torch module, the windows of each sound that it takes, and the card of its source.

    Raises
    ------
    NotApplicable
        If they are no such module.
    """
    sources = {leaf.record.spec.source for leaf in model.leaves}
    if len(sources) > 1 or "" in sources or model.medium != "audio":
        raise NotApplicable(
            "--onnx: a graph begins with windows of audio of one source; these models have none, or several"
        )
    places = model.models.places
    with throwaway(places.cache) as scratch:
        heard = hear(model.record, list(sounds), "audio", places.cache, model.models.progress, places.workers)
        parts = [model.models.graph(leaf, heard, scratch) for leaf in model.leaves]
        (context,) = model.models.contexts.values()
        split = heard.split(range(len(heard.clips)))
        windows = context.source.audio(split)
        audio = np.asarray(windows.values, dtype=np.float32)
    shares = [leaf.weight for leaf in model.leaves]
    clips = [audio[windows.clip_index == n] for n in range(windows.n_clips)]
    return _system(parts, shares), clips, context.source.card


def _system(parts: Sequence[tuple[Any, Any]], shares: Sequence[float]) -> Any:
    """One module of all: what several read is computed once."""
    from torch import nn

    class System(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            keys = [front.key for front, _ in parts]
            self.which = [list(dict.fromkeys(keys)).index(key) for key in keys]
            self.fronts = nn.ModuleList(dict(zip(keys, (front for front, _ in parts), strict=True)).values())
            self.heads = nn.ModuleList(head for _, head in parts)

        def forward(self, windows: Any) -> Any:
            read = [front(windows) for front in self.fronts]
            each = [head(*read[n]) for n, head in zip(self.which, self.heads, strict=True)]
            return sum(share * value for share, value in zip(shares, each, strict=True))

    return System().eval()


def _export(system: Any, audio: Any, path: Path, what: str) -> None:
    import torch

    example = torch.from_numpy(audio[:1].copy()).repeat(2, 1)
    n_windows = torch.export.Dim("n_windows", min=1, max=1 << 20)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter's own parts
        try:
            program: Any = torch.onnx.export(
                system, (example,), dynamo=True, dynamic_shapes=({0: n_windows},), verbose=False,
                input_names=["windows"], output_names=["probabilities"],
            )  # fmt: skip
        except Exception as error:  # what a network does that the exporter does not know
            raise NotApplicable(
                f"--onnx: torch's exporter cannot write {what}; {_WITHOUT} ({first_cause(error)})"
            ) from error
    assert program is not None  # as torch's exporter of programs always returns one
    program.save(path)


def _run(path: Path, clips: Sequence[Any], what: str) -> Any:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for n in (1, 3):  # whatever the clips have: a graph may be fixed to the number of windows of its example
            session.run(None, {"windows": np.repeat(clips[0][:1], n, axis=0)})
        return np.stack([session.run(None, {"windows": windows})[0] for windows in clips])
    except Exception as error:  # of a graph that the exporter fixed to its example, for one; onnxruntime has many kinds
        raise NotApplicable(
            f"--onnx: the graph that torch's exporter writes of {what} does not run in ONNX Runtime; {_WITHOUT} "
            f"({first_cause(error)})"
        ) from error


def first_cause(error: BaseException) -> str:
    """What went wrong first, in a line, without colours and status codes of others."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = _COLOUR.sub("", str(error)) or type(error).__name__
    line = next((line.strip() for line in said.splitlines() if line.strip()), type(error).__name__)
    return printable(_STATUS.sub("", line), 160)
