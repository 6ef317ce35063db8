"""The command that answers the question of the whole: which system is the best for a task, and what it costs."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from mirbench.cli.options import TaskName, Working, one_of, taking
from mirbench.plain_text import say


@taking(Working)
def choose(
    task: TaskName,
    budget: Annotated[str, typer.Option("--budget", metavar="TIME", help="How long it may take: 10min, 2h.")] = "10min",
    sources: Annotated[
        str, typer.Option("--sources", metavar="NAMES", help="Sources, with commas. Default: all that are here.")
    ] = "",
    methods: Annotated[
        str, typer.Option("--methods", metavar="NAMES", help="Methods. Default: probes, then heavier ones.")
    ] = "",
    cost: Annotated[
        str, typer.Option("--cost", metavar="NAME", help="What to save: trainable, clips-per-second or energy.")
    ] = "trainable",
    reference: Annotated[
        bool,
        typer.Option("--reference/--no-reference", help="Tell of results that ship, and of added ones."),
    ] = True,
    *,
    how: Working,
) -> None:
    """Find the best system for a task and the cheapest as good, in a race on validation clips; say it in words."""
    from mirbench.choose.choosing import COSTS
    from mirbench.choose.choosing import choose as do
    from mirbench.choose.words import words
    from mirbench.leaderboard.packs import every_pack
    from mirbench.runs.at_once.parallel import AtOnce
    from mirbench.runs.limits import parse_until
    from mirbench.runs.plan import Request

    one_of("--cost", cost, COSTS)
    seconds = parse_until(budget, "--budget")
    began = time.monotonic()
    request = Request(task=task, method="", runs=how.runs, **how.circumstance())
    at_once = AtOnce(how.jobs, tuple(how.plugin))
    racers = _names(methods), _names(sources)
    choice = do(request, *racers, cost, seconds, how.catalogue(), how.progress(), at_once)  # type: ignore[arg-type]
    packs = every_pack([]) if reference else []
    say(words(choice, _places(how), time.monotonic() - began, packs))
    if choice.interrupted:
        raise KeyboardInterrupt
    if choice.best is None:
        raise typer.Exit(1)


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _places(how: Working) -> list[str]:
    """Flags that a later command needs to find the same things, those of the records first."""
    found = ["--runs", str(how.runs)]
    if how.weights is not None:
        found += ["--weights", str(how.weights)]
    for plugin in how.plugin:
        found += ["--plugin", str(plugin)]
    return found
