"""``search ui``: the MLflow UI on the store of a study."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from search.study.records import StudyRecord

_SECONDS_TO_END = 5.0


def ui(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="Study whose store is opened: path of a study file, or name of a study.",
            show_default="the store of this folder",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="PORT", help="Port to listen on.")] = 5000,
) -> None:
    """Open the MLflow UI on the studies of this folder. It listens on 127.0.0.1 only.

    With a study, the address of its runs is printed: the exported model, the trials and the baselines, best score
    first.

    Example: python -m search ui weather --port 5001
    """
    from search.api import load_record
    from search.errors import SearchError
    from search.tracking.runs import WORKFLOW, leaderboard_page
    from search.tracking.store import is_server, server_command, server_environment, without_password

    folder = Path.cwd()
    record = None if study is None else load_record(study, folder)
    uri = _store(study, record, folder)
    if is_server(uri):
        shown = without_password(uri)
        page = leaderboard_page(record, shown) if record is not None and shown.startswith("http") else None
        print(f"the runs are on the MLflow server {page or shown}")
        return
    if _is_taken(port):
        raise SearchError(f"--port {port} is in use by another program; choose another one, as in --port {port + 1}")
    server = f"http://127.0.0.1:{port}"
    page = None if record is None else leaderboard_page(record, server)
    print(f"MLflow UI on {page or f'{server}/#/experiments?{WORKFLOW}'} (press Ctrl-C to stop)", flush=True)
    command = server_command(uri, folder, port)
    raise typer.Exit(_serve(command, {**server_environment(), **os.environ}))


def _serve(command: list[str], environment: dict[str, str]) -> int:
    """Run a server until it ends, or until this process is told to end; the processes of the server end with it."""
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    for signum in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signum)
            else:
                process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_END)


def _store(study: str | None, record: StudyRecord | None, folder: Path) -> str:
    """The URI of the store or server to open.

    Raises:
        TrackingError: It is a database that is not there.
    """
    from search.errors import TrackingError
    from search.tracking.database import set_aside_half_made, sqlite_path
    from search.tracking.store import default_tracking_uri, study_tracking_uri

    if record is None:
        uri = default_tracking_uri(None, folder)
        way_out = "run a study in this folder first, or go to the folder of one"
    else:
        uri = study_tracking_uri(record, folder)
        way_out = f"copy the study to MLflow with: python -m search sync {study}"
    note = set_aside_half_made(uri)
    database = sqlite_path(uri)
    if database is not None and not database.exists():
        raise TrackingError(f"{note or f'there is no {database}'}: {way_out}")
    return uri


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
