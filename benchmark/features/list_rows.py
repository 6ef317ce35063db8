"""From the bytes of a table to its cells: encoding, separator and header, as spreadsheets and programs write them.

UTF-8 with or without a byte order mark, or UTF-16 with one; commas, semicolons, tabs or bars, whichever make the header
name known columns; column names in capitals or between spaces; a column without a name if it holds nothing, or numbers
of rows. Columns of other names are passed over, unless they look like a known one that was meant.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.plain_text import printable

__all__ = [
    "SPLIT_NAMES",
    "Row",
    "is_plain",
    "other_columns",
    "read_rows",
    "shown",
    "tidy",
    "value_column",
    "value_names",
]

SPLIT_NAMES = {
    "train": "train", "valid": "valid", "test": "test", "training": "train", "val": "valid", "validation": "valid",
    "testing": "test",
}  # fmt: skip
"""The splits as lists call them."""

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_ENDS = ("end", "stop", "offset")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Row:
    """One line of a table.

    Parameters
    ----------
    path : Path
        Of the table.
    line : int
        Where its last cell ends, for messages.
    cells : mapping of str to str
        By the name of the column, as they stand in the file.
    """

    __slots__ = ("_line", "_meant", "_path", "cells", "exact")

    def __init__(self, path: Path, line: int, cells: Mapping[str, str]) -> None:
        self._path, self._line, self.cells = path, line, cells
        self.exact = cells.get("exact", "").strip() == "1"
        """Whether the line says that its cells are meant as they stand, spaces included."""
        self._meant = cells if self.exact else {name: tidy(text) for name, text in cells.items()}

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self._path}, line {self._line}"

    def cell(self, column: str) -> str:
        """A cell, without the spaces around it unless they are meant; "" where there is no such column."""
        return self._meant.get(column, "")


def tidy(text: str) -> str:
    """A cell without what stands around it: white space, and the zeros with which fixed fields are filled."""
    return text.strip().strip("\0").strip()


def is_plain(text: str) -> bool:
    """Whether a cell reads back as it is: no white space around it, no control characters, and text in UTF-8."""
    if text.isprintable():
        return text == text.strip()
    if text != tidy(text):
        return False
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def shown(text: str) -> str:
    """A name for a message: as it is, or with what does not print escaped, so that two names that look alike differ.

    Unlike `mirbench.plain_text.printable` it shows which space is none of the usual ones.
    """
    return text if text.isprintable() else repr(text)


def read_rows(path: Path, columns: Sequence[str], called: Mapping[str, str] | None = None) -> list[Row]:
    """The lines of a table.

    Parameters
    ----------
    columns : sequence of str
        The columns that are known: "label" and one of "path" and "id" are needed.
    called : mapping of str to str or None
        What the table calls some of them, by the known name. Under "value" stand the columns of numbers, separated by
        commas, which are known by `value_column`; where there are some, no label is needed.

    Raises
    ------
    BadInput
        If it is no such table; names the line.
    """
    text = _text(path)
    header, separator = _header(path, text, columns, called or {})
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows = []
    plain = text.isascii() and "\0" not in text  # as nearly all are
    try:
        next(reader)
        for cells in reader:
            if any(map(str.strip, cells)):  # spreadsheets write lines of separators alone
                rows.append(row := _row(path, reader.line_num, header, cells, separator))
                if not plain:
                    _check_cells(path, reader.line_num, row)
    except csv.Error as error:
        raise BadInput(f"{path}: not readable as a CSV file in UTF-8 ({error})") from error
    _check_others(path, columns, called or {}, rows)
    return rows


def other_columns(path: Path, columns: Sequence[str], called: Mapping[str, str] | None = None) -> list[str]:
    """Names of the columns of a table that `read_rows` passes over."""
    header, _ = _header(path, _text(path), columns, called or {})
    return [name.removeprefix(_OWN) for name in header if name and name not in columns]


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: not readable as a CSV file in UTF-8 ({error.strerror})") from error
    if data.startswith(_UTF16):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise BadInput(f"{path}: not readable as a CSV file in UTF-16 ({error.reason})") from error
    else:
        text = data.decode("utf-8-sig", "surrogateescape")
    return re.sub(r"\Asep=.\r?\n", "", text)  # a line for spreadsheets


_OWN = "own "
"""Stands before the name of a column that is called as a known one, where another column was said to be that one."""


def _header(path: Path, text: str, columns: Sequence[str], called: Mapping[str, str]) -> tuple[list[str], str]:
    """Names of the columns, known ones for those that were said to be them, "" for those without one; the separator."""
    first = next(iter(io.StringIO(text, newline="")), "")
    if not _is_text(first):
        raise BadInput(f"{path}: not readable as a CSV file in UTF-8 (its first line is not); save it as CSV UTF-8")
    for separator in _SEPARATORS:
        given = [_column(cell) for cell in next(csv.reader([first], delimiter=separator), [])]
        found = _known(given, called)
        if ("label" in found or "value" in called) and {"path", "id"} & set(found):
            break
    else:
        how = f"or say which they are: 'csv:{path.name}?path=…&label=…'; of numbers, 'csv:{path.name}?value=…'"
        if "value" in called:
            how = f"or say which column the path is: 'csv:{path.name}?path=…&value={called['value'][:80]}'"
        raise BadInput(_needs(path, columns, called, f"it is {first.strip()[:80]!r}; {how}"))
    asked = [name for column, name in called.items() if column != "value"] + value_names(called)
    if lacking := [name for name in asked if _column(name) not in given]:
        raise BadInput(f"{path}: no column is called {lacking[0][:80]!r}; it has {', '.join(given)[:200]}")
    named = [name for name in found if name in columns]
    if len(set(named)) < len(named):
        raise BadInput(f"{path}: names a column twice in {','.join(given)[:80]!r}")
    if "split" in found and "fold" in found:
        raise BadInput(f"{path}: has the columns split and fold; give one of them")
    return found, separator


def _known(given: Sequence[str], called: Mapping[str, str]) -> list[str]:
    known = {_column(name): column for column, name in called.items() if column != "value"}
    known |= {name: value_column(name) for name in value_names(called)}
    return [known.get(name, f"{_OWN}{name}" if name in called else name) for name in given]


def value_names(called: Mapping[str, str]) -> list[str]:
    """The columns that a table was said to hold numbers in, as their names are read."""
    return [_column(name) for name in called["value"].split(",")] if "value" in called else []


def value_column(name: str) -> str:
    """What `Row.cell` calls such a column, whatever else is called like it."""
    return f"value {name}"


def _needs(path: Path, columns: Sequence[str], called: Mapping[str, str], came: str) -> str:
    targets = value_names(called)
    none_of = ("label", "unknown", *map(value_column, targets)) if targets else ()
    known = ", ".join(name for name in columns if name not in none_of)
    needed = f"path (or id) and {', '.join(targets)[:200] or 'label'}"
    return f"{path}: the first line must name the columns {needed}, and any of {known}; {came}"


def _check_others(path: Path, columns: Sequence[str], called: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Refuse columns that would be passed over and look like known ones that lack, by their names or what they hold."""
    there = set(rows[0].cells) if rows else set()
    lacking = [name for name in columns if name not in there]
    for name in sorted(filter(None, there - set(columns))):
        meant = difflib.get_close_matches(name, lacking, 1, 0.8) if len(name) > 3 else []
        if name in _ENDS and "start" in there and "duration" in lacking:
            meant = ["duration"]
        held = {row.cells[name].strip().lower() for row in rows}
        if not {"split", "fold"} & there and len(held) > 1 and held <= set(SPLIT_NAMES):
            meant = ["split"]
        if meant:
            what = (
                "a length in seconds"
                if meant == ["duration"]
                else f"'csv:{path.name}?{meant[0]}={printable(name.removeprefix(_OWN), 80)}'"
            )
            came = f"{name[:80]!r} is none of them, and may be meant for {meant[0]} ({what})"
            raise BadInput(_needs(path, columns, called, f"{came}; rename that column, or remove it"))


