"""The JSON Schema of records, against the dataclasses that they are made of."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import pytest
from jsonschema import Draft202012Validator

from mirbench.record import SCHEMA_VERSION, Between, RunRecord, RunSpec, Trial
from mirbench.runs.record_file import as_text
from mirbench.trust.submission import schema
from mirbench.types import Windowing

SCHEMA = schema()
PARTS = {
    RunRecord: SCHEMA,
    RunSpec: SCHEMA["$defs"]["spec"],
    Windowing: SCHEMA["$defs"]["spec"]["properties"]["windowing"],
    Trial: SCHEMA["properties"]["trials"]["items"],
}
SPEC = RunSpec(
    "gtzan", "1", 0, Windowing(), "probe-linear", "1", {"C": 0.5, "norm": None}, {"C": [0.1, 1.0]}, "nano", "1",
    {"seconds": 10}, "ab" * 32, "cd" * 32, "float32", 3,
)  # fmt: skip
RECORD = RunRecord(
    SPEC,
    "done",
    metrics={"accuracy": 0.75, "roc-auc": None, "f1-per-class": [0.5, None], "confusion": [[3, 1], [0, 0]]},
    n_scored={"macro-f1": 1},
    n_trainable=130,
    n_clips={"train": 4, "valid": 2, "test": 4},
    seconds={"train": 0.25, "epoch": None},
    memory={"cpu": 1, "gpu": None},
    classes=("a", "b"),
    kind="single-label",
    energy={"train_kwh": 0.1, "how": "estimated"},
    trials=[
        {"params": {"C": 0.1}, "valid_score": None, "seconds": 0.1, "valid_scores": [0.5, None], "valid_losses": []}
    ],
    chosen={"C": 0.1},
    history=[{"loss": 0.5}],
    environment={"python": "3.11", "threads": 1, "gpu": None},
    files={"scores.npz": "ab" * 32, "model.safetensors": "cd" * 32},
)


def plain(record: RunRecord = RECORD) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(as_text(record))
    return held


def faults(held: dict[str, Any]) -> list[str]:
    return [error.json_path for error in Draft202012Validator(SCHEMA).iter_errors(held)]


def test_schema_is_one_of_draft_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)
def test_schema_has_the_fields_of_the_dataclass_and_no_others(kind: Any) -> None:
    part = PARTS[kind]
    names = {field.name for field in dataclasses.fields(kind)}
    # in records of earlier versions
    lacking = {"files", "uses_seed", "spent", "thresholds", "calibrate", "temperature", "valid_scores", "valid_losses"}
    lacking.add("ranges")
    needed = names - lacking - ({"fit_on", "pad"} if kind is RunSpec else set())
    assert (set(part["properties"]), set(part["required"]), part["additionalProperties"]) == (names, needed, False)


@pytest.mark.parametrize("name", ["windows", "average"])
def test_schema_allows_the_windowings_that_there_are(name: str) -> None:
    assert tuple(PARTS[Windowing]["properties"][name]["enum"]) == get_args(get_type_hints(Windowing)[name])


def test_schema_allows_the_status_and_version_that_there_are() -> None:
    properties = SCHEMA["properties"]
    assert tuple(properties["status"]["enum"]) == get_args(get_type_hints(RunRecord)["status"])
    assert properties["schema_version"]["const"] == SCHEMA_VERSION


def ranges(kind: Any) -> set[tuple[float, float]]:
    """Of the numbers in a type."""
    found = {(part.low, part.high) for part in getattr(kind, "__metadata__", ()) if isinstance(part, Between)}
    return found.union(*map(ranges, get_args(kind)))


def bounds(part: Any) -> set[tuple[float, float]]:
    """Of the numbers in a schema."""
    if "$ref" in part:
        part = SCHEMA["$defs"][part["$ref"].rpartition("/")[2]]
    found = {(part["minimum"], part["maximum"])} if "minimum" in part else set()
    inner = [*part.get("properties", {}).values(), part.get("additionalProperties"), part.get("items")]
    return found.union(*(bounds(each) for each in inner if isinstance(each, dict)))


OPEN = {"metrics", "energy", "trials", "environment"}
"""Fields of several kinds, which the dataclass leaves open; `mirbench.runs.record_file` has their types."""


@pytest.mark.parametrize("kind", [RunRecord, RunSpec])
def test_schema_has_the_ranges_of_the_dataclass(kind: Any) -> None:
    known = get_type_hints(kind, include_extras=True)
    names = [name for name in known if name not in OPEN and name != "spec"]
    assert {name: bounds(PARTS[kind]["properties"][name]) for name in names} == {
        name: ranges(known[name]) for name in names
    }


def test_schema_has_a_range_for_every_number() -> None:
    def unbounded(part: Any, where: str) -> list[str]:
        if isinstance(part, list):
            return [line for n, each in enumerate(part) for line in unbounded(each, f"{where}[{n}]")]
        if not isinstance(part, dict):
            return []
        kinds = part.get("type", ())
        counts = {"number", "integer"} & set([kinds] if isinstance(kinds, str) else kinds)
        own = [where] if counts and not {"minimum", "maximum"} <= part.keys() else []
        return own + [line for name, each in part.items() for line in unbounded(each, f"{where}.{name}")]

    assert unbounded(SCHEMA, "$") == []


def test_schema_accepts_a_record() -> None:
    assert faults(plain()) == []


def test_schema_accepts_a_record_of_an_earlier_version_without_hashes_of_files() -> None:
    held = plain()
    del held["files"]
    assert faults(held) == []


def test_schema_accepts_a_run_that_failed() -> None:
    failed = RunRecord(SPEC, "failed", "out of memory", classes=("a", "b"), kind="single-label")
    assert faults(plain(failed)) == []


def test_schema_accepts_one_target_of_a_regression_task_and_not_one_class() -> None:
    one = {"classes": ["bpm"], "kind": "regression", "ranges": [[40.0, 250.0]]}
    assert faults(plain() | one) == []
    assert faults(plain() | one | {"ranges": []}) == ["$.ranges"]
    assert faults(plain() | {"classes": ["a"]}) == ["$.classes"]
    assert faults(plain() | {"ranges": [[0.0, 1.0]]}) == ["$.ranges"]


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "$": lambda held: held.update(verdict="good"),
    "$.spec": lambda held: held["spec"].update(device="cpu"),
    "$.spec.seed": lambda held: held["spec"].update(seed=-1),
    "$.spec.fold": lambda held: held["spec"].update(fold=True),
    "$.spec.source_sha256": lambda held: held["spec"].update(source_sha256="abc"),
    "$.spec.windowing.average": lambda held: held["spec"]["windowing"].update(average="median"),
    "$.status": lambda held: held.update(status="won"),
    "$.metrics.accuracy": lambda held: held["metrics"].update(accuracy="0.75"),
    "$.metrics": lambda held: held.update(metrics={}),
    "$.seconds.train": lambda held: held["seconds"].update(train=-1),
    "$.classes": lambda held: held.update(classes=["a", "a"]),
    "$.kind": lambda held: held.update(kind=""),
    "$.n_clips": lambda held: held["n_clips"].pop("train"),
    "$.history[0].loss": lambda held: held["history"][0].update(loss="low"),
    "$.environment": lambda held: held["environment"].update(user="somebody"),
    "$.files": lambda held: held["files"].update({"notes.txt": "ab" * 32}),
    "$.files['scores.npz']": lambda held: held["files"].update({"scores.npz": "ab"}),
    "$.schema_version": lambda held: held.update(schema_version=2),
    "$.reason": lambda held: held.update(reason="because"),
}


@pytest.mark.parametrize("place", CHANGES)
def test_schema_refuses_what_a_record_is_not(place: str) -> None:
    held = copy.deepcopy(plain())
    CHANGES[place](held)
    assert place in faults(held)


@pytest.mark.parametrize("name", SCHEMA["required"])
def test_schema_needs_every_field(name: str) -> None:
    held = plain()
    del held[name]
    assert "$" in faults(held)
