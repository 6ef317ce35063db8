"""Audio encoders of transformers that have no network of ours, at random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from mirbench.errors import BadInput
from mirbench.methods.sources.hf_audio import build
from mirbench.methods.sources.hf_cards import hf_card
from mirbench.trust.checks import check_network

pytestmark = pytest.mark.usefixtures("quiet_hub")


def bert(folder: Path) -> tuple[Any, Any, Path]:
    """wav2vec2-bert: mel features, a mask, no network of ours."""
    torch.manual_seed(0)
    config = hf.Wav2Vec2BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, add_adapter=False,
        conv_depthwise_kernel_size=7, mask_time_prob=0.0,
    )  # fmt: skip
    return _saved(hf.Wav2Vec2BertModel(config).eval(), hf.SeamlessM4TFeatureExtractor(), folder)


def moonshine(folder: Path) -> tuple[Any, Any, Path]:
    """A speech-to-text model, whose decoder wants words."""
    torch.manual_seed(0)
    config = hf.MoonshineConfig(
        hidden_size=32, intermediate_size=64, encoder_num_hidden_layers=1, decoder_num_hidden_layers=1,
        encoder_num_attention_heads=2, decoder_num_attention_heads=2, vocab_size=50,
    )  # fmt: skip
    extractor = hf.Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    return _saved(hf.MoonshineModel(config).eval(), extractor, folder)


def _saved(model: Any, extractor: Any, folder: Path) -> tuple[Any, Any, Path]:
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return model, extractor, folder


def sound(seconds: float, n: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(n, round(16_000 * seconds), generator=torch.Generator().manual_seed(1))


def test_encoder_without_a_network_of_ours_conforms_to_its_card(tmp_path: Path) -> None:
    *_, folder = bert(tmp_path)
    card = hf_card(str(folder))
    assert (card.offers, card.n_features, card.n_layers) == (("layers", "pooled"), 32, 2)
    assert check_network(card, build(folder, **card.options)) == []


@torch.no_grad()
def test_embedding_is_the_time_mean_behind_the_own_feature_extractor(tmp_path: Path) -> None:
    model, extractor, folder = bert(tmp_path)
    audio = sound(1.0)
    audio[0, 8_000:] = 0.0  # a clip that does not fill its window
    found = build(folder).body(audio, layers=(1,))
    for k, length in enumerate((8_000, 16_000)):
        given = extractor([audio[k, :length].numpy()], sampling_rate=16_000, return_tensors="pt")
        theirs = model(**given, output_hidden_states=True)
        assert torch.allclose(found.pooled[k], theirs.last_hidden_state.mean(1)[0], atol=1e-5)
        tokens = theirs.hidden_states[2][0]
        assert torch.allclose(found.layers[1][k, : len(tokens)], tokens, atol=1e-5)


@torch.no_grad()
def test_layer_is_what_pooled_is_the_time_mean_of(tmp_path: Path) -> None:
    *_, folder = bert(tmp_path)
    found = build(folder, layer=0).body(sound(1.0), layers=(0,))
    assert torch.allclose(found.pooled, found.layers[0].mean(1), atol=1e-6)


def test_missing_weight_is_refused_and_a_head_that_is_not_used_is_left_out(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    *_, folder = bert(tmp_path)
    path = folder / "model.safetensors"
    state = load_file(path)
    save_file({**state, "lm_head.weight": torch.zeros(3, 32)}, path, metadata={"format": "pt"})
    assert build(folder)
    first = sorted(state)[0]
    save_file({name: value for name, value in state.items() if name != first}, path, metadata={"format": "pt"})
    with pytest.raises(BadInput, match="weights do not fit"):
        build(folder)


def _no_encoder(folder: Path) -> None:
    moonshine(folder)


def _unknown(folder: Path) -> None:
    bert(folder)
    _change(folder / "config.json", model_type="songformer")


def _broken_extractor(folder: Path) -> None:
    bert(folder)
    _change(folder / "preprocessor_config.json", feature_extractor_type="NoSuchExtractor")


def _no_width(folder: Path) -> None:
    bert(folder)
    held = json.loads((folder / "config.json").read_text())
    del held["hidden_size"]
    (folder / "config.json").write_text(json.dumps(held))


def _change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (_no_encoder, "a moonshine is no encoder that takes audio alone"),
        (_unknown, "has no encoder of type 'songformer', and code that comes with a model is never run"),
        (_broken_extractor, "its feature extractor cannot be loaded"),
        (_no_width, "says none of hidden_size, d_model"),
    ],
)
def test_what_is_no_audio_encoder_is_refused_in_one_line(
    broken: Callable[[Path], None], says: str, tmp_path: Path
) -> None:
    broken(tmp_path)
    with pytest.raises(BadInput) as caught:
        build(tmp_path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
