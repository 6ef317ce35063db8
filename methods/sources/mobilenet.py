"""MobileNetV3 in plain torch, under torchvision's names of its parameters.

Torchvision has the same network; to import it loads torch's compiler, which takes longer than torch itself.

References
----------
Howard et al. (2019), Searching for MobileNetV3, ICCV.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

__all__ = ["LARGE", "Block", "MobileNetV3", "channels"]


class Block(NamedTuple):
    """A row of the table of blocks, at width 1."""

    n_in: int
    kernel: int
    n_expanded: int
    n_out: int
    gated: bool
    activation: type[nn.Module]
    stride: int


_RE, _HS = nn.ReLU, nn.Hardswish
LARGE = tuple(
    Block(*row)
    for row in (
        (16, 3, 16, 16, False, _RE, 1), (16, 3, 64, 24, False, _RE, 2), (24, 3, 72, 24, False, _RE, 1),
        (24, 5, 72, 40, True, _RE, 2), (40, 5, 120, 40, True, _RE, 1), (40, 5, 120, 40, True, _RE, 1),
        (40, 3, 240, 80, False, _HS, 2), (80, 3, 200, 80, False, _HS, 1), (80, 3, 184, 80, False, _HS, 1),
        (80, 3, 184, 80, False, _HS, 1), (80, 3, 480, 112, True, _HS, 1), (112, 3, 672, 112, True, _HS, 1),
        (112, 5, 672, 160, True, _HS, 2), (160, 5, 960, 160, True, _HS, 1), (160, 5, 960, 160, True, _HS, 1),
    )
)  # fmt: skip
"""MobileNetV3-large (Howard et al., Table 1)."""


def channels(n: float, width: float = 1.0) -> int:
    """A number of channels at a width: the multiple of 8 that is nearest, and not below 90 % of it."""
    n *= width
    rounded = max(8, int(n + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * n else rounded


class MobileNetV3(nn.Module):
    """MobileNetV3 for pictures of one channel, with gates that are true sigmoids.

    Parameters
    ----------
    width : float
        Multiplier of the channels.
    n_outputs : int
        Number of classes.
    blocks : sequence of Block

    Attributes
    ----------
    features : Sequential
        First convolution, blocks, last convolution: (n, 1, height, width) -> (n, n_features, …).
    classifier : Sequential
        (n, n_features) -> (n, n_outputs).
    """

    def __init__(self, width: float, n_outputs: int, blocks: Sequence[Block] = LARGE) -> None:
        super().__init__()
        n_last = channels(blocks[-1].n_out, width)
        self.features = nn.Sequential(
            _convolution(1, channels(blocks[0].n_in, width), 3, stride=2, activation=_HS),
            *(_Residual(block, width) for block in blocks),
            _convolution(n_last, 6 * n_last, 1, activation=_HS),
        )
        n_hidden = channels(1280, width)
        self.classifier = nn.Sequential(
            nn.Linear(6 * n_last, n_hidden), nn.Hardswish(inplace=True), nn.Dropout(0.2), nn.Linear(n_hidden, n_outputs)
        )


class _Residual(nn.Module):
    """Expansion, depthwise convolution, gate, projection; added to what came where the shape is the same."""

    def __init__(self, row: Block, width: float) -> None:
        super().__init__()
        n_in, n_expanded, n_out = (channels(n, width) for n in (row.n_in, row.n_expanded, row.n_out))
        layers: list[nn.Module] = []
        if n_expanded != n_in:
            layers.append(_convolution(n_in, n_expanded, 1, activation=row.activation))
        layers.append(
            _convolution(
                n_expanded, n_expanded, row.kernel, stride=row.stride, groups=n_expanded, activation=row.activation
            )
        )
        if row.gated:
            layers.append(_Gate(n_expanded, channels(n_expanded // 4)))
        layers.append(_convolution(n_expanded, n_out, 1))
        self.block = nn.Sequential(*layers)
        self._adds = row.stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, height, width) -> (n, n_out, …)."""
        out: Tensor = self.block(x)
        if self._adds:
            out += x
        return out


class _Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, n: int, n_squeezed: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(n, n_squeezed, 1), nn.Conv2d(n_squeezed, n, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Each channel times its gate."""
        gate: Tensor = self.fc2(self.fc1(x.mean(dim=(2, 3), keepdim=True)).relu()).sigmoid()
        return gate * x


def _convolution(
    n_in: int,
    n_out: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = None,
) -> nn.Sequential:
    """Convolution, batch norm, activation."""
    layers: list[nn.Module] = [
        nn.Conv2d(n_in, n_out, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(n_out, eps=0.001, momentum=0.01),
    ]
    if activation is not None:
        layers.append(activation(inplace=True))
    return nn.Sequential(*layers)
