"""What data sets fetched by other libraries share: how they are named, their published splits, and their task.

A name is ``FAMILY:DATASET?option=value&…``; the families are in `mirbench.tasks.own.hugging_face` and
`mirbench.tasks.own.mirdata`. Published splits are kept; those that lack are drawn as for a user's own data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode

from mirbench.errors import BadInput, UnknownName
from mirbench.tasks.own.own_task import one_form, own_task
from mirbench.tasks.splitting import partition
from mirbench.types import Clip, Task

__all__ = ["Asked", "called_in_order", "class_name", "library_task", "named_splits", "one_line", "take_apart"]

_SPLITS = {
    "train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid", "dev": "valid",
    "development": "valid", "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
_OF_TRAIN = {"train": 0.85, "test": 0.15}


@dataclass(frozen=True)
class Asked:
    """The name of a data set taken apart.

    Parameters
    ----------
    family : str
        What stands before the colon.
    dataset : str
        The library's own name of the data set.
    options : mapping of str to str
        What stands after the question mark.
    """

    family: str
    dataset: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name put together again, options in alphabetical order."""
        query = urlencode(sorted(self.options.items()), safe=",", quote_via=quote)
        return f"{self.family}:{self.dataset}" + (f"?{query}" if query else "")

    @property
    def command(self) -> str:
        """What fetches it, for messages."""
        name = f"'{self.name}'" if self.options else self.name
        return f"`mirbench data get {name} --data ROOT`"


def called_in_order(argument: str) -> str:
    """The argument of a family with its options in alphabetical order, as records call it."""
    dataset, mark, query = argument.partition("?")
    return Asked("", dataset, dict(parse_qsl(query))).name.removeprefix(":") if mark else argument


def take_apart(family: str, argument: str, known: Sequence[str]) -> Asked:
    """The argument of a family, ``DATASET?option=value&…``.

    Parameters
    ----------
    known : sequence of str
        Options that the family has, two or more; the first two are the example of a message.

    Raises
    ------
    BadInput
        If an option has no value, is given twice, or is none of `known`.
    """
    dataset, mark, query = argument.partition("?")
    how = f"{family}:{dataset}?{known[0]}=…&{known[1]}=…"
    try:
        # nothing after the mark is as wrong as an option without a value, but parse_qsl lets it pass
        pairs = parse_qsl(query or "?", keep_blank_values=True, strict_parsing=True) if mark else []
    except ValueError as error:
        raise BadInput(f"{family}:{argument}: options are written {how}") from error
    for option, value in pairs:
        if option not in known:
            raise UnknownName(f"option of {family}:", option, known)
        if not value or not value.isprintable() or sum(option == other for other, _ in pairs) > 1:
            raise BadInput(f"{family}:{argument!a}: {option} needs one plain value; options are written {how}")
    return Asked(family, dataset, dict(pairs))


def one_line(error: BaseException) -> str:
    """What a library raised, on one line of bounded length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300].rstrip(": ")


def class_name(text: str) -> str:
    """A class as a list of clips can hold it: on one line, without the semicolon that separates classes."""
    return " ".join(text.replace(";", ",").replace("\0", " ").split())


def named_splits(name: str, published: Iterable[str]) -> dict[str, str]:
    """Which of ours each published split is; one alone is "", to be drawn from, and those of other names are left out.

    Parameters
    ----------
    name : str
        The task, for messages.
    published : iterable of str
        Names of the splits, repeated or not.

    Raises
    ------
    BadInput
        If there are several and none has a name that says what it is for.
    """
    known = list(dict.fromkeys(published))
    if len(known) == 1:
        return {known[0]: ""}
    found = {split: _SPLITS[split.lower()] for split in known if split.lower() in _SPLITS}
    if known and not found:
        raise BadInput(f"{name}: its splits are {', '.join(sorted(known))}; none of them is train, validation or test")
    return found


def library_task(asked: Asked, folder: Path, clips: Sequence[Clip], folds: Mapping[str, int], version: str) -> Task:
    """A task of a published data set: splits that lack are drawn; its version is that of the clips and the data set's.

    Parameters
    ----------
    folder : Path
        Folder to which the clips' paths are written relative.
    clips, folds
        As in `mirbench.tasks.own.own_task.own_task`.
    version : str
        The data set's own.
    """
    settled, drawn = (list(clips), "") if folds else _settled(one_form(clips))
    task = own_task(asked.name, "", folder, settled, folds)
    return replace(
        task,
        version=f"{task.version}-{version}",
        title=f"{asked.dataset}, by its library",
        standing="full",
        manifest=bool(drawn),
        notes=(drawn or "splits as they are published",),
    )


def _settled(clips: Sequence[Clip]) -> tuple[list[Clip], str]:
    """The clips with test drawn where it lacks, and what is drawn; `own_task` draws valid, or all three."""
    given = {clip.split for clip in clips}
    if given == {"train", "valid"}:
        parts = partition([clip for clip in clips if clip.split == "train"], _OF_TRAIN)
        return [replace(clip, split=parts.get(clip.id, clip.split)) for clip in clips], "test is drawn: 15 % of train"
    if not {"train", "test"} <= given:
        return [replace(clip, split="") for clip in clips], "train, valid and test are drawn, 70/15/15"
    return list(clips), "" if "valid" in given else "valid is drawn: 15 % of train"
