"""MLflow's stores and servers, and how to use them without side effects on the rest of the process."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from search.errors import TrackingError, printable
from search.study.records import StudyRecord
from search.tracking.database import SQLITE, artifacts_beside, create_database, sqlite_path, sqlite_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Set while MLflow is used, unless the user has set them: no telemetry, no messages, and outages are detected within
# seconds. The transport never repeats a request, because the first one may have created a run.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_LONGEST_REASON = 300
_NOTE = "mlflow.note.content"
# By which the UI opens the pages for model training, and not those for language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_CHATTY_LOGGERS = ("mlflow", "alembic", "optuna", "sqlalchemy.engine", "urllib3.connectionpool")


def default_tracking_uri(configured: str | None, folder: Path) -> str:
    """The configured store or server, or else ``MLFLOW_TRACKING_URI``, or else the database of the folder.

    Args:
        configured: URI from the study or the command line.
        folder: The working folder. The default is its ``mlruns/mlflow.db``, and paths of databases are relative to it.

    Raises:
        TrackingError: MLflow cannot use the URI.
    """
    uri = configured or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return sqlite_uri(folder.absolute() / "mlruns" / "mlflow.db")
    if uri.startswith(SQLITE):
        path = Path(uri.removeprefix(SQLITE))
        return uri if path.is_absolute() else sqlite_uri(folder.absolute() / path)
    if not is_server(uri) and urlsplit(uri).scheme in ("", "file"):
        source = "tracking.uri" if configured else "MLFLOW_TRACKING_URI"
        raise TrackingError(
            f"{source} is {uri!r}, but MLflow no longer supports plain folders; use a database, as in "
            "sqlite:///mlruns/mlflow.db, or a server, as in http://127.0.0.1:5000"
        )
    return uri


def study_tracking_uri(study: StudyRecord, folder: Path) -> str:
    """The store or server that shows the study: that of its last run, or else that of its next run.

    A database that no longer exists was moved with the folder, so the store of the next run is used.

    Args:
        study: The study.
        folder: The working folder.

    Raises:
        TrackingError: MLflow cannot use the URI of the study or of the environment.
    """
    configured = default_tracking_uri(study.config.get("tracking", {}).get("uri"), folder)
    if study.mlflow is None or study.mlflow.tracking_uri == without_password(configured):
        return configured
    database = sqlite_path(study.mlflow.tracking_uri)
    return configured if database is not None and not database.exists() else study.mlflow.tracking_uri


def artifact_location(tracking_uri: str, folder: Path) -> str | None:
    """Artifact location of a new experiment: beside a SQLite database; ``None`` if a server decides."""
    if is_server(tracking_uri):
        return None
    database = sqlite_path(tracking_uri)
    if database is not None:
        return artifacts_beside(database)
    return (folder.absolute() / "mlruns" / "artifacts").as_uri()


def is_server(uri: str) -> bool:
    """Whether the URI is that of a server, and not of a database that MLflow opens itself."""
    return uri.startswith(("http://", "https://", "databricks"))


def without_password(uri: str) -> str:
    """The URI with its password replaced by ``***``, so that it can be shown and stored."""
    parts = urlsplit(uri)
    if not parts.password:
        return uri
    return uri.replace(f":{parts.password}@", ":***@", 1)


def server_command(tracking_uri: str, folder: Path, port: int) -> list[str]:
    """The command that starts an MLflow server on 127.0.0.1; run it with :func:`server_environment`.

    Args:
        tracking_uri: Database of the runs.
        folder: The working folder.
        port: Port of the server.
    """
    files = artifact_location(tracking_uri, folder)
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", tracking_uri),
        *(("--artifacts-destination", files) if files else ()),
    ]


def server_environment() -> dict[str, str]:
    """Environment variables of the server, unless the user has set them: no telemetry, no jobs."""
    return {**ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def connect(tracking_uri: str) -> MlflowClient:
    """A client of a store or server; creating a new database takes seconds."""
    from mlflow import MlflowClient

    create_database(tracking_uri)
    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


@contextmanager
def talking_to(tracking_uri: str) -> Iterator[None]:
    """Use MLflow quietly; every failure becomes a :class:`TrackingError`.

    Raises:
        TrackingError: In place of any exception, with a message of one line.
    """
    try:
        with _environment(), _quiet():
            yield
    except TrackingError:
        raise
    except Exception as error:  # no failure of a store, a network or a disk may end a search
        raise TrackingError(f"MLflow at {without_password(tracking_uri)} failed: {_reason(error)}") from error


def open_experiment(client: MlflowClient, name: str, location: str | None, *, note: str = "") -> str:
    """Find or create an experiment; return its id.

    Args:
        client: Client of the server.
        name: Name of the experiment.
        location: Artifact location of a new experiment; ``None``: the server decides.
        note: Its description in Markdown, unless it has one; empty: none is written.

    Raises:
        TrackingError: The experiment was deleted.
    """
    experiment = client.get_experiment_by_name(name)
    tags = _EXPERIMENT_TAGS | ({_NOTE: note} if note else {})
    if experiment is None:
        return str(client.create_experiment(name, location, tags))
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"MLflow's experiment '{name}' was deleted; restore it with 'mlflow experiments restore -x "
            f"{experiment.experiment_id}', or choose another with --set tracking.experiment=..."
        )
    for key in tags.keys() - experiment.tags.keys():
        client.set_experiment_tag(experiment.experiment_id, key, tags[key])
    return str(experiment.experiment_id)


def _reason(error: BaseException) -> str:
    """The cause in one line: the message of the operating system if there is one."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
        link = link.__cause__ or link.__context__
    lines = printable(str(error)).strip().splitlines()
    return f"{type(error).__name__}: {without_password(lines[0])[:_LONGEST_REASON]}" if lines else type(error).__name__


@contextmanager
def _environment() -> Iterator[None]:
    added = [key for key in ENVIRONMENT if key not in os.environ]
    os.environ.update({key: ENVIRONMENT[key] for key in added})
    try:
        yield
    finally:
        for key in added:
            os.environ.pop(key, None)


class _ThreadFilter(logging.Filter):
    """Drops the messages of one thread."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread


@contextmanager
def _quiet() -> Iterator[None]:
    import mlflow  # noqa: F401  # installs its log handlers when it is first imported

    silence = _ThreadFilter()
    loggers = [logging.getLogger(name) for name in _CHATTY_LOGGERS]
    handlers = [handler for logger in loggers for handler in logger.handlers]
    targets: list[logging.Filterer] = [*loggers, *handlers]
    for target in targets:
        target.addFilter(silence)
    try:
        yield
    finally:
        for target in targets:
            target.removeFilter(silence)
