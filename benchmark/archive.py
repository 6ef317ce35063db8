"""A file of a data set that can be fetched: its address, and by what its bytes are known."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Archive"]


@dataclass(frozen=True)
class Archive:
    """A file to download, and where its contents go.

    Parameters
    ----------
    url : str
        The address.
    file_name : str
        The name it is kept under.
    checksum : str
        "md5:…" or "sha256:…"; "" where its publisher gives none.
    n_bytes : int or None
        Size of the download, where its page states it.
    strip : int
        Leading folders to leave out when unpacking.
    folder : str
        Folder inside the data set's own that it goes into.
    unpack : bool
        False for a plain file, which is kept as it is.
    note : str
        What a user should know before trying it.
    mirrors : tuple of str
        Addresses to try, in order, when the first does not answer; the checksum holds for all.
    """

    url: str
    file_name: str
    checksum: str
    n_bytes: int | None = None
    strip: int = 0
    folder: str = ""
    unpack: bool = True
    note: str = ""
    mirrors: tuple[str, ...] = ()
