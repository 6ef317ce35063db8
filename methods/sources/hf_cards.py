"""The family ``hf:ID``: cards of Hugging Face audio models, made from their JSON files alone; no torch.

``hf:OWNER/NAME`` is a repository of the hub; ``hf:FOLDER`` is a folder with config.json and weights. Windows, rates and
layers are the model's own. Code of a repository is never fetched and never run.

References
----------
The formats of config.json and preprocessor_config.json: https://huggingface.co/docs/transformers. Those of MERT: Li et
al. (2024), MERT: acoustic music understanding model with large-scale self-supervised training, ICLR. Of Dasheng: Dinkel
et al. (2024), Scaling up masked audio encoder learning for general audio classification, Interspeech.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mirbench.errors import BadInput, MissingData
from mirbench.places import user_path, weights_folder
from mirbench.source import SourceCard, Stage

__all__ = ["NO_WEIGHTS", "PROMPT", "WAVEFORM_MODELS", "Facts", "hf_card", "read_facts", "unused", "weight_files"]

PROMPT = "This is a sound of {}."
NO_WEIGHTS = "holds no model.safetensors (or pytorch_model.bin); put the model's weights there"

WAVEFORM_MODELS: Mapping[str, str] = {
    "data2vec-audio": "Data2VecAudio",
    "hubert": "Hubert",
    "mert_model": "Hubert",
    "sew": "SEW",
    "sew-d": "SEWD",
    "unispeech": "UniSpeech",
    "unispeech-sat": "UniSpeechSat",
    "wav2vec2": "Wav2Vec2",
    "wav2vec2-conformer": "Wav2Vec2Conformer",
    "wavlm": "WavLM",
}
"""Model types that take a waveform, and how the names of their classes in transformers begin."""

Kind = Literal["waveform", "whisper", "clap", "ast", "dasheng", "other"]

_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(WAVEFORM_MODELS, "waveform"),
    "whisper": "whisper",
    "clap": "clap",
    "audio-spectrogram-transformer": "ast",
    "dasheng": "dasheng",
}
"""Types with a network of ours, differentiable down to the audio; for others: `mirbench.methods.sources.hf_any`."""
_WIDTHS = ("hidden_size", "d_model", "encoder_hidden_size", "embed_dim")
_DEPTHS = ("num_hidden_layers", "encoder_layers", "encoder_num_hidden_layers", "num_layers", "n_layer")
_WAVEFORM_SECONDS = 5.0  # what MERT was trained on; the others take any length
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_HEAD = r"projector\.|classifier\.|layer_weights$"
_UNUSED: Mapping[Kind, str] = {
    "waveform": r"(lm_head|quantizer|project_hid|project_q|tdnn|objective|adapter|speaker_proj|final_proj)\."
    r"|label_embeddings_concat|masked_spec_embed$|feature_extractor\.(weight|bias)$",
    "whisper": r"(model\.)?decoder\.|proj_out\.",
    "clap": r"$.",
    "ast": r"$.",
    "dasheng": r"(encoder\.)?front_end\.|outputlayer\.",
    "other": r"$.",
}
_BUFFERS = (
    "running_mean", "running_var", "num_batches_tracked", "position_ids", "token_type_ids", "relative_position_index",
    "pe",
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What the JSON files of a model say.

    Parameters
    ----------
    kind : {"waveform", "whisper", "clap", "ast", "dasheng", "other"}
        Which of our networks it is.
    model_type : str
        As transformers calls it.
    config, preprocessor : mapping
        The contents of config.json and preprocessor_config.json; the latter is {} where there is none.
    sample_rate, seconds : int, float
        Rate in Hz and length of the window.
    n_bands, n_frames : int
        Shape of the picture; 0 where it takes a waveform.
    n_features, n_layers : int
        Width of the embedding; number of blocks (of stages for CLAP).
    n_outputs : int
        Number of its classes; 0 where it is no classifier.
    labels : tuple of str
        Names of its classes, where they have any.
    """

    kind: Kind
    model_type: str
    config: Mapping[str, Any]
    preprocessor: Mapping[str, Any]
    sample_rate: int
    seconds: float
    n_features: int
    n_layers: int
    n_bands: int = 0
    n_frames: int = 0
    n_outputs: int = 0
    labels: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


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
        if not _has_weights(here):
            return _without(card.name, f"{card.name}: {here} {NO_WEIGHTS}")
        return card
    try:
        return _card(f"hf:{argument}", _from_hub(argument), hub=argument)
    except MissingData as error:
        return _without(f"hf:{argument}", str(error))


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


