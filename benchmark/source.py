"""What a source is: the card of a pretrained network, its files of weights, and what its stages hand on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mirbench.types import Pad

__all__ = [
    "PRETRAINED", "UNKNOWN", "WHOLE", "Activations", "SourceCard", "Stage", "WeightFile", "deviations",
    "further_options", "seed_of", "trained_on_it", "with_weights",
]  # fmt: skip

UNKNOWN = "unknown"
"""Stands in `SourceCard.trained_on` where nobody says what a network was trained on."""

WHOLE = "whole"
"""Value of the option ``seconds``: a clip is one window, however long it is."""

PRETRAINED = "pretrained"
"""Value of the option ``weights``: those that are published."""

Stage = Literal["frontend", "body", "layers", "pooled", "head"]
"""What a source may offer. ``frontend``, ``body`` and ``head`` are its differentiable stages; ``layers`` are the
hidden states of its body and ``pooled`` is its embedding."""


@dataclass(frozen=True)
class WeightFile:
    """A file of pretrained weights: where it is published and what it hashes to.

    Parameters
    ----------
    file_name : str
        The name it is kept and looked for under.
    url : str
        Where it is published; "" where it is not.
    sha256 : str
        Its first digits where no more are published (torch.hub puts 8 into names). "" where nobody has published it:
        the file is taken as it comes, and its own hash tells its results apart.
    n_bytes : int
        0 where it is not known.
    """

    file_name: str
    url: str
    sha256: str = ""
    n_bytes: int = 0

    @property
    def checksum(self) -> str:
        """Its hash for people."""
        more = "…" if len(self.sha256) < 64 else ""
        return f"sha256:{self.sha256}{more}" if self.sha256 else "no checksum"

    @property
    def size(self) -> str:
        """Its size for people."""
        return f"{self.n_bytes / 1e6:.1f} MB" if self.n_bytes else "size unknown"


@dataclass(frozen=True)
class SourceCard:
    """The facts of a pretrained network.

    Parameters
    ----------
    name : str
        What it is called in commands, tables and records.
    title : str
        One line.
    kind : {"network", "embedding", "precomputed"}
        What it is.
    offers : tuple of str
        Which stages it has; see `Stage`.
    sample_rate, seconds : int, float
        Rate in Hz and length of the window that it takes; these and the counts below are 0 where there is no network.
        Infinite seconds are a window for each clip, as long as that is.
    any_length : bool
        Whether the option ``seconds`` may be `WHOLE`.
    accepts : tuple of str
        Kinds of file that its network can begin from: "audio", "picture".
    n_bands, n_frames : int
        Shape of the picture that its front end makes; 0 where it has none.
    n_features, n_outputs : int
        Width of `pooled`, and number of its own classes.
    n_layers : int
        Number of hidden layers that `body` can return.
    tokens_in_one : int
        Tokens of a hidden layer, one after the other, whose mean is handed on as one.
    n_parameters : int
        Parameters of the network as published.
    flops : int
        Operations of one window, as `mirbench.runs.measure.flops_of` counts them; 0 where nobody has.
    labels : str
        Name of the list of its own classes, for people.
    nameless : bool
        Whether its network is known to have no names of its own classes; where it is False, loading it tells.
    missing : str
        Why it cannot be used on this machine, and what to do, in one line; "" where it can. A run with it is recorded
        as skipped.
    trained_on : tuple of str
        Data sets whose audio it has seen, in the words of ``Task.datasets``; `UNKNOWN` alone where nobody says.
    builder : str
        "module:function" that takes the folder or file of its weights and its options and returns the network.
    activation : {"sigmoid", "softmax"}
        What makes probabilities of its logits.
    version : str
        Raised when our code of the network changes what it computes.
    weights, hub, packaged, file, shipped
        Where it comes from: published files, a Hugging Face repository, a file of this package ("module:file"), a file
        of precomputed features, or the name of features that ship with the task's data set.
    extra_weights : mapping of str to WeightFile
        A further file that an option needs at one of its values, by "option=value"; the builder takes it after the
        first.
    options : mapping
        Options of the builder with their defaults, set by ``--source-set``. One that is called as a field here
        (``seconds``) takes the field's place.
    offered_at : mapping of str to tuple
        ``{stage: (option, value)}``: a stage among `offers` that it offers only where the option has this value.
    choices : mapping of str to tuple of str or int
        The values that an option accepts, where they are few: others are refused before weights are looked for.
    reference, license : str
        The publication that describes it, and the terms that its weights are under.
    notes : tuple of str
        What a user should know besides, a line each.
    pad : str
        How a clip that is shorter than its window fills it, where nobody asks for another way; see
        `mirbench.features.padding`.
    front : str
        "module:function" that makes the front end alone, of a sample rate and the options, where that needs no weights.
    untrained : str
        "module:function" that makes the same network at random weights, drawn from torch's global generator; it takes
        this card and the options. "" where torch does not make it here. It gives a source the option ``weights``.
    shorter : str
        "module:function" that takes the network and a number of seconds below those of the card, and makes it hear
        windows of that length; "" where nothing does. It gives a source the option ``seconds``.
    adapter : str
        "module:function" that makes the network of what the builder names, where that is no such function; "" where it
        is one. It takes that, and what a builder takes.
    """

    name: str
    title: str
    kind: Literal["network", "embedding", "precomputed"]
    offers: tuple[Stage, ...]
    builder: str
    sample_rate: int = 0
    seconds: float = 0.0
    any_length: bool = False
    n_bands: int = 0
    n_frames: int = 0
    n_features: int = 0
    n_outputs: int = 0
    n_layers: int = 0
    tokens_in_one: int = 1
    n_parameters: int = 0
    flops: int = 0
    labels: str = ""
    nameless: bool = False
    trained_on: tuple[str, ...] = ()
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    version: str = "1"
    weights: tuple[WeightFile, ...] = ()
    extra_weights: Mapping[str, WeightFile] = field(default_factory=dict)
    hub: str = ""
    packaged: str = ""
    file: str = ""
    shipped: str = ""
    accepts: tuple[Literal["audio", "picture"], ...] = ("audio",)
    options: Mapping[str, Any] = field(default_factory=dict)
    offered_at: Mapping[Stage, tuple[str, Any]] = field(default_factory=dict)
    choices: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    reference: str = ""
    license: str = ""
    notes: tuple[str, ...] = ()
    missing: str = ""
    adapter: str = ""
    pad: Pad = "zeros"
    front: str = ""
    untrained: str = ""
    shorter: str = ""


@dataclass
class Activations:
    """What the body of a source computes.

    Parameters
    ----------
    pooled : Tensor, shape (n, n_features)
    layers : dict of int to Tensor, shape (n, n_tokens, width)
        Only the layers that were asked for; class tokens are left out.
    """

    pooled: Any
    layers: dict[int, Any] = field(default_factory=dict)


def deviations(tokens: Any) -> Any:
    """Standard deviation over the tokens of a layer, (n, n_tokens, width) -> (n, width); 0 where there is one token."""
    return (tokens - tokens.mean(dim=1, keepdim=True)).square().mean(dim=1).sqrt()


def further_options(card: SourceCard) -> dict[str, Any]:
    """Options that a source has beside those of its card, with their defaults.

    No record and no key holds one that is at its default, for records are older than these options.
    """
    found: dict[str, Any] = {"weights": PRETRAINED} if card.untrained else {}
    if card.shorter:
        found["seconds"] = card.seconds
    return {name: usual for name, usual in found.items() if name not in card.options}


def seed_of(card: SourceCard, options: Mapping[str, Any]) -> int | None:
    """The number of the draw where options ask for random weights, of "random" 0 and of "random-3" 3; else None."""
    if "weights" in card.options:  # an option of the source's own
        return None
    asked = re.fullmatch(r"random(?:-([1-9]\d{0,8}))?", str(options.get("weights", "")), re.ASCII)
    return int(asked[1] or 0) if asked else None


def with_weights(card: SourceCard, options: Mapping[str, Any]) -> SourceCard:
    """The card of what the options ask for: at random weights, nothing is missing and nothing was heard before."""
    drawn = card.untrained and seed_of(card, options) is not None
    return replace(card, trained_on=(), missing="") if drawn else card


def trained_on_it(contaminated: Sequence[str], subject: str = "source") -> str:
    """What a table says of a source that may have heard the task's clips before, by the record's `contaminated`.

    >>> trained_on_it(["audioset"])
    'source trained on audioset'
    """
    known = [name for name in contaminated if name != UNKNOWN]
    said = [f"{subject} trained on {', '.join(known)}"] if known else []
    if UNKNOWN in contaminated:
        said.append("what the source was trained on is not known")
    return "; ".join(said)
