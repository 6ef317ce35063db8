"""Extended Ballroom: its list of tracks, links between duplicates, the subsets of shtern2017, and the stand-ins."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirbench.errors import BadInput, MissingData
from mirbench.features.datasets import read_task
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.store import RunStore
from mirbench.tasks import ballroom
from mirbench.tasks.ballroom import (
    BALLROOM,
    BALLROOM2,
    BALLROOM2_DEMO,
    BALLROOM7,
    BALLROOM7_DEMO,
    BALLROOM8,
    BALLROOM8_DEMO,
    BALLROOM9,
    BALLROOM9_DEMO,
    BALLROOM_DEMO,
    N_TRACKS,
)  # fmt: skip
from mirbench.tasks.retrain import retrain_split
from mirbench.trust.checks import check_clips, check_data, check_task
from mirbench.types import Clip, Task

QUIET = Progress(quiet=True)
TASKS = (BALLROOM, BALLROOM9, BALLROOM8, BALLROOM7, BALLROOM2)
DEMOS = (BALLROOM_DEMO, BALLROOM9_DEMO, BALLROOM8_DEMO, BALLROOM7_DEMO, BALLROOM2_DEMO)
XML = "extendedballroom_v1.1.xml"
SONGS = ("100601", "105005", "110108", "107707", "108914")
# as the authors' list has it, in one element a song and one a link
PUBLISHED = """<ballroom>
<Waltz>
<song album="Ballroom Swing" artist="Herberman" bpm="87" id="100601" title="Morning Song" hash="273d858e"/>
<song album="The Best, Part 8" artist="Various" bpm="84" id="105005" title="One &amp; Two" hash="bbe2115c">
<exact id="110108"/><version id="107707"/><version id="108914"/></song>
<song album="x" artist="x" bpm="84" id="110108" title="x" hash="56072452"><exact id="105005"/></song>
</Waltz>
<Tango>
<song album="x" artist="x" bpm="120" id="107707" title="x" hash="2"/>
<song album="x" artist="x" bpm="120" id="108914" title="x" hash="3"/>
</Tango>
</ballroom>"""

by_name = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
by_demo = pytest.mark.parametrize("task", DEMOS, ids=lambda task: task.name)


def listed(dances: Mapping[str, Iterable[str]], links: Iterable[tuple[str, str, str]] = ()) -> str:
    """The list of tracks by dance; a link is (of which track, kind, to which)."""
    links = list(links)
    lines = ["<ballroom>"]
    for dance, songs in dances.items():
        lines.append(f"<{dance}>")
        for song in songs:
            inner = "".join(f'<{kind} id="{other}"/>' for one, kind, other in links if one == song)
            lines.append(f'<song album="a" artist="b" bpm="90" id="{song}" title="c" hash="0">{inner}</song>')
        lines.append(f"</{dance}>")
    return "\n".join([*lines, "</ballroom>"])


def plant(root: Path, text: str | bytes, mp3s: Iterable[str] = ()) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / XML).write_bytes(text if isinstance(text, bytes) else text.encode())
    for name in mp3s:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    return root


def read(root: Path, task: Task = BALLROOM) -> dict[str, Clip]:
    return {clip.id: clip for clip in task.read_clips(root, 0)}


def refusal(text: str | bytes, root: Path) -> str:
    """The one line that refuses a list of tracks."""
    with pytest.raises(BadInput) as caught:
        read(plant(root, text))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def splits(root: Path, task: Task = BALLROOM) -> dict[str, str]:
    return {name: clip.split for name, clip in read(root, task).items()}


def by_split(dance: str, start: int = 100_000) -> dict[str, str]:
    """A track of a dance for each split that its name alone would send it to."""
    found: dict[str, str] = {}
    for number in itertools.count(start):
        found.setdefault(retrain_split(f"{dance}/{number}.jpg"), str(number))
        if len(found) == 3:
            return found
    raise AssertionError


# Cards


@pytest.mark.parametrize("task", [*TASKS, *DEMOS], ids=lambda task: task.name)
def test_card_conforms(task: Task) -> None:
    assert check_task(task) == []


def test_dances_have_the_printed_numbers_of_tracks() -> None:
    printed = [529, 507, 497, 470, 468, 464, 455, 350, 252, 65, 53, 47, 23]
    assert (sorted(N_TRACKS.values(), reverse=True), sum(printed)) == (printed, BALLROOM.n_clips)


@pytest.mark.parametrize(
    ("task", "n_classes", "n_clips"),
    [(BALLROOM, 13, 4180), (BALLROOM9, 9, 3992), (BALLROOM8, 8, 3740), (BALLROOM7, 7, 3390), (BALLROOM2, 2, 1036)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_card_says_its_dances_and_tracks(task: Task, n_classes: int, n_clips: int) -> None:
    assert (len(task.classes), task.n_clips) == (n_classes, n_clips)


def test_subsets_leave_out_the_dances_that_the_paper_does() -> None:
    dropped = [set(a.classes) - set(b.classes) for a, b in itertools.pairwise(TASKS)]
    assert dropped[:3] == [{"Pasodoble", "Salsa", "Slowwaltz", "Wcswing"}, {"Viennesewaltz"}, {"Jive"}]


def test_ballroom2_is_foxtrot_and_waltz() -> None:
    assert BALLROOM2.classes == ("Foxtrot", "Waltz")


@by_name
def test_dances_are_in_the_order_of_their_names(task: Task) -> None:
    assert list(task.classes) == sorted(task.classes)


@by_name
def test_nothing_is_known_without_a_folder(task: Task) -> None:
    with pytest.raises(MissingData, match=rf"{task.name}: its tracks are listed in {XML}"):
        task.read_clips(None, 0)


@by_name
def test_folder_without_the_list_says_how_to_get_it(task: Task, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=rf"{task.name}: \S+ holds no {XML}; `mirbench show {task.name}`"):
        task.read_clips(tmp_path, 0)


# A list of the published size


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many tracks as published; each twentieth repeats one of the dance before, some in a chain."""
    number = itertools.count(100_001)
    dances = {dance: [str(next(number)) for _ in range(n)] for dance, n in N_TRACKS.items()}
    every = [song for songs in dances.values() for song in songs]
    kinds = itertools.cycle(("exact", "version", "time", "karaoke"))
    links = [(every[n], next(kinds), every[n - 19]) for n in range(20, len(every), 20)]
    return plant(tmp_path_factory.mktemp("whole"), listed(dances, links))


