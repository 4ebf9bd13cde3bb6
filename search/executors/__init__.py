"""Where jobs run: in this process, in long-lived worker processes, or on a cluster."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.executors.base import Executor, WorkerSettings

IN_PROCESS = "in_process"
"""The executor that has no workers."""
RAY = "ray"
"""The executor whose workers are on a cluster."""
EXECUTORS = {
    IN_PROCESS: "search.executors.in_process:InProcessExecutor",
    "processes": "search.executors.processes:ProcessExecutor",
    RAY: "search.executors.ray_cluster:RayExecutor",
}
"""Name of an executor → its class, which is imported when it is used."""


def executor_name(wanted: str, jobs: int, *, separate: bool = False, limited: bool = False) -> str:
    """The executor of a number of jobs.

    Args:
        wanted: Its name, or ``auto``: worker processes for several jobs at a time, or with a time limit.
        jobs: How many run at once.
        separate: Jobs must not run in this process, even one at a time.
        limited: There is a time limit: a job that ignores its end can only be ended with its worker.
    """
    workers = "processes" if jobs > 1 or separate or limited else IN_PROCESS
    return workers if wanted == "auto" or (wanted == IN_PROCESS and separate) else wanted


def make_executor(name: str, settings: WorkerSettings) -> Executor:
    """The executor of that name; enter it to start its workers."""
    executor: Executor = resolve_name(EXECUTORS[name])(settings)
    return executor
