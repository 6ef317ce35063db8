"""What runs share is made before any of them: after that no run computes a row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirbench.features.extraction import Extraction
from mirbench.methods import METHODS as CLASSES
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.limits import Limits
from mirbench.runs.pieces import pieces_of
from mirbench.runs.prepare import divide_rows, prepare
from mirbench.runs.suite import Suite, read_suite
from mirbench.runs.sweep import run_suite
from tests.benchmark.runs.test_sweep import BEEPS, cells

if TYPE_CHECKING:
    from tests.conftest import Answer

QUIET = Progress(quiet=True)
SHORT = {"epochs": 1, "n_trees": 5, "n_words": 8, "n_sampled": 64, "queries": 100, "population": 4}
QUICK = ("prior", "probe-linear", "layer-mix", "ids-nmr", "mfcc-codebook")
OF_WINDOWS = ("cnn-bs", *(name for name, entry in CLASSES.items() if "taggers" in entry.target))
"""Methods that train a network of their own on whole windows, for which a clip a class is enough."""
METHODS = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in sorted(Catalogue().names("method"))
]

OWN = '''
from dataclasses import dataclass, replace
import numpy as np
from mirbench.method import Fitted

def _read_few(root, fold):
    return [clip for clip in _read(root, fold) if clip.id[-1] in "047"]

FEW = replace(BEEPS, name="few", read_clips=_read_few, folder="few", n_clips=9)

@dataclass(frozen=True)
class Plain:
    """Says nothing of what it reads."""
    word: str = "plain"
    name, version, needs = "plain", "1", ("frontend", "pooled")

    def fit(self, train, valid, context, *, seed):
        context.source.pooled(train), context.source.pictures(valid)
        def predict(split):
            context.source.pooled(split), context.source.pictures(split)
            return np.full((len(split), len(split.classes)), 0.5, dtype=np.float32)
        return Fitted(predict, n_trainable=0)

@dataclass(frozen=True)
class Deep(Plain):
    name, version, needs = "deep", "1", ("layers",)

@dataclass(frozen=True)
class Odd(Plain):
    name, version = "odd", "1"
    def reads(self, split, part, context):
        raise RuntimeError("the moon is full")

@dataclass(frozen=True)
class Spoils(Plain):
    name, version = "spoils", "1"
    def reads(self, split, part, context):
        context.source.pooled(split)
        next(context.source.network.parameters()).add_(1.0)
'''


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each pass computed that was kept."""
    counts: list[int] = []
    fill = Extraction.fill

    def counted(self: Extraction, stores: Any, keys: Any, *more: Any) -> None:
        counts.append(len(keys))
        fill(self, stores, keys, *more)

    monkeypatch.setattr(Extraction, "fill", counted)
    return counts


def suite_of(text: str, folder: Path, catalogue: Catalogue) -> Suite:
    path = folder / "suite.toml"
    path.write_text(text)
    return read_suite(str(path), catalogue, {"runs": folder / "runs", "cache": folder / "cache"})


@pytest.fixture
def beeps(tmp_path: Path) -> Catalogue:
    """Tasks of 24 and of 9 clips of two seconds that are synthesised, and methods that say little of what they read."""
    from mirbench.plugin_file import load_plugin

    (tmp_path / "beeps.py").write_text(BEEPS + OWN)
    return Catalogue([load_plugin(tmp_path / "beeps.py")])


def settings(method: str, catalogue: Catalogue) -> str:
    from dataclasses import fields

    names = {field.name for field in fields(catalogue.method(method))}  # type: ignore[arg-type]
    return ", ".join(f"{name} = {value}" for name, value in SHORT.items() if name in names)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.slow
def test_prepared_run_computes_no_row(method: str, beeps: Catalogue, tmp_path: Path, computed: list[int]) -> None:
    task = "few" if method in OF_WINDOWS else "beeps"
    text = f"[[run]]\ntask = '{task}'\nmethod = '{method}'\nsource = 'nano'\nseeds = 1\n"
    suite = suite_of(text + f"set = {{ {settings(method, beeps)} }}", tmp_path, beeps)
    (ready,) = prepare(suite, beeps, QUIET, Limits())
    assert sum(map(len, ready.there.values())) == 0
    reads = method not in {"prior", "zero-shot"}  # nano's sounds are none of the task's: zero-shot is skipped
    assert (sum(map(len, ready.computed.values())) > 0) == (sum(computed) > 0) == reads
    n_passes = len(computed)
    (again,) = prepare(suite, beeps, QUIET, Limits())
    assert (again.there, again.note) == (ready.computed, ready.note)
    (result,) = run_suite(suite, beeps, QUIET)
    assert result.complete or "names no sounds" in result.why, result.why
    assert len(computed) == n_passes


@pytest.mark.parametrize(("name", "says"), [("plain", ""), ("deep", "layers and pictures are computed when it runs")])
@pytest.mark.slow
def test_method_that_does_not_say_what_it_reads_is_taken_to_read_what_it_needs(
    name: str, says: str, beeps: Catalogue, tmp_path: Path, computed: list[int]
) -> None:
    suite = suite_of(f"[[run]]\ntask = 'beeps'\nmethod = '{name}'\nsource = 'nano'\nseeds = 1\n", tmp_path, beeps)
    (ready,) = prepare(suite, beeps, QUIET, Limits())
    assert ready.note.startswith(says)
    n_passes = len(computed)
    (result,) = run_suite(suite, beeps, QUIET)
    assert (result.complete, len(computed) == n_passes) == (True, name == "plain")


