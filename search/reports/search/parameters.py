"""Parameters and scores: their importance (PED-ANOVA) and its limits, parallel coordinates, and slices."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from search.reports.page import BLUE, GREY, NUMBER, axis_title, style
from search.reports.search.history import Objective, complete_trials, history_cut

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial
    from plotly.graph_objects import Figure


_FEWEST = 4
"""Fewest complete trials: half of fewer is too small a group to compare."""
_TOP_SHARE, _TOP_LEAST = 0.1, 5
_MANY = 50
"""Number of complete trials from which the order of importances becomes reliable."""

METHOD = (
    "PED-ANOVA (Watanabe et al. 2023, and its extension to conditional parameters, arXiv:2601.20800) measures for each "
    "parameter by itself how much the distribution of its values in the best trials differs from that in all trials. "
    "It captures no interactions between parameters, says nothing about values outside of the search space, and does "
    "not tell which value is good."
)


@dataclass(frozen=True)
class Importance:
    """Importances of the parameters of a study.

    Attributes:
        shares: Importance by parameter, largest first, summing to 1; empty if they cannot be computed.
        trials: Number of complete trials that have the parameter, by parameter.
        n_trials: Number of complete trials.
        n_best: Number of trials in the group of the best.
        n_outside: Number of complete trials that violate a bound of the study; PED-ANOVA ignores bounds.
        n_objectives: Number of objectives of the study.
        reason: Why there are no importances.
    """

    shares: dict[str, float]
    trials: dict[str, int]
    n_trials: int
    n_best: int
    n_outside: int = 0
    n_objectives: int = 1
    reason: str = ""

    @property
    def order(self) -> list[str]:
        """The parameters, the most important first; sorted by name where importances are unknown."""
        return sorted(self.trials, key=lambda name: (-self.shares.get(name, 0.0), name))


def importance(study: Study) -> Importance:
    """The importances of a study's parameters, or the reason why there are none.

    Pruned trials are excluded, because their values come from an early epoch. With several objectives, the best trials
    are those closest to the Pareto front.

    Args:
        study: Optuna's study.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    trials = [trial for trial in complete_trials(study) if all(map(math.isfinite, trial.values))]
    names = sorted({name for trial in trials for name in trial.params})
    count = len(trials)
    unknown = Importance(
        shares={},
        trials={name: sum(name in trial.params for trial in trials) for name in names},
        n_trials=count,
        n_best=max(math.ceil(_TOP_SHARE * count), min(_TOP_LEAST, count // 2)),
        n_outside=sum(any(value > 0 for value in trial.constraints.values()) for trial in trials),
        n_objectives=len(study.directions),
    )
    reason = _no_importance(study, trials, unknown)
    if reason:
        return replace(unknown, reason=reason)
    # Half a trial less, so that rounding does not add a trial.
    evaluator = PedAnovaImportanceEvaluator(target_quantile=(unknown.n_best - 0.5) / count)
    found = get_param_importances(study, evaluator=evaluator, normalize=False)
    total = sum(found.values())
    if not total > 0:
        return replace(unknown, reason="values are distributed in the best trials as they are in all trials")
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return replace(
        unknown, n_best=_n_best(study, trials, unknown), shares={name: value / total for name, value in ordered}
    )


def _no_importance(study: Study, trials: list[FrozenTrial], known: Importance) -> str:
    """Why PED-ANOVA cannot be computed; empty if it can."""
    if len(trials) < _FEWEST:
        return f"at least {_FEWEST} complete trials are needed, and there are {len(trials)}"
    if not known.trials:
        return "the study searches no parameter"
    values = _best_first(study, trials)
    if len(study.directions) == 1 and values[known.n_best - 1] == values[-1]:
        return "too many trials have the same score to separate the best from the others"
    return ""


def _n_best(study: Study, trials: list[FrozenTrial], known: Importance) -> int:
    """The number of the best trials, ties with the last of them included."""
    if len(study.directions) > 1:
        return known.n_best
    values = _best_first(study, trials)
    last = known.n_best - 1
    return last + values[last:].count(values[last])


def _best_first(study: Study, trials: list[FrozenTrial]) -> list[float]:
    """The values of the first objective, the best first."""
    return sorted((trial.values[0] for trial in trials), reverse=study.directions[0].name == "MAXIMIZE")


def limits(found: Importance) -> list[str]:
    """Sentences about what the importances are based on."""
    sentences = [f"Here the best {found.n_best} of {found.n_trials} complete trials are compared with all."]
    if found.n_objectives > 1:
        sentences.append("The best are those that are dominated by the fewest other trials.")
    if found.n_outside:
        sentences.append(f"{found.n_outside} of them violate a bound, which is ignored here.")
    conditional = [name for name, count in found.trials.items() if count < found.n_trials]
    if conditional:
        sentences.append(
            "A conditional parameter is compared among the trials that have it and weighted by their number, which is "
            "given next to its name."
        )
    if found.n_trials < _MANY:
        sentences.append(
            f"{found.n_trials} trials are few for {len(found.trials)} parameters: another seed could give a different "
            "order, and small differences are not meaningful."
        )
    return sentences


def importance_figure(found: Importance, *, most: int = 15) -> Figure:
    """A bar for each parameter, the most important on top.

    Args:
        found: Importances with shares.
        most: Largest number of bars.
    """
    from plotly.graph_objects import Bar, Figure

    names = found.order[:most][::-1]
    shares = [found.shares.get(name, 0.0) for name in names]
    labels = [_label(name, found) for name in names]
    bars = Bar(
        x=shares,
        y=labels,
        orientation="h",
        marker={"color": BLUE},
        text=[f"{share:.2f}" if share >= 0.01 else "< 0.01" for share in shares],
        textposition="outside",
        cliponaxis=False,
        hovertemplate=f"%{{y}}: %{{x:{NUMBER}}}<extra></extra>",
    )
    figure = Figure(bars)
    style(figure)
    figure.update_layout(margin_r=48)
    figure.update_xaxes(title="share of the importance", rangemode="tozero")
    return figure


def _label(name: str, found: Importance) -> str:
    count = found.trials[name]
    return name if count == found.n_trials else f"{name} ({count} of {found.n_trials})"


_DARK_IS_LATE = [[0, "#b9d5ea"], [1, "#08306b"]]
_DARK_IS_GOOD = "Viridis"
_BRIGHTEST = 0.93
"""End of the color scale: the brightest yellow is hard to see on white."""
_WIDE = 2.5
"""Number of decades from which an axis has ticks at powers of ten only."""
_MOST_TICKS = 5


def together_figure(study: Study, params: list[str], objective: Objective) -> Figure:
    """Parallel coordinates: a line for each complete trial.

    Args:
        study: Optuna's study, with complete trials.
        params: The parameters to draw.
        objective: The objective that determines the color of a line.
    """
    from optuna.visualization import plot_parallel_coordinate

    figure = plot_parallel_coordinate(study, params=params, target_name=objective.label)
    style(figure)
    figure.update_layout(margin={"l": 40, "r": 60, "t": 28, "b": 8}, hovermode="closest")
    figure.update_xaxes(showline=False, showgrid=False, tickangle=0)
    lines = [trace for trace in figure.data if trace.mode == "lines" and trace.customdata is not None]
    # Optuna's colors fade to white, and a single outlier makes all others look alike; ranks avoid both.
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
    """The scores by the values of one parameter; later trials are darker.

    Args:
        study: Optuna's study, with complete trials that have the parameter.
        name: The parameter.
        objective: The objective on the vertical axis.
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
        hovertemplate=f"violates a bound<br>{said}",
        selector={"name": "Infeasible Trial"},
    )
    trials = [trial for trial in complete_trials(study) if name in trial.params]
    figure.update_xaxes(title=html.escape(name), **_axis(trials[0].distributions[name]))
    figure.update_yaxes(title=axis_title(objective.label), range=history_cut(study, objective).span)
    return figure


def _axis(distribution: BaseDistribution) -> dict[str, Any]:
    """An axis that spans the whole search space of the parameter."""
    choices = getattr(distribution, "choices", None)
    if choices is not None:  # labels as in a study file; Optuna's are Python's repr
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
    """Powers of ten; on a short axis also their multiples by two and five."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if math.log10(high / low) > _WIDE else (1, 2, 5)
    ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return inside[:: 1 + (len(inside) - 1) // _MOST_TICKS] or [low, high]
