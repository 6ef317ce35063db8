"""Fine-tuning: the source itself is trained, wholly, in its last blocks, or through low-rank adapters.

References
----------
BL-FT of Hung, Yang, Chen, Lerch (2022), arXiv:2211.01317; AST-TL of Chen & Lerch (2022), arXiv:2211.08379; Hu et al.
(2022), LoRA: low-rank adaptation of large language models.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from mirbench import AnySplit
from mirbench.errors import BadInput, MissingExtra, NotApplicable
from mirbench.method import CLASSES, require_least
from mirbench.methods.training.schedules import Chen2022Schedule, chen2022_phases
from mirbench.methods.tuning.inside import TunedInside, freeze_unused
from mirbench.source import SourceCard

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.methods.training import Loss, Phase, Recipe
    from mirbench.types import Task

__all__ = ["FineTune", "add_lora", "blocks_of", "require_blocks"]


def blocks_of(network: nn.Module, card: SourceCard) -> tuple[str, nn.Module]:
    """Name and list of the blocks whose outputs are the layers of a source.

    Raises
    ------
    NotApplicable
        If its modules do not tell.
    """
    from torch import nn

    for name, module in network.named_modules():
        if isinstance(module, nn.Sequential | nn.ModuleList) and len(module) == card.n_layers > 1:
            return name, module
    raise NotApplicable(_no_blocks(card))


def require_blocks(card: SourceCard) -> None:
    """Refuse a source that hands on fewer than two hidden layers: it has no list of blocks.

    Raises
    ------
    NotApplicable
        If that is so.
    """
    if card.n_layers < 2:
        raise NotApplicable(_no_blocks(card))


def _no_blocks(card: SourceCard) -> str:
    return f"{card.name} has no list of blocks to choose from; fine-tune all of it (finetune, tuned=all)"


@dataclass(frozen=True)
class FineTune(TunedInside):
    """All or part of the source is trained with the task's head.

    Parameters
    ----------
    head : {"new", "mapped", "mlp"}
        A new layer norm and linear layer (AST-TL of chen2022; "new10"), the source's own head with averages of
        groups of its classes behind it (the reading of hung2022 that gives the printed count; "mapped527"), or the
        three linear layers of rommel2023, which on vit-b16 makes the 87,645,962 values that its text fine-tunes.
    optimizer : {"adam", "adamw"}
        Of a constant schedule; rommel2023 has AdamW.
    tuned : {"all", "last", "lora"}
        Everything, the last blocks with what was registered after them, or low-rank adapters in the blocks' linear
        layers (in their convolutions, where they have no linear layers) through the library peft.
    last_blocks : int
        How many.
    rank : int
        Of the low-rank updates; their scale is twice that over the rank.
    statistics : {"source", "batch"}
        What batch norms normalise by in training: the statistics that the source came with, or their batch. On few
        clips the latter is far worse: in a short training the running statistics, by which predictions are made, cannot
        follow those of the batches. A source without batch norms (AST) does not care.
    schedule : {"constant", "paper", "authors-code"}
        hung2022's constant rate, or those of chen2022; see `mirbench.methods.training.schedules.Chen2022Schedule`.
        The last has rates of its own, whatever `lr` and `weight_decay` say.
    select : {"score", "last"}
        Whether the best epoch on valid is kept, or the last, as in chen2022's released script.
    specaug : bool
        SpecAugment on the spectrograms of train: on in that script, off in its paper. See
        `mirbench.methods.reprogramming.picture_adapters.SpecAugment`.
    outputs_per_class : int or None
        Of head=mapped; None as in hung2022.

    Notes
    -----
    Parameters that no prediction uses, as the source's head where there is a new one, are not trained, and do not count
    as trainable.
    """

    head: Literal["new", "mapped", "mlp"] = "new"
    tuned: Literal["all", "last", "lora"] = "all"
    last_blocks: int = 2
    rank: int = 8
    statistics: Literal["batch", "source"] = "source"
    schedule: Chen2022Schedule = "constant"
    select: Literal["score", "last"] = "score"
    specaug: bool = False
    outputs_per_class: int | None = None
    optimizer: Literal["adam", "adamw"] = "adam"

    name, version, needs = "finetune", "2", ("body",)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, 1, "last_blocks", "rank")
        if self.optimizer != "adam" and self.schedule != "constant":
            raise BadInput(f"{self.name}: schedule={self.schedule} is Adam's; leave optimizer out")

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """Blocks, classes or spectrograms that the source has not, too."""
        super().require_usable(card, task)
        assert card is not None
        if self.tuned != "all":
            require_blocks(card)
        if self.specaug and "frontend" not in card.offers:
            raise NotApplicable(f"specaug masks spectrograms, and {card.name} has none; leave it out")
        if self.head == "mapped":
            self._per_class(card, len(task.classes))

    def _per_class(self, card: SourceCard, n_classes: int) -> int:
        """Classes of the source for each of the task."""
        from mirbench.methods.reprogramming.outputs import outputs_per_class

        if "head" not in card.offers:
            raise NotApplicable(f"{card.name} has no classes of its own to map; take head=new")
        return outputs_per_class(card, n_classes, self.outputs_per_class)

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """A copy of the source and its output; what is not trained is frozen."""
        from mirbench.methods.picture_mlp import linear_layers
        from mirbench.methods.reprogramming.adapters import LabelMapping, new_head
        from mirbench.methods.reprogramming.picture_adapters import spec_augment
        from mirbench.methods.tuning.tuned_source import TunedSource

        card, n_classes = context.source.card, len(split.classes)
        output: nn.Module = new_head(card.n_features, n_classes)
        if self.head == "mlp":
            output = linear_layers(card.n_features, n_classes)
        if self.head == "mapped":
            output = LabelMapping(n_classes, self._per_class(card, n_classes), "mean-prob", card.activation)
        augment = spec_augment(context.source, split) if self.specaug else None
        network = context.source.copy()
        module = TunedSource(network, output, mapped=self.head == "mapped", statistics=self.statistics, augment=augment)
        module = module.to(context.device)
        first = context.source.tensor(context.source.entry(split).values[slice(0, 1)])
        freeze_unused(module, first)
        if self.tuned == "last":
            _freeze_before(network, blocks_of(network, card), self.last_blocks)
        elif self.tuned == "lora":
            _add_lora(network, blocks_of(network, card), self.rank)
        return module

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """Those of what the body begins with, which `specaug` masks already."""
        able = super().can_augment(card, medium)
        return tuple(name for name in able if name != "masks") if self.specaug else able

    def loss(self, kind: str) -> Loss:
        """Cross entropy of a new head for one class a clip, squared error of values, else binary cross entropy."""
        from mirbench.methods.training import loss_of

        return loss_of(kind, independent=self.head == "mapped")

    every_kind_with: ClassVar[str] = "head=new"

    @property
    def task_kinds(self) -> tuple[str, ...]:
        """With a new head every kind; the source's own classes are mapped to classes alone."""
        return CLASSES if self.head == "mapped" else super().task_kinds

    def phases(self) -> tuple[Phase, ...]:
        """Of the schedule that was chosen."""
        phases = chen2022_phases(self.schedule, self.epochs, self.lr, self.weight_decay)
        return tuple(replace(phase, optimizer=self.optimizer) for phase in phases)

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """With the selection that was chosen."""
        return replace(super().recipe(module, kind), select=self.select)


