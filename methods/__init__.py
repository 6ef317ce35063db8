"""The methods: ways to learn a task, with or without a source. Names only; modules load when they are used."""

from collections.abc import Mapping

from mirbench.registry import Entry
from mirbench.tables import OwnNetwork

__all__ = ["METHODS", "OWN_NETWORKS"]

_TAGGERS, _NMR = "mirbench.methods.taggers.methods", "mirbench.methods.reprogramming.nmr"
_FEW = "mirbench.methods.tuning.few_values"
_RP, _HAND_MADE = "mirbench.methods.reprogramming.picture_rp", "mirbench.methods.hand_made"

METHODS: Mapping[str, Entry] = {
    "prior": Entry("mirbench.methods.prior:Prior", "class frequencies of train: the floor"),
    "probe-linear": Entry("mirbench.methods.probes:LinearProbe", "logistic regression on embeddings"),
    "probe-svm": Entry("mirbench.methods.probes:SvmProbe", "RBF support vector machine on embeddings"),
    "probe-forest": Entry("mirbench.methods.forest_probe:ForestProbe", "random forest on embeddings"),
    "knn": Entry("mirbench.methods.probes:NeighboursProbe", "nearest neighbours of embeddings by cosine"),
    "layer-mix": Entry("mirbench.methods.layer_mix:LayerMix", "a probe on a learnt mixture of all hidden layers"),
    "zero-shot": Entry("mirbench.methods.zero_shot:ZeroShot", "the source names the classes itself; nothing is learnt"),
    "picture-mlp": Entry("mirbench.methods.picture_mlp:PictureMlp", "three linear layers, AdamW (rommel2023)"),
    "tf-retrain": Entry("mirbench.methods.retrain:Retrain", "softmax regression on balanced batches (shtern2017)"),
    "mean-teacher": Entry("mirbench.methods.mean_teacher:MeanTeacher", "attention over frames, mean teacher (MT)"),
    "finetune": Entry(
        "mirbench.methods.tuning.finetune:FineTune", "all of the source, its last blocks, or low-rank adapters"
    ),
    "bottleneck-adapters": Entry(f"{_FEW}:BottleneckAdapters", "bottlenecks inside a frozen source, new head"),
    "prompt-tokens": Entry(f"{_FEW}:PromptTokens", "learnt tokens inside a frozen transformer, new head"),
    "bitfit": Entry(f"{_FEW}:BiasTuning", "the biases of the source, new head"),
    "lora": Entry(f"{_FEW}:Lora", "low-rank updates of a frozen source, new head"),
    "attentive-pooling": Entry(
        "mirbench.methods.attentive_pooling:AttentivePooling", "attention over the tokens of a hidden layer"
    ),
    "ast-bs": Entry(f"{_RP}:AstBs", "frozen source, new head or another output mapping"),
    "nrp": Entry(f"{_RP}:NoiseRp", "reprogramming: a learnt picture added to the spectrogram"),
    "cnnrp": Entry(f"{_RP}:CnnRp", "reprogramming: two small convolutions of the spectrogram"),
    "unet-rp": Entry(f"{_RP}:UnetRp", "reprogramming: a small U-Net of the spectrogram"),
    "padding-rp": Entry(f"{_RP}:PaddingRp", "reprogramming: a visual prompt, a learnt frame"),
    "black-box-rp": Entry(
        "mirbench.methods.reprogramming.black_box:BlackBoxRp", "reprogramming by answers alone: CMA-ES, no gradients"
    ),
    "cnn-bs": Entry("mirbench.methods.cnn_bs:CnnBs", "a small CNN from scratch (CNN-BS of chen2022)"),
    "bl-cnn": Entry(f"{_TAGGERS}:BlCnn", "harmonic front end and four blocks, from scratch (BL-CNN of hung2022)"),
    "fcn": Entry(f"{_TAGGERS}:Fcn", "tagger from scratch: fully convolutional, 29 s"),
    "fcn4": Entry(f"{_TAGGERS}:Fcn4", "tagger from scratch: the lecture's FCN-4, 29 s"),
    "crnn": Entry(f"{_TAGGERS}:Crnn", "tagger from scratch: convolutional recurrent, 29 s"),
    "musicnn": Entry(f"{_TAGGERS}:Musicnn", "tagger from scratch: musically motivated filters, 3 s"),
    "sample-level": Entry(f"{_TAGGERS}:SampleLevel", "tagger from scratch: convolutions of the waveform, 3.7 s"),
    "sample-level-se": Entry(f"{_TAGGERS}:SampleLevelSe", "the same with squeeze and excitation"),
    "self-attention": Entry(f"{_TAGGERS}:SelfAttention", "tagger from scratch: self-attention, 15 s"),
    "harmonic-cnn": Entry(f"{_TAGGERS}:HarmonicCnn", "tagger from scratch: trainable harmonic filters, 5 s"),
    "short-chunk": Entry(f"{_TAGGERS}:ShortChunk", "tagger from scratch: short chunks, 3.7 s"),
    "short-chunk-res": Entry(f"{_TAGGERS}:ShortChunkRes", "the same with residual blocks"),
    "cnn1d": Entry(f"{_TAGGERS}:Cnn1d", "tagger from scratch: convolutions over time alone, 9.6 s"),
    "frame-level": Entry(f"{_TAGGERS}:FrameLevel", "tagger from scratch: frames of the waveform or of mel bands, 3 s"),
    "multi-level": Entry(
        "mirbench.methods.taggers.multi_level:MultiLevel", "tagger from scratch: five input sizes, their layers joined"
    ),
    "probe-mlp": Entry("mirbench.methods.probes:MlpProbe", "one hidden layer of 512 on embeddings (BL-R)"),
    "marsyas-forest": Entry(f"{_HAND_MADE}.marsyas:MarsyasForest", "random forest on Marsyas' timbre features"),
    "mfcc-codebook": Entry(f"{_HAND_MADE}.codebook:MfccCodebook", "k-means words of MFCC and a linear classifier"),
    "sparse-coding": Entry(f"{_HAND_MADE}.codebook:SparseCoding", "sparse codes of mel spectra, linear classifier"),
    "ii-nmr": Entry(f"{_NMR}:IiNmr", "reprogramming, input-independent: noise on the waveform"),
    "id-nmr": Entry(f"{_NMR}:IdNmr", "reprogramming, input-dependent: a small CNN before the body"),
    "ids-nmr": Entry(f"{_NMR}:IdsNmr", "reprogramming, input-dependent with skip: scale and shift before the head"),
}  # fmt: skip

OWN_NETWORKS: Mapping[str, OwnNetwork] = {
    "cnn-bs": OwnNetwork(10, 528_483_104),
    "bl-cnn": OwnNetwork(10, 1_675_555_128),
    "fcn": OwnNetwork(29, 4_398_089_408),
    "fcn4": OwnNetwork(29.12, 20_088_578_176),
    "crnn": OwnNetwork(29, 8_216_793_664),
    "musicnn": OwnNetwork(3, 2_413_314_552),
    "sample-level": OwnNetwork(3**10 / 16_000, 3_456_094_464),
    "sample-level-se": OwnNetwork(3**10 / 16_000, 9_716_169_216),
    "self-attention": OwnNetwork(15, 26_827_081_216),
    "harmonic-cnn": OwnNetwork(5, 8_595_335_680),
    "short-chunk": OwnNetwork(3**10 / 16_000, 4_038_037_248),
    "short-chunk-res": OwnNetwork(3**10 / 16_000, 5_561_257_728),
    "cnn1d": OwnNetwork(9.568, 342_478_592),
    "frame-level": OwnNetwork(3, 6_953_680),
}
"""What the networks that methods bring along do with a window, by which their runs' costs are told."""
