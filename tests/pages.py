"""Reads the project's pages: what stands in their backticks, blocks of code and tables, and the commands in those."""

from __future__ import annotations

import functools
import itertools
import shlex
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.conftest import ROOT

OF_NO_PAPER = {"crossed", "equal-budget", "every-method", "from-scratch", "low-resource", "mirex-instruments"}
"""Suites that ask a question of ours."""

PAGES = ("README.md", "CONTRIBUTING.md", "AGENTS.md", *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")))


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@functools.cache
def tokens(text: str) -> tuple[Token, ...]:
    """Tokens of a text, those inside a line after the line."""
    found: list[Token] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        found += [token, *(token.children or ())]
    return tuple(found)


def spans(text: str) -> list[str]:
    """What stands in backticks."""
    return [token.content for token in tokens(text) if token.type == "code_inline"]


def fences(text: str, language: str) -> list[str]:
    return [token.content for token in tokens(text) if token.type == "fence" and token.info == language]


def rows(text: str, heading: str) -> Iterator[list[Token]]:
    """The cells of every row of the tables whose first column is called so."""
    cells: list[Token] = []
    ours = False
    for before, token in itertools.pairwise(tokens(text)):
        if before.type == "tr_open":
            cells = []
        if before.type in ("th_open", "td_open"):
            cells.append(token)
        if token.type == "tr_close" and before.type == "th_close":
            ours = cells[0].content == heading
        elif token.type == "tr_close" and ours:
            yield cells


def named(cell: Token) -> list[str]:
    return [token.content for token in cell.children or () if token.type == "code_inline"]


def first_column(heading: str) -> list[str]:
    """What stands in backticks in the first column of the tables of docs/ that begin with this heading."""
    pages = (page for page in PAGES if page.startswith("docs/"))
    return [name for page in pages for cells in rows(text_of(page), heading) for name in named(cells[0])]


def words_of(line: str) -> Iterator[list[str]]:
    """The words of each command of mirbench in a line of a shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    command: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("();<>|&"):
            if command[:1] == ["mirbench"]:
                yield command[1:]
            command = []
        else:
            command.append(word)


def typed_in(text: str) -> list[list[str]]:
    """Commands of mirbench in the blocks of sh, as words."""
    lines = (line for block in fences(text, "sh") for line in block.replace("\\\n", " ").splitlines())
    return [words for line in lines for words in words_of(line)]


def said_in(text: str) -> list[list[str]]:
    """Commands of mirbench in backticks, as words."""
    return [words for span in spans(text) if span.startswith("mirbench ") for words in words_of(span)]
