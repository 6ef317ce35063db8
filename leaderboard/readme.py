"""Tables inside a file that people write: what stands between two markers is replaced, all else stays byte for byte.

::

    <!-- mirbench:begin task=gtzan-mini columns=rank,system,accuracy rows=10 note=no -->
    <!-- mirbench:end -->
"""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mirbench.errors import BadInput, UnknownName
from mirbench.features.temporary import written_whole
from mirbench.leaderboard.asked_columns import refuse_of_no_table
from mirbench.leaderboard.render import heading, note, of_tasks, section
from mirbench.leaderboard.table import Board

__all__ = ["update", "updated"]

_BEGIN = re.compile(r"\s*<!--\s*mirbench:begin\b(.*?)-->\s*")
_END = re.compile(r"\s*<!--\s*mirbench:end\s*-->\s*")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_HOW = (
    "put `<!-- mirbench:begin task=NAME columns=NAME,NAME -->` and `<!-- mirbench:end -->`, each on a line of its own, "
    "where the table shall stand (both options may be left out)"
)


@dataclass(frozen=True)
class _Block:
    """The lines of two markers, and what the first asks for."""

    begin: int
    end: int
    tasks: tuple[str, ...]
    columns: tuple[str, ...]
    rows: int | None
    note: bool


def update(path: Path, boards: Sequence[Board], tasks: Sequence[str] = (), columns: Sequence[str] = ()) -> bool:
    """Rewrite the blocks of a file, whole or not at all. Returns whether that changed anything.

    Parameters
    ----------
    tasks, columns : sequence of str
        Of blocks whose marker names none.

    Raises
    ------
    BadInput
        If it is no text in UTF-8, or markers lack, are not in pairs, or ask for what is not there; it stays as it is.
    """
    path = path.resolve()  # a link stays one
    if not path.is_file():
        raise BadInput(f"--update {path}: no such file; {_HOW}")
    old = path.read_bytes()
    try:
        new = updated(old.decode("utf-8"), boards, tasks, columns).encode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"--update {path}: no text in UTF-8 ({error})") from error
    except BadInput as error:
        raise BadInput(f"--update {path}: {error}") from error
    if new != old:
        _replace(path, new)
    return new != old


def updated(text: str, boards: Sequence[Board], tasks: Sequence[str] = (), columns: Sequence[str] = ()) -> str:
    """A text with its blocks rewritten; see `update`."""
    lines = [found.group() for found in _LINE.finditer(text) if found.group()]
    for block in reversed(_blocks(text, lines)):
        shown = of_tasks(boards, block.tasks or tasks)
        refuse_of_no_table(block.columns or columns, shown)
        end = re.sub(r"[^\r\n]", "", lines[block.begin]) or "\n"
        body = _body(shown, block.columns or columns, block).replace("\n", end)
        lines[block.begin + 1 : block.end] = [f"{end}{body}{end}{end}"]
    return "".join(lines)


def _body(boards: Sequence[Board], columns: Sequence[str], block: _Block) -> str:
    parts = []
    for board in boards:
        parts += [heading(board)] if len(boards) > 1 else []
        n_rows = len(board.rows)
        if block.rows is None or block.rows >= n_rows:
            parts += section(board, columns)
        else:
            parts += section(replace(board, rows=board.rows[: block.rows], problems=()), columns)
            parts.append(f"The first {block.rows} of {n_rows} systems.")
    return "\n\n".join([*parts, *([note(boards)] if block.note else [])])


def _blocks(text: str, lines: Sequence[str]) -> list[_Block]:
    """Every pair of markers, in their order."""
    found: list[_Block] = []
    begun: tuple[int, str] | None = None
    for number in _html_lines(text):
        if opened := _BEGIN.fullmatch(lines[number]):
            if begun:
                raise BadInput(
                    f"line {number + 1}: a second mirbench:begin before the end of the one of line {begun[0] + 1}; "
                    "put `<!-- mirbench:end -->` between them"
                )
            begun = number, opened.group(1)
        elif _END.fullmatch(lines[number]):
            if not begun:
                raise BadInput(f"line {number + 1}: mirbench:end without a mirbench:begin above it; {_HOW}")
            found.append(_block(begun[0], number, begun[1]))
            begun = None
    if begun:
        raise BadInput(f"line {begun[0] + 1}: this mirbench:begin has no end; put `<!-- mirbench:end -->` below it")
    if not found:
        raise BadInput(f"no block in it; {_HOW}")
    return found


def _html_lines(text: str) -> list[int]:
    """Lines that markdown takes for HTML: a marker that is shown as an example, in a block of code, is none."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(text)
    return [n for token in tokens if token.type == "html_block" and token.map for n in range(*token.map)]


def _block(begin: int, end: int, options: str) -> _Block:
    tasks: list[str] = []
    columns: list[str] = []
    rows, note = None, True
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise BadInput(f"line {begin + 1}: options of mirbench:begin are not readable ({error})") from error
    for word in words:
        name, _, value = word.partition("=")
        if name == "task" and value:
            tasks.append(value)
        elif name == "columns" and value:
            columns += value.split(",")
        elif name == "rows" and re.fullmatch("[1-9][0-9]*", value):
            rows = int(value)
        elif name == "note" and value in ("yes", "no"):
            note = value == "yes"
        else:
            raise UnknownName("option of mirbench:begin", word, ["task=NAME", "columns=NAME,NAME", "rows=N", "note=no"])
    return _Block(begin, end, tuple(tasks), tuple(columns), rows, note)


def _replace(path: Path, content: bytes) -> None:
    with written_whole(path) as work:
        work.write_bytes(content)
        work.chmod(stat.S_IMODE(path.stat().st_mode))
