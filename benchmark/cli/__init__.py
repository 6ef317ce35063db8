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
from mirbench.cli.choose import choose
from mirbench.cli.compare import compare
from mirbench.cli.data import cache_app, data_app
from mirbench.cli.doctor import doctor
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
    help="A benchmark of music classification by transfer learning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
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


_COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("choose", choose),
    ("run", run),
    ("sweep", sweep),
    ("reproduce", reproduce),
    ("ensemble", ensemble),
    ("predict", predict),
    ("list", list_names),
    ("show", show),
    ("leaderboard", leaderboard),
    ("compare", compare),
    ("plot", plot),
    ("verify", verify),
    ("check", check),
    ("new", new),
    ("doctor", doctor),
)
for _name, _command in _COMMANDS:
    app.command(_name)(_command)
app.add_typer(data_app, name="data")
app.add_typer(cache_app, name="cache")
app.add_typer(results_app, name="results")


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
        say(said, error=True)
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
