"""The command line: what is typed, what is printed, exit codes 0, 1 and 2."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

import mirbench
from mirbench.cli import running
from mirbench.errors import BadInput
from mirbench.methods import METHODS
from mirbench.methods.sources import SOURCES
from mirbench.registry import Catalogue
from mirbench.runs import runner
from mirbench.runs.plan import Request, demo_needed
from mirbench.runs.store import RunStore
from mirbench.runs.suite import shipped
from mirbench.tasks import TASKS
from mirbench.tasks.gtzan import GENRES

if TYPE_CHECKING:
    from tests.conftest import Answer

Mirbench = Callable[..., "Answer"]


def write_excerpt(root: Path) -> Path:
    """An excerpt as gtzan-mini reads it, ten clips of one second of noise a genre; returns the data root."""
    rng = np.random.default_rng(0)
    for genre in GENRES:
        folder = root / "gtzan_mini" / "genres" / genre
        folder.mkdir(parents=True)
        for number in range(10):
            soundfile.write(folder / f"{genre}.{number:05}.wav", rng.uniform(-0.5, 0.5, 8000), 8000)
    return root


@pytest.fixture(scope="module")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root that no test changes."""
    return write_excerpt(tmp_path_factory.mktemp("data"))


def one_line(answer: Answer) -> str:
    """The error of a command that bad input stopped: exit code 2, one line that is no traceback, nothing else said."""
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert answer.err.startswith("mirbench: ")
    return answer.err.removeprefix("mirbench: ").rstrip("\n")


def probe(typed: Mirbench, data: Path) -> Answer:
    """A run that needs the audio, which prior does not."""
    words = ("--method", "probe-linear", "--source", "nano", "--seeds", "1", "--fold", "0", "--quiet")
    return typed("run", "--task", "gtzan-mini", "--data", data, *words)


def prior(typed: Mirbench, data: Path, *words: object) -> Answer:
    return typed("run", "--task", "gtzan-mini", "--method", "prior", "--data", data, "--quiet", *words)


# Names


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--task", "gtzn", "--method", "prior"), "No task is called 'gtzn'. Did you mean 'gtzan'?"),
        (("--task", "gtzan", "--method", "pirior"), "No method is called 'pirior'. Did you mean 'prior'?"),
        (
            ("--task", "gtzan", "--method", "probe-linear", "--source", "nanoo", "--data", "."),
            "No source is called 'nanoo'. Did you mean 'nano'?",
        ),
        (
            ("--task", "gtzan", "--method", "ids-nmr", "--set", "epoch=3"),
            "No hyperparameter of ids-nmr is called 'epoch'. Did you mean 'epochs'?",
        ),
        (
            ("--task", "gtzan", "--method", "ids-nmr", "--search", "epoch=3,4"),
            "No hyperparameter of ids-nmr is called 'epoch'. Did you mean 'epochs'?",
        ),
        (
            ("--task", "gtzan", "--method", "probe-linear", "--source-set", "input_nrom=none", "--data", "."),
            "No option of ast is called 'input_nrom'. Did you mean 'input_norm'?",
        ),
    ],
    ids=["task", "method", "source", "hyperparameter", "searched", "source option"],
)
def test_run_on_an_unknown_name_hints_at_a_near_one(words: tuple[str, ...], says: str, typed: Mirbench) -> None:
    assert one_line(typed("run", *words)).startswith(says)


@pytest.mark.parametrize("kind", ["task", "method"])
def test_run_on_an_unknown_name_says_where_the_known_ones_are(kind: str, typed: Mirbench) -> None:
    names = {"task": "gtzan", "method": "prior"} | {kind: "xxxxxxxx"}
    line = one_line(typed("run", "--task", names["task"], "--method", names["method"]))
    assert line.startswith(f"No {kind} is called 'xxxxxxxx'. Known: ")
    assert line.endswith(f" more. `mirbench list {kind}s` has them all; one of yours needs --plugin FILE.")


def test_show_of_an_unknown_name_hints_at_a_near_one(typed: Mirbench) -> None:
    assert "Did you mean 'ids-nmr'?" in one_line(typed("show", "ids-nmrr"))


