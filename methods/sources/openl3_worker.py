"""The other end of `mirbench.methods.sources.openl3`, for a Python that has the package openl3.

Its text is handed to that Python, which has no mirbench and may be older: numpy and openl3 are all that it may use.
A request is a line of JSON on standard input, its answer a line of JSON on what was standard output when it began;
whatever else is printed goes to standard error. Arrays go by files.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Any

SAMPLE_RATE = 48000
BATCH = 32


def load(content_type: str, input_repr: str, n_features: int) -> Any:
    """The model, the version of openl3, and the hash of its weights."""
    import openl3  # type: ignore[import-not-found, unused-ignore]
    from openl3 import models  # type: ignore[import-not-found, unused-ignore]

    model = models.load_audio_embedding_model(input_repr, content_type, n_features)
    with open(models.get_audio_embedding_model_path(input_repr, content_type), "rb") as file:
        sha256 = hashlib.sha256(file.read()).hexdigest()
    return model, {"version": str(openl3.__version__), "sha256": sha256}


def embed(model: Any, request: Any) -> Any:
    """Embeddings of the windows of one file into another: (n, 48000) -> (n, n_features)."""
    import numpy
    import openl3

    windows = numpy.load(request["windows"], allow_pickle=False)
    # not centred, and a hop as long as the window: one row for each
    rows, _ = openl3.get_audio_embedding(
        list(windows), SAMPLE_RATE, model=model, center=False, hop_size=1.0, batch_size=BATCH, verbose=False
    )
    numpy.save(request["embeddings"], numpy.concatenate(rows).astype("float32"))
    return {"n": len(windows)}


def serve() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # TensorFlow prints where it likes

    def answer(found: Any) -> None:
        answers.write(json.dumps(found) + "\n")
        answers.flush()

    try:
        model, facts = load(**json.loads(sys.argv[1]))
    except ImportError as error:
        answer({"missing": str(error)})
        return
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
        return
    answer(facts)
    for line in sys.stdin:
        try:
            found = embed(model, json.loads(line))
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        answer(found)


if __name__ == "__main__":
    serve()
