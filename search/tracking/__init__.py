"""Tracking: a study is mirrored to MLflow, which the search never waits for."""

from search.tracking.background import BackgroundTracker
from search.tracking.base import RunStatus, Tracker
from search.tracking.factory import make_tracker, sync_study
from search.tracking.mlflow_projection import MlflowProjection
from search.tracking.null import NullTracker
from search.tracking.server import server_command, server_environment
from search.tracking.store import default_tracking_uri

__all__ = [
    "BackgroundTracker",
    "MlflowProjection",
    "NullTracker",
    "RunStatus",
    "Tracker",
    "default_tracking_uri",
    "make_tracker",
    "server_command",
    "server_environment",
    "sync_study",
]
