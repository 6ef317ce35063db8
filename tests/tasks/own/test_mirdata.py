"""Data sets of mirdata: its own loaders on small indexes and files made here; nothing is downloaded."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import urllib.error
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mirbench.errors import BadInput, MissingData, MissingExtra, UnknownName
from mirbench.progress import Progress
from mirbench.tasks.own.mirdata import fetch_mirdata, mirdata_task
from mirbench.tasks.own.mirdata_labels import KNOWN

QUIET = Progress(quiet=True)
GENRES = ("blues", "hiphop", "jazz")


@pytest.mark.parametrize("argument", ["gtzan_genre?", "gtzan_genre?label", "gtzan_genre?label=a&label=b"])
def test_mirdata_task_refuses_options_that_are_not_written_so(argument: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"written mirdata:gtzan_genre\?label=…&group=…"):
        mirdata_task(argument, tmp_path)


def test_mirdata_task_hints_at_a_misspelt_option(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'label'"):
        mirdata_task("gtzan_genre?lable=genre", tmp_path)


@pytest.mark.parametrize("use", [mirdata_task, lambda name, root: fetch_mirdata(name, root, QUIET)], ids=["run", "get"])
def test_mirdata_without_its_library_names_the_extra(
    use: Callable[[str, Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mirdata", None)
    with pytest.raises(MissingExtra, match=r"mirdata:gtzan_genre needs mirdata: pip install 'mirbench\[mirdata\]'"):
        use("gtzan_genre", tmp_path)


# Its loaders, on files made here


@pytest.fixture
def library() -> Any:
    pytest.importorskip("mirdata.core", reason="needs the library mirdata: pip install 'mirbench[mirdata]'")
    return sys.modules["mirdata"]


Index = Mapping[str, Mapping[str, str | None]]
Offer = Callable[[str, Index, str], Path]


@pytest.fixture
def offer(library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """``offer(loader, index, version)``: the loader's index is this one; returns the data set's folder, still empty.

    An index is the paths of each track by their kind.
    """

    def serve(loader: str, index: Index, version: str) -> Path:
        home = tmp_path / "mirdata" / loader
        path = tmp_path / "index.json"
        monkeypatch.setattr(library.core.Index, "get_path", lambda self: str(path))
        monkeypatch.setattr(library.core.Dataset, "download", lambda self: write(home, index, path, version))
        return home

    return serve


def write(home: Path, index: Index, where: Path, version: str) -> None:
    """Every audio file of an index, a fifth of a second of noise; and the index itself, with their md5."""
    tracks: dict[str, dict[str, list[str | None]]] = {}
    for number, (name, files) in enumerate(index.items()):
        tracks[name] = {}
        for kind, file in files.items():
            md5 = None
            if file is not None:
                path = home / file
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.suffix == ".txt":
                    path.write_text("cel\ncla\n", encoding="utf-8")
                elif not path.is_file():
                    soundfile.write(path, np.random.default_rng(number).uniform(-0.5, 0.5, 1600), 8000)
                md5 = hashlib.md5(path.read_bytes()).hexdigest()
            tracks[name][kind] = [file, md5]
    where.write_text(json.dumps({"version": version, "tracks": tracks}), encoding="utf-8")


def gtzan(n_clips: int = 8) -> Index:
    """An index as that of gtzan_genre."""
    return {
        f"{genre}.{k:05}": {"audio": f"genres/{genre}/{genre}.{k:05}.wav", "beats": None, "tempo": None}
        for genre in GENRES
        for k in range(n_clips)
    }


def irmas() -> Index:
    """An index as that of irmas: three excerpts of each of eight recordings, and four to test."""
    codes = ("cel", "cla")
    train = {
        f"{song:04}__{part}": f"Train/{codes[song % 2]}/[{codes[song % 2]}][cla]{song:04}__{part}.wav"
        for song in range(8)
        for part in (1, 2, 3)
    }
    test = {str(k): f"Test/song-{k}.wav" for k in range(4)}
    return {name: {"audio": file, "annotation": file} for name, file in train.items()} | {
        name: {"audio": file, "annotation": file.replace(".wav", ".txt")} for name, file in test.items()
    }


def fetched(argument: str, root: Path) -> Any:
    fetch_mirdata(argument, root, QUIET)
    return mirdata_task(argument, root)


def test_fetch_mirdata_makes_a_task(offer: Offer, tmp_path: Path) -> None:
    offer("gtzan_genre", gtzan(), "1.0")
    task = fetched("gtzan_genre", tmp_path)
    assert [(clip.id, clip.labels) for clip in task.read_clips(None, 0)][:1] == [("blues.00000", ("blues",))]
    assert task.classes == ("blues", "hip-hop", "jazz")


def test_mirdata_task_has_the_card_of_a_published_set(offer: Offer, tmp_path: Path) -> None:
    offer("gtzan_genre", gtzan(), "1.0")
    task = fetched("gtzan_genre", tmp_path)
    assert (task.name, task.standing, task.datasets) == (
        "mirdata:gtzan_genre",
        "full",
        ("mirdata:gtzan_genre", "gtzan"),
    )
    assert task.version.endswith("-1.0")


def test_mirdata_task_draws_splits_where_the_loader_has_none(offer: Offer, tmp_path: Path) -> None:
    offer("gtzan_genre", gtzan(), "1.0")
    task = fetched("gtzan_genre", tmp_path)
    assert {clip.split for clip in task.read_clips(None, 0)} == {"train", "valid", "test"}
    assert "train, valid and test are drawn, 70/15/15" in task.notes


def test_mirdata_task_takes_the_group_that_is_said(offer: Offer, tmp_path: Path) -> None:
    offer("gtzan_genre", gtzan(), "1.0")
    task = fetched("gtzan_genre?group=track_id", tmp_path)
    assert all(clip.group == clip.id for clip in task.read_clips(None, 0))


def test_mirdata_task_takes_the_attribute_that_is_said(offer: Offer, tmp_path: Path) -> None:
    medley(offer("medley_solos_db", {f"{k:02}": {"audio": f"audio/{k}.wav"} for k in range(24)}, "1.2"))
    assert fetched("medley_solos_db?label=instrument_id", tmp_path).classes == ("0", "1")


@pytest.mark.parametrize("attribute", ["gener", "_metadata", "__class__", "get_path"])
def test_mirdata_task_of_an_attribute_that_is_none_lists_some(attribute: str, offer: Offer, tmp_path: Path) -> None:
    offer("gtzan_genre", gtzan(), "1.0")
    fetch_mirdata("gtzan_genre", tmp_path, QUIET)
    with pytest.raises(BadInput, match=f"'{attribute}' is no attribute of track blues.00000; it has .*genre"):
        mirdata_task(f"gtzan_genre?label={attribute}", tmp_path)


def test_mirdata_task_of_a_key_of_no_dictionary_says_so(offer: Offer, tmp_path: Path) -> None:
    offer("gtzan_genre", gtzan(), "1.0")
    fetch_mirdata("gtzan_genre", tmp_path, QUIET)
    with pytest.raises(BadInput, match=r"'name' is no key of genre.name of track blues\.00000; it has no keys"):
        mirdata_task("gtzan_genre?label=genre.name", tmp_path)


def test_mirdata_task_of_an_unknown_loader_hints_at_a_near_one(library: Any, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"called 'gtzan_gener'\. Did you mean 'gtzan_genre'\?"):
        mirdata_task("gtzan_gener", tmp_path)


@pytest.mark.parametrize("name", ["../gtzan_genre", "/gtzan_genre", "", "gtzan_genre/..", "os"])
def test_mirdata_task_of_a_path_is_an_unknown_loader(name: str, library: Any, tmp_path: Path) -> None:
    with pytest.raises(UnknownName):
        mirdata_task(name, tmp_path)


def test_mirdata_task_of_a_loader_without_a_known_label_says_how_to_name_one(library: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"write mirdata:brid\?label=ATTRIBUTE .* its tracks have .*tempo"):
        mirdata_task("brid", tmp_path)


# What is there and what is not


def test_mirdata_task_without_an_index_says_how_to_fetch(offer: Offer, tmp_path: Path) -> None:
    offer("gtzan_genre", gtzan(), "1.0")
    with pytest.raises(MissingData, match=r"not fetched.*`mirbench data get mirdata:gtzan_genre --data ROOT`"):
        mirdata_task("gtzan_genre", tmp_path)


def test_mirdata_task_without_audio_says_how_to_fetch(offer: Offer, tmp_path: Path) -> None:
    home = offer("gtzan_genre", gtzan(), "1.0")
    fetch_mirdata("gtzan_genre", tmp_path, QUIET)
    (home / "genres/jazz/jazz.00003.wav").unlink()
    with pytest.raises(MissingData, match=r"1 of 24 audio files are absent \(.*jazz\.00003\.wav\)"):
        mirdata_task("gtzan_genre", tmp_path)


def test_mirdata_task_leaves_tracks_without_audio_out_and_says_so(offer: Offer, tmp_path: Path) -> None:
    offer("gtzan_genre", {**gtzan(), "jazz.99999": {"audio": None, "beats": None, "tempo": None}}, "1.0")
    task = fetched("gtzan_genre", tmp_path)
    assert len(task.read_clips(None, 0)) == 24
    assert "left out: 1 without audio" in task.notes


@pytest.mark.parametrize("file", ["../../evil.wav", "genres/../../../evil.wav", "/evil.wav"])
def test_mirdata_task_refuses_a_path_outside_of_the_data_set(file: str, offer: Offer, tmp_path: Path) -> None:
    offer("gtzan_genre", gtzan(), "1.0")
    fetch_mirdata("gtzan_genre", tmp_path, QUIET)
    index = json.loads((tmp_path / "index.json").read_text())
    index["tracks"]["jazz.00001"]["audio"][0] = file
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(BadInput, match=r"evil\.wav' lies outside of .*; not trusted"):
        mirdata_task("gtzan_genre", tmp_path)


def test_fetch_mirdata_refuses_a_file_that_was_changed(offer: Offer, tmp_path: Path) -> None:
    home = offer("gtzan_genre", gtzan(), "1.0")
    fetch_mirdata("gtzan_genre", tmp_path, QUIET)
    (home / "genres/jazz/jazz.00003.wav").write_bytes(b"another")
    with pytest.raises(BadInput, match=r"1 files are not the published ones \(.*jazz\.00003\.wav …\)"):
        fetch_mirdata("gtzan_genre", tmp_path, QUIET)


def test_fetch_mirdata_of_what_is_whole_downloads_nothing(
    library: Any, offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer("gtzan_genre", gtzan(), "1.0")
    fetch_mirdata("gtzan_genre", tmp_path, QUIET)
    monkeypatch.setattr(library.core.Dataset, "download", lambda self: pytest.fail("downloads again"))
    assert fetch_mirdata("gtzan_genre", tmp_path, QUIET) == tmp_path / "mirdata" / "gtzan_genre"


def test_fetch_mirdata_names_files_that_lack(offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = offer("gtzan_genre", gtzan(), "1.0")
    fetch_mirdata("gtzan_genre", tmp_path, QUIET)
    (home / "genres/jazz/jazz.00003.wav").unlink()
    monkeypatch.setattr("mirdata.core.Dataset.download", lambda self: None)
    with pytest.raises(MissingData, match=r"1 files lack \(.*jazz\.00003\.wav …\)"):
        fetch_mirdata("gtzan_genre", tmp_path, QUIET)


def test_fetch_mirdata_leaves_the_root_logger_as_it_was(offer: Offer, tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    offer("gtzan_genre", gtzan(), "1.0")
    fetch_mirdata("gtzan_genre", tmp_path, QUIET)
    assert (root.handlers, root.level) == before


# Splits, groups and folds of loaders


@pytest.fixture
def excerpts(offer: Offer, tmp_path: Path) -> Any:
    """The task of irmas."""
    offer("irmas", irmas(), "1.0")
    return fetched("irmas", tmp_path)


def test_mirdata_task_keeps_published_splits(excerpts: Any) -> None:
    assert {clip.id for clip in excerpts.read_clips(None, 0) if clip.split == "test"} == {"0", "1", "2", "3"}


def test_mirdata_task_reads_lists_as_many_labels(excerpts: Any) -> None:
    assert excerpts.kind == "multi-label"
    assert {clip.labels for clip in excerpts.read_clips(None, 0)} == {("cel",), ("cla",), ("cel", "cla")}


def test_mirdata_task_keeps_groups_together_when_it_draws_valid(excerpts: Any) -> None:
    split: dict[str, set[str]] = {}
    for clip in excerpts.read_clips(None, 0):
        if "__" in clip.id:
            split.setdefault(clip.id.partition("__")[0], set()).add(clip.split)
    assert {len(found) for found in split.values()} == {1}


def test_mirdata_task_keeps_numbered_folds(offer: Offer, tmp_path: Path) -> None:
    names = [f"{k:02}" for k in range(20)]
    home = offer("tinysol", {name: {"audio": f"audio/{name}.wav"} for name in names}, "6.0")
    table = home / "annotation" / "TinySOL_metadata.csv"
    table.parent.mkdir(parents=True)
    rows = [
        f"x/{n}.wav,{k // 2 % 5},Winds,Fl,{('Flute', 'Oboe')[k % 2]},o,o,A4,69,p,1,0,,FALSE"
        for k, n in enumerate(names)
    ]
    table.write_text("header\n" + "\n".join(rows), encoding="utf-8")
    task = fetched("tinysol", tmp_path)
    tested = [{clip.id for clip in task.read_clips(None, fold) if clip.split == "test"} for fold in range(task.n_folds)]
    assert tested == [{n for k, n in enumerate(names) if k // 2 % 5 == fold} for fold in range(5)]


def medley(home: Path) -> None:
    """A table as that of medley_solos_db."""
    rows = ["subset,instrument,instrument_id,song_id,uuid4"]
    for k in range(24):
        subset = ("train", "train", "validation", "test")[k // 2 % 4]
        rows.append(f"{subset},{('flute', 'violin')[k % 2]},{k % 2},{k // 2},{k:02}")
    (home / "annotation").mkdir(parents=True)
    (home / "annotation" / "Medley-solos-DB_metadata.csv").write_text("\n".join(rows), encoding="utf-8")


def test_mirdata_task_reads_splits_from_the_attribute_of_its_table(offer: Offer, tmp_path: Path) -> None:
    medley(offer("medley_solos_db", {f"{k:02}": {"audio": f"audio/{k}.wav"} for k in range(24)}, "1.2"))
    clips = fetched("medley_solos_db", tmp_path).read_clips(None, 0)
    assert [sum(c.split == s for c in clips) for s in ("train", "valid", "test")] == [12, 6, 6]


def test_mirdata_task_says_when_metadata_lack(offer: Offer, tmp_path: Path) -> None:
    offer("medley_solos_db", {f"{k:02}": {"audio": f"audio/{k}.wav"} for k in range(24)}, "1.2")
    fetch_mirdata("medley_solos_db", tmp_path, QUIET)
    with pytest.raises(MissingData, match="Metadata not found"):
        mirdata_task("medley_solos_db", tmp_path)


def test_mirdata_task_says_when_metadata_are_broken(offer: Offer, tmp_path: Path) -> None:
    home = offer("medley_solos_db", {f"{k:02}": {"audio": f"audio/{k}.wav"} for k in range(24)}, "1.2")
    medley(home)
    (home / "annotation" / "Medley-solos-DB_metadata.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    fetch_mirdata("medley_solos_db", tmp_path, QUIET)
    with pytest.raises(BadInput, match="its loader fails on the files"):
        mirdata_task("medley_solos_db", tmp_path)


def groove(offer: Offer) -> None:
    """Index and table as those of groove_midi."""
    names = [f"drummer1/session1/{k}" for k in range(24)]
    home = offer("groove_midi", {n: {"audio": f"{n}.wav", "midi": None} for n in names}, "1.0.0")
    rows = ["drummer,session,id,style,bpm,beat_type,time_signature,midi_filename,audio_filename,duration,split"]
    for k, name in enumerate(names):
        style, split = ("funk/groove1", "rock")[k % 2], ("train", "train", "validation", "test")[k // 2 % 4]
        rows.append(f"drummer1,session1,{name},{style},120,beat,4-4,a.mid,a.wav,1.5,{split}")
    home.mkdir(parents=True)
    (home / "info.csv").write_text("\n".join(rows), encoding="utf-8")


def test_mirdata_task_takes_the_part_of_a_label_that_counts(offer: Offer, tmp_path: Path) -> None:
    groove(offer)
    assert fetched("groove_midi", tmp_path).classes == ("funk", "rock")


def test_mirdata_task_refuses_an_attribute_that_is_no_class(offer: Offer, tmp_path: Path) -> None:
    groove(offer)
    with pytest.raises(BadInput, match="duration is float; text, whole numbers or lists are needed"):
        fetched("groove_midi?label=duration", tmp_path)


def test_mirdata_task_joins_two_attributes_into_one_class(offer: Offer, tmp_path: Path) -> None:
    names = [f"{k:03}" for k in range(24)]
    home = offer("fma_keys", {n: {"audio": f"audio/{n}.wav"} for n in names}, "1.0")
    home.mkdir(parents=True)
    rows = [f"{name},,{('C Major', 'D minor')[k % 2]}" for k, name in enumerate(names)]
    (home / "fma_keys_metadata.csv").write_text(
        "track_id,spotify_uri,key_and_mode\n" + "\n".join(rows), encoding="utf-8"
    )
    assert fetched("fma_keys", tmp_path).classes == ("C Major", "D minor")


@pytest.mark.filterwarnings("ignore")  # of the libraries that loaders import
@pytest.mark.parametrize("loader", sorted(KNOWN))
def test_known_names_attributes_that_the_loader_has(loader: str, library: Any) -> None:
    if loader == "dali":
        pytest.importorskip("DALI", reason="the loader dali needs the package DALI")
    import importlib
    import inspect

    known = KNOWN[loader]
    source = inspect.getsource(importlib.import_module(f"mirdata.datasets.{loader}").Track) + "self.track_id = "
    attributes = [*known.label.split(","), known.group, known.audio, known.split]
    words = [word for attribute in attributes if (word := attribute.partition(".")[0])]
    assert [word for word in words if f"def {word}(self" not in source and f"self.{word} = " not in source] == []


# The command line


def test_data_get_fetches_and_checks(offer: Offer, tmp_path: Path, typed: Any) -> None:
    offer("gtzan_genre", gtzan(), "1.0")
    code, out, _ = typed("data", "get", "mirdata:gtzan_genre", "--data", tmp_path)
    assert code == 0
    assert out.splitlines()[-1].endswith("gtzan_genre: 24 clips, all readable, layout and counts as on the card")


def test_data_get_without_a_network_is_one_line(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Any
) -> None:
    def refuse(*words: Any, **more: Any) -> None:
        raise urllib.error.URLError("no route\nto host")

    monkeypatch.setattr("urllib.request.urlretrieve", refuse)
    code, out, err = typed("data", "get", "mirdata:gtzan_genre", "--data", tmp_path / "data")
    assert (code, out) == (2, "")
    assert [line for line in err.splitlines() if line.startswith("mirbench:")] == err.splitlines()[-1:]
    assert "mirdata does not fetch it (URLError: <urlopen error no route to host>)" in err.splitlines()[-1]


def test_fetch_mirdata_leaves_nothing_behind_a_download_that_did_not_come(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: Any, **more: Any) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlretrieve", refuse)
    with pytest.raises(MissingData):
        fetch_mirdata("gtzan_genre", tmp_path / "data", QUIET)
    assert not (tmp_path / "data").exists()


def test_fetch_mirdata_of_what_has_no_known_label_downloads_nothing(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib.request.urlretrieve", lambda *words, **more: pytest.fail("downloads"))
    with pytest.raises(BadInput, match=r"write mirdata:brid\?label=ATTRIBUTE"):
        fetch_mirdata("brid", tmp_path / "data", QUIET)


def test_data_get_of_an_unknown_data_set_is_one_line(library: Any, tmp_path: Path, typed: Any) -> None:
    code, out, err = typed("data", "get", "mirdata:gtzan", "--data", tmp_path / "data")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mirbench: No data set of mirdata is called 'gtzan'. Did you mean 'gtzan_genre'?")


def test_data_get_without_the_library_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Any) -> None:
    monkeypatch.setitem(sys.modules, "mirdata", None)
    code, out, err = typed("data", "get", "mirdata:gtzan_genre", "--data", tmp_path / "data")
    assert (code, out) == (2, "")
    assert err == "mirbench: mirdata:gtzan_genre needs mirdata: pip install 'mirbench[mirdata]'\n"
