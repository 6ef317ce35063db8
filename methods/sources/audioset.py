"""The names of AudioSet's 527 classes, in the order of the outputs of networks that were trained on it.

``audioset_labels.csv`` is class_labels_indices.csv as AudioSet publishes it (research.google.com/audioset, CC BY 4.0):
index, Freebase id, display name. AST and EfficientAT keep this order.

References
----------
Gemmeke et al. (2017), Audio Set: an ontology and human-labeled dataset for audio events, ICASSP.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

__all__ = ["N_CLASSES", "audioset_labels"]

N_CLASSES = 527


@cache
def audioset_labels() -> tuple[str, ...]:
    """Display names of the 527 classes; output k of a network has name k."""
    text = (files("mirbench.methods.sources") / "audioset_labels.csv").read_text(encoding="utf-8")
    return tuple(row["display_name"] for row in csv.DictReader(text.splitlines()))
