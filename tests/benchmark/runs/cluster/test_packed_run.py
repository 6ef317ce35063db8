"""A run that was packed elsewhere is taken whole, as it was asked for, or not at all."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mirbench.record import RunRecord, RunSpec
from mirbench.runs.cluster import packed_run
from mirbench.runs.cluster.packed_run import CLIP_LIST, DamagedRun, pack, require_run, unpack
from mirbench.runs.scores import Scores, target_hashes
from mirbench.runs.store import RunStore
from mirbench.types import Targets, Windowing

SPEC = RunSpec(
    "tones", "1", 0, Windowing(), "chance", "1", {"lr": 0.1}, {}, "", "", {}, "", "ab" * 32, "float32", 3,
)  # fmt: skip


def scores(n_clips: int = 6) -> Scores:
    ids = np.array([f"clip{n}" for n in range(n_clips)])
    value = np.eye(3, dtype=np.float32)[np.arange(n_clips) % 3]
    targets = Targets(value, np.ones_like(value, dtype=bool), "single-label")
    return Scores(ids, value / 2, targets, target_hashes(ids, targets), np.full(n_clips, ""))


def written(folder: Path, spec: RunSpec = SPEC, status: str = "done") -> Path:
    """The folder of a run, as the store writes it."""
    record = RunRecord(
        spec, status, metrics={"accuracy": 0.5} if status == "done" else {}, classes=("a", "b", "c"),  # type: ignore[arg-type]
        kind="single-label", n_clips={"test": 6}, seconds={"train": 0.1, "epoch": None},
        history=[{"loss": 1.0 / 3, "seconds": 1e-9}],
    )  # fmt: skip
    if status != "done":
        return RunStore(folder).write(replace(record, reason="memory is full"), traceback="Traceback\n  é\n")
    return RunStore(folder).write(record, scores(), {"weights": np.random.default_rng(0).random((4, 3))})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "there")


def taken(packed: bytes, root: Path, spec: RunSpec = SPEC) -> Path:
    """Write what came, as `mirbench.runs.cluster.dask_sweep` does."""
    contents = unpack(packed)
    contents.pop(CLIP_LIST, None)
    return RunStore(root).write_files(spec, contents, lambda work: require_run(work, spec))


def archive(contents: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as held:
        for name, text in contents.items():
            held.writestr(name, text)
    return packed.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("status", ["done", "failed", "skipped"])
def test_packed_run_comes_out_to_the_byte(status: str, tmp_path: Path) -> None:
    there = written(tmp_path / "there", status=status)
    here = taken(pack(there), tmp_path / "here")
    assert here.relative_to(tmp_path / "here") == there.relative_to(tmp_path / "there")
    assert contents(here) == contents(there)


def test_list_of_clips_travels_with_the_run(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "clips-1.csv").write_text("id,path\n")
    assert unpack(pack(folder, tmp_path / "clips-1.csv"))[CLIP_LIST] == b"id,path\n"
    assert CLIP_LIST not in unpack(pack(folder, tmp_path / "clips-2.csv"))


def test_what_is_beside_a_run_and_no_part_of_it_stays_there(folder: Path) -> None:
    (folder / ".secret").write_text("x")
    (folder / "notes.txt").write_text("x")
    assert set(unpack(pack(folder))) == {"record.json", "scores.npz", "model.safetensors"}


PATHS = (
    "../record.json", "/etc/passwd", "a/../../x", "..", "", ".", "record.json/", "scores.npz/x", "C:\\x", "\\\\host\\x",
    "record.json\x00.txt", "RECORD.JSON", "evil.py", ".claim0", "mödel.safetensors", "scores.npz ", "./record.json",
)  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_name_that_no_run_has_is_refused_and_nothing_is_written(name: str, folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    held = contents(folder) | {name: b"x"}
    with pytest.raises(DamagedRun):
        taken(_named(held), tmp_path / "here")
    assert sorted(path for path in tmp_path.rglob("*") if "here" not in path.parts) == before
    assert not list((tmp_path / "here").rglob("*.*"))


def _named(held: Mapping[str, bytes]) -> bytes:
    """An archive whose names are exactly these: zipfile itself cuts some of them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, text in held.items():
            member = zipfile.ZipInfo("record.json")
            member.filename = name
            made.writestr(member, text)
    return packed.getvalue()


def _other(text: bytes) -> bytes:
    fields = json.loads(text)
    fields["metrics"]["accuracy"] = 1.0
    return json.dumps(fields).encode()


def _twice(text: bytes) -> bytes:
    return text.replace(b'"status"', b'"status": "done",\n "status"', 1)


