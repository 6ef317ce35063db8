"""Suites and sweeps: what a file asks for, what is refused, and that nothing stops the other entries."""

from __future__ import annotations

import json
import math
import re
import weakref
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from mirbench.errors import BadInput, BrokenInstallation, MissingExtra
from mirbench.method import Fitted
from mirbench.methods.sources import cards
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs import sweep
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.runs.store import RunStore
from mirbench.runs.suite import Suite, read_suite
from mirbench.runs.sweep import Result, as_demo, quick, run_suite
from mirbench.source import SourceCard, WeightFile
from mirbench.trust import checks
from mirbench.types import Task, Windowing
from tests.conftest import rows_of

if TYPE_CHECKING:
    from tests.conftest import Answer

QUIET = Progress(quiet=True)
SHIPPED = sorted(path.stem for path in (Path(sweep.__file__).parent / "suites").glob("*.toml"))


@dataclass(frozen=True)
class Even:
    """Scores every class the same, and remembers which of its models are alive."""

    lr: float = 0.1
    size: int = 1
    word: str = "a"
    flag: bool = False

    name, version, needs = "even", "1", ()
    alive: ClassVar[weakref.WeakSet[Any]] = weakref.WeakSet()
    most_alive: ClassVar[int] = 0
    mood: ClassVar[Exception | None] = None

    def fit(self, train, valid, context, *, seed):
        if Even.mood and self.word == "moody":
            raise Even.mood
        model = type("Model", (), {})()
        Even.alive.add(model)
        Even.most_alive = max(Even.most_alive, len(Even.alive))

        def predict(split, model=model):
            return np.full((len(split), len(split.classes)), 0.5, dtype=np.float32)

        return Fitted(predict, n_trainable=0)


@dataclass(frozen=True)
class Ear(Even):
    """The same, of a source."""

    name, needs = "ear", ("pooled",)


AWAY = SourceCard(
    "away", "weights that are nowhere", "network", ("frontend", "body", "pooled"), "mirbench.nowhere:build",
    16_000, 1.0, weights=(WeightFile("away.pth", "file:///nowhere/away.pth", "0" * 64, 1),),
)  # fmt: skip
DEAF = replace(AWAY, name="deaf", offers=("frontend",))
GONE = replace(AWAY, name="gone", weights=(), hub="nobody/gone")


@pytest.fixture(scope="module")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Task]:
    """The data root of the tiny task, which no test changes, and the task."""
    root = tmp_path_factory.mktemp("data")
    (root / "tiny").mkdir()
    return root, checks.tiny_task(root / "tiny")[0].task


@pytest.fixture
def catalogue(tmp_path: Path, tiny_data: tuple[Path, Task]) -> Catalogue:
    Even.alive.clear()
    Even.most_alive, Even.mood = 0, None
    (tmp_path / "data").symlink_to(tiny_data[0])
    task = tiny_data[1]
    tasks = {"tiny": task, "absent": replace(task, name="absent", read_clips=_absent)}
    return Catalogue(
        [Plugin("test", "0" * 64, tasks, {"even": Even, "ear": Ear}, {c.name: c for c in (AWAY, DEAF, GONE)})]
    )


def _absent(root: Path | None, fold: int) -> Any:
    from mirbench.errors import MissingData

    raise MissingData("absent: its clips are not here")


def read(text: str, tmp_path: Path, catalogue: Catalogue, **circumstance: Any) -> Suite:
    path = tmp_path / "suite.toml"
    path.write_text(text, encoding="utf-8")
    folders = {"data": tmp_path / "data", "runs": tmp_path / "runs"}
    return read_suite(str(path), catalogue, folders | circumstance)


def requests(text: str, tmp_path: Path, catalogue: Catalogue) -> list[Request]:
    return [entry.request for entry in read(text, tmp_path, catalogue).entries]


def one(text: str, tmp_path: Path, catalogue: Catalogue) -> Request:
    """The request of a table with these keys."""
    (found,) = requests(f'[[run]]\ntask = "tiny"\nmethod = "even"\n{text}', tmp_path, catalogue)
    return found


