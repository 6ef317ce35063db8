from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torchvision.models import VisionTransformer, vit_b_16
from torchvision.transforms import v2

from mirbench.errors import BadInput
from mirbench.features import audio
from mirbench.features.bound import fold_batch_norm
from mirbench.features.weights import find_weights
from mirbench.methods.sources import images
from mirbench.methods.sources.image_cards import CORAL_MOBILENETV2, INCEPTION_V3, VIT_B16, timm_card
from mirbench.methods.sources.images import ImageNetwork, TimmTrunk, VitTrunk
from mirbench.progress import Progress
from mirbench.source import SourceCard
from mirbench.trust.checks import check_network
from mirbench.types import Excerpt

SMALL = ("test_vit", "test_resnet", "test_efficientnet", "test_convnext")


def small(name: str = "test_vit", **options: Any) -> ImageNetwork:
    torch.manual_seed(0)
    return ImageNetwork(TimmTrunk(timm.create_model(name)), **options).eval()


def small_vit() -> VisionTransformer:
    torch.manual_seed(0)
    network = VisionTransformer(32, 8, 3, 4, 24, 48, num_classes=7).eval()
    torch.nn.init.normal_(network.heads.head.weight)  # torchvision begins with zeros
    return network


def files(height: int = 288, width: int = 432, n: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, height, width), generator=torch.Generator().manual_seed(1)).float()


def folder_of(name: str, folder: Path) -> Any:
    """A model of timm as its repository on the hub holds it."""
    from timm.models import save_for_hf

    torch.manual_seed(0)
    network = timm.create_model(name).eval()
    save_for_hf(network, folder, safe_serialization=True)
    return network


