"""Words for frames: against SciPy and scikit-learn called directly, on clips of many lengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from scipy.spatial.distance import cdist
from sklearn.decomposition import sparse_encode
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from mirbench import Context
from mirbench.errors import BadInput
from mirbench.features import audio
from mirbench.method import Fitted, Method
from mirbench.methods.hand_made.codebook import MfccCodebook, SparseCoding
from mirbench.methods.hand_made.timbre import SAMPLE_RATE
from mirbench.progress import Progress
from mirbench.trust import checks
from mirbench.types import Split, excerpts

Tiny = tuple[Context, tuple[Split, Split, Split]]
BAGS = (MfccCodebook(n_words=32), SparseCoding(n_words=32, n_sampled=600))
bags = pytest.mark.parametrize("bag", BAGS, ids=lambda bag: bag.name)


@pytest.fixture(scope="module")
def ragged(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The tiny task with clips cut to 0.1 to 2 s, some with a silent end, and no source."""
    folder = tmp_path_factory.mktemp("ragged")
    splits = checks.tiny_task(folder)
    for n, clip in enumerate(clip for split in splits for clip in split.clips):
        sound, rate = soundfile.read(clip.path)
        sound = sound[-round(rate * (2.0, 0.5, 0.2, 0.1)[n % 4]) :]
        sound[0] = 0.5  # a cut between clicks would be silent
        if n % 3 == 0:
            sound[len(sound) // 2 :] = 0
        soundfile.write(clip.path, sound, rate)
    places = [place for split in splits for place in excerpts(split)]
    facts = audio.survey(places, folder / "files.sqlite", Progress(quiet=True))
    return Context(facts=facts, cache=folder / "cache", device=torch.device("cpu")), splits


def frames(bag: MfccCodebook | SparseCoding, context: Context, split: Split) -> list[np.ndarray]:
    """What words are made of, of each clip."""
    rows = np.asarray(bag.rows(context, split).values)
    return [bag.frames(row[~np.isnan(row).any(axis=1)]) for row in rows]


def classify(model: LinearSVC | LogisticRegression, train: Split, state, vectors: list[np.ndarray]) -> np.ndarray:
    """Classes that a classifier finds in vectors, of which those of train come first."""
    standard = (np.stack(vectors) - state["mean"]) / state["scale"]
    return model.fit(standard[: len(train)], train.class_index()).predict(standard[len(train) :])


@pytest.mark.slow
@pytest.mark.parametrize("method", [MfccCodebook, SparseCoding])
def test_bags_of_frames_take_clips_of_any_length_and_silence(method: type[Method], ragged: Tiny) -> None:
    context, splits = ragged
    assert checks.check_method(method, context, splits) == []


def test_frames_of_a_clip_end_where_it_ends(ragged: Tiny) -> None:
    context, (train, _, _) = ragged
    samples = [round(soundfile.info(clip.path).duration * SAMPLE_RATE) for clip in train.clips]
    for bag, more in zip(BAGS, (0, 7), strict=True):  # a patch is eight frames
        counts = [max(1, (n - 1024) // 512 + 1 - more) for n in samples]
        assert [len(found) for found in frames(bag, context, train)] == counts
        assert len(set(counts)) >= 3


def test_mfcc_codebook_counts_the_nearest_codeword_of_each_frame(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    fitted = BAGS[0].fit(train, valid, context, seed=0)
    state, vectors = fitted.state, []
    for split in (train, test):
        for found in frames(BAGS[0], context, split):
            standard = (found - state["frames.mean"]) / state["frames.scale"]
            nearest = cdist(standard, state["codewords"]).argmin(axis=1)
            vectors.append(np.array([(nearest == word).mean() for word in range(32)]))
    expected = classify(LinearSVC(C=0.01, dual=False), train, state, vectors)
    assert np.allclose(np.mean(vectors[: len(train)], axis=0), state["mean"])
    assert (fitted.predict(test.blind()).argmax(axis=1) == expected).all()


def test_sparse_coding_pools_scikit_learn_s_thresholded_codes(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    bag = replace(BAGS[1], segment_seconds=0.5, threshold=0.7)
    fitted = bag.fit(train, valid, context, seed=0)
    state, vectors = fitted.state, []
    for split in (train, test):
        for found in frames(bag, context, split):
            white = (found - state["frames.mean"]) @ state["components"].T / np.sqrt(state["variances"])
            codes = np.abs(sparse_encode(white, state["atoms"], algorithm="threshold", alpha=0.7, max_iter=1))
            segments = [codes[k : k + 22] for k in range(0, len(codes), 22)]  # of 22.05 kHz / 512
            vectors.append(np.mean([segment.max(axis=0) for segment in segments], axis=0))
    expected = classify(LinearSVC(C=0.01, dual=False), train, state, vectors)
    assert np.allclose(np.mean(vectors[: len(train)], axis=0), state["mean"], rtol=1e-4)
    assert (fitted.predict(test.blind()).argmax(axis=1) == expected).all()


def test_atoms_of_sparse_coding_suit_frames_better_than_as_many_frames_do(tiny: Tiny) -> None:
    """On clips of test, by what the lasso minimises."""
    context, (train, valid, test) = tiny
    bag = SparseCoding(n_words=16, n_sampled=600, penalty=1.0)
    state = bag.fit(train, valid, context, seed=0).state

    def white(split: Split) -> np.ndarray:
        found = np.concatenate(frames(bag, context, split))
        return (found - state["frames.mean"]) @ state["components"].T / np.sqrt(state["variances"])

    def loss(dictionary: np.ndarray) -> float:
        codes = sparse_encode(asked, dictionary, algorithm="lasso_lars", alpha=1.0)
        return float(0.5 * np.square(asked - codes @ dictionary).sum() + np.abs(codes).sum())

    heard, asked = white(train), white(test)[::5]
    picked = np.unique(heard, axis=0)[:: len(heard) // 17][:16]
    assert len(picked) == 16
    assert loss(state["atoms"]) < loss(picked / np.linalg.norm(picked, axis=1, keepdims=True))


@pytest.mark.slow
@bags
def test_words_depend_on_the_seed_alone(bag, tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    words = "codewords" if isinstance(bag, MfccCodebook) else "atoms"
    first, again, other = (bag.fit(train, valid, context, seed=s).state[words] for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


@bags
@pytest.mark.parametrize("classifier", ["svm", "logistic"])
def test_bags_of_frames_learn_the_tiny_task_and_count_what_they_learn(bag, classifier, tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    fitted: Fitted = replace(bag, classifier=classifier, C=0.1).fit(train, valid, context, seed=0)
    assert (fitted.predict(test.blind()).argmax(axis=1) == test.class_index()).mean() > 0.6  # chance is 0.33
    words = fitted.state["codewords" if isinstance(bag, MfccCodebook) else "atoms"]
    assert fitted.n_trainable == words.size + 3 * 32 + 3


@bags
def test_bags_of_frames_score_each_tag_by_itself(bag, tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    task = replace(train.task, kind="multi-label", metrics=("roc-auc",))

    def scores(also: str) -> np.ndarray:
        clips = tuple(replace(c, labels=tuple({*c.labels, also})) if "tone" in c.labels else c for c in train.clips)
        asked = Split(task, test.clips).blind()
        return bag.fit(Split(task, clips), valid, context, seed=0).predict(asked)

    plain, changed = scores("tone"), scores("noise")
    assert ((plain >= 0) & (plain <= 1)).all()
    assert np.array_equal(plain[:, [0, 2]], changed[:, [0, 2]])
    assert (plain[:, 1] != changed[:, 1]).all()


def test_no_more_words_are_learnt_than_there_are_different_frames(ragged: Tiny) -> None:
    context, (train, valid, test) = ragged
    few = Split(train.task, tuple(c for c in train.clips if soundfile.info(c.path).duration < 0.2))
    for bag, words in zip((MfccCodebook(), SparseCoding()), ("codewords", "atoms"), strict=True):
        fitted = bag.fit(few, valid, context, seed=0)
        assert len(fitted.state[words]) == len(np.unique(np.concatenate(frames(bag, context, few)), axis=0)) < 256
        assert np.isfinite(fitted.predict(test.blind())).all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: MfccCodebook(n_words=1),
        lambda: MfccCodebook(n_words=100, n_sampled=99),
        lambda: MfccCodebook(C=0),
        lambda: SparseCoding(n_words=1),
        lambda: SparseCoding(patch=0),
        lambda: SparseCoding(penalty=0),
        lambda: SparseCoding(threshold=-1),
    ],
)
def test_bags_of_frames_refuse_what_makes_no_sense(wrong) -> None:
    with pytest.raises(BadInput):
        wrong()
