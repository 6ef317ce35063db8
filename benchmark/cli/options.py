"""Options that several commands share, and what reads them."""

from __future__ import annotations

import functools
import inspect
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, get_type_hints

import typer

from mirbench.api.asking import PRECISIONS, refuse_contradictions
from mirbench.api.asking import one_of as one_of
from mirbench.errors import BadInput
from mirbench.plain_text import say

if TYPE_CHECKING:
    from mirbench.progress import Progress
    from mirbench.registry import Catalogue

_MOST_THREADS, _MOST_JOBS = 1024, 256

WHAT, WHERE, HOW, COST = "Options", "Where things are", "How it is computed", "What is measured besides"
"""Panels of options in help texts; typer's own is the first."""


def about(panel: str, *names: str, **facts: Any) -> Any:
    """An option in a panel of the help text."""
    return typer.Option(*names, rich_help_panel=panel, **facts)


TaskName = Annotated[str, typer.Argument(metavar="TASK", help="Name of a task; see `mirbench list tasks`.")]
DataRoot = Annotated[
    Path | None,
    about(WHERE, "--data", metavar="FOLDER", help="Data sets. Default: MIRBENCH_DATA or ~/mirbench-data."),
]
RunsFolder = Annotated[Path, about(WHERE, "--runs", metavar="FOLDER", help="Records.")]
Plugins = Annotated[
    list[Path],
    about(WHERE, "--plugin", metavar="FILE", help="A method, task or source of yours.", show_default=False),
]
PlacesGiven = Annotated[
    list[str],
    about(
        WHERE,
        "--as",
        metavar="NAME=PLACE",
        help="Where own data, features or models lie: csv:songs=csv:/music/songs.csv.",
        show_default=False,
    ),
]
WeightsFolder = Annotated[
    Path | None,
    about(WHERE, "--weights", metavar="FOLDER", help="Weights, looked in first. Default: MIRBENCH_WEIGHTS."),
]
Device = Annotated[str, about(HOW, "--device", metavar="NAME", help="auto, cpu, cuda or cuda:N.")]
Precision = Annotated[str, about(HOW, "--precision", metavar="NAME", help="float32, bfloat16 or float16.")]
DecodeThreads = Annotated[int, about(HOW, "--decode-threads", metavar="N", help="Threads that decode audio.")]
Workers = Annotated[int | None, typer.Option("--workers", help="As --decode-threads.", hidden=True)]
Jobs = Annotated[int, about(HOW, "--jobs", metavar="N", help="Runs at once, each in a process; they share the cores.")]
Threads = Annotated[
    int, about(HOW, "--threads", metavar="N", help="Threads of torch. Default: all.", show_default=False)
]
Energy = Annotated[bool, about(COST, "--energy", help="The energy of training (codecarbon).")]
Sealed = Annotated[bool, about(COST, "--sealed", help="Predict in a process that knows no label and no file name.")]
Stacked = Annotated[bool, about(HOW, "--stack", help="Train seeds and searches together if it can; takes no times.")]
Deform = Annotated[
    str,
    about(
        COST,
        "--deform",
        metavar="NAMES",
        help="Scores of deformed clips: all, or some of gain,noise,mp3,lowpass,stretch,pitch.",
    ),
]
Demo = Annotated[bool, about(WHAT, "--demo", help="On the task's synthesised stand-in.")]
AllowUnverified = Annotated[
    bool, about(WHERE, "--allow-unverified", help="Fetch what has no checksum or no https address, too.")
]
Quiet = Annotated[bool, about(HOW, "--quiet", help="No progress.")]


