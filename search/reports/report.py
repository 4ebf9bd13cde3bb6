"""The report of a study: all that is known of it, on one page that needs nothing from elsewhere."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import StudyNotFound
from search.reports.best import best_html
from search.reports.formatting import task
from search.reports.holdout.section import holdout_html, holdout_title
from search.reports.origin import origin
from search.reports.outcome import failures, leaderboard_html, status, verdict
from search.reports.page import html_page, paragraph
from search.reports.search.section import search_html
from search.study.paths import REPORT_PAGE, StudyPaths
from search.study.records import StudyRecord

if TYPE_CHECKING:
    from optuna import Study


def report_html(study: StudyRecord, optuna_study: Study) -> str:
    """The page, also of a study that has just begun, is running or failed: it says what is not there yet.

    Args:
        study: The study; ``bundle`` says where its model and the tables of the holdout are.
        optuna_study: The same for Optuna's plots.
    """
    written = datetime.now().astimezone()
    attributes = optuna_study.user_attrs
    with warnings.catch_warnings():
        # Of Optuna, about what is experimental and about few trials; the page says itself what few trials mean.
        warnings.simplefilter("ignore")
        sections = {
            "Leaderboard": leaderboard_html(study) + failures(study),
            "Best architecture": best_html(study, attributes),
            holdout_title(study): holdout_html(study),
            "The search": search_html(study, optuna_study, written.replace(tzinfo=None)),
            "What was run": origin(study, attributes, written),
        }
    links = "".join(f'<a href="#{_anchor(title)}">{title}</a>' for title in sections)
    body = [
        paragraph(task(study), f"Written on {written:%Y-%m-%d at %H:%M %Z}."),
        f"<nav>{links}</nav>\n",
        verdict(study),
        status(study),
        *(f'<h2 id="{_anchor(title)}">{title}</h2>\n{content}' for title, content in sections.items()),
    ]
    return html_page(f"{study.study}: report", "\n".join(body))


def write_report(study: str, folder: Path, output: Path | None = None) -> Path:
    """Write the report of a study, also while it runs.

    Args:
        study: Its name.
        folder: Where ``studies/`` is.
        output: File to write; ``None``: ``studies/<name>.report/report.html``.

    Raises:
        StudyNotFound: It has not been run in this folder.
        OSError: The file cannot be written.
    """
    from search.study.store import StudyStore

    paths = StudyPaths(folder, study)
    store = StudyStore.find(paths)
    if store is None:
        raise StudyNotFound(f"study '{study}' has not been run in {folder}; run it with: python -m search run {study}")
    record = store.record()
    if bundle := paths.find_bundle(record.bundle):
        record = replace(record, bundle=str(bundle))
    page = report_html(record, store.study)
    if output is None:
        output = paths.report / REPORT_PAGE
        output.parent.mkdir(exist_ok=True)
    output.write_text(page, encoding="utf-8")
    return output


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
