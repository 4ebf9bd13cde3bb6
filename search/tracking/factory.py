"""The tracker of a study, and the one-time projection of an existing study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import TrackingError
from search.study.records import StudyRecord, TrackingLinks
from search.tracking.background import BackgroundTracker
from search.tracking.base import NullTracker, RunStatus, Tracker
from search.tracking.database import set_aside_half_made
from search.tracking.mlflow_projection import MlflowProjection
from search.tracking.store import default_tracking_uri
from search.tracking.system_metrics import check_system_metrics
from search.tracking.tracker_process import TrackerProcess

if TYPE_CHECKING:
    from optuna import Study

    from search.config.study_config import StudyConfig
    from search.study.places import StudyPlace


def make_tracker(config: StudyConfig, folder: Path, *, on_problem: Callable[[str], None]) -> Tracker:
    """The tracker that a study configures.

    Args:
        config: The study.
        folder: The working folder.
        on_problem: Called with messages for the user, from another thread with those on outages.

    Raises:
        TrackingError: MLflow cannot use the configured store, or system metrics cannot be measured.
    """
    settings = config.tracking
    if not settings.enabled:
        return NullTracker()
    uri = default_tracking_uri(settings.uri, folder)
    # The search does not wait for another process: that of the tracker does.
    if note := set_aside_half_made(uri, wait=False):
        on_problem(note)
    if settings.system_metrics:
        check_system_metrics()
    make = partial(
        MlflowProjection,
        uri,
        folder,
        experiment=settings.experiment,
        registered_model=settings.registered_model,
        system_metrics=settings.system_metrics,
    )
    return BackgroundTracker(TrackerProcess(make), on_problem)


def sync_study(
    study: StudyRecord,
    optuna_study: Study | None = None,
    *,
    folder: Path,
    tracking_uri: str | None = None,
    timeout: float | None = None,
    on_message: Callable[[str], None] = lambda text: None,
) -> TrackingLinks:
    """Copy a study to MLflow. Idempotent: existing runs are updated and not duplicated.

    Args:
        study: The study.
        optuna_study: The same study, for Optuna's plots.
        folder: The working folder.
        tracking_uri: Store or server to use instead of the study's.
        timeout: Longest time in seconds; ``None``: no limit. With a limit, another process copies, and is ended then.
        on_message: Called with messages for the user.

    Raises:
        TrackingError: It cannot be reached, or the time is up.
    """
    settings = study.config.get("tracking", {})
    uri = default_tracking_uri(tracking_uri or settings.get("uri"), folder)
    if note := set_aside_half_made(uri):
        on_message(note)
    names = {key: settings.get(key) for key in ("experiment", "registered_model")}
    make = partial(MlflowProjection, uri, folder, **names)
    if timeout is None:
        links = make().sync(study, status=_status(study), optuna_study=optuna_study)
    else:
        with TrackerProcess(make) as tracker:
            links = tracker.sync(study, status=_status(study), optuna_study=optuna_study, timeout=timeout)
    if links is None:
        raise TrackingError(f"MLflow at {uri} has no runs of study '{study.study}'")
    return links


def sync(
    place: StudyPlace, tracking_uri: str | None, timeout: float | None, on_message: Callable[[str], None]
) -> TrackingLinks:
    """Copy an existing study to MLflow, to its own store or another one, see :func:`search.api.sync_to_mlflow`."""
    from search.study.store import StudyStore
    from search.study.trials import without_driver

    with place.exclusive(on_message):
        store = StudyStore.at(place, place.open())
        assert store is not None  # it existed before the lock was taken, and is only deleted under the lock
        record = store.record()
        links = sync_study(
            replace(record, trials=without_driver(record.trials)),
            store.study,
            folder=place.paths.folder,
            tracking_uri=tracking_uri,
            timeout=timeout,
            on_message=on_message,
        )
        if tracking_uri is None:
            store.set_links(links)
    return links


def _status(study: StudyRecord) -> RunStatus:
    """State of a study, derived from its record: running, finished, or stopped before its end."""
    if any(trial.state == "RUNNING" for trial in study.trials):
        return "RUNNING"
    return "FINISHED" if study.holdout else "KILLED"
