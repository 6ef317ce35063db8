"""Paths as text: what a file name may hold, and what a file, a terminal or a table takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mirbench.errors import BadInput
from mirbench.places import path_of_text, path_text, refuse_whole_machine

NAMES = [
    b"caf\xe9.wav", b"\xff\xfe", b"lo\nw.wav", b"\x1b[31mred.wav", b"tab\t.wav", b"both \xc3\xa9 and \xe9.wav",
    b"\xe2\x80\xa8line.wav", b"\xc2\x85next.wav", b"\xed\xa0\x80half.wav",
    b"\\x77\xe9.wav", b"a\\b\n.wav",
]  # fmt: skip
"""Latin-1, line ends, escape codes, and half of a letter, as Linux takes them for names."""

ORDINARY = ["low/low00.wav", " 00 intro.wav", "Flöte", "日本\u3000語.wav", "no\xa0break.wav", "R&B | 50 %", "a\\b.wav"]


@pytest.mark.parametrize("name", ORDINARY)
def test_path_text_leaves_an_ordinary_name_as_it_is(name: str) -> None:
    assert path_text(name) == name


@pytest.mark.parametrize("name", NAMES)
def test_path_text_is_one_line_of_utf8(name: bytes) -> None:
    text = path_text(os.fsdecode(name))
    assert text.encode("utf-8").decode() == text
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


def test_path_text_tells_names_apart() -> None:
    assert len({path_text(os.fsdecode(name)) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_path_of_text_finds_the_file_again(tmp_path: Path, name: bytes) -> None:
    there = tmp_path / os.fsdecode(name)
    there.touch()
    assert path_of_text(tmp_path / path_text(there.name)) == there


def test_path_of_text_takes_a_file_that_is_called_so_first(tmp_path: Path) -> None:
    for name in (b"caf\xe9.wav", rb"caf\xe9.wav"):
        (tmp_path / os.fsdecode(name)).touch()
    assert path_of_text(tmp_path / r"caf\xe9.wav") == tmp_path / r"caf\xe9.wav"


@pytest.mark.parametrize("name", [r"gone\xe9.wav", r"\x00.wav", r"\ud800.wav", "plain.wav"])
def test_path_of_text_of_what_is_not_there_stays(tmp_path: Path, name: str) -> None:
    assert path_of_text(tmp_path / name) == tmp_path / name


@pytest.mark.skipif(os.name == "nt", reason="a drive may be a collection")
def test_whole_machine_is_refused_by_any_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    for path in (Path("/"), tmp_path / "link", tmp_path.joinpath(*[".."] * len(tmp_path.parts))):
        with pytest.raises(BadInput, match="holds all that is on this machine; name the folder"):
            refuse_whole_machine(path)
    refuse_whole_machine(tmp_path)
