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
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.training.schedules import crop_draw, cut_to, hung2022_clips, hung2022_phases
from mirbench.types import FloatArray, IntArray, Split

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mirbench import Context
    from mirbench.method import Part
    from mirbench.methods.taggers.networks import Architecture
    from mirbench.methods.training import Draw, Inputs, Loss, Phase, Recipe

__all__ = [
    "BlCnn", "Cnn1d", "Crnn", "Fcn", "Fcn4", "HarmonicCnn", "Musicnn", "SampleLevel", "SampleLevelSe", "SelfAttention",
    "ShortChunk", "ShortChunkRes",
]  # fmt: skip


@dataclass(frozen=True)
class _Tagger(NetworkMethod):
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
        """Binary cross entropy on every class that is known, also where a clip has one."""
        from mirbench.methods.training import masked_bce

        return masked_bce

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
class _WithBands(_Tagger):
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
class SampleLevel(_Tagger):
    """Sample-level CNN: ten convolutions of the waveform, 3.69 s."""

    name = "sample-level"


@dataclass(frozen=True)
class SampleLevelSe(_Tagger):
    """Sample-level CNN with squeeze and excitation."""

    name = "sample-level-se"


@dataclass(frozen=True)
class SelfAttention(_Tagger):
    """Self-attention over a convolutional front end, 15 s."""

    name = "self-attention"


@dataclass(frozen=True)
class HarmonicCnn(_Tagger):
    """Harmonic CNN: trainable harmonic filters, 5 s."""

    name = "harmonic-cnn"


@dataclass(frozen=True)
class ShortChunk(_Tagger):
    """Short-chunk CNN: seven convolutions, 3.69 s."""

    name = "short-chunk"


@dataclass(frozen=True)
class ShortChunkRes(_Tagger):
    """Short-chunk CNN with residual blocks."""

    name = "short-chunk-res"


@dataclass(frozen=True)
class Fcn4(_Tagger):
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
class Cnn1d(_Tagger):
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
class BlCnn(_Tagger):
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
        if self.n_channels < 1:
            raise BadInput(f"{self.name}: n_channels must be at least 1")

    def options(self) -> Mapping[str, Any]:
        """Channels and layout."""
        return {"n_channels": self.n_channels, "layout": self.layout}

    def order(self, n_clips: int) -> Callable[[np.random.Generator], Iterable[IntArray]]:
        """As the authors' code, if wanted."""
        return hung2022_clips(n_clips, self.batch_size) if self.items == "1000-crops" else super().order(n_clips)

    def phases(self) -> tuple[Phase, ...]:
        """Of the schedule that was chosen."""
        return hung2022_phases(self.epochs) if self.schedule == "authors-code" else super().phases()