@pytest.mark.parametrize("words", [("data", "check"), ("data", "get")])
def test_data_of_an_unknown_task_hints_at_a_near_one(words: tuple[str, ...], typed: Mirbench) -> None:
    assert "Did you mean 'gtzan-mini'?" in one_line(typed(*words, "gtzan-minni"))


# Flags


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--task", "gtzan", "--method", "prior", "--test-on", ""),
        ("run", "--task", "gtzan", "--method", "prior", "--seeds="),
        ("run", "--method", "prior", "--task", ""),
        ("compare", "a", "b", "--task="),
        ("leaderboard", "--runs", ""),
        ("show", "prior", "--learnt", ""),
        ("data", "check", "gtzan", "--data", ""),
    ],
    ids=" ".join,
)
def test_option_with_nothing_behind_it_is_refused(words: tuple[str, ...], typed: Mirbench) -> None:
    option = words[-2] if words[-1] == "" else words[-1].rstrip("=")
    assert one_line(typed(*words)) == f"{option}: nothing is given for it; say what is meant, or leave it out"


def test_value_that_ends_with_an_equals_sign_is_a_value(typed: Mirbench) -> None:
    words = ("run", "--task", "gtzan", "--method", "prior", "--set", "lr=")
    assert "nothing is given" not in one_line(typed(*words))


@pytest.mark.parametrize(
    "text", ["0", "-1", "abc", " ", "1.5", "1e3", "3-1", "2-", "1--2", "0,", ",0", "0,x", "0,-1", "1,1", "0-2,4"]
)
def test_run_refuses_seeds(text: str, typed: Mirbench) -> None:
    line = one_line(typed("run", "--task", "gtzan", "--method", "prior", f"--seeds={text}"))
    what = "a number (5), a range (0-4) or a list (0,3) is needed, of fewer than 10,000 different seeds below 2**32"
    assert line == f"--seeds {text}: {what}"


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("1", (0,)),
        ("3", (0, 1, 2)),
        ("0-2", (0, 1, 2)),
        ("4-4", (4,)),
        ("0,3", (0, 3)),
        ("7,2", (7, 2)),
        (" 2 ", (0, 1)),
    ],
)
def test_seeds_are_read_as(text: str, seeds: tuple[int, ...]) -> None:
    assert running._seeds(text) == seeds


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--set", "lr=fast"), "--set lr=fast: float is needed, not 'fast'"),
        (("--set", "epochs=1.5"), "--set epochs=1.5: int is needed, not '1.5'"),
        (("--set", "lr"), "--set lr: NAME=VALUE is needed, as in --set lr=1e-4"),
        (("--set", "=1"), "--set =1: NAME=VALUE is needed, as in --set lr=1e-4"),
        (("--search", "lr=0.1,fast"), "--search lr=0.1,fast: float is needed, not 'fast'"),
        (("--precision", "float64"), "--precision float64: one of float32, bfloat16, float16 is needed"),
        (("--windows", "overlap"), "--windows overlap: one of nonoverlap, nonoverlap-plus-tail, hopped16 is needed"),
        (("--average", "mean"), "--average mean: one of prob, logit is needed"),
        (("--plugin", "nowhere.py"), "--plugin nowhere.py: no such file"),
    ],
    ids=" ".join,
)
def test_run_refuses_a_value(words: tuple[str, ...], line: str, typed: Mirbench) -> None:
    assert one_line(typed("run", "--task", "gtzan", "--method", "ids-nmr", *words)) == line


@pytest.mark.parametrize("words", [(), ("--task",), ("--task", "gtzan", "--decode-threads", "0"), ("--nonsense",)])
def test_run_refuses_incomplete_or_unknown_flags(words: tuple[str, ...], typed: Mirbench) -> None:
    assert "--" in one_line(typed("run", "--method", "prior", *words))


def test_run_refuses_a_source_for_a_method_that_uses_none(typed: Mirbench, excerpt: Path) -> None:
    line = one_line(prior(typed, excerpt, "--source", "nano"))
    assert line == "--source nano: prior uses no source; leave the flag out"


