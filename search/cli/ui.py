"""``search ui``: the MLflow UI on the right store."""

from __future__ import annotations

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
    from search.errors import TrackingError
    from search.tracking import default_tracking_uri, server_command

    uri = default_tracking_uri(None, Path.cwd())
    if uri.startswith(("http://", "https://")):
        print(f"the studies are on the server in MLFLOW_TRACKING_URI: {uri}")
        return
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        raise TrackingError(
            f"there is no {uri.removeprefix('sqlite:///')}: run a study here first, or change the folder"
        )
    print(f"MLflow UI on http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    raise typer.Exit(subprocess.run(server_command(uri, Path.cwd(), port), check=False).returncode)
