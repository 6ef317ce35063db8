"""The command plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.left_out import end
from mirbench.cli.options import RunsFolder, finite, one_of
from mirbench.cli.results import Tasks, read_boards
from mirbench.errors import BadInput, UnknownName
from mirbench.plain_text import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mirbench.leaderboard.table import Board

KINDS = ("pareto", "forest", "box", "ranks", "sweep", "classes", "positives", "curve", "layers")


def plot(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="|".join(KINDS),
            help="ranks: over several tasks; sweep: figures of a search; curve: from few clips to all; layers: probes.",
        ),
    ],
    runs: RunsFolder = Path("runs"),
    task: Tasks = [],  # noqa: B006
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="Default: the task's first.")] = "",
    cost: Annotated[
        str, typer.Option("--cost", metavar="NAME", help="Of pareto: trainable, total, train-seconds, gflops, ….")
    ] = "trainable",
    width: Annotated[
        float, typer.Option("--width", metavar="INCHES", help="3.5 is a column, 7 a page.", min=2.5, max=20)
    ] = 7.0,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help=".png, .svg or .pdf. Default: in the runs folder.")
    ] = None,
    printed: Annotated[
        str, typer.Option("--printed", metavar="SUITE", help="Of box, classes, positives: printed numbers beside ours.")
    ] = "",
    demo: Annotated[bool, typer.Option("--demo", help="With --printed: of `mirbench reproduce SUITE --demo`.")] = False,
    reference: Annotated[bool, typer.Option("--reference", help="Draw results that were not run here, too.")] = False,
) -> None:
    """Draw a figure for a paper from the records."""
    one_of("plot", kind, KINDS)
    if printed and kind not in ("box", "classes", "positives"):
        raise BadInput(f"plot {kind} --printed: printed numbers stand beside ours in box, classes and positives")
    finite("--width", width)
    from mirbench.leaderboard.columns import COSTS

    if cost not in COSTS:  # before a table is asked for
        raise UnknownName("cost", cost, COSTS)
    target = output or runs / f"{kind}.png"
    from mirbench.leaderboard.figures import save, suffix_of
    from mirbench.leaderboard.render import of_tasks

    suffix_of(target)  # before any work
    left_out: list[str] = []
    if kind == "sweep":
        for number, figure in enumerate(
            _of_search(of_tasks(read_boards(runs, left_out, reference, task), task), width)
        ):
            part = target.with_stem(f"{target.stem}-{number + 1}")
            save(figure, part)
            say(f"written to {part}", error=True)
        end(left_out)
        return
    if printed:
        from mirbench.cli.plot_printed import drawn_of

        figure, n_ours = drawn_of(kind, printed, runs, width, left_out, demo=demo)
        if not n_ours:
            say(f"no run of it is on record in {runs}: only printed numbers are drawn", error=True)
        save(figure, target)
        say(f"written to {target}", error=True)
        end(left_out)
        return
    if kind == "curve":
        save(_curve(read_boards(runs, left_out, reference, task), task, metric, width), target)
        say(f"written to {target}", error=True)
        end(left_out)
        return
    figure = _drawn(kind, of_tasks(read_boards(runs, left_out, reference, task), task), metric, cost, width)
    save(figure, target)
    say(f"written to {target}", error=True)
    end(left_out)


def _drawn(kind: str, boards: Sequence[Board], metric: str, cost: str, width: float) -> Figure:
    import matplotlib

    from mirbench.leaderboard import plots

    matplotlib.use("agg")  # else it looks for a window
    if kind == "ranks":
        return plots.ranks(boards, metric, width)
    if len(boards) > 1:
        names = ", ".join(board.title for board in boards)
        raise BadInput(f"plot {kind}: draws one table; name one of these with --task: {names}")
    if kind in ("classes", "positives"):
        from mirbench.leaderboard import class_plots
        from mirbench.leaderboard.drawn import axis_label

        series, n_present, used = class_plots.series_of_board(boards[0], metric)
        label = axis_label(boards[0], used.removesuffix("-per-class"))
        if kind == "classes":
            return class_plots.by_class(series, label, width)
        return class_plots.by_positives(series, n_present, label, width, "clips of test that have the class")
    if kind == "layers":
        from mirbench.leaderboard.layer_plot import by_layer

        return by_layer(boards[0], metric, width)
    if kind == "pareto":
        return plots.pareto(boards[0], metric, cost, width)
    return {"forest": plots.forest, "box": plots.box}[kind](boards[0], metric, width)


def _curve(boards: Sequence[Board], tasks: Sequence[str], metric: str, width: float) -> Figure:
    import matplotlib

    from mirbench.leaderboard.curve_plot import curve
    from mirbench.leaderboard.few_clips import asked_for

    matplotlib.use("agg")
    return curve(asked_for(boards, tasks, metric), width)


def _of_search(boards: Sequence[Board], width: float) -> Iterator[Figure]:
    """Curves by value, then errors and losses in panels."""
    import matplotlib

    from mirbench.leaderboard.sweep_figures import by_value, in_panels, searched

    matplotlib.use("agg")
    record = searched([run.record for board in boards for row in board.rows for run in row.system.runs])
    yield by_value(record, width)
    yield in_panels(record, "error", width)
    yield in_panels(record, "loss", width)
