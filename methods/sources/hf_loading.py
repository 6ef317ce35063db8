"""Weights of a folder put into transformers' own classes, each in its place; code in a folder is never run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mirbench.errors import BadInput, MissingData
from mirbench.installation import refuse_broken
from mirbench.methods.sources.hf_facts import Facts
from mirbench.methods.sources.hf_weights import NO_WEIGHTS, unused, weight_files

__all__ = ["encoder", "load", "quiet"]

# Of a config: what would run or fetch something, and what changes the form or the dtype of what comes back.
_DROPPED = (
    "auto_map", "attn_implementation", "experts_implementation", "quantization_config", "dtype", "torch_dtype",
    "use_kernels", "output_hidden_states", "output_attentions", "return_dict", "use_return_dict",
    "gradient_checkpointing", "custom_pipelines",
)  # fmt: skip
# Layers that are dropped at random cannot be returned, and masks are drawn from a generator that no seed of ours sets.
_CALM = {
    "apply_spec_augment": False, "mask_time_prob": 0.0, "mask_feature_prob": 0.0, "layerdrop": 0.0,
    "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0, "add_adapter": False,
}  # fmt: skip


def encoder(folder: Path, facts: Facts, stem: str) -> Any:
    """The bare encoder, or, if the model is a classifier, the encoder with its head."""
    if facts.n_outputs:
        kind = "ForAudioClassification" if stem == "Whisper" else "ForSequenceClassification"
        return load(folder, facts, f"{stem}Config", f"{stem}{kind}")
    if stem == "Whisper":
        # without its decoder, which is larger; the names are those of the encoder inside the whole model
        return load(folder, facts, "WhisperConfig", "WhisperEncoder", key_mapping={r"^(model\.)?encoder\.": ""})
    return load(folder, facts, f"{stem}Config", f"{stem}Model")


def load(folder: Path, facts: Facts, config_name: str, model_name: str, **options: Any) -> Any:
    """A model of transformers with the weights of a folder, each in its place."""
    import transformers
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    model_class = WhisperEncoder if model_name == "WhisperEncoder" else getattr(transformers, model_name)
    safe = bool(weight_files(folder))
    if not safe and not (folder / "pytorch_model.bin").is_file():
        raise MissingData(f"{folder} {NO_WEIGHTS}")
    try:
        config = getattr(transformers, config_name).from_dict(_plain(facts.config) | _CALM)
        with quiet():
            model, info = model_class.from_pretrained(
                folder,
                config=config,
                use_safetensors=safe,
                weights_only=True,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
                **options,
            )
    except Exception as error:  # somebody else's files: the library raises many kinds
        refuse_broken(error)
        said = str(error).strip().partition("\n")[0]
        raise BadInput(f"{folder}: not a {facts.model_type} that can be loaded ({said})") from error
    _all_fit(folder, facts, info["missing_keys"], info["unexpected_keys"] if facts.kind != "other" else ())
    for module in model.modules():
        if getattr(module, "masked_spec_embed", None) is not None:  # of pretraining; some models always have it
            module.masked_spec_embed = None
    return model


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config, and those inside it, without what `_DROPPED` names."""
    kept = {key: value for key, value in config.items() if key.removeprefix("_") not in _DROPPED}
    kept.pop("_attn_implementation_internal", None)
    return {key: _plain(value) if isinstance(value, dict) else value for key, value in kept.items()}


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the library within the block: its bars and its table of unused heads are not for our users."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _all_fit(folder: Path, facts: Facts, missing: Sequence[str], unexpected: Sequence[str]) -> None:
    if wrong := sorted(name for name in {*missing, *unexpected} if not unused(name, facts)):
        raise BadInput(f"{folder}: {len(wrong)} weights do not fit a {facts.model_type}, the first is {wrong[0]}")