def do(text: str, tmp_path: Path, catalogue: Catalogue) -> list[Result]:
    return run_suite(read(text, tmp_path, catalogue), catalogue, QUIET)


def table(**keys: str) -> str:
    """A table of a run, of Python words that are TOML too."""
    return "[[run]]\n" + "\n".join(f"{key.replace('_', '-')} = {value}" for key, value in keys.items()) + "\n"


TINY = table(task="'tiny'", method="'even'", seeds="2")


# What a file asks for


def test_entry_without_more_is_what_run_would_do(tmp_path: Path, catalogue: Catalogue) -> None:
    expected = Request("tiny", "even", data=tmp_path / "data", runs=tmp_path / "runs")
    assert one("", tmp_path, catalogue) == expected


def test_entry_says_all_that_run_takes(tmp_path: Path, catalogue: Catalogue) -> None:
    text = (
        'seeds = "3-4"\nfold = 0\nwindows = "hopped16"\naverage = "logit"\n'
        "set = { size = 3, flag = true }\nsearch = { lr = [1, 0.5] }"
    )
    found = one(text, tmp_path, catalogue)
    assert (found.seeds, found.folds, found.windowing) == ((3, 4), (0,), Windowing("hopped16", "logit"))
    assert (found.params, found.search) == ({"size": 3, "flag": True}, {"lr": [1.0, 0.5]})
    assert all(type(value) is float for value in found.search["lr"])


@pytest.mark.parametrize(("given", "seeds"), [("2", (0, 1)), ("[3]", (3,)), ("[0, 4]", (0, 4)), ("'1-2'", (1, 2))])
def test_seeds_are_read_as(given: str, seeds: tuple[int, ...], tmp_path: Path, catalogue: Catalogue) -> None:
    assert one(f"seeds = {given}", tmp_path, catalogue).seeds == seeds