def weight_files(folder: Path) -> list[Path]:
    """The safetensors that transformers would read: one file or the shards of one, not other precisions beside it."""
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("model-*.safetensors"))


def _has_weights(folder: Path) -> bool:
    return bool(weight_files(folder)) or (folder / "pytorch_model.bin").is_file()


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
        n_parameters=_n_parameters(folder, facts),
        labels=(known or "without names") if facts.n_outputs else "",
        trained_on=_datasets(about),
        activation=_activation(facts),
        hub=hub,
        file=file,
        options=facts.options,
        license=str(about.get("license") or ""),
        reference=f"https://huggingface.co/{hub}" if hub else "",
        notes=tuple(_notes(facts)),
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


# What the JSON files say


def read_facts(folder: Path) -> Facts:
    """The facts of a model in a folder.

    Raises
    ------
    BadInput
        If config.json is not one, or of a model that is not known here.
    """
    config = _json(folder / "config.json")
    path = folder / "preprocessor_config.json"
    preprocessor = _json(path) if path.is_file() else {}
    model_type = _model_type(config)
    if model_type not in _KINDS and "sampling_rate" not in preprocessor:
        raise BadInput(
            f"{folder}: config.json is of a model of type '{model_type}', and no preprocessor_config.json says what "
            f"audio it takes; known audio encoders: {', '.join(sorted(_KINDS))}, and others with a feature extractor"
        )
    try:
        return _READERS[_KINDS.get(model_type, "other")](model_type, config, preprocessor)
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError, OverflowError) as error:
        if isinstance(error, BadInput):
            raise BadInput(f"{folder}: {error}") from error
        raise BadInput(f"{folder}: not the config.json of a {model_type} ({type(error).__name__}: {error})") from error


