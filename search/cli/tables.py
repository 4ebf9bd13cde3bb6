"""The leaderboard and the outcome of a study in a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from search.errors import TrackingError
from search.objectives import Goal, measure_text
from search.records import HoldoutRecord, StudyRecord
from search.reportfiles import FORECASTS_PAGE, report_path
from search.reports.leaderboard import Row, leaderboard

_SHOWN_TRIALS = 10


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
    console.print()
    if study.bundle:
        console.print(f"model     {escape(_short(study.bundle))}", soft_wrap=True)
        console.print(
            f"forecast  python -m search predict {escape(_short(study.bundle))} --data new.csv",
            soft_wrap=True,
        )
        page = report_path(Path(study.bundle)) / FORECASTS_PAGE
        if page.exists():
            console.print(f"drawn     {escape(_short(str(page)))}", soft_wrap=True)
    if study.mlflow:
        console.print(f"look      {escape(_look(study))}", soft_wrap=True)


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
    columns = _columns(study.goal)
    table.add_column("model", overflow="fold")
    for name in columns:
        table.add_column(name, justify="left" if name == "breaks" else "right")
    for row in rows:
        style = "cyan" if row.trial is None else "dim" if row.broken else None
        table.add_row(_name(row), *(cell(row) for cell in columns.values()), style=style)
    return table


def _columns(goal: Goal) -> dict[str, Callable[[Row], str]]:
    """What stands beside the model. Measured times are shown where the study is about them."""
    judged = {*goal.objectives, *(bound.name for bound in goal.bounds)}
    columns: dict[str, Callable[[Row], str]] = {
        "trial": lambda row: "" if row.trial is None else str(row.trial),
        "folds": lambda row: "" if row.folds is None else f"{row.folds:.4g}",
        "holdout": lambda row: "" if row.holdout is None else f"{row.holdout:.4g}",
        "parameters": lambda row: "" if row.n_parameters is None else f"{row.n_parameters:,}",
    }
    if "latency" in judged:
        columns["latency"] = lambda row: "" if row.latency is None else measure_text("latency", row.latency)
    if "train_seconds" in judged:
        columns["training"] = lambda row: "" if row.train_seconds is None else f"{row.train_seconds:.1f}"
    columns["seconds"] = lambda row: "" if row.seconds is None else f"{row.seconds:.1f}"
    if not goal.single:
        columns["front"] = lambda row: "*" if row.pareto else ""
    if goal.bounds:
        columns["breaks"] = lambda row: ", ".join(row.broken)
    return columns


def _name(row: Row) -> str:
    return escape(row.name) if row.trial is not None else f"baseline: {row.name.replace('_', ' ')}"


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
