"""Audio Spectrogram Transformer: torchaudio's Kaldi filter bank before transformers' network, in three stages.

References
----------
Gong, Chung, Glass (2021), AST: Audio Spectrogram Transformer, Interspeech.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchaudio.compliance import kaldi

from mirbench.errors import BadInput
from mirbench.methods.sources.audioset import N_CLASSES, audioset_labels
from mirbench.methods.sources.sounding import sounding
from mirbench.source import Activations

__all__ = ["AstNetwork", "FilterBank", "build"]

AUDIOSET_MEAN, AUDIOSET_STD = -4.2677393, 4.5689974


@dataclass(frozen=True)
class FilterBank:
    """Kaldi log-mel filter bank of windows, padded or cut to a number of frames, then normalised.

    Parameters
    ----------
    sample_rate : int
        Hz.
    n_bands, n_frames : int
        Shape of the picture.
    frame_shift : float
        Milliseconds.
    mean, std : float
        The picture is ``(x - mean) / (2 std)``; frames that were padded are 0 before that, as in AST's own code.
    to_last_sound : bool
        Whether the zeros that a window ends in where a clip does not fill it are such frames too: AST's own extractor
        gets the clip without them. False takes them for silence.
    """

    sample_rate: int = 16_000
    n_bands: int = 128
    n_frames: int = 1024
    frame_shift: float = 10.0
    mean: float = AUDIOSET_MEAN
    std: float = AUDIOSET_STD
    to_last_sound: bool = False

    def __call__(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 1, n_bands, n_frames), differentiable."""
        # One at a time: a batch of frames falls out of the processor's cache and is slower.
        windows = sounding(audio, self.sample_rate) if self.to_last_sound else audio.unbind(0)
        pictures = torch.stack([self._fitted(self._one(window)) for window in windows])  # (n, frames, bands)
        return ((pictures - self.mean) / (2 * self.std)).transpose(1, 2).unsqueeze(1)

    def _fitted(self, picture: Tensor) -> Tensor:
        """Padded with zeros, or cut, to the number of frames."""
        return nn.functional.pad(picture, (0, 0, 0, max(0, self.n_frames - len(picture))))[: self.n_frames]

    def _one(self, window: Tensor) -> Tensor:
        bands: Tensor = kaldi.fbank(
            window.unsqueeze(0),
            sample_frequency=self.sample_rate,
            num_mel_bins=self.n_bands,
            frame_shift=self.frame_shift,
            window_type="hanning",
            htk_compat=True,
            use_energy=False,
            dither=0.0,
        )
        return bands


class AstNetwork(nn.Module):
    """The three stages of an ``ASTForAudioClassification``.

    Parameters
    ----------
    model : transformers.ASTForAudioClassification
        Any size.
    filter_bank : FilterBank
        Its front end.
    pooling : {"class", "patches"}
        Whether `pooled` is the mean of class and distillation token, or that of the patch tokens after the last norm.

    Attributes
    ----------
    labels : tuple of str
        Names of its classes where they are AudioSet's 527, else empty.
    """

    def __init__(self, model: Any, filter_bank: FilterBank, pooling: str = "class") -> None:
        super().__init__()
        self.model = model
        self.filter_bank = filter_bank
        self.pooling = pooling
        self.labels = audioset_labels() if model.config.num_labels == N_CLASSES else ()

    def frontend(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 1, n_bands, n_frames)."""
        return self.filter_bank(audio)

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 1, n_bands, n_frames) -> pooled (n, width); layer k is the patch tokens after block k."""
        input_values = picture.squeeze(1).transpose(1, 2)  # (n, n_frames, n_bands)
        found = self.model.audio_spectrogram_transformer(input_values, output_hidden_states=bool(layers))
        # hidden_states[0] is the embedding, [k + 1] the output of block k; tokens 0 and 1 are class and distillation
        held = {k: found.hidden_states[k + 1][:, 2:] for k in layers}
        patches = self.pooling == "patches"
        return Activations(found.last_hidden_state[:, 2:].mean(dim=1) if patches else found.pooler_output, held)

    def head(self, pooled: Tensor) -> Tensor:
        """(n, width) -> (n, n_outputs) logits."""
        logits: Tensor = self.model.classifier(pooled)
        return logits


def build(folder: Path, *, input_norm: str = "audioset", pooling: str = "class") -> AstNetwork:
    """AST from a folder with config.json and model.safetensors.

    Raises
    ------
    BadInput
        If the folder holds another kind of model, or an option is unknown.
    """
    from transformers import ASTConfig, ASTForAudioClassification

    if input_norm not in ("audioset", "none"):
        raise BadInput(f"--source-set input_norm={input_norm}: audioset or none is needed")
    if pooling not in ("class", "patches"):
        raise BadInput(f"--source-set pooling={pooling}: class or patches is needed")
    try:
        config = ASTConfig.from_pretrained(folder)
        if config.model_type != "audio-spectrogram-transformer":
            raise BadInput(f"{folder}: config.json is of a {config.model_type}, not of an AST")
        model, info = ASTForAudioClassification.from_pretrained(
            folder, config=config, use_safetensors=True, output_loading_info=True, local_files_only=True
        )
    except OSError as error:
        raise BadInput(f"{folder}: not a folder of AST weights ({str(error).splitlines()[0]})") from error
    if wrong := sorted({*info["missing_keys"], *info["unexpected_keys"]}):
        raise BadInput(f"{folder}: {len(wrong)} weights do not fit an AST, the first is {wrong[0]}")
    mean, std = (AUDIOSET_MEAN, AUDIOSET_STD) if input_norm == "audioset" else (0.0, 0.5)
    bank = FilterBank(n_bands=config.num_mel_bins, n_frames=config.max_length, mean=mean, std=std, to_last_sound=True)
    return AstNetwork(model, bank, pooling)
