"""The outcome of a study: progress, verdict, leaderboard, failures, and the best architecture."""

from __future__ import annotations

import html
from collections import Counter
from typing import TYPE_CHECKING, Any

from lstmgru.errors import SpecError, shorten
from search.reports.charts.scales import decimals_of, fixed
from search.reports.diagram.draw import network_svg
from search.reports.formatting import better, counted, metric_label
from search.reports.leaderboard import Row, is_blended, leaderboard, leaderboard_columns
from search.reports.page import Line, details, paragraph, table
from search.reports.task_pages import candidate
from search.study.records import HoldoutRecord, StudyRecord, TrialRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from search.reports.task_pages import TaskPages
    from search.space.space import Model, Settings

_SHOWN_TRIALS = 15
_SHOWN_NUMBERS = 10


def status(study: StudyRecord) -> str:
    """Sentences on the progress of the study, as HTML."""
    counts = Counter[str](trial.state for trial in study.trials)
    if not counts:
        return paragraph("The study has no trials yet.")
    sentences = [f"{counted(len(study.trials), 'trial')}: {', '.join(study.counted_states)}."]
    if counts["RUNNING"]:
        sentences.append(
            "The study is running, or was killed while these trials were running; this page shows its state at the "
            "time of writing."
        )
    elif counts["WAITING"]:
        sentences.append("The study was interrupted; run the same command to resume it.")
    if not counts["COMPLETE"]:
        sentences.append("No trial is complete, so nothing is known about the parameters yet.")
    return paragraph(*sentences)


def verdict(study: StudyRecord, pages: TaskPages) -> str:
    """The verdict and all metrics on the holdout, as HTML."""
    holdout = study.holdout
    if holdout is None:
        return paragraph("There is no verdict yet: the holdout is scored once, after the search.")
    again: list[str] = []
    if holdout.looks > 1:
        again.append(
            f"The holdout has been scored for {holdout.looks} models of this study, so it is no longer fully "
            "untouched by the search."
        )
    boxed = f'<p class="verdict">{html.escape(holdout.verdict)}</p>\n'
    return boxed + paragraph(*again) + _metrics(study, holdout, pages.holdout_metrics(holdout))


def _metrics(study: StudyRecord, holdout: HoldoutRecord, beside: str) -> str:
    ordered = sorted(holdout.metrics.items(), key=lambda item: item[0] != study.metric)
    lines = [
        Line((metric_label(name), fixed(score, decimals_of([score]))), "winner" if name == study.metric else "")
        for name, score in ordered
    ]
    scores = table(("metric", "winner, holdout"), lines, numbers=("winner, holdout",))
    return f'<div class="beside"><div>{scores}</div>\n<div>{beside}</div></div>\n' if beside else scores


def leaderboard_html(study: StudyRecord) -> str:
    """Trials and baselines as HTML, best first; if there are many trials, the worst are folded away."""
    rows = leaderboard(study)
    if not rows:
        return paragraph("No trial is complete, and the baselines are not scored yet.")
    columns = leaderboard_columns(study.goal, blended=is_blended(study))
    shown: list[Line] = []
    hidden: list[Line] = []
    trials = 0
    for rank, row in enumerate(rows, start=1):
        trials += row.trial is not None
        marked = (row.pareto and not study.goal.single) or row.weight is not None
        folded = row.trial is not None and trials > _SHOWN_TRIALS and not marked
        line = Line((str(rank), *(column.cell(row) for column in columns)), _mark(row))
        (hidden if folded else shown).append(line)
    head = ("#", *(column.name for column in columns))
    numbers = ("#", *(column.name for column in columns if not column.is_text))
    text = paragraph(
        f"Scores are {metric_label(study.metric)}, {better(study)}: the mean over the folds, and for the "
        f"{_exported(study)} and the baselines the score on the holdout, which the search never saw.",
        *_blend(study),
        *_goal(study),
    )
    main = table(head, shown, numbers=numbers)
    if not hidden:
        return text + main
    return text + main + details(f"{len(hidden):,} more", table(head, hidden, numbers=numbers))


def _exported(study: StudyRecord) -> str:
    return "blend, the best trial" if is_blended(study) else "winner"


