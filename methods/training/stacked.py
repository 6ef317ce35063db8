"""Networks of one shape trained as one program: seeds of a method, and points of a search.

Each parameter gets a first dimension of members, `torch.func.vmap` makes batched products of the layers' own, and what
is minimised is the sum of the members' losses: they share no parameter, so each gets the gradient that it gets alone.
Initial values and the order of windows come from a member's own seed by the calls that it makes alone; rates and decays
are its own, as are the epoch that is kept and the one after which it stops. What differs is the rounding of batched
products and of the optimiser, which steps through all members in one pass. Where two epochs are as good but for
rounding, another one of them may be kept.

What does not fit is fitted alone: another precision than float32, batches in parts or that are not each window once an
epoch, augmentation, dropout, a step of its own after the optimiser's, and methods with a `fit` of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.dropout import _DropoutNd

from mirbench import Context
from mirbench.method import Fitted
from mirbench.methods.training.batch import Batch, in_batches
from mirbench.methods.training.fitting import Learnt, clip_scores, predictor
from mirbench.methods.training.loop import finite_loss, reached
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.training.recipe import Recipe
from mirbench.methods.training.stacked_values import Optimizer, Values, rates
from mirbench.metrics import METRICS
from mirbench.runs.measure import count_parameters
from mirbench.types import FloatArray, IntArray, Split

__all__ = ["fit_many"]

_ROOM = 2**30  # bytes that a stack may take on a processor, where larger ones are no faster
_COPIES = 5  # of its values that a member takes: its own, gradient, two moments, best


def fit_many(jobs: Sequence[tuple[Any, int]], train: Split, valid: Split, context: Context) -> Iterator[Fitted]:
    """Fit each (method, seed), those that fit one another together; what comes is in the order of the jobs."""
    ready: dict[int, Fitted] = {}
    for number, (method, seed) in enumerate(jobs):
        if number not in ready:
            left = [n for n in range(number, len(jobs)) if n not in ready and _alike(jobs[n][0], method)]
            together = left[: _most(method, train, context, seed)] if len(left) > 1 else left
            if len(together) > 1:
                fitted = _Stack([jobs[n] for n in together], train, valid, context).fit()
                ready.update(zip(together, fitted, strict=True))
        if number in ready:
            for split in (train, valid):
                method.inputs(context, split)  # its rows are a cost of every run that used them
            yield ready.pop(number)
        else:
            yield method.fit(train, valid, context, seed=seed)


def _alike(a: NetworkMethod, b: NetworkMethod) -> bool:
    """Whether two methods differ in rates and decays alone."""
    if type(a) is not type(b) or replace(a, lr=b.lr, weight_decay=b.weight_decay) != b:
        return False
    one, other = ([replace(phase, lr=1.0, weight_decay=0.0) for phase in each.phases()] for each in (a, b))
    return one == other


def _most(method: NetworkMethod, train: Split, context: Context, seed: int) -> int:
    """How many of a method may be trained together: 1 where it cannot be stacked."""
    if type(method).fit is not NetworkMethod.fit or context.precision != "float32" or method.accumulate > 1:
        return 1
    if method.augment != "none":
        return 1
    if method.draw(context, train, seed) is not None:
        return 1
    module, recipe = method.fresh(train, context, seed)
    if hasattr(module, "before_epoch"):
        return 1
    if recipe.after_step is not None or recipe.accumulate > 1 or any(map(_draws, module.modules())):
        return 1
    room = _ROOM
    if context.device.type == "cuda":
        room = torch.cuda.mem_get_info(context.device)[0] // 2
    windows = sum(x.nbytes // len(x) for x in method.inputs(context, train).take(slice(0, 1), context))
    return max(1, room // (4 * _COPIES * count_parameters(module) + 8 * recipe.batch_size * windows))


def _draws(part: nn.Module) -> bool:
    """Whether a part of a network takes random numbers in training, which would be others together than alone."""
    return (isinstance(part, _DropoutNd) and part.p > 0) or getattr(part, "draws", False)


@dataclass
class _Member:
    """One of the networks; its module holds the values of its best epoch."""

    method: NetworkMethod
    seed: int
    module: nn.Module
    recipe: Recipe
    generator: np.random.Generator
    history: list[dict[str, float]] = field(default_factory=list)
    best: tuple[float, float] = (-np.inf, -np.inf)
    waited: int = 0

    def took(self, row: dict[str, float]) -> bool:
        """Take the row of an epoch; whether it is the best so far."""
        self.history.append(row)
        self.waited += 1
        rank = reached(self.recipe.select, len(self.history), row["valid_score"], row["valid_loss"])
        if rank > self.best:
            self.best, self.waited = rank, 0
        return self.waited == 0

    @property
    def exhausted(self) -> bool:
        """Whether it stops."""
        return self.recipe.patience is not None and self.waited >= self.recipe.patience

    @property
    def learnt_loss(self) -> float | None:
        """The lowest loss on valid, where that is what selects."""
        return min(row["valid_loss"] for row in self.history) if self.recipe.select == "loss" else None


class _Stack:
    """Members under way."""

    def __init__(self, jobs: Sequence[tuple[NetworkMethod, int]], train: Split, valid: Split, context: Context) -> None:
        self._method, self._context, self._train, self._valid = jobs[0][0], context, train, valid
        self._all = [
            _Member(method, seed, *method.fresh(train, context, seed), np.random.default_rng(seed))
            for method, seed in jobs
        ]
        self._members = sorted(self._all, key=lambda member: [rates(phase) for phase in member.recipe.phases])
        self._recipe, self._module = self._members[0].recipe, self._members[0].module
        self._values = Values([member.module for member in self._members])
        self._seen, self._seen_valid = (self._method.inputs(context, split) for split in (train, valid))
        self._targets, self._known_valid = train.targets(), valid.targets()
        self._metric = METRICS[valid.task.metrics[0]]

    def fit(self) -> list[Fitted]:
        """What `fit` of each would return, but for rounding; in the order of the jobs."""
        total = sum(phase.epochs for phase in self._recipe.phases)
        what = f"{self._method.name}, {len(self._all)} together"
        with self._context.progress.bar(what, total, "epochs") as step:
            optimizer = None
            for number, phase in enumerate(self._recipe.phases):
                if phase.from_best:
                    for k, member in enumerate(self._members):
                        self._values.read(k, member.module)
                if self._members:
                    phases = [member.recipe.phases[number] for member in self._members]
                    before = optimizer if phase.goes_on else None
                    optimizer = Optimizer(phases, self._values, self._context.device, before)
                for _ in range(phase.epochs):
                    if optimizer is not None and self._members:
                        self._epoch(optimizer)
                        self._select(optimizer)
                    step(1, f"{len(self._members)} of {len(self._all)} go on")
        return [self._fitted(member) for member in self._all]

    def _epoch(self, optimizer: Optimizer) -> None:
        """Train; the mean loss of each member begins its row of the history."""
        self._module.train()
        n_windows = len(self._seen.clip_index)
        seen, context = self._seen, self._context
        of = (each.method.window_order(seen, context, each.generator, each.seed) for each in self._members)
        orders = np.stack(list(of))
        total = torch.zeros(len(self._members), device=self._context.device)
        for columns in in_batches(np.arange(n_windows), self._recipe.batch_size):
            losses = self._losses(orders[:, columns])
            losses.sum().backward()
            total += losses.detach() * len(columns)
            optimizer.step(self._values.learnt)
        optimizer.end_epoch()
        self._mean_losses = [finite_loss(loss / n_windows) for loss in total.tolist()]

    def _losses(self, rows: IntArray) -> Tensor:
        """The loss of each member on its own windows, rows of shape (n_members, n)."""
        same = bool((rows == rows[0]).all())  # of one seed: one batch for all
        rows = rows[0] if same else rows
        distinct, place = np.unique(rows, return_inverse=True)
        places = torch.from_numpy(place.reshape(rows.shape)).to(self._context.device)
        inputs = tuple(x[places] for x in self._seen.take(distinct, self._context))
        clips = self._seen.clip_index[rows]
        held = (self._targets.value[clips], self._targets.known[clips])
        target, known = (torch.from_numpy(each).to(self._context.device) for each in held)

        def loss(values: dict[str, Tensor], inputs: tuple[Tensor, ...], target: Tensor, known: Tensor) -> Tensor:
            return self._recipe.loss(functional_call(self._module, values, inputs), Batch(inputs, target, known))

        own = None if same else 0
        losses: Tensor = vmap(loss, in_dims=(0, own, own, own))(self._values.by_name(), inputs, target, known)
        return losses

    def _select(self, optimizer: Optimizer) -> None:
        """Score each member on valid; keep what is best so far, and let go of those that stop."""
        logits = self._logits()
        independent = self._method.independent(self._train)
        scores = clip_scores(logits, self._seen_valid, self._valid.task.kind, self._context, independent=independent)
        losses = self._valid_losses(logits)
        for k, member in enumerate(self._members):
            value = self._metric.function(scores[k], self._known_valid)
            row = {
                "loss": self._mean_losses[k],
                "valid_score": value if self._metric.higher_is_better else -value,
                "valid_loss": losses[k],
            }
            if member.took(row):
                self._values.write(k, member.module)
        going = [k for k, member in enumerate(self._members) if not member.exhausted]
        if len(going) < len(self._members):
            self._members = [self._members[k] for k in going]
            self._values.keep(going)
            optimizer.keep(going, self._values.learnt)

    def _valid_losses(self, logits: FloatArray) -> list[float]:
        """The loss of each member on all windows of valid at once."""
        clips, known = self._seen_valid.clip_index, self._known_valid
        batch = Batch((), torch.from_numpy(known.value[clips]), torch.from_numpy(known.known[clips]))
        losses: list[float] = vmap(lambda each: self._recipe.loss(each, batch))(torch.from_numpy(logits)).tolist()
        return losses

    @torch.no_grad()
    def _logits(self, batch_size: int = 64) -> FloatArray:
        """Of every window of valid, (n_members, n_windows, n_classes)."""
        self._module.eval()
        call = vmap(lambda values, inputs: functional_call(self._module, values, inputs), in_dims=(0, None))
        parts = []
        for first in range(0, len(self._seen_valid.clip_index), batch_size):
            inputs = self._seen_valid.take(slice(first, first + batch_size), self._context)
            parts.append(call(self._values.by_name(), inputs).float().cpu().numpy())
        logits: FloatArray = np.concatenate(parts, axis=1)
        return logits

    def _fitted(self, member: _Member) -> Fitted:
        method, context, lowest = member.method, self._context, member.learnt_loss  # what predicts holds no stack
        predict = predictor(
            member.module.eval(),
            lambda split: method.inputs(context, split),
            context,
            independent=method.independent(self._train),
        )
        learnt = Learnt(predict, member.history, None if lowest is None else -lowest)
        return replace(method.fitted(member.module, learnt, context), together=len(self._all))
