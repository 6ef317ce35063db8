"""The family ``hf:ID``: cards of Hugging Face audio models, made from their JSON files alone; no torch.

``hf:OWNER/NAME`` is a repository of the hub; ``hf:FOLDER`` is a folder with config.json and weights. Windows, rates and
layers are the model's own. Code of a repository is never fetched and never run.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from mirbench.errors import BadInput, MissingData
from mirbench.methods.sources.hf_facts import Facts, read_facts
from mirbench.methods.sources.hf_weights import NO_WEIGHTS, has_weights, n_parameters
from mirbench.places import user_path, weights_folder
from mirbench.source import SourceCard, Stage

__all__ = ["called_model", "hf_card"]

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def hf_card(argument: str, weights: Path | None = None) -> SourceCard:
    """The card of a model of the hub or in a folder.

    Parameters
    ----------
    argument : str
        "OWNER/NAME", looked for in the user's folder of weights (as NAME, OWNER__NAME or OWNER/NAME), then in the
        hub's cache, then on the hub; or the path of a folder.
    weights : Path or None
        The user's folder of weights; None is ``MIRBENCH_WEIGHTS``.

    Returns
    -------
    SourceCard
        One with `missing` where the model is not here and cannot be fetched.

    Raises
    ------
    BadInput
        If `argument` is neither, or the model is of a type that is not known here.
    """
    here = _local(argument, weights)
    if here is not None:
        card = _card(f"hf:{argument}" if _is_repository(argument) else f"hf:{here.name}", here, file=str(here))
        if not has_weights(here):
            return replace(card, missing=f"{card.name}: {here} {NO_WEIGHTS}")
        return card
    try:
        return _card(f"hf:{argument}", _from_hub(argument), hub=argument)
    except MissingData as error:
        return _without(f"hf:{argument}", str(error))


def called_model(argument: str) -> str:
    """What records call a model: a repository as it is, and a folder by the last part of its path."""
    return argument if _is_repository(argument) else user_path(argument).resolve().name


def _is_repository(argument: str) -> bool:
    return bool(_REPOSITORY.fullmatch(argument)) and ".." not in argument and "--" not in argument


def _local(argument: str, weights: Path | None) -> Path | None:
    """The folder that the argument names, here or among the user's weights; None for one of the hub."""
    path = user_path(argument) if argument else Path()
    if argument and (path / "config.json").is_file():
        return path.resolve()
    if not _is_repository(argument):
        raise BadInput(
            f"hf:{argument}: neither a folder with config.json nor a repository of the hub; write hf:OWNER/NAME, "
            "as in hf:m-a-p/MERT-v1-95M, or hf:FOLDER"
        )
    root = weights_folder(weights)
    if root is None:
        return None
    places = (root / argument.partition("/")[2], root / argument.replace("/", "__"), root / argument)
    return next((place.resolve() for place in places if (place / "config.json").is_file()), None)


def _from_hub(repository: str) -> Path:
    """The folder of the hub's cache that holds the model's JSON files, fetched if they are not there."""
    config = _fetch(repository, "config.json")
    if config is None:
        raise MissingData(f"hf:{repository} has no config.json on the hub: not a model of transformers")
    _fetch(repository, "preprocessor_config.json")  # one that does not come must not pass for one that is not there
    with contextlib.suppress(MissingData):
        _fetch(repository, "README.md")
    return config.parent


