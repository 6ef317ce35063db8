"""Fetching and unpacking data sets."""

import dataclasses
import gc
import hashlib
import io
import pathlib
import stat
import tarfile
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mirbench.archive import Archive
from mirbench.errors import BadInput, MissingData
from mirbench.progress import Progress
from mirbench.tasks import archives
from mirbench.tasks.archives import get_task, unpack
from mirbench.types import Task

QUIET = Progress(quiet=True)

# requests leaves the socket of an answer that was refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
FILES = {"set/jazz/1.wav": b"one", "set/rock/2.wav": b"two" * 1000, "set/readme.txt": b""}
PACKERS = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


def pack(path, files, *, special=None):
    """A zip or tar of files; `special` is a ready member (ZipInfo or TarInfo) to put first."""
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            if special is not None:
                zipped.writestr(special, "../outside.txt")
            for name, content in files.items():
                zipped.writestr(name, content)
        return path
    mode = path.name.rpartition(".tar")[2].replace(".", ":") or ":"
    with tarfile.open(path, "w" + mode) as tarred:
        if special is not None:
            tarred.addfile(special)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tarred.addfile(member, io.BytesIO(content))
    return path


def facts(strip=0):
    return Archive("", "", "", strip=strip)


def contents(folder):
    """What lies in a folder, but for the note of the archives that came."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != archives._FETCHED
    }


@pytest.fixture
def place(tmp_path):
    """Where to unpack, two folders below the one that nothing may be written to."""
    folder = tmp_path / "deep" / "in"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("suffix", PACKERS)
def test_unpack_writes_every_file(tmp_path, place, suffix):
    unpack(pack(tmp_path / f"a.{suffix}", FILES), place, facts())
    assert contents(place) == FILES


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_unpack_leaves_out_leading_folders(tmp_path, place, suffix):
    unpack(pack(tmp_path / f"a.{suffix}", FILES), place, facts(strip=1))
    assert contents(place) == {name.removeprefix("set/"): content for name, content in FILES.items()}


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_unpack_passes_over_files_above_the_leading_folders(tmp_path, place, suffix):
    unpack(pack(tmp_path / f"a.{suffix}", {"note.txt": b"x", "set/1.wav": b"y"}), place, facts(strip=1))
    assert contents(place) == {"1.wav": b"y"}


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_unpack_accepts_names_from_the_current_folder(tmp_path, place, suffix):
    unpack(pack(tmp_path / f"a.{suffix}", {"./set/1.wav": b"y"}), place, facts(strip=1))
    assert contents(place) == {"1.wav": b"y"}


ESCAPES = ("../outside.txt", "set/../../outside.txt", "..\\outside.txt", "/ABSOLUTE/outside.txt", "C:\\outside.txt")


def escaping(tmp_path, suffix, name):
    name = name.replace("/ABSOLUTE", str(tmp_path / "abroad"))
    return pack(tmp_path / f"a.{suffix}", {name: b"gotcha"})


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_unpack_refuses_a_name_that_leads_outside(tmp_path, place, suffix, name):
    with pytest.raises(BadInput, match=rf"a\.{suffix}: would write outside its folder .*outside\.txt.*not trusted"):
        unpack(escaping(tmp_path, suffix, name), place, facts())


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_unpack_writes_nothing_outside(tmp_path, place, suffix, name):
    packed = escaping(tmp_path, suffix, name)
    with pytest.raises(BadInput):
        unpack(packed, place, facts())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [packed]


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_unpack_refuses_to_escape_by_leaving_out_folders(tmp_path, place, suffix):
    with pytest.raises(BadInput, match="outside"):
        unpack(pack(tmp_path / f"a.{suffix}", {"../../outside.txt": b"x"}), place, facts(strip=1))


def tar_member(kind, name="set/odd", target="../../outside.txt"):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
    ids=["symlink", "hardlink", "character-device", "block-device", "fifo"],
)
def test_unpack_refuses_a_tar_member_that_is_no_file(tmp_path, place, kind):
    packed = pack(tmp_path / "a.tar", {}, special=tar_member(kind))
    with pytest.raises(BadInput, match=r"a\.tar: holds a link or device, set/odd; not trusted"):
        unpack(packed, place, facts())


def zip_link():
    link = zipfile.ZipInfo("set/odd")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return link


def test_unpack_refuses_a_link_in_a_zip(tmp_path, place):
    packed = pack(tmp_path / "a.zip", {}, special=zip_link())
    with pytest.raises(BadInput, match=r"a\.zip: holds a link, set/odd; not trusted"):
        unpack(packed, place, facts())


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_unpack_writes_nothing_through_a_link(tmp_path, place, suffix):
    special = zip_link() if suffix == "zip" else tar_member(tarfile.SYMTYPE, target="../..")
    packed = pack(tmp_path / f"a.{suffix}", {"set/odd/outside.txt": b"gotcha"}, special=special)
    with pytest.raises(BadInput):
        unpack(packed, place, facts())
    assert [path for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()] == [packed]


@pytest.mark.parametrize("suffix", ["zip", "tar.gz", "tar.xz"])
def test_unpack_refuses_an_archive_that_grows_without_measure(tmp_path, place, suffix):
    packed = pack(tmp_path / f"bomb.{suffix}", {"zeros": bytes(8 * 2**20)})
    with pytest.raises(BadInput, match=rf"bomb\.{suffix}: unpacks to more than .*; not trusted"):
        unpack(packed, place, facts())


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_unpack_stops_at_the_limit_over_all_files(tmp_path, place, suffix):
    packed = pack(tmp_path / f"bomb.{suffix}", {f"zeros-{k}": bytes(2**20) for k in range(16)})
    with pytest.raises(BadInput):
        unpack(packed, place, facts())
    assert sum(path.stat().st_size for path in place.rglob("*")) <= archives.MAX_RATIO * packed.stat().st_size


LYRICS = {
    "set/lyrics.txt": b" ".join(hashlib.sha256(str(k).encode()).hexdigest()[: k % 9].encode() for k in range(9000))
}


def broken_archives():
    """Names of ways to break an archive, with what makes the broken bytes of the good ones."""

    def scramble(content):
        middle = len(content) // 2
        return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 64]) + content[middle + 64 :]

    for suffix in PACKERS:
        yield f"truncated.{suffix}", suffix, lambda content: content[: len(content) // 2]
        yield f"garbage.{suffix}", suffix, lambda content: b"\x13 no archive " * 100
        yield f"empty.{suffix}", suffix, lambda content: b""
        if suffix in ("zip", "tar.bz2", "tar.xz"):  # the others show no such fault but by the checksum of the whole
            yield f"scrambled.{suffix}", suffix, scramble


BROKEN = list(broken_archives())


@pytest.mark.parametrize(("name", "suffix", "spoil"), BROKEN, ids=[name for name, _, _ in BROKEN])
def test_unpack_of_a_broken_archive_is_one_line_that_names_it(tmp_path, place, name, suffix, spoil):
    path = pack(tmp_path / f"good.{suffix}", LYRICS)
    packed = tmp_path / name
    packed.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadInput, match=f"^{name}: broken archive") as caught:
        unpack(packed, place, facts())
    assert "\n" not in str(caught.value)


def test_unpack_of_scrambled_deflate_is_one_line(tmp_path, place):
    """Bits that no deflate stream can hold, rather than ones that only the checksum betrays."""
    packed = pack(tmp_path / "a.zip", {"set/1.txt": b"la la la " * 500})
    content = bytearray(packed.read_bytes())
    start = 30 + len("set/1.txt")
    content[start : start + 4] = b"\xff\xff\xff\xff"
    packed.write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.zip: broken archive"):
        unpack(packed, place, facts())


def test_unpack_of_a_zip_with_a_password_is_one_line(tmp_path, place):
    packed = pack(tmp_path / "a.zip", {"1.wav": b"x"})
    content = bytearray(packed.read_bytes())
    content[6] |= 1  # flags of the member's own header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and of the list at the end
    packed.write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.zip"):
        unpack(packed, place, facts())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        body = self.server.pages.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.pages = [], {}
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
    gc.collect()  # of sockets, see above


@pytest.fixture
def publish(server, tmp_path):
    """Put an archive of files on the server; returns its facts."""

    def put(name, files, **more):
        content = pack(tmp_path / name, files).read_bytes()
        server.pages[f"/{name}"] = content
        checksum = "md5:" + hashlib.md5(content).hexdigest()
        return Archive(f"http://127.0.0.1:{server.server_port}/{name}", name, checksum, **more)

    return put


def task_of(*published, **more):
    return Task(
        "tiny", "1", "", "single-label", ("a", "b"), ("accuracy",), lambda root, fold: [], "tiny_set", 2, 1.0,
        archives=published, **more,
    )  # fmt: skip


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def test_get_task_unpacks_into_the_folder_of_the_task(publish, root):
    folder = get_task(task_of(publish("clips.zip", FILES, strip=1)), root, QUIET)
    assert folder == root / "tiny_set"
    assert contents(folder) == {name.removeprefix("set/"): content for name, content in FILES.items()}


def test_get_task_puts_several_archives_into_one_folder(publish, root):
    task = task_of(publish("a.zip", {"1.wav": b"one"}), publish("b.tar.gz", {"2.wav": b"two"}))
    assert contents(get_task(task, root, QUIET)) == {"1.wav": b"one", "2.wav": b"two"}


def test_get_task_leaves_nothing_else(publish, root):
    get_task(task_of(publish("a.zip", FILES)), root, QUIET)
    assert [path.name for path in root.iterdir()] == ["tiny_set"]


def test_get_task_again_does_not_ask_the_server(publish, server, root):
    task = task_of(publish("a.zip", FILES))
    for _ in range(2):
        get_task(task, root, QUIET)
    assert server.asked == ["/a.zip"]


def test_get_task_leaves_a_data_set_that_is_there_alone(publish, root):
    (root / "tiny_set").mkdir(parents=True)
    (root / "tiny_set" / "mine.wav").write_bytes(b"mine")
    assert contents(get_task(task_of(publish("a.zip", FILES)), root, QUIET)) == {"mine.wav": b"mine"}


def test_get_task_says_the_note_of_an_archive(publish, root, capsys):
    get_task(task_of(publish("a.zip", FILES, note="slow on Sundays")), root, Progress())
    assert "/a.zip: slow on Sundays" in capsys.readouterr().err


def test_get_task_of_another_archive_is_refused(publish, root):
    archive = dataclasses.replace(publish("a.zip", FILES), checksum="md5:" + "0" * 32)
    with pytest.raises(BadInput, match="not the published file"):
        get_task(task_of(archive), root, QUIET)


def folders_in(root):
    """What is there besides the downloads, which are kept to go on from."""
    return [path.name for path in root.iterdir() if path.name != ".downloads"] if root.exists() else []


def test_get_task_of_another_archive_leaves_no_folder(publish, root):
    archive = dataclasses.replace(publish("a.zip", FILES), checksum="md5:" + "0" * 32)
    with pytest.raises(BadInput):
        get_task(task_of(archive), root, QUIET)
    assert folders_in(root) == []


def test_get_task_of_an_unsafe_archive_leaves_no_folder(publish, root):
    with pytest.raises(BadInput, match="outside"):
        get_task(task_of(publish("a.zip", {"1.wav": b"x", "../outside.txt": b"y"})), root, QUIET)
    assert folders_in(root) == []


def test_get_task_whose_second_archive_is_missing_leaves_no_folder(publish, root):
    first = publish("a.zip", FILES)
    with pytest.raises(MissingData, match="HTTP 404"):
        get_task(task_of(first, dataclasses.replace(first, url=first.url + "x", file_name="b.zip")), root, QUIET)
    assert folders_in(root) == []


def test_get_task_that_is_interrupted_leaves_no_folder(publish, root, monkeypatch):
    def unpack_half(packed, folder, archive):
        (folder / "1.wav").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(archives, "unpack", unpack_half)
    with pytest.raises(KeyboardInterrupt):
        get_task(task_of(publish("a.zip", FILES)), root, QUIET)
    assert folders_in(root) == []


def test_get_task_after_an_interrupt_goes_on_from_what_was_downloaded(publish, server, root, monkeypatch):
    task = task_of(publish("a.zip", FILES))

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archives, "unpack", stop)
        with pytest.raises(KeyboardInterrupt):
            get_task(task, root, QUIET)
    get_task(task, root, QUIET)
    assert server.asked == ["/a.zip"]


def test_get_task_without_archives_says_how_to_get_it_by_hand(root):
    with pytest.raises(MissingData, match=r"^tiny: not fetched by a program: Ask the authors"):
        get_task(task_of(notes=("Ask the authors.",)), root, QUIET)


def test_get_task_of_a_synthesised_task_is_refused(root):
    with pytest.raises(BadInput, match="nothing to download"):
        get_task(task_of(synthesise=lambda root, step: None), root, QUIET)


@pytest.mark.parametrize("first", ["gone.zip", "other.zip"])
def test_get_task_tries_the_mirror_when_the_first_address_has_not_the_file(publish, server, root, first):
    there = publish("clips.zip", FILES, strip=1)
    server.pages["/other.zip"] = b"an error page that calls itself 200"
    archive = replace(there, url=there.url.replace("clips.zip", first), mirrors=(there.url,))
    folder = get_task(task_of(archive), root, QUIET)
    assert contents(folder) == {name.removeprefix("set/"): content for name, content in FILES.items()}


# Folders inside the data set, and plain files


def test_get_task_unpacks_into_the_folder_of_the_archive(publish, root):
    task = task_of(
        publish("a.zip", {"x/1.wav": b"one"}, folder="audio/train", strip=1), publish("b.zip", {"2.csv": b"two"})
    )
    assert contents(get_task(task, root, QUIET)) == {"audio/train/1.wav": b"one", "2.csv": b"two"}


def test_get_task_unpacks_archives_of_the_same_names_into_folders_of_their_own(publish, root):
    task = task_of(*(publish(f"{name}.zip", {"1.wav": name.encode()}, folder=name) for name in ("a", "b")))
    assert contents(get_task(task, root, QUIET)) == {"a/1.wav": b"a", "b/1.wav": b"b"}


def test_get_task_unpacks_nothing_outside_the_folder_of_the_archive(publish, root):
    with pytest.raises(BadInput, match="outside"):
        get_task(task_of(publish("a.zip", {"../1.wav": b"x"}, folder="audio")), root, QUIET)


@pytest.fixture
def publish_file(server):
    """Put a plain file on the server; returns its facts."""

    def put(name, content, checksum=None, **more):
        server.pages[f"/{name}"] = content
        checksum = "md5:" + hashlib.md5(content).hexdigest() if checksum is None else checksum
        return Archive(f"http://127.0.0.1:{server.server_port}/{name}", name, checksum, **{"unpack": False} | more)

    return put


@pytest.mark.parametrize(("folder", "place"), [("", "list.csv"), ("labels", "labels/list.csv")])
def test_get_task_keeps_a_plain_file_as_it_is(publish_file, root, folder, place):
    task = task_of(publish_file("list.csv", b"a,b\n", folder=folder))
    assert contents(get_task(task, root, QUIET)) == {place: b"a,b\n"}


def test_get_task_keeps_a_plain_archive_packed(publish, root):
    archive = publish("a.zip", FILES, unpack=False)
    assert list(contents(get_task(task_of(archive), root, QUIET))) == ["a.zip"]


def test_get_task_does_not_unpack_what_calls_itself_a_plain_file(publish, root):
    """Nor does it look into it: what is unsafe to unpack is safe to keep."""
    archive = publish("a.zip", {"../outside.txt": b"x"}, unpack=False)
    assert list(contents(get_task(task_of(archive), root, QUIET))) == ["a.zip"]


def test_get_task_puts_a_plain_file_beside_an_archive(publish, publish_file, root):
    task = task_of(publish("a.zip", {"1.wav": b"one"}), publish_file("list.csv", b"a"))
    assert contents(get_task(task, root, QUIET)) == {"1.wav": b"one", "list.csv": b"a"}


def test_get_task_of_another_plain_file_is_refused(publish_file, root):
    with pytest.raises(BadInput, match="not the published file"):
        get_task(task_of(publish_file("list.csv", b"a", checksum="sha256:" + "0" * 64)), root, QUIET)


def test_get_task_leaves_no_download_of_a_plain_file(publish_file, root):
    get_task(task_of(publish_file("list.csv", b"a")), root, QUIET)
    assert [path.name for path in root.iterdir()] == ["tiny_set"]


# Without a published checksum


@pytest.mark.usefixtures("_unverified_allowed")
def test_get_task_takes_a_file_without_a_checksum(publish_file, root):
    assert contents(get_task(task_of(publish_file("list.csv", b"a", checksum="")), root, QUIET)) == {"list.csv": b"a"}


@pytest.mark.usefixtures("_unverified_allowed")
def test_get_task_unpacks_an_archive_without_a_checksum_safely(publish, root):
    archive = replace(publish("a.zip", {"../outside.txt": b"x"}), checksum="")
    with pytest.raises(BadInput, match="would write outside its folder"):
        get_task(task_of(archive), root, QUIET)


def test_get_task_without_a_checksum_or_an_answer_says_that_none_is_published(publish_file, server, root):
    archive = publish_file("list.csv", b"a", checksum="")
    server.pages.clear()
    with pytest.raises(MissingData, match=r"by hand: list\.csv \(no checksum is published\)"):
        get_task(task_of(archive), root, QUIET)


@pytest.mark.usefixtures("_unverified_allowed")
def test_get_task_without_a_checksum_recovers_from_an_error_page(publish, server, root):
    """Without a checksum anything is taken for the file; once it is known to be none, it must not be taken again."""
    archive = replace(publish("a.zip", FILES, strip=1), checksum="")
    good, server.pages["/a.zip"] = server.pages["/a.zip"], b"<html>try again later</html>"
    with pytest.raises(BadInput, match="broken archive"):
        get_task(task_of(archive), root, QUIET)
    server.pages["/a.zip"] = good
    assert "jazz/1.wav" in contents(get_task(task_of(archive), root, QUIET))


@pytest.mark.usefixtures("_unverified_allowed")
def test_get_task_without_a_checksum_tries_the_mirror(publish, server, root):
    there = replace(publish("clips.zip", FILES, strip=1), checksum="")
    archive = replace(there, url=there.url.replace("clips.zip", "gone.zip"), mirrors=(there.url,))
    assert "jazz/1.wav" in contents(get_task(task_of(archive), root, QUIET))


# Tasks that share a folder


def pair(publish):
    """A task of one archive and a task of that and another, in one folder."""
    first, second = publish("a.zip", {"a/1.wav": b"one"}), publish("b.zip", {"b/2.wav": b"two"})
    return task_of(first), task_of(first, second)


def test_get_task_fetches_what_another_task_in_its_folder_did_not(publish, server, root):
    for task in pair(publish):
        folder = get_task(task, root, QUIET)
    assert (contents(folder), server.asked) == ({"a/1.wav": b"one", "b/2.wav": b"two"}, ["/a.zip", "/b.zip"])


def test_get_task_fetches_nothing_that_a_larger_task_in_its_folder_has(publish, server, root):
    for task in reversed(pair(publish)):
        get_task(task, root, QUIET)
    assert server.asked == ["/a.zip", "/b.zip"]


def test_get_task_that_fails_leaves_what_another_task_fetched(publish, server, root):
    small, large = pair(publish)
    folder = get_task(small, root, QUIET)
    del server.pages["/b.zip"]
    with pytest.raises(MissingData):
        get_task(large, root, QUIET)
    assert contents(folder) == {"a/1.wav": b"one"}


def test_get_task_that_is_interrupted_while_it_merges_is_not_taken_for_whole(publish, root, monkeypatch):
    small, large = pair(publish)
    get_task(small, root, QUIET)

    def stop(path, target):
        if path.suffix == ".wav":
            raise KeyboardInterrupt
        return moved(path, target)

    moved = pathlib.Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            get_task(large, root, QUIET)
    assert contents(get_task(large, root, QUIET)) == {"a/1.wav": b"one", "b/2.wav": b"two"}


@pytest.mark.parametrize("note", ["", "{", "7", '"a.zip"', "\x00"])
def test_get_task_with_a_broken_note_leaves_the_folder_alone(publish, server, root, note):
    small, large = pair(publish)
    (get_task(small, root, QUIET) / archives._FETCHED).write_text(note)
    assert (contents(get_task(large, root, QUIET)), server.asked) == ({"a/1.wav": b"one"}, ["/a.zip"])
