"""The family hf:ID on models of random weights: cards from JSON, networks that equal transformers' own, refusals."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from torch import nn

from mirbench.errors import BadInput, MissingData, NotApplicable
from mirbench.methods.sources.hf_audio import build
from mirbench.methods.sources.hf_cards import hf_card
from mirbench.methods.sources.hf_clap import in_time
from mirbench.methods.sources.hf_facts import WAVEFORM_MODELS
from mirbench.trust.checks import check_network

SMALL: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64,
    "conv_dim": (16, 16), "conv_kernel": (10, 8), "conv_stride": (10, 8), "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 12,
}  # fmt: skip
DAILY = ("Data2VecAudio", "SEW", "Wav2Vec2", "WavLM")  # unlike one another; the others are kin of one of these
STEMS = [
    pytest.param(stem, marks=[] if stem in DAILY else [pytest.mark.slow])
    for stem in sorted(set(WAVEFORM_MODELS.values()))
]


pytestmark = pytest.mark.usefixtures("quiet_hub")


def sound(rate: int, seconds: float, n: int = 2) -> torch.Tensor:
    """Something like music: a chord whose partials decay, over noise; (n, n_samples)."""
    rng = np.random.default_rng(0)
    time = np.arange(round(rate * seconds)) / rate
    chords = []
    for _ in range(n):
        pitches = rng.uniform(80, 800, 3)
        partials = [np.sin(2 * np.pi * k * f * time) / k for f in pitches for k in range(1, 9)]
        chords.append(0.1 * np.sum(partials, axis=0) * np.exp(-(time % 0.5) * 4) + 0.003 * rng.normal(size=time.size))
    return torch.from_numpy(np.stack(chords)).float()


def saved(model: Any, folder: Path, **preprocessor: Any) -> Path:
    """Save a model, fresh or given, as its folder of the hub would be."""
    model.save_pretrained(folder)
    if preprocessor:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def speech(stem: str = "Wav2Vec2", head: str = "Model", **changes: Any) -> Any:
    torch.manual_seed(0)
    return getattr(hf, stem + head)(getattr(hf, f"{stem}Config")(**SMALL | changes)).eval()


def speech_folder(folder: Path, stem: str = "Wav2Vec2", head: str = "Model", **changes: Any) -> tuple[Any, Path]:
    model = speech(stem, head, **changes)
    return model, saved(model, folder, sampling_rate=16_000, do_normalize=True)


def whisper(head: str = "Model", **changes: Any) -> Any:
    torch.manual_seed(0)
    config = hf.WhisperConfig(
        **{
            "d_model": 32, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_source_positions": 100,
            "vocab_size": 100, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
            "classifier_proj_size": 12, **changes,
        }
    )  # fmt: skip
    return getattr(hf, "Whisper" + head)(config).eval()


def clap(**changes: Any) -> Any:
    torch.manual_seed(0)
    tower = {
        "patch_embeds_hidden_size": 16, "hidden_size": 64, "depths": [1, 1, 1], "num_attention_heads": [1, 2, 2],
        "spec_size": 64, "num_mel_bins": 16, "window_size": 4, "num_hidden_layers": 3, "projection_dim": 16, **changes,
    }  # fmt: skip
    text = {
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 50,
        "max_position_embeddings": 40, "projection_dim": 16,
    }  # fmt: skip
    model = hf.ClapModel(hf.ClapConfig(text_config=text, audio_config=tower, projection_dim=16)).eval()
    for module in model.modules():  # as after training: a fresh batch norm does nothing
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(-30, 5)
            module.running_var.uniform_(50, 200)
    return model


CLAP: dict[str, Any] = {
    "sampling_rate": 48_000, "feature_size": 16, "max_length_s": 2, "hop_length": 480, "fft_window_size": 1024,
    "frequency_min": 50, "frequency_max": 14_000, "truncation": "rand_trunc", "padding": "repeatpad",
}  # fmt: skip


def ast_folder(folder: Path, **changes: Any) -> tuple[Any, Path]:
    torch.manual_seed(0)
    config = hf.ASTConfig(
        **{
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
            "max_length": 200, "id2label": dict(enumerate("abc")), **changes,
        }
    )  # fmt: skip
    model = hf.ASTForAudioClassification(config).eval()
    return model, saved(model, folder, sampling_rate=16_000, do_normalize=True, mean=-5.0, std=3.0)


def network_of(folder: Path, **options: Any) -> Any:
    return build(folder, **options)


def conforms(folder: Path) -> list[str]:
    card = hf_card(str(folder))
    return check_network(card, build(folder, **card.options))


# Each kind conforms to its card


@pytest.mark.parametrize("stem", STEMS)
def test_waveform_model_conforms_to_its_card(stem: str, tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path, stem)
    card = replace(hf_card(str(folder)), seconds=1.0)
    assert check_network(card, build(folder)) == []
    assert (card.n_layers, card.n_features, card.n_outputs) == (3, 32, 0)
    assert card.offers == ("body", "layers", "pooled")


@pytest.mark.parametrize("stem", STEMS)
def test_waveform_classifier_conforms_to_its_card(stem: str, tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path, stem, "ForSequenceClassification", id2label=dict(enumerate("abcd")))
    card = replace(hf_card(str(folder)), seconds=1.0)
    assert check_network(card, build(folder)) == []
    assert card.n_outputs == 4
    assert build(folder).labels == ("a", "b", "c", "d")


@pytest.mark.parametrize("head", ["Model", "ForConditionalGeneration", "ForAudioClassification"])
def test_whisper_conforms_to_its_card(head: str, tmp_path: Path) -> None:
    folder = saved(whisper(head), tmp_path, sampling_rate=16_000, feature_size=80, hop_length=160, n_fft=400)
    assert conforms(folder) == []
    assert hf_card(str(folder)).n_frames == 200


@pytest.mark.parametrize("fused", [False, True])
def test_clap_conforms_to_its_card(fused: bool, tmp_path: Path) -> None:
    changes = {"enable_fusion": True, "aff_block_r": 4} if fused else {}
    assert conforms(saved(clap(**changes), tmp_path, **CLAP)) == []


def test_ast_conforms_to_its_card(tmp_path: Path) -> None:
    assert conforms(ast_folder(tmp_path)[1]) == []


def test_ast_without_a_head_conforms_to_its_card(tmp_path: Path) -> None:
    model, folder = ast_folder(tmp_path)
    saved(model.audio_spectrogram_transformer, folder)
    assert "head" not in hf_card(str(folder)).offers
    assert conforms(folder) == []


# The networks equal transformers' own


def normalised(audio: torch.Tensor) -> torch.Tensor:
    extractor = hf.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False)
    return extractor([x.numpy() for x in audio], sampling_rate=16_000, return_tensors="pt").input_values


@torch.no_grad()
@pytest.mark.parametrize("stem", STEMS)
def test_waveform_body_equals_the_model_behind_its_feature_extractor(stem: str, tmp_path: Path) -> None:
    model, folder = speech_folder(tmp_path, stem)
    audio = sound(16_000, 1.0) + 0.2
    theirs = model(normalised(audio), output_hidden_states=True)
    ours = network_of(folder).body(audio, layers=(0, 2))
    assert torch.allclose(ours.pooled, theirs.last_hidden_state.mean(1), atol=1e-5)
    assert list(ours.layers) == [0, 2]
    for k, tokens in ours.layers.items():
        assert torch.allclose(tokens, theirs.hidden_states[k + 1], atol=1e-5)


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")  # of WavLM's, in the library's own hands
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("stem", STEMS)
def test_clip_that_does_not_fill_its_window_gives_the_logits_of_the_classifier(
    stem: str, masked: bool, tmp_path: Path
) -> None:
    model = speech(stem, "ForSequenceClassification", num_labels=5)
    folder = saved(model, tmp_path, sampling_rate=16_000, do_normalize=True, return_attention_mask=masked)
    audio = sound(16_000, 1.0) + 0.2
    audio[0, 6_000:] = 0.0
    extractor = hf.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    heard = [audio[0, :6_000].numpy(), audio[1].numpy()]
    given = extractor(heard, sampling_rate=16_000, padding=True, return_tensors="pt")
    network = network_of(folder)
    ours = network.head(network.body(audio).pooled)
    if masked:
        theirs = model(**given).logits
    else:  # a model that was trained without masks hears the zeros, and its classifier takes the mean of what it heard
        tokens = getattr(model, model.base_model_prefix)(given.input_values).last_hidden_state
        counts = model._get_feat_extract_output_lengths(given.attention_mask.sum(1))
        pooled = torch.stack([x[:count].mean(0) for x, count in zip(tokens, counts, strict=True)])
        theirs = model.classifier(model.projector(pooled))
    assert torch.allclose(ours, theirs, atol=1e-5)


@torch.no_grad()
def test_layer_is_what_pooled_is_the_time_mean_of(tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path, do_stable_layer_norm=True)
    audio = sound(16_000, 1.0)
    found = network_of(folder, layer=1).body(audio, layers=(1, 2))
    assert torch.allclose(found.pooled, found.layers[1].mean(1), atol=1e-6)
    # before the norm that closes this model, so not the last hidden state
    assert not torch.allclose(network_of(folder).body(audio).pooled, found.layers[2].mean(1), atol=1e-2)


@torch.no_grad()
@pytest.mark.parametrize("weighted", [False, True])
def test_waveform_head_gives_the_logits_of_the_classifier(weighted: bool, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"num_labels": 5, "use_weighted_layer_sum": weighted}
    model = speech("Wav2Vec2", "ForSequenceClassification", **changes)
    if weighted:
        model.layer_weights.data = torch.tensor([0.5, -1.0, 2.0, 0.0])
    folder = saved(model, tmp_path, sampling_rate=16_000, do_normalize=True)
    audio = sound(16_000, 1.0)
    network = network_of(folder)
    theirs = model(normalised(audio)).logits
    assert torch.allclose(network.head(network.body(audio).pooled), theirs, atol=1e-5)


def test_head_is_refused_on_another_layer_than_its_own(tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path, head="ForSequenceClassification")
    with pytest.raises(NotApplicable, match="layer=1"):
        network_of(folder, layer=1).head(torch.zeros(1, 32))


def test_waveform_is_left_as_it_is_where_the_config_says_so(tmp_path: Path) -> None:
    saved(speech(), tmp_path, sampling_rate=16_000, do_normalize=False)
    network = network_of(tmp_path)
    audio = 1e-3 * sound(16_000, 0.5)  # so soft that the model's own norms do not level it
    assert not torch.allclose(network.body(audio).pooled, network.body(10 * audio).pooled, atol=1e-1)
    (tmp_path / "preprocessor_config.json").write_text('{"sampling_rate": 16000, "do_normalize": true}')
    network = network_of(tmp_path)
    assert torch.allclose(network.body(audio).pooled, network.body(10 * audio).pooled, atol=1e-1)


@torch.no_grad()
def test_networks_are_the_same_in_train_mode_but_for_dropout(tmp_path: Path) -> None:
    # neither layer drop nor masks: a method that trains inside gets every layer that it asks for
    calm = {name: 0.0 for name in ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout")}
    _, folder = speech_folder(tmp_path, layerdrop=0.9, mask_time_prob=0.5, mask_time_length=2, **calm)
    network = network_of(folder)
    audio = sound(16_000, 0.5)
    still = network.body(audio, layers=(0, 1, 2)).pooled
    assert torch.allclose(network.train().body(audio, layers=(0, 1, 2)).pooled, still, atol=1e-5)


@pytest.mark.parametrize("n_bands", [80, 128])
def test_whisper_frontend_equals_its_feature_extractor(n_bands: int, tmp_path: Path) -> None:
    saved(whisper(num_mel_bins=n_bands), tmp_path, sampling_rate=16_000, hop_length=160, n_fft=400)
    audio = sound(16_000, 2.0)
    extractor = hf.WhisperFeatureExtractor(feature_size=n_bands, chunk_length=2)
    theirs = extractor([x.numpy() for x in audio], sampling_rate=16_000, return_tensors="pt").input_features
    ours = network_of(tmp_path).frontend(audio).squeeze(1)
    assert ours.shape == theirs.shape == (2, n_bands, 200)
    assert torch.allclose(ours, theirs, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("head", ["Model", "ForConditionalGeneration"])
def test_whisper_body_equals_the_encoder(head: str, tmp_path: Path) -> None:
    model = whisper(head)
    network = network_of(saved(model, tmp_path))
    picture = network.frontend(sound(16_000, 2.0))
    theirs = model.get_encoder()(picture.squeeze(1), output_hidden_states=True)
    ours = network.body(picture, layers=(0,))
    assert torch.allclose(ours.pooled, theirs.last_hidden_state.mean(1), atol=1e-5)
    assert torch.allclose(ours.layers[0], theirs.hidden_states[1], atol=1e-5)


@torch.no_grad()
def test_whisper_head_gives_the_logits_of_the_classifier(tmp_path: Path) -> None:
    model = whisper("ForAudioClassification", num_labels=4)
    network = network_of(saved(model, tmp_path))
    picture = network.frontend(sound(16_000, 2.0))
    assert torch.allclose(network.head(network.body(picture).pooled), model(picture.squeeze(1)).logits, atol=1e-5)


@torch.no_grad()
def test_whisper_window_that_is_shorter_is_padded_as_by_its_feature_extractor(tmp_path: Path) -> None:
    model = whisper()
    network = network_of(saved(model, tmp_path), seconds=0.5)
    audio = sound(16_000, 0.5)
    picture = network.frontend(audio)
    extractor = hf.WhisperFeatureExtractor(feature_size=80, chunk_length=2)
    theirs = extractor([x.numpy() for x in audio], sampling_rate=16_000, return_tensors="pt").input_features
    assert torch.allclose(picture.squeeze(1), theirs, atol=1e-4)
    tokens = model.get_encoder()(picture.squeeze(1)).last_hidden_state[:, :25]  # 50 tokens a second
    found = network.body(picture, layers=(1,))
    assert torch.allclose(found.pooled, tokens.mean(1), atol=1e-5)
    assert found.layers[1].shape == (2, 25, 32)


@torch.no_grad()
def test_whisper_embedding_is_of_the_tokens_up_to_the_last_sound(tmp_path: Path) -> None:
    model = whisper()
    network = network_of(saved(model, tmp_path))
    audio = sound(16_000, 2.0)
    audio[0, 8_000:] = 0.0
    picture = network.frontend(audio)
    tokens = model.get_encoder()(picture.squeeze(1)).last_hidden_state
    pooled = network.body(picture).pooled
    # half a second is 25 tokens; a 26th hears its last samples through the window of the spectrum
    assert torch.allclose(pooled[0], tokens[0, :26].mean(0), atol=1e-5)
    assert torch.allclose(pooled[1], tokens[1].mean(0), atol=1e-5)


@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
def test_clap_hears_a_clip_that_does_not_fill_its_window_as_its_feature_extractor(padding: str, tmp_path: Path) -> None:
    said = CLAP | {"padding": padding}
    network = network_of(saved(clap(), tmp_path, **said))
    audio = sound(48_000, 2.0)
    audio[0, 36_000:] = 0.0
    heard = [audio[0, :36_000].numpy(), audio[1].numpy()]
    extractor = hf.ClapFeatureExtractor(**said)
    theirs = extractor(heard, sampling_rate=48_000, return_tensors="pt").input_features
    assert torch.allclose(network.frontend(audio).transpose(2, 3), theirs.float(), atol=2e-2)  # dB


@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
@pytest.mark.parametrize("seconds", [2.0, 0.75])
def test_clap_frontend_equals_its_feature_extractor(truncation: str, seconds: float, tmp_path: Path) -> None:
    said = CLAP | {"truncation": truncation}
    network = network_of(saved(clap(), tmp_path, **said))
    audio = sound(48_000, seconds)
    extractor = hf.ClapFeatureExtractor(**said)
    theirs = extractor([x.numpy() for x in audio], sampling_rate=48_000, return_tensors="pt").input_features[:, :1]
    ours = network.frontend(audio).transpose(2, 3)
    assert ours.shape == theirs.shape == (2, 1, 201, 16)
    assert torch.allclose(ours, theirs.float(), atol=2e-2)  # dB


@torch.no_grad()
@pytest.mark.parametrize("fused", [False, True])
def test_clap_pooled_is_the_audio_embedding_of_transformers(fused: bool, tmp_path: Path) -> None:
    model = clap(enable_fusion=fused)
    network = network_of(saved(model, tmp_path, **CLAP))
    picture = network.frontend(sound(48_000, 2.0))
    features = picture.transpose(2, 3).repeat(1, 4 if fused else 1, 1, 1)
    theirs = model.get_audio_features(features, is_longer=torch.zeros(2, 1, dtype=torch.bool)).pooler_output
    assert torch.allclose(network.body(picture).pooled, theirs, atol=1e-5)


@torch.no_grad()
def test_clap_layer_holds_the_outputs_of_its_stage(tmp_path: Path) -> None:
    model = clap()
    network = network_of(saved(model, tmp_path, **CLAP))
    picture = network.frontend(sound(48_000, 2.0))
    states = model.audio_model(
        picture.transpose(2, 3), is_longer=torch.zeros(2, 1), output_hidden_states=True
    ).hidden_states
    found = network.body(picture, layers=(0, 2)).layers
    assert found[0].shape == (2, 4 * 8, 32 * 2)  # 4 stretches of 8 steps; 32 channels x 2 bands
    for k, tokens in found.items():
        assert torch.equal(tokens.flatten().sort().values, states[k + 1].flatten().sort().values)


@torch.no_grad()
def test_in_time_puts_what_is_later_into_later_tokens(tmp_path: Path) -> None:
    encoder = clap().audio_model.audio_encoder
    picture = torch.randn(1, 1, 256, 16, generator=torch.Generator().manual_seed(0))  # (n, 1, n_frames, n_bands)
    later = picture.clone()
    later[:, :, 192:] += 1.0
    tokens = [
        in_time(encoder.patch_embed(encoder.reshape_mel2img(p)).transpose(1, 2).unflatten(2, (16, 16)), 4)
        for p in (picture, later)
    ]
    changed = (tokens[0] != tokens[1]).any(dim=2)[0]
    assert tokens[0].shape == (1, 64, 64)
    assert changed.nonzero().flatten().tolist() == list(range(48, 64))


def word_tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<s>", "<pad>", "</s>", "<unk>", "a", "sound", "of", "drum", "flute", "This", "is", "."]
    tokenizer = Tokenizer(models.WordLevel({word: k for k, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    made = hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    made.save_pretrained(folder)
    return made


@torch.no_grad()
@pytest.mark.parametrize("prompt", ["This is a sound of {}.", "{}"])
def test_clap_names_classes_as_transformers_does(prompt: str, tmp_path: Path) -> None:
    model = clap()
    network = network_of(saved(model, tmp_path, **CLAP), prompt=prompt)
    tokenizer = word_tokenizer(tmp_path)
    names = ["drum", "flute", "a drum of flute"]
    texts = tokenizer([prompt.replace("{}", name) for name in names], padding=True, return_tensors="pt")
    picture = network.frontend(sound(48_000, 2.0))
    whole = model(
        input_ids=texts.input_ids,
        attention_mask=texts.attention_mask,
        input_features=picture.transpose(2, 3),
        is_longer=torch.zeros(2, 1),
    )
    ours = network.text_logits(network.body(picture).pooled, network.text_embeddings(names))
    assert torch.allclose(ours, whole.logits_per_audio, atol=1e-4)


def test_clap_without_a_tokenizer_says_what_naming_needs(tmp_path: Path) -> None:
    network = network_of(saved(clap(), tmp_path, **CLAP))
    with pytest.raises(MissingData, match=r"tokenizer\.json"):
        network.text_embeddings(["drum"])


@torch.no_grad()
def test_ast_gives_the_logits_of_transformers_with_its_own_normalisation(tmp_path: Path) -> None:
    model, folder = ast_folder(tmp_path)
    audio = sound(16_000, 2.0)
    extractor = hf.ASTFeatureExtractor(max_length=200, mean=-5.0, std=3.0)
    theirs = model(extractor([x.numpy() for x in audio], sampling_rate=16_000, return_tensors="pt").input_values).logits
    network = network_of(folder)
    assert torch.allclose(network.head(network.body(network.frontend(audio)).pooled), theirs, atol=1e-3)
    assert network.labels == ("a", "b", "c")


@torch.no_grad()
def test_ast_hears_a_clip_that_does_not_fill_its_window_as_its_feature_extractor(tmp_path: Path) -> None:
    _, folder = ast_folder(tmp_path)
    audio = sound(16_000, 2.0)
    audio[0, 16_000:] = 0.0
    extractor = hf.ASTFeatureExtractor(max_length=200, mean=-5.0, std=3.0)
    heard = [audio[0, :16_000].numpy(), audio[1].numpy()]
    theirs = extractor(heard, sampling_rate=16_000, return_tensors="pt").input_values
    ours = network_of(folder).frontend(audio).squeeze(1).transpose(1, 2)
    assert torch.allclose(ours, theirs, atol=1e-3)


# MERT and Dasheng, whose own code is never run


def mert_folder(folder: Path, old_names: bool = True, **changes: Any) -> tuple[Any, Path]:
    """A MERT as its authors save it: HuBERT's weights under old names, a config of a type of their own."""
    from safetensors.torch import load_file, save_file

    model = speech("Hubert", feat_proj_layer_norm=True, **changes)
    saved(model, folder, sampling_rate=24_000, do_normalize=True, feature_extractor_type="Wav2Vec2FeatureExtractor")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "mert_model", "architectures": ["MERTModel"], "sample_rate": 24_000, "deepnorm": False,
        "feature_extractor_cqt": False, "attention_relax": -1.0, "auto_map": {"AutoModel": "modeling_MERT.MERTModel"},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling_MERT.py").write_text("raise SystemExit('remote code ran')")
    if old_names:
        new = "encoder.pos_conv_embed.conv.parametrizations.weight.original"
        state = load_file(folder / "model.safetensors")
        for digit, letter in (("0", "g"), ("1", "v")):
            state[f"encoder.pos_conv_embed.conv.weight_{letter}"] = state.pop(new + digit)
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return model, folder


