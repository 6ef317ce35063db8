"""The networks of `mirbench.methods.mean_teacher`: a student, and with it a teacher that follows."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

__all__ = ["Student", "StudentAndTeacher"]

_EPSILON = 1e-7


class Student(nn.Module):
    """Three layers of single frames with a residual connection, then attention over time, class by class.

    Parameters
    ----------
    width : int
        Of the embeddings; 128 for VGGish.
    dropout : float
        After each layer.
    he_uniform : bool
        Begin with weights uniform within the root of 6 / width and biases at zero, instead of torch's own.
    """

    def __init__(self, width: int, n_classes: int, dropout: float, *, he_uniform: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)
                )
                for _ in range(3)
            )
        )
        self.attention, self.classes = nn.Linear(width, n_classes), nn.Linear(width, n_classes)
        if he_uniform:
            self.apply(_he_uniform)

    def forward(self, frames: Tensor, there: Tensor) -> Tensor:
        """Embeddings (n, n_frames, width) and which of them are there (n, n_frames) -> probabilities (n, n_classes)."""
        x = frames[there > 0]  # frames that are not there must not enter batch norm
        x = self.layers(self.norm(x)) + x
        # in single precision: half cannot tell 1 - epsilon from 1
        attention = self.attention(x).float().sigmoid().clamp(_EPSILON, 1 - _EPSILON)
        probability = self.classes(x).float().sigmoid()
        weight = attention.new_zeros(*there.shape, attention.shape[1])
        attended = torch.zeros_like(weight)
        weight[there > 0], attended[there > 0] = attention, attention * probability
        return (attended.sum(dim=1) / weight.sum(dim=1)).clamp(0.0, 1.0)


def _he_uniform(part: nn.Module) -> None:
    if isinstance(part, nn.Linear):
        nn.init.kaiming_uniform_(part.weight, nonlinearity="relu")
        if part.bias is not None:
            nn.init.zeros_(part.bias)


class StudentAndTeacher(nn.Module):
    """A student and its moving average.

    Parameters
    ----------
    teacher : Student or None
        What the average begins with; None is the student.
    judged_by : {"student", "teacher"}
        Whose probabilities are the output outside training.
    """

    follows = ("teacher.",)
    """What moves without being trained."""

    def __init__(self, student: Student, judged_by: str, teacher: Student | None = None) -> None:
        super().__init__()
        self.student, self.teacher = student, (teacher or copy.deepcopy(student)).requires_grad_(False)
        self.judged_by = judged_by
        self.disagreement = torch.zeros(())
        self.n_steps = 0

    def forward(self, frames: Tensor, there: Tensor) -> Tensor:
        """(n, n_frames, width), (n, n_frames) -> (n, n_classes) logits."""
        if not self.training:
            judge = self.teacher if self.judged_by == "teacher" else self.student
            return judge(frames, there).clamp(_EPSILON, 1 - _EPSILON).logit()
        probability = self.student(frames, there)
        with torch.no_grad():
            target = self.teacher(frames, there)
        self.disagreement = nn.functional.mse_loss(probability, target)
        return probability.clamp(_EPSILON, 1 - _EPSILON).logit()

    @torch.no_grad()
    def follow(self) -> None:
        """Move the teacher towards the student after a step."""
        self.n_steps += 1
        keep = min(1 - 1 / (self.n_steps + 1), 0.999)
        for mean, value in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.mul_(keep).add_(value, alpha=1 - keep)
