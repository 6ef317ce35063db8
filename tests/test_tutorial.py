"""The tutorial, cell by cell in a process of its own, prints what it shows."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import text_of, tokens

NOTEBOOK = """
import ast, contextlib, io, json, linecache, sys

def do(number, text):
    name = f"<cell {number}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    *first, last = ast.parse(text).body
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        shown = isinstance(last, ast.Expr)
        exec(compile(ast.Module(first if shown else [*first, last], []), name, "exec"), globals())
        if shown:
            value = eval(compile(ast.Expression(last.value), name, "eval"), globals())
            if value is not None:
                print(repr(value))
    return said.getvalue()

cells = json.load(sys.stdin)
json.dump([do(n, text) for n, text in enumerate(cells)], sys.__stdout__)
"""


def cells_of(text: str) -> list[tuple[str, str]]:
    """Blocks of Python of a page, each with the block of text that follows it, or ""."""
    found: list[tuple[str, str]] = []
    for token in tokens(text):
        if token.type == "fence" and token.info == "python":
            found.append((token.content, ""))
        elif token.type == "fence" and token.info == "text" and found:
            found[-1] = (found[-1][0], token.content)
    return found


def differs(shown: str, said: str) -> bool:
    """Whether what a cell said is not what the page shows; "..." stands for anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return not doctest.OutputChecker().check_output(shown, said, flags)


@pytest.mark.slow
def test_cells_of_the_tutorial_say_what_it_shows(tmp_path: Path) -> None:
    cells = cells_of(text_of("docs/tutorial.md"))
    environment = {**os.environ, "MIRBENCH_CACHE": str(tmp_path / "cache"), "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NOTEBOOK], input=json.dumps([code for code, _ in cells]),
        capture_output=True, text=True, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert [(code, out) for (code, shown), out in zip(cells, said, strict=True) if differs(shown, out)] == []


@pytest.mark.parametrize(("shown", "said"), [("0.7...\n", "0.65\n"), ("", "more\n"), ("<Runs: 1...>\n", "<Runs: 2>\n")])
def test_differs_finds_a_planted_fault(shown: str, said: str) -> None:
    assert differs(shown, said)
