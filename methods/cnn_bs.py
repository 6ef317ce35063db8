"""CNN-BS, the network that chen2022 trains from scratch: as in the released code, and of the printed size.

References
----------
Chen & Lerch (2022), Music instrument classification reprogrammed, arXiv:2211.08379; code: hchen605/ast_inst_cls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy.typing as npt

from mirbench import AnySplit
from mirbench.methods.training.schedules import Chen2022Method

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.methods.training import Inputs
    from mirbench.source import SourceCard

__all__ = ["CnnBs", "cnn_bs_code", "cnn_bs_matched"]

_SAMPLE_RATE, _SECONDS = 16_000, 10.0
_N_BANDS, _N_FRAMES = 128, 1024


def cnn_bs_code(n_classes: int) -> nn.Sequential:
    """Two convolutions of one channel and a linear layer on every pixel: 2,621,480 parameters for 20 classes."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(_N_BANDS * _N_FRAMES, n_classes),
    )  # fmt: skip


def cnn_bs_matched(n_classes: int) -> nn.Sequential:
    """Three convolutions and global pooling: 17,356 parameters for 20 classes, the 0.017 M that are printed."""
    from torch import nn

    layers: list[nn.Module] = []
    for n_in, n_out in ((1, 16), (16, 32), (32, 40)):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, n_classes))


@dataclass(frozen=True)
class CnnBs(Chen2022Method):
    """A small network on AST's log-mel pictures of 10 s, from scratch.

    Parameters
    ----------
    layout : {"matched", "code"}
        Of the printed size (the layout is ours), or the released code's, 150 times larger, whose one channel dies with
        some seeds where a ReLU meets log-mel below zero.
    input_norm : {"audioset", "none"}
        AST's normalisation, or raw log-mel as in the released code.
    specaug : bool
        SpecAugment on the pictures of train: on in the released script, off in the paper. See
        `mirbench.methods.reprogramming.picture_adapters.SpecAugment`.
    """

    layout: Literal["matched", "code"] = "matched"
    input_norm: Literal["audioset", "none"] = "audioset"
    specaug: bool = False

    name = "cnn-bs"

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """The network, behind SpecAugment where that is wanted."""
        from torch import nn

        from mirbench.methods.reprogramming.picture_adapters import SpecAugment

        network = (cnn_bs_code if self.layout == "code" else cnn_bs_matched)(len(split.classes))
        return nn.Sequential(SpecAugment(), network) if self.specaug else network

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """Those of pictures."""
        return ("mixup",) if self.specaug else ("masks", "mixup")

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Log-mel pictures."""
        import torch

        from mirbench.methods.sources.ast import FilterBank
        from mirbench.methods.training import Inputs

        bank = FilterBank() if self.input_norm == "audioset" else FilterBank(mean=0.0, std=0.5)

        def compute(audio: npt.NDArray[Any], stages: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
            return {"log-mel": bank(torch.from_numpy(audio)).numpy()}

        rows = context.rows(split, ("log-mel",), _SAMPLE_RATE, _SECONDS, identity=repr(bank), compute=compute)
        return Inputs.of(rows["log-mel"])
