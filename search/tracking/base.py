"""The interface of a tracker, which mirrors a study elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self

from search.study.records import BaselineRecord, StudyRecord, TrackingLinks, TrialRecord

if TYPE_CHECKING:
    from optuna import Study

RunStatus = Literal["RUNNING", "FINISHED", "KILLED", "FAILED"]


class Tracker(Protocol):
    """Mirrors a study. A context manager; leaving it without :meth:`finish` marks the study as failed."""

    def start(self, study: StudyRecord) -> None:
        """Show the study as running, with its trials so far."""

    def update(self, trial: TrialRecord) -> None:
        """Show the current state of a trial; cheap enough to call after every epoch."""

    def show_baselines(self, baselines: Mapping[str, BaselineRecord]) -> None:
        """Show the scores of the baselines so far, by name."""

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        """Show and register the exported model.

        Args:
            bundle: Directory of the exported model of trial ``study.holdout.trial``.
            study: The study.
        """

    def finish(
        self, study: StudyRecord, *, status: RunStatus, optuna_study: Study | None = None
    ) -> TrackingLinks | None:
        """Show the outcome of the study.

        Args:
            study: The study as it ended.
            status: FINISHED, KILLED (interrupted) or FAILED.
            optuna_study: The same study, for Optuna's plots.

        Returns:
            Links to the runs, or ``None`` if nothing is shown.
        """

    def links(self) -> TrackingLinks | None:
        """Links to the known runs."""

    def __enter__(self) -> Self:
        """Start."""

    def __exit__(self, *exc_info: object) -> None:
        """Deliver what can be delivered soon, then stop."""


class NullTracker:
    """The tracker of a study that is not tracked."""

    def start(self, study: StudyRecord) -> None:
        """Do nothing."""

    def update(self, trial: TrialRecord) -> None:
        """Do nothing."""

    def show_baselines(self, baselines: Mapping[str, BaselineRecord]) -> None:
        """Do nothing."""

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        """Do nothing."""

    def finish(
        self, study: StudyRecord, *, status: RunStatus, optuna_study: Study | None = None
    ) -> TrackingLinks | None:
        """Do nothing."""
        return None

    def links(self) -> TrackingLinks | None:
        """There are no links."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass
