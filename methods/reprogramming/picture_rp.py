"""Reprogramming of chen2022: what changes the spectrogram before a frozen body, and a small output mapping behind it.

AST-BS changes nothing, NRP adds a learnt picture, CNNRP and U-Net RP put a small network before the body. To these the
benchmark adds a visual prompt, a learnt frame. The defaults are the paper's; where the released code differs, the
option is a hyperparameter. The normalisation of AST's input, which the paper leaves out, is an option of the source
(``--source-set input_norm=none``).

References
----------
Chen & Lerch (2022), Music instrument classification reprogrammed, arXiv:2211.08379; code: hchen605/ast_inst_cls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from mirbench import AnySplit
from mirbench.errors import BadInput, NotApplicable
from mirbench.method import CLASSES
from mirbench.methods.reprogramming.label_names import require_named
from mirbench.methods.reprogramming.outputs import OutputMapping, require_fitting, require_mappable
from mirbench.methods.training.schedules import Chen2022Method
from mirbench.methods.training.stackable import Stackable
from mirbench.types import Split, Task

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.learnt import Learnt
    from mirbench.methods.training import Inputs
    from mirbench.source import SourceCard

__all__ = ["AstBs", "CnnRp", "NoiseRp", "PaddingRp", "UnetRp"]


@dataclass(frozen=True)
class _PictureReprogramming(Chen2022Method):
    """What they have in common.

    Parameters
    ----------
    mapping : {"new-head", "fc527", "many-to-one", "sum-logit", "names", "flm", "ilm", "blm", "blm+"}
        See `mirbench.methods.reprogramming.outputs.OutputMapping`; the printed counts are those of the new head.
    specaug : bool
        SpecAugment on the spectrograms of train, before they are changed: on in the released script, off in the paper.
        See `mirbench.methods.reprogramming.picture_adapters.SpecAugment`.
    outputs_per_class : int or None
        Of many-to-one, sum-logit, flm and ilm; None as in hung2022.
    """

    mapping: OutputMapping = "new-head"
    specaug: bool = False
    outputs_per_class: int | None = None

    needs: ClassVar[tuple[str, ...]] = ("frontend", "body")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mapping in ("names", "blm", "blm+"):
            require_fitting(self.name, self.mapping, self.outputs_per_class)

    every_kind_with: ClassVar[str] = "mapping=new-head"

    @property
    def task_kinds(self) -> tuple[str, ...]:
        """Every kind where an output is learnt; the source's own classes are mapped to classes alone."""
        return super().task_kinds if self.mapping in ("new-head", "fc527") else CLASSES

    def prepare(self, module: nn.Module, context: Context, train: Split) -> None:
        """What the mapping knows of train."""
        from mirbench.methods.reprogramming.outputs import learn_mapping

        learn_mapping(self.mapping, module, context, train, lambda: self.inputs(context, train), self.outputs_per_class)

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """A mapping that the source has no classes for, masks of a source without pictures, and nothing to learn."""
        super().require_usable(card, task)
        assert card is not None
        require_mappable(self.mapping, card, len(task.classes), self.outputs_per_class)
        require_named(card, named=self.mapping != "names" or not card.nameless)
        if self.specaug and "frontend" not in card.offers:
            raise NotApplicable(f"specaug masks spectrograms, and {card.name} has none; leave it out")
        if not self.changes and self.mapping not in ("new-head", "fc527"):
            raise NotApplicable(
                f"{self.name}: with mapping={self.mapping} there is nothing to learn; take new-head or fc527"
            )

    @property
    def changes(self) -> bool:
        """Whether anything is learnt before the mapping."""
        return True

    def adapter(self, n_bands: int, n_frames: int) -> nn.Module:
        """What changes the picture."""
        raise NotImplementedError

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """Adapter, frozen body, output mapping."""
        from torch import nn

        from mirbench.methods.reprogramming.adapters import Reprogrammed
        from mirbench.methods.reprogramming.outputs import output
        from mirbench.methods.reprogramming.picture_adapters import spec_augment

        source, card = context.source.network, context.source.card
        _, n_channels, n_bands, n_frames = context.source.entry(split).values.shape
        if n_channels != 1:
            raise NotApplicable(f"{self.name} changes spectrograms; the clips of this task are pictures in colour")
        adapter: nn.Module = self.adapter(n_bands, n_frames)
        if self.specaug:
            adapter = nn.Sequential(spec_augment(context.source, split), adapter)
        mapped = output(self.mapping, card, source, len(split.classes), self.outputs_per_class)
        return Reprogrammed(adapter, source, "body", mapped)

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """Those of pictures, which `specaug` masks already."""
        return ("mixup",) if self.specaug else ("masks", "mixup")

    def learnt(self, state: Mapping[str, Any], split: Split, context: Context) -> Iterator[Learnt]:
        """What is learnt of the picture, and pictures before and after; see `mirbench.method.Showing`."""
        from mirbench.methods.reprogramming.looks import of_pictures

        adapter: Any = self.stored(state, split.blind(), context).adapter
        return of_pictures(adapter[-1] if self.specaug else adapter, split, context)

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Pictures."""
        from mirbench.methods.training import Inputs

        return Inputs.of(context.source.entry(split))


@dataclass(frozen=True)
class AstBs(Stackable, _PictureReprogramming):
    """AST-BS: nothing but an output mapping is learnt; on any source, not AST alone.

    Without SpecAugment the body runs once for each window, ever.
    """

    name, needs = "ast-bs", ("pooled",)
    changes = False

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """An output mapping, behind the frozen body where SpecAugment is wanted."""
        from mirbench.methods.reprogramming.adapters import Reprogrammed
        from mirbench.methods.reprogramming.outputs import output
        from mirbench.methods.reprogramming.picture_adapters import spec_augment

        source, card = context.source, context.source.card
        network = source.network if card.kind != "precomputed" else None
        augment = spec_augment(source, split) if self.specaug else None
        n_features = int(source.pooled(split).values.shape[1])
        mapped = output(self.mapping, replace(card, n_features=n_features), network, len(split.classes),
                        self.outputs_per_class)  # fmt: skip
        return Reprogrammed(augment, network, "body", mapped) if augment else mapped

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """Mixup: of embeddings, or of pictures that `specaug` masks."""
        return ("mixup",)

    def learnt(self, state: Mapping[str, Any], split: Split, context: Context) -> Iterator[Learnt]:
        """Nothing: an output mapping is all there is."""
        raise NotApplicable("--learnt: ast-bs learns an output mapping alone; there is nothing to look at")

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Embeddings, or pictures where SpecAugment is wanted."""
        from mirbench.methods.training import Inputs

        source = context.source
        return Inputs.of(source.entry(split) if self.specaug else source.pooled(split))


