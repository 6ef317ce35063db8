"""Networks that tag music, from audio to logits: those of Won et al.'s benchmark, of the lecture, and BL-CNN.

Each is a `Tagger` with the three stages of a source network. Harmonic filters learn, and are in the body; a mel front
end learns the batch norm of its one channel. The head is the fully connected classifier, hidden layers included.

References
----------
Won, Ferraro, Bogdanov, Serra (2020), Evaluation of CNN-based automatic music tagging models, SMC; code:
minzwon/sota-music-tagging-models. Nam, GCT634 (lecture). Hung, Yang, Chen, Lerch (2022), arXiv:2211.01317; code:
biboamy/music-repro. The papers of the networks are named in `TAGGERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from mirbench.errors import BadInput
from mirbench.methods.taggers.layers import (
    AttentionPool,
    GatedBlock,
    GlobalPool,
    HarmonicFilters,
    LastStep,
    LogMel,
    ParallelFilters,
    PooledResidual,
    Size,
    Spectrum,
    StridedResidual,
    conv1d_block,
    conv2d_block,
    dense_head,
)
from mirbench.source import Activations

__all__ = ["TAGGERS", "Architecture", "SpectrumTagger", "Tagger"]


class Tagger(nn.Module):
    """A body of blocks and a head on the waveform itself.

    Parameters
    ----------
    blocks : iterable of Module
        One after the other; block k makes layer k.
    pool : Module
        Last block's output -> (n, n_features).
    classifier : Module
        (n, n_features) -> (n, n_classes).

    Attributes
    ----------
    labels : tuple of str
        Names of the classes where the network was loaded trained, else empty.
    """

    labels: tuple[str, ...] = ()

    def __init__(self, blocks: Iterable[nn.Module], pool: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.pool = pool
        self.classifier = classifier

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """Picture, or audio (n, n_samples) where there is no front end -> pooled (n, n_features).

        Layer k is the output of block k: its frames as tokens, (n, n_frames, channels * bands).
        """
        held: dict[int, Tensor] = {}
        x = picture
        for k, block in enumerate(self.blocks):
            x = block(x)
            if k in layers:
                held[k] = _tokens(x)
        return Activations(self.pool(x), held)

    def head(self, pooled: Tensor) -> Tensor:
        """(n, n_features) -> (n, n_classes) logits."""
        logits: Tensor = self.classifier(pooled)
        return logits

    def forward(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, n_classes) logits."""
        return self.head(self.body(audio).pooled)


class SpectrumTagger(Tagger):
    """A `Tagger` behind a front end that makes a picture.

    Parameters
    ----------
    front : Module
        (n, n_samples) -> (n, 1, n_bands, n_frames).
    """

    def __init__(self, front: nn.Module, blocks: Iterable[nn.Module], pool: nn.Module, classifier: nn.Module) -> None:
        super().__init__(blocks, pool, classifier)
        self.front = front

    def frontend(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 1, n_bands, n_frames)."""
        picture: Tensor = self.front(audio)
        return picture

    def forward(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, n_classes) logits."""
        return super().forward(self.frontend(audio))


