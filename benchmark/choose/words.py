"""A choice in plain words, a dozen lines that fit a terminal."""

from __future__ import annotations

import shlex
import shutil
import textwrap
from collections.abc import Iterator, Sequence

from mirbench.choose.as_good import MARGIN, Behind
from mirbench.choose.choosing import Choice, cost_of
from mirbench.choose.curve import Curve, tested
from mirbench.choose.elsewhere import elsewhere
from mirbench.choose.honest import chosen_anew
from mirbench.choose.race import Entrant, Race
from mirbench.choose.systems import FLOOR
from mirbench.leaderboard.best import values
from mirbench.leaderboard.columns import from_to
from mirbench.leaderboard.packs import Pack
from mirbench.leaderboard.statistics import interval
from mirbench.metrics import METRICS
from mirbench.plain_text import printable
from mirbench.record import copies
from mirbench.runs.limits import said_time

__all__ = ["words"]

_LABEL = 12
_FEW = 4


def words(choice: Choice, places: Sequence[str], seconds: float, packs: Sequence[Pack] = ()) -> str:
    """What to print at the end.

    Parameters
    ----------
    places : sequence of str
        Flags that say where records, data and weights are, for the commands.
    seconds : float
        What it took.
    packs : sequence of Pack
        Results of others, of which one line tells.
    """
    width = max(60, min(shutil.get_terminal_size((80, 24)).columns, 100))
    lines: list[str] = [_head(choice, seconds, width)]
    for label, text in _said(choice, places, packs):
        lines.append(_line(label, text, width))
    return "\n".join(lines)


def _line(label: str, text: str, width: int) -> str:
    indent = " " * _LABEL
    if text.startswith("mirbench "):
        return _command(label, printable(text), width)
    return textwrap.fill(
        printable(text), width, initial_indent=f"{label:<{_LABEL}}", subsequent_indent=indent, break_on_hyphens=False
    )


def _command(label: str, text: str, width: int) -> str:
    """A command, broken between its words so that it can be pasted."""
    lines, line = [], f"{label:<{_LABEL - 1}}"
    for word in map(shlex.quote, shlex.split(text)):
        if len(line) + len(word) > width - 3 and line.strip() != label:
            lines.append(f"{line} \\")
            line = " " * (_LABEL - 1)
        line += f" {word}"
    return "\n".join([*lines, line])


def _head(choice: Choice, seconds: float, width: int) -> str:
    race = choice.race
    n = len(race.entrants)
    text = (
        f"{choice.task.name}, {choice.split}: {n} {'system' if n == 1 else 'systems'}, {race.n_runs} runs, "
        f"{said_time(seconds)}"
        f"{', interrupted' if choice.interrupted else ''}."
    )
    return textwrap.fill(printable(text), width, break_on_hyphens=False)


def _said(choice: Choice, places: Sequence[str], packs: Sequence[Pack]) -> Iterator[tuple[str, str]]:
    race = choice.race
    if choice.best is None:
        alone = all(entrant.name == FLOOR for entrant in race.entrants)
        why = f"only {FLOOR}, which guesses, was to be tried; name others" if alone else "no time was left for one"
        yield "Nothing", "no system has a result: " + ("; ".join(_reasons(race)) or why)
        return
    yield "Best", _best(choice, choice.best)
    if n := sum({fold: copies(outcome.record) for (fold, _), outcome in choice.best.runs.items()}.values()):
        yield "Beware", f"{n} of its test clips it learnt from, as copies: this score, and what is worse, say too much"
    yield from _cheapest(choice, choice.best)
    yield from _others(choice)
    yield from _elsewhere(race, packs)
    yield "More clips", _more(choice.curve, race.metric)
    yield "Data", _data(choice)
    if choice.taking_part.absent:
        yield "Not here", f"{_listed(choice.taking_part.absent, 3)}: --sources NAME,… gets those it names"
    if race.not_begun:
        names = _listed(list(dict.fromkeys(race.not_begun)), 3)
        yield "Not done", f"for lack of time, runs of {names}: the same command goes on, --budget gives more"
    elif choice.interrupted:
        yield "Not done", "what was interrupted: the same command goes on"
    spec = choice.best.record.spec
    if spec.source.startswith(("features:", "shipped:")):
        yield "Predict", f"{spec.source} was computed elsewhere: files of your own have no such features"
    else:
        name = f"{spec.task}/{choice.best.name}"
        yield "Predict", shlex.join(["mirbench", "predict", name, "song.mp3", *places])
    yield "Page", shlex.join(["mirbench", "leaderboard", "--format", "html", *places[:2]])


