"""Records are checked: each way to tamper with one is caught and said in a line; honest ones pass."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.lib import format as npy

from mirbench import metrics
from mirbench.errors import BadInput, MissingExtra
from mirbench.registry import Catalogue
from mirbench.runs import scores_archive
from mirbench.runs.attempt import unfinished
from mirbench.runs.ensemble import combine
from mirbench.runs.plan import Plan
from mirbench.runs.record_file import read_record
from mirbench.runs.scores import target_hashes
from mirbench.runs.store import RunStore
from mirbench.tasks.audit.statistics import committed
from mirbench.trust import loose_files, submission, verify
from mirbench.types import Targets
from tests.benchmark.trust.recorded import TASK, Edit, edit, edit_scores, first, of, problems, put, strict, write

if TYPE_CHECKING:
    from tests.conftest import Answer


def rehashed(held: dict[str, Any]) -> None:
    targets = Targets(held["target_value"], held["target_known"], str(held["target_kind"]))  # type: ignore[arg-type]
    held["target_hashes"] = target_hashes(held["clip_ids"], targets)


def relabelled(held: dict[str, Any]) -> None:
    held["target_value"] = held["target_value"].copy()
    held["target_value"][0] = held["target_value"][0][::-1]


def forged_labels(folder: Path) -> None:
    """Another label, with its hash, the metrics that it gives, and the hash of the file."""
    edit_scores(folder, lambda held: (relabelled(held), rehashed(held)))
    with np.load(folder / "scores.npz") as held:
        targets = Targets(held["target_value"], held["target_known"], "single-label")
        sha256 = hashlib.sha256((folder / "scores.npz").read_bytes()).hexdigest()
        edit(folder, lambda record: record.update(files={"scores.npz": sha256}, metrics=metrics.evaluate(
            tuple(record["metrics"]), held["scores"], targets)))  # fmt: skip


def with_pickle(folder: Path) -> None:
    def change(held: dict[str, Any]) -> None:
        held["clip_ids"] = held["clip_ids"].astype(object)

    edit_scores(folder, change)


def with_header(folder: Path, shape: tuple[int, ...]) -> None:
    """Scores whose header promises more than there is."""
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(folder / "scores.npz", "w") as held:
        held.writestr("scores.npy", stream.getvalue() + bytes(8))


def with_member(folder: Path, name: str) -> None:
    with zipfile.ZipFile(folder / "scores.npz", "a") as held:
        held.writestr(name, b"1")


def cut(folder: Path) -> None:
    path = folder / "scores.npz"
    path.write_bytes(path.read_bytes()[:500])


def fresh(name: str, make: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda folder: edit_scores(folder, lambda held: held.update({name: make(held[name])}))


def set_(**fields: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder, lambda held: held.update(fields))


def text(change: Callable[[str], str]) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        path = folder / "record.json"
        path.write_text(change(path.read_text()))

    return tamper


def off_by(name: str, by: float) -> Callable[[Path], None]:
    return lambda folder: edit(folder, lambda held: held["metrics"].update({name: held["metrics"][name] + by}))


TAMPERED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a digit of a metric": (off_by("accuracy", 1e-6), "accuracy is .* on record and .* by its scores"),
    "a class of a metric": (
        lambda f: edit(f, lambda held: held["metrics"]["f1-per-class"].reverse()), "f1-per-class in 2 of 2 places"),
    "a metric made undefined": (
        lambda f: edit(f, lambda held: held["metrics"].update({"roc-auc": None})), "roc-auc is undefined on record"),
    "a metric made a text": (
        lambda f: edit(f, lambda held: held["metrics"].update(accuracy="best")), "accuracy is .best., which is not a"),
    "a metric left out": (lambda f: edit(f, lambda held: held["metrics"].pop("accuracy")), "its metrics are not those"),
    "a metric of its own": (
        lambda f: edit(f, lambda held: held["metrics"].update(glory=1.0)),
        "has a metric called glory, which this mirbench does not know",
    ),
    "a confusion": (
        lambda f: edit(f, lambda held: held["metrics"]["confusion"][0].reverse()), "confusion in 2 of 4 places"),
    "a count of classes": (lambda f: edit(f, lambda held: held["n_scored"].update({"roc-auc": 9})), "n_scored is"),
    "a score": (put("scores", 0, [0.999, 0.001]), "on record and .* by its scores"),
    "a score that is none": (put("scores", (0, 0), np.nan), "1 of 278 predictions are not finite"),
    "a score above 1": (put("scores", (0, 0), 1.5), "probabilities in .0, 1. are needed"),
    "a label": (lambda f: edit_scores(f, relabelled), "id or labels of 1 clips are not those hashed"),
    "a label with its hash": (
        lambda f: edit_scores(f, lambda held: (relabelled(held), rehashed(held))), "on record and .* by its scores"),
    "two labels": (put("target_value", 0, 1.0), "has not exactly one class"),
    "half a label": (put("target_value", 0, 0.5), "has not exactly one class"),
    "a label that is none": (put("target_value", 0, np.nan), "a label is not between 0 and 1"),
    "a hash": (put("target_hashes", 0, b"0" * 16), "are not those hashed"),
    "an id": (put("clip_ids", 0, "x"), "are not those hashed"),
    "an id twice": (lambda f: edit_scores(f, lambda h: h["clip_ids"].put(0, h["clip_ids"][1])), "is there twice"),
    "a clip less": (fresh("scores", lambda x: x[1:]), "predictions have shape .138, 2."),
    "a column less": (fresh("scores", lambda x: x[:, 1:]), "predictions have shape"),
    "another type": (fresh("scores", lambda x: x.astype(np.float64)), "scores is an array of float64"),
    "a class": (set_(classes=["bach", "mozart"]), "its classes are not those of"),
    "the kind": (set_(kind="multi-label"), "is multi-label on record and single-label"),
    "the standing": (set_(standing="excerpt"), "standing is excerpt on record"),
    "the number of folds": (set_(n_folds=5), "n_folds is 5 on record"),
    "the number of clips": (
        lambda f: edit(f, lambda held: held["n_clips"].update(test=100)), "has 100 test clips on record and 139"),
    "the status": (set_(status="failed", reason="no"), "is failed and has metrics and scores"),
    "the seed": (lambda f: edit(f, lambda held: held["spec"].update(seed=9)), "has the key [0-9a-f]{16}; the folder"),
    "a type": (lambda f: edit(f, lambda held: held["spec"].update(seed="0")), "spec.seed is .0., which is not"),
    "a choice": (
        lambda f: edit(f, lambda held: held["spec"]["windowing"].update(average="best")), "not 'prob' or 'logit'"),
    "a field more": (set_(verdict="good"), "not a record"),
    "a field twice": (text(lambda t: t.replace('"status"', '"status": "failed", "status"')), "names 'status' twice"),
    "NaN": (text(lambda t: t.replace('"flops": null', '"flops": NaN')), "NaN is not JSON"),
    "a schema": (set_(schema_version=2), "schema version 2"),
    "broken JSON": (text(lambda t: t[:-20]), "not a record"),
    "deep JSON": (text(lambda t: "[" * 100_000), "nest too deep"),
    "no text": (lambda f: (f / "record.json").write_bytes(b"\xff\xfe"), "not a record"),
    "a cut file of scores": (cut, "scores.npz: not readable as scores"),
    "an empty file of scores": (lambda f: (f / "scores.npz").write_bytes(b""), "scores.npz: not readable as scores"),
    "no scores": (lambda f: (f / "scores.npz").unlink(), "scores.npz: no such file"),
    "a pickle": (with_pickle, "clip_ids is a pickle, which is not read"),
    "a header of 8 TB": (lambda f: with_header(f, (10**12, 2)), "says it has shape .* and holds 8 bytes"),
    "a header of less than nothing": (lambda f: with_header(f, (-1, -2)), "says it has shape"),
    "a path that leads out": (lambda f: with_member(f, "../../evil.npy"), "holds '../../evil', which scores do not"),
    "arrays twice": (
        lambda f: with_member(f, "scores.npy"), "holds 'scores', which scores do not have, or have once"),
    "curves that are none": (lambda f: (f / "deform.json").write_text("{"), "deform.json: not curves"),
}  # fmt: skip


def test_honest_records_hold(honest: Path) -> None:
    assert [(case.problems, case.notes) for case in of(honest)] == [([], []), ([], [])]


def test_honest_records_hold_as_submissions(honest: Path) -> None:
    assert [(case.problems, case.notes) for case in strict(honest)] == [([], []), ([], [])]
    assert list(loose_files.strange_files(honest)) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_caught_in_one_line_and_the_other_record_holds(what: str, runs: Path) -> None:
    tamper, said = TAMPERED[what]
    folder = first(runs)
    tamper(folder)
    found = problems(of(runs))
    assert list(found) == [folder.name], found
    (line,) = found[folder.name]
    assert re.search(said, line), line
    assert "\n" not in line


def test_record_whose_scores_were_packed_anew_is_not_as_it_was_written(runs: Path) -> None:
    edit_scores(first(runs), lambda held: held.update(groups=np.array(["x"] * len(held["groups"]))))
    (line,) = problems(of(runs))[first(runs).name]
    assert line.startswith("scores.npz: is damaged or another one (sha256 ")


def test_record_of_an_earlier_version_holds_with_a_note(runs: Path) -> None:
    edit(first(runs), lambda record: record.pop("files"))
    (case,) = (case for case in of(runs) if case.folder == first(runs))
    assert case.holds
    assert any("without hashes of its files" in note for note in case.notes)


def test_label_forged_with_hash_and_metrics_is_seen_beside_another_record(runs: Path, plan: Plan) -> None:
    write(runs, plan, 2)
    forged_labels(first(runs))
    assert problems(of(runs)) == {
        first(runs).name: ["its test clips or labels differ from those of 2 records of the same fold"]
    }


def test_label_forged_with_hash_and_metrics_is_seen_alone_as_a_submission(plan: Plan, tmp_path: Path) -> None:
    folder = write(tmp_path, plan)
    forged_labels(folder)
    assert problems(of(tmp_path)) == {}
    (line,) = problems(strict(tmp_path))[folder.name]
    assert line.startswith(f"1 clips have labels that {TASK} does not give them")


def test_folder_that_was_renamed_is_caught(runs: Path) -> None:
    first(runs).rename(first(runs).with_name("0" * 16))
    (line,) = problems(of(runs))["0" * 16]
    assert "the folder has another name" in line


def test_folder_of_another_method_is_caught(runs: Path) -> None:
    (runs / TASK / "prior").rename(runs / TASK / "probe-linear+ast")
    assert [case.problems for case in of(runs)] == 2 * [
        [f"belongs into {TASK}/prior, and lies in {TASK}/probe-linear+ast"]
    ]


def test_scores_swapped_between_runs_are_caught_in_both(runs: Path) -> None:
    a, b = sorted(runs.glob("*/*/*/scores.npz"))
    a.rename(a.with_name("c"))
    b.rename(a)
    a.with_name("c").rename(b)
    assert sorted(map(len, problems(of(runs)).values())) == [1, 1]


def test_key_on_record_twice_with_other_scores_is_caught(plan: Plan, tmp_path: Path) -> None:
    folders = [write(tmp_path / name, plan, 0, draw) for draw, name in enumerate(("a", "b"))]
    found = problems([*of(tmp_path)])
    assert [line.split(",")[0] for line in found[folders[0].name]] == [f"the run {folders[0].name} is on record twice"]


def test_arrays_that_unpack_to_too_much_are_not_read(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores_archive, "_MAX_SCORES", 1000)
    assert all("unpacks to more than" in line for lines in problems(of(runs)).values() for line in lines)


def test_run_that_failed_holds(plan: Plan, tmp_path: Path) -> None:
    RunStore(tmp_path).write(replace(unfinished(plan.specs[0], plan), reason="out of memory"))
    assert problems(of(tmp_path)) == {}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("task_version", "0", f"task {TASK} has version 0 on record; this mirbench has 1"),
        ("method_version", "0", "method prior has version 0 on record; this mirbench has"),
    ],
)
def test_other_version_is_a_note(field: str, value: str, said: str, plan: Plan, tmp_path: Path) -> None:
    changed = replace(plan, specs=(replace(plan.specs[0], **{field: value}),))
    write(tmp_path, changed)
    (case,) = of(tmp_path)
    assert case.holds
    assert case.notes[0].startswith(said)


def test_path_in_a_record_is_not_looked_up(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = replace(plan.specs[0], task="folder:/etc", source="hf:somebody/something", method="plugin:x")
    write(tmp_path, replace(plan, specs=(spec,)))
    monkeypatch.setattr(Catalogue, "_look_up", lambda *_: pytest.fail("looked up"))
    (case,) = of(tmp_path)
    assert [note.split(" is a path")[0] for note in case.notes] == [
        "task folder:/etc", "method plugin:x", "source hf:somebody/something"
    ]  # fmt: skip


def test_search_needs_its_trials_and_the_best_of_them(plan: Plan, tmp_path: Path) -> None:
    trials = [{"params": {"x": x}, "valid_score": score, "seconds": 0.1} for x, score in ((1, 0.5), (2, 0.7))]
    specs = (replace(plan.specs[0], search={"x": [1, 2]}),)
    folder = write(tmp_path, replace(plan, specs=specs), trials=trials, chosen={"x": 2})
    assert problems(of(tmp_path)) == {}
    edit(folder, lambda held: held.update(chosen={"x": 1}))
    assert problems(of(tmp_path))[folder.name] == ["chosen is {'x': 1}; {'x': 2} was best on valid"]
    edit(folder, lambda held: held["trials"].pop())
    assert problems(of(tmp_path))[folder.name] == ["its trials are not the 2 points of its search"]


@pytest.mark.parametrize("average", ["prob", "rank"])
def test_ensemble_holds_with_its_members(average: str, runs: Path) -> None:
    combine(RunStore(runs), [path.name for path in sorted(runs.glob("*/prior/*"))], average, (1.0, 3.0))
    assert [(case.problems, case.notes) for case in of(runs)] == 3 * [([], [])]


def test_ensemble_that_is_no_average_is_caught(runs: Path, plan: Plan) -> None:
    made = combine(RunStore(runs), [path.name for path in sorted(runs.glob("*/prior/*"))])
    spec = made.outcomes[0].record.spec
    write(runs, replace(plan, specs=(spec,)), 0, draw=7)
    found = problems(of(runs))
    assert list(found) == [spec.key]
    assert any("away from the average of its members" in line for line in found[spec.key])


def test_ensemble_without_a_member_is_noted_and_no_submission(runs: Path) -> None:
    made = combine(RunStore(runs), [path.name for path in sorted(runs.glob("*/prior/*"))])
    shutil.rmtree(sorted(runs.glob("*/prior/*"))[0])
    cases = of(runs)
    noted = {case.folder.name: case.notes for case in cases if case.notes}
    assert list(noted) == [made.outcomes[0].record.spec.key]
    assert "1 of 2 members are not here" in noted[made.outcomes[0].record.spec.key][0]
    submission.lacking_members(cases)
    assert problems(cases) == {made.outcomes[0].record.spec.key: ["1 of its 2 members are not sent with it"]}


# as submissions


STRANGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a program": (lambda f: (f / "run.sh").write_text("rm"), "is no file of a record"),
    "a pickle": (lambda f: (f / "model.pkl").write_bytes(b""), "is no file of a record"),
    "a folder": (lambda f: (f / "more").mkdir(), "is a folder where a submission has none"),
    "a hidden folder": (lambda f: (f.parent / ".git").mkdir(), "is a folder where"),
    "a link": (lambda f: (f / "deform.json").symlink_to("/etc/passwd"), "is a link or no plain file"),
    "a linked folder": (lambda f: (f.parent / "0").symlink_to("/etc"), "is a link"),
    "an executable": (lambda f: (f / "record.json").chmod(0o755), "is executable"),
    "no record": (lambda f: (f / "record.json").unlink(), "has no record.json"),
    "a file above": (lambda f: (f.parents[2] / "setup.py").write_text(""), "is no file of a record"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_strange_file_is_found(what: str, runs: Path) -> None:
    tamper, said = STRANGE[what]
    tamper(first(runs))
    assert [fault.startswith(said) for _, fault in loose_files.strange_files(runs)] == [True]


def test_file_that_is_too_large_is_found(runs: Path) -> None:
    with (first(runs) / "model.safetensors").open("wb") as stream:
        stream.truncate(101 * 2**20)
    assert [fault for _, fault in loose_files.strange_files(runs)] == ["is larger than 100 MB"]


def test_folder_of_a_task_or_a_method_holds_nothing_strange(honest: Path) -> None:
    record = next(honest.glob("*/*/*/record.json")).parent
    for folder in (record, record.parent, record.parent.parent, honest):
        assert list(loose_files.strange_files(folder)) == []


def test_usual_files_are_not_strange(runs: Path) -> None:
    for path in (runs / "README.md", runs / "leaderboard.md", runs / TASK / "clips-1.csv", first(runs) / "deform.json"):
        path.write_text("")
    assert list(loose_files.strange_files(runs)) == []


REFUSED: dict[str, tuple[Edit, str]] = {
    "own data": (lambda spec: spec.update(task="folder:songs"), "refused: folder:songs is own data"),
    "a stand-in": (lambda spec: spec.update(task=f"{TASK}-demo"), f"{TASK}-demo is a synthesised stand-in"),
    "an unknown task": (lambda spec: spec.update(task="songs"), "refused: songs is own data"),
    "an unknown version": (lambda spec: spec.update(task_version="0"), "refused: version 0; this mirbench has 1"),
    "a setting that there is not": (lambda spec: spec.update(params={"x": 1}), "is not what can be asked"),
}


def respecified(root: Path, plan: Plan, change: Edit) -> Path:
    """A record of its own key whose spec was changed."""
    folder = write(root, plan)
    edit(folder, lambda held: change(held["spec"]))
    record = next(RunStore(root).records())[1]
    new = RunStore(root).folder(record.spec)
    new.parent.mkdir(parents=True, exist_ok=True)
    return folder.rename(new)


@pytest.mark.parametrize("what", REFUSED)
def test_submission_is_refused(what: str, plan: Plan, tmp_path: Path) -> None:
    change, said = REFUSED[what]
    folder = respecified(tmp_path, plan, change)
    assert any(said in line for line in problems(strict(tmp_path))[folder.name])


def test_own_data_is_refused_in_one_line_that_says_what_to_do(plan: Plan, tmp_path: Path) -> None:
    respecified(tmp_path, plan, lambda spec: spec.update(task="folder:songs"))
    (case,) = strict(tmp_path)
    assert [line for line in (*case.problems, *case.notes) if "folder:songs" in line] == [
        "refused: folder:songs is own data, which nobody else can check (--allow-own: for consistency alone)"
    ]


@pytest.mark.parametrize("task", ["folder:songs", "songs"])
def test_own_data_is_checked_for_consistency_where_that_is_allowed(task: str, plan: Plan, tmp_path: Path) -> None:
    respecified(tmp_path, plan, lambda spec: spec.update(task=task))
    assert problems(strict(tmp_path, allow_own=True)) == {}


UNDER_A_NAME_OF_OURS: dict[str, Edit] = {
    "method prior": lambda spec: spec.update(method_version="1+0123456789ab"),
    "task composer-maestro+shots10": lambda spec: spec.update(task=f"{TASK}+shots10", task_version="1+0123456789ab"),
    "source nano": lambda spec: spec.update(source="nano", source_version="2+0123456789ab"),
    "source timm:resnet18": lambda spec: spec.update(source="timm:resnet18", source_version="1+0123456789ab"),
}


@pytest.mark.parametrize("what", UNDER_A_NAME_OF_OURS)
def test_record_of_a_plugin_under_a_name_of_ours_does_not_hold(what: str, plan: Plan, tmp_path: Path) -> None:
    """As mirbench up to 0.4.0 recorded one: the hash in its version is all that tells it from the real one."""
    folder = respecified(tmp_path, plan, UNDER_A_NAME_OF_OURS[what])
    for found in (of(tmp_path), strict(tmp_path)):
        assert any(line.startswith(f"its {what} is a plugin (version ") for line in problems(found)[folder.name])


def test_record_of_a_plugin_with_a_name_of_its_own_holds(plan: Plan, tmp_path: Path) -> None:
    respecified(tmp_path, plan, lambda spec: spec.update(method="mine", method_version="1+0123456789ab"))
    assert problems(of(tmp_path)) == {}


SAID_WRONG: dict[str, tuple[Edit, str]] = {
    "a flag": (lambda held: held.update(contaminated=["maestro"]), "contaminated is ['maestro'] on record and [] by"),
    "a change": (lambda held: held.update(changed={"C": 2}), "changed is {'C': 2} on record and {} by its cards"),
    "a count": (lambda held: held["n_clips"].update(train=5000), "n_clips is"),
}


@pytest.mark.parametrize("what", SAID_WRONG)
def test_submission_that_says_of_itself_what_is_not_so_is_refused(what: str, runs: Path) -> None:
    change, said = SAID_WRONG[what]
    edit(first(runs), change)
    (line,) = problems(strict(runs))[first(runs).name]
    assert line.startswith(said)


def test_groups_that_are_not_the_tasks_own_are_refused(runs: Path) -> None:
    fresh("groups", lambda groups: np.full(len(groups), "one"))(first(runs))
    (line,) = problems(strict(runs))[first(runs).name]
    assert "have a group that composer-maestro does not give them" in line


def test_clips_that_are_left_out_are_refused(runs: Path) -> None:
    folder = first(runs)
    names = ("clip_ids", "groups", "scores", "target_value", "target_known", "target_hashes")
    edit_scores(folder, lambda held: held.update({name: held[name][3:] for name in names}))
    with np.load(folder / "scores.npz") as held:
        targets = Targets(held["target_value"], held["target_known"], "single-label")
        found = metrics.evaluate(tuple(json.loads((folder / "record.json").read_text())["metrics"]),
                                 held["scores"], targets)  # fmt: skip
    edit(folder, lambda record: (record.update(metrics=found), record["n_clips"].update(test=136)))
    assert any("it lacks 3 (first:" in line for line in problems(strict(runs))[folder.name])


class Away(Catalogue):
    """A catalogue whose task cannot list its clips."""

    def task(self, name: str) -> Any:
        def read_clips(root: Path | None, fold: int) -> Any:
            raise BadInput("its clips are known only from its folder")

        return replace(super().task(name), read_clips=read_clips)


def test_labels_are_compared_with_the_committed_hash_where_they_are_not_here(runs: Path) -> None:
    assert problems(strict(runs, Away())) == {}
    forged_labels(first(runs))
    assert (
        f"its test clips, labels or groups are not those of {TASK}, fold 0"
        in (problems(strict(runs, Away()))[first(runs).name])
    )


def test_labels_that_nothing_here_knows_cannot_be_verified(runs: Path) -> None:
    catalogue = Away()
    found = verify.verify(runs, catalogue, None, submission.Submission(catalogue, lambda name: None))
    assert all("cannot be verified: the labels" in case.problems[0] for case in found)


def test_model_that_is_none_is_refused(runs: Path) -> None:
    (first(runs) / "model.safetensors").write_bytes(b"\xff" * 64)
    (line,) = problems(strict(runs))[first(runs).name]
    assert line.startswith("model.safetensors: not readable as a model")


def test_strict_without_jsonschema_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(MissingExtra, match=r"mirbench\[page\]"):
        submission.Submission(Catalogue(), committed)


# typed


def test_command_says_what_holds(honest: Path, typed: Callable[..., Answer]) -> None:
    answer = typed("verify", honest, "--quiet")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[0] == "2 records: 2 hold, 0 do not."
    assert "consistent, which is not to say true" in answer.out.splitlines()[-1]


def test_command_has_a_line_a_problem_and_fails(runs: Path, typed: Callable[..., Answer]) -> None:
    off_by("accuracy", 0.1)(first(runs))
    answer = typed("verify", runs, "--quiet")
    assert answer.code == 1
    assert answer.out.splitlines()[0].startswith(f"{first(runs)}: accuracy is ")
    assert answer.out.splitlines()[1] == "2 records: 1 hold, 1 do not."


def test_command_as_for_a_submission_names_what_is_claimed(honest: Path, typed: Callable[..., Answer]) -> None:
    answer = typed("verify", "--strict", honest, "--quiet")
    assert (answer.code, answer.out.splitlines()[1]) == (0, submission.CLAIMED)


def test_command_refuses_a_submission_with_a_strange_file(runs: Path, typed: Callable[..., Answer]) -> None:
    (first(runs) / "run.sh").write_text("")
    answer = typed("verify", "--strict", runs, "--quiet")
    assert (answer.code, answer.out.splitlines()[0]) == (1, f"{first(runs) / 'run.sh'}: is no file of a record")


@pytest.mark.parametrize("level", range(4))
def test_command_says_once_what_it_says_of_every_record(
    level: int, plan: Plan, tmp_path: Path, typed: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the folder of all, of a task, of a system, and of one run, from elsewhere and from inside."""
    for seed in range(3):
        folder = write(tmp_path, plan, seed)
        edit(folder, lambda held: held["spec"].update(task=f"{TASK}-demo"))
        new = RunStore(tmp_path).folder(read_record(folder / "record.json").spec)
        new.parent.mkdir(parents=True, exist_ok=True)
        folder = folder.rename(new)
    for empty in (tmp_path / TASK / "prior", tmp_path / TASK):
        empty.rmdir()
    place = [folder, *folder.parents][3 - level]
    monkeypatch.chdir(place)
    for named in (place, "."):
        answer = typed("verify", "--strict", named, "--quiet")
        refused = [line for line in answer.out.splitlines() if "is a synthesised stand-in" in line]
        assert (answer.code, len(refused), len(answer.out.splitlines())) == (1, 1, 5)  # it is no full task either
        assert ("3 records: refused: " in refused[0]) == (level < 3)


