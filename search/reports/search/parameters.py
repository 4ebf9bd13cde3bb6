"""Parameters and scores: all together, and one by one."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

from search.reports.charts import GREY, NUMBER, axis_title, style
from search.reports.objectives import Objective, complete_trials
from search.reports.search.history import history_cut

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from plotly.graph_objects import Figure

_DARK_IS_LATE = [[0, "#b9d5ea"], [1, "#08306b"]]
_DARK_IS_GOOD = "Viridis"
_BRIGHTEST = 0.93
"""Where the colors end: the brightest yellow is hard to see on white."""
_WIDE = 2.5
"""Decades from which an axis has ticks at powers of ten only."""

_MOST_TICKS = 5


def together_figure(study: Study, params: list[str], objective: Objective) -> Figure:
    """Parallel coordinates: a line for each complete trial.

    Args:
        study: Optuna's, with complete trials.
        params: The parameters that are drawn.
        objective: What colors the lines.
    """
    from optuna.visualization import plot_parallel_coordinate

    figure = plot_parallel_coordinate(study, params=params, target_name=objective.label)
    style(figure)
    figure.update_layout(margin={"l": 40, "r": 60, "t": 28, "b": 8}, hovermode="closest")
    figure.update_xaxes(showline=False, showgrid=False, tickangle=0)
    lines = [trace for trace in figure.data if trace.mode == "lines" and trace.customdata is not None]
    # Optuna's colors fade into white, and one bad trial makes all others alike: ranks do not.
    ranks = sorted({line.y[objective.index] for line in lines}, reverse=objective.larger_is_better)
    colors = _colors(len(ranks))
    for line in lines:
        line.line.color = colors[ranks.index(line.y[objective.index])]
        line.opacity = 0.75
    figure.update_traces(marker={"showscale": False}, selector={"mode": "markers"})
    return figure


def _colors(count: int) -> list[str]:
    """From dark to bright."""
    from plotly.colors import sample_colorscale

    shares = [_BRIGHTEST * rank / max(1, count - 1) for rank in range(count)]
    colors: list[str] = sample_colorscale(_DARK_IS_GOOD, shares)
    return colors


def alone_figure(study: Study, name: str, objective: Objective) -> Figure:
    """The values of one parameter and the scores that came of them; later trials are darker.

    Args:
        study: Optuna's, with complete trials that have the parameter.
        name: Of the parameter.
        objective: What is drawn upwards.
    """
    from optuna.visualization import plot_slice

    target = None if objective.alone else objective.of
    figure = plot_slice(study, params=[name], target=target, target_name=objective.label)
    style(figure)
    last = max(trial.number for trial in complete_trials(study))
    said = f"{html.escape(name)}: %{{x}}<br>%{{y:{NUMBER}}}<extra></extra>"
    figure.update_traces(
        marker={"showscale": False, "size": 8, "colorscale": _DARK_IS_LATE, "cmin": 0, "cmax": max(1, last)},
        hovertemplate=f"trial %{{marker.color}}<br>{said}",
        selector={"name": "Feasible Trial"},
    )
    figure.update_traces(
        marker={"color": GREY, "symbol": "x"},
        hovertemplate=f"breaks a bound<br>{said}",
        selector={"name": "Infeasible Trial"},
    )
    trials = [trial for trial in complete_trials(study) if name in trial.params]
    figure.update_xaxes(title=html.escape(name), **_axis(trials[0].distributions[name]))
    figure.update_yaxes(title=axis_title(objective.label), range=history_cut(study, objective).span)
    return figure


def _axis(distribution: BaseDistribution) -> dict[str, Any]:
    """An axis that shows everything that could be chosen."""
    choices = getattr(distribution, "choices", None)
    if choices is not None:  # as a study file has them: Optuna draws them as Python does
        words = [str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in choices]
        return {
            "tickvals": [repr(choice) for choice in choices],
            "ticktext": [html.escape(word) for word in words],
            "range": [-0.4, len(choices) - 0.6],
        }
    low, high = float(distribution.low), float(distribution.high)  # type: ignore[attr-defined]  # of both kinds of range
    if distribution.log:  # type: ignore[attr-defined]
        ends = [math.log10(low), math.log10(high)]
        margin = 0.05 * (ends[1] - ends[0])
        ticks = _log_ticks(low, high)
        return {
            "range": [ends[0] - margin, ends[1] + margin],
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks],
            "tickangle": 0,
        }
    whole = isinstance(distribution.low, int) and high - low <= 10  # type: ignore[attr-defined]
    margin = 0.4 if whole else 0.05 * (high - low)
    return {"range": [low - margin, high + margin], **({"dtick": 1} if whole else {})}


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten; where they are few, twice and five times these as well."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if math.log10(high / low) > _WIDE else (1, 2, 5)
    ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return inside[:: 1 + (len(inside) - 1) // _MOST_TICKS] or [low, high]
