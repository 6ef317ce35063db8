"""Lists of clips: as spreadsheets and programs write them, and as they are written here."""

from __future__ import annotations

import os
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from mirbench.errors import BadInput
from mirbench.features.clip_list import Folders, nearest, read_clip_list, write_clip_list
from mirbench.types import Clip

NFC, NFD = (unicodedata.normalize(form, "flöte") for form in ("NFC", "NFD"))
PLAIN = "path,label\na.wav,rock\nb.wav,pop\n"


def saved(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(root: Path, text: str | bytes) -> list[Clip]:
    return read_clip_list(saved(root / "l.csv", text))[0]


def refusal(make: Callable[[], object]) -> str:
    """The one line that refuses what a user gave."""
    with pytest.raises(BadInput) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        "\ufeff" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        PLAIN.replace("path,label", "Path,LABEL"),
        PLAIN.replace("path,label", "path, label "),
        PLAIN.replace("path,label", '"path","label"'),
        ",path,label\n0,a.wav,rock\n1,b.wav,pop\n",
        "Unnamed: 0,path,label\n0,a.wav,rock\n1,b.wav,pop\n",
        "path,label,,\na.wav,rock,,\nb.wav,pop,,\n",
        "path,label\na.wav\0\0,rock\0\nb.wav,pop\0\n",
        "path,label\na.wav,rock;;\nb.wav, pop ;\n",
        PLAIN.replace("\n", "\r"),
    ],
    ids=[
        "semicolons", "tabs", "Excel", "capitals", "spaces", "quotes", "index", "index read again", "empty columns",
        "zeros", "semicolons at the end", "old Macintosh",
    ],
)  # fmt: skip
def test_list_of_a_spreadsheet_is_read_as_the_plain_one(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == read(tmp_path, PLAIN)


def test_list_of_semicolons_reads_several_labels_in_quotes(tmp_path: Path) -> None:
    assert read(tmp_path, 'path;label\na.wav;"rock;pop"\n')[0].labels == ("rock", "pop")


@pytest.mark.parametrize(
    ("word", "split"),
    [("Train", "train"), ("TRAINING", "train"), ("Val", "valid"), ("validation", "valid"), ("testing", "test")],
)
def test_list_takes_the_usual_names_of_splits(tmp_path: Path, word: str, split: str) -> None:
    assert read(tmp_path, f"path,label,split\na.wav,x,{word}\n")[0].split == split


def test_list_takes_folds_that_pandas_wrote_as_fractions(tmp_path: Path) -> None:
    assert read_clip_list(saved(tmp_path / "l.csv", "path,label,fold\na.wav,x,3.0\n"))[1] == {"a.wav": 3}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PLAIN.replace("rock", "flöte").encode("cp1252"), "in UTF-8 (line 2: its label is not); save it as CSV UTF-8"),
        (PLAIN.encode("utf-16")[:-1], "in UTF-16 (truncated data)"),
        (PLAIN.replace("label", "genre"), "it is 'path,genre'"),
        ("path,label,\na.wav,rock,120 bpm\n", "line 2: a column without a name holds '120 bpm'"),
        (PLAIN.replace("rock", "ro\0ck"), "line 2: its label holds a zero byte"),
        (PLAIN.replace("a.wav", "a\0.wav"), "line 2: its path holds a zero byte"),
        (PLAIN.replace("rock", '"hip\nhop"'), "'hip\\nhop' holds a line end or another control character"),
        (PLAIN.replace("rock", '"rock'), "line 3: its label"),
        (PLAIN.replace("a.wav", "x" * 300 + ".wav"), "has 304 bytes; no file can be called so"),
        (PLAIN.replace(",", ";").replace("rock", "rock;pop"), "(3, not 2); quote a field that holds a semicolon"),
        (PLAIN + "c.wav,rock|pop\n", "line 4: the label 'rock|pop' is made of others by '|' (1 such); separate"),
        (PLAIN + 'c.wav,"rock, pop"\n', "by ','"),
        (PLAIN + "c.wav,Rock/Pop\n", "as in Rock;Pop"),
        ('path,label\na.wav,"[\'rock\', \'pop\']"\n', "is a list as Python writes it; separate labels by"),
        ("path,label\na.wav,['rock']\n", "as in rock"),
        (PLAIN.replace("rock", "[0 1]"), "the label [0 1] is a list as Python writes it"),
        (PLAIN.replace("rock", "R&amp;B"), "holds &amp;, as web pages write a sign, and semicolons separate labels; w"),
        (PLAIN.replace("rock", "Rock&#39;n&#39;Roll"), 'write "Rock\'n\'Roll"'),
        ("path,label,unknown\na.wav,rock,\nb.wav,pop,\nc.wav,pop,rock|pop\n", "'rock|pop' is made of others"),
        (PLAIN + "a.wav,pop\n", "a.wav is listed twice, each time with other labels (1 such)"),
        ("id,label\na,rock\na,pop\n", "the id a is listed twice, each time with other labels (1 such)"),
        (PLAIN + "a.wav,rock\n", "a file may have several clips if their start differs"),
        ("id,label\na,rock\na,rock\n", "'a' occurs twice"),
    ],
)  # fmt: skip
def test_list_that_says_something_else_is_refused_by_name(tmp_path: Path, text: str | bytes, says: str) -> None:
    assert says in refusal(lambda: read(tmp_path, text))


