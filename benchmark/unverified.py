"""What nobody can tell apart from a forgery on its way: a file of no known checksum, an address without encryption.

It is fetched only where a user allows it: ``--allow-unverified``, or ``MIRBENCH_ALLOW_UNVERIFIED=1``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from mirbench.errors import MissingData

__all__ = ["VARIABLE", "doubt", "verified"]

VARIABLE = "MIRBENCH_ALLOW_UNVERIFIED"
_HERE = ("127.0.0.1", "::1", "localhost")


def doubt(url: str, checksum: str) -> str:
    """Why what comes from an address cannot be told from something else; "" where it can."""
    parts = urlsplit(url)
    if not checksum:
        return "no checksum of it is known"
    if parts.scheme == "http" and parts.hostname not in _HERE:
        return "its address is not https"
    return ""


def verified(addresses: Sequence[str], checksum: str) -> list[str]:
    """The addresses that may be asked: those without doubt, or all where a user allows it.

    Raises
    ------
    MissingData
        If none is left.
    """
    if os.environ.get(VARIABLE, "") not in ("", "0"):
        return list(addresses)
    found = [url for url in addresses if not doubt(url, checksum)]
    if not found:
        raise MissingData(
            f"{addresses[0]}: {doubt(addresses[0], checksum)}; --allow-unverified (or {VARIABLE}=1) fetches it anyhow"
        )
    return found
