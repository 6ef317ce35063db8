"""What is said where a data set is not on this machine as it should be."""

from __future__ import annotations

from collections.abc import Sequence

from mirbench.errors import MissingData

__all__ = ["absent", "few"]


def absent(task: str, what: str, fetched: str = "it") -> MissingData:
    """The error of a data set whose files are not where they are looked for.

    Parameters
    ----------
    task : str
        The task that looked for them, or its stand-in.
    what : str
        What is not there.
    fetched : str
        What ``mirbench data get`` would fetch.
    """
    return MissingData(
        f"{task}: {what}; `mirbench show {task}` prints the layout, "
        f"`mirbench data get {task.removesuffix('-demo')} --data ROOT` fetches {fetched}"
    )


def few(names: Sequence[str]) -> str:
    """The first three of some names, for a message."""
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