def test_command_prints_no_control_characters_of_a_record(runs: Path, typed: Callable[..., Answer]) -> None:
    edit(first(runs), lambda held: held.update(kind="\x1b[2J\n::error::"))
    answer = typed("verify", runs, "--quiet")
    assert answer.code == 1
    assert "\x1b" not in answer.out
    assert not any(line.startswith("::") for line in answer.out.splitlines())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "nowhere: no such folder"),
        ((".",), "no records in it"),
        (("/",), "/: holds all that is on this machine; name the folder"),
        ((".", "--only", "all"), "--only is about runs that are repeated: add --rerun"),
        ((".", "--as", "csv:a=csv:a.csv"), "--as is about runs that are repeated: add --rerun"),
        ((".", "--strict", "--as", "csv:a=csv:a.csv"), "of own data with --allow-own: leave --as out, or add --rerun"),
        ((".", "--allow-own"), "--allow-own is about submissions: add --strict"),
    ],
)
def test_command_refuses_bad_input(words: tuple[str, ...], said: str, typed: Callable[..., Answer]) -> None:
    answer = typed("verify", *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_record_that_is_a_link_to_nowhere_does_not_hold(runs: Path, typed: Callable[..., Answer]) -> None:
    folder = first(runs)
    (folder / "record.json").unlink()
    (folder / "record.json").symlink_to("nowhere")
    answer = typed("verify", runs, "--quiet")
    assert answer.code == 1
    assert "record.json: not to be read" in answer.out


def test_stores_of_two_people_merge_by_copying(
    honest: Path, plan: Plan, tmp_path: Path, typed: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {name: tmp_path / name for name in ("one", "mine", "theirs")}
    for seed, owner in ((0, "mine"), (1, "theirs"), (2, "theirs")):
        write(places[owner] / "runs", plan, seed)
        write(places["one"] / "runs", plan, seed)
    shutil.copytree(places["theirs"] / "runs", places["mine"] / "runs", dirs_exist_ok=True)
    answers = []
    for name in ("one", "mine"):
        monkeypatch.chdir(places[name])
        answers.append((typed("verify", "--strict", "--quiet"), typed("leaderboard")))
    assert answers[0] == answers[1]
    assert answers[0][0].out.startswith("3 records: 3 hold")