def _column(cell: str) -> str:
    """The name of a column; "" for the one that pandas writes of its index, and calls "Unnamed: 0" when it returns."""
    name = cell.strip().strip("\ufeff").lower()
    return "" if name.startswith("unnamed:") else name


def _row(path: Path, line: int, header: Sequence[str], cells: Sequence[str], separator: str) -> Row:
    if len(cells) != len(header):
        raise BadInput(
            f"{path}, line {line}: has another number of fields than the header ({len(cells)}, not {len(header)}); "
            f"quote a field that holds a {_SEPARATORS[separator]}, without a space before the quote"
        )
    named = dict(zip(header, cells, strict=True))
    if "" in named:
        nameless = [cell for name, cell in zip(header, cells, strict=True) if not name and not _is_index(cell)]
        if nameless:
            raise BadInput(
                f"{path}, line {line}: a column without a name holds {nameless[0][:40]!r}; name it, or remove it"
            )
    return Row(path, line, named)


def _check_cells(path: Path, line: int, row: Row) -> None:
    for name, cell in row.cells.items():
        if not row.exact and not _is_text(cell):
            raise BadInput(
                f"{path}: not readable as a CSV file in UTF-8 (line {line}: its {shown(name)} is not); save it as CSV "
                "UTF-8"
            )
        if "\0" in cell and "\0" in row.cell(name):
            raise BadInput(
                f"{row.where}: its {shown(name)} holds a zero byte (NUL) in {row.cell(name)[:80]!r}; remove that"
            )


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)


def _is_index(cell: str) -> bool:
    return not cell.strip() or cell.strip().removesuffix(".0").isdecimal()
