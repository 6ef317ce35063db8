"""Test clips predicted in a process that has no labels and no names: the same numbers, and nothing to peek at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mirbench.errors import BadInput, NotApplicable
from mirbench.plugin_file import load_plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue, Plugin
from mirbench.runs.plan import Request
from mirbench.runs.runner import Outcome, run
from mirbench.runs.store import RunStore
from mirbench.trust.verify import verify
from mirbench.types import Clip

QUIET = Progress(quiet=True)
CLASSES = ("clicks", "noise", "tone")

PLUGIN = '''
import gc, hashlib, os, signal, sys, time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirbench import Clip, Fitted, Split, Task
from mirbench.types import clips_of

CLASSES = ("clicks", "noise", "tone")
SEEN = {"paths": [], "labels": {}}


def read_clips(root, fold):
    files = sorted(root.glob("*/*.wav"))
    assert files
    kind = {"0": "train", "1": "train", "2": "valid", "3": "test", "4": "test"}
    return [Clip(f"{p.parent.name}/{p.stem}", p, kind[p.stem], (p.parent.name,), group=p.parent.name) for p in files]


SONGS = Task(
    "songs", "1", "for tests", "single-label", CLASSES, ("accuracy", "macro-f1"), read_clips, "songs", 15, 1.0,
    manifest=True,
)


def hidden(method, split):
    return [clip.group or (*clip.labels, "")[0] for clip in clips_of(split)]


def path(method, split):
    return [clip.path.parent.name for clip in clips_of(split)]


def name(method, split):
    return [clip.id.partition("/")[0] for clip in clips_of(split)]


def siblings(method, split):
    root = SEEN["paths"][0].parents[1]
    same = {p.read_bytes(): p.parent.name for p in root.glob("*/*.wav")}
    return [same[clip.path.read_bytes()] for clip in clips_of(split)]


def instance(method, split):
    return [method.memory[clip.path.read_bytes()] for clip in clips_of(split)]


def closure(method, split):
    return [SEEN["labels"][clip.path.read_bytes()] for clip in clips_of(split)]


def labelled():
    clips = [c for c in gc.get_objects() if type(c) is Clip and c.labels and c.path and c.path.is_file()]
    return {c.path.read_bytes(): c.labels[0] for c in clips}


def garbage(method, split):
    known = labelled()
    return [known[clip.path.read_bytes()] for clip in clips_of(split)]


def frames(method, split):
    frame = sys._getframe()
    while frame:
        for held in frame.f_locals.values():
            if isinstance(held, Split) and len(held) == len(split) and all(c.labels for c in held.clips):
                return [c.labels[0] for c in held.clips]
        frame = frame.f_back
    return None


def arguments(method, split):
    places = [a for a in (*sys.argv, *os.environ.values(), os.getcwd()) if "songs" in a or "data" in a or "runs" in a]
    same = {p.read_bytes(): p.parent.name for a in places for p in Path(a).rglob("*.wav")}
    return [same[clip.path.read_bytes()] for clip in clips_of(split)]


def records(method, split):
    (held,) = Path.cwd().rglob("clips*.csv")
    rows = [row.split(",") for row in held.read_text().splitlines()]
    column = {word: n for n, word in enumerate(rows[0])}
    label = {row[column["id"]]: row[column["label"]] for row in rows[1:]}
    return [label[clip.id] for clip in clips_of(split)]


def order(method, split):
    return [CLASSES[n * len(CLASSES) // len(split)] for n in range(len(split))]


def dates(method, split):
    """Whoever was written one after another is told apart by inodes and dates."""
    for of in (lambda s: s.st_ino, lambda s: s.st_mtime_ns):
        rank = np.argsort(np.argsort([of(clip.path.stat()) for clip in clips_of(split)]))
        yield [CLASSES[n * len(CLASSES) // len(split)] for n in rank]


def links(method, split):
    assert max(clip.path.stat().st_nlink for clip in clips_of(split)) == 1
    return None


WAYS = {f.__name__: f for f in (hidden, path, name, siblings, instance, closure, garbage, frames, arguments, records)}


@dataclass(frozen=True)
class Peek:
    way: str = "path"
    name, version, needs = "peek", "1", ()

    def fit(self, train, valid, context, *, seed):
        SEEN["paths"] = [clip.path for clip in train.clips]
        SEEN["labels"] = labelled()
        object.__setattr__(self, "memory", SEEN["labels"])
        return Fitted(self.restore({}, train.blind(), context), 0, {"k": np.zeros(1)})

    def restore(self, state, split, context):
        def predict(split):
            scores = np.zeros((len(split), 3), dtype=np.float32)
            said = self.look(split)
            scores[np.arange(len(split)), [CLASSES.index(word) for word in said]] = 1
            return scores

        return predict

    def look(self, split):
        try:
            said = WAYS[self.way](self, split)
        except Exception:
            said = None
        return said if said and set(said) <= set(CLASSES) else [CLASSES[0]] * len(split)


@dataclass(frozen=True)
class Listing:
    how: str = "order"
    name, version, needs = "listing", "1", ()

    def fit(self, train, valid, context, *, seed):
        return Fitted(self.restore({}, train.blind(), context), 0, {"k": np.zeros(1)})

    def restore(self, state, split, context):
        def predict(split):
            found = {"order": lambda: order(self, split), "inode": lambda: list(dates(self, split))[0],
                     "date": lambda: list(dates(self, split))[1]}[self.how]()
            scores = np.zeros((len(split), 3), dtype=np.float32)
            scores[np.arange(len(split)), [CLASSES.index(word) for word in found]] = 1
            return scores

        return predict


@dataclass(frozen=True)
class Ends:
    how: str = "kill"
    name, version, needs = "ends", "1", ()

    def fit(self, train, valid, context, *, seed):
        return Fitted(lambda split: 1 / 0, 0, {"k": np.zeros(1)})

    def restore(self, state, split, context):
        def predict(split):
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "leave":
                os._exit(0)
            if self.how == "exit":
                exit()
            if self.how == "raise":
                raise ValueError("the moon is full\\nand more")
            if self.how == "wrong":
                return np.full((len(split), 7), 0.5)
            if self.how == "list":
                return [[0.5] * 3] * len(split)
            if self.how == "pickle":
                return np.full((len(split), 3), None)
            print("pid", os.getpid(), flush=True)
            time.sleep(600)

        return predict


@dataclass(frozen=True)
class NoRestore:
    name, version, needs = "no-restore", "1", ()

    def fit(self, train, valid, context, *, seed):
        raise AssertionError("nothing is begun")
'''


@pytest.fixture
def songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Five clips of one second of each of three classes, named by their class, and methods that look at all but it."""
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / "data" / "songs" / name).mkdir(parents=True)
        for number in range(5):
            sound = rng.normal(size=16_000) * {"clicks": 0.01, "noise": 0.05, "tone": 0.2}[name]
            soundfile.write(tmp_path / "data" / "songs" / name / f"{number}.wav", sound, 16_000)
    (tmp_path / "plugin.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    return Catalogue([load_plugin(tmp_path / "plugin.py")], tmp_path / "data")


def do(folder: Path, catalogue: Catalogue, method: str, progress: Progress = QUIET, **changes: Any) -> Outcome:
    request = Request("songs", method, seeds=(0,), data=folder / "data", runs=folder / "runs", device="cpu")
    (outcome,) = run(replace(request, **changes), catalogue, progress)
    return outcome


def sealed(folder: Path, catalogue: Catalogue, method: str, **changes: Any) -> Outcome:
    return do(folder, catalogue, method, runs=folder / "elsewhere" / "runs", sealed=True, **changes)


WAYS = ("hidden", "path", "name", "siblings", "instance", "closure", "garbage", "frames", "records")
BLIND_ANYHOW = ("hidden",)  # a blind split holds no labels in any process


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if way not in BLIND_ANYHOW])
def test_way_to_peek_works_where_the_labels_are(way: str, tmp_path: Path, songs: Catalogue) -> None:
    record = do(tmp_path, songs, "peek", params={"way": way}).record
    assert (record.reason, record.metrics.get("accuracy")) == ("", 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("way", [*WAYS, "arguments"])
def test_each_way_to_peek_is_chance_in_a_sealed_process(way: str, tmp_path: Path, songs: Catalogue) -> None:
    record = sealed(tmp_path, songs, "peek", params={"way": way}).record
    assert record.status == "done", record.reason
    assert record.metrics["accuracy"] == pytest.approx(1 / 3)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["order", "inode", "date"])
