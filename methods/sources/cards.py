"""The facts of every source: a card each, and no torch.

``trained_on`` uses the words of ``Task.datasets``. AudioSet's clips come from YouTube; no task here is cut from it.
"""

from __future__ import annotations

from mirbench.methods.sources.speech_words import WORDS
from mirbench.source import SourceCard, Stage, WeightFile

__all__ = [
    "AST", "EFFICIENTAT_MN01", "EFFICIENTAT_MN02", "EFFICIENTAT_MN04", "EFFICIENTAT_MN05", "EFFICIENTAT_MN10",
    "EFFICIENTAT_MN20", "EFFICIENTAT_MN30", "EFFICIENTAT_MN40", "EFFICIENTAT_MN40_EXT", "NANO", "SPEECHATT",
    "SPEECHATT_PORT",
]  # fmt: skip

_ALL: tuple[Stage, ...] = ("frontend", "body", "layers", "pooled", "head")
_HERE = "mirbench.methods.sources"

AST = SourceCard(
    name="ast",
    title="Audio Spectrogram Transformer, fine-tuned on AudioSet",
    kind="network",
    offers=_ALL,
    sample_rate=16_000,
    seconds=10.0,
    n_bands=128,
    n_frames=1024,
    n_features=768,
    n_outputs=527,
    n_layers=12,
    n_parameters=86_594_063,
    flops=261_028_747_776,
    labels="AudioSet (527)",
    trained_on=("imagenet", "audioset"),
    builder=f"{_HERE}.ast:build",
    version="2",
    hub="MIT/ast-finetuned-audioset-10-10-0.4593",
    options={"input_norm": "audioset", "pooling": "class"},
    choices={"input_norm": ("audioset", "none"), "pooling": ("class", "patches")},
    reference="Gong, Chung, Glass (2021), AST: Audio Spectrogram Transformer, Interspeech",
    license="BSD-3-Clause",
    notes=(
        "pooled is (class token + distillation token) / 2 after the last layer norm, as in the original code",
        "input_norm: audioset (hung2022) or none (chen2022's code feeds raw log-mel)",
        "pooling: patches makes pooled the mean of the patch tokens, our reading of hung2022's BL-R-AST",
        "the printed 88,132,063 parameters of hung2022 hold 1,538,000 of two ImageNet heads that nothing uses",
    ),
)


def _efficientat(
    name: str, width: float, mean_ap: float, n_parameters: int, file: str, n_bytes: int, sha256: str = ""
) -> SourceCard:
    """A size of EfficientAT; `mean_ap` is its published mean average precision on AudioSet's evaluation set."""
    builder = "build" if width == 0.4 else f"build_{name[:4]}"
    return SourceCard(
        name=f"efficientat-{name}",
        title=f"EfficientAT {name}: MobileNetV3-large at width {width:g}, distilled on AudioSet",
        kind="network",
        offers=_ALL,
        sample_rate=32_000,
        seconds=10.0,
        n_bands=128,
        n_frames=1000,
        n_features=round(960 * width),
        n_outputs=527,
        n_layers=17,
        n_parameters=n_parameters,
        labels="AudioSet (527)",
        trained_on=("imagenet", "audioset"),
        builder=f"{_HERE}.efficientat:{builder}",
        weights=(
            WeightFile(
                file, f"https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/{file}", sha256, n_bytes
            ),
        ),
        reference="Schmid, Koutini, Widmer (2023), Efficient large-scale audio tagging via Transformer-to-CNN "
        "knowledge distillation, ICASSP",
        license="MIT",
        notes=(
            "layer k is the output of block k; its tokens are the frames, channels x bands wide",
            f"published mean average precision on AudioSet: {mean_ap:g}",
            *(() if sha256 else ("no checksum of its file is published: it is taken as it comes, and says its own",)),
        ),
    )


EFFICIENTAT_MN01 = _efficientat("mn01", 0.1, 0.298, 123_783, "mn01_as_mAP_298.pt", 612_421)
EFFICIENTAT_MN02 = _efficientat("mn02", 0.2, 0.378, 324_695, "mn02_as_mAP_378.pt", 1_432_101)
EFFICIENTAT_MN04 = _efficientat(
    "mn04", 0.4, 0.432, 983_599, "mn04_as_mAP_432.pt", 4_066_513,
    "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
)  # fmt: skip
EFFICIENTAT_MN05 = _efficientat("mn05", 0.5, 0.443, 1_431_239, "mn05_as_mAP_443.pt", 5_878_097)
EFFICIENTAT_MN10 = _efficientat(
    "mn10", 1.0, 0.471, 4_876_831, "mn10_as_mAP_471.pt", 19_708_753,
    "0bd7dc2443af498c289a2e739f02ebb515d6aa3fd3ab9db539c86123ae368a4e",
)  # fmt: skip
EFFICIENTAT_MN20 = _efficientat("mn20", 2.0, 0.478, 17_909_287, "mn20_as_mAP_478.pt", 71_938_961)
EFFICIENTAT_MN30 = _efficientat("mn30", 3.0, 0.482, 39_086_367, "mn30_as_mAP_482.pt", 156_742_353)
EFFICIENTAT_MN40 = _efficientat("mn40", 4.0, 0.484, 68_427_303, "mn40_as_mAP_484.pt", 0)
EFFICIENTAT_MN40_EXT = _efficientat("mn40-ext", 4.0, 0.487, 68_427_303, "mn40_as_ext_mAP_487.pt", 274_206_417)

