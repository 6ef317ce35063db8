"""The forest on Marsyas' features: against scikit-learn on features computed from the files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from sklearn.ensemble import RandomForestClassifier

from mirbench import Context
from mirbench.errors import BadInput
from mirbench.methods.hand_made.marsyas import MarsyasForest
from mirbench.methods.hand_made.timbre import SAMPLE_RATE, texture_statistics, timbre
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.types import Clip, Split

Tiny = tuple[Context, tuple[Split, Split, Split]]


def from_file(clip: Clip, n_features: int) -> np.ndarray:
    """Features of a clip, by way of its file alone."""
    audio, rate = soundfile.read(clip.path, dtype="float32")
    return texture_statistics(timbre(soxr.resample(audio, rate, SAMPLE_RATE)))[:, :n_features].ravel()


@pytest.mark.parametrize(("features", "n_values"), [("timbre", 68), ("timbre+chroma", 124)])
def test_marsyas_forest_is_scikit_learn_s_on_68_or_124_features(features, n_values: int, tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    heard, asked = (np.stack([from_file(c, n_values // 4) for c in s.clips]).astype(np.float32) for s in (train, test))
    assert heard.shape == (len(train), n_values)
    forest = RandomForestClassifier(100, random_state=3).fit(heard, train.class_index())
    fitted = MarsyasForest(features).fit(train, valid, context, seed=3)
    assert np.allclose(fitted.predict(test.blind()), forest.predict_proba(asked))
    assert fitted.n_trainable is None


def test_marsyas_forest_depends_on_the_seed_alone(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    first, again, other = (
        MarsyasForest(n_trees=15).fit(train, valid, context, seed=s).predict(test.blind()) for s in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_marsyas_forest_of_tags_learns_nothing_from_unjudged_clips(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    task = replace(train.task, kind="multi-label", metrics=("roc-auc",))

    def scores(*clips: Clip) -> np.ndarray:
        fitted = MarsyasForest(n_trees=20).fit(Split(task, clips), valid, context, seed=0)
        return fitted.predict(Split(task, test.clips).blind())

    judged = train.clips[1:]
    unjudged = replace(train.clips[0], labels=(), unknown=task.classes)
    assert np.array_equal(scores(*judged, unjudged), scores(*judged))
    assert (scores(*judged).argmax(axis=1) == test.class_index()).mean() > 0.6  # chance is 0.33


@pytest.mark.parametrize("wrong", [{"n_trees": 0}, {"max_depth": 0}])
def test_marsyas_forest_refuses_no_tree(wrong: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="=0: 1 or more is needed"):
        MarsyasForest(**wrong)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("method", ["marsyas-forest", "mfcc-codebook", "sparse-coding"])
def test_methods_that_hear_without_a_source_are_far_above_chance_on_gtzan_mini(
    method: str, shared: Path, tmp_path: Path
) -> None:
    """Chance is 0.1; the means of three seeds were 0.73, 0.69 and 0.65."""
    request = Request(
        "gtzan-mini", method, None, seeds=(0,), data=shared / "data", runs=tmp_path / "runs", cache=tmp_path / "cache"
    )
    outcomes = run(request, Catalogue(), Progress(quiet=True))
    assert np.mean([outcome.record.metrics["accuracy"] for outcome in outcomes]) > 0.5
