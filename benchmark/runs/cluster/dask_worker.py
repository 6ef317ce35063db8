"""What the workers of a Dask cluster are asked (see `dask_sweep`): who they are, what is to do, a run.

Questions and answers are text of JSON, and a run comes back as bytes beside it, whatever Dask does to send them. What
goes wrong with a run is in its record; what a worker cannot do is an answer, and no exception.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput, MirbenchError, MissingData, MissingExtra, NotApplicable
from mirbench.features.temporary import temporary, using
from mirbench.installation import version_of
from mirbench.places import weights_folder
from mirbench.plain_text import printable
from mirbench.plugin_file import load_plugin
from mirbench.progress import Progress
from mirbench.record import RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.plan import Plan, Request, make_plan
from mirbench.types import Windowing
from mirbench.unverified import VARIABLE

__all__ = ["do_run", "introduce", "software", "told_of", "what_is_asked"]

_COMPUTE = (
    "mirbench", "torch", "torchaudio", "torchvision", "timm", "transformers", "numpy", "scipy", "scikit-learn",
    "soundfile", "soxr", "pillow",
)  # fmt: skip
"""Distributions on which numbers depend."""

_FOLDERS = ("mirbench", "mirbench.tasks", "mirbench.methods", "mirbench.leaderboard")
_KINDS = ("tasks", "methods", "sources")
_OWN = ("runs", "cache", "rows")
"""Of a request, what is a place of whoever does it."""

_MOST_SAID = 2000
_held = ExitStack()
_one_at_a_time = threading.Lock()
"""Random numbers, threads and memory are of a process: what runs beside a run would change it, or its costs."""


@functools.cache  # of the code that this process imported, not of what lies there when it is asked
def software() -> dict[str, str]:
    """On what numbers depend: versions, and hashes of the code of mirbench and of installed plugins."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    found |= {name: version_of(name).partition("+")[0] for name in _COMPUTE}  # "+cu130" is on what it computes
    found["the code of mirbench"] = _code_sha256()
    for point in (point for kind in _KINDS for point in importlib.metadata.entry_points(group=f"mirbench.{kind}")):
        found[f"the plugin {point.value}"] = _file_sha256(point.module)
    return found


def _file_sha256(module: str) -> str:
    try:
        found = importlib.util.find_spec(module)
    except ImportError:
        found = None
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()[:12] if found and found.origin else ""


def _code_sha256() -> str:
    held: dict[str, bytes] = {}
    for package in _FOLDERS:
        for folder in importlib.import_module(package).__path__:
            parts = package.split(".")[1:]
            held |= {
                "/".join([*parts, path.relative_to(folder).as_posix()]): path.read_bytes()
                for path in Path(folder).rglob("*.py")
            }
    total = hashlib.sha256()
    for name in sorted(held):
        total.update(f"{name} {hashlib.sha256(held[name]).hexdigest()}\n".encode())
    return total.hexdigest()[:12]


def introduce(told: str) -> str:
    """On what numbers depend in this process, and whether it sees the file that it is told of, with what is in it."""
    asked = json.loads(told)
    try:
        shares = Path(asked["file"]).read_text(encoding="utf-8") == asked["text"]
    except (OSError, ValueError):
        shares = False
    return json.dumps({"software": software(), "shares": shares})


def told_of(request: Request, plugins: Sequence[Path]) -> dict[str, Any]:
    """A request and its plugin files in the words of JSON; paths as they are here."""
    asked: dict[str, Any] = {}
    for field in fields(request):
        value = getattr(request, field.name)
        if isinstance(value, Windowing):
            value = asdict(value)
        elif isinstance(value, Path):
            value = str(value.absolute())
        asked |= {} if field.name in _OWN else {field.name: value}
    # as Latin-1 any bytes are text, whatever the file says of its own encoding
    texts = [[path.name, path.read_bytes().decode("latin-1")] for path in plugins]
    return {"request": asked, "plugins": texts, "unverified": os.environ.get(VARIABLE, "")}


def _understood(asked: Mapping[str, Any], folder: Path) -> tuple[Request, Catalogue]:
    """The request that was told, with what it can name; plugin files are written to the folder and loaded from it."""
    given = dict(asked["request"])
    for name in ("data", "weights"):
        given[name] = None if given[name] is None else Path(given[name])
    for name in ("seeds", "folds"):
        given[name] = None if given[name] is None else tuple(given[name])
    request = Request(**given | {"windowing": Windowing(**given["windowing"])}, runs=folder / "runs")
    plugins = []
    for number, (name, text) in enumerate(asked["plugins"]):
        path = folder / f"plugin{number}" / Path(name).name
        path.parent.mkdir()
        path.write_bytes(text.encode("latin-1"))
        plugins.append(load_plugin(path))
    return request, Catalogue(plugins, request.data, request.weights)


