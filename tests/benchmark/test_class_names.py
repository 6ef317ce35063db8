"""Names of classes: which are one, which look like one, which are several."""

from __future__ import annotations

import pytest

from mirbench.class_names import alike, beware, composed, empty, joined, written_list

DISCOGS = (
    "Blues", "Brass & Military", "Children's", "Classical", "Electronic", "Folk, World, & Country", "Funk / Soul",
    "Hip Hop", "Jazz", "Latin", "Non-Music", "Pop", "Reggae", "Rock", "Stage & Screen",
)  # fmt: skip
AUDIOSET = (
    "Speech", "Male speech, man speaking", "Female speech, woman speaking", "Music", "Inside, small room",
    "Inside, large room or hall", "Inside, public space", "Boat, Water vehicle", "Ship", "Dog", "Marimba, xylophone",
    "Vehicle", "Vehicle horn, car horn, honking", "Bird", "Bird vocalization, bird call, bird song", "Whimper (dog)",
    "Hubbub, speech noise, speech babble", "Fire engine, fire truck (siren)", "Drum", "Bass", "Drum and bass",
)  # fmt: skip
COMPOSERS = ("Bach, Johann", "Bach, Carl", "Strauss, Johann", "Strauss, Richard", "Wagner, Richard")


@pytest.mark.parametrize(
    "other",
    [
        "hip hop", "HIP HOP", "Hip\u00a0Hop", "Hip  Hop", "Hip Hop ", "\tHip Hop", "Hip\u200bHop", "Hi\u00adp Hop",
        "\ufeffHip Hop", "Hip Hop\0", "HipHop", "Hip\nHop", "\u200eHip Hop", "Ｈｉｐ Ｈｏｐ", "Hip\u3000Hop",
    ],
)  # fmt: skip
def test_alike_finds_names_that_the_eye_takes_for_one(other: str) -> None:
    assert alike(["Hip Hop", other, "Jazz"]) == [tuple(sorted(("Hip Hop", other)))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "001"),
        ("1", "1.0"),
        ("true", "True"),
        ("a-b", "a–b"),
        ("don't", "don’t"),
        ("ﬁn", "fin"),
        ("ß", "SS"),
        ("Hip-Hop", "hip hop"),
        ("hip_hop", "hiphop"),
        ("\u2764", "\u2764\ufe0f"),
    ],
)
def test_alike_finds_names_written_otherwise(one: str, other: str) -> None:
    assert alike([one, other]) == [tuple(sorted((one, other)))]


@pytest.mark.parametrize(
    "names",
    [DISCOGS, AUDIOSET, COMPOSERS, ("1", "10"), ("a", "ä"), ("C", "C#"), ("!", "?", "·"), ("-1", "1"), ("C-", "C")],
)
def test_alike_leaves_other_names_alone(names: tuple[str, ...]) -> None:
    assert alike(names) == []


@pytest.mark.parametrize(
    ("names", "separator"),
    [
        (("rock", "pop", "rock,pop"), ","),
        (("rock", "pop", "rock, pop"), ","),
        (("Rock", "pop", "rock|Pop"), "|"),
        (("Rock", "Pop", "Rock/Pop"), "/"),
        (("Rock", "Pop", "Rock + Pop"), "+"),
        (("Rock", "Pop", "Rock & Pop"), "&"),
        (("Rock", "Pop", "Rock；Pop"), ";"),
        (("Rock", "Pop", "Rock，Pop"), ","),
        (("Rock", "Pop", "Soul", "Rock, Pop & Soul"), ","),
        (("rock|pop", "jazz|rock", "pop|jazz"), "|"),
        (("rock", "pop", "rock,pop,rare"), ","),
        (("[rock]", "[pop]", "[rock, pop]"), ","),
        ((*DISCOGS, "Rock, Pop"), ","),
    ],
)
def test_joined_names_the_separator_of_names_made_of_others(names: tuple[str, ...], separator: str) -> None:
    found = joined(names)
    assert found is not None
    assert (found.separator, len(found.parts) > 1) == (separator, True)


@pytest.mark.parametrize(
    "names",
    [
        DISCOGS, AUDIOSET, COMPOSERS, ("2/4", "3/4", "4/4", "6/8"), ("Rock", "Rock/Punk", "Rock/Indie"), ("R&B", "Pop"),
        ("Rock, Pop & Soul", "Jazz"), ("C#/Db", "D", "D#/Eb"), ("a", "b", "c"), (",", "|"), ("", "a"),
    ],
)  # fmt: skip
def test_joined_leaves_names_that_only_hold_separators_alone(names: tuple[str, ...]) -> None:
    assert joined(names) is None


@pytest.mark.parametrize(
    "name",
    ["['rock']", "['rock', 'pop']", '["rock", "pop"]', "('rock', 'pop')", "{'rock'}", "['a' 'b']", "[]", "('a',)"],
)
def test_written_list_is_what_python_writes(name: str) -> None:
    assert written_list(name)


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/]", "rock", "(live)", "'rock'", "[a]", "don't [x]"])
def test_written_list_is_no_other_name(name: str) -> None:
    assert not written_list(name)


def test_empty_names_are_those_that_programs_write() -> None:
    assert empty(["nan", "NaN", "N/A", "None", "<NA>", "nana", "no", "rock"]) == ["<NA>", "N/A", "NaN", "None", "nan"]


def test_composed_is_one_form_of_a_name() -> None:
    assert composed("flo\u0308te") == composed("fl\u00f6te") == "fl\u00f6te"


def test_beware_shows_what_cannot_be_seen() -> None:
    (line,) = beware(("hip hop", "hip\u00a0hop", "jazz"), ())
    assert "'hip hop' and 'hip\\xa0hop'" in line


def test_beware_looks_at_groups_too() -> None:
    (line,) = beware(("a", "b"), ("Miles Davis", "miles davis", ""))
    assert line.startswith("groups 'Miles Davis' and 'miles davis' differ in case")


def test_beware_tells_groups_that_may_be_empty_cells() -> None:
    (line,) = beware(("a", "b"), ("nan", "Miles Davis"))
    assert line == "the group 'nan' may be what a program writes of an empty cell: leave the cell empty if so"


def test_beware_says_nothing_of_plain_names() -> None:
    assert beware(DISCOGS, ("one", "two")) == ()
