"""Where the weights of a source are: a local folder, this package, the cache, or their publisher."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput, MissingData
from mirbench.features.claims import claimed
from mirbench.features.download import fetch
from mirbench.features.memo import file_sha256
from mirbench.features.networks import has_python, kept_elsewhere
from mirbench.features.random_weights import drawn_sha256
from mirbench.places import weights_folder
from mirbench.progress import Progress
from mirbench.source import SourceCard, WeightFile, seed_of
from mirbench.unverified import verified

__all__ = ["Weights", "find_weights", "not_here", "on_disk"]

_SHA256_DIGITS = 64


@dataclass(frozen=True)
class Weights:
    """Weights that are on this machine.

    Parameters
    ----------
    path : Path or None
        A file, or a folder with config.json and \\*.safetensors; None where another program keeps them, or they are
        drawn at random.
    sha256 : str
        Of the file; of a folder's files and their names; of the hashes of several files.
    published : bool
        Whether they hash to what the card says.
    extra : tuple of Path
        Further files that the options need, for the builder.
    """

    path: Path | None
    sha256: str
    published: bool
    extra: tuple[Path, ...] = ()


def find_weights(
    card: SourceCard,
    folder: Path | None,
    cache: Path,
    progress: Progress,
    options: Mapping[str, Any] | None = None,
    *,
    must_load: bool = False,
) -> Weights | None:
    """Find or download the weights of a source; None where its features ship with the task's data.

    Parameters
    ----------
    folder : Path or None
        Looked in first, by file name and then by hash; default ``MIRBENCH_WEIGHTS``.
    options : mapping or None
        Of the source: one may need a further file (see `SourceCard`), random weights need none. A source whose weights
        another program keeps tells what they are by a function ``identity`` of its builder's module, which takes them.
    must_load : bool
        Whether a fetched file without a checksum that does not load is fetched once more.

    Raises
    ------
    MissingData
        If they are not here and cannot be fetched; says where to put them.
    MissingExtra
        If the other program is not here.
    """
    memo = cache / "files.sqlite"
    if card.shipped:
        return None
    if (seed := seed_of(card, options or {})) is not None:
        return Weights(None, drawn_sha256(card, options or {}, seed), True)
    if card.kind == "embedding" and not (card.weights or card.hub or card.file or card.packaged):
        return Weights(None, kept_elsewhere(card, options or {}), True)
    if card.file:
        given = Path(card.file)
        return Weights(given, _folder_sha256(given, memo) if given.is_dir() else file_sha256(given, memo), True)
    if card.packaged:
        module, _, name = card.packaged.partition(":")
        path = Path(str(files(module) / name))
        if not path.is_file():
            raise MissingData(f"{card.name}: the weights {name} are not in this installation; install mirbench again")
        return Weights(path, file_sha256(path, memo), True)
    folder = weights_folder(folder)
    if card.hub:
        model = _local_model(card, folder)
        if model is None:
            with claimed(cache / "weights" / card.hub.replace("/", "--"), f"fetching {card.hub}", progress):
                model = _from_hub(card)
        return Weights(model, _folder_sha256(model, memo), True)
    if not card.weights:
        raise BadInput(f"the card of {card.name} must name weight files, a hub repository or a packaged file")
    needed = (f"{name}={value}" for name, value in (options or {}).items())
    wanted = (*card.weights, *(card.extra_weights[option] for option in needed if option in card.extra_weights))
    first, *others = (_of_file(card, file, folder, cache, progress, must_load) for file in wanted)
    if not others:
        return first
    sha256 = hashlib.sha256(" ".join(found.sha256 for found in (first, *others)).encode()).hexdigest()
    published = all(found.published for found in (first, *others))
    return Weights(first.path, sha256, published, tuple(found.path for found in others if found.path))


def on_disk(card: SourceCard, folder: Path | None, cache: Path, options: Mapping[str, Any] | None = None) -> bool:
    """Whether the weights of a source can be had without fetching anything; those found by name are not hashed.

    Parameters
    ----------
    folder, options
        As of `find_weights`.
    """
    if seed_of(card, options or {}) is not None:
        return True
    if card.adapter and not (card.weights or card.hub):
        return has_python(card)  # an encoder that names none
    if card.packaged or card.file:
        module, _, name = card.packaged.partition(":")
        return (Path(str(files(module) / name)) if card.packaged else Path(card.file)).exists()
    folder = weights_folder(folder)
    if card.hub:
        return _local_model(card, folder) is not None or _in_hub_cache(card)
    here = [_is_here(file, folder, cache) for file in card.weights]
    return bool(here) and all(here)


def not_here(
    card: SourceCard, folder: Path | None, cache: Path, options: Mapping[str, Any] | None = None
) -> tuple[str, str]:
    """Why the weights of a source cannot be had, and what will be fetched of them; both "" where they are here.

    Nothing is fetched or hashed, so that whether an address answers is not told.
    """
    if card.kind == "precomputed" or on_disk(card, folder, cache, options):
        return "", ""
    if card.hub:
        return "", f"the weights of {card.hub} from the hub"
    lacking = [file for file in card.weights if not _is_here(file, folder, cache)]
    for file in lacking:
        if not file.url:
            return _nowhere(card, file), ""
        try:
            verified((file.url,), file.sha256)
        except MissingData as error:
            return f"{card.name}: {file.file_name} is not on this machine: {error}", ""
    return "", ", ".join(f"{file.file_name} ({file.size})" for file in lacking)


def _is_here(file: WeightFile, folder: Path | None, cache: Path) -> bool:
    folder = weights_folder(folder)
    found = folder is not None and _local_file(file, folder, cache / "files.sqlite") is not None
    return found or (cache / "weights" / file.file_name).is_file()


def _nowhere(card: SourceCard, file: WeightFile) -> str:
    return (
        f"{card.name}: {file.file_name} is not on this machine and published nowhere in this form; put it into a "
        "folder and give that as --weights DIR or MIRBENCH_WEIGHTS"
    )


def _in_hub_cache(card: SourceCard) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(card.hub, "config.json"), str)


def _of_file(
    card: SourceCard, file: WeightFile, folder: Path | None, cache: Path, progress: Progress, must_load: bool
) -> Weights:
    """One file of the card: of the user's folder, or of its publisher."""
    memo = cache / "files.sqlite"
    local = _local_file(file, folder, memo) if folder else None
    if local is None and not file.url:
        raise MissingData(_nowhere(card, file))
    if local is None:
        local = _fetched(card, file, cache, progress, must_load)
    sha256 = file_sha256(local, memo)
    as_published = bool(file.sha256) and sha256.startswith(file.sha256)
    if not file.sha256:
        progress.say(f"{card.name}: no checksum of {file.file_name} is known here; this file has sha256 {sha256}")
    elif not as_published:
        progress.say(f"{card.name}: {local.name} is not the published file; its results stay apart by its own hash")
    return Weights(local, sha256, as_published)


