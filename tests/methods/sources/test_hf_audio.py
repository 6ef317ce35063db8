"""The family hf:ID on models of random weights: each kind conforms to its card and equals transformers' own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from torch import nn

from mirbench.errors import MissingData, NotApplicable
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
# Cards
