"""Files from the web, by pooch: checked by hash, tried again and gone on with after a failure, never half there.

Of several processes that want a file one fetches it, and the others wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput, MissingData
from mirbench.features.claims import claimed
from mirbench.features.temporary import temporary
from mirbench.progress import Progress

__all__ = ["fetch"]

_TRIES_AGAIN = 2
_TIMEOUT = 30.0  # seconds without an answer
_BLOCK = 2**18
_WORTH_KEEPING = 8 * 2**20  # bytes of a part that a stopped process leaves to go on from


def fetch(
    url: str, file_name: str, checksum: str, folder: Path, progress: Progress, most_bytes: int | None = None
) -> Path:
    """Download a file into a folder, unless it is there with this checksum.

    Parameters
    ----------
    checksum : str
        "md5:…" or "sha256:…"; "" where the publisher gives none.
    most_bytes : int, optional
        A larger file is refused before all of it came.

    Raises
    ------
    BadInput
        If what came has another checksum, or is too large; it is not kept.
    MissingData
        If the address does not answer with the file.
    """
    target = folder / file_name
    if _is_there(target, checksum):
        return target
    with claimed(target, f"fetching {file_name}", progress):
        if not _is_there(target, checksum):
            _download(url, target, checksum, progress, most_bytes)
    return target


def _is_there(target: Path, checksum: str) -> bool:
    from pooch import file_hash

    if not target.is_file():
        return False
    kind, _, digest = checksum.partition(":")
    return not checksum or file_hash(str(target), alg=kind) == digest.lower()


def _download(url: str, target: Path, checksum: str, progress: Progress, most_bytes: int | None) -> None:
    """Fetch a file to its place, while nobody else does."""
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")  # its own lines name folders; ours say what matters
    part = target.with_name(f"{target.name}.part")
    if not checksum:
        part.unlink(missing_ok=True)  # nobody could tell whether the rest is of the same file
    try:
        with temporary(target.parent) as work:
            shelf = pooch.create(
                path=work,
                base_url="",
                registry={target.name: checksum or None},
                urls={target.name: url},
                retry_if_failed=_TRIES_AGAIN,
            )
            downloader = _Resuming(part, progress, most_bytes, anywhere=bool(checksum))
            came = shelf.fetch(target.name, downloader=downloader)
            os.replace(came, target)
    except requests.exceptions.RequestException as error:
        held = f"; {part.stat().st_size / 1e6:.1f} MB are kept, the same command goes on" if part.is_file() else ""
        raise MissingData(f"{url} does not answer with the file ({_short(error)}); try again later{held}") from error
    except ValueError as error:
        if "hash" not in str(error).lower():
            raise
        raise BadInput(f"{url}: what came is not the published file (its hash is not {checksum}); not kept") from error
    except Exception:
        raise
    except BaseException:  # stopped
        if part.is_file() and part.stat().st_size < _WORTH_KEEPING:
            part.unlink()
        raise


class _Resuming:
    """A downloader for pooch that keeps what came before a failure, and asks only for the rest.

    Parameters
    ----------
    part : Path
        Where what has come so far is kept.
    most_bytes : int or None
        That are taken.
    anywhere : bool
        Whether an https address may send on to one without encryption, for what comes is checked by its hash.
    """

    def __init__(
        self, part: Path, progress: Progress, most_bytes: int | None = None, *, anywhere: bool = False
    ) -> None:
        self._part, self._progress, self._most_bytes, self._anywhere = part, progress, most_bytes, anywhere

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        import requests

        held = self._part.stat().st_size if self._part.is_file() else 0
        asked = {"Range": f"bytes={held}-", "Accept-Encoding": "identity"} if held else {"Accept-Encoding": "identity"}
        with requests.get(url, headers=asked, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self._part.unlink()  # nothing lies beyond what is held: complete, or another file; take it afresh
                raise requests.exceptions.ConnectionError("the part that was kept does not fit")
            answer.raise_for_status()
            if not self._anywhere and is_unencrypted(url, (*answer.history, answer)):
                raise BadInput(
                    f"{url}: it sends on to {answer.url}, which is not https, and no checksum is known; not fetched"
                )
            goes_on = answer.status_code == requests.codes.partial_content
            if goes_on and not answer.headers.get("Content-Range", f"bytes {held}-").startswith(f"bytes {held}-"):
                self._part.unlink()
                raise requests.exceptions.ConnectionError("it answers with another part than was asked for")
            self._receive(answer, held if goes_on else 0)
        os.replace(self._part, output_file)

    def _receive(self, answer: Any, held: int) -> None:
        import requests

        said = answer.headers.get("Content-Length", "")
        packed = answer.headers.get("Content-Encoding", "identity") != "identity"
        rest = int(said) if said.isascii() and said.isdecimal() and len(said) < 16 and not packed else None
        came = 0
        with (
            self._part.open("ab" if held else "wb") as out,
            self._progress.bar(f"getting {self._part.stem}", max(1, round((held + (rest or 0)) / 1e6)), "MB") as step,
        ):
            step(held / 1e6)
            for block in answer.iter_content(_BLOCK):
                out.write(block)
                came += len(block)
                if self._most_bytes is not None and held + came > self._most_bytes:
                    self._part.unlink()
                    raise BadInput(f"more than {self._most_bytes // 2**20} MB came, and no more are taken; not kept")
                step(len(block) / 1e6)
        if came == 0 or (rest is not None and came != rest):
            raise requests.exceptions.ConnectionError(f"{came} bytes came of {'some' if rest is None else rest}")


def is_unencrypted(url: str, answers: Sequence[Any]) -> bool:
    """Whether one of the answers to an https address came without encryption."""
    return url.startswith("https:") and not all(answer.url.startswith("https:") for answer in answers)


def _short(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    return type(error).__name__
