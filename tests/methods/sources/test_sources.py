from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ASTConfig, ASTForAudioClassification

from mirbench.errors import BadInput
from mirbench.features import audio
from mirbench.features.bound import fold_batch_norm
from mirbench.features.weights import find_weights
from mirbench.methods.sources import ast, efficientat, nano, speechatt
from mirbench.methods.sources.cards import AST, EFFICIENTAT_MN04, NANO, SPEECHATT
from mirbench.progress import Progress
from mirbench.trust.checks import check_network
from mirbench.types import Excerpt


def small_ast(folder: Path, **changes: object) -> ASTForAudioClassification:
    torch.manual_seed(0)
    config = ASTConfig(
        **{
            "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64,
            "num_labels": 12, "max_length": 256, **changes,
        }
    )  # fmt: skip
    model = ASTForAudioClassification(config).eval()
    model.save_pretrained(folder, safe_serialization=True)
    return model


def sound(n_samples: int, n: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(n, n_samples, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_ast_stages_agree_with_the_model_of_transformers(tmp_path: Path) -> None:
    model = small_ast(tmp_path)
    network = ast.build(tmp_path)
    picture = network.frontend(sound(40_000))
    whole = model(picture.squeeze(1).transpose(1, 2)).logits
    assert torch.allclose(network.head(network.body(picture).pooled), whole, atol=1e-4)


@torch.no_grad()
def test_ast_layer_is_the_hidden_state_after_that_block_without_class_tokens(tmp_path: Path) -> None:
    model = small_ast(tmp_path)
    network = ast.build(tmp_path)
    picture = network.frontend(sound(40_000))
    states = model.audio_spectrogram_transformer(
        picture.squeeze(1).transpose(1, 2), output_hidden_states=True
    ).hidden_states
    found = network.body(picture, layers=(1,)).layers
    assert list(found) == [1]
    assert torch.equal(found[1], states[2][:, 2:])


def test_ast_frontend_equals_the_feature_extractor_of_transformers(tmp_path: Path) -> None:
    # An independent implementation; it also subtracts the waveform's mean, so the waveform here has none.
    from transformers import ASTFeatureExtractor

    small_ast(tmp_path, max_length=1024)
    wave = sound(160_000, 1)
    wave = wave - wave.mean()
    theirs = ASTFeatureExtractor()(wave[0].numpy(), sampling_rate=16_000, return_tensors="pt").input_values
    ours = ast.build(tmp_path).frontend(wave).squeeze(1).transpose(1, 2)
    assert ours.shape == theirs.shape == (1, 1024, 128)
    assert torch.allclose(ours, theirs, atol=2e-3)


def test_ast_frontend_has_998_frames_of_ten_seconds_then_padding(tmp_path: Path) -> None:
    small_ast(tmp_path, max_length=1024)
    picture = ast.build(tmp_path).frontend(sound(160_000, 1))
    padded = -ast.AUDIOSET_MEAN / (2 * ast.AUDIOSET_STD)  # zero before normalisation
    assert torch.allclose(picture[..., 998:], torch.tensor(padded))
    assert not torch.allclose(picture[..., 997], torch.tensor(padded))


def test_ast_input_norm_none_leaves_log_mel_as_it_is(tmp_path: Path) -> None:
    small_ast(tmp_path)
    raw = ast.build(tmp_path, input_norm="none").frontend(sound(40_000))
    normal = ast.build(tmp_path).frontend(sound(40_000))
    assert torch.allclose((raw - ast.AUDIOSET_MEAN) / (2 * ast.AUDIOSET_STD), normal, atol=1e-5)


def test_ast_of_full_size_has_the_parameters_of_its_card() -> None:
    with torch.device("meta"):
        model = ASTForAudioClassification(ASTConfig(num_labels=527))
    assert sum(p.numel() for p in model.parameters()) == AST.n_parameters == 86_594_063


def test_ast_count_printed_by_hung2022_is_ours_plus_two_dead_heads() -> None:
    dead_heads = 1_538_000
    assert AST.n_parameters + dead_heads == 88_132_063


def test_ast_refuses_a_folder_of_another_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(BadInput, match="bert"):
        ast.build(tmp_path)


def test_ast_refuses_weights_that_do_not_fit(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    small_ast(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["classifier.dense.weight"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"classifier\.dense\.weight"):
        ast.build(tmp_path)


def test_nano_conforms_to_its_card(tmp_path: Path) -> None:
    weights = find_weights(NANO, None, tmp_path, Progress(quiet=True)).path
    assert check_network(NANO, nano.build(weights)) == []


def test_nano_is_under_a_million_parameters_and_three_megabytes() -> None:
    assert NANO.n_parameters < 1_000_000
    assert NANO.n_outputs >= 30


def test_efficientat_without_weights_conforms_to_its_card() -> None:
    torch.manual_seed(0)
    assert check_network(EFFICIENTAT_MN04, efficientat.EfficientAtNetwork(0.4)) == []


def test_speechatt_without_weights_conforms_to_its_card() -> None:
    torch.manual_seed(0)
    assert check_network(SPEECHATT, speechatt.SpeechAttNetwork()) == []


def test_speechatt_has_the_parameters_of_the_keras_file_but_for_what_torch_counts_otherwise() -> None:
    """An LSTM of torch has a second bias a gate, and batch norm's statistics are no parameters."""
    network = speechatt.SpeechAttNetwork()
    count = sum(p.numel() for p in network.parameters())
    assert count == SPEECHATT.n_parameters == 202_249
    second = sum(p.numel() for name, p in network.named_parameters() if "bias_hh" in name)
    statistics = sum(value.numel() for name, value in network.named_buffers() if "running" in name)
    assert count - second + statistics == 201_247
    assert count - 33 == 202_216  # the authors' port has 35 words, not 36


def test_speechatt_gradient_is_finite_on_digital_silence() -> None:
    torch.manual_seed(0)
    network = speechatt.SpeechAttNetwork().eval()
    wave = torch.zeros(1, 16_000)
    wave[0, :400] = 0.1
    wave.requires_grad_(True)
    network.head(network.body(network.frontend(wave)).pooled).sum().backward()
    assert wave.grad is not None
    assert torch.isfinite(wave.grad).all()


@torch.no_grad()
def test_fold_batch_norm_keeps_the_function() -> None:
    torch.manual_seed(0)
    network = efficientat.EfficientAtNetwork(0.4).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2.0)
    picture = network.frontend(sound(320_000, 1))
    before = network.body(picture).pooled
    n_norms = sum(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    folded = fold_batch_norm(network)
    assert n_norms > 0
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert torch.allclose(folded.body(picture).pooled, before, atol=1e-4)


def test_efficientat_refuses_a_file_that_would_run_code(tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self):
            return (print, ("code ran",))

    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(BadInput, match="not the weights"):
        efficientat.build(path)


def test_speechatt_refuses_another_file(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(b"no hdf5")
    with pytest.raises(BadInput, match="not the weights of SpeechATT"):
        speechatt.build(path)


def _window(path: Path, rate: int, seconds: float) -> torch.Tensor:
    return torch.from_numpy(audio.cut(audio.read(Excerpt(path), rate), [0], round(rate * seconds)))


@pytest.mark.real
@torch.no_grad()
@pytest.mark.parametrize("word", ["eight", "five", "follow"])
def test_speechatt_names_spoken_words_with_certainty(shared: Path, word: str) -> None:
    network = speechatt.build(shared / "weights" / "speechatt.h5")
    heard = network.frontend(_window(shared / "data" / "speech_words" / f"word_{word}.wav", 16_000, 1.0))
    probability = network.head(network.body(heard).pooled).softmax(dim=1)[0]
    assert speechatt.WORDS[int(probability.argmax())] == word
    assert probability.max() > 0.999


@pytest.mark.real
@torch.no_grad()
def test_efficientat_names_genres_and_instruments_among_audioset_classes(shared: Path) -> None:
    network = efficientat.build(shared / "weights" / "mn04_as_mAP_432.pt")
    with (shared / "weights" / "audioset_labels.csv").open() as table:
        names = [row["display_name"] for row in csv.DictReader(table)]

    def top(path: str, n: int) -> set[str]:
        picture = network.frontend(_window(shared / "data" / path, 32_000, 10.0))
        order = network.head(network.body(picture).pooled)[0].topk(n).indices
        return {names[i] for i in order}

    assert "Heavy metal" in top("gtzan_mini/genres/metal/metal.00000.flac", 3)
    assert "Reggae" in top("gtzan_mini/genres/reggae/reggae.00000.flac", 3)
    assert "Trumpet" in top("gtzan_mini/genres/jazz/jazz.00000.flac", 4)
    assert "Speech" in top("speech_words/word_five.wav", 1)


@pytest.mark.real
@pytest.mark.parametrize("card", [EFFICIENTAT_MN04, SPEECHATT], ids=lambda card: card.name)
def test_published_weights_conform_to_their_card(shared: Path, tmp_path: Path, card) -> None:
    import importlib

    weights = find_weights(card, shared / "weights", tmp_path, Progress(quiet=True))
    module, _, builder = card.builder.partition(":")
    assert weights.published
    assert check_network(card, getattr(importlib.import_module(module), builder)(weights.path)) == []


def test_nano_shipped_weights_tell_sounds_apart(tmp_path: Path) -> None:
    """Far above chance (0.02) on scenes that it was not trained on: seeds of another range."""
    from mirbench.methods.sources.nano_sounds.sounds import SOUNDS, scene

    network = nano.build(find_weights(NANO, None, tmp_path, Progress(quiet=True)).path)
    rng = np.random.default_rng(99)
    scenes = [scene(rng, 5.0, 16_000, 1) for _ in range(60)]
    with torch.no_grad():
        heard = network.body(network.frontend(torch.from_numpy(np.stack([s for s, _ in scenes]))))
        guess = network.head(heard.pooled).argmax(dim=1).numpy()
    right = np.mean([g == found[0] for g, (_, found) in zip(guess, scenes, strict=True)])
    assert len(SOUNDS) == NANO.n_outputs
    assert right > 0.5


@pytest.mark.slow
def test_training_nano_is_deterministic(tmp_path: Path) -> None:
    import subprocess
    import sys

    made = []
    for name in ("a.safetensors", "b.safetensors"):
        command = [sys.executable, "-m", "mirbench.methods.sources.train_nano", str(tmp_path / name)]
        subprocess.run([*command, "--scenes", "300", "--epochs", "1"], check=True, capture_output=True)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
