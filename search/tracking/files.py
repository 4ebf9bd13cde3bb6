"""The files that a study's run shows: the study file, the leaderboard, Optuna's plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import TrackingError
from search.records import StudyRecord
from search.reports.leaderboard import leaderboard_frame
from search.tracking.describe import leaderboard_table
from search.tracking.plots import plots_html

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


def write_plots(folder: Path, optuna_study: Study) -> None:
    """Write ``plots.html``.

    Raises:
        TrackingError: Optuna cannot draw them.
    """
    try:
        page = plots_html(optuna_study)
    except Exception as error:  # a study that Optuna cannot draw must not lose anything else
        name, reason = optuna_study.study_name, f"{type(error).__name__}: {error}"
        raise TrackingError(f"the plots of study '{name}' cannot be drawn: {reason}") from error
    (folder / "plots.html").write_text(page, encoding="utf-8")
