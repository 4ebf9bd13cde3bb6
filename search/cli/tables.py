"""The leaderboard and the outcome of a study in a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lstmgru.errors import DataError
from search.errors import TrackingError
from search.reports.holdout.prediction_tables import CLASS_HEAD
from search.reports.leaderboard import Row, leaderboard, leaderboard_columns
from search.study.paths import FORECASTS_PAGE, report_path
from search.study.records import HoldoutRecord, StudyRecord
from search.tasks import find_task

_SHOWN_TRIALS = 10
_MOST_CLASSES = 12


def print_study(console: Console, study: StudyRecord) -> None:
    """Leaderboard, holdout, verdict, and where everything is."""
    console.print()
    rows, hidden = _shown_rows(study)
    console.print(_leaderboard_table(study, rows))
    states = [trial.state for trial in study.trials]
    counts = [f"{states.count(state)} {word}" for state, word in _COUNTED.items() if state in states]
    console.print(f"{len(states)} trials: {', '.join(counts)}" + (f"; {hidden} more not shown" if hidden > 0 else ""))
    for line in _goal_lines(study):
        console.print(line, soft_wrap=True)
    if study.holdout:
        console.print()
        console.print(f"[bold]{escape(study.holdout.verdict)}[/]")
        for line in _interval_lines(study.holdout):
            console.print(line)
        if study.holdout.looks > 1:
            console.print(
                f"The holdout has now been scored for {study.holdout.looks} winners of this study: "
                "the last score is no longer quite untouched."
            )
        _print_classes(console, study)
    console.print()
    for name, place in _places(study).items():
        console.print(f"{name:10}{escape(place)}", soft_wrap=True)


def _places(study: StudyRecord) -> dict[str, str]:
    """Where everything is, and the commands that lead there."""
    places = {}
    if study.bundle:
        model, forecasts = _short(study.bundle), study.task == "forecast"
        places["model"] = model
        places["forecast" if forecasts else "label"] = f"python -m search predict {model} --data new.csv"
        page = report_path(Path(study.bundle)) / FORECASTS_PAGE
        if not forecasts:
            places["report"] = f"python -m search report {study.study}"
        elif page.exists():
            places["drawn"] = _short(str(page))
    if study.mlflow:
        places["look"] = _look(study)
    return places


def _print_classes(console: Console, study: StudyRecord) -> None:
    """How well each class was recognized, where they are few."""
    try:
        classes = find_task(study.task).pages.class_scores(study)
    except DataError as error:
        console.print(escape(str(error)))
        return
    if not 0 < len(classes) <= _MOST_CLASSES:
        return
    table = Table(title="holdout, class by class", title_justify="left", title_style="bold")
    for name in CLASS_HEAD:
        table.add_column(name, overflow="fold", justify="left" if name == CLASS_HEAD[0] else "right")
    for each in classes:
        table.add_row(*map(escape, each.cells))
    console.print()
    console.print(table)


def _interval_lines(holdout: HoldoutRecord) -> list[str]:
    """What the prediction intervals cover."""
    if not holdout.intervals:
        return []
    covered = [f"{100 * each.coverage:.1f} % in the {100 * each.level:g} % interval" for each in holdout.intervals]
    return [f"True values of the holdout within the intervals: {', '.join(covered)}."]


_COUNTED = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}


def _shown_rows(study: StudyRecord) -> tuple[list[Row], int]:
    """Baselines, the best trials and all of the front; and how many trials are left out."""
    shown: list[Row] = []
    hidden = 0
    for row in leaderboard(study):
        trials = sum(other.trial is not None for other in shown)
        if row.trial is None or trials < _SHOWN_TRIALS or row.pareto:
            shown.append(row)
        else:
            hidden += 1
    return shown, hidden


def _leaderboard_table(study: StudyRecord, rows: list[Row]) -> Table:
    table = Table(title=f"{study.study}: leaderboard, {study.metric}", title_justify="left", title_style="bold")
    columns = leaderboard_columns(study.goal)
    for column in columns:
        fold = column.is_text
        table.add_column(column.name, overflow="fold" if fold else "ellipsis", justify="left" if fold else "right")
    for row in rows:
        style = "cyan" if row.trial is None else "dim" if row.broken else None
        table.add_row(*(escape(column.cell(row)) for column in columns), style=style)
    return table


def _goal_lines(study: StudyRecord) -> list[str]:
    """What was asked of the winner beside a good score, and which trial that makes the best."""
    goal, best = study.goal, study.best
    lines = []
    if goal.bounds:
        breaking = sum(bool(study.broken(trial)) for trial in study.complete)
        lines.append(f"Bounds: {', '.join(map(str, goal.bounds))}; {breaking} of {len(study.complete)} break one.")
    if not goal.single and best is not None:
        weights = ", ".join(f"{name} {weight:g}" for name, weight in goal.prefer.items())
        how = f"preferred with {weights}" if weights else "the one with the best score"
        front = f"{len(study.front)} trials" if len(study.front) > 1 else "1 trial"
        lines.append(f"Pareto front of {', '.join(goal.objectives)}: {front} (*); trial {best.number} is {how}.")
    return lines


def _look(study: StudyRecord) -> str:
    """The command that opens MLflow where the study is, or the address of its server."""
    from search.tracking.store import default_tracking_uri, is_server, study_tracking_uri, without_password

    named = f"python -m search ui {study.study}"
    try:
        uri, default = study_tracking_uri(study, Path.cwd()), default_tracking_uri(None, Path.cwd())
    except TrackingError:
        return named  # That command says what is wrong with the environment; it is no reason not to show the study.
    if is_server(uri):
        return without_password(uri)
    return "python -m search ui" if uri == default else named


def _short(path: str) -> str:
    """The path from here, where it lies below."""
    full = Path(path)
    return str(full.relative_to(Path.cwd())) if full.is_relative_to(Path.cwd()) else path
