"""The command line. Exit codes: 0 done, 1 some runs failed, 2 bad input, 75 runs are left for lack of time,
130 interrupted, 143 ended by SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from mirbench import __version__
from mirbench.cli.bring import bring
from mirbench.cli.choose import choose
from mirbench.cli.compare import compare
from mirbench.cli.completion import complete
from mirbench.cli.data import cache_app, data_app
from mirbench.cli.doctor import doctor
from mirbench.cli.examples import BEGIN, EXAMPLES
from mirbench.cli.export import export_app
from mirbench.cli.help import Command, Group, said
from mirbench.cli.looking import check, list_names, show
from mirbench.cli.new import new
from mirbench.cli.packs import results_app
from mirbench.cli.plot import plot
from mirbench.cli.predict import predict
from mirbench.cli.reproduce import reproduce
from mirbench.cli.results import leaderboard
from mirbench.cli.running import ensemble, run
from mirbench.cli.sweep import sweep
from mirbench.cli.verify import verify
from mirbench.errors import MirbenchError
from mirbench.features.claims import give_back_everything
from mirbench.installation import broken
from mirbench.plain_text import finish, one_message, prepare, say
from mirbench.runs.stopping import last_words, stoppable

__all__ = ["main"]

app = typer.Typer(
    name="mirbench",
    help="Which way of reusing which pretrained model classifies music best, and at what cost.",
    epilog=said("To begin", BEGIN),
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)


def _version(asked: bool) -> None:
    if asked:
        say(f"mirbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


_RUN, _READ, _LOOK, _OWN = "Get results", "Read results", "Look things up", "Plugins of yours"

_COMMANDS: tuple[tuple[str, str, Callable[..., None], str], ...] = (
    (_RUN, "choose", choose, "A race of systems on your music, and its answer in words."),
    (_RUN, "run", run, "One method on one task: every seed and fold."),
    (_RUN, "sweep", sweep, "The runs of a suite, at once or on a cluster if you like."),
    (_RUN, "reproduce", reproduce, "A paper's table: printed results and ours, side by side."),
    (_RUN, "import", bring, "Predictions that were made elsewhere, scored as a row."),
    (_RUN, "ensemble", ensemble, "The mean of what several runs predicted, as a run."),
    (_READ, "leaderboard", leaderboard, "All results as a table, a file, LaTeX or a web page."),
    (_READ, "compare", compare, "Which of two systems is better, and how sure that is."),
    (_READ, "verify", verify, "Compute scores of records again, or repeat their runs."),
    (_READ, "plot", plot, "A figure for a paper: accuracy against cost, intervals, …."),
    (_READ, "predict", predict, "Classes of audio files of your own, by a trained model."),
    (_LOOK, "list", list_names, "Names of tasks, methods, sources and suites."),
    (_LOOK, "show", show, "What a task, method, source or suite is, and its settings."),
    (_LOOK, "doctor", doctor, "What is installed and here, what is missing, what to do."),
    (_OWN, "new", new, "A file of a method, source or task, with its test."),
    (_OWN, "check", check, "Whether it keeps to the rules."),
)
for _panel, _name, _command, _short in _COMMANDS:
    _examples = said("Examples", EXAMPLES[_name])
    app.command(_name, cls=Command, short_help=_short, rich_help_panel=_panel, epilog=_examples)(complete(_command))
for _data_command in data_app.registered_commands:
    if _data_command.callback is not None:
        complete(_data_command.callback)
_GROUPS = ((_LOOK, "data", data_app), (_LOOK, "cache", cache_app), (_LOOK, "results", results_app))
for _panel, _name, _app in (*_GROUPS, (_READ, "export", export_app)):
    app.add_typer(_app, name=_name, cls=Group, rich_help_panel=_panel, epilog=said("Examples", EXAMPLES[_name]))


def main() -> None:
    """Run the command line: what the user did wrong is one line and exit code 2, never a traceback."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    prepare()
    code = _exit_code()
    sys.exit(code if finish() else code or 1)


def _exit_code() -> int:
    """Do what was typed; its exit code."""
    signals: list[int] = []
    try:
        with stoppable(signals):
            code = int(app(standalone_mode=False) or 0)
    except MirbenchError as error:
        return _refused(error)
    except Exception as error:
        if said := _of_usage(error) or _in_a_line(error):
            return _refused(said)
        raise
    except KeyboardInterrupt:  # most are turned into an exit code by typer
        code = 130
    if code == 130 and not signals:
        signals = [signal.SIGINT]
    if not signals:
        return code
    give_back_everything()
    say(last_words(signals[0]), error=True)
    return 128 + signals[0]


def _refused(said: object) -> int:
    say(f"mirbench: {one_message(said)}", error=True)
    return 2


def _of_usage(error: Exception) -> str:
    """What typer has against what was typed; "" of any other error."""
    if not hasattr(error, "format_message"):
        return ""
    said = str(error.format_message())
    if said.startswith("Usage: "):  # nothing was typed
        typer.echo(said, err=True)  # which leaves out the colours where nobody sees them
        sys.exit(2)
    where = getattr(error, "ctx", None)
    path = where.command_path if where else "mirbench"
    return f"{said.rstrip('.')}{'' if said.endswith('?') else ';'} `{path} --help` says what there is"


def _in_a_line(error: Exception) -> str:
    """What is to be said of a broken installation, or of a file system that refuses; "" of a bug."""
    if said := broken(error):
        return str(said)
    if not isinstance(error, OSError):
        return ""
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