@contextmanager
def _alone(asked: Mapping[str, Any]) -> Iterator[tuple[Request, Catalogue]]:
    """What is asked, while this process does nothing else; it may fetch what the user may fetch unverified."""
    with _one_at_a_time, temporary() as folder:
        before = os.environ.get(VARIABLE, "")
        os.environ[VARIABLE] = asked["unverified"] or before
        try:
            request, catalogue = _understood(asked, folder)
            try:
                weights_folder(request.weights)
            except BadInput as error:
                raise MissingData(str(error)) from error
            with using(request.cache):
                yield request, catalogue
        finally:
            os.environ[VARIABLE] = before


def _explained(error: Exception) -> str:
    """The answer of a worker that cannot do it; another may, unless the method is not for that source."""
    lacks = isinstance(error, MissingData | MissingExtra)
    said = str(error) if isinstance(error, MirbenchError) else f"{type(error).__name__}: {error}"
    never = isinstance(error, NotApplicable)
    return json.dumps({"cannot": printable(said, _MOST_SAID), "skipped": lacks or never, "never": never})


def what_is_asked(told: str) -> str:
    """The runs of a request, with the hashes of data and weights as they are here."""
    try:
        with _alone(json.loads(told)) as (request, catalogue):
            return json.dumps(_settled(make_plan(request, catalogue, Progress(quiet=True))))
    except (Exception, SystemExit) as error:
        return _explained(error)  # type: ignore[arg-type]


def _settled(plan: Plan) -> dict[str, Any]:
    from mirbench.runs.attempt import unfinished
    from mirbench.runs.record_file import as_text

    blank = json.loads(as_text(unfinished(plan.specs[0], plan)))
    return {"blank": blank, "runs": [[spec.fold, spec.seed] for spec in plan.specs], "unable": plan.unable}


def do_run(told: str) -> tuple[str, bytes]:
    """Do one run; where the folder of records is not shared it comes back, packed.

    Of another folder of records than one's own nothing is known, so it is done anew there; in a shared one it is left
    to another process that is at it.
    """
    try:
        asked = json.loads(told)
        with _alone(asked) as (request, catalogue):
            return _done(asked, request, catalogue)
    except (Exception, SystemExit) as error:
        return _explained(error), b""  # type: ignore[arg-type]


@functools.cache
def _own_runs() -> Path:
    """A folder for runs that are sent away, until this process ends: their speed holds for others of their system."""
    return _held.enter_context(temporary()) / "runs"


def _done(asked: Mapping[str, Any], request: Request, catalogue: Catalogue) -> tuple[str, bytes]:
    from mirbench.runs.cluster.packed_run import pack
    from mirbench.runs.run_folders import clip_list_name
    from mirbench.runs.store import RunStore

    if asked["runs"]:
        return _answer(asked, replace(request, runs=Path(asked["runs"])), catalogue)[0], b""
    for earlier in _own_runs().glob(f"*/*/{asked['key']}"):
        shutil.rmtree(earlier)
    answer, spec = _answer(asked, replace(request, runs=_own_runs()), catalogue)
    folder = RunStore(_own_runs()).folder(spec)
    packed = pack(folder, folder.parents[1] / clip_list_name(spec.task_version))
    for path in folder.iterdir():
        if path.name != "record.json":
            path.unlink()
    return answer, packed


def _answer(asked: Mapping[str, Any], request: Request, catalogue: Catalogue) -> tuple[str, RunSpec]:
    """Do the run, unless another process is at it."""
    from mirbench.runs.runner import Job

    job = Job(request, catalogue, Progress(quiet=True))
    (spec,) = job.plan.specs
    if spec.key != asked["key"]:
        raise BadInput(job.plan.unable or _another(spec, asked))
    if holders := job.do_free():
        return json.dumps({"held": sorted(holders)[0]}), spec
    (outcome,) = job.finish()
    return json.dumps({"status": outcome.record.status, "reason": outcome.record.reason}), spec


def _another(spec: RunSpec, asked: Mapping[str, Any]) -> str:
    """What is not here as it is with the worker that said what is to do."""
    what = {"audio_sha256": f"clips of {spec.task}", "source_sha256": f"weights of {spec.source}"}
    differ = [said for name, said in what.items() if getattr(spec, name) != asked[name]]
    return f"its {' and '.join(differ) or 'settings'} are others than those of the worker that was asked first"
