"""What a run is called with its settings, and several settings of one name, told apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mirbench.plain_text import printable
from mirbench.record import OF_ONE_RUN, RunRecord, RunSpec

__all__ = ["best_of", "called", "finished", "told_apart"]

_MOST_LETTERS = 60  # of a value
_DIGITS = 8  # of a hash
_MOST_VALUES = 6  # of a search, in a name


def called(record: RunRecord) -> str:
    """Task, method and source of a run, and its settings that differ from their defaults, as tables name a system."""
    spec = record.spec
    search = {name: best_of(values) for name, values in spec.search.items()}
    settings = {**record.changed, **search, **spec.later}
    said = ", ".join(f"{name}={settings[name]}" for name in sorted(settings))
    name = f"{spec.task}: {spec.method}{f' + {spec.source}' if spec.source else ''}"
    return printable(f"{name} ({said})" if said else name)


def best_of(values: Sequence[Any]) -> str:
    """The values of a search, or how many there are."""
    if len(values) > _MOST_VALUES:
        return f"best of {len(values)} values"
    return f"best of {'/'.join(map(str, values))}"


def told_apart(name: str, systems: Mapping[str, Sequence[RunRecord]]) -> str:
    """A line for each of several systems: ``NAME@KEY`` and in what it differs from the others, the newest last.

    Parameters
    ----------
    systems : mapping of str to sequence of RunRecord
        Their runs, by the keys of the systems.
    """
    asked = {key: _asked(records[0].spec) for key, records in systems.items()}
    every = dict.fromkeys(setting for held in asked.values() for setting in held)
    differ = [setting for setting in every if len({repr(held.get(setting)) for held in asked.values()}) > 1]
    lines = []
    for key, records in sorted(systems.items(), key=lambda item: max(map(finished, item[1]))):
        said = [f"{setting}={_short(setting, asked[key].get(setting, '—'))}" for setting in differ]
        last = max(map(finished, records))
        count = f"{len(records)} run{'s' * (len(records) > 1)}"
        when = f"{count}, the last of {last[:16].replace('T', ' ')}" if last else count
        lines.append(f"{name}@{key}: {', '.join(said)} ({when})")
    return "".join(f"\n  {line}" for line in lines)


def finished(record: RunRecord) -> str:
    """When a run ended, as text that sorts; "" where no record says so."""
    when = record.environment.get("finished")
    return printable(when, 40) if isinstance(when, str) else ""


def _asked(spec: RunSpec) -> dict[str, Any]:
    """All that was asked, less fold and seed, by the names that settings have in tables."""
    fields = {
        field.name.replace("_", " "): getattr(spec, field.name)
        for field in dataclasses.fields(spec)
        if field.name not in ("fold", "seed", "params", "source_params", "windowing")
        and field.name.replace("_", "-") not in spec.as_asked
    }
    fields |= vars(spec.windowing) | spec.as_asked
    fields |= {name: value for name, value in spec.params.items() if name not in OF_ONE_RUN}
    return fields | {f"source {name}": value for name, value in spec.source_params.items()}


def _short(setting: str, value: Any) -> str:
    text = printable(str(value), _MOST_LETTERS)
    return (text[:_DIGITS] or "none") if setting.endswith(" sha256") else text
