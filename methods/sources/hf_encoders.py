"""Speech and music encoders of transformers as source networks: wav2vec 2.0 and its kin, and Whisper's encoder.

References
----------
Baevski, Zhou, Mohamed, Auli (2020), wav2vec 2.0: a framework for self-supervised learning of speech representations,
NeurIPS. Radford et al. (2023), Robust speech recognition via large-scale weak supervision, ICML.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchaudio.transforms import MelSpectrogram

from mirbench.errors import NotApplicable
from mirbench.methods.sources.hf_facts import Facts
from mirbench.methods.sources.sounding import sounding_samples
from mirbench.source import Activations

__all__ = ["WaveformNetwork", "WhisperNetwork"]


class _Encoder(nn.Module):
    """What encoders with a stack of blocks share: which layer is pooled, and the head of a classifier."""

    def __init__(self, model: Any, facts: Facts, layer: int) -> None:
        super().__init__()
        self.model, self.layer = model, layer
        self._inner = ("encoder" if facts.kind == "whisper" else model.base_model_prefix) if facts.n_outputs else ""
        if facts.labels:
            self.labels = facts.labels

    def _activations(
        self,
        inputs: Tensor,
        layers: Sequence[int],
        counts: Tensor,
        n_tokens: int | None = None,
        mask: Tensor | None = None,
    ) -> Activations:
        """Hidden states, cut to their first tokens; states[0] is the embedding, [k + 1] the output of block k.

        `pooled` is the mean of as many tokens as `counts`, shape (n,), says: those that hear something.
        """
        weights = getattr(self.model, "layer_weights", None)
        encoder = getattr(self.model, self._inner) if self._inner else self.model
        several = bool(layers) or self.layer >= 0 or weights is not None
        with warnings.catch_warnings():  # WavLM of transformers gives torch masks of two kinds
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            masked = {} if mask is None else {"attention_mask": mask}
            found = encoder(inputs, output_hidden_states=several, **masked)
        states = found.hidden_states
        if self.layer >= 0:
            last = states[self.layer + 1]
        elif weights is not None:
            last = torch.einsum("k,knts->nts", torch.softmax(weights, 0), torch.stack(states))
        else:
            last = found.last_hidden_state
        last = last[:, :n_tokens]
        heard = (
            (torch.arange(last.shape[1], device=last.device) < counts.clamp(min=1).unsqueeze(1))
            .to(last.dtype)
            .unsqueeze(2)
        )
        return Activations(
            (last * heard).sum(dim=1) / heard.sum(dim=1), {k: states[k + 1][:, :n_tokens] for k in layers}
        )

    def head(self, pooled: Tensor) -> Tensor:
        """(n, n_features) -> (n, n_outputs) logits: its projection is linear, so it may follow the mean over time."""
        if self.layer != -1:
            raise NotApplicable(f"the head of this source sits on its last layer, not on layer={self.layer}")
        logits: Tensor = self.model.classifier(self.model.projector(pooled))
        return logits


class WaveformNetwork(_Encoder):
    """wav2vec 2.0 and its kin (HuBERT, WavLM, data2vec, MERT, …), which take a waveform.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The encoder, or its ``…ForSequenceClassification``.
    facts : Facts
        Of its JSON files.
    layer : int
        See `mirbench.methods.sources.hf_audio.build`.
    """

    def __init__(self, model: Any, facts: Facts, layer: int) -> None:
        super().__init__(model, facts, layer)
        self.normalise = bool(facts.preprocessor.get("do_normalize", True))
        self.masked = bool(facts.preprocessor.get("return_attention_mask", False))
        self.sample_rate = facts.sample_rate

    def body(self, audio: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, n_samples) -> pooled (n, width); layer k is the tokens after block k.

        The zeros at the end of a window that a clip does not fill are normalised and masked as by the feature
        extractor, and `pooled` is the mean of the tokens before them.
        """
        n_samples = audio.shape[1]
        lengths = torch.tensor(sounding_samples(audio, self.sample_rate), device=audio.device)
        heard = torch.arange(n_samples, device=audio.device) < lengths.unsqueeze(1)
        if self.normalise:
            mean = audio.sum(dim=1, keepdim=True) / lengths.unsqueeze(1)
            off = (audio - mean) * heard
            variance = off.square().sum(dim=1, keepdim=True) / lengths.unsqueeze(1)
            audio = off / (variance + 1e-7).sqrt()
        mask = heard.long() if self.masked and not bool(heard.all()) else None
        encoder = getattr(self.model, self._inner) if self._inner else self.model
        return self._activations(audio, layers, encoder._get_feat_extract_output_lengths(lengths), mask=mask)


class WhisperNetwork(_Encoder):
    """The encoder of Whisper behind its log-mel front end.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A ``WhisperEncoder`` or a ``WhisperForAudioClassification``.
    facts : Facts
        Of its JSON files.
    layer : int
        See `mirbench.methods.sources.hf_audio.build`.
    seconds : float
        Length of the windows; what lacks to the model's is padded with zeros, and its tokens are left out.
    """

    def __init__(self, model: Any, facts: Facts, layer: int, seconds: float) -> None:
        super().__init__(model, facts, layer)
        hop = facts.preprocessor.get("hop_length", 160)
        self.n_samples = facts.n_frames * hop
        self.n_tokens = math.ceil(round(seconds * facts.sample_rate) / (2 * hop))
        self.mel = MelSpectrogram(
            facts.sample_rate,
            facts.preprocessor.get("n_fft", 400),
            f_max=8000.0,
            hop_length=hop,
            n_mels=facts.n_bands,
            norm="slaney",
            mel_scale="slaney",
        )

    def frontend(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 1, n_bands, n_frames) log-mel, at most 80 dB below each window's peak."""
        padded = nn.functional.pad(audio, (0, self.n_samples - audio.shape[1]))
        log_mel = self.mel(padded)[..., :-1].clamp(min=1e-10).log10()
        floor = log_mel.amax(dim=(1, 2), keepdim=True) - 8.0
        return ((torch.maximum(log_mel, floor) + 4.0) / 4.0).unsqueeze(1)

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 1, n_bands, n_frames) -> pooled (n, width), of the tokens that hear something; layer k: after block k."""
        n_frames = picture.shape[3]
        sounds = (picture > picture.amin(dim=(1, 2, 3), keepdim=True)).any(dim=2).squeeze(1)  # (n, n_frames)
        last = torch.where(sounds, torch.arange(1, n_frames + 1, device=picture.device), 0).amax(dim=1)
        counts = (torch.where(last > 0, last, n_frames) + 1) // 2
        return self._activations(picture.squeeze(1), layers, counts, self.n_tokens)
