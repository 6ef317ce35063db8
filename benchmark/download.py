"""Files from the web, by pooch: checked by hash, tried again after a failure, never half there."""

from __future__ import annotations

import sys
from pathlib import Path

from mirbench.errors import BadInput, MissingData
from mirbench.progress import Progress

__all__ = ["fetch"]

_TRIES_AGAIN = 2
_TIMEOUT = 30.0  # seconds without an answer


def fetch(url: str, file_name: str, checksum: str, folder: Path, progress: Progress) -> Path:
    """Download a file into a folder, unless it is there with this checksum.

    Parameters
    ----------
    checksum : str
        "md5:…" or "sha256:…".

    Raises
    ------
    BadInput
        If what came has another checksum; it is not kept.
    MissingData
        If the address does not answer with the file.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")  # its own lines name folders; ours say what matters
    folder.mkdir(parents=True, exist_ok=True)
    shelf = pooch.create(
        path=folder, base_url="", registry={file_name: checksum}, urls={file_name: url}, retry_if_failed=_TRIES_AGAIN
    )
    downloader = pooch.HTTPDownloader(progressbar=not progress.quiet and sys.stderr.isatty(), timeout=_TIMEOUT)
    try:
        return Path(shelf.fetch(file_name, downloader=downloader))
    except requests.exceptions.RequestException as error:
        raise MissingData(f"{url} does not answer with the file ({_short(error)}); try again later") from error
    except ValueError as error:
        if "hash" not in str(error).lower():
            raise
        raise BadInput(f"{url}: what came is not the published file (its hash is not {checksum}); not kept") from error


def _short(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    return type(error).__name__