def test_lists_are_every_combination_and_sources_are_left_out_where_none_is_needed(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    text = table(task="['tiny', 'gtzan']", method="['even', 'ear']", source="['nano', 'away']")
    found = [(r.task, r.method, r.source) for r in requests(text, tmp_path, catalogue)]
    methods = [("even", ""), ("ear", "nano"), ("ear", "away")]
    assert found == [(task, *method) for task in ("tiny", "gtzan") for method in methods]


def test_defaults_hold_unless_a_run_says_otherwise(tmp_path: Path, catalogue: Catalogue) -> None:
    text = "[defaults]\ntask = 'tiny'\nseeds = 2\nset = { lr = 0.5, size = 2 }\n"
    text += table(method="'even'") + table(method="'even'", seeds="3", set="{ size = 4 }")
    first, second = requests(text, tmp_path, catalogue)
    assert (first.seeds, first.params) == ((0, 1), {"lr": 0.5, "size": 2})
    assert (second.seeds, second.params) == ((0, 1, 2), {"lr": 0.5, "size": 4})


def test_what_is_given_holds_instead_and_runs_that_became_the_same_count_once(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(
        "[defaults]\nfold = 1\n"
        + table(task="['absent', 'gtzan']", method="'even'", seeds="3")
        + table(task="'gtzan'", method="'even'", seeds="4", set="{ lr = 0.5 }")
    )
    given = {"task": ["tiny"], "seeds": "0,2", "fold": 0}
    found = [entry.request for entry in read_suite(str(path), catalogue, {}, given).entries]
    assert [(r.task, r.seeds, r.folds, r.params) for r in found] == [
        ("tiny", (0, 2), (0,), {}),
        ("tiny", (0, 2), (0,), {"lr": 0.5}),
    ]


def test_source_options_are_those_that_run_would_give(tmp_path: Path, catalogue: Catalogue) -> None:
    text = table(task="'tiny'", method="'ear'", source="'ast'", source_set="{ input_norm = 'none' }")
    (found,) = requests(text, tmp_path, catalogue)
    assert found.source_params == dict(Catalogue().source("ast").options) | {"input_norm": "none"}


# Ranges


@pytest.mark.parametrize(
    ("first", "last", "step", "count"),
    [("0.0010", "0.0100", "0.0002", 46), ("0.005", "0.015", "0.001", 11), ("0.0010", "0.0050", "0.0002", 21),
     ("1e-4", "5e-4", "1e-4", 5), ("1", "1", "1", 1)],
)  # fmt: skip
def test_range_holds_the_floats_nearest_to_its_decimals(
    first: str, last: str, step: str, count: int, tmp_path: Path, catalogue: Catalogue
) -> None:
    text = f"search = {{ lr = {{ from = {first}, to = {last}, step = {step} }} }}"
    expected = [float(Fraction(first) + k * Fraction(step)) for k in range(count)]
    assert one(text, tmp_path, catalogue).search["lr"] == expected
    assert expected[-1] == float(last)


def test_range_of_whole_numbers_stays_whole(tmp_path: Path, catalogue: Catalogue) -> None:
    found = one("search = { size = { from = 2, to = 8, step = 3 } }", tmp_path, catalogue).search["size"]
    assert (found, [type(value) for value in found]) == ([2, 5, 8], [int] * 3)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{ from = 0.001, to = 0.010, step = 0.002 }", "steps of 0.002 from 0.001 do not meet 0.010"),
        ("{ from = 0, to = 1, step = 0.00001 }", "in under 10000 values"),
        ("{ from = 1, to = 0, step = 1 }", "from must not be above to"),
        ("{ from = 0, to = 1, step = 0 }", "step must be above 0"),
        ("{ from = 0, to = inf, step = 1 }", "from must not be above to"),
        ("{ from = 0, to = 1 }", "step is needed"),
        ("{ from = 0, to = 1, stop = 1 }", "No key of search lr is called 'stop'. Did you mean 'step'?"),
        ("{ from = 0, to = '1', step = 1 }", "to must be a whole number or a number, not 1"),
        ("0.1", "a list, or a table of from, to and step, is needed, not 0.1"),
        ("[]", "a list, or a table of from, to and step, is needed, not []"),
    ],
)
def test_range_that_is_none_is_refused(given: str, says: str, tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput) as caught:
        one(f"search = {{ lr = {given} }}", tmp_path, catalogue)
    assert str(caught.value).startswith("suite.toml: [[run]] 1: ")
    assert says in str(caught.value)


# What is refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title = ", "suite.toml: not readable as TOML: "),
        ("title = 'x'", "suite.toml: at least one table [[run]] is needed"),
        ("run = [1]", "suite.toml: at least one table [[run]] is needed"),
        ("titel = 'x'\n" + TINY, "No key of suite.toml is called 'titel'. Did you mean 'title'?"),
        ("title = 3\n" + TINY, "suite.toml: title must be text, not 3"),
        ("[defaults]\nseed = 3\n" + TINY, "No key of suite.toml: [defaults] is called 'seed'. Did you mean 'seeds'?"),
        (TINY + table(taks="'tiny'"), "No key of suite.toml: [[run]] 2 is called 'taks'. Did you mean 'task'?"),
        (TINY + table(method="'even'"), "suite.toml: [[run]] 2: task is needed"),
        (table(task="'tiny'", method="[]"), "suite.toml: [[run]] 1: method is needed"),
        (table(task="[1]", method="'even'"), "suite.toml: [[run]] 1: task must be text or a list of texts, not [1]"),
        (TINY + "fold = true", "suite.toml: [[run]] 1: fold must be a whole number, not true"),
        (TINY + "fold = 7", "suite.toml: [[run]] 1: --fold 7: tiny has folds 0 to 0"),
        (TINY + "set = 3", "suite.toml: [[run]] 1: set must be a table, not 3"),
        (TINY + "set = { lr = 'x' }", "suite.toml: [[run]] 1: set lr=x: float is needed"),
        (TINY + "set = { size = 1.5 }", "suite.toml: [[run]] 1: set size=1.5: int is needed"),
        (TINY + "set = { rl = 1 }", "suite.toml: [[run]] 1: No hyperparameter of even is called 'rl'. Did you mean"),
        (TINY + "set = { lr = 1 }\nsearch = { lr = [2] }", "suite.toml: [[run]] 1: lr is both set"),
        (TINY + "windows = 'all'", "suite.toml: [[run]] 1: No windows is called 'all'."),
        (table(task="'tiny'", method="'evn'"), "suite.toml: [[run]] 1: No method is called 'evn'. Did you mean"),
        (table(task="'tiny'", method="'even'", seeds="0"), "suite.toml: [[run]] 1: seeds 0: a number (5)"),
        (table(task="'tiny'", method="'ear'", source="'nan'"), "suite.toml: [[run]] 1: No source is called 'nan'."),
    ],
)  # fmt: skip
def test_suite_is_refused_in_one_line_that_names_file_and_table(
    text: str, says: str, tmp_path: Path, catalogue: Catalogue
) -> None:
    with pytest.raises(BadInput) as caught:
        read(text, tmp_path, catalogue)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [("gone.toml", "gone.toml: no such file"), ("rommel2023-sweep", "No suite is called 'rommel2023-sweep'. Did you")],
)
def test_suite_that_is_not_there_is_refused(name: str, says: str, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match=says.replace(".", r"\.")):
        read_suite(name, catalogue, {})