def parameters(network: Any) -> int:
    return sum(p.numel() for p in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize("name", SMALL)
def test_stages_agree_with_the_classifier_of_timm(name: str) -> None:
    network = small(name)
    x = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    found = network.trunk(x)
    assert torch.allclose(network.head(found.pooled), network.trunk.network(x), atol=1e-5)
    with_layers = network.trunk(x, layers=(1, 3))
    assert set(with_layers.layers) == {1, 3}
    assert torch.allclose(with_layers.pooled, found.pooled, atol=1e-5)


@torch.no_grad()
def test_stages_agree_with_the_classifier_of_torchvision() -> None:
    network = small_vit()
    trunk = VitTrunk(network)
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    seen = {}
    network.encoder.layers[1].register_forward_hook(lambda module, given, out: seen.update(block=out))
    found = trunk(x, layers=(1,))
    assert torch.allclose(trunk.head(found.pooled), network(x), atol=1e-6)
    assert torch.equal(found.layers[1], seen["block"][:, 1:])
    assert found.layers[1].shape == (2, 16, 24)


@torch.no_grad()
def test_layers_of_a_transformer_are_patches_and_of_a_convolutional_network_columns() -> None:
    picture = torch.rand(1, 1, 128, 431, generator=torch.Generator().manual_seed(0))
    patches = small("test_vit").body(picture, layers=(5,)).layers[5]
    assert patches.shape == (1, 10 * 10, 64)
    network = small("test_resnet")
    columns = network.body(picture, layers=(2,)).layers[2]
    assert columns.shape == (1, 20, 48 * 20)
    # the last moment is seen by the last columns and not by the first
    later = picture.clone()
    later[..., -20:] = 0
    change = (network.body(later, layers=(2,)).layers[2] - columns).abs().amax(dim=(0, 2))
    assert change[-1] > 0
    assert change[0] == 0


@torch.no_grad()
def test_a_spectrogram_reaches_the_trunk_low_frequencies_at_the_bottom_in_three_equal_colours() -> None:
    network = small("test_vit", rendering="asperes", intensity="linear")
    time = torch.arange(44_100) / 44_100
    rgb = network._rgb(network.frontend(torch.sin(2 * torch.pi * 55 * time)[None]))
    assert rgb.shape == (1, 3, 160, 160)
    assert torch.equal(rgb[:, 0], rgb[:, 2])
    row = int(rgb[0, 0].mean(dim=1).argmax())
    band = 12 * np.log2(55 / 20)
    assert row == pytest.approx(160 * (1 - (band + 0.5) / 121), abs=1.5)


@torch.no_grad()
def test_kaggle_crop_is_the_transform_of_rommel2023() -> None:
    network = ImageNetwork(VitTrunk(small_vit()), crop="kaggle")
    pixels = files()
    theirs = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.CenterCrop((218, 348)),
            v2.Resize((32, 32), antialias=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    expected = network.trunk(theirs(pixels.to(torch.uint8))).pooled
    assert torch.allclose(network.body(pixels).pooled, expected, atol=1e-4)


@torch.no_grad()
def test_centre_crop_is_the_evaluation_transform_of_timm() -> None:
    from PIL import Image

    network = small("test_resnet", crop="centre")
    config = timm.data.resolve_data_config(model=network.trunk.network)
    pixels = files(240, 320, 1)
    theirs = timm.data.create_transform(**config)(Image.fromarray(pixels[0].permute(1, 2, 0).byte().numpy()))
    ours = (network._rgb(pixels) - network.mean) / network.std
    assert config["interpolation"] == "bilinear"
    assert (ours[0] - theirs).abs().max() < 0.03  # Pillow rounds to 8 bits between its steps


def test_kaggle_crop_refuses_pictures_of_another_size() -> None:
    with pytest.raises(BadInput, match="crop=none"):
        small(crop="kaggle").body(files(100, 100))


@torch.no_grad()
@pytest.mark.parametrize("resize", ["bilinear", "bicubic"])
def test_pictures_of_any_size_are_resized_as_a_whole(resize: str) -> None:
    network = small("test_vit", resize=resize)
    white = network._rgb(torch.full((1, 3, 50, 700), 255.0))
    assert torch.allclose(white, torch.ones(1, 3, 160, 160))
    edge = torch.zeros(1, 3, 160, 320)
    edge[..., 160:] = 255
    assert torch.allclose(network._rgb(edge)[..., :79], torch.tensor(0.0), atol=1e-6)
    assert torch.allclose(network._rgb(edge)[..., 81:], torch.tensor(1.0), atol=1e-6)


def test_what_is_not_a_picture_is_refused() -> None:
    with pytest.raises(BadInput, match="takes pictures"):
        small().body(torch.zeros(2, 44_100))
    with pytest.raises(BadInput, match="none, kaggle, centre are known"):
        small(crop="kagle")
    with pytest.raises(BadInput, match="rendering is 'cqt'"):
        small(rendering="cqt")


@torch.no_grad()
def test_folding_batch_norm_keeps_the_embedding() -> None:
    network = small("test_resnet")
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2.0)
    before = network.body(files(n=1)).pooled
    n_norms = sum(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    folded = fold_batch_norm(network)
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules()) < n_norms
    assert torch.allclose(folded.body(files(n=1)).pooled, before, atol=1e-4)


@pytest.mark.parametrize("name", ["test_vit", "test_resnet.r160_in1k"])
def test_timm_card_holds_for_its_network(name: str) -> None:
    card = timm_card(name)
    assert card.hub == f"timm/{name.partition('.')[0]}.r160_in1k"
    assert check_network(card, small(name.partition(".")[0])) == []


def test_timm_card_of_a_network_without_a_classifier_of_its_own_offers_no_head() -> None:
    features_only, distilled = timm_card("vit_small_patch16_dinov3"), timm_card("deit_tiny_distilled_patch16_224")
    assert "head" not in features_only.offers
    assert "head" not in distilled.offers
    assert (features_only.n_features, features_only.n_outputs) == (384, 0)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("resnet5", "Did you mean resnet50"),
        ("resnet50.nope", "its tags: a1_in1k"),
        ("test_vit.", "its tags: r160_in1k"),
        ("", "no model of this name"),
    ],
)
def test_timm_card_says_what_is_near_to_an_unknown_name(name: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        timm_card(name)


def test_cards_are_read_without_torch() -> None:
    code = "import sys, mirbench.methods.sources.image_cards; assert not {'torch', 'timm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@torch.no_grad()
def test_build_timm_takes_the_folder_of_the_hub(tmp_path: Path) -> None:
    published = folder_of("test_resnet", tmp_path)
    weights = find_weights(timm_card("test_resnet"), tmp_path, tmp_path / "cache", Progress(quiet=True))
    assert weights is not None
    network = images.build_timm(weights.path, **timm_card("test_resnet").options)
    x = torch.randn(1, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network.head(network.trunk(x).pooled), published(x))
    assert network.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    assert len(network.labels) == 1000
    assert network.labels[0].startswith("tench")


def test_build_timm_refuses_another_model_and_weights_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"model\.safetensors"):
        images.build_timm(tmp_path, architecture="test_resnet")
    folder_of("test_resnet", tmp_path)
    with pytest.raises(BadInput, match="of test_resnet, and test_vit"):
        images.build_timm(tmp_path, architecture="test_vit")
    state = load_file(tmp_path / "model.safetensors")
    save_file({k: v for k, v in state.items() if k != "layer1.0.conv1.weight"}, tmp_path / "model.safetensors")
    with pytest.raises(BadInput, match="not the weights of timm's test_resnet"):
        images.build_timm(tmp_path, architecture="test_resnet")
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="not the weights of timm's test_resnet"):
        images.build_timm(tmp_path, architecture="test_resnet")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(BadInput, match="something that timm did not save"):
        images.build_timm(tmp_path, architecture="test_resnet")


@pytest.mark.parametrize("build", [images.build_vit, images.build_coral])
def test_builders_refuse_files_of_something_else(build: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"no tensors")
    with pytest.raises(BadInput, match="not the weights of"):
        build(path)


