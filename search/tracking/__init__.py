"""Mirrors studies to MLflow; the search never waits for it."""

from search.tracking.background import BackgroundTracker
from search.tracking.base import NullTracker, RunStatus, Tracker
from search.tracking.factory import make_tracker, sync_study
from search.tracking.mlflow_projection import MlflowProjection
from search.tracking.store import default_tracking_uri, server_command, server_environment

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