class Musicnn(SpectrumTagger):
    """Blocks that are all joined before the pooling: 561 channels of the first layer and three of the back end."""

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 1, n_bands, n_frames) -> pooled (n, 2 * channels), maxima and means.

        Layer 0 is the output of the parallel filters, (n, n_frames, 561); layers 1 to 3 are the back end's.
        """
        first, second, third, fourth = self.blocks
        outputs = [first(picture)]
        outputs.append(second(outputs[0]))
        for block in (third, fourth):
            outputs.append(block(outputs[-1]) + outputs[-1])
        held = {k: _tokens(outputs[k]) for k in layers}
        return Activations(self.pool(torch.cat(outputs, dim=1)), held)


def _tokens(x: Tensor) -> Tensor:
    """(n, channels, steps) or (n, channels, bands, frames) -> (n, steps, channels * bands): tokens are in time."""
    return x.flatten(1, -2).transpose(1, 2)


def _linear_head(n_features: int, n_classes: int) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(0.5), nn.Linear(n_features, n_classes))


def _conv2d_blocks(widths: Sequence[int], pools: Sequence[Size], batch_norm: bool = True) -> list[nn.Sequential]:
    pairs = zip(pairwise((1, *widths)), pools, strict=True)
    return [conv2d_block(n_in, n_out, pool, batch_norm) for (n_in, n_out), pool in pairs]


def _max_over_time() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(1, 2), GlobalPool(("max",)))  # one band is left


def fcn(n_classes: int, *, n_bands: int = 96) -> SpectrumTagger:
    """FCN-5 of the benchmark: 29 s become one vector of 64."""
    pools = ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4))
    blocks = _conv2d_blocks((64, 128, 128, 128, 64), pools)
    return SpectrumTagger(LogMel(n_bands), blocks, nn.Flatten(), _linear_head(64, n_classes))


def musicnn(
    n_classes: int,
    *,
    n_bands: int = 96,
    size: Literal["small", "large"] = "small",
    first_layer: Literal["both", "frequency", "time"] = "both",
) -> Musicnn:
    """Musicnn; "large" is what the benchmark trains on MSD: back end 512 and hidden layer 500, not 64 and 200.

    With other than 96 bands the tall filters grow in proportion; the code has them fixed. The first layer has filters
    that are tall, long, or both, as in the benchmark.
    """
    if first_layer not in ("both", "frequency", "time"):
        raise BadInput(f"first_layer {first_layer!r} of musicnn; both, frequency or time is needed")
    if size not in ("small", "large"):
        raise BadInput(f"size {size!r} of musicnn; small or large is needed")
    width, n_hidden = (64, 200) if size == "small" else (512, 500)
    front = ParallelFilters(n_bands, first_layer)
    n_front = front.n_channels
    blocks = [front, *(conv1d_block(n_in, width, 7) for n_in in (n_front, width, width))]
    n_features = 2 * (n_front + 3 * width)
    return Musicnn(LogMel(n_bands), blocks, GlobalPool(("max", "mean")), dense_head(n_features, n_hidden, n_classes))


def crnn(n_classes: int, *, n_bands: int = 96) -> SpectrumTagger:
    """Four convolution blocks, and a GRU over the 18 frames that they leave of 29 s."""
    blocks = _conv2d_blocks((64, 128, 128, 128), (2, 3, 4, 4))
    return SpectrumTagger(LogMel(n_bands), blocks, LastStep(128, 32), _linear_head(32, n_classes))


_SAMPLE_WIDTHS = (128, 128, 128, 256, 256, 256, 256, 256, 256, 512)


def _sample_level(block: Callable[..., nn.Module]) -> list[nn.Module]:
    first = nn.Sequential(nn.Unflatten(1, (1, -1)), block(1, _SAMPLE_WIDTHS[0], stride=3))
    deeper = [block(n_in, n_out, pool=3) for n_in, n_out in pairwise(_SAMPLE_WIDTHS)]
    return [first, *deeper, block(_SAMPLE_WIDTHS[-1], 512, kernel=1)]


def sample_level(n_classes: int) -> Tagger:
    """Convolutions of three samples each: 3 ** 10 samples become one step."""
    return Tagger(_sample_level(conv1d_block), nn.Flatten(), _linear_head(512, n_classes))


def sample_level_se(n_classes: int) -> Tagger:
    """The same with residual blocks under squeeze and excitation."""
    return Tagger(_sample_level(GatedBlock), nn.Flatten(), dense_head(512, 512, n_classes))


def self_attention(n_classes: int) -> SpectrumTagger:
    """Seven residual blocks and two transformer layers over the frames that they leave."""
    widths = (128, 128, 256, 256, 256, 256, 256)
    strides: tuple[Size, ...] = (2, 2, 2, *[(2, 1)] * 4)
    pairs = zip(pairwise((1, *widths)), strides, strict=True)
    blocks = [StridedResidual(n_in, n_out, stride) for (n_in, n_out), stride in pairs]
    return SpectrumTagger(LogMel(128), blocks, AttentionPool(256), _linear_head(256, n_classes))


def harmonic_cnn(n_classes: int) -> SpectrumTagger:
    """Learnt harmonic filters (in the body, behind a power spectrum) and seven blocks; maximum over time."""
    first = nn.Sequential(HarmonicFilters(6), nn.BatchNorm2d(6), conv2d_block(6, 128, 2))
    lower = [PooledResidual(128, 2) for _ in range(3)]
    upper = [conv2d_block(128, 256, 2), *(PooledResidual(256, (2, 3)) for _ in range(2))]
    head = dense_head(256, 256, n_classes)
    return SpectrumTagger(Spectrum(512, power=2.0), [first, *lower, *upper], _max_over_time(), head)


_SHORT_CHUNK_WIDTHS = (128, 128, 256, 256, 256, 256, 512)


def short_chunk(n_classes: int) -> SpectrumTagger:
    """Seven blocks of small filters on 3.69 s; maximum over time."""
    blocks = _conv2d_blocks(_SHORT_CHUNK_WIDTHS, (2,) * 7)
    return SpectrumTagger(LogMel(128), blocks, _max_over_time(), dense_head(512, 512, n_classes))


def short_chunk_res(n_classes: int) -> SpectrumTagger:
    """The same with residual blocks of stride 2."""
    blocks = [StridedResidual(n_in, n_out, 2) for n_in, n_out in pairwise((1, *_SHORT_CHUNK_WIDTHS))]
    return SpectrumTagger(LogMel(128), blocks, _max_over_time(), dense_head(512, 512, n_classes))


def fcn4(n_classes: int, *, batch_norm: bool = True) -> SpectrumTagger:
    """FCN-4 of the lecture's slide: 96 bands × 1366 frames become one vector of 2048.

    The slide says nothing of dropout: as in `fcn`, one before the last layer. The input is standardised by a batch norm
    without parameters, so that they are the slide's.
    """
    pools = ((2, 4), (4, 5), (3, 8), (4, 8))
    blocks = _conv2d_blocks((128, 384, 768, 2048), pools, batch_norm)
    front = LogMel(96, sample_rate=12_000, affine=False)
    return SpectrumTagger(front, blocks, nn.Flatten(), _linear_head(2048, n_classes))


def cnn1d(n_classes: int, *, n_hidden: int = 0) -> SpectrumTagger:
    """The lecture's 1-D CNN: bands are channels, filters four frames long; mean, maximum and L2 norm over time.

    `n_hidden` is the width of two hidden layers before the last, or 0 for none. The lecture names no front end: here it
    is that of the benchmark, standardised without parameters.
    """
    widths = (128, 256, 256, 256, 512)
    blocks = [
        nn.Sequential(nn.Conv1d(n_in, n_out, 4), nn.ReLU(), nn.MaxPool1d(pool))
        for (n_in, n_out), pool in zip(pairwise(widths), (4, 2, 2, 1), strict=True)
    ]
    blocks[0].insert(0, nn.Flatten(1, 2))  # (n, 1, bands, frames) -> (n, bands, frames)
    sizes = (3 * 512, n_hidden, n_hidden) if n_hidden else (3 * 512,)
    hidden = [module for n_in, n_out in pairwise(sizes) for module in (nn.Linear(n_in, n_out), nn.ReLU())]
    head = nn.Sequential(*hidden, nn.Linear(sizes[-1], n_classes))
    return SpectrumTagger(LogMel(128, affine=False), blocks, GlobalPool(("mean", "max", "l2")), head)


def bl_cnn(
    n_classes: int, *, n_channels: int = 50, layout: Literal["code", "four-resnet-blocks"] = "code"
) -> SpectrumTagger:
    """BL-CNN of hung2022: harmonic filters on magnitudes, learnt in the body, four blocks and a linear layer on 10 s.

    50 channels as printed; the code has 54. Its first block is a plain one. The paper's words are four ResNet blocks,
    here on a mel spectrogram, which is standardised without parameters, with a global mean behind them: 160,260
    parameters with 50 channels and 10 classes.
    """
    if layout == "four-resnet-blocks":
        residual = [PooledResidual(n_channels, 2, 1), *(PooledResidual(n_channels, 2) for _ in range(3))]
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return SpectrumTagger(LogMel(128, affine=False), residual, pool, nn.Linear(n_channels, n_classes))
    first = nn.Sequential(HarmonicFilters(3), conv2d_block(3, n_channels, 2))
    blocks = [first, *(PooledResidual(n_channels, 2) for _ in range(3))]
    head = nn.Linear(n_channels * 9 * 19, n_classes)  # 152 bands and 313 frames, halved four times
    return SpectrumTagger(Spectrum(1024, power=1.0), blocks, nn.Flatten(), head)


@dataclass(frozen=True)
class Architecture:
    """What a network takes, and how it is made.

    Parameters
    ----------
    build : callable
        ``build(n_classes, **options)`` returns a `Tagger` at random weights.
    sample_rate, n_samples : int
        Its input: the rate in Hz, and the length of the window.
    n_bands : int
        Bands that its first convolutions see, before options; 0 for raw audio.
    reference : str
        Its paper.
    """

    build: Callable[..., Tagger]
    n_samples: int
    n_bands: int
    reference: str
    sample_rate: int = 16_000

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.n_samples / self.sample_rate


_RATE = 16_000
_WON = "Won, Ferraro, Bogdanov, Serra (2020), Evaluation of CNN-based automatic music tagging models, SMC"
_CHOI = "Choi, Fazekas, Sandler (2016), Automatic tagging using deep convolutional neural networks, ISMIR"

TAGGERS: Mapping[str, Architecture] = {
    "fcn": Architecture(fcn, 29 * _RATE, 96, f"{_CHOI}; as in {_WON}"),
    "musicnn": Architecture(
        musicnn, 3 * _RATE, 96,
        f"Pons et al. (2018), End-to-end learning for music audio tagging at scale, ISMIR; as in {_WON}",
    ),
    "crnn": Architecture(
        crnn, 29 * _RATE, 96,
        f"Choi et al. (2017), Convolutional recurrent neural networks for music classification, ICASSP; as in {_WON}",
    ),
    "sample-level": Architecture(
        sample_level, 3**10, 0,
        "Lee et al. (2017), Sample-level deep convolutional neural networks for music auto-tagging using raw "
        "waveforms, SMC",
    ),
    "sample-level-se": Architecture(
        sample_level_se, 3**10, 0,
        "Kim, Lee, Nam (2018), Sample-level CNN architectures for music auto-tagging using raw waveforms, ICASSP",
    ),
    "self-attention": Architecture(
        self_attention, 15 * _RATE, 128,
        "Won, Chun, Serra (2019), Toward interpretable music tagging with self-attention, arXiv:1906.04972",
    ),
    "harmonic-cnn": Architecture(
        harmonic_cnn, 5 * _RATE, 128,
        "Won et al. (2020), Data-driven harmonic filters for audio representation learning, ICASSP",
    ),
    "short-chunk": Architecture(short_chunk, 3**10, 128, _WON),
    "short-chunk-res": Architecture(short_chunk_res, 3**10, 128, _WON),
    "fcn4": Architecture(fcn4, 1365 * 256, 96, f"{_CHOI}; as on the slide of Nam, GCT634", 12_000),
    "cnn1d": Architecture(cnn1d, 598 * 256, 128, "Nam, GCT634; after Dieleman (2014), Spotify's recommendations"),
    "bl-cnn": Architecture(bl_cnn, 10 * _RATE, 152, "Hung, Yang, Chen, Lerch (2022), arXiv:2211.01317"),
}  # fmt: skip
