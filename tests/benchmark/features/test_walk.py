"""What is found below a folder: links, what is not here, what cannot be read, and what is no sound."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mirbench.errors import BadInput, MissingData
from mirbench.features.audio import read
from mirbench.features.containers.sniff import layout_of
from mirbench.features.sound_files import kind_of, suffix_of
from mirbench.features.walk import Found, require_whole, walk
from mirbench.types import Excerpt

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 32044\n"
ANNEX = b"/annex/objects/SHA256E-s32044--" + b"0" * 64 + b".wav\n"


def plant(root: Path, *names: str, content: bytes = b"") -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def files(found: Found) -> list[str]:
    return ["/".join(found.inside(path)) for path in found.files]


def encoded(form: str) -> bytes:
    """A short sound in a form of libsndfile's."""
    import io

    stream = io.BytesIO()
    soundfile.write(stream, 0.1 * np.random.default_rng(0).standard_normal(8000), 8000, format=form)
    return stream.getvalue()


# Names and contents


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.wav", ".wav"),
        ("a.WAV", ".wav"),
        ("a.Mp3", ".mp3"),
        ("a.wav ", ".wav"),
        ("a.wav\xa0", ".wav"),
        ("a.wav.", ".wav"),
        ("a.tar.gz", ".gz"),
        ("blues.00001", ""),
        ("02 St. Thomas", ""),
        ("a", ""),
        (".wav", ""),
        ("", ""),
    ],
)
def test_suffix_is_what_people_take_for_one(name: str, suffix: str) -> None:
    assert suffix_of(name) == suffix


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "AIFF", "CAF", "AU", "W64", "RF64", "NIST", "MP3"])
def test_sound_without_a_suffix_is_taken_and_decodes(tmp_path: Path, form: str) -> None:
    plant(tmp_path, "low02", content=encoded(form))
    assert walk(tmp_path).files == [tmp_path / "low02"]
    assert len(read(Excerpt(tmp_path / "low02"), 8000)) >= 8000


@pytest.mark.parametrize("name", ["a.wave", "a.WAVE", "a.wav ", "a.bwf", "a.rf64", "a.sph", "a.wav."])
def test_sound_of_a_rarer_name_is_taken_and_decodes(tmp_path: Path, name: str) -> None:
    plant(tmp_path, name, content=encoded("WAV"))
    assert walk(tmp_path).files == [tmp_path / name]
    assert len(read(Excerpt(tmp_path / name), 8000)) == 8000


@pytest.mark.parametrize("name", ["a.mp2", "a.mpga", "a.mpa", "a"])
def test_mpeg_sound_of_a_rarer_name_is_taken_and_decodes(tmp_path: Path, name: str) -> None:
    plant(tmp_path, name, content=encoded("MP3"))
    assert walk(tmp_path).files == [tmp_path / name]
    assert len(read(Excerpt(tmp_path / name), 8000)) >= 8000


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.m4a", b""), ("a.M4A", b"x"), ("a.wma", b""), ("a.opus.aac", b""), ("a.ape", b""), ("a.mp4", b""),
        ("a", b"\0\0\0\x1cftypM4A \0\0\2\0"), ("a", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")),
        ("a", b"\xff\xf1\x6c\x40\x47\xff\xdf"), ("a", b"wvpk\x16"), ("a", b"\x1a\x45\xdf\xa3\x9f"),
        ("a.xyz", b"MAC \x96"),
    ],
)  # fmt: skip
def test_sound_that_is_not_decoded_is_told(tmp_path: Path, name: str, head: bytes) -> None:
    plant(tmp_path, name, content=head)
    found = walk(tmp_path)
    assert (found.files, found.undecoded) == ([], [tmp_path / name])
    (line,) = found.left_out()
    assert f"1 file of sound ({name})" in line
    assert "ffmpeg" in line


