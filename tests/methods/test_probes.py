"""Probes: against scikit-learn called directly, on single labels and on tags of which some are unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mirbench import Context, Windows
from mirbench.errors import BadInput
from mirbench.method import Method
from mirbench.methods.forest_probe import ForestProbe
from mirbench.methods.prior import Prior
from mirbench.methods.probes import LinearProbe, MlpProbe, NeighboursProbe, SvmProbe, align_columns
from mirbench.methods.sources.precomputed import FileFeatures, ShippedFeatures, features_card, shipped_card
from mirbench.runs.measure import count_parameters
from mirbench.types import ArrayRow, Clip, Split, Task

Tiny = tuple[Context, tuple[Split, Split, Split]]


def features(context: Context, split: Split) -> np.ndarray:
    return context.source.pooled(split).clip_means()


def test_prior_scores_every_clip_by_the_frequencies_of_train(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scores = Prior().fit(Split(train.task, train.clips[:6]), valid, context, seed=0).predict(test.blind())
    assert np.allclose(scores, [[4 / 6, 2 / 6, 0]] * len(test))


def test_linear_probe_equals_scikit_learn_on_standardised_embeddings(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scaler = StandardScaler().fit(features(context, train))
    reference = LogisticRegression(max_iter=2000).fit(scaler.transform(features(context, train)), train.class_index())
    expected = reference.predict_proba(scaler.transform(features(context, test)))
    fitted = LinearProbe().fit(train, valid, context, seed=0)
    assert np.allclose(fitted.predict(test.blind()), expected, atol=1e-5)
    assert fitted.n_trainable == 3 * 96 + 3


def test_svm_probe_ranks_as_scikit_learn_margins_do(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scaler = StandardScaler().fit(features(context, train))
    reference = SVC().fit(scaler.transform(features(context, train)), train.class_index())
    margins = reference.decision_function(scaler.transform(features(context, test)))
    fitted = SvmProbe().fit(train, valid, context, seed=0)
    scores = fitted.predict(test.blind())
    assert (scores.argsort(axis=1) == margins.argsort(axis=1)).all()
    assert fitted.n_trainable is None


def test_svm_probe_takes_two_classes(tiny: Tiny) -> None:
    context, splits = tiny
    train, valid, test = (Split(s.task, tuple(c for c in s.clips if c.labels != ("tone",))) for s in splits)
    scores = SvmProbe().fit(train, valid, context, seed=0).predict(test.blind())
    assert (scores[:, 2] == 0).all()
    assert (scores.argmax(axis=1) == test.class_index()).mean() > 0.5


def test_forest_probe_depends_on_the_seed_alone(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    first, again, other = (ForestProbe(20).fit(train, valid, context, seed=s).predict(test.blind()) for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("n_features", "count"), [(768, 398_858), (128, 71_178)], ids=["ast", "vggish"])
def test_mlp_probe_has_the_parameters_of_bl_r(n_features: int, count: int) -> None:
    pooled = Windows(np.zeros((1, n_features)), np.zeros(1, dtype=np.int64), 1)
    context = SimpleNamespace(source=SimpleNamespace(pooled=lambda split: pooled))
    module = MlpProbe().module(context, SimpleNamespace(classes=tuple(range(10))))  # type: ignore[arg-type]
    assert count_parameters(module, trainable=True) == count


def test_mlp_probe_counts_its_parameters(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    fitted = MlpProbe(hidden=8, epochs=2).fit(train, valid, context, seed=0)
    assert fitted.n_trainable == (96 + 1) * 8 + (8 + 1) * 3


@pytest.mark.slow
def test_mlp_probe_stops_when_valid_gets_no_better(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    fitted = MlpProbe(patience=3).fit(train, valid, context, seed=0)
    best = max(
        range(len(fitted.history)), key=lambda i: (fitted.history[i]["valid_score"], -fitted.history[i]["valid_loss"])
    )
    assert len(fitted.history) in (best + 1 + 3, 200)


@pytest.mark.parametrize("probe", [LinearProbe(), SvmProbe(), ForestProbe(50), MlpProbe()])
def test_probes_learn_the_tiny_task(probe, tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scores = probe.fit(train, valid, context, seed=0).predict(test.blind())
    assert (scores.argmax(axis=1) == test.class_index()).mean() > 0.6  # chance is 0.33


def test_align_columns_scores_absent_classes_zero() -> None:
    full = align_columns(np.array([[0.25, 0.75]]), np.array([0, 2]), 4)
    assert full.tolist() == [[0.25, 0.0, 0.75, 0.0]]


def test_mlp_probe_refuses_no_hidden_unit() -> None:
    with pytest.raises(BadInput, match="hidden=0: 1 or more is needed"):
        MlpProbe(hidden=0)


# Tags

TAGS = ("always", "drums", "flute", "never", "unheard")
PROBES = (LinearProbe(), SvmProbe(), ForestProbe(20), MlpProbe(hidden=8, epochs=5))
named = pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
sklearn_only = pytest.mark.parametrize("probe", PROBES[:3], ids=lambda probe: probe.name)
Tags = tuple[Context, np.ndarray, list[Clip]]


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> Tags:
    """Features that tell drums and flute, and 80 clips with tags, a third of them unjudged: (context, features, clips).

    "always" is present where it is known, "never" absent, and of "unheard" nobody knows.
    """
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 3)).astype(np.float32)
    features[:, :2] += np.sign(features[:, :2])
    clips = []
    for n, row in enumerate(features):
        true = {"always"} | {name for name, level in zip(("drums", "flute"), row, strict=False) if level > 0}
        unknown = {name for name in TAGS if rng.random() < 0.33} | {"unheard"}
        split = ("train", "train", "valid", "test")[n % 4]
        clips.append(Clip(f"c{n}", None, split, tuple(sorted(true - unknown)), tuple(sorted(unknown))))
    path = tmp_path_factory.mktemp("tags") / "f.npz"
    np.savez(path, id=np.array([clip.id for clip in clips]), x=features)
    context = Context(
        facts={}, cache=path.parent, device=torch.device("cpu"), card=features_card(str(path)),
        load=lambda: FileFeatures(path, "x"), source_identity="x",
    )  # fmt: skip
    return context, features.astype(np.float64), clips


def learn(probe: Method, tags: Tags, change: Callable[[Clip], Clip | None] = lambda clip: clip) -> np.ndarray:
    """Scores of test after learning from train and valid, whose clips `change` may change or drop."""
    context, _, clips = tags
    task = Task("tags", "1", "", "multi-label", TAGS, ("roc-auc",), lambda root, fold: clips, "tags", 80, 1.0)
    seen = [changed for clip in clips if clip.split != "test" and (changed := change(clip))]
    train, valid = (Split(task, tuple(c for c in seen if c.split == split)) for split in ("train", "valid"))
    test = Split(task, tuple(clip for clip in clips if clip.split == "test"))
    return probe.fit(train, valid, context, seed=0).predict(test.blind())


def truth(tags: Tags, name: str) -> np.ndarray:
    """Whether a tag of the clips of test is there, judged or not."""
    _, features, clips = tags
    return np.array([features[n, TAGS.index(name) - 1] > 0 for n, clip in enumerate(clips) if clip.split == "test"])


@named
def test_probe_of_tags_scores_each_class_of_each_clip_in_the_unit_interval(probe: Method, tags: Tags) -> None:
    scores = learn(probe, tags)
    assert (scores.shape, scores.min() >= 0, scores.max() <= 1) == ((20, 5), True, True)


@named
def test_probe_of_tags_tells_what_the_features_tell(probe: Method, tags: Tags) -> None:
    if isinstance(probe, MlpProbe):
        probe = MlpProbe(hidden=32, lr=1e-2)
    scores = learn(probe, tags)
    for name in ("drums", "flute"):
        assert ((scores[:, TAGS.index(name)] >= 0.5) == truth(tags, name)).mean() >= 0.75  # chance is a half


@named
def test_probe_of_tags_learns_nothing_from_unjudged_labels(probe: Method, tags: Tags) -> None:
    def claim_all(clip: Clip) -> Clip:
        return replace(clip, labels=(*clip.labels, *clip.unknown))

    np.testing.assert_array_equal(learn(probe, tags, claim_all), learn(probe, tags))


@sklearn_only
def test_probe_of_tags_learns_nothing_from_clips_that_nobody_judged(probe: Method, tags: Tags) -> None:
    """They count neither for the classifier of a tag nor for its scaler."""

    def judged(clip: Clip) -> Clip:
        return replace(clip, labels=(), unknown=TAGS) if clip.id in ("c0", "c1", "c4") else clip

    def without(clip: Clip) -> Clip | None:
        return None if clip.id in ("c0", "c1", "c4") else clip

    np.testing.assert_array_equal(learn(probe, tags, judged), learn(probe, tags, without))


@sklearn_only
@pytest.mark.parametrize(("name", "score"), [("always", 1.0), ("never", 0.0), ("unheard", 0.0)])
def test_probe_of_a_tag_of_which_train_knows_one_answer_gives_it(
    probe: Method, name: str, score: float, tags: Tags
) -> None:
    assert set(learn(probe, tags)[:, TAGS.index(name)]) == {score}


def known(tags: Tags, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features and labels of the clips of train of which a tag is known, and features of test."""
    _, features, clips = tags
    rows = [n for n, clip in enumerate(clips) if clip.split == "train" and name not in clip.unknown]
    test = [n for n, clip in enumerate(clips) if clip.split == "test"]
    return features[rows], np.array([name in clips[n].labels for n in rows]), features[test]


