"""Results as papers and lectures print them: the tables of ``leaderboard/published``, a printed number a line.

Columns: the `row` and `quantity` that a number is of; `value` and `unit` as printed, in the printed digits; `sd` over
`n_seeds` runs where it is known; `n_clips` tested, and whether they are the `draw` that is tested here ("same") or not
("other"); `dead`, values that are counted in print and learnt by nobody, with the reason in `note`; `where` it stands.
A `note` also says why nothing can be run for a number, and where a paper and its logs disagree.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mirbench.errors import BadInput, UnknownName

__all__ = ["COLUMNS", "SCALES", "Printed", "read_printed", "tables"]

COLUMNS = ("row", "quantity", "value", "unit", "sd", "n_seeds", "n_clips", "draw", "dead", "where", "note")
SCALES = {
    "fraction": 1.0, "percent": 0.01, "points": 0.01, "count": 1.0, "millions": 1e6, "seconds": 1.0, "min:s": 1.0,
    "nats": 1.0, "full scale": 1.0, "setting": 1.0, "order": 1.0,
}  # fmt: skip
"""What a printed number is multiplied by to be in the unit of ours."""


@dataclass(frozen=True)
class Printed:
    """A printed number.

    Parameters
    ----------
    value : str
        As printed.
    sd : float or None
        In the unit of `value`.
    same_clips : bool
        False where other clips were tested than here.
    dead : int
        What has to be added to a count of ours to meet a printed one.
    """

    table: str
    row: str
    quantity: str
    value: str
    unit: str
    sd: float | None
    n_seeds: int | None
    n_clips: int | None
    same_clips: bool
    dead: int
    where: str
    note: str

    @property
    def number(self) -> float | None:
        """In the unit of ours; None for what is no number."""
        if self.unit == "order":
            return None
        if self.unit == "min:s":
            minutes, _, seconds = self.value.partition(":")
            return 60.0 * int(minutes) + int(seconds)
        return float(self.value) * SCALES[self.unit]

    @property
    def n_digits(self) -> int:
        """Printed digits after the point."""
        return len(self.value.partition(".")[2])

    @property
    def rounding(self) -> float:
        """By how much rounding may have moved it, in the unit of ours."""
        return float(0.5 * 10.0**-self.n_digits * SCALES[self.unit])


def tables() -> dict[str, Path]:
    """The tables that ship with mirbench, by name."""
    folder = Path(str(files("mirbench.leaderboard") / "published"))
    return {path.stem: path for path in sorted(folder.glob("*.csv"))}


def read_printed(names: Sequence[str]) -> list[Printed]:
    """The numbers of some tables, in their order.

    Raises
    ------
    UnknownName
        If a table does not ship with mirbench.
    BadInput
        If one is broken.
    """
    known = tables()
    found: list[Printed] = []
    for name in names:
        if name not in known:
            raise UnknownName("printed table", name, known)
        with known[name].open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise BadInput(f"{known[name].name}: its columns must be {','.join(COLUMNS)}")
            found += [_read(name, number, line) for number, line in enumerate(reader, 2)]
    return found


def _read(table: str, number: int, line: dict[str, str]) -> Printed:
    try:
        if len(line) > len(COLUMNS):
            raise ValueError("more cells than columns; a note with a comma in it needs quotes")
        if line["unit"] not in SCALES or line["draw"] not in ("", "same", "other"):
            raise ValueError(f"unit {line['unit']}, draw {line['draw']}")
        printed = Printed(
            table=table,
            row=line["row"],
            quantity=line["quantity"],
            value=line["value"],
            unit=line["unit"],
            sd=float(line["sd"]) if line["sd"] else None,
            n_seeds=int(line["n_seeds"]) if line["n_seeds"] else None,
            n_clips=int(line["n_clips"]) if line["n_clips"] else None,
            same_clips=line["draw"] != "other",
            dead=int(line["dead"] or 0),
            where=line["where"],
            note=line["note"],
        )
        assert printed.number is not None or printed.unit == "order"
        return printed
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{table}.csv, line {number}: {error}") from error
