"""The tracker of a study that is not tracked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from search.study.records import StudyRecord, TrackingLinks, TrialRecord
from search.tracking.base import RunStatus

if TYPE_CHECKING:
    from optuna import Study


class NullTracker:
    """Shows nothing."""

    def start(self, study: StudyRecord) -> None:
        """Do nothing."""

    def update(self, trial: TrialRecord) -> None:
        """Do nothing."""

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        """Do nothing."""

    def finish(
        self,
        study: StudyRecord,
        *,
        status: RunStatus,
        optuna_study: Study | None = None,
    ) -> TrackingLinks | None:
        """Do nothing."""
        return None

    def links(self) -> TrackingLinks | None:
        """Nowhere."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass
