"""What is printed and written of other people's names: shown as it is, obeyed by nothing."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import mirbench
from mirbench.cli.predict import _csv, _json, _short, _table
from mirbench.leaderboard import latex, render
from mirbench.plain_text import csv_cell, csv_text, json_text, one_message, printable, printable_lines
from mirbench.progress import Progress
from mirbench.runs.predict import Predictions
from mirbench.text_table import table

if TYPE_CHECKING:
    from tests.conftest import Answer

OBEYED = {
    "escape code": ("\x1b[31mred", r"\x1b[31mred"),
    "bell": ("a\x07", r"a\x07"),
    "carriage return": ("a\rb", r"a\rb"),
    "line end": ("a\nb", r"a\nb"),
    "C1 control": ("\x9b31m", r"\x9b31m"),
    "delete": ("a\x7f", r"a\x7f"),
    "right to left": ("\u202egnp.exe", r"\u202egnp.exe"),
    "isolate": ("\u2067x", r"\u2067x"),
    "line separator": ("a\u2028b", r"a\u2028b"),
    "no width": ("a\u200bb", r"a\u200bb"),
    "byte that is no UTF-8": ("caf\udce9", r"caf\udce9"),
    "NUL": ("a\x00", r"a\x00"),
}
SHOWN = [
    "Música",
    "日本語　音",
    "ü € 🎸",
    ":guitar:",
    "[bold]x[/bold]",
    "[/]",
    r"a\x1b",
    "رقص",
    "a b",
    "a\u00a0b",
    "می\u200cخواهم",
    "👩\u200d🎤",
]

pytestmark = pytest.mark.filterwarnings("error")
each_obeyed = pytest.mark.parametrize(("text", "shown"), OBEYED.values(), ids=list(OBEYED))


@each_obeyed
def test_printable_escapes_what_a_terminal_obeys_or_hides(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", SHOWN)
def test_printable_keeps_every_letter_and_all_markup(text: str) -> None:
    assert printable(text) == text


def test_written_keeps_line_ends_and_tabulators_alone() -> None:
    assert printable_lines("a\n\tb\r\x1b") == "a\n\tb" + r"\r\x1b"


@each_obeyed
def test_every_output_shows_a_name_instead_of_obeying_it(text: str, shown: str) -> None:
    drawn = table(text, [text], [[text]])
    assert text not in drawn.replace("\n", "") or text == "a\nb"
    assert drawn.count(shown) == 3
    assert shown in one_message(f"no {text} here")
    assert render.escaped(f"x{text}x").replace("\\\\", "\\") in (f"x{shown}x", "xa bx", "xa\\~x")
    assert text not in latex.escaped(f"x{text}x")
    assert text == "a\nb" or text not in csv_text([[text]])
    assert text not in (written_json := json_text([text]))
    assert json.loads(written_json) == [text]


@pytest.mark.parametrize("name", SHOWN)
def test_tables_take_no_name_for_markup_or_an_emoji_code(name: str) -> None:
    assert table(name, [name], [[name]]).count(name) == 3


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a|b", r"a\|b"),
        ("a\\|b", r"a\\\|b"),
        ("`x`", r"\`x\`"),
        ("**x**", r"\*\*x\*\*"),
        ("_x_", r"\_x\_"),
        ("probe_svm", "probe_svm"),
        ("~~x~~", r"\~\~x\~\~"),
        ("[x](http://y)", r"[x]\(http://y)"),
        ("<b>&", "&lt;b&gt;&amp;"),
    ],
)
def test_markdown_shows_a_name_as_it_is(name: str, says: str) -> None:
    assert render.escaped(name) == says


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-cmd|' /C calc'!A0", "@SUM(1)", " =1", "\t=1", "＝1"])
def test_csv_makes_formulas_text(text: str) -> None:
    (cell,) = next(csv.reader(io.StringIO(csv_text([[text]]))))
    assert cell == f"'{text}"


@pytest.mark.parametrize("value", [-1.5, 0, "-1.5", "+3", "-1e-5", "rock", "", "a=b", None])
def test_csv_leaves_numbers_and_other_texts(value: object) -> None:
    assert csv_cell(value) == value


def test_error_of_any_length_stays_readable() -> None:
    for long in ("1" * 10_000, "a b " * 10_000):
        assert len(said := one_message(f"--seeds {long}: no")) < 1200
        assert (said[:8], said[-4:]) == ("--seeds ", ": no")


def test_error_keeps_its_own_lines_and_no_line_of_a_name() -> None:
    assert one_message("2 files:\n  a\n  b") == "2 files:\n  a\n  b"
    assert one_message("No task 'a\nmirbench: done'") == r"No task 'a\nmirbench: done'"


def test_progress_shows_what_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().say("\x1b[2Jclear :guitar:")
    assert capsys.readouterr().err == r"\x1b[2Jclear :guitar:" + "\n"


def test_predictions_are_shown_as_they_are_called() -> None:
    found = Predictions(
        "t :guitar:", "", ("=1\x1b", "[/]"), (Path("caf\udce9.wav"),), np.array([[0.75, 0.25]], dtype=np.float32), ()
    )
    drawn = _table(found, 3, probabilities=False)
    assert all(said in drawn for said in (r"=1\x1b 0.750", "[/] 0.250", r"caf\xe9.wav", "t :guitar:"))
    assert _csv(found, None, probabilities=True).splitlines() == [
        r"file,predicted,confidence,'=1\x1b,[/]", r"caf\xe9.wav,'=1\x1b,0.75,0.75,0.25",
    ]  # fmt: skip
    (row,) = json.loads(_json(found, 3, probabilities=False).encode())
    assert (row["file"], row["predicted"], row["confidence"]) == (r"caf\xe9.wav", "=1\x1b", 0.75)
    assert [best["class"] for best in row["top"]] == ["=1\x1b", "[/]"]


def test_files_named_from_here_and_from_the_root_are_shown_below_what_all_are_in() -> None:
    here = Path.cwd()
    assert _short([Path("songs/a.wav"), here / "songs" / "b.wav"]) == ["a.wav", "b.wav"]
    assert _short([Path("songs/a.wav"), here / "c.wav"]) == ["songs/a.wav", "c.wav"]


def shell(words: str, folder: Path, **environment: str) -> Answer:
    """A command line in a process of its own, by a shell."""
    from tests.conftest import Answer

    held = {**os.environ, "MIRBENCH_CACHE": str(folder), "HOME": str(folder), **environment}
    line = words.replace("mirbench", f"{sys.executable} -m mirbench")
    done = subprocess.run(["bash", "-c", line], capture_output=True, cwd=folder, env=held)
    return Answer(done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "C"],
)
def test_terminal_without_the_letters_gets_others(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "α—🎸.toml").write_text("[")
    answer = shell("mirbench sweep α—🎸.toml", tmp_path, **environment)
    assert (answer.code, answer.err.count("\n"), "Traceback" in answer.err) == (2, 1, False)
    assert answer.err.startswith(r"mirbench: \u")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        ("mirbench list | head -1; exit ${PIPESTATUS[0]}", 0, ""),
        ("mirbench list >&-", 0, ""),
        ("mirbench show nothing-so 2>&-", 2, ""),
        (
            "mirbench list > /dev/full", 1,
            "mirbench: standard output: No space left on device; what is not printed is lost\n",
        ),
    ],
)  # fmt: skip
def test_output_that_takes_nothing_more_is_no_traceback(words: str, code: int, err: str, tmp_path: Path) -> None:
    if "/dev/full" in words and not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    answer = shell(words, tmp_path)
    assert (answer.code, answer.err) == (code, err)


def test_commands_print_by_say_alone() -> None:
    root = Path(mirbench.__file__).parent
    bare = [
        f"{path.name}:{node.lineno}"
        for folder in ("cli", "runs")
        for path in sorted((root / folder).glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert bare == []
