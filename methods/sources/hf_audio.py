"""Hugging Face audio models as source networks: transformers' own classes behind differentiable front ends.

Weights come from a folder, as safetensors or as a pytorch_model.bin that is read without unpickling code; code in a
folder is never run. Front ends are the models' feature extractors in torch.

References
----------
Wolf et al. (2020), Transformers: state-of-the-art natural language processing, EMNLP; for each model see its card.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

from mirbench.errors import BadInput, MissingData, NotApplicable
from mirbench.methods.sources.ast import AUDIOSET_MEAN, AUDIOSET_STD, AstNetwork, FilterBank
from mirbench.methods.sources.hf_any import ExtractedNetwork, class_names, extractor_of
from mirbench.methods.sources.hf_cards import (
    NO_WEIGHTS,
    PROMPT,
    WAVEFORM_MODELS,
    Facts,
    read_facts,
    unused,
    weight_files,
)
from mirbench.methods.sources.sounding import sounding, sounding_samples
from mirbench.source import Activations

__all__ = ["ClapNetwork", "DashengNetwork", "WaveformNetwork", "WhisperNetwork", "build", "in_time"]

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
        return WaveformNetwork(_encoder(folder, facts, WAVEFORM_MODELS[facts.model_type]), facts, layer).eval()
    if facts.kind == "whisper":
        return WhisperNetwork(_encoder(folder, facts, "Whisper"), facts, layer, seconds).eval()
    if facts.kind == "clap":
        return ClapNetwork(_load(folder, facts, "ClapConfig", "ClapModel"), facts, prompt, folder).eval()
    if facts.kind == "dasheng":
        return _dasheng(folder, facts, layer).eval()
    if facts.kind == "other":
        model = _load(folder, facts, *class_names(facts))
        return ExtractedNetwork(model, extractor_of(folder), facts, layer).eval()
    return _ast(folder, facts).eval()


def _range(facts: Facts) -> str:
    return "only -1" if facts.kind in ("clap", "ast") else f"-1 to {facts.n_layers - 1}"


# Loading


def _encoder(folder: Path, facts: Facts, stem: str) -> Any:
    """The bare encoder, or, if the model is a classifier, the encoder with its head."""
    if facts.n_outputs:
        kind = "ForAudioClassification" if stem == "Whisper" else "ForSequenceClassification"
        return _load(folder, facts, f"{stem}Config", f"{stem}{kind}")
    if stem == "Whisper":
        # without its decoder, which is larger; the names are those of the encoder inside the whole model
        return _load(folder, facts, "WhisperConfig", "WhisperEncoder", key_mapping={r"^(model\.)?encoder\.": ""})
    return _load(folder, facts, f"{stem}Config", f"{stem}Model")


def _load(folder: Path, facts: Facts, config_name: str, model_name: str, **options: Any) -> Any:
    """A model of transformers with the weights of a folder, each in its place."""
    import transformers
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    model_class = WhisperEncoder if model_name == "WhisperEncoder" else getattr(transformers, model_name)
    safe = bool(weight_files(folder))
    if not safe and not (folder / "pytorch_model.bin").is_file():
        raise MissingData(f"{folder} {NO_WEIGHTS}")
    try:
        config = getattr(transformers, config_name).from_dict(_plain(facts.config) | _CALM)
        with _quiet():
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
def _quiet() -> Iterator[None]:
    """The library's bars and its table of unused heads are not for our users."""
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


# Speech and music encoders


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
        See `build`.
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
        See `build`.
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


# CLAP


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
                with _quiet():
                    self._tokenizer = AutoTokenizer.from_pretrained(
                        self.folder, local_files_only=True, trust_remote_code=False
                    )
            except Exception as error:  # somebody else's files: the library raises many kinds
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


# AST


def _ast(folder: Path, facts: Facts) -> AstNetwork:
    model = _load(folder, facts, "ASTConfig", "ASTForAudioClassification" if facts.n_outputs else "ASTModel")
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


# Dasheng


