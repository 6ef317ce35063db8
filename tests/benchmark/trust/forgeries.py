"""Lies that a true record can be made to tell: fields of record.json by kinds of lie, and what lies beside it.

A forger knows the format: whatever is changed of what was asked, the folder gets the key and the place that belong to
it, as anybody can compute them.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import random
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

__all__ = ["FORGERIES", "TRUE_CURVES", "drawn", "forge"]

Lie = Callable[[Path], Any]
Place = tuple[str | int, ...]

RAW = "raw:"
"""Begins a text that goes into the file as it is: JSON that Python would not write."""


def deep(n_levels: int) -> Any:
    """Lists in lists."""
    held: Any = 1
    for _ in range(n_levels):
        held = [held]
    return held


NUMBERS: dict[str, Place] = {
    "n_trainable": ("n_trainable",),
    "n_total": ("n_total",),
    "flops": ("flops",),
    "memory of the processor": ("memory", "cpu"),
    "memory of the GPU": ("memory", "gpu"),
    "seconds of features": ("seconds", "features"),
    "seconds of training": ("seconds", "train"),
    "seconds of an epoch": ("seconds", "epoch"),
    "seconds of inference": ("seconds", "inference"),
    "clips per second": ("seconds", "clips_per_second"),
    "seconds of the frozen part": ("seconds", "frozen_clip"),
    "energy": ("energy", "train_kwh"),
    "a loss": ("history", 0, "loss"),
    "cores": ("environment", "cores"),
    "load": ("environment", "load"),
    "threads": ("environment", "threads"),
}
NO_NUMBERS: dict[str, Any] = {
    "10^400": 10**400,
    "10^30": 10**30,
    "1e999": RAW + "1e999",
    "NaN": RAW + "NaN",
    "a text": "much",
    "true": True,
    "a list": [1],
    "a table": {"a": 1},
    "900 lists": deep(900),
}
BELOW_ZERO = ("n_trainable", "n_total", "flops", "seconds of training", "clips per second", "energy")

TEXTS: dict[str, Place] = {
    "processor": ("environment", "processor"),
    "GPU": ("environment", "gpu"),
    "time": ("environment", "finished"),
    "a version": ("environment", "versions", "torch"),
    "how energy was measured": ("energy", "how"),
}
NO_TEXTS: dict[str, Any] = {
    "a surrogate": "\ud800",
    "an escape code": "\x1b[2J",
    "text from right to left": "a\u202eb",
    "a NUL": "a\0b",
    "5 million letters": "x" * 5_000_000,
    "a number": 7,
    "900 lists": deep(900),
}
NAMES: dict[str, Place] = {
    "task": ("spec", "task"),
    "method": ("spec", "method"),
    "source": ("spec", "source"),
    "version of the task": ("spec", "task_version"),
    "version of the method": ("spec", "method_version"),
}
NO_NAMES: dict[str, Any] = {
    "a homoglyph": "рrior",
    "a letter that is not seen": "pri\u200bor",
    "an escape code": "prior\x1b[2J",
    "text from right to left": "prior\u202e",
    "a wide letter": "ｐrior",
    "two dots": "..",
    "a path": "../../../etc/prior",
    "an absolute path": "/etc/prior",
    "a NUL": "prior\0",
    "a line end": "prior\nprior",
    "300 letters": "p" * 300,
    "a device": "CON",
    "a list": ["prior"],
    "a surrogate": "prior\udc80",
}
OTHERS: dict[str, tuple[Place, Any]] = {
    "precision int4": (("spec", "precision"), "int4"),
    "two precisions": (("spec", "precision"), "bfloat16 and float32"),
    "precision of an ensemble, twice the same": (("spec", "precision"), "float32 and float32"),
    "seed 10^30": (("spec", "seed"), 10**30),
    "seed -1": (("spec", "seed"), -1),
    "seed 2^64": (("spec", "seed"), 2**64),
    "seed true": (("spec", "seed"), True),
    "fold 10^30": (("spec", "fold"), 10**30),
    "fold 1": (("spec", "fold"), 1),
    "folds 10^9": (("n_folds",), 10**9),
    "folds 0": (("n_folds",), 0),
    "version of the method that nobody has": (("spec", "method_version"), "99"),
    "version of the source that nobody has": (("spec", "source_version"), "99"),
    "source of a method that takes none": (("spec", "source"), "nano"),
    "source that nobody has": (("spec", "source"), "super-nano"),
    "method that nobody has": (("spec", "method"), "super-prior"),
    "method of a plugin": (("spec", "method_version"), "1+0123456789ab"),
    "a setting that there is not": (("spec", "params", "power"), 9000),
    "a setting with 900 lists": (("spec", "params", "x"), deep(900)),
    "a setting of 10^400": (("spec", "params", "x"), 10**400),
    "a setting with a surrogate": (("spec", "params", "x"), "\ud800"),
    "an option of a source": (("spec", "source_params", "x"), 1),
    "a search without its trials": (("spec", "search"), {"x": [1, 2]}),
    "a search of nothing": (("spec", "search"), {"x": []}),
    "a search of 10^6 values": (("spec", "search"), {"x": list(range(10**6))}),
    "weights of nothing": (("spec", "source_sha256"), "ab" * 32),
    "a contamination that is not": (("contaminated",), ["maestro"]),
    "contaminations without end": (("contaminated",), [f"d{n}" for n in range(100_000)]),
    "a change that is not": (("changed",), {"C": 2}),
    "a choice without a search": (("chosen",), {"C": 2}),
    "trials without a search": (("trials",), [{"params": {}, "valid_score": 1.0, "seconds": 1.0}]),
    "a trial without its fields": (("trials",), [{"params": {}}]),
    "another standing": (("standing",), "excerpt"),
    "another kind": (("kind",), "multi-label"),
    "no kind": (("kind",), ""),
    "a kind of nothing": (("kind",), "graph"),
    "other classes": (("classes",), ["bach", "mozart"]),
    "no classes": (("classes",), []),
    "another status": (("status",), "skipped"),
    "a reason": (("reason",), "because"),
    "an accuracy of 2": (("metrics", "accuracy"), 2.0),
    "an accuracy of 10^400": (("metrics", "accuracy"), 10**400),
    "an accuracy of text": (("metrics", "accuracy"), "best"),
    "an accuracy in a list": (("metrics", "accuracy"), [1.0]),
    "a metric that nobody has": (("metrics", "glory"), 1.0),
    "a count of classes": (("n_scored", "macro-f1"), 99),
    "a count of classes of text": (("n_scored", "macro-f1"), "all"),
    "train clips": (("n_clips", "train"), 10**6),
    "test clips": (("n_clips", "test"), 1),
    "a split more": (("n_clips", "hidden"), 1),
    "a phase more": (("seconds", "sleep"), 1.0),
    "a field more": (("verdict",), "good"),
    "a field more in what was asked": (("spec", "device"), "cpu"),
    "a field more of the machine": (("environment", "user"), "somebody"),
    "a time to come": (("environment", "finished"), "2999-01-01T00:00:00+00:00"),
    "a time of another script": (("environment", "finished"), "٢٠٢٥-٠١-٠١T00:00:00+00:00"),
    "a time of words": (("environment", "finished"), "yesterday"),
    "a commit of a formula": (("environment", "commit"), "=1+1"),
    "a package of markup": (("environment", "versions", "<script>"), "1"),
    "sealed: yes": (("environment", "sealed"), "yes"),
    "a stack of one": (("environment", "stacked"), 1),
    "a machine of 10^5 facts": (("environment",), {f"x{n}": 1 for n in range(10**5)}),
    "a schema of tomorrow": (("schema_version",), 2),
    "a schema of text": (("schema_version",), "1"),
    "history of a million rows": (("history",), [{"loss": 0.5}] * 10**6),
    "history of text": (("history",), "long"),
    "windows of nothing": (("spec", "windowing", "windows"), "all"),
    "hash of audio that is none": (("spec", "audio_sha256"), "abc"),
    "another hash of audio": (("spec", "audio_sha256"), ""),
}


def rewritten(folder: Path, place: Place, value: Any) -> Path:
    """Put a value into record.json, and the folder where what was asked says."""
    path = folder / "record.json"
    held = json.loads(path.read_text(encoding="utf-8"))
    held["energy"] = {"train_kwh": 0.1, "how": "estimated"} | held["energy"]
    held["history"] = held["history"] or [{"loss": 0.5}]
    part = held
    for step in place[:-1]:
        part = part[step]
    raw = isinstance(value, str) and value.startswith(RAW)
    part[place[-1]] = "@raw@" if raw else value
    text = _text(held)
    path.write_text(text.replace('"@raw@"', str(value).removeprefix(RAW)) if raw else text, encoding="utf-8")
    return replaced(folder, held["spec"]) if place[0] == "spec" else folder


def _text(held: Any) -> str:
    """JSON of whatever it is: numbers of hundreds of digits too."""
    digits = {f"@{n}@": n for n in _long_numbers(held)}
    text = json.dumps(_without_long(held))
    for mark, number in digits.items():
        sign, n_zeros = ("-", -number) if number < 0 else ("", number)
        text = text.replace(f'"{mark}"', sign + "1" + "0" * (len(str(n_zeros)) - 1))
    return text


def _long_numbers(held: Any) -> Iterator[int]:
    if isinstance(held, dict):
        for value in held.values():
            yield from _long_numbers(value)
    elif isinstance(held, int) and not isinstance(held, bool) and abs(held) > 10**300:
        yield held


def _without_long(held: Any) -> Any:
    if isinstance(held, dict):
        return {name: _without_long(value) for name, value in held.items()}
    return f"@{held}@" if isinstance(held, int) and not isinstance(held, bool) and abs(held) > 10**300 else held


def replaced(folder: Path, spec: dict[str, Any]) -> Path:
    """Move a folder to where its record belongs, if such a place can be on a disk."""
    try:
        key = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
        method = f"{spec['method']}+{spec['source']}" if spec["source"] else spec["method"]
        names = [re.sub(r"[^\w.+-]", "_", name) for name in (spec["task"], method)]
        new = folder.parents[2] / names[0] / names[1] / key
        if folder.parents[2] not in new.resolve().parents:
            return folder
        new.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(folder, new))
    except (TypeError, OSError, ValueError, RecursionError):
        return folder


def _of_json(place: Place, value: Any) -> Lie:
    return lambda folder: rewritten(folder, place, copy.deepcopy(value) if not _is_deep(value) else value)


def _is_deep(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], list)


def _as_text(change: Callable[[str], str | bytes]) -> Lie:
    def lie(folder: Path) -> None:
        path = folder / "record.json"
        made = change(path.read_text(encoding="utf-8"))
        path.write_bytes(made.encode("utf-8", "surrogatepass") if isinstance(made, str) else made)

    return lie


def _scores(name: str, make: Callable[[Any], Any]) -> Lie:
    def lie(folder: Path) -> None:
        with np.load(folder / "scores.npz") as stored:
            held = dict(stored)
        held[name] = make(held[name])
        np.savez_compressed(folder / "scores.npz", **held)

    return lie


def _header(folder: Path) -> None:
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 2)})
    with zipfile.ZipFile(folder / "scores.npz", "w") as held:
        held.writestr("scores.npy", stream.getvalue() + bytes(8))


def _member(name: str, header: bytes, data: bytes = b"") -> Lie:
    """One array of scores with a header of the forger's, its hash on record."""

    def lie(folder: Path) -> None:
        with zipfile.ZipFile(folder / "scores.npz") as held:
            parts = {part: held.read(part) for part in held.namelist()}
        begin = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
        with zipfile.ZipFile(folder / "scores.npz", "w", zipfile.ZIP_DEFLATED) as held:
            for part, content in parts.items():
                held.writestr(part, begin + header + data if part == f"{name}.npy" else content)
        _hashed(folder)

    return lie


