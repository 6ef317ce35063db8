"""A few values within a frozen source, with a new head: bottleneck adapters, prompt tokens, biases, low-rank updates.

They are what reprogramming is compared with at the same number of trained values; the suite ``equal-budget`` sets their
sizes so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mirbench import AnySplit
from mirbench.errors import NotApplicable
from mirbench.method import require_least
from mirbench.methods.tuning.finetune import add_lora, blocks_of, require_blocks
from mirbench.methods.tuning.inside import TunedInside, freeze_unused
from mirbench.source import SourceCard

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mirbench import Context
    from mirbench.types import Task

__all__ = ["BiasTuning", "BottleneckAdapters", "Lora", "PromptTokens"]

_QUERY_VALUE = ("q_proj", "query", "v_proj", "value", "qkv")
_ATTENTION = (*_QUERY_VALUE, "k_proj", "key", "o_proj", "out_proj", "proj")
"""Names of the linear layers of attention in transformers and timm."""


@dataclass(frozen=True)
class _FewValues(TunedInside):
    """What they have in common: a frozen copy of the source in eval mode, and a new layer norm and linear layer.

    The head counts: on AST 9,226 values for ten classes.
    """

    lr: float = 1e-3

    needs = ("body",)

    in_blocks: ClassVar[bool] = True
    """Whether the few values lie in the blocks of the source."""

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """A source without blocks, too."""
        super().require_usable(card, task)
        if self.in_blocks and card is not None:
            require_blocks(card)

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """A frozen copy of the source with a few values that are trained, and a new head."""
        from mirbench.methods.reprogramming.adapters import new_head
        from mirbench.methods.tuning.tuned_source import TunedSource

        card, network = context.source.card, context.source.copy()
        head = new_head(card.n_features, len(split.classes))
        module = TunedSource(network, head, mapped=False, statistics="source", still=True).to(context.device)
        first = context.source.tensor(context.source.entry(split).values[slice(0, 1)])
        freeze_unused(module, first)
        self.choose(network, card, first)
        return module

    def choose(self, network: Any, card: SourceCard, entry: Tensor) -> None:
        """Freeze a network of which what a prediction uses is trainable, but for the few values, which may be new.

        Parameters
        ----------
        entry : Tensor
            What the body begins with, of one window.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class BottleneckAdapters(_FewValues):
    """Small bottlenecks inside the blocks of a frozen source, each added to what it is given (Houlsby et al. 2019).

    In a source of convolutions they are convolutions of 1 × 1 behind each block (as Rebuffi et al. 2018 have them in
    series), for that is where such a network has a width that comes back.

    Parameters
    ----------
    width : int
        Units of a bottleneck. AST: 12 behind the feed-forward parts make 239,770 values with the head of ten classes.
    place : {"both", "feed-forward"}
        Behind attention and feed-forward part of each block (Houlsby), or the latter alone (Pfeiffer et al. 2021). Of
        convolutions it says nothing.

    References
    ----------
    Houlsby et al. (2019), Parameter-efficient transfer learning for NLP, ICML; Pfeiffer et al. (2021), AdapterFusion,
    EACL; Rebuffi, Bilen, Vedaldi (2018), Efficient parametrization of multi-domain deep neural networks, CVPR.
    """

    width: int = 32
    place: Literal["both", "feed-forward"] = "both"

    name = "bottleneck-adapters"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, 1, "width")

    def choose(self, network: Any, card: SourceCard, entry: Tensor) -> None:
        """Bottlenecks alone."""
        from mirbench.methods.tuning.adapted_blocks import add_bottlenecks, traced

        blocks = traced(network.requires_grad_(False), list(blocks_of(network, card)[1].children()), entry)
        add_bottlenecks(blocks, self.width, self.place, entry.device)


@dataclass(frozen=True)
class PromptTokens(_FewValues):
    """Learnt tokens among those of a frozen transformer (Jia et al. 2022); other sources have no tokens.

    Parameters
    ----------
    n_tokens : int
        AST: 24 deep ones make 230,410 values with the head of ten classes, 294 shallow ones 235,018.
    depth : {"deep", "shallow"}
        New ones for each block, or one set that goes through all of them.

    References
    ----------
    Jia et al. (2022), Visual prompt tuning, ECCV.
    """

    n_tokens: int = 10
    depth: Literal["deep", "shallow"] = "deep"

    name = "prompt-tokens"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, 1, "n_tokens")

    def choose(self, network: Any, card: SourceCard, entry: Tensor) -> None:
        """Tokens alone."""
        from mirbench.methods.tuning.adapted_blocks import add_prompts, traced

        blocks = traced(network.requires_grad_(False), list(blocks_of(network, card)[1].children()), entry)
        add_prompts(blocks, self.n_tokens, self.depth, entry.device)


@dataclass(frozen=True)
class BiasTuning(_FewValues):
    """The biases of a source alone, those of its norms (their shifts) too (Ben Zaken et al. 2022).

    It has no size: on AST they are 102,912, and 112,138 with the head of ten classes.

    References
    ----------
    Ben Zaken, Goldberg, Ravfogel (2022), Simple parameter-efficient fine-tuning for transformer-based masked
    language-models, ACL.
    """

    name = "bitfit"
    in_blocks = False

    def choose(self, network: Any, card: SourceCard, entry: Tensor) -> None:
        """Biases that a prediction uses."""
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(parameter.requires_grad and name.endswith("bias"))
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise NotApplicable(f"{card.name} has no biases")


@dataclass(frozen=True)
class Lora(_FewValues):
    """Low-rank updates of linear layers in the blocks of a frozen source, through the library peft (Hu et al. 2022).

    Parameters
    ----------
    rank : int
        Of the updates; their scale is twice that over the rank. AST: 6 on queries and values, or 3 on attention, make
        230,410 values with the head of ten classes.
    layers : {"query-value", "attention", "all"}
        Which linear layers; the first is the paper's, keys among them where one layer makes all three. `finetune` with
        ``tuned=lora`` has them in all, and in convolutions where there are no linear ones.

    References
    ----------
    Hu et al. (2022), LoRA: low-rank adaptation of large language models, ICLR.
    """

    rank: int = 8
    layers: Literal["query-value", "attention", "all"] = "query-value"

    name = "lora"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, 1, "rank")

    def choose(self, network: Any, card: SourceCard, entry: Tensor) -> None:
        """Low-rank updates alone; peft freezes the rest."""
        from torch import nn

        name, listed = blocks_of(network, card)
        linear = [key for key, module in listed.named_modules() if isinstance(module, nn.Linear)]
        wanted = {"query-value": _QUERY_VALUE, "attention": _ATTENTION, "all": ()}[self.layers]
        named = [key for key in linear if not wanted or key.rpartition(".")[2] in wanted]
        if not named:
            others = "; take layers=all" if linear else " (nor any other linear layers)"
            raise NotApplicable(f"lora: the blocks of {card.name} have no linear layers of {self.layers}{others}")
        add_lora(network, [f"{name}.{key}" for key in named], self.rank, "lora")
