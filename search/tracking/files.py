"""The files that a study's run shows: the study file, the leaderboard, Optuna's plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from search.records import StudyRecord
from search.reports.leaderboard import leaderboard_frame
from search.tracking.describe import leaderboard_table
from search.tracking.plots import plots_html

if TYPE_CHECKING:
    from optuna import Study


def write_files(folder: Path, study: StudyRecord, optuna_study: Study | None) -> None:
    """Write ``study.yaml``, ``leaderboard.csv``, ``.json``, ``.md`` and, given Optuna's study, ``plots.html``."""
    import yaml

    text = yaml.safe_dump(study.config, sort_keys=False, allow_unicode=True)
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    frame = leaderboard_frame(study)
    frame.to_csv(folder / "leaderboard.csv", index=False)
    frame.to_json(folder / "leaderboard.json", orient="records", indent=2, force_ascii=False)
    (folder / "leaderboard.md").write_text(leaderboard_table(study) + "\n", encoding="utf-8")
    if optuna_study is not None:
        (folder / "plots.html").write_text(plots_html(optuna_study), encoding="utf-8")
