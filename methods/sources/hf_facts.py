"""What the JSON files of a Hugging Face audio model say: its type, rate, windows, sizes and classes; no torch.

References
----------
The formats of config.json and preprocessor_config.json: https://huggingface.co/docs/transformers. Those of MERT: Li et
al. (2024), MERT: acoustic music understanding model with large-scale self-supervised training, ICLR. Of Dasheng: Dinkel
et al. (2024), Scaling up masked audio encoder learning for general audio classification, Interspeech.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mirbench.errors import BadInput

__all__ = ["PROMPT", "WAVEFORM_MODELS", "Facts", "Kind", "read_facts"]

PROMPT = "This is a sound of {}."

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
