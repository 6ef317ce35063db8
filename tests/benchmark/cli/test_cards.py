"""Cards as text, and the facts on them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from urllib.parse import urlparse

import pytest

from mirbench.cli.card_look import look
from mirbench.cli.cards import card_of, describe
from mirbench.errors import UnknownName
from mirbench.methods import METHODS
from mirbench.methods.sources import SOURCES
from mirbench.plugin_file import load_plugin
from mirbench.registry import Catalogue
from mirbench.source import WeightFile
from mirbench.tasks import TASKS
from mirbench.terminal import drawn
from tests.test_documented_commands import parse, unknown_words

CATALOGUE = Catalogue()
WEIGHTS = [pytest.param(w, id=name) for name in SOURCES for w in CATALOGUE.source(name).weights]


@pytest.mark.parametrize("name", [*TASKS, *SOURCES])
@pytest.mark.parametrize("word", ["licence", "reference"])
def test_describe_of_a_card_states(name: str, word: str) -> None:
    assert re.search(rf"^{word}  +\S", describe(name, CATALOGUE), re.MULTILINE)


@pytest.mark.parametrize("name", [*TASKS, *METHODS, *SOURCES])
def test_describe_begins_with_name_and_kind(name: str) -> None:
    assert re.match(rf"{re.escape(name)}  (task|method|source), version \S", describe(name, CATALOGUE))


@pytest.mark.parametrize("name", METHODS)
def test_card_of_a_method_tells_nothing_of_how_it_is_written(name: str) -> None:
    shown = describe(name, CATALOGUE)
    classes = {cls.__name__ for cls in CATALOGUE.method(name).__mro__}
    words = set(re.findall(r"\w+", shown))
    assert words & (classes - {"Crnn", "Fcn", "Musicnn"}) == set()
    assert re.findall(r"subclass|dataclass|`mirbench\.|Parameters\n|MISSING|[Ss]ee `", shown) == []


def test_describe_of_a_model_that_is_not_here_says_only_that() -> None:
    lines = describe("hf:nobody/nothing", CATALOGUE).split("\n")
    assert [line.split()[0] for line in lines if line[:1].strip()] == ["hf:nobody/nothing", "missing"]


@pytest.mark.parametrize("name", METHODS)
def test_card_of_a_method_explains_every_hyperparameter_once(name: str) -> None:
    card = card_of(name, CATALOGUE)
    fields = [field.name for field in dataclasses.fields(CATALOGUE.method(name))]  # type: ignore[arg-type]
    assert [option.name for option in card.options] == fields
    assert [option.name for option in card.options if not (option.meaning or option.takes)] == []


@pytest.mark.parametrize("name", METHODS)
def test_describe_of_a_method_holds_the_begin_of_its_docstring(name: str) -> None:
    first = (CATALOGUE.method(name).__doc__ or "").strip().splitlines()[0]
    assert first in " ".join(describe(name, CATALOGUE).split())


@pytest.mark.parametrize("name", METHODS)
def test_describe_of_a_method_without_source_says_so(name: str) -> None:
    needs = re.search(r"^needs +(.*)$", describe(name, CATALOGUE), re.MULTILINE)
    assert needs is not None
    assert (needs[1] == "no source") == (not CATALOGUE.method(name).needs)


@pytest.mark.parametrize("name", [*TASKS, *METHODS, *SOURCES])
def test_commands_of_a_card_are_taken_by_the_command_line(name: str) -> None:
    for line in card_of(name, CATALOGUE).commands:
        assert unknown_words(line.split()[1:]) == []
        parse(line.split()[1:])


def test_card_of_a_method_names_a_source_that_it_can_use() -> None:
    (line,) = card_of("ids-nmr", CATALOGUE).commands
    assert {*CATALOGUE.method("ids-nmr").needs} <= {*CATALOGUE.source(line.split()[-1]).offers}


def test_address_on_a_card_is_whole_on_a_narrow_terminal() -> None:
    shown = drawn(list(look(card_of("gtzan", CATALOGUE))), 60, colours=False)
    assert "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz" in re.sub(r"\s", "", shown)


@pytest.mark.parametrize("name", TASKS)
def test_describe_of_a_task_lists_its_classes(name: str) -> None:
    assert ", ".join(CATALOGUE.task(name).classes) in " ".join(describe(name, CATALOGUE).split())


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


@pytest.mark.parametrize("name", SOURCES)
def test_source_is_called_as_in_its_registry(name: str) -> None:
    assert CATALOGUE.source(name).name == name


@pytest.mark.parametrize("name", SOURCES)
def test_source_has_its_weights_in_one_place(name: str) -> None:
    card = CATALOGUE.source(name)
    in_another_program = card.kind == "embedding" and not card.weights
    assert [bool(place) for place in (card.weights, card.hub, card.packaged, in_another_program)].count(True) == 1


@pytest.mark.parametrize("name", SOURCES)
def test_source_weights_have_a_sha256_or_the_card_says_that_there_is_none(name: str) -> None:
    card = CATALOGUE.source(name)
    for weights in card.weights:
        known = re.fullmatch(r"[0-9a-f]{64}", weights.sha256)
        assert known or (not weights.sha256 and "checksum" in " ".join(card.notes))


@pytest.mark.parametrize("name", SOURCES)
def test_source_weights_have_a_web_address_or_the_card_says_that_there_is_none(name: str) -> None:
    card = CATALOGUE.source(name)
    for weights in card.weights:
        address = urlparse(weights.url)
        published = address.scheme in ("http", "https") and address.netloc
        assert published or (not weights.url and "published" in " ".join(card.notes))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_source_weights_of_unknown_size_say_so(weights: WeightFile) -> None:
    assert weights.size == "size unknown" if weights.n_bytes == 0 else weights.size.endswith(" MB")


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    "field", ["sample_rate", "seconds", "n_features", "n_outputs", "n_parameters", "trained_on", "labels", "builder"]
)
def test_source_states(name: str, field: str) -> None:
    card = CATALOGUE.source(name)
    if field in ("n_outputs", "labels") and "head" not in card.offers:
        assert not getattr(card, field)
    elif field == "n_parameters" and card.kind == "embedding":
        assert card.n_parameters == 0
    else:
        assert getattr(card, field)


@pytest.mark.parametrize("name", TASKS)
def test_task_archives_have_a_web_address_and_a_checksum_or_say_that_there_is_none(name: str) -> None:
    archives = CATALOGUE.task(name).archives
    stated = [f"{a.url} {a.checksum or 'none' * ('no checksum' in a.note)}" for a in archives]
    good = re.compile(r"https?://\S+ (md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}|none)")
    assert [text for text in stated if not good.fullmatch(text)] == []


@pytest.mark.parametrize("name", TASKS)
def test_task_archives_say_that_they_were_not_tried(name: str) -> None:
    notes = [archive.note for archive in CATALOGUE.task(name).archives]
    assert [note for note in notes if not re.search(r"(not|neither) tried by us", note)] == []