@by_name
def test_whole_set_conforms_to_its_card(task: Task, whole: Path) -> None:
    assert check_clips(task, read_task(task, whole)) == []


@by_name
def test_whole_set_has_the_printed_tracks_of_each_dance(task: Task, whole: Path) -> None:
    found = Counter(clip.labels[0] for clip in read(whole, task).values())
    assert found == {dance: N_TRACKS[dance] for dance in task.classes}


@by_name
def test_whole_set_is_about_80_10_10(task: Task, whole: Path) -> None:
    found = Counter(splits(whole, task).values())
    assert all(abs(found[split] / task.n_clips - share) < 0.03 for split, share in (("valid", 0.1), ("test", 0.1)))


@pytest.mark.parametrize("task", TASKS[1:], ids=lambda task: task.name)
def test_subset_splits_its_tracks_as_the_whole(task: Task, whole: Path) -> None:
    assert splits(whole, task).items() <= splits(whole).items()


def test_split_does_not_depend_on_the_order_of_the_list(tmp_path: Path) -> None:
    dances = {dance: [f"{kind}{n:05}" for n in range(9)] for kind, dance in enumerate(N_TRACKS, 1)}
    links = [("100001", "exact", "300002"), ("500000", "time", "300002"), ("200008", "version", "500000")]
    turned = {dance: list(reversed(songs)) for dance, songs in reversed(dances.items())}
    a = plant(tmp_path / "a", listed(dances, links))
    b = plant(tmp_path / "b", listed(turned, list(reversed(links))))
    assert BALLROOM.read_clips(a, 0) == [
        replace(clip, path=clip.path and a / clip.path.relative_to(b)) for clip in BALLROOM.read_clips(b, 0)
    ]


