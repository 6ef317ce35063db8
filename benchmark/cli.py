"""The command line. Exit codes: 0 done, 1 some runs failed, 2 bad input, 130 interrupted."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench import __version__
from mirbench.errors import BadInput, MirbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirbench.audio import Facts
    from mirbench.plan import Request
    from mirbench.progress import Progress
    from mirbench.registry import Catalogue
    from mirbench.types import Clip, Excerpt, Task, Windowing

__all__ = ["main"]

app = typer.Typer(
    name="mirbench",
    help="A benchmark of music classification by transfer learning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Fetch and verify data sets.", no_args_is_help=True)
cache_app = typer.Typer(help="Look at and clear computed rows.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(cache_app, name="cache")

_PRECISIONS = ("float32", "bfloat16", "float16")

TaskName = Annotated[str, typer.Argument(help="Name of a task; see `mirbench list tasks`.")]
DataRoot = Annotated[
    Path | None, typer.Option("--data", help="Folder of data sets. Default: MIRBENCH_DATA or ~/mirbench-data.")
]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder of records.")]
Plugins = Annotated[list[Path], typer.Option("--plugin", help="A file with a method, task or source of yours.")]
WeightsFolder = Annotated[
    Path | None, typer.Option("--weights", help="Folder of weights, looked in first. Default: MIRBENCH_WEIGHTS.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda[:N].")]
Precision = Annotated[str, typer.Option("--precision", help="float32, bfloat16 or float16.")]
Workers = Annotated[int, typer.Option("--workers", help="Threads that decode audio.", min=1)]
Threads = Annotated[
    int, typer.Option("--threads", help="Threads of torch; set it where others use the cores. Default: all.", min=0)
]
Energy = Annotated[bool, typer.Option("--energy", help="Measure the energy of training (codecarbon).")]
Deform = Annotated[
    str,
    typer.Option(
        "--deform",
        metavar="NAMES",
        help="Score the test clips deformed, too: all, or some of gain,noise,mp3,lowpass,stretch,pitch.",
    ),
]
Demo = Annotated[bool, typer.Option("--demo", help="Run the task's synthesised stand-in.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]


def main() -> None:
    """Run the command line: what the user did wrong is one line and exit code 2, never a traceback."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        app()
    except (MirbenchError, OSError) as error:
        print(f"mirbench: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as end:  # typer has turned Ctrl-C into this
        if end.code == 130:
            print("mirbench: interrupted; finished runs are on record, the same command goes on", file=sys.stderr)
        raise


def _version(asked: bool) -> None:
    if asked:
        print(f"mirbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@app.command()
def run(
    task: Annotated[str, typer.Option("--task", help="Name of a task.")],
    method: Annotated[str, typer.Option("--method", help="Name of a method.")],
    source: Annotated[str, typer.Option("--source", help="Name of a source. Default: ast, if one is needed.")] = "",
    seeds: Annotated[str, typer.Option("--seeds", help="How many (5), a range (0-4) or a list (0,3).")] = "5",
    fold: Annotated[int | None, typer.Option("--fold", help="One fold only. Default: all.")] = None,
    settings: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter of the method.")
    ] = [],  # noqa: B006  (typer copies it)
    search: Annotated[
        list[str], typer.Option("--search", metavar="NAME=A,B", help="Values to try; chosen on valid.")
    ] = [],  # noqa: B006
    source_settings: Annotated[
        list[str], typer.Option("--source-set", metavar="NAME=VALUE", help="An option of the source.")
    ] = [],  # noqa: B006
    windows: Annotated[
        str, typer.Option("--windows", help="nonoverlap, nonoverlap-plus-tail or hopped16.")
    ] = "nonoverlap",
    average: Annotated[str, typer.Option("--average", help="Average windows' prob or logit.")] = "prob",
    data: DataRoot = None,
    weights: WeightsFolder = None,
    runs: RunsFolder = Path("runs"),
    device: Device = "auto",
    precision: Precision = "float32",
    workers: Workers = 2,
    threads: Threads = 0,
    plugin: Plugins = [],  # noqa: B006
    energy: Energy = False,
    deform: Deform = "",
    demo: Demo = False,
    quiet: Quiet = False,
) -> None:
    """Run a method on a task, with a source if it needs one; what is on record is read back."""
    from mirbench.effects import parse_deform
    from mirbench.hyperparameters import parse_method, parse_search, parse_source
    from mirbench.plan import DEFAULT_SOURCE, Request
    from mirbench.progress import Progress
    from mirbench.report import report
    from mirbench.runner import run as do

    # what needs no torch is refused first
    chosen_seeds, windowing, deformations = _seeds(seeds), _windowing(windows, average), parse_deform(deform)
    _one_of("--precision", precision, _PRECISIONS)
    catalogue = _catalogue(plugin, data, weights)
    kind = catalogue.method(method)
    request = Request(
        task=task,
        method=method,
        source=source,
        seeds=chosen_seeds,
        folds=None if fold is None else (fold,),
        params=parse_method(kind, settings),
        search=parse_search(kind, search),
        windowing=windowing,
        data=data,
        weights=weights,
        runs=runs,
        device=device,
        precision=precision,
        energy=energy,
        workers=workers,
        threads=threads,
    )
    progress = Progress(quiet=quiet)
    request, banner = _or_demo(request, catalogue, demo)
    if kind.needs:
        card = catalogue.source(request.source or DEFAULT_SOURCE)
        request = _with(request, source_params=parse_source(card, source_settings))
    elif source_settings:
        raise BadInput(f"--source-set {source_settings[0]}: {method} uses no source")
    if banner:
        print(banner)
    if not report(do(request, catalogue, progress, deformations), request.runs, demo=bool(banner)):
        raise typer.Exit(1)


def _or_demo(request: Request, catalogue: Catalogue, asked: bool) -> tuple[Request, str]:
    """The request, or its stand-in with a banner that says so."""
    from mirbench.datasets import default_data_root
    from mirbench.plan import DEMO_SOURCE, demo_needed

    task = catalogue.task(request.task)
    if asked and not task.demo:
        if task.synthesise is not None:
            return request, ""
        raise BadInput(f"--demo: {task.name} has no stand-in")
    if not asked and not demo_needed(request, catalogue):
        return request, ""
    why = "as asked" if asked else f"no --data was given and {default_data_root()} does not exist"
    needs_source = bool(catalogue.method(request.method).needs)
    source = request.source or (DEMO_SOURCE if needs_source else "")
    with_source = f" with the source {source}" if source else ""
    banner = (
        f"DEMO: {task.demo}{with_source} ({why}).\n"
        f"It is synthesised audio that stands in for {task.name}; its numbers say nothing about music.\n"
        f"Real music: `mirbench data get gtzan-mini` (100 clips), `mirbench show {task.name}`, --data FOLDER.\n"
    )
    return _with(request, task=task.demo, source=source, data=None, folds=None), banner


@app.command()
def sweep(
    suite: Annotated[str, typer.Argument(help="A TOML file of runs, or the name of one that ships with mirbench.")],
    data: DataRoot = None,
    weights: WeightsFolder = None,
    runs: RunsFolder = Path("runs"),
    device: Device = "auto",
    precision: Precision = "float32",
    workers: Workers = 2,
    threads: Threads = 0,
    plugin: Plugins = [],  # noqa: B006
    energy: Energy = False,
    demo: Demo = False,
    quiet: Quiet = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and which are on record.")] = False,
) -> None:
    """Do every run of a suite that is not on record; one that cannot be done is shown with its reason."""
    from mirbench import sweep as sweeps
    from mirbench.progress import Progress
    from mirbench.suite import read_suite

    catalogue = _catalogue(plugin, data, weights)
    circumstance = {
        "data": data,
        "weights": weights,
        "runs": runs,
        "device": device,
        "precision": _one_of("--precision", precision, _PRECISIONS),
        "workers": workers,
        "threads": threads,
        "energy": energy,
    }
    asked = read_suite(suite, catalogue, circumstance)
    if demo:
        asked = sweeps.as_demo(asked, catalogue)
        print("DEMO: synthesised stand-ins, as asked; their numbers say nothing about music.")
    if dry_run:
        sweeps.print_plan(asked, catalogue)
    elif not sweeps.report(asked, sweeps.run_suite(asked, catalogue, Progress(quiet=quiet))):
        raise typer.Exit(1)


@app.command()
def ensemble(
    members: Annotated[
        list[str],
        typer.Argument(metavar="RUN RUN …", help="Folders of runs, keys, METHOD+SOURCE or TASK/METHOD+SOURCE."),
    ],
    runs: RunsFolder = Path("runs"),
    average: Annotated[str, typer.Option("--average", help="Average scores (prob) or their ranks (rank).")] = "prob",
    weights: Annotated[str, typer.Option("--weights-of", metavar="A,B", help="Weights of the members.")] = "",
) -> None:
    """Average what recorded runs predicted, and record the result as a run."""
    from mirbench.ensemble import AVERAGES, combine, parse_weights, report
    from mirbench.store import RunStore

    if not runs.is_dir():
        raise BadInput(f"--runs {runs}: no such folder; `mirbench run` makes one")
    _one_of("--average", average, AVERAGES)
    report(combine(RunStore(runs), members, average, parse_weights(weights)))


@app.command("list")
def list_names(
    kind: Annotated[str, typer.Argument(help="tasks, methods, sources or suites; all if left out.")] = "",
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """Names that can be used, one line each."""
    kinds = {"tasks": "task", "methods": "method", "sources": "source", "suites": "suite"}
    chosen = [_one_of("list", kind, tuple(kinds))] if kind else list(kinds)
    catalogue = _catalogue(plugin)
    for plural in chosen:
        kind = kinds[plural]
        names = _suites() if kind == "suite" else catalogue.names(kind) | catalogue.families(kind)
        if kind == "task":  # each has a stand-in, which would double the list
            names = {name: summary for name, summary in names.items() if not name.endswith("-demo")}
            names["TASK-demo"] = "a synthesised stand-in that needs no download"
            names |= {f"TASK{word}": summary for word, summary in catalogue.modifiers().items()}
        width = max(map(len, names))
        if len(chosen) > 1:
            print(f"{plural}:")
        for name, summary in names.items():
            print(f"  {name:<{width}}  {summary}")


def _suites() -> dict[str, str]:
    """Suites that ship with mirbench, and their titles."""
    import tomllib

    from mirbench.suite import shipped

    return {name: tomllib.loads(path.read_text("utf-8"))["title"] for name, path in shipped().items()}


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A task, method, source or suite.")],
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """The card of a task or source, the hyperparameters of a method, or the text of a suite."""
    from mirbench.cards import describe
    from mirbench.suite import shipped

    if name in shipped():
        print(shipped()[name].read_text("utf-8"), end="")
        return
    print(describe(name, _catalogue(plugin)))


@app.command()
def leaderboard(
    runs: RunsFolder = Path("runs"),
    output: Annotated[Path | None, typer.Option("--output", help="Default: leaderboard.md in the runs folder.")] = None,
) -> None:
    """Print the tables of all records and write them as markdown."""
    from mirbench.leaderboard.render import markdown
    from mirbench.leaderboard.table import boards

    if not runs.is_dir():
        raise BadInput(f"--runs {runs}: no such folder; `mirbench run` makes one")
    found = boards(runs)
    if not found:
        raise BadInput(f"--runs {runs}: no records in it; `mirbench run` makes some")
    text = markdown(found)
    target = output or runs / "leaderboard.md"
    target.write_text(text, encoding="utf-8")
    print(text)
    print(f"written to {target}", file=sys.stderr)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A plugin file.")],
) -> None:
    """Run the conformance checks on a plugin's methods, tasks and sources."""
    from mirbench.checks import check_plugin
    from mirbench.progress import Progress
    from mirbench.registry import load_plugin

    found = check_plugin(load_plugin(file), Progress())
    for name, problems in found.items():
        print(f"{name}: {'conforms' if not problems else f'{len(problems)} problem(s)'}")
        for problem in problems:
            print(f"  - {problem}")
    if any(found.values()):
        raise typer.Exit(1)


@data_app.command("get")
def data_get(task: TaskName, data: DataRoot = None, plugin: Plugins = []) -> None:  # noqa: B006
    """Download a data set, check it, unpack it under the data root."""
    from mirbench.datasets import default_data_root
    from mirbench.progress import Progress
    from mirbench.tasks.archives import get_task

    catalogue = _catalogue(plugin, data)
    root = data or default_data_root()
    fetch = catalogue.fetcher(task)
    target = fetch(root, Progress()) if fetch else get_task(catalogue.task(task), root, Progress())
    print(f"{task} is in {target}")
    data_check(task, data=root, plugin=plugin)


@data_app.command("check")
def data_check(task: TaskName, data: DataRoot = None, plugin: Plugins = []) -> None:  # noqa: B006
    """Verify layout, counts and every audio file of a data set."""
    from mirbench.cache import default_cache
    from mirbench.checks import check_data
    from mirbench.datasets import dataset_folder
    from mirbench.progress import Progress

    card = _catalogue(plugin, data).task(task)
    progress = Progress()
    folder = dataset_folder(card, data, default_cache(), progress)
    problems = check_data(card, folder, default_cache(), progress)
    if problems:
        raise BadInput(f"{task} in {folder}:\n  " + "\n  ".join(problems))
    count = f"{card.n_clips} clips" if card.n_clips else "clips"
    print(f"{task} in {folder}: {count}, all readable, layout and counts as on the card")


@data_app.command("stats")
def data_stats(
    task: TaskName,
    data: DataRoot = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write it as JSON too.")] = None,
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """Clips, length and loudness of each class; clips alone where there is no audio."""
    import json

    from mirbench.cache import default_cache
    from mirbench.datasets import read_labels
    from mirbench.progress import Progress
    from mirbench.tasks.statistics import as_text, describe

    card, progress = _catalogue(plugin, data).task(task), Progress()
    folds, folder = read_labels(card, data, default_cache(), progress)
    found = describe(card, folds, _facts(card, folds, default_cache(), progress))
    print(as_text(found))
    if found["minutes"] is None:
        where = f"in {folder}" if folder else "on this machine"
        print(f"\nNo audio of it is {where}: clips are counted, nothing is heard.")
    if json_file:
        json_file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"written to {json_file}", file=sys.stderr)


def _facts(card: Task, folds: Sequence[Sequence[Clip]], cache: Path, progress: Progress) -> dict[Excerpt, Facts]:
    """What looking at a task's audio tells; nothing where there is none, or pictures in its place."""
    from mirbench.audio import survey
    from mirbench.types import Split, excerpts

    if card.medium == "picture" or any(clip.path is None for clips in folds for clip in clips):
        return {}
    return survey([p for clips in folds for p in excerpts(Split(card, tuple(clips)))], cache / "files.sqlite", progress)


@data_app.command("audit")
def data_audit(
    task: TaskName,
    data: DataRoot = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the findings as JSON too.")] = None,
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """Find what makes scores untrustworthy: duplicates across splits, groups in two splits, silence, clipping."""
    from mirbench.cache import default_cache
    from mirbench.datasets import dataset_folder, read_task
    from mirbench.progress import Progress
    from mirbench.tasks.audit import as_json, audit, summary

    card, progress = _catalogue(plugin, data).task(task), Progress()
    folds = read_task(card, dataset_folder(card, data, default_cache(), progress))
    findings = audit(card, folds, default_cache(), progress)
    print(summary(findings, len({clip.id for clips in folds for clip in clips})))
    if json_file:
        json_file.write_text(as_json(findings) + "\n", encoding="utf-8")
        print(f"written to {json_file}", file=sys.stderr)
    if any(finding.across for finding in findings):
        raise typer.Exit(1)


@cache_app.command("info")
def cache_info() -> None:
    """Where the cache is and how much it holds."""
    from mirbench.cache import default_cache

    root = default_cache()
    print(f"{root}")
    for part in sorted(root.iterdir()) if root.is_dir() else []:
        size = sum(f.stat().st_size for f in [part, *part.rglob("*")] if f.is_file())
        print(f"  {part.name:<16} {size / 1e6:10.1f} MB")


@cache_app.command("clear")
def cache_clear() -> None:
    """Remove computed rows and synthesised audio; downloaded weights stay."""
    from mirbench.cache import default_cache

    for name in ("rows", "synthesised", "files.sqlite", "audit.sqlite"):
        path = default_cache() / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
    print(f"cleared {default_cache()}")


def _catalogue(plugins: list[Path], data: Path | None = None, weights: Path | None = None) -> Catalogue:
    from mirbench.registry import Catalogue, load_plugin

    return Catalogue([load_plugin(path) for path in plugins], data, weights)


def _with(request: Request, **changes: object) -> Request:
    from dataclasses import replace

    return replace(request, **changes)  # type: ignore[arg-type]


def _windowing(windows: str, average: str) -> Windowing:
    from mirbench.types import Windowing

    _one_of("--windows", windows, ("nonoverlap", "nonoverlap-plus-tail", "hopped16"))
    _one_of("--average", average, ("prob", "logit"))
    return Windowing(windows, average)  # type: ignore[arg-type]


def _one_of(flag: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise BadInput(f"{flag} {value}: one of {', '.join(known)} is needed")
    return value


def _seeds(text: str) -> tuple[int, ...]:
    from mirbench.hyperparameters import parse_seeds

    return parse_seeds(text)


if __name__ == "__main__":
    main()
