"""Hugging Face audio models as source networks: transformers' own classes behind differentiable front ends.

Weights come from a folder, as safetensors or as a pytorch_model.bin that is read without unpickling code; code in a
folder is never run. Front ends are the models' feature extractors in torch.

References
----------
Wolf et al. (2020), Transformers: state-of-the-art natural language processing, EMNLP; for each model see its card.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mirbench.errors import BadInput
from mirbench.methods.sources.ast import AUDIOSET_MEAN, AUDIOSET_STD, AstNetwork, FilterBank
from mirbench.methods.sources.hf_any import ExtractedNetwork, class_names, extractor_of
from mirbench.methods.sources.hf_clap import ClapNetwork
from mirbench.methods.sources.hf_dasheng import DashengNetwork, dasheng
from mirbench.methods.sources.hf_encoders import WaveformNetwork, WhisperNetwork
from mirbench.methods.sources.hf_facts import PROMPT, WAVEFORM_MODELS, Facts, read_facts
from mirbench.methods.sources.hf_loading import encoder, load

__all__ = ["build"]


def build(
    folder: Path, *, layer: int = -1, seconds: float | None = None, prompt: str = PROMPT
) -> WaveformNetwork | WhisperNetwork | ClapNetwork | DashengNetwork | AstNetwork | ExtractedNetwork:
    """A source network from a folder with config.json and weights.

    Parameters
    ----------
    layer : int
        Block whose output `pooled` is the time mean of; -1 is the model's last hidden state (for a classifier that
        weights its layers, their weighted sum). Not for CLAP and AST, whose embeddings are their own.
    seconds : float or None
        Length of the windows; None is the model's.
    prompt : str
        What CLAP reads of a class: its name is put in place of "{}".

    Raises
    ------
    BadInput
        If the model is of another kind, a weight is missing or left over, or an option does not fit.
    """
    facts = read_facts(folder)
    if not -1 <= layer < facts.n_layers or (layer != -1 and facts.kind in ("clap", "ast")):
        raise BadInput(f"--source-set layer={layer}: this {facts.model_type} takes {_range(facts)}")
    longest = math.inf if facts.kind in ("waveform", "other") else facts.seconds
    seconds = facts.seconds if seconds is None else seconds
    if not 0.1 <= seconds <= longest:
        raise BadInput(f"--source-set seconds={seconds:g}: this {facts.model_type} takes 0.1 to {longest:g} s")
    if facts.kind == "waveform":
        return WaveformNetwork(encoder(folder, facts, WAVEFORM_MODELS[facts.model_type]), facts, layer).eval()
    if facts.kind == "whisper":
        return WhisperNetwork(encoder(folder, facts, "Whisper"), facts, layer, seconds).eval()
    if facts.kind == "clap":
        return ClapNetwork(load(folder, facts, "ClapConfig", "ClapModel"), facts, prompt, folder).eval()
    if facts.kind == "dasheng":
        return dasheng(folder, facts, layer).eval()
    if facts.kind == "other":
        model = load(folder, facts, *class_names(facts))
        return ExtractedNetwork(model, extractor_of(folder), facts, layer).eval()
    return _ast(folder, facts).eval()


def _range(facts: Facts) -> str:
    return "only -1" if facts.kind in ("clap", "ast") else f"-1 to {facts.n_layers - 1}"


def _ast(folder: Path, facts: Facts) -> AstNetwork:
    model = load(folder, facts, "ASTConfig", "ASTForAudioClassification" if facts.n_outputs else "ASTModel")
    said = facts.preprocessor
    normal = bool(said.get("do_normalize", True))
    bank = FilterBank(
        sample_rate=facts.sample_rate,
        n_bands=facts.n_bands,
        n_frames=facts.n_frames,
        mean=said.get("mean", AUDIOSET_MEAN) if normal else 0.0,
        std=said.get("std", AUDIOSET_STD) if normal else 0.5,
        to_last_sound=True,
    )
    if not facts.n_outputs:
        model = _with_empty_head(model)
    network: Any = AstNetwork(model, bank)
    if facts.labels:
        network.labels = facts.labels
    return network


def _with_empty_head(model: Any) -> Any:
    from transformers import ASTForAudioClassification

    with torch.device("meta"):
        whole = ASTForAudioClassification(model.config)
    whole.audio_spectrogram_transformer, whole.classifier = model, nn.Identity()
    return whole
