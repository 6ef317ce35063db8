"""What a source makes of files of one's own, computed and kept as it is for runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.api.process import alone
from mirbench.errors import BadInput, MissingData, NotApplicable
from mirbench.places import default_cache, user_path
from mirbench.progress import Progress
from mirbench.source import SourceCard
from mirbench.types import Clip, Split, Task, excerpts

__all__ = ["embedded"]

_METHOD = "probe-linear"
"""One that needs ``pooled``: a plan is of a method."""


def embedded(
    card: SourceCard,
    params: Mapping[str, Any],
    folder: Path | None,
    files: str | PathLike[str] | Iterable[str | PathLike[str]],
    device: str,
    telling: Progress,
) -> npt.NDArray[np.float64]:
    """Embeddings of files, as `mirbench.SourceModel.embed` describes them."""
    from mirbench.features import audio
    from mirbench.features.temporary import using
    from mirbench.features.weights import find_weights
    from mirbench.plugin_file import Plugin
    from mirbench.registry import Catalogue
    from mirbench.runs.plan import Request, draft_plan
    from mirbench.runs.surroundings import context_of

    cache = default_cache()
    if card.missing:
        raise MissingData(card.missing)
    if card.kind == "precomputed":
        raise NotApplicable(f"{card.name} was computed elsewhere; files of your own have no such features")
    names = [files] if isinstance(files, str | PathLike) else list(files)
    paths = [user_path(fspath(name)) for name in names]
    if not paths:
        raise BadInput("embed: no file is given; audio files are needed")
    clips = tuple(Clip(str(n), path, "test", ()) for n, path in enumerate(paths))
    task = Task(
        "files", "1", "files of one's own", "single-label", ("",), ("accuracy",), lambda root, fold: list(clips), "",
        len(clips), 0.0,
    )  # fmt: skip
    ours = card.name in Catalogue().names("source") or ":" in card.name
    plugin = Plugin("files", "0" * 64, {"files": task}, {}, {} if ours else {card.name: card})
    request = Request("files", _METHOD, card.name, (0,), source_params=params, device=device, cache=cache)
    with alone(), using(cache):
        split = Split(task, clips)
        facts = audio.survey(excerpts(split), cache / "files.sqlite", telling, request.workers)
        plan = draft_plan(request, Catalogue([plugin], None, folder))
        weights = find_weights(card, folder, cache, telling, params, must_load=True)
        context = context_of(replace(plan, weights=weights, facts=facts), telling)
        return context.source.pooled(split).clip_means()
