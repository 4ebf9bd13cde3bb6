"""The outcome of a study and of a comparison in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lstmgru.errors import DataError
from search.cli.console import print_table, short_path
from search.errors import TrackingError
from search.reports.formatting import coverage_text, metric_label
from search.reports.holdout.prediction_tables import CLASS_HEAD
from search.reports.leaderboard import Column, Row, counted_trials, first_rows, leaderboard_columns
from search.study.paths import report_path
from search.study.records import StudyRecord
from search.tasks import find_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.compare.results import Comparison
    from search.compare.tables import TextTable
    from search.config.objectives import Goal

_MOST_CLASSES = 12
_COMPARISON_WIDTH = 80


def print_study(console: Console, study: StudyRecord) -> None:
    """Leaderboard, holdout, verdict, and the files and commands that follow."""
    console.print()
    rows, hidden = first_rows(study)
    _print_leaderboard(console, study, rows)
    console.print(counted_trials(study, hidden))
    for line in _goal_lines(study):
        console.print(line)
    if study.holdout:
        console.print()
        console.print(f"[bold]{escape(study.holdout.verdict)}[/]")
        if study.holdout.intervals:
            console.print(coverage_text(study.holdout))
        if study.holdout.looks > 1:
            console.print(
                f"The holdout has been scored for {study.holdout.looks} models of this study, so the last score is "
                "no longer unbiased."
            )
        _print_classes(console, study)
    for each in study.refits[-1:]:
        console.print(escape(each.sentence))
    console.print()
    for name, place in _places(study).items():
        console.print(f"{name:10}{escape(place)}", soft_wrap=True)


def _places(study: StudyRecord) -> dict[str, str]:
    """Files and commands that follow, by the first word of their line."""
    places = {}
    if study.bundle and not Path(study.bundle).is_dir():
        gone = short_path(Path(study.bundle))
        places["model"] = f"{gone} is no longer there; export it again with: python -m search run {study.study}"
    elif study.bundle:
        model, words = short_path(Path(study.bundle)), find_task(study.task).words
        places["model"] = model
        places[words.predict] = f"python -m search predict {model} --data new.csv"
        if words.drawn is None:
            places["report"] = f"python -m search report {study.study}"
        elif (page := report_path(Path(study.bundle)) / words.drawn).exists():
            places["plot"] = short_path(page)
    if study.mlflow:
        places["MLflow UI"] = _mlflow_ui(study)
    return places


def _print_classes(console: Console, study: StudyRecord) -> None:
    """Scores of each class, if there are few."""
    try:
        classes = find_task(study.task).pages.class_scores(study)
    except DataError as error:
        console.print(escape(str(error)))
        return
    if not 0 < len(classes) <= _MOST_CLASSES:
        return
    console.print()
    print_table(console, "holdout, by class", CLASS_HEAD, [each.cells for each in classes], words=CLASS_HEAD[:1])


_DISPENSABLE = {"seconds": "", "parameters": "n_parameters"}
"""Columns of the leaderboard that a narrow terminal leaves out, in this order, unless they are an objective."""
_BREAKS = "breaks"
"""The column of violated bounds."""
_READABLE = 36
"""Characters of a line of an architecture that can be read."""
_BORDER = 3
_STYLES = {"blend": "bold", "baseline": "cyan"}


def _print_leaderboard(console: Console, study: StudyRecord, rows: list[Row]) -> None:
    columns = _fitting(leaderboard_columns(study), rows, study.goal, console.width)
    print_table(
        console,
        f"{study.study}: leaderboard, {metric_label(study.metric)}",
        [column.name for column in columns],
        [[column.cell(row) for column in columns] for row in rows],
        words=[column.name for column in columns if column.is_text],
        styles=[_STYLES.get(row.kind, "dim" if row.broken else None) for row in rows],
    )


def _fitting(columns: Sequence[Column], rows: list[Row], goal: Goal, width: int) -> list[Column]:
    """The columns with content, without those that leave too little of a narrow terminal to architectures."""
    needs = {each.name: max(len(each.name), *(len(each.cell(row)) for row in rows), 0) for each in columns}
    shown = [each for each in columns if any(each.cell(row) for row in rows) or not rows]
    for name, measure in _DISPENSABLE.items():
        numbers = sum(needs[each.name] + _BORDER for each in shown if not each.is_text)
        texts = sum(min(needs[each.name], _READABLE) + _BORDER for each in shown if each.is_text)
        if numbers + texts + 1 > width and measure not in goal.objectives:
            shown = [each for each in shown if each.name != name]
    words = sum(_longest_word(each, rows) if each.is_text else needs[each.name] for each in shown)
    if words + _BORDER * len(shown) + 1 > width:
        shown = [each for each in shown if each.name != _BREAKS]  # the row is dim, and a line below counts them
    return shown


def _longest_word(column: Column, rows: list[Row]) -> int:
    """Characters that a column needs so that no word is broken."""
    return max(len(word) for text in (column.name, *map(column.cell, rows)) for word in text.split() or [""])


def _goal_lines(study: StudyRecord) -> list[str]:
    """Bounds and objectives other than the score, and the trial that they make the best."""
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


def _mlflow_ui(study: StudyRecord) -> str:
    """The command that opens MLflow where the study is, or the address of its server."""
    from search.tracking.store import is_server, study_tracking_uri, without_password

    command = f"python -m search ui {study.study}"
    try:
        uri = study_tracking_uri(study, Path.cwd())
    except TrackingError:
        return command  # which reports the error; the study can be shown without it
    return without_password(uri) if is_server(uri) else command


def print_comparison(comparison: Comparison) -> None:
    """Tables, strengths and weaknesses, verdict and recommendations, the most important last."""
    from search.compare.tables import advice_table, all_tables

    console = Console(highlight=False)
    # The tables are made for 80 columns: a narrower terminal breaks their lines, and a file has them whole.
    if not (console.is_terminal and console.width > _COMPARISON_WIDTH):
        console = Console(highlight=False, width=_COMPARISON_WIDTH)
    console.print()
    for each in all_tables(comparison):
        _print_table(console, each, comparison.best)
        console.print(escape(each.caption), style="dim")
        console.print()
    for family in comparison.families:
        if not family.strengths and not family.weaknesses:
            continue
        console.print(f"[bold]{escape(family.name)}[/]")
        listed = Table.grid(padding=(0, 1))
        for mark, traits in (("[green]+[/]", family.strengths), ("[red]-[/]", family.weaknesses)):
            for trait in traits:
                listed.add_row(mark, escape(trait.text))
        console.print(listed)
    console.print()
    for note in comparison.notes:
        console.print(escape(note), style="dim")
    console.print()
    console.print(f"[bold]{escape(comparison.verdict)}[/]")
    console.print()
    _print_table(console, advice_table(comparison))


def _print_table(console: Console, shown: TextTable, best: str | None = None) -> None:
    styles = ["bold" if row[0] == best else None for row in shown.rows]
    print_table(console, shown.title, shown.head, shown.rows, words=shown.words, tight=True, styles=styles)