# What a sweep does


def test_sweep_runs_every_entry_and_reads_them_back(tmp_path: Path, catalogue: Catalogue) -> None:
    text = TINY + table(task="'tiny'", method="'even'", seeds="1", set="{ lr = 0.5 }")
    first, second = do(text, tmp_path, catalogue), do(text, tmp_path, catalogue)
    assert [[outcome.read_back for outcome in result.outcomes] for result in first] == [[False, False], [False]]
    assert [[outcome.read_back for outcome in result.outcomes] for result in second] == [[True, True], [True]]
    assert all(result.complete for result in second)
    assert second[1].outcomes[0].record.spec.params["lr"] == 0.5


def test_sweep_finds_the_record_of_the_same_command(tmp_path: Path, catalogue: Catalogue) -> None:
    run(Request("tiny", "even", seeds=(0, 1), data=tmp_path / "data", runs=tmp_path / "runs"), catalogue, QUIET)
    (result,) = do(TINY, tmp_path, catalogue)
    assert [outcome.read_back for outcome in result.outcomes] == [True, True]


def test_sweep_stops_before_the_first_run_where_data_are_missing(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match=r"\[\[run\]\] 2 \(absent: even\): absent: its clips are not here"):
        do(TINY + table(task="'absent'", method="'even'"), tmp_path, catalogue)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        (RuntimeError("the moon is full"), "failed: RuntimeError: the moon is full"),
        (BadInput("no such moon"), "failed: no such moon"),
        (MissingExtra("the moon", "cheese", "dairy"), "skipped: the moon needs cheese: pip install 'mirbench[dairy]'"),
    ],
)
def test_sweep_goes_on_after_what_fails(mood: Exception, reason: str, tmp_path: Path, catalogue: Catalogue) -> None:
    Even.mood = mood
    first, second = do(table(task="'tiny'", method="'even'", set="{ word = 'moody' }") + TINY, tmp_path, catalogue)
    assert (first.why, first.complete, second.complete) == (reason, False, True)


def test_sweep_skips_a_source_without_weights_and_one_that_does_not_fit(tmp_path: Path, catalogue: Catalogue) -> None:
    text = table(task="'tiny'", method="'ear'", source="['gone', 'deaf']", seeds="1") + TINY
    gone, deaf, even = do(text, tmp_path, catalogue)
    assert gone.why.startswith("skipped: gone: the weights of nobody/gone are not on this machine")
    assert deaf.why.startswith("skipped: ear cannot use deaf: it needs pooled")
    assert (even.complete, gone.outcomes[0].record.status) == (True, "skipped")