def _shaped(descr: str, shape: str) -> bytes:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode()


def _hashed(folder: Path) -> None:
    """The hashes of what lies there now."""
    path = folder / "record.json"
    held = json.loads(path.read_text(encoding="utf-8"))
    held["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in held["files"]}
    path.write_text(json.dumps(held), encoding="utf-8")


def _encrypted(folder: Path) -> None:
    path = folder / "scores.npz"
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        place = data.find(mark)
        while place >= 0:
            data[place + flags] |= 1
            place = data.find(mark, place + 4)
    path.write_bytes(bytes(data))
    _hashed(folder)


def _wide_ids(folder: Path) -> None:
    _scores("clip_ids", lambda ids: ids.astype(f"U{2**26 // len(ids)}"))(folder)
    _hashed(folder)


def _model(header: dict[str, Any], n_bytes: int, length: int = 0) -> Lie:
    def lie(folder: Path) -> None:
        text = json.dumps(header).encode()
        begin = (length or len(text)).to_bytes(8, "little")
        (folder / "model.safetensors").write_bytes(begin + text + bytes(n_bytes))
        _hashed(folder)

    return lie


def _array(first: int, last: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [(last - first) // 4], "data_offsets": [first, last]}


def _pipe(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)


def _curves(change: Callable[[dict[str, Any]], Any]) -> Lie:
    """Curves beside a record, right but for a change."""

    def lie(folder: Path) -> None:
        metrics = json.loads((folder / "record.json").read_text(encoding="utf-8"))["metrics"]
        clean = {name: value for name, value in metrics.items() if not isinstance(value, list)}
        first = clean["accuracy"]
        area = float(np.trapezoid([first] + [0.5] * 5) / 5)
        curve = {
            "unit": "dB SNR", "severities": [30, 20, 10, 5, 0], "metrics": {name: [0.5] * 5 for name in clean},
            "area": area, "relative_area": area / first, "version": "1", "library": "numpy 2.1.0",
        }  # fmt: skip
        held = {"metric": "accuracy", "clean": clean, "curves": {"noise": curve}, "schema_version": 1}
        change(held)
        (folder / "deform.json").write_text(json.dumps(held), encoding="utf-8")

    return lie


def _of_curve(**fields: Any) -> Lie:
    return _curves(lambda held: held["curves"]["noise"].update(fields))


TRUE_CURVES = _curves(lambda held: None)
"""No lie."""


def _curves_twice(folder: Path) -> None:
    TRUE_CURVES(folder)
    path = folder / "deform.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"area"', '"area": 1, "area"'), encoding="utf-8")


CURVES: dict[str, Lie] = {
    "curves of nothing": _curves(lambda held: held.update(curves={})),
    "curves of a deformation that nobody has": _curves(lambda held: held.update(curves={"x": held["curves"]["noise"]})),
    "curves with an area that is not theirs": _of_curve(area=0.99),
    "curves with a relative area that is not theirs": _of_curve(relative_area=0.99),
    "curves with a relative area of 1e308": _of_curve(relative_area=1e308),
    "curves above one": _curves(lambda held: held["curves"]["noise"]["metrics"].update({"macro-f1": [1e300] * 5})),
    "curves at other severities": _of_curve(severities=[1, 2, 3, 4, 5]),
    "curves at no severities": _of_curve(severities=[None] * 5),
    "curves in another unit": _of_curve(unit="\x1b[2J"),
    "curves of a version that nobody has": _of_curve(version="99"),
    "curves by no library": _of_curve(library="<script>"),
    "curves twice": _curves_twice,
}


def _before(folder: Path, data: bytes) -> None:
    path = folder / "scores.npz"
    path.write_bytes(data + path.read_bytes())


def _large(path: Path, n_bytes: int) -> None:
    with path.open("wb") as stream:
        stream.truncate(n_bytes)


FILES: dict[str, Lie] = {
    "a program": lambda f: (f / "run.sh").write_text("rm"),
    "a pickle": lambda f: (f / "model.pkl").write_bytes(b""),
    "a hidden file": lambda f: (f / ".hidden").write_bytes(b""),
    "a link": lambda f: (f / "deform.json").symlink_to("/etc/passwd"),
    "a model that is none": lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 64),
    "curves that are none": lambda f: (f / "deform.json").write_text("{"),
    "a page of 200 MB": lambda f: _large(f.parents[2] / "leaderboard.html", 200 * 2**20),
    "a list of clips of nothing": lambda f: (f.parents[1] / "clips-99.csv").write_text("path,label\n"),
    "a hundred lists of clips": lambda f: [
        (f.parents[1] / f"clips-x{n}.csv").write_text("path,label\n") for n in range(100)
    ],
    "a file between": lambda f: (f.parent / "notes.txt").write_text("x"),
    "a file above": lambda f: (f.parents[2] / "setup.py").write_text(""),
    "scores behind a film": lambda f: _before(f, bytes(2**20)),
    "scores that are no archive": lambda f: (f / "scores.npz").write_bytes(b"PK"),
    "scores of 8 TB": _header,
    "no scores": lambda f: (f / "scores.npz").unlink(),
    "scores turned round": _scores("scores", lambda x: x[:, ::-1].copy()),
    "a clip less": _scores("scores", lambda x: x[1:]),
    "an id of another clip": _scores("clip_ids", lambda x: np.array(["x", *x[1:]])),
    "groups of nobody": _scores("groups", lambda x: np.full(len(x), "one")),
    "hashes of nothing": _scores("target_hashes", lambda x: np.full(len(x), b"0" * 16, dtype="S16")),
    "labels of text": _scores("target_value", lambda x: x.astype("U8")),
    "JSON cut short": _as_text(lambda text: text[:-20]),
    "JSON behind a byte order mark": _as_text(lambda text: "\ufeff" + text),
    "JSON twice": _as_text(lambda text: text + text),
    "a field twice": _as_text(lambda text: text.replace('"status"', '"status": "failed", "status"', 1)),
    "bytes that are no text": _as_text(lambda text: b"\xff\xfe" + text.encode()),
    "scores under a password": _encrypted,
    "scores of 10^30 rows of nothing": _member("scores", _shaped("<f4", f"({10**30}, 0)")),
    "scores of true rows": _member("scores", _shaped("<f4", "(True, 2)"), bytes(8)),
    "scores of a shape of 4,000 digits": _member("scores", _shaped("<f4", f"({'9' * 4000}, 2)"), bytes(8)),
    "a header of brackets": _member("scores", b"(" * 9000),
    "a header of signs": _member("scores", b"-" * 9000 + b"1"),
    "a kind that is no letter": _member("target_kind", _shaped("<U1", "()"), b"\xff" * 4),
    "a kind of 10^8 letters": _member("target_kind", _shaped("<U100000000", "()"), bytes(4 * 10**8)),
    "ids of 250 MB": _wide_ids,
    "a model behind a header of 10^9 bytes": _model({}, 0, length=10**9),
    "a model whose arrays overlap": _model({"a": _array(0, 8), "b": _array(4, 12)}, 12),
    "a model of nothing": _model({}, 0),
    "a model with words": _model({"__metadata__": {"a": "b" * 10**6}, "a": _array(0, 8)}, 8),
    "a model under an escape code": _model({"\x1b[2J": _array(0, 8)}, 8),
    "a model that is a pipe": lambda f: _pipe(f, "model.safetensors"),
    "scores that are a pipe": lambda f: _pipe(f, "scores.npz"),
    "no end of scores": lambda f: ((f / "scores.npz").unlink(), (f / "scores.npz").symlink_to("/dev/zero")),
    "100,000 lists": _as_text(lambda text: "[" * 100_000),
    "JSON of 20 MB": _as_text(lambda text: text + " " * 20 * 2**20),
    "a record that is a list": _as_text(lambda text: f"[{text}]"),
    "a record of nothing": _as_text(lambda text: ""),
    "a record that is a folder": lambda f: ((f / "record.json").unlink(), (f / "record.json").mkdir()),
}


def _listed() -> Iterator[tuple[str, Lie]]:
    for field, place in NUMBERS.items():
        for lie, value in NO_NUMBERS.items():
            yield f"{field}: {lie}", _of_json(place, value)
    for field in BELOW_ZERO:
        yield f"{field}: -1", _of_json(NUMBERS[field], -1)
    for field, place in TEXTS.items():
        for lie, value in NO_TEXTS.items():
            yield f"{field}: {lie}", _of_json(place, value)
    for field, place in NAMES.items():
        for lie, value in NO_NAMES.items():
            yield f"{field}: {lie}", _of_json(place, value)
    for lie, (place, value) in OTHERS.items():
        yield lie, _of_json(place, value)
    yield from FILES.items()
    yield from CURVES.items()


FORGERIES: dict[str, Lie] = dict(_listed())
"""By what each does."""


def drawn(n: int, seed: int) -> list[str]:
    """Names of some of them."""
    return random.Random(seed).sample(sorted(FORGERIES), n)


def forge(folder: Path, name: str) -> None:
    """Tell a lie in the folder of a true record."""
    FORGERIES[name](folder)