@pytest.mark.parametrize(
    "written",
    [
        PLAIN.replace(",", "\t").encode("utf-16"), "sep=;\r\n" + PLAIN.replace(",", ";"), PLAIN + ",\n,\n",
        PLAIN.replace(",", "|"), PLAIN.replace("\n", ",7\n").replace("label,7", "label,bpm"),
    ],
    ids=["UTF-16", "line for spreadsheets", "empty cells at the end", "bars", "a column of its own"],
)  # fmt: skip
def test_list_as_programs_write_it_is_read(tmp_path: Path, written: str | bytes) -> None:
    assert read(tmp_path, written) == read(tmp_path, PLAIN)


def test_list_of_windows_finds_files_in_folders(tmp_path: Path) -> None:
    (tmp_path / "rock" / "old").mkdir(parents=True)
    (tmp_path / "rock" / "old" / "a.wav").touch()
    (clip,) = read(tmp_path, "path,label\r\nrock\\old\\a.wav,rock\r\n")
    assert clip.path == tmp_path / "rock" / "old" / "a.wav"


def test_list_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").mkdir()
    assert "a.wav is a folder" in refusal(lambda: read(tmp_path, PLAIN))


def test_labels_that_make_a_sign_of_web_pages_when_joined_read_back(tmp_path: Path) -> None:
    clip = Clip("a", None, "train", ("R&amp", "B"))
    write_clip_list(tmp_path / "l.csv", [[clip]], None)
    assert read_clip_list(tmp_path / "l.csv")[0] == [clip]


def test_list_parts_names_that_end_in_a_sign_and_letters(tmp_path: Path) -> None:
    (clip,) = read(tmp_path, "path,label\na.wav,R&B;Drum & Bass;[live]\n")
    assert clip.labels == ("R&B", "Drum & Bass", "[live]")


def test_list_keeps_names_that_hold_commas(tmp_path: Path) -> None:
    text = 'path,label\na.wav,"Folk, World, & Country"\nb.wav,Pop\nc.wav,Funk / Soul\n'
    assert [clip.labels for clip in read(tmp_path, text)] == [("Folk, World, & Country",), ("Pop",), ("Funk / Soul",)]


def test_list_takes_a_name_as_it_stands_where_the_line_says_so(tmp_path: Path) -> None:
    text = "path,label,exact\na.wav,C,\nb.wav,E,\nc.wav,C/E,1\nd.wav, low,1\n"
    assert [clip.labels[0] for clip in read(tmp_path, text)] == ["C", "E", "C/E", " low"]