def test_sweep_refuses_a_device_that_is_not_there(tmp_path: Path, catalogue: Catalogue) -> None:
    suite = read(TINY, tmp_path, catalogue, device="cuda:99")
    with pytest.raises(BadInput, match="--device cuda:99"):
        run_suite(suite, catalogue, QUIET)


def test_search_of_many_points_keeps_two_models_at_most(tmp_path: Path, catalogue: Catalogue) -> None:
    grid = "{ lr = { from = 1, to = 10, step = 1 }, size = { from = 1, to = 5, step = 1 } }"
    (result,) = do(table(task="'tiny'", method="'even'", seeds="1", search=grid), tmp_path, catalogue)
    assert len(result.outcomes[0].record.trials) == 50
    assert Even.most_alive <= 3  # the best, the one before, and the one being fitted


# The demo


def test_demo_takes_the_stand_in_and_the_source_that_ships(tmp_path: Path, catalogue: Catalogue) -> None:
    text = table(task="'gtzan'", method="['even', 'ear']", source="['nano', 'away']", fold="0")
    found = [entry.request for entry in as_demo(read(text, tmp_path, catalogue), catalogue).entries]
    assert [(r.task, r.source, r.data, r.folds) for r in found] == [
        ("gtzan-demo", source, None, None) for source in ("", "nano", "nano")
    ]


def test_demo_keeps_a_source_whose_weights_are_given(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "away.pth").write_bytes(b"0")
    suite = read(table(task="'gtzan'", method="'ear'", source="'away'"), tmp_path, catalogue, weights=tmp_path)
    assert as_demo(suite, catalogue).entries[0].request.source == "away"


def test_demo_of_pictures_is_done_on_pictures(tmp_path: Path, catalogue: Catalogue) -> None:
    (entry,) = as_demo(
        read(table(task="'gtzan-pictures'", method="'ear'", source="'away'"), tmp_path, catalogue), catalogue
    ).entries
    assert (entry.unable, entry.request.task, entry.request.source) == ("", "gtzan-pictures-demo", "nano")


def test_demo_of_a_sweep_cuts_every_run_short_and_leaves_none_out() -> None:
    catalogue = Catalogue()
    for name in ("equal-budget", "low-resource", "every-method"):
        suite = as_demo(read_suite(name, catalogue, {}), catalogue)
        short = quick(suite, catalogue, seeds=False)
        assert [entry.unable for entry in short.entries] == [entry.unable for entry in suite.entries]
        for entry in short.entries:
            request, method = entry.request, catalogue.method(entry.request.method)
            names = {field.name for field in fields(method)}  # type: ignore[arg-type]
            assert len(request.seeds) == 1
            assert "epochs" not in names or request.params["epochs"] <= 5
            assert "queries" not in names or request.params["queries"] <= 4000
            assert math.prod(map(len, request.search.values())) <= 2
    kept = quick(suite, catalogue, seeds=True)
    assert [entry.request.seeds for entry in kept.entries] == [entry.request.seeds for entry in suite.entries]


def test_demo_of_a_sweep_says_that_it_is_cut_short(swept: Callable[..., Answer]) -> None:
    answer = swept(FLOOR, "--demo", "--dry-run")
    assert "DEMO: synthesised stand-ins, as asked, cut to one seed, five epochs and two points of a search" in " ".join(
        answer.out.split()
    )
    assert cells(answer)[0][1:3] == ["1 × 1", "1"]
    given = swept(FLOOR, "--demo", "--seeds", "2", "--dry-run")
    assert "cut to five epochs" in " ".join(given.out.split())


def test_demo_of_a_search_on_embeddings_is_the_grid_in_small(tmp_path: Path) -> None:
    catalogue = Catalogue()
    (entry,) = sweep.shortened(read_suite("rommel2023-sweep1", catalogue, {}), catalogue).entries
    assert entry.request.search == {
        "lr": (0.001, 0.0028, 0.0046, 0.0064, 0.0082, 0.01), "weight_decay": (0.005, 0.01, 0.015),
    }  # fmt: skip
    assert entry.request.params["epochs"] == 25