def test_run_refuses_source_options_for_a_method_that_uses_none(typed: Mirbench, excerpt: Path) -> None:
    line = one_line(prior(typed, excerpt, "--source-set", "input_norm=none"))
    assert line == "--source-set input_norm=none: prior uses no source"


@pytest.mark.parametrize("fold", [-1, 5])
def test_run_refuses_a_fold_out_of_range(fold: int, typed: Mirbench, excerpt: Path) -> None:
    assert one_line(prior(typed, excerpt, f"--fold={fold}")) == f"--fold {fold}: gtzan-mini has folds 0 to 4"


def test_run_refuses_a_device_that_is_not_there(typed: Mirbench, excerpt: Path) -> None:
    line = one_line(prior(typed, excerpt, "--seeds", "1", "--fold", "0", "--device", "abacus"))
    assert line == "--device abacus: auto, cpu and cuda[:N] are accepted"
    assert prior(typed, excerpt, "--seeds", "1", "--fold", "0").code == 0
    again = one_line(prior(typed, excerpt, "--seeds", "1", "--fold", "0", "--device", "abacus"))
    assert again == line  # also where the run is on record


# Missing data, and the demo in its place


def test_run_without_the_data_root_given_says_how_to_fetch(typed: Mirbench, tmp_path: Path) -> None:
    line = one_line(prior(typed, tmp_path / "nowhere"))
    assert re.match(r"--data \S*nowhere: no such folder; `mirbench data get gtzan-mini --data ROOT`", line)


def test_run_looks_for_the_data_before_it_fetches_weights(typed: Mirbench, tmp_path: Path) -> None:
    answer = typed("run", "--task", "gtzan", "--method", "probe-linear", "--data", tmp_path / "nowhere", "--quiet")
    assert one_line(answer).startswith("--data ")