def _best(choice: Choice, best: Entrant) -> str:
    race = choice.race
    text = f"{_shown(best)}: {_scored(best, race)}"
    if len(race.folds) < race.n_folds:
        text += f", on {len(race.folds)} of {race.n_folds} folds alone"
    if any(entrant.name == FLOOR for entrant in race.settled):
        text += ". Beware: guessing (prior) cannot be told from it"
    if race.n_folds > 1 and len(race.folds) == race.n_folds:
        anew = chosen_anew(race)
        if anew is not None:
            text += f". Chosen anew for each fold without the fold's test clips, it would be {anew:.3f}"
    return text


def _scored(entrant: Entrant, race: Race) -> str:
    """Its score on test clips with the interval."""
    heard = tested(entrant.runs, race.folds)
    args = heard.targets, heard.groups, heard.folds
    value = values(race.metric, [heard.scores], *args)[0]
    found = interval(race.metric, heard.scores, *args)
    where = f" (95 % {from_to(found.low, found.high)})" if found else ""
    return f"{METRICS[race.metric].name} {value:.3f}{where} on {heard.n_clips} test clips"


def _cheapest(choice: Choice, best: Entrant) -> Iterator[tuple[str, str]]:
    race = choice.race
    tied = [entrant for entrant in race.settled if entrant.name != FLOOR and entrant is not best]
    n_clips = best.heard(race.folds).n_clips
    if not tied:
        yield "Cheapest", f"the same{_alone(race)}"
        return
    own = cost_of(best, choice.cost) is not None
    instead = f" instead of {_amount(best, choice)}" if own else ""
    chosen = next((each for each in choice.cheaper if each.entrant is choice.cheapest), None)
    if chosen is not None:
        text = f"{_shown(chosen.entrant)}: {_scored(chosen.entrant, race)}, {_amount(chosen.entrant, choice)}{instead}"
        yield "Cheapest", f"{text}; surely no more than {MARGIN:g} behind: {_beside(chosen, n_clips)}"
    elif choice.cheapest is best:
        yield "Cheapest", f"the same, {_amount(best, choice)}: no cheaper one is shown to be within {MARGIN:g} of it"
    else:
        yield "Cheapest", f"by {choice.cost} is not known: no run of the best has it measured"
    if choice.cheaper and choice.cheaper[0] is not chosen:
        least = choice.cheaper[0]
        why = "it chose on these clips, which flatters it" if _flatters(least, best) else "too few clips to tell"
        text = f"{_shown(least.entrant)}, {_amount(least.entrant, choice)}{instead}: {_beside(least, n_clips)}; {why}"
        yield "Cheaper", f"and not shown to be as good: {text}"
    named = [entrant for entrant in tied if entrant is not choice.cheapest]
    if named:
        lead = race.values([best, *named], race.folds)
        said = [f"{entrant.name} ({value - lead[0]:+.3f})" for entrant, value in zip(named, lead[1:], strict=True)]
        yield (
            "Not told",
            f"from the best by {n_clips} validation clips, which does not make equal: {_listed(said, _FEW)}",
        )


def _alone(race: Race) -> str:
    """Why the best is the only one of which all is known that is known of it."""
    others = [entrant for entrant in race.entrants if entrant.name != FLOOR and entrant not in race.settled]
    if _unfinished(race):
        return ": of no other one as many validation clips are known"
    if any(entrant.by for entrant in others):
        return ": all others that were tried are surely worse on validation clips"
    return ": no other one has a result"