def test_demo_of_a_task_without_a_stand_in_is_skipped(tmp_path: Path, catalogue: Catalogue) -> None:
    (entry,) = as_demo(read(TINY, tmp_path, catalogue), catalogue).entries
    assert entry.unable == "tiny has no stand-in"


# The suites that ship


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_suite_can_be_read(name: str) -> None:
    suite = read_suite(name, Catalogue(), {})
    assert suite.entries or suite.data
    assert suite.reference or not suite.printed
    assert [entry.unable for entry in suite.entries] == [""] * len(suite.entries)


@pytest.mark.parametrize(
    ("name", "n_lr", "n_models", "last", "epochs", "select"),
    [("rommel2023-sweep1", 46, 506, 0.01, 25, "score"), ("rommel2023-sweep2", 21, 231, 0.005, 15, "loss")],
)
def test_sweeps_of_rommel2023_have_its_numbers_of_models(
    name: str, n_lr: int, n_models: int, last: float, epochs: int, select: str
) -> None:
    (entry,) = read_suite(name, Catalogue(), {}).entries
    request = entry.request
    lr, weight_decay = request.search["lr"], request.search["weight_decay"]
    assert (len(lr), len(lr) * len(weight_decay)) == (n_lr, n_models)
    assert (lr[0], lr[-1], weight_decay[0], weight_decay[-1]) == (0.001, last, 0.005, 0.015)
    ties = {"ties": "first"} if select == "score" else {}  # a tie of accuracies keeps the first epoch
    assert request.params == {"epochs": epochs, "select": select} | ties


def test_sweeps_of_rommel2023_hold_the_points_that_it_printed() -> None:
    for name, lr, weight_decay in (("rommel2023-sweep1", 0.0026, 0.005), ("rommel2023-sweep2", 0.0016, 0.012)):
        search = read_suite(name, Catalogue(), {}).entries[0].request.search
        assert lr in search["lr"]
        assert weight_decay in search["weight_decay"]


def test_suite_for_entrants_of_mirex_is_of_the_instruments_and_of_their_stand_in() -> None:
    catalogue = Catalogue()
    suite = read_suite("mirex-instruments", catalogue, {})
    assert {entry.request.task for entry in suite.entries} == {"openmic"}
    shown = as_demo(suite, catalogue).entries
    assert {(entry.request.task, entry.unable) for entry in shown} == {("openmic-demo", "")}
    assert {entry.request.source for entry in shown} == {"", "shipped:vggish", "nano"}


# The command

BEEPS = """
from pathlib import Path
from mirbench.trust import checks
from mirbench.types import Task

def _write(root, step):
    checks.tiny_task(root)

def _read(root, fold):
    return checks.tiny_task(root)[0].task.read_clips(root, fold)

BEEPS = Task(
    "beeps", "1", "for tests", "single-label", ("clicks", "noise", "tone"), ("accuracy",), _read, "beeps", 24, 2.0,
    synthesise=_write,
)
"""
FLOOR = "[[run]]\ntask = 'beeps'\nmethod = 'prior'\nseeds = 2\n"
PICTURES = "[[run]]\ntask = 'gtzan-pictures'\nmethod = 'probe-linear'\nsource = 'speechatt'\n"
MINI = "[[run]]\ntask = 'gtzan-mini'\nmethod = 'probe-linear'\nsource = 'nano'\n"


@pytest.fixture
def swept(typed: Callable[..., Answer]) -> Callable[..., Answer]:
    """``swept(text, "--demo", …)``: `mirbench sweep` of a file with this text, in an empty folder."""
    Path("beeps.py").write_text(BEEPS)

    def answer(text: str, *words: str) -> Answer:
        Path("suite.toml").write_text(text)
        return typed("sweep", "suite.toml", "--plugin", "beeps.py", "--quiet", *words)

    return answer


def cells(answer: Answer) -> list[list[str]]:
    """The rows of the printed table."""
    return rows_of(answer.out)


