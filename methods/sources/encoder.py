"""Encoders as sources (see `mirbench.encoder`): the network that is made of somebody's `embed`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mirbench.encoder import files_of
from mirbench.errors import MirbenchError
from mirbench.methods.sources import own_python
from mirbench.methods.sources.own_python_worker import modules_of, rows_of
from mirbench.source import Activations

__all__ = ["EncoderNetwork", "build", "identity"]


class EncoderNetwork(nn.Module):
    """An encoder as a network that has a body alone.

    Parameters
    ----------
    encoder : object
        Of the user's class. The networks of torch that it holds are moved, frozen and counted with this one.
    """

    encoder: Any

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.held = nn.ModuleList(modules_of(encoder))
        self.__dict__["encoder"] = encoder  # and not as a part: it is in `held` if it is a network

    def __deepcopy__(self, memo: dict[int, Any]) -> EncoderNetwork:
        try:
            encoder = copy.deepcopy(self.encoder, memo)
        except Exception:  # what other libraries hold (sessions, locks) may not be copied: then it is shared
            encoder = self.encoder
        return EncoderNetwork(encoder)

    def body(self, audio: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, n_samples) -> pooled (n, n_features), the mean over frames; it has no layers to show.

        Raises
        ------
        MirbenchError
            If `embed` returns anything else, or what is not finite.
        """
        given: Any = audio.clone()  # it may be changed in place
        if getattr(self.encoder, "takes", "torch") == "numpy":
            given = given.cpu().numpy()
        found = self.encoder.embed(given)
        try:
            rows = rows_of(found, len(audio))
        except (TypeError, ValueError) as error:
            raise MirbenchError(f"source {self.encoder.name}: {error}") from error
        return Activations(torch.from_numpy(rows).to(audio.device))


def build(kind: Any, *paths: Path | None, seconds: float = 0.0, **options: Any) -> nn.Module:
    """The network of an encoder's class, here or in the Python that its `python` names.

    Parameters
    ----------
    paths : Path
        What its `weights` or `hub` name; None where it names none.
    seconds : float
        Length of the windows, of which `embed` learns by their shape.
    options : object
        Of its ``__init__``.

    Raises
    ------
    MissingExtra
        If it wants another Python, and there is none.
    """
    given = [str(path) for path in paths[: files_of(kind)]]
    if hasattr(kind, "python"):
        return own_python.OwnPythonNetwork(kind, given, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # what it draws at random is the same in every process
        return EncoderNetwork(kind(*given, **options)).eval()


def identity(kind: Any, *, seconds: float = 0.0, **options: Any) -> str:
    """What tells the weights of an encoder apart that names none: a hash in a Python of its own, "" in ours."""
    return own_python.identity(kind, options) if hasattr(kind, "python") else ""