# Tracks and their duplicates


def test_published_list_gives_every_track_and_its_dance(tmp_path: Path) -> None:
    found = {name: clip.labels for name, clip in read(plant(tmp_path, PUBLISHED)).items()}
    assert found == dict.fromkeys(SONGS[:3], ("Waltz",)) | dict.fromkeys(SONGS[3:], ("Tango",))


def test_published_list_groups_duplicates_across_dances(tmp_path: Path) -> None:
    found = {name: clip.group for name, clip in read(plant(tmp_path, PUBLISHED)).items()}
    assert (len({found[name] for name in SONGS[1:]}), found["100601"] in {found[name] for name in SONGS[1:]}) == (
        1, False
    )  # fmt: skip


def test_split_of_a_track_alone_is_by_sha1_of_its_dance_and_id(tmp_path: Path) -> None:
    songs = [str(100_000 + number) for number in range(40)]
    wanted = {}
    for song in songs:
        percentage = int(hashlib.sha1(f"Waltz/{song}.jpg".encode()).hexdigest(), 16) % 2**27 * 100 / (2**27 - 1)
        wanted[song] = "valid" if percentage < 10 else "test" if percentage < 20 else "train"
    assert splits(plant(tmp_path, listed({"Waltz": songs}))) == wanted


def test_tracks_without_links_are_groups_of_their_own(tmp_path: Path) -> None:
    found = read(plant(tmp_path, listed({"Waltz": ["1", "2"], "Tango": ["3"]})))
    assert len({clip.group for clip in found.values()}) == 3


