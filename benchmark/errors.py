"""The errors that mirbench raises on purpose: each message says what came, what is accepted, and what to do.

::

    MirbenchError
    ├── BadInput            what the user gave cannot be used; the command line exits with 2
    │   ├── UnknownName     no such task, method, source, option …; guesses what was meant
    │   ├── MissingData     audio or weights that are not on this machine
    │   ├── BadAudio        files that are broken, empty, silent or too short; names every one of them
    │   └── OneSided        clips that can be learnt from or tested, not both: no task by themselves
    ├── NotApplicable       this method cannot use this source; a sweep records the run as skipped
    ├── ChangedSource       a method changed the source that all share; a run fails
    ├── MissingExtra        a package of an optional extra is not installed; a sweep records the run as skipped
    └── BrokenInstallation  a library that mirbench needs does not import; no run is recorded
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from mirbench.names import natural
from mirbench.plain_text import printable

__all__ = [
    "BadAudio", "BadInput", "BrokenInstallation", "ChangedSource", "MirbenchError", "MissingData", "MissingExtra",
    "NotApplicable", "OneSided", "UnknownName",
]  # fmt: skip


class MirbenchError(Exception):
    """Root of the tree above."""


class BadInput(MirbenchError, ValueError):
    """What the user gave cannot be used."""


_FEW = 5
_MOST_SHOWN, _MOST_KNOWN = 12, 40
"""Names that are shown where none is near: fewer where there is a place to look."""
_LISTED = ("task", "method", "source", "suite", "task, method or source")


class UnknownName(BadInput):
    """A name that no registry, option or field has.

    Parameters
    ----------
    kind : str
        What was looked up, in the singular ("task").
    name : str
        What came.
    known : iterable of str
        What is accepted.
    where : str
        Where all of them can be seen, said if they are many.
    besides : str
        Sentences that are said in any case, last.
    own : iterable of str
        Of what is accepted, that which comes first where it begins with the name: ``METHOD+SOURCE`` of a method.

    Attributes
    ----------
    near : list of str
        What may have been meant.
    """

    def __init__(
        self, kind: str, name: str, known: Iterable[str], where: str = "", besides: str = "", own: Iterable[str] = ()
    ) -> None:
        if not where and kind in _LISTED:
            yours = "" if kind == "suite" else "; one of yours needs --plugin FILE"
            where = f"`mirbench list{'' if ' ' in kind else f' {kind}s'}` has them all{yours}."
        known = sorted(known, key=natural)
        many = len(known) > (_MOST_SHOWN if where else _MOST_KNOWN)
        begun = [one for one in sorted(own, key=natural) if one.lower().startswith(f"{name.lower()}+")]
        self.near = near = list(dict.fromkeys((*begun, *_near(name, known))))[:_FEW]
        if near:
            said = f" Did you mean '{near[0]}'?"
            said += f" Also near: {_listed(near[1:])}." if near[1:] else ""
        elif many:
            said = f" Known: {_listed(known[:_FEW])} … and {len(known) - _FEW} more."
        else:
            said = f" Known: {_listed(known) or 'none'}."
        said += f" {where}" if many and where else ""
        said += f" {besides}" if besides else ""
        super().__init__(f"No {kind} is called '{printable(name)}'.{said}")


def _listed(names: Iterable[str]) -> str:
    """Names with commas between them; one that holds commas of its own is quoted."""
    return ", ".join(f"'{name}'" if "," in name else name for name in names)


def _near(name: str, known: Sequence[str]) -> list[str]:
    """Up to five names that may have been meant, the nearest first."""
    folded = {other.lower(): other for other in known}
    alike = difflib.get_close_matches(name.lower(), folded, n=_FEW, cutoff=0.5)
    best = difflib.SequenceMatcher(None, name.lower(), alike[0]).ratio() if alike else 0.0
    near = [word for word in alike if difflib.SequenceMatcher(None, name.lower(), word).ratio() > best - 0.15]
    return [folded[word] for word in near]


class MissingData(BadInput):
    """Audio or weights that are not on this machine."""


_MANY = 20  # lines of one message
NO_FILE = "no such file"
"""The fault of a file that is not there."""


class BadAudio(BadInput):
    """Files of clips that cannot be used.

    Parameters
    ----------
    faults : sequence of str
        One line a file, each naming it.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        said = []
        if bad := [line for line in faults if not line.endswith(f": {NO_FILE}")]:
            lines = bad[:_MANY]
            if len(bad) > _MANY:
                lines.append(f"… and {len(bad) - _MANY} more; {_ALL}")
            said.append(f"{_files(len(bad))} cannot be used; replace or remove:\n  " + "\n  ".join(lines))
        if absent := not_there(faults):
            said.append(absent + (f"; {_ALL}" if len(faults) - len(bad) > 1 else ""))
        super().__init__("\n  ".join(said))


_ALL = "`mirbench data check TASK` names them all"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def not_there(faults: Sequence[str]) -> str:
    """One line of those files of clips that are not there, and where files are looked for; "" where none is."""
    absent = [line.removesuffix(f": {NO_FILE}") for line in faults if line.endswith(f": {NO_FILE}")]
    if not absent:
        return ""
    verb, as_one = ("is", f": {absent[0]}") if len(absent) == 1 else ("are", f", as {absent[0]}")
    return (
        f"{_files(len(absent))} {verb} not there{as_one}; --data FOLDER, or MIRBENCH_DATA, says where data lie, and "
        "paths of a list begin there or beside it"
    )


class OneSided(BadInput):
    """Clips of one's own that can be learnt from or tested, and not both: one side of ``task+on:other``.

    Parameters
    ----------
    said : str
        What lacks.
    task : Task
        What they are as far as it goes.
    learns, tests : bool
        Whether train and valid have every class, and whether test has.
    """

    def __init__(self, said: str, task: Any, *, learns: bool, tests: bool) -> None:
        able = "another task can be tested on it" if tests else "it can be learnt from, and tested on another task"
        super().__init__(f"{said}; as it is, {able} (--test-on)")
        self.task, self.learns, self.tests = task, learns, tests


class NotApplicable(MirbenchError):
    """This method cannot use this source."""


class ChangedSource(MirbenchError):
    """A method changed the source that all runs share."""


class MissingExtra(MirbenchError):
    """A package of an optional extra is not installed.

    Parameters
    ----------
    what : str
        The part of mirbench that needs it.
    package : str
        What is missing.
    extra : str
        The extra that brings it.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}: pip install 'mirbench[{extra}]'")


class BrokenInstallation(MirbenchError):
    """A library that mirbench needs is not installed, or does not import: the same for every run that needs it."""
