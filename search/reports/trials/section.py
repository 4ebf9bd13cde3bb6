"""The search section of a report: history, learning curves, parameters, and timeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from search.config.objectives import SCORE
from search.reports.charts.chart import chart_html
from search.reports.formatting import decimals_of_study, metric_label
from search.reports.page import Cut, paragraph, wide
from search.reports.trials.history import (
    Objective,
    best_baseline,
    complete_trials,
    curves_chart,
    curves_cut,
    history_chart,
    history_cut,
    objectives,
    pareto_chart,
    score_of,
)
from search.reports.trials.parameters import (
    METHOD,
    Importance,
    alone_chart,
    importance,
    importance_chart,
    limits,
    together_chart,
)
from search.reports.trials.preference import preference_html
from search.reports.trials.sample import sampled
from search.reports.trials.timeline import timeline, timeline_chart, timeline_text
from search.study.records import StudyRecord

if TYPE_CHECKING:
    from datetime import datetime

    from optuna import Study

_LETTER, _AXIS = 7, 120
"""Distance of two axes of the parallel coordinates, in pixels."""
_MOST_BARS, _MOST_TOGETHER, _MOST_SLICES = 15, 7, 6


def search_html(study: StudyRecord, optuna_study: Study, now: datetime) -> str:
    """A chart of everything that the study has enough trials for, and a sentence where it does not.

    Args:
        study: The study.
        optuna_study: The same study, as Optuna has it.
        now: Local time.
    """
    aims = objectives(optuna_study, metric_label(study.metric), decimals_of_study(study))
    parts: list[str] = []
    if complete_trials(optuna_study):
        found = importance(optuna_study)
        parts += _history(study, optuna_study, aims)
        parts += _curves(study, optuna_study)
        parts += _importance(found)
        parts += _together(optuna_study, aims, found)
        parts += _alone(optuna_study, aims, found)
    else:
        parts.append(paragraph("Scores and parameters will be drawn once a trial is complete."))
        parts += _curves(study, optuna_study)
    return "\n".join([*parts, *_timeline(study, now)])


def front_html(study: StudyRecord, optuna_study: Study) -> str:
    """The Pareto front of a study with several objectives, each against the score; empty without a complete trial.

    Args:
        study: The study.
        optuna_study: The same study, as Optuna has it.
    """
    aims = objectives(optuna_study, metric_label(study.metric), decimals_of_study(study))
    if len(aims) == 1 or not complete_trials(optuna_study):
        return ""
    numbers = ", ".join(map(str, study.front)) or "none"
    text = (
        "Trials within the bounds that no other trial dominates (at least as good in every objective and better in "
        f"one): {numbers}."
    )
    ringed = [] if study.best is None else [f"The ring marks trial {study.best.number}, which is exported."]
    first = score_of(aims)
    charts = (chart_html(pareto_chart(study, optuna_study, first, other)) for other in aims if other != first)
    return f'{paragraph(text, *ringed)}<div class="halves">{"".join(charts)}</div>\n{preference_html(study)}'


def _history(study: StudyRecord, optuna_study: Study, aims: tuple[Objective, ...]) -> Iterator[str]:
    best = best_baseline(study)
    for aim in aims:
        yield "<h3>Optimization history</h3>" if aim.name == SCORE else f"<h3>Optimization history: {aim.label}</h3>"
        baseline = best if aim.name == SCORE else None
        hidden = history_cut(optuna_study, aim, study)
        yield paragraph(
            "The trials in order of their numbers. A pruned or stopped trial is drawn at its last score, which is that "
            "of fewer epochs or folds; failed trials have none.",
            *(["The dashed line is the best baseline."] if baseline else []),
            *_left_out(hidden, "trial"),
        )
        yield chart_html(history_chart(study, optuna_study, aim, baseline))


def _curves(study: StudyRecord, optuna_study: Study) -> Iterator[str]:
    count = sum(bool(trial.intermediate_values) for trial in optuna_study.get_trials(deepcopy=False))
    if count:
        yield "<h3>Intermediate values</h3>"
        hidden = curves_cut(optuna_study)
        yield paragraph(
            "The values that the pruner compares: the mean of a trial's best scores in its finished folds and its best "
            "score so far in the current fold. A line ends in the epoch that its trial reached.",
            *_left_out(hidden, "value"),
            *sampled(count),
        )
        best = study.best.number if study.best else None
        yield chart_html(curves_chart(study, optuna_study, best, metric_label(study.metric)))


def _importance(found: Importance) -> Iterator[str]:
    yield "<h3>Parameter importance</h3>"
    if not found.shares:
        yield paragraph(f"Importances cannot be computed: {found.reason}.")
        return
    yield paragraph(METHOD)
    bars = min(len(found.shares), _MOST_BARS)
    drawn_only = f"The {bars} most important of {len(found.shares)} parameters are drawn."
    yield paragraph(*limits(found), *([drawn_only] if bars < len(found.shares) else []))
    yield chart_html(importance_chart(found, most=_MOST_BARS))


def _together(optuna_study: Study, aims: tuple[Objective, ...], found: Importance) -> Iterator[str]:
    names = found.order[:_MOST_TOGETHER]
    if found.n_trials < 2 or not names:
        return
    score = score_of(aims)
    yield "<h3>Parallel coordinates</h3>"
    yield paragraph(
        f"Each line is a complete trial; the stronger its color, the better its {score.label}. Lines at none belong to "
        "trials that do not have the parameter. Drag along an axis, or use the sliders below, to select the trials in "
        "a range: all charts fade the others, and the leaderboard leaves them out. A click on the axis, or Clear, "
        "takes it back.",
        *_shown(len(names), found),
        *(f"{sentence} Ranges select among all of them." for sentence in sampled(len(complete_trials(optuna_study)))),
    )
    width = max(_AXIS, _LETTER * max(map(len, names)) + 12) * (1 + len(names))
    yield wide(chart_html(together_chart(optuna_study, names, score)), width=width)


def _alone(optuna_study: Study, aims: tuple[Objective, ...], found: Importance) -> Iterator[str]:
    names = found.order[:_MOST_SLICES]
    if found.n_trials < 2 or not names:
        return
    score = score_of(aims)
    hidden = history_cut(optuna_study, score)
    yield "<h3>Individual parameters</h3>"
    yield paragraph(
        "Each point is a complete trial; later trials have stronger colors. The axes span the search space.",
        *_left_out(hidden, "trial"),
        *_shown(len(names), found),
        *sampled(len(complete_trials(optuna_study))),
    )
    charts = [chart_html(alone_chart(optuna_study, name, score)) for name in names]
    yield f'<div class="grid">{"".join(charts)}</div>'


def _left_out(hidden: Cut, thing: str) -> list[str]:
    """A sentence on what a chart does not show, if there is any."""
    return [hidden.sentence(thing if hidden.hidden == 1 else f"{thing}s")] if hidden.hidden else []


def _shown(count: int, found: Importance) -> list[str]:
    total = len(found.trials)
    if count == total:
        return []
    which = "most important" if found.shares else "first by name"
    return [f"The {count} {which} of {total} parameters are drawn."]


def _timeline(study: StudyRecord, now: datetime) -> Iterator[str]:
    line = timeline(study.trials, now)
    if line.spans:
        yield "<h3>Timeline</h3>"
        yield paragraph(*timeline_text(line))
        yield chart_html(timeline_chart(line, decimals_of_study(study)))
