"""What systems are called: method and source, and the settings by which those of one name differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from mirbench.record import OF_ONE_RUN, RunRecord
from mirbench.source import PRETRAINED
from mirbench.told_apart import best_of

__all__ = ["UNLESS_SAID", "names_of", "settings_of"]

UNLESS_SAID = {"weights": PRETRAINED, "seconds": "its own"}
"""What a record does not say of a source that is taken as it is; see `mirbench.source.further_options`."""


def names_of(records: Sequence[RunRecord]) -> dict[str, str]:
    """A name for each system, by its key, with the settings that differ from their defaults, or from another's."""
    names = {}
    for key, (name, shown) in _named(records).items():
        said = ", ".join(f"{setting}={value}" for setting, value in shown.items())
        names[key] = f"{name} ({said})" if said else name
    return names


def settings_of(records: Sequence[RunRecord]) -> dict[str, dict[str, Any]]:
    """The settings that stand in the name of each system, by its key."""
    return {key: shown for key, (_, shown) in _named(records).items()}


def _named(records: Sequence[RunRecord]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Method and source of each system, and the settings that its name says."""
    plain: dict[str, list[RunRecord]] = defaultdict(list)
    for record in records:
        plain[_plain_name(record)].append(record)
    found = {}
    for name, alike in plain.items():
        settings = [_settings(record) for record in alike]
        differ = {key for s in settings for key in s if any(s.get(key) != t.get(key) for t in settings)}
        if len({s["source weights"] for s in settings}) == len({(s["source weights"], s["weights"]) for s in settings}):
            differ.discard("weights")  # which are random is said, and tells them apart
        for record, setting in zip(alike, settings, strict=True):
            shown = sorted({*differ, *record.changed, *record.spec.search, *record.spec.later})
            found[record.spec.system] = name, {key: setting[key] for key in shown if key in setting}
    return found


def _of_ensemble(record: RunRecord) -> bool:
    return record.spec.method == "ensemble" and "systems" in record.spec.params


def _plain_name(record: RunRecord) -> str:
    """Method and source; of an ensemble, those of its members."""
    spec = record.spec
    if not _of_ensemble(record):
        return f"{spec.method} + {spec.source}" if spec.source else spec.method
    count = Counter(spec.params["systems"])
    return f"ensemble ({', '.join(name if n == 1 else f'{n} × {name}' for name, n in count.items())})"


def _settings(record: RunRecord) -> dict[str, Any]:
    spec = record.spec
    settings = {name: value for name, value in spec.params.items() if not (_of_ensemble(record) and name in OF_ONE_RUN)}
    settings |= {name: best_of(values) for name, values in spec.search.items()}
    settings |= {f"source {name}": value for name, value in {**UNLESS_SAID, **spec.source_params}.items()}
    settings |= {"precision": spec.precision, "method version": spec.method_version}
    settings |= {"source version": spec.source_version, "weights": spec.source_sha256[:8]}
    settings |= record.spec.as_asked
    settings["audio"] = spec.audio_sha256[:8]
    settings["task"] = spec.task  # another spelling of its name, as earlier versions had some
    return settings
