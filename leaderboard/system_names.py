"""What systems are called: method and source, and the settings by which those of one name differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from mirbench.record import OF_ONE_RUN, RunRecord

__all__ = ["names_of"]

_MOST_VALUES = 6  # of a search, in a name


def names_of(records: Sequence[RunRecord]) -> dict[str, str]:
    """A name for each system, by its key, with the settings that differ from their defaults, or from another's."""
    plain: dict[str, list[RunRecord]] = defaultdict(list)
    for record in records:
        plain[_plain_name(record)].append(record)
    names = {}
    for name, alike in plain.items():
        settings = [_settings(record) for record in alike]
        differ = sorted({key for s in settings for key in s if any(s.get(key) != t.get(key) for t in settings)})
        for record, setting in zip(alike, settings, strict=True):
            shown = sorted({*differ, *record.changed, *record.spec.search, *record.spec.later})
            said = ", ".join(f"{key}={setting[key]}" for key in shown if key in setting)
            names[record.spec.system] = f"{name} ({said})" if said else name
    return names


def _of_ensemble(record: RunRecord) -> bool:
    return record.spec.method == "ensemble" and "systems" in record.spec.params


def _plain_name(record: RunRecord) -> str:
    """Method and source; of an ensemble, those of its members."""
    spec = record.spec
    if not _of_ensemble(record):
        return f"{spec.method} + {spec.source}" if spec.source else spec.method
    count = Counter(spec.params["systems"])
    return f"ensemble ({', '.join(name if n == 1 else f'{n} × {name}' for name, n in count.items())})"


def _best_of(values: Sequence[Any]) -> str:
    """The values of a search, or how many there are."""
    if len(values) > _MOST_VALUES:
        return f"best of {len(values)} values"
    return f"best of {'/'.join(map(str, values))}"


def _settings(record: RunRecord) -> dict[str, Any]:
    spec = record.spec
    settings = {name: value for name, value in spec.params.items() if not (_of_ensemble(record) and name in OF_ONE_RUN)}
    settings |= {name: _best_of(values) for name, values in spec.search.items()}
    settings |= {f"source {name}": value for name, value in spec.source_params.items()}
    settings |= {"precision": spec.precision, "method version": spec.method_version}
    settings |= {"source version": spec.source_version, "weights": spec.source_sha256[:8]}
    settings |= record.spec.as_asked
    settings["audio"] = spec.audio_sha256[:8]
    settings["task"] = spec.task  # another spelling of its name, as earlier versions had some
    return settings