def test_library_that_does_not_import_stops_a_sweep_in_one_line(swept: Callable[..., Answer], monkeypatch) -> None:
    def broken(*args: object, **more: object) -> None:
        raise BrokenInstallation("soundfile does not import")

    monkeypatch.setattr("mirbench.runs.sweep.Job", broken)
    found = swept(f"title = 'Floors'\n{FLOOR}{FLOOR.replace('prior', 'probe-linear')}")
    assert (found.code, found.err.strip().splitlines()[-1]) == (2, "mirbench: soundfile does not import")
    assert not list(Path("runs").rglob("record.json"))


def test_command_prints_every_entry_and_reads_back(swept: Callable[..., Answer]) -> None:
    text = f"title = 'Floors'\nreference = 'Somebody (2023)'\n{FLOOR}"
    first, second = swept(text), swept(text)
    ((_, record),) = RunStore(Path("runs")).find("beeps/prior")
    score = f"accuracy {record.metrics['accuracy']:.3f}"
    assert (first.code, first.err, first.out.splitlines()[0]) == (0, "", "Somebody (2023)")
    assert cells(first) == [["prior", "1 of 1", score]]
    assert cells(second) == [["prior", "1 of 1", score, "on record"]]
    said = "Nothing is random in 1 of 1 entries: one run a fold stands for all seeds."
    assert all(said in answer.out.splitlines() for answer in (first, second))


@pytest.mark.slow
def test_command_scores_every_run_on_deformed_clips_and_says_what_is_kept(swept: Callable[..., Answer]) -> None:
    text = FLOOR.replace("prior", "probe-linear") + "source = 'nano'\n"
    answer = swept(text + FLOOR, "--deform", "gain,noise")
    heard, deaf = cells(answer)[0], cells(answer)[-1]
    held = [json.loads(path.read_text()) for path in Path("runs/beeps").rglob("deform.json")]
    kept = np.mean([of["curves"]["gain"]["relative_area"] for of in held])
    assert (answer.code, heard[1], heard[3][:18]) == (
        0,
        "1 of 1",
        f"gain {kept:.2f} of clean",
    )
    assert (deaf[1], deaf[3][:9]) == ("1 of 1", "no curve:")
    again = swept(FLOOR, "--deform", "humming")
    assert (again.code, again.err.count("\n"), "humming" in again.err) == (2, 1, True)


