"""The facts of the published music taggers, and the names of their outputs; no torch.

Addresses hold the commit that stored a file. The repository has more checkpoints (jamendo/fcn, jamendo/crnn, msd/fcn
and msd/crnn among them); they have no card here, since what they hash to is not known to us.
"""

from __future__ import annotations

from functools import partial

from mirbench.source import SourceCard, WeightFile

__all__ = ["CRNN_MTAT", "FCN_MTAT", "JAMENDO_TAGS", "MTAT_TAGS", "MUSICNN_JAMENDO", "MUSICNN_MTAT"]

MTAT_TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
    "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello",
    "no voice", "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip
"""Outputs of taggers of MagnaTagATune in their order, by falling frequency, as jordipons/musicnn lists them.

The repository's own split/mtat/top50_tags.txt has "female voice" before "metal", in which the checkpoints do not agree:
output 47 is the one that hears metal. A test asks them.
"""

_GENRES = (
    "alternative", "ambient", "atmospheric", "chillout", "classical", "dance", "downtempo", "easylistening",
    "electronic", "experimental", "folk", "funk", "hiphop", "house", "indie", "instrumentalpop", "jazz", "lounge",
    "metal", "newage", "orchestral", "pop", "popfolk", "poprock", "reggae", "rock", "soundtrack", "techno", "trance",
    "triphop", "world",
)  # fmt: skip
_INSTRUMENTS = (
    "acousticguitar", "bass", "computer", "drummachine", "drums", "electricguitar", "electricpiano", "guitar",
    "keyboard", "piano", "strings", "synthesizer", "violin", "voice",
)  # fmt: skip
_MOODS = ("emotional", "energetic", "film", "happy", "relaxing")

JAMENDO_TAGS = tuple(
    f"{kind}---{name}"
    for kind, names in (("genre", _GENRES), ("instrument", _INSTRUMENTS), ("mood/theme", _MOODS))
    for name in names
)
"""Outputs of taggers of MTG-Jamendo in their order: sorted, for scikit-learn's LabelBinarizer made the targets.

The list in the repository's training/eval.py is in another order, which is not that of the outputs.
"""

_UPSTREAM = "https://raw.githubusercontent.com/minzwon/sota-music-tagging-models"
_MTAT_COMMIT, _JAMENDO_COMMIT = "1f4d282693ac19cde4d30b86811fe0ae2452f406", "ffcd1f90b97a1e923a50c6e5283f147cf9dd7dfd"

_tagger = partial(
    SourceCard,
    kind="network",
    offers=("frontend", "body", "layers", "pooled", "head"),
    sample_rate=16_000,
    n_bands=96,
    n_outputs=50,
    license="MIT",
    reference="Won, Ferraro, Bogdanov, Serra (2020), Evaluation of CNN-based automatic music tagging models, SMC",
)
_mtat = partial(_tagger, labels="MagnaTagATune (50 tags)", trained_on=("magnatagatune",))
_musicnn = partial(_tagger, seconds=3.0, n_frames=188, n_features=1506, n_layers=4, n_parameters=784_300)

_ORDER = "labels are in the order of the outputs, which is not that of the tasks' classes: match them by name"
_MUSICNN_NOTES = (
    "pooled is maxima and means over time, side by side, as Castellon et al. (2021) take musicnn for transfer; the "
    "hidden layer of 200, which Essentia takes instead, belongs to the head",
    "layer 0 is the output of the parallel filters (561 wide), layers 1 to 3 the back end's",
    _ORDER,
)
_BLOCKS = "layer k is the output of convolution block k; its tokens are the frames, channels x bands wide"

MUSICNN_MTAT = _musicnn(
    name="musicnn-mtat",
    title="Musicnn, MagnaTagATune",
    labels="MagnaTagATune (50 tags)",
    trained_on=("magnatagatune",),
    builder="mirbench.methods.sources.taggers:build_musicnn_mtat",
    weights=(
        WeightFile(
            "tagger_mtat_musicnn.pth",
            f"{_UPSTREAM}/{_MTAT_COMMIT}/models/mtat/musicnn/best_model.pth",
            "690ace3bb5d49d90dd38fe3ec05a1185350b3bc3742bd7ee941f56b649b2c893",
            3_257_172,
        ),
    ),
    notes=_MUSICNN_NOTES,
)

MUSICNN_JAMENDO = _musicnn(
    name="musicnn-jamendo",
    title="Musicnn, MTG-Jamendo",
    labels="MTG-Jamendo (50 tags)",
    trained_on=("mtg-jamendo",),
    builder="mirbench.methods.sources.taggers:build_musicnn_jamendo",
    weights=(
        WeightFile(
            "tagger_jamendo_musicnn.pth",
            f"{_UPSTREAM}/{_JAMENDO_COMMIT}/models/jamendo/musicnn/best_model.pth",
            "66280f4859376377c47f64313c7ac889a3201fdb06a01bf6e94ac6e619081bb5",
            3_257_168,
        ),
    ),
    notes=_MUSICNN_NOTES,
)

FCN_MTAT = _mtat(
    name="fcn-mtat",
    title="FCN (five layers), MagnaTagATune",
    seconds=29.0,
    n_frames=1813,
    n_features=64,
    n_layers=5,
    n_parameters=447_732,
    builder="mirbench.methods.sources.taggers:build_fcn_mtat",
    weights=(
        WeightFile(
            "tagger_mtat_fcn.pth",
            f"{_UPSTREAM}/{_MTAT_COMMIT}/models/mtat/fcn/best_model.pth",
            "e89d751202d38c3ae69855782bc27010f87051958dbec64f5aa762364dbac271",
            1_902_811,
        ),
    ),
    notes=("pooled is what the one linear layer sees: the last block has one band and one frame", _BLOCKS, _ORDER),
)

CRNN_MTAT = _mtat(
    name="crnn-mtat",
    title="CRNN, MagnaTagATune",
    seconds=29.0,
    n_frames=1813,
    n_features=32,
    n_layers=4,
    n_parameters=394_100,
    builder="mirbench.methods.sources.taggers:build_crnn_mtat",
    weights=(
        WeightFile(
            "tagger_mtat_crnn.pth",
            f"{_UPSTREAM}/{_MTAT_COMMIT}/models/mtat/crnn/best_model.pth",
            "cd22fc70cafd06f8f2bfc7dd795abccb1f4b50d5b09094c39ad100baf87475a3",
            1_687_630,
        ),
    ),
    notes=("pooled is the last of the GRU's 18 steps, which the one linear layer sees", _BLOCKS, _ORDER),
)