@pytest.mark.parametrize("name", ["a.wav.bak", "a.wav~", "a.part", "a.dat", "a.wav.orig", "a.bin"])
def test_sound_under_another_name_is_told_and_not_taken(tmp_path: Path, name: str) -> None:
    """It may well be a copy, which would be in train and in test."""
    plant(tmp_path, name, content=encoded("WAV"))
    found = walk(tmp_path)
    assert (found.files, found.misnamed) == ([], [tmp_path / name])
    assert "remove the copy" in found.left_out()[0]


@pytest.mark.parametrize(
    "name",
    [
        ".DS_Store", "._a.wav", "Thumbs.db", "desktop.ini", ".hidden/a.wav", "__MACOSX/a.wav", "__MACOSX/low/._a.wav",
        "$RECYCLE.BIN/a.wav", "@eaDir/a.wav", "a.txt", "a.csv", "a.json", "cover.jpg", "a.lab", "README",
    ],
)  # fmt: skip
def test_what_is_no_sound_is_passed_by_without_a_word(tmp_path: Path, name: str) -> None:
    found = walk(plant(tmp_path, name, content=b"some words of nobody, \xff\xfe"))
    require_whole(found, "folder:x")
    assert (found.files, found.left_out()) == ([], ())


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("words".encode("utf-16"), "document"), (b"words\r\n\t1", "document"), ("é".encode() * 256, "document"),
        (b"x" + "é".encode() * 300, "document"), (b"\xff\xd8\xff\xe0 JPEG", "unknown"), (b"\0\1\2", "unknown"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "unknown"), (b"", "unknown"), (b"\xff", "unknown"), (b"caf\xe9 \x01", "unknown"),
    ],
)  # fmt: skip
def test_content_that_is_no_sound_is_a_text_or_unknown(tmp_path: Path, head: bytes, kind: str) -> None:
    assert kind_of(plant(tmp_path, "a", content=head) / "a") == kind


@pytest.mark.parametrize(
    "head", [b"tBaK", b"TTA2", b"FRM8", b"ajkg", b".RMF", b"FLV\x01", b"ADIF", b"wvpk", b"\0\0\0 ftypM4A "]
)
def test_sound_that_is_not_decoded_is_told_by_the_walk_and_named_by_the_decoder(tmp_path: Path, head: bytes) -> None:
    path = plant(tmp_path, "a", content=head + bytes(range(200))) / "a"
    assert kind_of(path) == "undecoded"
    assert layout_of(path).foreign.endswith("; convert it: `ffmpeg -i IN OUT.wav`")


# Links


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    plant(tmp_path / "store", "a/1.wav", "b/2.wav")
    root = tmp_path / "songs"
    (root / "low").mkdir(parents=True)
    (root / "low" / "a").symlink_to(tmp_path / "store" / "a")
    (root / "low" / "2.wav").symlink_to("../../store/b/2.wav")
    (root / "mid").symlink_to(plant(tmp_path / "other", "3.wav", "deep/er/4.wav"))
    assert files(walk(root)) == ["low/2.wav", "low/a/1.wav", "mid/3.wav", "mid/deep/er/4.wav"]


def test_link_to_a_file_is_called_as_the_link_is(tmp_path: Path) -> None:
    plant(tmp_path, "store/objects-0af3")
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "1.wav").symlink_to(tmp_path / "store" / "objects-0af3")
    assert files(walk(tmp_path / "songs")) == ["1.wav"]


