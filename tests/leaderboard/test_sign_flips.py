"""Exact tests of many pairs at once: each p is what it is alone, and what counting every pattern of signs gives."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mirbench.leaderboard.chance import Clips
from mirbench.leaderboard.sign_flips import sign_flip, sign_flips
from mirbench.leaderboard.statistics import holm
from mirbench.types import Targets


def counted(differences: np.ndarray) -> float:
    """Share of all patterns of signs whose sum is as far from 0."""
    signs = np.array(list(product((-1, 1), repeat=len(differences))))
    return float(np.mean(np.abs(signs @ differences) >= abs(differences.sum())))


def test_p_of_many_sums_is_the_share_of_patterns_of_signs() -> None:
    sums = np.random.default_rng(0).integers(-4, 5, size=(60, 9))
    sums[0], sums[1] = 0, 3 * np.sign(sums[1])
    np.testing.assert_allclose(sign_flips(sums), [counted(row) for row in sums], rtol=1e-9)


@pytest.mark.parametrize("largest", [1, 5, 40])
def test_p_among_many_is_p_alone_to_the_bit(largest: int) -> None:
    sums = np.random.default_rng(1).integers(-largest, largest + 2, size=(80, 50))
    assert sign_flips(sums).tolist() == [sign_flip(row) for row in sums]


@pytest.mark.parametrize("n_seeds", [(1, 1, 1), (3, 3, 3), (1, 2, 3)])
def test_adjusted_p_of_a_table_is_that_of_its_pairs_one_by_one(n_seeds: tuple[int, ...]) -> None:
    rng, n = np.random.default_rng(2), 60
    true = np.eye(2, dtype=np.float32)[rng.integers(2, size=n)]
    clips = Clips.of("accuracy", Targets(true, true >= 0, "single-label"), np.full(n, ""), np.zeros(n))
    skills = np.linspace(0.5, 0.98, 12)
    right = [rng.random((n_seeds[k % 3], n)) < skill for k, skill in enumerate(skills)]
    systems = clips.systems([np.where(hit[..., None], true, 1 - true).astype(np.float32) for hit in right])
    alone = [clips.p(systems[i], systems[j]) for i, j in zip(*np.triu_indices(len(systems), 1), strict=True)]
    assert len({min(p, 1) for p in holm(alone)}) > 3
    assert holm(clips.p_of_pairs(systems)).tolist() == holm(alone).tolist()
