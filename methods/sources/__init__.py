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

SOURCES: Mapping[str, Entry] = {
    "ast": Entry(f"{_CARDS}:AST", "Audio Spectrogram Transformer, AudioSet (86.6 M parameters)"),
    "efficientat-mn04": Entry(f"{_CARDS}:EFFICIENTAT_MN04", "MobileNetV3 at width 0.4, AudioSet (1.0 M parameters)"),
    "speechatt": Entry(f"{_CARDS}:SPEECHATT", "attention RNN for spoken commands (0.2 M parameters)"),
    "nano": Entry(f"{_CARDS}:NANO", "our small AST, trained on synthesised sound events; ships with mirbench"),
}

_PRECOMPUTED = "mirbench.methods.sources.precomputed"

FAMILIES: Mapping[str, Entry] = {
    "features:FILE.npz": Entry(f"{_PRECOMPUTED}:features_card", "features computed elsewhere, rows matched by clip id"),
    "shipped:NAME": Entry(f"{_PRECOMPUTED}:shipped_card", "features that ship with the task's data set"),
}
