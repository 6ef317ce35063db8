"""The network of methods that train inside a source: the source, of which some or all is trained, with an output."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

__all__ = ["TunedSource"]


class TunedSource(nn.Module):
    """A source of one's own to train, from what its body begins with to one logit a class.

    Parameters
    ----------
    network : network
        A copy of the source.
    output : Module
        (n, n_features), or with `mapped` (n, n_outputs) -> (n, n_classes) logits.
    mapped : bool
        Whether the source's own head stands before `output`.
    statistics : {"batch", "source"}
        What batch norms normalise by in training; see `FineTune`.
    augment : Module or None
        What changes the entry in training, without parameters.
    still : bool
        Whether all of the source stays in eval mode, its dropout too: of a frozen source that is trained around.
    """

    def __init__(
        self,
        network: Any,
        output: nn.Module,
        *,
        mapped: bool,
        statistics: str = "batch",
        augment: nn.Module | None = None,
        still: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.output, self.mapped, self.statistics = network, output, mapped, statistics
        self.augment = augment or nn.Identity()
        self.still = still

    def forward(self, entry: Tensor) -> Tensor:
        """(n, …) -> (n, n_classes)."""
        pooled = self.network.body(self.augment(entry)).pooled
        logits: Tensor = self.output(self.network.head(pooled) if self.mapped else pooled)
        return logits

    def train(self, mode: bool = True) -> TunedSource:
        """Layers that nothing trains stay in eval mode: their batch norms keep the statistics that they came with."""
        super().train(mode)
        for module in self.modules():
            own = list(module.parameters(recurse=False))
            kept = self.statistics == "source" and isinstance(module, nn.modules.batchnorm._BatchNorm)
            if kept or (own and not any(parameter.requires_grad for parameter in own)):
                module.eval()
        if self.still:
            self.network.eval()
        return self
