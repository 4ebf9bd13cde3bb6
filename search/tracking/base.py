"""The contract of a tracker: it is told about the study, and shows it elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self

from search.study.records import StudyRecord, TrackingLinks, TrialRecord

if TYPE_CHECKING:
    from optuna import Study

RunStatus = Literal["RUNNING", "FINISHED", "KILLED", "FAILED"]


class Tracker(Protocol):
    """Shows a study. Use it as a context manager: leaving it without ``finish`` marks the study as failed."""

    def start(self, study: StudyRecord) -> None:
        """Show the study as running, with the trials it has."""

    def update(self, trial: TrialRecord) -> None:
        """Show a trial as it is now; cheap enough to call after every epoch."""

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        """Show and register the exported model.

        Args:
            bundle: Directory of the exported model; only that of ``study.holdout.trial`` is shown.
            study: The study it is of.
        """

    def finish(
        self, study: StudyRecord, *, status: RunStatus, optuna_study: Study | None = None
    ) -> TrackingLinks | None:
        """Show how the study ended.

        Args:
            study: The study as it is now.
            status: FINISHED, KILLED (interrupted) or FAILED.
            optuna_study: Its plots are shown, too.

        Returns:
            Where to look, or ``None`` if nothing was shown.
        """

    def links(self) -> TrackingLinks | None:
        """Where to look, as far as it is known."""

    def __enter__(self) -> Self:
        """Start."""

    def __exit__(self, *exc_info: object) -> None:
        """Deliver what can be delivered soon, and end."""


class NullTracker:
    """The tracker of a study that is not tracked."""

    def start(self, study: StudyRecord) -> None:
        """Do nothing."""

    def update(self, trial: TrialRecord) -> None:
        """Do nothing."""

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        """Do nothing."""

    def finish(
        self, study: StudyRecord, *, status: RunStatus, optuna_study: Study | None = None
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