@pytest.mark.parametrize("target", [".", "..", "../..", "/", "../low", "../../songs/low", "../../.."])
def test_link_to_what_is_above_it_is_no_endless_walk(tmp_path: Path, target: str) -> None:
    root = plant(tmp_path / "songs", "low/1.wav", "mid/2.wav")
    plant(tmp_path, "other/3.wav")
    (root / "low" / "up").symlink_to(target)
    found = walk(root)
    above = target in ("../..", "/", "../../..")
    assert (files(found), len(found.left_out())) == (["low/1.wav", "mid/2.wav"], int(above))
    assert all("not followed: 1 link to a folder above (low/up)" in line for line in found.left_out())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_whatever_links_lead_to_is_found_once(tmp_path: Path, seed: int) -> None:
    """Folders, files and links at random, inside and outside; compared with a search that knows real places alone."""
    rng = random.Random(seed)
    root = plant(tmp_path / "songs", "a/0.wav")
    folders = [root, tmp_path / "store"]
    folders += [rng.choice(folders) / f"d{n}" for n in range(6)]
    folders += [rng.choice(folders) / f"e{n}" for n in range(6)]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        plant(folder, f"{rng.randint(0, 9)}.wav")
    for n in range(14):
        link = rng.choice(folders) / f"{rng.choice('az')}link{n}"
        link.symlink_to(rng.choice([f for f in folders if f not in link.parents]))
    seen, todo = set[str](), [os.path.realpath(root)]
    while todo:
        place = todo.pop()
        if place not in seen:
            seen.add(place)
            todo += [os.path.realpath(entry) for entry in os.scandir(place)] if os.path.isdir(place) else []
    found = walk(root)
    reached = [os.path.realpath(path) for path in found.files]
    assert sorted(reached) == sorted(place for place in seen if place.endswith(".wav"))


def test_loop_through_a_place_outside_ends(tmp_path: Path) -> None:
    root = plant(tmp_path / "songs", "low/1.wav")
    plant(tmp_path, "store/2.wav")
    (root / "low" / "out").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "back").symlink_to(root)
    found = walk(root)
    assert (files(found), found.left_out()) == (["low/1.wav", "low/out/2.wav"], ())


def test_links_that_double_at_every_step_are_walked_once(tmp_path: Path) -> None:
    """2 to the 40 paths lead to the one file."""
    for level in range(40):
        (tmp_path / f"{level}").mkdir()
        for name in "ab":
            (tmp_path / f"{level}" / name).symlink_to(tmp_path / f"{level + 1}")
    plant(tmp_path, "40/1.wav")
    assert len(walk(tmp_path / "0").files) == 1


@pytest.mark.parametrize("name", ["aaa", "zzz"])
def test_file_that_links_reach_again_is_taken_once_by_its_own_path(tmp_path: Path, name: str) -> None:
    root = plant(tmp_path, "low/monk/1.wav", "low/monk/2.wav")
    (root / "low" / name).symlink_to("monk")
    (root / "low" / f"{name}.wav").symlink_to("monk/1.wav")
    found = walk(root)
    assert files(found) == ["low/monk/1.wav", "low/monk/2.wav"]
    assert found.left_out()[0].startswith(f"taken once: what is reached a second time by 2 links (low/{name}")


def test_copies_by_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    plant(tmp_path, "low/1.wav")
    os.link(tmp_path / "low" / "1.wav", tmp_path / "low" / "2.wav")
    assert files(walk(tmp_path)) == ["low/1.wav", "low/2.wav"]


# What is not here, and what cannot be read


@pytest.mark.parametrize("name", ["1.wav", "1.m4a", "monk", "1.xyz", "St. Thomas"])
def test_link_to_nothing_is_refused_by_name(tmp_path: Path, name: str) -> None:
    plant(tmp_path, "low/0.wav")
    (tmp_path / "low" / name).symlink_to("../../.git/annex/objects/aa/bb/key")
    with pytest.raises(MissingData, match=rf"folder:x: 1 file not on this machine \(low/{name}\).*git annex get"):
        require_whole(walk(tmp_path), "folder:x")


def test_link_to_itself_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "1.wav").symlink_to("2.wav")
    (tmp_path / "2.wav").symlink_to("1.wav")
    with pytest.raises(MissingData, match=r"2 files not on this machine \(1.wav, 2.wav\)"):
        require_whole(walk(tmp_path), "folder:x")


def test_link_to_nothing_that_is_called_as_a_document_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").symlink_to("nowhere")
    require_whole(walk(tmp_path), "folder:x")


