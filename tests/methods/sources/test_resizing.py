from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from mirbench.methods.sources.resizing import resized


def tensorflow_1(picture: np.ndarray[Any, Any], height: int, width: int) -> np.ndarray[Any, Any]:
    """ResizeBilinear with align_corners=False and no half-pixel centres, pixel by pixel, as its kernel says."""
    n_rows, n_columns = picture.shape
    made = np.zeros((height, width))
    for y, x in itertools.product(range(height), range(width)):
        in_y, in_x = y * n_rows / height, x * n_columns / width
        top, left = math.floor(in_y), math.floor(in_x)
        bottom, right = min(top + 1, n_rows - 1), min(left + 1, n_columns - 1)
        down, along = in_y - top, in_x - left
        above = picture[top, left] + (picture[top, right] - picture[top, left]) * along
        below = picture[bottom, left] + (picture[bottom, right] - picture[bottom, left]) * along
        made[y, x] = above + (below - above) * down
    return made


@pytest.mark.parametrize("size", [(121, 400), (121, 3000), (17, 9), (299, 299), (1, 5)])
def test_tf1_is_the_bilinear_resize_of_tensorflow_1(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random(size)
    made = resized(torch.from_numpy(picture).float()[None, None], (29, 31), "tf1")[0, 0]
    np.testing.assert_allclose(made.numpy(), tensorflow_1(picture, 29, 31), atol=1e-6)


def test_tf1_passes_over_what_lies_between_its_points_and_the_others_do_not() -> None:
    picture = torch.zeros(1, 1, 121, 3000)
    picture[..., 7] = 1.0  # a click; points lie at 0, 10.03, …
    assert resized(picture, (299, 299), "tf1").max() == 0.0
    assert resized(picture, (299, 299), "bilinear").max() > 0.05


def test_tf1_is_differentiable_and_keeps_the_colours_apart() -> None:
    picture = torch.rand(2, 3, 8, 9, requires_grad=True)
    made = resized(picture, (4, 4), "tf1")
    made[0, 1].sum().backward()
    assert picture.grad is not None
    assert picture.grad[0, 1].sum() == pytest.approx(16)
    assert picture.grad[0, 0].abs().sum() + picture.grad[1].abs().sum() == 0