def test_run_on_a_root_without_the_data_set_says_what_is_missing(typed: Mirbench, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert "holds no genres/ with one folder a genre" in one_line(prior(typed, tmp_path / "data"))


def test_run_on_the_default_root_without_the_data_set_is_no_demo(typed: Mirbench, tmp_path: Path) -> None:
    (tmp_path / "home" / "mirbench-data").mkdir()
    answer = typed("run", "--task", "gtzan", "--method", "probe-linear", "--source", "nano", "--quiet")
    assert "holds no genres/ with one folder a genre" in one_line(answer)


@pytest.mark.parametrize(
    ("task", "root", "given", "needed"),
    [
        ("gtzan", None, False, True),
        ("gtzan-mini", None, False, True),
        ("gtzan", None, True, False),
        ("gtzan", "home", False, False),
        ("gtzan", "variable", False, False),
        ("gtzan-demo", None, False, False),
    ],
    ids=["no root", "no root, excerpt", "--data", "default root", "MIRBENCH_DATA", "stand-in"],
)
def test_demo_is_needed_where_no_root_is(
    task: str, root: str | None, given: bool, needed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MIRBENCH_DATA", raising=False)
    if root == "home":
        (tmp_path / "mirbench-data").mkdir()
    elif root == "variable":
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.setenv("MIRBENCH_DATA", str(tmp_path / "elsewhere"))
    request = Request(task, "prior", data=tmp_path / "nowhere" if given else None)
    assert demo_needed(request, Catalogue()) is needed


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What would be run; nothing is."""
    requests: list[Request] = []

    def record(request: Request, *_: object) -> None:
        requests.append(request)
        raise BadInput("that is enough")

    monkeypatch.setattr(runner, "run", record)
    return requests


def test_run_without_a_root_runs_the_demo(typed: Mirbench, asked: list[Request]) -> None:
    typed("run", "--task", "gtzan", "--method", "prior")
    assert [(request.task, request.source) for request in asked] == [("gtzan-demo", "")]


def test_run_of_the_demo_takes_the_shipped_source(typed: Mirbench, asked: list[Request]) -> None:
    typed("run", "--task", "gtzan", "--method", "probe-linear")
    assert [(request.task, request.source) for request in asked] == [("gtzan-demo", "nano")]


def test_run_of_the_demo_keeps_a_source_that_was_named(typed: Mirbench, asked: list[Request]) -> None:
    typed("run", "--task", "gtzan", "--method", "probe-linear", "--source", "speechatt")
    assert [request.source for request in asked] == ["speechatt"]


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("says", ["DEMO: gtzan-demo", "mirbench-data does not exist", "mirbench data get gtzan"])
def test_run_of_the_demo_says_so(says: str, typed: Mirbench) -> None:
    assert says in typed("run", "--task", "gtzan", "--method", "prior").out


def test_run_asked_for_the_demo_leaves_the_data_alone(typed: Mirbench, asked: list[Request], excerpt: Path) -> None:
    prior(typed, excerpt, "--demo")
    assert [(request.task, request.data) for request in asked] == [("gtzan-demo", None)]


@pytest.mark.usefixtures("asked")
def test_run_with_data_prints_no_banner(typed: Mirbench, excerpt: Path) -> None:
    assert prior(typed, excerpt).out == ""


def test_run_of_the_demo_of_one_fold_runs_the_fold_that_it_has(typed: Mirbench, asked: list[Request]) -> None:
    typed("run", "--task", "gtzan-mini", "--method", "prior", "--fold", "3")
    assert [request.folds for request in asked] in ([None], [(0,)])


def test_run_takes_the_settings_typed(typed: Mirbench, asked: list[Request], excerpt: Path) -> None:
    typed(
        "run", "--task", "gtzan-mini", "--method", "ids-nmr", "--source", "nano", "--data", excerpt,
        "--set", "lr=1e-3", "--search", "epochs=1,2", "--seeds", "0,3", "--fold", "2", "--average", "logit",
    )  # fmt: skip
    (request,) = asked
    found = (request.params, request.search, request.seeds, request.folds, request.windowing.average)
    assert found == ({"lr": 1e-3}, {"epochs": [1, 2]}, (0, 3), (2,), "logit")


# Lists and cards


def test_version_is_that_of_the_package(typed: Mirbench) -> None:
    assert typed("--version") == (0, f"mirbench {mirbench.__version__}\n", "")


@pytest.mark.parametrize(("kind", "table"), [("tasks", TASKS), ("methods", METHODS), ("sources", SOURCES)])
def test_list_of_one_kind_has_a_line_a_name(kind: str, table: dict[str, object], typed: Mirbench) -> None:
    known = [*(name for name in table if not name.endswith("-demo")), *Catalogue().families(kind.removesuffix("s"))]
    known += ["TASK-demo", *(f"TASK{word}" for word in Catalogue().modifiers())] if kind == "tasks" else []
    assert [line.split()[0] for line in typed("list", kind).out.splitlines()] == known


def test_list_has_every_kind(typed: Mirbench) -> None:
    heads = [line for line in typed("list").out.splitlines() if not line.startswith(" ")]
    assert heads == ["tasks:", "methods:", "sources:", "suites:"]


def test_list_of_an_unknown_kind_says_the_known_ones(typed: Mirbench) -> None:
    assert one_line(typed("list", "metrics")) == "list metrics: one of tasks, methods, sources, suites is needed"


@pytest.mark.parametrize(
    ("name", "says"),
    [("gtzan", "443 train, 197 valid, 290 test"), ("ids-nmr", "  lr  "), ("prior", "no source"), ("ast", "86,594,063")],
)
def test_show_prints_the_card(name: str, says: str, typed: Mirbench) -> None:
    answer = typed("show", name)
    assert (answer.code, says in answer.out) == (0, True)


@pytest.mark.parametrize("command", [("data",), ("cache",), ()])
def test_command_without_words_prints_its_help(command: tuple[str, ...], typed: Mirbench) -> None:
    answer = typed(*command)
    assert "Examples:" in answer.out + answer.err or "To begin:" in answer.err


def test_interrupt_is_one_line_and_130(typed: Mirbench, monkeypatch: pytest.MonkeyPatch, excerpt: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupted)
    answer = prior(typed, excerpt)
    assert (answer.code, answer.err.count("\n")) == (130, 1)


# From files to records


def read_back(answer: Answer) -> int:
    """How many runs a command found on record."""
    return answer.out.count("on record")


def keys(runs: Path = Path("runs")) -> set[str]:
    return {record.spec.key for _, record in RunStore(runs).records()}


TWO = ("--fold", "0", "--seeds", "2")  # of a method without chance, of which one is run


@pytest.fixture
def first(typed: Mirbench, excerpt: Path) -> Answer:
    """Two seeds of prior on one fold of the excerpt."""
    return prior(typed, excerpt, *TWO)


def test_run_succeeds(first: Answer) -> None:
    assert (first.code, first.err) == (0, "")


def test_run_of_a_method_without_chance_leaves_a_record_a_fold(typed: Mirbench, excerpt: Path) -> None:
    prior(typed, excerpt, "--seeds", "2")
    done = {(r.spec.fold, r.spec.seed) for _, r in RunStore(Path("runs")).records() if r.status == "done"}
    assert done == {(fold, seed) for fold in range(5) for seed in range(1)}


def test_run_of_prior_scores_a_tenth(first: Answer) -> None:
    assert "Accuracy 0.100, the same with any seed (fold 0 of 5). Tested on 20 clips.\n" in first.out


def test_run_says_where_the_records_are(first: Answer) -> None:
    assert "Records: runs/gtzan-mini." in first.out


def test_run_makes_records_for_a_leaderboard(typed: Mirbench, excerpt: Path) -> None:
    prior(typed, excerpt, "--seeds", "2")
    answer = typed("leaderboard")
    assert (answer.code, "| prior" in answer.out, "1 (nothing random) × 5 folds" in answer.out) == (0, True, True)


def test_run_on_record_is_read_back(first: Answer, typed: Mirbench, excerpt: Path) -> None:
    assert read_back(first) == 0
    again = prior(typed, excerpt, *TWO)
    assert (again.code, read_back(again)) == (0, 1)


@pytest.mark.usefixtures("first")
def test_run_on_record_is_found_from_the_own_folder(typed: Mirbench, excerpt: Path) -> None:
    again = prior(typed, excerpt / "gtzan_mini", *TWO)
    assert read_back(again) == 1


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("words", [("--decode-threads", "1"), ("--device", "cpu")], ids=" ".join)
def test_run_on_record_is_read_back_in_other_circumstances(
    words: tuple[str, ...], typed: Mirbench, excerpt: Path
) -> None:
    again = prior(typed, excerpt, *TWO, *words)
    assert read_back(again) == 1


@pytest.mark.usefixtures("first")
def test_flag_by_its_old_name_is_taken_with_a_line_that_says_the_new_one(typed: Mirbench, excerpt: Path) -> None:
    again = prior(typed, excerpt, *TWO, "--workers", "1")
    assert read_back(again) == 1
    assert again.err.splitlines()[0] == "--workers is called --decode-threads now: 1 threads decode audio"


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    "words", [("--average", "logit"), ("--windows", "nonoverlap-plus-tail"), ("--precision", "bfloat16")], ids=" ".join
)
def test_run_asked_otherwise_is_not_read_back(words: tuple[str, ...], typed: Mirbench, excerpt: Path) -> None:
    again = prior(typed, excerpt, *TWO, *words)
    assert (again.code, read_back(again)) == (0, 0)


@pytest.mark.slow
def test_run_on_edited_audio_is_not_read_back(typed: Mirbench, tmp_path: Path) -> None:
    root = write_excerpt(tmp_path / "data")
    assert probe(typed, root).code == 0
    soundfile.write(root / "gtzan_mini/genres/pop/pop.00004.wav", np.full(8000, 0.25), 8000)
    again = probe(typed, root)
    assert (again.code, read_back(again), len(keys())) == (0, 0, 2)


@pytest.mark.usefixtures("first")
def test_run_on_a_broken_record_names_it(typed: Mirbench, excerpt: Path) -> None:
    path = next(Path("runs").rglob("record.json"))
    path.write_text("{")
    again = prior(typed, excerpt, *TWO)
    assert (again.code, str(path) in again.err, read_back(again)) == (1, True, 0)


def test_run_on_broken_audio_names_every_file(typed: Mirbench, tmp_path: Path) -> None:
    genres = write_excerpt(tmp_path / "data") / "gtzan_mini" / "genres"
    (genres / "blues" / "blues.00000.wav").write_bytes(b"")
    (genres / "jazz" / "jazz.00003.wav").write_text("no audio")
    soundfile.write(genres / "rock" / "rock.00009.wav", np.zeros(8000), 8000)
    soundfile.write(genres / "pop" / "pop.00001.wav", np.full(10, 0.5), 8000)
    answer = probe(typed, tmp_path / "data")
    faults = re.findall(r"(\w+\.\d{5})\.wav: (empty|text|silent|too short)", answer.err)
    assert (answer.code, sorted(faults)) == (
        2, [("blues.00000", "empty"), ("jazz.00003", "text"), ("pop.00001", "too short"), ("rock.00009", "silent")]
    )  # fmt: skip


def test_run_on_broken_audio_leaves_no_record(typed: Mirbench, tmp_path: Path) -> None:
    root = write_excerpt(tmp_path / "data")
    (root / "gtzan_mini/genres/blues/blues.00000.wav").write_bytes(b"")
    probe(typed, root)
    assert not Path("runs").exists()


def test_run_into_a_file_is_one_line(typed: Mirbench, excerpt: Path) -> None:
    Path("notes").touch()
    assert "notes" in one_line(prior(typed, excerpt, "--runs", "notes"))


@pytest.mark.usefixtures("first")
def test_leaderboard_into_a_missing_folder_is_one_line(typed: Mirbench) -> None:
    assert "nowhere" in one_line(typed("leaderboard", "--output", "nowhere/table.md"))


def test_data_check_names_broken_audio(typed: Mirbench, tmp_path: Path) -> None:
    root = write_excerpt(tmp_path / "data")
    (root / "gtzan_mini/genres/blues/blues.00000.wav").write_bytes(b"")
    answer = typed("data", "check", "gtzan-mini", "--data", root)
    assert (answer.code, "blues.00000.wav: empty" in answer.err) == (2, True)


def test_data_check_names_audio_that_is_too_short(typed: Mirbench, excerpt: Path) -> None:
    answer = typed("data", "check", "gtzan-mini", "--data", excerpt)  # clips of 1 s, where 30 s are expected
    assert (answer.code, len(re.findall(r"1\.00 s long, 30 s are expected", answer.err))) == (2, 100)


def test_data_get_of_a_task_to_be_fetched_by_hand_says_how(typed: Mirbench) -> None:
    assert "kaggle.com" in one_line(typed("data", "get", "gtzan-kaggle"))


# Plugins

PLUGIN = '''
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirbench import Clip, Fitted, NotApplicable, Task

@dataclass(frozen=True)
class Moody:
    """Fails while a file called "grumpy" is there, with what it says."""

    name, version, needs = "moody", "1", ()

    def fit(self, train, valid, context, *, seed):
        if Path("unable").exists():
            raise NotApplicable("not today")
        if Path("grumpy").exists():
            raise RuntimeError(Path("grumpy").read_text() or "out of ideas")
        scores = lambda split: np.full((len(split), len(split.classes)), 2.0 if Path("logits").exists() else 0.5)
        history = [{"epoch": 1, "valid_loss": float("nan")}] if Path("diverged").exists() else []
        return Fitted(scores, n_trainable=None, history=history)

def read_clips(root, fold):
    """Ten clips; what is tested has one class only, so that its AUC is undefined."""
    folder = root / "gtzan_mini" / "genres" / "pop"
    split = ("train", "train", "train", "train", "valid", "valid", "valid", "test", "test", "test")
    return [Clip(f"pop.{n:05}", folder / f"pop.{n:05}.wav", split[n], ("ab"[n % 2 and n < 7],)) for n in range(10)]

ONE_SIDED = Task("one-sided", "1", "", "single-label", ("a", "b"), ("roc-auc",), read_clips, "one-sided", 10, 1.0)
'''


@pytest.fixture
def moody(typed: Mirbench, excerpt: Path) -> Callable[[], Answer]:
    """Runs two seeds of the plugin above."""
    Path("moody.py").write_text(PLUGIN)
    words = ("--task", "gtzan-mini", "--fold", "0", "--seeds", "2", "--data", excerpt, "--quiet")
    return lambda: typed("run", "--method", "moody", "--plugin", "moody.py", *words)


def scored(answer: Answer) -> bool:
    """Whether a run came to an end that a user can read: a table, and no traceback."""
    return answer.code in (0, 1) and "seed" in answer.out and "Traceback" not in answer.err


def test_plugin_that_raises_exits_with_1_and_the_reason(moody: Callable[[], Answer]) -> None:
    Path("grumpy").touch()
    answer = moody()
    assert (answer.code, "2 of 2 runs have no result: RuntimeError: out of ideas" in answer.err) == (1, True)


def test_plugin_that_raises_leaves_its_traceback_on_record_only(moody: Callable[[], Answer]) -> None:
    Path("grumpy").touch()
    answer = moody()
    assert ("Traceback" in answer.err, len(list(Path("runs").rglob("traceback.txt")))) == (False, 2)


def test_plugin_that_raises_is_retried(moody: Callable[[], Answer]) -> None:
    Path("grumpy").touch()
    assert moody().code == 1
    Path("grumpy").unlink()
    again = moody()
    assert (again.code, read_back(again), len(keys())) == (0, 0, 2)


def test_plugin_that_succeeds_is_read_back(moody: Callable[[], Answer]) -> None:
    moody()
    assert read_back(moody()) == 2


def test_plugin_that_was_edited_is_not_read_back(moody: Callable[[], Answer]) -> None:
    moody()
    Path("moody.py").write_text(PLUGIN + "# changed\n")
    again = moody()
    assert (again.code, read_back(again), len(keys())) == (0, 0, 4)


def test_plugin_that_cannot_be_used_is_skipped_with_its_reason(moody: Callable[[], Answer]) -> None:
    Path("unable").touch()
    answer = moody()
    statuses = {record.status for _, record in RunStore(Path("runs")).records()}
    assert (answer.code, "not today" in answer.err, statuses) == (1, True, {"skipped"})


def test_plugin_that_returns_logits_fails_with_a_hint(moody: Callable[[], Answer]) -> None:
    Path("logits").touch()
    answer = moody()
    assert (answer.code, "did you return logits?" in answer.err) == (1, True)


def test_plugin_that_says_brackets_is_quoted(moody: Callable[[], Answer]) -> None:
    Path("grumpy").write_text("[a][/x]")
    answer = moody()
    assert (answer.code, answer.err.count("2 of 2 runs have no result: RuntimeError: [a][/x]")) == (1, 1)


def test_plugin_that_diverged_on_the_way_ends_in_a_record(moody: Callable[[], Answer]) -> None:
    Path("diverged").touch()
    assert (scored(moody()), len(keys())) == (True, 2)


def test_plugin_task_with_an_undefined_score_ends_in_a_record(typed: Mirbench, excerpt: Path) -> None:
    Path("moody.py").write_text(PLUGIN)
    words = ("--task", "one-sided", "--method", "moody", "--plugin", "moody.py", "--data", excerpt, "--seeds", "1")
    assert (scored(typed("run", *words)), len(keys())) == (True, 1)


def test_plugin_is_listed(typed: Mirbench) -> None:
    Path("moody.py").write_text(PLUGIN)
    assert re.search(r"^ +moody +from moody\.py$", typed("list", "methods", "--plugin", "moody.py").out, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no method"),
        ("import nonsense_that_is_not_there", "does not run: ModuleNotFoundError"),
        ("def (", "does not run: SyntaxError"),
        (PLUGIN.replace("@dataclass(frozen=True)", ""), "Moody must be a frozen dataclass"),
    ],
    ids=["empty", "missing module", "syntax", "no dataclass"],
)
def test_plugin_that_is_no_plugin_is_one_line(text: str, says: str, typed: Mirbench) -> None:
    Path("bad.py").write_text(text)
    assert says in one_line(typed("list", "--plugin", "bad.py"))


def test_list_and_show_know_the_suites(typed: Mirbench) -> None:
    listed = typed("list", "suites").out.split("\n")
    assert [line.split()[0] for line in listed if line] == list(shipped())
    assert {"hung2022-table1", "rommel2023-sweep1"} <= set(shipped())
    assert tomllib.loads(typed("show", "rommel2023-sweep1").out)["run"][0]["method"] == "picture-mlp"
