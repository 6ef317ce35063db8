from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from transformers import BertConfig
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function
from transformers.models.bert.modeling_bert import BertLayer

from mirbench.errors import BadInput
from mirbench.methods.taggers.layers import (
    AttentionPool,
    GatedBlock,
    GlobalPool,
    HarmonicFilters,
    LogMel,
    PooledResidual,
    StridedResidual,
    harmonic_centres,
)
from mirbench.methods.taggers.networks import TAGGERS, SpectrumTagger, Tagger
from mirbench.source import SourceCard
from mirbench.trust.checks import check_network

LIGHT = ("musicnn", "cnn1d", "sample-level", "bl-cnn")


def build(name: str, n_classes: int = 50, **options: object) -> Tagger:
    torch.manual_seed(0)
    return TAGGERS[name].build(n_classes, **options).eval()


def sound(n_samples: int, n: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(n, n_samples, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "n_classes", "options", "count"),
    [
        ("fcn", 50, {}, 447_732),
        ("fcn", 50, {"n_bands": 128}, 447_732),
        ("musicnn", 50, {}, 784_300),
        ("musicnn", 50, {"n_bands": 128}, 834_280),
        ("musicnn", 50, {"size": "large"}, 7_972_000),
        ("crnn", 50, {}, 394_100),
        ("crnn", 50, {"n_bands": 128}, 394_100),
        ("sample-level", 50, {}, 1_869_874),
        ("sample-level-se", 50, {}, 6_951_858),
        ("self-attention", 50, {}, 10_521_652),
        ("harmonic-cnn", 50, {}, 3_631_551),
        ("short-chunk", 50, {}, 3_687_348),
        ("short-chunk-res", 50, {}, 12_104_244),
        ("fcn4", 50, {}, 17_365_938),
        ("fcn4", 50, {"batch_norm": False}, 17_359_282),
        ("cnn1d", 50, {}, 1_257_778),
        ("cnn1d", 40, {"n_hidden": 2048}, 8_607_016),
        ("cnn1d", 50, {"n_hidden": 2048}, 8_627_506),
        ("bl-cnn", 10, {}, 222_911),
        ("bl-cnn", 10, {"n_channels": 54}, 252_407),
        ("bl-cnn", 10, {"layout": "four-resnet-blocks"}, 160_260),
    ],
)
def test_parameters_are_as_many_as_in_the_authors_code(
    name: str, n_classes: int, options: dict[str, object], count: int
) -> None:
    assert sum(p.numel() for p in build(name, n_classes, **options).parameters()) == count


@torch.no_grad()
@pytest.mark.parametrize(("first_layer", "n_channels"), [("both", 561), ("frequency", 408), ("time", 153)])
def test_first_layer_of_musicnn_has_the_filters_that_it_names(first_layer: str, n_channels: int) -> None:
    tagger = build("musicnn", first_layer=first_layer)
    # convolution with bias, and batch norm, of: tall filters, long ones, back end; two linear layers with a batch norm
    tall, long = (204 * (height * 7 + 3) for height in (67, 38)), (51 * (k + 3) for k in (129, 65, 33))
    first = {"frequency": sum(tall), "time": sum(long)}
    own = sum(first.values()) if first_layer == "both" else first[first_layer]
    back = 64 * (7 * n_channels + 3) + 2 * 64 * (7 * 64 + 3)
    n_features = 2 * (n_channels + 3 * 64)
    count = 2 + own + back + 200 * (n_features + 3) + 50 * 201
    assert sum(p.numel() for p in tagger.parameters()) == count
    picture = tagger.frontend(sound(48_000))  # type: ignore[attr-defined]
    assert tagger.body(picture, layers=(0,)).layers[0].shape == (1, 188, n_channels)
    # tall filters see pitch: shifting the bands moves them; long ones see the mean of the bands alone
    mean = picture.mean(dim=2, keepdim=True).expand_as(picture)
    same = torch.allclose(tagger.body(mean).pooled, tagger.body(picture).pooled, atol=1e-4)
    assert same == (first_layer == "time")


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("fcn", (96, 1813)), ("musicnn", (96, 188)), ("crnn", (96, 1813)), ("self-attention", (128, 938)),
        ("harmonic-cnn", (257, 313)), ("short-chunk", (128, 231)), ("short-chunk-res", (128, 231)),
        ("fcn4", (96, 1366)), ("cnn1d", (128, 599)), ("bl-cnn", (513, 313)),
    ],
)  # fmt: skip
def test_front_ends_make_as_many_frames_as_the_papers(name: str, shape: tuple[int, int]) -> None:
    network = build(name)
    assert isinstance(network, SpectrumTagger)
    assert network.frontend(sound(TAGGERS[name].n_samples)).shape == (1, 1, *shape)


