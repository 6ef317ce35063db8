"""`mirbench.run`: the command `mirbench run` as a function."""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from os import PathLike, fspath
from typing import Any, TypedDict, Unpack

from mirbench.api.asking import (
    AVERAGES,
    PRECISIONS,
    WINDOWS,
    do,
    one_of,
    protocol,
    refuse_contradictions,
    with_source,
)
from mirbench.api.cards import SourceModel, TaskData
from mirbench.api.known import Known, PluginLike, path_of
from mirbench.api.process import Telling, alone
from mirbench.api.runs import Run, Runs
from mirbench.errors import BadInput, UnknownName
from mirbench.method import Method
from mirbench.places import user_path, weights_folder
from mirbench.plain_text import one_message, printable
from mirbench.spelling import travelled

__all__ = ["Options", "run"]


class Options(TypedDict, total=False):
    """What else `run` takes; each is as the flag of ``mirbench run`` that is called so."""

    precision: str
    windows: str
    average: str
    fit_on: str
    refit: bool
    pad: str
    thresholds: str
    calibrate: str
    test_on: str
    classes: str
    deform: str | Sequence[str]
    sealed: bool
    stack: bool
    energy: bool
    threads: int
    decode_threads: int


def run(
    task: str | TaskData,
    method: str | Method | type[Method],
    source: str | SourceModel = "",
    *,
    seeds: int | Iterable[int] = 5,
    folds: int | Iterable[int] | None = None,
    params: Mapping[str, Any] | None = None,
    search: Mapping[str, Sequence[Any]] | None = None,
    source_params: Mapping[str, Any] | None = None,
    runs: str | PathLike[str] = "runs",
    data: str | PathLike[str] | None = None,
    weights: str | PathLike[str] | None = None,
    device: str = "auto",
    jobs: int = 1,
    plugins: Iterable[PluginLike] | PluginLike = (),
    progress: bool = False,
    **options: Unpack[Options],
) -> Runs:
    """Run a method on a task, with a source if it needs one; what is on record is read back.

    The same runs, to the bit and under the same keys, as those of the command ``mirbench run``. A run that fails is on
    record with its reason, and warned of. Calls in several threads wait for one another.

    Parameters
    ----------
    task : str or TaskData
        Name of a task, with modifiers if any; a stand-in only where it is named (``gtzan-demo``).
    method : str, class or object
        Name of a method, or a class of yours, or an object of one, whose fields are then the hyperparameters. The code
        of a class of yours is a part of the identity of its runs: changed code is another run.
    source : str or SourceModel
        Name of a source; "" takes ``ast`` where the method needs one.
    seeds : int or iterable of int
        How many, or which.
    folds : int, iterable of int or None
        Which; None is all.
    params : mapping of str to value, optional
        Hyperparameters of the method (``--set``).
    search : mapping of str to sequence, optional
        Values to try of each hyperparameter, chosen on valid.
    source_params : mapping of str to value, optional
        Options of the source (``--source-set``).
    runs : str or path
        Folder of records.
    data, weights : str, path or None
        Folder of data sets, and of weights; None is the default place.
    device : str
        "auto", "cpu" or "cuda[:N]".
    jobs : int
        Runs at once, each in a process of its own. A script that asks for several needs ``if __name__ ==
        "__main__":`` around what it does.
    plugins : iterable of path, class or object
        Files and methods that names may come from.
    progress : bool
        Whether to say on standard error how far it is.
    **options
        ``precision``, ``windows``, ``average``, ``fit_on``, ``refit``, ``pad``, ``thresholds``, ``calibrate``,
        ``test_on``, ``classes``, ``deform``, ``sealed``, ``stack``, ``energy``, ``threads``, ``decode_threads``: as the
        flags of ``mirbench run``.

    Returns
    -------
    Runs
        One a (fold, seed), in that order.

    Raises
    ------
    BadInput
        If the request cannot be carried out; nothing was run then. `UnknownName` and `MissingData` are of this kind.
    NotApplicable
        If the method cannot use the source.
    MissingExtra
        If a package of an extra is needed and not installed.
    """
    from mirbench.runs.plan import Request

    if isinstance(task, TaskData):
        data = task.data if data is None else data
    if isinstance(source, SourceModel):
        weights = source.weights if weights is None else weights
        source_params = {**source.params, **(source_params or {})}
    known = Known.of(plugins, *([] if isinstance(method, str) else [method]))
    catalogue = known.catalogue(path_of(data), path_of(weights))
    called = method if isinstance(method, str) else method.name
    kind = catalogue.method(called)
    own = {} if isinstance(method, str) or inspect.isclass(method) else _fields_of(method, search or {})
    if jobs > 1 and known.nowhere:
        raise BadInput(f"jobs={jobs}: another process cannot import {known.nowhere}; put it into a file of its own")
    circumstance, deform = _circumstance(options, kind)
    called_so = task.called if isinstance(task, TaskData) else task
    request = Request(
        task=travelled(called_so, options.get("test_on", ""), options.get("classes", "")),
        method=called,
        source=source.name if isinstance(source, SourceModel) else source,
        seeds=_numbers("seeds", seeds),
        folds=None if folds is None else _numbers("folds", [folds] if isinstance(folds, int) else folds),
        params=_typed(kind, {**own, **(params or {})}, "params"),
        search=_searched(kind, search or {}),
        runs=user_path(fspath(runs)),
        data=path_of(data),
        weights=path_of(weights),
        device=device,
        **circumstance,
    )
    if request.weights is not None:
        weights_folder(request.weights)
    request = with_source(request, catalogue, _as_typed(source_params or {}))
    with alone():
        outcomes = do(request, catalogue, Telling(quiet=not progress), deform, jobs, known.files)
    _warn(outcomes)
    return Runs(tuple(Run(o.folder, o.record, o.read_back) for o in outcomes), request.runs)


