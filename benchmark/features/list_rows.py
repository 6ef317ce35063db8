"""From the bytes of a table to its cells: encoding, separator and header, as spreadsheets and programs write them.

UTF-8 with or without a byte order mark; commas, semicolons or tabs, whichever make the header name known columns;
column names in capitals or between spaces; a column without a name if it holds nothing, or numbers of rows.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mirbench.errors import BadInput

__all__ = ["Row", "is_plain", "read_rows", "shown", "tidy"]

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Parameters
    ----------
    where : str
        File and line, for messages.
    cells : mapping of str to str
        By the name of the column, as they stand in the file.
    """

    where: str
    cells: Mapping[str, str]

    @property
    def exact(self) -> bool:
        """Whether the line says that its cells are meant as they stand, spaces included."""
        return self.cells.get("exact", "").strip() == "1"

    def cell(self, column: str) -> str:
        """A cell, without the spaces around it unless they are meant; "" where there is no such column."""
        text = self.cells.get(column, "")
        return text if self.exact else tidy(text)


def tidy(text: str) -> str:
    """A cell without what stands around it: white space, and the zeros with which fixed fields are filled."""
    return text.strip().strip("\0").strip()


def is_plain(text: str) -> bool:
    """Whether a cell reads back as it is: no white space around it, no control characters, and text in UTF-8."""
    return text == tidy(text) and not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def shown(text: str) -> str:
    """A name for a message: as it is, or with what does not print escaped, so that two names that look alike differ.

    Unlike `mirbench.plain_text.printable` it shows which space is none of the usual ones.
    """
    return text if text.isprintable() else repr(text)


def read_rows(path: Path, columns: Sequence[str]) -> list[Row]:
    """The lines of a table.

    Parameters
    ----------
    columns : sequence of str
        The columns that it may have: "label" and one of "path" and "id" are needed.

    Raises
    ------
    BadInput
        If it is no such table; names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: not readable as a CSV file in UTF-8 ({error.strerror})") from error
    if data.startswith(_UTF16):
        raise BadInput(f"{path}: not readable as a CSV file in UTF-8 (it is in UTF-16); save it as CSV UTF-8")
    text = data.decode("utf-8-sig", "surrogateescape")
    header, separator = _header(path, text, columns)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows = []
    try:
        next(reader)
        for cells in reader:
            if cells:
                rows.append(_row(path, reader.line_num, header, cells, separator))
    except csv.Error as error:
        raise BadInput(f"{path}: not readable as a CSV file in UTF-8 ({error})") from error
    return rows


def _header(path: Path, text: str, columns: Sequence[str]) -> tuple[list[str], str]:
    """Names of the columns, "" for those without one, and what separates them."""
    first = next(iter(io.StringIO(text, newline="")), "")
    if not _is_text(first):
        raise BadInput(f"{path}: not readable as a CSV file in UTF-8 (its first line is none); save it as CSV UTF-8")
    for separator in _SEPARATORS:
        found = [_column(cell) for cell in next(csv.reader([first], delimiter=separator), [])]
        if "label" in found and {"path", "id"} & set(found):
            break
    else:
        raise BadInput(_needs(path, columns, f"it is {first.strip()[:80]!r}"))
    named = [name for name in found if name]
    shown = ",".join(found)[:80]
    if len(set(named)) < len(named):
        raise BadInput(f"{path}: names a column twice in {shown!r}")
    if strange := [name for name in named if name not in columns]:
        raise BadInput(_needs(path, columns, f"{strange[0][:80]!r} is none of them; rename that column, or remove it"))
    if "split" in found and "fold" in found:
        raise BadInput(f"{path}: has the columns split and fold; give one of them")
    return found, separator


def _needs(path: Path, columns: Sequence[str], came: str) -> str:
    known = ", ".join(columns)
    return f"{path}: the first line must name the columns path (or id) and label, and any of {known}; {came}"


def _column(cell: str) -> str:
    """The name of a column; "" for the one that pandas writes of its index, and calls "Unnamed: 0" when it returns."""
    name = cell.strip().strip("\ufeff").lower()
    return "" if name.startswith("unnamed:") else name


def _row(path: Path, line: int, header: Sequence[str], cells: Sequence[str], separator: str) -> Row:
    where = f"{path}, line {line}"
    if len(cells) != len(header):
        raise BadInput(
            f"{where}: has another number of fields than the header ({len(cells)}, not {len(header)}); quote a field "
            f"that holds a {_SEPARATORS[separator]}"
        )
    named = list(zip(header, cells, strict=True))
    if nameless := [cell for name, cell in named if not name and not _is_index(cell)]:
        raise BadInput(f"{where}: a column without a name holds {nameless[0][:40]!r}; name it, or remove it")
    row = Row(where, dict(named))
    for name, cell in named:
        if not row.exact and not _is_text(cell):
            raise BadInput(
                f"{path}: not readable as a CSV file in UTF-8 (line {line}: its {name} is none); save it as CSV UTF-8"
            )
        if "\0" in row.cell(name):
            raise BadInput(f"{where}: its {name} holds a zero byte (NUL) in {row.cell(name)[:80]!r}; remove that")
    return row


def _is_text(text: str) -> bool:
    return not any("\udc80" <= character <= "\udcff" for character in text)


def _is_index(cell: str) -> bool:
    return not cell.strip() or cell.strip().removesuffix(".0").isdecimal()