@dataclass(frozen=True)
class NoiseRp(_PictureReprogramming):
    """AST-NRP: one learnt picture is added to every picture; it begins at zero."""

    name = "nrp"

    def adapter(self, n_bands: int, n_frames: int) -> nn.Module:
        """A picture."""
        from mirbench.methods.reprogramming.picture_adapters import PictureNoise

        return PictureNoise(n_bands, n_frames)


@dataclass(frozen=True)
class CnnRp(_PictureReprogramming):
    """AST-CNNRP: two small convolutions replace the picture."""

    name = "cnnrp"

    def adapter(self, n_bands: int, n_frames: int) -> nn.Module:
        """Twenty weights."""
        from mirbench.methods.reprogramming.picture_adapters import PictureConvolutions

        return PictureConvolutions()


@dataclass(frozen=True)
class UnetRp(_PictureReprogramming):
    """AST-URP: a small U-Net replaces the picture.

    Parameters
    ----------
    unet_trainable : bool
        False leaves its convolutions at random, as the released script does.
    """

    unet_trainable: bool = True

    name = "unet-rp"

    @property
    def changes(self) -> bool:
        """Whether its convolutions are trained."""
        return self.unet_trainable

    def adapter(self, n_bands: int, n_frames: int) -> nn.Module:
        """The U-Net."""
        from mirbench.methods.reprogramming.picture_adapters import PictureUnet

        return PictureUnet().requires_grad_(self.unet_trainable)


@dataclass(frozen=True)
class PaddingRp(_PictureReprogramming):
    """A visual prompt: the picture is made smaller, and a learnt frame surrounds it.

    Parameters
    ----------
    frame : float
        Share of each side of the picture that the frame takes; a quarter is 30 pixels around 224 or so, as in
        Bahng et al. (2022).
    """

    frame: float = 0.25

    name = "padding-rp"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.frame < 1:
            raise BadInput(f"{self.name}: frame={self.frame:g}; a share between 0 and 1 is needed")

    def adapter(self, n_bands: int, n_frames: int) -> nn.Module:
        """The frame."""
        from mirbench.methods.reprogramming.picture_adapters import PicturePadding

        return PicturePadding(n_bands, n_frames, self.frame)