def _fetched(card: SourceCard, file: WeightFile, cache: Path, progress: Progress, must_load: bool) -> Path:
    """A published file, downloaded unless it was before."""
    if not (cache / "weights" / file.file_name).is_file():
        try:
            verified((file.url,), file.sha256)
        except MissingData as error:
            raise MissingData(f"{card.name}: {file.file_name} is not on this machine: {error}") from error
    progress.say(f"{card.name}: getting {file.file_name} ({file.size}) from {file.url}")
    folder = cache / "weights"
    if len(file.sha256) == _SHA256_DIGITS:
        return _come(card, file, f"sha256:{file.sha256}", folder, progress)
    with claimed(folder / f"{file.file_name}.checked", f"fetching {file.file_name}", progress):
        for tries_left in (1, 0):
            came = _come(card, file, "", folder, progress)
            if not (fault := _fault(file, came, cache / "files.sqlite", must_load)):
                return came
            came.unlink()
            if tries_left:
                progress.say(f"{card.name}: {came.name} {fault}; fetching it once more")
    raise BadInput(
        f"{file.url}: what came is not the published file (it {fault}); not kept; put {file.file_name} into a folder "
        "and give that as --weights DIR or MIRBENCH_WEIGHTS"
    )


def _fault(file: WeightFile, came: Path, memo: Path, must_load: bool) -> str:
    """What is wrong with a file whose publisher gives no whole checksum; "" for nothing that can be seen."""
    if file.sha256 and not file_sha256(came, memo).startswith(file.sha256):
        return f"has a sha256 that does not begin with {file.sha256}"
    return "" if file.sha256 or not must_load or _loads(came) else "does not load"


