"""Which parameters told the good trials from the others (PED-ANOVA), and how far that can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from search.reports.charts import BLUE, NUMBER, style
from search.reports.objectives import complete_trials

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from plotly.graph_objects import Figure

_FEWEST = 4
"""Complete trials; of fewer, the better half is no group."""
_TOP_SHARE, _TOP_LEAST = 0.1, 5
_MANY = 50
"""Complete trials from which an order of importances begins to hold."""

METHOD = (
    "PED-ANOVA (Watanabe et al. 2023, and its extension to conditional parameters, arXiv:2601.20800) asks of each "
    "parameter by itself how differently its values are spread in the best trials and in all. It sees no "
    "interaction of two parameters, nothing outside of what was searched, and does not say which value is good."
)


@dataclass(frozen=True)
class Importance:
    """What a study says about its parameters.

    Attributes:
        shares: Importance by parameter, largest first, with sum 1; empty where nothing can be said.
        trials: How many of the complete trials have the parameter.
        n_trials: Complete trials.
        n_best: Those that are called good.
        n_outside: Complete trials that break a bound of the study; PED-ANOVA does not look at bounds.
        n_objectives: Of the study.
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
        """The parameters, the most important first; by name where that is not known."""
        return sorted(self.trials, key=lambda name: (-self.shares.get(name, 0.0), name))


def importance(study: Study) -> Importance:
    """The importances of a study's parameters, or why there are none.

    Pruned trials do not count: their values are those of an early epoch. Of several objectives, the best trials are
    those nearest to the Pareto front.

    Args:
        study: Optuna's.
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
    # Half a trial less, so that rounding does not add one.
    evaluator = PedAnovaImportanceEvaluator(target_quantile=(unknown.n_best - 0.5) / count)
    found = get_param_importances(study, evaluator=evaluator, normalize=False)
    total = sum(found.values())
    if not total > 0:
        return replace(unknown, reason="the values of the best trials are spread as those of all are")
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return replace(
        unknown, n_best=_n_best(study, trials, unknown), shares={name: value / total for name, value in ordered}
    )


def _no_importance(study: Study, trials: list[FrozenTrial], known: Importance) -> str:
    """Why PED-ANOVA has nothing to compare; empty if it has."""
    if len(trials) < _FEWEST:
        return f"of complete trials there are {len(trials)}, and at least {_FEWEST} are needed"
    if not known.trials:
        return "no parameter is searched"
    values = _best_first(study, trials)
    if len(study.directions) == 1 and values[known.n_best - 1] == values[-1]:
        return "too many trials have the same score to tell the best from the others"
    return ""


def _n_best(study: Study, trials: list[FrozenTrial], known: Importance) -> int:
    """With those that are as good as the last of the best."""
    if len(study.directions) > 1:
        return known.n_best
    values = _best_first(study, trials)
    last = known.n_best - 1
    return last + values[last:].count(values[last])


def _best_first(study: Study, trials: list[FrozenTrial]) -> list[float]:
    """The values of the trials, of the first objective."""
    return sorted((trial.values[0] for trial in trials), reverse=study.directions[0].name == "MAXIMIZE")


def limits(found: Importance) -> list[str]:
    """Sentences about what the importances rest on."""
    sentences = [f"Here the best {found.n_best} of {found.n_trials} complete trials are compared with all."]
    if found.n_objectives > 1:
        sentences.append("The best are those that the fewest others beat in every objective.")
    if found.n_outside:
        sentences.append(f"{found.n_outside} of them break a bound, which is not looked at here.")
    conditional = [name for name, count in found.trials.items() if count < found.n_trials]
    if conditional:
        sentences.append(
            "A parameter that not every trial has is compared among those that have it, and counts by how many they "
            "are: their number stands beside its name."
        )
    if found.n_trials < _MANY:
        sentences.append(
            f"{found.n_trials} trials are few for {len(found.trials)} parameters: another seed could give another "
            "order, and small differences mean nothing."
        )
    return sentences


def importance_figure(found: Importance, *, most: int = 15) -> Figure:
    """A bar for each parameter, the most important on top.

    Args:
        found: With shares.
        most: Bars at most.
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
