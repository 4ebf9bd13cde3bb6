"""The tracker that a study asks for, and the projection of a study that is there already."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import TrackingError
from search.study.records import StudyRecord, TrackingLinks
from search.tracking.background import BackgroundTracker
from search.tracking.base import NullTracker, RunStatus, Tracker
from search.tracking.mlflow_projection import MlflowProjection
from search.tracking.store import default_tracking_uri
from search.tracking.tracker_process import TrackerProcess

if TYPE_CHECKING:
    from optuna import Study

    from search.config.study_config import StudyConfig


def make_tracker(config: StudyConfig, folder: Path, *, on_problem: Callable[[str], None]) -> Tracker:
    """The tracker that the study asks for.

    Args:
        config: The study.
        folder: The working folder.
        on_problem: Told, from another thread, what one should know: an outage and its end.

    Raises:
        TrackingError: The study names a store that MLflow cannot use.
    """
    settings = config.tracking
    if not settings.enabled:
        return NullTracker()
    uri = default_tracking_uri(settings.uri, folder)
    make = partial(
        MlflowProjection, uri, folder, experiment=settings.experiment, registered_model=settings.registered_model
    )
    return BackgroundTracker(TrackerProcess(make), on_problem)


def sync_study(
    study: StudyRecord,
    optuna_study: Study | None = None,
    *,
    folder: Path,
    tracking_uri: str | None = None,
) -> TrackingLinks:
    """Bring a study to MLflow; what is there already stays as it is, and nothing is doubled.

    Args:
        study: The study.
        optuna_study: Its plots are shown, too.
        folder: The working folder.
        tracking_uri: Another store or server than the study's own.

    Raises:
        TrackingError: It cannot be reached.
    """
    settings = study.config.get("tracking", {})
    uri = default_tracking_uri(tracking_uri or settings.get("uri"), folder)
    projection = MlflowProjection(
        uri,
        folder,
        experiment=settings.get("experiment"),
        registered_model=settings.get("registered_model"),
    )
    projection.sync(study, status=_status(study), optuna_study=optuna_study)
    links = projection.links()
    if links is None:
        raise TrackingError(f"MLflow at {uri} shows nothing of study '{study.study}'")
    return links


def _status(study: StudyRecord) -> RunStatus:
    """How a study stands that nobody told us about: running, ended with a result, or given up before that."""
    if any(trial.state == "RUNNING" for trial in study.trials):
        return "RUNNING"
    return "FINISHED" if study.holdout else "KILLED"