SPEECHATT = SourceCard(
    name="speechatt",
    title="Attention RNN for spoken commands",
    kind="network",
    offers=_ALL,
    sample_rate=16_000,
    seconds=1.0,
    n_bands=80,
    n_frames=125,
    n_features=128,
    n_outputs=36,
    n_layers=1,
    n_parameters=202_249,
    labels=f"Speech Commands v2: {', '.join(WORDS)}",
    trained_on=("speech-commands",),
    builder=f"{_HERE}.speechatt:build",
    activation="softmax",
    weights=(
        WeightFile(
            "model-attRNN.h5",
            "https://raw.githubusercontent.com/douglas125/SpeechCmdRecognition/master/model-attRNN.h5",
            "c73134a09bbc72d169a7d8e875297e72142c3d11f2dc0d95570303c67bdca4d0",
            2_775_136,
        ),
    ),
    reference="de Andrade, Leo, Viana, Bernkopf (2018), A neural attention model for speech command recognition, "
    "arXiv:1808.08929",
    license="MIT",
    notes=(
        "201,247 parameters in Keras; torch's LSTM has a second bias, 202,249",
        "the published weights and graph, not the port in hung2022's repository, which is speechatt-port; spectrograms "
        "are normalised per example, where the Keras graph does it over the batch",
        "layer 0 is the output of the second BiLSTM, 125 frames",
        "a word shorter than its window lies in its middle, in noise 60 dB below the word's peak: of 200 synthesised "
        "digits it names 183 so, 179 without the noise, and 167 with zeros behind the word",
    ),
    pad="noise",
)

SPEECHATT_PORT = SourceCard(
    name="speechatt-port",
    title="Attention RNN for spoken commands, hung2022's port",
    kind="network",
    offers=_ALL,
    sample_rate=16_000,
    seconds=1.0,
    n_bands=80,
    n_frames=32,
    n_features=128,
    n_outputs=35,
    n_layers=1,
    n_parameters=202_216,
    labels="35 words of Speech Commands v2, in an order that is not published",
    nameless=True,
    trained_on=("speech-commands",),
    builder=f"{_HERE}.speechatt_port:build",
    activation="softmax",
    weights=(WeightFile("AttRNNSpeechModel.pth", ""),),
    reference="Hung, Yang, Chen, Lerch (2022), Low-resource music genre classification with cross-modal neural model "
    "reprogramming, arXiv:2211.01317; code: biboamy/music-repro",
    license="none stated",
    notes=(
        "its weights are not published as far as is known here, nor is a checksum of them: hung2022's code reads "
        "AttRNNSpeechModel.pth, which its repository does not hold (models/best_model.pth, 354 MB, is as large as AST)",
        "other than speechatt: 32 frames, dB that are not normalised, no activation but the LSTM's, a query from the "
        "mean over time, attention without softmax, 35 outputs without unknown",
        "dB are 20 log10 without a limit below the peak: AmplitudeToDB(80) of the code sets no top_db",
        "layer 0 is the output of the second BiLSTM, 32 frames",
    ),
)

NANO = SourceCard(
    name="nano",
    title="A small AST that names synthesised sound events; made by this project",
    kind="network",
    offers=_ALL,
    sample_rate=16_000,
    seconds=5.0,
    n_bands=64,
    n_frames=240,
    n_features=96,
    n_outputs=50,
    n_layers=6,
    n_parameters=707_090,
    labels="sound events (mirbench.methods.sources.nano_sounds.sounds.SOUNDS)",
    nameless=True,
    trained_on=("mirbench-sounds",),
    builder=f"{_HERE}.nano:build",
    packaged=f"{_HERE}:nano.safetensors",
    accepts=("audio", "picture"),
    reference="trained by python -m mirbench.methods.sources.train_nano",
    license="MIT",
    notes=(
        "picture files are taken for spectrograms, for demos: it was trained on none",
        "for demos and tests: it has heard 14,000 synthesised scenes and nothing real; mean average precision 0.797 on "
        "1,000 scenes held out",
        "the songs of gtzan-demo come from other generators (mirbench.tasks.stand_in_music.songs), which share no code "
        "with its sounds; in common are tones of plucked, bowed, blown and struck instruments and evenly repeated "
        "pulses",
    ),
)
