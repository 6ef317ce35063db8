"""Cards as text, for `mirbench show`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable

from mirbench.errors import UnknownName
from mirbench.registry import Catalogue
from mirbench.types import Method, SourceCard, Task

__all__ = ["describe"]


def describe(name: str, catalogue: Catalogue) -> str:
    """The card of a task, method or source.

    Raises
    ------
    UnknownName
        If nothing is called so.
    """
    if name in catalogue.names("task"):
        return _task(catalogue.task(name))
    if name in catalogue.names("source"):
        return _source(catalogue.source(name))
    if name in catalogue.names("method"):
        return _method(catalogue.method(name))
    known = {n for kind in ("task", "method", "source") for n in catalogue.names(kind)}
    raise UnknownName("task, method or source", name, known)


def _task(task: Task) -> str:
    lines = [
        ("task", f"{task.name}, version {task.version}: {task.title}"),
        ("kind", f"{task.kind}, {task.standing}"),
        ("classes", ", ".join(task.classes)),
        ("clips", f"{task.n_clips} of about {task.clip_seconds:g} s, {task.n_folds} fold(s)"),
        ("metrics", f"{', '.join(task.metrics)}; the first selects"),
        ("folder", f"<data root>/{task.folder}"),
        ("licence", task.license),
        ("reference", task.reference),
        *(("archive", f"{a.url}  {a.checksum}  {a.note}") for a in task.archives),
        *(("mirror", url) for a in task.archives for url in a.mirrors),
        *(("note", note) for note in task.notes),
        ("demo", task.demo or "none"),
    ]
    return _aligned(lines)


def _source(card: SourceCard) -> str:
    lines = [
        ("source", f"{card.name}, version {card.version}: {card.title}"),
        ("offers", ", ".join(card.offers)),
        ("input", f"{card.seconds:g} s at {card.sample_rate} Hz -> picture {card.n_bands} x {card.n_frames}"),
        ("outputs", f"{card.n_features} features, {card.n_outputs} classes: {card.labels} ({card.activation})"),
        ("layers", str(card.n_layers)),
        ("parameters", f"{card.n_parameters:,}"),
        ("trained on", ", ".join(card.trained_on)),
        ("licence", card.license),
        ("reference", card.reference),
        *(("weights", f"{w.url}  sha256:{w.sha256}  {w.n_bytes / 1e6:.1f} MB") for w in card.weights),
        *((("hub", f"Hugging Face {card.hub}"),) if card.hub else ()),
        *(("option", f"{name} = {value} (--source-set {name}=…)") for name, value in card.options.items()),
        *(("note", note) for note in card.notes),
    ]
    return _aligned(lines)


def _method(method: type[Method]) -> str:
    fields = [
        ("set", f"{field.name} = {field.default}   ({field.type})")
        for field in dataclasses.fields(method)  # type: ignore[arg-type]
    ]
    head = [
        ("method", f"{method.name}, version {method.version}"),
        ("needs", ", ".join(method.needs) or "no source"),
    ]
    return _aligned([*head, *fields]) + "\n\n" + (inspect.getdoc(method) or "")


def _aligned(lines: Iterable[tuple[str, str]]) -> str:
    kept = [(name, text) for name, text in lines if text]
    width = max(len(name) for name, _ in kept)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in kept)
