"""What an encoder is: a class with a name, a sample rate and `embed`, from which a whole source is made.

::

    class Loudness:
        name = "my-loudness"
        sample_rate = 16_000

        def embed(self, audio):  # (n, n_samples) -> (n, n_features), or (n, n_frames, n_features)
            return audio.square().mean(dim=1, keepdim=True)

Nothing is inherited: a Python that has no mirbench can read the file, too.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from mirbench.errors import BadInput
from mirbench.names import wrong_name
from mirbench.plain_text import printable
from mirbench.source import UNKNOWN, SourceCard, WeightFile

__all__ = ["Encoder", "encoder_card", "files_of", "is_encoder", "own_options"]

SECONDS = 10.0
"""Length of a window where an encoder names none."""

_FACTS = (
    "name", "sample_rate", "seconds", "version", "trained_on", "weights", "hub", "python", "takes", "reference",
    "license",
)  # fmt: skip
_MOST_RATE, _MOST_SECONDS = 384_000, 3600.0
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


class Encoder(Protocol):
    """A pretrained network that turns audio into embeddings: of it a source is made that offers `pooled`.

    Its class is called with the paths of what `weights` or `hub` name, in that order, and with its options: the
    parameters of its ``__init__`` that have defaults, set by ``--source-set``.

    Attributes
    ----------
    name : str
        What it is called in commands, tables and records.
    sample_rate : int
        In Hz, of the audio that `embed` is given.
    seconds : float, optional
        Length of the windows that clips are cut into; 10 where it is not said.
    version : str, optional
        "1" where it is not said. The hash of the file is a part of the identity anyway.
    trained_on : tuple of str, optional
        Data sets whose audio it has seen, in the words of ``Task.datasets``; () for none of any task. Where it is not
        said, nobody can warn of test clips that it was trained on, and tables say so.
    weights : str or tuple of str, optional
        Names of files in ``--weights DIR``: their hashes are a part of the identity.
    hub : str, optional
        A repository of Hugging Face, of which configuration and weights are fetched, and no code.
    python : str, optional
        Name of an environment variable that holds the path of another Python, in which it then runs.
    takes : {"torch", "numpy"}, optional
        What `embed` is given: a tensor on the device of the run ("torch", where it is not said), or an array.
    reference, license : str, optional
        As of a `SourceCard`.
    """

    name: ClassVar[str]
    sample_rate: ClassVar[int]

    def embed(self, audio: Any) -> Any:
        """Windows of mono audio, (n, n_samples) float32, as embeddings (n, n_features); frames are averaged.

        A result (n, n_frames, n_features) counts as its mean over frames. A row must depend on its own window alone.
        """
        ...


def is_encoder(thing: object) -> bool:
    """Whether a thing is the class of an encoder."""
    words = ("name", "sample_rate", "embed")
    return inspect.isclass(thing) and all(hasattr(thing, word) for word in words) and not hasattr(thing, "fit")


def encoder_card(kind: type[Encoder]) -> SourceCard:
    """The card of the source that an encoder is.

    Raises
    ------
    BadInput
        If a fact of it cannot be used.
    """
    held = {fact: getattr(kind, fact) for fact in _FACTS if hasattr(kind, fact)}
    _check(kind, held)
    trained_on = held.get("trained_on")
    doc = next(iter((kind.__doc__ or "").strip().splitlines()), "")
    notes = (
        [] if trained_on is not None else ["what it was trained on is not said: no table can warn of test clips in it"]
    )
    if "python" in held:
        notes.append(f"runs in the Python that {held['python']} names; the memory that it takes there is not counted")
    if not ("weights" in held or "hub" in held or "python" in held):
        notes.append("it names no weights: mirbench does not notice when they change, only when its file does")
    return SourceCard(
        name=held["name"],
        title=doc or f"the encoder {kind.__name__}",
        kind="embedding",
        offers=("pooled",),
        builder=f"{kind.__module__}:{kind.__qualname__}",
        adapter="mirbench.methods.sources.encoder:build",
        sample_rate=held["sample_rate"],
        seconds=float(held.get("seconds", SECONDS)),
        trained_on=(UNKNOWN,) if trained_on is None else tuple(trained_on),
        version=held.get("version", "1"),
        weights=tuple(WeightFile(name, "") for name in _names(held.get("weights", ()))),
        hub=held.get("hub", ""),
        options={"seconds": float(held.get("seconds", SECONDS)), **own_options(kind)},
        reference=held.get("reference", ""),
        license=held.get("license", ""),
        notes=tuple(notes),
    )


def own_options(kind: type) -> dict[str, Any]:
    """Parameters of the encoder's ``__init__`` that have defaults, less those that take its files."""
    return {p.name: p.default for p in _parameters(kind)[files_of(kind) :] if p.name != "seconds"}