@pytest.mark.parametrize("kind", ["exact", "version", "time", "karaoke"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["to the later", "to the earlier"])
def test_link_of_any_kind_and_in_one_direction_keeps_tracks_together(
    kind: str, order: tuple[int, int], tmp_path: Path
) -> None:
    songs = list(by_split("Waltz").values())[:2]
    links = [(songs[order[0]], kind, songs[order[1]])]
    assert len(set(splits(plant(tmp_path, listed({"Waltz": songs}, links))).values())) == 1


def test_other_children_of_a_song_are_no_links(tmp_path: Path) -> None:
    text = listed({"Waltz": ["1", "2"]}, [("1", "remark", "2")])
    assert len({clip.group for clip in read(plant(tmp_path, text)).values()}) == 2


def test_karaoke_may_say_what_has_a_voice(tmp_path: Path) -> None:
    text = (
        '<ballroom><Waltz><song id="1"><karaoke id="2" voiced="1"/></song><song id="2" voiced=""/></Waltz></ballroom>'
    )
    assert len({clip.group for clip in read(plant(tmp_path, text)).values()}) == 1


def test_links_in_a_chain_keep_all_together(tmp_path: Path) -> None:
    songs = [str(100_000 + number) for number in range(30)]
    links = [(a, "version", b) for a, b in itertools.pairwise(songs)]
    assert len(set(splits(plant(tmp_path, listed({"Waltz": songs}, links[::2] + links[1::2]))).values())) == 1


def test_links_of_two_groups_to_a_third_join_them(tmp_path: Path) -> None:
    links = [("1", "exact", "2"), ("3", "exact", "4"), ("5", "time", "4"), ("5", "time", "2")]
    found = read(plant(tmp_path, listed({"Waltz": "12345"}, links)))
    assert {clip.group for clip in found.values()} == {found["1"].group}


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_group_goes_where_the_name_of_its_first_track_sends_it(split: str, tmp_path: Path) -> None:
    first, others = by_split("Waltz")[split], by_split("Tango", 900_000).values()
    links = [(other, "version", first) for other in others]
    found = splits(plant(tmp_path, listed({"Tango": others, "Waltz": [first]}, links)))
    assert set(found.values()) == {split}


def test_group_goes_there_though_its_first_track_is_of_no_dance_in_the_subset(tmp_path: Path) -> None:
    first, other = by_split("Salsa")["test"], by_split("Waltz", 900_000)["train"]
    root = plant(tmp_path, listed({"Salsa": [first], "Waltz": [other]}, [(other, "exact", first)]))
    assert splits(root, BALLROOM2) == {other: "test"}


def test_link_to_a_track_that_is_not_listed_is_passed_over(tmp_path: Path) -> None:
    songs = by_split("Waltz")
    root = plant(tmp_path, listed({"Waltz": songs.values()}, [(song, "exact", "999999") for song in songs.values()]))
    assert splits(root) == {song: split for split, song in songs.items()}


# What a list may not hold


@pytest.mark.parametrize(
    "head",
    ['<!DOCTYPE ballroom [<!ENTITY a "1">]>', '<!DOCTYPE ballroom SYSTEM "file:///etc/hosts">',
     '<!DOCTYPE b [<!ENTITY a "x"><!ENTITY c "&a;&a;">]>', '<?xml version="1.0"?>\n<!DOCTYPE ballroom>'],
    ids=["entity", "external", "nested", "bare"],
)  # fmt: skip
def test_list_that_declares_entities_is_refused(head: str, tmp_path: Path) -> None:
    assert f"{XML}: declares entities" in refusal(head + listed({"Waltz": ["1"]}), tmp_path)


@pytest.mark.parametrize("song", ["../100601", "/etc/hosts", "..", "", "1/2", "1\\2", "C:1", "1 2", "1&#10;2", "1%2f"])
def test_id_that_is_a_path_is_refused(song: str, tmp_path: Path) -> None:
    assert "is none of Extended Ballroom" in refusal(listed({"Waltz": [song]}), tmp_path)


def test_unknown_dance_is_refused(tmp_path: Path) -> None:
    assert "track '1' of 'Polka' is none of Extended Ballroom" in refusal(listed({"Polka": ["1"]}), tmp_path)


@pytest.mark.parametrize("dances", [{"Waltz": ["1", "1"]}, {"Waltz": ["1"], "Tango": ["1"]}], ids=["one", "two"])
def test_track_that_is_listed_twice_is_refused(dances: dict[str, list[str]], tmp_path: Path) -> None:
    assert "1 is listed twice" in refusal(listed(dances), tmp_path)


@pytest.mark.parametrize(
    "text",
    [b"", b"no xml", b"<ballroom>", PUBLISHED.encode()[:300], b"<ballroom><Waltz><song/></Waltz></ballroom>",
     b"<ballroom><Waltz><song id='1' artist='Jos\xe9'/></Waltz></ballroom>", PUBLISHED.encode("utf-16"),
     b"<ballroom>&nbsp;</ballroom>"],
    ids=["empty", "text", "open", "cut", "no id", "latin-1", "utf-16", "undeclared entity"],
)  # fmt: skip
def test_list_that_is_none_is_one_line(text: bytes, tmp_path: Path) -> None:
    assert f"{XML}: not the list of tracks of Extended Ballroom" in refusal(text, tmp_path)


def test_list_may_have_a_declaration_and_letters_beyond_ascii(tmp_path: Path) -> None:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    text = listed({"Waltz": ["1"]}).replace('artist="b"', 'artist="José 李"')
    assert list(read(plant(tmp_path, head + text))) == ["1"]


# Audio


def test_audio_lies_in_the_folder_of_its_dance(tmp_path: Path) -> None:
    found = read(plant(tmp_path, PUBLISHED, ["Waltz/100601.mp3", "Tango/107707.mp3"]))
    assert {name: clip.path for name, clip in found.items() if clip.path} == {
        "100601": tmp_path / "Waltz" / "100601.mp3", "107707": tmp_path / "Tango" / "107707.mp3"
    }  # fmt: skip


def test_audio_that_is_missing_is_no_path(tmp_path: Path) -> None:
    assert {clip.path for clip in read(plant(tmp_path, PUBLISHED)).values()} == {None}


def test_set_is_found_in_the_folder_of_the_archive(tmp_path: Path) -> None:
    plant(tmp_path / "extendedballroom_v1.1", PUBLISHED, ["Waltz/100601.mp3"])
    assert read(tmp_path)["100601"].path == tmp_path / "extendedballroom_v1.1" / "Waltz" / "100601.mp3"


# The command line


@by_name
def test_show_prints_the_layout(task: Task, typed: Any) -> None:
    code, out, _ = typed("show", task.name)
    assert (code, f"{XML} and <Dance>/<id>.mp3" in " ".join(out.split())) == (0, True)


def test_data_get_says_how_to_get_it_by_hand(typed: Any) -> None:
    code, out, err = typed("data", "get", "ballroom9")
    assert (code, out, err.count("\n"), "by hand: the archive of anasynth.ircam.fr" in err) == (2, "", 1, True)


def test_data_check_without_audio_says_so(typed: Any, whole: Path) -> None:
    code, _, err = typed("data", "check", "ballroom2", "--data", whole)
    assert (code, "1036 of 1036 clips have no audio" in err, "Traceback" in err) == (2, True, False)


def test_run_of_prior_needs_no_audio(typed: Any, whole: Path) -> None:
    typed("run", "--task", "ballroom2", "--method", "prior", "--data", whole, "--seeds", "1", "--quiet")
    (_, record) = next(RunStore(Path("runs")).records())
    assert (record.status, sum(record.n_clips.values())) == ("done", 1036)


def test_run_on_a_list_that_is_none_is_one_line(typed: Any, tmp_path: Path) -> None:
    root = plant(tmp_path / "set", "no xml")
    code, out, err = typed("run", "--task", "ballroom", "--method", "prior", "--data", root, "--seeds", "1", "--quiet")
    assert (code, out, err.count("\n"), "Traceback" in err) == (2, "", 1, False)


# The stand-ins


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all stand-ins read, of shorter and fewer clips."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ballroom, "_DEMO_SECONDS", 0.5)
        patch.setattr(ballroom, "_DEMO_SPLITS", {"train": 2, "valid": 1, "test": 1})
        ballroom._synthesise(folder, lambda n: None)
    return folder


@by_demo
@pytest.mark.slow
def test_demo_conforms(task: Task, made: Path, tmp_path: Path) -> None:
    small = replace(task, n_clips=5 * len(task.classes), clip_seconds=0.5)
    assert check_data(small, made, tmp_path, QUIET) == []


@by_demo
def test_demo_is_read_as_the_task(task: Task, made: Path) -> None:
    real = Catalogue().task(task.name.removesuffix("-demo"))
    assert task.read_clips(made, 0) == real.read_clips(made, 0)


@by_demo
def test_demo_has_each_dance_in_each_split(task: Task, made: Path) -> None:
    found = {(clip.labels[0], clip.split) for clip in task.read_clips(made, 0)}
    assert found == set(itertools.product(task.classes, ("train", "valid", "test")))


@by_demo
def test_demo_says_as_many_clips_as_it_steps(task: Task, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So that the progress bar ends where it should."""
    monkeypatch.setattr(ballroom, "write_scene", lambda path, *_: path)
    steps: list[float] = []
    assert task.synthesise is not None
    task.synthesise(tmp_path, lambda n: steps.append(n))
    assert sum(steps) == pytest.approx(task.n_clips)


def test_demo_has_a_duplicate_of_each_dance(made: Path) -> None:
    sizes = Counter(clip.group for clip in BALLROOM_DEMO.read_clips(made, 0))
    assert Counter(sizes.values()) == {2: 13, 1: 39}


def test_demo_is_the_same_each_time(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballroom, "_DEMO_SECONDS", 0.5)
    monkeypatch.setattr(ballroom, "_DEMO_SPLITS", {"train": 2, "valid": 1, "test": 1})
    steps = iter(range(9))
    with pytest.raises(StopIteration):  # some files are enough
        ballroom._synthesise(tmp_path, lambda n: next(steps))
    again = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.mp3")}
    assert len(again) >= 8
    assert [name for name, content in again.items() if (made / name).read_bytes() != content] == []
