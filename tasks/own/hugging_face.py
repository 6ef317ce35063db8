"""Data sets of the Hugging Face Hub, ``hf:OWNER/NAME``: fetched once by its library, kept as plain files.

``mirbench data get hf:OWNER/NAME`` writes the audio, still encoded, and a list of clips (`mirbench.features.clip_list`)
below the data root; a task is read from there, without the library. What cannot be guessed is said in the name, as in
``hf:OWNER/NAME?config=small&label=genre``: ``config``, the configuration; ``audio``, ``label`` and ``group``, columns
(``group`` is what must not cross splits); ``revision``, a branch, tag or commit. "%2B" stands for a "+".

Published splits are kept; those that lack are drawn as for a user's own data. Nothing that a data set says becomes a
path, and no code of a data set is run. The library keeps its own download in the user's Hugging Face cache.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mirbench.errors import BadInput, MissingData
from mirbench.features.claims import claimed
from mirbench.features.clip_list import read_clip_list
from mirbench.features.temporary import replace_folder, temporary
from mirbench.installation import extra_module
from mirbench.places import default_data_root
from mirbench.progress import Progress
from mirbench.tasks.own.hub_rows import write_rows
from mirbench.tasks.own.libraries import Asked, library_task, one_line, take_apart
from mirbench.types import Task

__all__ = ["fetch_hf", "hf_task"]

_OPTIONS = ("config", "audio", "label", "group", "revision")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_LIST, _SOURCE = "clips.csv", "source.json"
_TIMEOUT = 30.0  # seconds


def hf_task(argument: str, data: Path | None = None) -> Task:
    """The task of a data set that was fetched from the Hugging Face Hub.

    Parameters
    ----------
    argument : str
        ``OWNER/NAME``, with options as the module says.
    data : Path or None
        The data root; None is the default one.

    Raises
    ------
    MissingData
        If it has not been fetched.
    BadInput
        If the name is not written so, or what was fetched makes no task.
    """
    asked = _asked(argument)
    folder = (data or default_data_root()).expanduser().resolve() / _folder(asked)
    if not (folder / _LIST).is_file():
        raise MissingData(f"{asked.name}: {folder} does not hold it; {asked.command} fetches it")
    return _task(asked, folder)


def _task(asked: Asked, folder: Path) -> Task:
    try:
        source = {str(key): str(value) for key, value in json.loads((folder / _SOURCE).read_text("utf-8")).items()}
        revision, notes = source.pop("revision"), source.pop("notes")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BadInput(f"{folder / _SOURCE}: broken; delete {folder}, then {asked.command}") from error
    clips, folds = read_clip_list(folder / _LIST, literal=True)
    task = library_task(asked, folder, clips, folds, revision[:12])
    about = f"revision {revision} of huggingface.co/datasets/{asked.dataset}"
    return replace(
        task,
        datasets=(f"{asked.family}:{asked.dataset}",),
        license=source.get("license", ""),
        notes=(about, notes, *task.notes),
    )


def _asked(argument: str) -> Asked:
    asked = take_apart("hf", argument, _OPTIONS)
    if not _REPOSITORY.fullmatch(asked.dataset) or any(bad in asked.dataset for bad in ("..", "--")):
        raise BadInput(f"hf:{argument!a}: write hf:OWNER/NAME, as on huggingface.co/datasets")
    return asked


def _folder(asked: Asked) -> Path:
    """Where it lies below the data root; other options are another folder, and no value can name one outside."""
    owner, _, name = asked.dataset.partition("/")
    options = dict(asked.options)
    config = quote(options.pop("config", ""), safe="")
    parts = [f"{owner}--{name}", *([config] if config else [])]
    return Path("hf", "--".join([*parts, *(f"{key}={quote(options[key], safe='')}" for key in sorted(options))]))


def fetch_hf(argument: str, root: Path, progress: Progress) -> Path:
    """Fetch a data set into ``root/hf/OWNER--NAME…``, whole or not at all; returns that folder.

    Raises
    ------
    MissingExtra
        If the library ``datasets`` is not installed.
    MissingData
        If the Hub does not give the data set.
    BadInput
        If its audio or labels are not found, cannot be read, or make no task.
    """
    asked = _asked(argument)
    target = root / _folder(asked)
    if (target / _LIST).is_file():
        progress.say(f"{target} is there already; delete it to fetch it again")
        return target
    library = _library(asked)
    revision, license_name = _published(asked)
    try:
        with claimed(target, f"fetching {asked.name}", progress), temporary(target.parent) as work:
            if (target / _LIST).is_file():
                return target  # another process fetched it meanwhile
            loading, made = work / "loading", work / "made"
            loaded = _load(library, asked, revision, loading, progress)
            notes = write_rows(library, asked, loaded, (loading, _hub_folder(asked)), made / _LIST, progress)
            source = {"revision": revision, "license": license_name, "notes": notes}
            (made / _SOURCE).write_text(json.dumps(source, indent=1) + "\n", encoding="utf-8")
            _task(asked, made)  # raises where what came makes no task
            replace_folder(made, target)
    finally:
        with contextlib.suppress(OSError):  # not empty: something was fetched, now or before
            target.parent.rmdir()
            root.rmdir()
    return target


def _library(asked: Asked) -> Any:
    return extra_module("datasets", f"fetching {asked.name}", "datasets", "hf")


def _published(asked: Asked) -> tuple[str, str]:
    """The commit that is asked for, and the licence that the data set's card names."""
    hub = importlib.import_module("huggingface_hub")
    errors = importlib.import_module("huggingface_hub.errors")
    try:
        info = hub.HfApi().dataset_info(asked.dataset, revision=asked.options.get("revision"), timeout=_TIMEOUT)
    except errors.GatedRepoError as error:
        raise MissingData(f"{asked.name}: its terms must be accepted on huggingface.co first") from error
    except errors.RepositoryNotFoundError as error:
        raise MissingData(f"{asked.name}: no public data set of this name is on huggingface.co") from error
    except errors.RevisionNotFoundError as error:
        raise MissingData(f"{asked.name}: the data set has no such revision") from error
    except Exception as error:  # each version of the library has another way to say that there is no answer
        raise MissingData(
            f"{asked.name}: huggingface.co does not answer ({one_line(error)}); try again later"
        ) from error
    named = getattr(info.card_data, "license", None) or ""
    return str(info.sha), named if isinstance(named, str) else ", ".join(map(str, named))