@pytest.mark.parametrize("name", ["drums", "flute"])
def test_linear_probe_of_a_tag_equals_scikit_learn_on_the_clips_that_were_judged(name: str, tags: Tags) -> None:
    x, y, test = known(tags, name)
    scaler = StandardScaler().fit(x)
    wanted = LogisticRegression(max_iter=2000).fit(scaler.transform(x), y).predict_proba(scaler.transform(test))[:, 1]
    np.testing.assert_allclose(learn(LinearProbe(), tags)[:, TAGS.index(name)], wanted, atol=1e-6)


@pytest.mark.parametrize("name", ["drums", "flute"])
def test_svm_probe_of_a_tag_is_above_a_half_where_scikit_learn_says_yes(name: str, tags: Tags) -> None:
    x, y, test = known(tags, name)
    scaler = StandardScaler().fit(x)
    wanted = SVC().fit(scaler.transform(x), y).predict(scaler.transform(test))
    assert np.array_equal(learn(SvmProbe(), tags)[:, TAGS.index(name)] >= 0.5, wanted)


@sklearn_only
def test_probe_of_soft_tags_makes_them_hard_at_a_half(probe: Method, tags: Tags) -> None:
    def soften(clip: Clip) -> Clip:
        absent = tuple(name for name in TAGS if name not in (*clip.labels, *clip.unknown))
        strengths = (0.5,) * len(clip.labels) + (0.49,) * len(absent)
        return replace(clip, labels=(*clip.labels, *absent), strengths=strengths)

    np.testing.assert_array_equal(learn(probe, tags, soften), learn(probe, tags))


