"""Every option of every command, and suites, given nonsense: one line and exit code 2, or the work done; no traceback.

Bounded and drawn from a seed: the values are a list, each option is given some of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import typer

from mirbench import cli

if TYPE_CHECKING:
    from tests.conftest import Answer

Mirbench = Callable[..., "Answer"]

LONGEST = 1500  # letters on standard error, of one refusal
SECONDS = 60.0  # no call takes so long, on a busy machine
PER_OPTION = 8  # values of the list that an option is given, by chance

VALUES = [
    "", " ", "-", "--", "0", "-1", "1e999", "nan", "inf", "-inf", "1" * 5000, "9" * 19, "\udcff", "🎸", "../..",
    "/dev/null", "/proc/none/place.mp3", "~nouser", "songs", "suite.toml", "deep.toml", "mine.py", "songs/a/0.wav", "[",
    "{", "{}", "a=", "=", "=a", "a=b=c", "0-0", "5-1", "0-1000000000", "0-10**9", "1,2", "1,1", ",", "folder:", "csv:",
    "csv:songs", "folder:songs/a/0.wav", "hf:", "hf:a", "mirdata:", "mirdata:x", "gtzan+", "gtzan+shots-1", "+", "a+b",
    "gtzan+shots999999999999999", "folder:songs+shots1", "features:", "features:/dev/null", "shipped:", "hf-audio:",
    "a" * 300, "a/" * 3000, "x\ny", "\x1b[31m", "*", "[a-", "%s%n", "{0}", "CON", ".", "..", "all", "prior", "mine",
    "../work/songs", "~", "depth=1e999", "depth=" + "9" * 5000, "share=nan", "share=1,2", "kind=\x1b", "meta",
    "cuda:99", "/", "folder:/",
]  # fmt: skip

PLUGIN = """
from dataclasses import dataclass

import numpy as np
from mirbench import Fitted

@dataclass(frozen=True)
class Mine:
    depth: int = 1
    share: float = 0.5
    kind: str = "x"
    name, version, needs, uses_audio = "mine", "1", (), False

    def fit(self, train, valid, context, *, seed):
        return Fitted(lambda split: np.full((len(split), len(split.classes)), 0.5, dtype=np.float32), 0)
