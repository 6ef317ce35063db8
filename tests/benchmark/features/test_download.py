"""Files from a web server of our own, on this machine."""

import gc
import hashlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from mirbench.errors import BadInput, MissingData
from mirbench.features.download import fetch
from mirbench.plain_text import one_message
from mirbench.progress import Progress

BODY = b"sixteen bits of silence" * 100
SHA256 = "sha256:" + hashlib.sha256(BODY).hexdigest()
MD5 = "md5:" + hashlib.md5(BODY).hexdigest()
QUIET = Progress(quiet=True)

# requests leaves the socket of an answer that was refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


class Handler(BaseHTTPRequestHandler):
    """``/good``, ``/truncated``, ``/flaky`` (answers from the second time on), ``/error``, and those below.

    ``/slow-good`` takes its time; ``/other-part`` sends another part than it was asked for at first; ``/unmeasured``
    says no length, and ``/mad`` one that is no number.
    ``/resumable`` breaks off at first and then sends what is asked for; ``/forgetful`` breaks off at first and then
    sends all from the beginning; ``/slow`` sends a little and then nothing.
    """

    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.ranges.append(self.headers.get("Range"))
        again = self.server.asked.count(self.path) > 1
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        if self.path in ("/resumable", "/forgetful") and not again:
            return self.answer(200, BODY[:500], len(BODY))
        if self.path == "/forgetful":
            return self.answer(200, BODY, len(BODY))
        if self.path == "/resumable":
            rest = BODY[first:]
            return self.answer(206, rest, len(rest)) if rest else self.answer(416, b"", 0)
        if self.path == "/slow-good":
            self.answer(200, BODY[:500], len(BODY))
            self.server.patience.wait(0.3)
            self.wfile.write(BODY[500:])
            return None
        if self.path == "/other-part" and first:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes 0-{len(BODY) - 1}/{len(BODY)}")
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            return self.wfile.write(BODY)
        if self.path in ("/unmeasured", "/mad"):
            return self.answer(200, BODY, {"/unmeasured": None, "/mad": "abc"}[self.path])
        if self.path == "/slow":
            self.answer(200, BODY[:500], len(BODY))
            self.server.patience.wait(5)
            return None
        if self.path in ("/good", "/other-part") or (self.path == "/flaky" and again):
            self.answer(200, BODY, len(BODY))
        elif self.path == "/truncated":
            self.answer(200, BODY[:500], len(BODY))
        elif self.path in ("/error", "/flaky"):
            self.answer(503, b"", 0)
        else:
            self.answer(404, b"<html>no such page</html>", 25)

        return None

    def answer(self, status, body, length):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def _quick_and_local(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("mirbench.features.download._BLOCK", 100)  # what has not filled a block is lost
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.ranges = [], []
        server.patience = threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.patience.set()
        server.shutdown()
        thread.join()
    gc.collect()  # of sockets, see above


def unreachable_url():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/clips.zip"


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("checksum", [SHA256, MD5])
def test_fetch_brings_the_file(server, tmp_path, checksum):
    path = fetch(f"{server.url}/good", "clips.zip", checksum, tmp_path / "deep" / "folder", QUIET)
    assert path == tmp_path / "deep" / "folder" / "clips.zip"
    assert path.read_bytes() == BODY


def test_fetch_leaves_nothing_else(server, tmp_path):
    fetch(f"{server.url}/good", "clips.zip", SHA256, tmp_path, QUIET)
    assert names_in(tmp_path) == ["clips.zip"]


def test_fetch_again_does_not_ask_the_server(server, tmp_path):
    for _ in range(2):
        fetch(f"{server.url}/good", "clips.zip", SHA256, tmp_path, QUIET)
    assert server.asked == ["/good"]


def test_fetch_replaces_a_file_with_another_checksum(server, tmp_path):
    (tmp_path / "clips.zip").write_bytes(b"half")
    assert fetch(f"{server.url}/good", "clips.zip", SHA256, tmp_path, QUIET).read_bytes() == BODY


def test_fetch_tries_again(server, tmp_path):
    assert fetch(f"{server.url}/flaky", "clips.zip", SHA256, tmp_path, QUIET).read_bytes() == BODY


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_fetch_with_another_checksum_says_so(server, tmp_path, kind):
    checksum = f"{kind}:" + hashlib.new(kind, b"other").hexdigest()
    with pytest.raises(BadInput, match=f"/good: what came is not the published file .*{checksum}.*not kept"):
        fetch(f"{server.url}/good", "clips.zip", checksum, tmp_path, QUIET)


def test_fetch_with_another_checksum_leaves_no_file(server, tmp_path):
    with pytest.raises(BadInput):
        fetch(f"{server.url}/good", "clips.zip", "sha256:" + "0" * 64, tmp_path, QUIET)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(("page", "status"), [("nowhere", 404), ("error", 503)])
def test_fetch_of_what_is_not_there_is_one_line_with_address_and_status(server, tmp_path, page, status):
    with pytest.raises(MissingData) as caught:
        fetch(f"{server.url}/{page}", "clips.zip", SHA256, tmp_path, QUIET)
    message = str(caught.value)
    assert message == f"{server.url}/{page} does not answer with the file (HTTP {status}); try again later"


def test_fetch_of_what_is_not_there_leaves_no_file(server, tmp_path):
    with pytest.raises(MissingData):
        fetch(f"{server.url}/nowhere", "clips.zip", SHA256, tmp_path, QUIET)
    assert names_in(tmp_path) == []


def test_fetch_that_broke_off_keeps_what_came_under_another_name(server, tmp_path):
    with pytest.raises(MissingData, match=r"0\.0 MB are kept, the same command goes on$"):
        fetch(f"{server.url}/truncated", "clips.zip", SHA256, tmp_path, QUIET)
    assert names_in(tmp_path) == ["clips.zip.part"]


def test_fetch_goes_on_where_it_broke_off(server, tmp_path):
    assert fetch(f"{server.url}/resumable", "clips.zip", SHA256, tmp_path, QUIET).read_bytes() == BODY
    assert server.ranges == [None, "bytes=500-"]


def test_fetch_goes_on_from_what_an_earlier_command_kept(server, tmp_path):
    (tmp_path / "clips.zip.part").write_bytes(BODY[:1000])
    server.asked.append("/resumable")
    assert fetch(f"{server.url}/resumable", "clips.zip", SHA256, tmp_path, QUIET).read_bytes() == BODY
    assert (server.ranges, names_in(tmp_path)) == (["bytes=1000-"], ["clips.zip"])


def test_fetch_begins_again_where_a_server_cannot_go_on(server, tmp_path):
    assert fetch(f"{server.url}/forgetful", "clips.zip", SHA256, tmp_path, QUIET).read_bytes() == BODY


def test_fetch_begins_again_where_the_kept_part_is_of_another_file(server, tmp_path):
    (tmp_path / "clips.zip.part").write_bytes(b"x" * (len(BODY) + 1))
    server.asked.append("/resumable")
    assert fetch(f"{server.url}/resumable", "clips.zip", SHA256, tmp_path, QUIET).read_bytes() == BODY


def test_fetch_of_a_part_with_other_bytes_ends_with_the_right_file(server, tmp_path):
    (tmp_path / "clips.zip.part").write_bytes(b"x" * 100)
    server.asked.append("/resumable")
    assert fetch(f"{server.url}/resumable", "clips.zip", SHA256, tmp_path, QUIET).read_bytes() == BODY


def test_fetch_from_a_server_that_stalls_is_one_line_and_keeps_what_came(server, tmp_path, monkeypatch):
    monkeypatch.setattr("mirbench.features.download._TIMEOUT", 0.2)
    with pytest.raises(MissingData, match="/slow does not answer with the file") as caught:
        fetch(f"{server.url}/slow", "clips.zip", SHA256, tmp_path, QUIET)
    assert ("\n" in str(caught.value), names_in(tmp_path)) == (False, ["clips.zip.part"])


def test_fetch_without_a_checksum_takes_what_comes(server, tmp_path):
    assert fetch(f"{server.url}/good", "clips.zip", "", tmp_path, QUIET).read_bytes() == BODY


def test_fetch_of_a_body_that_breaks_off_is_one_line(server, tmp_path):
    with pytest.raises(MissingData, match="/truncated does not answer with the file") as caught:
        fetch(f"{server.url}/truncated", "clips.zip", SHA256, tmp_path, QUIET)
    assert "\n" not in str(caught.value)


def test_fetch_from_a_server_that_is_down_is_one_line(tmp_path):
    with pytest.raises(MissingData, match=r"does not answer with the file \(ConnectionError\)") as caught:
        fetch(unreachable_url(), "clips.zip", SHA256, tmp_path, QUIET)
    assert "\n" not in str(caught.value)


def test_fetch_says_nothing_when_quiet(server, tmp_path, capfd):
    fetch(f"{server.url}/good", "clips.zip", SHA256, tmp_path, QUIET)
    assert capfd.readouterr() == ("", "")


def fetched_at_once(url, checksum, folder):
    """What each of several threads gets; between them are files alone, as between processes."""
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(fetch, url, "clips.zip", checksum, folder, QUIET) for _ in range(6)]
        return [answer.result().read_bytes() for answer in answers]


