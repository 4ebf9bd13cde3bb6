"""The files that a study's run shows: the study file, the leaderboard, the forecasts of the holdout, the report."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import TrackingError
from search.reports.leaderboard import leaderboard_frame
from search.reports.report import report_html
from search.study.paths import HOLDOUT_TABLES, REPORT_PAGE, report_path
from search.study.records import StudyRecord
from search.tasks import find_task
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


def write_holdout(folder: Path, study: StudyRecord) -> None:
    """Write the tables of what was said of the holdout, if the study has them; the report draws what is in them."""
    if study.bundle is None:
        return
    for name in HOLDOUT_TABLES:
        if (table := report_path(Path(study.bundle)) / name).is_file():
            shutil.copy(table, folder / name)


def write_report(folder: Path, study: StudyRecord, optuna_study: Study) -> None:
    """Write ``report.html``.

    Raises:
        TrackingError: It cannot be drawn.
    """
    try:
        page = report_html(study, optuna_study, find_task(study.task).pages)
    except Exception as error:  # a study that Optuna cannot draw must not lose anything else
        reason = f"{type(error).__name__}: {error}"
        raise TrackingError(f"the report of study '{study.study}' cannot be drawn: {reason}") from error
    (folder / REPORT_PAGE).write_text(page, encoding="utf-8")
