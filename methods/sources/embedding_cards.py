"""The facts of the sources that are embeddings without classes of their own; loads no torch."""

from __future__ import annotations

from mirbench.source import SourceCard, WeightFile

__all__ = ["OPENL3", "VGGISH"]

_HERE = "mirbench.methods.sources"

VGGISH = SourceCard(
    name="vggish",
    title="VGGish: embeddings of 0.96 s, from a network for the classes of YouTube videos",
    kind="network",
    offers=("frontend", "body", "layers", "pooled"),
    sample_rate=16_000,
    seconds=0.96,
    n_bands=64,
    n_frames=96,
    n_features=128,
    n_layers=4,
    n_parameters=72_141_184,
    trained_on=("youtube-8m",),
    builder=f"{_HERE}.vggish:build",
    weights=(
        WeightFile(
            "vggish-10086976.pth",
            "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
            "10086976245803799d9194e9a73d9b6c1549c71d1b80106f5cade5608a561f4b",
            0,
        ),
    ),
    extra_weights={
        "postprocess=pca": WeightFile(
            "vggish_pca_params-970ea276.pth",
            "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish_pca_params-970ea276.pth",
            "970ea276",
        )
    },
    options={"postprocess": "none"},
    choices={"postprocess": ("none", "pca")},
    offered_at={"body": ("postprocess", "none")},  # what is rounded lets no gradient pass
    reference="Hershey et al. (2017), CNN architectures for large-scale audio classification, ICASSP; ported to torch "
    "as torchvggish",
    license="Apache-2.0",
    notes=(
        "pooled is the output after the last ReLU; postprocess: pca makes it what torchvggish gives by default, and "
        "hung2022's code takes: 128 whitened principal components, clipped to -2 … 2, as whole numbers 0 … 255",
        "postprocess: pca needs a second file, of whose sha256 only the 8 digits in its name are known here; it "
        "rounds, so that methods which need a gradient through the network are skipped",
        "96 frames reach over 0.975 s: the 15 ms beyond a window are its end mirrored, where torchvggish hears on",
        "hung2022's code loads audio at 22,050 Hz, and torchvggish resamples that to 16 kHz; here it is loaded at "
        "16 kHz",
        "trained on a forerunner of YouTube-8M",
        "layer k is the map after pooling k; its tokens are the frames (48, 24, 12, 6), channels x bands wide",
    ),
)

OPENL3 = SourceCard(
    name="openl3",
    title="OpenL3: embeddings of 1 s that were learnt from sound and image together",
    kind="embedding",
    offers=("pooled",),
    sample_rate=48_000,
    seconds=1.0,
    n_features=512,
    trained_on=("audioset",),
    builder=f"{_HERE}.openl3:build",
    options={"content_type": "music", "input_repr": "mel256", "n_features": 512},
    choices={"content_type": ("music", "env"), "input_repr": ("mel256", "mel128", "linear"), "n_features": (512, 6144)},
    reference="Cramer, Wu, Salamon, Bello (2019), Look, listen and learn more: design choices for deep audio "
    "embeddings, ICASSP",
    license="MIT, weights CC BY 4.0",
    notes=(
        "needs TensorFlow, and runs in a Python of its own: python3.8 -m venv DIR, DIR/bin/pip install 'setuptools<81' "
        "tensorflow openl3, then set MIRBENCH_OPENL3_PYTHON=DIR/bin/python",
        "content_type: music or env; input_repr: mel256, mel128 or linear; n_features: 512 or 6144",
        "windows are side by side; openl3's own default is a hop of 0.1 s, the first window half silence",
        "its parameters are in another process and are not counted",
    ),
)