def _loads(path: Path) -> bool:
    """Whether a file is whole, by its format; one of a format that is not known here is taken for whole."""
    try:
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, "numpy"):
                return True
        if path.suffix in (".pt", ".pth", ".ckpt", ".bin"):
            import torch

            torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        if path.suffix in (".h5", ".hdf5"):
            import h5py

            h5py.File(path, "r").close()
    except Exception:  # each library has its own words for a broken file
        return False
    return True


def _come(card: SourceCard, file: WeightFile, checksum: str, folder: Path, progress: Progress) -> Path:
    """A file from its publisher, unless it is there."""
    try:
        return fetch(file.url, file.file_name, checksum, folder, progress)
    except MissingData as error:
        raise MissingData(
            f"{card.name}: {file.file_name} is not on this machine: {error}, or put it into a folder and give "
            "that as --weights DIR or MIRBENCH_WEIGHTS"
        ) from error


def _local_file(file: WeightFile, folder: Path, memo: Path) -> Path | None:
    named = folder / file.file_name
    if named.is_file():
        return named
    if not (file.sha256 and file.n_bytes):
        return None
    same_size = (p for p in sorted(folder.iterdir()) if p.is_file() and p.stat().st_size == file.n_bytes)
    return next((path for path in same_size if file_sha256(path, memo).startswith(file.sha256)), None)


def _local_model(card: SourceCard, folder: Path | None) -> Path | None:
    """The model's folder: the given one, or one in it called as the source or as its repository."""
    if folder is None:
        return None
    names = (card.name, card.hub.rpartition("/")[2], card.hub.replace("/", "__"), card.hub)
    candidates = (folder, *(folder / name for name in names))
    return next((path for path in candidates if (path / "config.json").is_file()), None)


def _from_hub(card: SourceCard) -> Path:
    from huggingface_hub import snapshot_download

    try:
        held = Path(snapshot_download(card.hub, allow_patterns=_HUB_FILES, local_files_only=True))
        if _is_whole(held):
            return held
    except Exception:  # not in the hub's cache yet, for whatever reason: ask the hub
        pass
    try:
        came = Path(snapshot_download(card.hub, allow_patterns=_HUB_FILES, etag_timeout=10))
        if not _weight_files(came):
            came = Path(snapshot_download(card.hub, allow_patterns=[*_HUB_FILES, _PICKLED], etag_timeout=10))
        return came
    except Exception as error:  # the hub's client raises many kinds; each means that we have no weights
        name = card.name if ":" not in card.name else card.hub.rpartition("/")[2]
        raise MissingData(
            f"{card.name}: the weights of {card.hub} are not on this machine and the hub does not answer "
            f"({type(error).__name__}); put its config.json and model.safetensors into DIR/{name} and give "
            "--weights DIR, or choose another --source (`mirbench list sources`)"
        ) from error


_HUB_FILES = [
    "config.json", "preprocessor_config.json", "model.safetensors", "model-*.safetensors",
    "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt",
    "special_tokens_map.json",
]  # fmt: skip
"""What is fetched of a repository, and not the same weights once more in other formats."""
_PICKLED = "pytorch_model.bin"
"""What many repositories have alone; it is read as plain tensors."""


def _weight_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix == ".safetensors" or path.name == _PICKLED]


def _is_whole(folder: Path) -> bool:
    """Whether a folder of the hub's cache holds weights, and all of those that come in several files."""
    index = folder / "model.safetensors.index.json"
    parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.is_file() else set()
    return bool(_weight_files(folder)) and all((folder / part).is_file() for part in parts)


def _folder_sha256(folder: Path, memo: Path) -> str:
    found = _weight_files(folder)
    if not found:
        raise MissingData(f"{folder}: holds no *.safetensors; a folder of a model holds config.json and its weights")
    described = [folder / name for name in _HUB_FILES if "*" not in name and (folder / name).is_file()]
    parts = sorted({*found, *described})
    text = "\n".join(f"{path.name} {file_sha256(path, memo)}" for path in parts)
    return hashlib.sha256(text.encode()).hexdigest()
