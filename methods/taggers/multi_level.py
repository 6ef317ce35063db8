"""Multi-level and multi-scale aggregation of Lee & Nam (2017), from scratch, in its three steps.

Networks of several input sizes learn the classes from short segments. What their layers make of a clip's segments is
pooled to one vector, and a classifier of clips learns from these.

References
----------
Lee, Nam (2017), Multi-level and multi-scale feature aggregation using pretrained convolutional neural networks for
music auto-tagging, IEEE Signal Processing Letters 24(8), arXiv:1703.01793; on the slides of Nam, GCT634.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mirbench import AnySplit, clip_means
from mirbench.method import CLASSES, Fitted, require_above, require_least
from mirbench.methods.taggers.methods import TaggerMethod
from mirbench.methods.training.network import NetworkMethod
from mirbench.runs.measure import count_parameters
from mirbench.types import BlindSplit, FloatArray, Split

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mirbench import Context
    from mirbench.methods.taggers.local_cnn import LocalCnn
    from mirbench.methods.taggers.networks import Architecture
    from mirbench.methods.training import Inputs, Loss, Recipe

__all__ = ["MultiLevel"]


@dataclass(frozen=True)
class _Local(TaggerMethod):
    """The first step: a network of one scale, on every segment of train once an epoch."""

    n_frames: int = 27
    schedule: Literal["won2020", "constant"] = "constant"
    items: Literal["random-crops", "chunks"] = "chunks"

    name = "multi-level"

    @property
    def architecture(self) -> Architecture:
        """The network."""
        from mirbench.methods.taggers.local_cnn import LOCAL_CNN

        return LOCAL_CNN

    def options(self) -> Mapping[str, Any]:
        """The scale."""
        return {"n_frames": self.n_frames}

    def loss(self, kind: str) -> Loss:
        """Of each segment."""
        from mirbench.methods.taggers.local_cnn import segment_bce

        return segment_bce

    def independent(self, split: AnySplit) -> bool:
        """Each class is taught by itself."""
        return True


@dataclass(frozen=True)
class MultiLevel(NetworkMethod):
    """Multi-level, multi-scale CNN of Lee & Nam (2017): networks of five input sizes, their last layers aggregated.

    Of the paper: the three steps, the five input sizes in frames of 512 samples at 22,050 Hz, 128 mel bands, each layer
    by its maximum over a segment and the mean over the segments of a clip, all joined, and fully connected layers on
    them (not checked against its print). Ours: widths (128, 128, 256, …, and 512 of one frame), pooling over three and
    then over two frames until one is left, segments side by side, the last three layers, standardised features, batch
    norm and dropout, Adam in both steps, and the epochs of the lowest loss on valid.

    Parameters
    ----------
    scale : {"all", 18, 27, 54, 108, 216}
        Frames that a network hears (23 ms each); all five, or one.
    n_levels : int
        Layers of each network that count, from the last hidden one down; all, where a network has fewer.
    local_epochs : int
        Of the networks, over all segments of train.
    local_lr : float
        Their learning rate.
    n_hidden : int
        Units of each of the two hidden layers of the classifier, which `epochs`, `lr` and `batch_size` are of.
    """

    epochs: int = 100
    lr: float = 1e-3
    scale: Literal["all", 18, 27, 54, 108, 216] = "all"
    n_levels: int = 3
    local_epochs: int = 30
    local_lr: float = 1e-3
    n_hidden: int = 512

    name = "multi-level"

    @property
    def task_kinds(self) -> tuple[str, ...]:
        """Of classes, of which segments and clips are taught alike."""
        return CLASSES

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, 1, "n_levels", "local_epochs", "n_hidden")
        require_above(self, 0, "local_lr")

    @property
    def scales(self) -> tuple[int, ...]:
        """Frames of each network."""
        from mirbench.methods.taggers.local_cnn import SCALES

        return SCALES if self.scale == "all" else (self.scale,)

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Train the networks, then the classifier on what they make of clips."""
        import torch

        from mirbench.methods.training.fitting import fit_module
        from mirbench.methods.training.loop import seeded

        networks: list[Any] = []
        history: list[Mapping[str, float]] = []
        for local in self._locals():
            network, recipe = local.fresh(train, context, seed)
            learnt = local._fitted_by(network, recipe, train, valid, context, seed)
            networks.append(network)
            history += learnt.history
        inputs = self._aggregated(networks, context)
        seen = inputs(train)
        with seeded(seed, context.device):
            classifier = self._classifier(seen.arrays[0].shape[1], train)
        classifier.standardise(torch.from_numpy(seen.arrays[0]))
        known: dict[AnySplit, Inputs] = {train: seen}
        fitted = fit_module(
            classifier.to(context.device), lambda split: known.get(split) or inputs(split), train, valid, context,
            self.recipe(classifier, train.task.kind), seed=seed, independent=True, what=f"{self.name} seed {seed}",
        )  # fmt: skip
        state = {
            f"{prefix}.{name}": value.cpu().numpy()
            for prefix, module in self._parts(networks, classifier)
            for name, value in module.state_dict().items()
        }
        count = sum(count_parameters(module, trainable=True) for _, module in self._parts(networks, classifier))
        return Fitted(fitted.predict, count, state, [*history, *fitted.history], fitted.valid_score)

    def restore(
        self, state: Mapping[str, Any], split: BlindSplit, context: Context
    ) -> Callable[[BlindSplit], FloatArray]:
        """`predict` of an earlier fit, from its state."""
        import torch

        from mirbench.methods.training.fitting import predictor

        networks: list[Any] = [local.module(context, split).to(context.device).eval() for local in self._locals()]
        classifier = self._classifier(len(state["classifier.mean"]), split).to(context.device).eval()
        for prefix, module in self._parts(networks, classifier):
            own = {name: torch.as_tensor(value) for name, value in state.items() if name.startswith(f"{prefix}.")}
            module.load_state_dict({name.removeprefix(f"{prefix}."): value for name, value in own.items()})
        return predictor(classifier, self._aggregated(networks, context), context, independent=True)

    def reads(self, split: AnySplit, part: Any, context: Context) -> None:
        """The same windows for every scale."""
        self._locals()[0].inputs(context, split)

    def loss(self, kind: str) -> Loss:
        """Binary cross entropy on every class that is known, also where a clip has one."""
        from mirbench.methods.training import masked_bce

        return masked_bce

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """The epoch of the lowest loss on valid."""
        return replace(super().recipe(module, kind), select="loss")

    def _locals(self) -> list[_Local]:
        local = _Local(
            epochs=self.local_epochs, lr=self.local_lr, weight_decay=0.0, batch_size=self.batch_size,
            accumulate=self.accumulate,
        )  # fmt: skip
        return [replace(local, n_frames=n) for n in self.scales]

    def _classifier(self, n_features: int, split: AnySplit) -> Any:
        from mirbench.methods.taggers.local_cnn import SongClassifier

        return SongClassifier(n_features, len(split.classes), self.n_hidden)

    def _parts(self, networks: Sequence[Any], classifier: Any) -> list[tuple[str, Any]]:
        named = [(f"frames{n}", network) for n, network in zip(self.scales, networks, strict=True)]
        return [*named, ("classifier", classifier)]

    def _aggregated(self, networks: Sequence[LocalCnn], context: Context) -> Callable[[AnySplit], Inputs]:
        """``inputs(split)``: a row of features a clip."""
        from mirbench.methods.training import Inputs
        from mirbench.methods.training.at_once import MOST_WINDOWS

        def features(audio: Tensor) -> FloatArray:
            with context.autocast():
                made = [network.levels(audio, self.n_levels).float().cpu().numpy() for network in networks]
            return np.concatenate(made, axis=1)

        def inputs(split: AnySplit) -> Inputs:
            seen = self._locals()[0].inputs(context, split)
            for network in networks:
                network.eval()
            n = len(seen.clip_index)
            parts = [features(*seen.take(slice(k, k + MOST_WINDOWS), context)) for k in range(0, n, MOST_WINDOWS)]
            clips = clip_means(np.concatenate(parts), seen.clip_index, seen.n_clips)
            return Inputs((clips.astype(np.float32),), np.arange(seen.n_clips), seen.n_clips)

        return inputs
