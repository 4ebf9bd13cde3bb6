"""What came out of a study: how far it is, the verdict, the leaderboard, and what failed."""

from __future__ import annotations

import html
from collections import Counter
from typing import TYPE_CHECKING

from search.reports.formatting import better, counted, number
from search.reports.leaderboard import Row, leaderboard, leaderboard_columns
from search.reports.page import Line, details, paragraph, table
from search.study.records import HoldoutRecord, StudyRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN_TRIALS = 15
_WORDS = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}


def status(study: StudyRecord) -> str:
    """Sentences on how far the study is, as HTML."""
    counts = Counter[str](trial.state for trial in study.trials)
    if not counts:
        return paragraph("The study has no trial yet.")
    parts = [f"{counts[state]} {word}" for state, word in _WORDS.items() if counts[state]]
    sentences = [f"{counted(len(study.trials), 'trial')}: {', '.join(parts)}."]
    if counts["RUNNING"]:
        sentences.append(
            "The study is running, or was killed while these trials ran: the page shows it as it was when it was "
            "written."
        )
    elif counts["WAITING"]:
        sentences.append("The study was interrupted; the same command goes on with what is waiting.")
    if not counts["COMPLETE"]:
        sentences.append("No trial is complete, so nothing is known about the parameters yet.")
    return paragraph(*sentences)


def verdict(study: StudyRecord) -> str:
    """What the holdout says, as HTML."""
    holdout = study.holdout
    if holdout is None:
        return paragraph(
            "There is no verdict yet: the holdout is scored once, by the winner, when the search has come to its end."
        )
    again: list[str] = []
    if holdout.looks > 1:
        again.append(
            f"The holdout has now been scored for {holdout.looks} winners of this study: the last score is no longer "
            "quite untouched."
        )
    boxed = f'<p class="verdict">{html.escape(holdout.verdict)}</p>\n'
    return boxed + paragraph(*again) + _metrics(study, holdout)


def _metrics(study: StudyRecord, holdout: HoldoutRecord) -> str:
    ordered = sorted(holdout.metrics.items(), key=lambda item: item[0] != study.metric)
    lines = [Line((name, number(score)), "winner" if name == study.metric else "") for name, score in ordered]
    scores = table(("metric", "winner, holdout"), lines, numbers=("winner, holdout",))
    if study.task != "forecast":
        return scores
    return f'<div class="beside"><div>{scores}</div>\n<div>{_intervals(holdout)}</div></div>\n'


def _intervals(holdout: HoldoutRecord) -> str:
    if not holdout.intervals:
        return paragraph("There are no prediction intervals whose coverage could be told.")
    lines = [
        Line((f"{100 * each.level:g} %", f"{100 * each.coverage:.1f} %", number(each.width)))
        for each in holdout.intervals
    ]
    head = ("interval", "true values within", "mean width")
    return table(head, lines, numbers=head) + paragraph(
        "The intervals were calibrated on the folds and are looked at on the holdout, which they have not seen. One "
        "that holds fewer values than it says is too narrow. Neighboring forecasts miss together, so a few points of "
        "difference are no surprise."
    )


def leaderboard_html(study: StudyRecord) -> str:
    """Trials and baselines, best first; the worst of many trials are folded away."""
    rows = leaderboard(study)
    if not rows:
        return paragraph("No trial is complete, and the baselines are not scored yet.")
    columns = leaderboard_columns(study.goal)
    shown: list[Line] = []
    hidden: list[Line] = []
    trials = 0
    for rank, row in enumerate(rows, start=1):
        trials += row.trial is not None
        folded = row.trial is not None and trials > _SHOWN_TRIALS and not (row.pareto and not study.goal.single)
        line = Line((str(rank), *(column.cell(row) for column in columns)), _mark(row))
        (hidden if folded else shown).append(line)
    head = ("#", *(column.name for column in columns))
    numbers = ("#", *(column.name for column in columns if not column.is_text))
    text = paragraph(
        f"Scores are {study.metric}, {better(study)}: the mean over the folds, and for the winner and the baselines "
        "that on the holdout, which the search never saw.",
        *_goal(study),
    )
    main = table(head, shown, numbers=numbers)
    if not hidden:
        return text + main
    return text + main + details(f"{counted(len(hidden), 'trial')} more", table(head, hidden, numbers=numbers))


def _mark(row: Row) -> str:
    if row.trial is None:
        return "baseline"
    return "winner" if row.holdout is not None else "outside" if row.broken else ""


def _goal(study: StudyRecord) -> list[str]:
    """What is asked of the winner beside a good score, and which trial that makes the best."""
    goal, best = study.goal, study.best
    sentences = []
    if goal.bounds:
        breaking = sum(bool(study.broken(trial)) for trial in study.complete)
        sentences.append(
            f"Trials that break a bound ({', '.join(map(str, goal.bounds))}) cannot win and come last: {breaking} of "
            f"{len(study.complete)}."
        )
    if not goal.single and best is not None:
        weights = ", ".join(f"{name} {weight:g}" for name, weight in goal.prefer.items())
        how = f"preferred by the weights {weights}" if weights else "the one with the best score"
        sentences.append(f"Trials with a star are on the Pareto front; of these, trial {best.number} is {how}.")
    return sentences


def failures(study: StudyRecord) -> str:
    """Why trials failed, the most frequent reason first, as HTML; nothing where none did."""
    failed = [trial for trial in study.trials if trial.state == "FAIL"]
    if not failed:
        return ""
    by_reason: dict[str, list[int]] = {}
    for trial in failed:
        by_reason.setdefault(trial.reason or "not recorded", []).append(trial.number)
    ordered = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    lines = [Line((reason, str(len(numbers)), _some(numbers))) for reason, numbers in ordered]
    return "<h3>What failed</h3>\n" + table(("reason", "trials", "numbers"), lines, numbers=("trials",))


def _some(numbers: Sequence[int], most: int = 10) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most} more"
