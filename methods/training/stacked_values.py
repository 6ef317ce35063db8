"""What networks learn that are trained as one program, stacked, and the optimiser that steps through it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mirbench.methods.training.recipe import Phase

__all__ = ["Optimizer", "Values", "rates"]


class Values:
    """Parameters and buffers of members, each with a first dimension of members.

    Matrices are held transposed: the gradient of a batched product then has the layout of its matrix, and no copy is
    made of it.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        each = [_named(module) for module in modules]
        self._turned = {name for name, value in each[0].items() if value.requires_grad and value.dim() == 2}
        self._held: dict[str, Tensor] = {}
        for name, value in each[0].items():
            stacked = torch.stack([named[name].detach() for named in each])
            held = stacked.transpose(1, 2).contiguous() if name in self._turned else stacked
            self._held[name] = held.requires_grad_(value.requires_grad)

    @property
    def learnt(self) -> list[Tensor]:
        """What is learnt, as it is held."""
        return [value for value in self._held.values() if value.requires_grad]

    def by_name(self) -> dict[str, Tensor]:
        """All of it, in the shapes of a member after the first dimension."""
        return {name: self._turn(name, value) for name, value in self._held.items()}

    @torch.no_grad()
    def write(self, k: int, module: nn.Module) -> None:
        """Put the values of a member into its module."""
        for name, value in _named(module).items():
            value.copy_(self._turn(name, self._held[name])[k])

    @torch.no_grad()
    def read(self, k: int, module: nn.Module) -> None:
        """Take them from there."""
        for name, value in _named(module).items():
            self._turn(name, self._held[name])[k] = value

    def keep(self, members: Sequence[int]) -> None:
        """Let go of the others."""
        for name, value in self._held.items():
            self._held[name] = value.detach()[members].requires_grad_(value.requires_grad)

    def _turn(self, name: str, value: Tensor) -> Tensor:
        return value.transpose(1, 2) if name in self._turned else value


def _named(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


class Optimizer:
    """Torch's optimiser of a phase: members of one rate and decay, which stand side by side, are a group of it.

    Parameters
    ----------
    phases : sequence of Phase
        Of each member.
    before : Optimizer or None
        That of the phase before, of the same members, whose moments go on.
    """

    def __init__(
        self, phases: Sequence[Phase], values: Values, device: torch.device, before: Optimizer | None = None
    ) -> None:
        groups, first = [], 0
        for (lr, decay), alike in itertools.groupby(phases, rates):
            rows = slice(first, first := first + len(list(alike)))
            own = [nn.Parameter(value.detach()[rows]) for value in values.learnt]  # of the same memory
            groups.append({"params": own, "lr": lr, "weight_decay": decay})
        fused = True if device.type in ("cpu", "cuda") else None
        self._torch, self._schedule = phases[0].build(groups, fused=fused)
        if before is not None:
            self._take_moments(before)

    def _take_moments(self, before: Optimizer) -> None:
        """Those of members that another one has, whose groups may hold others of them together."""
        for number in range(len(before._torch.param_groups[0]["params"])):
            held = [before._torch.state[group["params"][number]] for group in before._torch.param_groups]
            shapes = [group["params"][number].shape for group in before._torch.param_groups]
            for rows, group in self._groups():
                self._torch.state[group["params"][number]] = {
                    name: torch.cat([state[name] for state in held])[rows]
                    if moment is not None and moment.shape == shapes[0]
                    else moment
                    for name, moment in held[0].items()
                }

    def step(self, learnt: Sequence[Tensor]) -> None:
        """One step by the gradients of what is learnt, which are let go of."""
        for rows, group in self._groups():
            for own, value in zip(group["params"], learnt, strict=True):
                assert value.grad is not None
                own.grad = value.grad[rows]
        self._torch.step()
        for value in learnt:
            value.grad = None

    def end_epoch(self) -> None:
        """Go on to the rates of the next epoch."""
        self._schedule.step()

    def keep(self, members: Sequence[int], learnt: Sequence[Tensor]) -> None:
        """Let go of other members; `learnt` is what was kept of the values."""
        kept, kept_rates, first = [], [], 0
        for (rows, group), rate in zip(list(self._groups()), self._schedule.base_lrs, strict=True):
            own = [k - rows.start for k in members if rows.start <= k < rows.stop]
            for parameter, value in zip(group["params"], learnt, strict=True):
                moments = self._torch.state.pop(parameter)
                shape = parameter.shape
                parameter.data, parameter.grad = value.detach()[first : first + len(own)], None
                if own:
                    self._torch.state[parameter] = {
                        name: moment[own] if moment is not None and moment.shape == shape else moment
                        for name, moment in moments.items()
                    }
            first += len(own)
            if own:
                kept.append(group)
                kept_rates.append(rate)
        self._torch.param_groups, self._schedule.base_lrs = kept, kept_rates

    def _groups(self) -> Iterator[tuple[slice, dict[str, Any]]]:
        first = 0
        for group in self._torch.param_groups:
            yield slice(first, first := first + len(group["params"][0])), group


def rates(phase: Phase) -> tuple[float, float]:
    """What members of a stack may have of their own in a phase: rate and decay."""
    return phase.lr, phase.weight_decay