FORGERIES: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "no record": lambda held: {name: text for name, text in held.items() if name != "record.json"},
    "no scores": lambda held: {name: text for name, text in held.items() if name != "scores.npz"},
    "no model": lambda held: {name: text for name, text in held.items() if name != "model.safetensors"},
    "other scores": lambda held: held | {"scores.npz": scores(5).packed()},
    "scores cut": lambda held: held | {"scores.npz": held["scores.npz"][:-1]},
    "no hashes": lambda held: (
        held | {"record.json": json.dumps(json.loads(held["record.json"]) | {"files": {}}, indent=1).encode() + b"\n"}
    ),
    "record rewritten": lambda held: held | {"record.json": _other(held["record.json"])},
    "field twice": lambda held: held | {"record.json": _twice(held["record.json"])},
    "record of a list": lambda held: held | {"record.json": b"[]"},
    "record that nests": lambda held: held | {"record.json": b"[" * 100_000},
    "record empty": lambda held: held | {"record.json": b""},
    "record not a number": lambda held: held | {"record.json": held["record.json"].replace(b"0.5", b"NaN")},
    "pickle for scores": lambda held: held | {"scores.npz": b"\x80\x04N."},
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_run_is_refused_and_the_earlier_attempt_stays(forgery: str, folder: Path, tmp_path: Path) -> None:
    earlier = written(tmp_path / "here", status="failed")
    before = contents(earlier)
    with pytest.raises(DamagedRun) as caught:
        taken(archive(FORGERIES[forgery](contents(folder))), tmp_path / "here")
    assert "\n" not in str(caught.value)
    assert contents(earlier) == before
    assert [path for path in (tmp_path / "here").rglob("*") if path.name.startswith(".")] == []


@pytest.mark.parametrize("change", [{"seed": 4}, {"fold": 1}, {"audio_sha256": "cd" * 32}, {"params": {"lr": 0.2}}])
def test_run_of_another_key_is_refused(change: dict[str, object], folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DamagedRun, match="it is the run"):
        taken(pack(folder), tmp_path / "here", replace(SPEC, **change))  # type: ignore[arg-type]


def test_member_given_twice_is_refused(folder: Path) -> None:
    packed = io.BytesIO(pack(folder))
    with zipfile.ZipFile(packed, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr("record.json", b"{}")
    with pytest.raises(DamagedRun, match="or has once"):
        unpack(packed.getvalue())


def test_bomb_is_refused_before_it_is_unpacked(folder: Path) -> None:
    bomb = archive(contents(folder) | {"traceback.txt": b"\0" * 2**24}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**20
    with pytest.raises(DamagedRun, match="compressed"):
        unpack(bomb)


def test_member_that_overlaps_another_or_says_more_than_there_is_is_refused(folder: Path) -> None:
    packed = bytearray(pack(folder))
    place = packed.rfind(b"PK\x01\x02")  # of the last member in the table of contents
    for offset in (20, 24):
        packed[place + offset : place + offset + 4] = (2**31).to_bytes(4, "little")
    with pytest.raises(DamagedRun):
        unpack(bytes(packed))


def test_run_too_large_to_send_is_refused_on_both_sides(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(folder)
    monkeypatch.setattr(packed_run, "MOST_BYTES", 100)
    with pytest.raises(DamagedRun, match="are accepted"):
        unpack(packed)
    with pytest.raises(Exception, match="can be sent"):
        pack(folder)


def test_bytes_damaged_anywhere_never_become_another_record(folder: Path, tmp_path: Path) -> None:
    packed, original = pack(folder), contents(folder)
    chance = random.Random(0)
    n_refused = 0
    for trial in range(300):
        damaged = bytearray(packed)
        for _ in range(chance.choice((1, 1, 4))):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        if trial % 3 == 0:
            del damaged[chance.randrange(len(damaged)) :]
        if trial % 7 == 0:
            damaged = damaged[: len(damaged) // 2] + chance.randbytes(50) + damaged[len(damaged) // 2 :]
        try:
            here = taken(bytes(damaged), tmp_path / str(trial))
        except DamagedRun:
            n_refused += 1
            continue
        assert contents(here) == original  # what was damaged means nothing: a date, a permission
    assert n_refused > 200


@pytest.mark.parametrize("packed", [b"", b"PK", b"\0" * 1000, b"PK\x05\x06" + b"\0" * 18, "é".encode() * 99])
def test_bytes_that_are_no_archive_are_refused(packed: bytes) -> None:
    with pytest.raises(DamagedRun):
        unpack(packed)