@pytest.mark.parametrize("name", [n if n in LIGHT else pytest.param(n, marks=pytest.mark.slow) for n in TAGGERS])
def test_every_network_has_the_three_stages_of_a_source(name: str) -> None:
    architecture, network = TAGGERS[name], build(name, 7)
    audio = sound(architecture.n_samples)
    with torch.no_grad():
        picture = network.frontend(audio) if isinstance(network, SpectrumTagger) else audio
        pooled = network.body(picture).pooled
        assert torch.equal(network(audio), network.head(pooled))
    card = SourceCard(
        name=name, title="", kind="network", builder="", sample_rate=architecture.sample_rate,
        seconds=architecture.seconds, n_features=pooled.shape[1], n_outputs=7, n_layers=len(network.blocks),
        n_parameters=sum(p.numel() for p in network.parameters()), n_bands=picture.shape[-2],
        n_frames=picture.shape[-1],
        offers=("frontend", "body", "layers", "pooled", "head") if picture.ndim == 4 else ("body", "layers", "head"),
    )  # fmt: skip
    assert check_network(card, network) == []


@torch.no_grad()
@pytest.mark.parametrize(("name", "n_frames"), [("fcn", 1280), ("musicnn", 30), ("crnn", 96)])
def test_networks_of_128_bands_reduce_them_to_as_many_features(name: str, n_frames: int) -> None:
    wide, narrow = build(name, n_bands=128), build(name)
    pooled = [network.body(torch.randn(1, 1, n, n_frames)).pooled for network, n in ((wide, 128), (narrow, 96))]
    assert pooled[0].shape == pooled[1].shape


def test_musicnn_refuses_an_unknown_size() -> None:
    with pytest.raises(BadInput, match="small or large"):
        build("musicnn", size="msd")


