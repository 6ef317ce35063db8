"""The command line. Exit codes: 0 done, 1 some runs failed, 2 bad input, 130 interrupted, 143 ended by SIGTERM."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from mirbench import __version__
from mirbench.cli.compare import compare
from mirbench.cli.data import cache_app, data_app
from mirbench.cli.doctor import doctor
from mirbench.cli.looking import check, list_names, show
from mirbench.cli.plot import plot
from mirbench.cli.predict import predict
from mirbench.cli.reproduce import reproduce
from mirbench.cli.results import leaderboard
from mirbench.cli.running import ensemble, run, sweep
from mirbench.cli.stopping import STOPPED, last_words, stoppable
from mirbench.cli.verify import verify
from mirbench.errors import MirbenchError
from mirbench.features.claims import give_back_everything
from mirbench.installation import broken

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
        print(f"mirbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


_COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
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
    ("doctor", doctor),
)
for _name, _command in _COMMANDS:
    app.command(_name)(_command)
app.add_typer(data_app, name="data")
app.add_typer(cache_app, name="cache")


def main() -> None:
    """Run the command line: what the user did wrong is one line and exit code 2, never a traceback."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        with stoppable():
            app()
    except MirbenchError as error:
        print(f"mirbench: {error}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        if not (said := _in_a_line(error)):
            raise
        print(f"mirbench: {said}", file=sys.stderr)
        sys.exit(2)
    except (SystemExit, KeyboardInterrupt) as end:  # typer turns most of Ctrl-C into the first
        code = 130 if isinstance(end, KeyboardInterrupt) else end.code
        if not (isinstance(code, int) and code in STOPPED):
            raise
        give_back_everything()
        print(last_words(code - 128), file=sys.stderr)
        sys.exit(code)


def _in_a_line(error: Exception) -> str:
    """What is to be said of a broken installation, or of a file system that refuses; "" of a bug."""
    if said := broken(error):
        return str(said)
    if not isinstance(error, OSError):
        return ""
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
