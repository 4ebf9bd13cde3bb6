"""A callback for jobs, and waiting for them."""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from typing import Any

import pytest

from search.executors.base import Executor, Outcome

NEEDS_RAY = pytest.mark.skipif(
    find_spec("ray") is None and "REQUIRE_RAY" not in os.environ, reason="the package ray is not installed (extra ray)"
)


class Watcher:
    """A callback that keeps the reports and stops the jobs it is told to."""

    def __init__(self) -> None:
        self.reports: list[tuple[int, Any]] = []
        self.stop_after: dict[int, int] = {}

    def on_report(self, key: int, message: Any) -> None:
        self.reports.append((key, message))

    def stop_reason(self, key: int) -> str | None:
        enough = self.stop_after.get(key)
        return "enough" if enough is not None and len(self.reports) >= enough else None


def no_warm_up() -> None:
    """Workers of these tests need nothing."""


def end(executor: Executor, watcher: Watcher, count: int = 1, seconds: float = 20) -> list[Outcome]:
    outcomes: list[Outcome] = []
    deadline = time.monotonic() + seconds
    while len(outcomes) < count:
        assert time.monotonic() < deadline, f"only {len(outcomes)} of {count} jobs ended"
        outcomes += executor.poll(watcher, 0.1)
    return outcomes
