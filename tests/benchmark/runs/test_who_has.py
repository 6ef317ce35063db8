"""A setting that a method or source has not: the refusal says which have it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from mirbench.errors import UnknownName
from mirbench.methods import METHODS
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import parse_method, parse_search, parse_source
from mirbench.runs.hyperparameters import typed as typed_value
from mirbench.runs.who_has import OF_RUNS, who_has
from tests.conftest import Answer

CATALOGUE = Catalogue()
FIELDS = {method: {field.name for field in dataclasses.fields(CATALOGUE.method(method))} for method in METHODS}
SETTINGS = sorted({name for names in FIELDS.values() for name in names})


@pytest.mark.parametrize("name", SETTINGS)
def test_methods_that_have_a_setting_are_named_and_counted(name: str) -> None:
    having = [method for method, names in FIELDS.items() if name in names]
    said, _, _ = who_has(name).partition(". ")
    named = [method for method in METHODS if method in said.replace(",", "").rstrip(".").split()]
    assert having[:3] == named[:3]
    assert len(named) == len(having) or said.rstrip(".").endswith(f"and {len(having) - len(named)} more")


def test_sources_that_have_an_option_are_named() -> None:
    assert who_has("rendering") == "It is an option (--source-set) of coral-mobilenetv2, vit-b16 and inception-v3."
    assert "(--set)" in who_has("pooling")
    assert "(--source-set)" in who_has("pooling")
    assert who_has("xyzzy") == ""


def test_option_of_a_run_is_said_to_be_one(typed: Callable[..., Answer]) -> None:
    options = typed("run", "--help").out
    assert all(f"--{name} " in options for name in OF_RUNS)
    assert who_has("seeds") == "It is an option of a run: --seeds."
    assert who_has("fit_on").endswith("It is an option of a run: --fit-on.")


@pytest.mark.parametrize(
    "refuse",
    [
        lambda method: parse_method(method, ["last_blocks=2"]),
        lambda method: parse_search(method, ["last_blocks=1,2"]),
        lambda method: typed_value(method, "last_blocks", 2, "params"),
        lambda method: parse_source(CATALOGUE.source("nano"), ["last_blocks=2"]),
    ],
    ids=["set", "search", "python", "source-set"],
)
def test_refusal_of_a_setting_says_who_has_it(refuse) -> None:
    with pytest.raises(UnknownName, match=r"Known: .*\. It is a hyperparameter \(--set\) of finetune\.$"):
        refuse(CATALOGUE.method("probe-linear"))
