"""What is no way to a scheduler is one line, and Dask says nothing of its own."""

from __future__ import annotations

import http.server
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirbench.errors import BadInput, MissingExtra
from mirbench.progress import Progress
from mirbench.runs.cluster import dask_connection
from mirbench.runs.cluster.dask_connection import connected

QUIET = Progress(quiet=True)


def refused(scheduler: str) -> str:
    """What is said of a scheduler, in one line."""
    with pytest.raises(BadInput) as caught, connected(scheduler, "cpu", QUIET):
        pass
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_dask_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingExtra, match=r"--scheduler needs distributed: pip install 'mirbench\[dask\]'"),
        connected("tcp://127.0.0.1:8786", "cpu", QUIET),
    ):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"tcp://127.0.0.1:1"', '{"address": ', "\x00\xff"])
def test_file_that_no_scheduler_wrote_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(text, encoding="utf-8")
    assert "not a file that `dask scheduler --scheduler-file FILE` writes" in refused(str(tmp_path / "s.json"))


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "s.json: no such file" in refused(str(tmp_path / "s.json"))


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[int]:
    """The port of a web server, as the dashboard of Dask is one."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def closed() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs Dask: pip install 'mirbench[dask]'")
    monkeypatch.setattr(dask_connection, "_CONNECT", 0.5)


ADDRESSES = (
    "tcp://127.0.0.1:{closed}", "127.0.0.1:{closed}", "tcp://127.0.0.1:{page}", "http://127.0.0.1:{page}/status",
    "tls://127.0.0.1:{page}", "gopher://127.0.0.1:1", "tcp://nowhere.invalid:8786", "tcp://", "tcp://127.0.0.1:99999",
    "tcp://127.0.0.1:port", "tcp://[::", "inproc://127.0.0.1/1/1", "\x1b[31m", "a b", "ucx://127.0.0.1:{closed}",
    "tcp://\udcff:1", "ws://127.0.0.1:{page}",
)  # fmt: skip


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("address", ADDRESSES)
def test_address_at_which_no_scheduler_answers_is_refused(
    address: str, page: int, closed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    said = refused(address.format(page=page, closed=closed))
    assert "tcp://HOST:PORT as `dask scheduler` prints it, or its file, is needed" in said
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("_impatient")
def test_file_of_a_scheduler_that_is_gone_is_refused(closed: int, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({"address": f"tcp://127.0.0.1:{closed}"}))
    assert "no scheduler of Dask answers there" in refused(str(tmp_path / "s.json"))
