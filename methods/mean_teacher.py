"""Mean Teacher on embeddings of frames: a student with attention over time, and its moving average.

References
----------
Gururani & Lerch (2021), Semi-supervised audio classification with partially labeled data, arXiv:2111.12761; code:
SiddGururani/audio_missing_labels. Quoted by Chen & Lerch (2022). Tarvainen & Valpola (2017), Mean teachers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mirbench import AnySplit
from mirbench.errors import BadInput
from mirbench.method import CLASSES
from mirbench.methods.training.network import NetworkMethod

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mirbench import Context
    from mirbench.methods.training import Batch, Inputs, Loss, Phase, Recipe
    from mirbench.source import SourceCard

__all__ = ["MeanTeacher"]

_EPSILON = 1e-7


@dataclass(frozen=True)
class MeanTeacher(NetworkMethod):
    """MT of chen2022's table, on the frames of an embedding, VGGish in the paper.

    Parameters
    ----------
    batch_size : int
        Clips a step; 64 in the authors' script.
    dropout : float
        0.8 in the authors' script, 0.6 in their stored configuration for OpenMIC.
    consistency : float
        Weight of the squared difference of student and teacher, over all entries, known or not.
    initial : {"torch", "he-uniform"}
        Weights of layers before training: torch's own, or uniform within the root of 6 / width with biases at zero, as
        in the authors' code.
    teacher_start : {"student", "own"}
        What the teacher is before the first step: the student, as Tarvainen & Valpola have it, or random weights of its
        own, as in the authors' code.
    judged_by : {"student", "teacher"}
        Who predicts.
    scale : float or None
        What embeddings are divided by; None is 255 for features that ship with a data set (OpenMIC's are of 8 bits),
        else 1.
    """

    epochs: int = 100
    lr: float = 1e-3
    weight_decay: float = 1e-5
    batch_size: int = 64
    dropout: float = 0.8
    consistency: float = 3.0
    initial: Literal["torch", "he-uniform"] = "torch"
    teacher_start: Literal["student", "own"] = "student"
    judged_by: Literal["student", "teacher"] = "student"
    select: Literal["score", "loss"] = "loss"
    scale: float | None = None

    name, version, needs = "mean-teacher", "2", ("pooled",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.dropout < 1 or self.consistency < 0:
            raise BadInput(f"{self.name}: dropout must be in [0, 1), consistency at least 0")
        if self.scale is not None and self.scale <= 0:
            raise BadInput(f"{self.name}: scale must be above 0")

    @property
    def task_kinds(self) -> tuple[str, ...]:
        """Of classes, whose labels it makes hard."""
        return CLASSES

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """Student and teacher."""
        from mirbench.methods.student import Student, StudentAndTeacher

        width = int(context.source.pooled(split).values.shape[1])

        def student() -> Student:
            return Student(width, len(split.classes), self.dropout, he_uniform=self.initial == "he-uniform")

        return StudentAndTeacher(student(), self.judged_by, student() if self.teacher_start == "own" else None)

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Frames of clips, filled up with zeros to the longest, and which are there."""
        from mirbench.methods.training import Inputs

        seen = context.source.pooled(split)
        values: Any = np.asarray(seen.values, dtype=np.float32)
        values = values / (self.scale or (255.0 if context.source.card.shipped else 1.0))
        place = np.arange(len(seen)) - np.searchsorted(seen.clip_index, seen.clip_index)
        frames = np.zeros((seen.n_clips, int(place.max()) + 1, values.shape[1]), dtype=np.float32)
        there = np.zeros(frames.shape[:2], dtype=np.float32)
        frames[seen.clip_index, place], there[seen.clip_index, place] = values, 1.0
        return Inputs((frames, there), np.arange(seen.n_clips), seen.n_clips)

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """None: labels are made hard, and pairs of clips have no frames in common."""
        return ()

    def phases(self) -> tuple[Phase, ...]:
        """Adam, halved every 30 epochs."""
        from mirbench.methods.training import Phase

        milestones = tuple(range(30, self.epochs, 30))
        return (Phase(self.epochs, self.lr, weight_decay=self.weight_decay, milestones=milestones, gamma=0.5),)

    def loss(self, kind: str) -> Loss:
        """Binary cross entropy over what is known, on labels made hard at 0.5."""
        from mirbench.methods.training import masked_bce

        def hard(logits: Tensor, batch: Batch) -> Tensor:
            return masked_bce(logits, replace(batch, target=(batch.target >= 0.5).to(batch.target.dtype)))

        return hard

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """With the consistency of student and teacher, and the teacher's step."""
        from mirbench.methods.student import StudentAndTeacher

        assert isinstance(module, StudentAndTeacher)
        supervised = self.loss(kind)

        def loss(logits: Tensor, batch: Batch) -> Tensor:
            value = supervised(logits, batch)
            return value + self.consistency * module.disagreement if module.training else value

        return replace(super().recipe(module, kind), loss=loss, select=self.select, after_step=module.follow)
