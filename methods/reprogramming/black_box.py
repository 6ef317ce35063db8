"""Reprogramming of a source that answers and shows nothing else: no gradient, no weight, no hidden layer is asked for.

A picture of few values, spread over bands and frames, is added to every spectrogram. What the source says of its own
classes is all that is read of it, and CMA-ES looks for values under which these answers fit the task.

References
----------
Tsai, Chen, Ho (2020), Transfer learning without knowing: reprogramming black-box machine learning models with scarce
data and limited resources, arXiv:2007.08714 (BAR; there by zeroth-order gradients). Yang, Tsai, Chen (2021),
Voice2Series, arXiv:2106.09296. Sun et al. (2022), Black-box tuning for language-model-as-a-service, arXiv:2201.03514
(CMA-ES on few values). Hansen (2016), The CMA evolution strategy: a tutorial, arXiv:1604.00772; library: pycma.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mirbench import AnySplit
from mirbench.errors import BadInput, NotApplicable
from mirbench.installation import extra_module
from mirbench.method import Fitted, Part, require_above, require_least
from mirbench.methods.reprogramming.answers import Answers, loss_of, one_channel, spread
from mirbench.metrics import METRICS
from mirbench.source import SourceCard
from mirbench.types import BlindSplit, FloatArray, Split, Task

if TYPE_CHECKING:
    from mirbench import Context
    from mirbench.methods.training import Inputs

__all__ = ["BlackBoxRp"]


@dataclass(frozen=True)
class BlackBoxRp:
    """BAR's question, by CMA-ES: a few values added to the spectrogram, learnt from the source's answers alone.

    A query is one window that the source is asked about. Every generation asks about one batch of train under each of
    its candidates, and about valid under the mean of what it found; the mean that is best on valid is kept, or no
    change at all if none is better. The first row of the history is the unchanged source; each row says how many
    queries it took until then.

    Parameters
    ----------
    queries : int
        What the search may ask, valid included; a generation that would exceed it is not begun. 0 leaves the source as
        it is: what the mapping scores without learning.
    bands, frames : int
        Grid of the values that are learnt, from the lowest band to the highest and from the first frame to the last;
        between them they are interpolated. One frame is a filter: the same at all times.
    sigma : float
        Spread of the first candidates, in standard deviations of the spectrograms of train.
    population : int or None
        Candidates a generation; None is CMA-ES' own number, 4 + 3 ln(bands frames).
    batch_size : int
        Windows of train a generation, the same for all of its candidates.
    mapping : {"many-to-one", "names"}
        Which classes of the source speak for a class of the task: the next few in their order, averaged, as in
        hung2022 and chen2022 (see `mirbench.methods.reprogramming.outputs`), or those that mean it by their names, the
        most likely of them (see `mirbench.methods.reprogramming.label_names`); a class that none means is never
        predicted.
    outputs_per_class : int or None
        Of many-to-one; None as in hung2022.
    """

    queries: int = 20_000
    bands: int = 16
    frames: int = 1
    sigma: float = 0.3
    population: int | None = None
    batch_size: int = 64
    mapping: Literal["many-to-one", "names"] = "many-to-one"
    outputs_per_class: int | None = None

    name, version, needs = "black-box-rp", "1", ("frontend", "body", "head")

    def __post_init__(self) -> None:
        require_least(self, 1, "bands", "frames", "batch_size")
        require_least(self, 0, "queries")
        require_above(self, 0, "sigma")
        require_least(self, 4, "population")
        if self.bands * self.frames < 2:
            raise BadInput(f"{self.name}: bands=1 and frames=1 are one value; CMA-ES needs two or more")
        if self.mapping == "names" and self.outputs_per_class is not None:
            raise BadInput(f"{self.name}: mapping=names takes the classes that are named; leave outputs_per_class out")

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """Refuse a mapping that the source has no classes for; see `mirbench.method.Refusing`."""
        from mirbench.methods.reprogramming.label_names import require_named
        from mirbench.methods.reprogramming.outputs import require_mappable

        assert card is not None
        require_named(card, named=self.mapping != "names" or not card.nameless)
        if self.mapping == "many-to-one":
            require_mappable(self.mapping, card, len(task.classes), self.outputs_per_class)

    @property
    def uses_seed(self) -> bool:
        """Whether anything is searched."""
        return self.queries > 0

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Search within the budget, and keep the grid that is best on valid."""
        return self._fitted(_Search(self, train, valid, context, seed), train, context)

    def refit(
        self, clips: Split, context: Context, *, seed: int, histories: Sequence[Sequence[Mapping[str, float]]]
    ) -> Fitted:
        """Search on all clips for as many generations as runs kept, the median, and keep the last mean."""
        from mirbench.methods.training.network import median_epoch

        search = _Search(self, clips, None, context, seed, generations=median_epoch(histories, "score") - 1)
        return self._fitted(search, clips, context)

    def _fitted(self, search: _Search, clips: Split, context: Context) -> Fitted:
        cma = extra_module("cma", self.name, "cma", "black-box")
        n_values = self.bands * self.frames
        found = cma.CMAEvolutionStrategy(np.zeros(n_values), self.sigma, search.options())
        search.begin(found.popsize)
        with context.progress.bar("asking", self.queries, "queries") as step:
            while search.goes_on(found.popsize) and not found.stop():
                points = found.ask()
                found.tell(points, search.losses(points))
                row, asked = search.look(found.mean)
                step(asked, f"loss {row['loss']:.3f}, valid {row.get('valid_score', float('nan')):.3f}")
        state = {"grid": search.best}
        n_trainable = n_values if self.queries else 0
        return Fitted(self.restore(state, clips.blind(), context), n_trainable, state, search.history)

    def restore(
        self, state: Mapping[str, Any], split: BlindSplit, context: Context
    ) -> Callable[[BlindSplit], FloatArray]:
        """The values, before the source."""
        from mirbench.methods.training import Inputs, clip_scores

        box, grid = self.box(context, split.classes), np.asarray(state["grid"])

        def predict(asked: BlindSplit) -> FloatArray:
            seen = Inputs.of(one_channel(context, asked, self.name))
            return clip_scores(box.ask(seen.arrays[0], grid), seen, asked.kind, context)

        return predict

    def reads(self, split: AnySplit, part: Part, context: Context) -> None:
        """Pictures; see `mirbench.method.ReadsRows`."""
        one_channel(context, split, self.name)

    def box(self, context: Context, classes: tuple[str, ...]) -> Answers:
        """The source, and which of its classes speak for each class of the task."""
        from mirbench.methods.reprogramming.label_names import match
        from mirbench.methods.reprogramming.outputs import outputs_per_class

        card: SourceCard = context.source.card
        if self.mapping == "many-to-one":
            n = outputs_per_class(card, len(classes), self.outputs_per_class)
            return Answers(context, [list(range(k * n, (k + 1) * n)) for k in range(len(classes))], np.mean)
        meant = match(classes, tuple(getattr(context.source.network, "labels", ())))
        if (named := sum(map(bool, meant.values()))) < 2:
            raise NotApplicable(
                f"{self.name}: {card.name} has a label for {named} of the {len(classes)} classes "
                f"({', '.join(classes[:5])} …); two at least are needed, or mapping=many-to-one"
            )
        if silent := [name for name, labels in meant.items() if not labels]:
            context.progress.say(f"{card.name} has no label for {', '.join(silent)}: never predicted")
        return Answers(context, [meant[name] for name in classes], np.max)