@pytest.mark.slow
def test_rows_that_a_search_reads_are_those_of_every_point(
    beeps: Catalogue, tmp_path: Path, computed: list[int]
) -> None:
    text = "task = 'beeps'\nmethod = 'ids-nmr'\nsource = 'nano'\nseeds = 1\nset = { epochs = 1 }\n"
    suite = suite_of(f"[[run]]\n{text}search = {{ layer = [0, 1] }}\n", tmp_path, beeps)
    (ready,) = prepare(suite, beeps, QUIET, Limits())
    assert {store.partition("-")[0] for store in ready.computed} == {"layer0", "layer1", "pooled"}
    n_passes = len(computed)
    assert all(result.complete for result in run_suite(suite, beeps, QUIET))
    assert len(computed) == n_passes


@pytest.mark.slow
def test_what_cannot_be_prepared_is_said_and_stops_no_other(beeps: Catalogue, tmp_path: Path) -> None:
    methods = "['odd', 'spoils', 'probe-linear']"
    text = f"[[run]]\ntask = 'beeps'\nmethod = {methods}\nsource = ['nano', 'openl3']\nseeds = 1\n"
    suite = suite_of(text, tmp_path, beeps)
    found = {(r.entry.request.method, r.entry.request.source): r for r in prepare(suite, beeps, QUIET, Limits())}
    assert found["odd", "nano"].note == "failed: RuntimeError: the moon is full"
    assert found["spoils", "nano"].note.startswith("failed: the method changed the shared source nano")
    assert found["odd", "openl3"].note.startswith("skipped: ")
    assert found["probe-linear", "nano"].note == ""
    assert run_suite(suite_of(text.replace(methods, "'probe-linear'"), tmp_path, beeps), beeps, QUIET)[0].complete


def test_rows_are_divided_by_group_so_that_nobody_waits_for_another() -> None:
    catalogue = Catalogue()
    pieces = pieces_of(read_suite("every-method", catalogue, {}), catalogue)
    parts = divide_rows(pieces, catalogue, 3)
    groups = [{piece.group for piece in part} for part in parts]
    assert sorted(piece.key for part in parts for piece in part) == sorted(piece.key for piece in pieces)
    assert sum(map(len, groups)) == len(set.union(*groups)) == len({piece.group for piece in pieces})
    assert divide_rows(pieces[::-1], catalogue, 3) == parts


# The command


@pytest.fixture
def swept(typed: Callable[..., Answer]) -> Callable[..., Answer]:
    Path("beeps.py").write_text(BEEPS + OWN)
    Path("suite.toml").write_text(
        "[[run]]\ntask = 'beeps'\nmethod = ['probe-linear', 'prior']\nsource = 'nano'\nseeds = 2\n"
        "[[run]]\ntask = 'beeps'\nmethod = 'knn'\nsource = 'nano'\nwindows = 'hopped16'\nseeds = 1\n"
    )
    return lambda *words: typed("sweep", "suite.toml", "--plugin", "beeps.py", "--quiet", *words)


@pytest.mark.slow
def test_prepare_says_what_was_there_and_what_it_computed_and_does_no_run(swept: Callable[..., Answer]) -> None:
    first, second = swept("--prepare"), swept("--prepare")
    assert (first.code, first.err, second.code) == (0, "", 0)
    assert sorted(cells(first)) == [
        ["beeps: knn + nano", "0", "24"],
        ["beeps: prior", "0", "0", "nothing to compute"],
        ["beeps: probe-linear + nano", "24", "0"],  # the clips are shorter than a window
    ]
    assert [row[1:3] for row in cells(second)] == [["24", "0"], ["0", "0"], ["24", "0"]]
    assert not list(Path("runs").rglob("record.json"))


@pytest.mark.slow
def test_parts_of_prepare_make_all_ready_between_them(swept: Callable[..., Answer], computed: list[int]) -> None:
    answers = [swept("--prepare", "--part", f"{k}/2") for k in (2, 1)]
    assert [answer.code for answer in answers] == [0, 0]
    n_passes = len(computed)
    assert (swept().code, len(computed), n_passes > 0) == (0, n_passes, True)


def test_prepare_fetches_data_that_lack(swept: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("suite.toml").write_text("[[run]]\ntask = 'gtzan-mini'\nmethod = 'prior'\nseeds = 1\n")
    asked: list[str] = []

    def get(task: Any, root: Path, progress: Progress) -> Path:
        asked.append(task.name)
        return root

    monkeypatch.setattr("mirbench.tasks.archives.get_task", get)
    Path("data").mkdir()
    Path("suite.toml").write_text("[[run]]\ntask = 'gtzan-mini'\nmethod = 'probe-linear'\nsource = 'nano'\nseeds = 1\n")
    answer = swept("--prepare", "--data", "data")
    assert (answer.code, asked, answer.err.count("\n")) == (2, ["gtzan-mini"], 1)  # what was got is nothing


def test_prepare_whose_time_is_over_says_what_is_left(swept: Callable[..., Answer]) -> None:
    answer = swept("--prepare", "--until", "0.000001s")
    assert (answer.code, [row[3] for row in cells(answer)]) == (
        75, ["left for lack of time", "left for lack of time", "left for lack of time"],
    )  # fmt: skip
