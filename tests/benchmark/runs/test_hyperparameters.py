"""Settings from text."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest

from mirbench.errors import BadInput, NotApplicable, UnknownName
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import (
    build,
    grid,
    parse_method,
    parse_options,
    parse_search,
    parse_source,
    split_setting,
)
from mirbench.runs.plan import Request, draft_plan


@dataclass(frozen=True)
class Probe:
    lr: float = 1e-3
    epochs: int = 10
    norm: bool = True
    mapping: Literal["mean", "sum"] = "mean"
    batch: Literal[16, 32] = 16
    decay: float | None = None
    width: int | None = 8
    title: str = ""
    sizes: tuple[int, ...] = ()
    name: ClassVar[str] = "probe"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self):
        if self.lr <= 0:
            raise ValueError(f"lr is {self.lr}; a positive number is needed")

    def fit(self, train, valid, context, *, seed):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lr=1e-4", 1e-4),
        ("lr=1", 1.0),
        ("epochs=20", 20),
        ("norm=true", True),
        ("norm=False", False),
        ("mapping=sum", "sum"),
        ("decay=0.5", 0.5),
        ("decay=none", None),
        ("width=None", None),
        ("width=4", 4),
        ("title=a=b", "a=b"),
        (" lr = 2 ", 2.0),
    ],
)
def test_method_setting_takes_the_type_of_its_field(text, value):
    (found,) = parse_method(Probe, [text]).values()
    assert (found, type(found)) == (value, type(value))


def test_method_setting_takes_a_number_that_the_field_lists():
    assert parse_method(Probe, ["batch=32"]) == {"batch": 32}


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("lr=fast", "float is needed, not 'fast'"),
        ("lr=", "float is needed, not ''"),
        ("epochs=1.5", "int is needed, not '1.5'"),
        ("norm=yes", "true or false is needed"),
        ("mapping=max", "one of mean, sum is needed"),
        ("decay=slow", "float is needed"),
    ],
)
def test_method_setting_of_another_type_says_what_is_needed(text, needed):
    with pytest.raises(BadInput, match=f"--set {text}: {needed}"):
        parse_method(Probe, [text])


@pytest.mark.parametrize("text", ["lr=nan", "lr=inf", "lr=-inf", "decay=nan"])
def test_method_setting_that_is_not_finite_is_refused(text):
    """No record could hold it: JSON has no word for it."""
    with pytest.raises(BadInput, match=f"--set {text}"):
        parse_method(Probe, [text])


def test_method_setting_of_a_type_that_text_cannot_give_is_refused():
    with pytest.raises(BadInput, match="--set sizes=512"):
        parse_method(Probe, ["sizes=512"])


def test_method_setting_of_an_unknown_name_guesses():
    with pytest.raises(UnknownName, match=r"No hyperparameter of probe is called 'epoch'\. Did you mean 'epochs'\?"):
        parse_method(Probe, ["epoch=3"])


def test_method_setting_cannot_change_the_name():
    with pytest.raises(UnknownName):
        parse_method(Probe, ["name=other"])


def test_method_settings_may_be_several():
    assert parse_method(Probe, ["lr=1", "epochs=2"]) == {"lr": 1.0, "epochs": 2}


@pytest.mark.parametrize("text", ["lr", "=3", " =3", ""])
def test_setting_without_name_and_value_shows_an_example(text):
    with pytest.raises(BadInput, match="NAME=VALUE is needed, as in --set lr=1e-4"):
        split_setting(text, "--set")


def test_search_gives_the_values_of_each_name():
    assert parse_search(Probe, ["lr=1e-4, 1e-3", "norm=true,false"]) == {"lr": [1e-4, 1e-3], "norm": [True, False]}


def test_search_names_the_value_that_is_wrong():
    with pytest.raises(BadInput, match="--search lr=1,two: float is needed, not 'two'"):
        parse_search(Probe, ["lr=1,two"])


def test_search_of_an_unknown_name_guesses():
    with pytest.raises(UnknownName, match="Did you mean 'decay'"):
        parse_search(Probe, ["decai=1"])


def test_options_take_the_types_of_their_defaults():
    found = parse_options("ast", {"norm": "audioset", "stride": 10, "mean": True}, ["stride=5", "mean=false"])
    assert found == {"norm": "audioset", "stride": 5, "mean": False}


def test_options_leave_the_defaults_as_they_are():
    defaults = {"stride": 10}
    parse_options("ast", defaults, ["stride=5"])
    assert defaults == {"stride": 10}


def test_options_of_an_unknown_name_say_whose_they_are():
    with pytest.raises(UnknownName, match=r"No option of ast is called 'strid'\. Did you mean 'stride'\?"):
        parse_options("ast", {"stride": 10}, ["strid=5"])


def test_options_of_another_type_say_what_is_needed():
    with pytest.raises(BadInput, match="--source-set stride=wide: int is needed, not 'wide'"):
        parse_options("ast", {"stride": 10}, ["stride=wide"])


def test_build_makes_a_method():
    assert build(Probe, {"lr": 0.5}) == Probe(lr=0.5)


def test_build_says_why_a_method_refuses():
    with pytest.raises(BadInput, match=r"probe refuses .*a positive number is needed"):
        build(Probe, {"lr": -1.0})


def test_build_names_a_hyperparameter_that_is_not_there():
    with pytest.raises(BadInput, match=r"probe refuses .*'speed'"):
        build(Probe, {"speed": 1})


def test_grid_is_every_combination():
    assert list(grid({"a": [1, 2], "b": ["x", "y"]})) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_grid_of_nothing_is_one_point():
    assert list(grid({})) == [{}]


@pytest.mark.parametrize("parse", [parse_method, parse_search])
def test_setting_that_is_given_twice_is_refused(parse):
    with pytest.raises(BadInput, match="given twice"):
        parse(Probe, ["lr=1", "lr=2"])


@pytest.mark.parametrize("name", ["ast", "vggish", "openl3", "vit-b16"])
def test_option_of_few_values_accepts_its_default_and_refuses_others_before_weights_are_looked_for(name):
    card = Catalogue().source(name)
    assert card.choices
    for option, accepted in card.choices.items():
        assert card.options[option] in accepted
        wrong = "7" if isinstance(accepted[0], int) else "neither"
        with pytest.raises(UnknownName, match=f"No {option} of {name} is called '{wrong}'"):
            parse_source(card, [f"{option}={wrong}"])


def test_whole_clips_are_heard_at_once_by_sources_of_any_length_alone() -> None:
    catalogue = Catalogue()
    found = parse_source(catalogue.source("inception-v3"), ["seconds=whole", "resize=tf1"])
    assert (found["seconds"], found["resize"]) == ("whole", "tf1")
    with pytest.raises(BadInput, match="seconds"):
        parse_source(catalogue.source("nano"), ["seconds=whole"])


@pytest.mark.parametrize("method", ["finetune", "ii-nmr"])
def test_method_that_trains_on_windows_refuses_whole_clips(method: str) -> None:
    request = Request("gtzan-demo", method, "inception-v3", source_params={"seconds": "whole"})
    with pytest.raises(NotApplicable, match=f"seconds=whole: {method} trains on windows of one length"):
        draft_plan(request, Catalogue())
