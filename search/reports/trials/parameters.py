"""Parameters and scores: their importance (PED-ANOVA) and its limits, parallel coordinates, and slices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from search.reports.charts.chart import Chart
from search.reports.charts.marks import Boxes, Dots, Label, Line, Rule
from search.reports.charts.scales import Axis
from search.reports.trials.history import Objective, breaks_bound, complete_trials, history_cut
from search.reports.trials.sample import drawn

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial


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


def importance_chart(found: Importance, *, most: int = 15) -> Chart:
    """A bar for each parameter, the most important on top.

    Args:
        found: Importances with shares.
        most: Largest number of bars.
    """
    names = found.order[:most]
    shares = [found.shares.get(name, 0.0) for name in names]
    words = [f"{share:.2f}" if share >= 0.01 else "< 0.01" for share in shares]
    bars = Boxes(
        name="importance",
        left=[0.0] * len(names),
        right=shares,
        bottom=[place - 0.32 for place in range(len(names))],
        top=[place + 0.32 for place in range(len(names))],
        texts=[_label(name, found) for name in names],
        values=words,
        labels=words,
    )
    return Chart(
        title="Importance of the parameters",
        x=Axis("share of the importance", span=(0.0, 1.12 * max(shares))),
        y=Axis(kind="words", words=tuple(_label(name, found) for name in names)),
        marks=(bars,),
    )


def _label(name: str, found: Importance) -> str:
    count = found.trials[name]
    return name if count == found.n_trials else f"{name} ({count} of {found.n_trials})"


_FAINTEST = 0.25
"""Opacity of the worst or the first trial."""
_MISSING = -0.14
"""Height of trials that do not have a parameter, below its axis from 0 to 1."""
_MOST_CHOICES = 6


def together_chart(study: Study, params: list[str], objective: Objective) -> Chart:
    """Parallel coordinates: a line for each of at most 500 complete trials, from 0 to 1 on each axis.

    Args:
        study: Optuna's study, with complete trials.
        params: The parameters to draw.
        objective: The objective that determines the opacity of a line.
    """
    trials = complete_trials(study)
    values = [objective.of(trial) for trial in trials]
    span = history_cut(study, objective).span or _ends_of(values)
    axes = [Axis(objective.label, span=span, decimals=objective.decimals)]
    axes += [_axis(name, _distribution(study, name), margin=False) for name in params]
    downward = not objective.larger_is_better  # the worst first
    ranks = {value: rank for rank, value in enumerate(sorted(set(values), reverse=downward))}
    shown = drawn(trials, _by_score(trials, objective))
    lines = []
    for trial in sorted(trials, key=objective.of, reverse=downward):
        rank = ranks[objective.of(trial)]
        best = rank == len(ranks) - 1
        shares = [min(1.0, max(0.0, axes[0].at(objective.of(trial))))]
        shares += [_share(axis, trial, name) for axis, name in zip(axes[1:], params, strict=True)]
        lines.append(
            Line(
                name="the best trial" if best else "other trials",
                label=f"trial {trial.number}",
                x=[float(place) for place in range(len(axes))],
                y=shares,
                color="orange" if best else "blue",
                width=2.4 if best else 1.3,
                opacity=_faded(rank, len(ranks)),
                listed=False,
                trials=(trial.number,),
            )
        )
    numbers = {trial.number for trial in shown}
    labels = [label for place, axis in enumerate(axes) for label in _ends(place, axis)]
    lacking = [
        Label(x=place, y=_MISSING, text="none")
        for place, name in enumerate(params, start=1)
        if any(name not in trial.params for trial in trials)
    ]
    return Chart(
        title=f"{objective.label} and parameters of each trial",
        x=Axis(kind="words", words=(objective.label, *params)),
        y=Axis(span=(_MISSING - 0.05 if lacking else -0.05, 1.05), hidden=True),
        marks=tuple(line for line in lines if line.trials[0] in numbers),
        undrawn=tuple(line for line in lines if line.trials[0] not in numbers),
        rules=tuple(Rule(at=place, dash=False) for place in range(len(axes))),
        labels=(*labels, *lacking),
        height=340,
        data=(("trial", objective.label, *params), *_rows(shown, axes, params, objective)),
        name="brush",
    )


def _rows(
    trials: list[FrozenTrial], axes: list[Axis], params: list[str], objective: Objective
) -> Iterator[tuple[str, ...]]:
    """Number, score and parameters of each trial."""
    for trial in trials:
        values = [
            axis.text(_value(axis, trial, name)) if name in trial.params else "none"
            for axis, name in zip(axes[1:], params, strict=True)
        ]
        yield str(trial.number), axes[0].text(objective.of(trial)), *values


def _share(axis: Axis, trial: FrozenTrial, name: str) -> float:
    return axis.at(_value(axis, trial, name)) if name in trial.params else _MISSING


def _value(axis: Axis, trial: FrozenTrial, name: str) -> float:
    """The position of a trial on the axis of a parameter."""
    if axis.kind != "words":
        return float(trial.params[name])
    return float(axis.words.index(_word(trial.params[name])))


def _ends(place: int, axis: Axis) -> Iterator[Label]:
    """The values at the ends of an axis, or all choices."""
    if axis.kind == "words" and len(axis.words) <= _MOST_CHOICES:
        yield from (Label(x=place, y=axis.at(number), text=word) for number, word in enumerate(axis.words))
    elif axis.kind == "words":
        yield from (Label(x=place, y=axis.at(at), text=axis.words[at]) for at in (0, len(axis.words) - 1))
    else:
        texts = (axis.text(end) if axis.decimals is not None else f"{end:.4g}" for end in axis.ends)
        yield from (Label(x=place, y=share, text=text) for share, text in zip((0, 1), texts, strict=True))


def _faded(rank: int, count: int) -> float:
    """Opacity that grows with the rank."""
    return _FAINTEST + (1 - _FAINTEST) * rank / max(1, count - 1)


def alone_chart(study: Study, name: str, objective: Objective) -> Chart:
    """The scores by the values of one parameter, of at most 500 trials; later trials are darker.

    Args:
        study: Optuna's study, with complete trials that have the parameter.
        name: The parameter.
        objective: The objective on the vertical axis.
    """
    complete = complete_trials(study)
    last = max(trial.number for trial in complete)
    trials = drawn(complete, _by_score(complete, objective))
    axis = _axis(name, _distribution(study, name))
    marks = []
    for broken in (False, True):
        shown = [trial for trial in trials if name in trial.params and breaks_bound(trial) == broken]
        if shown:
            marks.append(
                Dots(
                    name="violates a bound" if broken else "trial",
                    shape="cross" if broken else "dot",
                    color="grey" if broken else "blue",
                    x=[_value(axis, trial, name) for trial in shown],
                    y=[objective.of(trial) for trial in shown],
                    texts=[str(trial.number) for trial in shown],
                    trials=[trial.number for trial in shown],
                    opacities=[_faded(trial.number, last + 1) for trial in shown],
                )
            )
    return Chart(
        title=f"{objective.label} by {name}",
        x=axis,
        y=Axis(objective.label, span=history_cut(study, objective).span, decimals=objective.decimals),
        marks=tuple(marks),
        height=170,
    )


def _by_score(trials: list[FrozenTrial], objective: Objective) -> list[FrozenTrial]:
    return sorted(trials, key=objective.of, reverse=objective.larger_is_better)


def _distribution(study: Study, name: str) -> BaseDistribution:
    return next(trial.distributions[name] for trial in complete_trials(study) if name in trial.params)


def _axis(name: str, distribution: BaseDistribution, *, margin: bool = True) -> Axis:
    """An axis that spans the whole search space of the parameter, with or without a margin."""
    choices = getattr(distribution, "choices", None)
    if choices is not None:
        return Axis(name, kind="words", words=tuple(map(_word, choices))).fitted(())
    low, high = _ends_of((float(distribution.low), float(distribution.high)))  # type: ignore[attr-defined]  # of both kinds of range
    whole = isinstance(distribution.low, int)  # type: ignore[attr-defined]
    if distribution.log and low > 0:  # type: ignore[attr-defined]
        axis = Axis(name, kind="log", whole=whole)
        return axis.fitted((low, high)) if margin else replace(axis, span=(low, high))
    room = 0.0 if not margin else 0.4 if whole and high - low <= 10 else 0.05 * (high - low)
    return Axis(name, whole=whole, span=(low - room, high + room))


def _ends_of(values: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest value, which differ."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _word(choice: object) -> str:
    """A choice as in a study file."""
    return str(choice).lower() if isinstance(choice, bool) else str(choice)
