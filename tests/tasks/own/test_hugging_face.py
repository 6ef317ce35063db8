"""Data sets of the Hugging Face Hub, as its library hands them over: columns, splits, files, and what is refused."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from mirbench.errors import BadInput, MissingData, MissingExtra, UnknownName
from mirbench.progress import Progress
from mirbench.tasks.own.hugging_face import fetch_hf, hf_task
from mirbench.tasks.own.libraries import named_splits, take_apart

SHA = "0123456789abcdef0123456789abcdef01234567"
QUIET = Progress(quiet=True)


def sound(seed: int, file_format: str = "WAV") -> bytes:
    """A fifth of a second of noise, encoded."""
    stream = io.BytesIO()
    soundfile.write(stream, np.random.default_rng(seed).uniform(-0.5, 0.5, 1600), 8000, format=file_format)
    return stream.getvalue()


# Names, which need no library


@pytest.mark.parametrize(
    "argument",
    ["", "music", "a/b/c", "/etc/passwd", "../up", "a/..", "a/../b", "a--b/c", "./b", "a/b?", "a/b?config", "a b/c",
     "a/b?config=x&config=y", "a/b?label=x%0Ay", "a/b?label=%00"],
)  # fmt: skip
def test_hf_task_refuses_a_name_that_is_not_written_so(argument: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^hf:.*hf:"):
        hf_task(argument, tmp_path)


def test_hf_task_hints_at_a_misspelt_option(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'label'"):
        hf_task("some/music?labels=genre", tmp_path)


def test_hf_task_says_how_to_fetch_what_is_absent(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"`mirbench data get 'hf:some/music\?config=small' --data ROOT` fetches it"):
        hf_task("some/music?config=small", tmp_path)


@pytest.mark.parametrize("config", ["../../up", "/abs", "..", "a/b", "%2E%2E%2Fup"])
def test_hf_task_looks_for_no_configuration_outside_of_its_folder(config: str, tmp_path: Path) -> None:
    with pytest.raises(MissingData) as caught:
        hf_task(f"some/music?config={config}", tmp_path)
    folder = Path(str(caught.value).partition(": ")[2].partition(" does not hold it")[0])
    assert folder.parent == tmp_path.resolve() / "hf"


def test_name_of_a_task_has_its_options_in_one_order() -> None:
    names = {
        take_apart("hf", f"a/b?{query}", ("config", "label")).name
        for query in ("config=x&label=y z", "label=y%20z&config=x")
    }
    assert names == {"hf:a/b?config=x&label=y%20z"}


def test_named_splits_maps_the_usual_names() -> None:
    assert named_splits("x", ["train", "validation", "test"]) == {
        "train": "train",
        "validation": "valid",
        "test": "test",
    }


def test_named_splits_leaves_a_single_one_to_be_drawn() -> None:
    assert named_splits("x", ["full"]) == {"full": ""}


def test_named_splits_refuses_names_that_say_nothing() -> None:
    with pytest.raises(BadInput, match="its splits are large, small; none of them is train"):
        named_splits("x", ["small", "large"])


def test_fetch_hf_without_its_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"fetching hf:some/music needs datasets: pip install 'mirbench\[hf\]'"):
        fetch_hf("some/music", tmp_path / "data", QUIET)


def test_fetch_hf_without_its_library_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra):
        fetch_hf("some/music", tmp_path / "data", QUIET)
    assert not (tmp_path / "data").exists()


# What the library hands over


@pytest.fixture
def library() -> Any:
    return pytest.importorskip("datasets", reason="needs the library datasets: pip install 'mirbench[hf]'")


Offer = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def offer(library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """``offer(splits)``: from now on the Hub has a data set of these splits; returns what the library is asked for."""
    import huggingface_hub

    facts = SimpleNamespace(sha=SHA, card_data=SimpleNamespace(license="cc-by-4.0"))
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda self, name, **asked: facts)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    calls: list[dict[str, Any]] = []

    def serve(splits: Any) -> list[dict[str, Any]]:
        def load_dataset(path: str, **asked: Any) -> Any:
            calls.append({"path": path, **asked})
            return splits(**asked) if callable(splits) else splits

        monkeypatch.setattr(library, "load_dataset", load_dataset)
        return calls

    return serve


def rows(library: Any, audio: Sequence[Any], **columns: Any) -> Any:
    """A split: audio as bytes, or as the library holds it; each other column is (values, feature)."""
    held = [{"bytes": item, "path": None} if isinstance(item, bytes) else item for item in audio]
    bare = {"bytes": library.Value("binary"), "path": library.Value("string")}
    features = {"audio": bare} | {name: feature for name, (_, feature) in columns.items()}
    values = {"audio": held} | {name: values for name, (values, _) in columns.items()}
    return library.Dataset.from_dict(values, features=library.Features(features)).cast_column("audio", library.Audio())


def classes(library: Any, *names: str) -> Any:
    return library.ClassLabel(names=list(names))


def two(library: Any, n_clips: int, seed: int = 0, label: str = "label") -> Any:
    """A split of clips of two classes in turn."""
    audio = [sound(seed + k) for k in range(n_clips)]
    return rows(library, audio, **{label: ([k % 2 for k in range(n_clips)], classes(library, "jazz", "rock"))})


def fetched(argument: str, root: Path) -> Any:
    fetch_hf(argument, root, QUIET)
    return hf_task(argument, root)


def test_fetch_hf_writes_a_task_of_the_published_splits(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": two(library, 8), "validation": two(library, 2, 10), "test": two(library, 4, 20)})
    task = fetched("some/music", tmp_path / "data")
    assert [sum(c.split == s for c in task.read_clips(None, 0)) for s in ("train", "valid", "test")] == [8, 2, 4]


def test_fetch_hf_keeps_the_encoded_bytes(library: Any, offer: Offer, tmp_path: Path) -> None:
    audio = [sound(k, "FLAC") for k in range(20)]
    offer({"train": rows(library, audio, label=([k % 2 for k in range(20)], classes(library, "jazz", "rock")))})
    clips = fetched("some/music", tmp_path / "data").read_clips(None, 0)
    assert {clip.id: clip.path.read_bytes() for clip in clips} == {f"train-{k:06}": a for k, a in enumerate(audio)}


@pytest.mark.parametrize(
    ("file_format", "suffix"), [("WAV", ".wav"), ("FLAC", ".flac"), ("OGG", ".ogg"), ("MP3", ".mp3")]
)
def test_fetch_hf_names_files_by_what_is_in_them(
    file_format: str, suffix: str, library: Any, offer: Offer, tmp_path: Path
) -> None:
    audio = [{"bytes": sound(k, file_format), "path": "song.xyz"} for k in range(20)]
    offer({"train": rows(library, audio, label=([k % 2 for k in range(20)], classes(library, "jazz", "rock")))})
    assert {clip.path.suffix for clip in fetched("some/music", tmp_path / "data").read_clips(None, 0)} == {suffix}


def test_hf_task_needs_no_library(library: Any, offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer({"train": two(library, 20)})
    fetch_hf("some/music", tmp_path / "data", QUIET)
    for name in ("datasets", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, name, None)
    assert len(hf_task("some/music", tmp_path / "data").read_clips(None, 0)) == 20


def test_hf_task_has_the_card_of_a_published_set(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": two(library, 20)})
    task = fetched("some/music", tmp_path / "data")
    assert (task.name, task.standing, task.datasets, task.license) == (
        "hf:some/music", "full", ("hf:some/music",), "cc-by-4.0",
    )  # fmt: skip


def test_hf_task_says_its_revision(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": two(library, 20)})
    task = fetched("some/music", tmp_path / "data")
    assert task.version.endswith(f"-{SHA[:12]}")
    assert any(SHA in note for note in task.notes)


def test_fetch_hf_asks_for_the_commit_that_the_hub_names(library: Any, offer: Offer, tmp_path: Path) -> None:
    calls = offer({"train": two(library, 20)})
    fetch_hf("some/music?config=small", tmp_path / "data", QUIET)
    assert [(c["path"], c["name"], c["revision"]) for c in calls] == [("some/music", "small", SHA)]


def test_fetch_hf_trusts_no_remote_code(library: Any, offer: Offer, tmp_path: Path) -> None:
    calls = offer({"train": two(library, 20)})
    fetch_hf("some/music", tmp_path / "data", QUIET)
    assert not any("trust_remote_code" in call for call in calls)


def test_fetch_hf_a_second_time_asks_for_nothing(library: Any, offer: Offer, tmp_path: Path) -> None:
    calls = offer({"train": two(library, 20)})
    for _ in range(2):
        fetch_hf("some/music", tmp_path / "data", QUIET)
    assert len(calls) == 1


def test_fetch_hf_keeps_configurations_apart(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": two(library, 20)})
    folders = {fetch_hf(name, tmp_path, QUIET).name for name in ("a/b", "a/b?config=x", "a/b?label=label")}
    assert folders == {"a--b", "a--b--x", "a--b--label=label"}


def test_fetch_hf_leaves_nothing_but_the_data_set(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": two(library, 20)})
    fetch_hf("some/music", tmp_path / "data", QUIET)
    assert [path.name for path in (tmp_path / "data" / "hf").iterdir()] == ["some--music"]


# Splits


@pytest.mark.parametrize(
    ("published", "drawn"),
    [
        (("train",), "train, valid and test are drawn, 70/15/15"),
        (("test",), "train, valid and test are drawn, 70/15/15"),
        (("train", "test"), "valid is drawn: 15 % of train"),
        (("train", "validation"), "test is drawn: 15 % of train"),
        (("train", "validation", "test"), "splits as they are published"),
    ],
    ids=["train", "test", "no valid", "no test", "all"],
)
def test_hf_task_draws_the_splits_that_lack(
    published: tuple[str, ...], drawn: str, library: Any, offer: Offer, tmp_path: Path
) -> None:
    offer({split: two(library, 20, 20 * k) for k, split in enumerate(published)})
    task = fetched("some/music", tmp_path / "data")
    assert {clip.split for clip in task.read_clips(None, 0)} == {"train", "valid", "test"}
    assert drawn in task.notes


def test_hf_task_keeps_published_splits_when_it_draws_test(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": two(library, 20), "validation": two(library, 4, 50)})
    clips = fetched("some/music", tmp_path / "data").read_clips(None, 0)
    assert {clip.id for clip in clips if clip.split == "valid"} == {f"validation-{k:06}" for k in range(4)}


def test_hf_task_keeps_groups_together_when_it_draws(library: Any, offer: Offer, tmp_path: Path) -> None:
    string = library.Value("string")
    singers = [f"singer {k // 4}" for k in range(40)]
    audio = [sound(k) for k in range(40)]
    offer(
        {
            "train": rows(
                library, audio, genre=([k % 2 for k in range(40)], library.Value("int64")), who=(singers, string)
            )
        }
    )
    splits: dict[str, set[str]] = {}
    for clip in fetched("some/music?group=who", tmp_path / "data").read_clips(None, 0):
        splits.setdefault(clip.group, set()).add(clip.split)
    assert {name: len(found) for name, found in splits.items()} == {f"singer {k}": 1 for k in range(10)}


def test_hf_task_notes_splits_that_are_left_out(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": two(library, 20), "test": two(library, 4, 50), "extra": two(library, 4, 60)})
    task = fetched("some/music", tmp_path / "data")
    assert len(task.read_clips(None, 0)) == 24
    assert any("left out: extra" in note for note in task.notes)


def test_hf_task_draws_test_where_its_labels_are_withheld(library: Any, offer: Offer, tmp_path: Path) -> None:
    hidden = rows(library, [sound(90 + k) for k in range(4)], label=([-1] * 4, classes(library, "jazz", "rock")))
    offer({"train": two(library, 20), "validation": two(library, 4, 50), "test": hidden})
    task = fetched("some/music", tmp_path / "data")
    assert {clip.id[:5] for clip in task.read_clips(None, 0) if clip.split == "test"} == {"train"}
    assert any("left out: 4 without a label" in note for note in task.notes)


# Columns


def test_fetch_hf_reads_lists_of_classes_as_many_labels(library: Any, offer: Offer, tmp_path: Path) -> None:
    sets = [[0], [1], [0, 1], []] * 10
    feature = library.Sequence(classes(library, "calm", "fast"))
    offer({"train": rows(library, [sound(k) for k in range(40)], moods=(sets, feature))})
    task = fetched("some/music", tmp_path / "data")
    assert task.kind == "multi-label"
    assert {clip.labels for clip in task.read_clips(None, 0)} == {("calm",), ("fast",), ("calm", "fast"), ()}


@pytest.mark.parametrize("values", [["jazz", "rock"], [3, 7], [True, False], [["jazz"], ["rock"]]])
def test_fetch_hf_takes_a_column_by_its_name(values: list[Any], library: Any, offer: Offer, tmp_path: Path) -> None:
    kind = {str: "string", int: "int64", bool: "bool"}.get(type(values[0]))
    feature = library.Value(kind) if kind else library.Sequence(library.Value("string"))
    offer({"train": rows(library, [sound(k) for k in range(20)], genre=(values * 10, feature))})
    names = [str(value[0] if isinstance(value, list) else value) for value in values]
    assert fetched("some/music", tmp_path / "data").classes == tuple(sorted(names))


def test_fetch_hf_asks_which_of_two_labels_is_meant(library: Any, offer: Offer, tmp_path: Path) -> None:
    both = {name: ([0, 1], classes(library, "a", "b")) for name in ("genre", "mood")}
    offer({"train": rows(library, [sound(0), sound(1)], **both)})
    with pytest.raises(BadInput, match=r"genre and mood may be label; add \?label=COLUMN, one of audio, genre, mood$"):
        fetch_hf("some/music", tmp_path / "data", QUIET)


def test_fetch_hf_takes_the_label_that_is_said(library: Any, offer: Offer, tmp_path: Path) -> None:
    numbers = [k % 2 for k in range(20)]
    both = {"genre": (numbers, classes(library, "a", "b")), "mood": (numbers, classes(library, "c", "d"))}
    offer({"train": rows(library, [sound(k) for k in range(20)], **both)})
    assert fetched("some/music?label=mood", tmp_path / "data").classes == ("c", "d")


def test_fetch_hf_without_a_label_lists_the_columns(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": rows(library, [sound(0)], words=(["la la"], library.Value("string")))})
    with pytest.raises(BadInput, match=r"no column is known to be label; add \?label=COLUMN, one of audio, words$"):
        fetch_hf("some/music", tmp_path / "data", QUIET)


def test_fetch_hf_without_audio_lists_the_columns(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": library.Dataset.from_dict({"words": ["la"], "label": ["x"]})})
    with pytest.raises(BadInput, match=r"no column is known to be audio; add \?audio=COLUMN, one of words, label$"):
        fetch_hf("some/music", tmp_path / "data", QUIET)


def test_fetch_hf_refuses_a_column_of_words_as_audio(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": library.Dataset.from_dict({"words": [1.5], "label": ["x"]})})
    with pytest.raises(BadInput, match="the column words holds no audio"):
        fetch_hf("some/music?audio=words", tmp_path / "data", QUIET)


def test_fetch_hf_hints_at_a_misspelt_column(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": two(library, 2, label="genre")})
    with pytest.raises(UnknownName, match="Did you mean 'genre'"):
        fetch_hf("some/music?label=gener", tmp_path / "data", QUIET)


def test_fetch_hf_refuses_labels_that_are_measured(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": rows(library, [sound(0)], label=([0.5], library.Value("float32")))})
    with pytest.raises(BadInput, match="the column label holds float32; classes are text"):
        fetch_hf("some/music", tmp_path / "data", QUIET)


def test_fetch_hf_keeps_a_class_with_a_semicolon_whole(library: Any, offer: Offer, tmp_path: Path) -> None:
    feature = classes(library, "Rhythm; Blues", "Jazz")
    offer({"train": rows(library, [sound(k) for k in range(20)], label=([k % 2 for k in range(20)], feature))})
    assert fetched("some/music", tmp_path / "data").classes == ("Jazz", "Rhythm, Blues")


# What is not trusted


@pytest.mark.parametrize("named", ["../../evil.wav", "/tmp/evil.wav", "C:\\evil.wav", "audio/../../../evil.wav"])
def test_fetch_hf_makes_file_names_of_its_own(named: str, library: Any, offer: Offer, tmp_path: Path) -> None:
    audio = [{"bytes": sound(k), "path": named} for k in range(20)]
    offer({"train": rows(library, audio, label=([k % 2 for k in range(20)], classes(library, "jazz", "rock")))})
    clips = fetched("some/music", tmp_path / "data").read_clips(None, 0)
    folder = (tmp_path / "data/hf/some--music/audio/000").resolve()
    assert sorted(clip.path.resolve() for clip in clips) == [folder / f"{k:06}.wav" for k in range(20)]


@pytest.mark.parametrize(
    "named", ["secret.wav", "{}/secret.wav", "{}/hub/datasets--some--music/../../secret.wav", "file://{}/secret.wav",
              "https://example.org/a.wav", "zip://a.wav::{}/secret.wav", "{}/hub/datasets--other--music/a.wav"],
)  # fmt: skip
def test_fetch_hf_reads_no_file_that_was_not_downloaded_with_it(
    named: str, library: Any, offer: Offer, tmp_path: Path
) -> None:
    (tmp_path / "secret.wav").write_bytes(sound(0))
    audio = [{"bytes": None, "path": named.format(tmp_path)}] * 2
    offer({"train": rows(library, audio, label=([0, 1], classes(library, "jazz", "rock")))})
    with pytest.raises(BadInput, match=r"train-000000 names the file .* not trusted"):
        fetch_hf("some/music", tmp_path / "data", QUIET)


def test_fetch_hf_reads_files_that_were_downloaded_with_it(library: Any, offer: Offer, tmp_path: Path) -> None:
    own = tmp_path / "hub" / "datasets--some--music"
    own.mkdir(parents=True)
    for k in range(20):
        (own / f"{k}.wav").write_bytes(sound(k))
    audio = [{"bytes": None, "path": str(own / f"{k}.wav")} for k in range(20)]
    offer({"train": rows(library, audio, label=([k % 2 for k in range(20)], classes(library, "jazz", "rock")))})
    clips = fetched("some/music", tmp_path / "data").read_clips(None, 0)
    assert {clip.id: clip.path.read_bytes() for clip in clips} == {f"train-{k:06}": sound(k) for k in range(20)}


@pytest.mark.parametrize("packed", [False, True], ids=["files", "zip"])
def test_fetch_hf_reads_a_repository_of_folders(
    packed: bool, library: Any, offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    real = library.load_dataset
    home = tmp_path / "hub" / "datasets--some--music"
    table = ["file_name,label"]
    for k in range(20):
        path = home / "train" / ("jazz", "rock")[k % 2] / f"{k:02}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound(k))
        table.append(f"{path.relative_to(home / 'train')},{path.parent.name}")
    if packed:
        (home / "train" / "metadata.csv").write_text("\n".join(table), encoding="utf-8")
        shutil.make_archive(str(home / "train"), "zip", home / "train")
        shutil.rmtree(home / "train")
    offer(lambda cache_dir, **asked: real(str(home), cache_dir=cache_dir))
    clips = fetched("some/music", tmp_path / "data").read_clips(None, 0)
    assert sorted((clip.labels, clip.path.read_bytes()) for clip in clips) == sorted(
        ((("jazz", "rock")[k % 2],), sound(k)) for k in range(20)
    )


def test_fetch_hf_takes_no_folder_of_that_name_for_the_data_set(library: Any, offer: Offer, tmp_path: Path) -> None:
    calls = offer({"train": two(library, 20)})
    (tmp_path / "some" / "music").mkdir(parents=True)
    with pytest.raises(BadInput, match="would read the folder some/music that is here"):
        fetch_hf("some/music", tmp_path / "data", QUIET)
    assert not calls


def test_fetch_hf_refuses_a_format_that_nothing_decodes(library: Any, offer: Offer, tmp_path: Path) -> None:
    audio = [{"bytes": b"not audio at all", "path": "x.m4a"}] * 2
    offer({"train": rows(library, audio, label=([0, 1], classes(library, "jazz", "rock")))})
    with pytest.raises(BadInput, match=r"cannot read 2 of the first 2 files \(train-000000\.m4a …\)"):
        fetch_hf("some/music", tmp_path / "data", QUIET)


def test_fetch_hf_leaves_a_broken_file_out_and_says_so(library: Any, offer: Offer, tmp_path: Path) -> None:
    audio = [b"broken", *(sound(k) for k in range(1, 20))]
    offer({"train": rows(library, audio, label=([k % 2 for k in range(20)], classes(library, "jazz", "rock")))})
    task = fetched("some/music", tmp_path / "data")
    assert len(task.read_clips(None, 0)) == 19
    assert any("left out: 1 that soundfile cannot read" in note for note in task.notes)


@pytest.mark.parametrize("n_clips", [0, 1, 2])
def test_fetch_hf_writes_nothing_where_no_task_comes_of_it(
    n_clips: int, library: Any, offer: Offer, tmp_path: Path
) -> None:
    offer({"train": two(library, n_clips)})
    with pytest.raises(BadInput):
        fetch_hf("some/music", tmp_path / "data", QUIET)
    assert not (tmp_path / "data").exists()


def test_hf_task_refuses_a_broken_note_of_its_source(library: Any, offer: Offer, tmp_path: Path) -> None:
    offer({"train": two(library, 20)})
    folder = fetch_hf("some/music", tmp_path / "data", QUIET)
    (folder / "source.json").write_text("{", encoding="utf-8")
    with pytest.raises(BadInput, match=r"source\.json: broken; delete"):
        hf_task("some/music", tmp_path / "data")


# The command line


def test_data_get_fetches_and_checks(library: Any, offer: Offer, tmp_path: Path, typed: Any) -> None:
    offer({"train": two(library, 20)})
    code, out, _ = typed("data", "get", "hf:some/music", "--data", tmp_path / "data")
    assert (code, out.splitlines()[-1].endswith("20 clips, all readable, layout and counts as on the card")) == (
        0,
        True,
    )


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        ("RepositoryNotFoundError", "no public data set of this name is on huggingface.co"),
        ("GatedRepoError", "its terms must be accepted on huggingface.co first"),
        ("RevisionNotFoundError", "the data set has no such revision"),
        ("OfflineModeIsEnabled", "huggingface.co does not answer (OfflineModeIsEnabled: no)"),
        ("", "huggingface.co does not answer (ConnectionError: no route"),
    ],
)
def test_data_get_of_what_the_hub_does_not_give_is_one_line(
    raised: str, says: str, library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Any
) -> None:
    import huggingface_hub
    import huggingface_hub.errors

    def refuse(self: Any, name: str, **asked: Any) -> None:
        kind = getattr(huggingface_hub.errors, raised) if raised else ConnectionError
        error = kind.__new__(kind)
        error.args = ("no" if raised else "no route\nto host",)
        raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    code, out, err = typed("data", "get", "hf:some/music", "--data", tmp_path / "data")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"mirbench: hf:some/music: {says}")


def test_data_get_of_what_the_library_does_not_load_is_one_line(
    library: Any, offer: Offer, tmp_path: Path, typed: Any
) -> None:
    def refuse(**asked: Any) -> None:
        raise ValueError("Config name is missing.\nPick one among ['large', 'small']")

    offer(refuse)
    code, out, err = typed("data", "get", "hf:some/music", "--data", tmp_path / "data")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == (
        "mirbench: hf:some/music: the library datasets does not load it: ValueError: Config name is missing. "
        "Pick one among ['large', 'small']"
    )


def test_fetch_hf_says_what_is_wrong_with_the_files(library: Any, offer: Offer, tmp_path: Path) -> None:
    def refuse(**asked: Any) -> None:
        raise library.exceptions.DatasetGenerationError("An error occurred") from ValueError("row 3 is broken")

    offer(refuse)
    with pytest.raises(BadInput, match="does not load it: ValueError: row 3 is broken"):
        fetch_hf("some/music", tmp_path / "data", QUIET)


def test_data_get_without_the_library_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Any) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    code, out, err = typed("data", "get", "hf:some/music", "--data", tmp_path / "data")
    assert (code, out) == (2, "")
    assert err == "mirbench: fetching hf:some/music needs datasets: pip install 'mirbench[hf]'\n"
