"""What a notebook shows of a study and of other results: HTML without scripts, in the colors of the notebook's theme.

The style sheet has no colors of text or background, so that both are those of the notebook, light or dark; where it is
removed, as GitHub does, plain tables and paragraphs are left.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search.reports.first_screen import badge
from search.reports.formatting import coverage_text
from search.reports.leaderboard import counted_trials, first_rows, leaderboard_columns
from search.reports.outcome import row_mark
from search.reports.page import Line, paragraph, table

if TYPE_CHECKING:
    from search.reports.leaderboard import Row
    from search.reports.task_pages import TaskPages
    from search.study.records import StudyRecord


def notebook_html(title: str, about: str, parts: Sequence[str]) -> str:
    """A result as the output of a cell.

    Args:
        title: Its name, as text.
        about: What it is, as text.
        parts: Content, as HTML.
    """
    style = Path(__file__).with_name("notebook.css").read_text(encoding="utf-8")
    heading = f'<p class="title"><strong>{html.escape(title)}</strong> {html.escape(about)}</p>\n'
    return f'<div class="lstmgru-search">\n<style>\n{style}</style>\n{heading}{"".join(parts)}</div>'


def study_html(study: StudyRecord, pages: TaskPages) -> str:
    """A study with its verdict and its leaderboard, also while it is running.

    Args:
        study: The study.
        pages: The task's parts of the report.
    """
    rows, hidden = first_rows(study)
    covered = coverage_text(study.holdout) if study.holdout and study.holdout.intervals else ""
    counts = paragraph(f"{counted_trials(study, hidden)}. {covered}")
    refits = paragraph(*(each.sentence for each in study.refits[-1:]))
    return notebook_html(study.study, pages.summary(study), [badge(study), _leaderboard(study, rows), counts, refits])


def _leaderboard(study: StudyRecord, rows: list[Row]) -> str:
    if not rows:
        return ""
    columns = leaderboard_columns(study)
    shown = [column for column in columns if any(column.cell(row) for row in rows)]
    lines = [Line(tuple(column.cell(row) for column in shown), row_mark(row)) for row in rows]
    return table([each.name for each in shown], lines, numbers=[each.name for each in shown if not each.is_text])
