"""Whether methods that look at what they must not know are caught, and what lies in their way."""

from __future__ import annotations

import dataclasses
import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench import types
from mirbench.errors import BadInput
from mirbench.method import Fitted, Method
from mirbench.methods.probes import LinearProbe
from mirbench.registry import Catalogue
from mirbench.runs.attempt import splits as splits_of_plan
from mirbench.trust.checks import check_blind
from mirbench.types import BlindSplit, Clip, Split, clips_of
from tests.toys import QUIET, splits_of

NANO = Catalogue().source("nano")
CLASSES = ("clicks", "noise", "tone")


def one_hot(names: list[str]) -> Any:
    return np.eye(3, dtype=np.float32)[[CLASSES.index(name.rstrip("0123456789")) for name in names]]


def of_ids(split: BlindSplit, train: Split, context: Any) -> Any:
    return one_hot([clip.id for clip in clips_of(split)])


def of_paths(split: BlindSplit, train: Split, context: Any) -> Any:
    return one_hot([place.path.stem for place in types.excerpts(split)])


def of_the_task(split: BlindSplit, train: Split, context: Any) -> Any:
    """By reading the task again."""
    return one_hot([clip.labels[0] for clip in train.task.read_clips(None, 0) if clip.split == "test"][: len(split)])


def of_neighbours(split: BlindSplit, train: Split, context: Any) -> Any:
    """By the bytes of the files beside those of train, and what they are called."""
    beside = {path.read_bytes(): path.stem for path in train.clips[0].path.parent.glob("*.wav")}  # type: ignore[union-attr]
    return one_hot([beside[place.path.read_bytes()] for place in types.excerpts(split)])


def of_frames(split: BlindSplit, train: Split, context: Any) -> Any:
    """By the variables of whoever called."""
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        for held in frame.f_locals.values():
            if isinstance(held, Split) and held.clips[0].split == "test":
                return one_hot([clip.labels[0] for clip in held.clips])
    raise AssertionError("nobody holds it")


def of_memory(split: BlindSplit, train: Split, context: Any) -> Any:
    """By all that Python holds."""
    wanted = [place.path for place in types.excerpts(split)]
    held = {clip.path: clip.labels[0] for clip in gc.get_objects() if isinstance(clip, Clip) and clip.labels}
    return one_hot([held[path] for path in wanted])


def peeking(look: Callable[[BlindSplit, Split, Any], Any]) -> type[Method]:
    """A method that learns nothing and looks."""

    @dataclass(frozen=True)
    class Peeking:
        name, version, needs = "peeking", "1", ("pooled",)

        def fit(self, train: Split, valid: Split, context: Any, *, seed: int) -> Fitted:
            return Fitted(lambda split: look(split, train, context), 0)

    return Peeking  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("look", "at"),
    [
        (of_ids, "names of files or ids"),
        (of_paths, "names of files or ids"),
        (of_neighbours, "names of files or ids"),
        (of_the_task, "labels"),
        (of_frames, "labels"),
        (of_memory, "labels"),
    ],
)
def test_check_names_what_a_peeking_method_looks_at(look: Callable[..., Any], at: str) -> None:
    (problem,) = check_blind(peeking(look), NANO, QUIET)
    assert problem.startswith(f"looks at {at} of the test clips")


@pytest.mark.slow
def test_check_says_nothing_against_a_method_that_listens() -> None:
    assert check_blind(LinearProbe, NANO, QUIET) == []  # type: ignore[type-abstract]


def test_blind_split_holds_no_label() -> None:
    _, _, test = splits_of({"train": "a", "valid": "a", "test": "ab"}, ("a", "b"))
    hidden = clips_of(test.blind())
    assert [clip.id for clip in hidden] == [clip.id for clip in test.clips]
    for clip in hidden:
        assert (clip.labels, clip.unknown, clip.strengths, clip.group) == ((), (), (), "")
        assert {getattr(clip, f.name) for f in dataclasses.fields(clip) if f.name in ("labels", "present")} == {()}


def test_blind_split_is_heard_as_the_split() -> None:
    _, _, test = splits_of({"train": "a", "valid": "a", "test": "ab"}, ("a", "b"), Path("x"))
    assert types.excerpts(test.blind()) == types.excerpts(test)


def test_task_of_a_run_reads_no_clips_for_a_method() -> None:
    splits = splits_of({"train": "ab", "valid": "ab", "test": "ab"}, ("a", "b"))
    clips = tuple(clip for split in splits for clip in split.clips)

    class Asked:
        folds, task = (clips,), splits[0].task

    for split in splits_of_plan(Asked, 0):  # type: ignore[arg-type]
        assert (split.task.name, split.task.classes) == ("toy", ("a", "b"))
        with pytest.raises(BadInput, match="handed the clips that it may know"):
            split.task.read_clips(None, 0)
