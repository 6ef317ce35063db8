"""What of a frozen source a probe learns from: its embedding, or hidden layers, one or several side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from mirbench import AnySplit
from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.classifiers import Features, embeddings

if TYPE_CHECKING:
    from mirbench import Context
    from mirbench.method import Part
    from mirbench.methods.training.graph import Front
    from mirbench.source import SourceCard
    from mirbench.types import Task

__all__ = ["ProbedLayers"]

_MEMBER = r"pooled|0|[1-9]\d{0,3}"


@dataclass(frozen=True)
class ProbedLayers:
    """A probe of the embedding or of hidden layers of a source.

    Parameters
    ----------
    layers : str
        What it learns from: pooled, the source's embedding; a hidden layer by its number, from 0; several of these side
        by side, as 0+3+5 or pooled+3; or all hidden layers.
    pooling : {"mean", "mean+sd"}
        What is taken of the tokens of a hidden layer in a window: their mean, or their mean and their standard
        deviation. Of several windows of a clip, the mean of either is taken.
    """

    layers: str = field(default="pooled", kw_only=True)
    pooling: Literal["mean", "mean+sd"] = field(default="mean", kw_only=True)

    name: ClassVar[str] = ""
    adds: ClassVar[Mapping[str, tuple[str, str]]] = {"layers": ("layers", "pooled")}
    later: ClassVar[tuple[str, ...]] = ("layers", "pooling")

    def check_layers(self) -> None:
        """Refuse what names no layers; which the source has is not known yet.

        Raises
        ------
        BadInput
            If it is so.
        """
        asked, said = self._members, f"{self.name}: layers={self.layers}"
        if not re.fullmatch(rf"all|({_MEMBER})(\+({_MEMBER}))*", self.layers):
            hint = "; --search layers=0,3 tries one after the other" if "," in self.layers else ""
            raise BadInput(f"{said}: pooled, numbers of layers joined by +, as in 0+3+5, or all are needed{hint}")
        if len(set(asked)) < len(asked):
            raise BadInput(f"{said}: names one twice; name each once")
        if self.pooling not in ("mean", "mean+sd"):
            raise BadInput(f"{self.name}: pooling={self.pooling}: mean or mean+sd is needed")
        if self.pooling != "mean" and asked == ["pooled"]:
            raise BadInput(
                f"{self.name}: pooling={self.pooling} is of the tokens of hidden layers; say which, as in layers=0"
            )

    def features(self, context: Context, split: AnySplit) -> Features:
        """What it learns from of each clip, (n_clips, n_features).

        Raises
        ------
        BadInput
            If the source has no such layer.
        """
        if self.layers == "pooled":
            return embeddings(context, split)
        stages = self.stages_of(context.source.card)
        rows = context.source.together(split, *self._read(context.source.card))
        return np.concatenate([rows[stage].clip_means() for stage in stages], axis=1)

    def stages_of(self, card: SourceCard) -> tuple[str, ...]:
        """The stages of a source that stand side by side, as `mirbench.methods.training.graph.Front` calls them."""
        found: list[str] = []
        for member in map(str, range(card.n_layers)) if self.layers == "all" else self._members:
            if member == "pooled":
                found.append(member)
                continue
            if int(member) >= card.n_layers:
                raise NotApplicable(
                    f"{self.name}: layers={self.layers}: {card.name} has hidden layers 0 to {card.n_layers - 1}"
                )
            found += [f"{kind}{member}" for kind in self.pooling.split("+")]
        return tuple(found)

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """Refuse a hidden layer that the source has not; see `mirbench.method.Refusing`."""
        assert card is not None
        self.stages_of(card)

    def front(self, context: Context) -> Front:
        """The same as a torch module, for `mirbench export model --onnx`."""
        from mirbench.methods.training.graph import Front

        return Front(context, self.stages_of(context.source.card), by_clip=True, joined=True)

    def reads(self, split: AnySplit, part: Part, context: Context) -> None:
        """Ask for the rows of a split; see `mirbench.method.ReadsRows`."""
        self.features(context, split)

    @property
    def _members(self) -> list[str]:
        return self.layers.split("+")

    def _read(self, card: SourceCard) -> list[str]:
        """The same of every layer: to probe another one, no window is passed through the body again."""
        every = [f"{kind}{k}" for k in range(card.n_layers) for kind in self.pooling.split("+")]
        return ["pooled", *every] if "pooled" in self._members else every