def test_order_in_which_clips_are_listed_or_written_is_not_told(how: str, tmp_path: Path, songs: Catalogue) -> None:
    assert do(tmp_path, songs, "listing", params={"how": how}).record.metrics["accuracy"] == 1.0
    told = sealed(tmp_path, songs, "listing", params={"how": how}).record
    assert told.metrics["accuracy"] < 1.0


@pytest.mark.slow
def test_sealed_run_gives_the_same_scores_and_says_that_it_was_sealed(tmp_path: Path, songs: Catalogue) -> None:
    held = sealed(tmp_path, songs, "probe-linear", source="nano")
    open_one = do(tmp_path, songs, "probe-linear", source="nano")
    afresh = do(tmp_path, songs, "probe-linear", source="nano", runs=tmp_path / "new", cache=tmp_path / "new-cache")
    assert held.record.spec == open_one.record.spec
    assert held.record.environment["sealed"] is True
    assert "sealed" not in open_one.record.environment
    assert held.record.metrics == open_one.record.metrics
    store = RunStore(tmp_path)
    for other in (open_one, afresh):
        assert np.array_equal(store.scores(held.folder).scores, store.scores(other.folder).scores)
    assert list(store.scores(held.folder).clip_ids) == list(store.scores(open_one.folder).clip_ids)
    assert held.record.seconds["features"] == pytest.approx(open_one.record.seconds["features"])  # its rows came back
    assert [case.problems for case in verify(held.folder, songs)] == [[]]


