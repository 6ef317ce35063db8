"""The encoders of docs/encoders.md: read from the page, tried against stand-ins with the real packages' interfaces."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch

from mirbench.features.networks import load_network
from mirbench.methods.sources import own_python
from mirbench.plugin_file import load_plugin
from mirbench.source import SourceCard
from mirbench.trust.encoder_checks import check_encoder
from mirbench.trust.plugin_checks import check_plugin
from tests.pages import fences, text_of
from tests.toys import QUIET

HEARS = """
import torch
from torch import nn
from pathlib import Path
from types import SimpleNamespace

class Ear(nn.Module):
    '''(n, n_samples) -> layers of (n, n_frames, width): the first samples of frames, scaled by the layer.'''
    def __init__(self, width, n_layers, hop):
        super().__init__()
        self.scale = nn.Parameter(torch.arange(1.0, n_layers + 1))
        self.width, self.hop = width, hop
    def hidden(self, audio):
        assert audio.ndim == 2 and audio.dtype == torch.float32 and not self.training and not torch.is_grad_enabled()
        frames = audio.unfold(1, self.hop, self.hop)[:, :, : self.width]
        return tuple(scale * frames for scale in self.scale)
"""

STAND_INS = {
    "MuQEncoder": {
        "muq/__init__.py": HEARS
        + """
import json
class MuQ(Ear):
    @classmethod
    def from_pretrained(cls, name):
        assert json.loads(Path(name, "config.json").read_text())["sr"] == 24000
        return cls(1024, 13, 2400)
    def forward(self, x, attention_mask=None, output_hidden_states=True):
        hidden = self.hidden(x)
        return SimpleNamespace(last_hidden_state=hidden[-1], hidden_states=hidden)
"""
    },
    "MusicFMEncoder": {
        "musicfm/model/musicfm_25hz.py": HEARS
        + """
class MusicFM25Hz(Ear):
    def __init__(self, num_codebooks=1, is_flash=False, stat_path="./data/fma_stats.json", model_path="./data/x.pt"):
        assert Path(stat_path).read_text() == "stats" and Path(model_path).read_text() == "model"
        super().__init__(1024, 13, 960)
    def get_latent(self, x, layer_ix=12):
        return self.hidden(x)[layer_ix]
"""
    },
    "OmarRqEncoder": {
        "omar_rq/__init__.py": HEARS
        + """
class Module(Ear):
    eps = 15.63
    def extract_embeddings(self, audio, layers=None):
        return torch.stack([self.hidden(audio)[layer] for layer in layers])
def get_model(model_id=None, config_file=None, device="cpu", quantization_targets=False, load_weights=True):
    assert model_id == "mtg-upf/omar-rq-multicodebook"
    return Module(1024, 24, 1024).to(device)
"""
    },
    "PannsEncoder": {
        "panns_inference/__init__.py": HEARS
        + """
class Cnn14(Ear):
    def forward(self, input, mixup_lambda=None):
        (embedding,) = (layer.mean(dim=1) for layer in self.hidden(input))
        return {"clipwise_output": torch.sigmoid(embedding[:, :527]), "embedding": embedding}
class AudioTagging(object):
    def __init__(self, model=None, checkpoint_path=None, device="cuda"):
        print("Checkpoint path: {}".format(checkpoint_path))
        assert Path(checkpoint_path).read_text() == "model"
        self.model = (model or Cnn14(2048, 1, 3200)).to(device)
"""
    },
    "PasstEncoder": {
        "hear21passt/base.py": HEARS
        + """
class PasstBasicWrapper(Ear):
    def get_scene_embeddings(self, audio):
        assert audio.shape[1] <= 320000
        (embedding,) = (layer.mean(dim=1) for layer in self.hidden(audio))
        return embedding
def load_model(model_path="", mode="all"):
    return PasstBasicWrapper(1295, 1, 3200)
def get_scene_embeddings(audio, model):
    model.eval()
    with torch.no_grad():
        return model.get_scene_embeddings(audio)
"""
    },
    "Mert2Encoder": {
        "transformers/__init__.py": HEARS
        + """
class Inputs(dict):
    def to(self, device):
        return Inputs({name: value.to(device) for name, value in self.items()})
class AutoFeatureExtractor:
    sampling_rate = 24000
    @classmethod
    def from_pretrained(cls, name, revision="main", trust_remote_code=False):
        assert name == "m-a-p/MERT-v2-30s" and trust_remote_code
        return cls()
    def __call__(self, audio, sampling_rate, return_tensors):
        assert (sampling_rate, return_tensors) == (24000, "pt") and all(window.ndim == 1 for window in audio)
        values = torch.stack([torch.from_numpy(window) for window in audio])
        return Inputs(input_values=values, attention_mask=torch.ones(values.shape, dtype=torch.long))
