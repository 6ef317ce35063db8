"""What chen2022 and visual prompting put between a spectrogram and a frozen body.

References
----------
Chen & Lerch (2022), Music instrument classification reprogrammed, arXiv:2211.08379; code: hchen605/ast_inst_cls.
Bahng, Jahanian, Sankaranarayanan, Isola (2022), Exploring visual prompts for adapting large-scale models.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirbench import AnySplit, BoundSource
from mirbench.errors import NotApplicable
from mirbench.methods.training.augment import SpecAugment

__all__ = ["PictureConvolutions", "PictureNoise", "PicturePadding", "PictureUnet", "SpecAugment", "spec_augment"]


class PictureNoise(nn.Module):
    """NRP: one picture, learnt from zero, added to every picture."""

    def __init__(self, n_bands: int, n_frames: int) -> None:
        super().__init__()
        self.noise = nn.Parameter(torch.zeros(1, 1, n_bands, n_frames))

    def forward(self, picture: Tensor) -> Tensor:
        """(n, 1, n_bands, n_frames) -> the same shape."""
        return picture + self.noise


class PictureConvolutions(nn.Sequential):
    """CNNRP: two 3 x 3 convolutions of one channel, with nothing between them; 20 parameters."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1))


def _block(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU())


class PictureUnet(nn.Module):
    """U-Net RP: three blocks down (4, 8, 8 channels), three up (4, 1, 1), skips are added; 1,285 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([_block(1, 4), _block(4, 8), _block(8, 8)])
        self.up = nn.ModuleList([_block(8, 4), _block(4, 1), _block(1, 1)])

    def forward(self, picture: Tensor) -> Tensor:
        """(n, 1, n_bands, n_frames) -> the same shape, nowhere negative."""
        heights = [picture]
        for block in self.down:
            heights.append(nn.functional.max_pool2d(block(heights[-1]), 2))
        x = heights.pop()
        for block in self.up:
            skip = heights.pop()
            size = (skip.shape[2], skip.shape[3])
            x = block(nn.functional.interpolate(x, size, mode="bilinear", align_corners=True) + skip)
        return x


class PicturePadding(nn.Module):
    """A learnt frame around the picture, which is made smaller to fit inside: a visual prompt.

    Parameters
    ----------
    share : float
        Of each side of the picture that the frame takes, both edges together.
    """

    inside: Tensor

    def __init__(self, n_bands: int, n_frames: int, share: float) -> None:
        super().__init__()
        rows, columns = (min(max(1, round(n * share / 2)), (n - 1) // 2) for n in (n_bands, n_frames))
        inside = torch.zeros(1, 1, n_bands, n_frames)
        inside[:, :, rows : n_bands - rows, columns : n_frames - columns] = 1.0
        self.register_buffer("inside", inside, persistent=False)
        self.margins = (columns, columns, rows, rows)
        self.size = (n_bands - 2 * rows, n_frames - 2 * columns)
        # learnt values of the frame alone: the inside of it is the picture
        self.frame = nn.Parameter(torch.zeros(int((inside == 0).sum())))

    def forward(self, picture: Tensor) -> Tensor:
        """(n, 1, n_bands, n_frames) -> the same shape."""
        small = nn.functional.interpolate(picture, self.size, mode="bilinear", antialias=True)
        frame = torch.zeros_like(self.inside).masked_scatter(self.inside == 0, self.frame)
        return nn.functional.pad(small, self.margins) + frame


def spec_augment(source: BoundSource, split: AnySplit) -> SpecAugment:
    """For what the body of a source begins with.

    Raises
    ------
    NotApplicable
        If that is no spectrogram.
    """
    if "frontend" not in source.card.offers:
        raise NotApplicable(f"specaug masks spectrograms, and {source.card.name} has none")
    if source.entry(split).values.shape[1] != 1:
        raise NotApplicable("specaug masks spectrograms; the clips of this task are pictures in colour")
    return SpecAugment()