class DashengNetwork(nn.Module):
    """Dasheng: a vision transformer on columns of a log-mel spectrogram; its encoder alone.

    Parameters
    ----------
    facts : Facts
        Of its JSON files.
    layer : int
        See `build`.
    """

    def __init__(self, facts: Facts, layer: int = -1) -> None:
        super().__init__()
        said, encoder, width = facts.preprocessor, facts.config["encoder_kwargs"], facts.n_features
        size, stride = (tuple(encoder.get(name, (64, 4))) for name in ("patch_size", "patch_stride"))
        n_steps = encoder.get("target_length", 1008) // stride[1]
        self.layer = layer
        self.mel = MelSpectrogram(
            facts.sample_rate,
            said.get("n_fft", 512),
            said.get("win_size", 512),
            hop_length=said.get("hop_size", 160),
            f_min=float(said.get("f_min", 0)),
            f_max=float(said.get("f_max", 8000)),
            n_mels=facts.n_bands,
        )
        self.decibel = AmplitudeToDB(top_db=120)
        self.input_norm = nn.BatchNorm2d(facts.n_bands)
        self.patches = nn.Conv2d(1, width, size, stride)
        self.time_position = nn.Parameter(torch.zeros(1, width, 1, n_steps))
        self.band_position = nn.Parameter(torch.zeros(1, width, facts.n_bands // stride[0], 1))
        hidden = int(width * encoder.get("mlp_ratio", 4.0))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, encoder["num_heads"], hidden, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True
            )
            for _ in range(facts.n_layers)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def frontend(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 1, n_bands, n_frames) mel in dB, at most 120 dB below each window's peak."""
        return self.decibel(self.mel(audio).unsqueeze(1))  # four axes: the peak is then each window's own

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 1, n_bands, n_frames) -> pooled (n, width); layer k is the tokens after block k."""
        x = self.input_norm(picture.transpose(1, 2)).transpose(1, 2)
        x = self.patches(x)
        x = x + self.time_position[..., : x.shape[3]] + self.band_position
        x = x.flatten(2).transpose(1, 2)  # (n, n_tokens, width)
        held = {}
        for k, block in enumerate(self.blocks):
            x = block(x)
            if k in layers or k == self.layer:
                held[k] = x
        last = self.norm(x) if self.layer == -1 else held[self.layer]
        return Activations(last.mean(dim=1), {k: held[k] for k in layers})


def _dasheng(folder: Path, facts: Facts, layer: int) -> DashengNetwork:
    from safetensors.torch import load_file

    if not (files := weight_files(folder)):
        raise MissingData(f"{folder}: holds no model.safetensors; put the model's weights there")
    try:
        network = DashengNetwork(facts, layer)
        theirs = {name: value for path in files for name, value in load_file(path).items() if not unused(name, facts)}
        network.load_state_dict(
            {**_without_weights(network), **{_dasheng_name(name): value.float() for name, value in theirs.items()}}
        )
    except Exception as error:  # somebody else's files: the libraries raise many kinds
        said = " ".join(str(error).split())
        raise BadInput(f"{folder}: not a dasheng that can be loaded ({said[:200]})") from error
    return network


def _without_weights(network: nn.Module) -> dict[str, Tensor]:
    """The state of the front end, which a file of weights need not hold."""
    return {name: value for name, value in network.state_dict().items() if name.startswith("mel.")}


_DASHENG_NAMES = (
    ("encoder.", ""), ("init_bn.1.", "input_norm."), ("patch_embed.proj.", "patches."),
    ("time_pos_embed", "time_position"), ("freq_pos_embed", "band_position"), (".attn.qkv.", ".self_attn.in_proj_"),
    (".attn.proj.", ".self_attn.out_proj."), (".mlp.fc1.", ".linear1."), (".mlp.fc2.", ".linear2."),
)  # fmt: skip


def _dasheng_name(name: str) -> str:
    """Their name of a weight in ours; torch's attention holds query, key and value in one matrix as theirs does."""
    for theirs, ours in _DASHENG_NAMES:
        name = name.replace(theirs, ours)
    return name
