"""The taggers of Won et al.'s benchmark, the lecture's two networks and hung2022's BL-CNN, trained from scratch.

References
----------
Won, Ferraro, Bogdanov, Serra (2020), Evaluation of CNN-based automatic music tagging models, SMC; code:
minzwon/sota-music-tagging-models. The slides of Nam, GCT634. Each network's own paper is in
`mirbench.methods.taggers.networks.TAGGERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from mirbench import AnySplit
from mirbench.errors import BadInput
from mirbench.method import require_least
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.training.schedules import crop_draw, cut_to, hung2022_clips, hung2022_phases
from mirbench.types import FloatArray, IntArray, Split

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mirbench import Context
    from mirbench.method import Part
    from mirbench.methods.taggers.networks import Architecture
    from mirbench.methods.training import Draw, Inputs, Loss, Phase, Recipe
    from mirbench.source import SourceCard

__all__ = [
    "BlCnn", "Cnn1d", "Crnn", "Fcn", "Fcn4", "FrameLevel", "HarmonicCnn", "Musicnn", "SampleLevel", "SampleLevelSe",
    "SelfAttention", "ShortChunk", "ShortChunkRes", "TaggerMethod",
]  # fmt: skip


@dataclass(frozen=True)
class TaggerMethod(NetworkMethod):
    """What all have in common; the recipe is the benchmark's.

    Parameters
    ----------
    schedule : {"won2020", "constant"}
        Adam for 80 epochs, then SGD at 1e-3 for 20, 1e-4 for 20 and 1e-5 for the rest of 200, from the best weights
        each time (its momentum goes on through changes of rate, as in the benchmark); or Adam throughout.
    items : {"random-crops", "chunks"}
        One crop at a random place of every clip an epoch, or every window once.
    select : {"loss", "score"}
        The epoch of the lowest loss on valid, or of the best score.

    Notes
    -----
    The benchmark averages 16 windows at equal steps: ``--windows hopped16``.
    """

    epochs: int = 200
    weight_decay: float = 1e-4
    schedule: Literal["won2020", "constant"] = "won2020"
    items: Literal["random-crops", "chunks"] = "random-crops"
    select: Literal["loss", "score"] = "loss"

    version: ClassVar[str] = "3"

    @property
    def architecture(self) -> Architecture:
        """The network's entry in the table."""
        from mirbench.methods.taggers.networks import TAGGERS

        return TAGGERS[self.name]

    def options(self) -> Mapping[str, Any]:
        """Options of the network among the hyperparameters."""
        return {}

    def own_network(self, n_classes: int) -> tuple[nn.Module, float, int]:
        """The network with these settings, the seconds of a window, and their rate: what a run costs is told by it."""
        held = self.architecture
        return held.build(n_classes, **self.options()), held.seconds, held.sample_rate

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """The network, from audio to logits."""
        import torch

        built = self.architecture.build(len(split.classes), **self.options())
        # the layout in which a CPU convolves most pictures faster (tests/perf); numbers differ by rounding alone
        last = context.device.type == "cpu"
        return built.to(memory_format=torch.channels_last) if last else built

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Audio windows."""
        from mirbench.methods.training import Inputs

        return Inputs.of(context.audio(split, self.architecture.sample_rate, self.architecture.seconds))

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """All of audio, and masks where there is a spectrogram."""
        return ("masks", "levels", "mixup") if self.architecture.n_bands else ("levels", "mixup")

    def reads(self, split: AnySplit, part: Part, context: Context) -> None:
        """Nothing of train where that is heard in random crops, which are decoded afresh."""
        if part != "train" or self.items == "chunks":
            super().reads(split, part, context)

    def draw(self, context: Context, train: Split, seed: int) -> Draw | None:
        """A crop of every clip, in random order."""
        import torch

        if self.items == "chunks":
            return None

        def inputs(crops: FloatArray) -> tuple[Tensor, ...]:
            return (torch.from_numpy(crops).to(context.device),)

        rate, seconds = self.architecture.sample_rate, self.architecture.seconds
        return crop_draw(context, train, rate, seconds, self.order(len(train)), inputs)

    def order(self, n_clips: int) -> Callable[[np.random.Generator], Iterable[IntArray]]:
        """The clips of each batch of an epoch of crops."""
        from mirbench.methods.training import in_batches

        return lambda generator: in_batches(generator.permutation(n_clips), self.batch_size)

    def loss(self, kind: str) -> Loss:
        """Binary cross entropy on every class that is known, also where a clip has one; squared error of values."""
        from mirbench.methods.training import loss_of

        return loss_of(kind, independent=True)

    def phases(self) -> tuple[Phase, ...]:
        """Of the schedule that was chosen."""
        from mirbench.methods.training import Phase

        if self.schedule == "constant":
            return super().phases()
        decay = self.weight_decay
        adam = Phase(80, self.lr, weight_decay=decay)
        slower = [Phase(20, lr, "sgd", decay, from_best=True, goes_on=lr < 1e-3) for lr in (1e-3, 1e-4, 1e-5)]
        return cut_to(self.epochs, (adam, *slower))

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """With the selection that was chosen."""
        return replace(super().recipe(module, kind), select=self.select)


@dataclass(frozen=True)
class _WithBands(TaggerMethod):
    """A tagger of 96 mel bands, or of the 128 of the benchmark's other rows."""

    n_bands: Literal[96, 128] = 96

    def options(self) -> Mapping[str, Any]:
        """The bands."""
        return {"n_bands": self.n_bands}