def files_of(kind: type) -> int:
    """How many paths an encoder is called with."""
    return len(_names(getattr(kind, "weights", ()))) or int(bool(getattr(kind, "hub", "")))


def _names(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _parameters(kind: type) -> list[inspect.Parameter]:
    if kind.__init__ is object.__init__:  # type: ignore[misc]
        return []
    return [
        p
        for p in list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
        if p.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]


def _check(kind: type, held: Mapping[str, Any]) -> None:
    def refuse(what: str) -> None:
        raise BadInput(f"the encoder {kind.__name__}: {what}")

    def said(value: object) -> str:
        return printable(ascii(value), 80)

    if fault := wrong_name(held["name"], "source"):
        refuse(f"its name {said(held['name'])} {fault}; give it another")
    rate, seconds = held["sample_rate"], held.get("seconds", SECONDS)
    if type(rate) is not int or not 1 <= rate <= _MOST_RATE:
        refuse(f"sample_rate is {said(rate)}; a whole number of Hz is needed, as in 16000")
    if type(seconds) not in (int, float) or not 1 / rate <= seconds <= _MOST_SECONDS:
        refuse(f"seconds is {said(seconds)}; the length of a window is needed, as in 10.0")
    if held.get("takes", "torch") not in ("torch", "numpy"):
        refuse(f'takes is {said(held["takes"])}; "torch" or "numpy" is needed')
    trained = held.get("trained_on", ())
    if trained is not None and (isinstance(trained, str) or not all(isinstance(name, str) for name in trained)):
        refuse(f'trained_on is {said(trained)}; a tuple of names is needed, as in ("audioset",)')
    files = _names(held.get("weights", ()))
    if not all(isinstance(name, str) and name and "/" not in name and "\\" not in name for name in files):
        refuse(f'weights is {said(held["weights"])}; names of files are needed, without folders, as in "model.pt"')
    if files and held.get("hub"):
        refuse("both weights and hub are named; name one of them")
    for fact in ("version", "hub", "reference", "license"):
        if not isinstance(held.get(fact, ""), str):
            refuse(f"{fact} is {said(held[fact])}; text is needed")
    if "python" in held and not (isinstance(held["python"], str) and _VARIABLE.fullmatch(held["python"])):
        refuse(
            f"python is {said(held['python'])}; the name of an environment variable that holds the path is needed, as "
            'in "MUQ_PYTHON": a path is of one machine alone'
        )
    _check_parameters(kind, refuse)
    own = [word for word in vars(kind) if not word.startswith("_") and word not in (*_FACTS, "embed")]
    for word in own:
        near = difflib.get_close_matches(word, _FACTS, n=1, cutoff=0.8)
        if near and near[0] not in held and not callable(getattr(kind, word)):
            refuse(f"{word} is no fact of an encoder; did you mean {near[0]}? {', '.join(_FACTS)} are known")


def _check_parameters(kind: type, refuse: Any) -> None:
    """Refuse parameters of ``__init__`` that nothing could be given for."""
    n_files, parameters = files_of(kind), _parameters(kind)
    if len(parameters) < n_files:
        refuse(f"its __init__ must take {n_files} path(s) of its weights first; it takes {len(parameters)} parameters")
    for parameter in parameters[n_files:]:
        if parameter.default is inspect.Parameter.empty:
            refuse(f"the parameter {parameter.name} of its __init__ has no default; options of a source have one each")
        if type(parameter.default) not in (int, float, str, bool):
            refuse(f"the default of {parameter.name} is {parameter.default!r}; a number, text, True or False is needed")