def _blend(study: StudyRecord) -> list[str]:
    """What the blend is."""
    if not is_blended(study):
        return []
    return [
        "The exported model is the blend, the mean of its members with the weights of the table; they were selected by "
        "the score on the folds (Caruana et al. 2004)."
    ]


def _mark(row: Row) -> str:
    if row.kind != "trial":
        return "winner" if row.kind == "blend" else "baseline"
    return "winner" if row.holdout is not None else "outside" if row.broken else ""


def _goal(study: StudyRecord) -> list[str]:
    """Bounds and further objectives, and the trial that is best by them."""
    goal, best = study.goal, study.best
    sentences = []
    if goal.bounds:
        breaking = sum(bool(study.broken(trial)) for trial in study.complete)
        sentences.append(
            f"Trials that violate a bound ({', '.join(map(str, goal.bounds))}) cannot win and come last: {breaking} "
            f"of {len(study.complete)}."
        )
    if not goal.single and best is not None:
        weights = ", ".join(f"{name} {weight:g}" for name, weight in goal.prefer.items())
        how = f"preferred by the weights {weights}" if weights else "the one with the best score"
        sentences.append(f"Starred trials are on the Pareto front; of these, trial {best.number} is {how}.")
    return sentences


def failures(study: StudyRecord) -> str:
    """Why trials failed as HTML, the most frequent reason first; empty if none failed."""
    failed = [trial for trial in study.trials if trial.state == "FAIL"]
    if not failed:
        return ""
    by_reason: dict[str, list[int]] = {}
    for trial in failed:
        by_reason.setdefault(trial.reason or "not recorded", []).append(trial.number)
    ordered = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    lines = [Line((reason, str(len(numbers)), shorten(numbers, _SHOWN_NUMBERS))) for reason, numbers in ordered]
    return "<h3>Failed trials</h3>\n" + table(("reason", "trials", "numbers"), lines, numbers=("trials",))


def best_html(study: StudyRecord, identity: Mapping[str, Any], pages: TaskPages) -> str:
    """The diagram and the settings of the best architecture, as HTML.

    Args:
        study: The study; the winner is shown once the holdout is scored, before that the best trial so far.
        identity: The study's attribute ``identity``.
        pages: The task's parts of the report.
    """
    best = _best(study)
    if best is None:
        none = "No complete trial satisfies the bounds" if study.complete else "No trial is complete yet"
        return paragraph(f"{none}, so there is no best architecture.")
    try:
        model, settings = candidate(pages.search_space(identity), best.params)
        drawn = f'<div class="scroll">{network_svg(pages.network(model, study), model.architecture)}</div>'
        network, training = _used_settings(model, settings, pages)
    except SpecError as error:
        drawn = paragraph(f"It cannot be drawn: {error}.")
        network, training = best.params, {}
    tables = (_settings("network", network), _settings("training", {**training, **_facts(best)}))
    return (
        f"<p>Trial {best.number}: <strong>{html.escape(best.layers or 'not recorded')}</strong></p>\n"
        f'<div class="beside">{drawn}\n{"".join(tables)}</div>\n'
    )


def _best(study: StudyRecord) -> TrialRecord | None:
    """The trial whose model was scored on the holdout; before that, the best complete one."""
    if study.holdout is not None:
        return next((trial for trial in study.trials if trial.number == study.holdout.trial), None)
    return study.best


def _used_settings(model: Model, settings: Settings, pages: TaskPages) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the network and of its training that have an effect."""
    unused = set(pages.unused_settings(model, settings))
    unused |= {"merge"} if len(model.branches) == 1 else set()
    unused |= {"n_heads"} if model.pooling != "multihead" else set()
    network, training = (
        {name: value for name, value in values.items() if name not in unused}
        for values in (model.to_dict(), vars(settings))
    )
    return network, training


def _facts(trial: TrialRecord) -> dict[str, Any]:
    facts = {
        "parameters": None if trial.n_parameters is None else f"{trial.n_parameters:,}",
        "epochs, all folds": trial.epochs,
        "seconds": trial.seconds,
        **{f"score of fold {fold}": score for fold, score in enumerate(trial.fold_scores, start=1)},
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _settings(title: str, values: Mapping[str, Any]) -> str:
    lines = [Line((name.replace("_", " "), _value(value))) for name, value in values.items()]
    return f"<div>{table((title, ''), lines)}</div>" if lines else ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
