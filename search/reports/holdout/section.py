"""What was said of the holdout, as a section of the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstmgru.errors import DataError
from search.reports.formatting import subject
from search.reports.holdout.attention import attention_charts
from search.reports.holdout.forecast_table import read_forecasts
from search.reports.holdout.forecasts import forecast_charts
from search.reports.holdout.labels import classes_html, values_html
from search.reports.page import paragraph
from search.study.paths import ATTENTION_TABLE, FORECASTS_TABLE, report_path

if TYPE_CHECKING:
    from search.study.records import StudyRecord

_DRAWN = (
    "Of all forecasts those are drawn that follow each other without an overlap; the scores above are over all of them."
)


def holdout_title(study: StudyRecord) -> str:
    """The heading of the section."""
    return "Forecasts of the holdout" if study.task == "forecast" else "The holdout"


def holdout_html(study: StudyRecord) -> str:
    """The section, as HTML: what its files hold, or why that cannot be shown."""
    forecasts = study.task == "forecast"
    if study.holdout is None or study.bundle is None:
        done = "forecast" if forecasts else "labeled"
        return paragraph(f"The holdout has not been {done} yet: that is done once, when the search has ended.")
    folder = report_path(Path(study.bundle))
    try:
        return _forecasts(folder) if forecasts else _labels(folder, study)
    except FileNotFoundError as error:
        what = "forecasts" if forecasts else "labels"
        return paragraph(f"The {what} are not here any more: there is no {error.filename}.")
    except DataError as error:
        return paragraph(f"{'The forecasts cannot be drawn' if forecasts else 'The labels cannot be shown'}: {error}.")


def _forecasts(folder: Path) -> str:
    drawn = forecast_charts(read_forecasts(folder / FORECASTS_TABLE))
    return paragraph(_DRAWN) + drawn + attention_charts(folder / ATTENTION_TABLE)


def _labels(folder: Path, study: StudyRecord) -> str:
    show = classes_html if study.task == "classification" else values_html
    return show(folder, subject(study))
