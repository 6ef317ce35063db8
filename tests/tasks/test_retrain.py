"""The split by name of TensorFlow's retrain script."""

from __future__ import annotations

from collections import Counter

import pytest

from mirbench.tasks.retrain import retrain_split

# The last seven hexadecimal digits of what coreutils' sha1sum says of the name, and by hand: less 8000000 where they
# are more, they are 6.86, 29.62, 18.32, 2.78, 17.79 and 53.72 per cent of 7ffffff.
KNOWN = {
    "waltz/0.jpg": ("08c8a7f", "valid"),
    "waltz/1.jpg": ("a5e8be5", "train"),
    "waltz/23.jpg": ("1771da0", "test"),
    "waltz/27.jpg": ("038f43f", "valid"),
    "waltz/25.jpg": ("16c6ee3", "test"),
    "metal/é.jpg": ("c4c2a8e", "train"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_retrain_split_is_that_of_the_hash_worked_out_by_hand(name: str) -> None:
    assert retrain_split(name) == KNOWN[name][1]


def test_retrain_split_is_about_80_10_10() -> None:
    found = Counter(retrain_split(f"a/{number}.jpg") for number in range(20_000))
    assert all(abs(found[split] / 20_000 - share) < 0.01 for split, share in (("valid", 0.1), ("test", 0.1)))


def test_retrain_split_is_of_the_later_script_and_not_of_the_first() -> None:
    # 8a7f, the hash modulo 2 ** 16, is 54 per cent of ffff: train
    assert retrain_split("waltz/0.jpg") == "valid"


@pytest.mark.parametrize("variant", ["waltz/0_nohash_.jpg", "waltz/0_nohash_1.jpg", "waltz/0_nohash_b_nohash_c.jpg"])
def test_retrain_split_does_not_hash_what_follows_nohash(variant: str) -> None:
    assert retrain_split(variant) == retrain_split("waltz/0")


def test_retrain_split_of_variants_differs_between_pictures() -> None:
    assert {retrain_split(f"waltz/{number}_nohash_1.jpg") for number in range(50)} == {"train", "valid", "test"}
