from __future__ import annotations

import pytest

from mirbench.methods.reprogramming import label_names
from mirbench.methods.reprogramming.label_names import match
from mirbench.methods.sources.audioset import audioset_labels
from mirbench.registry import Catalogue

PHILHARMONIA = (
    "bassoon", "cello", "clarinet", "double-bass", "flute", "french-horn", "guitar", "oboe", "saxophone", "trombone",
)  # fmt: skip


def named(classes: tuple[str, ...], labels: tuple[str, ...] = audioset_labels()) -> dict[str, list[str]]:
    return {name: [labels[k] for k in found] for name, found in match(classes, labels).items()}


def test_match_gives_each_gtzan_genre_its_audioset_class() -> None:
    assert named(Catalogue().task("gtzan").classes) == {
        "blues": ["Blues"],
        "classical": ["Classical music"],
        "country": ["Country"],
        "disco": ["Disco"],
        "hiphop": ["Hip hop music"],
        "jazz": ["Jazz"],
        "metal": ["Heavy metal"],
        "pop": ["Pop music"],
        "reggae": ["Reggae"],
        "rock": ["Rock music"],
    }


@pytest.mark.parametrize("task", ["openmic", "nsynth-families"])
def test_match_finds_a_label_for_every_instrument(task: str) -> None:
    assert all(match(Catalogue().task(task).classes, audioset_labels()).values())


def test_match_gives_a_wide_class_its_parts() -> None:
    found = named(("bass", "reed", "string", "vocal", "drums", "synth_lead"))
    assert found == {
        "bass": ["Bass guitar", "Double bass"],
        "reed": ["Saxophone", "Clarinet"],
        "string": ["Bowed string instrument", "String section"],
        "vocal": ["Singing", "Vocal music"],
        "drums": ["Drum kit", "Drum"],
        "synth_lead": ["Synthesizer"],
    }


def test_match_reads_folder_names_and_finds_nothing_where_audioset_has_nothing() -> None:
    found = named(PHILHARMONIA)
    assert found["double-bass"] == ["Double bass"]
    assert found["french-horn"] == ["French horn"]
    assert [name for name, labels in found.items() if not labels] == ["bassoon", "oboe"]


def test_match_prefers_a_name_to_a_part_of_one() -> None:
    # AudioSet has "Burst, pop", "Crow" and "Whistle" beside "Pop music", "Crowd" and "Whistling"
    assert named(("pop", "crow", "whistle", "fiddle")) == {
        "pop": ["Pop music"],
        "crow": ["Crow"],
        "whistle": ["Whistle"],
        "fiddle": ["Violin, fiddle"],
    }


def test_match_reads_tags_of_mtg_jamendo() -> None:
    assert named(("genre---newage", "instrument---acousticguitar", "mood/theme---happy", "genre---poprock")) == {
        "genre---newage": ["New-age music"],
        "instrument---acousticguitar": ["Acoustic guitar"],
        "mood/theme---happy": ["Happy music"],
        "genre---poprock": [],
    }


@pytest.mark.parametrize("tag", ["no vocal", "no vocals", "no voice"])
def test_match_takes_no_label_for_a_tag_that_denies_it(tag: str) -> None:
    assert named((tag,)) == {tag: []}


def test_match_works_on_the_tags_of_a_tagger() -> None:
    tags = Catalogue().task("magnatagatune").classes
    assert named(("hiphop", "metal", "voice", "synthesizer", "classical", "no_vocals"), tags) == {
        "hiphop": [],
        "metal": ["metal"],
        "voice": ["singing", "vocal", "vocals", "voice"],
        "synthesizer": ["synth"],
        "classical": ["classic", "classical"],
        "no_vocals": ["no vocal", "no vocals"],
    }


def test_match_keeps_the_two_sexes_apart() -> None:
    assert named(("female", "male", "female vocalists")) == {
        "female": ["Female singing"],
        "male": ["Male singing"],
        "female vocalists": ["Female singing"],
    }


@pytest.mark.parametrize("part", [part for parts in label_names._PARTS.values() for part in parts])
def test_parts_are_names_of_audioset(part: str) -> None:
    assert part.casefold() in {label.casefold() for label in audioset_labels()}


def test_labels_with_a_category_mean_what_follows_it() -> None:
    labels = ("genre---rock", "instrument---piano", "mood/theme---happy")
    assert match(["rock", "piano", "sad"], labels) == {"rock": [0], "piano": [1], "sad": []}
