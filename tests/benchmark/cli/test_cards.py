"""Cards as text, and the facts on them."""

from __future__ import annotations

import dataclasses
import functools
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlparse

import pytest

from mirbench.cli.card_look import Card, look
from mirbench.cli.cards import card_of, describe
from mirbench.errors import UnknownName
from mirbench.methods import METHODS
from mirbench.methods.sources import SOURCES
from mirbench.plugin_file import load_plugin
from mirbench.registry import Catalogue
from mirbench.source import WeightFile
from mirbench.tasks import TASKS
from mirbench.terminal import drawn
from tests.benchmark.runs.test_many_processes import PLUGIN as TONES
from tests.test_documented_commands import parse, unknown_words

CATALOGUE = Catalogue()


@functools.cache
def described(name: str) -> str:
    return describe(name, CATALOGUE)


@functools.cache
def card(name: str) -> Card:
    return card_of(name, CATALOGUE)


@pytest.mark.parametrize("word", ["licence", "reference"])
def test_describe_of_every_task_and_source_states(word: str) -> None:
    assert [n for n in (*TASKS, *SOURCES) if not re.search(rf"^{word}  +\S", described(n), re.MULTILINE)] == []


def test_describe_of_everything_begins_with_name_and_kind() -> None:
    begin = r"{}  (task|method|source), version \S"
    names = (*TASKS, *METHODS, *SOURCES)
    assert [name for name in names if not re.match(begin.format(re.escape(name)), described(name))] == []


def test_card_of_no_method_tells_how_it_is_written() -> None:
    told = {}
    for name in METHODS:
        classes = {cls.__name__ for cls in CATALOGUE.method(name).__mro__} - {"Crnn", "Fcn", "Musicnn"}
        words = classes & set(re.findall(r"\w+", described(name)))
        told[name] = [
            *words, *re.findall(r"subclass|dataclass|`mirbench\.|Parameters\n|MISSING|[Ss]ee `", described(name))
        ]  # fmt: skip
    assert {name: found for name, found in told.items() if found} == {}


def test_describe_of_a_model_that_is_not_here_says_only_that() -> None:
    lines = describe("hf:nobody/nothing", CATALOGUE).split("\n")
    assert [line.split()[0] for line in lines if line[:1].strip()] == ["hf:nobody/nothing", "missing"]


def test_card_of_every_method_explains_every_hyperparameter_once() -> None:
    for name in METHODS:
        fields = [field.name for field in dataclasses.fields(CATALOGUE.method(name))]  # type: ignore[arg-type]
        assert (name, [option.name for option in card(name).options]) == (name, fields)
        assert [(name, option.name) for option in card(name).options if not (option.meaning or option.takes)] == []


def test_describe_of_every_method_holds_the_begin_of_its_docstring() -> None:
    first = {name: (CATALOGUE.method(name).__doc__ or "").strip().splitlines()[0] for name in METHODS}
    assert [name for name in METHODS if first[name] not in " ".join(described(name).split())] == []


def test_describe_says_of_every_method_without_source_that_it_is_and_of_no_other() -> None:
    needs = {name: re.search(r"^needs +(.*)$", described(name), re.MULTILINE) for name in METHODS}
    said = {name: found is not None and found[1] == "no source" for name, found in needs.items()}
    assert None not in needs.values()
    assert said == {name: not CATALOGUE.method(name).needs for name in METHODS}


@pytest.mark.parametrize("names", [TASKS, METHODS, SOURCES], ids=["tasks", "methods", "sources"])
def test_commands_of_every_card_are_taken_by_the_command_line(names: Iterable[str]) -> None:
    for name in names:
        for line in card(name).commands:
            assert (name, unknown_words(line.split()[1:])) == (name, [])
            parse(line.split()[1:])


def test_card_of_a_method_names_a_source_that_it_can_use() -> None:
    (line,) = card_of("ids-nmr", CATALOGUE).commands
    assert {*CATALOGUE.method("ids-nmr").needs} <= {*CATALOGUE.source(line.split()[-1]).offers}


def test_address_on_a_card_is_whole_on_a_narrow_terminal() -> None:
    shown = drawn(list(look(card_of("gtzan", CATALOGUE))), 60, colours=False)
    assert "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz" in re.sub(r"\s", "", shown)


def test_describe_of_every_task_lists_its_classes() -> None:
    listed = {name: ", ".join(CATALOGUE.task(name).classes) for name in TASKS}
    assert [name for name in TASKS if listed[name] not in " ".join(described(name).split())] == []


def test_describe_of_an_unknown_name_hints_at_a_near_one() -> None:
    with pytest.raises(UnknownName, match=r"No task, method or source is called 'gtzn'\. Did you mean 'gtzan'"):
        describe("gtzn", CATALOGUE)