def test_published_networks_have_the_counts_of_their_cards_and_papers() -> None:
    with torch.device("meta"):
        vit, inception = vit_b_16(), timm.create_model("inception_v3")
        coral = timm.create_model("mobilenetv2_100", pad_type="same")
    assert parameters(vit) == VIT_B16.n_parameters
    assert parameters(vit.heads) == 769_000
    assert parameters(vit) - parameters(vit.heads) == 85_798_656  # rommel2023's frozen body
    assert parameters(inception) == INCEPTION_V3.n_parameters
    assert inception.num_features == INCEPTION_V3.n_features == 2048  # shtern2017's pool_3
    assert parameters(coral) == CORAL_MOBILENETV2.n_parameters
    assert coral.num_features == CORAL_MOBILENETV2.n_features == 1280


@torch.no_grad()
def test_inception_v3_card_names_the_input_of_the_2015_graph() -> None:
    config = timm.get_pretrained_cfg("inception_v3.tf_in1k")
    assert config.hf_hub_id == INCEPTION_V3.hub
    assert config.input_size == (3, 299, 299)
    # (x - 128) / 128 to within half a grey level
    grey = np.arange(256)
    ours = (grey / 255 - config.mean[0]) / config.std[0]
    assert np.abs(ours - (grey - 128) / 128).max() <= 1 / 127


def test_coral_conforms_to_its_card() -> None:
    torch.manual_seed(0)
    trunk = TimmTrunk(timm.create_model("mobilenetv2_100", pad_type="same"), (0.5,) * 3, (0.5,) * 3)
    assert check_network(CORAL_MOBILENETV2, ImageNetwork(trunk).eval()) == []


@pytest.mark.slow
@pytest.mark.parametrize("card", [VIT_B16, INCEPTION_V3], ids=lambda card: card.name)
def test_networks_of_full_size_conform_to_their_cards(card: SourceCard, tmp_path: Path) -> None:
    torch.manual_seed(0)
    if card.hub:
        folder_of("inception_v3.tf_in1k", tmp_path)
        network = images.build_timm(tmp_path, **card.options)
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):  # timm's own beginning lets its features grow to 1e10
                torch.nn.init.kaiming_normal_(module.weight)
    else:
        vit = vit_b_16()
        torch.nn.init.normal_(vit.heads.head.weight, std=0.01)
        torch.save(vit.state_dict(), tmp_path / "vit.pth")
        network = images.build_vit(tmp_path / "vit.pth", **card.options)
    assert check_network(card, network) == []


def coral(shared: Path, **options: Any) -> ImageNetwork:
    return images.build_coral(shared / "weights" / CORAL_MOBILENETV2.weights[0].file_name, **options)


@pytest.mark.real
def test_coral_published_weights_fit_their_card(shared: Path, tmp_path: Path) -> None:
    weights = find_weights(CORAL_MOBILENETV2, shared / "weights", tmp_path, Progress(quiet=True))
    assert weights is not None
    assert weights.published
    assert check_network(CORAL_MOBILENETV2, images.build_coral(weights.path, **CORAL_MOBILENETV2.options)) == []


@pytest.mark.real
@torch.no_grad()
def test_coral_names_a_palace_on_a_photograph(shared: Path) -> None:
    from sklearn.datasets import load_sample_image

    photograph = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1)[None].float()
    network = coral(shared, crop="centre")
    order = network.head(network.body(photograph).pooled)[0].argsort(descending=True)
    assert network.labels[int(order[0])] == "palace"


@pytest.mark.real
@torch.no_grad()
@pytest.mark.parametrize("rendering", ["mel", "asperes"])
@pytest.mark.slow
def test_coral_tells_classical_from_metal_by_the_nearest_picture(shared: Path, rendering: str) -> None:
    network = coral(shared, rendering=rendering)
    embeddings, genres = [], []
    for genre in ("classical", "metal"):
        for path in sorted((shared / "data" / "gtzan_mini" / "genres" / genre).glob("*.flac")):
            window = audio.cut(audio.read(Excerpt(path), 44_100), [0], 441_000)
            embeddings.append(network.body(network.frontend(torch.from_numpy(window))).pooled[0])
            genres.append(genre)
    rows = torch.nn.functional.normalize(torch.stack(embeddings))
    near = (rows @ rows.T).fill_diagonal_(-1).argmax(dim=1)
    assert len(genres) == 20
    assert np.mean([genres[int(n)] == genre for n, genre in zip(near, genres, strict=True)]) >= 0.9


def test_cards_accept_sound_and_pictures_and_let_seconds_be_set() -> None:
    for card in (CORAL_MOBILENETV2, VIT_B16, INCEPTION_V3, timm_card("test_vit")):
        assert card.accepts == ("audio", "picture")
        assert card.options["seconds"] == card.seconds == 10.0
        assert dataclasses.asdict(card)["license"]