def _waveform(model_type: str, config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Facts:
    for name in ("feature_extractor_cqt", "deepnorm"):
        if config.get(name):
            raise BadInput(f"this MERT has {name}, which HuBERT's layers cannot do; one without it is needed")
    return Facts(
        "waveform",
        model_type,
        config,
        preprocessor,
        sample_rate=_count(preprocessor, "sampling_rate", config.get("sample_rate", 16_000)),
        seconds=_WAVEFORM_SECONDS,
        n_features=_count(config, "hidden_size", 768),
        n_layers=_count(config, "num_hidden_layers", 12),
        **_classes(config),
        options={"layer": -1, "seconds": _WAVEFORM_SECONDS},
    )


def _whisper(model_type: str, config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Facts:
    n_frames = 2 * _count(config, "max_source_positions", 1500)
    rate = _count(preprocessor, "sampling_rate", 16_000)
    seconds = n_frames * _count(preprocessor, "hop_length", 160) / rate
    return Facts(
        "whisper",
        model_type,
        config,
        preprocessor,
        sample_rate=rate,
        seconds=seconds,
        n_bands=_count(config, "num_mel_bins", 80),
        n_frames=n_frames,
        n_features=_count(config, "d_model", 384),
        n_layers=_count(config, "encoder_layers", 4),
        **_classes(config),
        options={"layer": -1, "seconds": seconds},
    )


def _clap(model_type: str, config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Facts:
    rate = _count(preprocessor, "sampling_rate", 48_000)
    seconds = float(_count(preprocessor, "max_length_s", 10))
    return Facts(
        "clap",
        model_type,
        config,
        preprocessor,
        sample_rate=rate,
        seconds=seconds,
        n_bands=_count(config["audio_config"], "num_mel_bins", 64),
        n_frames=round(seconds * rate) // _count(preprocessor, "hop_length", 480) + 1,
        n_features=_count(config, "projection_dim", 512),
        n_layers=len(config["audio_config"].get("depths", (2, 2, 6, 2))),
        options={"seconds": seconds, "prompt": PROMPT},
    )


def _ast(model_type: str, config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Facts:
    n_frames = _count(config, "max_length", 1024)
    return Facts(
        "ast",
        model_type,
        config,
        preprocessor,
        sample_rate=_count(preprocessor, "sampling_rate", 16_000),
        seconds=float(n_frames // 100 or n_frames / 100),  # hops of 10 ms: 10 s of 10.24 s, as in AST's paper
        n_bands=_count(config, "num_mel_bins", 128),
        n_frames=n_frames,
        n_features=_count(config, "hidden_size", 768),
        n_layers=_count(config, "num_hidden_layers", 12),
        **_classes(config),
    )


def _dasheng(model_type: str, config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Facts:
    encoder = config["encoder_kwargs"]
    rate, hop = _count(preprocessor, "sampling_rate", 16_000), _count(preprocessor, "hop_size", 160)
    longest = (_count(encoder, "target_length", 1008) - 1) * hop / rate
    seconds = float(math.floor(longest)) or longest
    return Facts(
        "dasheng",
        model_type,
        config,
        preprocessor,
        sample_rate=rate,
        seconds=seconds,
        n_bands=_count(preprocessor, "feature_size", 64),
        n_frames=round(seconds * rate) // hop + 1,
        n_features=_count(encoder, "embed_dim", 768),
        n_layers=_count(encoder, "depth", 12),
        options={"layer": -1},
    )


def _other(model_type: str, config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Facts:
    rate = _count(preprocessor, "sampling_rate", 16_000)
    said = [preprocessor.get("max_length_s"), preprocessor.get("chunk_length"), preprocessor.get("n_samples", 0) / rate]
    seconds = float(next((value for value in said if value), _WAVEFORM_SECONDS))
    return Facts(
        "other",
        model_type,
        config,
        preprocessor,
        sample_rate=rate,
        seconds=seconds,
        n_features=_said(config, _WIDTHS),
        n_layers=_said(config, _DEPTHS),
        options={"layer": -1, "seconds": seconds},
    )


def _said(config: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """A count under the first of several names, in the config or in that of its audio tower."""
    for held in (config, config.get("audio_config") or {}, config.get("encoder_config") or {}):
        for name in names:
            if name in held:
                return _count(held, name, 0)
    raise BadInput(f"a {_model_type(config)} whose config.json says none of {', '.join(names)} is not known here")


def _model_type(config: Mapping[str, Any]) -> str:
    """As transformers calls it."""
    return str(config.get("model_type", ""))


_READERS = {
    "waveform": _waveform, "whisper": _whisper, "clap": _clap, "ast": _ast, "dasheng": _dasheng, "other": _other,
}  # fmt: skip


def _classes(config: Mapping[str, Any]) -> dict[str, Any]:
    """Number and names of its classes, if it is a classifier of whole windows."""
    said = " ".join(config.get("architectures") or ())
    if not said.endswith(("ForSequenceClassification", "ForAudioClassification")):
        return {}
    names = {int(index): str(name) for index, name in (config.get("id2label") or {}).items()}
    labels = tuple(names[index] for index in sorted(names))
    if labels and not all(name.startswith("LABEL_") for name in labels):
        return {"n_outputs": len(labels), "labels": labels}
    return {"n_outputs": len(labels) or _count(config, "num_labels", 2)}


def _count(held: Mapping[str, Any], key: str, default: int) -> int:
    value = held.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 10_000_000:
        raise BadInput(f"{key} is {value!r}, a positive whole number is needed")
    return value


def _json(path: Path) -> dict[str, Any]:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not readable as JSON ({str(error).partition(chr(10))[0]})") from error
    if not isinstance(held, dict):
        raise BadInput(f"{path}: holds a {type(held).__name__}; an object with the model's facts is needed")
    return held


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


# Parameters, counted without reading them


def unused(name: str, facts: Facts) -> bool:
    """Whether a weight, by its name in the file, is of a head or a decoder that our network leaves out."""
    bare = name.removeprefix(facts.model_type.replace("-", "_") + ".")
    head = bool(re.match(_HEAD, bare)) and facts.kind in ("waveform", "whisper") and not facts.n_outputs
    return head or bool(re.match(_UNUSED[facts.kind], bare))


def _n_parameters(folder: Path, facts: Facts) -> int:
    """Parameters that our network has, from the heads of its safetensors; 0 where they are not here."""
    count = 0
    for path in weight_files(folder):
        for name, entry in _tensors(path).items():
            if not unused(name, facts) and name.rpartition(".")[2] not in _BUFFERS:
                count += math.prod(entry["shape"])
    return count


def _tensors(path: Path) -> dict[str, Any]:
    """Names and shapes, from the head of a file of safetensors."""
    try:
        with path.open("rb") as stream:
            n_bytes = int.from_bytes(stream.read(8), "little")
            held = json.loads(stream.read(n_bytes) if n_bytes < 100_000_000 else b"")
        return {name: entry for name, entry in held.items() if name != "__metadata__" and len(entry["shape"]) >= 0}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"{path}: not a file of safetensors") from error