def _fetch(repository: str, name: str) -> Path | None:
    """A file of a repository; None where the hub says that there is none."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        found = try_to_load_from_cache(repository, name)
        if found is None:  # neither the file, nor the knowledge that there is none
            with contextlib.suppress(RemoteEntryNotFoundError):  # the download says it again, and remembers
                get_hf_file_metadata(hf_hub_url(repository, name), timeout=10)  # a download would try half a minute
            found = hf_hub_download(repository, name, etag_timeout=10)
        return Path(found) if isinstance(found, str) else None
    except RemoteEntryNotFoundError:
        return None
    except Exception as error:  # the hub's client raises many kinds; each means that we do not have it
        owner, _, short = repository.partition("/")
        raise MissingData(
            f"hf:{repository}: its {name} is not on this machine and the hub does not give it ({type(error).__name__})"
            f"; put the model into DIR/{owner}__{short} and set MIRBENCH_WEIGHTS=DIR, or name its folder: hf:FOLDER"
        ) from error


def _without(name: str, missing: str) -> SourceCard:
    return SourceCard(
        name=name,
        title="a Hugging Face model that is not here",
        kind="network",
        offers=("body", "layers", "pooled"),
        builder="mirbench.methods.sources.hf_audio:build",
        missing=missing,
    )


def _card(name: str, folder: Path, *, hub: str = "", file: str = "") -> SourceCard:
    facts = read_facts(folder)
    about = _readme(folder)
    front: tuple[Stage, ...] = () if facts.kind in ("waveform", "other") else ("frontend",)
    body: tuple[Stage, ...] = () if facts.kind == "other" else ("body",)
    head: tuple[Stage, ...] = ("head",) if facts.n_outputs else ()
    known = ", ".join(facts.labels[:3]) + (", …" if len(facts.labels) > 3 else "")
    return SourceCard(
        name=name,
        title=f"{facts.model_type} of Hugging Face, {facts.n_layers} {'stages' if facts.kind == 'clap' else 'blocks'}",
        kind="network",
        offers=(*front, *body, "layers", "pooled", *head),
        builder="mirbench.methods.sources.hf_audio:build",
        version="2",
        sample_rate=facts.sample_rate,
        seconds=facts.seconds,
        n_bands=facts.n_bands,
        n_frames=facts.n_frames,
        n_features=facts.n_features,
        n_outputs=facts.n_outputs,
        n_layers=facts.n_layers,
        n_parameters=n_parameters(folder, facts),
        labels=(known or "without names") if facts.n_outputs else "",
        nameless=bool(facts.n_outputs) and not facts.labels,
        trained_on=_datasets(about),
        activation=_activation(facts),
        hub=hub,
        file=file,
        options=facts.options,
        offered_at={"head": ("layer", -1)} if facts.n_outputs and "layer" in facts.options else {},
        license=str(about.get("license") or ""),
        reference=f"https://huggingface.co/{hub}" if hub else "",
        notes=tuple(_notes(facts)),
        untrained="mirbench.methods.sources.untrained:hugging_face",
        shorter="mirbench.methods.sources.shorter:ast" if facts.kind == "ast" else "",
    )


def _notes(facts: Facts) -> list[str]:
    notes = ["trained on: what its README lists, which may not be all"]
    if not facts.preprocessor:
        notes.append("it has no preprocessor_config.json: the usual rate and normalisation of its type are taken")
    if "layer" in facts.options:
        notes.append(
            "layer k is the output of block k; pooled is the time mean of block `layer`, or of the last state (-1)"
        )
    if facts.kind == "clap":
        notes.append("layer k is the output of stage k, its tokens in time, channels x bands wide; pooled has length 1")
    if facts.kind == "whisper":
        notes.append(
            "pooled is of the tokens up to the last sound (of 80 dB below the peak); layers hold all of a window"
        )
    if facts.kind == "other":
        notes.append(
            "behind its own feature extractor: no gradient reaches the audio, and nothing is trained inside it"
        )
    if facts.model_type == "mert_model":
        notes.append("run by the HuBERT of transformers, whose layers are MERT's; its own code is not run")
    return notes


def _activation(facts: Facts) -> Literal["sigmoid", "softmax"]:
    said = facts.config.get("problem_type")
    audioset = facts.kind == "ast" and facts.n_outputs == 527  # its config does not say, its paper does
    return "sigmoid" if said == "multi_label_classification" or (not said and audioset) else "softmax"


def _readme(folder: Path) -> Mapping[str, Any]:
    """What the head of a model's README says, as its data sets and licence; {} where it has none."""
    from huggingface_hub import metadata_load

    try:
        return metadata_load(folder / "README.md") or {}
    except Exception:  # absent, or somebody's typing error: nothing depends on it
        return {}


def _datasets(about: Mapping[str, Any]) -> tuple[str, ...]:
    names = about.get("datasets") or ()
    names = [names] if isinstance(names, str) else names
    short = {str(name).rpartition("/")[2].lower().replace("_", "-") for name in names}
    return tuple(sorted(short | {f"hf:{name}" for name in names if "/" in str(name)}))