class _Search:
    """What the candidates of a generation lose, what their mean is worth on valid, and what all of it has cost.

    Parameters
    ----------
    valid : Split or None
        What the best mean is chosen on; None keeps the last.
    generations : int or None
        Ends the search; None is the method's budget.
    """

    def __init__(
        self,
        method: BlackBoxRp,
        train: Split,
        valid: Split | None,
        context: Context,
        seed: int,
        *,
        generations: int | None = None,
    ) -> None:
        from mirbench.methods.training import Inputs

        self._method, self._context, self._generations = method, context, generations
        self._box = method.box(context, train.classes)
        self._generator = np.random.default_rng(seed)
        self._train, self._targets = Inputs.of(one_channel(context, train, method.name)), train.targets()
        self._valid = valid and _Valid(valid, Inputs.of(one_channel(context, valid, method.name)), context)
        self._unit = spread(self._train.arrays[0])
        self._unchanged = np.zeros(method.bands * method.frames)
        self._first, self._rank = 0, (-np.inf, -np.inf)
        self._loss, self._began = float("nan"), time.perf_counter()
        self.history: list[dict[str, float]] = []
        self.best = self._grid(self._unchanged)

    def options(self) -> dict[str, Any]:
        """Of pycma: silent, and with random numbers of its own, where it would seed numpy's."""
        own = {} if self._method.population is None else {"popsize": self._method.population}
        draw = self._generator.standard_normal
        return {"randn": lambda *size: draw(size), "seed": np.nan, "verbose": -9, "verb_log": 0, **own}

    def begin(self, population: int) -> None:
        """Look at the unchanged source, which is the first to be kept.

        Raises
        ------
        BadInput
            If the budget does not suffice for a generation.
        """
        if self._generations is None and 0 < self._method.queries < self._cost(population):
            raise BadInput(
                f"queries={self._method.queries} do not suffice for one generation: {population} candidates on "
                f"{self._batch} windows of train, and {self._n_valid} of valid, are {self._cost(population)}; raise "
                "it, or lower batch_size or population"
            )
        self.losses([self._unchanged])
        self.look(self._unchanged)
        self._first = self._box.n_queries

    def goes_on(self, population: int) -> bool:
        """Whether there is another generation; what the unchanged source was asked is no part of the budget."""
        if self._generations is not None:
            return len(self.history) <= self._generations
        return self._box.n_queries - self._first + self._cost(population) <= self._method.queries

    def losses(self, points: Sequence[Any]) -> list[float]:
        """Of each candidate on one batch of train, the same for all."""
        self._began = time.perf_counter()
        n_windows = len(self._train.clip_index)
        rows = np.sort(self._generator.choice(n_windows, self._batch, replace=False))
        pictures, clips = np.asarray(self._train.arrays[0][rows]), self._train.clip_index[rows]
        odds = [self._box.ask(pictures, self._grid(point)) for point in points]
        found = [loss_of(each, self._targets, clips) for each in odds]
        self._loss = float(np.mean(found))
        return found

    def look(self, point: Any) -> tuple[dict[str, float], int]:
        """Score a point on valid and keep it if it is the best; its row of the history, and what was asked since then.

        The first of equals by score and loss is kept.
        """
        from mirbench.methods.training.loop import reached

        seconds, grid = time.perf_counter() - self._began, self._grid(point)
        on_valid = self._valid.look(self._box, grid) if self._valid else {}
        before = self.history[-1]["queries"] if self.history else 0
        row = {"loss": self._loss, **on_valid, "queries": self._box.n_queries, "seconds": seconds}
        self.history.append(row)
        select = "score" if on_valid else "last"
        rank = reached(select, len(self.history), row.get("valid_score", 0.0), row.get("valid_loss", 0.0))
        if rank > self._rank:
            self._rank, self.best = rank, grid
        return row, int(row["queries"] - before)

    @property
    def _batch(self) -> int:
        return min(self._method.batch_size, len(self._train.clip_index))

    def _cost(self, population: int) -> int:
        return population * self._batch + self._n_valid

    @property
    def _n_valid(self) -> int:
        return len(self._valid.seen.clip_index) if self._valid else 0

    def _grid(self, point: Any) -> FloatArray:
        shape = (self._method.bands, self._method.frames)
        return (self._unit * np.asarray(point)).reshape(shape).astype(np.float32)


@dataclass(frozen=True)
class _Valid:
    """What a grid is chosen on."""

    split: Split
    seen: Inputs
    context: Context

    def look(self, box: Answers, grid: FloatArray) -> dict[str, float]:
        """Score, higher is better, and loss of what the source answers under a grid."""
        from mirbench.methods.training import clip_scores

        odds, targets = box.ask(self.seen.arrays[0], grid), self.split.targets()
        metric = METRICS[self.split.task.metrics[0]]
        score = metric.function(clip_scores(odds, self.seen, targets.kind, self.context), targets)
        score = score if metric.higher_is_better else -score
        return {"valid_score": score, "valid_loss": loss_of(odds, targets, self.seen.clip_index)}
