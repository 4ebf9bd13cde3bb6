"""``search ui``: the MLflow UI on the right store."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Annotated

import typer


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open the MLflow UI on the studies of this folder; it listens on 127.0.0.1 only.

    Example: python -m search ui --port 5001
    """
    from search.errors import SearchError, TrackingError
    from search.tracking import default_tracking_uri, server_command, server_environment

    folder = Path.cwd()
    uri = default_tracking_uri(None, folder)
    if uri.startswith(("http://", "https://")):
        print(f"the studies are on the server in MLFLOW_TRACKING_URI: {uri}")
        return
    database = folder / "mlruns" / "mlflow.db"
    if "MLFLOW_TRACKING_URI" not in os.environ and not database.exists():
        raise TrackingError(f"there is no {database}: run a study in this folder first, or go to the folder of one")
    if _is_taken(port):
        raise SearchError(f"--port {port} is used by another program: give another one, as in --port {port + 1}")
    # Without the workflow type, MLflow opens on its pages for language models.
    address = f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning"
    print(f"MLflow UI on {address} (Ctrl-C ends it)", flush=True)
    command = server_command(uri, folder, port)
    environment = {**server_environment(), **os.environ}
    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
