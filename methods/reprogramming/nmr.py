"""Neural model reprogramming: a frozen source learns a new task through what is put before one of its stages.

Three places: before the front end (II-NMR, noise on the waveform), before the body (ID-NMR, a CNN on the picture),
before the head (IDS-NMR, scale and shift of the embedding from a hidden layer). Behind all three, many source classes
are mapped to one class of the task. The defaults are the paper's; where the authors' code differs, the option is a
hyperparameter. With a new head in place of the mapping, any source can be reprogrammed that has the stage, whether it
has classes of its own or not.

References
----------
Hung, Yang, Chen, Lerch (2022), Low-resource music genre classification with cross-modal neural model reprogramming,
arXiv:2211.01317; code: biboamy/music-repro.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mirbench import AnySplit
from mirbench.errors import NotApplicable
from mirbench.method import CLASSES
from mirbench.methods.reprogramming.label_names import require_named
from mirbench.methods.reprogramming.outputs import require_fitting, require_mappable
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.training.schedules import CROP_SECONDS, crop_draw, hung2022_clips, hung2022_phases
from mirbench.methods.training.stackable import Stackable
from mirbench.source import SourceCard
from mirbench.types import FloatArray, Split, Task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mirbench import Context
    from mirbench.learnt import Learnt
    from mirbench.method import Part
    from mirbench.methods.training import Draw, Inputs, Loss, Phase

__all__ = ["IdNmr", "IdsNmr", "IiNmr", "skip_layer"]

_SPEECH = ("speechatt", "speechatt-port")


def skip_layer(card: SourceCard) -> int:
    """Three quarters up the body: block 8 of AST's 12 (from 0), the paper's, and the like place in other sources."""
    return max(0, round(0.75 * card.n_layers) - 1)


@dataclass(frozen=True)
class _Reprogramming(NetworkMethod):
    """What the three have in common; the recipe is the paper's, Adam for 100 epochs at 1e-4.

    Parameters
    ----------
    outputs_per_class : int or None
        Source classes a class; None as in the paper (5, or 2 for SpeechATT).
    mapping : {"mean-prob", "sum-logit", "new-head", "fc527", "names", "flm", "ilm", "blm", "blm+"}
        Averaged probabilities (paper) or summed logits (authors' code), with nothing to learn; or chen2022's: a new
        layer norm and linear layer in place of the source's head, for which the source needs none, or a linear layer
        on its logits; or other outputs than those that lie one after the other. See
        `mirbench.methods.reprogramming.outputs` and `mirbench.methods.reprogramming.label_maps`.
    source_head : {"pretrained", "random-frozen"}
        The source's own classifier (paper), or one at random weights (authors' code as released).
    items : {"chunks", "1000-crops"}
        Every window once an epoch (paper), or 1000 random crops of 10 s (authors' code; see
        `mirbench.methods.training.schedules.hung2022_clips`).
    schedule : {"paper", "authors-code"}
        Adam throughout, or Adam for 80 epochs and then SGD at three rates, from the best weights at each change; the
        latter has its own rates.
    """

    outputs_per_class: int | None = None
    mapping: Literal[
        "mean-prob", "sum-logit", "new-head", "fc527", "names", "flm", "ilm", "blm", "blm+"
    ] = "mean-prob"  # fmt: skip
    source_head: Literal["pretrained", "random-frozen"] = "pretrained"
    items: Literal["chunks", "1000-crops"] = "chunks"
    schedule: Literal["paper", "authors-code"] = "paper"

    version: ClassVar[str] = "3"
    spares: ClassVar[Mapping[str, tuple[str, str]]] = {"head": ("mapping", "new-head")}
    entry = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_fitting(self.name, self.mapping, self.outputs_per_class, self.source_head)

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """A mapping that the source has no classes for, too."""
        super().require_usable(card, task)
        assert card is not None
        require_mappable(self.mapping, card, len(task.classes), self.outputs_per_class)
        require_named(card, named=self.mapping != "names" or not card.nameless)

    def adapter(self, card: SourceCard, context: Context, split: AnySplit) -> nn.Module:
        """The trainable part."""
        raise NotImplementedError

    def live_inputs(self, context: Context, audio: Tensor) -> tuple[Tensor, ...]:
        """The same from audio (n, n_samples), computed now, without gradient."""
        raise NotImplementedError

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """The adapter, the frozen source behind it, and the mapping of its classes or a new head."""
        from mirbench.methods.reprogramming.adapters import Reprogrammed
        from mirbench.methods.reprogramming.outputs import output

        card, source = context.source.card, context.source.network
        require_mappable(self.mapping, card, len(split.classes), self.outputs_per_class)  # before a stage is computed
        adapter = self.adapter(card, context, split)
        mapped = output(
            self.mapping, card, source, len(split.classes), self.outputs_per_class,
            random_head=self.source_head == "random-frozen",
        )  # fmt: skip
        return Reprogrammed(adapter, source, self.entry, mapped)

    def prepare(self, module: nn.Module, context: Context, train: Split) -> None:
        """What the mapping knows of train."""
        from mirbench.methods.reprogramming.outputs import learn_mapping

        learn_mapping(self.mapping, module, context, train, lambda: self.inputs(context, train), self.outputs_per_class)

    every_kind_with: ClassVar[str] = "mapping=new-head"

    @property
    def task_kinds(self) -> tuple[str, ...]:
        """Every kind where an output is learnt; the source's own classes are mapped to classes alone."""
        return super().task_kinds if self.mapping in ("new-head", "fc527") else CLASSES

    def loss(self, kind: str) -> Loss:
        """Binary cross entropy on every class, also where a clip has one; squared error of values."""
        from mirbench.methods.training import loss_of

        return loss_of(kind, independent=True)

    def phases(self) -> tuple[Phase, ...]:
        """Of the schedule that was chosen."""
        if self.schedule == "paper":
            return super().phases()
        return hung2022_phases(self.epochs)

    def learnt(self, state: Mapping[str, Any], split: Split, context: Context) -> Iterator[Learnt]:
        """What is added to, or made of, waveforms or pictures; see `mirbench.method.Showing`."""
        from mirbench.methods.reprogramming.looks import of_pictures, of_waveforms

        adapter: Any = self.stored(state, split.blind(), context).adapter
        return (of_waveforms if self.entry == "frontend" else of_pictures)(adapter, split, context)

    def draw(self, context: Context, train: Split, seed: int) -> Draw | None:
        """Random crops as in the authors' code; a crop that spans several windows averages their logits in the loss."""
        import torch

        if self.items == "chunks":
            return None
        card = context.source.card
        pieces = max(1, round(CROP_SECONDS / card.seconds))

        def inputs(crops: FloatArray) -> tuple[Tensor, ...]:
            audio = context.source.tensor(crops).reshape(len(crops) * pieces, -1)
            with torch.no_grad():
                return self.live_inputs(context, audio)

        order = hung2022_clips(len(train), self.batch_size)
        return crop_draw(context, train, card.sample_rate, pieces * card.seconds, order, inputs, pieces)


