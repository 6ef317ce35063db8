"""Write trained models into a folder that needs neither the runs nor the data, and compare what it predicts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mirbench import __version__
from mirbench.errors import BadInput
from mirbench.features.memo import file_sha256
from mirbench.features.temporary import replace_folder, temporary
from mirbench.features.weights import Weights, find_weights
from mirbench.plugin_file import Plugin
from mirbench.registry import Catalogue
from mirbench.runs.export_text import readme
from mirbench.runs.exported import CONFIG, FORMAT
from mirbench.runs.models import Leaf
from mirbench.runs.onnx_graph import FILE, write_onnx
from mirbench.runs.plain_weights import copied
from mirbench.runs.predict import Model, load_model
from mirbench.runs.record_file import as_text
from mirbench.source import SourceCard, seed_of, with_weights

__all__ = ["TOLERANCE", "Compared", "compared", "export"]

TOLERANCE = 1e-6
"""How far what a folder predicts may be from what the run predicts."""


@dataclass(frozen=True)
class Compared:
    """How far two ways of predicting are apart.

    Parameters
    ----------
    n_files : int
        That were compared.
    largest : float
        Difference of two probabilities, or of two values as shares of their range.
    graph : float or None
        The same of the ONNX graph, where one was written.
    """

    n_files: int
    largest: float
    graph: float | None = None


def export(
    model: Model, target: Path, sounds: Sequence[str], plugins: Sequence[Plugin] = (), *, onnx: bool = False
) -> Compared:
    """Write a model into a folder, once the folder predicts what the model does.

    Parameters
    ----------
    target : Path
        A folder that is not there, or empty.
    sounds : sequence of str
        Files that both predict before it is done.
    onnx : bool
        Whether the folder holds the models as one ONNX graph, too; see `mirbench.runs.onnx_graph`.

    Raises
    ------
    NotApplicable, MissingExtra
        If no graph can be written of it.
    BadInput
        If the model cannot be exported, or there is something already, or the two differ by more than `TOLERANCE`.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(f"{target}: is there already; name a folder that is not, or remove it")
    places = model.models.places
    catalogue = Catalogue(plugins, places.data, places.weights)
    said = model(list(sounds))
    with temporary(target.absolute().parent) as work:
        config = _write(model, work, catalogue)
        graph = None
        if onnx:
            config["onnx"], graph = write_onnx(model, work / FILE, sounds)
        _write_config(config, work)
        again = load_model(work, places=replace(places, data=None, weights=None), plugins=plugins)
        found = compared(said.probabilities, again(list(sounds)).probabilities)
        if found.largest > TOLERANCE:
            raise BadInput(
                f"{model.title}: the folder predicts otherwise (by {found.largest:.1e}); nothing was written"
            )
        (work / "README.md").write_text(readme(config, target.name), encoding="utf-8")
        work.chmod(0o755)
        if target.exists():
            target.rmdir()
        replace_folder(work, target)
    return replace(found, graph=graph)


def compared(ours: Any, theirs: Any) -> Compared:
    """How far probabilities of the same files are apart."""
    return Compared(len(ours), float(np.abs(np.asarray(ours, float) - np.asarray(theirs, float)).max()))


def _write(model: Model, work: Path, catalogue: Catalogue) -> dict[str, Any]:
    """Models, weights and configuration; returns the last."""
    sources: dict[str, dict[str, Any]] = {}
    models = []
    for n, leaf in enumerate(model.leaves):
        spec = leaf.record.spec
        entry = None
        if spec.source:
            key = json.dumps([spec.source, spec.source_params, spec.source_sha256], sort_keys=True)
            if key not in sources:
                sources[key] = _source(model, leaf, catalogue.source(spec.source), work)
            entry = list(sources).index(key)
        place = work / "models" / str(n)
        place.mkdir(parents=True)
        kept = {name: sha256 for name, sha256 in leaf.record.files.items() if name == "model.safetensors"}
        (place / "record.json").write_text(as_text(replace(leaf.record, files=kept)), encoding="utf-8")
        if (held := leaf.folder / "model.safetensors").is_file():
            shutil.copyfile(held, place / held.name)
        models.append({"folder": f"models/{n}", "weight": leaf.weight, "source": entry})
    record = model.record
    config = {
        "mirbench_model": FORMAT,
        "made_with": __version__,
        "title": model.title,
        "runs": model.runs,
        "task": record.spec.task,
        "kind": record.kind,
        "medium": model.medium,
        "classes": list(record.classes),
        **({"ranges": [list(pair) for pair in record.ranges]} if record.ranges else {}),
        "windowing": {**vars(record.spec.windowing), "pad": record.spec.pad},
        "precision": record.spec.precision,
        "tested": _tested(model),
        "sources": list(sources.values()),
        "models": models,
    }
    return config


def _write_config(config: dict[str, Any], work: Path) -> None:
    (work / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _tested(model: Model) -> dict[str, Any]:
    """What each of the models scored on the test clips of its own fold."""
    metrics = [name for name, value in model.record.metrics.items() if isinstance(value, float)]
    if not metrics:
        return {}
    values = [leaf.record.metrics.get(metrics[0]) for leaf in model.leaves]
    return {"metric": metrics[0], "of_each_model": values}


def _source(model: Model, leaf: Leaf, card: SourceCard, work: Path) -> dict[str, Any]:
    """The weights of a source as plain tensors, and what is said of it."""
    spec, places = leaf.record.spec, model.models.places
    if card.kind == "precomputed" or card.shipped:
        raise BadInput(f"{card.name}: was computed elsewhere; sounds of your own have no such features")
    if card.kind == "embedding":
        raise BadInput(f"{card.name}: another program computes it and keeps its weights; a folder cannot hold that")
    card = with_weights(card, spec.source_params)
    drawn = seed_of(card, spec.source_params) is not None  # they are drawn again
    found = leaf.source or find_weights(card, places.weights, places.cache, model.models.progress, spec.source_params)
    if found is None or (found.path is None and not drawn) or found.sha256 != spec.source_sha256:
        raise BadInput(f"{card.name}: the weights here are not those of the run; give their folder as --weights DIR")
    weights = [] if card.packaged or drawn else _copied(found, card, work / "weights")
    files = sorted(
        path for name in weights for path in ([name] if name.is_file() else name.iterdir()) if path.is_file()
    )
    return {
        "name": card.name,
        "title": card.title,
        "license": card.license,
        "reference": card.reference,
        "trained_on": list(card.trained_on),
        "front_end": {
            **{name: getattr(card, name) for name in ("sample_rate", "seconds", "n_bands", "n_frames")},
            **spec.source_params,
        },
        "sha256": spec.source_sha256,
        "weights": [path.relative_to(work).as_posix() for path in weights],
        "files": {
            path.relative_to(work).as_posix(): file_sha256(path, places.cache / "files.sqlite") for path in files
        },
    }


def _copied(found: Weights, card: SourceCard, folder: Path) -> list[Path]:
    assert found.path is not None
    folder.mkdir(exist_ok=True)
    name = card.hub.rpartition("/")[2] if card.hub else ""
    return [copied(path, folder / (name or path.name)) for path in (found.path, *found.extra)]
