"""What is written for the reader of an exported folder: what it is, how to use it, under which terms."""

from __future__ import annotations

from typing import Any

__all__ = ["SIX_LINES", "SIX_LINES_OF_VALUES", "readme"]

_LOADED = """\
from mirbench import load_model

model = load_model("{folder}")
found = model(["song.mp3", "another.wav"])
"""

SIX_LINES = f"""\
{_LOADED}\
for file, name, confidence in zip(found.files, found.predicted, found.confidence):
    print(file, name, confidence)
"""

SIX_LINES_OF_VALUES = f"""\
{_LOADED}\
for file, values in zip(found.files, found.values):
    print(file, dict(zip(found.classes, values)))
"""


_CONFIDENCE = (
    "`confidence` is the probability of what is predicted, the mean over the models; of several labels, that of",
    "the least probable one. Nobody has measured how well it is calibrated on your sounds.",
)
_VALUES = (
    "`found.values` holds the numbers, the mean over the models; none can be outside of its range. A graph's outputs",
    "are places in that range, 0 its lowest and 1 its highest value.",
)


def readme(config: dict[str, Any], folder: str) -> str:
    """README.md of an exported folder."""
    return "\n".join(_lines(config, folder)) + "\n"


def _lines(config: dict[str, Any], folder: str) -> list[str]:
    sources = config["sources"]
    kind = {"single-label": "one class a file", "multi-label": "any number of labels a file"}.get(config["kind"], "")
    return [
        f"# {config['title']}",
        "",
        f"Trained models ({config['runs'] or 'one run'}) of mirbench {config['made_with']}; "
        + (f"{kind}, of" if kind else "values of each file, of"),
        f"{len(config['classes'])}: {', '.join(_names(config))}.",
        "",
        "```sh",
        f"mirbench predict {folder} song.mp3",
        "```",
        "",
        "```python",
        (SIX_LINES if kind else SIX_LINES_OF_VALUES).format(folder=folder).rstrip(),
        "```",
        "",
        *(_CONFIDENCE if kind else _VALUES),
        "",
        *_graph(config),
        *_tested(config),
        "",
        "## Terms",
        "",
        *[line for source in sources for line in _terms(source)],
        "What was learnt here was learnt from the clips of the task, whose own terms hold for it, too. Methods that",
        "keep examples (k nearest neighbours, a kernel machine) keep embeddings of clips of train.",
    ]


def _names(config: dict[str, Any]) -> list[str]:
    """Of classes; of targets with their ranges."""
    if not (ranges := config.get("ranges")):
        return list(config["classes"])
    pairs = zip(config["classes"], ranges, strict=True)
    return [f"{name} ({low:g} to {high:g})" for name, (low, high) in pairs]


def _graph(config: dict[str, Any]) -> list[str]:
    """How to use the ONNX graph, where there is one."""
    if not (onnx := config.get("onnx")):
        return []
    return [
        "## Without mirbench",
        "",
        f"`{onnx['file']}` holds {onnx['holds']}. Input: {onnx['input']}, at {onnx['sample_rate']} Hz; output:",
        f"{onnx['output']}. A clip is cut into windows as the record beside each model says (`windowing`).",
        "",
        "```python",
        "import numpy as np, onnxruntime",
        "",
        f"session = onnxruntime.InferenceSession({onnx['file']!r})",
        f"windows = np.zeros((3, {onnx['n_samples']}), dtype=np.float32)  # your audio",
        f'({"places" if config.get("ranges") else "probabilities"},) = session.run(None, {{"windows": windows}})',
        *_in_units(config),
        "```",
        "",
    ]


def _in_units(config: dict[str, Any]) -> list[str]:
    """How a graph's outputs become values."""
    if not (ranges := config.get("ranges")):
        return []
    low, high = ([pair[k] for pair in ranges] for k in (0, 1))
    return [f"low, high = np.array({low}), np.array({high})", "values = low + places * (high - low)"]


def _tested(config: dict[str, Any]) -> list[str]:
    tested = config["tested"]
    if not tested:
        return ["It was trained on all labelled clips, so that none is left to test it on."]
    values = ", ".join("undefined" if value is None else f"{value:.3f}" for value in tested["of_each_model"])
    return [
        f"{tested['metric']} of each model on the test clips of its own fold: {values}. Their mean is on no record:",
        "every clip was in the training of some of them.",
    ]


def _terms(source: dict[str, Any]) -> list[str]:
    where = ", ".join(source["weights"]) or "come with mirbench"
    return [
        f"* Weights of {source['name']} ({where}): {source['license'] or 'terms unknown'}.",
        f"  {source['reference']}." if source["reference"] else "  No reference.",
        "",
    ]