@dataclass(frozen=True)
class IiNmr(_Reprogramming):
    """II-NMR: input-independent reprogramming, one learnt waveform added to every window."""

    name, needs, entry = "ii-nmr", ("body", "head"), "frontend"

    def phases(self) -> tuple[Phase, ...]:
        """Of the schedule; the authors' code loads the best of all but the waveform, the one thing that is learnt."""
        return tuple(replace(phase, from_best=False) for phase in super().phases())

    def adapter(self, card: SourceCard, context: Context, split: AnySplit) -> nn.Module:
        """A waveform of one window."""
        from mirbench.methods.reprogramming.adapters import InputNoise

        return InputNoise(round(card.sample_rate * card.seconds))

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """Pictures, too: there is no waveform to change."""
        super().require_usable(card, task)
        if task.medium == "picture":
            raise NotApplicable(f"{task.name}: its clips are pictures, and {self.name} changes waveforms")

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """Those of audio."""
        return ("levels", "mixup")

    def reads(self, split: AnySplit, part: Part, context: Context) -> None:
        """Nothing of train where that is heard in random crops, which are decoded afresh."""
        if part != "train" or self.items == "chunks":
            super().reads(split, part, context)

    def stages(self, context: Context) -> tuple[tuple[str, ...], bool]:
        """Audio windows."""
        return ("audio",), False

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Audio windows."""
        from mirbench.methods.training import Inputs

        return Inputs.of(context.source.audio(split))

    def live_inputs(self, context: Context, audio: Tensor) -> tuple[Tensor, ...]:
        """The audio itself."""
        return (audio,)


@dataclass(frozen=True)
class IdNmr(_Reprogramming):
    """ID-NMR: input-dependent reprogramming, a CNN over time that replaces the picture.

    Parameters
    ----------
    channels : int or None
        None is 135, which gives the printed count (the paper's text says 136), and 140 for SpeechATT.
    """

    channels: int | None = None

    name, needs, entry = "id-nmr", ("frontend", "body", "head"), "body"

    def adapter(self, card: SourceCard, context: Context, split: AnySplit) -> nn.Module:
        """The CNN."""
        from mirbench.methods.reprogramming.adapters import PictureTransform

        return PictureTransform(self._n_bands(context, split), self.channels or (140 if card.name in _SPEECH else 135))

    def _n_bands(self, context: Context, split: AnySplit) -> int:
        """Of what is heard, for an option of the source may change what its card says."""
        shape = context.source.entry(split).values.shape
        if shape[1] != 1:
            raise NotApplicable(f"{self.name} changes spectrograms; the clips of this task are pictures in colour")
        return int(shape[2])

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """Those of pictures."""
        return ("masks", "mixup")

    def stages(self, context: Context) -> tuple[tuple[str, ...], bool]:
        """Pictures."""
        return ("entry",), False

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Pictures."""
        from mirbench.methods.training import Inputs

        return Inputs.of(context.source.pictures(split))

    def live_inputs(self, context: Context, audio: Tensor) -> tuple[Tensor, ...]:
        """The front end's picture."""
        return (context.source.network.frontend(audio),)


@dataclass(frozen=True)
class IdsNmr(Stackable, _Reprogramming):
    """IDS-NMR: ID-NMR with skip, a CNN on a hidden layer that scales and shifts the embedding before the head.

    Nothing that is trained precedes the body, so the body runs once for each window, ever.

    Parameters
    ----------
    channels : int or None
        None is 54, which gives the printed count (the paper's text says 136), and 130 for SpeechATT.
    layer : int or None
        None is three quarters up the body: block 8 of AST, the paper's.
    injection : {"scale-shift", "add"}
        See `SkipTransform`; the printed count is that of scale-shift.
    gain : {"auto", "plain", "one-plus"}
        "auto" is plain, and one-plus for SpeechATT, as in the authors' code.
    """

    channels: int | None = None
    layer: int | None = None
    injection: Literal["scale-shift", "add"] = "scale-shift"
    gain: Literal["auto", "plain", "one-plus"] = "auto"

    name, needs, entry = "ids-nmr", ("layers", "pooled", "head"), "head"

    def adapter(self, card: SourceCard, context: Context, split: AnySplit) -> nn.Module:
        """The skip."""
        from mirbench.methods.reprogramming.adapters import SkipTransform

        speech = card.name in _SPEECH
        return SkipTransform(
            self._width(context, split),
            self.channels or (130 if speech else 54),
            card.n_features,
            stride=3 if speech else 1,
            injection=self.injection,
            one_plus=self.gain == "one-plus" or (self.gain == "auto" and speech),
        )

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """A hidden layer that the source has not, too."""
        super().require_usable(card, task)
        assert card is not None
        self._layer(card)

    def stages(self, context: Context) -> tuple[tuple[str, ...], bool]:
        """Tokens of the hidden layer, and the embedding."""
        return (f"layer{self._layer(context.source.card)}", "pooled"), False

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Tokens of the hidden layer, and the embedding."""
        from mirbench.methods.training import Inputs

        return Inputs.of(*context.source.layer_and_pooled(split, self._layer(context.source.card)))

    def learnt(self, state: Mapping[str, Any], split: Split, context: Context) -> Iterator[Learnt]:
        """Gain and shift of embeddings; see `mirbench.method.Showing`."""
        from mirbench.methods.reprogramming.looks import of_embeddings

        adapter: Any = self.stored(state, split.blind(), context).adapter
        card = context.source.card
        return of_embeddings(adapter, context.source.layer(split, self._layer(card)), card.n_features, context)

    def live_inputs(self, context: Context, audio: Tensor) -> tuple[Tensor, ...]:
        """The same from the body, now."""
        k = self._layer(context.source.card)
        network = context.source.network
        found = network.body(network.frontend(audio), layers=(k,))
        return found.layers[k], found.pooled

    def _layer(self, card: SourceCard) -> int:
        layer = skip_layer(card) if self.layer is None else self.layer
        if not 0 <= layer < card.n_layers:
            raise NotApplicable(f"layer={layer}: {card.name} has layers 0 to {card.n_layers - 1}")
        return layer

    def _width(self, context: Context, split: AnySplit) -> int:
        tokens: Any = context.source.layer(split, self._layer(context.source.card)).values
        return int(tokens.shape[2])