"""
PRIOR = "--task folder:songs --method prior --seeds 1 --quiet"
BASES = {
    "run": f"run {PRIOR}; run --plugin mine.py --task folder:songs --method mine --seeds 1 --quiet",
    "sweep": "sweep suite.toml --dry-run", "reproduce": "reproduce --no-run", "ensemble": "ensemble prior mine",
    "predict": "predict prior songs/a/0.wav", "list": "list", "show": "show gtzan", "leaderboard": "leaderboard",
    "compare": "compare prior mine", "plot": "plot forest", "verify": "verify", "check": "check none.py",
    "data get": "data get folder:songs", "data check": "data check folder:songs",
    "data stats": "data stats folder:songs", "data audit": "data audit folder:songs",
}  # fmt: skip
"""A command line of each command that would do, but for what is changed in it."""


@pytest.fixture
def work(typed: Mirbench) -> Mirbench:
    """`typed`, deep inside a folder of songs, a suite, a plugin and records."""
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        Path("songs", label).mkdir(parents=True)
        for number in range(12):
            soundfile.write(f"songs/{label}/{number}.wav", rng.uniform(-0.5, 0.5, 1600), 1600)
    Path("mine.py").write_text(PLUGIN)
    Path("suite.toml").write_text('[[run]]\ntask = "folder:songs"\nmethod = "prior"\nseeds = 1\n')
    Path("deep.toml").write_text("a = " + "[" * 900 + "]" * 900)
    for words in BASES["run"].split("; "):
        assert typed(*words.split()).code == 0
    return typed


def command_lines() -> Iterator[list[str]]:
    """Every option and argument of every command with some of the values, beside what it needs otherwise."""
    rng = random.Random(0)

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                yield from walk(inner, (*path, name))
        else:
            yield " ".join(path), command

    for name, command in walk(typer.main.get_command(cli.app), ()):
        for base in filter(None, BASES.get(name, "").split("; ")):
            words, depth = base.split(), len(name.split())
            for parameter in command.params:
                for value in rng.sample(VALUES, PER_OPTION):
                    if parameter.param_type_name == "argument":
                        yield [*words[:depth], value, *words[depth + 1 :]]
                    elif parameter.is_flag:
                        yield [*words, parameter.opts[0]]
                        break
                    else:
                        flag = parameter.opts[0]
                        at = words.index(flag) if flag in words and not parameter.multiple else len(words)
                        yield [*words[:at], *words[at + 2 :], flag, value]


def faults(answer: Answer, seconds: float) -> Iterator[str]:
    """What is wrong with how a command ended."""
    if answer.code not in (0, 1, 2) or "Traceback" in answer.err:
        yield f"exit code {answer.code}: {answer.err[-300:]}"
    if answer.code == 2:
        lines = answer.err.splitlines()
        if not any(line.startswith("mirbench: ") for line in lines) or len(answer.err) > LONGEST:
            yield f"says {answer.err[:200]!r}, {len(answer.err)} letters in {len(lines)} lines"
    if strange := [letter for letter in answer.out + answer.err if letter != "\n" and ord(letter) < 32]:
        yield f"prints {strange[0]!r}"
    if seconds > SECONDS:
        yield f"took {seconds:.0f} s"


def ends_well(typed: Mirbench, words: list[str]) -> list[str]:
    """What is wrong with a command, whatever it raises."""
    began = time.monotonic()
    try:
        answer = typed(*words)
    except Exception as error:
        return [f"{type(error).__name__}: {error}"[:300]]
    return [*faults(answer, time.monotonic() - began)]


@pytest.mark.slow
def test_nonsense_in_any_option_is_one_line(work: Mirbench, tmp_path: Path) -> None:
    found, n_tried = {}, 0
    for words in command_lines():
        n_tried += 1
        if wrong := ends_well(work, words):
            found[" ".join(words)[:200]] = wrong
    assert n_tried > 1000
    assert found == {}
    of_runs = "folder_songs"  # for "--runs .." is a folder like any other
    noted = "results"  # of runs that `verify --rerun` repeats
    assert {path.name for path in tmp_path.iterdir()} <= {"home", "work", "cache", noted, of_runs}


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["MIRBENCH_CACHE", "MIRBENCH_DATA", "MIRBENCH_WEIGHTS"])
def test_nonsense_in_the_environment_is_one_line(
    variable: str, work: Mirbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    more = ["run --task folder:songs --method probe-linear --source efficientat-mn04"] * (
        variable == "MIRBENCH_WEIGHTS"
    )
    values = ("", " ", "-", "~nouser", "/dev/null", "\udcff", "songs/a/0.wav", "a" * 300, "🎸", "\x1b[31m")
    for value in values[1:] if more else values:  # nothing is as if it were not set, and fetches weights
        monkeypatch.setenv(variable, value)
        for words in (f"run {PRIOR}", "cache info", "data stats folder:songs", "data check gtzan-mini", *more):
            if wrong := ends_well(work, words.split()):
                found[value, words] = wrong
    assert found == {}


RUN = '[[run]]\ntask = "gtzan-demo"\nmethod = "prior"\n'
NAMES = (
    "task",
    "method",
    "source",
    "seeds",
    "fold",
    "windows",
    "average",
    "set",
    "search",
    "each",
    "source-set",
    "row",
)
OF_TOML = (
    "1", "-1", "1.5", "nan", "inf", "true", '""', '"\\u0000"', '"a"', "[]", "[[]]", "[1, 2]", '["a", "a"]', "{}",
    "{ a = 1 }", "{ lr = [] }", "{ lr = { from = 0, to = 1, step = 1e-9999 } }", "1979-05-27", "07:32:00",
    "{ lr = { from = 0, to = 1e999999, step = 1 } }", "{ depth = { from = 0, to = 9999999999, step = 1 } }",
    "{ depth = { from = 0, to = 9999, step = 1 }, share = { from = 0, to = 9999, step = 1 } }",
    "{ lr = { from = nan, to = inf, step = 0 } }", "9" * 5000, "99999999999999999999", "[" * 900 + "]" * 900,
    '["' + "a" * 5000 + '"]', "1e999", "-0.0", "[1.5]", '[["a"]]', "{ a = { b = { c = 1 } } }",
)  # fmt: skip
WHOLE = {
    "empty": b"",
    "byte order mark": b"\xef\xbb\xbf" + RUN.encode(),
    "line ends of Windows": RUN.replace("\n", "\r\n").encode(),
    "no UTF-8": b'title = "\xff"\n' + RUN.encode(),
    "UTF-16": RUN.encode("utf-16"),
    "NUL": RUN.encode() + b"\x00",
    "deep": b"a = " + b"[" * 900 + b"]" * 900,
    "very deep": b"a = " + b"[" * 100_000,
    "deep tables": b"[" + b"a." * 5000 + b"a]\n",
    "twice": RUN.encode() + b'task = "a"\n',
    "100,000 tasks": b'[[run]]\nmethod = "prior"\ntask = [' + b'"gtzan-demo", ' * 100_000 + b"]\n",
    "100,000 tables": b'[[run]]\ntask = "gtzan-demo"\nmethod = "prior"\nseeds = 9\n' * 100_000,
    "many seeds": (RUN + 'seeds = "0-9998"\n').encode() * 20,
    "large": b"#" * 20_000_000,
    "no table": b"run = 1\n",
    "tables of none": b"run = [1]\n",
    "defaults of none": b"defaults = [1]\n" + RUN.encode(),
    "data of none": b"data = [1]\n" + RUN.encode(),
    "printed of none": b"printed = [1]\n" + RUN.encode(),
}


@pytest.mark.slow
def test_nonsense_in_a_key_of_a_suite_is_one_line(typed: Mirbench) -> None:
    Path("mine.py").write_text(PLUGIN)
    found, rng = {}, random.Random(0)
    for name in NAMES:
        for value in rng.sample(OF_TOML, 8):
            kept = "".join(line + "\n" for line in RUN.splitlines() if not line.startswith(f"{name} "))
            Path("odd.toml").write_text(f"{kept}{name} = {value}\n".replace('"prior"', '"mine"'))
            if wrong := ends_well(typed, ["sweep", "odd.toml", "--dry-run", "--plugin", "mine.py"]):
                found[name, value[:60]] = wrong
    assert found == {}


@pytest.mark.slow
@pytest.mark.parametrize("held", WHOLE.values(), ids=WHOLE)
def test_suite_of_any_bytes_ends_soon(held: bytes, typed: Mirbench) -> None:
    Path("odd.toml").write_bytes(held)
    assert ends_well(typed, ["sweep", "odd.toml", "--dry-run"]) == []


@pytest.mark.parametrize("name", ["byte order mark", "line ends of Windows"])
def test_suite_written_on_windows_reads_as_any(name: str, typed: Mirbench) -> None:
    Path("odd.toml").write_bytes(WHOLE[name])
    answer = typed("sweep", "odd.toml", "--dry-run")
    assert (answer.code, answer.err, "1 run," in answer.out) == (0, "", True)


@pytest.mark.parametrize("name", ["deep", "100,000 tasks", "large", "UTF-16"])
def test_suite_beyond_all_bounds_is_refused(name: str, typed: Mirbench) -> None:
    Path("odd.toml").write_bytes(WHOLE[name])
    answer = typed("sweep", "odd.toml", "--dry-run")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