def test_mlp_probe_learns_from_how_soft_a_tag_is(tags: Tags) -> None:
    def soften(clip: Clip) -> Clip:
        return replace(clip, strengths=(0.6,) * len(clip.labels))

    assert not np.allclose(learn(PROBES[3], tags, soften), learn(PROBES[3], tags))


def test_linear_probe_of_tags_counts_the_classifiers_that_it_fits(tags: Tags) -> None:
    context, _, clips = tags
    task = Task("tags", "1", "", "multi-label", TAGS, ("roc-auc",), lambda root, fold: clips, "tags", 80, 1.0)
    train = Split(task, tuple(clip for clip in clips if clip.split == "train"))
    fitted = LinearProbe().fit(train, train, context, seed=0)
    drums, flute = TAGS.index("drums"), TAGS.index("flute")
    assert fitted.n_trainable == 2 * (3 + 1)
    assert {name for name in fitted.state if name.startswith("coef")} == {f"coef.{drums}", f"coef.{flute}"}


def test_prior_of_tags_is_the_frequency_among_the_clips_that_were_judged(tags: Tags) -> None:
    scores = learn(Prior(), tags)
    _, y, _ = known(tags, "drums")
    assert scores[:, TAGS.index("drums")] == pytest.approx(np.full(20, y.mean()))
    assert scores[0, [0, 3, 4]].tolist() == [1, 0, 0]


# A forest on features that ship with a data set, and neighbours


INSTRUMENTS = ("accordion", "banjo", "bass")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, np.ndarray, list[Clip]]:
    """Features as OpenMIC's, 10 frames of 128 numbers of 8 bits, and 120 clips of which each label is known of half."""
    rng = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("shipped") / "openmic.npz"
    strength = rng.random((120, 3))
    known = rng.random((120, 3)) < 0.5
    x = rng.integers(0, 200, (120, 10, 128))
    x[:, :, :3] = (x[:, :, :3] * 0.3 + 150 * strength[:, None, :]).round()
    x = x.astype(np.uint8)
    np.savez(path, X=x)
    clips = []
    for n in range(120):
        labels = [k for k in range(3) if known[n, k]]
        clips.append(
            Clip(
                f"c{n:03}", None, ("train", "train", "test")[n % 3], tuple(INSTRUMENTS[k] for k in labels),
                tuple(name for k, name in enumerate(INSTRUMENTS) if not known[n, k]),
                strengths=tuple(float(strength[n, k]) for k in labels),
                arrays=(ArrayRow("vggish", path, "X", n),),
            )
        )  # fmt: skip
    context = Context(
        facts={}, cache=path.parent, device=torch.device("cpu"), card=shipped_card("vggish"),
        load=lambda: ShippedFeatures("vggish"),
    )  # fmt: skip
    return context, x, clips


