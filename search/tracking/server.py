"""The command that starts the MLflow UI on a store."""

from __future__ import annotations

import sys
from pathlib import Path

from search.tracking.store import ENVIRONMENT, artifact_location


def server_command(tracking_uri: str, folder: Path, port: int) -> list[str]:
    """An MLflow server on that store, for this machine only; run it with :func:`server_environment`.

    Args:
        tracking_uri: A database.
        folder: The working folder.
        port: On 127.0.0.1.
    """
    files = artifact_location(tracking_uri, folder)
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", tracking_uri),
        *(("--artifacts-destination", files) if files else ()),
    ]


def server_environment() -> dict[str, str]:
    """Environment variables that such a server should have unless the user has set them: it calls nobody."""
    return {**ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
