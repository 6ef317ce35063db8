"""Cards for `mirbench show`: which thing a name is, and what is said of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mirbench.archive import Archive
from mirbench.cli.card_look import Card, Option, look
from mirbench.cli.method_card import method_card
from mirbench.errors import UnknownName
from mirbench.method import Method
from mirbench.registry import Catalogue, is_ours
from mirbench.source import SourceCard, WeightFile, further_options
from mirbench.taken_names import KINDS
from mirbench.terminal import WIDTH, drawn
from mirbench.types import Task
from mirbench.unverified import doubt

__all__ = ["card_of", "describe"]

_SMALL = ("efficientat-mn04", "musicnn-mtat", "ast")


def describe(name: str, catalogue: Catalogue) -> str:
    """The card of a task, method or source as plain text; raises as `card_of`."""
    return drawn(list(look(card_of(name, catalogue))), WIDTH, colours=False)


def card_of(name: str, catalogue: Catalogue, plugins: Sequence[Path] = ()) -> Card:
    """The card of a task, method or source.

    Parameters
    ----------
    plugins : sequence of Path
        Files of the catalogue's plugins: the commands of what is in none of ours name them.

    Raises
    ------
    UnknownName
        If nothing is called so.
    """
    card = _card_of(name, catalogue)
    known = any(is_ours(kind, name) or _of_family(name, catalogue, kind) for kind in KINDS)
    given = "".join(f" --plugin {shlex.quote(str(path))}" for path in plugins)
    return card if known else replace(card, commands=[command + given for command in card.commands])


def _card_of(name: str, catalogue: Catalogue) -> Card:
    if name in (known := catalogue.names("source")) or _of_family(name, catalogue, "source"):
        return _source(catalogue.source(name))
    if name in (methods := catalogue.names("method")):
        method = catalogue.method(name)
        return method_card(method, methods[name], _usable(method, catalogue))
    if "+" in name or name in catalogue.names("task") or _of_family(name, catalogue, "task"):
        return _task(catalogue.task(name), name)
    raise UnknownName("task, method or source", name, {*known, *methods, *catalogue.names("task")})


def _usable(method: type[Method], catalogue: Catalogue) -> str:
    """A small source that offers what a method needs; "" where it needs none."""
    offers = ((name, catalogue.source(name).offers) for name in _SMALL if method.needs)
    return next((name for name, offered in offers if {*method.needs} <= {*offered}), "")


def _of_family(name: str, catalogue: Catalogue, kind: str) -> bool:
    return any(name.startswith(written.partition(":")[0] + ":") for written in catalogue.families(kind))


_TRIED = "--method probe-linear --source efficientat-mn04"


def _task(task: Task, name: str) -> Card:
    """Of a task, which was called so: own data by where they lie."""
    count = f"{task.n_clips:,}" if task.n_clips else "counted when they are read"
    length = f", about {task.clip_seconds:g} s each" if task.clip_seconds else ""
    fetch = [f"mirbench data get {task.name}"] if task.archives else []
    return Card(
        "task",
        task.name,
        task.version,
        task.title,
        facts=[
            ("kind", f"{task.kind}, {task.standing}"),
            ("targets" if task.ranges else "classes", ", ".join(_classes(task))),
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
        ],
        commands=[*fetch, f"mirbench run --task {shlex.quote(name)} {_TRIED}"],
    )


def _classes(task: Task) -> list[str]:
    """Names of classes; of targets with their ranges."""
    if not task.ranges:
        return list(task.classes)
    return [f"{name} ({low:g} to {high:g})" for name, (low, high) in zip(task.classes, task.ranges, strict=True)]


def _archive(archive: Archive) -> str:
    size = f"{archive.n_bytes / 1e6:,.0f} MB" if archive.n_bytes else ""
    said = "  ".join(part for part in (archive.url, size, archive.checksum, archive.note) if part)
    return said + _doubt(archive.url, archive.checksum)


def _doubt(url: str, checksum: str) -> str:
    why = doubt(url, checksum) if url else ""
    return f"  (unverified: {why}; fetched with --allow-unverified alone)" if why else ""


_FURTHER = {"weights": "or random, random-1, random-2 …", "seconds": "or fewer, of a window"}


def _source(card: SourceCard) -> Card:
    if card.missing and not card.n_features:  # nothing is known of it
        return Card("source", card.name, facts=[("missing", card.missing)])
    return Card(
        "source",
        card.name,
        card.version,
        card.title,
        facts=[
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
            ("hub", f"Hugging Face {card.hub}" if card.hub else ""),
            *(("note", note) for note in card.notes),
            ("missing", card.missing),
        ],
        options=[
            Option(
                name, str(value), f"one of {', '.join(map(str, card.choices[name]))}" if name in card.choices else ""
            )
            for name, value in card.options.items()
        ]
        + [Option(name, f"{value}", _FURTHER[name]) for name, value in further_options(card).items()],
        flag="--source-set NAME=VALUE",
        commands=[f"mirbench run --task gtzan-mini --method probe-linear --source {card.name}"],
    )


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