class AutoModel(Ear):
    @classmethod
    def from_pretrained(cls, name, revision="main", trust_remote_code=False):
        assert name == "m-a-p/MERT-v2-30s" and trust_remote_code
        return cls(1024, 24, 960)
    def forward(self, input_values, attention_mask=None, output_hidden_states=False):
        assert output_hidden_states and attention_mask.shape == input_values.shape
        hidden = self.hidden(input_values)
        mask = torch.ones(hidden[0].shape[:2], dtype=torch.long)
        return SimpleNamespace(last_hidden_state=hidden[-1], hidden_states=hidden, feature_attention_mask=mask)
"""
    },
}
WIDTHS = {"MuQEncoder": 1024, "OmarRqEncoder": 1024, "PannsEncoder": 2048, "PasstEncoder": 1295}
FEWER = 960  # MusicFM's and MERT-v2's stand-ins

EXAMPLES = ("MelStatistics", "Spectrum")


def blocks() -> dict[str, str]:
    """The programs of the page, by the class that each defines."""
    found = {}
    for block in fences(text_of("docs/encoders.md"), "python"):
        (name,) = re.findall(r"^class (\w+)", block, flags=re.MULTILINE)
        found[name] = block
    return found


def recipe(name: str, folder: Path) -> SourceCard:
    """The card of one, which is saved as a file, with its stand-in beside it."""
    for path, text in STAND_INS.get(name, {}).items():
        place = folder / "elsewhere" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (folder / "my_encoder.py").write_text(blocks()[name])
    (card,) = load_plugin(folder / "my_encoder.py").sources.values()
    return card


def weights_of(card: SourceCard, folder: Path) -> list[Path]:
    if card.hub:
        (folder / "config.json").write_text('{"sr": 24000}')
        (folder / "model.safetensors").write_bytes(b"")
        return [folder]
    for file in card.weights:
        (folder / file.file_name).write_text("stats" if file.file_name.endswith("json") else "model")
    return [folder / file.file_name for file in card.weights]


def test_every_recipe_has_a_stand_in_and_every_stand_in_a_recipe() -> None:
    assert set(blocks()) == {*STAND_INS, *EXAMPLES}


def test_recipes_say_that_the_real_weights_were_not_run() -> None:
    assert "**None of the real weights were run here.**" in text_of("docs/encoders.md")


@pytest.mark.parametrize("name", STAND_INS)
def test_recipe_calls_its_package_as_the_package_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = recipe(name, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    for module in [m for m in sys.modules if m.partition(".")[0] in ("transformers", "musicfm")]:
        monkeypatch.delitem(sys.modules, module)
    kind = getattr(sys.modules[card.builder.partition(":")[0]], name)
    monkeypatch.delattr(kind, "python")  # in this process, as far as its stand-in goes
    network = load_network(card, weights_of(card, tmp_path), card.options)
    with torch.no_grad():
        rows = network.body(torch.rand(2, round(card.sample_rate * card.seconds))).pooled
    assert rows.shape == (2, WIDTHS.get(name, FEWER))
    for module in [m for m in sys.modules if m.partition(".")[0] in ("transformers", "musicfm")]:
        del sys.modules[module]


@pytest.mark.slow  # each starts a Python that loads torch
@pytest.mark.parametrize("name", STAND_INS)
def test_recipe_conforms_in_a_python_of_its_own(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = recipe(name, tmp_path)
    kind = getattr(sys.modules[card.builder.partition(":")[0]], name)
    monkeypatch.setenv(kind.python, sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(own_python, "_workers", {})
    try:
        network = load_network(card, weights_of(card, tmp_path), card.options)
        assert check_encoder(card, network) == []
        assert network.elsewhere > 0
    finally:
        for worker in own_python._workers.values():
            worker.stop()


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.slow
def test_example_of_an_encoder_conforms(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_encoder.py").write_text(blocks()[name])
    monkeypatch.setenv("SPECTRUM_PYTHON", sys.executable)
    monkeypatch.setattr(own_python, "_workers", {})
    try:
        (problems,) = check_plugin(load_plugin(tmp_path / "my_encoder.py"), QUIET).values()
        assert problems == []
    finally:
        for worker in own_python._workers.values():
            worker.stop()


def test_first_example_is_ten_lines() -> None:
    lines = [line for line in blocks()["MelStatistics"].splitlines() if line.strip()]
    own = [line for line in lines if not line.startswith("import") and '"""' not in line]
    assert len(own) <= 10