def _freeze_before(network: nn.Module, blocks: tuple[str, nn.Module], count: int) -> None:
    """Freeze all that was registered before the blocks, and all of them but the last so many."""
    name, listed = blocks
    first, begun = len(listed) - count, False  # type: ignore[arg-type]
    for key, parameter in network.named_parameters():
        if key.startswith(f"{name}."):
            begun = True
            if int(key.removeprefix(f"{name}.").partition(".")[0]) >= first:
                continue
        elif begun:
            continue
        parameter.requires_grad_(False)


def _add_lora(network: nn.Module, blocks: tuple[str, nn.Module], rank: int) -> None:
    from torch import nn

    name, listed = blocks
    inside = {f"{name}.{key}": module for key, module in listed.named_modules()}
    linear = [key for key, module in inside.items() if isinstance(module, nn.Linear)]
    convolutions = [key for key, m in inside.items() if isinstance(m, nn.Conv2d) and m.groups == 1]
    if not (linear or convolutions):
        raise NotApplicable("its blocks have neither linear layers nor convolutions for low-rank adapters")
    add_lora(network, linear or convolutions, rank, "tuned=lora")


def add_lora(network: nn.Module, names: Sequence[str], rank: int, asked: str) -> None:
    """Put low-rank updates into the layers of these names, by the library peft.

    Parameters
    ----------
    asked : str
        What needs it, for people.

    Raises
    ------
    MissingExtra
        If peft is not installed.
    """
    if importlib.util.find_spec("peft") is None:
        raise MissingExtra(asked, "peft", "peft")
    from peft import LoraConfig, inject_adapter_in_model

    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(names)), network)
