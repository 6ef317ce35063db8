"""Recipes that several methods share: phases of rates, epochs of random crops, and what Chen & Lerch (2022) train by.

References
----------
Hung, Yang, Chen, Lerch (2022), arXiv:2211.01317; code: biboamy/music-repro. Chen & Lerch (2022), arXiv:2211.08379;
code: hchen605/ast_inst_cls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from mirbench.methods.training.network import NetworkMethod
from mirbench.types import FloatArray, IntArray, Split

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mirbench import Context
    from mirbench.methods.training.batch import Batch, Draw
    from mirbench.methods.training.recipe import Loss, Phase, Recipe

__all__ = [
    "CROP_SECONDS", "Chen2022Method", "Chen2022Schedule", "chen2022_phases", "crop_draw", "cut_to", "hung2022_clips",
    "hung2022_phases",
]  # fmt: skip

_CROPS_AN_EPOCH = 1000  # of hung2022's authors' code
CROP_SECONDS = 10.0
"""Length of the crops of hung2022's authors' code."""


def cut_to(epochs: int, phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """So many epochs of phases that follow one another; the last is drawn out to whatever is left."""
    left, cut = epochs, []
    for number, phase in enumerate(phases, 1):
        if left > 0:
            count = left if number == len(phases) else min(left, phase.epochs)
            cut.append(replace(phase, epochs=count))
            left -= count
    return tuple(cut)


def hung2022_phases(epochs: int) -> tuple[Phase, ...]:
    """Of the authors' code of Hung et al. (2022): Adam for 80 epochs, and SGD, slower after 50 and after 70.

    Each of the three begins from the best weights so far; the momentum of SGD goes on through its changes of rate.
    """
    from mirbench.methods.training.recipe import Phase

    adam = Phase(80, 1e-4, weight_decay=1e-4)
    plan = [(50, 1e-3), (20, 5e-4), (1, 1e-5)]
    slower = [Phase(n, lr, "sgd", weight_decay=1e-4, from_best=True, goes_on=k > 0) for k, (n, lr) in enumerate(plan)]
    return cut_to(epochs, (adam, *slower))


def hung2022_clips(n_clips: int, batch_size: int) -> Callable[[np.random.Generator], Iterator[IntArray]]:
    """The clips of each batch of an epoch of that code: 1000 drawn with replacement, less those of a last short batch.

    Its crops end a second before the end of a clip, or earlier; `crop_draw`'s may also hold the last second.
    """

    def order(generator: np.random.Generator) -> Iterator[IntArray]:
        for _ in range(_CROPS_AN_EPOCH // batch_size):
            yield generator.integers(n_clips, size=batch_size)

    return order


def crop_draw(
    context: Context,
    train: Split,
    sample_rate: int,
    seconds: float,
    order: Callable[[np.random.Generator], Iterable[IntArray]],
    inputs: Callable[[FloatArray], tuple[Tensor, ...]],
    pieces: int = 1,
) -> Draw:
    """Epochs of random crops.

    Parameters
    ----------
    seconds : float
        Length of a crop.
    order : callable
        ``order(generator)`` -> the clips of each batch of an epoch, one crop of each.
    inputs : callable
        ``inputs(audio)``, of audio (n, n_samples) -> what the module takes, `pieces` of each crop.
    """
    import torch

    from mirbench.methods.training.batch import Batch

    targets = train.targets()

    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        for clips in order(generator):
            crops = context.random_crops(train, sample_rate, seconds, clips, generator)
            value, known = (torch.from_numpy(x[clips]).to(context.device) for x in (targets.value, targets.known))
            yield Batch(inputs(np.asarray(crops.values)), value, known, pieces)

    return draw


Chen2022Schedule = Literal["paper", "authors-code", "constant"]
"""Halved after 10 epochs and every 5 from then on (as printed); the released script's own rates, 1e-5 times 0.85 after
each of the epochs 5 to 25, betas 0.95 and 0.999 and weight decay 5e-7; or no schedule."""


def chen2022_phases(schedule: Chen2022Schedule, epochs: int, lr: float, weight_decay: float) -> tuple[Phase, ...]:
    """The phases of a schedule of Chen & Lerch (2022)."""
    from mirbench.methods.training.recipe import Phase

    if schedule == "paper":
        return (Phase(epochs, lr, weight_decay=weight_decay, milestones=tuple(range(10, 50, 5)), gamma=0.5),)
    if schedule == "authors-code":
        milestones = tuple(range(5, 26))
        return (Phase(epochs, 1e-5, weight_decay=5e-7, betas=(0.95, 0.999), milestones=milestones, gamma=0.85),)
    return (Phase(epochs, lr, weight_decay=weight_decay),)


@dataclass(frozen=True)
class Chen2022Method(NetworkMethod):
    """A method with the paper's recipe: Adam for 50 epochs of batches of 8.

    Parameters
    ----------
    schedule : {"paper", "authors-code", "constant"}
        See `Chen2022Schedule`; the authors' script has 30 epochs of batches of 4, and rates of its own, whatever `lr`
        and `weight_decay` say.
    select : {"score", "last"}
        Whether the best epoch on valid is kept, or the last, as in the released script.
    """

    epochs: int = 50
    lr: float = 5e-5
    batch_size: int = 8
    schedule: Chen2022Schedule = "paper"
    select: Literal["score", "last"] = "score"

    version: ClassVar[str] = "2"

    def loss(self, kind: str) -> Loss:
        """Binary cross entropy over what is known, on soft targets where there are some; squared error of values."""
        from mirbench.methods.training.recipe import loss_of

        return loss_of(kind, independent=True)

    def phases(self) -> tuple[Phase, ...]:
        """Of the schedule that was chosen."""
        return chen2022_phases(self.schedule, self.epochs, self.lr, self.weight_decay)

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """With the selection that was chosen."""
        return replace(super().recipe(module, kind), select=self.select)
