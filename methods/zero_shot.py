"""No training at all: the source names the classes by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench import clip_means
from mirbench.errors import NotApplicable
from mirbench.method import Fitted
from mirbench.methods.reprogramming.label_names import match
from mirbench.types import BlindSplit, FloatArray, Split, Task

if TYPE_CHECKING:
    import torch

    from mirbench import Context
    from mirbench.source import SourceCard

__all__ = ["ZeroShot"]

_NO_NAMES = "names no sounds: it has neither labels nor a text tower"


@dataclass(frozen=True)
class ZeroShot:
    """Scores of classes by their names: by text where the source has a text tower (CLAP), else by its own labels.

    A class is scored by the label of the source that its name means, the most likely where there are several (see
    `mirbench.methods.reprogramming.label_names`). A class that no label means scores 0: it is never predicted where
    another is. In a single-label task the scores are divided by their sum.

    By text, a multi-label task is scored by x / (1 + abs(x)) of the scaled cosines, brought to [0, 1]: they rank clips.
    Whether a score is above a half means little, for no text tower was taught what is absent.
    """

    name, version, needs = "zero-shot", "2", ("pooled",)
    uses_seed = uses_train = uses_valid = False

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """Refuse a source that is known to have no names for sounds; see `mirbench.method.Refusing`."""
        assert card is not None
        if card.kind == "precomputed" or (card.nameless and "head" in card.offers):
            raise NotApplicable(f"{card.name} {_NO_NAMES}")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Nothing is learnt; nothing of train or valid is heard."""
        return Fitted(self.restore({}, train.blind(), context), n_trainable=0)

    def restore(
        self, state: Mapping[str, Any], split: BlindSplit, context: Context
    ) -> Callable[[BlindSplit], FloatArray]:
        """Nothing but the names of the classes is needed."""
        import torch

        network: Any = context.source.network if context.source.card.kind != "precomputed" else None
        if hasattr(network, "text_embeddings"):
            with torch.no_grad():
                texts = network.text_embeddings(split.classes)  # once: a clip costs the audio tower alone
            return lambda split: _by_text(network, texts, split, context)
        labels = tuple(getattr(network, "labels", ()))
        if not labels or "head" not in context.source.card.offers:
            raise NotApplicable(f"{context.source.card.name} {_NO_NAMES}")
        meant = match(split.classes, labels)
        if sum(map(bool, meant.values())) < 2:
            raise NotApplicable(
                f"{context.source.card.name} has a label for {sum(map(bool, meant.values()))} of the "
                f"{len(meant)} classes ({', '.join(split.classes[:5])} …); two at least are needed"
            )
        if silent := [name for name, labels_of in meant.items() if not labels_of]:
            context.progress.say(f"{context.source.card.name} has no label for {', '.join(silent)}: never predicted")
        return lambda split: _by_labels(meant, split, context)


def _by_text(network: Any, texts: torch.Tensor, split: BlindSplit, context: Context) -> FloatArray:
    import torch

    from mirbench.methods.training import Inputs, clip_scores

    pooled = context.source.pooled(split)
    with torch.no_grad():
        logits = network.text_logits(context.source.tensor(np.asarray(pooled.values)), texts)
    values, seen = logits.float().cpu().numpy(), Inputs.of(pooled)
    if split.kind == "single-label":
        return clip_scores(values, seen, split.kind, context)
    # cosines times thirty or so: their sigmoids would all round to 1, where nothing can be ranked
    squashed = 0.5 + 0.5 * values / (1.0 + np.abs(values))
    means: FloatArray = clip_means(squashed, seen.clip_index, seen.n_clips).astype(np.float32)
    return means


def _by_labels(meant: dict[str, list[int]], split: BlindSplit, context: Context) -> FloatArray:
    from mirbench.methods.training import Inputs, clip_scores

    heard = context.source.logits(split)
    # each label by itself, also where the source was trained with a softmax over all of them
    kind = "multi-label" if context.source.card.activation == "sigmoid" else "single-label"
    own = clip_scores(np.asarray(heard.values), Inputs.of(heard), kind, context)
    columns = [own[:, meant[name]].max(axis=1) if meant[name] else np.zeros(len(own)) for name in split.classes]
    scores = np.stack(columns, axis=1).astype(np.float32)
    if split.kind == "single-label":
        scores /= np.maximum(scores.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return scores