def _fields_of(method: Any, search: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters of an object, less those of which a search tries others."""
    return {field.name: getattr(method, field.name) for field in fields(method) if field.name not in search}


def _circumstance(options: Options, kind: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fields of a request, and the deformations."""
    from mirbench.features.effects import parse_deform
    from mirbench.types import Windowing

    given: dict[str, Any] = dict(options)
    if unknown := [name for name in given if name not in Options.__annotations__]:
        if unknown[0] in {field.name for field in fields(kind)}:
            pair = {unknown[0]: given[unknown[0]]}
            raise BadInput(f"{unknown[0]} is a hyperparameter of {kind.name}: params={printable(pair, 200)}")
        raise UnknownName("option of mirbench.run", unknown[0], Options.__annotations__)
    _ = given.pop("test_on", ""), given.pop("classes", "")  # the name of the task holds them
    deform = given.pop("deform", "")
    deform = parse_deform(deform if isinstance(deform, str) else ",".join(deform))
    refuse_contradictions(
        sealed=given.get("sealed", False),
        deform=deform,
        stack=given.get("stack", False),
        energy=given.get("energy", False),
    )
    usual = Windowing()
    windowing = Windowing(
        one_of("windows", given.pop("windows", usual.windows), WINDOWS),  # type: ignore[arg-type]
        one_of("average", given.pop("average", usual.average), AVERAGES),  # type: ignore[arg-type]
    )
    asked = protocol(
        given.pop("fit_on", "train"),
        given.pop("pad", ""),
        str(given.pop("thresholds", "0.5")),
        given.pop("calibrate", "none"),
        refit=given.pop("refit", False),
    )
    one_of("precision", given.get("precision", "float32"), PRECISIONS)
    for name, least in (("threads", 0), ("decode_threads", 1)):
        number = given.get(name, 1)
        if type(number) is not int or not least <= number <= 1024:
            raise BadInput(f"{name}={number!r}: a whole number from {least} to 1024 is needed")
    if "decode_threads" in given:
        given["workers"] = given.pop("decode_threads")
    return {**given, **asked, "windowing": windowing}, deform


def _numbers(what: str, given: int | Iterable[int]) -> tuple[int, ...]:
    from mirbench.runs.hyperparameters import parse_seeds

    if isinstance(given, str | int) or not isinstance(given, Iterable):
        return parse_seeds(str(given), what)
    each = [str(number) for number in given]
    return parse_seeds(",".join(each) if len(each) != 1 else f"{each[0]}-{each[0]}", what)


def _typed(kind: type[Method], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    from mirbench.runs.hyperparameters import typed

    return {name: typed(kind, name, value, where) for name, value in given.items()}


def _searched(kind: type[Method], given: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    from mirbench.runs.hyperparameters import typed

    for name, values in given.items():
        if isinstance(values, str) or not isinstance(values, Iterable) or not list(values):
            raise BadInput(f"search {name}={values!r}: a list of values to try is needed")
    return {name: [typed(kind, name, value, "search") for value in values] for name, values in given.items()}


def _as_typed(given: Mapping[str, Any]) -> list[str]:
    from mirbench.runs.toml_tables import as_text

    return [f"{name}={as_text(value)}" for name, value in given.items()]


def _warn(outcomes: Sequence[Any]) -> None:
    """Say of runs without a result why, once for all that share a reason."""
    reasons = Counter(outcome.record.reason for outcome in outcomes if outcome.record.status != "done")
    reasons.update(outcome.refused for outcome in outcomes if outcome.refused)
    for reason, count in reasons.items():
        warnings.warn(f"{count} of {len(outcomes)} runs have no result: {one_message(reason)}", stacklevel=3)