def test_command_exits_with_1_where_an_entry_has_no_result(
    swept: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(cards.NANO), "accepts", ("audio",))
    answer = swept(FLOOR + PICTURES, "--demo")
    assert (answer.code, answer.out.startswith("DEMO: ")) == (1, True)
    assert [row[1] for row in cells(answer)] == ["1 of 1", "—"]
    (line,) = (line for line in answer.out.splitlines() if line.startswith("[[run]] 2"))
    assert "gtzan-pictures-demo: probe-linear + nano: skipped: gtzan-pictures-demo: its clips are pictures" in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--data", "gone"), "[[run]] 1 (gtzan-mini: probe-linear + nano): --data gone: no such folder"),
        ((), "[[run]] 1 (gtzan-mini: probe-linear + nano): the default data root"),  # and no demo in its place
        (("--precision", "half"), "--precision half: one of float32, bfloat16, float16 is needed"),
    ],
)
def test_command_refuses_in_one_line(words: tuple[str, ...], says: str, swept: Callable[..., Answer]) -> None:
    answer = swept(MINI, *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert answer.err.startswith(f"mirbench: {says}")


def test_dry_run_lists_runs_and_models_and_touches_nothing(tmp_path: Path, swept: Callable[..., Answer]) -> None:
    text = "[[run]]\ntask = 'gtzan-mini'\nmethod = 'probe-linear'\nsource = 'ast'\nsearch = { C = [1, 2, 3] }\n"
    answer = swept(FLOOR + text, "--dry-run", "--data", "gone")
    assert [row[:4] for row in cells(answer)] == [
        ["beeps: prior", "1 × 1", "1", "0 of 1"],
        ["gtzan-mini: probe-linear + ast (C: 3 values)", "5 × 1", "15", "0 of 5"],
    ]
    assert (answer.code, answer.err, "6 runs, 0 of them on record" in answer.out) == (0, "", True)
    assert not list(tmp_path.rglob("runs"))
    assert not list((tmp_path / "cache").rglob("*"))


def test_dry_run_knows_what_is_on_record(swept: Callable[..., Answer], typed: Callable[..., Answer]) -> None:
    typed("run", "--task", "beeps", "--method", "prior", "--seeds", "1", "--quiet", "--plugin", "beeps.py")
    assert "1 run, 1 of them on record" in swept(FLOOR, "--dry-run").out


@pytest.mark.slow
def test_command_runs_a_suite_on_another_task(swept: Callable[..., Answer]) -> None:
    text = MINI + "fold = 3\n" + FLOOR.replace("beeps", "gtzan")
    answer = swept(text, "--task", "beeps", "--seeds", "1", "--fold", "0")
    assert (answer.code, [row[:2] for row in cells(answer)]) == (
        0, [["probe-linear + nano", "1 of 1"], ["prior", "1 of 1"]],
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="serial"),
        pytest.param(("--jobs", "2"), id="jobs", marks=pytest.mark.slow),
        pytest.param(("--part", "1/1"), id="part"),
    ],
)
def test_plugins_that_a_suite_names_are_read_from_beside_it(
    words: tuple[str, ...], typed: Callable[..., Answer]
) -> None:
    folder = Path("elsewhere")
    folder.mkdir()
    (folder / "beeps.py").write_text(BEEPS)
    (folder / "suite.toml").write_text('plugins = ["beeps.py"]\n' + FLOOR)
    answer = typed("sweep", folder / "suite.toml", "--quiet", *words)
    assert answer.code == 0, answer.err
    assert re.search(r"prior\W+1 of 1\b", answer.out)
    # given by hand too, it is the same plugin
    assert typed("sweep", folder / "suite.toml", "--plugin", folder / "beeps.py", "--dry-run").code == 0


@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        ('["gone.py"]', "suite.toml: plugins: gone.py: no such file; paths are relative to the suite"),
        ('"beeps.py"', "suite.toml: plugins"),
        ("[1]", "plugins must be text or a list of texts"),
    ],
)
def test_plugins_of_a_suite_that_are_none_are_refused_in_a_line(
    plugins: str, said: str, typed: Callable[..., Answer]
) -> None:
    Path("suite.toml").write_text(f"plugins = {plugins}\n{FLOOR}")
    answer = typed("sweep", "suite.toml", "--dry-run")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err


def test_two_suites_name_every_method_that_ships() -> None:
    catalogue = Catalogue()
    entries = [e for name in ("every-method", "from-scratch") for e in read_suite(name, catalogue, {}).entries]
    assert {entry.request.method for entry in entries} == set(catalogue.names("method"))


def test_dry_run_of_a_shipped_suite_tells_its_number_of_models(typed: Callable[..., Answer]) -> None:
    first, *_ = cells(typed("sweep", "rommel2023-sweep1", "--dry-run"))  # what does not fit its line goes on below
    assert first[1:4] == ["1 × 1", "506", "0 of 1"]


def test_demo_trains_through_a_network_on_few_windows_at_a_time(tmp_path: Path) -> None:
    text = "[[run]]\ntask = 'gtzan'\nseeds = 1\n"
    (tmp_path / "s.toml").write_text(
        f'{text}method = "fcn"\n\n{text}method = "finetune"\nsource = "nano"\nset = {{ batch_size = 2 }}\n\n'
        f'{text}method = "probe-mlp"\nsource = "nano"\n'
    )
    catalogue = Catalogue()
    cut = sweep.shortened(read_suite(str(tmp_path / "s.toml"), catalogue, {}), catalogue)
    assert [entry.request.params.get("batch_size") for entry in cut.entries] == [4, 2, None]