@torch.no_grad()
@pytest.mark.parametrize("stable", [False, True])
def test_mert_is_run_as_hubert_at_its_own_rate(stable: bool, tmp_path: Path) -> None:
    model, folder = mert_folder(tmp_path, do_stable_layer_norm=stable)
    card = hf_card(str(folder))
    assert (card.sample_rate, card.seconds) == (24_000, 5.0)
    assert check_network(replace(card, seconds=0.5), build(folder)) == []
    audio = sound(24_000, 0.5)
    assert torch.allclose(
        network_of(folder).body(audio).pooled, model(normalised(audio)).last_hidden_state.mean(1), atol=1e-5
    )


@pytest.mark.parametrize("feature", ["feature_extractor_cqt", "deepnorm"])
def test_mert_that_hubert_cannot_run_is_refused(feature: str, tmp_path: Path) -> None:
    _, folder = mert_folder(tmp_path)
    config = json.loads((folder / "config.json").read_text()) | {feature: True}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=feature):
        hf_card(str(folder))


class DashengReference(nn.Module):
    """Dasheng's encoder after the paper and its state dict, with an attention of its own, to compare with."""

    def __init__(self, width: int, depth: int, heads: int, n_bands: int, n_steps: int) -> None:
        super().__init__()
        self.heads = heads
        self.init_bn = nn.Sequential(nn.Identity(), nn.BatchNorm2d(n_bands), nn.Identity())
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, width, (n_bands, 4), (n_bands, 4))})
        self.time_pos_embed = nn.Parameter(torch.randn(1, width, 1, n_steps))
        self.freq_pos_embed = nn.Parameter(torch.randn(1, width, 1, 1))
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(width, eps=1e-6), "norm2": nn.LayerNorm(width, eps=1e-6),
                    "attn": nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)}),
                    "mlp": nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}),
                }
            )
            for _ in range(depth)
        )  # fmt: skip
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """(n, 1, n_bands, n_frames) -> the tokens after each block, then the last after the norm."""
        x = self.patch_embed["proj"](self.init_bn(picture.permute(0, 2, 1, 3)).permute(0, 2, 1, 3))
        x = (x + self.time_pos_embed[..., : x.shape[-1]] + self.freq_pos_embed).flatten(2).transpose(1, 2)
        states = []
        for block in self.blocks:
            q, k, v = (
                part.unflatten(2, (self.heads, -1)).transpose(1, 2)
                for part in block["attn"]["qkv"](block["norm1"](x)).chunk(3, dim=2)
            )
            weight = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), dim=-1)
            x = x + block["attn"]["proj"]((weight @ v).transpose(1, 2).flatten(2))
            x = x + block["mlp"]["fc2"](nn.functional.gelu(block["mlp"]["fc1"](block["norm2"](x))))
            states.append(x)
        return [*states, self.norm(x)]