@dataclass(frozen=True)
class Machine:
    """Options of every command that computes: where things are, on what, and what else can be named."""

    data: DataRoot = None
    weights: WeightsFolder = None
    device: Device = "auto"
    decode_threads: DecodeThreads = 2
    workers: Workers = None
    threads: Threads = 0
    plugin: Plugins = field(default_factory=list)
    allow_unverified: AllowUnverified = False
    quiet: Quiet = False

    def __post_init__(self) -> None:
        within("--decode-threads", self.decode_threads, 1, _MOST_THREADS)
        within("--threads", self.threads, 0, _MOST_THREADS)

    def with_plugins(self, more: Iterable[Path]) -> Self:
        """The same with more plugin files, each once."""
        held = {path.resolve(): path for path in [*self.plugin, *more]}
        return replace(self, plugin=list(held.values()))

    def catalogue(self) -> Catalogue:
        """All that can be named, with plugins."""
        return catalogue_of(self.plugin, self.data, self.weights)

    def progress(self) -> Progress:
        """What says how far it is."""
        from mirbench.progress import Progress

        return Progress(quiet=self.quiet)

    def circumstance(self, *, here: bool = True) -> dict[str, Any]:
        """Where things are and on what to compute, by the names of `mirbench.runs.plan.Request`.

        Parameters
        ----------
        here : bool
            Whether they are places of this machine.
        """
        from mirbench.places import weights_folder

        if here and self.weights is not None:
            weights_folder(self.weights)  # refused before any work
        names = ("data", "weights", "device", "threads")
        return {"workers": self.decode_threads, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True)
class Working(Machine):
    """Options of the commands that do runs."""

    runs: RunsFolder = Path("runs")
    jobs: Jobs = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        within("--jobs", self.jobs, 1, _MOST_JOBS)


@dataclass(frozen=True)
class Recording(Working):
    """Options of the commands that do runs as a user asks for them."""

    precision: Precision = "float32"
    energy: Energy = False
    sealed: Sealed = False
    stack: Stacked = False
    deform: Deform = ""
    demo: Demo = False

    def circumstance(self, *, here: bool = True) -> dict[str, Any]:
        """The same, with where records go and how runs are measured."""
        precision = one_of("--precision", self.precision, PRECISIONS)
        refuse_contradictions(sealed=self.sealed, deform=self.deform, stack=self.stack, energy=self.energy)
        own = {name: getattr(self, name) for name in ("runs", "energy", "sealed", "stack")}
        return {**super().circumstance(here=here), "precision": precision, **own}


def taking(options: type[Machine]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function whose parameter `how` holds these options: typer sees each, after its own."""
    kinds = get_type_hints(options, include_extras=True)
    shared = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=option.default if option.default_factory is MISSING else option.default_factory(),
            annotation=kinds[option.name],
        )
        for option in fields(options)
    ]

    def command_of(function: Callable[..., None]) -> Callable[..., None]:
        written = inspect.signature(function, eval_str=True)
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in written.parameters.items()
            if name != "how"
        ]

        @functools.wraps(function)
        def command(**given: Any) -> None:
            how = options(**{option.name: given.pop(option.name) for option in shared})
            if how.workers is not None:  # as it was called once
                say(f"--workers is called --decode-threads now: {how.workers} threads decode audio", error=True)
                how = replace(how, decode_threads=how.workers)
            allow_unverified(how.allow_unverified)
            function(**given, how=how)

        del command.__wrapped__  # its signature is no longer that of the function
        command.__signature__ = written.replace(parameters=[*own, *shared])  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
        return command

    return command_of


def allow_unverified(asked: bool) -> None:
    """Let this process, and those that it starts, fetch what cannot be verified."""
    if asked:
        from mirbench.unverified import VARIABLE

        os.environ[VARIABLE] = "1"


def catalogue_of(plugins: list[Path], data: Path | None = None, weights: Path | None = None) -> Catalogue:
    """All that can be named, with plugins."""
    from mirbench.plugin_file import load_plugin
    from mirbench.registry import Catalogue

    return Catalogue([load_plugin(path) for path in plugins], data, weights)


def finite(flag: str, value: float | None) -> float | None:
    """The value, if it is a number: typer's bounds let "nan" through."""
    if value is not None and not math.isfinite(value):
        raise BadInput(f"{flag} {value}: a number is needed")
    return value


def within(flag: str, value: int, least: int, most: int) -> int:
    """The value, if it is between these."""
    if not least <= value <= most:
        raise BadInput(f"{flag} {value}: {least} to {most} is needed")
    return value
