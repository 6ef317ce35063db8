"""Packs of runs: what goes in comes out, and nothing of a stranger's is written where it says."""

from __future__ import annotations

import io
import lzma
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench.errors import BadInput
from mirbench.runs import results_pack
from mirbench.runs.results_pack import DamagedPack, pack_runs, unpack_runs
from mirbench.runs.store import RunStore
from tests.leaderboard.test_leaderboard import SPEC, write, write_failed

ENVIRONMENT = {"processor": "a processor", "cores": 2, "load": 9.0, "timing": 2, "timed_run": "x", "timed_load": 9.0}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed in range(3):
        history = ({"loss": 1.0 / (seed + 1), "seconds": 0.5},)
        write(tmp_path / "runs", replace(SPEC, seed=seed), draw=seed, history=history, environment=ENVIRONMENT)
    write_failed(tmp_path / "runs", "no room", spec=replace(SPEC, seed=7))
    return tmp_path / "runs"


def packed(runs: Path, **how: Any) -> bytes:
    return pack_runs(RunStore(runs).records(), **how)


def of(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """A pack by hand."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in members.items():
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    return lzma.compress(held.getvalue())


def members_of(pack: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(pack))) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def test_runs_come_out_of_a_pack_with_their_scores_to_the_bit_and_in_their_places(runs: Path, tmp_path: Path) -> None:
    folders = unpack_runs(packed(runs), tmp_path / "out")
    before, after = (dict(RunStore(root).records()) for root in (runs, tmp_path / "out"))
    assert sorted(folders) == sorted(after)
    assert len(folders) == 3, "a run without a result is left out"
    for folder, record in after.items():
        (twin,) = (place for place, other in before.items() if other.spec == record.spec)
        ours, theirs = RunStore(runs).scores(twin), RunStore(tmp_path / "out").scores(folder)
        assert np.array_equal(ours.scores, theirs.scores)
        assert ours.hashes.tolist() == theirs.hashes.tolist()
        assert replace(record, files={}) == replace(before[twin], files={})


def test_a_pack_without_times_tells_none_and_no_load(runs: Path, tmp_path: Path) -> None:
    unpack_runs(packed(runs, times=False), tmp_path / "out")
    for _, record in RunStore(tmp_path / "out").records():
        assert (record.seconds, record.spent, record.energy) == ({}, {}, {})
        assert dict(record.environment) == {"processor": "a processor", "cores": 2}
        assert [set(row) for row in record.history] == [{"loss"}]


def test_the_same_runs_give_the_same_bytes(runs: Path) -> None:
    assert packed(runs) == pack_runs(reversed(list(RunStore(runs).records())))


def test_models_stay_where_they_are(runs: Path) -> None:
    folder = next(folder for folder, record in RunStore(runs).records() if record.status == "done")
    record = RunStore(runs).read(next(r.spec for f, r in RunStore(runs).records() if f == folder))
    assert record is not None
    RunStore(runs).write(record, RunStore(runs).scores(folder), {"weight": np.zeros(4)})
    assert not [name for name in members_of(packed(runs)) if "model" in name]


def test_nothing_to_pack_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="none of these runs has a result"):
        packed(tmp_path)


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    "name",
    [
        "../../evil/0123456789abcdef/record.json", "/tmp/x/0123456789abcdef/record.json",
        "tones/probe/0123456789abcdef/model.safetensors", "tones/probe/key/record.json", "record.json",
        "tones/.hidden/0123456789abcdef/record.json", "tones/a\\b/0123456789abcdef/record.json",
    ],
)  # fmt: skip
def test_a_member_that_is_no_file_of_a_run_is_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedPack, match="no file of a run"):
        unpack_runs(of({name: b"{}"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path) -> None:
    name = "tones/probe/0123456789abcdef/record.json"
    with pytest.raises(DamagedPack, match="no file of a run"):
        unpack_runs(of({name: link(name, kind)}), tmp_path / "out")


def test_a_pack_that_unpacks_to_more_than_it_may_is_refused_without_unpacking_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_pack, "_MOST_UNPACKED", 2**20)
    with pytest.raises(DamagedPack, match="more than 1 MB"):
        unpack_runs(lzma.compress(bytes(2**24)), tmp_path)
    monkeypatch.setattr(results_pack, "MOST_BYTES", 100)
    with pytest.raises(DamagedPack, match="at most"):
        unpack_runs(bytes(101), tmp_path)


def test_a_pack_that_is_cut_off_or_damaged_anywhere_is_refused_in_one_line(runs: Path, tmp_path: Path) -> None:
    pack = packed(runs)
    rng = np.random.default_rng(0)
    broken = [pack[:-1], pack + b"x", pack[: len(pack) // 2], b"", b"PK\x03\x04", lzma.compress(b"no tar")]
    for place in rng.integers(len(pack), size=20):
        broken.append(pack[:place] + bytes([pack[place] ^ 0xFF]) + pack[place + 1 :])
    for number, content in enumerate(broken):
        with pytest.raises(DamagedPack) as caught:
            unpack_runs(content, tmp_path / str(number))
        assert "\n" not in str(caught.value)


def test_a_pack_whose_record_cannot_be_read_names_it_and_no_remedy_of_ones_own(runs: Path, tmp_path: Path) -> None:
    members = members_of(packed(runs))
    name = min(name for name in members if name.endswith("record.json"))
    members[name] = b"[" * 10_000
    with pytest.raises(DamagedPack) as caught:
        unpack_runs(of(members), tmp_path / "out")  # type: ignore[arg-type]
    assert str(caught.value) == f"{name}: not a record (lists and tables nest too deep)"


def test_a_record_in_the_place_of_another_run_is_refused(runs: Path, tmp_path: Path) -> None:
    members = members_of(packed(runs))
    names = sorted(name for name in members if name.endswith("record.json"))
    members[names[0]], members[names[1]] = members[names[1]], members[names[0]]
    with pytest.raises(DamagedPack, match="of another run"):
        unpack_runs(of(members), tmp_path / "out")  # type: ignore[arg-type]


def test_a_run_without_scores_is_refused(runs: Path, tmp_path: Path) -> None:
    members = members_of(packed(runs))
    del members[next(name for name in members if name.endswith("scores.npz"))]
    with pytest.raises(DamagedPack, match=r"each has record\.json and scores\.npz"):
        unpack_runs(of(members), tmp_path / "out")  # type: ignore[arg-type]
