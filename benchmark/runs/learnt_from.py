"""Which clips a run learns from: those of train, or those of valid too.

``--fit-on train-and-valid`` is for what selects nothing on valid: one fit, on both. ``--refit`` is for what does: after
it was selected on valid, one more fit, on both, of the point of the search and the epoch that were chosen. Of both the
clips come in the order of their ids, so that it does not matter which were held back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mirbench.errors import BadInput, NotApplicable
from mirbench.method import Fitted, Method, Refittable
from mirbench.plain_text import printable
from mirbench.record import FitOn
from mirbench.types import Clip, Split, Task

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["fitted_again", "held_back", "joined", "refits", "require_possible", "selects", "without_valid"]

_TUNED = {
    "--thresholds": "--thresholds valid are tuned on valid",
    "--calibrate": "--calibrate temperature is fitted on valid",
}
_SAID = {"--thresholds": "thresholds are tuned", "--calibrate": "a temperature is fitted"}


def selects(method: Method) -> bool:
    """Whether a method selects something on valid; one that does not says ``uses_valid = False``.

    Raises
    ------
    BadInput
        If that cannot be read: it may be a property of somebody else's.
    """
    try:
        return getattr(method, "uses_valid", True) is not False
    except Exception as error:
        raise BadInput(f"{method.name}: its `uses_valid` cannot be read: {printable(error, 500)}") from error


def require_possible(fit_on: FitOn, method: Method, search: Mapping[str, Sequence[Any]], *, tunes: str) -> None:
    """Refuse clips to learn from that do not go with what is selected on valid.

    Parameters
    ----------
    method : Method
        At any point of the search.
    tunes : str
        The flag that asks for something else to be tuned on valid, or ""; see `mirbench.runs.calibration`.

    Raises
    ------
    NotApplicable
        In one line that says what does go.
    """
    if fit_on == "train":
        return
    own = selects(method)
    if not _learns(method):
        raise NotApplicable(f"{_flag(fit_on)}: {method.name} learns from no clip; leave it out")
    if getattr(method, "fit_on", "train") != "train":
        raise NotApplicable(
            f"{_flag(fit_on)}: {method.name} has fit_on={method.fit_on} of its own (--set); "  # type: ignore[attr-defined]
            "leave one of the two out"
        )
    if fit_on == "train-and-valid":
        chosen = [f"{method.name} selects on valid"] if own else []
        chosen += ["--search chooses on valid"] if search else []
        chosen += [_TUNED[tunes]] if tunes else []
        if chosen and own and not refits(method):
            raise NotApplicable(f"{_flag(fit_on)}: {' and '.join(chosen)}; {_what_goes(method, chosen[1:], fit_on)}")
        if chosen:
            raise NotApplicable(
                f"{_flag(fit_on)}: {' and '.join(chosen)}; --refit fits once more, on both, with what was selected"
            )
    elif not (own or search or tunes):
        raise NotApplicable(
            f"--refit: {method.name} selects nothing on valid; --fit-on train-and-valid fits it on both, once"
        )
    elif own and not refits(method):
        others = ["--search"] * bool(search) + [tunes] * bool(tunes)
        raise NotApplicable(
            f"--refit: {method.name} selects on valid, and has no `refit`; {_what_goes(method, others, fit_on)}"
        )


def refits(method: Method) -> bool:
    """Whether a method can learn once more with no clips left to select on: `refit` of ours is of no other `fit`."""
    if not isinstance(method, Refittable):
        return False
    order = type(method).__mro__
    owner = {name: next((k for k, each in enumerate(order) if name in vars(each)), 0) for name in ("fit", "refit")}
    ours = order[owner["refit"]].__module__.startswith("mirbench.")
    return not ours or owner["refit"] <= owner["fit"]


def _what_goes(method: Method, others: Sequence[str], fit_on: FitOn) -> str:
    """What to do with a method that selects on valid, or does not say that it does not, and has no `refit`.

    Parameters
    ----------
    others : sequence of str
        What else chooses on valid.
    """
    flag = "--refit" if others else "--fit-on train-and-valid"
    where = "" if flag == _flag(fit_on) else f" and give {flag} instead"
    said = any("uses_valid" in vars(each) for each in type(method).__mro__)
    free = "" if said else f"say `uses_valid = False` in its class if its `fit` does not look at valid{where}; or "
    return f"{free}give its class `refit` and take --refit, or leave {_flag(fit_on)} out"


def _learns(method: Method) -> bool:
    return getattr(method, "uses_train", True) is not False


def _flag(fit_on: FitOn) -> str:
    return "--refit" if fit_on == "refit" else f"--fit-on {fit_on}"


def joined(train: Split, valid: Split) -> Split:
    """The clips of both, in the order of their ids."""
    return replace(train, clips=tuple(sorted(train.clips + valid.clips, key=lambda clip: clip.id)))


def fitted_again(method: Method, fitted: Fitted, both: Split, context: Context, seed: int) -> Fitted:
    """One more fit, on the clips of both, of what was selected.

    Parameters
    ----------
    method : Method
        At the point of the search that was chosen.
    fitted : Fitted
        What it learnt from train alone: its history says which epoch was kept.

    Notes
    -----
    A method that selects nothing is fitted as `fit` does it, with valid among what it learns from.
    """
    if selects(method):
        assert isinstance(method, Refittable)
        again = method.refit(both, context, seed=seed, histories=[fitted.history])
    else:
        again = method.fit(both, both, context, seed=seed)
    return without_valid(again)


def without_valid(fitted: Fitted) -> Fitted:
    """The same without what it scored on valid, of which it has learnt."""
    history = [{name: row[name] for name in row if not name.startswith("valid")} for row in fitted.history]
    return replace(fitted, history=history, valid_score=None)


def held_back(task: Task, clips: Sequence[Clip], fit_on: FitOn, method: Method, *, tunes: str, searches: bool) -> str:
    """What is said of the clips of valid before a run begins: how many are held back from training, and what for.

    "" of a method that learns from no clip, or joins those of valid by a hyperparameter of its own.

    Parameters
    ----------
    clips : sequence of Clip
        Of one fold.
    """
    if getattr(method, "fit_on", "train") != "train" or not _learns(method):
        return ""
    n_valid = sum(clip.split == "valid" for clip in clips)
    n_both = n_valid + sum(clip.split == "train" for clip in clips)
    fold = " in the first fold" if task.n_folds > 1 else ""
    drawn = ", drawn here from what the data call train," if task.valid_drawn else ""
    selected = [f"{method.name} selects"] if selects(method) else []
    selected += ["--search chooses"] if searches else []
    selected += [_SAID[tunes]] if tunes else []
    chosen = " and ".join(selected)
    if fit_on == "train-and-valid":
        return f"all {n_both} clips{fold} are learnt from, the {n_valid} of valid too: nothing is selected on those"
    if fit_on == "refit":
        return f"{chosen} on {n_valid} of {n_both} clips{fold}, valid; then all of them are learnt from"
    said = f"{n_valid} of {n_both} train clips{fold}{drawn} are held back for validation"
    if chosen:
        return f"{said}, on which {chosen}; --refit learns from all of them, with what was selected"
    return f"{said}; {method.name} selects nothing on them: --fit-on train-and-valid learns from all {n_both}"