def splits_of(clips: list[Clip]) -> tuple[Split, Split, Split]:
    """Train, valid (a quarter of what is learnt from, here and there) and test."""
    task = Task("t", "1", "", "multi-label", INSTRUMENTS, ("roc-auc",), lambda root, fold: clips, "t", len(clips), 10.0)
    held = [replace(clip, split="valid") if n % 12 in (1, 6) else clip for n, clip in enumerate(clips)]
    train, valid, test = (Split(task, tuple(c for c in held if c.split == s)) for s in ("train", "valid", "test"))
    assert (len(train), len(valid), len(test)) == (60, 20, 40)
    return train, valid, test


def notebook(x: np.ndarray, clips: list[Clip], learnt: Split, asked: Split) -> np.ndarray:
    """An instrument at a time: the clips of which it is known, means of raw frames, labels at a half, 100 trees."""
    means, place = x.mean(axis=1, dtype=np.float64), {clip.id: n for n, clip in enumerate(clips)}
    columns = []
    for name in INSTRUMENTS:
        judged = [clip for clip in learnt.clips if name not in clip.unknown]
        present = [dict(zip(clip.labels, clip.strengths, strict=True))[name] >= 0.5 for clip in judged]
        forest = RandomForestClassifier(n_estimators=100, max_depth=8, random_state=0)
        forest.fit(means[[place[clip.id] for clip in judged]], present)
        columns.append(forest.predict_proba(means[[place[clip.id] for clip in asked.clips]])[:, 1])
    return np.stack(columns, axis=1)


@pytest.mark.slow
def test_forest_probe_is_the_baseline_of_openmics_notebook(shipped: tuple[Context, np.ndarray, list[Clip]]) -> None:
    """Its train is our train and valid, in the order of the file, which is that of the keys."""
    context, x, clips = shipped
    train, valid, test = splits_of(clips)
    whole = Split(train.task, tuple(clip for clip in clips if clip.split == "train"))
    joined = ForestProbe(n_trees=100, max_depth=8, standardise=False, fit_on="train-and-valid")
    fitted = joined.fit(train, valid, context, seed=0)
    scores = fitted.predict(test.blind())
    np.testing.assert_allclose(scores, notebook(x, clips, whole, test), atol=1e-6)
    assert ((scores >= 0.5).mean(axis=0) > 0.2).all()  # the features tell something
    assert ((scores >= 0.5).mean(axis=0) < 0.8).all()
    assert fitted.n_trainable is None
    stored = {name: np.asarray(value) for name, value in fitted.state.items()}
    assert np.array_equal(joined.restore(stored, test.blind(), context)(test.blind()), scores)
    plain = replace(joined, fit_on="train").fit(train, valid, context, seed=0)
    np.testing.assert_allclose(plain.predict(test.blind()), notebook(x, clips, train, test), atol=1e-6)
    assert plain.valid_score is None
    assert not np.allclose(plain.predict(test.blind()), scores, atol=1e-3)


@pytest.mark.slow
def test_forest_probe_on_all_clips_is_chosen_by_one_that_has_not_seen_valid(
    shipped: tuple[Context, np.ndarray, list[Clip]],
) -> None:
    context, x, clips = shipped
    train, valid, _ = splits_of(clips)
    joined = ForestProbe(n_trees=100, max_depth=8, standardise=False, fit_on="train-and-valid")
    fitted, targets = joined.fit(train, valid, context, seed=0), valid.targets()
    before, after = notebook(x, clips, train, valid), fitted.predict(valid.blind())
    known, present = targets.known, targets.value >= 0.5
    areas = [
        np.mean([roc_auc_score(present[known[:, k], k], scores[known[:, k], k]) for k in range(3)])
        for scores in (before, after)
    ]
    assert fitted.valid_score == pytest.approx(areas[0])
    assert areas[1] > areas[0] + 0.05  # what it has learnt by heart