def test_describe_knows_plugins(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Mine:\n"
        "    'Does as I say.'\n"
        "    lr: float = 0.5\n"
        "    name, version, needs = 'mine', '1', ()\n"
        "    def fit(self, train, valid, context, *, seed): ...\n"
    )
    card = card_of("mine", Catalogue([load_plugin(tmp_path / "mine.py")]))
    assert card.options == [("lr", "0.5", "", "")]
    assert card.text == ["Does as I say."]


@pytest.mark.parametrize("folder", ["plugins", "my plugins"])
@pytest.mark.parametrize("name", ["tones", "counted"])
def test_commands_of_a_card_of_a_plugin_name_its_file(name: str, folder: str, tmp_path: Path) -> None:
    path = tmp_path / folder / "mine.py"
    path.parent.mkdir()
    path.write_text(TONES)
    known = Catalogue([load_plugin(path)])
    (command,) = card_of(name, known, [path]).commands
    assert shlex.split(command)[-2:] == ["--plugin", str(path)]
    for ours in ("gtzan", "probe-linear", "nano", "gtzan+shots5"):
        assert all("--plugin" not in command for command in card_of(ours, known, [path]).commands)


@pytest.mark.parametrize("kind", ["task", "method", "source"])
def test_unknown_name_says_how_one_of_a_plugin_is_given(kind: str) -> None:
    with pytest.raises(UnknownName, match="one of yours needs --plugin FILE"):
        getattr(Catalogue(), kind)("my-own-thing")


def test_every_source_is_called_as_in_its_registry() -> None:
    assert [name for name in SOURCES if CATALOGUE.source(name).name != name] == []


def test_every_source_has_its_weights_in_one_place() -> None:
    places = {}
    for name in SOURCES:
        card = CATALOGUE.source(name)
        in_another_program = card.kind == "embedding" and not card.weights
        places[name] = [bool(place) for place in (card.weights, card.hub, card.packaged, in_another_program)]
    assert [name for name, found in places.items() if found.count(True) != 1] == []


def weights_without(
    stated: Callable[[WeightFile], object], word: str, but: Callable[[WeightFile], object]
) -> list[str]:
    """Sources with weights that do not state something, or lack it and have no note with the word."""
    cards = [CATALOGUE.source(name) for name in SOURCES]
    assert sum(len(card.weights) for card in cards) > 10
    return [
        card.name
        for card in cards
        for weights in card.weights
        if not (stated(weights) or (not but(weights) and word in " ".join(card.notes)))
    ]


def test_weights_of_every_source_have_a_sha256_or_its_card_says_that_there_is_none() -> None:
    hashed = re.compile(r"[0-9a-f]{64}")
    assert weights_without(lambda w: hashed.fullmatch(w.sha256), "checksum", lambda w: w.sha256) == []


def test_weights_of_every_source_have_a_web_address_or_its_card_says_that_there_is_none() -> None:
    def is_published(weights: WeightFile) -> bool:
        address = urlparse(weights.url)
        return address.scheme in ("http", "https") and bool(address.netloc)

    assert weights_without(is_published, "published", lambda w: w.url) == []


def test_weights_of_unknown_size_say_so() -> None:
    every = [weights for name in SOURCES for weights in CATALOGUE.source(name).weights]
    assert {weights.size for weights in every if weights.n_bytes == 0} <= {"size unknown"}
    assert [weights.size for weights in every if weights.n_bytes and not weights.size.endswith(" MB")] == []


@pytest.mark.parametrize(
    "field", ["sample_rate", "seconds", "n_features", "n_outputs", "n_parameters", "trained_on", "labels", "builder"]
)
def test_every_source_states(field: str) -> None:
    cards = [CATALOGUE.source(name) for name in SOURCES]
    without = {
        card.name
        for card in cards
        if (field in ("n_outputs", "labels") and "head" not in card.offers)
        or (field == "n_parameters" and card.kind == "embedding")
    }
    assert {card.name for card in cards if not getattr(card, field)} == without


def test_archives_of_every_task_have_a_web_address_and_a_checksum_or_say_that_there_is_none() -> None:
    good = re.compile(r"https?://\S+ (md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}|none)")
    archives = [(name, archive) for name in TASKS for archive in CATALOGUE.task(name).archives]
    stated = [(name, f"{a.url} {a.checksum or 'none' * ('no checksum' in a.note)}") for name, a in archives]
    assert [each for each in stated if not good.fullmatch(each[1])] == []


def test_archives_of_every_task_say_that_they_were_not_tried() -> None:
    notes = [(name, archive.note) for name in TASKS for archive in CATALOGUE.task(name).archives]
    assert [note for note in notes if not re.search(r"(not|neither) tried by us", note[1])] == []
