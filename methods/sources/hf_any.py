"""Audio encoders of transformers that have no network of ours: behind their own feature extractor, through AutoModel.

The extractor computes in NumPy: no gradient reaches the audio, and methods that change or train what comes before the
embedding cannot use such a source. Code of a folder is never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mirbench.errors import BadInput
from mirbench.installation import refuse_broken
from mirbench.methods.sources.hf_facts import Facts
from mirbench.methods.sources.sounding import sounding
from mirbench.source import Activations

__all__ = ["ExtractedNetwork", "class_names", "extractor_of"]


def class_names(facts: Facts) -> tuple[str, str]:
    """The classes of config and bare model in transformers.

    Raises
    ------
    BadInput
        If the library has no model of this type.
    """
    import transformers

    try:
        config = transformers.CONFIG_MAPPING[facts.model_type]
        model = transformers.MODEL_MAPPING[config]
    except KeyError as error:
        raise BadInput(
            f"transformers {transformers.__version__} has no encoder of type '{facts.model_type}', and code that comes "
            "with a model is never run; compute its embeddings elsewhere and give them as features:FILE.npz"
        ) from error
    return config.__name__, (model[0] if isinstance(model, tuple | list) else model).__name__


def extractor_of(folder: Path) -> Any:
    """The feature extractor of a folder.

    Raises
    ------
    BadInput
        If it cannot be loaded.
    """
    from transformers import AutoFeatureExtractor

    try:
        return AutoFeatureExtractor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # somebody else's files: the library raises many kinds
        refuse_broken(error)
        said = str(error).strip().partition("\n")[0]
        raise BadInput(f"{folder}: its feature extractor cannot be loaded ({said})") from error


class ExtractedNetwork(nn.Module):
    """A bare model behind its feature extractor.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Anything whose output has a ``last_hidden_state`` (n, n_tokens, width).
    extractor : transformers.FeatureExtractionMixin
        Its own.
    facts : Facts
        Of its JSON files.
    layer : int
        Block whose output `pooled` is the time mean of; -1 is the last hidden state.

    Raises
    ------
    BadInput
        If the model takes or gives something else.
    """

    def __init__(self, model: Any, extractor: Any, facts: Facts, layer: int) -> None:
        super().__init__()
        self.model, self.extractor, self.layer = model, extractor, layer
        self.sample_rate = facts.sample_rate
        noise = 0.1 * torch.randn(
            1, round(facts.seconds * facts.sample_rate), generator=torch.Generator().manual_seed(0)
        )
        try:
            with torch.no_grad():
                pooled = self.eval().body(noise, layers=(0,)).pooled
        except Exception as error:  # whatever a model of another kind stumbles over
            said = str(error).strip().partition("\n")[0]
            raise BadInput(
                f"a {facts.model_type} is no encoder that takes audio alone and gives hidden states "
                f"({type(error).__name__}: {said})"
            ) from error
        if pooled.shape != (1, facts.n_features):
            raise BadInput(
                f"a {facts.model_type} gives embeddings {tuple(pooled.shape)}; config.json says {facts.n_features} wide"
            )

    def body(self, audio: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, n_samples) -> pooled (n, width); layer k is the tokens after block k."""
        windows = sounding(audio, self.sample_rate)
        if len({len(window) for window in windows}) == 1:
            return self._activations(windows, layers)
        # one by one: what fills up the shorter of a batch must not be heard
        found = [self._activations([window], layers) for window in windows]
        n_tokens = {k: max(one.layers[k].shape[1] for one in found) for k in layers}
        held = {k: torch.cat([_longer(one.layers[k], n_tokens[k]) for one in found]) for k in layers}
        return Activations(torch.cat([one.pooled for one in found]), held)

    def _activations(self, windows: Sequence[Tensor], layers: Sequence[int]) -> Activations:
        heard = [window.detach().cpu().numpy() for window in windows]
        given = self.extractor(heard, sampling_rate=self.sample_rate, return_tensors="pt")
        device = next(self.model.parameters()).device
        found = self.model(
            **{name: value.to(device) for name, value in given.items()},
            output_hidden_states=bool(layers) or self.layer >= 0,
        )
        states = found.hidden_states if layers or self.layer >= 0 else ()
        last = states[self.layer + 1] if self.layer >= 0 else found.last_hidden_state
        return Activations(last.mean(dim=1), {k: states[k + 1] for k in layers})


def _longer(tokens: Tensor, n_tokens: int) -> Tensor:
    """Tokens (1, n, width), the last one repeated up to a number."""
    return torch.cat([tokens, tokens[:, -1:].expand(-1, n_tokens - tokens.shape[1], -1)], dim=1)