def _unfinished(race: Race) -> list[Entrant]:
    """Those that are in, of which fewer folds are known than of the best."""
    settled = race.settled
    return [entrant for entrant in race.racing if entrant.runs and entrant.name != FLOOR and entrant not in settled]


def _flatters(cheaper: Behind, best: Entrant) -> bool:
    return cheaper.entrant.flattered and not best.flattered


def _beside(cheaper: Behind, n_clips: int) -> str:
    """Its difference to the best, with the interval by which it is judged."""
    found = cheaper.found
    if found is None:
        return "a difference that is undefined"
    between = f"{100 * cheaper.level:.3g} % {found.low:+.3f} to {found.high:+.3f}"
    return f"{found.value:+.3f} ({between}) on {n_clips} validation clips"


def _amount(entrant: Entrant, choice: Choice) -> str:
    value = cost_of(entrant, choice.cost)
    if value is None:
        return "cost unknown"
    if choice.cost == "trainable":
        return f"{value:,.0f} trainable values"
    return f"{-value:.3g} clips a second" if choice.cost == "clips-per-second" else f"{value:.2g} kWh"


def _others(choice: Choice) -> Iterator[tuple[str, str]]:
    race = choice.race
    dropped = [entrant for entrant in race.entrants if entrant.by]
    if dropped:
        n = len(dropped)
        yield "Dropped", f"{n} {'system is' if n == 1 else 'systems are'} surely worse on validation clips"
    if unfinished := _unfinished(race):
        names = _listed([entrant.name for entrant in unfinished], _FEW)
        yield "Unknown", f"{names}: tried on fewer folds than the best, and not shown to be worse there"
    if lines := list(_reasons(race)):
        yield "Left out", "; ".join(lines[:2]) + (f"; and {len(lines) - 2} more" if len(lines) > 2 else "")


def _elsewhere(race: Race, packs: Sequence[Pack]) -> Iterator[tuple[str, str]]:
    found = elsewhere(race, packs)
    if found.best is None:
        return
    name = METRICS[race.metric].name
    summary = found.best.metrics.get(race.metric)
    value = f"{summary[0]:.3f}" if summary else "—"
    n = "1 system that was" if found.n_systems == 1 else f"the best of {found.n_systems} systems that were"
    yield "Elsewhere", f"{found.best.label}: {name} {value} on the same test clips, {n} not run here"


def _reasons(race: Race) -> Iterator[str]:
    """Why systems are out that were not dropped, each reason once."""
    held: dict[str, list[str]] = {}
    for entrant in race.entrants:
        if entrant.out and not entrant.by:
            held.setdefault(entrant.out, []).append(entrant.name)
    for why, names in held.items():
        yield f"{_listed(names, 2)}: {why}"


def _more(curve: Curve, metric: str) -> str:
    if curve.why_not or curve.last is None:
        return f"not looked at: {curve.why_not or 'the metric is undefined'}"
    last = curve.points[-1]
    said = ", ".join(f"{point.n_train}: {point.value:.3f}" for point in curve.points)
    step, n_before = curve.last, curve.points[-2].n_train
    text = (
        f"{METRICS[metric].name} with so many training clips: {said}. The last step ({n_before} to {last.n_train}) "
        f"brought {step.value:+.3f} (95 % {step.low:+.3f} to {step.high:+.3f})"
    )
    better = step.low > 0 if METRICS[metric].higher_is_better else step.high < 0
    if better:
        return f"{text}: more clips of the kind are likely to help; how much, this does not tell"
    return f"{text}: that more would help is not shown"


def _data(choice: Choice) -> str:
    trust, audit = choice.trust, shlex.join(["mirbench", "data", "audit", choice.asked])
    if not trust.looked:
        return f"not listened to ({trust.why_not}); `{audit}` does"
    said = "; ".join(trust.lines) if trust.lines else "no serious fault found"
    groups = "" if trust.groups_known else "; artists are not known, so leaks by them were not looked for"
    details = f"; details: {audit}" if trust.lines else ""
    return said + groups + details


def _shown(entrant: Entrant) -> str:
    return entrant.name.replace("+", " + ", 1)


def _listed(names: Sequence[str], most: int) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
