"""Curves of a search: models of a grid on valid, epoch by epoch, averaged by value, as rommel2023's Figures 1 to 3."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mirbench.errors import BadInput
from mirbench.leaderboard.drawn import task_said
from mirbench.leaderboard.figures import DOUBLE, blank, one_line, styled
from mirbench.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["by_value", "in_panels", "searched"]

What = Literal["error", "loss"]

_A_PANEL = 5
"""Values of a hyperparameter in one panel, as in rommel2023's Figures 2 and 3."""
_A_ROW = 3


def searched(records: Sequence[RunRecord]) -> RunRecord:
    """Of some records that of the largest search whose models have curves, the first of equals.

    Raises
    ------
    BadInput
        If there is none.
    """
    found = [record for record in records if record.trials and all(t.get("valid_losses") for t in record.trials)]
    if not found:
        raise BadInput(
            "plot sweep: no run here is a search whose models have curves; `mirbench run --search lr=…` of a method "
            "that trains in epochs leaves one (records of earlier versions have none)"
        )
    return max(found, key=lambda record: len(record.trials))


@styled
def by_value(record: RunRecord, width: float = DOUBLE) -> Figure:
    """Mean error on valid by epoch, a line a value, a panel each hyperparameter of the search (Figure 1).

    Parameters
    ----------
    record : RunRecord
        Of a search, as `searched` finds one.
    """
    names = _names(record)
    figure = blank(width, 0.3 + 2.1 * len(names))
    for panel, name in zip(figure.subplots(len(names), squeeze=False)[:, 0], names, strict=True):
        curves = _mean_curves(record, name, "error")
        colours = _colours(len(curves))
        for colour, (value, curve) in zip(colours, curves.items(), strict=True):
            _line(panel, curve, colour, value)
        panel.set_ylabel(_label(record, "error"))
        panel.set_title(f"a line a value of {name}, the mean of {_n_members(record, name)} models", loc="left")
        _scale(figure, panel, name, list(curves))
    figure.supxlabel(_caption(record), fontsize=6.5)
    return figure


@styled
def in_panels(record: RunRecord, what: What, width: float = DOUBLE) -> Figure:
    """Mean error or loss on valid by epoch, five values a panel of that hyperparameter with most (Figures 2, 3)."""
    name = max(_names(record), key=lambda name: len(record.spec.search[name]))
    curves = list(_mean_curves(record, name, what).items())
    groups = [curves[first : first + _A_PANEL] for first in range(0, len(curves), _A_PANEL)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    n_columns = min(_A_ROW, len(groups))
    n_rows = -(-len(groups) // n_columns)
    figure = blank(width, 0.4 + 1.55 * n_rows)
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True).ravel()
    for panel, group in zip(panels, groups, strict=False):
        for colour, (value, curve) in zip(_colours(len(group)), group, strict=True):
            _line(panel, curve, colour, value)
        panel.legend(title=name, title_fontsize=6.5, handlelength=1.2, labelspacing=0.2)
    for panel in panels[len(groups) :]:
        panel.set_axis_off()
    figure.supylabel(_label(record, what), fontsize=7)
    figure.supxlabel(_caption(record), fontsize=6.5)
    return figure


def _names(record: RunRecord) -> list[str]:
    """Hyperparameters of which more than one value was tried; one where there is no such."""
    return [name for name, values in record.spec.search.items() if len(values) > 1] or list(record.spec.search)[:1]


def _mean_curves(record: RunRecord, name: str, what: What) -> Mapping[str, Any]:
    """Mean over the models of each value, in the order of the values, as far as all of them came."""
    column = "valid_losses" if what == "loss" else "valid_scores"
    groups: dict[Any, list[Sequence[float]]] = defaultdict(list)
    for trial in record.trials:
        groups[trial["params"][name]].append(trial[column])
    found = {}
    for value, members in groups.items():
        n_epochs = min(map(len, members))
        mean = np.mean([[np.nan if x is None else x for x in member[:n_epochs]] for member in members], axis=0)
        found[_said(value)] = 100 * (1 - mean) if what == "error" and _metric(record) == "accuracy" else mean
    return found


def _n_members(record: RunRecord, name: str) -> int:
    return len(record.trials) // max(1, len(record.spec.search[name]))


def _metric(record: RunRecord) -> str:
    return next(iter(record.metrics), "score")


def _label(record: RunRecord, what: What) -> str:
    if what == "loss":
        return "loss on valid"
    return "error on valid, %" if _metric(record) == "accuracy" else f"{_metric(record)} on valid"


def _said(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["viridis"](0.92 * k / max(1, count - 1)) for k in range(count)]


def _line(panel: Axes, curve: Any, colour: Any, value: str) -> None:
    panel.plot(range(1, len(curve) + 1), curve, color=colour, lw=0.9, label=value, gid=f"curve-{value}",
               marker="." if len(curve) == 1 else "")  # fmt: skip
    panel.grid(visible=True, axis="y")


def _scale(figure: Figure, panel: Axes, name: str, values: Sequence[str]) -> None:
    """Which colour is which value: a legend of a few, else a bar of colours from the first to the last."""
    if len(values) <= 2 * _A_PANEL + 1:
        panel.legend(title=name, title_fontsize=6.5, loc="center left", bbox_to_anchor=(1.0, 0.5), labelspacing=0.2)
        return
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    shown = ScalarMappable(Normalize(0, len(values) - 1), ListedColormap(_colours(len(values))))
    bar = figure.colorbar(shown, ax=panel, pad=0.01, aspect=30)
    places = np.linspace(0, len(values) - 1, 5).round().astype(int)
    bar.set_ticks(list(places), labels=[values[place] for place in places])
    bar.set_label(name)


def _caption(record: RunRecord) -> str:
    spec = record.spec
    system = f"{spec.method} + {spec.source}" if spec.source else spec.method
    fold = f", fold {spec.fold} of {record.n_folds}" if record.n_folds > 1 else ""
    models = f"{len(record.trials)} models of {one_line(system)}"
    return f"epoch; {models} on {task_said(spec.task, record.standing)}{fold}, seed {spec.seed}"
