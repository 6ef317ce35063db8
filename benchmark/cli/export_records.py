"""The command that writes records for other tools: export records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.left_out import end
from mirbench.cli.options import Quiet, one_of
from mirbench.cli.results import Tasks
from mirbench.errors import BadInput, UnknownName
from mirbench.places import no_folder
from mirbench.plain_text import say, without_password

if TYPE_CHECKING:
    from mirbench.leaderboard.results import Question
    from mirbench.progress import Progress

__all__ = ["TARGETS", "export_records"]

_TOOLS = "csv, mlflow, trackio, every-eval-ever or hf-eval-results"


@dataclass(frozen=True)
class _Asked:
    """Where records go, and what is said of it."""

    output: Path | None
    uri: str
    hub_dataset: str
    left_out: list[str]
    progress: Progress


def export_records(
    runs: Annotated[Path, typer.Argument(metavar="RUNS", help="Folder of records, or of one system's.")] = Path("runs"),
    to: Annotated[str, typer.Option("--to", metavar="TOOL", help=f"{_TOOLS}.", show_default=False)] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="PATH", help="The file or folder. Default: named as the tool; - prints csv."),
    ] = None,
    uri: Annotated[
        str,
        typer.Option("--uri", metavar="URI", help="With mlflow: a server or store. Default: sqlite:///mlflow.db."),
    ] = "",
    hub_dataset: Annotated[
        str,
        typer.Option(
            "--hub-dataset", metavar="OWNER/NAME", help="With hf-eval-results: the benchmark's data set on the hub."
        ),
    ] = "",
    task: Tasks = [],  # noqa: B006
    quiet: Quiet = False,
) -> None:
    """Write records for another tool, whose own library reads them: a line or a run a record; for every-eval-ever and
    hf-eval-results a file a row of the leaderboard. Stand-ins, excerpts and marks are called so there, too."""
    from mirbench.progress import Progress

    if not to:
        raise BadInput(f"--to TOOL is needed: {_TOOLS}")
    one_of("--to", to, tuple(TARGETS))
    _refuse_idle(to, output, uri, hub_dataset)
    left_out: list[str] = []
    questions = _questions(runs, task, left_out)
    n_done = sum(len(s.runs) + len(s.others) for question in questions for s in question.systems)
    if not n_done:
        end(left_out)
        raise BadInput(f"{runs}: no run in it is done; `mirbench leaderboard --runs {runs}` says why")
    said = TARGETS[to](questions, _Asked(output, uri, hub_dataset, left_out, Progress(quiet=quiet)))
    say(f"{said}{_not_written(questions)}", error=True)
    end(left_out)


def _refuse_idle(to: str, output: Path | None, uri: str, hub_dataset: str) -> None:
    """Refuse options that would do nothing."""
    if uri and to != "mlflow":
        raise BadInput("--uri is where MLflow keeps runs: add --to mlflow")
    if hub_dataset and to != "hf-eval-results":
        raise BadInput("--hub-dataset is of model cards: add --to hf-eval-results")
    if output and to == "mlflow":
        raise BadInput(f"--output {output}: MLflow takes an address: --uri sqlite:///{output}")
    if str(output) == "-" and to != "csv":
        raise BadInput("--output -: only csv is printed; name a folder")


def _questions(runs: Path, tasks: Sequence[str], left_out: list[str]) -> list[Question]:
    """What the records below a folder are of; of some tasks alone, if they are named."""
    from mirbench.leaderboard.results import questions_of
    from mirbench.runs.run_folders import runs_in
    from mirbench.runs.store import RunStore
    from mirbench.spelling import in_one_spelling, on_record

    if not runs.is_dir():
        raise BadInput(f"{runs}: {no_folder(runs)}; `mirbench run` makes one")
    store = RunStore(runs, left_out)
    records = store.find_every(str(runs)) if any(runs_in(runs)) else list(store.records())
    asked = {in_one_spelling(on_record("task", name)): name for name in tasks}
    known = {in_one_spelling(record.spec.task) for _, record in records}
    for name in asked.keys() - known:
        raise UnknownName("task in these records", asked[name], known)
    return questions_of(run for run in records if not tasks or in_one_spelling(run[1].spec.task) in asked)


def _not_written(questions: Sequence[Question]) -> str:
    """What is to be said of the records that were left out, and of those that are no result on real music."""
    said = []
    if idle := sum(len(question.problems) for question in questions):
        said.append(f"{idle} that failed or were skipped {'is' if idle == 1 else 'are'} left out")
    for standing, what in (("synthesised", "on synthesised stand-ins"), ("excerpt", "on excerpts")):
        held = [question for question in questions if question.record.standing == standing]
        if n := sum(len(s.runs) + len(s.others) for question in held for s in question.systems):
            said.append(f"{n} {what} {'says' if n == 1 else 'say'} so")
    return "".join(f"; {text}" for text in said)


def _csv(questions: Sequence[Question], asked: _Asked) -> str:
    from mirbench.features.temporary import written_whole
    from mirbench.leaderboard.other_tools.csv_records import records_as_csv
    from mirbench.leaderboard.other_tools.told import told_of

    told = list(told_of(questions))
    text = records_as_csv(told)
    if str(asked.output) == "-":
        say(text, end="", whole=True)
        return _count(len(told), "record")
    path = asked.output or Path("records.csv")
    with written_whole(path) as work:
        work.write_text(text, encoding="utf-8", newline="\n")
        work.chmod(0o644)
    return f"{path}: {_count(len(told), 'record')}"


def _mlflow(questions: Sequence[Question], asked: _Asked) -> str:
    from mirbench.leaderboard.other_tools.mlflow_runs import default_uri, write_mlflow
    from mirbench.leaderboard.other_tools.told import told_of

    uri = asked.uri or default_uri()
    written, there = write_mlflow(told_of(questions), uri, asked.progress)
    look = f" (look at them: mlflow ui --backend-store-uri {uri})" if uri.startswith("sqlite:") else ""
    return f"{without_password(uri)}: {_count(written, 'run')} written, {there} there already{look}"


def _trackio(questions: Sequence[Question], asked: _Asked) -> str:
    from mirbench.leaderboard.other_tools.told import told_of
    from mirbench.leaderboard.other_tools.trackio_runs import write_trackio

    place, written, there = write_trackio(told_of(questions), asked.output, asked.progress)
    return f"{place}: {_count(written, 'run')} written, {there} there already (look at them: trackio show)"


def _every_eval(questions: Sequence[Question], asked: _Asked) -> str:
    from mirbench.leaderboard.other_tools.every_eval import write_every_eval
    from mirbench.leaderboard.table import boards_of

    folder = asked.output or Path("every-eval-ever")
    return f"{folder}: {_count(len(write_every_eval(boards_of(questions, asked.left_out), folder)), 'row')}"


def _hf(questions: Sequence[Question], asked: _Asked) -> str:
    from mirbench.leaderboard.other_tools.model_cards import write_cards
    from mirbench.leaderboard.table import boards_of

    folder = asked.output or Path("hf-eval-results")
    written = write_cards(boards_of(questions, asked.left_out), folder, asked.hub_dataset)
    return f"{folder}: {_count(len(written), 'row')}"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


TARGETS: dict[str, Callable[[Sequence[Question], _Asked], str]] = {
    "csv": _csv,
    "mlflow": _mlflow,
    "trackio": _trackio,
    "every-eval-ever": _every_eval,
    "hf-eval-results": _hf,
}
"""Tools by the names that ``--to`` takes."""
