"""Cards as text, for `mirbench show`."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mirbench.errors import UnknownName
from mirbench.method import Method
from mirbench.plain_text import printable
from mirbench.registry import Catalogue
from mirbench.source import SourceCard, WeightFile
from mirbench.types import Archive, Task
from mirbench.unverified import doubt

__all__ = ["describe"]


def describe(name: str, catalogue: Catalogue) -> str:
    """The card of a task, method or source.

    Raises
    ------
    UnknownName
        If nothing is called so.
    """
    if name in catalogue.names("source") or _of_family(name, catalogue, "source"):
        return _source(catalogue.source(name))
    if name in catalogue.names("method"):
        return _method(catalogue.method(name))
    if "+" in name or name in catalogue.names("task") or _of_family(name, catalogue, "task"):
        return _task(catalogue.task(name))
    known = {n for kind in ("task", "method", "source") for n in catalogue.names(kind)}
    raise UnknownName("task, method or source", name, known)


def _of_family(name: str, catalogue: Catalogue, kind: str) -> bool:
    return any(name.startswith(written.partition(":")[0] + ":") for written in catalogue.families(kind))


def _task(task: Task) -> str:
    count = f"{task.n_clips:,}" if task.n_clips else "counted when they are read"
    length = f", about {task.clip_seconds:g} s each" if task.clip_seconds else ""
    lines = [
        ("task", f"{task.name}, version {task.version}: {task.title}"),
        ("kind", f"{task.kind}, {task.standing}"),
        ("classes", ", ".join(task.classes)),
        ("clips", f"{count}{length}, {task.n_folds} fold{'s' if task.n_folds > 1 else ''}"),
        ("metrics", f"{', '.join(task.metrics)}; the first selects"),
        ("folder", task.folder if Path(task.folder).is_absolute() else f"<data root>/{task.folder}"),
        ("ships", ", ".join(f"{name} (--source shipped:{name})" for name in task.ships)),
        ("licence", task.license),
        ("reference", task.reference),
        *(("archive", _archive(a)) for a in task.archives),
        *(("mirror", f"{url}{_doubt(url, a.checksum)}") for a in task.archives for url in a.mirrors),
        *(("note", note) for note in task.notes),
        *(("beware", caution) for caution in task.cautions),
        ("demo", task.demo or "none"),
    ]
    return _aligned(lines)


def _archive(archive: Archive) -> str:
    size = f"{archive.n_bytes / 1e6:,.0f} MB" if archive.n_bytes else ""
    said = "  ".join(part for part in (archive.url, size, archive.checksum, archive.note) if part)
    return said + _doubt(archive.url, archive.checksum)


def _doubt(url: str, checksum: str) -> str:
    why = doubt(url, checksum) if url else ""
    return f"  (unverified: {why}; fetched with --allow-unverified alone)" if why else ""


def _source(card: SourceCard) -> str:
    if card.missing and not card.n_features:  # nothing is known of it
        return _aligned([("source", card.name), ("missing", card.missing)])
    lines = [
        ("source", f"{card.name}, version {card.version}: {card.title}"),
        ("offers", ", ".join(card.offers)),
        ("input", _input(card)),
        ("outputs", _outputs(card)),
        ("layers", str(card.n_layers or "")),
        ("parameters", f"{card.n_parameters:,}" if card.n_parameters else ""),
        ("trained on", ", ".join(card.trained_on)),
        ("licence", card.license),
        ("reference", card.reference),
        *(("weights", _weights(w)) for w in card.weights),
        *((f"with {option}", _weights(w)) for option, w in card.extra_weights.items()),
        *((("hub", f"Hugging Face {card.hub}"),) if card.hub else ()),
        *(
            ("option", f"{name} = {value} (--source-set {name}={'|'.join(map(str, card.choices.get(name, ('…',))))})")
            for name, value in card.options.items()
        ),
        *(("note", note) for note in card.notes),
        ("missing", card.missing),
    ]
    return _aligned(lines)


def _weights(file: WeightFile) -> str:
    where = file.url or f"{file.file_name}, yours"
    return f"{where}  {file.checksum}  {file.size}{_doubt(file.url, file.sha256)}"


def _input(card: SourceCard) -> str:
    if card.kind == "precomputed":
        return "none: its rows are read from a file"
    made = f" -> picture {card.n_bands} x {card.n_frames}" if card.n_bands else ""
    files = ", or picture files" if "picture" in card.accepts else ""
    return f"{card.seconds:g} s at {card.sample_rate} Hz{made}{files}"


def _outputs(card: SourceCard) -> str:
    features = f"{card.n_features} features" if card.n_features else ""
    classes = f", {card.n_outputs} classes: {card.labels} ({card.activation})" if card.n_outputs else ""
    return features + classes


def _method(method: type[Method]) -> str:
    kinds = typing.get_type_hints(method)
    fields = [
        ("set", f"{field.name} = {field.default}   ({_accepted(kinds[field.name])})")
        for field in dataclasses.fields(method)  # type: ignore[arg-type]
    ]
    head = [
        ("method", f"{method.name}, version {method.version}"),
        ("needs", ", ".join(method.needs) or "no source"),
    ]
    # what a method shares with others is described with its base classes
    told = [
        cls
        for cls in method.__mro__
        if dataclasses.is_dataclass(cls) and not str(cls.__doc__).startswith(f"{cls.__name__}(")  # made by dataclass
    ]
    texts, described = [], set[str]()
    for cls in told:
        text, names = _less(inspect.cleandoc(cls.__doc__ or ""), described)
        texts.append(text)
        described |= names
    return "\n\n".join([_aligned([*head, *fields]), *texts])


def _less(doc: str, described: set[str]) -> tuple[str, set[str]]:
    """A docstring less the parameters that a subclass describes anew, and the parameters that it describes itself."""
    kept, names, leaving, inside = [], set[str](), False, False
    for line, after in itertools.zip_longest(doc.splitlines(), doc.splitlines()[1:], fillvalue=""):
        if set(after) == {"-"}:  # a heading
            inside, leaving = line == "Parameters", False
        elif inside and line and not line.startswith((" ", "-")):
            written, colon, kind = line.partition(" : ")
            own = [name.strip() for name in written.split(",")]
            left = [name for name in own if name not in described]
            line, leaving = ", ".join(left) + colon + kind, not left
            names |= {*own}
        if not leaving:
            kept.append(line)
    return "\n".join(kept).strip().removesuffix("\n\nParameters\n----------"), names


def _accepted(kind: Any) -> str:
    """A type as people read it: "int", "float or none", "one of paper, constant"."""
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_accepted(part) for part in typing.get_args(kind))
    return "none" if kind is type(None) else getattr(kind, "__name__", str(kind))


def _aligned(lines: Iterable[tuple[str, str]]) -> str:
    kept = [(name, text) for name, text in lines if text]
    width = max(len(name) for name, _ in kept)
    return "\n".join(f"{name:<{width}}  {printable(text)}" for name, text in kept)
