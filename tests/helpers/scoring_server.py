"""``mlflow models serve``, asked over HTTP as any client would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from helpers.mlflow_server import free_port
from helpers.waiting import PATIENCE


class ScoringServer:
    """A server of one model on a free port of the loopback interface. Use it as a context manager.

    Args:
        model_uri: Directory of an MLflow model, or ``models:/NAME@alias``.
        folder: Where its log is.
        tracking_uri: Server that has the model.
    """

    def __init__(self, model_uri: str, folder: Path, tracking_uri: str | None = None) -> None:
        self._log = folder / "serve.log"
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        where = {} if tracking_uri is None else {"MLFLOW_TRACKING_URI": tracking_uri}
        # MLflow calls programs of its environment by name, as in an activated one.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model_uri, "--env-manager", "local"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                cwd=folder,
                env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path} | where,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def post(self, content: Any, kind: str = "application/json") -> tuple[int, Any]:
        """Status and JSON of the answer.

        Args:
            content: Of the request: text, or what becomes JSON.
            kind: Its type.
        """
        body = content if isinstance(content, str) else json.dumps(content)
        request = urllib.request.Request(f"{self.uri}/invocations", body.encode(), {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def __enter__(self) -> Self:
        end = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, "the server did not start in time"
            time.sleep(0.1)
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/ping", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
