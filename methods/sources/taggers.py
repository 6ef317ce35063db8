"""Published music taggers of Won et al.'s benchmark: networks of `mirbench.methods.taggers.networks`, trained.

References
----------
Won, Ferraro, Bogdanov, Serra (2020), Evaluation of CNN-based automatic music tagging models, SMC; code and weights:
minzwon/sota-music-tagging-models.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from torch import Tensor

from mirbench.methods.sources.checkpoints import load_checkpoint
from mirbench.methods.sources.tagger_cards import JAMENDO_TAGS, MTAT_TAGS
from mirbench.methods.taggers.networks import TAGGERS, Tagger

__all__ = ["build", "build_crnn_mtat", "build_fcn_mtat", "build_musicnn_jamendo", "build_musicnn_mtat"]

# Modules of a checkpoint and ours. Mel filters and window are the file's; those of torchaudio 2.11 differ by 1e-5.
_FRONT = {"spec": "front.mel", "spec_bn": "front.norm"}
_BLOCKS = {f"layer{k + 1}": f"blocks.{k}" for k in range(5)}
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "fcn": {**_FRONT, **_BLOCKS, "dense": "classifier.1"},
    "crnn": {**_FRONT, **_BLOCKS, "layer5": "pool.gru", "dense": "classifier.1"},
    "musicnn": {
        **_FRONT,
        **{f"layers.{k}": f"blocks.0.tall.{k}" for k in range(2)},
        **{f"layers.{k + 2}": f"blocks.0.long.{k}" for k in range(3)},
        **{f"layer{k}": f"blocks.{k}" for k in (1, 2, 3)},
        "dense1": "classifier.0",
        "bn": "classifier.1",
        "dense2": "classifier.4",
    },
}


def build(path: Path, *, architecture: str, labels: tuple[str, ...]) -> Tagger:
    """A tagger from its published file; every key must fit.

    Parameters
    ----------
    architecture : {"fcn", "crnn", "musicnn"}
    labels : tuple of str
        Names of its outputs.

    Raises
    ------
    BadInput
        If the file is not readable as plain tensors, or does not fit.
    """
    network = TAGGERS[architecture].build(len(labels))
    network.labels = labels
    modules = _RENAMED[architecture]
    return load_checkpoint(network, path, f"the tagger {architecture}", partial(_renamed, modules=modules))


def _renamed(state: Mapping[str, Tensor], modules: Mapping[str, str]) -> dict[str, Tensor]:
    """Keys of a checkpoint under our names; one that has none is left as it is, and so refused."""
    renamed = {}
    for key, value in state.items():
        theirs = next((name for name in modules if key.startswith(f"{name}.")), None)
        if theirs is None:
            renamed[key] = value
        else:
            renamed[modules[theirs] + key.removeprefix(theirs).replace(".bn.", ".norm.")] = value
    return renamed


build_musicnn_mtat = partial(build, architecture="musicnn", labels=MTAT_TAGS)
build_musicnn_jamendo = partial(build, architecture="musicnn", labels=JAMENDO_TAGS)
build_fcn_mtat = partial(build, architecture="fcn", labels=MTAT_TAGS)
build_crnn_mtat = partial(build, architecture="crnn", labels=MTAT_TAGS)
