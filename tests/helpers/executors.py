"""A callback for jobs, and waiting for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest

from search.executors.base import Executor, Outcome

_PROBE = """
import ray
ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
assert ray.get(ray.remote(lambda: 7).remote(), timeout=60) == 7
"""
NEEDS_RAY = pytest.mark.skipif(
    find_spec("ray") is None and "REQUIRE_RAY" not in os.environ, reason="the package ray is not installed (extra ray)"
)


@cache
def ray_problem() -> str | None:
    """Why Ray cannot run on this machine, where it may lack shared memory or an address of its own."""
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-c", _PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return "it did not run a task in 120 s"
    return None if done.returncode == 0 else next(iter(done.stderr.strip().splitlines()[-1:]), "no message")


def skip_without_ray() -> None:
    """Skip a test on a machine where Ray cannot run, unless ``REQUIRE_RAY`` is set."""
    if "REQUIRE_RAY" not in os.environ and (problem := ray_problem()) is not None:
        pytest.skip(f"Ray cannot run on this machine: {problem}")


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
