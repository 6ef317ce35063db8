"""What tests of every method share: so few steps that each is tried in a moment, and what it cannot do without."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mirbench.method import Method
from mirbench.registry import Catalogue

__all__ = ["NAMED", "in_few_steps"]

NAMED = ("zero-shot",)
"""Needs a source with names for the classes."""

_PACKAGES = {"black-box-rp": "cma", "lora": "peft"}
_FEW = {"epochs": 1, "n_trees": 10, "queries": 300, "population": 4}


def in_few_steps(name: str) -> tuple[type[Method], dict[str, Any]]:
    """A method, and the hyperparameters of a short run; skips the test where a package that it needs is missing."""
    if package := _PACKAGES.get(name):
        pytest.importorskip(package)
    method = Catalogue().method(name)
    fields = {field.name for field in dataclasses.fields(method)}  # type: ignore[arg-type]
    return method, {field: value for field, value in _FEW.items() if field in fields}
