"""Sub-folders that are no classes: train and test as they are called, fold1, fold2 …, each with the classes inside.

A name says that only beside others: "train" among "dog" and "rain" is a class.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from mirbench.errors import BadInput
from mirbench.places import path_text

__all__ = ["are_numbered", "folds_of", "splits_of"]

_ROLES = {
    "train": ("train", "training", "trn"),
    "test": ("test", "testing", "tst"),
    "valid": ("valid", "val", "validation", "validate", "validating"),
    "dev": ("dev", "devel", "development"),
    "eval": ("eval", "evaluation", "evaluate", "evaluating"),
}
_ROLE = {word: role for role, words in _ROLES.items() for word in words}
_GENERIC = {
    "set", "sets", "data", "dataset", "audio", "sound", "sounds", "music", "song", "songs", "track", "tracks", "file",
    "files", "clip", "clips", "wav", "wavs", "mp", "sample", "samples", "split", "folder", "image", "images",
    "submission", "the", "of", "for",
}  # fmt: skip
"""Words that say nothing beside the name of a split: train_set, TestData, 01_train."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_JOINED = re.compile(rf"({'|'.join(sorted(_ROLE, key=len, reverse=True))})(set|data|audio|files|clips)?")
_FOLD = re.compile(r"(?:\w*[ _.-])?fold[ _.-]*(\d{1,3})", re.IGNORECASE)


def splits_of(name: str, inside: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The split of each sub-folder, "train", "valid" or "test"; {} where they are classes.

    Parameters
    ----------
    name : str
        Of the task, for messages.
    inside : mapping of str to collection of str
        For each sub-folder with audio, its own sub-folders with audio.

    Raises
    ------
    BadInput
        If some are train and test, with the same classes inside, and others are neither; or if all are called as
        splits are, and train or test lacks.
    """
    roles = _roles(list(inside))
    splits = _settled(roles)
    if len(roles) == len(inside):
        if not {"train", "test"} <= set(splits.values()) or len(set(splits.values())) < len(inside):
            raise BadInput(
                f"{name}: its sub-folders are called as splits are ({_few(inside)}), and one train and one test (and "
                "perhaps one valid) are needed; rename them, or put the folders of classes of all into one folder, and "
                "splits are drawn"
            )
        if flat := [top for top in inside if not inside[top]]:
            raise BadInput(f"{name}: {_few(flat)} without a sub-folder with audio; one a class is needed in a split")
        return splits
    train = next((top for top, split in splits.items() if split == "train"), None)
    test = next((top for top, split in splits.items() if split == "test"), None)
    if train and test and set(inside[train]) & set(inside[test]):
        raise BadInput(
            f"{name}: its sub-folders are {_few(inside)}; either all of them are classes, or they are train, test and "
            "perhaps valid, with the classes inside: move the others out"
        )
    return {}


def folds_of(name: str, inside: Mapping[str, Collection[str]]) -> dict[str, int]:
    """The fold of each sub-folder, from 0 on; {} where they are not called fold1, fold2 …

    Raises
    ------
    BadInput
        If some are folds and others are not, one lacks, or they are fewer than three, or hold no folders of classes.
    """
    folds = {top: int(found[1]) for top in inside if (found := _FOLD.fullmatch(top.strip()))}
    shared = set.intersection(*(set(inside[top]) for top in folds)) if len(folds) > 1 else set()
    if not folds or (len(folds) < len(inside) and not shared):
        return {}
    numbers, first = sorted(folds.values()), min(folds.values())
    if len(folds) < len(inside):
        others = [top for top in inside if top not in folds]
        raise BadInput(f"{name}: its sub-folders are folds ({_few(folds)}), and {_few(others)}; move those out")
    if not shared:
        raise BadInput(f"{name}: {_few(folds)} are folds, and not one folder of a class is in all of them")
    if first > 1 or numbers != list(range(first, first + len(numbers))) or len(numbers) < 3:
        raise BadInput(
            f"{name}: its sub-folders are the folds {', '.join(map(str, numbers))}; three or more without a gap, from "
            "0 or 1 on, are needed"
        )
    return {top: number - first for top, number in folds.items()}


def are_numbered(tops: Iterable[str]) -> bool:
    """Whether names differ in a number or a last letter alone: part1 and part2, set_a and set_b, 2019 and 2020."""
    stems = {re.sub(r"\d+|(?<=[^A-Z])[A-Z]$|(?<![^\W_])[a-zA-Z]$", "", top.strip()) for top in tops}
    return len(stems) == 1


def _roles(tops: Sequence[str]) -> dict[str, str]:
    """What those sub-folders are that are called as a split is, and otherwise as all the others of that sort are."""
    words = {top: [word.lower() for word in _WORD.findall(top)] for top in tops}
    called = {top: (role, rest) for top in tops if (role := _role(words[top])) for rest in [_rest(words[top])]}
    common = set.intersection(*(rest for _, rest in called.values())) if called else set()
    return {top: role for top, (role, rest) in called.items() if rest <= common and (len(called) > 1 or not rest)}


def _role(words: Iterable[str]) -> str:
    found = {_ROLE[match[1]] for word in words if (match := _JOINED.fullmatch(word))}
    return found.pop() if len(found) == 1 else ""


def _rest(words: Iterable[str]) -> set[str]:
    return {word for word in words if not _JOINED.fullmatch(word)} - _GENERIC


def _settled(roles: Mapping[str, str]) -> dict[str, str]:
    """The split that each role stands for: dev is valid beside train, and else train; eval is test, and else valid."""
    there = set(roles.values())
    dev = "valid" if "train" in there else "train"
    evaluated = "valid" if "test" in there else "test"
    meant = {"dev": dev, "eval": evaluated}
    return {top: meant.get(role, role) for top, role in roles.items()}


def _few(names: Iterable[str]) -> str:
    every = [path_text(name) for name in names]
    return ", ".join(every[:8]) + (" …" if len(every) > 8 else "")
