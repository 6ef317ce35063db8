"""What methods that train within a copy of the source have in common: what they are fed, what of them is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirbench import AnySplit
from mirbench.errors import BadInput
from mirbench.methods.training.network import NetworkMethod
from mirbench.runs.measure import count_parameters

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mirbench import Context
    from mirbench.methods.training import Inputs
    from mirbench.source import SourceCard

__all__ = ["TunedInside", "freeze_unused"]


@dataclass(frozen=True)
class TunedInside(NetworkMethod):
    """A method whose module is a `TunedSource`, of which some or all is trained."""

    def stages(self, context: Context) -> tuple[tuple[str, ...], bool]:
        """What the body begins with."""
        return ("entry",), False

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """What the body begins with."""
        from mirbench.methods.training import Inputs

        return Inputs.of(context.source.entry(split))

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """Those of what the body begins with."""
        if card is not None and "frontend" not in card.offers:
            return ("levels", "mixup") if medium == "audio" else ("mixup",)
        return ("mixup",) if medium == "picture" else ("masks", "mixup")

    def n_total(self, module: nn.Module, context: Context) -> int | None:
        """The source as published with its output, trained or not, used or not, as with other methods."""
        return count_parameters(module)

    def state(self, module: nn.Module) -> dict[str, Tensor]:
        """What training changed; the rest is the source's."""
        from mirbench.methods.training import moving_state

        return moving_state(module)

    def load(self, module: nn.Module, state: Mapping[str, Tensor]) -> None:
        """Put it back into a fresh copy."""
        from mirbench.methods.training import moving_state

        if lacking := moving_state(module).keys() - state.keys():
            raise BadInput(f"the stored model lacks {sorted(lacking)[0]}")
        module.load_state_dict(state, strict=False)


def freeze_unused(module: nn.Module, entry: Tensor) -> None:
    """Freeze what a prediction does not reach."""
    import torch

    module.eval()
    with torch.enable_grad():
        module(entry).sum().backward()
    unused = {name for name, parameter in module.named_parameters() if parameter.grad is None}
    for name, parameter in module.named_parameters():
        parameter.grad = None
        parameter.requires_grad_(name not in unused)
    module.train()
