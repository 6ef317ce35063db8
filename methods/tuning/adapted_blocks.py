"""What is put into the blocks of a source that stays frozen: bottlenecks behind sublayers, tokens before blocks.

Nothing is replaced: what is learnt becomes a part of the source's own modules (``adapter``, ``prompts``), and hooks,
which are plain functions of the module that they hang on, let it act. A copy of the network is therefore a whole one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from mirbench.errors import NotApplicable

__all__ = ["Block", "Bottleneck", "add_bottlenecks", "add_prompts", "traced"]


@dataclass
class Block:
    """A block of a source, and what is found inside when a window runs through it.

    Parameters
    ----------
    module : Module
    shape : tuple of int
        Of its output: (n, n_tokens, width) of a transformer, (n, channels, height, width) of convolutions.
    ran : list of Module
        Its linear layers and attentions, in the order in which they ran.
    """

    module: nn.Module
    shape: tuple[int, ...] = ()
    ran: list[nn.Module] = field(default_factory=list)

    @property
    def sublayers(self) -> tuple[nn.Module, nn.Module] | None:
        """The last layer of its attention, and that of its feed-forward part; None where it is no transformer's.

        The latter is the last linear layer that leads back to the width of the tokens from another one; the former the
        last one before it from that width to that width, or torch's attention, whose last layer that is.
        """
        if len(self.shape) != 3:
            return None
        width = self.shape[2]
        back = [
            n for n, m in enumerate(self.ran) if isinstance(m, nn.Linear) and m.in_features != m.out_features == width
        ]
        before = self.ran[: back[-1]] if back else []
        ends = [m for m in before if not isinstance(m, nn.Linear) or m.in_features == m.out_features == width]
        return (ends[-1], self.ran[back[-1]]) if ends else None


def traced(network: Any, blocks: Sequence[nn.Module], entry: Tensor) -> list[Block]:
    """What runs in each block for these windows, (n, …)."""
    found = [Block(module) for module in blocks]
    with _listening(found), torch.no_grad():
        network.body(entry)
    return found


@contextmanager
def _listening(blocks: Sequence[Block]) -> Iterator[None]:
    hooks = []
    for block in blocks:

        def left(module: nn.Module, args: Any, output: Any, block: Block = block) -> None:
            block.shape = tuple(_first(output).shape)

        hooks.append(block.module.register_forward_hook(left))
        for module in block.module.modules():
            if isinstance(module, nn.Linear | nn.MultiheadAttention):
                hooks.append(module.register_forward_hook(lambda m, args, output, block=block: block.ran.append(m)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _first(output: Any) -> Tensor:
    """The tokens among what a block gives."""
    found: Tensor = output[0] if isinstance(output, tuple) else output
    return found


def _with_first(output: Any, tokens: Tensor) -> Any:
    return (tokens, *output[1:]) if isinstance(output, tuple) else tokens


class Bottleneck(nn.Module):
    """To a few units (GELU, as in Houlsby's code) and back, added to what it is given.

    It changes nothing at first, for the way back begins at zero.

    Parameters
    ----------
    width, hidden : int
        Of what it is given, and of the few units.
    convolutional : bool
        Whether it is given channels (n, width, height, …) and not tokens (n, n_tokens, width).
    """

    def __init__(self, width: int, hidden: int, *, convolutional: bool = False) -> None:
        super().__init__()
        self.down: nn.Module
        self.up: nn.Linear | nn.Conv2d
        if convolutional:
            self.down, self.up = nn.Conv2d(width, hidden, 1), nn.Conv2d(hidden, width, 1)
        else:
            self.down, self.up = nn.Linear(width, hidden), nn.Linear(hidden, width)
        nn.init.zeros_(self.up.weight)
        assert self.up.bias is not None
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        moved: Tensor = self.up(nn.functional.gelu(self.down(x)))
        return x + moved


def add_bottlenecks(blocks: Sequence[Block], hidden: int, place: str, device: torch.device) -> None:
    """Put bottlenecks behind the sublayers of transformer blocks, or behind blocks of convolutions.

    Parameters
    ----------
    place : {"both", "feed-forward"}
        Behind attention and feed-forward part, before what goes round them is added; or behind the latter alone.

    Raises
    ------
    NotApplicable
        If a block is neither.
    """
    for block in blocks:
        if sublayers := block.sublayers:
            for site in sublayers if place == "both" else sublayers[1:]:
                _attach(site, Bottleneck(block.shape[2], hidden).to(device))
        elif len(block.shape) == 4:
            _attach(block.module, Bottleneck(block.shape[1], hidden, convolutional=True).to(device))
        else:
            raise NotApplicable(
                f"its blocks are neither of attention and linear layers nor of convolutions (a {len(block.shape)}-d "
                "output): no adapter has a place there"
            )


def _attach(site: nn.Module, adapter: nn.Module) -> None:
    site.adapter = adapter
    site.register_forward_hook(_adapted)


def _adapted(site: nn.Module, args: Any, output: Any) -> Any:
    adapter = site.adapter
    assert isinstance(adapter, nn.Module)
    return _with_first(output, adapter(_first(output)))


def add_prompts(blocks: Sequence[Block], n_tokens: int, depth: str, device: torch.device) -> None:
    """Let blocks hear learnt tokens behind their own.

    Parameters
    ----------
    depth : {"shallow", "deep"}
        Tokens that enter before the first block and leave behind the last, or new ones for every block.

    Raises
    ------
    NotApplicable
        If the blocks are not a transformer's.
    """
    for block in blocks:
        if not block.sublayers:
            raise NotApplicable(
                "its blocks are not a transformer's: there are no tokens among which learnt ones could be"
            )
    modules = [block.module for block in blocks]
    for enters, leaves in zip(modules, modules, strict=True) if depth == "deep" else [(modules[0], modules[-1])]:
        width = blocks[0].shape[2]
        bound = math.sqrt(6 / (2 * width))  # Xavier's, as of a layer of this width
        prompts = torch.empty(n_tokens, width, device=device).uniform_(-bound, bound)
        enters.register_parameter("prompts", nn.Parameter(prompts))
        enters.register_forward_pre_hook(_enter, with_kwargs=True)
        leaves.n_prompts = n_tokens  # type: ignore[assignment]
        leaves.register_forward_hook(_leave)


def _enter(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    tokens = args[0] if args else kwargs["hidden_states"]
    if any(isinstance(other, Tensor) and other.ndim == 4 for other in (*args[1:], *kwargs.values())):
        raise NotApplicable("prompt-tokens: the source masks what clips do not fill, and a mask knows no learnt tokens")
    prompts = block.prompts
    assert isinstance(prompts, Tensor)
    longer = torch.cat([tokens, prompts.to(tokens.dtype).expand(len(tokens), -1, -1)], dim=1)
    return ((longer, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": longer})


def _leave(block: nn.Module, args: Any, output: Any) -> Any:
    return _with_first(output, _first(output)[:, : -int(block.n_prompts)])  # type: ignore[arg-type]
