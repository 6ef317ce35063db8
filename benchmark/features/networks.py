"""From the card of a source to its network, and to what tells its weights apart where no file does."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mirbench.features.random_weights import drawn_network
from mirbench.lasting import made_to_last
from mirbench.source import SourceCard, further_options, seed_of

__all__ = ["has_python", "kept_elsewhere", "load_network"]


def load_network(card: SourceCard, paths: Sequence[Path | str | None], options: Mapping[str, Any]) -> Any:
    """The network of a card.

    Parameters
    ----------
    paths : sequence
        What its builder takes first: files or the folder of its weights. Random weights need none.
    options : mapping
        Options of the source; see `mirbench.source.further_options` for those that its builder knows nothing of.
    """
    further = further_options(card)
    own = {name: value for name, value in options.items() if name not in further}
    with made_to_last():  # and the libraries that it imports
        seed = seed_of(card, options)
        if seed is not None:
            network = drawn_network(card, own, seed)
        elif card.adapter:
            network = _target(card.adapter)(_target(card.builder), *paths, **own)
        else:
            network = _target(card.builder)(*paths, **own)
        if "seconds" in further and "seconds" in options:
            network = _target(card.shorter)(network, options["seconds"])
        return network


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