@torch.no_grad()
@pytest.mark.parametrize("n_bands", [96, 128])
def test_log_mel_equals_that_of_transformers(n_bands: int) -> None:
    wave = sound(16_000)
    front = LogMel(n_bands).eval()
    front.norm.running_mean.fill_(-20.0)
    front.norm.running_var.fill_(16.0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At least one mel filter has all zero values")
        filters = mel_filter_bank(257, n_bands, 0.0, 8000.0, 16_000, norm=None, mel_scale="htk")
    theirs = spectrogram(
        wave[0].numpy(), window_function(512, "hann"), 512, 256, power=2.0, mel_filters=filters, mel_floor=1e-10
    )
    expected = (10.0 * np.log10(theirs) + 20.0) / 4.0
    assert np.allclose(front(wave)[0, 0].numpy(), expected, atol=5e-3)


@pytest.mark.parametrize(("n_harmonics", "n_bands"), [(6, 128), (3, 152)])
def test_harmonic_centres_begin_at_c1_and_keep_every_harmonic_under_half_the_rate(
    n_harmonics: int, n_bands: int
) -> None:
    centres = harmonic_centres(n_harmonics)
    assert centres.shape == (n_harmonics, n_bands)
    assert centres[0, 0].item() == pytest.approx(32.7032, abs=1e-4)  # C1, equal temperament
    assert centres[0, 24].item() == pytest.approx(65.4064, abs=1e-4)  # an octave is 24 bands
    assert torch.allclose(centres[-1], n_harmonics * centres[0])
    assert centres.max() < 8000.0


@torch.no_grad()
@pytest.mark.parametrize("q", [1.0, 2.5])
def test_harmonic_filters_are_triangles_of_the_printed_width(q: float) -> None:
    filters = HarmonicFilters(3)
    filters.q.fill_(q)
    bins = np.linspace(0.0, 8000.0, 513)
    found = filters.filters(513).numpy()
    for harmonic, band in ((0, 0), (1, 70), (2, 151)):
        centre = float(filters.centres[harmonic, band])
        half = (0.1079 * centre + 24.7) / q / 2
        expected = np.interp(bins, [centre - half, centre, centre + half], [0.0, 1.0, 0.0])
        assert np.allclose(found[harmonic, band], expected, atol=1e-4)


@torch.no_grad()
def test_harmonic_filters_put_a_tone_and_its_overtone_into_one_band() -> None:
    # A3 of 220 Hz is note 57, band 2 * (57 - 24); the second harmonic is heard by the second channel at the same band
    filters = HarmonicFilters(3)
    for hz, harmonic in ((220.0, 0), (440.0, 1), (660.0, 2)):
        spectrum = torch.zeros(1, 1, 8001, 1)
        spectrum[0, 0, round(hz)] = 1.0
        heard = filters(spectrum)[0, harmonic, :, 0]
        assert int(heard.argmax()) == 66
        assert heard.max().item() == pytest.approx(0.0, abs=0.05)  # dB: the tone is on the tip of the triangle


@pytest.mark.parametrize("name", ["harmonic-cnn", "bl-cnn"])
def test_filter_width_is_learnt_in_the_body(name: str) -> None:
    network = build(name, 3)
    assert isinstance(network, SpectrumTagger)
    assert not list(network.front.parameters())
    network(sound(TAGGERS[name].n_samples)).sum().backward()
    (width,) = (p for key, p in network.named_parameters() if key.endswith(".q"))
    assert width.grad is not None
    assert float(width.grad.abs()) > 0


@pytest.mark.parametrize("name", ["musicnn", "harmonic-cnn", "bl-cnn", "cnn1d"])
def test_gradient_is_finite_where_there_is_digital_silence(name: str) -> None:
    wave = sound(TAGGERS[name].n_samples)
    wave[:, : wave.shape[1] // 2] = 0.0
    wave.requires_grad_(True)
    build(name)(wave).sum().backward()
    assert wave.grad is not None
    assert torch.isfinite(wave.grad).all()
    assert float(wave.grad.abs().sum()) > 0


@torch.no_grad()
@pytest.mark.parametrize("name", ["musicnn", "sample-level", "short-chunk", "harmonic-cnn"])
def test_tokens_of_the_first_layer_run_in_time(name: str) -> None:
    wave = sound(TAGGERS[name].n_samples)
    changed = wave.clone()
    changed[:, -1000:] *= 0.5
    network = build(name)
    before, after = (
        network.body(network.frontend(w) if isinstance(network, SpectrumTagger) else w, layers=(0,)).layers[0][0]
        for w in (wave, changed)
    )
    moved = (before - after).abs().amax(dim=1) > 1e-4
    early = int(0.6 * len(moved))  # the longest filters of musicnn see 129 of its 188 frames, a third to each side
    assert moved[-1]
    assert not moved[: early if name != "musicnn" else len(moved) // 2].any()


@torch.no_grad()
def test_musicnn_joins_all_layers_maxima_before_means() -> None:
    network = build("musicnn")
    found = network.body(network.frontend(sound(48_000)), layers=(0, 1))
    maxima, means = found.pooled[0, :753], found.pooled[0, 753:]
    for channels, layer in ((slice(0, 561), 0), (slice(561, 625), 1)):
        assert torch.allclose(maxima[channels], found.layers[layer][0].amax(dim=0), atol=1e-6)
        assert torch.allclose(means[channels], found.layers[layer][0].mean(dim=0), atol=1e-6)


@torch.no_grad()
def test_crnn_pools_what_the_recurrent_network_holds_last() -> None:
    network = build("crnn")
    heard = torch.randn(1, 128, 1, 18)
    states = network.pool.gru(heard[:, :, 0].transpose(1, 2))[1]
    assert torch.allclose(network.pool(heard), states[-1], atol=1e-6)


def test_global_pool_joins_statistics_in_the_order_asked() -> None:
    x = torch.tensor([[[3.0, 4.0], [0.0, -1.0]]])
    assert GlobalPool(("mean", "max", "l2"))(x).tolist() == [[3.5, -0.5, 4.0, 0.0, 5.0, 1.0]]


def silent(block: torch.nn.Module) -> torch.nn.Module:
    """Convolutions at zero, batch norms as they begin."""
    for module in block.modules():
        if isinstance(module, torch.nn.Conv1d | torch.nn.Conv2d):
            module.weight.data.zero_()
            module.bias.data.zero_()
    return block.eval()


@torch.no_grad()
def test_residual_blocks_pass_their_input_around_their_convolutions() -> None:
    x = torch.randn(1, 4, 6, 6)
    pooled = torch.nn.functional.max_pool2d(x.relu(), (2, 3))
    assert torch.equal(silent(PooledResidual(4, (2, 3)))(x), pooled)
    assert torch.equal(
        silent(GatedBlock(4, 4, pool=3))(x[:, :, 0]), torch.nn.functional.max_pool1d(x[:, :, 0].relu(), 3)
    )
    assert not silent(StridedResidual(4, 4, 2))(x).any()  # its way around is a convolution too


@torch.no_grad()
def test_attention_pool_equals_the_layers_of_bert() -> None:
    torch.manual_seed(0)
    ours = AttentionPool(256).eval()
    config = BertConfig(
        hidden_size=256, num_attention_heads=8, intermediate_size=1024, hidden_act="gelu", attn_implementation="eager"
    )
    frames = torch.randn(2, 256, 1, 9)
    x = torch.cat([ours.token.expand(2, -1, -1), frames.squeeze(2).transpose(1, 2)], dim=1)
    for layer in ours.layers:
        theirs = BertLayer(config).eval()
        q, k, v = layer.self_attn.in_proj_weight.chunk(3)
        for part, weight, bias in zip(
            ("query", "key", "value"), (q, k, v), layer.self_attn.in_proj_bias.chunk(3), strict=True
        ):
            projection = getattr(theirs.attention.self, part)
            projection.weight.copy_(weight)
            projection.bias.copy_(bias)
        for target, source in (
            (theirs.attention.output.dense, layer.self_attn.out_proj), (theirs.intermediate.dense, layer.linear1),
            (theirs.output.dense, layer.linear2),
        ):  # fmt: skip
            target.load_state_dict(source.state_dict())
        result = theirs(x)
        x = result[0] if isinstance(result, tuple) else result
    expected = torch.tanh(torch.nn.functional.linear(x[:, 0], ours.pooler[0].weight, ours.pooler[0].bias))
    assert torch.allclose(ours(frames), expected, atol=1e-5)


@torch.no_grad()
def test_attention_pool_knows_no_order_of_frames() -> None:
    torch.manual_seed(0)
    pool = AttentionPool(32).eval()
    x = torch.randn(1, 32, 1, 12)
    assert torch.allclose(pool(x), pool(x[..., torch.randperm(12)]), atol=1e-5)


def test_attention_pool_drops_as_the_authors_code_does() -> None:
    for layer in AttentionPool(32).layers:
        assert (layer.self_attn.dropout, layer.dropout1.p, layer.dropout2.p, layer.dropout.p) == (0.5, 0.4, 0.4, 0.0)


@torch.no_grad()
def test_fcn4_reduces_the_picture_to_one_vector() -> None:
    network = build("fcn4")
    found = network.body(torch.randn(1, 1, 96, 1366), layers=(2, 3))
    assert found.layers[2].shape == (1, 8, 4 * 768)
    assert found.layers[3].shape == (1, 1, 2048)


def test_seconds_are_samples_over_the_rate() -> None:
    assert TAGGERS["short-chunk"].seconds == pytest.approx(3.69, abs=0.001)
    assert TAGGERS["fcn4"].seconds == pytest.approx(29.12)
    assert all(math.isclose(a.seconds * a.sample_rate, a.n_samples) for a in TAGGERS.values())