@pytest.mark.parametrize(("listed", "there"), [(NFC, NFD), (NFD, NFC)])
def test_list_finds_a_file_in_the_other_form_of_its_name(tmp_path: Path, listed: str, there: str) -> None:
    (tmp_path / there).mkdir()
    (tmp_path / there / f"{there} {there}.wav").touch()
    (clip,) = read(tmp_path, f"path,label\n{listed}/{listed} {listed}.wav,x\n")
    assert (clip.id, clip.path) == (
        f"{listed}/{listed} {listed}.wav", tmp_path / there / f"{there} {there}.wav"
    )  # fmt: skip


def test_list_finds_a_file_in_the_folder_of_the_other_form_beside_its_own(tmp_path: Path) -> None:
    for name in (NFC, NFD):
        (tmp_path / name).mkdir()
    (tmp_path / NFD / "a.wav").touch()
    assert read(tmp_path, f"path,label\n{NFC}/a.wav,x\n")[0].path == tmp_path / NFD / "a.wav"


@pytest.mark.parametrize(("name", "found"), [(" 1.wav", " 1.wav"), ("1.wav", "1.wav"), ("1.wav ", "1.wav ")])
def test_list_finds_a_file_with_spaces_around_its_name(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / name).touch()
    (clip,) = read(tmp_path, f"path,label\n{name},x\n")
    assert (clip.id, clip.path) == (found, tmp_path / found)


def test_list_takes_spaces_for_none_where_no_file_has_them(tmp_path: Path) -> None:
    (tmp_path / "1.wav").touch()
    assert read(tmp_path, "label, path\nx, 1.wav\n")[0].path == tmp_path / "1.wav"


def test_list_looks_in_each_folder_for_each_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for place in (tmp_path / "a.wav", tmp_path / "data" / "b.wav"):
        place.touch()
    clips, _ = read_clip_list(saved(tmp_path / "l.csv", PLAIN + "c.wav,pop\n"), tmp_path, tmp_path / "data")
    assert [clip.path for clip in clips] == [
        tmp_path / "a.wav",
        tmp_path / "data" / "b.wav",
        tmp_path / "data" / "c.wav",
    ]


@pytest.mark.parametrize(
    "listed",
    [
        "songs\\low\\a b.wav", "C:\\Users\\me\\songs\\low\\a b.wav", "/home/me/songs/low/a b.wav",
        "songs%2Flow%2Fa%20b.wav",        "Songs/Low/A B.WAV", "songs/low /a  b.wav", "data/songs/low/a b.wav",
    ],
)  # fmt: skip
def test_nearest_finds_what_is_meant_by_a_path_of_elsewhere(tmp_path: Path, listed: str) -> None:
    (tmp_path / "songs" / "low").mkdir(parents=True)
    (tmp_path / "songs" / "low" / "a b.wav").touch()
    assert nearest(listed, [tmp_path]) == "songs/low/a b.wav"


