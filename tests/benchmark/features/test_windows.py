"""Windows of clips, and their means."""

from __future__ import annotations

import numpy as np
import pytest

from mirbench.features.windows import clip_means


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)], ids=str)
@pytest.mark.parametrize("order", ["sorted", "shuffled"])
def test_clip_means_are_sums_in_the_order_of_windows_to_the_bit(order: str, shape: tuple[int, ...], kind: type) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n_clips = int(rng.integers(1, 12))
        clip_index = np.concatenate([np.arange(n_clips), rng.integers(n_clips, size=rng.integers(30))]).astype(np.int64)
        clip_index = np.sort(clip_index) if order == "sorted" else rng.permutation(clip_index)
        values = rng.normal(size=(len(clip_index), *shape)).astype(kind)
        values[rng.random(values.shape) < 0.1] = -0.0
        total = np.zeros((n_clips, *shape))
        np.add.at(total, clip_index, values)
        wanted = total / np.bincount(clip_index).reshape(-1, *[1] * len(shape))
        found = clip_means(values, clip_index, n_clips)
        assert (found.dtype, found.shape, found.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())


def test_clip_means_of_no_windows_are_none() -> None:
    assert clip_means(np.zeros((0, 4)), np.zeros(0, np.int64), 0).shape == (0, 4)
