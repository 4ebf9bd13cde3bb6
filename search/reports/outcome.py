"""The outcome of a study: progress, metrics on the holdout, leaderboard, and failures."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lstmgru.bundle.card import single_sentence
from lstmgru.errors import shorten
from lstmgru.evaluation.decimals import decimals_of, fixed
from search.reports.charts.chart import dot_strip
from search.reports.charts.scales import Axis
from search.reports.formatting import better, counted, decimals_of_study, metric_label
from search.reports.leaderboard import Row, is_blended, leaderboard, leaderboard_columns
from search.reports.page import Html, Line, cut, details, paragraph, table, whole_words
from search.study.records import STATE_WORDS, HoldoutRecord, StudyRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from search.reports.task_pages import TaskPages

_SHOWN_TRIALS, _SHOWN_UNFINISHED = 15, 10
_SHOWN_NUMBERS = 10
_MOST_LINES = 500
"""Lines of a table that is folded away."""


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


def holdout_scores(study: StudyRecord, pages: TaskPages) -> str:
    """All metrics on the holdout, as HTML; empty before it is scored."""
    holdout = study.holdout
    return "" if holdout is None else _metrics(study, holdout, pages.holdout_metrics(holdout))


def _metrics(study: StudyRecord, holdout: HoldoutRecord, beside: str) -> str:
    ordered = sorted(holdout.metrics.items(), key=lambda item: item[0] != study.metric)
    lines = []
    for name, score in ordered:
        decimals = decimals_of_study(study) if name == study.metric else decimals_of([score])
        lines.append(Line((metric_label(name), fixed(score, decimals)), "winner" if name == study.metric else ""))
    scores = table(("metric", "winner, holdout"), lines, numbers=("winner, holdout",))
    return f'<div class="beside"><div>{scores}</div>\n<div>{beside}</div></div>\n' if beside else scores


def leaderboard_html(study: StudyRecord) -> str:
    """Trials and baselines as HTML, best first, then pruned trials; most of many trials are folded away."""
    rows = leaderboard(study)
    if not rows:
        return paragraph("No trial is complete, and the baselines are not scored yet.")
    unfinished = list(_unfinished(study, {row.trial for row in rows}))
    columns = leaderboard_columns(study)
    folds = _fold_dots(study)
    at = next(place for place, column in enumerate(columns) if column.name == "folds") + 2

    def line(rank: str, row: Row, mark: str, *, dots: bool) -> Line:
        texts = [whole_words(column.cell(row)) if column.name == "model" else column.cell(row) for column in columns]
        cells = [rank, *texts, *([row.reached] if unfinished else [])]
        cells[at:at] = [folds.get(row.trial, "") if dots else ""] if folds else []
        return Line(tuple(cells), mark, row.trial)

    shown: list[Line] = []
    more: list[Line] = []
    trials = 0
    for rank, row in enumerate(rows, start=1):
        trials += row.trial is not None
        marked = (row.pareto and not study.goal.single) or row.weight is not None or row.holdout is not None
        folded = row.trial is not None and trials > _SHOWN_TRIALS and not marked
        (more if folded else shown).append(line(str(rank), row, row_mark(row), dots=not folded))
    for place, row in enumerate(unfinished):
        folded = place >= _SHOWN_UNFINISHED
        (more if folded else shown).append(line("", row, "pruned", dots=not folded))
    head = ["#", *(column.name for column in columns), *(["reached"] if unfinished else [])]
    head[at:at] = ["each fold"] if folds else []
    numbers = ("#", *(column.name for column in columns if not column.is_text))
    text = paragraph(
        f"Scores are {metric_label(study.metric)}, {better(study)}: the mean over the folds, and for the "
        f"{_exported(study)} and the baselines the score on the holdout, which the search never saw.",
        *_blend(study),
        *_trained_on(study),
        *_goal(study),
        *_ended(study, unfinished),
    )
    return text + table(head, shown, numbers=numbers, sort="leaderboard") + _more(head, more, numbers)


def _ended(study: StudyRecord, unfinished: list[Row]) -> list[str]:
    """What the gray rows are."""
    if not unfinished:
        return []
    numbers = {row.trial for row in unfinished}
    states = sorted({STATE_WORDS[trial.state] for trial in study.trials if trial.number in numbers})
    return [f"Gray trials were {' or '.join(states)} in the epoch that they reached; their score is the last one."]


def _more(head: list[str], lines: list[Line], numbers: tuple[str, ...]) -> str:
    """The rows that are folded away."""
    if not lines:
        return ""
    few = f"; the first {_MOST_LINES} are listed, and show --json lists all" if len(lines) > _MOST_LINES else ""
    words = counted(len(lines), "more trial")
    return details(words + few, table(head, lines[:_MOST_LINES], numbers=numbers, sort=words))


def _fold_dots(study: StudyRecord) -> dict[int | None, Html]:
    """The scores of each fold as dots on an axis that all trials share, by trial."""
    scores = {trial.number: trial.fold_scores for trial in study.trials if trial.fold_scores}
    if max(map(len, scores.values()), default=0) < 2:
        return {}
    seen = cut([each for found in scores.values() for each in found], larger_is_better=study.direction == "maximize")
    axis = Axis(span=seen.span, decimals=decimals_of_study(study)).fitted(
        [each for found in scores.values() for each in found]
    )
    return {number: Html(dot_strip(found, axis)) for number, found in scores.items()}


def _unfinished(study: StudyRecord, listed: set[int | None]) -> Iterator[Row]:
    """Pruned and stopped trials with the epoch that they reached, the longest first."""
    ended = [trial for trial in study.trials if trial.state in ("PRUNED", "STOPPED") and trial.number not in listed]
    for trial in sorted(ended, key=lambda trial: -(trial.epochs or len(trial.curve))):
        last = trial.curve[-1] if trial.curve else None
        yield Row(
            name=f"{trial.layers or '?'} ({STATE_WORDS[trial.state]})",
            reached=f"fold {last.fold}, epoch {last.epoch}".replace(" ", "\N{NO-BREAK SPACE}") if last else "",
            trial=trial.number,
            folds=trial.value,
            n_parameters=trial.n_parameters,
            seconds=trial.seconds,
            latency=trial.latency,
            train_seconds=trial.train_seconds,
            broken=tuple(study.broken(trial)),
        )


def _exported(study: StudyRecord) -> str:
    return "blend, the best trial" if is_blended(study) else "winner"


def _blend(study: StudyRecord) -> list[str]:
    """What the blend is."""
    blend = study.blend
    if blend is None or not is_blended(study):
        return []
    single = blend.single.holdout if blend.single else None
    cost = single_sentence(single, blend.holdout, larger_is_better=study.direction == "maximize")
    return [
        "The exported model is the blend, the mean of its members with the weights of the table; they were selected by "
        "the score on the folds (Caruana et al. 2004).",
        *([cost] if cost else []),
    ]


def _trained_on(study: StudyRecord) -> list[str]:
    """Which data the exported model has learned from."""
    if study.holdout is None:
        return []
    whole = study.config.get("export", {}).get("train_on") == "everything"
    if whole and study.config.get("training", {}).get("refit", "all") == "all":
        return [
            "The model that was scored had learned from the data before the holdout; the exported one was then trained "
            "on all data, the holdout included, as far as the time allowed."
        ]
    return ["The exported model is the one that was scored: it has not learned from the holdout."]


def row_mark(row: Row) -> str:
    """The mark of a row of the leaderboard, see :class:`~search.reports.page.Line`."""
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
