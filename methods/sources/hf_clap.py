"""CLAP as a source network: an audio tower behind its mel front end, and a text tower for classes that are named.

References
----------
Wu, Chen, Zhang, Hui, Berg-Kirkpatrick, Dubnov (2023), Large-scale contrastive language-audio pretraining with feature
fusion and keyword-to-caption augmentation, ICASSP. Its audio tower: Chen et al. (2022), HTS-AT: a hierarchical
token-semantic audio transformer for sound classification and detection, ICASSP.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchaudio.transforms import MelSpectrogram

from mirbench.errors import BadInput, MissingData
from mirbench.installation import refuse_broken
from mirbench.methods.sources.hf_facts import Facts
from mirbench.methods.sources.hf_loading import quiet
from mirbench.methods.sources.sounding import sounding
from mirbench.source import Activations

__all__ = ["ClapNetwork", "in_time"]


class ClapNetwork(nn.Module):
    """CLAP: its audio tower, and its text tower for classes that are named.

    Parameters
    ----------
    model : transformers.ClapModel
        Any size, with or without fusion of longer audio (which windows of its own length never need).
    facts : Facts
        Of its JSON files.
    prompt : str
        What is read of a class, with "{}" for its name.
    folder : Path
        Where its tokenizer is.
    """

    def __init__(self, model: Any, facts: Facts, prompt: str, folder: Path) -> None:
        super().__init__()
        if prompt.count("{}") != 1:
            raise BadInput(f"--source-set prompt={prompt}: it must hold {{}} once, where the name of a class goes")
        self.model, self.prompt, self.folder = model, prompt, folder
        said = facts.preprocessor
        self.fused = bool(model.config.audio_config.enable_fusion)
        truncation = said.get("truncation", "fusion" if self.fused else "rand_trunc")
        slaney = truncation != "fusion"  # the two ways to train CLAP used the filters of different libraries
        self.n_samples, self.sample_rate = round(facts.seconds * facts.sample_rate), facts.sample_rate
        self.padding = said.get("padding", "repeatpad")
        self.mel = MelSpectrogram(
            facts.sample_rate,
            said.get("fft_window_size", 1024),
            hop_length=said.get("hop_length", 480),
            f_min=said.get("frequency_min", 0.0),
            f_max=said.get("frequency_max", 14_000.0),
            n_mels=facts.n_bands,
            norm="slaney" if slaney else None,
            mel_scale="slaney" if slaney else "htk",
        )
        self._tokenizer: Any = None

    def frontend(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 1, n_bands, n_frames) mel in dB; a clip that is shorter is repeated, then padded."""
        filled = torch.stack([self._filled(window) for window in sounding(audio, self.sample_rate)])
        return (10.0 * self.mel(filled).clamp(min=1e-10).log10()).unsqueeze(1)

    def _filled(self, sound: Tensor) -> Tensor:
        if self.padding in ("repeat", "repeatpad"):
            times = self.n_samples / len(sound)
            sound = sound.repeat(math.ceil(times) if self.padding == "repeat" else int(times))[: self.n_samples]
        return nn.functional.pad(sound, (0, self.n_samples - len(sound)))

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 1, n_bands, n_frames) -> pooled (n, width) of unit length; layer k is the output of stage k, in time."""
        features = picture.transpose(2, 3)  # (n, 1, n_frames, n_bands)
        longer = torch.zeros(len(picture), 1, dtype=torch.bool, device=picture.device)
        found = self.model.audio_model(
            input_features=features.expand(-1, 4, -1, -1) if self.fused else features,
            is_longer=longer,
            output_hidden_states=bool(layers),
        )
        pooled = nn.functional.normalize(self.model.audio_projection(found.pooler_output), dim=-1)
        config = self.model.config.audio_config
        n_rows = config.spec_size // config.num_mel_bins
        return Activations(pooled, {k: in_time(found.hidden_states[k + 1], n_rows) for k in layers})

    def text_embeddings(self, names: Sequence[str]) -> Tensor:
        """The prompt of each name, (n_names, width) of unit length, for `text_logits`.

        Raises
        ------
        MissingData
            If the folder holds no tokenizer.
        """
        device = self.model.logit_scale_a.device
        tokens = self._tokens([self.prompt.replace("{}", name) for name in names]).to(device)
        return nn.functional.normalize(self.model.get_text_features(**tokens).pooler_output, dim=-1)

    def text_logits(self, pooled: Tensor, texts: Tensor) -> Tensor:
        """(n, width), (n_names, width) -> (n, n_names): scaled cosine similarity."""
        return self.model.logit_scale_a.exp() * nn.functional.normalize(pooled, dim=-1) @ texts.T

    def _tokens(self, texts: list[str]) -> Any:
        from transformers import AutoTokenizer

        if self._tokenizer is None:
            lacking = f"{self.folder}: naming classes by text needs tokenizer.json and tokenizer_config.json there"
            # without either, the library hands out an empty tokenizer, to which every word is unknown
            if not any((self.folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
                raise MissingData(lacking)
            try:
                with quiet():
                    self._tokenizer = AutoTokenizer.from_pretrained(
                        self.folder, local_files_only=True, trust_remote_code=False
                    )
            except Exception as error:  # somebody else's files: the library raises many kinds
                refuse_broken(error)
                raise MissingData(f"{lacking}; these cannot be loaded ({type(error).__name__})") from error
        longest = self.model.config.text_config.max_position_embeddings - 2  # RoBERTa's positions begin at 2
        return self._tokenizer(
            texts, padding=True, truncation=True, max_length=longest, return_tensors="pt", return_token_type_ids=False
        )


def in_time(state: Tensor, n_rows: int) -> Tensor:
    """Hidden state of an HTS-AT as tokens in time.

    It reads a spectrogram as text: cut into `n_rows` stretches of time, written below one another.

    Parameters
    ----------
    state : Tensor, shape (n, channels, n_rows * bands, steps)

    Returns
    -------
    Tensor, shape (n, n_rows * steps, channels * bands)
    """
    n, channels, height, steps = state.shape
    if height % n_rows:  # a stage too coarse to tell the rows apart
        return state.flatten(1, 2).transpose(1, 2)
    rows = state.reshape(n, channels, n_rows, height // n_rows, steps)
    return rows.permute(0, 2, 4, 1, 3).reshape(n, n_rows * steps, -1)
