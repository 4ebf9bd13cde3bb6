"""Where the files of a study's report stand, and how they are called."""

from __future__ import annotations

from pathlib import Path

REPORT_PAGE = "report.html"
FORECASTS_TABLE, FORECASTS_PAGE = "forecasts.csv", "forecasts.html"
PREDICTIONS_TABLE, CONFUSION_TABLE, CLASSES_TABLE = "predictions.csv", "confusion.csv", "classes.csv"
HOLDOUT_TABLES = (FORECASTS_TABLE, PREDICTIONS_TABLE, CONFUSION_TABLE, CLASSES_TABLE)
"""What was said of the holdout; a study has those of its task."""


def report_path(bundle: Path) -> Path:
    """``studies/weather.report`` beside ``studies/weather.bundle``."""
    return bundle.with_suffix(".report")