@dataclass(frozen=True)
class Fcn(_WithBands):
    """FCN: five convolutions of 29 s."""

    name = "fcn"


@dataclass(frozen=True)
class Crnn(_WithBands):
    """CRNN: four convolutions and two recurrent layers, 29 s."""

    name = "crnn"


@dataclass(frozen=True)
class Musicnn(_WithBands):
    """Musicnn: convolutions of musically motivated shapes, 3 s.

    Parameters
    ----------
    size : {"small", "large"}
        Of the back end: as for MagnaTagATune and MTG-Jamendo, or as for the Million Song Dataset.
    first_layer : {"both", "frequency", "time"}
        Shapes of the filters of the first layer: tall ones for timbre, long ones for rhythm, or both. The lecture
        orders them on Ballroom: both, time, frequency.
    """

    size: Literal["small", "large"] = "small"
    first_layer: Literal["both", "frequency", "time"] = "both"

    name = "musicnn"

    def options(self) -> Mapping[str, Any]:
        """Bands, size and first layer."""
        return {**super().options(), "size": self.size, "first_layer": self.first_layer}


@dataclass(frozen=True)
class SampleLevel(TaggerMethod):
    """Sample-level CNN: ten convolutions of the waveform, 3.69 s."""

    name = "sample-level"


@dataclass(frozen=True)
class SampleLevelSe(TaggerMethod):
    """Sample-level CNN with squeeze and excitation."""

    name = "sample-level-se"


@dataclass(frozen=True)
class SelfAttention(TaggerMethod):
    """Self-attention over a convolutional front end, 15 s."""

    name = "self-attention"


@dataclass(frozen=True)
class HarmonicCnn(TaggerMethod):
    """Harmonic CNN: trainable harmonic filters, 5 s."""

    name = "harmonic-cnn"


@dataclass(frozen=True)
class ShortChunk(TaggerMethod):
    """Short-chunk CNN: seven convolutions, 3.69 s."""

    name = "short-chunk"


@dataclass(frozen=True)
class ShortChunkRes(TaggerMethod):
    """Short-chunk CNN with residual blocks."""

    name = "short-chunk-res"


@dataclass(frozen=True)
class Fcn4(TaggerMethod):
    """FCN-4 of the lecture's slide, 29.1 s at 12 kHz.

    Parameters
    ----------
    batch_norm : bool
        Whether its convolutions are normalised.
    """

    batch_norm: bool = True

    name = "fcn4"

    def options(self) -> Mapping[str, Any]:
        """Normalisation."""
        return {"batch_norm": self.batch_norm}


@dataclass(frozen=True)
class Cnn1d(TaggerMethod):
    """The lecture's 1-D CNN: mel bands as channels, 9.6 s.

    Parameters
    ----------
    n_hidden : int
        Units of each of two layers before the last, 2048 in Dieleman's; 0 for none.
    """

    n_hidden: int = 0

    name = "cnn1d"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_hidden < 0:
            raise BadInput(f"{self.name}: n_hidden must be at least 0")

    def options(self) -> Mapping[str, Any]:
        """Hidden units."""
        return {"n_hidden": self.n_hidden}


