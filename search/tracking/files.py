"""The files that a study's run shows: the study file, the leaderboard, the forecasts of the holdout, the report."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import TrackingError
from search.finalize import FORECASTS_TABLE, report_path
from search.records import StudyRecord
from search.reports.leaderboard import leaderboard_frame
from search.reports.report import REPORT_PAGE, report_html
from search.tracking.describe import leaderboard_table

if TYPE_CHECKING:
    from optuna import Study


def write_settings(folder: Path, study: StudyRecord) -> None:
    """Write ``study.yaml``."""
    import yaml

    text = yaml.safe_dump(study.config, sort_keys=False, allow_unicode=True)
    (folder / "study.yaml").write_text(text, encoding="utf-8")


def write_leaderboard(folder: Path, study: StudyRecord) -> None:
    """Write ``leaderboard.csv``, ``.json`` and ``.md``."""
    frame = leaderboard_frame(study)
    frame.to_csv(folder / "leaderboard.csv", index=False)
    frame.to_json(folder / "leaderboard.json", orient="records", indent=2, force_ascii=False)
    (folder / "leaderboard.md").write_text(leaderboard_table(study) + "\n", encoding="utf-8")


def write_forecasts(folder: Path, study: StudyRecord) -> None:
    """Write ``forecasts.csv``, if the study has it; the report draws what is in it."""
    if study.bundle is not None and (table := report_path(Path(study.bundle)) / FORECASTS_TABLE).is_file():
        shutil.copy(table, folder / table.name)


def write_report(folder: Path, study: StudyRecord, optuna_study: Study) -> None:
    """Write ``report.html``.

    Raises:
        TrackingError: It cannot be drawn.
    """
    try:
        page = report_html(study, optuna_study)
    except Exception as error:  # a study that Optuna cannot draw must not lose anything else
        reason = f"{type(error).__name__}: {error}"
        raise TrackingError(f"the report of study '{study.study}' cannot be drawn: {reason}") from error
    (folder / REPORT_PAGE).write_text(page, encoding="utf-8")
