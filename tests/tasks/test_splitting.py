"""Drawn splits: properties that hold for any clips."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirbench.features.clip_list import in_fold
from mirbench.tasks.splitting import SHARES, draw_order, drawn_folds, drawn_split, partition
from mirbench.types import Clip

CLASSES = ("folk", "jazz", "rock")
quick = settings(max_examples=40, deadline=None, database=None)


def alone(counts: Mapping[str, int]) -> list[Clip]:
    """So many clips of each class, without groups."""
    return [Clip(f"{name}.{n}", None, "", (name,)) for name, count in counts.items() for n in range(count)]


def in_groups(sizes: list[int], name: str = "jazz") -> list[Clip]:
    """Groups of one class, of these sizes."""
    return [
        Clip(f"{name}.{group}.{n}", None, "", (name,), group=f"{name} artist {group}")
        for group, size in enumerate(sizes)
        for n in range(size)
    ]


@st.composite
def any_clips(draw: st.DrawFn) -> list[Clip]:
    """Clips with one class, several or none, half of them in groups."""
    count = draw(st.integers(1, 40))
    labels = st.lists(st.sampled_from(CLASSES), max_size=3, unique=True).map(tuple)
    groups = st.sampled_from(("", "", "", "a", "b", "c"))
    return [Clip(f"clip {n}", None, "", draw(labels), group=draw(groups)) for n in range(count)]


counts = st.fixed_dictionaries({name: st.integers(1, 25) for name in CLASSES})
draws = st.integers(0, 5)


def tally(clips: list[Clip], parts: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """How many clips of each (class, part)."""
    return Counter((clip.labels[0], parts[clip.id]) for clip in clips)


@quick
@given(clips=any_clips(), draw=draws)
def test_partition_puts_every_clip_into_exactly_one_part(clips: list[Clip], draw: int) -> None:
    parts = partition(clips, SHARES, draw)
    assert sorted(parts) == sorted(clip.id for clip in clips)
    assert set(parts.values()) <= set(SHARES)


@quick
@given(clips=any_clips(), draw=draws)
def test_partition_keeps_groups_whole(clips: list[Clip], draw: int) -> None:
    parts = partition(clips, SHARES, draw)
    where: dict[str, set[str]] = {}
    for clip in clips:
        where.setdefault(clip.group or clip.id, set()).add(parts[clip.id])
    assert {len(found) for found in where.values()} == {1}


@quick
@given(clips=any_clips(), draw=draws, seed=st.integers(0, 1000))
def test_partition_does_not_depend_on_the_order_of_the_clips(clips: list[Clip], draw: int, seed: int) -> None:
    shuffled = [clips[i] for i in np.random.default_rng(seed).permutation(len(clips))]
    assert partition(shuffled, SHARES, draw) == partition(clips, SHARES, draw)


@quick
@given(held=st.fixed_dictionaries({name: st.integers(7, 60) for name in CLASSES}), draw=draws)
def test_partition_gives_each_part_its_share_of_each_class_within_one_clip(held: dict[str, int], draw: int) -> None:
    """From seven clips of a class on, a share of 0.15 is more than one clip."""
    found = tally(clips := alone(held), partition(clips, SHARES, draw))
    assert all(abs(found[name, part] - share * n) < 1 for name, n in held.items() for part, share in SHARES.items())


@quick
@given(held=counts, draw=draws)
def test_partition_gives_each_part_a_clip_of_each_class_that_has_three(held: dict[str, int], draw: int) -> None:
    found = tally(clips := alone(held), partition(clips, SHARES, draw))
    assert all(found[name, part] for name, n in held.items() if n >= 3 for part in SHARES)


@quick
@given(held=counts, draw=draws)
def test_partition_gives_train_a_clip_of_each_class(held: dict[str, int], draw: int) -> None:
    found = tally(clips := alone(held), partition(clips, SHARES, draw))
    assert all(found[name, "train"] for name in held)


@pytest.mark.parametrize("n_groups", [3, 4, 5, 6, 9])
@pytest.mark.parametrize("size", [1, 5])
def test_partition_gives_each_part_a_group_of_each_class_that_has_three(n_groups: int, size: int) -> None:
    clips = [*in_groups([size] * n_groups, "jazz"), *in_groups([size] * n_groups, "rock")]
    found = tally(clips, partition(clips, SHARES))
    assert all(found[name, part] for name in ("jazz", "rock") for part in SHARES)


@pytest.mark.parametrize("sizes", [[20, 4, 4], [8, *[1] * 12], [6, 6, *[1] * 8]], ids=str)
def test_partition_deals_large_groups_before_small_ones(sizes: list[int]) -> None:
    """The largest is learnt from, and small ones even out the shares, whatever the draw."""
    clips, n = in_groups(sizes), sum(sizes)
    for draw in range(20):
        found = Counter(partition(clips, SHARES, draw).values())
        assert all(abs(found[part] - share * n) <= 1 for part, share in SHARES.items())


def test_partition_tells_a_group_from_a_clip_of_the_same_name() -> None:
    clips = [*alone({"folk": 10}), Clip("other", None, "", ("folk",), group="folk.0")]
    assert len(partition(clips, SHARES)) == 11


def test_partition_of_another_draw_is_another() -> None:
    clips = alone({"folk": 20, "jazz": 20})
    assert len({tuple(sorted(partition(clips, SHARES, draw).items())) for draw in range(5)}) == 5


def test_partition_of_nothing_is_empty() -> None:
    assert partition([], SHARES) == {}


def test_partition_deals_clips_without_labels_by_the_shares() -> None:
    clips = [Clip(str(n), None, "", ()) for n in range(100)]
    assert Counter(partition(clips, SHARES).values()) == {"train": 70, "valid": 15, "test": 15}


def test_partition_goes_by_the_labels_that_are_present() -> None:
    """A label of strength below a half is a soft target of an absent class."""
    clips = [replace(clip, strengths=(0.2,)) for clip in alone({"folk": 10})]
    unlabelled = [replace(clip, labels=(), strengths=()) for clip in clips]
    assert partition(clips, SHARES) == partition(unlabelled, SHARES)


def test_draw_order_is_frozen() -> None:
    """Splits that were drawn once must be drawn again on every machine and in every version."""
    assert [draw_order("blues.00000", draw)[:8] for draw in (0, 1)] == ["fb5a819f", "60c43a31"]


def test_drawn_split_is_frozen() -> None:
    found = "".join(clip.split[1] for clip in drawn_split(alone({"folk": 10, "jazz": 7})))
    assert found == "rerrrrrararrerrra"


def test_drawn_split_changes_nothing_but_the_split() -> None:
    clips = alone({"folk": 4, "jazz": 5})
    assert [replace(clip, split="") for clip in drawn_split(clips)] == clips


@quick
@given(held=counts, n_folds=st.integers(3, 6), draw=draws)
def test_drawn_folds_hold_as_many_clips_of_a_class_within_one(held: dict[str, int], n_folds: int, draw: int) -> None:
    clips = alone(held)
    folds = drawn_folds(clips, n_folds, draw)
    for name in held:
        sizes = [sum(folds[c.id] == fold for c in clips if c.labels == (name,)) for fold in range(n_folds)]
        assert max(sizes) - min(sizes) <= 1


@quick
@given(clips=any_clips(), n_folds=st.integers(3, 6))
def test_folds_test_and_validate_each_clip_once(clips: list[Clip], n_folds: int) -> None:
    folds = drawn_folds(clips, n_folds)
    seen = Counter((clip.id, clip.split) for k in range(n_folds) for clip in in_fold(clips, folds, n_folds, k))
    expected = {(c.id, split): n for c in clips for split, n in (("test", 1), ("valid", 1), ("train", n_folds - 2))}
    assert seen == expected


def test_fold_validates_on_the_clips_that_the_next_one_tests() -> None:
    clips = alone({"folk": 12})
    folds = drawn_folds(clips, 4)
    valid = {clip.id for clip in in_fold(clips, folds, 4, 3) if clip.split == "valid"}
    assert valid == {clip.id for clip in in_fold(clips, folds, 4, 0) if clip.split == "test"}


def test_draws_are_those_of_mirbench_0_2() -> None:
    """Records name the splits that were drawn when they were made; the hash was taken under mirbench 0.2.0."""
    found = []
    for n_clips in (5, 40, 150, 400):
        clips = [
            Clip(
                f"c{n}", None, "", tuple(dict.fromkeys((f"k{n * n % 11}", f"k{n * 7 % 13}")[: 1 + n % 3 % 2])),
                group=f"g{n % 17}" if n % 4 == 0 else "",
            )
            for n in range(n_clips)
        ]  # fmt: skip
        for shares in (dict(SHARES), {"train": 0.85, "valid": 0.15}, {str(fold): 0.2 for fold in range(5)}):
            found += [sorted(partition(clips, shares, draw).items()) for draw in (0, 1)]
    assert hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16] == "dcdaa260c4b9eb73"
