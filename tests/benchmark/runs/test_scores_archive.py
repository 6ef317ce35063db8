"""Reading scores of many runs of the same clips: what they share is one array, and what is damaged is refused still."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mirbench.errors import BadInput
from mirbench.runs.scores import Scores, read_scores, target_hashes
from mirbench.runs.scores_archive import once_for_shared
from mirbench.types import Targets


def some(draw: int, n: int = 30) -> Scores:
    ids = np.array([f"clip {k}" for k in range(n)])
    true = np.eye(3, dtype=np.float32)[np.arange(n) % 3]
    targets = Targets(true, np.ones_like(true, dtype=bool), "single-label")
    scores = np.random.default_rng(draw).dirichlet(np.ones(3), n).astype(np.float32)
    return Scores(ids, scores, targets, target_hashes(ids, targets), np.full(n, "artist"))


def written(path: Path, scores: Scores) -> Path:
    path.write_bytes(scores.packed())
    return path


def test_hashes_of_labels_are_those_of_earlier_versions() -> None:
    value, known = np.array([[1, 0.25], [0, 1]], dtype=np.float32), np.array([[True, False], [True, True]])
    hashes = target_hashes(np.array(["a.wav", "flöte"]), Targets(value, known, "multi-label"))
    texts = ["a.wav|0000803f0000803e|0100", "flöte|000000000000803f|0101"]
    assert hashes.tolist() == [hashlib.sha256(text.encode()).hexdigest()[:16].encode() for text in texts]


def test_clips_and_labels_of_two_runs_are_one_array_and_their_scores_are_two(tmp_path: Path) -> None:
    one, two = (read_scores(written(tmp_path / str(draw), some(draw))) for draw in (0, 1))
    assert one.clip_ids is two.clip_ids
    assert one.targets.value is two.targets.value
    assert not np.array_equal(one.scores, two.scores)
    with pytest.raises(ValueError, match="read-only"):
        one.targets.value[0] = 0


def test_labels_that_differ_in_one_clip_are_read_as_they_are(tmp_path: Path) -> None:
    plain, other = some(0), some(1)
    value = other.targets.value.copy()
    value[7] = (1, 0, 0)
    changed = replace(other, targets=replace(other.targets, value=value))
    read_scores(written(tmp_path / "plain", plain))
    np.testing.assert_array_equal(read_scores(written(tmp_path / "changed", changed)).targets.value, value)


@pytest.mark.parametrize("name", ["clip_ids", "groups", "target_value", "target_known", "target_hashes"])
def test_damage_to_what_another_file_holds_whole_is_refused(tmp_path: Path, name: str) -> None:
    whole = written(tmp_path / "whole", some(0))
    read_scores(whole)
    content = bytearray(whole.read_bytes())
    with zipfile.ZipFile(whole) as held:
        member = held.getinfo(f"{name}.npy")
    content[member.header_offset + 30 + len(member.filename) + 20 + member.compress_size // 2] ^= 1
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(BadInput, match=r"damaged: .*scores"):
        read_scores(tmp_path / "damaged")


def test_what_is_asked_of_shared_arrays_is_computed_once_and_of_others_each_time(tmp_path: Path) -> None:
    asked = []
    total = once_for_shared(lambda hashes: asked.append(1) or b"".join(hashes.tolist()))
    first, second = (read_scores(written(tmp_path / f"{n}.npz", some(n))) for n in (1, 2))
    assert total(first.hashes) == total(second.hashes) == b"".join(some(1).hashes.tolist())
    assert len(asked) == 1
    own = first.hashes.copy()
    before = total(own)
    own[0] = b"0" * 16
    assert total(own) != before
    for n in range(100):
        other = read_scores(written(tmp_path / "other.npz", some(3, n + 1)))
        assert total(other.hashes) == b"".join(some(3, n + 1).hashes.tolist())