@dataclass(frozen=True)
class FrameLevel(TaggerMethod):
    """Frame-level CNN of Dieleman & Schrauwen (2014): filters as long as a frame on the waveform, 3 s.

    The slide gives lengths, strides and results. Of the paper are three seconds, 128 mel bands, the compression, two
    convolutions of 32 filters of eight frames with maxima of four, dense layers of 100 and of the classes, ReLU, and
    the mean over the windows of a clip (not checked against its print). Ours: as many filters on the waveform as in the
    other layers, zeros at the ends of what is convolved (without them the longest frames would leave none), magnitudes,
    Adam, and the epoch of the lowest loss on valid.

    Parameters
    ----------
    hears : {"waveform", "spectrogram"}
        Filters that learn, or mel bands of frames of the same length and stride.
    length, stride : int
        Of a frame, in samples at 16 kHz; the lecture prints 1024/1024, 1024/512, 512/512, 512/256 and 256/256.
    n_filters : int
        That learn from the waveform.

    References
    ----------
    Dieleman, Schrauwen (2014), End-to-end learning for music audio, ICASSP; table on the slides of Nam, GCT634.
    """

    epochs: int = 100
    lr: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["won2020", "constant"] = "constant"
    hears: Literal["waveform", "spectrogram"] = "waveform"
    length: int = 256
    stride: int = 256
    n_filters: int = 32

    name = "frame-level"
    version: ClassVar[str] = "1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.length, self.stride, self.n_filters) < 1 or max(self.length, self.stride) > 2048:
            raise BadInput(f"{self.name}: length and stride must be 1 to 2048 samples, n_filters at least 1")

    @property
    def architecture(self) -> Architecture:
        """The network."""
        from mirbench.methods.taggers.frame_level import FRAME_LEVEL

        return FRAME_LEVEL

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """All of audio, and masks where it hears a spectrogram."""
        return ("masks", "levels", "mixup") if self.hears == "spectrogram" else ("levels", "mixup")

    def options(self) -> Mapping[str, Any]:
        """What it hears, and its frames."""
        return {"hears": self.hears, "length": self.length, "stride": self.stride, "n_filters": self.n_filters}


@dataclass(frozen=True)
class BlCnn(TaggerMethod):
    """BL-CNN of hung2022: a trainable harmonic front end and four blocks, 10 s; the recipe is that paper's.

    Parameters
    ----------
    schedule : {"constant", "authors-code", "won2020"}
        Adam throughout (paper), or Adam for 80 epochs and then SGD, from the best at each change; the latter has
        rates and a weight decay of its own, whatever `lr` and `weight_decay` say.
    items : {"chunks", "1000-crops", "random-crops"}
        Every window once an epoch (paper), 1000 random crops (authors' code; see
        `mirbench.methods.training.schedules.hung2022_clips`), or one of every clip.
    n_channels : int
        50 in the paper, 54 in the authors' code.
    layout : {"code", "four-resnet-blocks"}
        Harmonic filters, a plain block and three residual ones, as in the authors' code; or the paper's four residual
        blocks, on a mel spectrogram.
    """

    epochs: int = 100
    weight_decay: float = 0.0
    schedule: Literal["constant", "authors-code", "won2020"] = "constant"  # type: ignore[assignment]
    items: Literal["chunks", "1000-crops", "random-crops"] = "chunks"  # type: ignore[assignment]
    select: Literal["loss", "score"] = "score"
    n_channels: int = 50
    layout: Literal["code", "four-resnet-blocks"] = "code"

    name = "bl-cnn"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, 1, "n_channels")

    def options(self) -> Mapping[str, Any]:
        """Channels and layout."""
        return {"n_channels": self.n_channels, "layout": self.layout}

    def order(self, n_clips: int) -> Callable[[np.random.Generator], Iterable[IntArray]]:
        """As the authors' code, if wanted."""
        return hung2022_clips(n_clips, self.batch_size) if self.items == "1000-crops" else super().order(n_clips)

    def phases(self) -> tuple[Phase, ...]:
        """Of the schedule that was chosen."""
        return hung2022_phases(self.epochs) if self.schedule == "authors-code" else super().phases()
