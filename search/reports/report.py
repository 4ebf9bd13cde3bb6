"""The report of a study: everything that is known of it on one self-contained HTML page."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgru.errors import DataError
from search.reports.architecture import best_html
from search.reports.first_screen import badge, standing_html, tiles, use_html
from search.reports.origin import origin_html
from search.reports.outcome import failures, holdout_scores, leaderboard_html, status
from search.reports.page import check_page, details, html_page, paragraph, save_page, written_on
from search.reports.trials.section import front_html, search_html
from search.study.paths import REPORT_PAGE, report_path
from search.study.records import StudyRecord

if TYPE_CHECKING:
    from optuna import Study

    from search.reports.task_pages import TaskPages
    from search.study.store import StudyStore


def report_html(study: StudyRecord, optuna_study: Study, pages: TaskPages) -> str:
    """The page, also of a study that has just begun, is running or failed; it says what is not there yet.

    Args:
        study: The study; its bundle locates the model and the tables of the holdout.
        optuna_study: The same study, for Optuna's plots.
        pages: The task's parts of the report.
    """
    written = datetime.now().astimezone()
    attributes = optuna_study.user_attrs
    with warnings.catch_warnings():
        # Optuna warns of experimental features and of few trials; the page itself says what few trials mean.
        warnings.simplefilter("ignore")
        front = front_html(study, optuna_study)
        sections = {
            **({"Pareto front": front} if front else {}),
            "Leaderboard": leaderboard_html(study) + failures(study),
            f"Holdout {pages.outputs}": holdout_scores(study, pages) + _holdout(study, pages),
            "Search": search_html(study, optuna_study, written.replace(tzinfo=None)),
            "Best architecture": best_html(study, attributes.get("identity", {}), pages),
            "Setup": details(
                "Study, data, machine and versions", origin_html(study, attributes, written, pages), printed=True
            ),
        }
    links = "".join(f'<a href="#{_anchor(title)}">{title}</a>' for title in sections)
    body = [
        paragraph(pages.summary(study), written_on(written)),
        f"<nav>{links}</nav>\n",
        badge(study),
        f'<div class="halves">{standing_html(study)}{_latest(study, pages)}</div>\n' if study.holdout else "",
        tiles(study),
        use_html(study),
        status(study),
        *(paragraph(f"Note: {note}.") for note in attributes.get("notes", ())),
        *(f'<h2 id="{_anchor(title)}">{title}</h2>\n{content}' for title, content in sections.items()),
    ]
    return html_page(f"{study.study}: report", "\n".join(body))


def write_report(store: StudyStore, pages: TaskPages, output: Path | None = None) -> Path:
    """Write the report of a study, also while it runs.

    Args:
        store: The study, where it was found.
        pages: The task's parts of the report.
        output: File to write; ``None``: ``studies/<name>.report/report.html``.

    Raises:
        SearchError: The file cannot be written.
    """
    if output is not None:
        check_page(output)
    page = report_html(store.record(), store.study, pages)
    if output is None:
        assert store.place is not None  # where it was found
        output = store.place.paths.report / REPORT_PAGE
        output.parent.mkdir(parents=True, exist_ok=True)
    save_page(output, page)
    return output


def _latest(study: StudyRecord, pages: TaskPages) -> str:
    """The latest outputs; nothing if the tables of the holdout cannot be read, which the holdout's section says."""
    if study.bundle is None:
        return ""
    try:
        return pages.latest(study, report_path(Path(study.bundle)))
    except (FileNotFoundError, DataError):
        return ""


def _holdout(study: StudyRecord, pages: TaskPages) -> str:
    """The outputs for the holdout as HTML, or why they cannot be shown."""
    if study.holdout is None or study.bundle is None:
        return paragraph("The holdout has not been scored yet: this is done once, after the search.")
    try:
        return pages.holdout_section(study, report_path(Path(study.bundle)))
    except FileNotFoundError as error:
        return paragraph(f"The {pages.outputs} are no longer available: {error.filename} does not exist.")
    except DataError as error:
        return paragraph(f"The {pages.outputs} cannot be shown: {error}.")


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
