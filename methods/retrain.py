"""The recipe of TensorFlow's image retraining script, which shtern2017 used on Inception's bottleneck.

References
----------
Shtern, Ejaz, Tzerpos (2017); tensorflow/tensorflow, examples/image_retraining/retrain.py (2016).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mirbench import AnySplit
from mirbench.errors import BadInput, NotApplicable
from mirbench.method import CLASSES
from mirbench.methods.training.network import NetworkMethod
from mirbench.types import Split, Task

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.methods.training import Batch, Draw, Inputs, Phase, Recipe
    from mirbench.source import SourceCard

__all__ = ["Retrain"]

_STEPS_AN_EPOCH = 100


@dataclass(frozen=True)
class Retrain(NetworkMethod):
    """Softmax regression by plain gradient descent on batches that hold every class alike; the last step is kept.

    Each item of a batch is drawn by a class, drawn uniformly, and a window of that class, drawn uniformly, with
    replacement. The script's split by hashes of file names is a matter of the task: those of shtern2017 have it
    (`mirbench.tasks.retrain`), others keep their own.

    Parameters
    ----------
    epochs : int
        Hundreds of steps: 80 are the paper's 8,000 (4,000 are the script's default).
    lr : float
        Learning rate of plain gradient descent; the script's 0.01.
    batch_size : int
        The script's 100.
    """

    epochs: int = 80
    lr: float = 0.01
    batch_size: int = 100

    name, needs = "tf-retrain", ("pooled",)
    uses_valid = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight_decay:
            raise BadInput(f"{self.name}: plain gradient descent has no weight decay")

    @property
    def task_kinds(self) -> tuple[str, ...]:
        """Of classes, by which it draws batches."""
        return CLASSES

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """Clips of several classes, too."""
        super().require_usable(card, task)
        if task.kind != "single-label":
            raise NotApplicable(f"{self.name} draws batches by the class of a clip; {task.name} is {task.kind}")

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """One linear layer, weights from a normal distribution of deviation 0.001 cut at two, no bias at first."""
        from torch import nn

        layer = nn.Linear(int(context.source.pooled(split).values.shape[1]), len(split.classes))
        nn.init.trunc_normal_(layer.weight, std=0.001, a=-0.002, b=0.002)
        nn.init.zeros_(layer.bias)
        return layer

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """The bottleneck, window by window."""
        from mirbench.methods.training import Inputs

        return Inputs.of(context.source.pooled(split))

    def draw(self, context: Context, train: Split, seed: int) -> Draw | None:
        """A hundred balanced batches."""
        from mirbench.methods.training import batches

        self.require_usable(context.source.card, train.task)
        seen, targets = self.inputs(context, train), train.targets()
        label = train.class_index()[seen.clip_index]
        of_class = [np.flatnonzero(label == k) for k in np.unique(label)]

        def draw(generator: np.random.Generator) -> Iterator[Batch]:
            size = (_STEPS_AN_EPOCH, self.batch_size)
            chosen, place = generator.integers(len(of_class), size=size), generator.random(size)
            rows = np.array([[of_class[k][int(p * len(of_class[k]))] for k, p in zip(*step, strict=True)]
                             for step in zip(chosen, place, strict=True)])  # fmt: skip
            yield from batches(seen, targets, rows.ravel(), self.batch_size, context)

        return draw

    def phases(self) -> tuple[Phase, ...]:
        """Plain gradient descent."""
        from mirbench.methods.training import Phase

        return (Phase(self.epochs, self.lr, "sgd", momentum=0.0),)

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """Nothing is selected on valid."""
        return replace(super().recipe(module, kind), select="last")
