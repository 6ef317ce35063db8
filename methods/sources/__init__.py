"""The source networks: frozen pretrained models, each with the three stages at which reprogramming acts.

::

    frontend(audio)          (n, n_samples) -> picture (n, 1, n_bands, n_frames)
    body(picture, layers=()) -> Activations(pooled (n, n_features), {k: (n, n_tokens, width)})
    head(pooled)             (n, n_features) -> (n, n_outputs) logits over the source's own classes

The facts are in `cards`, which loads no torch; each network has a module of its own.
"""

from collections.abc import Mapping

from mirbench.registry import Entry

__all__ = ["FAMILIES", "SOURCES"]

_CARDS = "mirbench.methods.sources.cards"
_EMBEDDINGS = "mirbench.methods.sources.embedding_cards"
_IMAGES = "mirbench.methods.sources.image_cards"
_TAGGERS = "mirbench.methods.sources.tagger_cards"
_UNTRAINED = "mirbench.methods.sources.untrained"

SOURCES: Mapping[str, Entry] = {
    "ast": Entry(
        f"{_CARDS}:AST",
        "Audio Spectrogram Transformer, AudioSet (86.6 M parameters)",
        untrained=f"{_UNTRAINED}:ast",
        shorter="mirbench.methods.sources.shorter:ast",
    ),
    "efficientat-mn01": Entry(
        f"{_CARDS}:EFFICIENTAT_MN01",
        "MobileNetV3 at width 0.1, AudioSet (0.1 M parameters)",
        flops=167_461_120,
        untrained=f"{_UNTRAINED}:efficientat",
    ),
    "efficientat-mn02": Entry(
        f"{_CARDS}:EFFICIENTAT_MN02",
        "MobileNetV3 at width 0.2, AudioSet (0.3 M parameters)",
        flops=211_592_960,
        untrained=f"{_UNTRAINED}:efficientat",
    ),
    "efficientat-mn04": Entry(
        f"{_CARDS}:EFFICIENTAT_MN04",
        "MobileNetV3 at width 0.4, AudioSet (1.0 M parameters)",
        flops=351_681_280,
        untrained=f"{_UNTRAINED}:efficientat",
    ),
    "efficientat-mn05": Entry(
        f"{_CARDS}:EFFICIENTAT_MN05",
        "MobileNetV3 at width 0.5, AudioSet (1.4 M parameters)",
        flops=449_968_384,
        untrained=f"{_UNTRAINED}:efficientat",
    ),
    "efficientat-mn10": Entry(
        f"{_CARDS}:EFFICIENTAT_MN10",
        "MobileNetV3 at width 1, AudioSet (4.9 M parameters)",
        flops=1_209_677_696,
        untrained=f"{_UNTRAINED}:efficientat",
    ),
    "efficientat-mn20": Entry(
        f"{_CARDS}:EFFICIENTAT_MN20",
        "MobileNetV3 at width 2, AudioSet (17.9 M parameters)",
        flops=4_237_550_336,
        untrained=f"{_UNTRAINED}:efficientat",
    ),
    "efficientat-mn30": Entry(
        f"{_CARDS}:EFFICIENTAT_MN30",
        "MobileNetV3 at width 3, AudioSet (39.1 M parameters)",
        flops=9_214_922_880,
        untrained=f"{_UNTRAINED}:efficientat",
    ),
    "efficientat-mn40": Entry(
        f"{_CARDS}:EFFICIENTAT_MN40",
        "MobileNetV3 at width 4, AudioSet (68.4 M parameters)",
        flops=16_141_833_728,
        untrained=f"{_UNTRAINED}:efficientat",
    ),
    "efficientat-mn40-ext": Entry(
        f"{_CARDS}:EFFICIENTAT_MN40_EXT",
        "the same, trained longer",
        flops=16_141_833_728,
        untrained=f"{_UNTRAINED}:efficientat",
    ),
    "speechatt": Entry(
        f"{_CARDS}:SPEECHATT",
        "attention RNN for spoken commands (0.2 M parameters)",
        flops=55_332_768,
        untrained=f"{_UNTRAINED}:speechatt",
    ),
    "speechatt-port": Entry(
        f"{_CARDS}:SPEECHATT_PORT",
        "the same in the port of hung2022; its weights are not published",
        flops=14_189_568,
        untrained=f"{_UNTRAINED}:speechatt_port",
    ),
    "vggish": Entry(
        f"{_EMBEDDINGS}:VGGISH",
        "VGGish, YouTube-8M (72.1 M parameters)",
        flops=1_730_949_120,
        untrained=f"{_UNTRAINED}:vggish",
    ),
    "openl3": Entry(f"{_EMBEDDINGS}:OPENL3", "OpenL3, in a Python of its own"),
    "musicnn-mtat": Entry(
        f"{_TAGGERS}:MUSICNN_MTAT",
        "tagger, MagnaTagATune (0.8 M parameters)",
        flops=2_412_708_152,
        untrained=f"{_UNTRAINED}:tagger",
    ),
    "musicnn-jamendo": Entry(
        f"{_TAGGERS}:MUSICNN_JAMENDO", "the same, MTG-Jamendo", flops=2_412_708_152, untrained=f"{_UNTRAINED}:tagger"
    ),
    "fcn-mtat": Entry(
        f"{_TAGGERS}:FCN_MTAT",
        "tagger, MagnaTagATune (0.4 M parameters)",
        flops=4_398_088_128,
        untrained=f"{_UNTRAINED}:tagger",
    ),
    "crnn-mtat": Entry(
        f"{_TAGGERS}:CRNN_MTAT",
        "tagger, MagnaTagATune (0.4 M parameters)",
        flops=8_216_793_024,
        untrained=f"{_UNTRAINED}:tagger",
    ),
    "coral-mobilenetv2": Entry(
        f"{_IMAGES}:CORAL_MOBILENETV2",
        "MobileNetV2, ImageNet (3.5 M parameters)",
        flops=825_067_008,
        untrained=f"{_UNTRAINED}:coral",
    ),
    "vit-b16": Entry(
        f"{_IMAGES}:VIT_B16",
        "Vision Transformer ViT-B/16, ImageNet (86.6 M parameters)",
        flops=35_127_656_448,
        untrained=f"{_UNTRAINED}:vit",
    ),
    "inception-v3": Entry(
        f"{_IMAGES}:INCEPTION_V3",
        "Inception-v3, ImageNet (23.8 M parameters)",
        flops=11_426_432_192,
        untrained=f"{_UNTRAINED}:timm_network",
    ),
    "nano": Entry(
        f"{_CARDS}:NANO",
        "our small AST, trained on synthesised sound events; ships with mirbench",
        flops=102_277_248,
        untrained=f"{_UNTRAINED}:nano",
    ),
}

_PRECOMPUTED = "mirbench.methods.sources.precomputed"

FAMILIES: Mapping[str, Entry] = {
    "timm:NAME": Entry(f"{_IMAGES}:timm_card", "any image network of timm, on pictures of spectrograms"),
    "hf:ID": Entry(
        "mirbench.methods.sources.hf_cards:hf_card",
        "audio encoders of Hugging Face's transformers",
        called="mirbench.methods.sources.hf_cards:called_model",
    ),
    "tokens:K:SOURCE": Entry(
        "mirbench.methods.sources.fewer_tokens:tokens_card",
        "a source whose hidden layers have K times fewer tokens",
        called="mirbench.methods.sources.fewer_tokens:called_tokens",
    ),
    "features:FILE.npz": Entry(
        f"{_PRECOMPUTED}:features_card",
        "features computed elsewhere, rows matched by clip id",
        called=f"{_PRECOMPUTED}:called_features",
    ),
    "shipped:NAME": Entry(f"{_PRECOMPUTED}:shipped_card", "features that ship with the task's data set"),
}
