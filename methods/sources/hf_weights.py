"""The weights of a Hugging Face audio model: the files that hold them, which are left out, how many; no torch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput
from mirbench.methods.sources.hf_facts import Facts, Kind

__all__ = ["NO_WEIGHTS", "has_weights", "n_parameters", "unused", "weight_files"]

NO_WEIGHTS = "holds no model.safetensors (or pytorch_model.bin); put the model's weights there"

_HEAD = r"projector\.|classifier\.|layer_weights$"
_UNUSED: Mapping[Kind, str] = {
    "waveform": r"(lm_head|quantizer|project_hid|project_q|tdnn|objective|adapter|speaker_proj|final_proj)\."
    r"|label_embeddings_concat|masked_spec_embed$|feature_extractor\.(weight|bias)$",
    "whisper": r"(model\.)?decoder\.|proj_out\.",
    "clap": r"$.",
    "ast": r"$.",
    "dasheng": r"(encoder\.)?front_end\.|outputlayer\.",
    "other": r"$.",
}
_BUFFERS = (
    "running_mean", "running_var", "num_batches_tracked", "position_ids", "token_type_ids", "relative_position_index",
    "pe",
)  # fmt: skip


def weight_files(folder: Path) -> list[Path]:
    """The safetensors that transformers would read: one file or the shards of one, not other precisions beside it."""
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("model-*.safetensors"))


def has_weights(folder: Path) -> bool:
    """Whether a folder holds weights in a form that is read."""
    return bool(weight_files(folder)) or (folder / "pytorch_model.bin").is_file()


def unused(name: str, facts: Facts) -> bool:
    """Whether a weight, by its name in the file, is of a head or a decoder that our network leaves out."""
    bare = name.removeprefix(facts.model_type.replace("-", "_") + ".")
    head = bool(re.match(_HEAD, bare)) and facts.kind in ("waveform", "whisper") and not facts.n_outputs
    return head or bool(re.match(_UNUSED[facts.kind], bare))


def n_parameters(folder: Path, facts: Facts) -> int:
    """Parameters that our network has, from the heads of its safetensors; 0 where they are not here."""
    count = 0
    for path in weight_files(folder):
        for name, entry in _tensors(path).items():
            if not unused(name, facts) and name.rpartition(".")[2] not in _BUFFERS:
                count += math.prod(entry["shape"])
    return count


def _tensors(path: Path) -> dict[str, Any]:
    """Names and shapes, from the head of a file of safetensors."""
    try:
        with path.open("rb") as stream:
            n_bytes = int.from_bytes(stream.read(8), "little")
            held = json.loads(stream.read(n_bytes) if n_bytes < 100_000_000 else b"")
        return {name: entry for name, entry in held.items() if name != "__metadata__" and len(entry["shape"]) >= 0}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"{path}: not a file of safetensors") from error