def dasheng_folder(folder: Path) -> tuple[DashengReference, Path]:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = DashengReference(32, 2, 4, 64, 52).eval()
    model.init_bn[1].running_mean.normal_(-30, 5)
    model.init_bn[1].running_var.uniform_(50, 200)
    save_file({f"encoder.{name}": value for name, value in model.state_dict().items()}, folder / "model.safetensors")
    encoder = {"embed_dim": 32, "depth": 2, "num_heads": 4, "target_length": 208, "patch_size": [64, 4],
               "patch_stride": [64, 4]}  # fmt: skip
    config = {"model_type": "dasheng", "architectures": ["DashengModel"], "encoder_kwargs": encoder}
    (folder / "config.json").write_text(json.dumps(config))
    return model, folder


def test_dasheng_conforms_to_its_card(tmp_path: Path) -> None:
    assert conforms(dasheng_folder(tmp_path)[1]) == []


@torch.no_grad()
def test_dasheng_equals_an_encoder_written_from_its_paper(tmp_path: Path) -> None:
    model, folder = dasheng_folder(tmp_path)
    network = network_of(folder)
    picture = network.frontend(sound(16_000, 2.0))
    *blocks, last = model(picture)
    found = network.body(picture, layers=(0, 1))
    assert torch.allclose(found.pooled, last.mean(1), atol=1e-4)
    for k, tokens in found.layers.items():
        assert torch.allclose(tokens, blocks[k], atol=1e-4)


