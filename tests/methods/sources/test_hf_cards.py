"""The family hf:ID: cards that are made of JSON alone, and where a repository is looked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mirbench.errors import BadInput, MissingData
from mirbench.methods.sources.hf_audio import build
from mirbench.methods.sources.hf_cards import hf_card
from tests.methods.sources.test_hf_audio import network_of, normalised, saved, sound, speech, speech_folder

pytestmark = pytest.mark.usefixtures("quiet_hub")


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
