"""A copy to a server that answers slowly, or with what a terminal must not see, ends with one line."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers.synthetic_study import finished_study

from search.errors import TrackingError
from search.tracking.factory import sync_study


class Answer(BaseHTTPRequestHandler):
    """Answers every request with an error, or one byte a second."""

    slow = False

    def do_GET(self) -> None:
        body = b'{"error_code": "INTERNAL_ERROR", "message": "\\u001b[2Jall is well\\u0007"}'
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for byte in body if self.slow else ():
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.5)
        if not self.slow:
            self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  # the name that http.server looks for

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Answer, "slow", False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads, server.block_on_close = True, False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_what_a_server_says_is_shown_without_control_characters(server: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="all is well") as caught:
        sync_study(finished_study(1), folder=tmp_path, tracking_uri=server)
    assert str(caught.value).isprintable()


@pytest.mark.slow
def test_a_copy_ends_at_its_time_however_slowly_the_server_answers(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answer, "slow", True)
    started = time.monotonic()
    with pytest.raises(TrackingError, match=r"MLflow took longer than 8 s; .* with a longer --timeout copies the rest"):
        sync_study(finished_study(1), folder=tmp_path, tracking_uri=server, timeout=8)
    assert time.monotonic() - started < 40, "one answer takes as long, and MLflow asks again and again"