@pytest.mark.parametrize("content", [LFS, LFS.replace(b"\n", b"\r\n"), ANNEX, b"../../.git/annex/objects/Qk/9x/k.wav"])
def test_pointer_in_place_of_a_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    plant(tmp_path, "low/1.wav", "low/2.m4a", content=content)
    with pytest.raises(MissingData, match=r"2 files not on this machine \(low/1.wav, low/2.m4a\).*git lfs pull"):
        require_whole(walk(tmp_path), "folder:x")


def test_file_that_a_cloud_keeps_is_refused_by_name(tmp_path: Path) -> None:
    plant(tmp_path, "low/.1.wav.icloud")
    with pytest.raises(MissingData, match=r"low/\.1\.wav\.icloud"):
        require_whole(walk(tmp_path), "folder:x")


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of folders that may not be listed, whoever runs the tests."""
    names: set[str] = set()
    real = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name in names:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    return names


def test_folder_without_rights_is_refused_by_name(tmp_path: Path, closed: set[str]) -> None:
    closed |= {"secret"}
    plant(tmp_path, "low/1.wav", "mid/secret/2.wav")
    with pytest.raises(BadInput, match=r"1 of its .* \(mid/secret: Permission denied\).*chmod"):
        require_whole(walk(tmp_path), "folder:x")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="rights do not bind root")
@pytest.mark.parametrize("rights", [0o000, 0o300, 0o400])
def test_folder_without_rights_on_disk_is_refused_by_name(tmp_path: Path, rights: int) -> None:
    plant(tmp_path, "mid/secret/2.wav")
    (tmp_path / "mid" / "secret").chmod(rights)
    try:
        with pytest.raises(BadInput, match=r"\(mid/secret.*: Permission denied\)"):
            require_whole(walk(tmp_path), "folder:x")
    finally:
        (tmp_path / "mid" / "secret").chmod(0o700)


def test_what_systems_keep_closed_is_passed_by(tmp_path: Path, closed: set[str]) -> None:
    closed |= {"lost+found", "System Volume Information"}
    for name in closed:
        plant(tmp_path, f"{name}/1.wav")
    require_whole(walk(tmp_path), "folder:x")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_pipes_and_sockets_are_told_and_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "1.wav")
    os.mkfifo(tmp_path / "2")
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("3.mp3")
        (tmp_path / "4.wav").symlink_to("/dev/zero")
        found = walk(tmp_path)
    assert (files(found), [path.name for path in found.unopened]) == ([], ["1.wav", "3.mp3", "4.wav"])
    assert "pipes and devices are not opened" in found.left_out()[0]


def test_folder_called_as_a_file_is_a_folder(tmp_path: Path) -> None:
    assert files(walk(plant(tmp_path, "low/x.wav/1.wav"))) == ["low/x.wav/1.wav"]


def test_names_as_long_as_they_may_be_are_taken(tmp_path: Path) -> None:
    name = f"{'x' * 251}.wav"
    assert files(walk(plant(tmp_path, f"{'y' * 255}/{name}"))) == [f"{'y' * 255}/{name}"]


def test_folder_too_deep_to_be_named_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(20):  # 20 times 251 letters; no path may have 4096
        os.mkdir("z" * 250)
        os.chdir("z" * 250)
    with pytest.raises(BadInput, match="File name too long"):
        require_whole(walk(tmp_path), "folder:x")


def test_pictures_are_found_through_links_and_nothing_is_said_of_sound(tmp_path: Path) -> None:
    root = plant(tmp_path / "in", "a.png", "b.m4a", "c.wav")
    plant(tmp_path, "out/d.JPG")
    (root / "more").symlink_to(tmp_path / "out")
    found = walk(root, "picture")
    assert (files(found), found.left_out()) == (["a.png", "more/d.JPG"], ())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="shows no processes as files")
def test_file_that_says_it_is_empty_is_not_opened() -> None:
    assert kind_of(Path("/proc/self/status")) == "unknown"
