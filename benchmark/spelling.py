"""One name for what may be typed in several ways: what records, tables and folders call it.

``csv:/music/songs.csv+normalized+folds05`` and ``csv:songs.csv+folds5+normalized`` are both
``csv:songs+folds5+normalized`` on record. Names of records come from here, and so does what commands that read records
look for: nothing of a path but its last part, names in Unicode's composed form, numbers without idle zeros, and
modifiers whose order means nothing in one order.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Literal

from mirbench.errors import BadInput, MirbenchError
from mirbench.places import user_path
from mirbench.tables import families, modifier, modifiers, target_of

__all__ = [
    "called_word", "composed_name", "in_one_order", "in_one_spelling", "is_key", "of_files", "on_record",
    "other_spellings", "source_of_files", "taken_apart", "travelled", "with_key", "with_places",
]  # fmt: skip

_ARGUMENT = re.compile(r"(?P<whole>\d+)?(?P<rest>\.\d+)?(?:-draw(?P<draw>\d{1,6}))?")
_KEY = re.compile("[0-9a-f]{4,16}")
_SOURCE_OF_FILES = re.compile("(?:^|:)((?:features|hf):[^/:]+)$")
_MOST_ORDERS = 720


def composed_name(text: str) -> str:
    """A name in NFC, in which "é" is one letter wherever it was typed."""
    return unicodedata.normalize("NFC", text)


def is_key(text: str) -> bool:
    """Whether a text may be the key of a run or of a system, or so much of one that few words are taken for it."""
    return _KEY.fullmatch(text) is not None


def with_key(text: str) -> tuple[str, str]:
    """``NAME@KEY`` taken apart; the key is "" where there is none, as in a name or a path that holds an "@"."""
    name, at, key = text.rpartition("@")
    return (name, key) if at and name and is_key(key) and not os.path.lexists(text) else (text, "")


def taken_apart(name: str, known: Collection[str] = ()) -> tuple[str, list[str]]:
    """A task's own name and its modifiers; a "+" inside an existing path belongs to the path.

    Parameters
    ----------
    known : collection of str
        Names of tasks, which may hold a "+".
    """
    words = name.split("+")
    prefix, colon, _ = name.partition(":")
    if not colon or prefix not in families("task"):
        return (name, []) if name in known else (words[0], words[1:])
    bases = ["+".join(words[:n_words]) for n_words in range(len(words), 0, -1)]
    there = next((base for base in bases if user_path(base.partition(":")[2]).exists()), "")
    base = there or (words[0] if all(map(modifier, words[1:])) else name)
    return base, words[base.count("+") + 1 :]


def in_one_order(words: Sequence[str]) -> list[str]:
    """Modifiers as records call them: without idle zeros and draws, those whose order means nothing in one order."""
    ordered = [_plain(word) for word in words]
    table = modifiers()
    for last in range(len(ordered) - 1, 0, -1):
        for n in range(last):
            held = table.get(modifier(ordered[n]))
            if held and modifier(ordered[n + 1]) in held[1].goes_behind:
                ordered[n], ordered[n + 1] = ordered[n + 1], ordered[n]
    return ordered


@functools.cache
def in_one_spelling(task: str) -> str:
    """The name of a task that is on record, as it is spelled now; nothing is looked for on this machine."""
    base, *words = task.split("+")
    return "+".join([composed_name(base), *in_one_order(words)])


def _plain(word: str) -> str:
    """``shots010-draw0`` as ``shots10``."""
    prefix = modifier(word)
    found = _ARGUMENT.fullmatch(word.removeprefix(prefix)) if prefix else None
    if not found:
        return word
    number = str(int(found["whole"])) if found["whole"] else ""
    number += (found["rest"] or "").rstrip("0").rstrip(".")
    if found["whole"] and not float(number):  # which no modifier takes: refused as it was typed
        return word
    draw = int(found["draw"] or 0)
    return prefix + number + (f"-draw{draw}" if draw else "")


def of_files(name: str) -> list[str]:
    """What the name of a task on record has of lists, folders and files, each by the last part of its path.

    ``csv:ours+on:csv:theirs::pairs`` has csv:ours, csv:theirs and, of the file of classes, ::pairs.
    """
    found: list[str] = []

    def noted(part: str) -> str:
        found.append(part)
        return part

    with_places(name, noted)
    return found


def with_places(name: str, place: Callable[[str], str]) -> str:
    """The same name with a place, or anything else, for each of `of_files`.

    Parameters
    ----------
    place : callable
        Takes what `of_files` gives; of a file of classes it returns the path alone.
    """
    base, *words = name.split("+")
    found = [place(base) if _is_of_files(base) else base]
    for word in words:
        another, mark, pairs = word.removeprefix("on:").partition("::")
        if not word.startswith("on:"):
            found.append(word)
            continue
        another = place(another) if _is_of_files(another) else another
        if mark and "=" not in pairs and not pairs.endswith(".csv"):
            pairs = place(f"::{pairs}").removeprefix("::")
        found.append(f"on:{another}{mark}{pairs}")
    return "+".join(found)


def _is_of_files(name: str) -> bool:
    return name.startswith(("folder:", "csv:"))


def source_of_files(name: str) -> str:
    """What the name of a source on record has of a file or folder, as "features:rows.npz"; "" of a repository."""
    found = _SOURCE_OF_FILES.search(name)
    return found[1] if found else ""


def on_record(kind: Literal["task", "source"], name: str) -> str:
    """What records call a task or a source that may have been typed as a path, or in another order of its words.

    Nothing of it needs to be there; a name that records have already is returned as it is.
    """
    base, words = taken_apart(name) if kind == "task" else (name, [])
    return "+".join([_called(kind, base), *map(called_word, in_one_order(words))])


def called_word(word: str) -> str:
    """What records call a modifier that was typed with a path."""
    prefix = modifier(word)
    called = modifiers()[prefix][1].called if prefix else ""
    return f"{prefix}{target_of(called)(word.removeprefix(prefix))}" if called else word


def _called(kind: str, base: str) -> str:
    prefix, colon, argument = base.partition(":")
    entry = families(kind).get(prefix, ("", None))[1]
    if not colon or not argument or entry is None or not entry.called:
        return composed_name(base)
    try:
        return f"{prefix}:{target_of(entry.called)(argument)}"
    except MirbenchError:  # nothing of that spelling can have been run
        return composed_name(base)


def travelled(task: str, test_on: str, classes: str, *, dashes: str = "") -> str:
    """The name of a task that is tested on another; see `mirbench.tasks.tested_on`.

    Parameters
    ----------
    task : str
        What is learnt from.
    test_on, classes : str
        Name of the other, and which of its classes is which; "" where neither is given.
    dashes : str
        What stands before the names of flags.

    Raises
    ------
    BadInput
        If classes are given for no other task, or hold a "+".
    """
    if not test_on:
        if classes:
            raise BadInput(f"{dashes}classes: of which task? Give {dashes}test{'-' if dashes else '_'}on TASK, too")
        return task
    if "+" in classes:
        raise BadInput(f"{dashes}classes: a '+' parts names of tasks; write such classes into a .csv file")
    return f"{task}+on:{test_on}" + (f"::{classes}" if classes else "")


def other_spellings(task: str) -> Iterator[str]:
    """Other names that earlier versions may have given to the records of a task: other orders, letters in parts."""
    base, *words = task.split("+")
    orders = itertools.islice(itertools.permutations(words), _MOST_ORDERS)
    same = dict.fromkeys(order for order in orders if in_one_order(order) == in_one_order(words))
    for form in dict.fromkeys((base, unicodedata.normalize("NFD", base))):
        yield from (name for order in same if (name := "+".join([form, *order])) != task)
