"""What is printed and written of other people's names: file names, classes, labels and reasons may hold anything.

A terminal obeys escape codes, a spreadsheet computes what begins with "=", a pipe closes, a terminal may know no letter
but those of ASCII. Here is the one place that knows: `say` prints, `printable` shows in one line what a text holds,
`csv_text` and `json_text` write files.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

__all__ = [
    "csv_cell", "csv_text", "cut_apart", "cut_middle", "finish", "in_width", "is_terminal", "json_text",
    "knows_all_letters", "one_message", "prepare", "printable", "printable_lines", "put", "say",
    "superscript", "without_password",
]  # fmt: skip

_JOINERS = "\u200c\u200d"
_LONGEST = 1000  # letters of a line of an error

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLAINER = {f"{n}".translate(_SUPERSCRIPTS): f"({n})" for n in range(10)} | {
    "±": "+/-",
    "—": "-",
    "–": "-",
    "×": "x",
    "…": "...",
    "’": "'",
    "“": '"',
    "”": '"',
}
"""Signs that mirbench itself prints, where the terminal has no such letters."""


def printable(text: object, most: int | None = None) -> str:
    r"""A text as one line that shows all that is in it.

    Parameters
    ----------
    most : int or None
        Letters, after which it is cut with "…".

    Escape codes, other control characters, signs that turn the direction of writing, and bytes of file names that are
    no UTF-8 come out as ``\x1b``, ``\n``, ``\u202e`` or ``\udcff``; letters of every language stay. What stands before
    the host of an address, a password perhaps, is left out.

    >>> print(printable("a\x1b[31mred\nb"))
    a\x1b[31mred\nb
    """
    line = without_password(str(text))
    line = line if most is None else line[: most + 1]
    if not line.isprintable():
        line = "".join(letter if _is_shown(letter) else _escape(letter) for letter in line)
    return line if most is None or len(line) <= most else f"{line[:most]} …"


def without_password(text: str) -> str:
    """A text without the user, password or token of the addresses in it.

    >>> without_password("https://me:secret@lab.org/pack.tar.xz")
    'https://***@lab.org/pack.tar.xz'
    """
    return re.sub(r"(?<=://)[^\s/@]+@", "***@", text) if "://" in text else text


def printable_lines(text: str) -> str:
    """The same for a text of several lines, and of data: line ends, tabulators and addresses stay."""
    if text.isprintable():
        return text
    return "".join(letter if letter in "\n\t" or _is_shown(letter) else _escape(letter) for letter in text)


def superscript(number: int) -> str:
    """A number as the mark of a note.

    >>> superscript(12)
    '¹²'
    """
    return str(number).translate(_SUPERSCRIPTS)


def cut_middle(text: str, n_cells: int) -> str:
    """A text that takes no more than so many cells of a terminal: what is too much leaves its middle, for an "…".

    >>> cut_middle("probe-linear + efficientat-mn04", 20)
    'probe-lin…entat-mn04'
    """
    from rich.cells import cell_len

    if cell_len(text) <= n_cells:
        return text
    begin, end = "", ""
    while begin + end != text:  # letters of east Asia take two cells
        longer = begin + text[len(begin)] if cell_len(begin) < cell_len(end) else begin
        tail = end if longer != begin else text[len(text) - len(end) - 1] + end
        if cell_len(longer) + cell_len(tail) + 1 > n_cells:
            break
        begin, end = longer, tail
    return f"{begin}…{end}"


def cut_apart(texts: Sequence[str], n_cells: int) -> list[str]:
    """Texts as `cut_middle` cuts them; where that would make two of them one, what is left out is what they share.

    All are cut at one place, behind what they begin with if it must be, and take more cells only where no place tells
    them apart.

    >>> cut_apart(["concert/violin/take/01.wav", "concert/cello/take/01.wav"], 16)
    ['concert/v…01.wav', 'concert/c…01.wav']
    """
    from rich.cells import cell_len

    different = len({*texts})
    if len({*(found := [cut_middle(text, n_cells) for text in texts])}) == different:
        return found
    shared = max(0, len(os.path.commonprefix(list(texts))) - _BEFORE)  # noqa: RUF071
    behind = [f"…{text[shared:]}" for text in texts]
    widths = range(n_cells + 1, max(map(cell_len, texts)))
    for parts, width in ((texts, n_cells), (behind, n_cells), *((texts, width) for width in widths)):
        for n_begin in sorted(range(width), key=lambda n: abs(n - n_cells // 2)):
            if len({*(found := [_cut_at(part, n_begin, width) for part in parts])}) == different:
                return found
    return list(texts)


_BEFORE = 4  # letters that are left before where texts begin to differ


def _cut_at(text: str, n_begin: int, n_cells: int) -> str:
    """A text without what lies between so many of its first cells and the last of those that it may take."""
    from rich.cells import cell_len

    if cell_len(text) <= n_cells:
        return text
    begin, end = "", ""
    while cell_len(begin + text[len(begin)]) <= n_begin:
        begin += text[len(begin)]
    while cell_len(begin + "…" + text[len(text) - len(end) - 1] + end) <= n_cells:
        end = text[len(text) - len(end) - 1] + end
    return f"{begin}…{end}"


def one_message(text: object) -> str:
    """An error as it is printed: lines after the first are indented, any other line end came with a name."""
    lines = [printable(line) for line in re.sub(r"\n(?!  )", r"\\n", str(text)).split("\n")]
    return "\n".join(map(_cut, lines))


def _cut(line: str) -> str:
    """A line without the middle of what is far too long for one."""
    line = re.sub(r"\S{300,}", lambda found: _shortened(found[0], 100), line)
    return _shortened(line, _LONGEST // 2) if len(line) > _LONGEST else line


def _shortened(text: str, kept: int) -> str:
    return f"{text[:kept]}… ({len(text):,} letters) …{text[-40:]}"


def _is_shown(letter: str) -> bool:
    """Whether it is a sign; spaces of other writings, and what joins or parts letters of Persian, Hindi, emoji, are."""
    return letter.isprintable() or unicodedata.category(letter) == "Zs" or letter in _JOINERS


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def say(text: object = "", *, error: bool = False, end: str = "\n", whole: bool = False) -> None:
    """Print on standard output or standard error, whatever they are; a reader who has gone away is no error.

    On a terminal, lines that are too long for it go on between words, below their own beginning.

    Parameters
    ----------
    text : object
        Lines; see `printable_lines`.
    whole : bool
        Leave every line in one piece, as data must be; so is what has another `end`.
    """
    stream = sys.stderr if error else sys.stdout
    said = printable_lines(str(text) if whole else without_password(str(text)))
    if not whole and end == "\n" and stream is not None and stream.isatty():
        width = shutil.get_terminal_size().columns
        said = "\n".join(in_width(line, width) for line in said.split("\n"))
    put(said + end, error=error)


_BEGIN = re.compile(r"\s*(\S+\s{2,})?")


def in_width(line: str, width: int) -> str:
    r"""A line as lines of so many letters, broken between words; of a name and what it is, the latter stay in column.

    >>> in_width("  knn   nearest neighbours of embeddings", 24).split("\n")
    ['  knn   nearest', '        neighbours of', '        embeddings']
    """
    if len(line) <= width:
        return line
    begin = _BEGIN.match(line)
    indent = begin.end() if begin and begin.end() < width / 2 else len(line) - len(line.lstrip())
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        drop_whitespace=True,
    )


def is_terminal() -> bool:
    """Whether somebody looks at standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def put(text: str, *, error: bool = False) -> None:
    """Print a text that mirbench itself has made, codes of colours and all, as `say` does."""
    stream = sys.stderr if error else sys.stdout
    if stream is None:  # it was closed before the program began
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError as fault:
        _give_up(stream, fault)


def prepare() -> None:
    """Let standard output and standard error replace what they have no letters for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="mirbench-plainer")


def finish() -> bool:
    """Print what is still held back; returns whether all that was said has gone out, or to a reader who had enough."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as fault:
            _give_up(stream, fault)
    return not _lost


_lost: list[str] = []  # streams that took nothing more


def _give_up(stream: TextIO, fault: OSError) -> None:
    """Let nothing more go to a stream: neither the rest of the work nor Python's end shall stumble over it."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
    if not isinstance(fault, BrokenPipeError) and stream is sys.stdout:
        _lost.append(stream.name)
        say(f"mirbench: standard output: {fault.strerror}; what is not printed is lost", error=True)


def _plainer(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    return "".join(_PLAINER.get(letter) or json.dumps(letter)[1:-1] for letter in letters), error.end


codecs.register_error("mirbench-plainer", _plainer)


def csv_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: a text that begins like one gets an apostrophe before it.

    Numbers stay, also as texts.

    References
    ----------
    OWASP, CSV Injection.
    """
    if not isinstance(value, str):
        return value
    shown = printable_lines(value)  # a cell may have several lines
    return f"'{shown}" if value.lstrip()[:1] in tuple("=+-@＝＋－＠") and not _is_number(value) else shown


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows of cells as CSV for people and their spreadsheets."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([csv_cell(cell) for cell in row] for row in rows)
    return stream.getvalue()


def json_text(value: Any) -> str:
    """Strict JSON, one line end after it; what is not printable is escaped in it, and reads back as it was."""
    text = json.dumps(value, indent=1, allow_nan=False, ensure_ascii=not knows_all_letters())
    if not text.replace("\n", "").isprintable():
        text = "".join(c if c == "\n" or _is_shown(c) else json.dumps(c)[1:-1] for c in text)
    return text + "\n"


def knows_all_letters() -> bool:
    """Whether standard output is in Unicode; what it is not known of is."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
