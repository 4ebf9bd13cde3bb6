"""The leaderboard and the outcome of a study in a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from search.errors import TrackingError
from search.records import StudyRecord
from search.reports.leaderboard import Row, leaderboard

_SHOWN_TRIALS = 10


def print_study(console: Console, study: StudyRecord) -> None:
    """Leaderboard, holdout, verdict, and where everything is."""
    console.print()
    console.print(_leaderboard_table(study))
    hidden = len(study.complete) - _SHOWN_TRIALS
    states = [trial.state for trial in study.trials]
    counts = [f"{states.count(state)} {word}" for state, word in _COUNTED.items() if state in states]
    console.print(f"{len(states)} trials: {', '.join(counts)}" + (f"; {hidden} more not shown" if hidden > 0 else ""))
    if study.holdout:
        console.print()
        console.print(f"[bold]{escape(study.holdout.verdict)}[/]")
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
    if study.mlflow:
        console.print(f"look      {escape(_look(study))}", soft_wrap=True)


_COUNTED = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}


def _leaderboard_table(study: StudyRecord) -> Table:
    table = Table(title=f"{study.study}: leaderboard, {study.metric}", title_justify="left", title_style="bold")
    table.add_column("model", overflow="fold")
    for name in ("trial", "folds", "holdout", "parameters", "seconds"):
        table.add_column(name, justify="right")
    shown = 0
    for row in leaderboard(study):
        shown += row.trial is not None
        if row.trial is None or shown <= _SHOWN_TRIALS:
            table.add_row(*_cells(row), style="cyan" if row.trial is None else None)
    return table


def _cells(row: Row) -> tuple[str, ...]:
    name = escape(row.name) if row.trial is not None else f"baseline: {row.name.replace('_', ' ')}"
    return (
        name,
        "" if row.trial is None else str(row.trial),
        "" if row.folds is None else f"{row.folds:.4g}",
        "" if row.holdout is None else f"{row.holdout:.4g}",
        "" if row.n_parameters is None else f"{row.n_parameters:,}",
        "" if row.seconds is None else f"{row.seconds:.1f}",
    )


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
