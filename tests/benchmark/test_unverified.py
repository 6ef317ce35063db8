"""What cannot be told from a forgery is said on the card, and fetched where a user allows it alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirbench.archive import Archive
from mirbench.errors import MissingData
from mirbench.features import weights
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.tasks import archives
from mirbench.unverified import VARIABLE, doubt, verified

if TYPE_CHECKING:
    from tests.conftest import Answer

SUM = "sha256:" + "0" * 64
QUIET = Progress(quiet=True)


@pytest.mark.parametrize(
    ("url", "checksum", "said"),
    [
        ("https://a.org/b", SUM, ""),
        ("https://a.org/b", "", "no checksum"),
        ("http://a.org/b", SUM, "not https"),
        ("HTTP://a.org/b", SUM, "not https"),
        ("http://127.0.0.1:80/b", SUM, ""),
        ("http://127.0.0.1.a.org/b", SUM, "not https"),
        ("http://localhost@a.org/b", SUM, "not https"),
    ],
)
def test_doubt_is_of_no_checksum_and_no_encryption(url: str, checksum: str, said: str) -> None:
    assert said in doubt(url, checksum)
    assert bool(doubt(url, checksum)) == bool(said)


def test_addresses_in_doubt_are_left_out_or_refused_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["http://a.org/b", "https://c.org/b"]
    assert verified(both, SUM) == both[1:]
    with pytest.raises(MissingData, match="is not https; --allow-unverified"):
        verified(both[:1], SUM)
    with pytest.raises(MissingData, match="no checksum of it is known; --allow-unverified"):
        verified(both, "")
    monkeypatch.setenv(VARIABLE, "1")
    assert verified(both, "") == both


def test_archive_in_doubt_is_asked_for_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(archives, "fetch", lambda url, *_: asked.append(url) or tmp_path)
    archive = Archive("http://a.org/b", "b", SUM, mirrors=("https://c.org/b",))
    archives._fetch_any(archive, tmp_path, QUIET)
    assert asked == ["https://c.org/b"]
    with pytest.raises(MissingData, match="--allow-unverified"):
        archives._fetch_any(Archive("https://a.org/b", "b", ""), tmp_path, QUIET)
    assert asked == ["https://c.org/b"]


def test_weights_in_doubt_are_fetched_where_a_user_allows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Catalogue().source("efficientat-mn01")
    made = tmp_path / "w.pt"
    made.write_bytes(b"1")
    monkeypatch.setattr(weights, "fetch", lambda *_: made)
    with pytest.raises(MissingData, match=r"efficientat-mn01: .* no checksum of it is known; --allow-unverified"):
        weights.find_weights(card, None, tmp_path, QUIET)
    monkeypatch.setenv(VARIABLE, "1")
    assert weights.find_weights(card, None, tmp_path, QUIET).path == made  # type: ignore[union-attr]


def test_card_says_what_is_in_doubt(typed: Callable[..., Answer]) -> None:
    for name, said in (("efficientat-mn01", "no checksum of it is known"), ("gtzan", "its address is not https"),
                       ("magnatagatune", "no checksum of it is known")):  # fmt: skip
        shown = " ".join(typed("show", name).out.split())
        assert f"(unverified: {said}; fetched with --allow-unverified alone)" in shown
    assert "unverified" not in typed("show", "vggish").out


def test_flag_allows_it(typed: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(url: str, *_: object) -> Path:
        asked.append(url)
        raise MissingData("no network")

    monkeypatch.setattr(archives, "fetch", fetch)
    answer = typed("data", "get", "magnatagatune")
    assert (answer.code, asked, "--allow-unverified" in answer.err) == (2, [], True)
    assert typed("data", "get", "magnatagatune", "--allow-unverified").code == 2
    assert asked
