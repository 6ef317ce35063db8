"""From the card of a source to its network, and to what tells its weights apart where no file does."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mirbench.lasting import made_to_last
from mirbench.source import SourceCard

__all__ = ["has_python", "kept_elsewhere", "load_network"]


def load_network(card: SourceCard, paths: Sequence[Path | str | None], options: Mapping[str, Any]) -> Any:
    """The network of a card.

    Parameters
    ----------
    paths : sequence
        What its builder takes first: files or the folder of its weights.
    options : mapping
        Options of the source.
    """
    with made_to_last():  # and the libraries that it imports
        builder = _target(card.builder)
        if card.adapter:
            return _target(card.adapter)(builder, *paths, **options)
        return builder(*paths, **options)


def kept_elsewhere(card: SourceCard, options: Mapping[str, Any]) -> str:
    """A hash of weights that another program keeps, as 64 hex digits; "" where nobody can tell."""
    module = importlib.import_module((card.adapter or card.builder).partition(":")[0])
    if card.adapter:
        found: str = module.identity(_target(card.builder), **options)
    else:
        found = module.identity(None, **options)
    return found


def has_python(card: SourceCard) -> bool:
    """Whether the Python is named in which an encoder runs; whether it can, only a try would tell."""
    variable = getattr(_target(card.builder), "python", "")
    return not variable or bool(os.environ.get(variable))


def _target(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)