def test_nearest_finds_nothing_where_nothing_is_like_it(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    assert nearest("songs/low/a.wav", [tmp_path, tmp_path / "nowhere"]) == ""


# What is written reads back


def back(root: Path, clips: list[Clip]) -> list[Clip]:
    write_clip_list(root / "clips.csv", [clips], root)
    return sorted(read_clip_list(root / "clips.csv")[0], key=lambda clip: clip.id)


def one(root: Path, name: str, label: str = "x", group: str = "") -> Clip:
    return Clip(name, root / name, "train", (label,), group=group)


@pytest.mark.parametrize(
    "name",
    [
        " low", "low ", "\tlow", "lo\nw", "lo\rw", "low\r", "a,b", 'say "x"', '"', "hip\u00a0hop\u00a0", "rock|pop",
        "R&B", "['a']", "[]", "a\\b", "=1+1", "nan", "#1", "'a'", "-", "\u200b", "\ufefflow",
    ],
)  # fmt: skip
def test_written_names_read_back_as_they_were(tmp_path: Path, name: str) -> None:
    clips = [one(tmp_path, "0", "rock"), one(tmp_path, "1", "pop"), one(tmp_path, "2", name, name)]
    assert back(tmp_path, clips) == clips


@pytest.mark.parametrize("name", ["~a.wav", "~", " ~a.wav", "a .wav ", "lo\nw.wav", "caf\udce9.wav", "a,b;c.wav"])
def test_written_paths_read_back_as_they_were(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert back(tmp_path, [one(tmp_path, name)]) == [one(tmp_path, name)]


def test_written_list_of_plain_names_has_no_column_more(tmp_path: Path) -> None:
    write_clip_list(tmp_path / "l.csv", [[one(tmp_path, "a.wav")]], tmp_path)
    assert (tmp_path / "l.csv").read_text() == (
        "id,path,label,unknown,split,group,start,duration\na.wav,a.wav,x,,train,,,\n"
    )


@pytest.mark.slow
def test_written_lists_of_any_characters_read_back_as_they_were(tmp_path: Path) -> None:
    rng = random.Random(0)
    letters = "ab \t\n\r,;\"'|/&+[]()~\\.=-#%\u00a0\u200b\ufeff\u0301öé歌\udce9"
    for _ in range(600):
        names = {"".join(rng.choices(letters, k=rng.randint(1, 6))) for _ in range(6)}
        names = {name for name in names if name not in (".", "..") and "/" not in name and name.strip("\ufeff")}
        labels = [unicodedata.normalize("NFC", name.replace(";", "")) or "x" for name in names]
        clips = [
            Clip(name, tmp_path / name, "test", (label,), group=label)
            for name, label in zip(sorted(names), labels, strict=True)
        ]
        for name in names:  # bytes that are no UTF-8 are put back into the path of a file that is there
            (tmp_path / name).touch()
        assert back(tmp_path, clips) == clips


@pytest.mark.slow
def test_damaged_lists_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    rng = random.Random(0)
    whole = bytearray(b"id,path,label,unknown,fold,group,start,duration\n")
    for n in range(12):
        whole += f"c{n},songs/{n}.wav,{'ab'[n % 2]};c,d,{n % 4},g{n},{n}.5,1\n".encode()
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.choice(
                b'\0\n\r",;\t\xff\xc3\x1b ~/9' + bytes([rng.randrange(256)])
            )
        said = ""
        try:
            read_clip_list(saved(tmp_path / "l.csv", bytes(damaged)))
        except BadInput as error:
            said = str(error)
        assert said.isprintable()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_what_lies_in_a_folder_is_the_same_asked_for_once_or_often(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "low").mkdir()
    (tmp_path / "link.wav").symlink_to("a.wav")
    (tmp_path / "lower").symlink_to("low")
    (tmp_path / "dead.wav").symlink_to("nowhere.wav")
    names = ["a.wav", "low", "link.wav", "lower", "dead.wav", "none.wav", "none/a.wav", "low/..", ".", ""]
    once, often = Folders(), Folders()
    for _ in range(100):
        often.holds(tmp_path / "a.wav")
    for name in names:
        path = tmp_path / name
        expected = (path.exists(), path.is_dir())
        assert (often.holds(path), often.is_folder(path)) == (once.holds(path), once.is_folder(path)) == expected


def test_many_files_of_a_folder_are_found_without_asking_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{n}.wav" for n in range(300)]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    asked = []
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: asked.append(path) or exists(path))
    text = "path,label\n" + "".join(f"{name},{name}\n" for name in names) + "none.wav,x\n"
    clips = read(tmp_path, text)
    assert [clip.path for clip in clips] == [tmp_path / name for name in (*names, "none.wav")]
    assert len(asked) < 100