def test_dasheng_frontend_is_the_mel_spectrogram_of_transformers_in_decibels(tmp_path: Path) -> None:
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    audio = sound(16_000, 2.0, n=1)
    theirs = spectrogram(
        audio[0].numpy(),
        window_function(512, "hann"),
        frame_length=512,
        hop_length=160,
        power=2.0,
        mel_filters=mel_filter_bank(257, 64, 0.0, 8000.0, 16_000, norm=None, mel_scale="htk"),
        log_mel="dB",
        db_range=120.0,
    )
    ours = network_of(dasheng_folder(tmp_path)[1]).frontend(audio)[0, 0].numpy()
    assert np.allclose(ours, theirs, atol=2e-2)


# Manners of every network

KINDS: dict[str, Callable[[Path], Path]] = {
    "speech": lambda folder: speech_folder(folder)[1],
    "whisper": lambda folder: saved(whisper(), folder),
    "clap": lambda folder: saved(clap(), folder, **CLAP),
    "ast": lambda folder: ast_folder(folder)[1],
    "dasheng": lambda folder: dasheng_folder(folder)[1],
}


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_reaches_the_audio_and_is_finite_after_silence(kind: str, tmp_path: Path) -> None:
    folder = KINDS[kind](tmp_path)
    card, network = hf_card(str(folder)), network_of(folder)
    audio = torch.zeros(1, round(card.sample_rate * min(card.seconds, 2.0)))
    audio[0, : audio.shape[1] // 4] = sound(card.sample_rate, audio.shape[1] / 4 / card.sample_rate, 1)[0]
    audio.requires_grad_(True)
    x = network.frontend(audio) if "frontend" in card.offers else audio
    pooled = network.body(x).pooled
    (pooled * torch.arange(pooled.shape[1])).sum().backward()  # the plain sum of a layer norm's output is constant
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()
    assert float(audio.grad.abs().sum()) > 0


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_window_does_not_depend_on_louder_batch_mates(kind: str, tmp_path: Path) -> None:
    folder = KINDS[kind](tmp_path)
    card, network = hf_card(str(folder)), network_of(folder)
    audio = sound(card.sample_rate, min(card.seconds, 2.0))
    audio[0] *= 1e-4
    audio[1] *= 3.0

    def embed(x: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = network.body(network.frontend(x) if "frontend" in card.offers else x).pooled
        return pooled

    assert torch.allclose(embed(audio)[:1], embed(audio[:1]), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_network_comes_in_eval_mode_in_float32(kind: str, tmp_path: Path) -> None:
    network = network_of(KINDS[kind](tmp_path))
    assert not any(module.training for module in network.modules())
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_weights_in_half_precision_are_read_as_float32(tmp_path: Path) -> None:
    saved(speech().half(), tmp_path)
    assert {p.dtype for p in network_of(tmp_path).parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("kind", "options"),
    [("speech", {"layer": 3}), ("speech", {"layer": -2}), ("speech", {"seconds": 0.0}), ("whisper", {"seconds": 2.5}),
     ("clap", {"layer": 0}), ("clap", {"prompt": "music"}), ("ast", {"layer": 0}), ("speech", {"seconds": math.nan})],
)  # fmt: skip
def test_option_that_does_not_fit_is_refused(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=next(iter(options))):
        build(KINDS[kind](tmp_path), **options)


# Weights that do not fit, and files that would run something


def change_state(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("kind", KINDS)
def test_weight_that_is_missing_is_refused(kind: str, tmp_path: Path) -> None:
    folder = KINDS[kind](tmp_path)
    name = {
        "speech": "encoder.layers.1.final_layer_norm.weight", "whisper": "encoder.layers.1.fc1.weight",
        "clap": "audio_projection.linear1.weight", "ast": "classifier.dense.weight",
        "dasheng": "encoder.blocks.1.mlp.fc1.weight",
    }[kind]  # fmt: skip
    change_state(folder, lambda state: state.pop(name))
    with pytest.raises(BadInput, match=r"weight"):
        build(folder)


def test_weight_that_is_left_over_is_refused(tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path)
    change_state(folder, lambda state: state.update({"encoder.layers.9.final_layer_norm.weight": torch.ones(32)}))
    with pytest.raises(BadInput, match=r"layers\.9"):
        build(folder)


def test_weight_of_another_shape_is_refused(tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path)
    name = "encoder.layers.1.final_layer_norm.weight"
    change_state(folder, lambda state: state.update({name: torch.ones(31)}))
    with pytest.raises(BadInput, match="can be loaded"):
        build(folder)


@pytest.mark.parametrize("head", ["ForCTC", "ForPreTraining", "ForXVector"])
def test_head_that_is_not_used_is_left_out_of_the_network_and_the_count(head: str, tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path, head=head, vocab_size=40, num_codevectors_per_group=4, codevector_dim=8)
    card = replace(hf_card(str(folder)), seconds=1.0)
    assert check_network(card, build(folder)) == []
    assert card.n_parameters == sum(p.numel() for p in speech(mask_time_prob=0.0).parameters())


@torch.no_grad()
def test_pytorch_model_bin_is_read_where_there_is_no_safetensors(tmp_path: Path) -> None:
    model, folder = speech_folder(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    audio = sound(16_000, 0.5)
    assert hf_card(str(folder)).missing == ""
    assert torch.allclose(
        network_of(folder).body(audio).pooled, model(normalised(audio)).last_hidden_state.mean(1), atol=1e-5
    )


def test_pytorch_model_bin_that_would_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return (print, ("code ran",))

    _, folder = speech_folder(tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"encoder": Evil()}))
    with pytest.raises(BadInput, match="can be loaded"):
        build(folder)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_code_that_a_config_names_is_not_run(kind: str, tmp_path: Path) -> None:
    folder = KINDS[kind](tmp_path)
    marker = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Evil: pass\n")
    autos = ("AutoConfig", "AutoModel", "AutoFeatureExtractor", "AutoModelForAudioClassification", "AutoTokenizer")
    for name in ("config.json", "preprocessor_config.json", "tokenizer_config.json"):
        path = folder / name
        held = json.loads(path.read_text()) if path.is_file() else {}
        held |= {"auto_map": {auto: "evil.Evil" for auto in autos}, "tokenizer_class": "Evil"}
        held |= {"attn_implementation": "evil/kernel", "_attn_implementation": "evil/kernel"}
        path.write_text(json.dumps(held))
    card = hf_card(str(folder))
    network = network_of(folder, **card.options)
    assert check_network(replace(card, seconds=min(card.seconds, 2.0)), network) == []
    if kind == "clap":
        with pytest.raises(MissingData):
            network.text_embeddings(["drum"])
    assert not marker.exists()


# Cards


def test_card_is_made_without_torch(tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path, head="ForSequenceClassification")
    code = (
        f"import sys; from mirbench.methods.sources.hf_cards import hf_card; hf_card({str(folder)!r}); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_card_without_preprocessor_config_takes_the_usual_and_says_so(tmp_path: Path) -> None:
    saved(speech(), tmp_path)
    card = hf_card(str(tmp_path))
    assert card.sample_rate == 16_000
    assert any("preprocessor_config.json" in note for note in card.notes)
    assert network_of(tmp_path).normalise


def test_card_of_a_folder_without_weights_says_what_lacks(tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path)
    (folder / "model.safetensors").unlink()
    assert "safetensors" in hf_card(str(folder)).missing
    with pytest.raises(MissingData, match="safetensors"):
        build(folder)


@pytest.mark.parametrize("kind", ["bert", "qwen2", "", "encodec"])
def test_model_of_another_type_is_refused_and_the_known_are_named(kind: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "hidden_size": 32}))
    with pytest.raises(BadInput, match=r"known audio encoders: .*hubert.*whisper"):
        hf_card(str(tmp_path))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '"wav2vec2"', '{"model_type": "wav2vec2", "hidden_size": "wide"}', "\xff",
     '{"model_type": "wav2vec2", "hidden_size": -1}', '{"model_type": "clap"}', '{"model_type": "dasheng"}',
     '{"model_type": "clap", "audio_config": 3}', '{"model_type": "whisper", "num_mel_bins": true}',
     '{"model_type": ["whisper"]}', '{"model_type": "hubert", "id2label": {"a": 1}, '
     '"architectures": ["HubertForSequenceClassification"]}'],
)  # fmt: skip
def test_config_that_is_none_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput) as caught:
        hf_card(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_model_that_is_nowhere_is_missing_and_the_card_says_what_to_do() -> None:
    card = hf_card("nobody/nothing-of-this-name")
    assert card.name == "hf:nobody/nothing-of-this-name"
    assert "is not on this machine" in card.missing
    assert "nobody__nothing-of-this-name" in card.missing
    assert "\n" not in card.missing


@pytest.mark.parametrize("argument", ["", "music", "/no/such/folder", "../up", "a/b/c", "a/..", "~nobody/x", "a--b/c"])
def test_argument_that_names_neither_folder_nor_repository_is_refused(argument: str) -> None:
    with pytest.raises(BadInput):
        hf_card(argument)


@pytest.mark.parametrize("place", ["tiny-model", "someone__tiny-model", "someone/tiny-model"])
def test_repository_is_looked_for_among_the_users_weights(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = speech_folder(tmp_path / place)
    monkeypatch.setenv("MIRBENCH_WEIGHTS", str(tmp_path))
    card = hf_card("someone/tiny-model")
    assert (card.name, card.missing, Path(card.file)) == ("hf:someone/tiny-model", "", folder.resolve())


def test_repository_is_found_in_the_cache_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    home = tmp_path / "models--someone--tiny-model"
    snapshot = home / "snapshots" / ("0" * 40)
    speech_folder(snapshot)
    (snapshot / "README.md").write_text("---\nlicense: mit\ndatasets:\n- marsyas/gtzan\n- fma\n---\nA model.\n")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    card = hf_card("someone/tiny-model")
    assert (card.missing, card.hub, card.file, card.license) == ("", "someone/tiny-model", "", "mit")
    assert card.trained_on == ("fma", "gtzan", "hf:marsyas/gtzan")
    assert card.n_parameters > 0
    (snapshot / "preprocessor_config.json").unlink()  # not come, which is not the same as that there is none
    assert "preprocessor_config.json" in hf_card("someone/tiny-model").missing
    known = home / ".no_exist" / ("0" * 40)  # where the hub's client remembers what a repository has not
    known.mkdir(parents=True)
    (known / "preprocessor_config.json").touch()
    assert hf_card("someone/tiny-model").missing == ""


def test_parameters_are_counted_in_the_file_that_is_loaded(tmp_path: Path) -> None:
    model, folder = speech_folder(tmp_path, mask_time_prob=0.0)
    (folder / "model.fp32-00001-of-00001.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert hf_card(str(folder)).n_parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("content", [b"", b"\x10", b"\xff" * 64, (2).to_bytes(8, "little") + b"[]"])
def test_file_that_is_no_safetensors_is_refused(content: bytes, tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path)
    (folder / "model.safetensors").write_bytes(content)
    for use in (lambda: hf_card(str(folder)), lambda: build(folder)):
        with pytest.raises(BadInput):
            use()


@torch.no_grad()
def test_weights_in_shards_are_read_and_counted(tmp_path: Path) -> None:
    model = speech(mask_time_prob=0.0)
    model.save_pretrained(tmp_path, max_shard_size="40KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    audio = sound(16_000, 0.5)
    assert hf_card(str(tmp_path)).n_parameters == sum(p.numel() for p in model.parameters())
    assert torch.allclose(
        network_of(tmp_path).body(audio).pooled, model(normalised(audio)).last_hidden_state.mean(1), atol=1e-5
    )


def test_activation_is_softmax_unless_the_model_is_multi_label(tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path / "one", head="ForSequenceClassification")
    assert hf_card(str(folder)).activation == "softmax"
    _, folder = speech_folder(
        tmp_path / "many", head="ForSequenceClassification", problem_type="multi_label_classification"
    )
    assert hf_card(str(folder)).activation == "sigmoid"


def test_placeholder_names_of_classes_are_no_labels(tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path, head="ForSequenceClassification", num_labels=6)
    assert hf_card(str(folder)).n_outputs == 6
    assert not hasattr(build(folder), "labels")