@pytest.mark.parametrize("checksum", [SHA256, ""])
def test_fetch_by_many_at_once_asks_the_server_once(server, tmp_path, checksum):
    assert fetched_at_once(f"{server.url}/slow-good", checksum, tmp_path) == [BODY] * 6
    assert (server.asked, names_in(tmp_path)) == (["/slow-good"], ["clips.zip"])


@pytest.mark.parametrize("page", ["unmeasured", "mad"])
def test_fetch_needs_no_length_from_the_server(server, tmp_path, page):
    assert fetch(f"{server.url}/{page}", "clips.zip", SHA256, tmp_path, QUIET).read_bytes() == BODY


def test_fetch_without_a_checksum_does_not_go_on_from_what_an_earlier_command_kept(server, tmp_path):
    (tmp_path / "clips.zip.part").write_bytes(b"x" * 100)
    server.asked.append("/resumable")
    assert fetch(f"{server.url}/resumable", "clips.zip", "", tmp_path, QUIET).read_bytes() == BODY


def test_fetch_begins_again_where_another_part_comes_than_was_asked_for(server, tmp_path):
    (tmp_path / "clips.zip.part").write_bytes(BODY[:1000])
    assert fetch(f"{server.url}/other-part", "clips.zip", SHA256, tmp_path, QUIET).read_bytes() == BODY
    assert server.ranges == ["bytes=1000-", None]


def test_fetch_that_is_stopped_leaves_nothing(server, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mirbench.features.download.os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        fetch(f"{server.url}/good", "clips.zip", SHA256, tmp_path, QUIET)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("checksum", ["", SHA256])
def test_fetch_by_https_that_is_sent_on_to_http_needs_a_checksum(server, tmp_path, monkeypatch, checksum):
    real = requests.get
    monkeypatch.setattr(requests, "get", lambda url, **more: real(f"{server.url}/good", **more))
    asked = "https://me:secret@lab.example/good", "file", checksum, tmp_path, QUIET
    if checksum:
        assert fetch(*asked).read_bytes() == BODY
        return
    with pytest.raises(BadInput, match=r"it sends on to http://.* not https, and no checksum") as raised:
        fetch(*asked)
    assert "secret" not in one_message(raised.value)
    assert names_in(tmp_path) == []