@pytest.mark.parametrize("standardise", [False, True])
def test_forest_probe_of_one_class_a_clip_is_fitted_on_both(standardise: bool, tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    both = sorted([*train.clips, *valid.clips], key=lambda clip: clip.id)
    joined = Split(train.task, tuple(both))
    one = ForestProbe(20, standardise=standardise, fit_on="train-and-valid").fit(train, valid, context, seed=3)
    other = ForestProbe(20, standardise=standardise).fit(joined, valid, context, seed=3)
    assert np.array_equal(one.predict(test.blind()), other.predict(test.blind()))
    assert one.state.keys() == other.state.keys()


def test_forest_probe_standardises_unless_told_otherwise(
    shipped: tuple[Context, np.ndarray, list[Clip]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    fit = RandomForestClassifier.fit

    def watched(self: Any, features: np.ndarray, *rest: Any) -> Any:
        seen.append(features)
        return fit(self, features, *rest)

    monkeypatch.setattr(RandomForestClassifier, "fit", watched)
    context, _, clips = shipped
    train, *_ = splits_of(clips)
    ForestProbe(2).fit(train, train, context, seed=0)
    ForestProbe(2, standardise=False).fit(train, train, context, seed=0)
    assert all(np.allclose(x.mean(axis=0), 0, atol=1e-9) and np.allclose(x.std(axis=0), 1) for x in seen[:3])
    assert all(x.min() >= 0 and x.mean() > 50 for x in seen[3:])
    assert len(seen) == 6


def test_neighbours_vote_by_their_nearness(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scores = NeighboursProbe(k=4).fit(train, valid, context, seed=0).predict(test.blind())
    scaler = StandardScaler().fit(features(context, train))
    heard, asked = (scaler.transform(features(context, split)) for split in (train, test))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (heard, asked)]
    distance = 1 - unit[1] @ unit[0].T
    for row, far in zip(scores, distance, strict=True):
        nearest = far.argsort()[:4]
        votes = np.bincount(train.class_index()[nearest], weights=1 / far[nearest], minlength=3)
        assert np.allclose(row, votes / votes.sum(), atol=1e-6)


def test_neighbours_are_all_of_train_where_there_are_fewer(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    few, all_of_them = (NeighboursProbe(k=k).fit(train, valid, context, seed=0) for k in (1000, len(train)))
    assert np.array_equal(few.predict(test.blind()), all_of_them.predict(test.blind()))
    assert few.n_trainable is None


def test_nearest_neighbour_of_a_clip_of_train_is_itself(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    scores = NeighboursProbe(k=3).fit(train, valid, context, seed=0).predict(train.blind())
    assert np.array_equal(scores.argmax(axis=1), train.class_index())
    assert np.allclose(scores.max(axis=1), 1.0, atol=1e-6)


def test_neighbours_of_a_tag_are_the_clips_that_were_judged(tags: Tags) -> None:
    scores = learn(NeighboursProbe(k=3), tags)
    x, y, test = known(tags, "drums")
    scaler = StandardScaler().fit(x)
    reference = KNeighborsClassifier(3, weights="distance", metric="cosine").fit(scaler.transform(x), y)
    wanted = reference.predict_proba(scaler.transform(test))[:, 1]
    np.testing.assert_allclose(scores[:, TAGS.index("drums")], wanted, atol=1e-6)


def test_neighbours_of_a_rare_tag_are_as_many_as_were_judged(tags: Tags) -> None:
    """Two clips of train are judged: both vote, of ten that were asked for."""

    def rare(clip: Clip) -> Clip:
        if clip.split == "test" or clip.id in ("c0", "c1"):
            labels = ("drums",) if clip.id == "c0" else ()
            return replace(clip, labels=labels, unknown=tuple(t for t in TAGS if t != "drums"))
        return replace(clip, labels=(), unknown=TAGS)

    scores = learn(NeighboursProbe(k=10), tags, rare)[:, TAGS.index("drums")]
    assert ((scores > 0) & (scores < 1)).all()


def test_neighbours_refuse_none() -> None:
    with pytest.raises(BadInput, match="k=0: 1 or more is needed"):
        NeighboursProbe(k=0)


@pytest.mark.parametrize("seed", [0, 1])
def test_restored_mlp_probe_equals_the_fitted(seed: int, tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    method = MlpProbe(hidden=8, epochs=3)
    fitted = method.fit(train, valid, context, seed=seed)
    predict = method.restore(fitted.state, test.blind(), context)
    assert np.array_equal(predict(test.blind()), fitted.predict(test.blind()))
