"""Equality with torchvggish 0.2 is tested where that package can be imported (it needs resampy and soundfile)."""

from __future__ import annotations

import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mirbench.errors import BadInput, NotApplicable
from mirbench.features.weights import find_weights
from mirbench.methods.sources import vggish
from mirbench.methods.sources.embedding_cards import VGGISH
from mirbench.plugin_file import Plugin
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.source import Activations
from mirbench.trust.checks import check_network
from tests.toys import QUIET, splits_of, write_levels


@pytest.fixture(scope="module")
def network() -> vggish.VggishNetwork:
    torch.manual_seed(0)
    return vggish.VggishNetwork().eval()


@pytest.fixture
def torchvggish() -> Any:
    return pytest.importorskip("torchvggish", exc_type=ImportError)


def sound(n_samples: int, n: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(n, n_samples, generator=torch.Generator().manual_seed(1))


def by_hand(wave: np.ndarray) -> np.ndarray:
    """The front end as the paper's code describes it, in double precision: frames, periodic Hann, triangles in mel."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([wave[160 * k : 160 * k + 400] * hann for k in range(96)])
    mel = 1127 * np.log(1 + np.arange(257) * 16_000 / 512 / 700)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    up = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(up, down))
    return np.log(np.abs(np.fft.rfft(frames, 512)) @ triangles + 0.01).T


def test_vggish_frontend_is_the_log_mel_of_the_papers_code(network: vggish.VggishNetwork) -> None:
    wave = sound(15_600, 1)
    picture = network.frontend(wave)[0, 0].numpy()
    assert picture.shape == (64, 96)
    assert np.abs(picture - by_hand(wave[0].double().numpy())).max() < 1e-4


def test_vggish_frontend_of_a_window_differs_only_in_its_last_two_frames(network: vggish.VggishNetwork) -> None:
    wave = sound(15_600, 1)
    whole, window = network.frontend(wave), network.frontend(wave[:, :15_360])
    assert torch.equal(whole[..., :94], window[..., :94])
    assert not torch.allclose(whole[..., 94:], window[..., 94:])


@torch.no_grad()
def test_vggish_equals_torchvggish_from_sound_to_embedding(torchvggish: Any, network: vggish.VggishNetwork) -> None:
    from torchvggish import torchvggish as package

    theirs = package._vgg(postprocess=False).eval()
    theirs.load_state_dict(network.state_dict(), strict=True)
    wave = sound(16_000, 1)[0]
    examples = torchvggish.waveform_to_examples(wave.double().numpy(), 16_000)
    picture = network.frontend(wave[None])
    assert torch.allclose(picture.transpose(2, 3), examples, atol=1e-4)
    expected, found = theirs(examples), network.body(picture).pooled
    assert expected.abs().max() > 1e-3
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_vggish_without_weights_conforms_to_its_card(network: vggish.VggishNetwork) -> None:
    assert check_network(VGGISH, network) == []


@torch.no_grad()
def test_vggish_layers_are_tokens_in_time(network: vggish.VggishNetwork) -> None:
    picture = network.frontend(sound(15_360, 1))
    other = picture.clone()
    other[..., 48:] += 1.0  # the second half of the window
    here, there = (network.body(x, layers=(0, 3)).layers for x in (picture, other))
    assert {k: tuple(tokens.shape) for k, tokens in here.items()} == {0: (1, 48, 2048), 3: (1, 6, 2048)}
    changed = (here[0] != there[0]).any(dim=2)[0]
    assert not changed[:23].any()
    assert changed[24:].all()


def test_vggish_gradient_is_finite_on_digital_silence(network: vggish.VggishNetwork) -> None:
    wave = torch.zeros(1, 15_360)
    wave[0, :400] = 0.1
    wave.requires_grad_(True)
    network.body(network.frontend(wave)).pooled.sum().backward()
    assert wave.grad is not None
    assert torch.isfinite(wave.grad).all()


def test_vggish_refuses_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: Any) -> None:
    monkeypatch.setattr(vggish, "VggishNetwork", lambda: network)  # not another 72 million random numbers
    for content in ({"features.0.weight": torch.zeros(64, 1, 3, 3)}, torch.zeros(3)):
        torch.save(content, tmp_path / "x.pth")
        with pytest.raises(BadInput, match="not the weights of VGGish"):
            vggish.build(tmp_path / "x.pth")


def parameters(seed: int = 0) -> dict[str, np.ndarray]:
    """What the published file holds: arrays in double precision, the mean of any of its shapes."""
    rng = np.random.default_rng(seed)
    matrix = np.linalg.qr(rng.normal(size=(128, 128)))[0] * rng.uniform(0.5, 5.0, (128, 1))
    return {"pca_eigen_vectors": matrix, "pca_means": rng.uniform(0.0, 0.5, (128, 1))}


def postprocessor(folder: Path, content: Any, monkeypatch: pytest.MonkeyPatch) -> vggish.Postprocessor:
    """The postprocessor from a file as that of 2019, its network nothing."""
    torch.save(content, folder / "pca.pth", _use_new_zipfile_serialization=False)
    load = vggish.load_checkpoint
    monkeypatch.setattr(vggish, "VggishNetwork", torch.nn.Module)
    monkeypatch.setattr(
        vggish,
        "load_checkpoint",
        lambda network, path, *how: load(network, path, *how) if path.name == "pca.pth" else network,
    )
    found = vggish.build(folder / "none.pth", folder / "pca.pth", postprocess="pca").postprocessor
    assert isinstance(found, vggish.Postprocessor)
    return found


@torch.no_grad()
@pytest.mark.parametrize("kind", [np.float64, np.float32, torch.as_tensor])
def test_postprocessing_is_white_components_clipped_and_rounded_to_256_levels(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = parameters()
    made = postprocessor(tmp_path, {name: kind(value) for name, value in held.items()}, monkeypatch)
    embeddings = np.random.default_rng(1).exponential(0.4, (50, 128))
    white = (held["pca_eigen_vectors"] @ (embeddings.T - held["pca_means"])).T
    levels = (np.clip(white, -2.0, 2.0) + 2.0) * 255 / 4
    found = made(torch.from_numpy(embeddings).float()).numpy()
    off_the_edge = np.abs(levels % 1 - 0.5) > 1e-3  # where single precision may round to the other side
    assert off_the_edge.mean() > 0.99
    assert np.array_equal(found[off_the_edge], np.rint(levels)[off_the_edge])
    assert np.abs(found - levels).max() < 0.502
    assert (found.min(), found.max()) == (0.0, 255.0)
    assert len(np.unique(found)) == 256


@torch.no_grad()
def test_postprocessing_is_the_same_in_a_run_of_half_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = postprocessor(tmp_path, parameters(), monkeypatch)
    embeddings = sound(128, 20).abs()
    with torch.autocast("cpu", torch.bfloat16):
        half = made(embeddings)
    assert torch.equal(half, made(embeddings))


@torch.no_grad()
def test_postprocessing_is_that_of_torchvggish(
    torchvggish: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvggish.torchvggish import Postprocessor

    held = {name: torch.as_tensor(value).float() for name, value in parameters().items()}
    package = types.SimpleNamespace(_pca_matrix=held["pca_eigen_vectors"], _pca_means=held["pca_means"])
    embeddings = sound(128, 20).abs() * 5
    theirs = Postprocessor.postprocess(package, embeddings)
    assert (postprocessor(tmp_path, parameters(), monkeypatch)(embeddings) - theirs).abs().max() <= 1


@torch.no_grad()
def test_vggish_with_postprocessing_changes_pooled_and_nothing_else(
    network: vggish.VggishNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = postprocessor(tmp_path, parameters(), monkeypatch)
    picture = network.frontend(sound(15_360))
    before = network.body(picture, layers=(3,))
    monkeypatch.setattr(network, "postprocessor", made)
    after = network.body(picture, layers=(3,))
    assert torch.equal(after.layers[3], before.layers[3])
    assert torch.equal(after.pooled, made(before.pooled))
    assert sum(p.numel() for p in network.parameters()) == VGGISH.n_parameters


def test_gradient_through_postprocessing_is_refused_in_one_line(
    network: vggish.VggishNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "postprocessor", vggish.Postprocessor())
    wave = sound(15_360, 1).requires_grad_(True)
    with pytest.raises(NotApplicable, match="--source-set postprocess=none") as caught:
        network.body(network.frontend(wave))
    assert "\n" not in str(caught.value)
    frozen = network.embeddings[0].weight.requires_grad_(False)  # as the shared network
    network.requires_grad_(False)
    try:
        assert network.body(network.frontend(wave.detach())).pooled.shape == (1, 128)
    finally:
        network.requires_grad_(True)
        frozen.requires_grad_(True)


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("code ran",))


@pytest.mark.parametrize(
    "content",
    [
        {"pca_eigen_vectors": np.zeros((128, 128))},
        {"pca_eigen_vectors": np.zeros((64, 128)), "pca_means": np.zeros(128)},
        {"pca_eigen_vectors": np.full((128, 128), Evil(), dtype=object), "pca_means": np.zeros(128)},
        np.zeros(3),
        Evil(),
    ],
    ids=["a part", "another shape", "objects", "no names", "code"],
)
def test_file_that_is_no_postprocessing_is_refused_in_one_line(
    content: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadInput, match=r"pca\.pth: not the weights of VGGish's postprocessing") as caught:
        postprocessor(tmp_path, content, monkeypatch)
    assert "\n" not in str(caught.value)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("core", [b"core", b"_core"], ids=["older", "newer"])
def test_arrays_of_older_and_of_newer_numpy_are_read(core: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pca.pth"
    torch.save(parameters(), path, _use_new_zipfile_serialization=False)
    ours = np._core.multiarray._reconstruct.__module__.encode()
    assert path.read_bytes().count(ours) == 1
    path.write_bytes(path.read_bytes().replace(ours, b"numpy.%s.multiarray" % core))
    made = vggish.load_checkpoint(vggish.Postprocessor(), path, "x", vggish._renamed, vggish._ARRAYS)
    assert np.allclose(made.components, parameters()["pca_eigen_vectors"])


def test_vggish_refuses_an_unknown_postprocessing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--source-set postprocess=whiten: none or pca is needed"):
        vggish.build(tmp_path / "x.pth", postprocess="whiten")


def away(card: Any) -> Any:
    """The card, its publisher out of reach, under another name."""
    extra = {name: replace(file, url="http://127.0.0.1:9/x") for name, file in card.extra_weights.items()}
    (file,) = card.weights
    return replace(card, name="my-vggish", weights=(replace(file, url="http://127.0.0.1:9/x"),), extra_weights=extra)


def test_postprocessing_has_a_hash_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "vggish-10086976.pth").write_bytes(b"network")
    plain = find_weights(away(VGGISH), tmp_path, tmp_path / "cache", QUIET, {"postprocess": "none"})
    (tmp_path / "vggish_pca_params-970ea276.pth").write_bytes(b"components")
    both = find_weights(away(VGGISH), tmp_path, tmp_path / "cache", QUIET, {"postprocess": "pca"})
    assert plain is not None
    assert both is not None
    assert (plain.extra, both.extra) == ((), (tmp_path / "vggish_pca_params-970ea276.pth",))
    assert plain.sha256 != both.sha256
    assert plain.path == both.path


def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunRecord:
    """A run with postprocessing, the network's file in the folder of weights."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "data" / "toy"
    folder.mkdir(parents=True)
    classes = ("low", "high")
    splits = write_levels(splits_of({s: list(classes) for s in ("train", "valid", "test")}, classes, folder))
    (tmp_path / "vggish-10086976.pth").write_bytes(b"network")
    catalogue = Catalogue([Plugin("test", "0" * 64, {"toy": splits[0].task}, {}, {"my-vggish": away(VGGISH)})])
    request = Request(
        "toy", "probe-linear", "my-vggish", seeds=(0,), data=tmp_path / "data", runs=tmp_path / "runs",
        weights=tmp_path, cache=tmp_path / "cache", source_params={"postprocess": "pca"},
    )  # fmt: skip
    (outcome,) = run(request, catalogue, QUIET)
    return outcome.record


def test_run_without_the_file_of_postprocessing_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = recorded(tmp_path, monkeypatch)
    assert record.status == "skipped"
    assert "vggish_pca_params-970ea276.pth is not on this machine" in record.reason
    assert "\n" not in record.reason


class Level(torch.nn.Module):
    def frontend(self, audio: torch.Tensor) -> torch.Tensor:
        return audio

    def body(self, picture: torch.Tensor, layers: tuple[int, ...] = ()) -> Activations:
        return Activations(picture[:, :128])


def test_run_hands_both_files_to_the_builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def build(*paths: Path, **options: str) -> Level:
        asked.append((*(path.name for path in paths), options))
        return Level()

    monkeypatch.setattr(vggish, "build", build)
    (tmp_path / "vggish_pca_params-970ea276.pth").write_bytes(b"components")
    assert recorded(tmp_path, monkeypatch).status == "done"
    assert asked == [("vggish-10086976.pth", "vggish_pca_params-970ea276.pth", {"postprocess": "pca"})]


@pytest.mark.slow
def test_vggish_reads_its_own_weights_back(tmp_path: Path, network: vggish.VggishNetwork) -> None:
    torch.save(network.state_dict(), tmp_path / "x.pth", _use_new_zipfile_serialization=False)  # as that of 2019
    read = vggish.build(tmp_path / "x.pth")
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in read.state_dict().items())