def _hub_folder(asked: Asked) -> Path:
    """Where the Hub's library keeps this data set's own files."""
    constants = importlib.import_module("huggingface_hub.constants")
    return Path(constants.HF_HUB_CACHE, f"datasets--{asked.dataset.replace('/', '--')}")


def _load(library: Any, asked: Asked, revision: str, cache: Path, progress: Progress) -> Mapping[str, Any]:
    if Path(asked.dataset).exists():
        raise BadInput(
            f"{asked.name}: the library would read the folder {asked.dataset} that is here; run it elsewhere"
        )
    if progress.quiet or not sys.stderr.isatty():
        library.disable_progress_bars()
    progress.say(f"{asked.name}: the library datasets fetches revision {revision[:12]}")
    config = asked.options.get("config")
    try:
        with _not_encoding(library.Audio):
            splits = library.load_dataset(asked.dataset, name=config, revision=revision, cache_dir=str(cache))
        return dict(splits)
    except Exception as error:  # whatever a stranger's files make the library raise
        generic = type(error).__name__ == "DatasetGenerationError"  # says nothing; its cause does
        said = one_line(error.__cause__ if generic and error.__cause__ else error)
        raise BadInput(f"{asked.name}: the library datasets does not load it: {said}") from error


@contextlib.contextmanager
def _not_encoding(audio: Any) -> Iterator[None]:
    """Audio is noted as bytes or a path; the library alone would ask for torchcodec even where nothing is encoded."""
    original: Callable[..., Any] = audio.encode_example

    def encode_example(self: Any, value: Any) -> Any:
        if isinstance(value, str | Path):
            return {"bytes": None, "path": str(value)}
        if isinstance(value, bytes):
            return {"bytes": value, "path": None}
        if isinstance(value, Mapping) and "array" not in value:
            return {"bytes": value.get("bytes"), "path": value.get("path")}
        return original(self, value)

    audio.encode_example = encode_example
    try:
        yield
    finally:
        audio.encode_example = original