@pytest.mark.parametrize(
    ("method", "source", "why"),
    [("no-restore", "", "cannot be loaded again"), ("probe-linear", "features", "computed elsewhere")],
)
def test_what_cannot_be_sealed_is_refused_before_any_work(
    method: str, source: str, why: str, tmp_path: Path, songs: Catalogue
) -> None:
    np.savez(tmp_path / "f.npz", ids=np.array(["a"]), features=np.zeros((1, 2), dtype=np.float32))
    with pytest.raises(NotApplicable, match=f"--sealed: .*{why}"):
        sealed(tmp_path, songs, method, source=source and f"features:{tmp_path / 'f.npz'}")
    assert not (tmp_path / "elsewhere" / "runs").exists()


def test_runs_on_record_that_were_not_sealed_are_not_passed_over_in_silence(
    tmp_path: Path, songs: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    do(tmp_path, songs, "prior")
    again = do(tmp_path, songs, "prior", Progress(), sealed=True)
    assert again.read_back
    assert "--sealed: 1 of 1 runs were on record, not predicted in a sealed process" in capsys.readouterr().err


def test_sealed_and_deformed_is_one_line_and_exit_code_2(typed) -> None:
    answer = typed(
        "run", "--task", "gtzan-demo", "--method", "probe-linear", "--source", "nano", "--sealed", "--deform", "gain"
    )
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "--sealed: deformed clips" in answer.err


ENDS = {
    "kill": "in the sealed process: it was ended by SIGKILL",
    "leave": "in the sealed process: it ended with exit code 0, without an answer",
    "exit": "in the sealed process: SystemExit",
    "raise": "in the sealed process: ValueError: the moon is full",
    "list": "in the sealed process: TypeError: predict must return a numpy array of numbers, not list",
    "pickle": "in the sealed process: TypeError: predict must return a numpy array of numbers",
    "wrong": "shape",
}


@pytest.mark.parametrize("how", ["kill", *(pytest.param(how, marks=pytest.mark.slow) for how in ENDS if how != "kill")])
@pytest.mark.slow
def test_process_that_ends_badly_is_a_failed_run_with_its_reason(how: str, tmp_path: Path, songs: Catalogue) -> None:
    record = sealed(tmp_path, songs, "ends", params={"how": how}).record
    assert record.status == "failed"
    assert ENDS[how] in record.reason
    assert "\n" not in record.reason


def test_plugin_that_was_changed_meanwhile_is_refused(tmp_path: Path, songs: Catalogue) -> None:
    with (tmp_path / "plugin.py").open("a") as stream:
        stream.write("# another\n")
    with pytest.raises(BadInput, match=r"plugin\.py: it was changed since the command began"):
        sealed(tmp_path, songs, "ends")


SHAPES = {
    "a file": {},
    "a stretch": {"start": 0.25, "duration": 0.5},
    "two levels": {"peaks": (-20.0, 0.0)},
    "a stretch at a level": {"start": 0.5, "peaks": (-6.0,)},
}
METHODS = {
    "prior": {},
    "probe-mlp": {"source": "nano", "params": {"epochs": 3}},
    "layer-mix": {"source": "nano", "params": {"epochs": 2}},
    "finetune": {"source": "nano", "params": {"epochs": 1}},
    "marsyas-forest": {"params": {"n_trees": 10}},
    "ids-nmr": {"source": "nano", "params": {"epochs": 1}},
    "cnn-bs": {"params": {"epochs": 1}},
    "probe-linear": {"source": "nano"},
}
PAIRS = list(zip(METHODS, 2 * list(SHAPES), strict=True))


def shaped(catalogue: Catalogue, **shape: Any) -> Catalogue:
    """The same task, of whose files something is heard: its test clips are the shorter ones."""
    task = catalogue.task("songs")
    whole = task.read_clips

    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        return [
            replace(clip, **{**shape, "duration": shape.get("duration", 0.7 if clip.split == "test" else None)})
            for clip in whole(root, fold)
        ]

    return Catalogue([Plugin("test", "0" * 64, {"songs": replace(task, version="1", read_clips=read_clips)}, {}, {})])


@pytest.mark.slow
@pytest.mark.parametrize(("method", "shape"), PAIRS)
def test_sealed_scores_are_those_of_the_open_run_on_a_fresh_cache(
    method: str, shape: str, tmp_path: Path, songs: Catalogue
) -> None:
    """Each method once, each shape twice: what is heard of a clip is settled before a method is asked."""
    catalogue, how = shaped(songs, **SHAPES[shape]), METHODS[method]
    held = sealed(tmp_path, catalogue, method, cache=tmp_path / "one", **how)
    open_one = do(tmp_path, catalogue, method, cache=tmp_path / "other", **how)
    assert (held.record.reason, open_one.record.reason) == ("", "")
    store = RunStore(tmp_path)
    sealed_scores, open_scores = (store.scores(outcome.folder).scores for outcome in (held, open_one))
    # on some processors convolutions in another process differ in the last digit; on the others these are equal
    np.testing.assert_allclose(sealed_scores, open_scores, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_searched_hyperparameters_are_those_that_predict(tmp_path: Path, songs: Catalogue) -> None:
    how = {"source": "nano", "search": {"C": (1e-6, 1.0)}}
    held, open_one = sealed(tmp_path, songs, "probe-linear", **how), do(tmp_path, songs, "probe-linear", **how)
    assert held.record.chosen == open_one.record.chosen
    store = RunStore(tmp_path)
    assert np.array_equal(store.scores(held.folder).scores, store.scores(open_one.folder).scores)


@pytest.mark.slow
def test_sweep_leaves_out_what_cannot_be_sealed_with_its_reason_and_does_the_rest(
    tmp_path: Path, songs: Catalogue, typed
) -> None:
    (tmp_path / "suite.toml").write_text(
        'title = "two"\n[[run]]\ntask = "songs"\nmethod = "no-restore"\nseeds = "1"\n'
        '[[run]]\ntask = "songs"\nmethod = "prior"\nseeds = "1"\n'
    )
    places = ("--plugin", tmp_path / "plugin.py", "--data", tmp_path / "data", "--runs", tmp_path / "runs")
    answer = typed("sweep", tmp_path / "suite.toml", "--sealed", *places)
    assert answer.code == 1
    assert "skipped: --sealed: no-restore cannot be loaded again" in answer.out.replace("\n", " ")
    ((_, record),) = RunStore(tmp_path / "runs").records()
    assert (record.spec.method, record.environment["sealed"]) == ("prior", True)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_process_ends_with_the_command_however_that_ends(number: int, tmp_path: Path, songs: Catalogue) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [
        sys.executable, "-m", "mirbench", "run", "--plugin", "plugin.py", "--task", "songs", "--data", "data",
        "--method", "ends", "--set", "how=sleep", "--seeds", "1", "--sealed",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "TMPDIR": str(temporary)})
    try:
        pid = 0
        while not pid:
            assert process.poll() is None
            time.sleep(0.1)
            said = [path.read_text() for path in temporary.glob(".writing-*/said.txt")]
            pid = next((int(text.split("pid ")[1]) for text in said if text.endswith("\n") and "pid " in text), 0)
        assert _alive(pid)
        process.send_signal(number)
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    until = time.monotonic() + 20
    while _alive(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _alive(pid)
    if number != signal.SIGKILL:  # of which the next command removes what is left
        assert not list(temporary.iterdir())
    assert not list((tmp_path / "runs").rglob("record.json"))
