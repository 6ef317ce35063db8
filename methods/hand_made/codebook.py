"""Words for frames, learnt without labels: a clip is what it says of them, and a linear classifier reads it.

Two dictionaries: k-means on MFCC, where each frame is one word, and sparse coding of mel spectra, where it is a few.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from mirbench import AnySplit, Windows
from mirbench.errors import BadInput
from mirbench.method import Fitted, Part, require_above, require_least
from mirbench.methods.classifiers import fit_sklearn, margins, probabilities, restore_sklearn
from mirbench.methods.stored import keep_linear, linear
from mirbench.types import BlindSplit, FloatArray, Split

if TYPE_CHECKING:
    from mirbench import Context

__all__ = ["MfccCodebook", "SparseCoding"]

_FRAME, _HOP, _BANDS = 1024, 512, 80
Array = npt.NDArray[Any]
Encode = Callable[[Array], Array]
"""``encode(frames (n_frames, n))`` -> vector of the clip, (n_words,)."""


@dataclass(frozen=True)
class _BagOfFrames:
    """Words from a sample of the frames of train, a vector a clip, a linear classifier of standardised vectors.

    Parameters
    ----------
    n_words : int
        Fewer are learnt where train has fewer different frames.
    n_sampled : int
        Frames of train that the words are learnt from, as many of each clip.
    classifier : {"svm", "logistic"}
        Linear support vector machine, one class against the rest; or logistic regression.
    C : float
        Inverse of the classifier's L2 penalty.
    """

    n_words: int = 256
    n_sampled: int = 50_000
    classifier: Literal["svm", "logistic"] = "svm"
    C: float = 0.01

    name = ""
    version = "1"
    needs = ()
    uses_valid = False
    words: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.n_words < 2 or self.n_sampled < self.n_words or self.C <= 0:
            raise BadInput(f"{self.name}: n_words must be at least 2, n_sampled no less than n_words, C above 0")

    def rows(self, context: Context, split: AnySplit) -> Windows:
        """Frames of each clip, (n_clips, n_frames, n); NaN after its end."""
        raise NotImplementedError

    def frames(self, row: Array) -> Array:
        """What words are made of, (n_frames, n), from the frames of one clip, of which none is NaN."""
        raise NotImplementedError

    def learn(self, sample: Array, seed: int) -> dict[str, Array]:
        """Words from frames (n_sampled, n), and what frames are standardised with; see `words` for their name."""
        raise NotImplementedError

    def encoder(self, learnt: Mapping[str, Array]) -> Encode:
        """What tells the words of a clip, from what was learnt."""
        raise NotImplementedError

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Learn words and classifier on train; nothing is selected on valid."""
        found = self.learn(self._sample(context, train, seed), seed)
        learnt = {name: np.ascontiguousarray(value) for name, value in found.items()}  # as they are stored
        fitted = fit_sklearn(self._classifier, self._scores_of(), train, context, features_of=self._vectors(learnt))
        state = {**learnt, **fitted.state(lambda part: keep_linear(part.model))}
        return Fitted(fitted.predict, n_trainable=learnt[self.words].size + fitted.n_linear(), state=state)

    def restore(
        self, state: Mapping[str, Any], split: BlindSplit, context: Context
    ) -> Callable[[BlindSplit], FloatArray]:
        """The same words and weights."""
        if self.words not in state:
            raise BadInput("the stored model lacks its words; remove its run's folder to train it again")
        return restore_sklearn(
            state,
            lambda held, _: linear(self._classifier, held),
            self._scores_of(),
            context,
            features_of=self._vectors(state),
        )

    def reads(self, split: AnySplit, part: Part, context: Context) -> None:
        """Frames."""
        self.rows(context, split)

    def _vectors(self, learnt: Mapping[str, Array]) -> Callable[[Context, AnySplit], Array]:
        encode = self.encoder(learnt)
        return lambda context, split: np.stack([encode(frames) for frames in self._clips(context, split)])

    def _scores_of(self) -> Callable[[Any, Array], Array]:
        return margins if self.classifier == "svm" else probabilities

    def _classifier(self) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import LinearSVC

        if self.classifier == "svm":
            return LinearSVC(C=self.C, dual=False, max_iter=5000)
        return LogisticRegression(C=self.C, max_iter=5000)

    def _clips(self, context: Context, split: AnySplit) -> Iterator[Array]:
        """The frames of one clip after another: those of all together may not fit into memory."""
        rows = self.rows(context, split).values
        for k in range(len(rows)):
            row = np.asarray(rows[k : k + 1])[0]
            yield self.frames(row[~np.isnan(row[:, 0])])

    def _sample(self, context: Context, train: Split, seed: int) -> Array:
        generator = np.random.default_rng(seed)
        each = -(-self.n_sampled // len(train))
        clips = self._clips(context, train)
        return np.concatenate([frames[generator.permutation(len(frames))[:each]] for frames in clips])


def _padded(features: Array, longest: float) -> FloatArray:
    """Frames of a clip up to the number that the longest one has; NaN after its end."""
    from mirbench.methods.hand_made.timbre import SAMPLE_RATE, frame_count

    n_frames = frame_count(round(longest * SAMPLE_RATE) + 1, _FRAME, _HOP)  # lengths are rounded
    rows = np.full((n_frames, features.shape[1]), np.nan, dtype=np.float32)
    rows[: len(features)] = features[:n_frames]
    return rows


def _mfcc_rows(audio: FloatArray, longest: float) -> FloatArray:
    from mirbench.methods.hand_made.timbre import mfcc

    return _padded(mfcc(audio, 20, 40, _FRAME, _HOP), longest)


def _mel_rows(audio: FloatArray, longest: float) -> npt.NDArray[np.float16]:
    """In half precision, for there are many; an error of 0.04 dB."""
    from mirbench.methods.hand_made.timbre import log_mel

    return _padded(log_mel(audio, _BANDS, _FRAME, _HOP), longest).astype(np.float16)


def _n_words(wanted: int, sample: Array) -> int:
    """Two frames that are the same cannot be two words."""
    return min(wanted, len(np.unique(sample, axis=0)))


@dataclass(frozen=True)
class MfccCodebook(_BagOfFrames):
    """Histogram of codewords: each frame, 20 MFCC with their first and second slopes, is counted for the nearest one.

    Frames of 46 ms, half of it apart. The codewords are k-means of frames standardised on train.
    """

    name = "mfcc-codebook"
    words = "codewords"

    def rows(self, context: Context, split: AnySplit) -> Windows:
        """MFCC."""
        from mirbench.methods.hand_made.timbre import SAMPLE_RATE

        return context.whole(split, "mfcc", SAMPLE_RATE, _mfcc_rows, identity="mfcc 1")

    def frames(self, row: Array) -> Array:
        """MFCC beside their slopes, (n_frames, 60)."""
        from mirbench.methods.hand_made.timbre import with_deltas

        return with_deltas(row)

    def learn(self, sample: Array, seed: int) -> dict[str, Array]:
        """K-means in minibatches."""
        from sklearn.cluster import MiniBatchKMeans
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(sample)
        standard = scaler.transform(sample)
        means = MiniBatchKMeans(_n_words(self.n_words, standard), random_state=seed, n_init=3).fit(standard)
        return {"frames.mean": scaler.mean_, "frames.scale": scaler.scale_, "codewords": means.cluster_centers_}

    def encoder(self, learnt: Mapping[str, Array]) -> Encode:
        """Counts of the nearest codewords."""
        from sklearn.cluster import MiniBatchKMeans
        from sklearn.preprocessing import StandardScaler

        scaler, codewords = StandardScaler(), learnt["codewords"]
        scaler.mean_, scaler.scale_ = learnt["frames.mean"], learnt["frames.scale"]
        means = MiniBatchKMeans(len(codewords), init=codewords, n_init=1, max_iter=1).fit(codewords)
        means.cluster_centers_ = codewords

        def encode(frames: Array) -> Array:
            nearest = means.predict(scaler.transform(frames))
            return np.bincount(nearest, minlength=len(codewords)) / len(nearest)

        return encode


@dataclass(frozen=True)
class SparseCoding(_BagOfFrames):
    """Sparse codes of mel spectra: their greatest magnitudes in each segment, and the mean of these over the clip.

    Patches of a log-mel spectrogram of 80 bands are whitened by principal components of 90 % of the variance. Atoms
    are learnt with the lasso; a code is the soft threshold of the products of atoms and patch, which costs far less.

    Parameters
    ----------
    patch : int
        Frames a patch, 23 ms apart.
    penalty : float
        Of the L1 norm of codes, when atoms are learnt.
    threshold : float
        What is taken off the magnitudes of products; below it a code is 0.
    segment_seconds : float
        Length of a segment; 0 is the whole clip.

    References
    ----------
    Henaff, Jarrett, Kavukcuoglu, LeCun (2011), Unsupervised learning of sparse features for scalable audio
    classification. Nam, Herrera, Slaney, Smith (2012), Learning sparse feature representations for music annotation
    and retrieval.
    """

    n_sampled: int = 10_000
    patch: int = 8
    penalty: float = 3.0
    threshold: float = 1.0
    segment_seconds: float = 1.0

    name = "sparse-coding"
    words = "atoms"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, 1, "patch")
        require_above(self, 0, "penalty")
        require_least(self, 0, "threshold", "segment_seconds")

    def rows(self, context: Context, split: AnySplit) -> Windows:
        """Log-mel spectra."""
        from mirbench.methods.hand_made.timbre import SAMPLE_RATE

        return context.whole(split, "log-mel", SAMPLE_RATE, _mel_rows, identity="log-mel 1, half precision")

    def frames(self, row: Array) -> Array:
        """Patches, (n_patches, 80 patch); the last frame is repeated in a clip that is shorter than one."""
        long = np.pad(row.astype(np.float32), ((0, max(0, self.patch - len(row))), (0, 0)), mode="edge")
        return sliding_window_view(long, self.patch, axis=0).reshape(len(long) - self.patch + 1, -1)

    def learn(self, sample: Array, seed: int) -> dict[str, Array]:
        """One pass over the patches in minibatches."""
        from sklearn.decomposition import PCA, MiniBatchDictionaryLearning
        from sklearn.exceptions import ConvergenceWarning

        components = PCA(0.9, whiten=True, svd_solver="full").fit(sample)
        n_words = _n_words(self.n_words, sample)
        learner = MiniBatchDictionaryLearning(n_words, alpha=self.penalty, max_iter=1, random_state=seed)
        with (
            warnings.catch_warnings()
        ):  # of atoms that are alike one is left out of a patch's code; rounding says where
            warnings.simplefilter("ignore", ConvergenceWarning)
            atoms = learner.fit(components.transform(sample)).components_
        return {"frames.mean": components.mean_, "components": components.components_,
                "variances": components.explained_variance_, "atoms": atoms}  # fmt: skip

    def encoder(self, learnt: Mapping[str, Array]) -> Encode:
        """Soft-thresholded products, pooled."""
        from sklearn.decomposition import PCA

        from mirbench.methods.hand_made.timbre import SAMPLE_RATE

        components, atoms = PCA(whiten=True), learnt["atoms"]
        components.mean_, components.components_ = learnt["frames.mean"], learnt["components"]
        components.explained_variance_ = learnt["variances"]
        length = round(self.segment_seconds * SAMPLE_RATE / _HOP)

        def encode(frames: Array) -> Array:
            codes = np.maximum(np.abs(components.transform(frames) @ atoms.T) - self.threshold, 0)
            starts = np.arange(0, len(codes), length or len(codes))
            return np.maximum.reduceat(codes, starts).mean(axis=0)

        return encode
