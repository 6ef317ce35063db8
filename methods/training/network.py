"""What every method that trains a network has in common: a module, what it is fed, and a recipe make a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mirbench import AnySplit
from mirbench.errors import BadInput, NotApplicable
from mirbench.method import EVERY_KIND, Fitted, Part, require_above, require_least
from mirbench.runs.measure import count_parameters
from mirbench.types import BlindSplit, FloatArray, IntArray, Split, Task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mirbench import Context
    from mirbench.methods.training.batch import Draw, Inputs
    from mirbench.methods.training.fitting import Learnt
    from mirbench.methods.training.recipe import Loss, Phase, Recipe
    from mirbench.source import SourceCard

__all__ = ["NetworkMethod", "median_epoch"]

_ACTS_ON = {
    "masks": "it is of spectrograms that are passed on in training",
    "levels": "it is of audio that is heard in training",
    "mixup": "it is of labels that may be soft",
}
_AUGMENTATIONS = tuple(_ACTS_ON)


def median_epoch(histories: Sequence[Sequence[Mapping[str, float]]], select: str) -> int:
    """The median of the epochs that runs kept, counted from 1, by their histories; see `Recipe.select`."""
    from mirbench.methods.training.loop import reached

    kept = []
    for history in histories:
        if not all("valid_score" in row for row in history):  # it was fitted on valid too, and ended where it should
            kept.append(len(history))
            continue
        ranks = [
            reached(select, n, _number(row["valid_score"]), _number(row["valid_loss"])) for n, row in enumerate(history)
        ]
        kept.append(1 + ranks.index(max(ranks)))
    return max(1, round(float(np.median(kept))))


def _number(value: float | None) -> float:
    """Of a history; records say null where it is undefined."""
    return float("nan") if value is None else value


@dataclass(frozen=True)
class NetworkMethod:
    """A method that trains a torch module; a subclass says which, on what, and how.

    Parameters
    ----------
    epochs : int
        Passes over train.
    lr : float
        Learning rate of Adam.
    weight_decay : float
        L2 penalty.
    batch_size : int
        Windows a step.
    accumulate : int
        Parts in which a batch is computed, for machines with little memory; batch norm sees the parts.
    augment : str
        How the clips of train are varied: none, or one or more of masks (a band and a stretch of each spectrogram at
        its mean), levels (of audio, 6 dB up or down) and mixup (of two items and their labels), as masks+mixup.
    """

    epochs: int = 100
    lr: float = 1e-4
    weight_decay: float = 0.0
    batch_size: int = 16
    accumulate: int = 1
    augment: str = field(default="none", kw_only=True)

    name: ClassVar[str] = ""
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ()
    joins: ClassVar[bool] = False
    """Whether `inputs` has one array, of all `stages` side by side."""
    later: ClassVar[tuple[str, ...]] = ("augment",)

    def __post_init__(self) -> None:
        require_least(self, 1, "epochs", "batch_size", "accumulate")
        require_above(self, 0, "lr")
        names = self.augment.split("+")
        if self.augment != "none" and (set(names) - set(_AUGMENTATIONS) or len(set(names)) < len(names)):
            said = ", ".join(_AUGMENTATIONS)
            raise BadInput(f"{self.name}: augment={self.augment}: none, or of {said} some joined by +, as masks+mixup")
        if self.augment != "none" and type(self).fit is not NetworkMethod.fit:
            raise BadInput(f"{self.name}: augment={self.augment}: it trains in a way of its own; leave augment out")

    @property
    def task_kinds(self) -> tuple[str, ...]:
        """Every kind: a network has an output for each class, or each target."""
        return EVERY_KIND

    @property
    def uses_valid(self) -> bool:
        """Whether an epoch is selected on valid: where the last is kept none is."""
        return getattr(self, "select", "score") != "last"

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """What is trained, freshly made, from windows to one logit a class; frozen parts stay out of its state.

        Nothing but classes and sizes may be taken from `split`, which is a blind one when a model is restored.
        """
        raise NotImplementedError

    def prepare(self, module: nn.Module, context: Context, train: Split) -> None:
        """Put what is known from train before training (means, scales) into the module's buffers."""

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """What the module is fed."""
        raise NotImplementedError

    def reads(self, split: AnySplit, part: Part, context: Context) -> None:
        """Ask for the rows of a split that training and predicting read; see `mirbench.method.ReadsRows`."""
        self.inputs(context, split)

    def draw(self, context: Context, train: Split, seed: int) -> Draw | None:
        """Batches of an epoch; None is every window of train once, in its `window_order`."""
        return None

    def window_order(self, seen: Inputs, context: Context, generator: np.random.Generator, seed: int) -> IntArray:
        """The windows of train in the order of an epoch, each once; shape (n_windows,)."""
        return context.reading_order(seen.arrays, generator)

    def can_augment(self, card: SourceCard | None, medium: str) -> tuple[str, ...]:
        """Which augmentations can act on what the module is fed: of rows of a frozen source mixup alone."""
        return ("mixup",)

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """Refuse settings that nothing can come of; see `mirbench.method.Refusing`.

        Raises
        ------
        NotApplicable
            If that is so.
        """
        self._require_augmentable(card, task.medium)

    def _require_augmentable(self, card: SourceCard | None, medium: str) -> None:
        names = () if self.augment == "none" else self.augment.split("+")
        able = self.can_augment(card, medium) if names else ()
        if lacking := [name for name in names if name not in able]:
            raise NotApplicable(
                f"augment={lacking[0]} cannot act where {self.name} learns: {_ACTS_ON[lacking[0]]}; here "
                f"{' and '.join(able) or 'none'} can"
            )

    def loss(self, kind: str) -> Loss:
        """Cross entropy for one class a clip, squared error of values, else masked binary cross entropy."""
        from mirbench.methods.training.recipe import loss_of

        return loss_of(kind)

    def phases(self) -> tuple[Phase, ...]:
        """Adam at a constant rate."""
        from mirbench.methods.training.recipe import Phase

        return (Phase(self.epochs, self.lr, weight_decay=self.weight_decay),)

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """How the module is trained."""
        from mirbench.methods.training.recipe import Recipe

        return Recipe(self.phases(), self.batch_size, self.loss(kind), accumulate=self.accumulate)

    def state(self, module: nn.Module) -> Mapping[str, Tensor]:
        """What is stored of a trained module."""
        return module.state_dict()

    def load(self, module: nn.Module, state: Mapping[str, Tensor]) -> None:
        """Put what was stored into a fresh module."""
        module.load_state_dict(state)

    def n_total(self, module: nn.Module, context: Context) -> int | None:
        """The source and what was learnt, together; None where that is their sum."""
        return None

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Train on train, keep the epoch that is best on valid."""
        module, recipe = self.fresh(train, context, seed)
        return self._fitted_by(module, recipe, train, valid, context, seed)

    def refit(
        self, clips: Split, context: Context, *, seed: int, histories: Sequence[Sequence[Mapping[str, float]]]
    ) -> Fitted:
        """Train on all clips for as many epochs as runs kept, the median, and keep the last; see `Refittable`.

        Raises
        ------
        NotApplicable
            If the method trains in a way of its own.
        """
        from dataclasses import replace

        if type(self).fit is not NetworkMethod.fit:
            raise NotApplicable(f"--refit: {self.name} trains in its own way, which needs valid; leave --refit out")
        module, recipe = self.fresh(clips, context, seed)
        epochs = median_epoch(histories, recipe.select)
        recipe = replace(recipe, select="last", patience=None, stop_after=epochs)
        fitted = self._fitted_by(module, recipe, clips, clips, context, seed)
        rows = [{name: row[name] for name in ("loss", "seconds")} for row in fitted.history]  # there is no valid
        return replace(fitted, history=rows, valid_score=None)

    def _fitted_by(
        self, module: nn.Module, recipe: Recipe, train: Split, valid: Split, context: Context, seed: int
    ) -> Fitted:
        from mirbench.methods.training.fitting import every_window, fit_module

        draw = self.draw(context, train, seed)
        if draw is None:
            seen = self.inputs(context, train)

            def order(generator: np.random.Generator) -> IntArray:
                return self.window_order(seen, context, generator, seed)

            draw = every_window(seen, train.targets(), recipe.batch_size, context, order)
        with self._augmented(module, draw, context) as batches:
            learnt = fit_module(
                module,
                lambda split: self.inputs(context, split),
                train,
                valid,
                context,
                recipe,
                seed=seed,
                independent=self.independent(train),
                draw=batches,
                what=f"{self.name} seed {seed}",
            )
        return self.fitted(module, learnt, context)

    def _augmented(self, module: nn.Module, draw: Draw, context: Context) -> AbstractContextManager[Draw]:
        """Batches of an epoch, augmented as was asked for.

        Raises
        ------
        NotApplicable
            If that cannot act here.
        """
        if self.augment == "none":
            return nullcontext(draw)
        from mirbench.methods.training.augment import augmented

        self._require_augmentable(context.source.card if self.needs else None, context.medium)
        return augmented(self.augment.split("+"), module, draw)

    def fresh(self, train: Split, context: Context, seed: int) -> tuple[nn.Module, Recipe]:
        """The module before training, on the device, and its recipe.

        Raises
        ------
        NotApplicable
            If nothing of it would be learnt.
        """
        from mirbench.methods.training.loop import seeded

        with seeded(seed, context.device):
            module = self.module(context, train).to(context.device)
        if not count_parameters(module, trainable=True):
            raise NotApplicable(f"{self.name}: with these settings there is nothing to learn")
        self.prepare(module, context, train)
        return module, self.recipe(module, train.task.kind)

    def fitted(self, module: nn.Module, learnt: Learnt, context: Context) -> Fitted:
        """What `fit` returns, of a module that was trained."""
        state = {name: value.cpu().numpy() for name, value in self.state(module).items()}
        return Fitted(
            learnt.predict,
            count_parameters(module, trainable=True),
            state,
            learnt.history,
            learnt.valid_score,
            self.n_total(module, context),
        )

    def restore(
        self, state: Mapping[str, Any], split: BlindSplit, context: Context
    ) -> Callable[[BlindSplit], FloatArray]:
        """`predict` of an earlier fit, from its state."""
        from mirbench.methods.training.fitting import predictor

        module = self.stored(state, split, context)
        return predictor(
            module, lambda split: self.inputs(context, split), context, independent=self.independent(split)
        )

    def stored(self, state: Mapping[str, Any], split: AnySplit, context: Context) -> nn.Module:
        """The module of an earlier fit, from its state, in eval mode."""
        import torch

        from mirbench.methods.training.loop import seeded

        with seeded(0, context.device):
            module = self.module(context, split).to(context.device)
        self.load(module, {name: torch.as_tensor(value) for name, value in state.items()})
        return module.eval()

    def stages(self, context: Context) -> tuple[tuple[str, ...], bool]:
        """What `inputs` reads of the source, and whether as means over the windows of a clip.

        As of `mirbench.methods.training.graph.Front`; a method that can be written as a graph says so.

        Raises
        ------
        NotApplicable
            If it cannot.
        """
        raise NotApplicable(f"--onnx: {self.name} reads more than one source's windows; leave --onnx out")

    def graph(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> tuple[Any, Any]:
        """See `mirbench.method.Graphed`."""
        from mirbench.methods.training.graph import Front, NetworkHead

        stages, by_clip = self.stages(context)
        module = self.stored(state, split, context)
        average = "prob" if by_clip else context.windowing.average
        head = NetworkHead(module, split.kind, average, self.independent(split))
        return Front(context, stages, by_clip, self.joins), head

    def independent(self, split: AnySplit) -> bool:
        """Whether each class is taught by itself; see `mirbench.methods.training.clip_scores`."""
        from mirbench.methods.training.recipe import masked_bce

        return self.loss(split.task.kind if isinstance(split, Split) else split.kind) is masked_bce
